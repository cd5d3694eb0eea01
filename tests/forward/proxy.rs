//! Through real proxies, with the configuration that `deploy/proxy` prints for each and two back ends behind it.

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

/// The proxies for which `deploy/proxy` has a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Nginx,
    Caddy,
    Traefik,
    Envoy,
}

impl Kind {
    fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => {
                &["forward-auth.nginx.conf", "forward-auth-question.conf", "forward-auth-answer.conf"]
            }
            Self::Caddy => &["forward-auth.Caddyfile"],
            Self::Traefik => &["forward-auth.traefik.yaml"],
            Self::Envoy => &["forward-auth.envoy.yaml"],
        }
    }

    /// The command that runs what is in the folder.
    fn command(self, folder: &Path, port: u16) -> Command {
        let at = folder.display();
        let (program, arguments): (_, Vec<String>) = match self {
            Self::Nginx => {
                let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|what| format!("{what}_temp_path {at}/{what};\n"))
                    .concat();
                let whole = format!(
                    "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr warn;\nevents {{}}\n\
                     http {{\naccess_log off;\n{temporary}server {{\nlisten 127.0.0.1:{port};\n\
                     include forward-auth.nginx.conf;\n}}\n}}\n"
                );
                std::fs::write(folder.join("nginx.conf"), whole).unwrap();
                let arguments = ["-p", &at.to_string(), "-e", "stderr", "-c", &format!("{at}/nginx.conf")];
                ("NGINX", arguments.map(str::to_owned).to_vec())
            }
            Self::Caddy => {
                let whole = format!(
                    "{{\nadmin off\nauto_https off\n}}\n\
                     http://127.0.0.1:{port} {{\nimport forward-auth.Caddyfile\n}}\n"
                );
                std::fs::write(folder.join("Caddyfile"), whole).unwrap();
                let file = format!("{at}/Caddyfile");
                ("CADDY", ["run", "--config", &file, "--adapter", "caddyfile"].map(str::to_owned).to_vec())
            }
            Self::Traefik => {
                let arguments = [
                    format!("--entryPoints.web.address=127.0.0.1:{port}"),
                    format!("--providers.file.filename={at}/forward-auth.traefik.yaml"),
                    "--global.checkNewVersion=false".to_owned(),
                    "--global.sendAnonymousUsage=false".to_owned(),
                ];
                ("TRAEFIK", arguments.to_vec())
            }
            Self::Envoy => {
                let file = format!("{at}/forward-auth.envoy.yaml");
                let arguments = ["-c", &file, "--concurrency", "1", "--disable-hot-restart", "-l", "warning"];
                ("ENVOY", arguments.map(str::to_owned).to_vec())
            }
        };
        let mut command = Command::new(variable(&format!("COUNTERSIGN_TEST_{program}")));
        command.args(arguments).env("HOME", folder);
        command
    }
}

struct Proxy {
    // Ended when this is dropped; there are no workers beside it.
    _child: Child,
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
    /// With the printed configuration, whose addresses are replaced by those of this test.
    async fn start(kind: Kind, world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ((reports, first), (events, second)) = (back_end().await, back_end().await);
        let port = free_port();
        let upstream = world.app.base.trim_start_matches("http://").replace("localhost", "127.0.0.1");
        let upstream_port = upstream.rsplit(':').next().expect("a port").to_owned();
        for part in kind.parts() {
            let printed = std::fs::read_to_string(path(&format!("deploy/proxy/{part}"))).unwrap();
            let here = printed
                .replace("127.0.0.1:8080", &upstream)
                .replace("127.0.0.1:9001", &format!("127.0.0.1:{reports}"))
                .replace("127.0.0.1:9002", &format!("127.0.0.1:{events}"))
                // Traefik's and Envoy's way of saying where.
                .replace("Host(`id.example.com`) && ", "")
                .replace("entryPoints: [websecure]", "entryPoints: [web]")
                .replace("      tls: {}\n", "")
                .replace("port_value: 8000", &format!("port_value: {port}"))
                .replace("port_value: 8080", &format!("port_value: {upstream_port}"))
                .replace("port_value: 9001", &format!("port_value: {reports}"))
                .replace("port_value: 9002", &format!("port_value: {events}"));
            std::fs::write(folder.path().join(part), here).unwrap();
        }
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = kind.command(folder.path(), port);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        let child = command.spawn().unwrap_or_else(|error| panic!("{kind:?} starts: {error}"));
        let address = format!("http://127.0.0.1:{port}");
        for _ in 0..500 {
            // Traefik listens before it knows its routes.
            let asked = world.app.http.get(format!("{address}/reports/")).send().await;
            if asked.is_ok_and(|answer| answer.status() == 401) {
                return Self { _child: child, _folder: folder, back_ends: [first, second], address };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{kind:?} does not ask: {}", std::fs::read_to_string(folder.path().join("log")).unwrap());
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

/// What the back end read of a header.
fn header<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

/// What every proxy has to do, whatever it is called.
async fn guards(database: Database, kind: Kind) {
    let world = ready(database).await;
    let proxy = Proxy::start(kind, &world).await;
    let cookie = cookie(&world.browser);
    let token = bearer(&world.access_token("openid events:read").await);
    let forged = [("x-auth-user", "forged_root"), ("x-auth-roles", "forged"), ("x-auth-scope", "forged")];

    // The one that asks for role=manager.
    let (status, refusal) = proxy.get(&world, "/reports/1", &forged).await;
    assert_eq!(status, 401);
    // nginx has a page of its own for it.
    assert!(kind == Kind::Nginx || refusal.contains("login_required"), "{refusal}");
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
        assert!(!head.contains("forged"), "{head}");
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
        assert!(scope[0].contains("events:read") && !head.contains("forged"), "{head}");
    }
    if kind == Kind::Nginx {
        let asked = proxy.get(&world, "/forward-auth/managers", &[("cookie", &cookie)]).await;
        assert_eq!(asked.0, 404, "internal");
    }
    // Addresses that look like demands, or like another place, demand nothing less.
    for sly in ["/reports/?role=member", "/reports/-/forward-auth/role=member/-/", "/reports/;role=member"] {
        let (status, head) = proxy.get(&world, sly, &[("x-api-key", &world.key)]).await;
        assert_eq!(status, 403, "{sly}: {head}");
    }

    world.app.set_roles(&world.acme, world.ada, &["member"]).await;
    assert_eq!(proxy.get(&world, "/reports/1", &[("cookie", &cookie)]).await.0, 403);
}

on_both_databases! {
    async fn nginx_asks_and_the_back_ends_learn_who_it_is(database) {
        guards(database, Kind::Nginx).await;
    }

    async fn caddy_asks_and_the_back_ends_learn_who_it_is(database) {
        guards(database, Kind::Caddy).await;
    }

    async fn traefik_asks_and_the_back_ends_learn_who_it_is(database) {
        guards(database, Kind::Traefik).await;
    }

    async fn envoy_asks_and_the_back_ends_learn_who_it_is(database) {
        guards(database, Kind::Envoy).await;
    }
}
