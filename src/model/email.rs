//! E-mail addresses: what is accepted, and the one form in which two of them are compared (PW-12).
//!
//! The address is kept as typed for sending. Its *folded* form (ASCII lower case, domain in IDNA) is what look-up,
//! uniqueness and throttling use, so that no second spelling reaches a second account.

use std::fmt;

/// A single address that can be sent to.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress {
    address: String,
    folded: String,
}

/// Why a text is not taken as an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a single e-mail address of the form name@example.com")]
pub struct BadEmail;

impl EmailAddress {
    /// Longest address that SMTP can carry (RFC 5321 §4.5.3.1.3).
    const MAX_LEN: usize = 254;

    /// Trims and checks. Lists, display names, control characters, white space and several `@` are refused: the
    /// address of the account found, and no other, is what we send to (PW-11).
    pub fn parse(text: &str) -> Result<Self, BadEmail> {
        let address = text.trim();
        if address.len() > Self::MAX_LEN || address.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(BadEmail);
        }
        let (local, domain) = address.split_once('@').ok_or(BadEmail)?;
        let local_ok = !local.is_empty()
            && local.len() <= 64
            && local.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c))
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..");
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| BadEmail)?.to_ascii_lowercase();
        let domain_ok = domain.contains('.') || domain == "localhost";
        if !local_ok || !domain_ok {
            return Err(BadEmail);
        }
        Ok(Self { folded: format!("{}@{domain}", local.to_ascii_lowercase()), address: address.to_owned() })
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.address
    }

    /// The form in which addresses are compared.
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// Logs never hold a full address (LO-2).
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = self.folded.rsplit('@').next().unwrap_or_default();
        write!(f, "EmailAddress(…@{domain})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pw_12_one_form_for_comparison() {
        let cases = [
            ("Ada@Example.COM", "ada@example.com"),
            ("  ada@example.com\t", "ada@example.com"),
            ("ada+tag@example.com", "ada+tag@example.com"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            ("ada@localhost", "ada@localhost"),
        ];
        for (typed, folded) in cases {
            assert_eq!(
                EmailAddress::parse(typed).map(|e| e.folded().to_owned()),
                Ok(folded.to_owned()),
                "{typed}"
            );
        }
    }

    #[test]
    fn pw_11_only_one_plain_address() {
        let bad = [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "a@b@example.com",
            "ada@example.com,eve@example.com",
            "ada@example.com\r\nBcc: eve@example.com",
            "Ada <ada@example.com>",
            "ada @example.com",
            "ada@exa mple.com",
            ".ada@example.com",
            "a..da@example.com",
            "ada@-example.com",
            "\u{0430}da@example.com",
            "ada@example.com\0",
        ];
        for text in bad {
            assert_eq!(EmailAddress::parse(text), Err(BadEmail), "{text:?}");
        }
        assert!(EmailAddress::parse(&format!("{}@example.com", "a".repeat(65))).is_err());
    }
}
