//! Signing in by mail: the link, the digits, and what neither may do.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::config::RegistrationMode;
use countersign::store::outbox::Message;
use countersign::tenancy::users;
use reqwest::Method;

use super::{assert_page_headers, comparable_headers, link, mails};
use crate::on_both_databases;
use crate::support::{Browser, Page, Settings, TestApp};

on_both_databases! {
    async fn pw_7_a_link_that_scanners_looked_at_completes_the_sign_in_where_it_was_asked_for(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let (mut browser, flow) = (app.browser(), client.flow("openid"));
        let page = browser.get(&flow.path()).await;
        let page = ask(&mut browser, &page, "Ada@Example.com").await;
        assert!(page.has_id("magic-sent") && page.status == 200, "{}", page.text());
        let sent = mails(&app).await;
        assert_eq!((sent.len(), sent[0].recipient.as_str()), (1, "ada@example.com"), "PW-11: the stored address");
        let path = link(&app, &sent[0]);
        for method in [Method::GET, Method::HEAD].into_iter().cycle().take(20) {
            assert_eq!(app.browser().once(method, &path, None).await.status(), 200);
        }

        let page = browser.get(&path).await;
        assert_page_headers(&page);
        assert_eq!(page.header("referrer-policy"), "no-referrer", "CH-3");
        assert!(page.text().contains("ada@example.com") && page.text().contains("calendar"), "{}", page.text());
        assert!(!page.has_id("magic-elsewhere"));
        let page = browser.submit(&page, "magic-confirm-form", &[], None).await;
        assert!(page.has_id("consent-form"), "{}", page.text());
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        let tokens = client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
        assert_eq!(tokens.id_claims()["amr"], serde_json::json!(["mail"]));
        assert_eq!(tokens.id_claims()["acr"], "urn:countersign:acr:1fa");
        let page = browser.get(&path).await;
        assert!(page.status == 410 && page.has_id("link-expired"), "it works once");
    }

    async fn pw_9_another_browser_is_asked_and_never_completes_the_sign_in_of_the_first(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let (mut browser, mut elsewhere) = (app.browser(), app.browser());
        let waiting = browser.get(&client.flow("openid").path()).await;
        ask(&mut browser, &waiting, "ada@example.com").await;
        let path = link(&app, &mails(&app).await[0]);
        let page = elsewhere.get(&path).await;
        assert!(page.has_id("magic-elsewhere"), "{}", page.text());
        assert!(page.text().contains("ada@example.com") && page.text().contains("calendar"));
        let page = elsewhere.submit(&page, "magic-confirm-form", &[], None).await;
        assert_eq!(page.url, app.url("/"));
        assert!(page.text().contains("ada@example.com"));
        // The first browser is where it was.
        assert!(browser.get(&waiting.url).await.has_id("login-form"));
        assert!(browser.get("/account").await.url.ends_with("/login"));
    }

    async fn se_8_a_form_that_another_site_makes_the_browser_send_signs_nobody_in(database) {
        let app = TestApp::start(database).await;
        app.user("eve").await;
        let mut browser = app.browser();
        let page = browser.get("/login").await;
        ask(&mut browser, &page, "eve@example.com").await;
        let path = link(&app, &mails(&app).await[0]);
        let mut victim = app.browser();
        victim.get("/login").await;
        let page = victim.post(&path, &[("csrf".to_owned(), "x".to_owned())]).await;
        assert!(page.status == 403 && !victim.cookies.contains_key("cs-sessions"), "{}", page.text());
        assert_eq!(browser.get(&path).await.status, 200, "nothing was spent");
    }

    async fn the_digits_sign_in_the_browser_that_asked_and_no_other(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let (mut browser, flow) = (app.browser(), client.flow("openid"));
        let page = browser.get(&flow.path()).await;
        let page = ask(&mut browser, &page, "ada@example.com").await;
        let mail = mails(&app).await.remove(0);
        let digits = digits(&mail);

        let mut other = app.browser();
        let start = other.get("/login").await;
        let theirs = ask(&mut other, &start, "nobody@example.com").await;
        let refused = type_code(&mut other, &theirs, &digits).await;
        assert!(refused.status == 401 && refused.has_id("code-error"), "{}", refused.text());

        let spaced = format!(" {} {}", &digits[..3], &digits[3..]);
        let page = type_code(&mut browser, &page, &spaced).await;
        assert!(page.has_id("consent-form"), "{}", page.text());
        // Link and digits are spent together.
        assert_eq!(app.browser().get(&link(&app, &mail)).await.status, 410);
    }

    async fn after_five_wrong_tries_the_right_digits_are_worth_nothing(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        for address in ["ada@example.com", "nobody@example.com"] {
            let mut browser = app.browser();
            let page = browser.get("/login").await;
            let page = ask(&mut browser, &page, address).await;
            let right = mails(&app).await.iter().find_map(code_in).unwrap_or_default();
            let wrong = if right == "000000" { "000001" } else { "000000" };
            for _ in 0..4 {
                let answer = type_code(&mut browser, &page, wrong).await;
                assert!(answer.status == 401 && answer.has_id("code-form"), "{}", answer.text());
            }
            let answer = type_code(&mut browser, &page, wrong).await;
            assert!(answer.status == 401 && !answer.has_id("code-form"), "void: {}", answer.text());
            let answer = type_code(&mut browser, &page, &right).await;
            assert!(answer.status == 401 && !browser.cookies.contains_key("cs-sessions"), "{}", answer.text());
        }
        // Only the digits are void: whoever reads the mail still gets in (RL-4).
        let path = link(&app, &mails(&app).await[0]);
        assert_eq!(app.browser().get(&path).await.status, 200);
    }

    async fn ar_1_of_fifty_that_confirm_at_once_one_is_signed_in(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.browser();
        let page = browser.get("/login").await;
        let sent = ask(&mut browser, &page, "ada@example.com").await;
        let mail = mails(&app).await.remove(0);
        let confirm = browser.get(&link(&app, &mail)).await.form("magic-confirm-form");
        let mut code = sent.form("code-form");
        code.set("code", &digits(&mail));
        let tries = (0..50).map(|at| {
            let (mut browser, form) = (browser.clone(), if at % 2 == 0 { &confirm } else { &code });
            async move { browser.once(Method::POST, &form.action, Some(&form.fields)).await.status().as_u16() }
        });
        let answers = futures_util::future::join_all(tries).await;
        assert_eq!(answers.iter().filter(|status| **status == 303).count(), 1, "{answers:?}");
        let begun = app.audit().await.into_iter().filter(|event| event == "session.begun success").count();
        assert_eq!(begun, 1);
    }

    async fn pw_8_it_lives_ten_minutes_and_a_newer_one_voids_it(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.browser();
        let page = browser.get("/login").await;
        ask(&mut browser, &page, "ada@example.com").await;
        app.advance(Duration::from_secs(1));
        let newer = ask(&mut browser, &page, "ada@example.com").await;
        let sent = mails(&app).await;
        assert_eq!(browser.get(&link(&app, &sent[0])).await.status, 410);
        assert_eq!(type_code(&mut browser, &newer, &digits(&sent[0])).await.status, 401);
        app.advance(Duration::from_secs(599));
        assert_eq!(browser.get(&link(&app, &sent[1])).await.status, 200);
        app.advance(Duration::from_secs(1));
        assert_eq!(browser.get(&link(&app, &sent[1])).await.status, 410);
        assert_eq!(type_code(&mut browser, &newer, &digits(&sent[1])).await.status, 401);
        // PW-8: a link for one act is nothing to another.
        assert_eq!(browser.get(&link(&app, &sent[1]).replace("/login/magic/", "/register/")).await.status, 410);
    }

    async fn pw_6_every_address_gets_the_same_answer_and_only_accounts_get_a_link(database) {
        let closed = Settings::with(|config| config.registration.mode = Some(RegistrationMode::Closed));
        let app = TestApp::start_with(database, closed).await;
        app.user("known").await;
        app.user_with("unverified", |user| user.email_verified = false).await;
        app.user_with("passwordless", |user| user.password = None).await;
        let disabled = app.user("disabled").await;
        users::disable(&app.app, disabled, &Origin::command_line()).await.unwrap();
        let mut answers = Vec::new();
        for name in ["known", "unknown", "disabled", "unverified", "passwordless"] {
            let mut browser = app.browser();
            let page = browser.get("/login").await;
            let page = ask(&mut browser, &page, &format!("{name}@example.com")).await;
            let csrf = page.form("code-form").field("csrf").unwrap().to_owned();
            let headers = comparable_headers(&page);
            let wrong = type_code(&mut browser, &page, "abc").await;
            let cookies: Vec<String> = browser.cookies.keys().cloned().collect();
            let body = |html: &str| html.replace(&csrf, "").replace(name, "");
            let refused = body(&wrong.html).replace(wrong.header("x-request-id"), "");
            answers.push((page.status, body(&page.html), headers, wrong.status, refused, cookies));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:#?}");
        let sent = mails(&app).await;
        let mut to: Vec<&str> = sent.iter().map(|mail| mail.recipient.as_str()).collect();
        to.sort_unstable();
        assert_eq!(to, ["known@example.com", "passwordless@example.com", "unverified@example.com"]);
    }

    async fn where_anybody_may_register_a_stranger_learns_how(database) {
        let app = TestApp::start(database).await;
        let mut browser = app.browser();
        let page = browser.get("/login").await;
        ask(&mut browser, &page, "nobody@example.com").await;
        let sent = mails(&app).await;
        assert_eq!(sent[0].recipient, "nobody@example.com");
        assert!(sent[0].body_text.contains(&app.url("/register")) && code_in(&sent[0]).is_none());
    }

    async fn whoever_asks_for_the_page_of_an_answer_begins_anew(database) {
        let app = TestApp::start(database).await;
        for path in ["/login/magic", "/login/code"] {
            let page = app.browser().get(path).await;
            assert!(page.status == 200 && page.url.ends_with("/login"), "{path}: {} {}", page.status, page.url);
        }
    }

    async fn pw_11_one_plain_address_is_asked_for(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.browser();
        let page = browser.get("/login").await;
        for hostile in [
            "", "ada", "ada@example.com,eve@example.org", "ada@example.com\r\nBcc: eve@example.org",
            "ada@example.com eve@example.org", "\u{430}da@example.com", "a@b@example.com",
        ] {
            let answer = ask(&mut browser, &page, hostile).await;
            assert!(answer.status == 422 && answer.has_id("login-error"), "{hostile:?}: {}", answer.text());
        }
        let mut twice = page.form("magic-form").fields;
        twice.retain(|(name, _)| name != "email");
        twice.extend(["ada@example.com", "eve@example.org"].map(|email| ("email".to_owned(), email.to_owned())));
        assert_eq!(browser.post("/login/magic", &twice).await.status, 400);
        assert_eq!(ask(&mut browser, &page, "ada@example.com\u{0}").await.status, 400);
        assert!(mails(&app).await.is_empty());
    }

    async fn pw_10_whoever_is_disabled_after_the_mail_went_out_is_not_signed_in(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let mut browser = app.browser();
        let page = browser.get("/login").await;
        ask(&mut browser, &page, "ada@example.com").await;
        let page = browser.get(&link(&app, &mails(&app).await[0])).await;
        users::disable(&app.app, ada, &Origin::command_line()).await.unwrap();
        let page = browser.submit(&page, "magic-confirm-form", &[], None).await;
        assert!(page.status == 410 && !browser.cookies.contains_key("cs-sessions"), "{}", page.text());
    }

    async fn pw_13_whoever_opens_the_mail_has_proven_the_address(database) {
        let app = TestApp::start(database).await;
        app.user_with("ada", |user| user.email_verified = false).await;
        let client = app.client("calendar").await;
        let (mut browser, flow) = (app.browser(), client.flow("openid email"));
        let page = browser.get(&flow.path()).await;
        let page = ask(&mut browser, &page, "ada@example.com").await;
        let page = type_code(&mut browser, &page, &digits(&mails(&app).await[0])).await;
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        let tokens = client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
        assert_eq!(client.userinfo(&tokens.access_token).await.body["email_verified"], true);
        assert!(app.audit().await.contains(&"user.email_verified success".to_owned()));
    }

    async fn rl_4_whoever_guesses_links_keeps_nobody_from_a_good_one(database) {
        let settings = Settings::with(|config| config.limits.link_tries.count = 3);
        let app = TestApp::start_with(database, settings).await;
        app.user("ada").await;
        let mut owner = app.browser();
        let page = owner.get("/login").await;
        ask(&mut owner, &page, "ada@example.com").await;
        let good = link(&app, &mails(&app).await[0]);
        let statuses: Vec<u16> = {
            let mut stranger = app.browser();
            let mut statuses = Vec::new();
            for _ in 0..5 {
                statuses.push(stranger.get("/login/magic/guess").await.status);
            }
            statuses
        };
        assert_eq!(statuses, [410, 410, 410, 429, 429]);
        let page = owner.get(&good).await;
        assert!(page.status == 200 && page.has_id("magic-confirm-form"), "{}: {}", page.status, page.text());
        assert_eq!(owner.submit(&page, "magic-confirm-form", &[], None).await.status, 200);
    }

    async fn rl_4_one_stranger_alone_does_not_use_up_the_owners_mails_elsewhere(database) {
        let settings = Settings::with(|config| config.server.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]);
        let app = TestApp::start_with(database, settings).await;
        app.user("ada").await;
        let from = async |address: &str| {
            let mut browser = app.browser();
            browser.headers.push(("x-forwarded-for", address.to_owned()));
            let page = browser.get("/login").await;
            ask(&mut browser, &page, "ada@example.com").await.status
        };
        let mut taken = 0;
        for _ in 0..5 {
            taken += usize::from(from("203.0.113.1").await == 200);
        }
        assert_eq!(taken, 3);
        // The owner, on a device that nobody knows yet.
        for _ in 0..3 {
            assert_eq!(from("198.51.100.7").await, 200);
        }
        assert_eq!(from("198.51.100.8").await, 429, "from anywhere");
    }

    async fn rl_3_three_mails_an_hour_and_rl_4_strangers_do_not_use_up_the_owners(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut owner = app.signed_in("ada").await;
        let mut stranger = app.browser();
        for address in ["ada@example.com", "nobody@example.com"] {
            let page = stranger.get("/login").await;
            for _ in 0..3 {
                assert_eq!(ask(&mut stranger, &page, address).await.status, 200);
            }
            let refused = ask(&mut stranger, &page, address).await;
            assert_eq!(refused.status, 429, "{address}");
            assert!(!refused.header("retry-after").is_empty() && refused.has_id("login-error"));
        }
        let page = owner.get("/login").await;
        assert_eq!(ask(&mut owner, &page, "ada@example.com").await.status, 200);
    }
}

/// Asks for a mail on the sign-in page.
pub async fn ask(browser: &mut Browser, page: &Page, email: &str) -> Page {
    browser.submit(page, "magic-form", &[("email", email)], None).await
}

async fn type_code(browser: &mut Browser, page: &Page, code: &str) -> Page {
    browser.submit(page, "code-form", &[("code", code)], None).await
}

/// The digits that stand alone on a line of the mail.
fn code_in(mail: &Message) -> Option<String> {
    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit());
    mail.body_text.lines().find(is_code).map(str::to_owned)
}

fn digits(mail: &Message) -> String {
    code_in(mail).expect("the mail has digits")
}
