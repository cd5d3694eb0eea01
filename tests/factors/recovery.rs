//! Recovery codes (MF-3).

use super::{answer, enrolled};
use crate::on_both_databases;
use crate::support::{Browser, Page, TestApp};

async fn recover(browser: &mut Browser, page: &Page, code: &str) -> Page {
    assert!(page.links().iter().any(|link| link.contains("use=recovery")), "{:?}", page.links());
    let page = browser.get("/login/factor?use=recovery").await;
    answer(browser, &page, code).await
}

on_both_databases! {
    async fn mf_3_each_code_signs_in_once_and_its_owner_is_told(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let ada = enrolled(&app, "ada").await;
        assert_eq!(ada.recovery_codes.len(), 10);
        let code = ada.recovery_codes[3].to_uppercase().replace('-', " ");
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        assert_eq!(recover(&mut browser, &page, &code).await.status, 200);
        assert!(browser.cookies.contains_key("cs-sessions"));
        let mails = app.read(|db| countersign::store::outbox::newest(db, 9)).await;
        let told = mails.iter().find(|mail| mail.subject.contains("recovery code")).expect("ada is told");
        assert!(told.body_text.contains("Codes left: 9"), "{}", told.body_text);
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        assert_eq!(recover(&mut browser, &page, &code).await.status, 401);
    }

    async fn mf_3_of_many_at_once_with_one_code_one_signs_in(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let ada = enrolled(&app, "ada").await;
        let mut waiting = Vec::new();
        for _ in 0..4 {
            let mut browser = app.browser();
            let page = browser.sign_in("ada").await;
            waiting.push((browser, page));
        }
        let tries = waiting.into_iter().map(|(mut browser, page)| {
            let code = ada.recovery_codes[0].clone();
            async move { recover(&mut browser, &page, &code).await.status }
        });
        let mut statuses = futures_util::future::join_all(tries).await;
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401, 401, 401]);
    }

    async fn mf_3_new_codes_void_the_old_ones_and_are_shown_once(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let ada = enrolled(&app, "ada").await;
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        answer(&mut browser, &page, &ada.code(&app)).await;
        let page = browser.get("/account/security").await;
        let shown = browser.submit(&page, "recovery-form", &[], None).await;
        assert!(shown.has_id("recovery-codes"));
        let new = shown.text().split_whitespace().find(|word| word.len() == 19 && word.contains('-')).unwrap().to_owned();
        assert!(!browser.get("/account/security").await.text().contains(&new));
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        assert_eq!(recover(&mut browser, &page, &ada.recovery_codes[0]).await.status, 401);
        assert_eq!(recover(&mut browser, &page, &new).await.status, 200);
    }
}
