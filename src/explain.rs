//! Why a request was refused, for those who are asked about it: kept by the reference that the visitor was shown.
//!
//! What is noted waits in a [`Book`] and is written once a second, so that no request waits for it and a transaction that
//! is rolled back takes no reason with it. It is bounded in time (`log.explain_for`), in number and in size, and holds no
//! secret (LO-2): what may be a fact is decided by [`crate::model::explanation`].

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::clock::Timestamp;
use crate::model::explanation::{Concerned, Explanation, Fact, Rule};
use crate::model::{ClientKey, OrganisationId, RefusalKind, UserId};
use crate::store::audit::{self, Event};
use crate::store::refusals::{self, Refusal};
use crate::store::{self, Conn, memberships, organisations, personal, users};

pub use crate::store::refusals::Sought;

/// A refused request, as it is noted.
#[derive(Clone, Debug)]
pub struct Noted {
    pub reference: String,
    pub at: Timestamp,
    /// What was called.
    pub endpoint: RefusalKind,
    pub explanation: Explanation,
    pub concerned: Concerned,
    /// The pattern, never the path.
    pub route: String,
    pub status: u16,
}

/// What waits to be written.
#[derive(Default)]
pub struct Book(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    noted: Vec<Noted>,
    /// The second that is running, and what was noted in it.
    second: i64,
    in_second: usize,
}

impl Book {
    /// The most reasons of one second. A flood of refusals says the same again and again.
    pub const PER_SECOND: usize = 200;
    /// The most that waits while the database is away.
    const MOST: usize = 2_000;

    /// Notes it; `false` if there is no room for it.
    pub fn note(&self, noted: Noted) -> bool {
        let mut waiting = self.waiting();
        let second = noted.at.seconds();
        if waiting.second != second {
            (waiting.second, waiting.in_second) = (second, 0);
        }
        if waiting.in_second >= Self::PER_SECOND || waiting.noted.len() >= Self::MOST {
            return false;
        }
        waiting.in_second += 1;
        waiting.noted.push(noted);
        true
    }

    fn take(&self) -> Vec<Noted> {
        std::mem::take(&mut self.waiting().noted)
    }

    /// What could not be written waits again, before what came since.
    fn put_back(&self, mut noted: Vec<Noted>) {
        let mut waiting = self.waiting();
        noted.append(&mut waiting.noted);
        noted.truncate(Self::MOST);
        waiting.noted = noted;
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is stored beside the columns.
#[derive(Serialize, Deserialize)]
struct Detail {
    route: String,
    status: u16,
    facts: Vec<Fact>,
}

/// Writes what this node has noted.
pub async fn write(app: &App) -> Result<(), store::Error> {
    let noted = app.refusals.take();
    if noted.is_empty() {
        return Ok(());
    }
    let keep = app.config.log.explain_for;
    let rows: Vec<Refusal> = noted.iter().map(|noted| row(noted, noted.at.plus(keep))).collect();
    let written = app.db.write(move |db| refusals::insert(db, &rows)).await;
    if written.is_err() {
        app.refusals.put_back(noted);
    }
    written
}

fn row(noted: &Noted, expires_at: Timestamp) -> Refusal {
    let detail = Detail {
        route: noted.route.clone(),
        status: noted.status,
        facts: noted.explanation.facts().to_vec(),
    };
    Refusal {
        reference: noted.reference.clone(),
        at: noted.at,
        kind: noted.explanation.rule.kind(noted.endpoint),
        rule: noted.explanation.rule.as_str().to_owned(),
        client_id: noted.concerned.client,
        user_id: noted.concerned.user,
        organisation_id: noted.concerned.organisation,
        detail: serde_json::to_string(&detail).expect("a refusal is plain data"),
        expires_at,
    }
}

/// A refusal in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub reference: String,
    pub at: Timestamp,
    pub kind: RefusalKind,
    /// [`Rule::Other`] for one that a newer node has written.
    pub rule: Rule,
    pub facts: Vec<Fact>,
    pub route: String,
    pub status: u16,
    pub client: Option<Named>,
    pub user: Option<UserId>,
    pub organisation: Option<OrganisationId>,
}

/// A client as it calls itself, and as people call it.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    pub client_id: String,
    pub name: String,
}

/// A refusal, with what is known of those whom it is about.
#[derive(Clone, Debug)]
pub struct Explained {
    pub told: Told,
    /// Who the user is, if there is one and they are still there.
    pub account: Option<Account>,
    /// The short name of the organisation.
    pub organisation: Option<String>,
    /// What was recorded of the same request, the oldest first.
    pub events: Vec<Event>,
}

/// A person, for somebody who may see who that is.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    pub id: UserId,
    pub name: String,
    /// The primary address.
    pub email: Option<String>,
}

/// The most events of one request that are shown.
const MOST_EVENTS: i64 = 50;

/// Finds out why the request with this reference was refused, however the reference was written down. `within` is the one
/// organisation that the asking person administers; what is not in it is not there for them.
pub async fn find(
    app: &App,
    reference: &str,
    within: Option<OrganisationId>,
) -> Result<Option<Explained>, store::Error> {
    let Some(reference) = normal(reference) else { return Ok(None) };
    write(app).await?;
    let now = app.clock.now();
    app.db
        .read(move |db| {
            let found = refusals::find(db, &reference, now)?;
            let found = found.filter(|row| within.is_none() || row.organisation_id == within);
            found.map(|row| complete(db, row, within)).transpose()
        })
        .await
}

/// Where a part of the list begins: after this refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    at: Timestamp,
    reference: String,
}

impl After {
    pub fn of(told: &Told) -> Self {
        Self { at: told.at, reference: told.reference.clone() }
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.micros(), self.reference)
    }
}

impl FromStr for After {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (at, reference) = text.split_once('.').ok_or("no part of the list begins there")?;
        let at = at.parse().map_err(|_| "no part of the list begins there")?;
        Ok(Self { at: Timestamp::from_micros(at), reference: reference.to_owned() })
    }
}

/// Up to `limit` refusals, the newest first.
pub async fn recent(
    app: &App,
    sought: Sought,
    after: Option<After>,
    limit: i64,
) -> Result<Vec<Told>, store::Error> {
    write(app).await?;
    let now = app.clock.now();
    app.db
        .read(move |db| {
            let after = after.as_ref().map(|after| (after.at, after.reference.as_str()));
            let rows = refusals::recent(db, &sought, after, limit, now)?;
            told(db, rows)
        })
        .await
}

fn complete(db: &mut Conn, row: Refusal, within: Option<OrganisationId>) -> Result<Explained, store::Error> {
    let sought = audit::Sought { request: Some(row.reference.clone()), ..audit::Sought::default() };
    let mut events = audit::search(db, &sought, MOST_EVENTS)?;
    events.reverse();
    let account = match (row.user_id, within) {
        // Somebody who came to an organisation that they do not belong to stays unknown there (OR-1).
        (Some(user), Some(of)) if memberships::find(db, of, user)?.is_none() => None,
        (Some(user), _) => account(db, user)?,
        (None, _) => None,
    };
    let organisation = match row.organisation_id {
        Some(id) => organisations::find(db, id)?.map(|organisation| organisation.slug),
        None => None,
    };
    let told = told(db, vec![row])?.pop().expect("one row is told of in one");
    Ok(Explained { told, account, organisation, events })
}

fn account(db: &mut Conn, user: UserId) -> Result<Option<Account>, store::Error> {
    let Some(user) = users::find(db, user)? else { return Ok(None) };
    let email = users::primary_email(db, user.id)?.map(|email| email.address);
    Ok(Some(Account { id: user.id, name: user.name, email }))
}

/// The same with what their clients are called, which are looked up together.
fn told(db: &mut Conn, rows: Vec<Refusal>) -> Result<Vec<Told>, store::Error> {
    let mut keys: Vec<ClientKey> = rows.iter().filter_map(|row| row.client_id).collect();
    keys.sort_unstable();
    keys.dedup();
    let called = personal::clients(db, &keys)?;
    let named = |row: &Refusal| {
        let (_, client_id, name) = called.iter().find(|(key, ..)| Some(*key) == row.client_id)?;
        Some(Named { client_id: client_id.clone(), name: name.clone() })
    };
    let tell = |row: Refusal| {
        let detail: Detail =
            serde_json::from_str(&row.detail).map_err(|error| store::Error::broken("a refusal", error))?;
        Ok(Told {
            client: named(&row),
            reference: row.reference,
            at: row.at,
            kind: row.kind,
            rule: Rule::parse(&row.rule).unwrap_or(Rule::Other),
            facts: detail.facts,
            route: detail.route,
            status: detail.status,
            user: row.user_id,
            organisation: row.organisation_id,
        })
    };
    rows.into_iter().map(tell).collect()
}

/// A reference as somebody reads it out: with capital letters, with other signs between the groups, with `O` for `0`.
pub fn normal(written: &str) -> Option<String> {
    let mut text = String::with_capacity(14);
    for c in written.trim().chars().filter(|c| c.is_ascii_alphanumeric()) {
        if matches!(text.len(), 4 | 9) {
            text.push('-');
        }
        text.push(match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        });
    }
    (text.len() == 14).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(at: i64) -> Noted {
        Noted {
            reference: "k7f2-9q3m-x4tz".to_owned(),
            at: Timestamp::from_seconds(at),
            endpoint: RefusalKind::Token,
            explanation: Rule::CodeSpent.into(),
            concerned: Concerned::default(),
            route: "/oauth2/token".to_owned(),
            status: 400,
        }
    }

    #[test]
    fn a_flood_is_cut_off_each_second_and_the_next_begins_anew() {
        let book = Book::default();
        let kept = (0..500).filter(|_| book.note(noted(7))).count();
        assert_eq!(kept, Book::PER_SECOND);
        assert!(book.note(noted(8)));
        assert_eq!(book.take().len(), Book::PER_SECOND + 1);
    }

    #[test]
    fn what_waits_has_a_bound_also_after_it_could_not_be_written() {
        let book = Book::default();
        let kept =
            (0..20).flat_map(|second| std::iter::repeat_n(second, 200)).filter(|at| book.note(noted(*at)));
        assert_eq!(kept.count(), Book::MOST);
        let taken = book.take();
        assert!(book.note(noted(99)));
        book.put_back(taken);
        assert_eq!(book.take().len(), Book::MOST);
    }

    #[test]
    fn a_reference_is_found_however_it_was_written_down() {
        for written in ["k7f2-9q3m-x4t0", " K7F2 9Q3M X4TO ", "k7f29q3mx4to", "k7f2\u{2013}9q3m\u{2013}x4to"]
        {
            assert_eq!(normal(written).as_deref(), Some("k7f2-9q3m-x4t0"), "{written}");
        }
        for wrong in ["", "k7f2", "k7f2-9q3m-x4t0a", "käf2-9q3m-x4t0", "command-line"] {
            assert_eq!(normal(wrong), None, "{wrong}");
        }
    }
}
