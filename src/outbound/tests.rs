//! Against servers on this machine, which `allow_private_network` lets us reach.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::testing::TestAuthority;
use super::*;
use crate::clock::Timestamp;

const JWKS: &str = r#"{"keys":[]}"#;

/// Answers every connection and counts them. It lasts as long as the test's process.
struct Server {
    address: SocketAddr,
    hits: Arc<AtomicUsize>,
}

impl Server {
    fn start(answer: impl Fn(usize, TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hits = Arc::new(AtomicUsize::new(0));
        let server = Self { address: listener.local_addr().unwrap(), hits: Arc::clone(&hits) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(hits.fetch_add(1, Ordering::SeqCst), stream.unwrap());
            }
        });
        server
    }

    /// Answers with the text that `answer` gives for the count of connections before.
    fn of_texts(answer: impl Fn(usize) -> String + Send + 'static) -> Self {
        Self::start(move |hit, mut stream| {
            read_head(&mut stream);
            // The client may leave before the end: that is what some tests are about.
            let _ = stream.write_all(answer(hit).as_bytes());
        })
    }

    fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn outbound(allow_private_network: bool) -> Outbound {
    Outbound::new(&config::Outbound { allow_private_network, extra_ca_file: None, dns_server: None }).unwrap()
}

fn refused(refusal: Refusal) -> FetchError {
    FetchError::Refused(refusal)
}

#[tokio::test]
async fn ss_1_addresses_in_every_spelling_are_refused() {
    let private = |text: &str| refused(Refusal::Private(text.parse().unwrap()));
    let forbidden = |text: &str| refused(Refusal::Forbidden(text.parse().unwrap()));
    let cases = [
        ("https://127.0.0.1/", private("127.0.0.1")),
        ("https://127.1/", private("127.0.0.1")),
        ("https://0x7f000001/", private("127.0.0.1")),
        ("https://0x7f.1/", private("127.0.0.1")),
        ("https://2130706433/", private("127.0.0.1")),
        ("https://0177.0.0.1/", private("127.0.0.1")),
        ("https://127.0.0.1./", private("127.0.0.1")),
        ("https://\u{ff11}27.0.0.1/", private("127.0.0.1")),
        ("https://10.1/", private("10.0.0.1")),
        ("https://[::1]/", private("::1")),
        ("https://[::ffff:127.0.0.1]/", private("::ffff:127.0.0.1")),
        ("https://[64:ff9b::7f00:1]/", private("64:ff9b::7f00:1")),
        ("https://169.254.169.254/latest/meta-data", forbidden("169.254.169.254")),
        ("https://0xa9fea9fe/", forbidden("169.254.169.254")),
        ("https://0/", forbidden("0.0.0.0")),
        ("https://[::]/", forbidden("::")),
        ("http://8.8.8.8/", refused(Refusal::Scheme)),
        ("ftp://example.com/", refused(Refusal::Scheme)),
        ("file:///etc/passwd", refused(Refusal::NotAUrl)),
        ("/keys", refused(Refusal::NotAUrl)),
        ("", refused(Refusal::NotAUrl)),
        ("https://a:b@example.com/", refused(Refusal::UserInfo)),
        ("https://a@127.0.0.1/", refused(Refusal::UserInfo)),
    ];
    let outbound = outbound(false);
    for (url, error) in cases {
        assert_eq!(outbound.get(url).await, Err(error), "{url}");
    }
}

#[tokio::test]
async fn ss_1_a_name_is_judged_by_what_it_resolves_to() {
    let server = Server::of_texts(|_| ok(JWKS));
    let port = server.address.port();
    let error = outbound(false).get(&format!("https://localhost:{port}/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Refused(Refusal::Private(ip)) if ip.is_loopback()), "{error}");
    assert_eq!(server.hits(), 0);
    let allowed = outbound(true);
    assert_eq!(allowed.get(&format!("http://localhost:{port}/")).await, Ok(JWKS.as_bytes().to_vec()));
}

#[tokio::test]
async fn ss_1_what_stays_refused_where_private_networks_are_allowed() {
    let outbound = outbound(true);
    let forbidden = |text: &str| refused(Refusal::Forbidden(text.parse().unwrap()));
    for (url, error) in [
        ("http://169.254.169.254/latest/meta-data", forbidden("169.254.169.254")),
        ("https://[::ffff:169.254.169.254]/", forbidden("::ffff:169.254.169.254")),
        ("http://8.8.8.8/", refused(Refusal::PlainPublic("8.8.8.8".parse().unwrap()))),
        ("ftp://127.0.0.1/", refused(Refusal::Scheme)),
    ] {
        assert_eq!(outbound.get(url).await, Err(error), "{url}");
    }
}

#[tokio::test]
async fn ss_1_redirects_are_not_followed() {
    let server = Server::of_texts(|_| {
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n".to_owned()
    });
    assert_eq!(outbound(true).get(&server.url()).await, Err(FetchError::Redirected(302)));
    assert_eq!(server.hits(), 1);
}

#[tokio::test]
async fn ss_1_a_body_ends_at_256_kib() {
    let exact = "a".repeat(MAX_BODY);
    let body = exact.clone();
    let server = Server::of_texts(move |_| ok(&body));
    assert_eq!(outbound(true).get(&server.url()).await.map(|body| body.len()), Ok(exact.len()));

    let longer = Server::of_texts(|_| ok(&"a".repeat(MAX_BODY + 1)));
    assert_eq!(outbound(true).get(&longer.url()).await, Err(FetchError::TooLarge));

    // Without a length, for ever.
    let endless = Server::start(|_, mut stream| {
        read_head(&mut stream);
        let mut text = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        while stream.write_all(&text).is_ok() {
            text = vec![b'a'; 8192];
        }
    });
    assert_eq!(outbound(true).get(&endless.url()).await, Err(FetchError::TooLarge));
}

#[tokio::test]
async fn ss_1_five_seconds_are_all_even_for_a_trickle() {
    let server = Server::start(|_, mut stream| {
        read_head(&mut stream);
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        while sent.is_ok() {
            std::thread::sleep(Duration::from_millis(200));
            sent = stream.write_all(b"a");
        }
    });
    let began = Instant::now();
    assert_eq!(outbound(true).get(&server.url()).await, Err(FetchError::TimedOut));
    let took = began.elapsed();
    assert!(took >= PATIENCE && took < PATIENCE * 2, "{took:?}");
}

#[tokio::test]
async fn a_status_or_a_closed_door_is_told() {
    let server = Server::of_texts(|_| "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n".to_owned());
    assert_eq!(outbound(true).get(&server.url()).await, Err(FetchError::Status(503)));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = outbound(true).get(&format!("http://{closed}/")).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_form_is_posted_and_every_status_is_an_answer() {
    let server = Server::start(|_, mut stream| {
        let head = read_head(&mut stream);
        let mut body = [0; 7];
        stream.read_exact(&mut body).unwrap();
        let told = format!("{} {}", head.lines().next().unwrap(), String::from_utf8_lossy(&body));
        let answer = format!("HTTP/1.1 400 Bad\r\nx-a: b\r\ncontent-length: {}\r\n\r\n{told}", told.len());
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let request = Request::post(server.url())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(b"a=1&b=2".to_vec())
        .unwrap();
    let response = outbound(true).fetch_in(Networks::PrivateToo, request).await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["x-a"]), (400, &"b".parse().unwrap()));
    assert_eq!(response.into_body(), b"POST /keys HTTP/1.1 a=1&b=2");
}

#[tokio::test]
async fn a_certificate_must_be_of_a_known_authority_and_name() {
    let folder = tempfile::tempdir().unwrap();
    let authority = TestAuthority::new();
    let file = authority.file(folder.path());
    let tls = authority.server("127.0.0.1");
    let server = Server::start(move |_, stream| {
        let session = rustls::ServerConnection::new(Arc::clone(&tls)).unwrap();
        let mut stream = rustls::StreamOwned::new(session, stream);
        // A client that does not trust us leaves during the handshake.
        if stream.conn.complete_io(&mut stream.sock).is_ok() {
            read_head(&mut stream);
            stream.write_all(ok(JWKS).as_bytes()).unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        }
    });

    let trusting = Outbound::new(&config::Outbound {
        allow_private_network: true,
        extra_ca_file: Some(file),
        dns_server: None,
    })
    .unwrap();
    let by_address = format!("https://{}/", server.address);
    let by_name = format!("https://localhost:{}/", server.address.port());
    assert_eq!(trusting.get(&by_address).await, Ok(JWKS.as_bytes().to_vec()));
    let unknown = outbound(true).get(&by_address).await.unwrap_err().to_string();
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    let other_name = trusting.get(&by_name).await.unwrap_err().to_string();
    assert!(other_name.contains("localhost"), "{other_name}");
}

#[test]
fn a_bad_certificate_file_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("empty.pem", ""),
        ("text.pem", "no certificate"),
        ("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ] {
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        let config =
            config::Outbound { allow_private_network: false, extra_ca_file: Some(file), dns_server: None };
        let error = Outbound::new(&config).err().unwrap().to_string();
        assert!(error.starts_with("outbound.extra_ca_file: ") && error.contains(name), "{error}");
    }
}

/// A clock for the cache, in seconds.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds)
}

fn keys(hit: usize) -> String {
    format!(r#"{{"keys":[],"hit":{hit}}}"#)
}

#[tokio::test]
async fn keys_are_fetched_again_when_old_or_when_one_is_missing() {
    let server = Server::of_texts(|hit| ok(&keys(hit)));
    let outbound = outbound(true);
    let steps = [
        // seconds, want_fresh, which fetch the answer comes from
        (0, false, 0),
        (599, false, 0),
        (600, false, 1),
        (659, true, 1),
        (660, true, 2),
        (700, true, 2),
        (1259, false, 2),
        // A clock set back far does not keep a copy for good.
        (-3600, false, 3),
    ];
    for (seconds, want_fresh, hit) in steps {
        let jwks = outbound.client_jwks(&server.url(), want_fresh, at(seconds)).await.unwrap();
        assert_eq!(&*jwks, keys(hit), "at {seconds}");
    }
}

#[tokio::test]
async fn while_the_server_fails_a_copy_serves_for_a_day() {
    let server = Server::of_texts(|hit| match hit {
        0 => ok(&keys(0)),
        // An error page with status 200 is no set of keys.
        1 => ok("<html>sorry</html>"),
        2 | 3 => "HTTP/1.1 500 Sorry\r\ncontent-length: 0\r\n\r\n".to_owned(),
        hit => ok(&keys(hit)),
    });
    let outbound = outbound(true);
    let day = 24 * 60 * 60;
    let steps = [
        (0, Ok(keys(0)), 1),
        (600, Ok(keys(0)), 2),
        // It is not asked again at once.
        (630, Ok(keys(0)), 2),
        (day - 1, Ok(keys(0)), 3),
        (day + 5, Err(FetchError::Status(500)), 3),
        (day + 9, Err(FetchError::Status(500)), 4),
        (day + 18, Err(FetchError::Status(500)), 4),
        (day + 19, Ok(keys(4)), 5),
    ];
    for (seconds, expected, hits) in steps {
        let answer = outbound.client_jwks(&server.url(), false, at(seconds)).await;
        assert_eq!(answer.map(|jwks| jwks.to_string()), expected, "at {seconds}");
        assert_eq!(server.hits(), hits, "at {seconds}");
    }
}

#[tokio::test]
async fn fifty_at_once_cause_one_fetch() {
    let server = Server::of_texts(|hit| {
        std::thread::sleep(Duration::from_millis(100));
        ok(&keys(hit))
    });
    let outbound = outbound(true);
    let url = server.url();
    let all = (0..50).map(|n| outbound.client_jwks(&url, n % 2 == 0, at(0)));
    for jwks in futures_util::future::join_all(all).await {
        assert_eq!(&*jwks.unwrap(), keys(0));
    }
    assert_eq!(server.hits(), 1);
}
