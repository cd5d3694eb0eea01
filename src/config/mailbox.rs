//! Whom mail comes from: an address, and the name that people see beside it (RFC 5322 §3.4).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::EmailAddress;

/// `ada@example.com` or `Ada Lovelace <ada@example.com>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Unset: the product's name.
    pub name: Option<String>,
    pub address: EmailAddress,
}

/// Why a text is not taken as a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a single e-mail address; write it like `name@example.com` or `Name <name@example.com>`")]
pub struct BadMailbox;

impl FromStr for Mailbox {
    type Err = BadMailbox;

    fn from_str(text: &str) -> Result<Self, BadMailbox> {
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>').map(|rest| rest.rsplit_once('<')) {
            Some(Some((name, address))) => (name.trim(), address),
            Some(None) => return Err(BadMailbox),
            None => ("", text),
        };
        let address = EmailAddress::parse(address).map_err(|_| BadMailbox)?;
        if name.is_empty() {
            return Ok(Self { name: None, address });
        }
        // The mail library knows quoted and bare names; it need not know the address.
        let named: lettre::message::Mailbox =
            format!("{name} <a@example.com>").parse().map_err(|_| BadMailbox)?;
        let name = named.name.ok_or(BadMailbox)?;
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            return Err(BadMailbox);
        }
        Ok(Self { name: Some(name), address })
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address.as_str()),
            None => f.write_str(self.address.as_str()),
        }
    }
}

impl<'de> Deserialize<'de> for Mailbox {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| serde::de::Error::custom(format_args!("`{text}` is {error}")))
    }
}

impl Serialize for Mailbox {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        let cases = [
            ("ada@example.com", None, "ada@example.com"),
            (" <ada@example.com> ", None, "ada@example.com"),
            ("Ada Lovelace <ada@example.com>", Some("Ada Lovelace"), "ada@example.com"),
            ("\"Lovelace, Ada\" <ada@example.com>", Some("Lovelace, Ada"), "ada@example.com"),
            ("Grüße <ada@bücher.example>", Some("Grüße"), "ada@bücher.example"),
        ];
        for (text, name, address) in cases {
            let read: Mailbox = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((read.name.as_deref(), read.address.as_str()), (name, address), "{text}");
        }
    }

    #[test]
    fn ch_5_a_sender_is_one_and_on_one_line() {
        let bad = [
            "",
            "Ada",
            "Ada <>",
            "Ada <ada>",
            "Ada ada@example.com",
            "ada@example.com>",
            "ada@example.com, Eve <eve@example.com>",
            "Eve <eve@example.com>, Ada <ada@example.com>",
            "Ada\r\nBcc: eve@example.com <ada@example.com>",
        ];
        for text in bad {
            assert_eq!(text.parse::<Mailbox>(), Err(BadMailbox), "{text:?}");
        }
    }
}
