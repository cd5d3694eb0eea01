//! Places that the own tokens of a busy client get, leased in blocks beside the requests: issuing such a token writes
//! nothing (RFC 6749 §4.4 is a hot path), and yet nearly each has a place of its own, so that revoking one takes none of
//! the client's others with it.
//!
//! A node leases for itself, and for a client that was busy of late; [`crate::jobs`] looks once a second. A token for which
//! nothing is leased gets one of the few places that the client has for good, and shares it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::model::{ClientKey, Place};

/// A lease ends with it. Places that were not needed lie idle for as long as a token lives, so it is short.
pub const WINDOW: Duration = Duration::from_secs(60);
/// So many tokens within a window make a client busy. Fewer share so seldom that it is not worth a row.
const BUSY: usize = 4;
/// Most places of one lease.
const MOST: usize = 64;

/// What this node has leased.
#[derive(Default)]
pub struct Leases(Mutex<HashMap<ClientKey, Window>>);

/// One client's tokens of a minute.
struct Window {
    began: Timestamp,
    /// How many tokens were issued in it.
    issued: usize,
    places: Vec<Place>,
    /// Given so far. None is given twice: it may have been revoked meanwhile.
    given: usize,
    /// A token that lives on after this may not name one of the places: it may be another's by then.
    good_until: Timestamp,
}

impl Window {
    fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.began) >= WINDOW
    }

    fn new(began: Timestamp) -> Self {
        Self { began, issued: 0, places: Vec::new(), given: 0, good_until: began }
    }
}

impl Leases {
    /// A place for a token of the client that expires then, if there is a lease.
    pub fn draw(&self, client: ClientKey, expires_at: Timestamp, now: Timestamp) -> Option<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = all.entry(client).or_insert_with(|| Window::new(now));
        if window.is_over(now) {
            *window = Window::new(now);
        }
        window.issued += 1;
        if expires_at > window.good_until {
            return None;
        }
        let place = *window.places.get(window.given)?;
        window.given += 1;
        Some(place)
    }

    /// Clients whose leases run out, with how many places each needs. Forgets those that were quiet.
    pub fn due(&self, now: Timestamp) -> Vec<(ClientKey, usize)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, window| !window.is_over(now));
        let runs_out = |window: &Window| {
            let left = window.places.len() - window.given;
            window.issued >= BUSY && left * 4 <= window.places.len()
        };
        let due = all.iter().filter(|(_, window)| runs_out(window));
        due.map(|(client, window)| (*client, window.issued.min(MOST))).collect()
    }

    /// Drops all: some may be marked.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// These were leased; those that were given before are not given again.
    pub fn give(&self, client: ClientKey, places: Vec<Place>, good_until: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = all.get_mut(&client)
            && !places.is_empty()
        {
            window.places.drain(..window.given);
            window.places.extend(places);
            (window.given, window.good_until) = (0, good_until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Random;

    fn client(random: &Random) -> ClientKey {
        ClientKey::new(Timestamp::from_seconds(0), random)
    }

    #[test]
    fn a_busy_client_gets_places_of_its_own_and_shares_when_they_run_out() {
        let (leases, client) = (Leases::default(), client(&Random::system()));
        let at = |seconds: i64| Timestamp::from_seconds(1_000_000 + seconds);
        let draw = |seconds: i64| leases.draw(client, at(seconds + 900), at(seconds));
        assert_eq!([draw(0), draw(1), draw(2)], [None; 3]);
        assert_eq!(leases.due(at(2)), [], "not worth it yet");
        assert_eq!(draw(3), None);
        assert_eq!(leases.due(at(3)), [(client, 4)]);
        leases.give(client, vec![Place(1), Place(2), Place(3), Place(4)], at(2_000));
        assert_eq!(leases.due(at(3)), [], "there is enough");
        assert_eq!([draw(4), draw(5), draw(6)], [Some(Place(1)), Some(Place(2)), Some(Place(3))]);
        assert_eq!(leases.due(at(6)), [(client, 7)], "before they run out");
        assert_eq!([draw(7), draw(8)], [Some(Place(4)), None], "none is given twice");
        leases.give(client, vec![Place(5)], at(2_000));
        assert_eq!(draw(9), Some(Place(5)));
        // A token that lives longer than the lease reckons with has none of its places.
        assert_eq!(leases.draw(client, at(2_001), at(10)), None);
        // A minute later it begins anew.
        assert_eq!(draw(60), None);
        assert_eq!(leases.due(at(61)), []);
    }

    #[test]
    fn who_is_quiet_is_forgotten() {
        let (leases, client) = (Leases::default(), client(&Random::system()));
        let now = Timestamp::from_seconds(1_000_000);
        leases.draw(client, now, now);
        leases.due(now.plus(WINDOW));
        assert!(leases.0.lock().unwrap().is_empty());
        leases.give(client, vec![Place(1)], now);
        assert!(leases.0.lock().unwrap().is_empty(), "nothing is kept for it");
    }
}
