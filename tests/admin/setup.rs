//! The first quarter of an hour of an instance.

use crate::on_both_databases;
use crate::support::{PASSWORD, TestApp};

on_both_databases! {
    async fn ad_1_the_link_leads_through_the_first_steps(database) {
        let app = TestApp::start(database).await;
        let link = countersign::tenancy::links::first_administrator(&app.app).await.unwrap().expect("a link");
        let mut browser = app.browser();
        let page = browser.get(&format!("/setup/{}", link.expose())).await;
        let fields = [("name", "Root"), ("email", "root@example.com"), ("password", PASSWORD)];
        let page = browser.submit(&page, "setup-form", &fields, None).await;
        assert!(page.url.ends_with("/admin/setup") && page.text().contains("0 of 5 steps"), "{}", page.text());
        assert!(page.links().iter().any(|link| link.contains("/login/enrol?session=")));
        let page = browser.submit(&page, "first-organisation", &[("name", "Acme"), ("slug", "A c m e")], None).await;
        assert!(page.status == 422 && page.form("first-organisation").field("name") == Some("Acme"), "{}", page.text());
        let page = browser.submit(&page, "first-organisation", &[("slug", "acme")], None).await;
        assert!(page.text().contains("1 of 5 steps"), "{}", page.text());
        let root = app.read(|db| countersign::store::users::find_by_login(db, "root@example.com")).await.unwrap().id;
        let own = app.read(move |db| countersign::tenancy::membership::of_user(db, root)).await;
        assert_eq!(own[0].roles[0].key, "admin");

        let test = browser.get("/admin/mail/test").await;
        browser.submit(&test, "test-mail", &[("to", "root@example.com")], None).await;
        let mut sent = false;
        for _ in 0..50 {
            sent = app.read(|db| countersign::store::outbox::newest(db, 1)).await[0].sent_at.is_some();
            if sent { break; }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert!(sent, "the development mailbox has it");
        assert!(browser.get("/admin/setup").await.text().contains("2 of 5 steps"));
        let calendar = app.client("calendar").await;
        let page = browser.get("/admin/setup").await;
        assert!(page.text().contains("3 of 5 steps") && page.text().contains("Nobody has signed in"), "{}", page.text());
        let mut theirs = app.browser();
        app.user("ada").await;
        calendar.sign_in(&mut theirs, "ada", "openid").await;
        let page = browser.get("/admin/setup").await;
        assert!(page.text().contains("4 of 5 steps"), "{}", page.text());
    }
}
