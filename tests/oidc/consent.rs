//! Consent: asked, remembered, widened, refused (Core §3.1.2.4, AZ-10).

use std::time::Duration;

use serde_json::json;

use crate::on_both_databases;
use crate::support::{Browser, Database, Flow, PASSWORD, Page, TestApp, TestClient};

async fn ready(database: Database) -> (TestApp, TestClient) {
    let app = TestApp::start(database).await;
    app.user("ada").await;
    let client = app.client("calendar").await;
    (app, client)
}

/// The consent page of this request, after whatever login it takes.
async fn asked(browser: &mut Browser, flow: &Flow) -> Page {
    let page = browser.get(&flow.path()).await;
    let page =
        if page.has_id("login-form") { browser.answer_login(&page, "ada", PASSWORD).await } else { page };
    assert!(page.has_id("consent-form"), "nobody was asked: {} {}", page.url, page.text());
    page
}

async fn answer(browser: &mut Browser, page: &Page, action: &str) -> Page {
    browser.submit(page, "consent-form", &[], Some(("action", action))).await
}

on_both_databases! {
    async fn oidc_3_16_the_page_names_the_client_the_account_and_what_it_asks(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = TestClient::register(&app, "calendar", |registration| {
            registration.set("client_name", "Ada's <b>Calendar</b> & Co");
            registration.set("policy_uri", "https://calendar.example.org/privacy");
            registration.set("tos_uri", "https://calendar.example.org/terms");
            registration.set("logo_uri", "https://calendar.example.org/logo.png");
        })
        .await;
        let mut browser = app.browser();
        let flow = client.flow("openid profile email offline_access");
        let login = browser.get(&flow.path()).await;
        let consent = asked(&mut browser, &flow).await;
        for page in [&login, &consent] {
            assert!(page.text().contains("Ada's <b>Calendar</b> & Co"), "{}", page.text());
            assert!(!page.html.contains("<b>Calendar"), "a name is text (CH-5)");
            let links = page.links();
            for uri in ["https://calendar.example.org/privacy", "https://calendar.example.org/terms"] {
                assert!(links.iter().any(|link| link == uri), "{uri}");
            }
            assert!(page.html.contains("https://calendar.example.org/logo.png"));
            let policy = page.header("content-security-policy");
            assert!(policy.contains("img-src 'self' https://calendar.example.org;"), "{policy}");
        }
        let text = consent.text();
        assert!(text.contains("ada@example.com") && text.contains("calendar.example.org"), "{text}");
        assert!(consent.has_id("consent-allow") && consent.has_id("consent-deny"));
        let page = answer(&mut browser, &consent, "allow").await;
        client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
    }

    async fn oidc_3_16_consent_is_remembered_for_the_scopes_given(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let flow = client.flow("openid email");
        let page = asked(&mut browser, &flow).await;
        answer(&mut browser, &page, "allow").await;
        for less in ["openid email", "openid", "email openid"] {
            assert!(browser.get(&client.flow(less).path()).await.query().contains_key("code"), "{less}");
        }
        // Also in another browser, and after the session is gone.
        app.advance(Duration::from_secs(40 * 86_400));
        let page = client.visit(&mut app.browser(), &client.flow("openid email"), "nobody").await;
        assert!(page.has_id("login-form"));
        let mut other = app.signed_in("ada").await;
        assert!(other.get(&flow.path()).await.query().contains_key("code"));

        // More asks again, and only for what is new.
        let page = asked(&mut other, &client.flow("openid email profile")).await;
        let text = page.text().to_lowercase();
        assert!(!text.contains("e-mail address and whether"), "was allowed before: {text}");
        answer(&mut other, &page, "deny").await;
        assert!(other.get(&flow.path()).await.query().contains_key("code"), "what was allowed stays so");
        let page = asked(&mut other, &client.flow("openid email profile")).await;
        answer(&mut other, &page, "allow").await;
        assert!(other.get(&client.flow("openid profile email").path()).await.query().contains_key("code"));
        // Nor does it pass to another application or user.
        let notes = app.client("notes").await;
        asked(&mut other, &notes.flow("openid")).await;
        app.user("bob").await;
        let mut bobs = app.signed_in("bob").await;
        asked(&mut bobs, &client.flow("openid")).await;
    }

    async fn oidc_3_16_deny_tells_the_application_and_remembers_nothing(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let flow = client.flow("openid");
        for _ in 0..2 {
            let page = asked(&mut browser, &flow).await;
            let page = answer(&mut browser, &page, "deny").await;
            let query = page.query();
            assert!(page.url.starts_with(&client.redirect_uri));
            assert_eq!(query["error"], "access_denied");
            assert_eq!((query["state"].as_str(), query["iss"].as_str()), ("st4te", app.issuer.as_str()));
        }
        // An action that nobody knows decides nothing.
        let page = asked(&mut browser, &flow).await;
        for action in ["", "yes", "ALLOW"] {
            assert!(answer(&mut browser, &page, action).await.has_id("consent-form"), "{action}");
        }
    }

    async fn a_first_party_application_is_not_asked_for(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = TestClient::register(&app, "own", |registration| registration.first_party = true).await;
        let mut browser = app.signed_in("ada").await;
        let flow = client.flow("openid email offline_access");
        let page = browser.get(&flow.path()).await;
        client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
        let silent = client.flow("openid").with("prompt", "none");
        assert!(browser.get(&silent.path()).await.query().contains_key("code"));
        // Unless it wants to be.
        asked(&mut browser, &client.flow("openid").with("prompt", "consent")).await;
    }

    async fn az_10_an_application_that_anybody_can_claim_to_be_asks_each_time(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let native = TestClient::register(&app, "desktop", |registration| {
            registration.set("application_type", "native");
            registration.set("token_endpoint_auth_method", "none");
            registration.set("redirect_uris", json!([
                "http://127.0.0.1/callback",
                "org.example.desktop:/callback",
                "https://desktop.example.org/callback",
            ]));
        })
        .await;
        let mut browser = app.browser();
        for uri in ["http://127.0.0.1:5000/callback", "org.example.desktop:/callback"] {
            let flow = native.flow("openid").with("redirect_uri", uri);
            for _ in 0..2 {
                let page = asked(&mut browser, &flow).await;
                let page = answer(&mut browser, &page, "allow").await;
                assert!(page.query().contains_key("code"), "{}", page.url);
            }
            let silent = browser.get(&flow.with("prompt", "none").path()).await;
            assert_eq!(silent.query()["error"], "consent_required", "{uri}");
        }
        // Its claimed https address is its own (RFC 8252 §8.6).
        let claimed = native.flow("openid").with("redirect_uri", "https://desktop.example.org/callback");
        assert!(browser.get(&claimed.path()).await.query().contains_key("code"));
    }

    async fn oidc_3_14_offline_access_is_consented_to_by_name(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let page = asked(&mut browser, &client.flow("openid")).await;
        answer(&mut browser, &page, "allow").await;
        let flow = client.flow("openid offline_access");
        let silent = browser.get(&flow.clone().with("prompt", "none").path()).await;
        assert_eq!(silent.query()["error"], "consent_required");
        let page = asked(&mut browser, &flow).await;
        let page = answer(&mut browser, &page, "allow").await;
        let tokens = client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
        assert!(tokens.body["scope"].as_str().unwrap().contains("offline_access"));
        // A client that cannot refresh is not asked about it and does not get it.
        let short = TestClient::register(&app, "short", |registration| {
            registration.set("grant_types", json!(["authorization_code"]));
        })
        .await;
        let tokens = short.sign_in(&mut browser, "ada", "openid offline_access").await;
        assert_eq!(tokens.body["scope"], "openid");
    }

    async fn az_8_nobody_consents_for_another_account(database) {
        let (app, client) = ready(database).await;
        app.user("bob").await;
        let mut browser = app.browser();
        browser.sign_in("bob").await;
        browser.sign_in("ada").await;
        let flow = client.flow("openid");
        let page = browser.get(&flow.path()).await;
        let (ada, bob) = (page.button("session", "ada@example.com"), page.button("session", "bob@example.com"));
        let consent = browser.submit(&page, "choose-form", &[], Some(("session", &ada))).await;
        assert!(consent.text().contains("ada@example.com"));
        // In another tab Bob is chosen. What Ada is shown in this one is then no answer of his.
        let other = browser.submit(&page, "choose-form", &[], Some(("session", &bob))).await;
        assert!(other.has_id("consent-form") && other.text().contains("bob@example.com"));
        let after = answer(&mut browser, &consent, "allow").await;
        assert!(after.has_id("consent-form") && after.text().contains("bob@example.com"), "{}", after.url);
        // Nor does a form that names the other one.
        let mut form = consent.form("consent-form");
        form.set("session", &ada);
        form.set("action", "allow");
        assert!(browser.post("/consent", &form.fields).await.has_id("consent-form"));
        let done = answer(&mut browser, &other, "allow").await;
        let tokens = client.redeem(&flow, &done.query()["code"]).await.expect_tokens();
        let bobs = client.userinfo(&tokens.access_token).await;
        assert_eq!(bobs.body["sub"], tokens.id_claims()["sub"]);
        // Ada has allowed nothing.
        let hinted = client.flow("openid").with("login_hint", "ada@example.com").with("prompt", "none");
        assert_eq!(browser.get(&hinted.path()).await.query()["error"], "consent_required");
    }

    async fn a_grant_that_was_taken_back_is_asked_for_again_and_its_tokens_are_dead(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let tokens = client.sign_in(&mut browser, "ada", "openid offline_access").await;
        let account = browser.get("/account/applications").await;
        let form = account.forms().into_iter().find(|form| form.field("client_id") == Some(&client.client_id));
        let form = form.expect("the account page lists the application");
        browser.post(&form.action, &form.fields).await;
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 401);
        asked(&mut browser, &client.flow("openid")).await;
    }
}
