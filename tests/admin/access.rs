//! Who may enter the console: every route of its table, tried in every role (AD-2, AD-3).

use std::time::Duration;

use countersign::model::InstanceRole;
use countersign::tenancy::console::{Act, Area, Need};
use countersign::web::admin;
use reqwest::Method;
use reqwest::header::LOCATION;

use super::{console, post, user_with_role};
use crate::on_both_databases;
use crate::support::{Browser, Database, Settings, TestApp};

/// The roles that somebody may come in.
const ROLES: [&str; 7] = ["nobody", "member", "reader", "admin-of-other", "admin-here", "support", "root"];

/// Whether this role gets as far as the handler.
fn may(role: &str, need: Need) -> bool {
    let own = need.area == Area::Organisation || (need.area == Area::Front && need.act == Act::See);
    match role {
        "root" => true,
        "support" => need.act == Act::See,
        "admin-here" => own,
        "admin-of-other" => need.area == Area::Front && need.act == Act::See,
        _ => false,
    }
}

/// Something for every placeholder, so that handlers find no fault with the path itself.
fn filled(path: &str, organisation: &str) -> String {
    let mut filled = String::new();
    for part in path.split('/').skip(1) {
        filled.push('/');
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            None => filled.push_str(part),
            Some("organization") => filled.push_str(organisation),
            Some(_) => filled.push_str("none-such"),
        }
    }
    filled
}

async fn world() -> TestApp {
    let app = TestApp::start(Database::Sqlite).await;
    let (here, other) = (app.organisation("here").await, app.organisation("other").await);
    user_with_role(&app, "root", InstanceRole::Administrator).await;
    user_with_role(&app, "support", InstanceRole::Support).await;
    for (name, organisation, role) in [
        ("member", &here, "member"),
        ("reader", &here, "manager"),
        ("admin-here", &here, "admin"),
        ("admin-of-other", &other, "admin"),
    ] {
        let user = app.user(name).await;
        app.member(organisation, user, &[role]).await;
    }
    app
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ad_3_each_route_in_each_role() {
    let app = world().await;
    let mut tried = 0;
    for role in ROLES {
        let mut browser = if role == "nobody" { app.browser() } else { app.signed_in(role).await };
        for route in admin::all() {
            let path = filled(route.path, "here");
            let method = if route.method == "get" { Method::GET } else { Method::POST };
            // Without our own token: nothing is changed by those who may, and they are told so by another page.
            let response = browser.once(method, &path, (route.method == "post").then_some(&[][..])).await;
            let (status, case) = (response.status().as_u16(), format!("{role}: {} {path}", route.method));
            let reference = response.headers()["x-request-id"].to_str().unwrap().to_owned();
            let location = response.headers().get(LOCATION).map(|to| to.to_str().unwrap().to_owned());
            let events = app
                .read(move |db| {
                    let sought = countersign::store::audit::Sought {
                        request: Some(reference.clone()),
                        ..Default::default()
                    };
                    countersign::store::audit::search(db, &sought, 10)
                })
                .await;
            let refused = events.iter().any(|event| event.action == "console.refused");
            match role {
                "nobody" => {
                    assert_eq!(status, 303, "{case}");
                    let location = location.unwrap();
                    assert!(location.starts_with("/login?next=/admin"), "{case}: {location}");
                    assert!(!refused, "{case}");
                }
                _ if may(role, route.need) => {
                    assert!(!refused, "{case}: let in");
                    let location = location.unwrap_or_default();
                    assert!(!location.starts_with("/login"), "{case}: {location}");
                    match route.method {
                        "post" => assert_eq!(status, 403, "{case}: the form has no token"),
                        _ => assert!(matches!(status, 200 | 303 | 404), "{case}: {status}"),
                    }
                }
                _ => {
                    assert_eq!(status, 403, "{case}");
                    assert!(refused, "{case}: it is in the audit");
                }
            }
            tried += 1;
        }
    }
    assert!(tried >= 7 * 20, "{tried} cases");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ad_5_no_other_spelling_of_a_path_leads_there() {
    let app = world().await;
    let mut browser = app.browser();
    for path in [
        "/admin;x",
        "/admin/users;x",
        "//admin/users",
        "/admin//users",
        "/Admin/users",
        "/admin/users.",
        "/admin/users/",
        "/%61dmin/users",
        "/admin%2fusers",
        "/x/../admin/users",
        "/admin/%2e/users",
        "/account/..%2fadmin",
    ] {
        let response = browser.once(Method::GET, path, None).await;
        let status = response.status().as_u16();
        let location = response.headers().get(LOCATION).map(|to| to.to_str().unwrap().to_owned());
        let page = response.text().await.unwrap();
        // What is decoded to the path itself is the path, and asks who is there.
        let asks = status == 303 && location.is_some_and(|to| to.starts_with("/login"));
        assert!(asks || status == 404, "{path}: {status}");
        assert!(!page.contains("none-such") && !page.contains("support@example.com"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ad_5_the_console_may_have_a_listener_of_its_own() {
    let settings = Settings::with(|config| config.server.console_listen = "127.0.0.1:0".parse().ok());
    let app = TestApp::start_with(Database::Sqlite, settings).await;
    user_with_role(&app, "root", InstanceRole::Administrator).await;
    let mut browser = app.signed_in("root").await;
    for path in ["/admin", "/admin/users", "/api/v1/admin/users", "/api/v1/admin/openapi.json"] {
        assert_eq!(browser.get(path).await.status, 404, "{path}");
    }
    assert_eq!(browser.get("/api/v1/openapi.json").await.status, 200);
    // The same host by another way in, as a proxy inside the house leads there.
    let at = app.console_at.expect("it listens");
    let mut inside = Browser::new(&app.issuer, &format!("http://{at}"));
    inside.sign_in("root").await;
    assert_eq!(inside.get("/admin/users").await.status, 200);
    assert_eq!(inside.get("/api/v1/admin/openapi.json").await.status, 200);
}

/// Goes to a page of the console and comes by the login form, as somebody who has to prove who they are.
async fn proving(browser: &mut Browser, path: &str, name: &str) -> crate::support::Page {
    let page = browser.get(path).await;
    assert!(page.has_id("login-form"), "{}: {}", page.url, page.text());
    browser.answer_login(&page, name, crate::support::PASSWORD).await
}

on_both_databases! {
    async fn an_organisation_called_new_is_led_to_as_any(database) {
        let app = TestApp::start(database).await;
        let (new, ada) = (app.organisation("new").await, app.user("ada").await);
        app.member(&new, ada, &["admin"]).await;
        let page = app.signed_in("ada").await.get("/admin").await;
        assert!(page.status == 200 && page.url.ends_with(&new.id.to_string()), "{}: {}", page.url, page.text());
    }

    async fn ad_2_a_visit_needs_a_proof_and_ends_after_half_an_hour_unused(database) {
        let (app, mut browser) = console(database).await;
        // Signed in for longer than a proof is fresh, and never in the console.
        app.advance(Duration::from_secs(6 * 60));
        let page = proving(&mut browser, "/admin/users", "root").await;
        assert!(page.url.ends_with("/admin/users"), "{}", page.url);
        for _ in 0..4 {
            app.advance(Duration::from_secs(25 * 60));
            assert!(browser.get("/admin/users").await.url.ends_with("/admin/users"), "used all the time");
        }
        app.advance(Duration::from_secs(31 * 60));
        // The session itself goes on.
        assert!(browser.get("/account").await.text().contains("root@example.com"));
        let page = proving(&mut browser, "/admin/users", "root").await;
        assert!(page.url.ends_with("/admin/users"), "{}", page.url);
        assert_eq!(app.audit().await.iter().filter(|event| *event == "console.opened success").count(), 2);
    }

    async fn ad_2_what_destroys_wants_a_proof_of_just_now_and_loses_nothing(database) {
        let (app, mut browser) = console(database).await;
        let ada = app.user("ada").await;
        browser.get("/admin").await;
        app.advance(Duration::from_secs(6 * 60));
        let path = format!("/admin/users/{ada}/disable");
        // Sent without having seen the question: led to the proof, and then to the question.
        let page = browser.get("/account/profile").await;
        let csrf: Vec<_> = page.forms()[0].fields.iter().filter(|(name, _)| name == "csrf").cloned().collect();
        let page = browser.post(&path, &csrf).await;
        assert!(page.has_id("login-form"), "{}", page.url);
        let page = browser.answer_login(&page, "root", crate::support::PASSWORD).await;
        assert!(page.url.ends_with(&path) && page.has_id("question"), "{}", page.url);
        let found = app.read(move |db| countersign::store::users::find(db, ada)).await.unwrap();
        assert_eq!(found.status.as_str(), "active", "nothing happened yet");
        let page = crate::admin::press(&mut browser, &page, "/disable").await;
        assert!(page.has_id("done"), "{}", page.text());
        let found = app.read(move |db| countersign::store::users::find(db, ada)).await.unwrap();
        assert_eq!(found.status.as_str(), "disabled");
    }

    async fn ad_2_on_a_public_issuer_an_organisations_administrator_needs_two_factors(database) {
        let settings = Settings::with(|config| config.issuer = "https://id.example.com".parse().unwrap());
        let app = TestApp::start_with(database, settings).await;
        let acme = app.organisation("acme").await;
        let ada = app.user("ada").await;
        app.member(&acme, ada, &["admin"]).await;
        let mut browser = app.browser();
        browser.sign_in("ada").await;
        let page = browser.get("/admin").await;
        assert!(page.url.contains("/login/enrol"), "{}", page.url);
        // An old sign-in gets no factor (SE-7): first who it is, then the factor.
        app.advance(Duration::from_secs(16 * 60));
        let page = proving(&mut browser, "/admin", "ada").await;
        assert!(page.url.contains("/login/enrol") && page.has_id("totp-start-form"), "{}", page.url);
    }

    async fn se_7_the_first_steps_lead_to_a_factor_after_an_old_sign_in_too(database) {
        let (app, mut browser) = console(database).await;
        browser.get("/admin/setup").await;
        app.advance(Duration::from_secs(6 * 60));
        for _ in 0..2 {
            let page = browser.get("/admin/setup").await;
            let enrol = page.links().into_iter().find(|link| link.contains("/login/enrol?")).expect("a way to a factor");
            let page = browser.get(&enrol).await;
            if page.has_id("totp-start-form") { return; }
            assert!(page.has_id("login-form"), "who it is first: {}", page.url);
            let page = browser.answer_login(&page, "root", crate::support::PASSWORD).await;
            assert!(page.url.ends_with("/admin/setup"), "{}", page.url);
        }
        panic!("no factor can be added");
    }

    async fn ad_3_whoever_loses_the_role_is_out_at_once(database) {
        let (app, mut browser) = console(database).await;
        let other = user_with_role(&app, "other", InstanceRole::Administrator).await;
        let mut theirs = app.signed_in("other").await;
        assert_eq!(theirs.get("/admin/users").await.status, 200);
        let page = post(&mut browser, &format!("/admin/users/{other}/role"), &[("role", "support")]).await;
        assert!(page.has_id("done"), "{}", page.text());
        assert_eq!(theirs.get("/admin/users").await.status, 200, "support looks");
        assert_eq!(theirs.get("/admin/users/new").await.status, 403, "and does not change");
        post(&mut browser, &format!("/admin/users/{other}/role"), &[("role", "none")]).await;
        assert_eq!(theirs.get("/admin/users").await.status, 403);
        let page = post(&mut browser, "/admin/users/none-such/role", &[("role", "none")]).await;
        assert_eq!(page.status, 404);
    }
}
