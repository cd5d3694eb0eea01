//! Providers that are away, slow, hostile, disabled, or stored by the command line.

use std::time::{Duration, Instant};

use countersign::audit::Origin;
use countersign::identity::federation::providers::{self, ProviderError};
use countersign::model::Status;

use super::*;
use crate::support::TestClient;

const METADATA: &str = "/.well-known/openid-configuration";

/// A server on which the provider is stored, not configured.
async fn stored(database: Database) -> World {
    let world = World::configured(database, "oidc", |_, _| {}).await;
    let origin = Origin::command_line();
    providers::add(&world.app.app, world.mock.settings(), &origin).await.expect("it is stored");
    world
}

on_both_databases! {
    async fn fe_11_a_provider_that_is_away_is_named_and_the_other_ways_go_on(database) {
        let world = World::of(database, "google").await;
        world.app.user("ada").await;
        world.mock.behave().hanging = METADATA;
        let mut browser = world.app.browser();
        let began = Instant::now();
        let page = browser.get("/login/federation/google").await;
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
        assert_sorry(&page, 502, "Google does not answer at the moment");
        browser.answer_login(&page, "ada", crate::support::PASSWORD).await;
        assert!(is_signed_in(&mut browser).await);
    }

    async fn fe_11_slow_is_bounded_also_after_the_return(database) {
        let world = World::of(database, "google").await;
        let mut browser = world.app.browser();
        let answer = world.go(&mut browser).await;
        world.mock.behave().hanging = "/token";
        let began = Instant::now();
        assert_sorry(&world.come_back(&mut browser, &answer).await, 502, "Google does not answer");
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    }

    async fn ss_1_what_a_provider_answers_is_bounded_and_leads_nowhere_else(database) {
        for (path, is_start) in [(METADATA, true), ("/token", false), ("/jwks", false)] {
            for hostility in ["redirect", "huge"] {
                let world = World::of(database, "oidc").await;
                {
                    let mut behaviour = world.mock.behave();
                    if hostility == "huge" { behaviour.huge = path } else { behaviour.redirecting = path }
                }
                let mut browser = world.app.browser();
                let page = if is_start {
                    browser.get("/login/federation/oidc").await
                } else {
                    world.sign_in(&mut browser).await
                };
                assert_sorry(&page, 502, "does not answer");
                assert_eq!(world.mock.hits("/elsewhere"), 0, "{path}");
            }
        }
    }

    async fn ss_1_a_private_address_is_for_providers_that_may_be_there(database) {
        let world = World::with(database, "oidc", |provider| provider.allow_private_network = false).await;
        assert_sorry(&world.app.browser().get("/login/federation/oidc").await, 502, "does not answer");
        assert_eq!(world.mock.hits(METADATA), 0);

        // Nor does its metadata lead a browser to where it should not.
        let world = World::of(database, "oidc").await;
        world.mock.behave().metadata = json!({ "authorization_endpoint": "javascript:alert(1)" });
        assert_sorry(&world.app.browser().get("/login/federation/oidc").await, 502, "does not answer");
    }

    async fn fe_4_metadata_is_by_the_configured_issuer(database) {
        for issuer in [json!("https://evil.example"), json!(null)] {
            let world = World::of(database, "oidc").await;
            world.mock.behave().metadata = json!({ "issuer": issuer });
            assert_sorry(&world.app.browser().get("/login/federation/oidc").await, 502, "does not answer");
        }
    }

    async fn fe_11_metadata_and_keys_are_kept(database) {
        let world = World::of(database, "oidc").await;
        for _ in 0..3 {
            world.sign_in(&mut world.app.browser()).await;
        }
        assert_eq!((world.mock.hits(METADATA), world.mock.hits("/jwks")), (1, 1));

        // A new key is looked for at once, and one that does not exist once a minute.
        world.app.advance(Duration::from_secs(61));
        world.mock.behave().signing = Signing::NewKey;
        let mut browser = world.app.browser();
        world.sign_in(&mut browser).await;
        assert!(is_signed_in(&mut browser).await);
        assert_eq!(world.mock.hits("/jwks"), 2);
        world.mock.behave().signing = Signing::UnknownKey;
        for _ in 0..3 {
            assert_sorry(&world.sign_in(&mut world.app.browser()).await, 403, "could not confirm");
        }
        assert_eq!(world.mock.hits("/jwks"), 2);

        // While they are away, copies of a day do.
        world.mock.behave().signing = Signing::Rs256;
        for path in [METADATA, "/jwks"] {
            world.mock.behave().redirecting = path;
            world.app.advance(Duration::from_secs(11 * 3_600));
            let mut browser = world.app.browser();
            world.sign_in(&mut browser).await;
            assert!(is_signed_in(&mut browser).await, "{path}");
        }
    }

    async fn the_secret_goes_where_the_provider_takes_it(database) {
        for methods in [json!(null), json!(["client_secret_post"])] {
            let world = World::of(database, "oidc").await;
            world.mock.behave().metadata = json!({ "token_endpoint_auth_methods_supported": methods });
            if methods.is_null() {
                world.mock.behave().metadata = json!({});
            }
            let mut browser = world.app.browser();
            world.sign_in(&mut browser).await;
            assert!(is_signed_in(&mut browser).await, "{methods}");
        }
    }

    async fn a_token_endpoint_that_refuses_or_babbles(database) {
        let world = World::of(database, "oidc").await;
        for (status, body, expected) in [
            (400, r#"{"error":"invalid_grant"}"#, 403),
            (401, r#"{"error":"invalid_client"}"#, 403),
            (500, "<html>", 502),
            (200, "{}", 502),
            (200, r#"{"access_token":"x","token_type":"Bearer"}"#, 403),
        ] {
            world.mock.behave().token_answer = Some((status, body.to_owned()));
            let page = world.sign_in(&mut world.app.browser()).await;
            assert_eq!(page.status, expected, "{status} {body}: {}", page.text());
            assert!(page.has_id("login-error"));
        }
    }

    async fn fe_10_disabling_a_provider_stops_what_is_under_way_and_what_rests_on_it(database) {
        let world = stored(database).await;
        let (app, origin) = (&world.app.app, Origin::command_line());
        let client = TestClient::register(&world.app, "calendar", |r| r.first_party = true).await;
        let mut browser = world.app.browser();
        world.sign_in(&mut browser).await;
        let flow = client.flow("openid offline_access");
        let page = browser.get(&flow.path()).await;
        let tokens = client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
        world.app.user("eve").await;
        let mut local = world.app.signed_in("eve").await;
        let mut under_way = world.app.browser();
        let answer = world.go(&mut under_way).await;

        providers::set_status(app, "oidc", Status::Disabled, &origin).await.expect("it is disabled");
        let page = world.come_back(&mut under_way, &answer).await;
        assert_eq!(page.status, 404, "{}", page.text());
        assert_eq!(world.mock.hits("/token"), 1, "the code went nowhere");
        assert!(!is_signed_in(&mut under_way).await);
        assert!(!is_signed_in(&mut browser).await);
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(client.introspect(&tokens.access_token).await["active"], false);
        assert!(is_signed_in(&mut local).await, "what rests on something else goes on");
        assert_eq!(browser.get("/login/federation/oidc").await.status, 404);
        assert!(!browser.get("/login").await.has_id("provider-oidc"));

        providers::set_status(app, "oidc", Status::Active, &origin).await.expect("it is enabled");
        assert!(!is_signed_in(&mut browser).await, "what ended stays ended");
        world.sign_in(&mut browser).await;
        assert!(is_signed_in(&mut browser).await);
    }

    async fn fe_10_a_provider_taken_out_of_the_configuration_is_over_at_the_next_start(database) {
        let world = World::of(database, "oidc").await;
        let mut browser = world.app.browser();
        world.sign_in(&mut browser).await;
        let origin = Origin::system();
        assert_eq!(providers::end_of_removed(&world.app.app, &origin).await.expect("the database answers"), 0);
        assert!(is_signed_in(&mut browser).await);
        let database = world.app.stop().await;
        let next = TestApp::serve(database, Settings::default()).await;
        assert_eq!(providers::end_of_removed(&next.app, &origin).await.expect("the database answers"), 1);
    }

    async fn configured_and_stored_providers_are_one_list(database) {
        let world = World::of(database, "google").await;
        let (app, origin) = (&world.app.app, Origin::command_line());
        let settings = world.mock.settings();
        let taken = providers::add(app, settings.clone(), &origin).await;
        assert!(matches!(taken, Err(ProviderError::IdTaken)), "{taken:?}");
        let corp = Provider { id: "corp".to_owned(), name: Some("Corp <&>".to_owned()), ..settings };
        providers::add(app, corp.clone(), &origin).await.expect("it is stored");
        let again = providers::add(app, corp.clone(), &origin).await;
        assert!(matches!(again, Err(ProviderError::IdTaken)), "{again:?}");
        let bad = providers::add(app, Provider { id: "A B".to_owned(), ..corp }, &origin).await;
        assert!(matches!(bad, Err(ProviderError::Bad(_))), "{bad:?}");
        let configured = providers::remove(app, "google", &origin).await;
        assert!(matches!(configured, Err(ProviderError::Configured)), "{configured:?}");

        let page = world.app.browser().get("/login").await;
        assert!(page.has_id("provider-google") && page.has_id("provider-corp"));
        assert!(page.text().contains("Continue with Corp <&>"), "{}", page.text());
        let found = providers::find(app, "corp").await.expect("the database answers").expect("it is stored");
        let secret = found.settings.client_secret.expect("its secret");
        assert_eq!(Some(secret.expose()), world.mock.settings().client_secret.as_ref().map(|s| s.expose()));
        let rows = world.app.read(store::federation::providers).await;
        let sealed = rows[0].0.secret_sealed.clone().expect("its secret");
        assert!(!sealed.windows(8).any(|part| secret.expose().as_bytes().starts_with(part)), "AR-7");

        providers::remove(app, "corp", &origin).await.expect("it is removed");
        let gone = providers::remove(app, "corp", &origin).await;
        assert!(matches!(gone, Err(ProviderError::NoSuchProvider)), "{gone:?}");
    }

    async fn rl_3_sign_ins_that_are_begun_and_not_ended_are_counted(database) {
        let world = World::of(database, "oidc").await;
        let mut browser = world.app.browser();
        for _ in 0..2 {
            world.sign_in(&mut browser).await;
        }
        let limit = world.app.app.config.limits.login_per_address.count;
        for _ in 0..limit {
            leave(&mut browser, "/login/federation/oidc").await;
        }
        let page = browser.get("/login/federation/oidc").await;
        assert_eq!(page.status, 429, "{}", page.text());
        assert!(!page.header("retry-after").is_empty());
    }

    async fn an_unknown_provider_is_not_found(database) {
        let world = World::of(database, "oidc").await;
        for path in ["/login/federation/none", "/login/federation/none/callback?state=x", "/login/federation/..%2Foidc"] {
            assert_eq!(world.app.browser().get(path).await.status, 404, "{path}");
        }
    }
}
