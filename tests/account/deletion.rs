//! `/account/delete`: the end of an account.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::tenancy::users;
use serde_json::json;

use super::data::tables_about_users;
use super::send;
use crate::factors;
use crate::federation::World;
use crate::login::{mail_about, mails};
use crate::on_both_databases;
use crate::store::texts;
use crate::support::{Browser, PASSWORD, Page, TestApp};

async fn delete(browser: &mut Browser, confirmation: &str) -> Page {
    let page = browser.get("/account/delete").await;
    browser.submit(&page, "delete-form", &[("confirmation", confirmation)], None).await
}

on_both_databases! {
    async fn tk_8_everything_is_gone_at_once_and_the_record_keeps_the_id_alone(database) {
        let world = World::of(database, "google").await;
        let app = &world.app;
        let ada = app.user_with("ada", |user| drop(user.claims.insert("nickname".to_owned(), "A".to_owned()))).await;
        let bob = app.user("bob").await;
        let client = app.client("calendar").await;
        // Something in as many places as can be: another browser, tokens, a factor, a link that waits, a mail.
        let mut bobs = app.browser();
        let kept = client.sign_in(&mut bobs, "bob", "openid offline_access").await;
        let mut stranger = app.browser();
        let page = world.sign_in(&mut stranger).await;
        assert!(page.has_id("login-link"), "a link waits");
        let page = stranger.get("/recover").await;
        stranger.submit(&page, "recover-form", &[("email", "ada@example.com")], None).await;
        let reset = mail_about(app, "Choose a new password").await;
        let authenticator = factors::enrolled(app, "ada").await;
        let mut elsewhere = app.browser();
        let page = elsewhere.sign_in("ada").await;
        factors::answer(&mut elsewhere, &page, &authenticator.code(app)).await;
        let tokens = client.sign_in(&mut elsewhere, "ada", "openid offline_access").await;
        app.advance(Duration::from_secs(60));
        let mut waiting = app.browser();
        waiting.sign_in("ada").await;
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        factors::answer(&mut browser, &page, &authenticator.code(app)).await;

        let page = delete(&mut browser, "ada@example.org").await;
        assert!(page.status == 422 && page.has_id("confirmation-error"), "{}", page.text());
        assert_eq!(client.introspect(&tokens.access_token).await["active"], true);
        let page = delete(&mut browser, " Ada@Example.com ").await;
        assert!(page.status == 200 && page.has_id("account-deleted"), "{}", page.text());
        assert!(!browser.cookies.contains_key("cs-sessions"));

        // Dead at once, everywhere.
        assert_eq!(client.introspect(&tokens.access_token).await["active"], false);
        assert_eq!(client.introspect(tokens.refresh_token()).await["active"], false);
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 401);
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        assert!(elsewhere.get("/account").await.url.ends_with("/login"));
        assert!(!waiting.get("/login/factor").await.has_id("factor-form"));
        assert_eq!(stranger.get(&crate::login::link(app, &reset)).await.status, 410);
        let page = stranger.get("/login").await;
        assert_eq!(stranger.answer_login(&page, "ada", PASSWORD).await.status, 401);

        // No row is left that names them, save the record, which has nothing but the id.
        let hex: String = ada.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        for (table, column) in tables_about_users(app, database).await {
            let id = match database {
                crate::support::Database::Sqlite => format!("x'{hex}'"),
                crate::support::Database::Postgres => format!("'\\x{hex}'::bytea"),
            };
            let also = if table == "audit_events" { " AND ip IS NOT NULL" } else { "" };
            let sql = format!("SELECT CAST(count(*) AS TEXT) AS text FROM {table} WHERE {column} = {id}{also}");
            assert_eq!(app.read(move |db| texts(db, &sql)).await, ["0"], "{table}.{column}");
        }
        let left = app.read(|db| texts(db, "SELECT CAST(count(*) AS TEXT) AS text FROM session_providers")).await;
        assert_eq!(left, ["0"]);
        let audit = app.audit().await;
        assert!(audit.contains(&"user.removed success".to_owned()), "{audit:?}");
        let details = app.read(|db| texts(db, "SELECT detail AS text FROM audit_events")).await;
        assert!(!details.iter().any(|detail| detail.contains("ada@example.com")), "LO-2: {details:?}");

        // The last mail is the only one to them that is left.
        let told: Vec<_> = mails(app).await.into_iter().filter(|mail| mail.recipient == "ada@example.com").collect();
        assert_eq!(told.len(), 1);
        assert!(told[0].subject.contains("was deleted"), "{}", told[0].subject);

        // Somebody who comes after is somebody else, and bob is where he was.
        let again = app.user("ada").await;
        assert_ne!(again, ada);
        let new = client.sign_in(&mut app.browser(), "ada", "openid").await;
        assert_ne!(new.id_claims()["sub"], json!(ada));
        assert_eq!(client.introspect(&kept.access_token).await["sub"], json!(bob));
        client.refresh(kept.refresh_token()).await.expect_tokens();
    }

    async fn ad_1_the_last_administrator_stays(database) {
        let app = TestApp::start(database).await;
        let ada = app.user_with("ada", |user| user.instance_role = Some(countersign::model::InstanceRole::Administrator)).await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get("/account/delete").await;
        assert!(page.has_id("delete-error") && !page.has_id("delete-form"), "{}", page.text());
        let page = send(&mut browser, "/account/delete", &[("confirmation", "ada@example.com")]).await;
        assert!(page.status == 409 && page.has_id("delete-error"), "{}", page.text());

        let root = app.user_with("root", |user| user.instance_role = Some(countersign::model::InstanceRole::Administrator)).await;
        users::disable(&app.app, root, &Origin::command_line()).await.expect("disabled");
        assert!(!browser.get("/account/delete").await.has_id("delete-form"), "one who cannot sign in does not count");
        users::enable(&app.app, root, &Origin::command_line()).await.expect("enabled");
        let mut other = app.signed_in("root").await;
        // Both at once: one of them stays.
        let (ada_says, root_says) = ([("confirmation", "ada@example.com")], [("confirmation", "root@example.com")]);
        let (one, two) = tokio::join!(
            send(&mut browser, "/account/delete", &ada_says),
            send(&mut other, "/account/delete", &root_says),
        );
        let gone = [&one, &two].iter().filter(|page| page.has_id("account-deleted")).count();
        assert_eq!(gone, 1, "{} / {}", one.text(), two.text());
        let left = app.read(move |db| Ok([countersign::store::users::find(db, ada)?, countersign::store::users::find(db, root)?])).await;
        assert_eq!(left.iter().flatten().count(), 1);
    }

    async fn or_3_the_last_administrator_of_an_organisation_with_others_stays(database) {
        let app = TestApp::start(database).await;
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        let (alone, shared) = (app.organisation("alone").await, app.organisation("shared").await);
        app.member(&alone, ada, &["admin"]).await;
        app.member(&shared, ada, &["admin"]).await;
        app.member(&shared, bob, &["member"]).await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get("/account/delete").await;
        assert!(page.has_id("delete-error") && page.text().contains("shared & Söhne"), "{}", page.text());
        let page = send(&mut browser, "/account/delete", &[("confirmation", "ada@example.com")]).await;
        assert_eq!(page.status, 409, "{}", page.text());
        let eve = app.user("eve").await;
        app.member(&shared, eve, &["admin"]).await;
        let page = delete(&mut browser, "ada@example.com").await;
        assert!(page.has_id("account-deleted"), "{}", page.text());
        let left = app.read(|db| texts(db, "SELECT CAST(count(*) AS TEXT) AS text FROM memberships")).await;
        assert_eq!(left, ["2"]);
    }

    async fn the_other_accounts_of_a_browser_stay_signed_in(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        app.user("bob").await;
        let mut browser = app.signed_in("bob").await;
        browser.sign_in("ada").await;
        let page = delete(&mut browser, "ada@example.com").await;
        assert!(page.has_id("account-deleted"), "{}", page.text());
        assert!(browser.get("/account").await.text().contains("bob@example.com"));
    }

    async fn an_awkward_name_is_no_hindrance(database) {
        let world = World::of(database, "google").await;
        let app = &world.app;
        world.mock.claim(json!({ "name": "<b>\u{202e}Ada</b>", "email": null }));
        let mut browser = app.browser();
        world.sign_in(&mut browser).await;
        let page = browser.get("/account").await;
        assert!(page.text().contains("Add an e-mail address"), "{}", page.text());
        let page = browser.get("/account/delete").await;
        assert!(page.has_id("delete-form") && !page.html.contains("<b>"), "{}", page.html);
        let page = delete(&mut browser, "<b>\u{202e}Ada</b>").await;
        assert!(page.has_id("account-deleted"), "{}", page.text());
        assert_eq!(world.owner("42").await, None);
    }
}
