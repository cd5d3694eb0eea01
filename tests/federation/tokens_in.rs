//! Tokens that applications bring themselves (LG-3).

use countersign::audit::Origin;
use countersign::crypto::Secret;
use countersign::identity::federation::FederationError;
use countersign::identity::federation::token_in::{
    SignedIn, sign_in_with_access_token, sign_in_with_id_token,
};
use countersign::identity::session::Arrival;

use super::*;

/// No browser at all.
fn arrival(world: &World) -> Arrival {
    Arrival { present: Vec::new(), device: None, notices: notices(&world.app), api: None }
}

async fn bring(world: &World, token: &str, nonce: Option<&str>) -> Result<SignedIn, FederationError> {
    let (app, origin) = (&world.app.app, Origin::command_line());
    sign_in_with_id_token(app, world.kind, &Secret::from_text(token), nonce, arrival(world), &origin).await
}

async fn bring_access(world: &World, token: &str) -> Result<SignedIn, FederationError> {
    let (app, origin) = (&world.app.app, Origin::command_line());
    sign_in_with_access_token(app, world.kind, &Secret::from_text(token), arrival(world), &origin).await
}

on_both_databases! {
    async fn lg_3_a_google_credential_signs_in_once(database) {
        let world = World::of(database, "google").await;
        let token = world.mock.id_token(None);
        let first = bring(&world, &token, None).await.expect("it is for us");
        assert!(first.is_new);
        let again = bring(&world, &token, None).await;
        assert!(matches!(again, Err(FederationError::Refused(_))), "{again:?}");

        world.mock.claim(json!({ "jti": "another", "azp": "our application on Android" }));
        let second = bring(&world, &world.mock.id_token(None), None).await.expect("it is for us");
        assert!(!second.is_new);
        assert_eq!(second.begun.user, first.begun.user);
    }

    async fn lg_3_of_fifty_that_bring_a_credential_together_one_is_signed_in(database) {
        let world = World::of(database, "google").await;
        let token = world.mock.id_token(None);
        let tries = (0..50).map(|_| bring(&world, &token, None));
        let won = futures_util::future::join_all(tries).await.into_iter().filter(Result::is_ok).count();
        assert_eq!(won, 1);
    }

    async fn lg_3_a_token_for_another_application_proves_nothing(database) {
        let world = World::of(database, "google").await;
        let now = world.app.clock.now().seconds();
        for claims in [
            json!({ "aud": "another" }),
            json!({ "aud": ["another", "countersign"] }),
            json!({ "aud": null, "azp": "countersign" }),
            json!({ "iss": "https://accounts.google.com.evil.example" }),
            json!({ "exp": now }),
            json!({ "sub": null }),
        ] {
            world.mock.claim(claims.clone());
            let refused = bring(&world, &world.mock.id_token(None), None).await;
            assert!(matches!(refused, Err(FederationError::Refused(_))), "{claims} {refused:?}");
        }
        world.mock.claim(json!({}));
        for signing in [Signing::None, Signing::OurSecret, Signing::WrongKey, Signing::PublicKeyAsSecret] {
            world.mock.behave().signing = signing;
            let refused = bring(&world, &world.mock.id_token(None), None).await;
            assert!(matches!(refused, Err(FederationError::Refused(_))), "{signing:?} {refused:?}");
        }
        for text in ["", "x", "a.b.c", "..", &"x".repeat(100_000)] {
            let refused = bring(&world, text, None).await;
            assert!(matches!(refused, Err(FederationError::Refused(_))), "{refused:?}");
        }
        assert!(world.app.read(|db| store::users::list(db, None, 10)).await.is_empty());
    }

    async fn lg_3_a_google_credential_without_a_verified_address_is_refused(database) {
        let world = World::of(database, "google").await;
        for claims in [
            json!({ "email_verified": false }),
            json!({ "email_verified": "true" }),
            json!({ "email_verified": 1 }),
            json!({ "email_verified": null }),
            json!({ "email": null }),
        ] {
            world.mock.claim(claims.clone());
            let refused = bring(&world, &world.mock.id_token(None), None).await;
            assert!(matches!(refused, Err(FederationError::Refused(_))), "{claims} {refused:?}");
        }
        assert!(world.app.read(|db| store::users::list(db, None, 10)).await.is_empty());
    }

    async fn lg_3_a_nonce_that_the_application_knows_must_be_there(database) {
        let world = World::of(database, "google").await;
        let token = world.mock.id_token(Some("n0nce"));
        for wrong in ["another", ""] {
            assert!(matches!(bring(&world, &token, Some(wrong)).await, Err(FederationError::Refused(_))));
        }
        let without = world.mock.id_token(None);
        assert!(matches!(bring(&world, &without, Some("n0nce")).await, Err(FederationError::Refused(_))));
        bring(&world, &token, Some("n0nce")).await.expect("none of these has spent it");
    }

    async fn lg_3_a_microsoft_access_token_is_for_us_and_of_an_admitted_tenant(database) {
        let world = World::with(database, "microsoft", |provider| provider.tenants = vec![TENANT.to_owned()]).await;
        let foreign = "11111111-2222-3333-4444-555555555555";
        for claims in [
            // What Microsoft's libraries fetch for Graph.
            json!({ "aud": "00000003-0000-0000-c000-000000000000" }),
            json!({ "aud": "https://graph.microsoft.com" }),
            json!({ "tid": foreign, "iss": format!("{}/{foreign}/v2.0", world.mock.origin) }),
            json!({ "iss": format!("https://sts.windows.net/{TENANT}/") }),
            json!({ "tid": null }),
            json!({ "idtyp": "app" }),
            // Ours is the audience, but another application was given the token, or it does not say which.
            json!({ "azp": "another" }),
            json!({ "azp": "another", "appid": "countersign" }),
            json!({ "azp": "countersign", "appid": "another" }),
            json!({ "azp": null }),
            json!({ "azp": ["countersign"] }),
            // An ID token, or one that no person gave.
            json!({ "scp": null }),
            json!({ "scp": "" }),
        ] {
            let mut all = json!({ "scp": "access_as_user", "azp": "countersign" });
            all.as_object_mut().expect("an object").extend(claims.as_object().expect("an object").clone());
            world.mock.claim(all);
            let refused = bring_access(&world, &world.mock.id_token(None)).await;
            assert!(matches!(refused, Err(FederationError::Refused(_))), "{claims} {refused:?}");
        }
        let opaque = bring_access(&world, "EwB4A8l6BAAU…").await;
        assert!(matches!(opaque, Err(FederationError::Refused(_))), "{opaque:?}");

        // Version 1.0 says it in another word.
        world.mock.claim(json!({ "scp": "access_as_user", "appid": "countersign", "jti": "1.0" }));
        bring_access(&world, &world.mock.id_token(None)).await.expect("it is for us");
        world.mock.claim(json!({ "sub": "44", "oid": "44", "scp": "access_as_user", "azp": "countersign" }));
        let token = world.mock.id_token(None);
        assert!(bring_access(&world, &token).await.expect("it is for us").is_new);
        let again = bring_access(&world, &token).await;
        assert!(matches!(again, Err(FederationError::Refused(_))), "{again:?}");

        // Elsewhere an access token says nothing of a person.
        let google = World::of(database, "google").await;
        let refused = bring_access(&google, &google.mock.id_token(None)).await;
        assert!(matches!(refused, Err(FederationError::NoSuchProvider)), "{refused:?}");
    }

    async fn lg_3_a_token_follows_the_same_rules_as_a_browser(database) {
        let world = World::of(database, "google").await;
        world.app.user("ada").await;
        let token = world.mock.id_token(None);
        let refused = bring(&world, &token, None).await;
        assert!(matches!(refused, Err(FederationError::AccountExists)), "FE-7: {refused:?}");
        assert_eq!(world.owner("42").await, None);

        world.app.user_with("eve", |new| new.email_verified = false).await;
        world.mock.claim(json!({ "sub": "43", "email": "eve@example.com" }));
        let eve = bring(&world, &world.mock.id_token(None), None).await.expect("her address is proven");
        assert_eq!(emails(&world.app, eve.begun.user).await, [("eve@example.com".to_owned(), true)]);
        assert!(world.app.audit().await.contains(&"account.reclaimed success".to_owned()), "FE-8");
    }
}
