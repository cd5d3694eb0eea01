//! `/account/profile`.

use std::time::Duration;

use serde_json::json;

use super::send;
use crate::on_both_databases;
use crate::support::TestApp;

on_both_databases! {
    async fn or_4_what_people_say_about_themselves_reaches_applications(database) {
        let app = TestApp::start(database).await;
        let ada = app.user_with("ada", |user| user.username = Some("countess".to_owned())).await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let tokens = client.sign_in(&mut browser, "ada", "openid profile").await;
        let before = client.userinfo(&tokens.access_token).await.body;
        app.advance(Duration::from_secs(60));
        let page = browser.get("/account/profile").await;
        assert!(page.text().contains("countess") && !page.has_id("saved"), "{}", page.text());
        let said = [
            ("name", " Ada Lovelace "),
            ("given_name", "Ada"),
            ("family_name", "Lovelace"),
            ("nickname", "The Enchantress"),
            ("locale", "de"),
            ("zoneinfo", "Europe/Vienna"),
        ];
        let page = browser.submit(&page, "profile-form", &said, None).await;
        assert!(page.has_id("saved") && page.header("content-language") == "de", "{}", page.text());
        assert!(page.text().contains(" CE"), "the clock of Vienna: {}", page.text());

        let info = client.userinfo(&tokens.access_token).await.body;
        for (name, value) in [("given_name", "Ada"), ("family_name", "Lovelace"), ("nickname", "The Enchantress"),
            ("name", "Ada Lovelace"), ("locale", "de"), ("zoneinfo", "Europe/Vienna")] {
            assert_eq!(info[name], value);
        }
        assert!(info["updated_at"].as_i64() > before["updated_at"].as_i64(), "{info}");
        assert_eq!(info["sub"], json!(ada));

        // The form holds what is stored; what is emptied is gone.
        let page = browser.get("/account/profile").await;
        let form = page.form("profile-form");
        assert_eq!((form.field("zoneinfo"), form.field("locale")), (Some("Europe/Vienna"), Some("de")));
        browser.submit(&page, "profile-form", &[("nickname", ""), ("zoneinfo", "")], None).await;
        let info = client.userinfo(&tokens.access_token).await.body;
        assert!(info.get("nickname").is_none() && info.get("zoneinfo").is_none(), "{info}");
        assert_eq!(info["given_name"], "Ada");
        let changes = app.audit().await.into_iter().filter(|event| event == "user.profile_changed success").count();
        assert_eq!(changes, 2);
    }

    async fn saving_what_is_stored_already_changes_nothing(database) {
        let app = TestApp::start(database).await;
        app.user_with("ada", |user| {
            user.claims.insert("locale".to_owned(), "de-AT".to_owned());
            user.claims.insert("zoneinfo".to_owned(), "Etc/GMT+5".to_owned());
        }).await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get("/account/profile").await;
        assert_eq!(page.form("profile-form").field("zoneinfo"), Some("Etc/GMT+5"));
        assert!(browser.submit(&page, "profile-form", &[], None).await.has_id("saved"));
        assert!(!app.audit().await.contains(&"user.profile_changed success".to_owned()));
    }

    async fn or_4_no_other_field_is_taken(database) {
        let app = TestApp::start(database).await;
        let ada = app.user_with("ada", |user| user.email_verified = false).await;
        let eve = app.user("eve").await;
        let mut browser = app.signed_in("ada").await;
        let eves = eve.to_string();
        for (field, value) in [("is_admin", "true"), ("email_verified", "true"), ("user_id", eves.as_str()), ("email", "eve@example.org"),
            ("username", "root"), ("status", "disabled"), ("sub", "usr_1"), ("phone_number_verified", "true")] {
            let page = send(&mut browser, "/account/profile", &[("name", "Mallory"), (field, value)]).await;
            assert_eq!(page.status, 400, "{field}: {}", page.text());
        }
        let names = app.read(move |db| {
            let of = |db: &mut _, user| countersign::store::users::find(db, user);
            Ok([of(db, ada)?, of(db, eve)?].map(|user| user.map(|user| (user.is_admin(), user.name))))
        }).await;
        assert_eq!(names, [Some((false, "ada".to_owned())), Some((false, "eve".to_owned()))]);
    }

    async fn ch_5_awkward_names_are_text_and_nonsense_is_refused(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get("/account/profile").await;
        let awkward = "<script>alert(1)</script>\u{202e}\" onload=\"x";
        let saved = browser.submit(&page, "profile-form", &[("name", awkward), ("nickname", "a\r\nb\u{7}")], None).await;
        assert!(saved.has_id("saved") && !saved.html.contains("<script>alert"), "{}", saved.html);
        for path in crate::account::PAGES {
            let page = browser.get(path).await;
            assert!(!page.html.contains("<script>alert") && !page.html.contains("\" onload"), "{path}");
        }
        assert_eq!(browser.get("/account/profile").await.form("profile-form").field("nickname"), Some("ab"));

        let long = "x".repeat(201);
        for (field, value) in [("name", " "), ("name", &long), ("family_name", &long), ("locale", "de'"),
            ("zoneinfo", "Middle/Earth"), ("zoneinfo", "../../etc/passwd"), ("zoneinfo", "+02:00")] {
            let refused = browser.submit(&page, "profile-form", &[(field, value)], None).await;
            assert_eq!(refused.status, 422, "{field} {value}");
            assert!(refused.has_id(&format!("{field}-error")) && refused.has_id("form-error"), "{}", refused.html);
        }
    }

    async fn times_are_shown_as_they_are_read_where_somebody_lives(database) {
        let app = TestApp::start(database).await;
        app.user_with("ada", |user| drop(user.claims.insert("zoneinfo".to_owned(), "Asia/Tokyo".to_owned()))).await;
        let mut browser = app.signed_in("ada").await;
        assert!(browser.get("/account/sessions").await.html.contains(" JST\""));
        let page = browser.get("/account/sessions").await;
        browser.submit(&page, "end-all-form", &[], None).await;
        let told = crate::login::mail_about(&app, "signed out everywhere").await;
        assert!(told.body_text.contains(" JST\n"), "{}", told.body_text);
    }
}
