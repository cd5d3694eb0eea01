//! What happened, counted by the hour: sign-ins, tokens, fetches of the public keys.
//!
//! Counted in memory, for a request must not wait for a count and some requests touch no table at all; [`crate::jobs`]
//! writes what was counted every few seconds and at the end, and nodes add up. What Prometheus collects is
//! [`crate::metrics`]; [`crate::app::App`] tells both of everything by one call. Who may see the counts and how they are
//! drawn is for others to decide.

mod span;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;
use crate::model::{AuthMethod, ClientKey, GrantType, Outcome, UsageKind, user_agent};
use crate::store::usage::Count;
use crate::store::{self, Db, Error};

pub use span::{Range, Slot, Span, hour_of};

/// More than this are not told apart while they wait; what comes then is counted for no client.
const CAPACITY: usize = 10_000;
/// Programs that are told apart within an hour: their names are theirs to choose (LO-2).
const PROGRAMS: usize = 40;
/// What is written in one transaction.
const BATCH: usize = 500;
/// A program that does not say what it is, or one too many.
pub const OTHER: &str = "other";

/// What this node has counted.
#[derive(Default)]
pub struct Usage {
    /// Not written yet.
    waiting: Mutex<HashMap<Key, i64>>,
    programs: Mutex<Programs>,
}

/// Those that were told apart within the hour, written or not.
#[derive(Default)]
struct Programs {
    hour: Option<Timestamp>,
    known: HashSet<String>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    kind: UsageKind,
    hour: Timestamp,
    label: Label,
    client: Option<ClientKey>,
}

/// A word of ours or a program's name; a count for a word of ours needs no memory of its own.
type Label = std::borrow::Cow<'static, str>;

/// Sign-ins of each slot of a span.
#[derive(Clone, Debug, PartialEq)]
pub struct SignIns {
    pub slots: Vec<Slot>,
    /// Those that went well, by how. Ways that nobody took are left out.
    pub by_method: Vec<(AuthMethod, Vec<i64>)>,
    /// Those that did not, by how.
    pub failed_by_method: Vec<(AuthMethod, Vec<i64>)>,
}

/// What clients got.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tokens {
    /// The one that got most first.
    pub clients: Vec<ClientTokens>,
    /// The clients after those, and what they got together.
    pub other_clients: usize,
    pub others: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ClientTokens {
    /// `None`: for keys of machines, which need no client.
    pub client: Option<ClientKey>,
    /// What people call it. Empty if it is not there any more, and without a client.
    pub name: String,
    pub client_id: String,
    pub by_grant: Vec<(GrantType, i64)>,
}

impl ClientTokens {
    pub fn total(&self) -> i64 {
        self.by_grant.iter().map(|(_, amount)| amount).sum()
    }
}

/// A program that fetches the public keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReader {
    /// As it calls itself, or [`OTHER`].
    pub program: String,
    /// In each slot.
    pub amounts: Vec<i64>,
    /// When the hour began in which it was last here.
    pub last: Timestamp,
}

/// How things stand at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// Browsers that are signed in.
    pub sessions: i64,
    pub mail: store::outbox::Unsent,
}

/// How things stand now.
pub async fn present(db: &Db, now: Timestamp) -> Result<Present, Error> {
    db.read(move |db| {
        Ok(Present {
            sessions: store::sessions::count_live(db, now)?,
            mail: store::outbox::count_unsent(db)?,
        })
    })
    .await
}

/// Counting.
impl Usage {
    pub fn sign_in(&self, method: AuthMethod, outcome: Outcome, now: Timestamp) {
        let kind = match outcome {
            Outcome::Success => UsageKind::SignIn,
            Outcome::Failure | Outcome::Denied => UsageKind::SignInFailed,
        };
        self.add(Key { kind, hour: hour_of(now), label: method.as_str().into(), client: None });
    }

    pub fn token_issued(&self, grant: GrantType, client: Option<ClientKey>, now: Timestamp) {
        let hour = hour_of(now);
        self.add(Key { kind: UsageKind::Token, hour, label: grant.as_str().into(), client });
    }

    /// A program fetched the public keys.
    pub fn keys_fetched(&self, program: Option<&str>, now: Timestamp) {
        let hour = hour_of(now);
        let named = program.and_then(user_agent::family).filter(|name| self.is_told_apart(name, hour));
        let label = named.unwrap_or(OTHER).to_owned().into();
        self.add(Key { kind: UsageKind::KeysFetched, hour, label, client: None });
    }

    fn is_told_apart(&self, name: &str, hour: Timestamp) -> bool {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if programs.hour != Some(hour) {
            *programs = Programs { hour: Some(hour), known: HashSet::new() };
        }
        programs.known.contains(name)
            || (programs.known.len() < PROGRAMS && programs.known.insert(name.to_owned()))
    }

    fn add(&self, key: Key) {
        let mut waiting = self.lock();
        if let Some(amount) = waiting.get_mut(&key) {
            *amount += 1;
            return;
        }
        let key = if waiting.len() < CAPACITY { key } else { Key { client: None, ..key } };
        *waiting.entry(key).or_default() += 1;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, i64>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writing.
impl Usage {
    /// Writes what waits. What could not be written waits on.
    ///
    /// # Errors
    /// If the database does not take it.
    pub async fn write(&self, db: &Db) -> Result<(), Error> {
        loop {
            let taken = self.take(BATCH);
            if taken.is_empty() {
                return Ok(());
            }
            let counts: Vec<Count> = taken.iter().map(|(key, amount)| count(key, *amount)).collect();
            if let Err(error) = db.write(move |db| store::usage::add(db, &counts)).await {
                self.put_back(taken);
                return Err(error);
            }
        }
    }

    /// In the order of their keys, which is the same on every node.
    fn take(&self, most: usize) -> BTreeMap<Key, i64> {
        let mut waiting = self.lock();
        let keys: Vec<Key> = waiting.keys().take(most).cloned().collect();
        keys.into_iter().filter_map(|key| waiting.remove_entry(&key)).collect()
    }

    fn put_back(&self, taken: BTreeMap<Key, i64>) {
        let mut waiting = self.lock();
        for (key, amount) in taken {
            *waiting.entry(key).or_default() += amount;
        }
    }

    /// What this node has counted within the span and not written yet.
    fn waiting(&self, kinds: &[UsageKind], span: &Span) -> Vec<Count> {
        let waiting = self.lock();
        waiting
            .iter()
            .filter(|(key, _)| kinds.contains(&key.kind) && span.holds(key.hour))
            .map(|(key, amount)| count(key, *amount))
            .collect()
    }
}

fn count(key: &Key, amount: i64) -> Count {
    Count {
        kind: key.kind,
        hour: key.hour,
        label: key.label.clone().into_owned(),
        client: key.client,
        amount,
    }
}

/// Reading: what all nodes have written, and what this one has counted since.
impl Usage {
    pub async fn sign_ins(&self, db: &Db, span: &Span) -> Result<SignIns, Error> {
        let counts = self.read(db, &[UsageKind::SignIn, UsageKind::SignInFailed], span).await?;
        let of = |kind| {
            let lines = span.lines(counts.iter().filter(|count| count.kind == kind));
            let known = |(label, amounts): (String, _)| Some((AuthMethod::parse(&label)?, amounts));
            let mut lines: Vec<(AuthMethod, Vec<i64>)> = lines.into_iter().filter_map(known).collect();
            lines.sort_by_key(|(method, _)| *method);
            lines
        };
        Ok(SignIns {
            slots: span.slots.clone(),
            by_method: of(UsageKind::SignIn),
            failed_by_method: of(UsageKind::SignInFailed),
        })
    }

    /// Who fetched the public keys: the busiest first.
    pub async fn key_readers(&self, db: &Db, span: &Span) -> Result<Vec<KeyReader>, Error> {
        let counts = self.read(db, &[UsageKind::KeysFetched], span).await?;
        let last = |program: &str| {
            let own = counts.iter().filter(|count| count.label == program);
            own.map(|count| count.hour).max().unwrap_or_else(|| span.from())
        };
        let lines = span.lines(&counts).into_iter();
        let mut readers: Vec<KeyReader> =
            lines.map(|(program, amounts)| KeyReader { last: last(&program), program, amounts }).collect();
        readers.sort_by_key(|reader| std::cmp::Reverse(reader.amounts.iter().sum::<i64>()));
        Ok(readers)
    }

    /// What clients got in the span: `most` of them by name, the rest together.
    pub async fn tokens_by_client(&self, db: &Db, span: &Span, most: usize) -> Result<Tokens, Error> {
        let (from, to) = (span.from(), span.to());
        let mut rows = db.read(move |db| store::usage::by_client(db, UsageKind::Token, from, to)).await?;
        let waiting = self.waiting(&[UsageKind::Token], span);
        rows.extend(waiting.into_iter().map(|count| (count.client, count.label, count.amount)));
        let (top, mut tokens) = rank(rows, most);
        tokens.clients = db
            .read(move |db| {
                let named = |(client, by_grant): &(Option<ClientKey>, Vec<(GrantType, i64)>)| {
                    let found = match client {
                        Some(key) => store::clients::find(db, *key)?,
                        None => None,
                    };
                    let (name, client_id) =
                        found.map(|client| (client.name, client.client_id)).unwrap_or_default();
                    Ok(ClientTokens { client: *client, name, client_id, by_grant: by_grant.clone() })
                };
                top.iter().map(named).collect()
            })
            .await?;
        Ok(tokens)
    }

    async fn read(&self, db: &Db, kinds: &'static [UsageKind], span: &Span) -> Result<Vec<Count>, Error> {
        let (from, to) = (span.from(), span.to());
        let mut counts = db.read(move |db| store::usage::by_hour(db, kinds, from, to)).await?;
        counts.extend(self.waiting(kinds, span));
        Ok(counts)
    }
}

type Ranked = Vec<(Option<ClientKey>, Vec<(GrantType, i64)>)>;

/// Those that got most, and how many more there are.
fn rank(rows: Vec<(Option<ClientKey>, String, i64)>, most: usize) -> (Ranked, Tokens) {
    let mut by_client: BTreeMap<Option<ClientKey>, BTreeMap<GrantType, i64>> = BTreeMap::new();
    for (client, label, amount) in rows {
        if let Some(grant) = GrantType::parse(&label) {
            *by_client.entry(client).or_default().entry(grant).or_default() += amount;
        }
    }
    let mut ranked: Ranked =
        by_client.into_iter().map(|(client, by_grant)| (client, by_grant.into_iter().collect())).collect();
    let total = |by_grant: &[(GrantType, i64)]| by_grant.iter().map(|(_, amount)| amount).sum::<i64>();
    ranked.sort_by_key(|(_, by_grant)| std::cmp::Reverse(total(by_grant)));
    let rest = ranked.split_off(most.min(ranked.len()));
    let others = rest.iter().map(|(_, by_grant)| total(by_grant)).sum();
    (ranked, Tokens { clients: Vec::new(), other_clients: rest.len(), others })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Random;

    const NOW: Timestamp = Timestamp::from_seconds(1_773_324_300); // 2026-03-12 14:05 UTC

    fn amounts(usage: &Usage, kind: UsageKind) -> Vec<(String, Option<ClientKey>, i64)> {
        let span = Span::last(Range::Day, NOW, None);
        let mut counts = usage.waiting(&[kind], &span);
        counts.sort_by(|a, b| (&a.label, a.client).cmp(&(&b.label, b.client)));
        counts.into_iter().map(|count| (count.label, count.client, count.amount)).collect()
    }

    #[test]
    fn what_is_alike_is_added_up() {
        let usage = Usage::default();
        let client = ClientKey::new(NOW, &Random::system());
        for outcome in [Outcome::Success, Outcome::Failure, Outcome::Denied, Outcome::Success] {
            usage.sign_in(AuthMethod::Password, outcome, NOW);
        }
        for client in [Some(client), None, Some(client)] {
            usage.token_issued(GrantType::ClientCredentials, client, NOW);
        }
        assert_eq!(amounts(&usage, UsageKind::SignIn), [("pwd".to_owned(), None, 2)]);
        assert_eq!(amounts(&usage, UsageKind::SignInFailed), [("pwd".to_owned(), None, 2)]);
        let grant = "client_credentials".to_owned();
        assert_eq!(amounts(&usage, UsageKind::Token), [(grant.clone(), None, 1), (grant, Some(client), 2)]);
    }

    #[test]
    fn lo_2_names_that_strangers_choose_take_no_more_than_their_room() {
        let usage = Usage::default();
        for number in 0..1_000 {
            usage.keys_fetched(Some(&format!("agent{number}/1")), NOW);
        }
        usage.keys_fetched(Some("<script>"), NOW);
        let counted = amounts(&usage, UsageKind::KeysFetched);
        assert_eq!(counted.len(), PROGRAMS + 1);
        assert_eq!(counted.iter().map(|(_, _, amount)| amount).sum::<i64>(), 1_001);
        usage.take(BATCH);
        usage.keys_fetched(Some("late/1"), NOW);
        usage.keys_fetched(Some("agent1/2"), NOW);
        let counted: Vec<String> =
            amounts(&usage, UsageKind::KeysFetched).into_iter().map(|(label, ..)| label).collect();
        assert_eq!(counted, ["agent1", "other"], "writing makes no room within the hour");
    }

    #[test]
    fn more_clients_than_there_is_room_for_are_counted_together() {
        let (usage, random) = (Usage::default(), Random::system());
        for _ in 0..CAPACITY + 7 {
            usage.token_issued(GrantType::RefreshToken, Some(ClientKey::new(NOW, &random)), NOW);
        }
        let counted = amounts(&usage, UsageKind::Token);
        assert_eq!(counted.len(), CAPACITY + 1);
        assert_eq!(counted[0], ("refresh_token".to_owned(), None, 7));
    }

    #[test]
    fn what_could_not_be_written_waits_on_with_what_came_meanwhile() {
        let usage = Usage::default();
        usage.sign_in(AuthMethod::Mail, Outcome::Success, NOW);
        let taken = usage.take(BATCH);
        assert_eq!(amounts(&usage, UsageKind::SignIn), []);
        usage.sign_in(AuthMethod::Mail, Outcome::Success, NOW);
        usage.put_back(taken);
        assert_eq!(amounts(&usage, UsageKind::SignIn), [("mail".to_owned(), None, 2)]);
    }

    #[test]
    fn the_busiest_clients_are_named_and_the_rest_is_added_up() {
        let random = Random::system();
        let [a, b, c] = [1, 2, 3].map(|_| ClientKey::new(NOW, &random));
        let row = |client, grant: GrantType, amount| (Some(client), grant.as_str().to_owned(), amount);
        let rows = vec![
            row(a, GrantType::RefreshToken, 5),
            row(b, GrantType::ClientCredentials, 7),
            row(a, GrantType::AuthorizationCode, 4),
            row(c, GrantType::RefreshToken, 2),
            (None, GrantType::TokenExchange.as_str().to_owned(), 1),
        ];
        let (top, tokens) = rank(rows, 2);
        assert_eq!(
            top,
            [
                (Some(a), vec![(GrantType::AuthorizationCode, 4), (GrantType::RefreshToken, 5)]),
                (Some(b), vec![(GrantType::ClientCredentials, 7)]),
            ]
        );
        assert_eq!((tokens.other_clients, tokens.others), (2, 3));
    }
}
