//! The outbox and its worker against a mail server, on every database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::audit::{Origin, Scribe};
use countersign::clock::{Clock, Timestamp};
use countersign::config::Config;
use countersign::crypto::{Random, Secret};
use countersign::mail::{self, Worker, message::Message};
use countersign::model::EmailAddress;
use countersign::store::{Db, Error, outbox};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::on_both_databases;
use crate::support::smtp::{SmtpServer, Treatment};
use crate::support::{Database, TestDatabase};

const HOUR: Duration = Duration::from_secs(3600);

/// One or more nodes on one database, and the mail server that they send through.
struct Post {
    database: TestDatabase,
    db: Db,
    clock: Clock,
    wake: Arc<Notify>,
    server: SmtpServer,
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
}

impl Post {
    /// Without a worker yet.
    async fn new(database: Database) -> Self {
        let database = TestDatabase::create(database).await;
        Self {
            db: database.open(),
            database,
            clock: Clock::manual(Timestamp::from_seconds(1_800_000_000)),
            wake: Arc::default(),
            server: SmtpServer::start(),
            stop: watch::channel(false).0,
            workers: Vec::new(),
        }
    }

    fn config(&self) -> Config {
        let mut config = self.database.config();
        config.mail.url = Some(Secret::from_text(self.server.url()));
        config
    }

    /// One more node sends.
    fn start(&mut self) {
        self.start_with(&self.config());
    }

    fn start_with(&mut self, config: &Config) {
        let worker =
            Worker::new(config, self.database.open(), self.clock.clone(), Arc::clone(&self.wake)).unwrap();
        self.workers.push(tokio::spawn(worker.run(self.stop.subscribe())));
    }

    async fn enqueue(&self, to: &str, expires_in: Option<Duration>) {
        let to = EmailAddress::parse(to).unwrap();
        let scribe = self.scribe();
        let expires_at = expires_in.map(|by| scribe.now.plus(by));
        self.db.write(move |db| mail::enqueue(db, &scribe, &to, &hello(), expires_at)).await.unwrap();
        self.wake.notify_one();
    }

    fn scribe(&self) -> Scribe {
        Scribe { now: self.clock.now(), random: Random::system(), origin: Origin::system() }
    }

    async fn rows(&self) -> Vec<outbox::Message> {
        self.db.read(|db| outbox::newest(db, 1000)).await.unwrap()
    }

    async fn row(&self, to: &str) -> outbox::Message {
        self.rows().await.into_iter().find(|row| row.recipient == to).unwrap()
    }

    /// Waits until the row to this recipient is as it should be.
    async fn until(&self, to: &str, is_so: impl Fn(&outbox::Message) -> bool) -> outbox::Message {
        let began = Instant::now();
        loop {
            let row = self.row(to).await;
            if is_so(&row) {
                return row;
            }
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{to}: {} tries, sent {:?}, failed {:?}, {:?}",
                row.attempts,
                row.sent_at,
                row.failed_at,
                row.last_error
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Every node ends what it has begun.
    async fn stop(&mut self) {
        self.stop.send_replace(true);
        for worker in self.workers.drain(..) {
            worker.await.unwrap();
        }
    }
}

fn hello() -> Message {
    Message {
        subject: "Grüße".to_owned(),
        text: "Grüße,\n\nhttp://localhost:8080/register/abc?x=1&y=2\n".to_owned(),
        html: "<p>Grüße</p>".to_owned(),
    }
}

on_both_databases! {
    async fn ar_8_mail_leaves_with_its_cause_and_at_once(database) {
        let mut post = Post::new(database).await;
        post.start();
        let (scribe, to) = (post.scribe(), EmailAddress::parse("eve@test.example").unwrap());
        let rolled_back: Result<(), Error> = post
            .db
            .write(move |db| {
                mail::enqueue(db, &scribe, &to, &hello(), None)?;
                Err(Error::Broken("what the mail is about failed".to_owned()))
            })
            .await;
        assert!(rolled_back.is_err() && post.rows().await.is_empty());

        // The worker sleeps by now; it is told, not waited for.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let began = Instant::now();
        post.enqueue("ada@test.example", Some(HOUR)).await;
        let row = post.until("ada@test.example", |row| row.sent_at.is_some()).await;
        assert!(began.elapsed() < Duration::from_millis(700), "{:?}", began.elapsed());
        assert_eq!((row.attempts, row.failed_at, row.last_error), (1, None, None));

        let mails = post.server.mails();
        assert_eq!(mails.len(), 1);
        assert_eq!(
            (mails[0].from.as_str(), &*mails[0].to),
            ("no-reply@localhost", &["ada@test.example".into()][..])
        );
        assert_eq!((mails[0].text(), mails[0].html()), (hello().text, hello().html));
        assert_eq!(mails[0].link(), "http://localhost:8080/register/abc?x=1&y=2");
        assert_eq!(mails[0].header("message-id"), Some(format!("<{}@localhost>", row.id)));
        post.stop().await;
    }

    async fn cr_6_one_bad_address_holds_up_nobody(database) {
        let mut post = Post::new(database).await;
        post.server.treat("hang@test.example", Treatment::Hang);
        post.server.treat("busy@test.example", Treatment::Busy);
        post.server.treat("unknown@test.example", Treatment::Unknown);
        for to in ["hang@test.example", "busy@test.example", "unknown@test.example"] {
            post.enqueue(to, None).await;
        }
        for n in 0..8 {
            post.enqueue(&format!("u{n}@test.example"), None).await;
        }
        post.start();
        for n in 0..8 {
            post.until(&format!("u{n}@test.example"), |row| row.sent_at.is_some()).await;
        }
        let now = post.clock.now();
        let busy = post.until("busy@test.example", |row| row.last_error.is_some()).await;
        assert_eq!(
            (busy.attempts, busy.due_at, busy.failed_at),
            (1, now.plus(Duration::from_secs(30)), None)
        );
        let reason = busy.last_error.unwrap();
        assert!(reason.contains("busy@test.example") && !reason.contains("postmaster"), "{reason}");
        let unknown = post.until("unknown@test.example", |row| row.failed_at.is_some()).await;
        assert_eq!(unknown.attempts, 1);
        assert!(unknown.last_error.unwrap().contains("no such person"));
        assert_eq!(post.row("hang@test.example").await.sent_at, None);

        post.server.heal("busy@test.example");
        post.clock.advance(Duration::from_secs(30));
        post.until("busy@test.example", |row| row.sent_at.is_some()).await;
        let arrived = post.server.mails();
        assert_eq!(arrived.iter().filter(|mail| mail.to != ["hang@test.example"]).count(), 9);
        // The one that hangs is not waited for here.
        post.workers.drain(..).for_each(|worker| worker.abort());
    }

    async fn cr_6_many_bad_addresses_hold_up_nobody(database) {
        let mut post = Post::new(database).await;
        for n in 0..6 {
            let to = format!("hang{n}@test.example");
            post.server.treat(&to, Treatment::Hang);
            post.enqueue(&to, None).await;
        }
        post.enqueue("ada@test.example", None).await;
        post.start();
        // Every place is held by one that hangs at first, and then no more.
        post.until("ada@test.example", |row| row.sent_at.is_some()).await;
        assert_eq!(post.row("hang0@test.example").await.last_error, None);
        post.workers.drain(..).for_each(|worker| worker.abort());
    }

    async fn cr_6_an_expired_link_is_not_sent(database) {
        let mut post = Post::new(database).await;
        post.enqueue("late@test.example", Some(HOUR)).await;
        post.enqueue("lasting@test.example", Some(2 * HOUR)).await;
        post.clock.advance(HOUR);
        post.start();
        post.until("lasting@test.example", |row| row.sent_at.is_some()).await;
        let late = post.until("late@test.example", |row| row.failed_at.is_some()).await;
        assert!(late.last_error.unwrap().contains("expired"));
        assert_eq!((late.attempts, late.sent_at, post.server.mails().len()), (0, None, 1));
        post.stop().await;
    }

    async fn cr_6_a_server_that_is_away_is_tried_for_a_day(database) {
        let mut post = Post::new(database).await;
        post.server.close(Some(answer(1)));
        post.enqueue("ada@test.example", None).await;
        post.start();
        // The last pause that still ends within the day begins after nine tries.
        for tries in 1..=9 {
            let noted = |row: &outbox::Message| {
                row.last_error.as_ref().is_some_and(|it| it.ends_with(&answer(tries)[4..]))
            };
            let row = post.until("ada@test.example", noted).await;
            assert_eq!((row.attempts, row.failed_at), (tries, None));
            post.server.close(Some(answer(tries + 1)));
            post.clock.advance(row.due_at.since(post.clock.now()));
            post.wake.notify_one();
        }
        let row = post.until("ada@test.example", |row| row.failed_at.is_some()).await;
        assert_eq!(row.attempts, 10);
        assert!(row.last_error.unwrap().starts_with("given up after a day"));
        post.stop().await;
    }
}

/// A greeting that tells the tries apart.
fn answer(tries: i64) -> &'static str {
    format!("421 not now, {tries}").leak()
}

on_both_databases! {
    async fn cr_6_two_nodes_send_each_message_once(database) {
        let mut post = Post::new(database).await;
        for n in 0..60 {
            post.enqueue(&format!("u{n}@test.example"), None).await;
        }
        for _ in 0..3 {
            post.start();
        }
        for n in 0..60 {
            post.until(&format!("u{n}@test.example"), |row| row.sent_at.is_some()).await;
        }
        post.stop().await;
        let mut to: Vec<String> = post.server.mails().into_iter().flat_map(|mail| mail.to).collect();
        to.sort_unstable();
        let all = to.len();
        to.dedup();
        assert_eq!((to.len(), all), (60, 60));
    }

    async fn cr_6_a_node_that_dies_while_it_sends_costs_at_most_one_duplicate(database) {
        let mut post = Post::new(database).await;
        // The content arrives, and nobody learns of it.
        post.server.treat("ada@test.example", Treatment::Hang);
        post.enqueue("ada@test.example", None).await;
        post.start();
        post.server.wait_for(1);
        post.workers.drain(..).for_each(|worker| worker.abort());
        post.server.heal("ada@test.example");
        post.start();
        // Another node does not take what this one may still be sending.
        post.clock.advance(Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(post.row("ada@test.example").await.attempts, 1);
        post.clock.advance(Duration::from_secs(60));
        let row = post.until("ada@test.example", |row| row.sent_at.is_some()).await;
        assert_eq!((row.attempts, post.server.mails().len()), (2, 2));
        post.stop().await;
    }

    async fn without_a_mail_server_mail_arrives_in_the_development_mailbox_or_waits(database) {
        let mut post = Post::new(database).await;
        post.enqueue("ada@test.example", None).await;
        let mut config = post.database.config();
        config.issuer = "https://id.example.com".parse().unwrap();
        post.start_with(&config);
        // On a public issuer there is nothing to do.
        for worker in post.workers.drain(..) {
            worker.await.unwrap();
        }
        assert_eq!(post.row("ada@test.example").await.attempts, 0);
        post.start_with(&post.database.config());
        let row = post.until("ada@test.example", |row| row.sent_at.is_some()).await;
        assert_eq!(row.body_text, hello().text);
        post.stop().await;
        assert!(post.server.mails().is_empty());
    }
}
