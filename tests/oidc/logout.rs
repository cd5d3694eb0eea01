//! Signing out on an application's word (RP-Initiated Logout 1.0, IR-5).

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::on_both_databases;
use crate::support::{
    Browser, ClientKey, Database, Page, TestApp, TestClient, Tokens, claims, part, unsigned,
};
use countersign::model::SigningAlg;

struct House {
    app: TestApp,
    client: TestClient,
    browser: Browser,
    tokens: Tokens,
}

/// Ada is signed in to the calendar.
async fn ready(database: Database) -> House {
    let app = TestApp::start(database).await;
    app.user("ada").await;
    let client = app.client("calendar").await;
    let mut browser = app.browser();
    let tokens = client.sign_in(&mut browser, "ada", "openid").await;
    House { app, client, browser, tokens }
}

const BACK: &str = "https://calendar.example.org/signed-out";

fn path(parameters: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("/oauth2/logout?{query}")
}

fn hint(tokens: &Tokens) -> &str {
    tokens.id_token.as_deref().expect("an ID token")
}

/// What the logout endpoint answers itself, before any redirect is followed.
async fn location(browser: &mut Browser, path: &str) -> String {
    let answer = browser.once(Method::GET, path, None).await;
    answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

async fn is_signed_in(client: &TestClient, browser: &mut Browser) -> bool {
    let page = browser.get(&client.flow("openid").with("prompt", "none").path()).await;
    match page.query().get("error").map(String::as_str) {
        None => true,
        Some("login_required") => false,
        Some(other) => panic!("{other}"),
    }
}

async fn confirm(browser: &mut Browser, page: &Page) -> Page {
    assert!(page.has_id("logout-form") && page.has_id("logout-confirm"), "{}", page.text());
    browser.submit(page, "logout-form", &[], None).await
}

on_both_databases! {
    async fn oidc_12_1_a_hint_of_this_session_ends_it_and_goes_back(database) {
        let House { app: _app, client, mut browser, tokens } = ready(database).await;
        let old = browser.cookies.clone();
        let asked = path(&[("id_token_hint", hint(&tokens)), ("post_logout_redirect_uri", BACK), ("state", "a b&c")]);
        assert_eq!(location(&mut browser, &asked).await, format!("{BACK}?state=a+b%26c"), "only state is added");
        assert!(!is_signed_in(&client, &mut browser).await);
        // The cookie is dead, not only forgotten.
        browser.cookies = old;
        assert!(!is_signed_in(&client, &mut browser).await);
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 401);
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        // Once more is the same: signed out is signed out.
        let mut again = browser.clone();
        assert!(location(&mut again, &asked).await.starts_with(BACK));
    }

    async fn oidc_12_1_without_an_address_there_is_a_last_page(database) {
        let House { app: _app, client, mut browser, tokens } = ready(database).await;
        let page = browser.get(&path(&[("id_token_hint", hint(&tokens))])).await;
        assert!(page.status == 200 && page.has_id("logged-out"), "{}", page.text());
        assert!(!is_signed_in(&client, &mut browser).await);
        // Without state, nothing is added at all.
        let tokens = client.sign_in(&mut browser, "ada", "openid").await;
        let asked = path(&[("id_token_hint", hint(&tokens)), ("post_logout_redirect_uri", BACK)]);
        assert_eq!(location(&mut browser, &asked).await, BACK);
    }

    async fn oidc_12_1_an_expired_hint_is_fine(database) {
        let House { app, client, mut browser, tokens } = ready(database).await;
        app.advance(Duration::from_secs(2 * 3600));
        assert!(is_signed_in(&client, &mut browser).await);
        let asked = path(&[("id_token_hint", hint(&tokens)), ("post_logout_redirect_uri", BACK), ("client_id", &client.client_id)]);
        assert_eq!(location(&mut browser, &asked).await, BACK);
        assert!(!is_signed_in(&client, &mut browser).await);
        // Even days after the session was over.
        app.advance(Duration::from_secs(3 * 86_400));
        assert_eq!(location(&mut browser, &asked).await, BACK);
    }

    async fn oidc_12_1_a_form_from_the_application_works_like_a_link(database) {
        let House { app, client, mut browser, tokens } = ready(database).await;
        let form = [("id_token_hint", hint(&tokens)), ("post_logout_redirect_uri", BACK), ("state", "s")];
        let request = app.http.post(app.url("/oauth2/logout")).header("origin", "https://calendar.example.org");
        let posted = request.header("sec-fetch-site", "cross-site").form(&form).send().await.unwrap();
        assert_eq!(posted.status(), 303);
        let handle = posted.headers()["location"].to_str().unwrap().to_owned();
        assert!(is_signed_in(&client, &mut browser).await, "the form itself ends nothing");
        assert_eq!(location(&mut browser, &handle).await, format!("{BACK}?state=s"));
        assert!(!is_signed_in(&client, &mut browser).await);
        let unregistered = [("id_token_hint", hint(&tokens)), ("post_logout_redirect_uri", "https://evil.example/")];
        let posted = app.http.post(app.url("/oauth2/logout")).form(&unregistered).send().await.unwrap();
        let handle = posted.headers()["location"].to_str().unwrap().to_owned();
        assert!(handle.starts_with("/oauth2/logout?"));
        assert_eq!(browser.get(&handle).await.status, 400);
        // Nothing at all asks the person.
        let posted = app.http.post(app.url("/oauth2/logout")).send().await.unwrap();
        assert_eq!(posted.status(), 303);
    }

    async fn ir_5_a_hint_that_is_not_ours_leads_nowhere(database) {
        let House { app, client, mut browser, tokens } = ready(database).await;
        let notes = app.client("notes").await;
        let foreign = ClientKey::new(SigningAlg::Es256, "forged");
        let id = claims(hint(&tokens));
        let none = json!({"alg": "none", "typ": "JWT"});
        let (signed, _) = hint(&tokens).rsplit_once('.').unwrap();
        let forged = [
            foreign.sign(&id),
            foreign.sign_as(&part(hint(&tokens), 0), &id),
            format!("{}.", unsigned(&none, &id)),
            format!("{signed}."),
            format!("{signed}.{}", "A".repeat(512)),
            tokens.access_token.clone(),
            "nonsense".to_owned(),
            "a.b.c".to_owned(),
        ];
        for hint in &forged {
            for named in [vec![], vec![("client_id", client.client_id.as_str())]] {
                let mut asked = vec![("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BACK), ("state", "s")];
                asked.extend(named);
                assert_eq!(location(&mut browser, &path(&asked)).await, "", "{hint}");
                let page = browser.get(&path(&asked)).await;
                assert!(page.has_id("error-page") || page.has_id("logout-form"), "{}", page.text());
            }
        }
        assert!(is_signed_in(&client, &mut browser).await, "and ends nothing");
        // A hint for one client with another's name, and with another's address.
        let asked = path(&[("id_token_hint", hint(&tokens)), ("client_id", &notes.client_id), ("post_logout_redirect_uri", "https://notes.example.org/signed-out")]);
        assert_eq!(location(&mut browser, &asked).await, "");
        let asked = path(&[("id_token_hint", hint(&tokens)), ("post_logout_redirect_uri", "https://notes.example.org/signed-out")]);
        assert_eq!(location(&mut browser, &asked).await, "");
        assert!(is_signed_in(&client, &mut browser).await);
    }

    async fn oidc_12_1_only_a_registered_address_letter_by_letter(database) {
        let House { app: _app, client, mut browser, tokens } = ready(database).await;
        for uri in [
            "https://evil.example/",
            "https://calendar.example.org/signed-out?a=b",
            "https://calendar.example.org/signed-out?",
            "https://calendar.example.org/signed-out/",
            "https://calendar.example.org/signed-out#x",
            "https://calendar.example.org/Signed-Out",
            "https://calendar.example.org/",
            "https://calendar.example.org/callback",
            "http://calendar.example.org/signed-out",
            "//calendar.example.org/signed-out",
            "/signed-out",
            "javascript:alert(1)",
        ] {
            let asked = path(&[("id_token_hint", hint(&tokens)), ("post_logout_redirect_uri", uri), ("state", "s")]);
            let page = browser.get(&asked).await;
            assert_eq!((page.status, page.header("location")), (400, ""), "{uri}");
            assert!(page.has_id("error-page") && page.text().contains("post_logout_redirect_uri"), "{}", page.text());
            assert!(!page.links().iter().any(|link| link == uri));
        }
        assert!(is_signed_in(&client, &mut browser).await);
    }

    async fn oidc_12_2_without_a_hint_the_person_is_asked(database) {
        let House { app: _app, client, mut browser, tokens } = ready(database).await;
        for asked in [
            path(&[]),
            "/oauth2/logout".to_owned(),
            path(&[("client_id", &client.client_id)]),
            path(&[("client_id", &client.client_id), ("post_logout_redirect_uri", BACK), ("state", "s")]),
            path(&[("post_logout_redirect_uri", BACK)]),
            path(&[("logout_hint", "ada@example.com"), ("ui_locales", "de")]),
            path(&[("id_token_hint", "")]),
        ] {
            let page = browser.get(&asked).await;
            assert!(page.status == 200 && page.has_id("logout-form"), "{asked}: {}", page.text());
            assert!(page.text().contains("ada@example.com"));
            assert!(is_signed_in(&client, &mut browser).await, "{asked}");
        }
        let page = browser.get(&path(&[("client_id", &client.client_id), ("post_logout_redirect_uri", BACK)])).await;
        let page = confirm(&mut browser, &page).await;
        // RIL §3: without a hint, no redirect; the person may follow a link.
        assert!(page.has_id("logged-out") && page.status == 200, "{}", page.url);
        assert!(!is_signed_in(&client, &mut browser).await);
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 401);
        // An address without anybody who vouches for it is not even a link.
        client.sign_in(&mut browser, "ada", "openid").await;
        let page = browser.get(&path(&[("post_logout_redirect_uri", "https://evil.example/")])).await;
        let page = confirm(&mut browser, &page).await;
        assert!(!page.html.contains("evil.example"));
    }

    async fn ch_1_the_question_is_answered_by_our_own_form_alone(database) {
        let House { app, client, mut browser, .. } = ready(database).await;
        let page = browser.get("/logout").await;
        let form = page.form("logout-form");
        let cookies: Vec<String> = browser.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let request = || app.http.post(app.url("/logout")).header("cookie", cookies.join("; "));
        let foreign = request().header("origin", "https://evil.example").form(&form.fields).send().await.unwrap();
        assert!(foreign.status().is_client_error());
        let bare = request().header("origin", &app.issuer).form(&[("csrf", "x")]).send().await.unwrap();
        assert!(bare.status().is_client_error());
        assert!(is_signed_in(&client, &mut browser).await);
        let page = confirm(&mut browser, &page).await;
        assert!(page.has_id("logged-out"));
        assert!(!is_signed_in(&client, &mut browser).await);
    }

    async fn ir_5_a_hint_of_another_session_asks(database) {
        let House { app, client, mut browser, tokens } = ready(database).await;
        // Ada's other browser has another session.
        let mut other = app.browser();
        client.sign_in(&mut other, "ada", "openid").await;
        let asked = path(&[("id_token_hint", hint(&tokens)), ("post_logout_redirect_uri", BACK)]);
        let page = other.get(&asked).await;
        assert!(page.has_id("logout-form"), "{} {}", page.url, page.text());
        assert!(is_signed_in(&client, &mut other).await && is_signed_in(&client, &mut browser).await);
        // Whoever says yes goes back to the application that sent them, and only this browser is signed out.
        let page = confirm(&mut other, &page).await;
        assert_eq!(page.url, BACK);
        assert!(!is_signed_in(&client, &mut other).await);
        assert!(is_signed_in(&client, &mut browser).await);
        // Nor does somebody else's browser sign Ada out.
        app.user("mallory").await;
        let mut mallory = app.signed_in("mallory").await;
        assert!(mallory.get(&asked).await.has_id("logout-form"));
        assert!(is_signed_in(&client, &mut browser).await);
    }

    async fn ir_5_one_of_several_accounts_leaves_and_the_others_stay(database) {
        let House { app, client, mut browser, tokens } = ready(database).await;
        let bob = app.user("bob").await;
        browser.sign_in("bob").await;
        let asked = path(&[("id_token_hint", hint(&tokens)), ("post_logout_redirect_uri", BACK)]);
        assert_eq!(location(&mut browser, &asked).await, BACK);
        let flow = client.flow("openid");
        let page = browser.get(&flow.path()).await;
        assert!(page.has_id("consent-form") && page.text().contains("bob@example.com"), "{}", page.text());
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        let left = client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
        assert_eq!(left.id_claims()["sub"], bob.to_string());
    }

    async fn ir_5_sessions_take_their_refresh_tokens_along_and_offline_ones_stay(database) {
        let House { app, client, mut browser, tokens } = ready(database).await;
        let notes = app.client("notes").await;
        let online = notes.sign_in(&mut browser, "ada", "openid").await;
        let offline = notes.sign_in(&mut browser, "ada", "openid offline_access").await;
        let asked = path(&[("id_token_hint", hint(&tokens))]);
        assert!(browser.get(&asked).await.has_id("logged-out"));
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        // Every application of the session, not only the one that asked.
        notes.refresh(online.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(notes.introspect(&online.access_token).await, json!({"active": false}));
        let still = notes.refresh(offline.refresh_token()).await.expect_tokens();
        assert_eq!(notes.userinfo(&still.access_token).await.status, 200);
    }

    async fn oidc_12_2_a_code_that_waits_is_dead_after_sign_out(database) {
        let House { app: _app, client, mut browser, tokens } = ready(database).await;
        let flow = client.flow("openid");
        let code = client.authorize(&mut browser, &flow, "ada").await;
        browser.get(&path(&[("id_token_hint", hint(&tokens))])).await;
        client.redeem(&flow, &code).await.expect_error("invalid_grant");
    }

    async fn oidc_12_1_the_page_speaks_the_language_asked_for(database) {
        let House { app: _app, mut browser, tokens, .. } = ready(database).await;
        let page = browser.get(&path(&[("ui_locales", "de")])).await;
        assert_eq!(page.header("content-language"), "de");
        let mut other = browser.clone();
        let page = confirm(&mut other, &page).await;
        assert_eq!(page.header("content-language"), "de", "and goes on speaking it");
        let page = browser.get(&path(&[("id_token_hint", hint(&tokens)), ("ui_locales", "de-CH en")])).await;
        assert!(page.has_id("logged-out"));
        assert_eq!(page.header("content-language"), "de");
    }

    async fn oidc_1_8_a_repeated_parameter_ends_nothing(database) {
        let House { app: _app, client, mut browser, tokens } = ready(database).await;
        let asked = path(&[("id_token_hint", hint(&tokens)), ("post_logout_redirect_uri", BACK), ("post_logout_redirect_uri", BACK)]);
        assert_eq!(browser.get(&asked).await.status, 400);
        let asked = path(&[("id_token_hint", hint(&tokens)), ("client_id", "nobody")]);
        assert_eq!(browser.get(&asked).await.status, 400);
        assert!(is_signed_in(&client, &mut browser).await);
    }
}
