//! What an ID token must be, and what must come back with it.

use std::time::Duration;

use super::*;
use crate::support::PASSWORD;

on_both_databases! {
    async fn fe_4_a_token_that_proves_nothing_signs_nobody_in(database) {
        let world = World::of(database, "oidc").await;
        let mock = &world.mock;
        let now = world.app.clock.now().seconds();
        let claims = [
            json!({ "iss": "https://evil.example" }),
            json!({ "iss": format!("{}/", mock.origin) }),
            json!({ "iss": null }),
            json!({ "aud": "another" }),
            json!({ "aud": ["countersign", "another"] }),
            json!({ "aud": null }),
            json!({ "azp": "another" }),
            json!({ "nonce": null }),
            json!({ "nonce": "of another attempt" }),
            json!({ "nonce": "" }),
            json!({ "exp": now }),
            json!({ "exp": now - 1 }),
            json!({ "exp": null }),
            json!({ "iat": now + 120 }),
            json!({ "iat": null }),
            json!({ "nbf": now + 120 }),
            json!({ "sub": null }),
            json!({ "sub": "" }),
            json!({ "sub": "x".repeat(300) }),
            json!({ "sub": 42 }),
        ];
        for claims in claims {
            mock.claim(claims.clone());
            let mut browser = world.app.browser();
            let page = world.sign_in(&mut browser).await;
            assert!(page.status == 403 || page.status == 502, "{claims}: {}", page.status);
            assert!(page.text().contains("127.0.0.1"), "the page names the provider: {}", page.text());
            assert!(!is_signed_in(&mut browser).await, "{claims}");
            world.app.advance(Duration::from_secs(0));
        }
        mock.claim(json!({}));
        for signing in [Signing::WrongKey, Signing::UnknownKey, Signing::None, Signing::OurSecret, Signing::PublicKeyAsSecret] {
            mock.behave().signing = signing;
            let mut browser = world.app.browser();
            assert_sorry(&world.sign_in(&mut browser).await, 403, "could not confirm who you are");
            assert!(!is_signed_in(&mut browser).await, "{signing:?}");
        }
        assert!(!world.app.audit().await.iter().any(|event| event.starts_with("user.created")));

        // Nothing of this stands in the way of a good one.
        mock.behave().signing = Signing::Rs256;
        let mut browser = world.app.browser();
        world.sign_in(&mut browser).await;
        assert!(is_signed_in(&mut browser).await);
    }

    async fn fe_2_a_state_is_good_once_in_its_browser_for_its_provider_for_ten_minutes(database) {
        let world = World::configured(database, "oidc", |config, provider| {
            config.providers.push(Provider { id: "other".to_owned(), ..provider.clone() });
            config.providers.push(provider);
        })
        .await;
        let mut browser = world.app.browser();

        // None of these spends the state.
        let answer = world.go(&mut browser).await;
        let mut stranger = world.app.browser();
        stranger.get("/login").await;
        assert_sorry(&world.come_back(&mut stranger, &answer).await, 400, "begun in another browser");
        assert_sorry(&world.come_back(&mut world.app.browser(), &answer).await, 400, "begun in another browser");
        let mix_up = world.callback(&answer).replace("/federation/oidc/", "/federation/other/");
        assert_sorry(&browser.get(&mix_up).await, 400, "Begin again");
        assert_eq!(world.mock.hits("/token"), 0, "FE-3: the code went nowhere");

        world.come_back(&mut browser, &answer).await;
        assert!(is_signed_in(&mut browser).await);
        assert_sorry(&world.come_back(&mut browser, &answer).await, 400, "is over already");
        assert_eq!(world.mock.hits("/token"), 1);

        let mut late = world.app.browser();
        let answer = world.go(&mut late).await;
        world.app.advance(Duration::from_secs(600));
        assert_sorry(&world.come_back(&mut late, &answer).await, 400, "took too long");

        let no_state = pairs(&[("code", "x")]);
        assert_sorry(&world.come_back(&mut late, &no_state).await, 400, "Begin again");
        let made_up = pairs(&[("state", "x"), ("code", "x")]);
        assert_sorry(&world.come_back(&mut late, &made_up).await, 400, "Begin again");
    }

    async fn fe_3_an_answer_is_by_the_issuer_that_was_asked(database) {
        let world = World::of(database, "oidc").await;
        let mut browser = world.app.browser();
        let with = |answer: &[(String, String)], more: &[(&str, &str)]| [answer, &pairs(more)].concat();

        let answer = world.go(&mut browser).await;
        let page = world.come_back(&mut browser, &with(&answer, &[("iss", "https://evil.example")])).await;
        assert_sorry(&page, 403, "could not confirm");
        let answer = world.go(&mut browser).await;
        let page = world.come_back(&mut browser, &with(&answer[..1], &[("iss", "https://evil.example"), ("error", "access_denied")])).await;
        assert_sorry(&page, 403, "could not confirm");
        assert_eq!(world.mock.hits("/token"), 0);

        let answer = world.go(&mut browser).await;
        let page = world.come_back(&mut browser, &with(&answer[..1], &[("error", "access_denied")])).await;
        assert_sorry(&page, 403, "You did not sign in");
        let answer = world.go(&mut browser).await;
        assert_sorry(&world.come_back(&mut browser, &answer[..1]).await, 403, "could not confirm");

        let answer = world.go(&mut browser).await;
        world.come_back(&mut browser, &with(&answer, &[("iss", &world.mock.origin)])).await;
        assert!(is_signed_in(&mut browser).await);

        // One that promised to name itself has to.
        let promising = World::of(database, "oidc").await;
        promising.mock.behave().metadata = json!({ "authorization_response_iss_parameter_supported": true });
        let mut browser = promising.app.browser();
        assert_sorry(&promising.sign_in(&mut browser).await, 403, "could not confirm");
    }

    async fn fe_5_a_tenant_speaks_for_itself_and_only_if_it_is_admitted(database) {
        let foreign = "11111111-2222-3333-4444-555555555555";
        let world = World::with(database, "microsoft", |provider| provider.tenants = vec![TENANT.to_owned(), "99999999-2222-3333-4444-555555555555".to_owned()]).await;
        let origin = world.mock.origin.clone();
        for claims in [
            // Consistent, but of a tenant that is not admitted.
            json!({ "tid": foreign, "iss": format!("{origin}/{foreign}/v2.0") }),
            // The one is admitted, the other has signed.
            json!({ "tid": TENANT, "iss": format!("{origin}/{foreign}/v2.0") }),
            json!({ "tid": foreign, "iss": format!("{origin}/{TENANT}/v2.0") }),
            json!({ "tid": null }),
            json!({ "tid": "common", "iss": format!("{origin}/common/v2.0") }),
            json!({ "tid": TENANT.to_uppercase() }),
            json!({ "iss": format!("{origin}/{{tenantid}}/v2.0") }),
        ] {
            world.mock.claim(claims.clone());
            let mut browser = world.app.browser();
            assert_sorry(&world.sign_in(&mut browser).await, 403, "Microsoft could not confirm");
            assert!(!is_signed_in(&mut browser).await, "{claims}");
        }
        world.mock.claim(json!({}));
        let mut browser = world.app.browser();
        world.sign_in(&mut browser).await;
        assert!(is_signed_in(&mut browser).await);
        assert_eq!(world.mock.hits("/organizations/v2.0/.well-known/openid-configuration"), 1);
    }

    async fn fe_5_an_address_written_by_a_tenant_takes_over_nobody(database) {
        // nOAuth: the address of somebody else, as any tenant's administrator can write it.
        let world = World::of(database, "microsoft").await;
        let ada = world.app.user("ada").await;
        let mut browser = world.app.browser();
        world.sign_in(&mut browser).await;
        let mallory = world.owner(&format!("{TENANT}/00000000-0000-0000-0000-000000000042")).await;
        let mallory = mallory.expect("an account of their own");
        assert_ne!(mallory, ada);
        assert_eq!(emails(&world.app, mallory).await, [], "nor is it told that the address has an account");

        // With an address that nobody has, they are somebody without a proven address all the same.
        world.mock.claim(json!({ "oid": "eve", "email": "eve@example.com", "email_verified": true }));
        world.sign_in(&mut browser).await;
        assert!(is_signed_in(&mut browser).await);
        let eve = world.owner(&format!("{TENANT}/eve")).await.expect("an account of their own");
        assert_ne!(eve, ada);
        assert_eq!(emails(&world.app, eve).await, []);
    }

    async fn fe_1_who_it_is_follows_from_issuer_and_subject(database) {
        let world = World::of(database, "google").await;
        let mut first = world.app.browser();
        world.sign_in(&mut first).await;
        let ada = world.owner("42").await.expect("made by the first sign-in");
        assert_eq!(emails(&world.app, ada).await, [("ada@example.com".to_owned(), true)]);

        // A new address is the same person; the old address is another one's by now.
        world.mock.claim(json!({ "email": "lovelace@example.com" }));
        world.sign_in(&mut world.app.browser()).await;
        assert_eq!(world.owner("42").await, Some(ada));
        assert_eq!(emails(&world.app, ada).await.len(), 1);
        world.mock.claim(json!({ "sub": "43" }));
        let mut other = world.app.browser();
        let page = world.sign_in(&mut other).await;
        assert!(page.has_id("login-link") && !is_signed_in(&mut other).await, "{}", page.text());
        assert_eq!(world.owner("43").await, None);
    }

    async fn pw_5_who_came_through_a_provider_has_no_password(database) {
        let world = World::of(database, "google").await;
        world.sign_in(&mut world.app.browser()).await;
        for password in ["", " ", PASSWORD] {
            let mut browser = world.app.browser();
            let page = browser.get("/login").await;
            let page = browser.answer_login(&page, "ada@example.com", password).await;
            assert_eq!(page.status, 401);
        }
    }

    async fn an_answer_may_come_by_a_form(database) {
        let world = World::of(database, "oidc").await;
        let mut browser = world.app.browser();
        let answer = world.go(&mut browser).await;
        // From another site, so without cookies.
        let posted = world.app.http.post(world.app.url("/login/federation/oidc/callback")).form(&answer).send().await;
        let posted = posted.expect("the server answers");
        assert_eq!(posted.status(), 303);
        let location = posted.headers().get("location").expect("an address").to_str().expect("text").to_owned();
        assert!(posted.headers().get("set-cookie").is_none());
        browser.get(&location).await;
        assert!(is_signed_in(&mut browser).await);
    }
}
