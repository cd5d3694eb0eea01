//! `/account/sessions`.

use std::time::Duration;

use super::{press, send};
use crate::login::{mail_about, mails};
use crate::on_both_databases;
use crate::support::{Settings, TestApp};

on_both_databases! {
    async fn se_6_sessions_are_listed_and_ended_one_by_one(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let (mut here, mut there) = (app.browser(), app.browser());
        there.headers.push(("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0".to_owned()));
        there.sign_in("ada").await;
        app.advance(Duration::from_secs(7_200));
        here.sign_in("ada").await;
        let page = here.get("/account/sessions").await;
        for words in ["Firefox, Linux", "2 hours ago", "127.0.0.1", "Password", "This browser"] {
            assert!(page.text().contains(words), "{words}: {}", page.text());
        }
        let forms = page.forms();
        let ends: Vec<_> = forms.iter().filter(|form| form.action == "/account/sessions/end").collect();
        assert_eq!(ends.len(), 2);
        // The current one stands first.
        let page = here.post("/account/sessions/end", &ends[1].fields).await;
        assert_eq!(page.url, app.url("/account/sessions"));
        assert!(there.get("/account").await.url.ends_with("/login"));
        assert_eq!(here.post("/account/sessions/end", &ends[1].fields).await.status, 200, "it had ended");
        let page = here.post("/account/sessions/end", &ends[0].fields).await;
        assert_eq!(page.url, app.url("/"));
        assert!(page.has_id("landing-sign-in") && !here.cookies.contains_key("cs-sessions"));
    }

    async fn ak_1_nobody_ends_a_session_of_somebody_else(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        app.user("eve").await;
        let (mut ada, mut eve) = (app.signed_in("ada").await, app.signed_in("eve").await);
        let theirs = ada.get("/account/sessions").await.forms()[0].field("session").unwrap().to_owned();
        for session in [theirs.as_str(), "ses_1", "", "' OR 1=1 --"] {
            assert_eq!(send(&mut eve, "/account/sessions/end", &[("session", session)]).await.status, 404, "{session}");
        }
        assert!(ada.get("/account").await.url.ends_with("/account"));
    }

    async fn se_5_signing_out_everywhere_else_ends_what_applications_hold(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let (mut here, mut there) = (app.signed_in("ada").await, app.signed_in("ada").await);
        let tokens = client.sign_in(&mut there, "ada", "openid offline_access").await;
        let page = here.get("/account/sessions").await;
        let page = here.submit(&page, "end-all-form", &[], None).await;
        assert!(page.has_id("signed-out"), "{}", page.text());
        assert!(here.get("/account").await.url.ends_with("/account"));
        assert!(there.get("/account").await.url.ends_with("/login"));
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(client.introspect(&tokens.access_token).await["active"], false);
        assert_eq!(mail_about(&app, "signed out everywhere").await.recipient, "ada@example.com", "LO-4");
        assert!(app.audit().await.contains(&"user.signed_out_everywhere success".to_owned()));
    }

    async fn se_4_a_sixth_account_in_one_browser_ends_the_session_used_longest_ago(database) {
        let app = TestApp::start(database).await;
        let names = ["ada", "bob", "cyd", "dan", "eve", "fay"];
        for name in names {
            app.user(name).await;
        }
        let mut browser = app.browser();
        for name in &names[..5] {
            browser.sign_in(name).await;
        }
        let before = browser.clone();
        browser.sign_in("fay").await;
        let live = app.read(move |db| {
            let all = countersign::store::sessions::list_all(db, crate::support::START)?;
            all.into_iter().map(|session| countersign::store::users::find(db, session.user_id)).collect::<Result<Vec<_>, _>>()
        }).await;
        let mut live: Vec<String> = live.into_iter().flatten().map(|user| user.name).collect();
        live.sort();
        assert_eq!(live, ["bob", "cyd", "dan", "eve", "fay"]);
        // Signing in once more to an account that is there ends none.
        browser.sign_in("bob").await;
        assert!(browser.get("/").await.text().contains("fay@example.com"));
        let mut old = before;
        assert!(!old.get("/").await.text().contains("ada@example.com"));
    }

    async fn se_4_a_link_or_code_by_mail_can_keep_somebody_signed_in(database) {
        let app = TestApp::start_with(database, Settings::with(|config| {
            config.lifetimes.session_idle = Duration::from_secs(3_600);
        })).await;
        app.user("ada").await;
        for (by_code, remember) in [(false, true), (true, true), (false, false)] {
            let mut browser = app.browser();
            let page = browser.get("/login").await;
            let sent_page = crate::login::magic::ask(&mut browser, &page, "ada@example.com").await;
            let sent = mails(&app).await.into_iter().rfind(|mail| mail.subject.starts_with("Sign in to")).expect("a mail");
            let fields: &[(&str, &str)] = if remember { &[("remember", "yes")] } else { &[] };
            if by_code {
                let code = sent.body_text.lines().find(|line| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit()));
                let mut fields = fields.to_vec();
                fields.push(("code", code.expect("a code")));
                browser.submit(&sent_page, "code-form", &fields, None).await;
            } else {
                let page = browser.get(&crate::login::link(&app, &sent)).await;
                browser.submit(&page, "magic-confirm-form", fields, None).await;
            }
            app.advance(Duration::from_secs(2 * 3_600));
            assert_eq!(browser.get("/account").await.url.ends_with("/account"), remember, "by code: {by_code}");
        }
        let metrics = app.http.get(app.url("/metrics")).send().await.expect("an answer").text().await.expect("text");
        assert!(metrics.contains(r#"countersign_sign_ins_total{method="mail",outcome="success"} 3"#), "{metrics}");
    }
}

/// Used by the other modules through the page itself; here it is what ends one's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_button_of_a_row_ends_that_row() {
    let app = TestApp::start(crate::support::Database::Sqlite).await;
    app.user("ada").await;
    let (mut here, mut there) = (app.signed_in("ada").await, app.signed_in("ada").await);
    let own = there.get("/account/sessions").await.forms()[0].field("session").unwrap().to_owned();
    let page = here.get("/account/sessions").await;
    press(&mut here, &page, "/account/sessions/end", "session", &own).await;
    assert!(there.get("/account").await.url.ends_with("/login"));
}
