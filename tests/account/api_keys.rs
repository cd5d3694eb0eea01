//! `/account/api-keys`.

use countersign::audit::Origin;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::{resources, roles, users};
use serde_json::json;

use super::{press, send};
use crate::on_both_databases;
use crate::support::{Browser, Database, Page, TestApp, TestClient, TestOrganisation};

const PATH: &str = "/account/api-keys";

/// Ada, and Bob beside her, look after `acme`; only its auditors may read its audit. An API's server can ask about keys.
async fn ready(database: Database) -> (TestApp, TestOrganisation, TestClient, Browser) {
    let app = TestApp::start(database).await;
    let acme = app.organisation("acme").await;
    for name in ["ada", "bob"] {
        let user = app.user(name).await;
        app.member(&acme, user, &["admin"]).await;
    }
    let auditor = roles::Description {
        name: "Auditor".to_owned(),
        rank: 5,
        permissions: ["audit:read".to_owned()].into(),
        require_mfa: false,
    };
    let origin = Origin::command_line();
    roles::define(&app.app, Actor::Operator, acme.id, "auditor", auditor, &origin).await.expect("a role");
    let api = resources::NewResource {
        identifier: "https://events.example.com/".to_owned(),
        name: "Events".to_owned(),
        scopes: [("events:write".to_owned(), "Write events".to_owned())].into(),
        access_ttl: None,
    };
    resources::create(&app.app, api, &origin).await.expect("an API");
    let server = TestClient::register(&app, "events", |registration| {
        registration.audiences = vec!["https://events.example.com/".to_owned()];
        registration.set("grant_types", json!(["client_credentials"]));
        registration.set("redirect_uris", json!([]));
    })
    .await;
    let browser = app.signed_in("ada").await;
    (app, acme, server, browser)
}

/// The text of the key that the page shows.
fn shown(page: &Page) -> String {
    assert!(page.has_id("new-key"), "{}", page.text());
    let (_, rest) = page.html.split_once("<code class=\"key\">").expect("the key");
    rest.split_once("</code>").expect("its end").0.to_owned()
}

async fn make(browser: &mut Browser, name: &str, scopes: &str, days: &str) -> Page {
    let page = browser.get(PATH).await;
    browser.submit(&page, "api-key-form", &[("name", name), ("scopes", scopes), ("days", days)], None).await
}

/// What the API is told that the key may do there.
async fn scope(server: &TestClient, key: &str) -> String {
    let told = server.introspect(key).await;
    let scope = told["scope"].as_str().unwrap_or_else(|| panic!("{told}"));
    scope.split(' ').filter(|word| word.starts_with("events:")).collect()
}

on_both_databases! {
    async fn ak_1_a_key_is_made_shown_once_replaced_and_revoked(database) {
        let (app, _, server, mut browser) = ready(database).await;
        let page = browser.get(PATH).await;
        assert!(page.has_id("no-keys") && page.text().contains("members:read"), "{}", page.text());
        let page = make(&mut browser, "importer", "events:write  members:read", "30").await;
        let first = shown(&page);
        assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
        assert_eq!(scope(&server, &first).await, "events:write");
        let page = browser.get(PATH).await;
        assert!(!page.html.contains(&first) && !page.has_id("new-key"), "shown once");
        for words in ["importer", "acme & Söhne", "events:write", "Never used", "Works until"] {
            assert!(page.text().contains(words), "{words}: {}", page.text());
        }
        assert!(app.audit().await.contains(&"api_key.created success".to_owned()));
        crate::login::mail_about(&app, "API key").await;

        // Replaced: both work for a day.
        let key = page.forms().into_iter().find(|form| form.action.ends_with("/rotate")).expect("a button");
        let id = key.field("key").expect("its id").to_owned();
        let page = press(&mut browser, &page, "/account/api-keys/rotate", "key", &id).await;
        let second = shown(&page);
        assert!(first != second && page.text().contains("works until"), "{}", page.text());
        for key in [&first, &second] {
            assert_eq!(scope(&server, key).await, "events:write");
        }
        let again = send(&mut browser, "/account/api-keys/rotate", &[("key", &id)]).await;
        assert!(again.status == 409 && again.has_id("key-error"), "{}", again.text());
        app.advance(std::time::Duration::from_secs(24 * 60 * 60));
        assert_eq!(server.introspect(&first).await, json!({ "active": false }));
        assert_eq!(scope(&server, &second).await, "events:write");

        // Revoked, without a new proof: it only takes away.
        let mut browser = app.signed_in("ada").await;
        app.advance(std::time::Duration::from_secs(301));
        let page = browser.get(PATH).await;
        assert!(!page.html.contains("api-key-form"), "SE-7: {}", page.text());
        let form = page.forms().into_iter().find(|form| form.action.ends_with("/revoke")).expect("a button");
        let page = browser.post("/account/api-keys/revoke", &form.fields).await;
        assert!(page.url.ends_with(PATH) && page.text().contains("Over"), "{}", page.text());
        assert_eq!(server.introspect(&second).await, json!({ "active": false }));
    }

    async fn ak_2_nobody_gives_what_they_lack_and_nothing_typed_is_lost(database) {
        let (app, _, _, mut browser) = ready(database).await;
        for (name, scopes, says) in [
            ("", "events:write", "Give the key a name"),
            ("importer", "", "Say what the key may do"),
            ("importer", "a\"b", "cannot be used"),
            ("importer", "events:write audit:read", "You may not do"),
        ] {
            let page = make(&mut browser, name, scopes, "90").await;
            let refused = page.status == 422 && page.has_id("key-error") && page.text().contains(says);
            assert!(refused, "{name} {scopes}: {} {}", page.status, page.text());
            let form = page.form("api-key-form");
            assert_eq!((form.field("name"), form.field("scopes")), (Some(name), Some(scopes)));
        }
        assert!(browser.get(PATH).await.has_id("no-keys"));

        // A member without the permission is offered nothing, and gets nothing by asking.
        let globex = app.organisation("globex").await;
        let eve = app.user("eve").await;
        app.member(&globex, eve, &["member"]).await;
        let mut eve = app.signed_in("eve").await;
        let page = eve.get(PATH).await;
        assert!(page.has_id("no-keys") && !page.html.contains("api-key-form"), "{}", page.text());
        let acme = app.organisation("other").await;
        for organisation in [globex.id.to_string(), acme.id.to_string(), "nonsense".to_owned()] {
            let fields = [("name", "mine"), ("organisation", organisation.as_str()), ("scopes", "events:write")];
            let page = send(&mut eve, PATH, &fields).await;
            assert!(page.status == 422 && page.text().contains("You can make no key"), "{}", page.text());
        }
    }

    async fn ak_1_the_keys_of_others_cannot_be_touched(database) {
        let (app, acme, server, mut browser) = ready(database).await;
        let page = make(&mut browser, "<script>alert(1)</script>", "events:write", "").await;
        assert!(!page.html.contains("<script>alert"), "CH-5");
        let text = shown(&page);
        let form = page.forms().into_iter().find(|form| form.action.ends_with("/revoke")).expect("a button");
        let id = form.field("key").expect("its id").to_owned();
        app.user("eve").await;
        let mut eve = app.signed_in("eve").await;
        assert!(!eve.get(PATH).await.html.contains(&id));
        for act in ["/account/api-keys/revoke", "/account/api-keys/rotate"] {
            for key in [id.as_str(), "", "key_1", "' OR 1=1 --"] {
                assert_eq!(send(&mut eve, act, &[("key", key)]).await.status, 404, "{act} {key}");
            }
        }
        assert_eq!(scope(&server, &text).await, "events:write");

        // It is the maker's to end, also without the permission to make another.
        let ada = app.read(|db| users::find(db, "ada@example.com")).await.expect("ada").id;
        app.set_roles(&acme, ada, &["member"]).await;
        let page = browser.get(PATH).await;
        assert!(!page.html.contains("api-key-form"), "{}", page.text());
        press(&mut browser, &page, "/account/api-keys/revoke", "key", &id).await;
        assert_eq!(server.introspect(&text).await, json!({ "active": false }));
    }
}
