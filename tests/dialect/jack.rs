//! Jack: one token of a day that extends itself.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::model::SigningAlg;
use countersign::tenancy::users;
use serde_json::{Value, json};

use super::{Answer, Api, members};
use crate::on_both_databases;
use crate::support::{Database, PASSWORD, claims, verified};

const LOGIN: &str = "/api/v1/auth/login";
const REFRESH: &str = "/api/v1/auth/refresh";
const LOGOUT: &str = "/api/v1/auth/logout";
const CHECK: &str = "/api/v1/auth/check";
const DAY: Duration = Duration::from_secs(86_400);

/// A hotel, and John who manages it.
async fn start(database: Database) -> Api {
    start_with_staff(database, &[("john", "manager")]).await
}

async fn start_with_staff(database: Database, staff: &[(&str, &str)]) -> Api {
    let api = Api::start(database, "jack").await;
    let hotel = api.app.organisation("hotel").await;
    for (name, role) in staff {
        let user = api.app.user(name).await;
        api.app.member(&hotel, user, &[role]).await;
    }
    api
}

async fn token(api: &Api, name: &str) -> String {
    let answer = api.login(LOGIN, name).await;
    answer.expect(200);
    answer.text("/data/token")
}

fn error(status: u16, code: &str, message: &str) -> (u16, Value) {
    (status, json!({ "success": false, "error": { "code": code, "message": message } }))
}

#[track_caller]
fn assert_error(answer: &Answer, status: u16, code: &str) {
    let body = answer.expect(status);
    assert_eq!((&body["success"], &body["error"]["code"]), (&json!(false), &json!(code)), "{body:#}");
    assert_eq!(members(body), ["error", "success"]);
    assert_eq!(members(&body["error"]), ["code", "message"]);
    assert!(!answer.text("/error/message").is_empty());
}

on_both_databases! {
    async fn jk_1_every_call_but_the_login_needs_a_bearer_token(database) {
        let api = start(database).await;
        for call in [api.post(REFRESH), api.post(LOGOUT), api.get(CHECK)] {
            assert_error(&call.send().await, 401, "TOKEN_MISSING");
        }
        let token = token(&api, "john").await;
        api.get(CHECK).bearer(&token).send().await.expect(204);
    }

    async fn jk_2_a_login_answers_token_end_and_user(database) {
        let api = start(database).await;
        let answer = api.login(LOGIN, "john").await;
        let body = answer.expect(200);
        assert_eq!((members(body), &body["success"]), (vec!["data", "success"], &json!(true)));
        assert_eq!(members(&body["data"]), ["expiresAt", "token", "user"]);
        let token = answer.text("/data/token");
        let (header, claims) = verified(&api.app, &token).await;
        assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("at+jwt")));
        let user = &body["data"]["user"];
        assert_eq!(
            *user,
            json!({ "id": claims["sub"], "name": "john", "email": "john@example.com", "role": "manager" })
        );
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(api.app.issuer), &json!(api.audience())));
    }

    async fn jk_3_a_token_lasts_a_day_and_says_so_and_less_if_configured(database) {
        let api = start(database).await;
        let answer = api.login(LOGIN, "john").await;
        let claims = claims(&answer.text("/data/token"));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 86_400);
        assert_eq!(answer.text("/data/expiresAt"), seconds_as_rfc3339(claims["exp"].as_i64().unwrap()));

        let short = Api::start_with(database, "jack", |dialect| {
            dialect.tokens.access_ttl = Some(Duration::from_secs(600));
        })
        .await;
        short.member("john", "member").await;
        let answer = short.login(LOGIN, "john").await;
        let claims = crate::support::claims(&answer.text("/data/token"));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    }

    async fn jk_4_a_live_token_is_given_a_later_one_and_stays_good_itself(database) {
        let api = start(database).await;
        let first = api.login(LOGIN, "john").await;
        api.app.advance(Duration::from_secs(3_600));
        let second = api.post(REFRESH).bearer(&first.text("/data/token")).send().await;
        let body = second.expect(200);
        assert_eq!(members(&body["data"]), ["expiresAt", "token", "user"]);
        assert!(second.text("/data/expiresAt") > first.text("/data/expiresAt"));
        assert_ne!(second.text("/data/token"), first.text("/data/token"));
        // Parallel tabs hold the old one until its own end.
        for token in [first.text("/data/token"), second.text("/data/token")] {
            api.get(CHECK).bearer(&token).send().await.expect(204);
        }
    }

    async fn jk_4_nothing_is_extended_beyond_the_session(database) {
        let api = Api::start_with(database, "jack", |dialect| {
            dialect.tokens.session_ttl = Some(Duration::from_secs(30 * 3_600));
        })
        .await;
        api.member("john", "member").await;
        let first = token(&api, "john").await;
        api.app.advance(Duration::from_secs(20 * 3_600));
        let second = api.post(REFRESH).bearer(&first).send().await.text("/data/token");
        let (first, last) = (claims(&first), claims(&second));
        assert_eq!(last["exp"].as_i64().unwrap() - first["iat"].as_i64().unwrap(), 30 * 3_600, "LG-1");
        api.app.advance(Duration::from_secs(10 * 3_600));
        assert_error(&api.post(REFRESH).bearer(&second).send().await, 401, "TOKEN_EXPIRED");
    }

    async fn jk_5_a_logout_ends_the_token_and_can_be_repeated(database) {
        let api = start(database).await;
        let token = token(&api, "john").await;
        assert_eq!(*api.post(LOGOUT).bearer(&token).send().await.expect(200), json!({ "success": true }));
        assert_error(&api.get(CHECK).bearer(&token).send().await, 401, "TOKEN_INVALID");
        assert_error(&api.post(REFRESH).bearer(&token).send().await, 401, "TOKEN_INVALID");
        assert_eq!(*api.post(LOGOUT).bearer(&token).send().await.expect(200), json!({ "success": true }));
        assert_error(&api.post(LOGOUT).bearer("x.y.z").send().await, 401, "TOKEN_INVALID");
    }

    async fn jk_5_a_logout_ends_what_was_extended_from_the_token_too(database) {
        let api = start(database).await;
        let first = token(&api, "john").await;
        let second = api.post(REFRESH).bearer(&first).send().await.text("/data/token");
        let other = token(&api, "john").await;
        api.post(LOGOUT).bearer(&first).send().await.expect(200);
        assert_error(&api.get(CHECK).bearer(&second).send().await, 401, "TOKEN_INVALID");
        api.get(CHECK).bearer(&other).send().await.expect(204);
    }

    async fn jk_6_the_token_carries_the_role_and_a_higher_one_includes_a_lower(database) {
        let staff = [("ada", "admin"), ("john", "manager"), ("sam", "member")];
        let api = start_with_staff(database, &staff).await;
        for (name, role, may) in [
            ("ada", "admin", [true, true, true]),
            ("john", "manager", [false, true, true]),
            ("sam", "staff", [false, false, true]),
        ] {
            let answer = api.login(LOGIN, name).await;
            let token = answer.text("/data/token");
            assert_eq!((&claims(&token)["role"], answer.text("/data/user/role")), (&json!(role), role.to_owned()));
            for (needed, may) in ["admin", "manager", "staff"].into_iter().zip(may) {
                let path = format!("{CHECK}?role={needed}");
                let answer = api.get(&path).bearer(&token).send().await;
                match may {
                    true => assert_eq!(answer.header("x-user-role"), role, "{name} {needed}"),
                    false => assert_error(&answer, 403, "FORBIDDEN"),
                }
            }
        }
    }

    async fn jk_7_errors_have_the_printed_shape(database) {
        let api = start(database).await;
        let wrong = json!({ "email": "john@example.com", "password": "wrong horse" });
        assert_error(&api.post(LOGIN).json(&wrong).send().await, 401, "INVALID_CREDENTIALS");
        let token = token(&api, "john").await;
        let mut tampered = token.clone();
        let other = if token.as_bytes()[token.len() - 6] == b'A' { "B" } else { "A" };
        tampered.replace_range(token.len() - 6..token.len() - 5, other);
        for bad in [tampered.as_str(), "not-a-token", "e30.e30.e30"] {
            assert_error(&api.post(REFRESH).bearer(bad).send().await, 401, "TOKEN_INVALID");
        }
        assert_error(&api.get(CHECK).send().await, 401, "TOKEN_MISSING");
        let refused = api.get(&format!("{CHECK}?role=admin")).bearer(&token).send().await;
        assert_error(&refused, 403, "FORBIDDEN");
        api.app.advance(DAY);
        let answer = api.post(REFRESH).bearer(&token).send().await;
        let expired = error(401, "TOKEN_EXPIRED", "Your session has expired. Please login again.");
        assert_eq!((answer.status, answer.body), expired);
        let answer = api.post(REFRESH).bearer(&tampered).send().await;
        assert_error(&answer, 401, "TOKEN_INVALID");
    }

    async fn jk_8_keys_rotate_without_anybody_signing_in_again_and_no_token_is_read_from_an_address(database) {
        let api = start(database).await;
        let token = token(&api, "john").await;
        let scribe = api.app.app.scribe(&Origin::command_line());
        api.app.app.signing.rotate(&api.app.app.db, SigningAlg::Es256, scribe).await.expect("the keys rotate");
        api.post(REFRESH).bearer(&token).send().await.expect(200);
        let in_address = format!("{CHECK}?token={token}&access_token={token}");
        assert_error(&api.get(&in_address).send().await, 401, "TOKEN_MISSING");
    }

    async fn jk_9_an_api_key_serves_servers_does_not_expire_and_ends_when_it_is_revoked(database) {
        let api = start(database).await;
        let hotel = api.app.read(|db| countersign::tenancy::organisations::find(db, "hotel")).await.unwrap().id;
        let (key, id) = api.key(hotel, &["tasks:read"]).await;
        let check = |query: &str, key: &str| api.get(&format!("{CHECK}{query}")).header("X-API-Key", key).send();
        let passed = check("?scope=tasks:read", &key).await;
        passed.expect(204);
        assert_eq!((passed.header("x-organization-id"), passed.header("x-user-id")), (hotel.to_string().as_str(), ""));
        assert!(passed.header("x-machine-id").starts_with("svc_"));
        // It has no role, and no more than its scopes.
        for query in ["?role=staff", "?role=admin", "?scope=tasks:write"] {
            assert_error(&check(query, &key).await, 403, "FORBIDDEN");
        }
        // It signs nobody in, and there is one credential at a time.
        assert_error(&api.post(REFRESH).header("X-API-Key", &key).send().await, 401, "TOKEN_MISSING");
        assert_error(&api.get(CHECK).bearer(&key).send().await, 401, "TOKEN_INVALID");
        let both = api.get(CHECK).header("X-API-Key", &key).bearer(&token(&api, "john").await).send().await;
        assert_error(&both, 400, "VALIDATION_ERROR");
        // Never in an address.
        assert_error(&api.get(&format!("{CHECK}?api_key={key}")).send().await, 401, "TOKEN_MISSING");
        api.app.advance(Duration::from_secs(3 * 366 * 86_400));
        check("", &key).await.expect(204);
        api.revoke_key(hotel, id).await;
        assert_error(&check("", &key).await, 401, "TOKEN_INVALID");
        assert_error(&check("", "cs_k_nonsense").await, 401, "TOKEN_INVALID");
    }

    async fn jk_silent_the_scheme_is_read_loosely_and_another_one_is_no_token(database) {
        let api = start(database).await;
        let token = token(&api, "john").await;
        for good in [format!("bearer {token}"), format!("BEARER   {token} ")] {
            api.get(CHECK).header("Authorization", &good).send().await.expect(204);
        }
        for other in [format!("Basic {token}"), format!("Token {token}"), token.clone(), "Bearer".to_owned()] {
            let answer = api.get(CHECK).header("Authorization", &other).send().await;
            assert_error(&answer, 401, "TOKEN_MISSING");
        }
    }

    async fn jk_silent_a_missing_field_is_a_validation_error(database) {
        let api = start(database).await;
        for bad in [
            json!({}),
            json!({ "email": "john@example.com" }),
            json!({ "email": "", "password": PASSWORD }),
            json!({ "email": ["john@example.com"], "password": PASSWORD }),
            json!({ "email": "john@example.com", "password": 5 }),
        ] {
            assert_error(&api.post(LOGIN).json(&bad).send().await, 400, "VALIDATION_ERROR");
        }
        assert_error(&api.post(LOGIN).body("application/json", "{").send().await, 400, "VALIDATION_ERROR");
        let more = json!({ "email": " John@Example.com ", "password": PASSWORD, "device": { "os": "x" } });
        api.post(LOGIN).json(&more).send().await.expect(200);
    }

    async fn jk_silent_a_change_of_role_and_a_deactivation_are_seen_at_the_next_refresh(database) {
        let api = start(database).await;
        let john = api.app.user("jane").await;
        let inn = api.app.organisation("inn").await;
        api.app.member(&inn, john, &["manager"]).await;
        let token = token(&api, "jane").await;
        assert_eq!(claims(&token)["role"], "manager");
        api.app.set_roles(&inn, john, &["member"]).await;
        let next = api.post(REFRESH).bearer(&token).send().await;
        assert_eq!(next.text("/data/user/role"), "staff");
        assert_eq!(claims(&next.text("/data/token"))["role"], "staff");
        users::disable(&api.app.app, john, &Origin::command_line()).await.expect("the user is disabled");
        let refused = api.post(REFRESH).bearer(&next.text("/data/token")).send().await;
        assert_error(&refused, 401, "TOKEN_INVALID");
        let wrong = api.login(LOGIN, "jane").await;
        assert_error(&wrong, 401, "INVALID_CREDENTIALS");
    }
}

fn seconds_as_rfc3339(seconds: i64) -> String {
    countersign::clock::Timestamp::from_seconds(seconds).rfc3339()
}
