//! The authorization endpoint, asked as conformance suites and attackers ask it (Core §3.1.2, RFC 6749 §4.1).

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::{
    Browser, ClientKey, Database, Flow, PASSWORD, Page, TestApp, TestClient, claims, part, verified,
};
use countersign::model::SigningAlg;

const ONE_FACTOR: &str = "urn:countersign:acr:1fa";
const TWO_FACTORS: &str = "urn:countersign:acr:2fa";

/// Ada has an account, and the calendar is an ordinary web application.
async fn ready(database: Database) -> (TestApp, TestClient) {
    let app = TestApp::start(database).await;
    app.user("ada").await;
    let client = app.client("calendar").await;
    (app, client)
}

/// Ada's browser, in which she has allowed the calendar these scopes before.
async fn used_to(app: &TestApp, client: &TestClient, scope: &str) -> Browser {
    let mut browser = app.browser();
    client.sign_in(&mut browser, "ada", scope).await;
    browser
}

/// The form comes from the application's site, as browsers send it: without our cookies, with a foreign origin.
async fn post_from_elsewhere(app: &TestApp, flow: &Flow) -> reqwest::Response {
    let request = app.http.post(app.url("/oauth2/authorize"));
    let request =
        request.header("origin", "https://calendar.example.org").header("sec-fetch-site", "cross-site");
    request.form(&flow.parameters).send().await.unwrap()
}

fn location(response: &reqwest::Response) -> String {
    response.headers().get("location").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// Sends the browser and expects to be back at the application with this error, without any page between.
#[track_caller]
fn assert_error(page: &Page, code: &str) {
    assert!(page.html.is_empty(), "a page came up: {}", page.text());
    let query = page.query();
    assert_eq!(query.get("error").map(String::as_str), Some(code), "{}", page.url);
    assert_eq!(query["state"], "st4te");
    assert!(query.contains_key("iss"), "an error answer names its issuer too (AZ-7)");
    assert!(!query.contains_key("code"));
    let known = ["error", "error_description", "error_uri", "state", "iss"];
    assert!(query.keys().all(|name| known.contains(&name.as_str())), "{}", page.url);
}

#[track_caller]
fn assert_code(page: &Page) -> String {
    page.query().get("code").unwrap_or_else(|| panic!("no code at {}: {}", page.url, page.text())).clone()
}

/// What is wrong with a request, and the error that goes back to the application for it.
fn faulty(flow: &Flow) -> Vec<(Flow, &'static str)> {
    let with = |name: &str, value: &str| flow.clone().with(name, value);
    vec![
        (flow.clone().without("response_type"), "invalid_request"),
        (with("response_type", ""), "invalid_request"),
        (with("response_type", "id_token"), "unsupported_response_type"),
        (with("response_type", "id_token token"), "unsupported_response_type"),
        (with("response_type", "token"), "unsupported_response_type"),
        (with("response_type", "code id_token"), "unsupported_response_type"),
        (with("response_type", "code token"), "unsupported_response_type"),
        (with("response_type", "none"), "unsupported_response_type"),
        (with("response_type", "CODE"), "unsupported_response_type"),
        (with("response_mode", "fragment"), "invalid_request"),
        (with("response_mode", "query.jwt"), "invalid_request"),
        (with("response_mode", "web_message"), "invalid_request"),
        (with("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported"),
        (with("request_uri", "https://calendar.example.org/request.jwt"), "request_uri_not_supported"),
        (with("request_uri", "http://169.254.169.254/latest"), "request_uri_not_supported"),
        (with("registration", "{}"), "registration_not_supported"),
        (with("prompt", "none login"), "invalid_request"),
        (with("prompt", "none consent select_account"), "invalid_request"),
        (with("prompt", "create"), "invalid_request"),
        (with("max_age", "-1"), "invalid_request"),
        (with("max_age", "soon"), "invalid_request"),
        (with("max_age", "+5"), "invalid_request"),
        (with("max_age", "99999999999999999999"), "invalid_request"),
        (with("claims", "{"), "invalid_request"),
        (with("claims", "[]"), "invalid_request"),
        (with("claims", r#"{"id_token":[]}"#), "invalid_request"),
        (with("claims", r#"{"userinfo":{"email":"yes"}}"#), "invalid_request"),
        (with("claims", r#"{"id_token":{"acr":{"essential":"true"}}}"#), "invalid_request"),
        (with("id_token_hint", "nonsense"), "invalid_request"),
        (with("resource", "https://nowhere.example"), "invalid_target"),
        (with("resource", "not a uri"), "invalid_target"),
        (with("prompt", "none"), "login_required"),
        (with("scope", "openid \"quoted\""), "invalid_scope"),
    ]
}

on_both_databases! {
    async fn oidc_3_4_what_is_wrong_goes_back_to_the_application_with_state_and_issuer(database) {
        let (app, client) = ready(database).await;
        for (flow, code) in faulty(&client.flow("openid")) {
            let page = app.browser().get(&flow.path()).await;
            assert!(page.url.starts_with(&client.redirect_uri), "{code}: {}", page.url);
            assert_eq!(page.status, 303);
            assert_error(&page, code);
            let text = page.query().remove("error_description").unwrap_or_default();
            let allowed = |b: u8| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert!(text.bytes().all(allowed), "RFC 6749 §4.1.2.1: {text}");
        }
    }

    async fn oidc_3_1_a_request_by_post_is_answered_as_one_by_get(database) {
        let (app, client) = ready(database).await;
        let mut flows: Vec<Flow> = faulty(&client.flow("openid")).into_iter().map(|(flow, _)| flow).collect();
        // `prompt=none` is decided later, in the browser's own name.
        flows.retain(|flow| !flow.parameters.contains(&("prompt".to_owned(), "none".to_owned())));
        flows.push(client.flow("openid").with("redirect_uri", "https://evil.example.org/callback"));
        flows.push(client.flow("openid").without("redirect_uri"));
        flows.push(client.flow("openid").with("client_id", "nobody"));
        flows.push(client.flow("openid").with("request_uri", "urn:ietf:params:oauth:request_uri:unknown"));
        for flow in flows {
            let by_get = app.http.get(app.url(&flow.path())).send().await.unwrap();
            let by_post = post_from_elsewhere(&app, &flow).await;
            // A reference is looked up by the GET that follows.
            let by_post = match location(&by_post) {
                own if own.starts_with('/') => {
                    app.http.get(format!("{}{own}", app.base)).send().await.unwrap()
                }
                _ => by_post,
            };
            assert_eq!(by_get.status(), by_post.status(), "{:?}", flow.parameters);
            let but_reference = |answer: &reqwest::Response| {
                location(answer).replace(answer.headers()["x-request-id"].to_str().unwrap(), "")
            };
            assert_eq!(but_reference(&by_get), but_reference(&by_post), "{:?}", flow.parameters);
        }
    }

    async fn oidc_3_1_a_form_of_the_application_signs_in_without_our_cookies(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let flow = client.flow("openid");
        let posted = post_from_elsewhere(&app, &flow).await;
        assert_eq!(posted.status(), 303);
        assert_eq!(posted.headers()["cache-control"], "no-store");
        let page = browser.get(&location(&posted)).await;
        assert!(page.has_id("login-form"), "{}", page.text());
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        client.redeem(&flow, &assert_code(&page)).await.expect_tokens();

        // Signed in by now: the next one needs no page, and `prompt=none` sees the session.
        let flow = client.flow("openid").with("prompt", "none");
        let posted = post_from_elsewhere(&app, &flow).await;
        let page = browser.get(&location(&posted)).await;
        client.redeem(&flow, &assert_code(&page)).await.expect_tokens();
        // Spent with the code.
        assert_eq!(browser.get(&location(&posted)).await.status, 400);
    }

    async fn oidc_3_1_other_bodies_and_parameters_from_two_places_are_refused(database) {
        let (app, client) = ready(database).await;
        let flow = client.flow("openid");
        let url = app.url("/oauth2/authorize");
        let json = app.http.post(&url).json(&json!({"client_id": client.client_id})).send().await.unwrap();
        assert!(json.status().is_client_error());
        // The query is not merged into the body (AZ-6).
        let mixed = app.http.post(app.url(&flow.path())).form(&[("state", "x")]).send().await.unwrap();
        assert_eq!(mixed.status(), 400);
        for method in [Method::PUT, Method::DELETE, Method::PATCH] {
            assert_eq!(app.http.request(method, &url).send().await.unwrap().status(), 405);
        }
    }

    async fn az_2_only_the_registered_address_letter_by_letter(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let registered = "https://calendar.example.org/Callback?tenant=a%20b&x=";
        let client = TestClient::register(&app, "calendar", |registration| {
            registration.set("redirect_uris", json!([registered, "https://calendar.example.org/b/callback"]));
        })
        .await;
        for other in [
            "https://calendar.example.org/callback?tenant=a%20b&x=",
            "https://calendar.example.org/Callback?tenant=a+b&x=",
            "https://calendar.example.org/Callback?x=&tenant=a%20b",
            "https://calendar.example.org/Callback",
            "https://calendar.example.org/b/../b/callback",
            "https://calendar.example.org/b/callback/",
            "https://calendar.example.org/b/callback?",
            "https://calendar.example.org/b/callback#",
            "https://calendar.example.org/b/%63allback",
            "https://calendar.example.org:443/b/callback",
            "https://CALENDAR.example.org/b/callback",
            "https://calendar.example.org\\@evil.example/b/callback",
            "https://calendar.example.org@evil.example/b/callback",
            "https://calendar.example.org/b/callback\u{0}",
            " https://calendar.example.org/b/callback",
            "//calendar.example.org/b/callback",
            "/b/callback",
            "http://calendar.example.org/b/callback",
            "javascript:alert(1)",
        ] {
            let page = app.browser().get(&client.flow("openid").with("redirect_uri", other).path()).await;
            assert_eq!((page.status, page.header("location")), (400, ""), "{other}");
            assert!(page.has_id("error-page"), "{other}");
        }
        let mut browser = app.browser();
        let flow = client.flow("openid").with("redirect_uri", registered);
        let page = client.visit(&mut browser, &flow, "ada").await;
        // Its own query stays, and ours follows (RFC 6749 §3.1.2).
        assert!(page.url.starts_with(&format!("{registered}&code=")), "{}", page.url);
    }

    async fn az_2_a_native_application_may_choose_its_loopback_port(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = TestClient::register(&app, "desktop", |registration| {
            registration.set("application_type", "native");
            registration.set("token_endpoint_auth_method", "none");
            registration.set("redirect_uris", json!(["http://127.0.0.1/callback", "org.example.app:/callback"]));
        })
        .await;
        for (uri, good) in [
            ("http://127.0.0.1:49152/callback", true),
            ("http://127.0.0.1/callback", true),
            ("org.example.app:/callback", true),
            ("http://127.0.0.1:49152/callback/", false),
            ("http://127.0.0.1:49152@evil.example/callback", false),
            ("http://127.0.0.1:x/callback", false),
            ("http://localhost:49152/callback", false),
            ("http://127.0.0.2:49152/callback", false),
            ("https://127.0.0.1:49152/callback", false),
        ] {
            let page = app.browser().get(&client.flow("openid").with("redirect_uri", uri).path()).await;
            assert_eq!(page.has_id("login-form"), good, "{uri}");
            assert_eq!(page.status, if good { 200 } else { 400 }, "{uri}");
        }
        let flow = client.flow("openid").with("redirect_uri", "http://127.0.0.1:49152/callback");
        let page = client.visit(&mut app.browser(), &flow, "ada").await;
        let code = assert_code(&page);
        let redeem = async |uri: &str| {
            let fields = [
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", uri),
                ("code_verifier", &flow.verifier),
            ];
            client.token(&fields).await
        };
        // Bound to the port that was used.
        redeem("http://127.0.0.1/callback").await.expect_error("invalid_grant");
        redeem("http://127.0.0.1:49152/callback").await.expect_tokens();
    }

    async fn oidc_3_6_state_and_nonce_come_back_whole(database) {
        let (app, client) = ready(database).await;
        let awkward = format!("a b+c%20d&e=f#g\"<script>'\\ü€ {}", "x".repeat(980));
        assert!(awkward.chars().count() >= 1000);
        let state: String = awkward.chars().chain("yz".chars().cycle()).take(1024).collect();
        let nonce = "n".repeat(1024);
        for mode in ["query", "form_post"] {
            let flow = client.flow("openid").with("state", &state).with("nonce", &nonce).with("response_mode", mode);
            let page = client.visit(&mut app.browser(), &flow, "ada").await;
            let (sent, code) = match mode {
                "query" => (page.query()["state"].clone(), assert_code(&page)),
                _ => {
                    let form = page.form("form-post");
                    (form.field("state").unwrap().to_owned(), form.field("code").unwrap().to_owned())
                }
            };
            assert_eq!(sent, state);
            let tokens = client.redeem(&flow, &code).await.expect_tokens();
            assert_eq!(tokens.id_claims()["nonce"], nonce.as_str());
        }
        // Nothing is made up where nothing was sent.
        let flow = client.flow("openid").without("state").without("nonce");
        let page = client.visit(&mut app.browser(), &flow, "ada").await;
        assert!(!page.query().contains_key("state"));
        let tokens = client.redeem(&flow, &assert_code(&page)).await.expect_tokens();
        assert!(tokens.id_claims().get("nonce").is_none());
    }

    async fn az_13_parameters_are_bounded(database) {
        let (app, client) = ready(database).await;
        for (name, length) in [("state", 2049), ("nonce", 1025), ("claims", 4097), ("scope", 1025), ("ui_locales", 513)] {
            let flow = client.flow("openid").with(name, &"x".repeat(length));
            let page = app.browser().get(&flow.path()).await;
            assert_eq!((page.status, page.header("location")), (400, ""), "{name}");
            assert!(page.text().contains(name), "{}", page.text());
        }
        let many = (0..51).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
        assert_error(&app.browser().get(&client.flow(&many).path()).await, "invalid_scope");
    }

    async fn oidc_1_8_repeated_parameters_are_refused_and_empty_or_unknown_ones_ignored(database) {
        let (app, client) = ready(database).await;
        let flow = client.flow("openid");
        for (name, value) in flow.parameters.clone().into_iter().chain([("prompt".into(), "login".into())]) {
            let mut twice = flow.clone().with(&name, &value);
            twice = twice.and(&name, &value);
            let page = app.browser().get(&twice.path()).await;
            assert_eq!((page.status, page.header("location")), (400, ""), "{name}");
            let empty_first = flow.clone().without(&name).and(&name, "").and(&name, &value);
            assert_eq!(app.browser().get(&empty_first.path()).await.status, 400, "{name}");
        }
        let mut generous = flow.clone();
        for name in ["prompt", "max_age", "login_hint", "id_token_hint", "claims", "resource", "response_mode",
            "request", "request_uri", "registration", "acr_values", "display", "ui_locales"] {
            generous = generous.and(name, "");
        }
        generous = generous.and("vendor_extension", "1").and("dpop_jkt", "x").and("display", "popup").without("display");
        generous = generous.and("display", "popup").and("claims_locales", "fr xx-invalid-");
        let page = client.visit(&mut app.browser(), &generous, "ada").await;
        client.redeem(&generous, &assert_code(&page)).await.expect_tokens();
    }

    async fn oidc_3_7_scopes_are_narrowed_and_without_openid_it_is_plain_oauth(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let tokens = client.sign_in(&mut browser, "ada", "email nonsense openid urn:unknown email").await;
        let mut scopes: Vec<&str> = tokens.body["scope"].as_str().unwrap().split(' ').collect();
        scopes.sort_unstable();
        assert_eq!(scopes, ["email", "openid"]);

        for flow in [client.flow("email"), client.flow("x").without("scope"), client.flow("nonsense")] {
            let page = client.visit(&mut browser, &flow, "ada").await;
            let tokens = client.redeem(&flow, &assert_code(&page)).await.expect_tokens();
            assert!(tokens.id_token.is_none());
            let refused = client.userinfo(&tokens.access_token).await;
            assert_eq!(refused.status, 403);
        }
    }

    async fn oidc_3_9_prompt_none_shows_no_page(database) {
        let (app, client) = ready(database).await;
        let silent = client.flow("openid").with("prompt", "none");
        assert_error(&app.browser().get(&silent.path()).await, "login_required");

        // Signed in, but never asked whether the calendar may.
        let mut browser = app.signed_in("ada").await;
        assert_error(&browser.get(&silent.path()).await, "consent_required");
        let before = client.sign_in(&mut browser, "ada", "openid").await;
        app.advance(Duration::from_secs(100));
        let page = browser.get(&silent.path()).await;
        let tokens = client.redeem(&silent, &assert_code(&page)).await.expect_tokens();
        assert_eq!(tokens.id_claims()["sub"], before.id_claims()["sub"]);
        assert_eq!(tokens.id_claims()["auth_time"], before.id_claims()["auth_time"]);
        let wider = client.flow("openid email").with("prompt", "none");
        assert_error(&browser.get(&wider.path()).await, "consent_required");
        let stale = silent.clone().with("max_age", "99");
        assert_error(&browser.get(&stale.path()).await, "login_required");
        assert_error(&browser.get(&silent.clone().with("max_age", "0").path()).await, "login_required");
        assert_code(&browser.get(&silent.clone().with("max_age", "100").path()).await);

        // Two accounts: nobody can say which.
        app.user("bob").await;
        browser.sign_in("bob").await;
        assert_error(&browser.get(&silent.path()).await, "account_selection_required");
        let hinted = silent.clone().with("login_hint", "ada@example.com");
        let page = browser.get(&hinted.path()).await;
        let tokens = client.redeem(&hinted, &assert_code(&page)).await.expect_tokens();
        assert_eq!(tokens.id_claims()["sub"], before.id_claims()["sub"]);
        // In form_post mode the answer is the one page that posts itself, with nothing to decide.
        let page = app.browser().get(&silent.clone().with("response_mode", "form_post").path()).await;
        assert_eq!(page.form("form-post").field("error"), Some("login_required"));
    }

    async fn oidc_3_9_prompt_login_signs_in_again_and_cannot_be_skipped(database) {
        let (app, client) = ready(database).await;
        let mut browser = used_to(&app, &client, "openid").await;
        app.advance(Duration::from_secs(100));
        let flow = client.flow("openid").with("prompt", "login");
        let page = browser.get(&flow.path()).await;
        assert!(page.has_id("login-form"), "{}", page.text());
        let request = page.query()["request"].clone();
        // Coming back without having signed in changes nothing.
        for way in ["/oauth2/authorize/", "/login?request=", "/login/choose?request=", "/consent?request="] {
            let page = browser.get(&format!("{way}{request}")).await;
            assert!(!page.url.contains("code="), "{way}");
        }
        let wrong = browser.answer_login(&page, "ada", "not the password").await;
        assert!(wrong.has_id("login-error"));
        let page = browser.get(&format!("/oauth2/authorize/{request}")).await;
        assert!(page.has_id("login-form"));
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        let tokens = client.redeem(&flow, &assert_code(&page)).await.expect_tokens();
        assert_eq!(tokens.id_claims()["auth_time"], app.clock.now().seconds());
    }

    async fn oidc_3_9_prompt_consent_always_asks_and_combines_with_login(database) {
        let (app, client) = ready(database).await;
        let mut browser = used_to(&app, &client, "openid").await;
        let asks = client.flow("openid").with("prompt", "consent");
        let page = browser.get(&asks.path()).await;
        assert!(page.has_id("consent-form"), "{}", page.text());
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        client.redeem(&asks, &assert_code(&page)).await.expect_tokens();

        app.advance(Duration::from_secs(10));
        let both = client.flow("openid").with("prompt", "consent login");
        let page = browser.get(&both.path()).await;
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        assert!(page.has_id("consent-form"), "{}", page.text());
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        client.redeem(&both, &assert_code(&page)).await.expect_tokens();
    }

    async fn oidc_3_9_select_account_asks_even_with_one_account(database) {
        let (app, client) = ready(database).await;
        let mut browser = used_to(&app, &client, "openid").await;
        let flow = client.flow("openid").with("prompt", "select_account");
        let page = browser.get(&flow.path()).await;
        assert!(page.has_id("choose-form"), "{}", page.text());
        let ada = page.button("session", "ada@example.com");
        let page = browser.submit(&page, "choose-form", &[], Some(("session", &ada))).await;
        client.redeem(&flow, &assert_code(&page)).await.expect_tokens();

        // Another account is a way out of the chooser.
        let bob = app.user("bob").await;
        let flow = client.flow("openid").with("prompt", "select_account");
        let page = browser.get(&flow.path()).await;
        let page = browser.submit(&page, "choose-form", &[], Some(("action", "other"))).await;
        let page = browser.answer_login(&page, "bob", PASSWORD).await;
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        let tokens = client.redeem(&flow, &assert_code(&page)).await.expect_tokens();
        assert_eq!(tokens.id_claims()["sub"], bob.to_string());
    }

    async fn several_accounts_in_one_browser_are_chosen_between(database) {
        let (app, client) = ready(database).await;
        let bob = app.user("bob").await;
        let mut browser = app.browser();
        client.sign_in(&mut browser, "ada", "openid").await;
        browser.sign_in("bob").await;
        let flow = client.flow("openid");
        let page = browser.get(&flow.path()).await;
        assert!(page.text().contains("ada@example.com") && page.text().contains("bob@example.com"));
        let chosen = page.button("session", "bob@example.com");
        // A session that is none of this browser's is not taken for one.
        let strange = countersign::model::SessionId::from_bytes(&[7; 16]).unwrap().to_string();
        let again = browser.submit(&page, "choose-form", &[], Some(("session", &strange))).await;
        assert!(again.has_id("choose-form"));
        let page = browser.submit(&page, "choose-form", &[], Some(("session", &chosen))).await;
        // Bob was never asked; Ada's consent is not his.
        assert!(page.has_id("consent-form") && page.text().contains("bob@example.com"), "{}", page.text());
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        let tokens = client.redeem(&flow, &assert_code(&page)).await.expect_tokens();
        assert_eq!(tokens.id_claims()["sub"], bob.to_string());
    }

    async fn oidc_3_10_max_age_signs_in_again_when_the_login_is_too_old(database) {
        let (app, client) = ready(database).await;
        let mut browser = used_to(&app, &client, "openid").await;
        app.advance(Duration::from_secs(100));
        let page = browser.get(&client.flow("openid").with("max_age", "1000").path()).await;
        assert_code(&page);
        for age in ["99", "1", "0"] {
            let flow = client.flow("openid").with("max_age", age);
            let page = browser.get(&flow.path()).await;
            assert!(page.has_id("login-form"), "max_age={age}: {}", page.url);
            let page = browser.answer_login(&page, "ada", PASSWORD).await;
            let tokens = client.redeem(&flow, &assert_code(&page)).await.expect_tokens();
            assert_eq!(tokens.id_claims()["auth_time"], app.clock.now().seconds());
            app.advance(Duration::from_secs(100));
        }
        let strict = TestClient::register(&app, "bank", |registration| {
            registration.set("default_max_age", 50);
            registration.set("require_auth_time", true);
        })
        .await;
        assert!(browser.get(&strict.flow("openid").path()).await.has_id("login-form"));
        // What the request says counts more than the default.
        let page = browser.get(&strict.flow("openid").with("max_age", "1000").path()).await;
        assert!(page.has_id("consent-form"), "{}", page.text());
    }

    async fn oidc_3_11_an_id_token_hint_names_the_user_even_after_it_expired(database) {
        let (app, client) = ready(database).await;
        app.user("bob").await;
        let notes = app.client("notes").await;
        let mut browser = app.browser();
        let tokens = client.sign_in(&mut browser, "ada", "openid").await;
        let hint = tokens.id_token.clone().unwrap();
        let silent = client.flow("openid").with("prompt", "none").with("id_token_hint", &hint);
        assert_code(&browser.get(&silent.path()).await);
        app.advance(Duration::from_secs(2 * 3600));
        let page = browser.get(&silent.path()).await;
        let fresh = client.redeem(&silent, &assert_code(&page)).await.expect_tokens();
        assert_eq!(fresh.id_claims()["sub"], tokens.id_claims()["sub"]);

        // Of several accounts it picks its own.
        browser.sign_in("bob").await;
        let page = browser.get(&silent.path()).await;
        let fresh = client.redeem(&silent, &assert_code(&page)).await.expect_tokens();
        assert_eq!(fresh.id_claims()["sub"], tokens.id_claims()["sub"]);

        // Only another user, or nobody, is here.
        let mut bobs = app.signed_in("bob").await;
        for browser in [&mut bobs, &mut app.browser()] {
            assert_error(&browser.get(&silent.path()).await, "login_required");
        }
        let flow = client.flow("openid").with("id_token_hint", &hint);
        let page = bobs.get(&flow.path()).await;
        assert!(page.has_id("login-form"));
        assert_error(&bobs.answer_login(&page, "bob", PASSWORD).await, "login_required");
        let page = bobs.get(&flow.path()).await;
        let page = bobs.answer_login(&page, "ada", PASSWORD).await;
        let fresh = client.redeem(&flow, &assert_code(&page)).await.expect_tokens();
        assert_eq!(fresh.id_claims()["sub"], tokens.id_claims()["sub"]);

        // Not ours, not signed, not for this client, not an ID token.
        let forger = ClientKey::new(SigningAlg::Es256, "forged");
        let id_claims = claims(&hint);
        let mut borrowed_kid = part(&hint, 0);
        borrowed_kid["alg"] = json!("ES256");
        let (head, rest) = hint.split_once('.').unwrap();
        let strangers = [
            forger.sign(&id_claims),
            forger.sign_as(&borrowed_kid, &id_claims),
            format!("{}.", crate::support::unsigned(&json!({"alg": "none"}), &id_claims)),
            format!("{head}.{}", rest.replacen('a', "b", 1)),
            notes.sign_in(&mut app.browser(), "ada", "openid").await.id_token.unwrap(),
            fresh.access_token.clone(),
        ];
        for stranger in strangers {
            let flow = client.flow("openid").with("prompt", "none").with("id_token_hint", &stranger);
            assert_error(&browser.get(&flow.path()).await, "invalid_request");
        }
    }

    async fn oidc_3_11_a_login_hint_fills_the_name_in_and_nothing_else(database) {
        let (app, client) = ready(database).await;
        for hint in ["ada@example.com", "\"><script>alert(1)</script>", "nobody at all", "ünï"] {
            let page = app.browser().get(&client.flow("openid").with("login_hint", hint).path()).await;
            assert_eq!(page.form("login-form").field("username"), Some(hint));
            assert!(!page.html.contains("<script>alert"));
        }
        // A hint for somebody else does not sign anybody in as them.
        let mut browser = app.browser();
        let page = browser.get(&client.flow("openid").with("login_hint", "bob@example.com").path()).await;
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        assert!(page.has_id("consent-form") && page.text().contains("ada@example.com"));
    }

    async fn oidc_3_12_acr_values_are_wishes_and_an_essential_acr_is_a_demand(database) {
        let (app, client) = ready(database).await;
        let mut browser = used_to(&app, &client, "openid").await;
        let cases = [
            ("acr_values", TWO_FACTORS.to_owned()),
            ("acr_values", format!("urn:nobody:knows {ONE_FACTOR}")),
            ("claims", json!({"id_token": {"acr": {"values": [TWO_FACTORS]}}}).to_string()),
            ("claims", json!({"id_token": {"acr": {"essential": true}}}).to_string()),
            ("claims", json!({"id_token": {"acr": {"essential": true, "value": ONE_FACTOR}}}).to_string()),
            ("claims", json!({"id_token": {"acr": {"essential": true, "values": [TWO_FACTORS, ONE_FACTOR]}}}).to_string()),
            ("claims", json!({"id_token": {"acr": null}}).to_string()),
        ];
        for (name, value) in cases {
            let flow = client.flow("openid").with(name, &value);
            let page = browser.get(&flow.path()).await;
            let tokens = client.redeem(&flow, &assert_code(&page)).await.expect_tokens();
            assert_eq!(tokens.id_claims()["acr"], ONE_FACTOR, "{value}");
            assert_eq!(tokens.access_claims()["acr"], ONE_FACTOR);
        }
        // Nobody can show what is not there: to ask for the password again would change nothing.
        for values in [json!([TWO_FACTORS]), json!(["urn:nobody:knows"])] {
            let demand = json!({"id_token": {"acr": {"essential": true, "values": values}}}).to_string();
            let flow = client.flow("openid").with("claims", &demand);
            for flow in [flow.clone().with("prompt", "none"), flow] {
                assert_error(&browser.get(&flow.path()).await, "unmet_authentication_requirements");
            }
        }
    }

    async fn oidc_3_13_claims_are_given_where_they_were_asked_for(database) {
        let app = TestApp::start(database).await;
        let ada = app
            .user_with("ada", |user| {
                user.claims.insert("nickname".into(), "Countess".into());
                user.claims.insert("zoneinfo".into(), "Europe/London".into());
            })
            .await;
        let client = app.client("calendar").await;
        let asked = json!({
            "userinfo": {
                "email": {"essential": true},
                "nickname": null,
                "sub": {"value": ada.to_string()},
                "urn:nobody:knows": null,
                "phone_number": {"essential": true},
            },
            "id_token": {"email": null, "zoneinfo": {"values": ["Europe/Paris"]}, "auth_time": {"essential": true}},
            "unknown_member": {"email": 5},
        });
        let mut browser = app.browser();
        let flow = client.flow("openid").with("claims", &asked.to_string());
        let page = browser.get(&flow.path()).await;
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        assert!(page.has_id("consent-form"));
        let text = page.text().to_lowercase();
        assert!(text.contains("nickname") && text.contains("e-mail") && text.contains("phone"), "{text}");
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        let tokens = client.redeem(&flow, &assert_code(&page)).await.expect_tokens();
        let id = tokens.id_claims();
        assert_eq!((&id["email"], &id["zoneinfo"]), (&json!("ada@example.com"), &json!("Europe/London")));
        assert!(id["auth_time"].is_number());
        assert!(id.get("nickname").is_none(), "asked of userinfo, not of the ID token");
        let userinfo = client.userinfo(&tokens.access_token).await.body;
        let expected = json!({"sub": ada.to_string(), "email": "ada@example.com", "nickname": "Countess"});
        assert_eq!(userinfo, expected, "what is asked for and known, and nothing more");

        // One who already allowed these is not asked again, and is asked for a claim beyond them.
        assert_code(&browser.get(&flow.path()).await);
        let more = client.flow("openid").with("claims", r#"{"userinfo":{"birthdate":null}}"#);
        assert!(browser.get(&more.path()).await.has_id("consent-form"));
        let other = json!({"id_token": {"sub": {"value": "usr_someone_else"}}}).to_string();
        let other = client.flow("openid").with("prompt", "none").with("claims", &other);
        assert_error(&browser.get(&other.path()).await, "login_required");
    }

    async fn oidc_3_11_ui_locales_choose_the_language_before_the_browser_does(database) {
        let (app, client) = ready(database).await;
        let cases = [
            ("de", "en", "de"),
            ("de-AT", "en", "de"),
            ("xx fr de en", "", "de"),
            ("xx-Nonsense-", "de", "de"),
            ("", "de-CH, en;q=0.5", "de"),
            ("en", "de", "en"),
            ("", "", "en"),
        ];
        for (asked, accepted, shown) in cases {
            let mut browser = app.browser();
            browser.headers.push(("accept-language", accepted.to_owned()));
            let page = browser.get(&client.flow("openid").with("ui_locales", asked).path()).await;
            assert_eq!(page.header("content-language"), shown, "{asked} {accepted}");
            // And it stays so on the next page.
            let page = browser.answer_login(&page, "ada", PASSWORD).await;
            assert!(page.has_id("consent-form"));
            assert_eq!(page.header("content-language"), shown, "{asked} {accepted}");
        }
    }

    async fn oidc_3_15_form_post_answers_with_a_page_that_posts_itself(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let flow = client.flow("openid").with("response_mode", "form_post");
        let page = client.visit(&mut browser, &flow, "ada").await;
        assert_eq!(page.status, 200);
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(!page.header("content-security-policy").contains("form-action"));
        let form = page.form("form-post");
        assert_eq!(form.action, client.redirect_uri);
        let names: Vec<&str> = form.fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["code", "state", "iss"]);
        assert_eq!(form.field("iss"), Some(app.issuer.as_str()));
        assert!(page.html.contains("method=\"post\"") && page.html.contains("type=\"submit\""));
        assert!(!page.url.contains("code="));
        assert!(page.html.contains("<script src=") && !page.html.contains("onload"), "no inline script");
        client.redeem(&flow, form.field("code").unwrap()).await.expect_tokens();

        // Errors go the same way.
        let page = app.browser().get(&flow.clone().with("response_type", "token").path()).await;
        let form = page.form("form-post");
        assert_eq!(form.field("error"), Some("unsupported_response_type"));
        assert_eq!((form.field("state"), form.field("code")), (Some("st4te"), None));
        let page = app.browser().get(&flow.path()).await;
        let page = browser.clone().submit(&page, "login-form", &[], Some(("action", "deny"))).await;
        assert_ne!(page.status, 200, "another browser's form is refused");
    }

    async fn ar_6_another_browser_cannot_go_on_with_a_request(database) {
        let (app, client) = ready(database).await;
        app.user("mallory").await;
        let mut victim = app.browser();
        let flow = client.flow("openid");
        let page = victim.get(&flow.path()).await;
        let request = page.query()["request"].clone();
        let stolen = page.form("login-form");

        let mut attacker = app.signed_in("mallory").await;
        for way in ["/oauth2/authorize/", "/consent?request=", "/login/choose?request="] {
            let page = attacker.get(&format!("{way}{request}")).await;
            assert!(page.has_id("error-page") && page.status == 400, "{way} {}", page.text());
        }
        // With a form of their own that names the victim's request.
        let own = attacker.get("/login").await;
        let page = attacker
            .submit(&own, "login-form", &[("request", &request), ("username", "mallory@example.com"), ("password", PASSWORD)], None)
            .await;
        assert!(!page.url.contains("/callback"), "{}", page.url);
        let csrf = own.form("login-form").field("csrf").unwrap().to_owned();
        for action in ["allow", "deny"] {
            let fields = [("csrf", csrf.as_str()), ("request", &request), ("session", ""), ("action", action)];
            let fields: Vec<(String, String)> = fields.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
            for path in ["/consent", "/login/choose"] {
                let page = attacker.post(path, &fields).await;
                assert!(page.has_id("error-page"), "{path} {}", page.text());
            }
            let page = attacker.post("/login", &fields).await;
            assert!(!page.url.contains("/callback"), "{}", page.url);
        }
        // With the victim's form and no cookie, or their own.
        let fields = stolen.fields.clone();
        assert!(app.browser().post("/login", &fields).await.status >= 400);
        assert!(attacker.post("/login", &fields).await.status >= 400);

        // The victim is not disturbed, and is not signed in as anybody else.
        let page = page_again(&mut victim, &request).await;
        let page = victim.answer_login(&page, "ada", PASSWORD).await;
        assert!(page.has_id("consent-form") && page.text().contains("ada@example.com"));
        let page = victim.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        client.redeem(&flow, &assert_code(&page)).await.expect_tokens();
    }

    async fn ch_1_a_form_from_elsewhere_or_without_its_token_is_refused(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let page = browser.get(&client.flow("openid").path()).await;
        let mut form = page.form("login-form");
        form.set("username", "ada@example.com");
        form.set("password", PASSWORD);
        let cookies: Vec<String> = browser.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let send = async |origin: Option<&str>, site: Option<&str>, fields: &[(String, String)]| {
            let mut request = app.http.post(app.url("/login")).header("cookie", cookies.join("; "));
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            if let Some(site) = site {
                request = request.header("sec-fetch-site", site);
            }
            request.form(fields).send().await.unwrap()
        };
        for (origin, site) in [
            (Some("https://evil.example"), None),
            (Some("null"), None),
            (Some("null"), Some("cross-site")),
            (Some(app.issuer.as_str()), Some("cross-site")),
            (None, Some("same-site")),
            (Some("https://evil.example"), Some("same-origin")),
        ] {
            let answer = send(origin, site, &form.fields).await;
            assert!(answer.status().is_client_error(), "{origin:?} {site:?}");
            assert!(answer.headers().get("set-cookie").is_none());
        }
        for csrf in ["", "wrong"] {
            let mut form = form.clone();
            form.set("csrf", csrf);
            let answer = send(Some(&app.issuer), Some("same-origin"), &form.fields).await;
            assert!(answer.status().is_client_error());
        }
        assert_eq!(send(Some(&app.issuer), Some("same-origin"), &form.fields).await.status(), 303);
    }

    async fn az_8_nothing_in_a_request_changes_on_its_way(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let flow = client.flow("openid");
        let page = browser.get(&flow.path()).await;
        let request = page.query()["request"].clone();
        let smuggled = "redirect_uri=https%3A%2F%2Fevil.example%2Fcallback&scope=openid+email&client_id=other\
            &response_type=token&nonce=other&code_challenge=other&state=other&prompt=none";
        let page = browser.get(&format!("/oauth2/authorize/{request}?{smuggled}")).await;
        assert!(page.has_id("login-form"));
        let extra = [
            ("redirect_uri", "https://evil.example/callback"),
            ("scope", "openid email"),
            ("client_id", "other"),
            ("state", "other"),
            ("username", "ada@example.com"),
            ("password", PASSWORD),
        ];
        let page = browser.submit(&page, "login-form", &extra, None).await;
        let page = browser.submit(&page, "consent-form", &extra[..4], Some(("action", "allow"))).await;
        assert!(page.url.starts_with(&client.redirect_uri), "{}", page.url);
        assert_eq!(page.query()["state"], "st4te");
        let tokens = client.redeem(&flow, &assert_code(&page)).await.expect_tokens();
        assert_eq!((&tokens.body["scope"], &tokens.id_claims()["nonce"]), (&json!("openid"), &json!("n0nce")));
    }

    async fn az_12_a_form_is_answered_by_303_and_by_nothing_else(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let page = browser.get(&client.flow("openid").path()).await;
        let mut form = page.form("login-form");
        form.set("username", "ada@example.com");
        form.set("password", PASSWORD);
        let answer = browser.once(Method::POST, "/login", Some(&form.fields)).await;
        assert_eq!(answer.status(), 303);
        let page = browser.get(&location(&answer)).await;
        let mut form = page.form("consent-form");
        form.set("action", "allow");
        let answer = browser.once(Method::POST, "/consent", Some(&form.fields)).await;
        assert_eq!(answer.status(), 303);
        let answer = browser.once(Method::GET, &location(&answer), None).await;
        assert_eq!(answer.status(), 303);
        assert!(location(&answer).starts_with(&client.redirect_uri));
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }

    async fn the_way_back_after_completion_gives_no_second_code(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let flow = client.flow("openid");
        let login = browser.get(&flow.path()).await;
        let request = login.query()["request"].clone();
        let consent = browser.answer_login(&login, "ada", PASSWORD).await;
        let done = browser.submit(&consent, "consent-form", &[], Some(("action", "allow"))).await;
        let code = assert_code(&done);
        for way in ["/oauth2/authorize/", "/consent?request="] {
            let page = browser.get(&format!("{way}{request}")).await;
            assert!(page.has_id("error-page") && page.status == 400, "{way}: {}", page.text());
        }
        for action in ["allow", "deny"] {
            let page = browser.submit(&consent, "consent-form", &[], Some(("action", action))).await;
            assert!(page.has_id("error-page"), "{}", page.text());
        }
        // The login form in the history still signs in, without a second answer to the application.
        let page = browser.answer_login(&login, "ada", PASSWORD).await;
        assert!(!page.url.contains("/callback"), "{}", page.url);
        client.redeem(&flow, &code).await.expect_tokens();
        // Starting over at the application works.
        assert_code(&browser.get(&flow.path()).await);
    }

    async fn two_tabs_of_one_browser_both_arrive(database) {
        let (app, client) = ready(database).await;
        let notes = app.client("notes").await;
        let mut browser = app.browser();
        let (one, two) = (client.flow("openid").with("state", "one"), notes.flow("openid").with("state", "two"));
        let first = browser.get(&one.path()).await;
        let second = browser.get(&two.path()).await;
        let page = browser.answer_login(&first, "ada", PASSWORD).await;
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        assert_eq!(page.query()["state"], "one");
        client.redeem(&one, &assert_code(&page)).await.expect_tokens();
        // The other tab still shows its login form: sent, or loaded again, it goes on.
        let mut reloading = browser.clone();
        let page = reloading.get(&second.url).await;
        assert!(page.has_id("consent-form"), "{}", page.text());
        let page = browser.answer_login(&second, "ada", PASSWORD).await;
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        assert_eq!(page.query()["state"], "two");
        notes.redeem(&two, &assert_code(&page)).await.expect_tokens();
    }

    async fn a_request_waits_only_so_long(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let page = browser.get(&client.flow("openid").path()).await;
        app.advance(app.app.config.lifetimes.request);
        let late = browser.answer_login(&page, "ada", PASSWORD).await;
        assert!(!late.url.contains("/callback"), "{}", late.url);
        let page = browser.get(&format!("/oauth2/authorize/{}", page.query()["request"])).await;
        assert!(page.has_id("error-page") && page.status == 400);
    }

    async fn oidc_3_16_cancel_on_the_login_page_tells_the_application(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let page = browser.get(&client.flow("openid").path()).await;
        assert!(page.has_id("login-cancel"));
        let page = browser.submit(&page, "login-form", &[], Some(("action", "deny"))).await;
        assert_error(&page, "access_denied");
    }

    async fn az_4_pkce_downgrades_are_refused(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let exempt = TestClient::register(&app, "legacy", |registration| registration.pkce_required = false).await;
        let mut browser = app.browser();
        // Without a challenge, a verifier is a sign of a stripped one (RFC 9700 §4.8.2).
        let bare = exempt.flow("openid").without("code_challenge").without("code_challenge_method");
        let code = exempt.authorize(&mut browser, &bare, "ada").await;
        exempt.redeem(&bare, &code).await.expect_error("invalid_grant");
        let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &exempt.redirect_uri)];
        exempt.token(&fields).await.expect_tokens();
        // With one, an exempt client needs the verifier like any other.
        let flow = exempt.flow("openid");
        let code = exempt.authorize(&mut browser, &flow, "ada").await;
        let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &exempt.redirect_uri)];
        exempt.token(&fields).await.expect_error("invalid_grant");
        exempt.redeem(&flow, &code).await.expect_tokens();
        let plain = exempt.flow("openid").with("code_challenge_method", "plain");
        assert_error(&browser.get(&plain.path()).await, "invalid_request");
    }

    async fn az_4_pkce_may_be_asked_of_public_clients_alone(database) {
        let settings = crate::support::Settings::with(|config| {
            config.protocol.pkce = countersign::config::Pkce::Public;
        });
        let app = TestApp::start_with(database, settings).await;
        app.user("ada").await;
        let public = TestClient::register(&app, "spa", |registration| {
            registration.set("token_endpoint_auth_method", "none");
        })
        .await;
        let bare = |client: &TestClient| client.flow("openid").without("code_challenge").without("code_challenge_method");
        assert_error(&app.browser().get(&bare(&public).path()).await, "invalid_request");
        let client = app.client("calendar").await;
        assert_code(&client.visit(&mut app.browser(), &bare(&client), "ada").await);
    }

    async fn ca_5_a_disabled_client_gets_an_error_page_at_every_step(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        let flow = client.flow("openid");
        let login = browser.get(&flow.path()).await;
        let consent = browser.answer_login(&login, "ada", PASSWORD).await;
        assert!(consent.has_id("consent-form"));
        crate::oidc::token::disable(&app, &client).await;
        let page = app.browser().get(&flow.path()).await;
        assert_eq!((page.status, page.has_id("error-page"), page.header("location")), (400, true, ""));
        let page = browser.submit(&consent, "consent-form", &[], Some(("action", "allow"))).await;
        assert!(!page.url.contains("code="), "{}", page.url);
        crate::oidc::token::enable(&app, &client).await;
        assert_code(&client.visit(&mut browser, &client.flow("openid"), "ada").await);
    }

    async fn oidc_7_1_the_id_token_says_what_happened_and_is_signed_for_this_client(database) {
        let (app, client) = ready(database).await;
        let flow = client.flow("openid email profile");
        let page = client.visit(&mut app.browser(), &flow, "ada").await;
        let code = assert_code(&page);
        app.advance(Duration::from_secs(30));
        let tokens = client.redeem(&flow, &code).await.expect_tokens();
        let (header, id) = verified(&app, tokens.id_token.as_deref().unwrap()).await;
        assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("JWT")));
        let now = app.clock.now().seconds();
        assert_eq!((&id["iss"], &id["aud"]), (&json!(app.issuer), &json!(client.client_id)));
        assert_eq!((&id["iat"], &id["auth_time"]), (&json!(now), &json!(now - 30)));
        assert!(id["exp"].as_i64().unwrap() > now);
        assert_eq!((&id["acr"], &id["amr"]), (&json!(ONE_FACTOR), &json!(["pwd"])));
        assert!(id["sub"].as_str().is_some_and(|sub| sub.is_ascii() && sub.len() <= 255 && !sub.contains('@')));
        assert!(id["sid"].is_string() && id.get("azp").is_none());
        let digest = countersign::crypto::Digest::of(tokens.access_token.as_bytes());
        let half = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, &digest.as_bytes()[..16]);
        assert_eq!(id["at_hash"], half);
        for claim in ["email", "name", "email_verified", "updated_at"] {
            assert!(id.get(claim).is_none(), "{claim} belongs to userinfo");
        }
        let mut members: Vec<&String> = tokens.body.as_object().unwrap().keys().collect();
        members.sort_unstable();
        assert_eq!(members, ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"]);
        assert_eq!((&tokens.body["token_type"], &tokens.body["expires_in"]), (&json!("Bearer"), &json!(900)));
        assert_ne!(tokens.body["scope"], Value::Null);
    }

    async fn oidc_12_6_the_sid_is_the_session_and_no_cookie(database) {
        let (app, client) = ready(database).await;
        let notes = app.client("notes").await;
        let mut browser = app.browser();
        let one = client.sign_in(&mut browser, "ada", "openid").await.id_claims()["sid"].clone();
        let two = notes.sign_in(&mut browser, "ada", "openid").await.id_claims()["sid"].clone();
        let other = client.sign_in(&mut app.browser(), "ada", "openid").await.id_claims()["sid"].clone();
        assert_eq!(one, two, "one session of the browser");
        assert_ne!(one, other);
        assert!(browser.cookies.values().all(|cookie| !cookie.contains(one.as_str().unwrap())));
    }
}

/// The login page of the request, loaded again.
async fn page_again(browser: &mut Browser, request: &str) -> Page {
    let page = browser.get(&format!("/login?request={request}")).await;
    assert!(page.has_id("login-form"), "{}", page.text());
    page
}
