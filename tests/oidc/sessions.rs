//! Sessions and their cookies, as the wire shows them (SE-1 to SE-5).

use std::time::Duration;

use reqwest::Method;

use crate::on_both_databases;
use crate::support::{Browser, Database, PASSWORD, Page, Settings, TestApp, TestClient};

const HOUR: u64 = 3600;

async fn ready(database: Database) -> (TestApp, TestClient) {
    let app = TestApp::start(database).await;
    app.user("ada").await;
    let client = app.client("calendar").await;
    (app, client)
}

/// Signs Ada in and gives the `Set-Cookie` lines of the whole way.
async fn cookie_lines(app: &TestApp, remember: bool) -> Vec<String> {
    let mut browser = app.browser();
    let mut lines = Vec::new();
    let answer = browser.once(Method::GET, "/login", None).await;
    collect(&answer, &mut lines);
    let page = Page {
        url: format!("{}/login", app.issuer),
        status: 200,
        headers: answer.headers().clone(),
        html: answer.text().await.unwrap(),
    };
    let mut form = page.form("login-form");
    form.set("username", "ada@example.com");
    form.set("password", PASSWORD);
    if remember {
        form.set("remember", "yes");
    }
    let answer = browser.once(Method::POST, "/login", Some(&form.fields)).await;
    assert_eq!(answer.status(), 303);
    collect(&answer, &mut lines);
    lines
}

fn collect(answer: &reqwest::Response, lines: &mut Vec<String>) {
    lines.extend(answer.headers().get_all("set-cookie").iter().map(|line| line.to_str().unwrap().to_owned()));
}

fn line<'a>(lines: &'a [String], name: &str) -> &'a str {
    let found = lines.iter().find(|line| line.starts_with(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("no cookie {name}: {lines:?}"))
}

fn attributes(line: &str) -> Vec<String> {
    line.split(';').skip(1).map(|attribute| attribute.trim().to_ascii_lowercase()).collect()
}

/// Whether the application still finds somebody signed in, without any page.
async fn is_signed_in(client: &TestClient, browser: &mut Browser) -> bool {
    let page = browser.get(&client.flow("openid").with("prompt", "none").path()).await;
    page.query().get("error").map(String::as_str) != Some("login_required")
}

on_both_databases! {
    async fn se_1_on_https_every_cookie_is_bound_to_this_host(database) {
        let settings = Settings::with(|config| config.issuer = "https://id.example.com".parse().unwrap());
        let app = TestApp::start_with(database, settings).await;
        app.user("ada").await;
        for remember in [false, true] {
            let lines = cookie_lines(&app, remember).await;
            for name in ["__Host-cs-browser", "__Host-cs-sessions", "__Host-cs-devices"] {
                let line = line(&lines, name);
                let attributes = attributes(line);
                for needed in ["secure", "httponly", "samesite=lax", "path=/"] {
                    assert!(attributes.iter().any(|attribute| attribute == needed), "{needed}: {line}");
                }
                assert!(!attributes.iter().any(|attribute| attribute.starts_with("domain")), "{line}");
                assert!(line.len() < 4096);
            }
            assert!(lines.iter().all(|line| line.starts_with("__Host-")), "{lines:?}");
            let lasting = attributes(line(&lines, "__Host-cs-sessions")).iter().any(|one| one.starts_with("max-age"));
            assert_eq!(lasting, remember, "a session cookie unless the person wants more");
        }
    }

    async fn se_1_on_a_loopback_issuer_the_same_without_what_http_cannot_keep(database) {
        let (app, _) = ready(database).await;
        let lines = cookie_lines(&app, false).await;
        for name in ["cs-browser", "cs-sessions", "cs-devices"] {
            let attributes = attributes(line(&lines, name));
            for needed in ["httponly", "samesite=lax", "path=/"] {
                assert!(attributes.iter().any(|attribute| attribute == needed), "{name} {needed}");
            }
            assert!(!attributes.iter().any(|one| one == "secure" || one.starts_with("domain")), "{name}");
        }
    }

    async fn se_1_an_https_issuer_runs_the_whole_way(database) {
        let settings = Settings::with(|config| config.issuer = "https://id.example.com/auth".parse().unwrap());
        let app = TestApp::start_with(database, settings).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let tokens = client.sign_in(&mut browser, "ada", "openid email").await;
        assert_eq!(tokens.id_claims()["iss"], "https://id.example.com/auth");
        assert_eq!(client.userinfo(&tokens.access_token).await.body["email"], "ada@example.com");
        assert!(browser.cookies.keys().all(|name| name.starts_with("__Host-")));
        // A cookie that another host or plain http could have set is not looked at.
        let mut planted = app.browser();
        for (name, value) in &browser.cookies {
            planted.cookies.insert(name.trim_start_matches("__Host-").to_owned(), value.clone());
        }
        assert!(!is_signed_in(&client, &mut planted).await);
    }

    async fn se_2_every_login_makes_a_new_secret_and_the_old_one_dies(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        client.sign_in(&mut browser, "ada", "openid").await;
        let before = browser.clone();
        app.advance(Duration::from_secs(5));
        let flow = client.flow("openid").with("prompt", "login");
        client.authorize(&mut browser, &flow, "ada").await;
        assert_ne!(before.cookies["cs-sessions"], browser.cookies["cs-sessions"]);
        assert!(is_signed_in(&client, &mut browser).await);
        assert!(!is_signed_in(&client, &mut before.clone()).await, "the secret before is dead");
        // A secret that was planted before the login is not taken up (session fixation).
        let mut victim = app.browser();
        let planted = "A".repeat(43);
        victim.cookies.insert("cs-sessions".into(), planted.clone());
        client.sign_in(&mut victim, "ada", "openid").await;
        assert!(!victim.cookies["cs-sessions"].contains(&planted));
    }

    async fn se_2_what_is_no_secret_of_ours_is_nobody(database) {
        let (app, client) = ready(database).await;
        let mut real = app.browser();
        client.sign_in(&mut real, "ada", "openid").await;
        let good = real.cookies["cs-sessions"].clone();
        for cookie in [
            String::new(),
            ".".repeat(100),
            "A".repeat(43),
            good[..42].to_owned(),
            good.to_uppercase(),
            format!("{good}x"),
            "' OR 1=1 --".to_owned(),
            "%00".to_owned(),
            vec!["B".repeat(43); 80].join("."),
        ] {
            let mut browser = app.browser();
            browser.cookies.insert("cs-sessions".into(), cookie.clone());
            assert!(!is_signed_in(&client, &mut browser).await, "{cookie}");
            assert_eq!(browser.get("/").await.status, 200);
        }
        // The id of a session, which tokens carry, opens nothing.
        let sid = client.sign_in(&mut real, "ada", "openid").await.id_claims()["sid"].as_str().unwrap().to_owned();
        let mut browser = app.browser();
        browser.cookies.insert("cs-sessions".into(), sid);
        assert!(!is_signed_in(&client, &mut browser).await);
    }

    async fn se_4_a_session_ends_after_eight_idle_hours(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        client.sign_in(&mut browser, "ada", "openid").await;
        let mut untouched = browser.clone();
        app.advance(Duration::from_secs(7 * HOUR));
        assert!(is_signed_in(&client, &mut browser).await, "and is used by this");
        app.advance(Duration::from_secs(7 * HOUR));
        assert!(is_signed_in(&client, &mut browser).await);
        app.advance(Duration::from_secs(8 * HOUR));
        assert!(!is_signed_in(&client, &mut browser).await);
        assert!(!is_signed_in(&client, &mut untouched).await);
        assert!(browser.get("/account").await.has_id("login-form"), "every page asks the same");
    }

    async fn se_4_and_after_a_day_however_busy_it_is(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let tokens = client.sign_in(&mut browser, "ada", "openid").await;
        for _ in 0..5 {
            app.advance(Duration::from_secs(4 * HOUR));
            assert!(is_signed_in(&client, &mut browser).await);
        }
        app.advance(Duration::from_secs(4 * HOUR - 1));
        assert!(is_signed_in(&client, &mut browser).await);
        app.advance(Duration::from_secs(1));
        assert!(!is_signed_in(&client, &mut browser).await);
        // What hangs on the session ends with it.
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
    }

    async fn se_4_remembered_sessions_last_thirty_days(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let flow = client.flow("openid");
        let page = browser.get(&flow.path()).await;
        let typed = [("username", "ada@example.com"), ("password", PASSWORD), ("remember", "yes")];
        let page = browser.submit(&page, "login-form", &typed, None).await;
        browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        app.advance(Duration::from_secs(29 * 24 * HOUR));
        assert!(is_signed_in(&client, &mut browser).await);
        app.advance(Duration::from_secs(24 * HOUR));
        assert!(!is_signed_in(&client, &mut browser).await);
    }

    async fn ar_4_a_restart_neither_revives_nor_ends_a_session(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        client.sign_in(&mut browser, "ada", "openid").await;
        let mut ended = app.browser();
        let tokens = client.sign_in(&mut ended, "ada", "openid").await;
        let old = ended.cookies.clone();
        ended.get(&format!("/oauth2/logout?id_token_hint={}", tokens.id_token.unwrap())).await;
        let (clock, issuer) = (app.clock.clone(), app.issuer.clone());
        let database = app.stop().await;
        let settings = Settings::with(move |config| config.issuer = issuer.parse().unwrap()).at(&clock);
        let app = TestApp::serve(database, settings).await;
        let moved = |cookies| {
            let mut browser = app.browser();
            browser.cookies = cookies;
            browser
        };
        assert!(is_signed_in(&client, &mut moved(browser.cookies)).await);
        assert!(!is_signed_in(&client, &mut moved(old)).await);
    }

    async fn se_5_a_disabled_user_is_signed_out_everywhere(database) {
        let (app, client) = ready(database).await;
        let (mut one, mut two) = (app.browser(), app.browser());
        let tokens = client.sign_in(&mut one, "ada", "openid offline_access").await;
        client.sign_in(&mut two, "ada", "openid").await;
        let ada = tokens.id_claims()["sub"].as_str().unwrap().parse().unwrap();
        countersign::tenancy::users::disable(&app.app, ada, &countersign::audit::Origin::command_line()).await.unwrap();
        for browser in [&mut one, &mut two] {
            assert!(!is_signed_in(&client, browser).await);
            assert!(browser.get("/account").await.has_id("login-form"));
        }
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
    }

    async fn a_sixth_account_takes_the_place_of_the_oldest_and_the_cookie_stays_small(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        client.sign_in(&mut browser, "ada", "openid").await;
        for n in 0..5 {
            let name = format!("user{n}");
            app.user(&name).await;
            browser.sign_in(&name).await;
        }
        assert!(browser.cookies["cs-sessions"].len() < 300);
        let page = browser.get(&client.flow("openid").path()).await;
        assert!(page.has_id("choose-form") && !page.text().contains("ada@example.com"), "{}", page.text());
        assert!(page.text().contains("user4@example.com") && page.text().contains("user0@example.com"));
    }
}
