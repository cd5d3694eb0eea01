//! Requests that are too large, too slow, malformed or hostile, over bare TCP (HL-1, HL-2, HL-3).

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::on_both_databases;
use crate::support::{Database, Settings, TestApp, TestClient};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// Sends bytes as they are and gives the status and the whole answer; 0 if the connection closed without one.
async fn send(app: &TestApp, bytes: impl AsRef<[u8]>) -> (u16, String) {
    let mut stream = TcpStream::connect(app.app.config.server.listen).await.expect("it listens");
    // A server that refuses early does not read the rest.
    let _ = stream.write_all(bytes.as_ref()).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection stays open: {}", String::from_utf8_lossy(&answer));
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer)
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
}

fn post(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

fn chunked(body: &str) -> String {
    format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{FORM}\r\n\
         {:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    )
}

async fn expect_unharmed(app: &TestApp) {
    let (status, metrics) = send(app, get("/metrics", "")).await;
    assert_eq!(status, 200);
    assert!(metrics.contains("\ncountersign_panics_total 0"), "{metrics}");
    assert!(!metrics.contains("status=\"5xx\""), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hl_1_hl_2_what_is_too_large_or_ambiguous_is_refused_and_the_connection_closed() {
    let app = TestApp::start(Database::Sqlite).await;
    let long = "a".repeat(9_000);
    let many: String = (0..150).map(|number| format!("x-{number}: 1\r\n")).collect();
    let lengths = |headers: &str| {
        format!(
            "POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{FORM}{headers}\r\na=b"
        )
    };
    for (name, request, statuses) in [
        ("a long address", get(&format!("/{long}"), ""), &[414][..]),
        ("a long query", get(&format!("/oauth2/authorize?x={long}"), ""), &[414]),
        ("a long header", get("/", &format!("x: {}\r\n", "a".repeat(40_000))), &[431]),
        ("an endless header", get("/", &format!("x: {}\r\n", "a".repeat(400_000))), &[431, 400, 413, 0]),
        ("many headers", get("/", &many), &[431, 400]),
        ("a large body", post("/oauth2/token", FORM, &"a".repeat(300_000)), &[413]),
        (
            "a form of more than 64 KiB",
            post("/oauth2/token", FORM, &format!("a={}", "b".repeat(65_536))),
            &[413],
        ),
        ("the same in chunks", chunked(&format!("a={}", "b".repeat(65_536))), &[413]),
        (
            "a page's form of more than 64 KiB",
            post("/login", &format!("{FORM}Origin: {}\r\n", app.issuer), &"b".repeat(70_000)),
            &[400, 413],
        ),
        ("different lengths", lengths("Content-Length: 3\r\nContent-Length: 4\r\n"), &[400]),
        ("the same length twice", lengths("Content-Length: 3\r\nContent-Length: 3\r\n"), &[400]),
        ("a length and chunks", lengths("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), &[400]),
        ("chunks twice", lengths("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), &[400]),
        ("chunks that are not last", lengths("Transfer-Encoding: chunked, identity\r\n"), &[400]),
        ("a negative length", lengths("Content-Length: -3\r\n"), &[400]),
        ("a length with a sign", lengths("Content-Length: +3\r\n"), &[400]),
        ("a length in words", lengths("Content-Length: three\r\n"), &[400]),
        ("a length beyond numbers", lengths("Content-Length: 99999999999999999999\r\n"), &[400]),
        ("TRACE", get("/", "").replace("GET", "TRACE"), &[405]),
        ("CONNECT", get("/", "").replace("GET", "CONNECT"), &[405, 400]),
        ("a method of their own", get("/", "").replace("GET", "FROBNICATE"), &[405]),
        ("a token by GET", get("/oauth2/token?grant_type=client_credentials", ""), &[405]),
        (
            "a compressed body",
            post("/oauth2/token", &format!("{FORM}Content-Encoding: gzip\r\n"), "\u{1f}"),
            &[415],
        ),
        ("JSON", post("/oauth2/token", "Content-Type: application/json\r\n", "{}"), &[415]),
        ("no content type", post("/oauth2/token", "", "a=b"), &[415]),
        (
            "another charset",
            post(
                "/oauth2/token",
                "Content-Type: application/x-www-form-urlencoded; charset=utf-7\r\n",
                "a=b",
            ),
            &[415],
        ),
        ("a secret in the address", post("/oauth2/token?client_secret=x", FORM, "a=b"), &[400]),
        ("a token in the address", post("/oauth2/introspect?token=x", FORM, "a=b"), &[400]),
        ("HTTP/2 without a word", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), &[400, 505, 0]),
        ("no HTTP at all", "hello\r\n\r\n".to_owned(), &[400, 0]),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".to_owned(), &[400, 0]),
        ("a header without a name", get("/", ": x\r\n"), &[400]),
        ("a NUL in a header", get("/", "x: a\0b\r\n"), &[400]),
    ] {
        let (status, answer) = send(&app, request).await;
        assert!(statuses.contains(&status), "{name}: {answer}");
        assert!(!answer.contains("actix") && !answer.contains("src/"), "{name}: {answer}");
    }
    expect_unharmed(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hl_1_a_header_that_does_not_end_is_not_waited_for() {
    let app = TestApp::start(Database::Sqlite).await;
    let began = Instant::now();
    let (status, answer) = send(&app, "GET / HTTP/1.1\r\nHost: local").await;
    assert!(status == 408 || status == 0, "{answer}");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

/// Values that have broken others.
const AWKWARD: &[&str] = &[
    "%00",
    "a%00b",
    "%ff%fe",
    "%c3",
    "%ed%a0%80",
    "%f0%9f%a6%89",
    "%",
    "%zz",
    "+",
    "%0d%0aSet-Cookie:%20a=b",
    "..%2f..%2f",
    "9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999999999",
    "-1",
    "1e999",
    "NaN",
    "[]",
    "{}",
    "null",
    "%27%3b--",
    "%22%3e%3cscript%3e",
    "%e2%80%ae",
    "arq_",
    "arq_%00",
    "eyJhbGciOiJub25lIn0.e30.",
    "a.b.c",
    "....",
    "%3d%3d%3d",
];

async fn expect_answered(app: &TestApp, request: String) {
    let (status, answer) = send(app, &request).await;
    assert!((200..500).contains(&status), "{request}\n{answer}");
    assert!(
        !answer.contains("<script>") && !answer.to_ascii_lowercase().contains("\r\nset-cookie: a=b"),
        "{request}\n{answer}"
    );
}

fn credentials(client: &TestClient) -> String {
    format!("client_id={}&client_secret={}", client.client_id, client.secret.as_deref().unwrap_or_default())
}

on_both_databases! {
    async fn hl_3_no_value_of_a_parameter_is_an_error_of_ours(database) {
        // Failed tries are many here, and not what this is about.
        let app = TestApp::start_with(database, Settings::with(|config| {
            let limits = &mut config.limits;
            for limit in [&mut limits.login_failures, &mut limits.login_per_address, &mut limits.client_secret_failures, &mut limits.setup_tries, &mut limits.link_tries] {
                limit.count = 100_000;
            }
        })).await;
        app.user("ada").await;
        let client = TestClient::register(&app, "post", |registration| {
            registration.metadata.insert("token_endpoint_auth_method".into(), "client_secret_post".into());
        }).await;
        let flow = client.flow("openid");
        let query: Vec<String> = flow.path().split_once('?').unwrap().1.split('&').map(str::to_owned).collect();
        let known = credentials(&client);
        for value in AWKWARD {
            // In the place of each parameter of an authorization request, and beside them.
            for name in ["client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "max_age", "prompt", "claims",
                "acr_values", "id_token_hint", "login_hint", "ui_locales", "response_mode", "response_type", "resource", "request_uri", "request", "display"] {
                let rest: Vec<&str> = query.iter().map(String::as_str).filter(|pair| !pair.starts_with(&format!("{name}="))).collect();
                expect_answered(&app, get(&format!("/oauth2/authorize?{}&{name}={value}", rest.join("&")), "")).await;
            }
            for body in [
                format!("grant_type={value}&{known}"),
                format!("grant_type=authorization_code&code={value}&redirect_uri={value}&code_verifier={value}&{known}"),
                format!("grant_type=refresh_token&refresh_token={value}&scope={value}&{known}"),
                format!("grant_type=refresh_token&refresh_token=x&client_id={value}&client_secret={value}"),
                format!("grant_type=refresh_token&refresh_token=x&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={value}"),
                format!("{value}={value}&{known}"),
            ] {
                expect_answered(&app, post("/oauth2/token", FORM, &body)).await;
            }
            for path in ["/oauth2/introspect", "/oauth2/revoke"] {
                expect_answered(&app, post(path, FORM, &format!("token={value}&token_type_hint={value}&{known}"))).await;
            }
            expect_answered(&app, post("/oauth2/par", FORM, &format!("{}&redirect_uri={value}&{known}", query.join("&")))).await;
            for path in ["/register/", "/setup/", "/oauth2/authorize/", "/", "/assets/x/", "/dev/mail/"] {
                expect_answered(&app, get(&format!("{path}{value}"), "")).await;
            }
            for path in ["/login?request=", "/login/choose?request=", "/consent?request=", "/oauth2/logout?id_token_hint=", "/oauth2/logout?client_id="] {
                expect_answered(&app, get(&format!("{path}{value}"), "")).await;
            }
            for header in ["Authorization: Bearer ", "Authorization: Basic ", "Accept-Language: ", "X-Forwarded-For: ", "If-None-Match: ", "Origin: ", "User-Agent: "] {
                expect_answered(&app, get("/oauth2/userinfo", &format!("{header}{value}\r\n"))).await;
            }
            expect_answered(&app, get("/login", &format!("Cookie: cs-browser={value}; cs-sessions={value}.{value}; cs-devices={value}\r\n"))).await;
        }
        // The same through a form of ours, as far as it goes.
        let mut browser = app.browser();
        for username in ["\0", "a\0b@example.com", "\u{202e}", &"x".repeat(60_000), "ada@example.com\r\nBcc: eve@example.com"] {
            let page = browser.get("/login").await;
            let answer = browser.submit(&page, "login-form", &[("username", username), ("password", username)], None).await;
            assert!((200..500).contains(&answer.status), "{username:?}: {}", answer.status);
        }
        expect_unharmed(&app).await;
    }

    async fn hl_3_a_repeated_or_nul_parameter_is_invalid(database) {
        let app = TestApp::start(database).await;
        let client = TestClient::register(&app, "post", |registration| {
            registration.metadata.insert("token_endpoint_auth_method".into(), "client_secret_post".into());
        }).await;
        let known = credentials(&client);
        for body in [
            format!("grant_type=refresh_token&refresh_token=a&refresh_token=b&{known}"),
            format!("grant_type=refresh_token&grant_type=refresh_token&refresh_token=a&{known}"),
            format!("grant_type=refresh_token&refresh_token=a%00b&{known}"),
            format!("grant_type=refresh_token&refresh_token=%ff&{known}"),
            format!("grant_type=refresh_token&refresh_token=a&{known}&{known}"),
        ] {
            let (status, answer) = send(&app, post("/oauth2/token", FORM, &body)).await;
            assert!(status == 400 && answer.contains("\"invalid_request\""), "{body}\n{answer}");
        }
        let flow = client.flow("openid").path();
        for more in ["&state=a", "&client_id=b", "&nonce=%00", "&unknown=%00"] {
            let (status, answer) = send(&app, get(&format!("{flow}{more}"), "")).await;
            let refused = status == 400 || (status == 303 && answer.contains("error=invalid_request"));
            assert!(refused, "{more}\n{answer}");
        }
    }
}
