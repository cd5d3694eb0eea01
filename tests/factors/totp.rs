//! Codes of an authenticator application, as a second factor (MF-1).

use std::time::Duration;

use serde_json::json;

use super::{answer, enrolled};
use crate::on_both_databases;
use crate::support::TestApp;

on_both_databases! {
    async fn mf_1_a_password_and_a_code_sign_in_and_the_tokens_say_so(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let ada = enrolled(&app, "ada").await;
        let client = app.client("calendar").await;
        let flow = client.flow("openid");
        let mut browser = app.browser();
        let page = client.visit(&mut browser, &flow, "ada").await;
        assert!(page.url.contains("/login/factor?request=arq_") && page.has_id("factor-form"), "{}", page.url);
        assert!(!browser.cookies.contains_key("cs-sessions") && !browser.cookies.contains_key("cs-devices"));
        answer(&mut browser, &page, &ada.code(&app)).await;
        assert!(!browser.cookies.contains_key("cs-pending"));
        let tokens = client.sign_in(&mut browser, "ada", "openid").await;
        let claims = tokens.id_claims();
        assert_eq!(claims["acr"], "urn:countersign:acr:2fa");
        assert_eq!(claims["amr"], json!(["otp", "pwd", "mfa"]));
    }

    async fn mf_1_a_code_spent_once_is_spent_in_every_browser(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let ada = enrolled(&app, "ada").await;
        let code = ada.code(&app);
        let [mut one, mut two] = [app.browser(), app.browser()];
        let (first, second) = (one.sign_in("ada").await, two.sign_in("ada").await);
        assert!(answer(&mut one, &first, &code).await.status == 200);
        let page = answer(&mut two, &second, &code).await;
        assert_eq!(page.status, 401);
        assert!(page.has_id("factor-error"));
        // Nor is the code of the step before any good now.
        let before = ada.code_at(app.clock.now().seconds() - 30);
        assert_eq!(answer(&mut two, &page, &before).await.status, 401);
        app.advance(Duration::from_secs(30));
        assert_eq!(answer(&mut two, &page, &ada.code(&app)).await.status, 200);
    }

    async fn mf_1_of_many_at_once_with_one_code_one_signs_in(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let ada = enrolled(&app, "ada").await;
        let code = ada.code(&app);
        let mut waiting = Vec::new();
        for _ in 0..4 {
            let mut browser = app.browser();
            let page = browser.sign_in("ada").await;
            waiting.push((browser, page));
        }
        let tries = waiting.into_iter().map(|(mut browser, page)| {
            let code = code.clone();
            async move { answer(&mut browser, &page, &code).await.status }
        });
        let mut statuses = futures_util::future::join_all(tries).await;
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401, 401, 401]);
    }

    async fn mf_1_after_five_wrong_codes_even_the_right_one_waits_in_every_browser(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let ada = enrolled(&app, "ada").await;
        let [mut one, mut two] = [app.browser(), app.browser()];
        let (mut page, other) = (one.sign_in("ada").await, two.sign_in("ada").await);
        for _ in 0..5 {
            page = answer(&mut one, &page, "000000").await;
            assert_eq!(page.status, 401);
        }
        let page = answer(&mut two, &other, &ada.code(&app)).await;
        assert_eq!(page.status, 429);
        assert!(page.header("retry-after").parse::<u64>().unwrap() > 600, "{}", page.header("retry-after"));
        app.advance(Duration::from_secs(15 * 60));
        let page = two.sign_in("ada").await;
        assert_eq!(answer(&mut two, &page, &ada.code(&app)).await.status, 200);
    }

    async fn mf_1_fifty_at_once_are_no_more_than_five(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        enrolled(&app, "ada").await;
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        let tries = (0..50).map(|_| {
            let (mut browser, page) = (browser.clone(), page.clone());
            async move { answer(&mut browser, &page, "000000").await.status }
        });
        let statuses = futures_util::future::join_all(tries).await;
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 5, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 45, "{statuses:?}");
    }

    async fn mf_1_the_secret_is_sealed_at_rest(database) {
        let app = TestApp::start(database).await;
        let user = app.user("ada").await;
        let ada = enrolled(&app, "ada").await;
        let row = app.read(move |db| countersign::store::factors::totp(db, user)).await.expect("a row");
        assert!(!row.sealed.windows(ada.secret.len()).any(|window| window == ada.secret));
    }
}
