//! Sessions, grants, mail, audit, settings and login APIs in the console.

use std::time::Duration;

use super::{console, press};
use crate::on_both_databases;
use crate::support::{Settings, TestApp};

on_both_databases! {
    async fn se_5_sessions_and_grants_are_seen_and_ended(database) {
        let (app, mut browser) = console(database).await;
        app.user("ada").await;
        app.advance(Duration::from_secs(1));
        let calendar = app.client("calendar").await;
        let mut hers = app.browser();
        let tokens = calendar.sign_in(&mut hers, "ada", "openid offline_access").await;
        let page = browser.get("/admin/grants").await;
        assert!(page.text().contains("ada") && page.text().contains("calendar"), "{}", page.text());
        let page = press(&mut browser, &page, "/admin/grants/revoke").await;
        assert!(page.has_id("done") && page.text().contains("No application holds anything"), "{}", page.text());
        calendar.refresh(tokens.refresh_token.as_deref().unwrap()).await.expect_error("invalid_grant");

        let page = browser.get("/admin/sessions").await;
        let form = page.forms().into_iter().find(|form| form.action.ends_with("/end")).expect("a button");
        // The newest is hers.
        let page = browser.post(&form.action, &form.fields).await;
        assert!(page.has_id("done"), "{}", page.text());
        assert!(hers.get("/account").await.has_id("login-form"));
        assert!(browser.get("/admin/sessions").await.text().contains("root"), "and not mine");
        assert_eq!(browser.post(&form.action, &form.fields).await.status, 404, "once");
    }

    async fn mail_is_looked_after(database) {
        let (app, mut browser) = console(database).await;
        let page = browser.get("/admin/mail/test").await;
        let bad = browser.submit(&page, "test-mail", &[("to", "nobody")], None).await;
        assert!(bad.status == 422 && bad.has_id("to-error"), "{}", bad.text());
        let page = browser.submit(&page, "test-mail", &[("to", "ops@example.com")], None).await;
        assert!(page.has_id("watch"), "{}", page.text());
        let sent = app.read(|db| countersign::store::outbox::newest(db, 1)).await.remove(0);
        assert_eq!(sent.recipient, "ops@example.com");
        let page = browser.get("/admin/mail").await;
        assert!(page.text().contains("ops@example.com") && !page.html.contains(&sent.body_text), "{}", page.text());

        let (id, now) = (sent.id, app.clock.now());
        app.app.db.write(move |db| {
            let failed = countersign::store::outbox::Message {
                id: countersign::model::MessageId::new(now, &countersign::crypto::Random::system()),
                recipient: "gone@example.com".to_owned(), sent_at: None, failed_at: None,
                due_at: now.plus(Duration::from_secs(86_400)), ..sent.clone()
            };
            countersign::store::outbox::insert(db, &failed)?;
            countersign::store::outbox::mark_failed(db, failed.id, "550 no such user", now)
        }).await.unwrap();
        let page = browser.get("/admin/mail?state=failed").await;
        assert!(page.text().contains("550 no such user") && !page.text().contains("ops@example.com"), "{}", page.text());
        let page = press(&mut browser, &page, "/admin/mail/again").await;
        assert!(page.has_id("done"), "{}", page.text());
        let again = app.read(|db| countersign::store::outbox::newest(db, 5)).await;
        assert!(again.iter().all(|mail| mail.failed_at.is_none()));
        assert!(app.audit().await.contains(&"mail.sent_again success".to_owned()));
        assert_eq!(browser.get(&format!("/admin/mail/test/{id}")).await.status, 200);
    }

    async fn lo_1_the_audit_is_searched_followed_and_taken_along(database) {
        let (app, mut browser) = console(database).await;
        let ada = app.user_with("ada", |new| new.name = "=cmd(), \"Ada\"".to_owned()).await;
        app.signed_in("ada").await;
        let page = browser.get(&format!("/admin/audit?user={ada}")).await;
        assert!(page.text().contains("session.begun") && page.text().contains("user.created"), "{}", page.text());
        let page = browser.get("/admin/audit?action=session.&outcome=success").await;
        assert!(page.text().contains("session.begun") && !page.text().contains("user.created"), "{}", page.text());
        let request = page.links().into_iter().find(|link| link.contains("?request=")).expect("a reference");
        let page = browser.get(&request).await;
        assert!(page.text().contains("session.begun"));
        let event = page.links().into_iter().find(|link| link.contains("/admin/audit/aud_") || link.contains("/admin/audit/evt_")).expect("an event");
        let page = browser.get(&event).await;
        assert!(page.has_id("event"), "{}", page.text());
        let page = browser.get("/admin/audit?user=somebody").await;
        assert!(page.text().contains("Nobody here has this id"), "{}", page.text());

        for (format, kind, lines) in [("csv", "text/csv", "\r\n"), ("jsonl", "application/x-ndjson", "\n")] {
            let page = browser.get(&format!("/admin/audit/export?format={format}&user={ada}")).await;
            assert!(page.header("content-type").starts_with(kind) && page.header("content-disposition").contains("attachment"));
            assert!(page.html.contains("user.created") && page.html.trim_end().split(lines).count() >= 2, "{}", page.html);
        }
        assert_eq!(browser.get("/admin/audit/export?format=xml").await.status, 404);
        // More than is read at a time.
        let origin = countersign::audit::Origin::command_line();
        for _ in 0..260 {
            countersign::tenancy::users::disable(&app.app, ada, &origin).await.unwrap();
            countersign::tenancy::users::enable(&app.app, ada, &origin).await.unwrap();
        }
        let page = browser.get(&format!("/admin/audit/export?format=jsonl&user={ada}&action=user.enabled")).await;
        assert_eq!(page.html.lines().count(), 260);
        let all = browser.get("/admin/audit/export?format=jsonl&action=user.").await;
        let ids: std::collections::BTreeSet<String> = all.html.lines().map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
            event["id"].as_str().expect("an id").to_owned()
        }).collect();
        assert_eq!(ids.len(), all.html.lines().count(), "each once");
        assert!(ids.len() > 520, "{}", ids.len());
    }

    async fn settings_are_shown_and_no_secret_is(database) {
        let settings = Settings::with(|config| {
            config.mail.url = Some(countersign::crypto::Secret::from_text("smtp://me:hunter2-very-secret@127.0.0.1:9"));
        });
        let app = TestApp::start_with(database, settings).await;
        crate::admin::user_with_role(&app, "root", countersign::model::InstanceRole::Administrator).await;
        let mut browser = app.signed_in("root").await;
        let page = browser.get("/admin/settings").await;
        assert!(page.text().contains("server.listen") && page.text().contains("as it comes"), "{}", page.text());
        assert!(!page.html.contains("hunter2"), "LO-2");
        let page = browser.get("/admin/settings?q=MAIL+url").await;
        assert!(page.text().contains("mail.url") && !page.text().contains("server.listen"), "{}", page.text());
    }

    async fn a_mounted_login_api_is_explained(database) {
        let (_app, mut browser) = console(database).await;
        let page = browser.get("/admin/dialects").await;
        assert!(page.text().contains("None is mounted"), "{}", page.text());
        let settings = Settings::with(|config| {
            let eden = serde_json::json!({ "use": "eden", "path": "/eden" });
            config.dialects = vec![serde_json::from_value(eden).expect("good settings")];
        });
        let app = TestApp::start_with(database, settings).await;
        crate::admin::user_with_role(&app, "root", countersign::model::InstanceRole::Administrator).await;
        let mut browser = app.signed_in("root").await;
        let page = browser.get("/admin/dialects").await;
        assert!(page.text().contains("eden"), "{}", page.text());
        let page = browser.get("/admin/dialects/eden").await;
        assert!(page.text().contains("curl -X POST") && page.text().contains("openapi.json"), "{}", page.text());
        assert_eq!(browser.get("/admin/dialects/other").await.status, 404);
    }
}
