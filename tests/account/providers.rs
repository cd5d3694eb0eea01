//! `/account/providers`.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::{press, send};
use crate::federation::World;
use crate::login::mail_about;
use crate::on_both_databases;
use crate::support::{Browser, TestApp};

/// To the provider by the button of the page; gives the address there.
async fn leave(browser: &mut Browser) -> String {
    let page = browser.get("/account/providers").await;
    let form =
        page.forms().into_iter().find(|form| form.action == "/account/providers/link").expect("the button");
    let response = browser.once(Method::POST, "/account/providers/link", Some(&form.fields)).await;
    assert_eq!(response.status(), 303);
    response.headers().get("location").expect("an address").to_str().expect("text").to_owned()
}

on_both_databases! {
    async fn fe_9_an_identity_is_linked_shown_and_unlinked(database) {
        let world = World::of(database, "google").await;
        let app = &world.app;
        let ada = app.user("ada").await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get("/account/providers").await;
        assert!(page.has_id("no-identities") && !page.header("content-security-policy").contains("form-action"));
        world.mock.claim(json!({ "email": "private@gmail.com" }));
        let address = leave(&mut browser).await;
        let page = world.come_back(&mut browser, &world.mock.consent(&address)).await;
        assert!(page.url.ends_with("/account/providers") && page.has_id("identities"), "{}: {}", page.url, page.text());
        for words in ["Google", "private@gmail.com", "Linked just now"] {
            assert!(page.text().contains(words), "{words}: {}", page.text());
        }
        assert_eq!(world.owner("42").await, Some(ada));
        assert_eq!(mail_about(app, "A new way to sign in").await.recipient, "ada@example.com", "LO-4");

        // Nobody else unlinks it, and nothing that is no identity is found.
        app.user("eve").await;
        let form = page.forms().into_iter().find(|form| form.action.ends_with("/unlink")).expect("the button");
        let theirs = form.field("identity").expect("an id").to_owned();
        let mut eve = app.signed_in("eve").await;
        for identity in [theirs.as_str(), "fid_1", "", "' OR 1=1 --"] {
            let page = send(&mut eve, "/account/providers/unlink", &[("identity", identity)]).await;
            assert_eq!(page.status, 404, "{identity}");
        }
        assert_eq!(world.owner("42").await, Some(ada));

        // Whoever came in by it elsewhere is out with it; the browser at work and other ways in stay.
        let (mut by_google, mut by_password) = (app.browser(), app.signed_in("ada").await);
        world.sign_in(&mut by_google).await;
        assert!(by_google.get("/account").await.url.ends_with("/account"));
        let page = press(&mut browser, &page, "/account/providers/unlink", "identity", &theirs).await;
        assert!(page.has_id("no-identities"), "{}", page.text());
        assert_eq!(world.owner("42").await, None);
        assert!(by_google.get("/account").await.url.contains("/login"), "signed out");
        for browser in [&mut browser, &mut by_password] {
            assert!(browser.get("/account").await.url.ends_with("/account"), "still signed in");
        }
        mail_about(app, "A way to sign in").await;
    }

    async fn fe_9_what_was_not_linked_is_said_where_it_was_wanted(database) {
        let world = World::of(database, "google").await;
        let app = &world.app;
        app.user("ada").await;
        let eve = app.user("eve").await;
        world.mock.claim(json!({ "email": "private@gmail.com" }));
        let mut first = app.signed_in("eve").await;
        let address = leave(&mut first).await;
        world.come_back(&mut first, &world.mock.consent(&address)).await;
        assert_eq!(world.owner("42").await, Some(eve));

        let mut browser = app.signed_in("ada").await;
        let address = leave(&mut browser).await;
        let page = world.come_back(&mut browser, &world.mock.consent(&address)).await;
        assert_eq!(page.status, 409);
        assert!(page.has_id("provider-error") && page.text().contains("belongs to another account"), "{}", page.text());
        assert_eq!(world.owner("42").await, Some(eve));

        let address = leave(&mut browser).await;
        let mut denied = world.mock.consent(&address);
        denied.retain(|(name, _)| name != "code");
        denied.push(("error".to_owned(), "access_denied".to_owned()));
        let page = world.come_back(&mut browser, &denied).await;
        assert!(page.status == 403 && page.has_id("provider-error"), "{}", page.text());
        assert_eq!(send(&mut browser, "/account/providers/link", &[("provider", "nowhere")]).await.status, 404);
    }

    async fn fe_9_the_last_way_in_stays(database) {
        let world = World::of(database, "google").await;
        let mut browser = world.app.browser();
        world.mock.claim(json!({ "name": "<script>alert(1)</script>" }));
        world.sign_in(&mut browser).await;
        let page = browser.get("/account/providers").await;
        assert!(!page.html.contains("<script>alert"), "CH-5");
        let form = page.forms().into_iter().find(|form| form.action.ends_with("/unlink")).expect("the button");
        let page = browser.post(&form.action, &form.fields).await;
        assert!(page.status == 409 && page.has_id("provider-error") && page.has_id("identities"), "{}", page.text());
        assert!(world.owner("42").await.is_some());
        world.app.advance(Duration::from_secs(301));
        let page = browser.post(&form.action, &form.fields).await;
        assert!(page.url.ends_with("/login?next=/account/providers"), "SE-7: {}", page.url);
    }

    async fn an_instance_without_providers_says_so(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let page = app.signed_in("ada").await.get("/account/providers").await;
        assert!(page.has_id("no-identities") && !page.has_id("offered"), "{}", page.text());
    }
}
