//! Mail: put into the outbox with its cause, sent by a worker (AR-8).
//!
//! No request waits for a mail server. [`enqueue`] writes a row in the transaction of whatever the mail is about;
//! [`worker`] sends it, again if need be. What mails say is in [`message`] and [`notice`].

mod compose;
pub mod message;
pub mod notice;
mod smtp;
pub mod worker;

pub use worker::{Worker, WorkerError};

use crate::audit::Scribe;
use crate::clock::Timestamp;
use crate::model::{EmailAddress, MessageId};
use crate::store::{self, Conn, outbox};
use message::Message;

/// Puts a mail into the outbox, in the caller's transaction. After `expires_at`, when its link no longer works, it is
/// not sent.
///
/// The worker looks once a second; telling `App::mail_notify` after the commit makes it look at once.
pub fn enqueue(
    db: &mut Conn,
    scribe: &Scribe,
    to: &EmailAddress,
    message: &Message,
    expires_at: Option<Timestamp>,
) -> Result<(), store::Error> {
    put(db, scribe, to, message, expires_at).map(drop)
}

/// The same for who asks afterwards what became of it.
pub fn put(
    db: &mut Conn,
    scribe: &Scribe,
    to: &EmailAddress,
    message: &Message,
    expires_at: Option<Timestamp>,
) -> Result<MessageId, store::Error> {
    let id = MessageId::new(scribe.now, &scribe.random);
    outbox::insert(
        db,
        &outbox::Message {
            id,
            recipient: to.as_str().to_owned(),
            subject: message.subject.clone(),
            body_text: message.text.clone(),
            body_html: message.html.clone(),
            created_at: scribe.now,
            expires_at,
            due_at: scribe.now,
            attempts: 0,
            last_error: None,
            sent_at: None,
            failed_at: None,
        },
    )?;
    Ok(id)
}
