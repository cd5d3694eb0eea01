//! Through a real nginx, with the configuration that `deploy/proxy` prints and two back ends behind it.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::*;
use crate::support::{claims, free_port, path, variable};

/// Answers every request with what it got of it.
async fn back_end() -> (u16, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut got = Vec::new();
            while !is_whole(&got) {
                let mut some = [0; 4096];
                match stream.read(&mut some).await {
                    Ok(read) if read > 0 => got.extend_from_slice(&some[..read]),
                    _ => break,
                }
            }
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", got.len());
            let _ = stream.write_all(&[head.into_bytes(), got].concat()).await;
        }
    });
    (port, serving)
}

/// Whether the head is there, and as much of a body as it announces.
fn is_whole(got: &[u8]) -> bool {
    let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&got[..end]);
    let length = header(&head, "content-length").first().and_then(|length| length.parse::<usize>().ok());
    got.len() >= end + 4 + length.unwrap_or(0)
}

struct Proxy {
    // Ended when this is dropped; there are no workers beside it.
    _nginx: Child,
    _folder: tempfile::TempDir,
    back_ends: [tokio::task::JoinHandle<()>; 2],
    address: String,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.back_ends.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl Proxy {
    async fn start(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ((reports, first), (events, second)) = (back_end().await, back_end().await);
        let port = free_port();
        let upstream = world.app.base.trim_start_matches("http://").replace("localhost", "127.0.0.1");
        for part in ["forward-auth.nginx.conf", "forward-auth-question.conf", "forward-auth-answer.conf"] {
            let printed = std::fs::read_to_string(path(&format!("deploy/proxy/{part}"))).unwrap();
            let here = printed
                .replace("127.0.0.1:8080", &upstream)
                .replace("127.0.0.1:9001", &format!("127.0.0.1:{reports}"))
                .replace("127.0.0.1:9002", &format!("127.0.0.1:{events}"));
            std::fs::write(folder.path().join(part), here).unwrap();
        }
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {}/{what};\n", folder.path().display()))
            .concat();
        let whole = format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr warn;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}server {{\nlisten 127.0.0.1:{port};\n\
             include forward-auth.nginx.conf;\n}}\n}}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), whole).unwrap();
        let nginx = run(folder.path());
        let address = format!("http://127.0.0.1:{port}");
        for _ in 0..200 {
            if world.app.http.get(&address).send().await.is_ok() {
                return Self { _nginx: nginx, _folder: folder, back_ends: [first, second], address };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("nginx does not answer: {}", std::fs::read_to_string(folder.path().join("log")).unwrap());
    }

    /// The status, and the head of the request as the back end got it.
    async fn get(&self, world: &World, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut request = world.app.http.get(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

fn run(folder: &Path) -> Child {
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut command = Command::new(variable("COUNTERSIGN_TEST_NGINX"));
    command.arg("-p").arg(folder).arg("-e").arg("stderr").arg("-c").arg(folder.join("nginx.conf"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
    command.spawn().expect("nginx starts")
}

/// What the back end read of a header.
fn header<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

on_both_databases! {
    async fn nginx_asks_and_the_back_ends_learn_who_it_is(database) {
        let world = ready(database).await;
        let proxy = Proxy::start(&world).await;
        let cookie = cookie(&world.browser);
        let token = bearer(&world.access_token("openid events:read").await);
        let forged = [("x-auth-user", "usr_root"), ("x-auth-roles", "admin"), ("x-auth-scope", "all")];

        // The one that asks for role=manager.
        assert_eq!(proxy.get(&world, "/reports/1", &forged).await.0, 401);
        assert_eq!(proxy.get(&world, "/reports/1", &[("x-api-key", &world.key)]).await.0, 403);
        for credential in [("cookie", cookie.as_str()), ("authorization", token.as_str())] {
            let with = [&forged[..], &[credential]].concat();
            let (status, head) = proxy.get(&world, "/reports/1?q=2", &with).await;
            assert_eq!(status, 200, "{head}");
            assert!(head.starts_with("GET /reports/1?q=2 "), "{head}");
            assert_eq!(header(&head, "x-auth-user"), [world.ada.to_string()]);
            assert_eq!(header(&head, "x-auth-roles"), ["manager"]);
            assert_eq!(header(&head, "x-auth-organization"), [world.acme.id.to_string()]);
            for gone in ["cookie", "authorization", "x-api-key"] {
                assert!(header(&head, gone).is_empty(), "{gone}: {head}");
            }
            assert!(!head.contains("usr_root") && !head.contains("all"), "{head}");
        }

        // The one that asks for a scope, and gets a token of its own.
        assert_eq!(proxy.get(&world, "/events/", &[("cookie", &cookie)]).await.0, 403);
        let body = reqwest::Body::from(vec![b'x'; 70_000]);
        let post = world.app.http.post(format!("{}/events/", proxy.address)).header("x-api-key", &world.key);
        assert_eq!(post.body(body).send().await.unwrap().status(), 200, "the body is none of Countersign's");
        for credential in [("x-api-key", world.key.as_str()), ("authorization", token.as_str())] {
            let with = [&forged[..], &[credential]].concat();
            let (status, head) = proxy.get(&world, "/events/", &with).await;
            assert_eq!(status, 200, "{head}");
            let got = header(&head, "authorization");
            assert_eq!(got.len(), 1, "{head}");
            assert!(got[0] != token && header(&head, "x-api-key").is_empty(), "{head}");
            assert_eq!(claims(got[0].strip_prefix("Bearer ").unwrap())["aud"], API);
            let scope = header(&head, "x-auth-scope");
            assert!(scope[0].contains("events:read") && !head.contains("usr_root"), "{head}");
        }
        assert_eq!(proxy.get(&world, "/forward-auth/managers", &[("cookie", &cookie)]).await.0, 404, "internal");

        world.app.set_roles(&world.acme, world.ada, &["member"]).await;
        assert_eq!(proxy.get(&world, "/reports/1", &[("cookie", &cookie)]).await.0, 403);
    }
}
