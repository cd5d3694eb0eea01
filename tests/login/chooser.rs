//! Several accounts in one browser.

use crate::on_both_databases;
use crate::support::{PASSWORD, TestApp};

on_both_databases! {
    async fn one_of_several_accounts_is_chosen_and_the_application_gets_that_one(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let grace = app.user("grace").await;
        let client = app.client("calendar").await;
        let mut browser = app.signed_in("ada").await;
        browser.sign_in("grace").await;
        browser.sign_in("ada").await;
        assert_eq!(browser.cookies["cs-sessions"].split('.').count(), 2);

        let flow = client.flow("openid");
        let page = browser.get(&flow.path()).await;
        assert!(page.has_id("choose-form"), "{}", page.text());
        let shown = page.text();
        assert!(shown.contains("ada@example.com") && shown.contains("grace@example.com"), "{shown}");
        let session = session_of(&app, grace).await;
        let page = browser.submit(&page, "choose-form", &[], Some(("session", &session))).await;
        assert!(page.has_id("consent-form") && page.text().contains("grace@example.com"), "{}", page.text());
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        let tokens = client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
        assert_eq!(tokens.id_claims()["sub"], grace.to_string());
    }

    async fn another_account_is_added_beside_the_first(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        app.user("grace").await;
        let client = app.client("calendar").await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get(&client.flow("openid").with("prompt", "select_account").path()).await;
        let page = browser.submit(&page, "choose-form", &[], Some(("action", "other"))).await;
        assert!(page.has_id("login-form") && page.links().iter().any(|link| link.contains("/login/choose")));
        let page = browser.answer_login(&page, "grace", "wrong").await;
        assert_eq!(page.status, 401);
        let page = browser.answer_login(&page, "grace", PASSWORD).await;
        assert!(page.has_id("consent-form") && page.text().contains("grace@example.com"), "{}", page.text());
        assert_eq!(browser.cookies["cs-sessions"].split('.').count(), 2);
    }

    async fn ar_6_a_session_of_another_browser_cannot_be_chosen(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let grace = app.user("grace").await;
        let client = app.client("calendar").await;
        let mut browser = app.signed_in("ada").await;
        app.signed_in("grace").await;
        let page = browser.get(&client.flow("openid").with("prompt", "select_account").path()).await;
        let session = session_of(&app, grace).await;
        let page = browser.submit(&page, "choose-form", &[], Some(("session", &session))).await;
        assert!(page.has_id("choose-form") && !page.text().contains("grace"), "{}", page.text());
    }
}

async fn session_of(app: &TestApp, user: countersign::model::UserId) -> String {
    let now = app.clock.now();
    app.read(move |db| Ok(countersign::store::sessions::list_for_user(db, user, now)?[0].id.to_string()))
        .await
}
