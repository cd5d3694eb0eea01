//! Identities and accounts that exist: linking, what is void before, unlinking.

use std::collections::BTreeMap;

use countersign::audit::Origin;
use countersign::crypto::Secret;
use countersign::identity::federation::link::{self, UnlinkError};
use countersign::identity::federation::{self, Onward, Start};
use countersign::model::SessionId;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::api_keys::{NewKey, manage};
use countersign::tenancy::users;

use super::*;
use crate::factors;
use crate::support::{PASSWORD, TestClient};

on_both_databases! {
    async fn fe_7_a_link_is_made_by_whoever_signs_in_to_the_account_in_the_same_browser(database) {
        let world = World::of(database, "google").await;
        let ada = world.app.user("ada").await;
        world.app.user("eve").await;
        let mut browser = world.app.browser();
        let page = world.sign_in(&mut browser).await;
        assert!(page.has_id("login-link") && page.text().contains("Google"), "{}", page.text());
        assert!(!is_signed_in(&mut browser).await, "no silent linking");

        // In another browser nothing is linked, and neither by signing in to another account.
        let mut elsewhere = world.app.browser();
        elsewhere.sign_in("ada").await;
        assert_eq!(world.owner("42").await, None);
        let wrong = browser.answer_login(&page, "eve", PASSWORD).await;
        assert_eq!(world.owner("42").await, None, "{}", wrong.text());
        let page = browser.answer_login(&page, "ada", "wrong").await;
        assert!(page.has_id("login-link"), "what is linked is said again: {}", page.text());
        browser.answer_login(&page, "ada", PASSWORD).await;
        assert_eq!(world.owner("42").await, Some(ada));
        let mut fresh = world.app.browser();
        world.sign_in(&mut fresh).await;
        assert!(is_signed_in(&mut fresh).await);
        assert!(world.app.audit().await.contains(&"identity.linked success".to_owned()));
    }

    async fn fe_7_a_link_that_the_form_did_not_show_is_never_made(database) {
        let world = World::of(database, "google").await;
        world.app.user("ada").await;
        let mut browser = world.app.browser();
        // Somebody left it in a browser that others use as well.
        assert!(world.sign_in(&mut browser).await.has_id("login-link"));
        browser.sign_in("ada").await;
        assert!(is_signed_in(&mut browser).await);
        assert_eq!(world.owner("42").await, None);
        let page = browser.get("/login?link=1").await;
        assert!(!page.has_id("login-link"), "nothing waits any more: {}", page.text());
    }

    async fn se_7_a_provider_that_did_not_ask_just_now_proves_nothing_of_just_now(database) {
        let world = World::of(database, "google").await;
        let now = world.app.clock.now().seconds();
        world.sign_in(&mut world.app.browser()).await;
        let user = world.owner("42").await.expect("an account");
        let password = Secret::from_text(PASSWORD);
        users::set_password(&world.app.app, user, &password, &Origin::command_line()).await.expect("a password");
        for (auth_time, reaches) in [(json!(null), false), (json!(now - 3600), false), (json!(now), true)] {
            world.mock.claim(json!({ "auth_time": auth_time }));
            let mut browser = world.app.browser();
            let address = leave(&mut browser, "/login/federation/google").await;
            assert!(address.contains("max_age=31536000"), "{address}");
            world.come_back(&mut browser, &world.mock.consent(&address)).await;
            assert!(is_signed_in(&mut browser).await);
            let page = browser.get("/account/delete").await;
            assert_eq!(page.has_id("delete-form"), reaches, "{auth_time}: {}", page.url);
            if auth_time.is_null() {
                // Whoever tries it again is told why it leads nowhere, and what does.
                let address = leave(&mut browser, "/login/federation/google?next=/account/delete").await;
                let page = world.come_back(&mut browser, &world.mock.consent(&address)).await;
                assert!(page.has_id("login-error") && page.text().contains("Google does not say"), "{}", page.text());
                let page = browser.submit(&page, "login-form", &[("password", PASSWORD)], None).await;
                assert!(page.has_id("delete-form"), "{}: {}", page.url, page.text());
            }
        }
    }

    async fn se_7_whoever_has_nothing_but_an_undated_provider_is_not_shut_out(database) {
        let world = World::of(database, "google").await;
        world.mock.claim(json!({ "auth_time": null }));
        let mut browser = world.app.browser();
        world.sign_in(&mut browser).await;
        assert!(browser.get("/account/delete").await.has_id("delete-form"));

        // An application that wants a sign-in of just now gets one, dated when it was.
        let client = TestClient::register(&world.app, "calendar", |r| r.first_party = true).await;
        world.app.advance(std::time::Duration::from_secs(600));
        let flow = client.flow("openid").with("max_age", "60");
        let page = browser.get(&flow.path()).await;
        let request = page.form("login-form").field("request").expect("the request").to_owned();
        let address = leave(&mut browser, &format!("/login/federation/google?request={request}")).await;
        let page = world.come_back(&mut browser, &world.mock.consent(&address)).await;
        let tokens = client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
        let auth_time = crate::support::claims(tokens.id_token.as_deref().expect("an ID token"))["auth_time"].clone();
        assert_eq!(auth_time, json!(world.app.clock.now().seconds()));

        // One that demands a second factor lets them get it.
        let bank = TestClient::register(&world.app, "bank", |r| r.require_mfa = true).await;
        let page = browser.get(&bank.flow("openid").path()).await;
        assert!(page.has_id("totp-start-form"), "{}: {}", page.url, page.text());
    }

    async fn fe_7_an_open_session_is_no_proof_and_the_request_goes_on(database) {
        let world = World::of(database, "google").await;
        let ada = world.app.user_with("ada", |new| new.instance_role = Some(countersign::model::InstanceRole::Administrator)).await;
        let client = TestClient::register(&world.app, "calendar", |r| r.first_party = true).await;
        let mut browser = world.app.signed_in("ada").await;
        // Later than the sign-in before: the same instant would count as a sign-in for this request.
        world.app.advance(std::time::Duration::from_secs(1));
        let flow = client.flow("openid").with("prompt", "login");
        browser.get(&flow.path()).await;
        let page = browser.get(&flow.path()).await;
        let request = page.form("login-form").field("request").expect("the request").to_owned();
        let address = leave(&mut browser, &format!("/login/federation/google?request={request}")).await;
        let page = world.come_back(&mut browser, &world.mock.consent(&address)).await;
        assert!(page.has_id("login-link"), "{}: {}", page.url, page.text());
        assert_eq!(world.owner("42").await, None, "an administrator is not linked without signing in either");
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        assert_eq!(world.owner("42").await, Some(ada));
        assert!(client.redeem(&flow, &page.query()["code"]).await.expect_tokens().id_token.is_some());
    }

    async fn fe_9_a_second_factor_is_asked_for_after_the_provider_and_before_a_link(database) {
        let world = World::of(database, "google").await;
        let ada = world.app.user("ada").await;
        let authenticator = factors::enrolled(&world.app, "ada").await;
        let mut browser = world.app.browser();
        let page = world.sign_in(&mut browser).await;
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        assert!(page.has_id("factor-form"), "{}", page.text());
        assert_eq!(world.owner("42").await, None, "a password alone is not the account");
        factors::answer(&mut browser, &page, &authenticator.code(&world.app)).await;
        assert_eq!(world.owner("42").await, Some(ada));

        world.app.advance(std::time::Duration::from_secs(60));
        let mut fresh = world.app.browser();
        let page = world.sign_in(&mut fresh).await;
        assert!(page.has_id("factor-form") && !is_signed_in(&mut fresh).await, "{}", page.text());
        factors::answer(&mut fresh, &page, &authenticator.code(&world.app)).await;
        assert!(is_signed_in(&mut fresh).await);
    }

    async fn se_7_who_proves_it_anew_does_so_at_the_provider_and_goes_on(database) {
        let world = World::of(database, "google").await;
        let mut browser = world.app.browser();
        let address = leave(&mut browser, "/login/federation/google").await;
        assert!(!address.contains("prompt="), "{address}");
        world.come_back(&mut browser, &world.mock.consent(&address)).await;
        let page = browser.get("/login?next=/account").await;
        let link = page.links().into_iter().find(|link| link.contains("/login/federation/google"));
        let address = leave(&mut browser, &link.expect("the button of the provider")).await;
        assert!(address.contains("prompt=login"), "{address}");
        let page = world.come_back(&mut browser, &world.mock.consent(&address)).await;
        assert!(page.url.ends_with("/account"), "{}", page.url);
        let address = leave(&mut browser, "/login/federation/google?next=//evil.example").await;
        let page = world.come_back(&mut browser, &world.mock.consent(&address)).await;
        assert_eq!(page.url, world.app.url("/"), "CH-6");
    }

    async fn fe_7_a_link_that_waits_is_void_after_ten_minutes(database) {
        let world = World::of(database, "google").await;
        world.app.user("ada").await;
        let mut browser = world.app.browser();
        world.sign_in(&mut browser).await;
        world.app.advance(std::time::Duration::from_secs(600));
        browser.sign_in("ada").await;
        assert_eq!(world.owner("42").await, None);
    }

    async fn fe_8_an_account_laid_out_for_its_owner_is_emptied_first(database) {
        let world = World::of(database, "google").await;
        // Somebody made an account with an address that is not theirs, and waits.
        let trap = world.app.user_with("ada", |new| new.email_verified = false).await;
        let client = TestClient::register(&world.app, "calendar", |r| r.first_party = true).await;
        let mut attacker = world.app.browser();
        let tokens = client.sign_in(&mut attacker, "ada", "openid offline_access").await;
        assert!(is_signed_in(&mut attacker).await);
        let acme = world.app.organisation("acme").await;
        world.app.member(&acme, trap, &["admin"]).await;
        let new = NewKey {
            name: "trap".to_owned(),
            workspace: None,
            scopes: vec!["members:read".to_owned()],
            lasts: None,
            prefix: None,
        };
        let key = manage::create(&world.app.app, Actor::Member(trap), acme.id, new, &Origin::command_line()).await;
        let key = key.expect("a key").text;
        let ask = || world.app.http.get(world.app.url("/forward-auth")).header("x-api-key", key.expose()).send();
        assert_eq!(ask().await.expect("an answer").status(), 200);

        let mut browser = world.app.browser();
        world.sign_in(&mut browser).await;
        assert!(is_signed_in(&mut browser).await);
        assert_eq!(world.owner("42").await, Some(trap));
        assert_eq!(emails(&world.app, trap).await, [("ada@example.com".to_owned(), true)]);

        assert!(!is_signed_in(&mut attacker).await);
        assert_eq!(ask().await.expect("an answer").status(), 401);
        assert_eq!(client.introspect(&tokens.access_token).await["active"], false);
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        let page = attacker.get("/login").await;
        assert_eq!(attacker.answer_login(&page, "ada", PASSWORD).await.status, 401);
        assert!(world.app.audit().await.contains(&"account.reclaimed success".to_owned()));
    }

    async fn fe_6_fe_8_only_a_proven_address_reclaims_and_never_an_administrators_account(database) {
        let world = World::of(database, "google").await;
        world.app.user_with("ada", |new| new.email_verified = false).await;
        world.mock.claim(json!({ "email_verified": "true" }));
        world.sign_in(&mut world.app.browser()).await;
        let somebody = world.owner("42").await.expect("an account of their own");
        assert_eq!(emails(&world.app, somebody).await, [], "the address is not theirs");
        world.app.user_with("root", |new| {
            new.email_verified = false;
            new.instance_role = Some(countersign::model::InstanceRole::Administrator);
        }).await;
        world.mock.claim(json!({ "sub": "43", "email": "root@example.com" }));
        let mut browser = world.app.browser();
        assert!(world.sign_in(&mut browser).await.has_id("login-link"));
        assert!(!is_signed_in(&mut browser).await);
        browser.sign_in("root").await;
    }

    async fn fe_9_a_signed_in_user_links_and_unlinks_but_not_the_last_way(database) {
        let world = World::of(database, "google").await;
        let (app, origin) = (&world.app.app, Origin::command_line());
        let ada = world.app.user("ada").await;
        world.mock.claim(json!({ "email": "private@gmail.com" }));
        let mut browser = world.app.signed_in("ada").await;
        let binding = Secret::from_text(browser.cookies["cs-browser"].clone());
        let begin = || Start { provider: "google", binding: &binding, device: None, onward: Onward::default(), anew: true, trial_by: None, link_to: Some(ada) };

        // Signed out meanwhile: nothing is linked.
        let url = federation::start(app, begin(), &origin).await.expect("the provider answers");
        let answer = world.mock.consent(url.as_str());
        let mut signed_out = browser.clone();
        signed_out.cookies.remove("cs-sessions");
        assert_sorry(&world.come_back(&mut signed_out, &answer).await, 400, "Begin again");
        assert_eq!(world.owner("42").await, None);

        let url = federation::start(app, begin(), &origin).await.expect("the provider answers");
        let page = world.come_back(&mut browser, &world.mock.consent(url.as_str())).await;
        assert!(page.url.ends_with("/account"), "{}", page.url);
        assert_eq!(world.owner("42").await, Some(ada));

        // What is Ada's does not become Eve's.
        let eve = world.app.user("eve").await;
        let mut other = world.app.signed_in("eve").await;
        let binding = Secret::from_text(other.cookies["cs-browser"].clone());
        let start = Start { provider: "google", binding: &binding, device: None, onward: Onward::default(), anew: true, trial_by: None, link_to: Some(eve) };
        let url = federation::start(app, start, &origin).await.expect("the provider answers");
        let page = world.come_back(&mut other, &world.mock.consent(url.as_str())).await;
        assert_sorry(&page, 409, "belongs to another account");

        let linked = link::list(app, ada).await.expect("the database answers");
        assert_eq!(linked.len(), 1);
        assert_eq!((linked[0].provider.as_str(), linked[0].label.as_str()), ("Google", "private@gmail.com"));
        let nowhere = SessionId::new(app.clock.now(), &app.random);
        let stolen = link::unlink(app, eve, nowhere, linked[0].id, notices(&world.app), &origin).await;
        assert!(matches!(stolen, Err(UnlinkError::NoSuchIdentity)), "{stolen:?}");
        link::unlink(app, ada, nowhere, linked[0].id, notices(&world.app), &origin)
            .await
            .expect("there is a password");
        assert_eq!(world.owner("42").await, None);
        let told = told(&world.app, "ada@example.com").await;
        for subject in ["A new way to sign in to Countersign", "A way to sign in to Countersign was removed"] {
            assert!(told.iter().any(|known| known == subject), "LO-4: {told:?}");
        }

        // Who has nothing else keeps it.
        world.mock.claim(json!({ "sub": "43", "email": "only@gmail.com" }));
        world.sign_in(&mut world.app.browser()).await;
        let only = world.owner("43").await.expect("an account");
        let linked = link::list(app, only).await.expect("the database answers");
        let refused = link::unlink(app, only, nowhere, linked[0].id, notices(&world.app), &origin).await;
        assert!(matches!(refused, Err(UnlinkError::LastWay)), "{refused:?}");
    }

    async fn who_comes_for_the_first_time_is_treated_as_the_provider_says(database) {
        use countersign::model::FirstSignIn;
        use countersign::tenancy::links;
        let refusing = World::with(database, "google", |p| p.first_sign_in = Some(FirstSignIn::Refuse)).await;
        let mut browser = refusing.app.browser();
        assert_sorry(&refusing.sign_in(&mut browser).await, 403, "you have no account here");
        // Nobody who is known is refused.
        refusing.app.user("ada").await;
        let page = refusing.sign_in(&mut browser).await;
        browser.answer_login(&page, "ada", PASSWORD).await;
        refusing.sign_in(&mut refusing.app.browser()).await;
        assert_eq!(refusing.app.read(|db| store::users::list(db, None, 10)).await.len(), 1);

        let inviting = World::with(database, "google", |p| p.first_sign_in = Some(FirstSignIn::InvitedOnly)).await;
        let mut browser = inviting.app.browser();
        assert_sorry(&inviting.sign_in(&mut browser).await, 403, "you have no invitation");
        let address = countersign::model::EmailAddress::parse("Ada@example.com").expect("an address");
        let day = std::time::Duration::from_secs(86_400);
        links::invite(&inviting.app.app, &address, day, &Origin::command_line()).await.expect("invited");
        inviting.mock.claim(json!({ "email_verified": "true" }));
        assert_sorry(&inviting.sign_in(&mut browser).await, 403, "you have no invitation");
        inviting.mock.claim(json!({}));
        inviting.sign_in(&mut browser).await;
        assert!(is_signed_in(&mut browser).await, "the invitation is for the address that is proven");
        inviting.mock.claim(json!({ "sub": "43", "email": "eve@example.com" }));
        assert_sorry(&inviting.sign_in(&mut inviting.app.browser()).await, 403, "you have no invitation");

        let closed = World::configured(database, "google", |config, mut provider| {
            provider.first_sign_in = None;
            config.registration.mode = Some(countersign::config::RegistrationMode::Closed);
            config.providers.push(provider);
        }).await;
        assert_sorry(&closed.sign_in(&mut closed.app.browser()).await, 403, "you have no account here");
    }

    async fn or_8_who_comes_first_administers_a_fresh_organisation_and_joins_none(database) {
        use countersign::tenancy::membership;
        let world = World::of(database, "google").await;
        world.sign_in(&mut world.app.browser()).await;
        world.mock.claim(json!({ "sub": "43", "email": "bob@example.com" }));
        world.sign_in(&mut world.app.browser()).await;
        let mut organisations = Vec::new();
        for subject in ["42", "43"] {
            let user = world.owner(subject).await.expect("signed in");
            let [of] = &world.app.read(move |db| membership::of_user(db, user)).await[..] else {
                panic!("one organisation")
            };
            assert_eq!(of.highest().map(|role| role.key.as_str()), Some("admin"));
            organisations.push(of.organisation.id);
        }
        assert_ne!(organisations[0], organisations[1], "one domain, two organisations");
        world.app.advance(std::time::Duration::from_secs(1));
        world.sign_in(&mut world.app.browser()).await;
        let user = world.owner("43").await.expect("signed in");
        assert_eq!(world.app.read(move |db| membership::of_user(db, user)).await.len(), 1, "once");

        let inviting = World::with(database, "google", |provider| {
            provider.first_sign_in = Some(countersign::model::FirstSignIn::InvitedOnly);
        })
        .await;
        let address = countersign::model::EmailAddress::parse("ada@example.com").expect("an address");
        let day = std::time::Duration::from_secs(86_400);
        countersign::tenancy::links::invite(&inviting.app.app, &address, day, &Origin::command_line())
            .await
            .expect("invited");
        inviting.sign_in(&mut inviting.app.browser()).await;
        let user = inviting.owner("42").await.expect("signed in");
        assert!(inviting.app.read(move |db| membership::of_user(db, user)).await.is_empty());
    }

    async fn two_first_sign_ins_at_once_make_one_account(database) {
        let world = World::of(database, "google").await;
        let mut browsers: Vec<Browser> = (0..8).map(|_| world.app.browser()).collect();
        let mut answers = Vec::new();
        for browser in &mut browsers {
            answers.push(world.go(browser).await);
        }
        let back = browsers.iter_mut().zip(&answers).map(|(browser, answer)| world.come_back(browser, answer));
        futures_util::future::join_all(back).await;
        assert_eq!(world.app.read(|db| store::users::list(db, None, 10)).await.len(), 1);
        assert!(world.owner("42").await.is_some());
    }

    async fn what_a_provider_says_is_text(database) {
        let world = World::of(database, "google").await;
        let name = "<script>alert(1)</script>\r\nX: y";
        world.mock.claim(json!({ "name": name, "picture": "javascript:alert(1)", "locale": "de" }));
        let mut browser = world.app.browser();
        world.sign_in(&mut browser).await;
        let page = browser.get("/account").await;
        assert!(!page.html.contains("<script>alert"), "CH-5");
        let ada = world.owner("42").await.expect("an account");
        let claims: BTreeMap<String, String> = world.app.read(move |db| store::users::claims(db, ada)).await.into_iter().collect();
        assert!(!claims.contains_key("picture"));
        let user = world.app.read(move |db| store::users::find(db, ada)).await.expect("the user");
        assert_eq!((user.name.as_str(), user.locale.as_deref()), ("<script>alert(1)</script>X: y", Some("de")));
    }
}
