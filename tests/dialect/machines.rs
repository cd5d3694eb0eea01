//! API keys at the APIs of products: as they are, and exchanged for a token (RFC 8693).

use std::time::Duration;

use serde_json::json;

use super::{Api, shipped};
use crate::on_both_databases;
use crate::support::{Database, Settings, TestOrganisation, part, verified};

const CHECK: &str = "/api/auth/check";
const ME: &str = "/api/auth/me";

async fn start(database: Database) -> (Api, TestOrganisation) {
    let settings = Settings::with(|config| config.dialects.extend([shipped("tendedloop"), shipped("jack")]));
    let api = Api::serve(database, settings, "/tendedloop").await;
    let acme = api.app.organisation("acme").await;
    (api, acme)
}

/// A dialect whose check hands a token on to what stands behind the proxy.
async fn with_a_check_that_gives_a_token(database: Database) -> (Api, TestOrganisation) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let text = "name = \"gate\"\n[[endpoint]]\non = \"GET /check\"\naction = \"check\"\n\
                input = { token = \"{{bearer}}\", api_key = \"{{api_key}}\" }\n\
                headers = { X-Upstream-Token = \"{{tokens.access}}\", X-User-Id = \"{{user.id}}\" }\n";
    std::fs::write(file.path(), text).expect("written");
    let path = file.path().to_owned();
    let settings = Settings::with(move |config| {
        config.dialects.push(countersign::config::Dialect {
            file: Some(path),
            path: Some("/gate".to_owned()),
            ..Default::default()
        });
    });
    let api = Api::serve(database, settings, "/gate").await;
    let acme = api.app.organisation("acme").await;
    (api, acme)
}

on_both_databases! {
    async fn ak_1_a_token_of_a_key_is_as_good_as_the_key_where_it_is_for(database) {
        let (api, acme) = start(database).await;
        let (key, id) = api.key(acme.id, &["read", "write"]).await;
        let answer = api.exchange(&key, &[api.audience()]).await;
        let token = answer.expect_tokens().access_token;
        let (_, said) = verified(&api.app, &token).await;
        assert_eq!((&said["aud"], &said["scope"], &said["api_key"]), (&json!(api.audience()), &json!("read write"), &json!(id)));
        let passed = api.get(&format!("{CHECK}?scope=write")).bearer(&token).send().await;
        passed.expect(204);
        assert_eq!((passed.header("x-machine-id"), passed.header("x-user-id")), (said["sub"].as_str().unwrap(), ""));
        assert_eq!(api.get(ME).bearer(&token).send().await.expect(200)["data"]["apiKey"]["id"], said["sub"]);
        for query in ["?scope=webhooks:manage", "?role=TECHNICIAN"] {
            assert_eq!(api.get(&format!("{CHECK}{query}")).bearer(&token).send().await.status, 403, "{query}");
        }
        // Nobody's session: it is not refreshed, signed out or changed by.
        for path in ["/api/auth/logout", "/api/auth/change-password"] {
            let body = json!({ "currentPassword": "x", "newPassword": "a brand new tapir 77" });
            assert_eq!(api.post(path).bearer(&token).json(&body).send().await.status, 401, "{path}");
        }
        api.app.advance(Duration::from_secs(300));
        assert_eq!(api.get(CHECK).bearer(&token).send().await.status, 401, "no longer than tokens of keys last");
        let token = api.exchange(&key, &[api.audience()]).await.expect_tokens().access_token;
        api.get(CHECK).bearer(&token).send().await.expect(204);
        api.revoke_key(acme.id, id).await;
        assert_eq!(api.get(CHECK).bearer(&token).send().await.status, 401, "gone with the key, at once");
    }

    async fn tk_4_a_token_of_a_key_for_another_api_is_nothing_here(database) {
        let (api, acme) = start(database).await;
        let (key, _) = api.key(acme.id, &["read"]).await;
        let jack = api.app.url("/jack");
        for resources in [&[][..], &[jack.as_str()]] {
            let token = api.exchange(&key, resources).await.expect_tokens().access_token;
            assert_eq!(api.get(CHECK).bearer(&token).send().await.status, 401, "{resources:?}");
        }
        // For both at once, if it is asked for.
        let token = api.exchange(&key, &[api.audience(), &jack]).await.expect_tokens().access_token;
        api.get(CHECK).bearer(&token).send().await.expect(204);
        api.exchange(&key, &["https://nobody.example/"]).await.expect_error("invalid_target");
        api.exchange(&key, &[api.audience(), "https://nobody.example/"]).await.expect_error("invalid_target");
    }

    async fn ak_2_a_token_of_a_key_is_worth_no_more_than_the_key_is_now(database) {
        let (api, acme) = start(database).await;
        let root = api.app.user("root").await;
        let ada = api.app.user("ada").await;
        api.app.member(&acme, root, &["admin"]).await;
        api.app.member(&acme, ada, &["admin"]).await;
        let new = countersign::tenancy::api_keys::NewKey {
            name: "hers".to_owned(),
            workspace: None,
            scopes: ["members:read".to_owned(), "read".to_owned()].into(),
            lasts: None,
            prefix: None,
        };
        let actor = countersign::tenancy::actor::Actor::Member(ada);
        let origin = countersign::audit::Origin::command_line();
        let made = countersign::tenancy::api_keys::manage::create(&api.app.app, actor, acme.id, new, &origin).await;
        let key = made.expect("the key is made").text.expose().to_owned();
        let token = api.exchange(&key, &[api.audience()]).await.expect_tokens().access_token;
        let may = async |credential: (&str, &str), scope: &str| {
            let call = api.get(&format!("{CHECK}?scope={scope}")).header(credential.0, credential.1);
            call.send().await.status == 204
        };
        let bearer = format!("Bearer {token}");
        let both = [("X-API-Key", key.as_str()), ("Authorization", bearer.as_str())];
        for credential in both {
            assert!(may(credential, "members:read").await && may(credential, "read").await);
        }
        api.app.suspend_member(acme.id, ada).await;
        for credential in both {
            assert!(!may(credential, "read").await, "{}", credential.0);
        }
    }

    async fn a_check_hands_on_a_token_that_ends_with_what_was_presented(database) {
        let (api, acme) = with_a_check_that_gives_a_token(database).await;
        let (key, _) = api.key(acme.id, &["read"]).await;
        let passed = api.get("/check").header("X-API-Key", &key).send().await;
        passed.expect(204);
        let fresh = passed.header("x-upstream-token").to_owned();
        let (_, said) = verified(&api.app, &fresh).await;
        assert_eq!((&said["aud"], &said["scope"]), (&json!(api.audience()), &json!("read")));
        // There, and empty, so that a proxy overwrites what a client sent by that name.
        assert_eq!(passed.headers.get("x-user-id").map(|value| value.as_bytes()), Some(&b""[..]));
        let token = api.exchange(&key, &[api.audience()]).await.expect_tokens().access_token;
        api.app.advance(Duration::from_secs(270));
        let passed = api.get("/check").bearer(&token).send().await;
        passed.expect(204);
        assert_eq!(part(passed.header("x-upstream-token"), 1)["exp"], part(&token, 1)["exp"]);
    }
}
