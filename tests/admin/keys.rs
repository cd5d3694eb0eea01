//! `/admin/keys`.

use std::time::Duration;

use countersign::model::InstanceRole;
use countersign::store::signing_keys;

use super::{console, post, press, user_with_role};
use crate::on_both_databases;
use crate::support::{Page, TestApp, http_client, part};

/// What the published keys are called.
async fn published(app: &TestApp, program: &str) -> Vec<String> {
    let url = app.url("/.well-known/jwks.json");
    let answer = http_client().get(url).header("user-agent", program).send().await.unwrap();
    let document: serde_json::Value = answer.json().await.unwrap();
    let keys = document["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// The text of the rows of one table of the page.
fn rows(page: &Page, id: &str) -> Vec<String> {
    let card = page.html.split(&format!("id=\"{id}\"")).nth(1).expect("the card");
    let body = card.split("<tbody>").nth(1).expect("a table").split("</tbody>").next().unwrap();
    body.split("<tr>").skip(1).map(crate::support::text).collect()
}

on_both_databases! {
    async fn tk_10_the_keys_are_shown_and_the_next_one_is_made(database) {
        let (app, mut browser) = console(database).await;
        let page = browser.get("/admin/keys").await;
        let before = rows(&page, "all-keys");
        assert_eq!(before.len(), 3, "{before:?}");
        assert!(before.iter().all(|row| row.contains(" signs ")), "{before:?}");
        assert!(page.has_id("keys-title"), "the time line");
        assert!(page.text().contains("Nobody has fetched the published keys"), "{}", page.text());

        let bad = post(&mut browser, "/admin/keys/rotate", &[("alg", "HS256")]).await;
        assert!(bad.status == 422 && bad.has_id("alg-error") && bad.has_id("all-keys"), "{}", bad.text());
        let page = browser.submit(&page, "rotate", &[("alg", "ES256")], None).await;
        assert!(page.has_id("done"), "{}", page.text());
        let after = rows(&page, "all-keys");
        let es: Vec<&String> = after.iter().filter(|row| row.contains("ES256")).collect();
        assert!(after.len() == 4 && es[0].contains(" waits ") && es[1].contains(" signs "), "{after:?}");
        assert_eq!(published(&app, "curl/8.5.0").await.len(), 4, "published before it signs");
        app.advance(app.app.config.keys.publish_ahead + Duration::from_secs(1));
        let mut browser = app.signed_in("root").await;
        let after = rows(&browser.get("/admin/keys").await, "all-keys");
        let es: Vec<&String> = after.iter().filter(|row| row.contains("ES256")).collect();
        assert!(es[0].contains(" signs ") && es[1].contains(" retired "), "{after:?}");

        let events = app.read(|db| countersign::store::audit::newest(db, 50)).await;
        let rotated = events.iter().find(|event| event.action == "key.rotated").expect("an event");
        assert!(rotated.actor_id.is_some(), "LO-1: who did it");
    }

    async fn tk_11_a_key_is_revoked_and_what_it_signed_is_refused(database) {
        let (app, mut browser) = console(database).await;
        app.user("ada").await;
        let calendar = app.client("calendar").await;
        let tokens = calendar.sign_in(&mut app.browser(), "ada", "openid").await;
        assert_eq!(calendar.userinfo(&tokens.access_token).await.status, 200);
        let kid = part(&tokens.access_token, 0)["kid"].as_str().unwrap().to_owned();

        // As long ago as a proof lasts: the question asks for a new one and comes back by itself.
        browser.get("/admin/keys").await;
        app.advance(Duration::from_secs(6 * 60));
        let hex: String = kid.bytes().map(|byte| format!("{byte:02x}")).collect();
        let path = format!("/admin/keys/{hex}/revoke");
        assert!(browser.get("/admin/keys").await.links().contains(&path));
        let page = browser.get(&path).await;
        assert!(page.has_id("login-form"), "{}", page.text());
        let page = browser.answer_login(&page, "root", crate::support::PASSWORD).await;
        assert!(page.url.ends_with(&path) && page.has_id("question"), "{}", page.url);
        assert!(page.text().contains(&kid) && page.text().contains("This key signs now"), "{}", page.text());
        assert!(published(&app, "").await.contains(&kid), "nothing happened yet");

        let page = press(&mut browser, &page, "/revoke").await;
        assert!(page.has_id("done"), "{}", page.text());
        let row = rows(&page, "all-keys").into_iter().find(|row| row.contains(&kid)).expect("still listed");
        assert!(row.contains(" revoked ") && !page.links().contains(&path), "{row}");
        assert!(!published(&app, "").await.contains(&kid));
        assert_eq!(calendar.userinfo(&tokens.access_token).await.status, 401);
        let again = calendar.sign_in(&mut app.browser(), "ada", "openid").await;
        assert_eq!(calendar.userinfo(&again.access_token).await.status, 200);
        assert_eq!(browser.get(&path).await.status, 404, "once");
        assert_eq!(post(&mut browser, &path, &[]).await.status, 404);
        assert_eq!(browser.get("/admin/keys/00/revoke").await.status, 404);
        let known = app.read(signing_keys::all).await.len();
        assert_eq!(known, 4, "a key that signs followed at once");
    }

    async fn it_is_seen_who_fetches_the_keys(database) {
        let (app, mut browser) = console(database).await;
        for program in ["curl/8.5.0", "okhttp/4.12", "curl/8.6.0", "<b>"] {
            published(&app, program).await;
        }
        let seen = rows(&browser.get("/admin/keys").await, "readers");
        assert!(seen[0].starts_with("curl 2 "), "{seen:?}");
        assert!(seen.iter().any(|row| row.starts_with("okhttp 1 ")), "{seen:?}");
        assert!(seen.iter().any(|row| row.starts_with("others, without a name 1 ")), "{seen:?}");
        app.advance(Duration::from_secs(40 * 86_400));
        let page = app.signed_in("root").await.get("/admin/keys").await;
        assert!(page.text().contains("Nobody has fetched the published keys"), "{}", page.text());
    }

    async fn support_sees_keys_and_changes_none(database) {
        let (app, _) = console(database).await;
        user_with_role(&app, "helen", InstanceRole::Support).await;
        let page = app.signed_in("helen").await.get("/admin/keys").await;
        assert_eq!(rows(&page, "all-keys").len(), 3);
        assert!(page.has_id("looks-only") && !page.html.contains("id=\"rotate\""), "{}", page.text());
        assert!(!page.links().iter().any(|link| link.ends_with("/revoke")));
    }
}
