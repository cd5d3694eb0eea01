//! One request as the log, the audit and the error pages know it: its reference and where it came from.

use std::fmt;
use std::net::IpAddr;

use actix_web::{HttpMessage, HttpRequest, web};

use crate::app::App;
use crate::crypto::Random;
use crate::model::explanation::Slip;

use super::client_ip::client_ip;

/// What is known of a request before anybody has looked at it.
#[derive(Clone, Debug)]
pub struct Visit {
    pub reference: Reference,
    /// By the one rule for it (RL-1).
    pub ip: Option<IpAddr>,
    /// Why it is refused, if it is.
    pub slip: Slip,
}

impl Visit {
    /// Of a request that begins now.
    pub fn begin(app: &App, request: &HttpRequest) -> Self {
        let peer = request.peer_addr().map(|peer| peer.ip());
        Self {
            reference: Reference::new(&app.random),
            ip: client_ip(peer, request.headers(), &app.config.server),
            slip: Slip::default(),
        }
    }

    /// Of this request; begun here if nobody has done so.
    pub fn of(app: &App, request: &HttpRequest) -> Self {
        if let Some(visit) = request.extensions().get::<Self>() {
            return visit.clone();
        }
        let visit = Self::begin(app, request);
        request.extensions_mut().insert(visit.clone());
        visit
    }
}

/// What a person reads to the operator, and the operator finds in the log: `k7f2-9q3m-x4tz`, 60 random bits without
/// letters that look alike.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reference([u8; 14]);

impl Reference {
    pub fn new(random: &Random) -> Self {
        /// Crockford's base 32, in lower case.
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut text = [b'-'; 14];
        let mut bits = u64::from_be_bytes(random.bytes());
        for (at, place) in text.iter_mut().enumerate() {
            if at % 5 != 4 {
                *place = ALPHABET[(bits & 31) as usize];
                bits >>= 5;
            }
        }
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The instance that a request was sent to.
pub(super) fn app(request: &HttpRequest) -> &web::Data<App> {
    request.app_data().expect("every server is built with its App")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_three_groups_of_four() {
        let random = Random::system();
        let reference = Reference::new(&random);
        let groups: Vec<&str> = reference.as_str().split('-').collect();
        assert_eq!(groups.len(), 3, "{reference}");
        for group in groups {
            assert!(group.len() == 4 && group.bytes().all(|b| b.is_ascii_alphanumeric()), "{reference}");
        }
        assert_ne!(reference, Reference::new(&random));
    }
}
