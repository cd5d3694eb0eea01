//! What holds for every request, seen from outside.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App as Service, HttpResponse, web};

use crate::crypto::Secret;
use crate::identity::device::KnownDevice;
use crate::model::{ApplicationType, Client, ClientAuthMethod, ClientKey, GrantType, SigningAlg, Status};
use crate::protocol::{ErrorCode, OAuthError};
use crate::store;

use super::extract::{Browser, Caller, OAuthForm, PageForm};
use super::failure::{ApiFailure, PageFailure};
use super::lifecycle::Lifecycle;
use super::observe::observe;
use super::testing::{Instance, Running, exchange};
use super::{cookies, cors, csrf};

/// Handlers that fail in every way, behind the middleware.
macro_rules! service {
    ($instance:expr) => {
        init_service(
            Service::new()
                .app_data(web::Data::from(Arc::clone(&$instance.app)))
                .app_data(web::Data::new(Lifecycle::default()))
                .wrap(from_fn(observe))
                .route("/panic", web::get().to(panicking))
                .service(web::resource("/ok").route(web::get().to(async || HttpResponse::Ok().body("ok"))))
                .route("/missing", web::get().to(async || fail(PageFailure::NotFound)))
                .route("/away", web::get().to(async || fail(PageFailure::Store(away()))))
                .route("/form", web::post().to(async |form: PageForm| form.0.get("a").map(str::to_owned)))
                .route("/oauth", web::post().to(async |form: OAuthForm| form.0.get("a").map(str::to_owned)))
                .route("/caller", web::get().to(async |caller: Caller| format!("{:?}", caller.0)))
                .route("/browser", web::get().to(async |browser: Browser| format!("{browser:?}")))
                .service(
                    web::resource("/token")
                        .wrap(from_fn(cors::for_browser_clients))
                        .route(web::post().to(refusing)),
                )
                .service(
                    web::resource("/jwks")
                        .wrap(from_fn(cors::for_anyone))
                        .route(web::get().to(async || HttpResponse::Ok().finish())),
                ),
        )
        .await
    };
}

async fn panicking() -> HttpResponse {
    panic!("on purpose")
}

async fn refusing() -> Result<HttpResponse, ApiFailure> {
    Err(OAuthError::new(ErrorCode::InvalidGrant, "spent").with_hint("digest 12ab").into())
}

fn fail(failure: PageFailure) -> Result<HttpResponse, PageFailure> {
    Err(failure)
}

fn away() -> store::Error {
    store::Error::Unavailable("db.internal refused".to_owned())
}

fn of<'a, B>(answer: &'a ServiceResponse<B>, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

#[actix_web::test]
async fn lo_3_ch_3_every_failure_is_explained_without_detail() {
    let instance = Instance::open("https://id.example.com").await;
    let service = service!(instance);
    let html = "text/html,application/xhtml+xml,*/*;q=0.8";
    for (method, path, accept, status, contained) in [
        (Method::GET, "/missing", "*/*", 404, "Hier ist nichts"),
        (Method::GET, "/away", html, 503, "temporarily_unavailable"),
        (Method::GET, "/nowhere", html, 404, "id=\"error-page\""),
        (Method::GET, "/nowhere", "*/*", 404, "{\"error\":\"not_found\"}"),
        (Method::POST, "/ok", html, 405, "id=\"error-page\""),
        (Method::POST, "/ok", "application/json", 405, "{\"error\":\"method_not_allowed\"}"),
        (
            Method::POST,
            "/token",
            html,
            400,
            "{\"error\":\"invalid_grant\",\"error_description\":\"spent\",\"reference\":\"",
        ),
    ] {
        let request = TestRequest::default()
            .method(method)
            .uri(path)
            .insert_header((header::ACCEPT, accept))
            .insert_header((header::ACCEPT_LANGUAGE, "de-AT"))
            .to_request();
        let answer = call_service(&service, request).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(of(&answer, "x-content-type-options"), Some("nosniff"));
        assert_eq!(of(&answer, "referrer-policy"), Some("same-origin"));
        assert_eq!(of(&answer, "strict-transport-security"), Some("max-age=63072000"));
        assert_eq!(of(&answer, "allow").is_some(), status == 405, "{path}");
        assert_eq!(of(&answer, "retry-after").is_some(), status == 503, "{path}");
        assert_eq!(of(&answer, "cache-control"), Some("no-store"), "{path}");
        let reference = of(&answer, "x-request-id").unwrap().to_owned();
        let is_page = of(&answer, "content-type").unwrap().starts_with("text/html");
        assert_eq!(of(&answer, "content-security-policy").is_some(), is_page, "CH-2: {path}");
        let body = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
        assert!(body.contains(contained), "{path}: {body}");
        let is_of_oauth = body.starts_with("{\"error\":") && path == "/token";
        assert_eq!(body.contains(&reference), is_page || is_of_oauth, "{path}");
        for detail in ["db.internal", "12ab", "Store"] {
            assert!(!body.contains(detail), "{path}: {body}");
        }
    }
}

#[actix_web::test]
async fn cr_10_a_panic_is_one_requests_own_trouble() {
    let instance = Instance::open("http://localhost:8080").await;
    let service = service!(instance);
    let call = |path: &str| TestRequest::get().uri(path).to_request();
    for _ in 0..3 {
        let error = actix_web::dev::Service::call(&service, call("/panic")).await.unwrap_err();
        let answer = error.error_response();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.headers().contains_key("x-request-id"));
        assert_eq!(call_service(&service, call("/ok")).await.status(), StatusCode::OK);
    }
    let text = instance.app.metrics.encode();
    assert!(text.contains("countersign_panics_total 3"), "{text}");
}

#[actix_web::test]
async fn head_is_answered_as_get() {
    let instance = Instance::open("http://localhost:8080").await;
    let service = service!(instance);
    let request = TestRequest::default().method(Method::HEAD).uri("/ok").to_request();
    assert_eq!(call_service(&service, request).await.status(), StatusCode::OK);
}

#[actix_web::test]
async fn ch_1_a_form_needs_its_token_its_browser_and_no_other_sender() {
    let instance = Instance::open("https://id.example.com").await;
    let service = service!(instance);
    let (mine, other) = (Secret::generate(&instance.app.random), Secret::generate(&instance.app.random));
    let token = csrf::token(&instance.app.master, &mine);
    let ours = "https://id.example.com";
    for (cookie, token, origin, status) in [
        (Some(&mine), token.as_str(), ours, 200),
        (Some(&other), token.as_str(), ours, 403),
        (None, token.as_str(), ours, 403),
        (Some(&mine), "", ours, 403),
        (Some(&mine), "wrong", ours, 403),
        (Some(&mine), token.as_str(), "https://evil.example", 403),
        (Some(&mine), token.as_str(), "null", 403),
    ] {
        let mut request = TestRequest::post()
            .uri("/form")
            .insert_header((header::ORIGIN, origin))
            .insert_header((header::CONTENT_TYPE, "application/x-www-form-urlencoded"))
            .set_payload(format!("a=1&csrf={token}"));
        if let Some(cookie) = cookie {
            request = request.cookie(cookies::binding(&instance.app.config.issuer, cookie));
        }
        let answer = call_service(&service, request.to_request()).await;
        assert_eq!(answer.status().as_u16(), status, "{origin} {token}");
        assert_eq!(status == 403, read_body(answer).await.starts_with(b"<!doctype html>"));
    }
}

#[actix_web::test]
async fn az_6_hl_2_clients_parameters_come_from_a_form_and_nowhere_else() {
    let instance = Instance::open("http://localhost:8080").await;
    let service = service!(instance);
    let form = "application/x-www-form-urlencoded";
    for (uri, content_type, body, status) in [
        ("/oauth", form, "a=1".to_owned(), 200),
        ("/oauth", "application/json", "{\"a\":1}".to_owned(), 415),
        ("/oauth", "", "a=1".to_owned(), 415),
        ("/oauth?a=1", form, "a=1".to_owned(), 400),
        ("/oauth?client_secret=x", form, String::new(), 400),
        ("/oauth", form, "a=1&a=2".to_owned(), 400),
        ("/oauth", form, "a=%00".to_owned(), 400),
        ("/oauth", form, "a=%ff".to_owned(), 400),
        ("/oauth", form, format!("a=1&b={}", "x".repeat(64 * 1024)), 413),
    ] {
        let request = TestRequest::post()
            .uri(uri)
            .insert_header((header::CONTENT_TYPE, content_type))
            .set_payload(body)
            .to_request();
        let answer = call_service(&service, request).await;
        assert_eq!(answer.status().as_u16(), status, "{uri} {content_type}");
        if status != 200 {
            assert_eq!(of(&answer, "cache-control"), Some("no-store"));
            let body: serde_json::Value = serde_json::from_slice(&read_body(answer).await).unwrap();
            assert_eq!(body["error"], "invalid_request");
        }
    }
}

#[actix_web::test]
async fn callers_and_browsers_are_read_from_the_request() {
    let instance = Instance::open("https://id.example.com").await;
    let service = service!(instance);
    let request = TestRequest::get()
        .uri("/caller")
        .peer_addr("192.0.2.7:4711".parse().unwrap())
        .insert_header((header::USER_AGENT, "Firefox"))
        .insert_header(("x-forwarded-for", "198.51.100.1"))
        .to_request();
    let answer = call_service(&service, request).await;
    let reference = of(&answer, "x-request-id").unwrap().to_owned();
    let body = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
    for part in ["192.0.2.7", "Firefox", &reference] {
        assert!(body.contains(part), "{body}");
    }

    let (app, issuer) = (&instance.app, &instance.app.config.issuer);
    let secrets = [Secret::generate(&app.random), Secret::generate(&app.random)];
    let request = TestRequest::get()
        .uri("/browser")
        .cookie(cookies::binding(issuer, &secrets[0]))
        .cookie(cookies::sessions(issuer, &secrets, None))
        .cookie(cookies::devices(issuer, &app.master, &KnownDevice::fresh(&app.random)))
        .to_request();
    let body = String::from_utf8(read_body(call_service(&service, request).await).await.to_vec()).unwrap();
    assert!(body.contains("sessions: [Secret(…), Secret(…)]") && body.contains("device: Some("), "{body}");
}

#[actix_web::test]
async fn ch_4_only_registered_browser_origins_read_tokens_and_everybody_reads_keys() {
    let instance = Instance::open("https://id.example.com").await;
    let app = &instance.app;
    let (now, random) = (app.clock.now(), app.random.clone());
    app.db
        .write(move |db| {
            for (name, auth_method, status, uri) in [
                ("spa", ClientAuthMethod::None, Status::Active, "https://app.example.com/back"),
                ("old", ClientAuthMethod::None, Status::Disabled, "https://old.example.com/back"),
                ("web", ClientAuthMethod::SecretBasic, Status::Active, "https://web.example.com/back"),
                ("app", ClientAuthMethod::None, Status::Active, "com.example.app:/back"),
            ] {
                let client = Client {
                    key: ClientKey::new(now, &random),
                    client_id: name.to_owned(),
                    redirect_uris: vec![uri.to_owned()],
                    auth_method,
                    status,
                    ..sample(now)
                };
                store::clients::insert(db, &client, now)?;
            }
            Ok(())
        })
        .await
        .unwrap();
    let service = service!(instance);
    for (origin, allowed) in [
        ("https://app.example.com", true),
        ("https://app.example.com:8443", false),
        ("http://app.example.com", false),
        ("https://old.example.com", false),
        ("https://web.example.com", false),
        ("https://evil.example", false),
        ("null", false),
    ] {
        let preflight = TestRequest::default()
            .method(Method::OPTIONS)
            .uri("/token")
            .insert_header((header::ORIGIN, origin))
            .insert_header((header::ACCESS_CONTROL_REQUEST_METHOD, "POST"))
            .to_request();
        let post = TestRequest::post().uri("/token").insert_header((header::ORIGIN, origin)).to_request();
        for request in [preflight, post] {
            let answer = call_service(&service, request).await;
            assert_eq!(of(&answer, "access-control-allow-origin"), allowed.then_some(origin), "{origin}");
            assert_eq!(of(&answer, "access-control-allow-credentials"), None);
            assert_eq!(of(&answer, "vary"), Some("Origin"));
        }
        let get = TestRequest::get().uri("/jwks").insert_header((header::ORIGIN, origin)).to_request();
        assert_eq!(of(&call_service(&service, get).await, "access-control-allow-origin"), Some("*"));
        let page = TestRequest::get().uri("/ok").insert_header((header::ORIGIN, origin)).to_request();
        assert_eq!(of(&call_service(&service, page).await, "access-control-allow-origin"), None);
    }
}

fn sample(now: crate::clock::Timestamp) -> Client {
    Client {
        key: ClientKey::new(now, &crate::crypto::Random::system()),
        client_id: String::new(),
        name: String::new(),
        status: Status::Active,
        application_type: ApplicationType::Web,
        auth_method: ClientAuthMethod::None,
        secrets: Vec::new(),
        first_party: false,
        require_mfa: false,
        require_organization: false,
        pkce_required: true,
        require_par: false,
        redirect_uris: Vec::new(),
        post_logout_redirect_uris: Vec::new(),
        grant_types: vec![GrantType::AuthorizationCode],
        scopes: Vec::new(),
        contacts: Vec::new(),
        audiences: Vec::new(),
        default_acr_values: Vec::new(),
        default_max_age: None,
        require_auth_time: false,
        id_token_alg: SigningAlg::Rs256,
        userinfo_alg: None,
        assertion_alg: None,
        assertion_aud_token_endpoint: false,
        jwks: None,
        jwks_uri: None,
        logo_uri: None,
        client_uri: None,
        policy_uri: None,
        tos_uri: None,
        initiate_login_uri: None,
        created_at: now,
        places: Vec::new(),
    }
}

#[actix_web::test]
async fn cr_12_ad_5_probes_assets_and_metrics_stand_where_they_should() {
    let running = Running::start("/auth", |_| {}).await;
    let icon = super::assets::asset_url("favicon.svg");
    for (path, status, contained) in [
        ("/livez", 200, "ok"),
        ("/auth/livez", 200, "ok"),
        ("/healthz", 200, "ok"),
        ("/readyz", 200, "ok"),
        ("/auth/readyz", 200, "ok"),
        ("/auth/metrics", 200, "countersign_build_info"),
        ("/metrics", 404, "not_found"),
        ("/auth/.well-known/openid-configuration", 200, "/auth/oauth2/token"),
        ("/.well-known/openid-configuration/auth", 200, "/auth/oauth2/token"),
        ("/.well-known/oauth-authorization-server/auth", 200, "/auth/oauth2/token"),
        ("/.well-known/openid-configuration", 404, "not_found"),
        ("/auth/.well-known/jwks.json", 200, "access-control-allow-origin: *"),
        ("/oauth2/token", 404, "not_found"),
        ("/auth/oauth2/token", 405, "allow: POST"),
        ("/favicon.ico", 200, "<svg"),
        ("/robots.txt", 200, "Disallow: /"),
        ("/auth/robots.txt", 404, "not_found"),
        (&format!("/auth{icon}"), 200, "<svg"),
        (&icon, 404, "not_found"),
        ("/authx/livez", 404, "not_found"),
        ("//livez", 404, "not_found"),
        ("/LIVEZ", 404, "not_found"),
        ("/livez/", 404, "not_found"),
    ] {
        let answer = running.get(path, "").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.contains(contained), "{path}: {answer}");
    }
    running.stop().await.unwrap().unwrap();
}

#[actix_web::test]
async fn ad_5_a_public_instance_shows_metrics_on_their_own_listener_only() {
    let (main, metrics) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let metrics_address = metrics.local_addr().unwrap();
    let instance = Instance::open("https://id.example.com").await;
    let running = Running::serve(instance, main, Some(metrics));
    assert!(running.get("/metrics", "").await.starts_with("HTTP/1.1 404 "));
    assert!(running.get("/%6detrics", "").await.starts_with("HTTP/1.1 404 "));
    let ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec();
    let answer = exchange(metrics_address, ask).await;
    assert!(answer.contains("countersign_http_requests_total{"), "{answer}");
    running.stop().await.unwrap().unwrap();
}

#[actix_web::test]
async fn hl_1_hl_2_hl_3_what_the_server_refuses_on_the_wire() {
    let running = Running::start("", |_| {}).await;
    let close = "Host: x\r\nConnection: close\r\n";
    let post = "POST /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    for (request, status) in [
        (format!("GET /livez HTTP/1.1\r\n{close}\r\n"), 200),
        (format!("HEAD /livez HTTP/1.1\r\n{close}\r\n"), 200),
        (format!("TRACE /livez HTTP/1.1\r\n{close}\r\n"), 405),
        (format!("BREW /livez HTTP/1.1\r\n{close}\r\n"), 405),
        (format!("DELETE /livez HTTP/1.1\r\n{close}\r\n"), 405),
        (format!("GET /%00 HTTP/1.1\r\n{close}\r\n"), 400),
        (format!("GET /{} HTTP/1.1\r\n{close}\r\n", "a".repeat(9_000)), 414),
        (format!("GET / HTTP/1.1\r\n{close}X: {}\r\n\r\n", "a".repeat(40_000)), 431),
        (format!("GET / HTTP/1.1\r\n{close}{}\r\n", "X: 1\r\n".repeat(120)), 431),
        (format!("{post}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 400),
        (format!("{post}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400),
        (format!("{post}Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\na"), 415),
        (format!("{post}Content-Length: 300000\r\n\r\n"), 413),
    ] {
        let shown: String = request.chars().take(80).collect();
        let answer = running.send(request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown:?}: {answer}");
        if status == 405 {
            assert!(answer.to_lowercase().contains("\r\nallow: get"), "{answer}");
        }
    }
    let head = running.send(format!("HEAD /robots.txt HTTP/1.1\r\n{close}\r\n")).await;
    assert!(head.ends_with("\r\n\r\n"), "no body: {head}");
    running.stop().await.unwrap().unwrap();
}

#[actix_web::test]
async fn hl_1_a_slow_header_is_not_waited_for() {
    let running = Running::start("", |_| {}).await;
    let started = Instant::now();
    let answer = running.send("GET /livez HTTP/1.1\r\nHost: x\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!((4..9).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    running.stop().await.unwrap().unwrap();
}

#[actix_web::test]
async fn cr_9_a_stop_is_quick_and_clean_even_with_idle_connections() {
    let running = Running::start("", |_| {}).await;
    let address = running.address;
    let idle = std::net::TcpStream::connect(address).unwrap();
    assert!(running.get("/readyz", "").await.starts_with("HTTP/1.1 200 "));
    let started = Instant::now();
    running.stop().await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    drop(idle);
    assert!(std::net::TcpStream::connect(address).is_err(), "the port is free again");
}

#[actix_web::test]
async fn the_watcher_sees_what_others_change() {
    let running = Running::start("", |_| {}).await;
    let app = Arc::clone(&running.instance.app);
    let now = app.clock.now();
    let mut client = Client { client_id: "calendar".to_owned(), name: "Old".to_owned(), ..sample(now) };
    let first = client.clone();
    app.db.write(move |db| store::clients::insert(db, &first, now)).await.unwrap();
    assert_eq!(app.client("calendar").await.unwrap().unwrap().name, "Old");
    client.name = "New".to_owned();
    app.db.write(move |db| store::clients::update(db, &client, now)).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while app.client("calendar").await.unwrap().unwrap().name != "New" {
        assert!(Instant::now() < deadline, "the copy was never dropped");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.stop().await.unwrap().unwrap();
}
