//! `/account/data`: the copy of everything.

use std::time::Duration;

use serde_json::Value;

use super::send;
use crate::factors;
use crate::on_both_databases;
use crate::store::texts;
use crate::support::{Browser, Database, PASSWORD, Page, TestApp};

/// Downloads the copy.
async fn copy(browser: &mut Browser) -> (Page, Value) {
    let page = browser.get("/account/data").await;
    let file = browser.submit(&page, "export-form", &[], None).await;
    let copy = serde_json::from_str(&file.html).unwrap_or_else(|error| panic!("{error}: {}", file.html));
    (file, copy)
}

/// The tables that say which user a row belongs to, with the column.
pub(super) async fn tables_about_users(app: &TestApp, database: Database) -> Vec<(String, String)> {
    let sql = match database {
        Database::Sqlite => {
            "SELECT m.name || ' ' || c.name AS text FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND (c.name = 'user_id' OR c.name IN ('link_to', 'accepted_by', 'invited_by', 'created_by') OR (m.name = 'users' AND c.name = 'id')) ORDER BY 1"
        }
        Database::Postgres => {
            "SELECT table_name || ' ' || column_name AS text FROM information_schema.columns WHERE table_schema = 'public' \
             AND (column_name IN ('user_id', 'link_to', 'accepted_by', 'invited_by', 'created_by') OR (table_name = 'users' AND column_name = 'id')) ORDER BY 1"
        }
    };
    let found = app.read(move |db| texts(db, sql)).await;
    assert!(found.len() > 15, "{found:?}");
    let split =
        |text: String| text.split_once(' ').map(|(table, column)| (table.to_owned(), column.to_owned()));
    found.into_iter().filter_map(split).collect()
}

on_both_databases! {
    async fn the_copy_holds_everything_and_no_secret(database) {
        let app = TestApp::start(database).await;
        let ada = app.user_with("ada", |user| {
            user.username = Some("countess".to_owned());
            user.claims.insert("nickname".to_owned(), "The Enchantress".to_owned());
        }).await;
        app.user("eve").await;
        app.signed_in("eve").await;
        let organisation = app.organisation("engines").await;
        app.member(&organisation, ada, &["admin"]).await;
        let authenticator = factors::enrolled(&app, "ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        browser.headers.push(("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0".to_owned()));
        let page = browser.sign_in("ada").await;
        factors::answer(&mut browser, &page, &authenticator.code(&app)).await;
        let tokens = client.sign_in(&mut browser, "ada", "openid offline_access").await;
        app.advance(Duration::from_secs(1));
        let (file, copy) = copy(&mut browser).await;
        assert_eq!(file.status, 200);
        assert_eq!(file.header("content-disposition"), format!("attachment; filename=\"{ada}.json\""));
        assert_eq!((file.header("content-type"), file.header("cache-control")), ("application/json", "no-store"));

        for (pointer, value) in [
            ("/users/id", ada.to_string().as_str()),
            ("/users/username", "countess"),
            ("/emails/0/address", "ada@example.com"),
            ("/user_claims/nickname", "The Enchantress"),
            ("/consents/0/client/name", "calendar"),
            ("/grants/0/client/client_id", &client.client_id),
            ("/sessions/0/user_agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"),
            ("/outbox/0/recipient", "ada@example.com"),
            ("/audit_events/0/action", "user.data_exported"),
            ("/sessions/0/methods/1", "pwd"),
            ("/memberships/0/organisation/name", "engines & Söhne"),
            ("/memberships/0/roles/0/role", "admin"),
        ] {
            assert_eq!(copy.pointer(pointer).and_then(Value::as_str), Some(value), "{pointer}: {copy:#}");
        }
        for pointer in ["/password_credentials/changed_at", "/totp_credentials/confirmed_at", "/recovery_codes/0/created_at", "/sessions/1"] {
            assert!(copy.pointer(pointer).is_some(), "{pointer}: {copy:#}");
        }
        // Every table that knows of the user has its place, so that none is forgotten.
        for (table, _) in tables_about_users(&app, database).await {
            assert!(copy.get(&table).is_some(), "{table} is not in the copy");
        }
        // Nothing in it opens anything, and nothing is anybody else's.
        let cookie = browser.cookies["cs-sessions"].clone();
        let mut secrets = vec![cookie, tokens.access_token.clone(), tokens.refresh_token().to_owned(), PASSWORD.to_owned()];
        secrets.extend(authenticator.recovery_codes.clone());
        for secret in secrets.iter().map(String::as_str).chain(["$argon2", "digest", "sealed", "phc", "secret", "eve@example.com"]) {
            assert!(!file.html.contains(secret), "{secret} is in the copy");
        }
        assert!(app.audit().await.contains(&"user.data_exported success".to_owned()));
    }

    async fn ak_1_the_copy_is_ones_own_whatever_the_form_says(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        app.user("eve").await;
        let mut eve = app.signed_in("eve").await;
        let file = send(&mut eve, "/account/data", &[("user", &ada.to_string()), ("user_id", &ada.to_string())]).await;
        assert!(file.html.contains("eve@example.com") && !file.html.contains(&ada.to_string()), "{}", file.html);
    }
}
