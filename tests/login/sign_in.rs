//! `/` and `/login`.

use reqwest::Method;

use super::assert_page_headers;
use crate::on_both_databases;
use crate::support::{PASSWORD, Settings, TestApp};

on_both_databases! {
    async fn the_landing_page_knows_who_is_signed_in(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.browser();
        let page = browser.get("/").await;
        assert_page_headers(&page);
        assert!(page.has_id("landing-sign-in") && page.links().contains(&"/dev/app".to_owned()));

        let page = browser.sign_in("ada").await;
        assert_eq!(page.url, format!("{}/", app.issuer));
        assert!(page.text().contains("ada@example.com") && !page.has_id("landing-sign-in"));
    }

    async fn pw_6_every_wrong_sign_in_has_one_answer_and_keeps_what_was_typed(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let disabled = app.user("bob").await;
        countersign::tenancy::users::disable(&app.app, disabled, &countersign::audit::Origin::command_line())
            .await
            .unwrap();
        app.user_with("eve", |eve| eve.password = None).await;
        let mut texts = Vec::new();
        for (name, password) in
            [("ada", "wrong"), ("nobody", PASSWORD), ("bob", PASSWORD), ("eve", PASSWORD), ("eve", ""), ("ada", "")]
        {
            let mut browser = app.browser();
            let page = browser.get("/login").await;
            let page = browser.answer_login(&page, name, password).await;
            assert_eq!(page.status, 401, "{name}");
            assert_page_headers(&page);
            assert!(page.has_id("login-error"), "{}", page.text());
            let form = page.form("login-form");
            assert_eq!(form.field("username"), Some(format!("{name}@example.com").as_str()));
            assert_eq!(form.field("password"), Some(""));
            assert!(!browser.cookies.contains_key("cs-sessions") && !browser.cookies.contains_key("cs-devices"));
            texts.push(page.text().replace(page.header("x-request-id"), ""));
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:#?}");
    }

    async fn rl_3_too_many_wrong_passwords_are_stopped_and_the_known_device_is_not(database) {
        let settings = Settings::with(|config| config.limits.login_failures.count = 3);
        let app = TestApp::start_with(database, settings).await;
        app.user("ada").await;
        let mut owner = app.signed_in("ada").await;
        let mut stranger = app.browser();
        let page = stranger.get("/login").await;
        for _ in 0..3 {
            assert_eq!(stranger.answer_login(&page, "ada", "wrong").await.status, 401);
        }
        let page = stranger.answer_login(&page, "ada", PASSWORD).await;
        assert_eq!(page.status, 429);
        assert!(page.header("retry-after").parse::<u64>().unwrap() > 0 && page.has_id("login-error"));

        // RL-4: the owner's own browser has a counter of its own.
        owner.cookies.remove("cs-sessions");
        let page = owner.sign_in("ada").await;
        assert!(page.text().contains("ada@example.com"));
    }

    async fn rl_4_failures_from_one_address_do_not_lock_out_another(database) {
        let settings = Settings::with(|config| {
            config.server.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
            config.limits.login_per_account.count = 6;
        });
        let app = TestApp::start_with(database, settings).await;
        app.user("ada").await;
        let at = |address: &str| {
            let mut browser = app.browser();
            browser.headers.push(("x-forwarded-for", address.to_owned()));
            browser
        };
        let guess = async |address: &str| {
            let mut stranger = at(address);
            let page = stranger.get("/login").await;
            let mut compared = 0;
            for _ in 0..8 {
                compared += usize::from(stranger.answer_login(&page, "ada", "wrong").await.status == 401);
            }
            compared
        };
        // One address has three of the six tries, and no more when the owner was here meanwhile.
        assert_eq!(guess("203.0.113.1").await, 3);
        at("198.51.100.7").sign_in("ada").await;
        assert_eq!(guess("203.0.113.1").await, 0);
        // Of two together each further one begins a pause for strangers, wherever they are.
        assert_eq!((guess("203.0.113.2").await, guess("203.0.113.3").await), (3, 1));
        let mut owner = at("198.51.100.7");
        let page = owner.get("/login").await;
        assert_eq!(owner.answer_login(&page, "ada", PASSWORD).await.header("retry-after"), "2");
        app.advance(std::time::Duration::from_secs(2));
        owner.sign_in("ada").await;
    }

    async fn pw_12_an_account_has_one_throttle_whatever_it_is_called(database) {
        let settings = Settings::with(|config| config.limits.login_failures.count = 3);
        let app = TestApp::start_with(database, settings).await;
        app.user_with("ada", |new| new.username = Some("countess".to_owned())).await;
        let mut stranger = app.browser();
        let page = stranger.get("/login").await;
        let mut statuses = Vec::new();
        for name in ["ada@example.com", "countess", "COUNTESS", " Ada@Example.com", "countess"] {
            let fields = [("username", name), ("password", "wrong")];
            statuses.push(stranger.submit(&page, "login-form", &fields, None).await.status);
        }
        assert_eq!(statuses, [401, 401, 401, 429, 429]);
    }

    async fn ch_1_a_form_of_another_site_or_another_browser_is_refused(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let (mut ours, mut other) = (app.browser(), app.browser());
        let page = ours.get("/login").await;
        other.get("/login").await;
        let page = other.answer_login(&page, "ada", PASSWORD).await;
        assert_eq!(page.status, 403, "SE-8: the token of one browser in another");
        assert!(page.has_id("error-page") && !other.cookies.contains_key("cs-sessions"));

        let form = ours.get("/login").await.form("login-form");
        let mut fields = form.fields.clone();
        fields.retain(|(name, _)| !["username", "password"].contains(&name.as_str()));
        fields.push(("username".to_owned(), "ada@example.com".to_owned()));
        fields.push(("password".to_owned(), PASSWORD.to_owned()));
        let request = app
            .http
            .post(app.url("/login"))
            .header("cookie", format!("cs-browser={}", ours.cookies["cs-browser"]))
            .header("origin", "https://evil.example")
            .form(&fields);
        assert_eq!(request.send().await.unwrap().status(), 403);
    }

    async fn se_2_each_sign_in_makes_a_new_secret_and_the_old_one_dies(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.signed_in("ada").await;
        let mut thief = browser.clone();
        let before = browser.cookies["cs-sessions"].clone();
        browser.sign_in("ada").await;
        assert_ne!(browser.cookies["cs-sessions"], before);
        assert!(thief.get("/account").await.url.ends_with("/login"));
        assert!(browser.get("/account").await.url.ends_with("/account"));
    }

    async fn az_12_a_sign_in_answers_303_and_remembers_when_asked(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        for remember in [false, true] {
            let mut browser = app.browser();
            let page = browser.get("/login").await;
            let mut form = page.form("login-form");
            form.set("username", "ADA@example.com");
            form.set("password", PASSWORD);
            if remember {
                form.set("remember", "yes");
            }
            let answer = browser.once(Method::POST, "/login", Some(&form.fields)).await;
            assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &"/".parse().unwrap()));
            let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
            let sessions = cookies.iter().find(|cookie| cookie.starts_with("cs-sessions=")).unwrap();
            assert_eq!(sessions.contains("Max-Age"), remember, "{sessions}");
            assert!(sessions.contains("HttpOnly") && sessions.contains("SameSite=Lax"));
        }
    }

    async fn the_page_names_the_application_and_cancelling_tells_it(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let flow = client.flow("openid").with("login_hint", "ada@example.com").with("ui_locales", "de");
        let page = browser.get(&flow.path()).await;
        assert!(page.text().contains("calendar"));
        assert_eq!(page.header("content-language"), "de");
        assert_eq!(page.form("login-form").field("username"), Some("ada@example.com"));
        assert!(!page.header("content-security-policy").contains("form-action"), "CH-2");
        let page = browser.submit(&page, "login-form", &[], Some(("action", "deny"))).await;
        let query = page.query();
        assert!(page.url.starts_with(&client.redirect_uri), "{}", page.url);
        assert_eq!((query["error"].as_str(), query["state"].as_str()), ("access_denied", "st4te"));
    }

    async fn ar_6_a_request_is_of_no_use_in_another_browser(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let page = browser.get(&client.flow("openid").path()).await;
        let request = page.form("login-form").field("request").unwrap().to_owned();
        let mut other = app.signed_in("ada").await;
        for path in ["/login", "/login/choose", "/consent"] {
            let page = other.get(&format!("{path}?request={request}")).await;
            assert_eq!(page.status, 400, "{path}");
            assert!(page.has_id("error-page"));
        }
        for nonsense in ["", "arq_x", "%3Cscript%3E"] {
            let page = other.get(&format!("/consent?request={nonsense}")).await;
            assert_eq!(page.status, 400, "{nonsense}");
        }
    }

    async fn a_sign_in_in_another_tab_is_enough(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let waiting = browser.get(&client.flow("openid").path()).await;
        assert!(waiting.has_id("login-form"));
        browser.sign_in("ada").await;
        let page = browser.get(&waiting.url).await;
        assert!(page.has_id("consent-form"), "{}", page.text());
        // And whoever asks for another account gets the form.
        let page = browser.get(&format!("{}&other=1", waiting.url)).await;
        assert!(page.has_id("login-form"));
    }

    async fn az_11_prompt_login_asks_for_the_password_again(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.signed_in("ada").await;
        app.advance(std::time::Duration::from_secs(60));
        let page = browser.get(&client.flow("openid").with("prompt", "login").path()).await;
        let form = page.form("login-form");
        assert_eq!(form.field("username"), Some("ada@example.com"));
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        assert!(page.has_id("consent-form"), "{}", page.text());
    }

    async fn pw_2_a_password_that_is_too_long_is_wrong_and_no_error_page(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.browser();
        let page = browser.get("/login").await;
        let page = browser.answer_login(&page, "ada", &"\u{1f9ed}".repeat(300)).await;
        assert_eq!(page.status, 401);
    }
}
