//! What holds for every dialect: sizes, types, methods, caches, other origins, other hosts, limits.

use std::time::{Duration, Instant};

use countersign::model::Status;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::{clients, organisations};
use serde_json::json;

use super::{Api, shipped};
use crate::on_both_databases;
use crate::support::{PASSWORD, Settings, claims};

const LOGIN: &str = "/api/v1/auth/login";

on_both_databases! {
    async fn x_5_every_refusal_is_in_the_dialects_own_words(database) {
        let api = Api::start(database, "jack").await;
        let long = json!({ "email": "john@example.com", "password": "x".repeat(70_000) });
        let longer = json!({ "email": "john@example.com", "password": "x".repeat(300_000) });
        let no_path = api.get("/api/v1/nothing");
        for (call, status, code) in [
            (api.post(LOGIN).json(&long), 413, "BODY_TOO_LARGE"),
            (api.post(LOGIN).json(&longer), 413, "BODY_TOO_LARGE"),
            (api.post(LOGIN).body("text/plain", "{}"), 415, "UNSUPPORTED_MEDIA_TYPE"),
            (api.post(LOGIN).form(&[("email", "a")]), 415, "UNSUPPORTED_MEDIA_TYPE"),
            (api.get(LOGIN), 405, "METHOD_NOT_ALLOWED"),
            (api.call("DELETE", LOGIN), 405, "METHOD_NOT_ALLOWED"),
            (no_path, 404, "NOT_FOUND"),
            (api.post("").json(&json!({})), 404, "NOT_FOUND"),
        ] {
            let answer = call.send().await;
            assert_eq!((answer.expect(status))["error"]["code"], code);
            assert_eq!(answer.header("content-type"), "application/json");
            assert_eq!(answer.header("allow"), if status == 405 { "POST" } else { "" });
        }
    }

    async fn pw_6_an_unknown_account_and_a_wrong_password_are_answered_alike(database) {
        let api = Api::start(database, "jack").await;
        api.member("john", "member").await;
        let try_once = async |email: String| {
            let begun = Instant::now();
            let answer = api.post(LOGIN).json(&json!({ "email": email, "password": "wrong horse" })).send().await;
            (begun.elapsed(), answer)
        };
        let (mut known, mut unknown) = (Duration::ZERO, Duration::ZERO);
        for round in 0..3 {
            let (took, one) = try_once("john@example.com".to_owned()).await;
            known += took;
            let (took, other) = try_once(format!("nobody{round}@example.com")).await;
            unknown += took;
            assert_eq!((one.status, one.body), (other.status, other.body));
        }
        let ratio = known.as_secs_f64() / unknown.as_secs_f64();
        assert!((0.2..5.0).contains(&ratio), "{known:?} and {unknown:?}");
    }

    async fn rl_3_too_many_failures_are_429_with_retry_after_and_only_from_there(database) {
        let api = Api::start_with(database, "jack", |dialect| {
            let three = countersign::config::Limit { count: 3, per: Duration::from_secs(900) };
            dialect.limits.insert("login_failures".to_owned(), three);
        })
        .await;
        api.member("john", "member").await;
        let wrong = json!({ "email": "john@example.com", "password": "wrong horse" });
        for _ in 0..3 {
            api.post(LOGIN).json(&wrong).send().await.expect(401);
        }
        let answer = api.login(LOGIN, "john").await;
        assert_eq!(answer.expect(429)["error"]["code"], "RATE_LIMITED");
        assert_eq!(answer.header("retry-after"), "900");
        // The page counts in the same place, by its own limit: another account, another counter (MF-5).
        api.member("jane", "member").await;
        api.login(LOGIN, "jane").await.expect(200);
        api.app.advance(Duration::from_secs(900));
        api.login(LOGIN, "john").await.expect(200);
    }

    async fn mf_5_who_owes_a_second_factor_is_refused_and_gets_nothing(database) {
        let api = Api::start(database, "jack").await;
        let user = api.member("john", "member").await;
        let now = api.app.clock.now();
        let demanded = api.app.app.db.write(move |db| countersign::store::factors::demand(db, user, now)).await;
        demanded.expect("the demand is stored");
        let answer = api.login(LOGIN, "john").await;
        assert_eq!(answer.expect(403)["error"]["code"], "FACTOR_REQUIRED");
        let wrong = json!({ "email": "john@example.com", "password": "wrong horse" });
        api.post(LOGIN).json(&wrong).send().await.expect(401);
    }

    async fn ch_4_ed_8_only_configured_origins_may_read_and_never_with_credentials(database) {
        const OURS: &str = "https://app.example.com";
        let api = Api::start_with(database, "eden", |dialect| dialect.cors.origins = vec![OURS.to_owned()]).await;
        let preflight = |origin: &str| {
            api.call("OPTIONS", "/auth/login")
                .header("Origin", origin)
                .header("Access-Control-Request-Method", "POST")
                .header("Access-Control-Request-Headers", "authorization,x-org-id")
                .send()
        };
        let answer = preflight(OURS).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, OURS));
        assert_eq!(answer.header("access-control-allow-methods"), "POST");
        let allowed = answer.header("access-control-allow-headers").to_ascii_lowercase();
        assert!(allowed.contains("authorization") && allowed.contains("x-org-id"), "{allowed}");
        let answer = api.post("/auth/login").header("Origin", OURS).send().await;
        answer.expect(401);
        assert_eq!(answer.header("access-control-allow-origin"), OURS);
        assert!(answer.header("access-control-expose-headers").contains("Retry-After"));
        for other in ["https://evil.example", "null", "https://app.example.com.evil.example"] {
            for answer in [preflight(other).await, api.post("/auth/login").header("Origin", other).send().await] {
                assert_eq!(answer.header("access-control-allow-origin"), "", "{other}");
                assert!(answer.headers.get_all("vary").iter().any(|value| value == "Origin"));
            }
        }
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }

    async fn ed_8_ja_4_a_preflight_allows_every_header_that_clients_always_send(database) {
        const OURS: &str = "https://app.example.com";
        let settings = Settings::with(|config| {
            for name in ["eden", "jardine", "tendedloop"] {
                let mut dialect = shipped(name);
                dialect.cors.origins = vec![OURS.to_owned()];
                if name == "tendedloop" {
                    dialect.system_secret = Some(countersign::crypto::Secret::from_text("sixteen letters!"));
                }
                config.dialects.push(dialect);
            }
        });
        let api = Api::serve(database, settings, "").await;
        for (method, path, sent) in [
            ("GET", "/eden/auth/refresh", "authorization,x-org-id"),
            ("POST", "/eden/auth/password/reset", "content-type,x-org-id"),
            ("POST", "/jardine/api/auth/logout", "authorization,x-organization-id,x-workspace-id"),
            ("POST", "/jardine/api/auth/refresh", "x-organization-id"),
            ("POST", "/jardine/api/auth/register", "x-organization-id"),
            ("POST", "/jardine/api/auth/password/forgot", "x-organization-id"),
            ("GET", "/jardine/api/auth/google/start", "x-organization-id"),
            ("POST", "/tendedloop/api/auth/login", "x-system-secret,x-api-key"),
        ] {
            let answer = api
                .call("OPTIONS", path)
                .header("Origin", OURS)
                .header("Access-Control-Request-Method", method)
                .header("Access-Control-Request-Headers", sent)
                .send()
                .await;
            let allowed = answer.header("access-control-allow-headers").to_ascii_lowercase();
            let allowed: Vec<&str> = allowed.split(", ").collect();
            for name in sent.split(',') {
                assert!(allowed.contains(&name), "{path} {name}: {allowed:?}");
            }
        }
        let plain = Api::start_with(database, "tendedloop", |dialect| dialect.cors.origins = vec![OURS.to_owned()]).await;
        let answer = plain
            .call("OPTIONS", "/api/auth/login")
            .header("Origin", OURS)
            .header("Access-Control-Request-Method", "POST")
            .send()
            .await;
        let allowed = answer.header("access-control-allow-headers").to_ascii_lowercase();
        assert!(!allowed.contains("x-system-secret"), "it lifts nothing here: {allowed}");
    }

    async fn a_host_chooses_among_configured_ones_and_makes_no_address(database) {
        let settings = Settings::with(|config| {
            for (name, host) in [("jack", "api.jack.example"), ("tendedloop", "api.tended.example")] {
                let mut dialect = shipped(name);
                (dialect.path, dialect.host) = (None, Some(host.to_owned()));
                config.dialects.push(dialect);
            }
        });
        let api = Api::serve(database, settings, "").await;
        api.member("john", "member").await;
        let login = |host: &str, path: &str| {
            let body = json!({ "email": "john@example.com", "password": PASSWORD });
            api.post(path).header("Host", host).json(&body).send()
        };
        let answer = login("API.jack.example:8443", LOGIN).await;
        answer.expect(200);
        assert_eq!(claims(&answer.text("/data/token"))["aud"], "http://api.jack.example");
        assert_eq!(login("api.tended.example", LOGIN).await.expect(404)["code"], "NOT_FOUND", "X1");
        assert_ne!(login("evil.example", LOGIN).await.status, 200);
        let forwarded = api.post(LOGIN).header("X-Forwarded-Host", "api.jack.example").json(&json!({}));
        assert_eq!(forwarded.send().await.status, 404);
        // Our own pages are not there under a dialect's name.
        let page = api.get("/login").header("Host", "api.jack.example").send().await;
        assert_eq!(page.expect(404)["error"]["code"], "NOT_FOUND");
    }

    async fn tk_4_a_token_of_one_api_is_nothing_to_another(database) {
        let settings = Settings::with(|config| config.dialects.extend([shipped("jack"), shipped("orgstack")]));
        let api = Api::serve(database, settings, "").await;
        api.member("john", "member").await;
        let jack = api.login("/jack/api/v1/auth/login", "john").await.text("/data/token");
        let body = json!({ "username": "john@example.com", "password": PASSWORD });
        let orgstack = api.post("/orgstack/api/auth/login").json(&body).send().await.text("/token");
        api.get("/jack/api/v1/auth/check").bearer(&jack).send().await.expect(204);
        api.get("/orgstack/api/auth/check").bearer(&orgstack).send().await.expect(204);
        api.get("/jack/api/v1/auth/check").bearer(&orgstack).send().await.expect(401);
        api.get("/orgstack/api/auth/check").bearer(&jack).send().await.expect(401);
        api.post("/orgstack/api/auth/logout").bearer(&jack).send().await.expect(401);
        api.post("/jack/api/v1/auth/refresh").bearer(&orgstack).send().await.expect(401);
        api.get("/jack/api/v1/auth/check").bearer(&jack).send().await.expect(204);
    }

    async fn every_api_describes_itself(database) {
        let api = Api::start(database, "jack").await;
        let answer = api.get("/openapi.json").send().await;
        assert_eq!((answer.status, &answer.body["openapi"]), (200, &json!("3.1.0")));
        let login = &answer.body["paths"][LOGIN]["post"];
        let schema = &login["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(schema["required"], json!(["email", "password"]));
        let answers = &login["responses"];
        assert!(answers["200"]["content"]["application/json"]["schema"]["properties"]["data"].is_object());
        let example = &answers["401"]["content"]["application/json"]["examples"]["invalid_credentials"]["value"];
        assert_eq!(example["error"]["code"], "INVALID_CREDENTIALS");
        assert_eq!(answer.body["servers"][0]["url"], api.audience());
    }

    async fn lg_1_an_organisation_can_switch_this_way_of_signing_in_off(database) {
        let api = Api::start(database, "jack").await;
        let (john, hotel) = (api.app.user("john").await, api.app.organisation("hotel").await);
        api.app.member(&hotel, john, &["manager"]).await;
        let token = api.login(LOGIN, "john").await.text("/data/token");
        let change = organisations::Change { password_login_allowed: Some(false), ..Default::default() };
        let origin = countersign::audit::Origin::command_line();
        let changed = organisations::change(&api.app.app, Actor::Operator, hotel.id, change, &origin).await;
        changed.expect("the organisation is changed");
        let refused = api.login(LOGIN, "john").await;
        assert_eq!(refused.expect(403)["error"]["code"], "FORBIDDEN");
        assert_eq!(api.app.live_sessions("john").await, 1, "only the one from before");
        api.get("/api/v1/auth/check").bearer(&token).send().await.expect(204);
        let wrong = json!({ "email": "john@example.com", "password": "wrong horse" });
        api.post(LOGIN).json(&wrong).send().await.expect(401);
    }

    async fn lg_1_the_instance_can_switch_passwords_in_json_off(database) {
        let settings = Settings::with(|config| {
            config.dialects.push(shipped("jack"));
            config.password.json_sign_in = false;
        });
        let api = Api::serve(database, settings, "/jack").await;
        api.app.user("john").await;
        for password in [PASSWORD, "wrong horse"] {
            let body = json!({ "email": "john@example.com", "password": password });
            let refused = api.post(LOGIN).json(&body).send().await;
            assert_eq!(refused.expect(403)["error"]["code"], "FORBIDDEN", "nothing is said of the password");
        }
        assert_eq!(api.app.live_sessions("john").await, 0);
    }

    async fn ar_2_a_client_that_is_disabled_or_demands_a_factor_gives_nothing(database) {
        let api = Api::start(database, "jack").await;
        api.member("john", "member").await;
        let token = api.login(LOGIN, "john").await.text("/data/token");
        let origin = countersign::audit::Origin::command_line();
        let change = clients::Change { require_mfa: Some(true), ..Default::default() };
        clients::change(&api.app.app, "dialect:jack", change, &origin).await.expect("it is changed");
        assert_eq!(api.login(LOGIN, "john").await.expect(403)["error"]["code"], "FACTOR_REQUIRED", "MF-5");
        api.post("/api/v1/auth/refresh").bearer(&token).send().await.expect(401);
        let change = clients::Change { require_mfa: Some(false), ..Default::default() };
        clients::change(&api.app.app, "dialect:jack", change, &origin).await.expect("it is changed");
        api.login(LOGIN, "john").await.expect(200);
        let disabled = clients::set_status(&api.app.app, "dialect:jack", Status::Disabled, &origin).await;
        disabled.expect("it is disabled");
        api.login(LOGIN, "john").await.expect(401);
        api.get("/api/v1/auth/check").bearer(&token).send().await.expect(401);
        assert_eq!(api.app.live_sessions("john").await, 2);
    }

    async fn lg_1_no_stranger_can_be_the_dialects_client_at_the_token_endpoint(database) {
        let api = Api::start(database, "tendedloop").await;
        let (jane, acme) = (api.app.user("jane").await, api.app.organisation("acme").await);
        api.app.member(&acme, jane, &["admin"]).await;
        let token = api.login("/api/auth/login", "jane").await.text("/data/tokens/refreshToken");
        let form = [("grant_type", "refresh_token"), ("client_id", "dialect:tendedloop"), ("refresh_token", &token)];
        let asking = || api.app.http.post(api.app.url("/oauth2/token"));
        for request in [
            asking().form(&form),
            asking().basic_auth("dialect:tendedloop", Some("")).form(&form[..1]),
            asking().basic_auth("dialect:tendedloop", Some("guessed")).form(&[form[0], form[2]]),
        ] {
            let answer = request.send().await.expect("an answer");
            assert!([400, 401].contains(&answer.status().as_u16()), "{answer:?}");
        }
        let body = json!({ "refreshToken": token });
        api.post("/api/auth/refresh").json(&body).send().await.expect(200);
    }
}
