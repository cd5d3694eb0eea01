//! Revocation: whose tokens, and what goes with them (RFC 7009, IR-3).

use serde_json::json;

use crate::on_both_databases;
use crate::support::{Database, TestApp, TestClient, TokenAnswer, Tokens};

const PATH: &str = "/oauth2/revoke";

async fn ready(database: Database) -> (TestApp, TestClient, Tokens) {
    let app = TestApp::start(database).await;
    app.user("ada").await;
    let client = app.client("calendar").await;
    let tokens = client.sign_in(&mut app.browser(), "ada", "openid offline_access").await;
    (app, client, tokens)
}

async fn revoke(client: &TestClient, token: &str) {
    let answer = client.call(PATH, &[("token", token)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

async fn is_dead(client: &TestClient, tokens: &Tokens) -> bool {
    let inactive = client.introspect(&tokens.access_token).await == json!({"active": false});
    assert_eq!(client.userinfo(&tokens.access_token).await.status == 401, inactive, "both ask the same");
    inactive
}

on_both_databases! {
    async fn ir_3_revoking_a_refresh_token_ends_its_family_and_access_tokens(database) {
        let (app, client, first) = ready(database).await;
        let second = client.refresh(first.refresh_token()).await.expect_tokens();
        let other = client.sign_in(&mut app.browser(), "ada", "openid").await;
        revoke(&client, second.refresh_token()).await;
        assert!(is_dead(&client, &first).await && is_dead(&client, &second).await);
        client.refresh(second.refresh_token()).await.expect_error("invalid_grant");
        client.refresh(first.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(client.introspect(second.refresh_token()).await, json!({"active": false}));
        assert!(!is_dead(&client, &other).await, "another sign-in is another grant");
        assert!(app.audit().await.contains(&"token.revoked success".to_owned()));
        // Again, and a spent one: fine, and nothing more.
        revoke(&client, second.refresh_token()).await;
        revoke(&client, first.refresh_token()).await;
    }

    async fn ir_3_a_spent_refresh_token_still_ends_its_family(database) {
        let (_app, client, first) = ready(database).await;
        let second = client.refresh(first.refresh_token()).await.expect_tokens();
        revoke(&client, first.refresh_token()).await;
        assert!(is_dead(&client, &second).await);
        client.refresh(second.refresh_token()).await.expect_error("invalid_grant");
    }

    async fn ir_3_revoking_an_access_token_ends_it_alone_and_at_once(database) {
        let (_app, client, tokens) = ready(database).await;
        revoke(&client, &tokens.access_token).await;
        assert!(is_dead(&client, &tokens).await);
        let next = client.refresh(tokens.refresh_token()).await.expect_tokens();
        assert!(!is_dead(&client, &next).await);
        assert!(is_dead(&client, &tokens).await, "it stays dead");
    }

    async fn ir_3_unknown_tokens_and_wrong_hints_are_no_error(database) {
        let (_app, client, tokens) = ready(database).await;
        for token in ["unknown", "a.b.c", tokens.id_token.as_deref().unwrap(), &"x".repeat(16_000), "ünï"] {
            revoke(&client, token).await;
        }
        assert!(!is_dead(&client, &tokens).await, "an ID token is not its access token");
        for hint in ["refresh_token", "nonsense"] {
            let tokens = client.refresh(tokens.refresh_token()).await.expect_tokens();
            let fields = [("token", tokens.access_token.as_str()), ("token_type_hint", hint)];
            assert_eq!(client.call(PATH, &fields).await.status, 200);
            assert!(is_dead(&client, &tokens).await, "{hint}");
        }
    }

    async fn ir_1_another_clients_token_is_left_alone_and_looks_unknown(database) {
        let (app, client, tokens) = ready(database).await;
        let stranger = app.client("stranger").await;
        for token in [&tokens.access_token, tokens.refresh_token()] {
            let unknown = stranger.call(PATH, &[("token", "unknown")]).await;
            let theirs = stranger.call(PATH, &[("token", token)]).await;
            assert_eq!((theirs.status, theirs.body), (unknown.status, unknown.body));
        }
        assert!(!is_dead(&client, &tokens).await);
        client.refresh(tokens.refresh_token()).await.expect_tokens();
    }

    async fn ir_1_who_revokes_says_who_they_are(database) {
        let (app, client, tokens) = ready(database).await;
        let anonymous = app.http.post(app.url(PATH)).form(&[("token", &tokens.access_token)]).send().await.unwrap();
        TokenAnswer::of(anonymous).await.expect_error("invalid_client");
        let named = [("token", tokens.access_token.as_str()), ("client_id", client.client_id.as_str())];
        let named = app.http.post(app.url(PATH)).form(&named).send().await.unwrap();
        TokenAnswer::of(named).await.expect_error("invalid_client");
        assert!(!is_dead(&client, &tokens).await);
        client.call(PATH, &[]).await.expect_error("invalid_request");
        // A public client proves nothing, but holds the token (RFC 7009 §2.1).
        let public = TestClient::register(&app, "spa", |registration| {
            registration.set("token_endpoint_auth_method", "none");
        })
        .await;
        let own = public.sign_in(&mut app.browser(), "ada", "openid offline_access").await;
        revoke(&public, &tokens.access_token).await;
        assert!(!is_dead(&client, &tokens).await);
        revoke(&public, own.refresh_token()).await;
        public.refresh(own.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(public.userinfo(&own.access_token).await.status, 401);
    }

    async fn ir_3_a_machines_token_can_be_revoked(database) {
        let (app, _, _) = ready(database).await;
        let machine = TestClient::register(&app, "batch", |registration| {
            registration.set("grant_types", json!(["client_credentials"]));
            registration.set("redirect_uris", json!([]));
        })
        .await;
        let tokens = machine.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
        assert_eq!(machine.introspect(&tokens.access_token).await["active"], true);
        revoke(&machine, &tokens.access_token).await;
        assert_eq!(machine.introspect(&tokens.access_token).await, json!({"active": false}));
    }
}
