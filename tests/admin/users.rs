//! `/admin/users`.

use countersign::model::InstanceRole;

use super::{console, post, press, user_with_role};
use crate::on_both_databases;
use crate::support::{PASSWORD, Page};

/// The people on a page of the list, in its order.
fn listed(page: &Page) -> Vec<String> {
    let rows =
        page.html.split("<tbody>").nth(1).unwrap_or_default().split("</tbody>").next().unwrap_or_default();
    rows.split("<th scope=\"row\"")
        .skip(1)
        .map(|row| {
            let row = row.split("<bdi>").nth(1).expect("a name");
            row.split("</bdi>").next().expect("its end").to_owned()
        })
        .collect()
}

on_both_databases! {
    async fn a_list_is_searched_filtered_and_paged(database) {
        let (app, mut browser) = console(database).await;
        for (login, name) in [("ada", "ada"), ("grace", "grace"), ("zoe", "zoë_100%")] {
            // Of what is made in one moment, nobody knows the order.
            app.advance(std::time::Duration::from_secs(1));
            app.user_with(login, |new| new.name = format!("{name} Lovelace")).await;
        }
        let page = browser.get("/admin/users").await;
        assert_eq!(listed(&page), ["zoë_100% Lovelace", "grace Lovelace", "ada Lovelace", "root"]);
        for (sought, found) in [
            ("q=ADA", vec!["ada Lovelace"]),
            ("q=lovelace+example.com", vec!["zoë_100% Lovelace", "grace Lovelace", "ada Lovelace"]),
            ("q=love+grace", vec!["grace Lovelace"]),
            ("q=%5F100%25", vec!["zoë_100% Lovelace"]),
            ("q=ZO%C3%8B", vec!["zoë_100% Lovelace"]),
            ("q=%25", vec!["zoë_100% Lovelace"]),
            ("q=nobody", vec![]),
            ("role=administrator", vec!["root"]),
            ("status=disabled", vec![]),
            ("status=active&q=root", vec!["root"]),
        ] {
            let page = browser.get(&format!("/admin/users?{sought}")).await;
            assert_eq!(listed(&page), found, "{sought}");
        }
        let page = browser.get("/admin/users?q=nobody").await;
        assert!(page.text().contains("Nobody matches") && page.form("seek").field("q") == Some("nobody"));

        let origin = countersign::audit::Origin::command_line();
        for at in 0..60 {
            let new = countersign::tenancy::users::NewUser {
                email: countersign::model::EmailAddress::parse(&format!("n{at}@many.example")).unwrap(),
                email_verified: false, name: format!("Many {at}"), username: None, password: None,
                instance_role: None, claims: Default::default(),
            };
            app.advance(std::time::Duration::from_millis(10));
            countersign::tenancy::users::create(&app.app, new, &origin).await.expect("made");
        }
        let page = browser.get("/admin/users?q=many").await;
        let (first, mut all) = (listed(&page), listed(&page));
        assert_eq!(first.len(), 50);
        let next = page.links().into_iter().find(|link| link.contains("after=")).expect("a next page");
        assert!(next.contains("q=many"), "{next}");
        let page = browser.get(&next).await;
        all.extend(listed(&page));
        assert_eq!(all, (0..60).rev().map(|at| format!("Many {at}")).collect::<Vec<_>>());
        assert!(!page.links().iter().any(|link| link.contains("after=")));
    }

    async fn ad_4_a_user_is_made_and_chooses_the_password_alone(database) {
        let (app, mut browser) = console(database).await;
        let page = browser.get("/admin/users/new").await;
        let page = browser.submit(&page, "new-user", &[("email", "no address"), ("name", "Ada"), ("username", "a d a")], None).await;
        assert_eq!(page.status, 422);
        assert!(page.has_id("email-error") && page.form("new-user").field("name") == Some("Ada"), "{}", page.text());
        let page = browser.submit(&page, "new-user", &[("email", "root@example.com")], None).await;
        assert!(page.has_id("username-error"), "{}", page.text());
        let page = browser.submit(&page, "new-user", &[("username", "ada")], None).await;
        assert!(page.text().contains("has this address already"), "{}", page.text());
        let page = browser.submit(&page, "new-user", &[("email", "ada@example.com"), ("verified", "yes")], None).await;
        assert!(page.has_id("done") && page.has_id("person"), "{}", page.text());

        let mail = app.read(|db| countersign::store::outbox::newest(db, 5)).await;
        let mail = mail.iter().find(|mail| mail.recipient == "ada@example.com").expect("a mail");
        let link = mail.body_text.lines().find(|line| line.contains("/recover/")).expect("a link").to_owned();
        let mut hers = app.browser();
        let form = hers.get(&link).await;
        let id = form.forms()[0].id.clone();
        hers.submit(&form, &id, &[("password", PASSWORD)], None).await;
        let mut hers = app.browser();
        hers.sign_in("ada").await;
        assert!(hers.get("/account").await.text().contains("ada@example.com"));

        let events = app.read(|db| countersign::store::audit::newest(db, 50)).await;
        let made = events.iter().find(|event| event.action == "user.created" && event.actor_id.is_some());
        assert!(made.is_some(), "LO-1: who made her is recorded");
    }

    async fn a_user_is_edited_verified_signed_out_and_removed(database) {
        let (app, mut browser) = console(database).await;
        let ada = app.user_with("ada", |new| new.email_verified = false).await;
        let mut hers = app.signed_in("ada").await;
        let at = format!("/admin/users/{ada}");
        let page = browser.get(&at).await;
        for id in ["person", "addresses", "ways-in", "memberships", "sessions", "history", "endings"] {
            assert!(page.has_id(id), "{id}: {}", page.text());
        }
        let page = press(&mut browser, &page, "/verify").await;
        assert!(page.has_id("done") && !page.text().contains("not verified"), "{}", page.text());

        let page = browser.get(&format!("{at}/edit")).await;
        let page = browser.submit(&page, "edit-user", &[("name", ""), ("nickname", "Countess")], None).await;
        assert!(page.status == 422 && page.form("edit-user").field("nickname") == Some("Countess"), "{}", page.text());
        let page = browser.submit(&page, "edit-user", &[("name", "Ada King"), ("zoneinfo", "Europe/Vienna")], None).await;
        assert!(page.text().contains("Ada King") && page.text().contains("Europe/Vienna"), "{}", page.text());

        let page = press(&mut browser, &page, "/end-session").await;
        assert!(page.has_id("done"), "{}", page.text());
        assert!(hers.get("/account").await.has_id("login-form"), "SE-5");
        hers.sign_in("ada").await;
        let page = browser.get(&format!("{at}/end-sessions")).await;
        press(&mut browser, &page, "/end-sessions").await;
        assert!(hers.get("/account").await.has_id("login-form"));

        let page = browser.get(&format!("{at}/reset-factors")).await;
        let page = press(&mut browser, &page, "/reset-factors").await;
        assert!(page.text().contains("Second factor demanded since"), "{}", page.text());

        let page = browser.get(&format!("{at}/disable")).await;
        let page = press(&mut browser, &page, "/disable").await;
        assert!(page.text().contains("disabled"), "{}", page.text());
        let page = press(&mut browser, &page, "/enable").await;
        assert!(page.has_id("done"), "{}", page.text());

        let page = post(&mut browser, &format!("{at}/export"), &[]).await;
        assert!(page.header("content-disposition").contains("attachment") && page.html.contains("ada@example.com"));

        let page = browser.get(&format!("{at}/remove")).await;
        press(&mut browser, &page, "/remove").await;
        assert_eq!(browser.get(&at).await.status, 404);
    }

    async fn or_3_the_last_administrator_stays(database) {
        let (app, mut browser) = console(database).await;
        let root = app.read(|db| countersign::store::users::find_by_login(db, "root@example.com")).await.unwrap().id;
        for (act, form) in [("disable", vec![]), ("remove", vec![]), ("role", vec![("role", "none")])] {
            let page = post(&mut browser, &format!("/admin/users/{root}/{act}"), &form).await;
            assert!(page.status == 422 && page.text().contains("only administrator"), "{act}: {}", page.text());
        }
        assert_eq!(browser.get("/admin/users").await.status, 200);
        // Two who give it up at once: one remains.
        let other = user_with_role(&app, "other", InstanceRole::Administrator).await;
        let origin = countersign::audit::Origin::command_line();
        let give_up = |user| countersign::tenancy::users::set_instance_role(&app.app, user, None, &origin);
        let (one, two) = tokio::join!(give_up(root), give_up(other));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    }

    async fn support_sees_no_buttons(database) {
        let (app, _) = console(database).await;
        user_with_role(&app, "helen", InstanceRole::Support).await;
        let mut hers = app.signed_in("helen").await;
        let ada = app.user("ada").await;
        for path in ["/admin/users".to_owned(), format!("/admin/users/{ada}")] {
            let page = hers.get(&path).await;
            assert!(page.has_id("looks-only"), "{}", page.text());
            assert!(page.forms().iter().all(|form| form.field("csrf").is_none()), "nothing to send");
            assert!(!page.links().iter().any(|link| link.ends_with("/edit") || link.ends_with("/new")));
        }
    }

    async fn an_invitation_is_shown_once(database) {
        let (app, mut browser) = console(database).await;
        let page = browser.get("/admin/users/invite").await;
        let page = browser.submit(&page, "invite-user", &[("email", "rosa@example.com"), ("days", "1")], None).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let (_, link) = page.html.split_once("<code>http").expect("a link");
        let link = format!("http{}", link.split('<').next().expect("its end"));
        assert!(app.browser().get(&link).await.has_id("invite-form"), "{link}");
        let page = browser.get("/admin/users/invite").await;
        let page = browser.submit(&page, "invite-user", &[("email", "root@example.com")], None).await;
        assert!(page.status == 422 && page.has_id("email-error"), "{}", page.text());
    }
}
