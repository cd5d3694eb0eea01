//! Mail that leaves, as whoever runs the instance looks after it: what waits, what failed, sending it again, a test.
//!
//! What a message says is not shown: it may hold a link that signs somebody in.

use crate::app::App;
use crate::audit::{Event, Origin};
use crate::mail::{self, message};
use crate::model::{AuditAction, EmailAddress, Language, MessageId};
use crate::store::{self, outbox};

/// How a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Sent,
    /// It will not be tried any more: a dead letter.
    Failed,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "waiting" => Ok(Self::Waiting),
            "sent" => Ok(Self::Sent),
            "failed" => Ok(Self::Failed),
            _ => Err("expected one of waiting, sent, failed".to_owned()),
        }
    }
}

pub fn state(message: &outbox::Message) -> State {
    match (message.sent_at, message.failed_at) {
        (Some(_), _) => State::Sent,
        (None, Some(_)) => State::Failed,
        (None, None) => State::Waiting,
    }
}

/// Up to `limit` messages, the newest first, before the one named.
pub async fn list(
    app: &App,
    state: Option<State>,
    before: Option<MessageId>,
    limit: i64,
) -> Result<Vec<outbox::Message>, store::Error> {
    app.db
        .read(move |db| match state {
            None => outbox::before(db, before, limit),
            Some(State::Waiting) => outbox::waiting(db, before, limit),
            Some(State::Sent) => outbox::sent(db, before, limit),
            Some(State::Failed) => outbox::failed(db, before, limit),
        })
        .await
}

/// Lets a message that failed, or waits for its next try, be sent now. `false` if there is none such: it has left, or
/// what it says is no longer true.
pub async fn send_again(app: &App, id: MessageId, origin: &Origin) -> Result<bool, store::Error> {
    let scribe = app.scribe(origin);
    let again = app
        .db
        .write(move |db| {
            let again = outbox::send_again(db, id, scribe.now)?;
            if again {
                let event = Event::success(AuditAction::MailSentAgain).detail("message", id.to_string());
                scribe.write(db, event)?;
            }
            Ok(again)
        })
        .await?;
    if again {
        app.mail_notify.notify_one();
    }
    Ok(again)
}

/// Sends a message that says only that mail works here.
pub async fn send_test(
    app: &App,
    to: &EmailAddress,
    language: Language,
    origin: &Origin,
) -> Result<MessageId, store::Error> {
    let product = app.config.branding.product_name.clone();
    let link = app.config.issuer.at("/");
    let test = message::Test { language, product: &product, link: &link }.message();
    let (scribe, to) = (app.scribe(origin), to.clone());
    let id = app
        .db
        .write(move |db| {
            let id = mail::put(db, &scribe, &to, &test, None)?;
            scribe.write(db, Event::success(AuditAction::MailTested).detail("message", id.to_string()))?;
            Ok(id)
        })
        .await?;
    app.mail_notify.notify_one();
    Ok(id)
}

/// The message, if it is kept still.
pub async fn find(app: &App, id: MessageId) -> Result<Option<outbox::Message>, store::Error> {
    app.db.read(move |db| outbox::find(db, id)).await
}

/// What DNS says at one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Found(String),
    Missing,
    /// It could not be asked.
    Unknown(String),
}

/// Looks at the records by which others believe that mail comes from the domain of `mail.from`: SPF (RFC 7208), DMARC
/// (RFC 7489), and, with the selector that the mail server signs with, DKIM (RFC 6376). What each is called, its name in
/// DNS, and what stands there.
pub async fn look_up(app: &App, selector: Option<&str>) -> Vec<(&'static str, String, Record)> {
    let from = app.config.mail_from();
    let domain = from.address.folded().rsplit_once('@').map_or("", |(_, domain)| domain);
    let mut asked: Vec<(&'static str, String, &str)> =
        vec![("SPF", domain.to_owned(), "v=spf1"), ("DMARC", format!("_dmarc.{domain}"), "v=DMARC1")];
    if let Some(selector) = selector {
        asked.push(("DKIM", format!("{selector}._domainkey.{domain}"), "p="));
    }
    let mut told = Vec::new();
    for (what, name, begins) in asked {
        let record = match app.outbound.texts(&name, &app.random).await {
            Ok(texts) => {
                let wanted = |text: &&String| match what {
                    "DKIM" => text.contains(begins),
                    _ => text.starts_with(begins),
                };
                texts.iter().find(wanted).map_or(Record::Missing, |text| Record::Found(text.clone()))
            }
            Err(error) => Record::Unknown(error.to_string()),
        };
        told.push((what, name, record));
    }
    told
}
