//! Why requests were refused, found by the reference that the visitor was shown.
//!
//! Written after the fact and forgotten after days. What stands in a row is decided by [`crate::explain`].

use std::collections::BTreeSet;

use diesel::prelude::*;

use super::schema::{refusals, users};
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::model::{ClientKey, OrganisationId, RefusalKind, UserId};

/// One refused request.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = refusals)]
pub struct Refusal {
    pub reference: String,
    pub at: Timestamp,
    pub kind: RefusalKind,
    pub rule: String,
    pub client_id: Option<ClientKey>,
    pub user_id: Option<UserId>,
    pub organisation_id: Option<OrganisationId>,
    /// JSON without secrets.
    pub detail: String,
    pub expires_at: Timestamp,
}

/// Which refusals somebody looks for. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sought {
    pub kind: Option<RefusalKind>,
    pub rule: Option<String>,
    pub client: Option<ClientKey>,
    pub user: Option<UserId>,
    pub organisation: Option<OrganisationId>,
}

/// Writes what is not there yet: one request has one reason. A user who was removed meanwhile is not named.
pub fn insert(db: &mut Conn, rows: &[Refusal]) -> Result<(), Error> {
    let named: BTreeSet<UserId> = rows.iter().filter_map(|row| row.user_id).collect();
    let there: BTreeSet<UserId> = users::table
        .filter(users::id.eq_any(named.iter().copied().collect::<Vec<_>>()))
        .select(users::id)
        .load(db)?
        .into_iter()
        .collect();
    rows.iter().try_for_each(|row| {
        let user_id = row.user_id.filter(|user| there.contains(user));
        upsert::insert_refusal(db, &Refusal { user_id, ..row.clone() }).map(drop)
    })
}

/// The refusal of the request with this reference, unless it is to be forgotten by now.
pub fn find(db: &mut Conn, reference: &str, now: Timestamp) -> Result<Option<Refusal>, Error> {
    Ok(refusals::table
        .find(reference)
        .filter(refusals::expires_at.gt(now))
        .select(Refusal::as_select())
        .first(db)
        .optional()?)
}

/// Up to `limit` refusals, the newest first, beginning after the one with this time and reference.
pub fn recent(
    db: &mut Conn,
    sought: &Sought,
    after: Option<(Timestamp, &str)>,
    limit: i64,
    now: Timestamp,
) -> Result<Vec<Refusal>, Error> {
    let mut found = refusals::table.filter(refusals::expires_at.gt(now)).into_boxed();
    if let Some(kind) = sought.kind {
        found = found.filter(refusals::kind.eq(kind));
    }
    if let Some(rule) = &sought.rule {
        found = found.filter(refusals::rule.eq(rule));
    }
    if let Some(client) = sought.client {
        found = found.filter(refusals::client_id.eq(client));
    }
    if let Some(user) = sought.user {
        found = found.filter(refusals::user_id.eq(user));
    }
    if let Some(organisation) = sought.organisation {
        found = found.filter(refusals::organisation_id.eq(organisation));
    }
    if let Some((at, reference)) = after {
        found =
            found.filter(refusals::at.lt(at).or(refusals::at.eq(at).and(refusals::reference.lt(reference))));
    }
    Ok(found
        .order((refusals::at.desc(), refusals::reference.desc()))
        .limit(limit)
        .select(Refusal::as_select())
        .load(db)?)
}
