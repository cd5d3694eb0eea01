//! Who must have a second factor, on every way (MF-4, MF-5, AD-2), and what changing one takes (SE-7).

use std::time::Duration;

use countersign::audit::Origin;
use countersign::crypto::Secret;
use countersign::identity::factor::manage;
use countersign::identity::notice::Notices;
use countersign::identity::session::Arrival;
use countersign::identity::sign_in::{Attempt, with_password};
use countersign::model::Language;
use countersign::tenancy::clients::{self, Change};

use super::{Authenticator, answer, enrolled, href, text_of};
use crate::on_both_databases;
use crate::support::{Browser, PASSWORD, Page, Settings, TestApp, TestClient};

/// Sets an authenticator application up on the page that asks for a second factor.
async fn enrol(app: &TestApp, browser: &mut Browser, page: &Page) -> (Authenticator, Page) {
    assert!(page.has_id("totp-start-form"), "{}: {}", page.url, page.text());
    let page = browser.submit(page, "totp-start-form", &[], None).await;
    let key: String = text_of(&page, "totp-key").split_whitespace().collect();
    let secret = totp_rs::Secret::try_from_base32(key).expect("base 32");
    let authenticator = Authenticator { secret: secret.as_bytes().to_vec(), recovery_codes: Vec::new() };
    let wrong = browser.submit(&page, "totp-form", &[("code", "000000")], None).await;
    assert_eq!(wrong.status, 401);
    let code = authenticator.code(app);
    let page = browser.submit(&wrong, "totp-form", &[("code", &code)], None).await;
    assert!(page.has_id("recovery-codes"), "{}: {}", page.url, page.text());
    let next = href(app, &page, "recovery-continue");
    let page = browser.get(&next).await;
    (authenticator, page)
}

on_both_databases! {
    async fn mf_5_a_client_that_demands_two_factors_gets_them_or_nothing(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = TestClient::register(&app, "bank", |registration| registration.require_mfa = true).await;
        let flow = client.flow("openid");
        let mut browser = app.signed_in("ada").await;
        let silent = browser.get(&flow.clone().with("prompt", "none").path()).await;
        assert_eq!(silent.query().get("error").map(String::as_str), Some("interaction_required"));
        let page = browser.get(&flow.path()).await;
        assert!(page.url.contains("/login/enrol?request=arq_"), "{}", page.url);
        let (_, page) = enrol(&app, &mut browser, &page).await;
        assert!(page.has_id("consent-form"), "{}: {}", page.url, page.text());
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        let tokens = client.redeem(&flow, page.query().get("code").expect("a code")).await.expect_tokens();
        assert_eq!(tokens.id_claims()["acr"], "urn:countersign:acr:2fa");
        client.refresh(tokens.refresh_token.as_deref().expect("a refresh token")).await.expect_tokens();
    }

    async fn mf_5_a_grant_from_before_the_demand_is_not_refreshed_nor_its_code_redeemed(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("bank").await;
        let mut browser = app.browser();
        let old = client.sign_in(&mut browser, "ada", "openid offline_access").await;
        let flow = client.flow("openid offline_access");
        let code = client.authorize(&mut browser, &flow, "ada").await;
        let change = Change { require_mfa: Some(true), ..Change::default() };
        clients::change(&app.app, &client.client_id, change, &Origin::command_line()).await.expect("changed");
        client.refresh(old.refresh_token.as_deref().expect("a refresh token")).await.expect_error("invalid_grant");
        client.redeem(&flow, &code).await.expect_error("invalid_grant");
    }

    async fn mf_5_se_7_an_old_sign_in_is_not_enough_to_add_the_factor_that_is_demanded(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = TestClient::register(&app, "bank", |registration| registration.require_mfa = true).await;
        let mut browser = app.signed_in("ada").await;
        app.advance(Duration::from_secs(301));
        let page = browser.get(&client.flow("openid").path()).await;
        assert!(page.has_id("login-form"), "{}", page.url);
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        assert!(page.url.contains("/login/enrol?request=arq_"), "{}", page.url);
    }

    async fn az_11_an_essential_acr_without_a_factor_is_an_error(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let claims = r#"{"id_token":{"acr":{"essential":true,"value":"urn:countersign:acr:2fa"}}}"#;
        let flow = client.flow("openid").with("claims", claims);
        let page = client.visit(&mut app.browser(), &flow, "ada").await;
        assert_eq!(page.query().get("error").map(String::as_str), Some("unmet_authentication_requirements"));
    }

    async fn mf_4_after_a_reset_a_password_alone_reaches_the_enrolment_only(database) {
        let app = TestApp::start(database).await;
        let id = app.user("ada").await;
        let ada = enrolled(&app, "ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        answer(&mut browser, &page, &ada.code(&app)).await;
        let tokens = client.sign_in(&mut browser, "ada", "openid offline_access").await;
        let user = app.read(move |db| countersign::store::users::find(db, id)).await.expect("ada");
        manage::reset(&app.app, &user, &Origin::command_line()).await.expect("reset");

        client.refresh(tokens.refresh_token.as_deref().unwrap()).await.expect_error("invalid_grant");
        assert!(browser.get("/account").await.has_id("login-form"));
        let mails = app.read(|db| countersign::store::outbox::newest(db, 9)).await;
        assert!(mails.iter().any(|mail| mail.subject.contains("reset")), "ada is told");
        assert!(app.audit().await.contains(&"factor.reset success".to_owned()));
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        assert!(page.url.ends_with("/login/enrol"), "{}", page.url);
        assert!(browser.get("/account").await.has_id("login-form"), "nothing else is reached");
        enrol(&app, &mut browser, &page).await;
        assert!(browser.get("/account").await.text().contains("ada@example.com"));
    }

    async fn ad_2_an_administrator_of_a_public_issuer_must_have_a_second_factor(database) {
        for (issuer, awaiting) in [("https://id.example.com", true), ("http://localhost:4000", false)] {
            let settings = Settings::with(move |config| config.issuer = issuer.parse().unwrap());
            let app = TestApp::start_with(database, settings).await;
            app.user_with("root", |new| new.instance_role = Some(countersign::model::InstanceRole::Administrator)).await;
            let begun = with_password(&app.app, attempt(&app, "root"), &Origin::command_line()).await;
            assert_eq!(begun.expect("the password is right").awaiting_factor, awaiting, "{issuer}");
            app.user("ada").await;
            let begun = with_password(&app.app, attempt(&app, "ada"), &Origin::command_line()).await;
            assert!(!begun.expect("the password is right").awaiting_factor, "{issuer}");
        }
    }

    async fn mf_4_a_password_alone_neither_adds_nor_replaces_a_factor(database) {
        let app = TestApp::start(database).await;
        let user = app.user("ada").await;
        enrolled(&app, "ada").await;
        let before = app.read(move |db| countersign::store::factors::totp(db, user)).await;
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        let csrf: Vec<_> =
            page.form("factor-form").fields.into_iter().filter(|(name, _)| name == "csrf").collect();
        let page = browser.get("/login/enrol").await;
        assert!(page.url.ends_with("/login/factor") && page.has_id("factor-form"), "{}", page.url);
        browser.post("/login/enrol/totp/start", &csrf).await;
        let response = browser.once(reqwest::Method::POST, "/login/enrol/passkey/options", Some(&csrf)).await;
        assert_eq!(response.status(), 404);
        assert_eq!(app.read(move |db| countersign::store::factors::totp(db, user)).await, before);
    }

    async fn se_7_factors_change_only_after_the_strongest_was_shown_just_now(database) {
        let app = TestApp::start(database).await;
        let user = app.user("ada").await;
        let ada = enrolled(&app, "ada").await;
        let mut other = app.browser();
        let page = other.sign_in("ada").await;
        answer(&mut other, &page, &ada.code(&app)).await;
        app.advance(Duration::from_secs(60));
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        answer(&mut browser, &page, &ada.code(&app)).await;
        let fresh = browser.get("/account/security").await;
        assert!(fresh.has_id("totp-remove-form"), "{}", fresh.text());
        app.advance(Duration::from_secs(301));

        let page = browser.get("/account/security").await;
        assert!(!page.has_id("totp-remove-form") && page.has_id("security-confirm"));
        browser.submit(&fresh, "totp-remove-form", &[], None).await;
        assert!(app.read(move |db| countersign::store::factors::totp(db, user)).await.is_some(), "a form from before");
        let confirm = href(&app, &page, "security-confirm");
        let page = browser.get(&confirm).await;
        let page = answer(&mut browser, &page, &ada.code(&app)).await;
        assert!(page.url.ends_with("/account/security"), "{}", page.url);
        browser.submit(&page, "recovery-form", &[], None).await;
        assert!(other.get("/account").await.has_id("login-form"), "SE-5: new codes end other sessions");
        browser.submit(&page, "totp-remove-form", &[], None).await;
        assert!(app.read(move |db| countersign::store::factors::totp(db, user)).await.is_none());
        assert!(other.get("/account").await.has_id("login-form"), "SE-5: other sessions have ended");
        assert!(browser.get("/account").await.text().contains("ada@example.com"));
    }
}

fn attempt(app: &TestApp, name: &str) -> Attempt {
    Attempt {
        login: format!("{name}@example.com"),
        password: Secret::from_text(PASSWORD),
        remember: false,
        arrival: Arrival {
            present: Vec::new(),
            device: None,
            notices: Notices::of(&app.app, Language::default()),
            api: None,
        },
    }
}
