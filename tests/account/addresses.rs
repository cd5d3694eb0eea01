//! `/account/addresses`.

use std::time::Duration;

use super::{emails, press, send};
use crate::login::{link, mail_about, mails};
use crate::on_both_databases;
use crate::support::{Browser, PASSWORD, TestApp};

fn own(address: &str, primary: bool) -> (String, bool, bool) {
    (address.to_owned(), primary, true)
}

/// Adds an address and opens the mail that goes there.
async fn add(app: &TestApp, browser: &mut Browser, address: &str) {
    let page = browser.get("/account/addresses").await;
    let page = browser.submit(&page, "address-form", &[("email", address)], None).await;
    assert!(page.has_id("link-sent"), "{}", page.text());
    let sent = mails(app).await.into_iter().rfind(|mail| mail.recipient == address).expect("a mail");
    let page = browser.get(&link(app, &sent)).await;
    assert!(browser.submit(&page, "email-confirm-form", &[], None).await.has_id("email-done"));
}

on_both_databases! {
    async fn pw_13_a_further_address_counts_once_its_mail_was_opened(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get("/account/addresses").await;
        browser.submit(&page, "address-form", &[("email", "Ada@Work.example")], None).await;
        assert_eq!(emails(&app, ada).await, [own("ada@example.com", true)], "not yet");
        let sent = mail_about(&app, "Confirm this address").await;
        assert_eq!(sent.recipient, "Ada@Work.example");
        let page = app.browser().get(&link(&app, &sent)).await;
        browser.submit(&page, "email-confirm-form", &[], None).await;
        add(&app, &mut browser, "ada@home.example").await;
        assert!(!emails(&app, ada).await.is_empty());
        assert!(app.audit().await.contains(&"user.email_added success".to_owned()));
        assert_eq!(mail_about(&app, "address was added").await.recipient, "ada@example.com", "LO-4");
        // It signs in, and what it does not do is change the primary one.
        let mut other = app.browser();
        let page = other.get("/login").await;
        assert_eq!(other.answer_login(&page, "ada@home.example", PASSWORD).await.status, 200);
        assert_eq!(emails(&app, ada).await[0], own("ada@example.com", true));
    }

    async fn pw_13_a_verified_address_becomes_the_primary_one_and_the_one_before_is_told(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let client = app.client("calendar").await;
        let mut elsewhere = app.browser();
        let tokens = client.sign_in(&mut elsewhere, "ada", "openid email offline_access").await;
        let mut browser = app.signed_in("ada").await;
        add(&app, &mut browser, "ada@work.example").await;
        assert_eq!(client.userinfo(&tokens.access_token).await.body["email"], "ada@example.com");
        let page = browser.get("/account/addresses").await;
        let page = press(&mut browser, &page, "/account/addresses/primary", "address", "ada@work.example").await;
        assert!(page.url.ends_with("/account/addresses"), "{}", page.text());
        assert_eq!(emails(&app, ada).await, [own("ada@work.example", true), own("ada@example.com", false)]);
        let told = mail_about(&app, "primary e-mail address").await;
        assert!(told.recipient == "ada@example.com" && told.body_text.contains("ada@work.example"), "LO-4");
        assert!(elsewhere.get("/account").await.url.ends_with("/login"), "SE-5");
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");

        // The old one can go now, the new one cannot.
        let page = browser.get("/account/addresses").await;
        assert!(!page.forms().iter().any(|form| form.action.ends_with("/remove") && form.field("address") == Some("ada@work.example")));
        let refused = send(&mut browser, "/account/addresses/remove", &[("address", "ada@work.example")]).await;
        assert!(refused.status == 409 && refused.has_id("address-error"), "{}", refused.text());
        press(&mut browser, &page, "/account/addresses/remove", "address", "ada@example.com").await;
        assert_eq!(emails(&app, ada).await, [own("ada@work.example", true)]);
        let removed: Vec<_> = mails(&app).await.into_iter().filter(|mail| mail.subject.contains("address was removed")).map(|mail| mail.recipient).collect();
        assert!(removed.contains(&"ada@example.com".to_owned()) && removed.contains(&"ada@work.example".to_owned()), "{removed:?}");
        let refused = send(&mut browser, "/account/addresses/remove", &[("address", "ada@work.example")]).await;
        assert_eq!(refused.status, 409, "the last one stays");
        let mut again = app.browser();
        let page = again.get("/login").await;
        assert_eq!(again.answer_login(&page, "ada@example.com", PASSWORD).await.status, 401);
    }

    async fn pw_8_a_link_to_an_address_that_is_removed_is_void(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.signed_in("ada").await;
        add(&app, &mut browser, "ada@work.example").await;
        let mut stranger = app.browser();
        let page = stranger.get("/recover").await;
        stranger.submit(&page, "recover-form", &[("email", "ada@work.example")], None).await;
        let reset = mail_about(&app, "Choose a new password").await;
        assert_eq!(reset.recipient, "ada@work.example");
        let page = browser.get("/account/addresses").await;
        press(&mut browser, &page, "/account/addresses/remove", "address", "ada@work.example").await;
        assert_eq!(stranger.get(&link(&app, &reset)).await.status, 410);
    }

    async fn pw_13_an_address_that_is_not_verified_is_mailed_again_and_does_not_become_primary(database) {
        let app = TestApp::start(database).await;
        let ada = app.user_with("ada", |user| user.email_verified = false).await;
        let second = countersign::model::EmailAddress::parse("ada@old.example").expect("an address");
        app.app.db.write(move |db| countersign::store::users::insert_email(db, ada, &second, false, None, crate::support::START))
            .await.expect("stored");
        let mut browser = app.signed_in("ada").await;
        let page = send(&mut browser, "/account/addresses/primary", &[("address", "ada@old.example")]).await;
        assert!(page.status == 409 && page.has_id("address-error"), "{}", page.text());
        let page = press(&mut browser, &page, "/account/addresses/resend", "address", "ada@old.example").await;
        assert!(page.has_id("link-sent"), "{}", page.text());
        let sent = mail_about(&app, "Confirm this address").await;
        assert_eq!(sent.recipient, "ada@old.example");
        let page = browser.get(&link(&app, &sent)).await;
        browser.submit(&page, "email-confirm-form", &[], None).await;
        assert_eq!(emails(&app, ada).await[1], own("ada@old.example", false));
    }

    async fn pw_13_an_address_of_ones_own_is_not_promised_to_be_changed(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.signed_in("ada").await;
        add(&app, &mut browser, "ada@work.example").await;
        let sent = mails(&app).await.len();
        for (path, form) in [("/account/email", "email-form"), ("/account/addresses", "address-form")] {
            for own in ["Ada@work.example", "ada@example.com"] {
                let page = browser.get(path).await;
                let page = browser.submit(&page, form, &[("email", own)], None).await;
                assert!(page.status == 422 && page.text().contains("yours already"), "{path} {own}: {}", page.text());
                assert_eq!(page.form(form).field("email"), Some(own));
            }
        }
        assert_eq!(mails(&app).await.len(), sent);
    }

    async fn ak_1_the_addresses_of_others_cannot_be_touched(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        app.user("eve").await;
        let mut ada_browser = app.signed_in("ada").await;
        add(&app, &mut ada_browser, "ada@work.example").await;
        let before = emails(&app, ada).await;
        let mut eve = app.signed_in("eve").await;
        let written = mails(&app).await.len();
        for act in ["primary", "remove", "resend"] {
            for address in ["ada@work.example", "ada@example.com", "nobody@example.com", "", "not an address", "' OR 1=1 --"] {
                let page = send(&mut eve, &format!("/account/addresses/{act}"), &[("address", address)]).await;
                assert_eq!(page.status, 404, "{act} {address}");
            }
        }
        assert_eq!((emails(&app, ada).await, mails(&app).await.len()), (before, written));
    }

    async fn pw_6_an_address_that_another_account_has_looks_like_any_other(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        app.user("bob").await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get("/account/addresses").await;
        let mut answers = Vec::new();
        for address in ["bob@example.com", "new@example.com"] {
            let answer = browser.submit(&page, "address-form", &[("email", address)], None).await;
            answers.push((answer.status, answer.html.replace(address, "")));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(browser.get("/account/addresses").await.html, page.html, "nothing tells them apart afterwards");
        let invalid = browser.submit(&page, "address-form", &[("email", "nonsense")], None).await;
        assert!(invalid.status == 422 && invalid.has_id("email-error"));
        assert_eq!(emails(&app, ada).await.len(), 1);
    }

    async fn an_account_has_so_many_addresses_and_no_more(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        app.app.db.write(move |db| {
            for n in 1..9 {
                let address = countersign::model::EmailAddress::parse(&format!("ada{n}@example.com")).expect("an address");
                countersign::store::users::insert_email(db, ada, &address, false, Some(crate::support::START), crate::support::START)?;
            }
            Ok(())
        }).await.expect("stored");
        let mut browser = app.signed_in("ada").await;
        add(&app, &mut browser, "tenth@example.com").await;
        let page = browser.get("/account/addresses").await;
        assert!(!page.has_id("address-form"), "{}", page.text());
        let sent = mails(&app).await.len();
        let page = send(&mut browser, "/account/addresses", &[("email", "eleventh@example.com")]).await;
        assert!(!page.has_id("link-sent") && mails(&app).await.len() == sent, "{}", page.text());
    }

    async fn ar_1_two_changes_at_once_leave_one_primary_address(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        app.app.db.write(move |db| {
            for name in ["one", "two"] {
                let address = countersign::model::EmailAddress::parse(&format!("{name}@example.com")).expect("an address");
                countersign::store::users::insert_email(db, ada, &address, false, Some(crate::support::START), crate::support::START)?;
            }
            Ok(())
        }).await.expect("stored");
        let browser = app.signed_in("ada").await;
        let mut looking = browser.clone();
        let page = looking.get("/account/addresses").await;
        let (mut first, mut second) = (browser.clone(), browser.clone());
        for _ in 0..3 {
            tokio::join!(
                press(&mut first, &page, "/account/addresses/primary", "address", "one@example.com"),
                press(&mut second, &page, "/account/addresses/primary", "address", "two@example.com"),
            );
            let primaries = emails(&app, ada).await.into_iter().filter(|(_, primary, _)| *primary).count();
            assert_eq!(primaries, 1);
            app.advance(Duration::from_secs(1));
        }
    }
}
