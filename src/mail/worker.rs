//! Sends what is in the outbox: each message once, unless a node dies while it sends (CR-6).
//!
//! A node claims a message before it sends it, so two never send the same one. What the mail server puts off is
//! tried again for a day, ever more seldom; what it refuses, and what has expired, is not. A message that hangs
//! gives its place to the next one after `BRISK`, so that bad addresses never hold up the good ones for long.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::compose::Sender;
use super::smtp::{LAST_PATIENCE, Relay, SendError};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::model::MessageId;
use crate::store::{self, Conn, Db, outbox};

/// Messages on their way at once, while the mail server takes each in its stride.
const PARALLEL: usize = 4;

/// A message that takes longer goes on beside the others and no longer counts as one of them.
const BRISK: Duration = Duration::from_secs(3);

/// Messages on their way at once, with those that dawdle. Even if every message hangs, as many as begin in a
/// `LAST_PATIENCE` have room, so that new ones always go out.
const MOST: usize = PARALLEL * (LAST_PATIENCE.as_secs() / BRISK.as_secs()) as usize;

/// How often the outbox is looked at when nobody tells of new mail: another node may have written it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the end of the process waits for messages on their way.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// After this, a message that a node claimed and did not finish is tried by any node. A node that still sends says so
/// every `HOLD_EVERY`; what is between is more than the clocks of two nodes may differ.
const LOST_AFTER: Duration = Duration::from_secs(2 * 60);
const HOLD_EVERY: Duration = Duration::from_secs(30);

/// Pauses after the first tries; the last of them from then on.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(4 * 60 * 60),
];

/// No try is made when a message is older than this.
const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Why mail cannot be sent with this configuration.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WorkerError(String);

/// What sends the mail of one node. Cheap to clone.
#[derive(Clone)]
pub struct Worker(Arc<Post>);

struct Post {
    db: Db,
    clock: Clock,
    wake: Arc<Notify>,
    route: Route,
}

/// Where mail goes.
enum Route {
    Smtp {
        relay: Box<Relay>,
        sender: Sender,
    },
    /// `/dev/mail` shows the outbox: what is in it has arrived.
    DevelopmentMailbox,
    /// No mail server is configured: mail stays in the outbox.
    Nowhere,
}

/// What became of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Sent,
    Postponed { reason: String, due_at: Timestamp },
    Failed { reason: String },
}

impl Worker {
    /// `wake` is what whoever writes mail on this node tells.
    ///
    /// # Errors
    /// If the mail server's URL, the sender's address or the file of certificate authorities is of no use.
    pub fn new(config: &Config, db: Db, clock: Clock, wake: Arc<Notify>) -> Result<Self, WorkerError> {
        let route = match &config.mail.url {
            Some(url) => {
                let sender = Sender::new(&config.mail_from())
                    .map_err(|error| WorkerError(format!("mail.from: {error}")))?;
                let relay = Relay::new(url, sender.domain(), config.outbound.extra_ca_file.as_deref())
                    .map_err(WorkerError)?;
                Route::Smtp { relay: Box::new(relay), sender }
            }
            None if config.has_dev_pages() => Route::DevelopmentMailbox,
            None => Route::Nowhere,
        };
        Ok(Self(Arc::new(Post { db, clock, wake, route })))
    }

    /// Sends until `stop` turns true (or its sender is gone), and then waits a moment for what it has
    /// begun.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        if matches!(self.0.route, Route::Nowhere) {
            tracing::warn!("mail.url is not set: mail stays in the outbox");
            return;
        }
        let mut under_way = JoinSet::new();
        let places = Arc::new(Semaphore::new(PARALLEL));
        loop {
            let free = places.available_permits().min(MOST - under_way.len());
            match self.0.claim_due(free).await {
                Ok(claimed) => {
                    for message in claimed {
                        let place = Arc::clone(&places).acquire_owned().await;
                        let place = place.expect("nobody closes the places");
                        under_way.spawn(Arc::clone(&self.0).deliver_from(place, message));
                    }
                }
                Err(error) => tracing::warn!(%error, "the outbox cannot be read"),
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                Some(ended) = under_way.join_next() => log_panic(ended),
                () = self.0.wake.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        let finish = async {
            while let Some(ended) = under_way.join_next().await {
                log_panic(ended);
            }
        };
        if tokio::time::timeout(LAST_WAIT, finish).await.is_err() {
            tracing::warn!("messages were still under way at the end; they are sent again by the next node");
        }
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "sending a message ended badly; it is tried again");
    }
}

impl Post {
    /// Takes up to `free` messages that are due. An expired one is marked as failed instead.
    async fn claim_due(&self, free: usize) -> Result<Vec<outbox::Message>, store::Error> {
        let now = self.clock.now();
        let limit = i64::try_from(free).unwrap_or(0);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let due = self.db.read(move |db| outbox::due(db, now, limit)).await?;
        if due.is_empty() {
            return Ok(due);
        }
        self.db.write(move |db| claim_all(db, &due, now)).await
    }

    /// Delivers, and gives the place back when the message is through or dawdles.
    async fn deliver_from(self: Arc<Self>, place: OwnedSemaphorePermit, message: outbox::Message) {
        let (post, id) = (Arc::clone(&self), message.id);
        let mut delivery = std::pin::pin!(self.deliver(message));
        if tokio::time::timeout(BRISK, &mut delivery).await.is_err() {
            drop(place);
            post.wake.notify_one();
            while tokio::time::timeout(HOLD_EVERY, &mut delivery).await.is_err() {
                post.hold(id).await;
            }
        }
    }

    /// Says to the other nodes that the message is still under way here.
    async fn hold(&self, id: MessageId) {
        let until = self.clock.now().plus(LOST_AFTER);
        if let Err(error) = self.db.write(move |db| outbox::hold(db, id, until)).await {
            tracing::warn!(message = %id, %error, "a message under way may be sent again by another node");
        }
    }

    async fn deliver(self: Arc<Self>, message: outbox::Message) {
        let outcome = match &self.route {
            Route::Smtp { relay, sender } => self.send(relay, sender, &message).await,
            Route::DevelopmentMailbox | Route::Nowhere => Outcome::Sent,
        };
        let domain = message.recipient.rsplit('@').next().unwrap_or_default();
        let (id, tries) = (message.id, message.attempts);
        match &outcome {
            Outcome::Sent => tracing::info!(message = %id, domain, tries, "mail sent"),
            Outcome::Postponed { reason, due_at } => {
                let reason = without_addresses(reason, None);
                tracing::warn!(message = %id, domain, tries, reason, next = %due_at, "mail put off");
            }
            Outcome::Failed { reason } => {
                let reason = without_addresses(reason, None);
                tracing::error!(message = %id, domain, tries, reason, "mail not sent");
            }
        }
        self.note(id, outcome).await;
    }

    async fn send(&self, relay: &Relay, sender: &Sender, row: &outbox::Message) -> Outcome {
        let message = match sender.compose(row) {
            Ok(message) => message,
            Err(error) => return Outcome::Failed { reason: error.to_string() },
        };
        match relay.send(&message).await {
            Ok(()) => Outcome::Sent,
            Err(SendError::Refused(reason)) => {
                Outcome::Failed { reason: without_addresses(&reason, Some(&row.recipient)) }
            }
            Err(SendError::Later(reason)) => {
                let reason = without_addresses(&reason, Some(&row.recipient));
                match next_try(row, self.clock.now()) {
                    Some(due_at) => Outcome::Postponed { reason, due_at },
                    None => Outcome::Failed { reason: format!("given up after a day: {reason}") },
                }
            }
        }
    }

    /// A message that was sent and not noted would be sent again, so a database that is away for a moment is asked
    /// again.
    async fn note(&self, id: MessageId, outcome: Outcome) {
        const TRIES: u32 = 5;
        for attempt in 1..=TRIES {
            let (outcome, now) = (outcome.clone(), self.clock.now());
            let noted = self.db.write(move |db| match &outcome {
                Outcome::Sent => outbox::mark_sent(db, id, now),
                Outcome::Postponed { reason, due_at } => outbox::postpone(db, id, reason, *due_at),
                Outcome::Failed { reason } => outbox::mark_failed(db, id, reason, now),
            });
            match noted.await {
                Ok(()) => return,
                Err(error) if attempt == TRIES => {
                    tracing::error!(message = %id, %error, "what became of a message cannot be noted");
                }
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }
}

fn claim_all(
    db: &mut Conn,
    due: &[outbox::Message],
    now: Timestamp,
) -> Result<Vec<outbox::Message>, store::Error> {
    let mut claimed = Vec::new();
    for message in due {
        if message.expires_at.is_some_and(|at| at <= now) {
            outbox::mark_failed(db, message.id, "expired before it could be sent", now)?;
        } else if outbox::claim(db, message, now.plus(LOST_AFTER))? {
            claimed.push(outbox::Message { attempts: message.attempts + 1, ..message.clone() });
        }
    }
    Ok(claimed)
}

/// When a message whose latest try failed is tried again; `None` if it is too old for that.
fn next_try(row: &outbox::Message, now: Timestamp) -> Option<Timestamp> {
    let tries = usize::try_from(row.attempts).unwrap_or(usize::MAX);
    let pause = PAUSES[tries.saturating_sub(1).min(PAUSES.len() - 1)];
    let next = now.plus(pause);
    (next <= row.created_at.plus(GIVE_UP_AFTER)).then_some(next)
}

/// What a mail server said, as one short line in which no address stands but `known` (LO-2).
fn without_addresses(reason: &str, known: Option<&str>) -> String {
    const LONGEST: usize = 300;
    let keeps = |word: &str| {
        !word.contains('@')
            || known.is_some_and(|known| word.trim_matches(|c| "<>()[]{}\"',;:.".contains(c)) == known)
    };
    let words: Vec<&str> = reason
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .map(|word| if keeps(word) { word } else { "<address>" })
        .collect();
    words.join(" ").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Random;

    #[test]
    fn cr_6_a_message_is_tried_ever_more_seldom_for_a_day() {
        let created_at = Timestamp::from_seconds(1_800_000_000);
        let mut row = outbox::Message {
            id: MessageId::new(created_at, &Random::system()),
            recipient: String::new(),
            subject: String::new(),
            body_text: String::new(),
            body_html: String::new(),
            created_at,
            expires_at: None,
            due_at: created_at,
            attempts: 1,
            last_error: None,
            sent_at: None,
            failed_at: None,
        };
        let mut now = created_at;
        let mut pauses = Vec::new();
        while let Some(next) = next_try(&row, now) {
            pauses.push(next.since(now).as_secs());
            now = next;
            row.attempts += 1;
        }
        assert_eq!(pauses, [30, 120, 600, 3600, 14_400, 14_400, 14_400, 14_400, 14_400]);
        // A clock that was set back makes no difference to the pause.
        assert_eq!(next_try(&row, Timestamp(0)).map(|next| next.since(Timestamp(0))), Some(PAUSES[4]));
    }

    #[test]
    fn lo_2_what_a_server_says_is_kept_without_other_peoples_addresses() {
        let cases = [
            ("550 <ada@test>: unknown", Some("ada@test"), "550 <ada@test>: unknown"),
            ("550 <ada@test>: unknown", None, "550 <address> unknown"),
            ("ask postmaster@test;\r\n\tor eve@test", Some("ada@test"), "ask <address> or <address>"),
            ("ada@test,eve@test", Some("ada@test"), "<address>"),
            ("a\0b\u{1b}[31mc", None, "a b [31mc"),
        ];
        for (said, known, kept) in cases {
            assert_eq!(without_addresses(said, known), kept, "{said:?}");
        }
        assert_eq!(without_addresses(&"é".repeat(1000), None).chars().count(), 300);
    }
}
