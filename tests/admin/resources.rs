//! `/admin/resources`.

use super::{console, copied, listed, press};
use crate::on_both_databases;

on_both_databases! {
    async fn an_api_is_made_changed_found_and_removed(database) {
        let (app, mut browser) = console(database).await;
        let page = browser.get("/admin/resources").await;
        assert!(page.text().contains("no API yet"), "{}", page.text());
        let page = browser.get("/admin/resources/new").await;
        let typed = [
            ("name", "Calendar API"), ("identifier", "not a uri"),
            ("scopes", "calendar:read = See your calendar\ncalendar:write"), ("access_ttl", "1h"),
        ];
        let page = browser.submit(&page, "new-resource", &typed, None).await;
        assert!(page.status == 422 && page.has_id("identifier-error"), "{}", page.text());
        let form = page.form("new-resource");
        assert_eq!(form.field("scopes"), Some("calendar:read = See your calendar\ncalendar:write"));
        for (field, bad) in [("access_ttl", "60"), ("access_ttl", "48h"), ("scopes", "openid = x"), ("scopes", "a b")] {
            let sent = [("identifier", "https://api.example.com"), (field, bad)];
            let page = browser.submit(&page, "new-resource", &sent, None).await;
            assert!(page.status == 422 && page.has_id(&format!("{field}-error")), "{bad}: {}", page.text());
        }
        let page = browser.submit(&page, "new-resource", &[("identifier", "https://api.example.com")], None).await;
        assert!(page.has_id("done") && page.text().contains("See your calendar"), "{}", page.text());
        assert!(page.text().contains("1 hour") && page.text().contains("No application may ask"), "{}", page.text());
        let python = copied(&page, "Python");
        assert!(python.contains("https://api.example.com") && python.contains(&app.issuer), "{python}");
        let shown = page.url.clone();

        let page = browser.get("/admin/new-client?kind=machine").await;
        let page = browser.submit(&page, "new-client", &[("name", "Reports"), ("scopes.calendar:read", "yes")], None).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let page = browser.get("/admin/new-client?kind=api").await;
        let page = browser.submit(&page, "new-client", &[("name", "Server")], None).await;
        assert!(page.status == 422 && page.has_id("audiences-error"), "{}", page.text());
        let page = browser.submit(&page, "new-client", &[("audiences.https://api.example.com", "yes")], None).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let page = browser.get(&shown).await;
        let applications = page.html.split("id=\"applications\"").nth(1).expect("the card");
        assert!(applications.contains(">Reports<") && applications.contains(">Server<"), "{}", page.text());

        for (sought, found) in [("", 1), ("q=CALENDAR+write", 1), ("q=api.example", 1), ("q=mail", 0)] {
            assert_eq!(listed(&browser.get(&format!("/admin/resources?{sought}")).await).len(), found, "{sought}");
        }
        let at = shown.split('?').next().expect("a path").to_owned();
        let page = browser.get(&format!("{at}/edit")).await;
        let page = browser.submit(&page, "edit-resource", &[("access_ttl", "x")], None).await;
        assert!(page.status == 422 && page.has_id("access_ttl-error"), "{}", page.text());
        let sent = [("access_ttl", ""), ("name", "Kalender"), ("scopes", "calendar:read = Lesen")];
        let page = browser.submit(&page, "edit-resource", &sent, None).await;
        assert!(page.has_id("done") && page.text().contains("Kalender") && page.text().contains("Lesen"), "{}", page.text());
        assert!(!page.text().contains("calendar:write"), "{}", page.text());

        let page = browser.get(&format!("{at}/disable")).await;
        let page = press(&mut browser, &page, "/disable").await;
        assert!(page.text().contains("disabled"), "{}", page.text());
        let page = press(&mut browser, &page, "/enable").await;
        assert!(page.has_id("done"), "{}", page.text());
        let page = browser.get(&format!("{at}/remove")).await;
        press(&mut browser, &page, "/remove").await;
        assert_eq!(browser.get(&at).await.status, 404);
        let events = app.read(|db| countersign::store::audit::newest(db, 30)).await;
        for action in ["resource.created", "resource.changed", "resource.removed"] {
            assert!(events.iter().any(|event| event.action == action && event.actor_id.is_some()), "LO-1: {action}");
        }
    }
}
