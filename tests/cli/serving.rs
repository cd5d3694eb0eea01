//! `serve`, and the other commands beside it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use countersign::audit::{Origin, Taken, note_export};
use countersign::store::audit;
use serde_json::{Value, json};

use super::{Instance, PASSWORD, block_on, on_every_database};

/// A running server; it ends with this value at the latest.
struct Server {
    child: Child,
    banner: Value,
    port: u16,
}

impl Server {
    fn start(instance: &Instance, port: u16) -> Self {
        let mut child = serve(instance, port)
            .env("COUNTERSIGN__LOG__FORMAT", "json")
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut text = String::new();
        for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
            let line = line.unwrap();
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        let banner = serde_json::from_str(&text).unwrap_or_else(|error| {
            let mut log = String::new();
            child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
            panic!("{error}: {text}{log}")
        });
        Self { child, banner, port }
    }

    /// Status and body.
    fn get(&self, path: &str) -> (u16, String) {
        self.exchange(&format!("GET {path} HTTP/1.1"), "")
    }

    fn exchange(&self, request: &str, rest: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let rest = if rest.is_empty() { "\r\n" } else { rest };
        write!(stream, "{request}\r\nHost: localhost:{}\r\nConnection: close\r\n{rest}", self.port).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// The status that the token endpoint answers to the client.
    fn token_status(&self, client: &Value) -> u16 {
        let body = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            client["client_id"].as_str().unwrap(),
            client["client_secret"].as_str().unwrap()
        );
        let rest = format!(
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.exchange("POST /oauth2/token HTTP/1.1", &rest).0
    }

    /// Asks it to stop. Answers how it ended and what it logged.
    fn stop(mut self) -> (ExitStatus, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap(), log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(instance: &Instance, port: u16) -> Command {
    let mut command = instance.command(&["serve"]);
    command
        .env("COUNTERSIGN__SERVER__LISTEN", format!("127.0.0.1:{port}"))
        .env("COUNTERSIGN__ISSUER", format!("http://localhost:{port}"));
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits for what another process notices within a moment.
#[track_caller]
fn soon(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(10), "it did not happen");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_first_start_needs_nothing_and_prints_what_comes_next() {
    on_every_database(|instance| {
        let server = Server::start(instance, free_port());
        let issuer = format!("http://localhost:{}", server.port);
        assert_eq!(server.banner["issuer"], json!(issuer));
        assert_eq!(server.banner["demonstration"], json!(format!("{issuer}/dev/app")));
        let link = server.banner["setup_link"].as_str().unwrap().to_owned();
        assert!(link.starts_with(&format!("{issuer}/setup/")), "{link}");
        assert_eq!(server.get("/livez").0, 200);
        let (status, discovery) = server.get("/.well-known/openid-configuration");
        assert_eq!(status, 200);
        assert_eq!(serde_json::from_str::<Value>(&discovery).unwrap()["issuer"], json!(issuer));

        let began = Instant::now();
        let port = server.port;
        let (status, log) = server.stop();
        assert!(status.success(), "{status}: {log}");
        assert!(began.elapsed() < Duration::from_secs(5));
        // LO-2: one record a line, and the link in none of them.
        assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
        assert!(log.contains("\"serving\"") && !log.contains("/setup/"), "{log}");

        let began = Instant::now();
        let again = Server::start(instance, port);
        assert!(began.elapsed() < Duration::from_secs(5), "a later start makes nothing");
        assert_ne!(again.banner["setup_link"], json!(link), "each start prints a fresh link");
        assert!(again.stop().0.success());
    });
}

#[test]
fn every_command_works_beside_a_running_server() {
    on_every_database(|instance| {
        let server = Server::start(instance, free_port());
        let add =
            ["user", "add", "--email", "ada@example.com", "--name", "Ada", "--password-stdin", "--admin"];
        instance.run_with_input(&add, PASSWORD).done();
        assert_eq!(instance.json(&["user", "list"]).as_array().unwrap().len(), 1);

        let client = instance.json(&[
            "client",
            "add",
            "--name",
            "S",
            "--grant",
            "client_credentials",
            "--auth",
            "client_secret_post",
        ]);
        let id = client["client_id"].as_str().unwrap();
        assert_eq!(server.token_status(&client), 200);
        let rotated = instance.json(&["client", "rotate-secret", id, "--overlap", "0s"]);
        soon(|| server.token_status(&client) == 401);
        assert_eq!(server.token_status(&rotated), 200);
        instance.run(&["client", "disable", id]).done();
        soon(|| server.token_status(&rotated) != 200);

        let kid = instance.json(&["keys", "rotate", "--alg", "EdDSA"])[0]["kid"].as_str().unwrap().to_owned();
        soon(|| server.get("/.well-known/jwks.json").1.contains(&kid));
        instance.run(&["keys", "revoke", &kid]).done();
        soon(|| !server.get("/.well-known/jwks.json").1.contains(&kid));

        let mut doctor = instance.command(&["doctor", "--json"]);
        doctor.env("COUNTERSIGN__ISSUER", format!("http://localhost:{}", server.port));
        let findings = super::answer(doctor.output().unwrap()).json();
        assert!(findings.as_array().unwrap().iter().all(|one| one["state"] == "ok"), "{findings}");
        assert!(server.stop().0.success());
    });
}

#[test]
fn cr_2_a_sqlite_file_has_one_server() {
    let instance = Instance::new();
    let server = Server::start(&instance, free_port());
    let second = super::answer(serve(&instance, free_port()).output().unwrap());
    second.fails(1, "another process serves");
    let other = Instance::new();
    let taken = super::answer(serve(&other, server.port).output().unwrap());
    taken.fails(1, "set server.listen to another address");
    assert!(server.stop().0.success());
}

#[test]
fn lo_1_the_audit_is_signed_up_to_its_end_at_start_and_stop() {
    on_every_database(|instance| {
        let server = Server::start(instance, free_port());
        let app = instance.app();
        let signed = || {
            let ends = app
                .db
                .read(|db| Ok((audit::head(db)?, audit::newest_checkpoint(db)?, audit::waiting(db)?.0)));
            let (head, newest, waiting) = block_on(ends).unwrap();
            (head.map(|(seq, _)| seq), newest.map(|newest| newest.seq), waiting)
        };
        let (head, newest, waiting) = signed();
        assert!(head.is_some() && head == newest && waiting == 0, "{head:?} {newest:?} {waiting}");
        // Without a command that would sign it.
        let scribe = app.scribe(&Origin::command_line());
        block_on(note_export(&app.db, scribe, Taken::Ledger { after: 0 })).unwrap();
        assert!(server.stop().0.success());
        let (end, newest, waiting) = signed();
        assert!(end == newest && waiting == 0, "{end:?} {newest:?} {waiting}");
        assert!(end > head, "the server had it to sign");
    });
}
