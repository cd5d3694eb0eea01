//! `/consent`.

use crate::on_both_databases;
use crate::support::TestApp;

on_both_databases! {
    async fn refusing_tells_the_application_and_remembers_nothing(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get(&client.flow("openid email").path()).await;
        assert!(page.has_id("consent-allow") && page.has_id("consent-deny"));
        assert!(page.text().contains("calendar.example.org"), "where it goes back to: {}", page.text());
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "deny"))).await;
        assert_eq!(page.query()["error"], "access_denied");
        let page = browser.get(&client.flow("openid email").path()).await;
        assert!(page.has_id("consent-form"));
    }

    async fn what_was_allowed_is_not_asked_again_and_more_is(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.signed_in("ada").await;
        client.sign_in(&mut browser, "ada", "openid email").await;
        let page = browser.get(&client.flow("openid email").path()).await;
        assert!(page.url.starts_with(&client.redirect_uri), "{}", page.text());
        let page = browser.get(&client.flow("openid email phone").path()).await;
        assert!(page.has_id("consent-form"));
        assert_eq!(page.html.matches("<li>").count(), 1, "only what is new: {}", page.text());
    }

    async fn az_8_consent_shown_to_one_account_is_not_given_for_another(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let grace = app.user("grace").await;
        let client = app.client("calendar").await;
        let mut browser = app.signed_in("ada").await;
        let flow = client.flow("openid");
        let shown_to_ada = browser.get(&flow.path()).await;
        assert!(shown_to_ada.text().contains("ada@example.com"));
        // In another tab of the same browser, the account is switched.
        let request = shown_to_ada.form("consent-form").field("request").unwrap().to_owned();
        let other_tab = browser.get(&format!("/login?request={request}&other=1")).await;
        let other_tab = browser.answer_login(&other_tab, "grace", crate::support::PASSWORD).await;
        assert!(other_tab.text().contains("grace@example.com"));

        let page = browser.submit(&shown_to_ada, "consent-form", &[], Some(("action", "allow"))).await;
        assert!(page.has_id("consent-form") && page.text().contains("grace@example.com"), "{}", page.text());
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        let tokens = client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
        assert_eq!(tokens.id_claims()["sub"], grace.to_string());
    }

    async fn ch_1_a_get_gives_no_consent(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get(&client.flow("openid").path()).await;
        let form = page.form("consent-form");
        let query: Vec<String> = form.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let page = browser.get(&format!("/consent?action=allow&{}", query.join("&"))).await;
        assert!(page.has_id("consent-form"));
        assert!(!app.audit().await.iter().any(|event| event.starts_with("consent.given")));
    }
}
