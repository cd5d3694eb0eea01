//! The headers of every page, and that looking changes nothing (CH-1 to CH-3, TK-13).

use crate::on_both_databases;
use crate::support::{Browser, Database, PASSWORD, Page, Settings, TestApp, TestClient};

/// The policy of a page, directive by directive.
fn policy(page: &Page) -> Vec<(String, String)> {
    let policy = page.header("content-security-policy").to_owned();
    let directive = |text: &str| {
        let (name, value) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        (name.to_owned(), value.to_owned())
    };
    policy.split(';').map(directive).collect()
}

/// What holds for every page; `form-action` where the page stands alone, and not where a request is running.
#[track_caller]
fn assert_guarded(what: &str, page: &Page, alone: bool) {
    assert!(page.header("content-type").starts_with("text/html; charset=utf-8"), "{what}");
    assert_eq!(page.header("cache-control"), "no-store", "{what}");
    assert_eq!(page.header("x-content-type-options"), "nosniff", "{what}");
    assert!(["same-origin", "no-referrer"].contains(&page.header("referrer-policy")), "{what}");
    assert_eq!(
        page.header("cross-origin-opener-policy"),
        if alone { "same-origin" } else { "unsafe-none" },
        "{what}"
    );
    assert!(!page.header("x-request-id").is_empty(), "{what}");
    assert!(page.header("access-control-allow-origin").is_empty(), "{what}");
    assert!(page.header("server").is_empty() && page.header("x-powered-by").is_empty(), "{what}");
    let policy = policy(page);
    for (directive, value) in [
        ("default-src", "'none'"),
        ("script-src", "'self'"),
        ("style-src", "'self'"),
        ("frame-ancestors", "'none'"),
        ("base-uri", "'none'"),
    ] {
        assert!(policy.contains(&(directive.to_owned(), value.to_owned())), "{what} {directive}: {policy:?}");
    }
    let form_action = policy.iter().find(|(name, _)| name == "form-action").map(|(_, value)| value.as_str());
    assert_eq!(form_action, alone.then_some("'self'"), "{what}");
    assert!(!page.header("content-security-policy").contains("unsafe"), "{what}");
    // What the policy forbids is not there in the first place.
    let html = page.html.to_lowercase();
    for inline in [
        "<style",
        " style=",
        " onclick=",
        " onload=",
        " onsubmit=",
        "javascript:",
        "<base ",
        "<iframe",
        "<object",
    ] {
        assert!(!html.contains(inline), "{what} has {inline}");
    }
    for script in html.split("<script").skip(1) {
        assert!(script.trim_start().starts_with("src="), "{what} has an inline script");
    }
    for form in page.forms() {
        let tokenless = form.field("csrf").is_none_or(str::is_empty);
        assert!(!tokenless || form.id == "form-post", "{what}: the form {} has no token", form.id);
    }
}

struct Tour {
    app: TestApp,
    client: TestClient,
    browser: Browser,
}

async fn ready(database: Database, settings: Settings) -> Tour {
    let app = TestApp::start_with(database, settings).await;
    app.user("ada").await;
    let client = app.client("calendar").await;
    let browser = app.browser();
    Tour { app, client, browser }
}

/// Every page there is, with whether it stands alone.
async fn pages(tour: &mut Tour) -> Vec<(&'static str, Page, bool)> {
    let Tour { app, client, browser } = tour;
    let mut seen = Vec::new();
    seen.push(("landing", browser.get("/").await, true));
    seen.push(("login alone", browser.get("/login").await, true));
    let register = browser.get("/register").await;
    seen.push(("register", register, true));
    seen.push(("register link", browser.get("/register/nonsense").await, true));
    seen.push(("setup link", browser.get("/setup/nonsense").await, true));
    seen.push(("logout", browser.get("/logout").await, false));
    seen.push(("not found", browser.get("/nowhere").await, true));
    seen.push(("wrong method", browser.get("/oauth2/token").await, true));
    seen.push(("bad request", browser.get("/oauth2/authorize").await, true));
    seen.push(("bad logout", browser.get("/oauth2/logout?id_token_hint=x").await, true));
    seen.push(("expired", browser.get("/oauth2/authorize/nonsense").await, true));
    seen.push(("form refused", browser.post("/login", &[("csrf".into(), "x".into())]).await, true));
    let flow = client.flow("openid");
    let login = browser.get(&flow.path()).await;
    let wrong = browser.answer_login(&login, "ada", "wrong password").await;
    seen.push(("wrong password", wrong, false));
    let consent = browser.answer_login(&login, "ada", PASSWORD).await;
    assert!(consent.has_id("consent-form"));
    seen.push(("login", login, false));
    seen.push(("consent", consent, false));
    let select = client.flow("openid").with("prompt", "select_account");
    let chooser = browser.get(&select.path()).await;
    assert!(chooser.has_id("choose-form"));
    seen.push(("chooser", chooser, false));
    let form_post = client.flow("openid").with("response_mode", "form_post").with("prompt", "none");
    let form_post = browser.get(&form_post.path()).await;
    assert!(form_post.has_id("form-post"));
    seen.push(("form_post", form_post, false));
    let account = browser.get("/account").await;
    assert!(account.text().contains("ada@example.com"));
    seen.push(("account", account, true));
    seen.push(("landing, signed in", browser.get("/").await, true));
    if app.app.config.has_dev_pages() {
        for (name, path, alone) in [("dev app", "/dev/app", false), ("dev mail", "/dev/mail", true)] {
            seen.push((name, browser.get(path).await, alone));
        }
    }
    let out = browser.get("/logout").await;
    seen.push(("logged out", browser.submit(&out, "logout-form", &[], None).await, true));
    seen
}

fn html() -> (&'static str, String) {
    ("accept", "text/html,application/xhtml+xml".to_owned())
}

on_both_databases! {
    async fn ch_2_every_page_has_its_policy(database) {
        let mut tour = ready(database, Settings::default()).await;
        tour.browser.headers.push(html());
        for (what, page, alone) in pages(&mut tour).await {
            assert_guarded(what, &page, alone);
            assert!(page.header("strict-transport-security").is_empty(), "{what}: not on plain http");
            assert_eq!(page.html.matches("<h1").count(), 1, "{what}");
        }
    }

    async fn ch_3_on_https_every_answer_is_bound_to_it(database) {
        let https = Settings::with(|config| config.issuer = "https://id.example.com".parse().unwrap());
        let mut tour = ready(database, https).await;
        tour.browser.headers.push(html());
        for (what, page, alone) in pages(&mut tour).await {
            assert_guarded(what, &page, alone);
            let age = page.header("strict-transport-security").strip_prefix("max-age=").and_then(|age| age.parse::<u64>().ok());
            assert!(age.is_some_and(|age| age >= 31_536_000), "{what}");
        }
        let app = &tour.app;
        for path in ["/.well-known/openid-configuration", "/.well-known/jwks.json", "/oauth2/userinfo", "/livez"] {
            let answer = app.http.get(app.url(path)).send().await.unwrap();
            assert!(answer.headers().contains_key("strict-transport-security"), "{path}");
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
        }
    }

    async fn ch_3_a_page_whose_address_holds_a_token_sends_it_nowhere(database) {
        let mut tour = ready(database, Settings::default()).await;
        for path in ["/register/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "/setup/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let page = tour.browser.get(path).await;
            assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
            assert!(!page.html.contains("src=\"http"), "{path} loads something from elsewhere");
        }
    }

    async fn ch_1_looking_changes_nothing(database) {
        let mut tour = ready(database, Settings::default()).await;
        let Tour { app, client, browser } = &mut tour;
        let tokens = client.sign_in(browser, "ada", "openid").await;
        let select = browser.get(&client.flow("openid").with("prompt", "consent").path()).await;
        let request = select.query()["request"].clone();
        let before = app.audit().await;
        for _ in 0..2 {
            for path in ["/", "/login", "/login?other=1", "/logout", "/oauth2/logout", "/account", "/account/profile", "/account/addresses",
                "/account/providers", "/account/sessions", "/account/applications", "/account/api-keys", "/account/data", "/account/delete", "/register", "/account/sessions/end",
                "/account/sessions/end-all", "/account/applications/remove", "/account/api-keys/rotate", "/register/nonsense", "/setup/nonsense", "/dev/mail"] {
                for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
                    browser.once(method, path, None).await;
                }
            }
            for path in ["/consent", "/login", "/login/choose"] {
                for extra in ["", "&action=allow", "&action=deny"] {
                    let page = browser.get(&format!("{path}?request={request}{extra}")).await;
                    assert!(!page.url.contains("/callback"), "{path}{extra} answered the application");
                }
            }
        }
        assert_eq!(app.audit().await, before);
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 200);
        assert!(browser.get(&client.flow("openid").with("prompt", "none").path()).await.query().contains_key("code"));
    }

    async fn tk_13_answers_with_codes_or_tokens_are_kept_by_nobody(database) {
        let mut tour = ready(database, Settings::default()).await;
        let Tour { app, client, browser } = &mut tour;
        let flow = client.flow("openid");
        let page = client.visit(browser, &flow, "ada").await;
        assert_eq!(page.header("cache-control"), "no-store", "the redirect with the code");
        let answer = client.redeem(&flow, &page.query()["code"]).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        let tokens = answer.expect_tokens();
        assert_eq!(client.userinfo(&tokens.access_token).await.header("cache-control"), "no-store");
        assert_eq!(client.call("/oauth2/introspect", &[("token", "x")]).await.header("cache-control"), "no-store");
        let refused = app.http.get(app.url("/oauth2/userinfo")).send().await.unwrap();
        assert_eq!(refused.headers()["cache-control"], "no-store");
    }

    async fn hl_3_no_address_makes_the_server_stumble(database) {
        let mut tour = ready(database, Settings::default()).await;
        let Tour { app, client, .. } = &mut tour;
        for query in ["%", "%zz", "%ff", "%00", "a=%00", "=&==&&", "client_id=%F0%28%8C%28", "claims=%7B%22", "max_age=1e400", "\u{fe0f}"] {
            for path in ["/oauth2/authorize", "/oauth2/logout", "/login", "/consent", "/login/choose", "/register"] {
                let status = app.http.get(app.url(&format!("{path}?{query}"))).send().await.unwrap().status();
                assert!(status.as_u16() < 500, "{path}?{query} gives {status}");
            }
        }
        for body in [&b"%"[..], b"%ff=%fe", b"\xff\xfe", b"a=%00", b"grant_type=%00", b"&&&&", b"=", &[b'a'; 70_000]] {
            for path in ["/oauth2/token", "/oauth2/par", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/userinfo", "/oauth2/authorize", "/oauth2/logout", "/login"] {
                let request = app.http.post(app.url(path)).basic_auth(&client.client_id, client.secret.as_deref());
                let answer = request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap();
                assert!(answer.status().as_u16() < 500, "{path} gives {}", answer.status());
            }
        }
        let long = app.http.get(app.url(&format!("/oauth2/authorize?state={}", "x".repeat(9_000)))).send().await.unwrap();
        assert_eq!(long.status(), 414);
    }
}
