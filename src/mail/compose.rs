//! From a row of the outbox to a message on the wire: headers, and the text and HTML of the body.

use std::time::{Duration, UNIX_EPOCH};

use lettre::address::AddressError;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::{Address, error::Error as EmailError};

use crate::config;
use crate::model::EmailAddress;
use crate::store::outbox;

/// Why a row cannot become a message. Trying again would not help.
#[derive(Debug, thiserror::Error)]
pub(super) enum ComposeError {
    #[error("the recipient is not an e-mail address that mail can be sent to")]
    Recipient,
    #[error("the message cannot be written: {0}")]
    Message(#[from] EmailError),
}

/// Who mail comes from.
#[derive(Clone, Debug)]
pub(super) struct Sender(Mailbox);

impl Sender {
    pub(super) fn new(from: &config::Mailbox) -> Result<Self, AddressError> {
        Ok(Self(Mailbox::new(from.name.as_deref().map(one_line), wire_address(&from.address)?)))
    }

    pub(super) fn domain(&self) -> &str {
        self.0.email.domain()
    }

    /// The same row always becomes the same message with the same id, so that a mail server or reader can tell a
    /// duplicate.
    pub(super) fn compose(&self, row: &outbox::Message) -> Result<Message, ComposeError> {
        let to = EmailAddress::parse(&row.recipient).map_err(|_| ComposeError::Recipient)?;
        let to = wire_address(&to).map_err(|_| ComposeError::Recipient)?;
        let written = Duration::from_micros(u64::try_from(row.created_at.micros()).unwrap_or(0));
        // RFC 3834 §5: no holiday reply comes back.
        let automatic =
            HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        Ok(Message::builder()
            .from(self.0.clone())
            .to(Mailbox::new(None, to))
            .subject(one_line(&row.subject))
            .date(UNIX_EPOCH + written)
            .message_id(Some(format!("<{}@{}>", row.id, self.domain())))
            .raw_header(automatic)
            .multipart(MultiPart::alternative_plain_html(row.body_text.clone(), row.body_html.clone()))?)
    }
}

/// As it was typed before the `@` and in IDNA after it, so that no mail server needs SMTPUTF8.
fn wire_address(address: &EmailAddress) -> Result<Address, AddressError> {
    let local = address.as_str().rsplit_once('@').map_or("", |(local, _)| local);
    let domain = address.folded().rsplit_once('@').map_or("", |(_, domain)| domain);
    Address::new(local, domain)
}

/// A header holds one line (CH-5).
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::crypto::Random;
    use crate::model::MessageId;

    fn row(recipient: &str, subject: &str) -> outbox::Message {
        let now = Timestamp::from_seconds(1_800_000_000);
        outbox::Message {
            id: MessageId::new(now, &Random::system()),
            recipient: recipient.to_owned(),
            subject: subject.to_owned(),
            body_text: "Grüße".to_owned(),
            body_html: "<p>Grüße</p>".to_owned(),
            created_at: now,
            expires_at: None,
            due_at: now,
            attempts: 0,
            last_error: None,
            sent_at: None,
            failed_at: None,
        }
    }

    fn sender(name: &str) -> Sender {
        let address = EmailAddress::parse("no-reply@bücher.example").unwrap();
        Sender::new(&config::Mailbox { name: Some(name.to_owned()), address }).unwrap()
    }

    #[test]
    fn ch_5_a_message_has_the_headers_that_we_gave_it_and_no_others() {
        for hostile in
            ["Hello\r\nBcc: eve@example.org", "Hello\nBcc: eve@example.org\r\n\r\nbody", "\0\u{85}"]
        {
            let row = row("ada@example.org", hostile);
            let message = sender(hostile).compose(&row).unwrap();
            let text = String::from_utf8(message.formatted()).unwrap();
            let (head, _) = text.split_once("\r\n\r\n").unwrap();
            let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
            let mut names: Vec<&str> =
                unfolded.split("\r\n").map(|line| line.split(':').next().unwrap()).collect();
            names.sort_unstable();
            let expected = "Auto-Submitted Content-Type Date From MIME-Version Message-ID Subject To";
            assert_eq!(names.join(" "), expected, "{head}");
            assert_eq!(message.envelope().to().len(), 1);
        }
    }

    #[test]
    fn a_row_always_becomes_the_same_message() {
        let row = row("ada@example.org", "Hello");
        let message = sender("Countersign").compose(&row).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        assert!(text.contains(&format!("Message-ID: <{}@xn--bcher-kva.example>\r\n", row.id)), "{text}");
        assert!(text.contains("Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n"), "{text}");
        assert!(text.contains("From: Countersign <no-reply@xn--bcher-kva.example>\r\n"), "{text}");
        assert_eq!(text.matches("multipart/alternative").count(), 1);
        assert!(text.is_ascii(), "no mail server needs 8BITMIME");
    }

    #[test]
    fn pw_11_only_one_plain_address_is_sent_to() {
        let cases = [
            ("ada@example.org", Some("ada@example.org")),
            ("Ada.O'Brien+tag@Example.ORG", Some("Ada.O'Brien+tag@example.org")),
            ("ada@bücher.example", Some("ada@xn--bcher-kva.example")),
            ("ada@localhost", Some("ada@localhost")),
            ("a{b}|~`c@example.org", Some("a{b}|~`c@example.org")),
            ("ada@example.org, eve@example.org", None),
            ("ada@example.org\r\nRCPT TO:<eve@example.org>", None),
            ("", None),
        ];
        for (recipient, expected) in cases {
            let composed = sender("Countersign").compose(&row(recipient, "Hello"));
            let to = composed.ok().map(|message| message.envelope().to()[0].to_string());
            assert_eq!(to.as_deref(), expected, "{recipient:?}");
        }
    }
}
