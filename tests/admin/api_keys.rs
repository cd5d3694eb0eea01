//! `/admin/api-keys`, and those of one organisation.

use std::time::Duration;

use super::{console, press};
use crate::on_both_databases;
use crate::support::Page;

/// The text of the key that a page shows once.
fn shown(page: &Page) -> String {
    assert!(page.has_id("new-key"), "{}", page.text());
    let (_, rest) = page.html.split_once("<pre class=\"text\"").expect("a text to copy");
    let (_, rest) = rest.split_once("<code>").expect("the key");
    rest.split_once("</code>").expect("its end").0.to_owned()
}

on_both_databases! {
    async fn ak_1_a_key_is_made_shown_once_replaced_and_revoked(database) {
        let (app, mut browser) = console(database).await;
        let acme = app.organisation("acme").await;
        let at = format!("/admin/organizations/{}/api-keys", acme.id);
        let page = browser.get(&at).await;
        assert!(page.text().contains("no keys yet"), "{}", page.text());
        let page = browser.get(&format!("{at}/new")).await;
        let page = browser.submit(&page, "new-key", &[("name", "Importer")], None).await;
        assert!(page.status == 422 && page.text().contains("Choose 1 to 50 scopes"), "{}", page.text());
        assert_eq!(page.form("new-key").field("name"), Some("Importer"));
        let page = browser.submit(&page, "new-key", &[("scopes.members:read", "yes"), ("more", "events:write")], None).await;
        let (first, cache) = (shown(&page), page.header("cache-control").to_owned());
        assert!(page.status == 200 && cache == "no-store" && first.starts_with("cs_k_"), "{first} {cache}");
        let list = browser.get(&at).await;
        assert!(!list.html.contains(&first), "shown once");
        for words in ["Importer", "members:read", "events:write", "never", "service account"] {
            assert!(list.text().contains(words), "{words}: {}", list.text());
        }

        // It works: what the organisation's own key was allowed is answered.
        let members = format!("{}/api/v1/organizations/{}/members", app.base, acme.id);
        let used = app.http.get(&members).header("x-api-key", &first).send().await.expect("an answer");
        assert_eq!(used.status(), 200);

        let rotate = list.links().into_iter().find(|link| link.ends_with("/rotate")).expect("a way");
        let page = browser.get(&rotate).await;
        let page = browser.submit(&page, "rotate", &[("overlap", "3600")], None).await;
        let second = shown(&page);
        for key in [&first, &second] {
            assert_eq!(app.http.get(&members).header("x-api-key", key).send().await.expect("an answer").status(), 200);
        }
        app.advance(Duration::from_secs(3_601));
        assert_eq!(app.http.get(&members).header("x-api-key", &first).send().await.expect("an answer").status(), 401);

        let mut browser = app.signed_in("root").await;
        let list = browser.get("/admin/api-keys?q=import").await;
        let revoke = list.links().into_iter().find(|link| link.ends_with("/revoke")).expect("a way");
        let page = browser.get(&revoke).await;
        let page = press(&mut browser, &page, "/revoke").await;
        assert!(page.has_id("done") && page.text().contains("revoked"), "{}", page.text());
        assert_eq!(app.http.get(&members).header("x-api-key", &second).send().await.expect("an answer").status(), 401);
    }

    async fn ak_2_a_members_key_allows_no_more_than_the_member_and_all_are_found(database) {
        let (app, mut browser) = console(database).await;
        let acme = app.organisation("acme").await;
        let at = format!("/admin/organizations/{}/api-keys", acme.id);
        let ada = app.user("ada").await;
        app.own_role(&acme, "keeper", 30, &["org:read", "org:write", "api_keys:write"]).await;
        app.member(&acme, ada, &["keeper"]).await;
        let mut hers = app.signed_in("ada").await;
        let page = hers.get(&format!("{at}/new")).await;
        let page = hers.submit(&page, "new-key", &[("name", "Mine"), ("scopes.members:write", "yes")], None).await;
        assert!(page.status == 422 && page.text().contains("not do all of that"), "{}", page.text());
        let mut form = page.form("new-key");
        form.fields.retain(|(name, _)| name != "scopes.members:write");
        form.set("scopes.org:read", "yes");
        let page = hers.post(&form.action, &form.fields).await;
        shown(&page);
        assert!(hers.get(&at).await.text().contains("a member's"));

        for name in ["Nightly", "Weekly"] {
            let page = browser.get(&format!("{at}/new")).await;
            let page = browser.submit(&page, "new-key", &[("name", name), ("scopes.org:read", "yes"), ("days", "")], None).await;
            shown(&page);
        }
        let page = browser.get("/admin/api-keys").await;
        assert!(["Mine", "Nightly", "Weekly", "acme & Söhne"].iter().all(|word| page.text().contains(word)), "{}", page.text());
        let page = browser.get("/admin/api-keys?q=NIGHT").await;
        assert!(page.text().contains("Nightly") && !page.text().contains("Weekly"), "{}", page.text());
        let page = browser.get("/admin/api-keys?q=yearly").await;
        assert!(page.text().contains("No key matches"), "{}", page.text());
    }
}
