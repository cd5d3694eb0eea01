//! A sign-in that waits for its second factor reaches the page that asks for it, and nothing else (SE-3).

use std::time::Duration;

use countersign::audit::Origin;
use countersign::tenancy::users;
use reqwest::Method;

use super::{answer, enrolled};
use crate::on_both_databases;
use crate::support::TestApp;

on_both_databases! {
    async fn se_3_the_pending_secret_opens_no_page_as_any_cookie(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        enrolled(&app, "ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        assert!(page.url.ends_with("/login/factor"), "{}", page.url);
        let secret = browser.cookies["cs-pending"].clone();
        browser.cookies.insert("cs-sessions".to_owned(), secret);
        for path in ["/account", "/login/choose", "/consent", "/"] {
            let response = browser.once(Method::GET, path, None).await;
            let text = response.text().await.expect("text");
            assert!(!text.contains("ada@example.com"), "{path}: {text}");
        }
        let page = browser.get(&client.flow("openid").path()).await;
        assert!(page.has_id("login-form"), "{}", page.url);
        let silent = browser.get(&client.flow("openid").with("prompt", "none").path()).await;
        assert_eq!(silent.query().get("error").map(String::as_str), Some("login_required"));
    }

    async fn se_3_it_waits_ten_minutes_and_no_longer(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let ada = enrolled(&app, "ada").await;
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        app.advance(Duration::from_secs(10 * 60));
        let page = answer(&mut browser, &page, &ada.code(&app)).await;
        assert!(page.has_id("login-form"), "{}", page.url);
        assert!(!browser.cookies.contains_key("cs-pending"));
    }

    async fn pw_10_a_disabled_account_is_not_signed_in_by_its_second_factor(database) {
        let app = TestApp::start(database).await;
        let user = app.user("ada").await;
        let ada = enrolled(&app, "ada").await;
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        users::disable(&app.app, user, &Origin::command_line()).await.expect("disabled");
        let page = answer(&mut browser, &page, &ada.code(&app)).await;
        assert!(page.has_id("login-form"), "{}", page.url);
    }

    async fn se_2_another_account_of_the_browser_stays_signed_in(database) {
        let app = TestApp::start(database).await;
        for name in ["ada", "grace"] {
            app.user(name).await;
        }
        let ada = enrolled(&app, "ada").await;
        let mut browser = app.signed_in("grace").await;
        let before = browser.cookies["cs-sessions"].clone();
        let page = browser.get("/login").await;
        let page = browser.answer_login(&page, "ada", crate::support::PASSWORD).await;
        assert_eq!(browser.cookies["cs-sessions"], before);
        answer(&mut browser, &page, &ada.code(&app)).await;
        let after = browser.cookies["cs-sessions"].clone();
        assert!(after.ends_with(&format!(".{before}")), "{after}");
    }
}
