//! Passkeys against an authenticator in software: what is taken, and all that must not be (MF-2).

use std::time::Duration;

use countersign::model::UserId;
use countersign::store::passkeys;
use reqwest::Method;
use serde_json::{Value, json};

use super::authenticator::Authenticator;
use super::{answer, enrolled, href};
use crate::on_both_databases;
use crate::support::{Browser, Page, TestApp};

/// A challenge for the form with this id, and the form's fields but for the answer.
async fn challenge(browser: &mut Browser, page: &Page, options: &str) -> (Vec<(String, String)>, Value) {
    let mut fields = page.form("passkey-form").fields;
    fields.retain(|(name, _)| name != "ceremony" && name != "credential");
    let response = browser.once(Method::POST, options, Some(&fields)).await;
    assert_eq!(response.status(), 200);
    let challenge: Value = response.json().await.expect("JSON");
    fields.push(("ceremony".to_owned(), challenge["ceremony"].as_str().expect("text").to_owned()));
    (fields, challenge["publicKey"].clone())
}

fn answered(mut fields: Vec<(String, String)>, credential: &Value) -> Vec<(String, String)> {
    fields.push(("credential".to_owned(), credential.to_string()));
    fields
}

/// Registers a passkey of a user who has just signed in.
async fn register(app: &TestApp, browser: &mut Browser, authenticator: &mut Authenticator) -> Page {
    let page = browser.get("/account/security").await;
    let page = browser.get(&href(app, &page, "factor-add")).await;
    let (fields, options) = challenge(browser, &page, "/login/enrol/passkey/options").await;
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    let credential = authenticator.create(&options);
    browser.post("/login/enrol/passkey", &answered(fields, &credential)).await
}

async fn begin(browser: &mut Browser) -> (Vec<(String, String)>, Value) {
    let page = browser.get("/login").await;
    challenge(browser, &page, "/login/passkey/options").await
}

async fn count(app: &TestApp, user: UserId) -> usize {
    app.read(move |db| passkeys::of_user(db, user)).await.len()
}

on_both_databases! {
    async fn mf_2_a_passkey_signs_in_by_itself_and_counts_as_two_factors(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut authenticator = Authenticator::new(&app.issuer);
        let page = register(&app, &mut app.signed_in("ada").await, &mut authenticator).await;
        assert!(page.has_id("recovery-codes"), "{}", page.text());
        let client = app.client("calendar").await;
        let flow = client.flow("openid");
        let mut browser = app.browser();
        let page = browser.get(&flow.path()).await;
        let (fields, options) = challenge(&mut browser, &page, "/login/passkey/options").await;
        assert_eq!(options["allowCredentials"].as_array().map_or(0, Vec::len), 0, "nobody is named");
        let page = browser.post("/login/passkey", &answered(fields, &authenticator.get(&options))).await;
        assert!(page.has_id("consent-form"), "{}", page.text());
        let tokens = client.sign_in(&mut browser, "ada", "openid").await;
        assert_eq!(tokens.id_claims()["acr"], "urn:countersign:acr:2fa");
        assert_eq!(tokens.id_claims()["amr"], json!(["hwk", "mfa"]));
    }

    async fn mf_2_a_passkey_is_the_second_factor_of_a_password(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut authenticator = Authenticator::new(&app.issuer);
        register(&app, &mut app.signed_in("ada").await, &mut authenticator).await;
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        assert!(page.url.ends_with("/login/factor"), "{}", page.url);
        let (fields, options) = challenge(&mut browser, &page, "/login/factor/passkey/options").await;
        assert_eq!(options["allowCredentials"].as_array().map_or(0, Vec::len), 1);
        browser.post("/login/factor", &answered(fields, &authenticator.get(&options))).await;
        assert!(browser.get("/account").await.text().contains("ada@example.com"));
    }

    async fn se_7_digits_do_not_take_a_passkey_away_but_the_passkey_and_a_recovery_code_do(database) {
        let app = TestApp::start(database).await;
        let user = app.user("ada").await;
        let application = enrolled(&app, "ada").await;
        let mut owner = app.browser();
        let page = owner.sign_in("ada").await;
        answer(&mut owner, &page, &application.code(&app)).await;
        let mut authenticator = Authenticator::new(&app.issuer);
        register(&app, &mut owner, &mut authenticator).await;
        assert_eq!(count(&app, user).await, 1);

        // Whoever knows the password and reads the digits signs in, and changes nothing.
        app.advance(Duration::from_secs(30));
        let mut thief = app.browser();
        let page = thief.sign_in("ada").await;
        answer(&mut thief, &page, &application.code(&app)).await;
        let page = thief.get("/account/security").await;
        assert!(!page.has_id("totp-remove-form") && page.has_id("security-confirm"), "{}", page.text());
        let confirm = href(&app, &page, "security-confirm");
        let page = thief.get(&confirm).await;
        assert_eq!(page.form("factor-form").field("use"), Some("recovery"), "digits are not asked for");
        app.advance(Duration::from_secs(30));
        let mut fields = page.form("factor-form").fields;
        fields.retain(|(name, _)| name != "use" && name != "code");
        fields.push(("code".to_owned(), application.code(&app)));
        thief.post("/login/factor", &fields).await;
        assert!(thief.get("/account/security").await.has_id("security-confirm"));
        assert_eq!(count(&app, user).await, 1);

        // The passkey does, and so does a recovery code, of which its owner is told.
        let page = thief.get(&confirm).await;
        let (fields, options) = challenge(&mut thief, &page, "/login/factor/passkey/options").await;
        let page = thief.post("/login/factor", &answered(fields, &authenticator.get(&options))).await;
        assert!(page.url.ends_with("/account/security") && page.has_id("totp-remove-form"), "{}", page.url);
        app.advance(Duration::from_secs(301));
        let page = thief.get(&confirm).await;
        let code = application.recovery_codes[0].as_str();
        let page = thief.submit(&page, "factor-form", &[("code", code)], None).await;
        assert!(page.url.ends_with("/account/security") && page.has_id("totp-remove-form"), "{}", page.url);
    }

    async fn mf_2_another_origin_another_party_or_an_unverified_user_signs_nobody_in(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut authenticator = Authenticator::new(&app.issuer);
        register(&app, &mut app.signed_in("ada").await, &mut authenticator).await;
        let issuer = app.issuer.clone();
        type Lie = fn(&mut Authenticator);
        let lies: [(&str, Lie); 6] = [
            ("a host that ends alike", |a| a.origin = a.origin.replace("localhost", "badlocalhost")),
            ("a host below", |a| a.origin = a.origin.replace("localhost", "evil.localhost")),
            ("another port", |a| a.origin = "http://localhost:1".to_owned()),
            ("another scheme", |a| a.origin = a.origin.replace("http://", "https://")),
            ("another relying party", |a| a.rp_id = "badlocalhost".to_owned()),
            ("nobody was verified", |a| a.verifies_user = false),
        ];
        for (what, lie) in lies {
            let mut browser = app.browser();
            let (fields, options) = begin(&mut browser).await;
            lie(&mut authenticator);
            let page = browser.post("/login/passkey", &answered(fields, &authenticator.get(&options))).await;
            assert_eq!(page.status, 401, "{what}");
            assert!(page.has_id("login-error") && !browser.cookies.contains_key("cs-sessions"), "{what}");
            authenticator.origin.clone_from(&issuer);
            authenticator.rp_id = "localhost".to_owned();
            authenticator.verifies_user = true;
        }
        let mut browser = app.browser();
        let (fields, options) = begin(&mut browser).await;
        browser.post("/login/passkey", &answered(fields, &authenticator.get(&options))).await;
        assert!(browser.cookies.contains_key("cs-sessions"), "the same without a lie");
    }

    async fn mf_2_a_challenge_is_good_once_for_five_minutes_in_its_own_browser_and_for_its_own_end(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut authenticator = Authenticator::new(&app.issuer);
        register(&app, &mut app.signed_in("ada").await, &mut authenticator).await;

        let mut browser = app.browser();
        let (fields, options) = begin(&mut browser).await;
        let answer = answered(fields, &authenticator.get(&options));
        assert_eq!(browser.post("/login/passkey", &answer).await.status, 200);
        assert_eq!(browser.post("/login/passkey", &answer).await.status, 401, "twice");

        let mut browser = app.browser();
        let (fields, options) = begin(&mut browser).await;
        app.advance(Duration::from_secs(5 * 60));
        let page = browser.post("/login/passkey", &answered(fields, &authenticator.get(&options))).await;
        assert_eq!(page.status, 401, "too late");

        let (mut one, mut two) = (app.browser(), app.browser());
        let (mine, options) = begin(&mut one).await;
        let (mut theirs, _) = begin(&mut two).await;
        theirs.retain(|(name, _)| name != "ceremony");
        theirs.extend(mine.into_iter().filter(|(name, _)| name == "ceremony"));
        let page = two.post("/login/passkey", &answered(theirs, &authenticator.get(&options))).await;
        assert_eq!(page.status, 401, "another browser's");

        let mut browser = app.browser();
        let (sign_in, options) = begin(&mut browser).await;
        let page = browser.sign_in("ada").await;
        let mut fields = page.form("passkey-form").fields;
        fields.retain(|(name, _)| name == "csrf");
        fields.extend(sign_in.into_iter().filter(|(name, _)| name == "ceremony"));
        let page = browser.post("/login/factor", &answered(fields, &authenticator.get(&options))).await;
        assert_eq!(page.status, 401, "another end");
    }

    async fn mf_2_a_counter_that_goes_back_is_refused_and_recorded(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut authenticator = Authenticator::new(&app.issuer);
        register(&app, &mut app.signed_in("ada").await, &mut authenticator).await;
        for (counter, status) in [(5, 200), (5, 401), (4, 401), (0, 401), (6, 200)] {
            let mut browser = app.browser();
            let (fields, options) = begin(&mut browser).await;
            authenticator.counter = counter;
            let page = browser.post("/login/passkey", &answered(fields, &authenticator.sign(&options))).await;
            assert_eq!(page.status, status, "{counter}");
        }
        let refused = app.audit().await.iter().filter(|event| *event == "factor.refused failure").count();
        assert_eq!(refused, 3);
    }

    async fn mf_2_nothing_is_stored_of_a_passkey_that_does_not_verify(database) {
        let app = TestApp::start(database).await;
        let user = app.user("ada").await;
        let mut browser = app.signed_in("ada").await;
        let mut authenticator = Authenticator::new(&app.issuer);
        authenticator.verifies_user = false;
        assert_eq!(register(&app, &mut browser, &mut authenticator).await.status, 401);
        authenticator.verifies_user = true;
        authenticator.origin = "https://evil.example".to_owned();
        assert_eq!(register(&app, &mut browser, &mut authenticator).await.status, 401);
        assert_eq!(count(&app, user).await, 0);
        authenticator.origin.clone_from(&app.issuer);
        assert_eq!(register(&app, &mut browser, &mut authenticator).await.status, 200);
        assert_eq!(count(&app, user).await, 1);
    }

    async fn mf_2_a_passkey_of_one_account_is_none_of_another(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let eve = app.user("eve").await;
        let mut authenticator = Authenticator::new(&app.issuer);
        register(&app, &mut app.signed_in("ada").await, &mut authenticator).await;
        // The same key pair again, for somebody else.
        let page = register(&app, &mut app.signed_in("eve").await, &mut authenticator).await;
        assert_eq!(page.status, 401);
        assert_eq!(count(&app, eve).await, 0);
        // It now calls its owner eve, whose key it is not.
        let mut browser = app.browser();
        let (fields, options) = begin(&mut browser).await;
        let page = browser.post("/login/passkey", &answered(fields, &authenticator.get(&options))).await;
        assert_eq!(page.status, 401);
    }
}
