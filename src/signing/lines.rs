//! What a signing key does when, as people look at it.

use crate::clock::Timestamp;
use crate::keys::{KeyPolicy, settle, signing_key};
use crate::model::SigningAlg;
use crate::store::signing_keys::SigningKey;

use super::{ALGORITHMS, times};

/// What a key is at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and not signing yet.
    Waiting,
    Signing,
    /// Published, so that what it signed can be verified.
    Retired,
    /// Everything that it signed is dead.
    Gone,
    Revoked,
}

/// The life of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyLine {
    pub kid: String,
    pub alg: SigningAlg,
    pub state: KeyState,
    pub published_at: Timestamp,
    pub signs_from: Timestamp,
    /// As far as it is known: it may lie ahead.
    pub signs_until: Option<Timestamp>,
    /// When a successor is to take over, if nobody does anything.
    pub expected_until: Timestamp,
    /// When it leaves the JWKS.
    pub leaves_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// Every stored key, algorithm after algorithm, the newest of each first.
pub fn lines(rows: &[SigningKey], policy: &KeyPolicy, now: Timestamp) -> Vec<KeyLine> {
    ALGORITHMS.into_iter().flat_map(|alg| lines_of(rows, alg, policy, now)).collect()
}

fn lines_of(rows: &[SigningKey], alg: SigningAlg, policy: &KeyPolicy, now: Timestamp) -> Vec<KeyLine> {
    let of_alg: Vec<&SigningKey> = rows.iter().filter(|row| row.alg == alg).collect();
    let stored: Vec<_> = of_alg.iter().map(|row| times(row)).collect();
    let signing = signing_key(&stored, now);
    let line = |(index, settled): (usize, &crate::keys::KeyTimes)| {
        let leaves_at = settled.leaves_at(policy);
        let state = match settled.revoked_at {
            Some(_) => KeyState::Revoked,
            None if signing == Some(index) => KeyState::Signing,
            None if settled.active_from > now => KeyState::Waiting,
            None if leaves_at.is_some_and(|leaves| leaves <= now) => KeyState::Gone,
            None => KeyState::Retired,
        };
        KeyLine {
            kid: of_alg[index].kid.clone(),
            alg,
            state,
            published_at: settled.published_at,
            signs_from: settled.active_from,
            signs_until: settled.retired_at,
            expected_until: settled.active_from.plus(policy.rotate_every),
            leaves_at,
            revoked_at: settled.revoked_at,
        }
    };
    let mut lines: Vec<KeyLine> = settle(&stored).iter().enumerate().map(line).collect();
    lines.sort_by(|a, b| b.signs_from.cmp(&a.signs_from).then_with(|| a.kid.cmp(&b.kid)));
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const POLICY: KeyPolicy = KeyPolicy {
        rotate_every: Duration::from_secs(90 * 86_400),
        publish_ahead: DAY,
        longest_token_life: DAY,
    };

    fn at(days: u32) -> Timestamp {
        Timestamp::from_seconds(0).plus(days * DAY)
    }

    fn key(kid: &str, published: u32, active: u32, retired: Option<u32>, revoked: Option<u32>) -> SigningKey {
        SigningKey {
            kid: kid.to_owned(),
            alg: SigningAlg::Es256,
            public_jwk: String::new(),
            sealed: Vec::new(),
            master_key_id: String::new(),
            created_at: at(published),
            published_at: at(published),
            active_from: at(active),
            retired_at: retired.map(at),
            revoked_at: revoked.map(at),
        }
    }

    #[test]
    fn a_key_waits_signs_stays_and_goes() {
        let rows = [key("old", 0, 0, Some(90), None), key("new", 80, 90, None, None)];
        let states = |day| {
            let lines = lines(&rows, &POLICY, at(day));
            assert_eq!([lines[0].kid.as_str(), lines[1].kid.as_str()], ["new", "old"], "the newest first");
            [lines[1].state, lines[0].state]
        };
        assert_eq!(states(85), [KeyState::Signing, KeyState::Waiting]);
        assert_eq!(states(90), [KeyState::Retired, KeyState::Signing]);
        assert_eq!(states(120), [KeyState::Gone, KeyState::Signing]);
        let lines = lines(&rows, &POLICY, at(85));
        assert_eq!((lines[1].signs_until, lines[0].signs_until), (Some(at(90)), None));
        assert_eq!(lines[0].expected_until, at(180));
    }

    #[test]
    fn tk_11_a_key_whose_successor_was_revoked_signs_on() {
        let rows = [key("old", 0, 0, Some(90), None), key("new", 80, 90, None, Some(85))];
        let lines = lines(&rows, &POLICY, at(100));
        assert_eq!((lines[0].state, lines[1].state), (KeyState::Revoked, KeyState::Signing));
        assert_eq!(lines[1].signs_until, None);
    }
}
