//! How the process ends, and what keeps it from starting.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::on_both_databases;
use crate::support::{Database, Process, TestDatabase, free_port};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cr_9_what_is_under_way_is_finished_and_nothing_else_is_begun() {
    let database = TestDatabase::create(Database::Sqlite).await;
    let (mut server, _) = Process::start(&database, free_port(), &[]).await;
    let connect = || TcpStream::connect(("127.0.0.1", server.port));
    let _idle = connect().await.expect("it listens");
    let mut slow = connect().await.expect("it listens");
    let body = "grant_type=client_credentials&client_id=nobody&client_secret=nothing";
    let head = format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.expect("it reads");
    slow.write_all(&body.as_bytes()[..10]).await.expect("it reads");
    tokio::time::sleep(Duration::from_millis(200)).await;

    let began = Instant::now();
    server.terminate();
    // From now on no load balancer finds it ready.
    let url = format!("http://127.0.0.1:{}/readyz", server.port);
    let refused = loop {
        let answer = crate::support::http_client().get(&url).send().await;
        if answer.as_ref().map_or(true, |answer| answer.status() == 503)
            || began.elapsed() > Duration::from_secs(2)
        {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(refused.map_or(true, |answer| answer.status() == 503));

    tokio::time::sleep(Duration::from_millis(500)).await;
    slow.write_all(&body.as_bytes()[10..]).await.expect("it still reads");
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(5), slow.read_to_string(&mut answer)).await;
    read.expect("the answer comes and the connection closes").expect("it is whole");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    assert!(answer.contains("\"invalid_client\""), "{answer}");

    let status = server.ended(Duration::from_secs(5)).await;
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(server.log().contains("\"stopped\""), "{}", server.log());
}

on_both_databases! {
    async fn tk_9_a_wrong_master_key_stops_the_start(database) {
        let database = TestDatabase::create(database).await;
        // Random bytes, but not those that sealed the keys.
        let other = [("COUNTERSIGN__KEYS__MASTER_KEY", "4hZTpiTyhlDQgY5iAi9hN7TVTtWVY1L9vLQ0yKkL5dM=")];
        let mut server = Process::spawn(&database, free_port(), &other);
        let ended = async {
            // Nobody is answered meanwhile.
            let url = format!("http://127.0.0.1:{}/livez", server.port);
            assert!(crate::support::http_client().get(&url).send().await.is_err());
            server.ended(Duration::from_secs(10)).await
        };
        let status = ended.await;
        assert_eq!(status.code(), Some(1));
        let log = server.log();
        assert!(log.contains("master key"), "{log}");
        assert!(!log.contains("\"serving\"") && !log.contains(other[0].1), "{log}");
    }
}
