//! Sign-ins that are refused. The visitor is told the same whatever the reason (PW-6).

use serde_json::json;

use super::{assert_told, shown, why};
use crate::federation::World;
use crate::login::{link, mails};
use crate::on_both_databases;
use crate::support::{PASSWORD, Settings, TestApp};

on_both_databases! {
    async fn lo_3_pw_6_who_is_unknown_and_what_is_wrong_is_told_to_operators_alone(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        app.user_with("bob", |user| user.password = None).await;
        let mut browser = app.browser();
        let page = browser.get("/login").await;
        let mut texts = Vec::new();
        for (name, rule, facts) in [
            ("nobody", "account_unknown", vec![("typed", "n…@example.com")]),
            ("ada", "password_wrong", vec![]),
            ("bob", "password_unset", vec![]),
        ] {
            let refused = browser.answer_login(&page, name, "not the password").await;
            assert_eq!(refused.status, 401);
            let reference = shown(&refused);
            texts.push(refused.text().replace(&reference, ""));
            let found = why(&app, &reference).await;
            assert_told(&found, rule, &facts);
            assert_eq!(found.told.kind.as_str(), "sign_in");
            if name == "ada" {
                assert_eq!(found.account.map(|account| account.id), Some(ada));
            }
        }
        assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
        // A page that refuses nothing has none.
        assert!(!browser.get("/login").await.has_id("reference"));
        let page = browser.get("/login").await;
        assert!(!browser.answer_login(&page, "ada", PASSWORD).await.has_id("reference"));
    }

    async fn lo_3_too_many_tries_are_told_by_what_was_counted(database) {
        let app = TestApp::start_with(database, Settings::with(|config| config.limits.login_failures.count = 2)).await;
        app.user("ada").await;
        let mut browser = app.browser();
        let page = browser.get("/login").await;
        for _ in 0..2 {
            browser.answer_login(&page, "ada", "wrong").await;
        }
        let refused = browser.answer_login(&page, "ada", PASSWORD).await;
        assert_eq!(refused.status, 429);
        let facts = [("counted by", "login account+address"), ("allowed", "2 in 900 seconds")];
        assert_told(&why(&app, &shown(&refused)).await, "throttled", &facts);
    }

    async fn lo_3_a_link_and_digits_are_told_by_what_became_of_them(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let mut browser = app.browser();
        let page = browser.get("/login").await;
        let sent = browser.submit(&page, "magic-form", &[("email", "ada@example.com")], None).await;
        let wrong = browser.submit(&sent, "code-form", &[("code", "000000")], None).await;
        assert_told(&why(&app, &shown(&wrong)).await, "mail_code", &[("state", "wrong"), ("try", "1 of 5")]);
        let path = link(&app, &mails(&app).await[0]);
        let page = browser.get(&path).await;
        browser.submit(&page, "magic-confirm-form", &[], None).await;
        app.advance(std::time::Duration::from_secs(20));
        let refused = browser.get(&path).await;
        assert_eq!(refused.status, 410);
        let found = why(&app, &shown(&refused)).await;
        assert_told(&found, "link", &[("state", "used or replaced"), ("seconds ago", "20"), ("for", "magic_link")]);
        assert_eq!(found.account.map(|account| account.id), Some(ada));
        let refused = browser.get("/login/magic/nonsense").await;
        assert_told(&why(&app, &shown(&refused)).await, "link", &[("state", "unknown")]);
    }

    async fn lo_3_a_wrong_second_factor_is_told(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        crate::factors::enrolled(&app, "ada").await;
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        let refused = crate::factors::answer(&mut browser, &page, "000000").await;
        let found = why(&app, &shown(&refused)).await;
        assert_told(&found, "factor_wrong", &[("shown", "a code of an authenticator application")]);
        assert_eq!(found.account.map(|account| account.id), Some(ada));
    }

    async fn lo_3_fe_4_what_a_provider_says_wrongly_is_told_with_the_offset_of_its_clock(database) {
        let world = World::of(database, "oidc").await;
        let now = world.app.clock.now().seconds();
        for (claims, reason) in [
            (json!({ "exp": now - 95 }), "its exp is -95 seconds ahead of our clock"),
            (json!({ "iat": now + 120 }), "its iat is 120 seconds ahead of our clock"),
            (json!({ "nonce": "of another attempt" }), "nonce"),
            (json!({ "aud": "another" }), "audience"),
        ] {
            world.mock.claim(claims);
            let page = world.sign_in(&mut world.app.browser()).await;
            let found = why(&world.app, &shown(&page)).await;
            assert_told(&found, "provider_token", &[("provider", "oidc")]);
            let told = found.told.facts.iter().find(|fact| fact.name == "reason").expect("a reason");
            assert!(told.value.to_lowercase().contains(reason), "{reason}: {}", told.value);
        }
        let stale = world.app.browser().get("/login/federation/oidc/callback?state=x&code=y").await;
        assert_told(&why(&world.app, &shown(&stale)).await, "provider_stale", &[]);
    }

    async fn lo_3_lg_1_an_api_that_signs_in_has_the_reference_in_its_header(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let organisation = app.organisation("acme").await;
        let sign_in = async |body: serde_json::Value| {
            let answer = app.http.post(app.url("/api/v1/sign-in")).json(&body).send().await.unwrap();
            (answer.status().as_u16(), answer.headers()["x-request-id"].to_str().unwrap().to_owned())
        };
        let (status, reference) = sign_in(json!({ "login": "ada@example.com", "password": "wrong" })).await;
        assert_eq!(status, 401);
        let found = why(&app, &reference).await;
        assert_told(&found, "password_wrong", &[]);
        assert_eq!((found.told.user, found.told.kind.as_str()), (Some(ada), "sign_in"));
        let body = json!({ "login": "ada@example.com", "password": PASSWORD, "organization": organisation.slug });
        let (status, reference) = sign_in(body).await;
        assert_eq!(status, 403);
        assert_told(&why(&app, &reference).await, "membership", &[("asked for", &organisation.slug)]);
    }
}
