//! Refresh tokens: rotation as a receipt, reuse, races.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::on_both_databases;
use crate::support::{Database, Settings, TestApp, TestClient, Tokens};

async fn signed_in(database: Database, settings: Settings) -> (TestApp, TestClient, Tokens) {
    let app = TestApp::start_with(database, settings).await;
    app.user("ada").await;
    let client = app.client("calendar").await;
    let tokens = client.sign_in(&mut app.browser(), "ada", "openid offline_access").await;
    (app, client, tokens)
}

on_both_databases! {
    async fn te_4_each_use_gives_another_token_and_the_old_one_is_spent(database) {
        let (app, client, first) = signed_in(database, Settings::default()).await;
        let second = client.refresh(first.refresh_token()).await.expect_tokens();
        assert_ne!(first.refresh_token(), second.refresh_token());
        let third = client.refresh(second.refresh_token()).await.expect_tokens();
        // The first one's successor was used: now it can only be stolen.
        client.refresh(first.refresh_token()).await.expect_error("invalid_grant");
        client.refresh(third.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(client.introspect(&third.access_token).await["active"], false);
        assert!(app.audit().await.contains(&"token.refresh_reused denied".to_owned()));
    }

    async fn te_5_a_lost_answer_is_given_again_and_is_the_same(database) {
        let (app, client, first) = signed_in(database, Settings::default()).await;
        let second = client.refresh(first.refresh_token()).await.expect_tokens();
        app.advance(Duration::from_secs(9));
        let again = client.refresh(first.refresh_token()).await.expect_tokens();
        assert_eq!(second.refresh_token(), again.refresh_token());
        app.advance(Duration::from_secs(1));
        client.refresh(first.refresh_token()).await.expect_error("invalid_grant");
        client.refresh(second.refresh_token()).await.expect_error("invalid_grant");
    }

    async fn te_5_without_grace_the_second_use_is_theft(database) {
        let strict = Settings::with(|config| config.lifetimes.refresh_grace = Duration::ZERO);
        let (_app, client, first) = signed_in(database, strict).await;
        let second = client.refresh(first.refresh_token()).await.expect_tokens();
        client.refresh(first.refresh_token()).await.expect_error("invalid_grant");
        client.refresh(second.refresh_token()).await.expect_error("invalid_grant");
    }

    async fn te_4_of_fifty_at_once_all_get_the_one_successor(database) {
        let (_app, client, first) = signed_in(database, Settings::default()).await;
        let tries = (0..50).map(|_| client.refresh(first.refresh_token()));
        let answers = futures_util::future::join_all(tries).await;
        let successors: BTreeSet<String> =
            answers.iter().map(|answer| answer.expect_tokens().refresh_token().to_owned()).collect();
        assert_eq!(successors.len(), 1, "the family has branched");
        let successor = successors.first().expect("one");
        client.refresh(successor).await.expect_tokens();
    }

    async fn te_4_of_fifty_at_once_without_grace_one_wins(database) {
        let strict = Settings::with(|config| config.lifetimes.refresh_grace = Duration::ZERO);
        let (_app, client, first) = signed_in(database, strict).await;
        let tries = (0..50).map(|_| client.refresh(first.refresh_token()));
        let answers = futures_util::future::join_all(tries).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    }

    async fn te_6_a_refresh_keeps_auth_time_and_asks_whether_the_user_still_may(database) {
        let (app, client, first) = signed_in(database, Settings::default()).await;
        app.advance(Duration::from_secs(3600));
        let second = client.refresh(first.refresh_token()).await.expect_tokens();
        assert_eq!(first.id_claims()["auth_time"], second.id_claims()["auth_time"]);
        assert_eq!(first.id_claims()["sid"], second.id_claims()["sid"]);
        assert!(second.id_claims().get("nonce").is_none());
        let fields = [("grant_type", "refresh_token"), ("refresh_token", second.refresh_token()), ("scope", "openid email")];
        client.token(&fields).await.expect_error("invalid_scope");
        let user = first.id_claims()["sub"].as_str().unwrap().parse().unwrap();
        let origin = countersign::audit::Origin::command_line();
        countersign::tenancy::users::disable(&app.app, user, &origin).await.unwrap();
        client.refresh(second.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(client.userinfo(&second.access_token).await.status, 401);
    }

    async fn te_6_a_family_ends_after_ninety_days_and_after_thirty_unused(database) {
        let (app, client, first) = signed_in(database, Settings::default()).await;
        let mut token = first.refresh_token().to_owned();
        for _ in 0..3 {
            app.advance(Duration::from_secs(29 * 86_400));
            token = client.refresh(&token).await.expect_tokens().refresh_token().to_owned();
        }
        app.advance(Duration::from_secs(3 * 86_400));
        client.refresh(&token).await.expect_error("invalid_grant");
        let client = app.client("notes").await;
        let other = client.sign_in(&mut app.browser(), "ada", "openid offline_access").await;
        app.advance(Duration::from_secs(30 * 86_400));
        client.refresh(other.refresh_token()).await.expect_error("invalid_grant");
    }

    async fn te_7_a_refresh_token_is_nothing_to_another_client(database) {
        let (app, client, first) = signed_in(database, Settings::default()).await;
        let thief = TestClient::register(&app, "thief", |registration| {
            registration.metadata.insert("token_endpoint_auth_method".into(), "none".into());
        })
        .await;
        thief.refresh(first.refresh_token()).await.expect_error("invalid_grant");
        client.refresh(first.refresh_token()).await.expect_tokens();
    }
}
