//! `/admin`.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::model::InstanceRole;

use super::{console, user_with_role};
use crate::on_both_databases;
use crate::support::{Database, Page, Settings, TestApp};

const DAY: Duration = Duration::from_secs(86_400);

/// What stands behind a picture.
fn numbers(page: &Page, id: &str) -> String {
    let figure = page.html.split(&format!("class=\"picture\" id=\"{id}\"")).nth(1).expect("the picture");
    crate::support::text(figure.split("</figure>").next().unwrap())
}

on_both_databases! {
    async fn a_new_instance_says_what_to_do_next(database) {
        let (app, mut browser) = console(database).await;
        let page = browser.get("/admin").await;
        assert!(page.has_id("start"), "{}", page.text());
        for next in ["/admin/new-client", "/admin/users/invite", "/admin/mail/test"] {
            assert!(page.links().iter().any(|link| link == next), "{next}");
        }
        assert!(numbers(&page, "tokens").contains("Create an application"), "{}", page.text());
        user_with_role(&app, "helen", InstanceRole::Support).await;
        let page = app.signed_in("helen").await.get("/admin").await;
        assert!(page.has_id("start") && !page.links().iter().any(|link| link.ends_with("/new")));
        app.client("calendar").await;
        assert!(!browser.get("/admin").await.has_id("start"));
    }

    async fn sign_ins_and_tokens_are_drawn_for_a_day_a_week_a_month(database) {
        let (app, mut browser) = console(database).await;
        app.user("ada").await;
        let calendar = app.client("calendar").await;
        calendar.sign_in(&mut app.browser(), "ada", "openid").await;
        let mut stranger = app.browser();
        let page = stranger.get("/login").await;
        stranger.answer_login(&page, "ada", "wrong").await;
        let page = browser.get("/admin").await;
        // root and ada.
        assert!(numbers(&page, "sign-ins").contains("2 sign-ins and 1 that failed"), "{}", page.text());
        assert!(numbers(&page, "tokens").contains("calendar"), "{}", page.text());
        assert!(page.links().contains(&format!("/admin/clients/{}", calendar.client_id)));
        assert!(numbers(&page, "keys").contains("3 keys, of which 3 sign now"), "{}", page.text());
        assert!(page.html.contains(r#"href="/admin?range=24h" aria-current"#));
        for (path, label, sessions) in
            [("/admin/sessions", "Browsers signed in", "2"), ("/admin/mail?state=failed", "Mail that failed", "0")]
        {
            assert!(page.text().contains(&format!("{label} {sessions}")), "{}", page.text());
            assert!(page.links().iter().any(|link| link == path), "{path}");
        }

        app.advance(3 * DAY);
        let mut browser = app.signed_in("root").await;
        for (range, good) in [("", "1 sign-ins"), ("?range=24h", "1 sign-ins"), ("?range=7d", "3 sign-ins"),
            ("?range=30d", "3 sign-ins"), ("?range=nonsense", "1 sign-ins")] {
            let page = browser.get(&format!("/admin{range}")).await;
            assert!(numbers(&page, "sign-ins").contains(good), "{range}: {}", numbers(&page, "sign-ins"));
        }
        assert!(numbers(&browser.get("/admin").await, "tokens").contains("No application has fetched"));
    }

    async fn what_is_wrong_stands_there_with_what_to_do(database) {
        let settings = Settings::with(|config| {
            config.mail.url = Some(countersign::crypto::Secret::from_text("smtp://127.0.0.1:9"));
        });
        let app = TestApp::start_with(database, settings.real_time()).await;
        user_with_role(&app, "root", InstanceRole::Administrator).await;
        let mut browser = app.signed_in("root").await;
        let page = browser.get("/admin").await;
        assert!(page.text().contains("Nothing is to be mended"), "{}", page.text());
        let kids = app.read(countersign::store::signing_keys::all).await;
        let now = app.clock.now();
        app.app
            .db
            .write(move |db| {
                for key in &kids {
                    countersign::store::signing_keys::revoke(db, &key.kid, now)?;
                }
                Ok(())
            })
            .await
            .unwrap();
        let to = countersign::model::EmailAddress::parse("ops@example.com").unwrap();
        let origin = Origin::command_line();
        let sent = countersign::tenancy::post::send_test(&app.app, &to, Default::default(), &origin).await;
        let (id, now) = (sent.unwrap(), app.clock.now());
        app.app
            .db
            .write(move |db| countersign::store::outbox::mark_failed(db, id, "550", now))
            .await
            .unwrap();
        let page = browser.get("/admin").await;
        let text = page.text();
        let (key, mail) = (text.find("no key that signs with RS256"), text.find("could not be delivered: 1"));
        assert!(key.unwrap() < mail.unwrap(), "the worst first: {text}");
        assert!(text.contains("problem") && text.contains("warning") && text.contains("countersign init"), "{text}");
        assert!(page.links().iter().any(|link| link == "/admin/mail?state=failed"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_those_of_whoever_looks() {
    let (app, _) = console(Database::Sqlite).await;
    let ada = user_with_role(&app, "ada", InstanceRole::Support).await;
    let tokyo = move |db: &mut countersign::store::Conn| {
        let user = countersign::store::users::find(db, ada)?.expect("ada");
        countersign::store::users::set_profile(
            db,
            ada,
            &user.name,
            user.locale.as_deref(),
            Some("Asia/Tokyo"),
            user.updated_at,
        )
    };
    app.app.db.write(tokyo).await.unwrap();
    // 00:00 UTC.
    let page = app.signed_in("ada").await.get("/admin").await;
    assert!(numbers(&page, "sign-ins").contains(" 09:00 "), "{}", numbers(&page, "sign-ins"));
}
