//! Counts of what happened, by the hour. Several nodes add to one row.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::schema::usage_counts;
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::model::{ClientKey, UsageKind};

/// So many of a kind within an hour.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    pub kind: UsageKind,
    /// When the hour began.
    pub hour: Timestamp,
    /// What of the kind: a way to sign in, a grant type, a program.
    pub label: String,
    pub client: Option<ClientKey>,
    pub amount: i64,
}

/// Adds to what is counted already. The counts come in one order on every node, so that no two wait for each other.
pub fn add(db: &mut Conn, counts: &[Count]) -> Result<(), Error> {
    for count in counts {
        upsert::add_usage(db, count, client_bytes(count.client.as_ref()))?;
    }
    Ok(())
}

/// What was counted of these kinds from `from` on and before `to`, of all clients together.
pub fn by_hour(
    db: &mut Conn,
    kinds: &[UsageKind],
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Count>, Error> {
    let rows: Vec<(UsageKind, Timestamp, String, i64)> = usage_counts::table
        .filter(usage_counts::kind.eq_any(kinds))
        .filter(usage_counts::hour.ge(from))
        .filter(usage_counts::hour.lt(to))
        .group_by((usage_counts::kind, usage_counts::hour, usage_counts::label))
        .select((usage_counts::kind, usage_counts::hour, usage_counts::label, total()))
        .load(db)?;
    let count = |(kind, hour, label, amount)| Count { kind, hour, label, client: None, amount };
    Ok(rows.into_iter().map(count).collect())
}

/// What was counted of this kind from `from` on and before `to`, for each client and label.
pub fn by_client(
    db: &mut Conn,
    kind: UsageKind,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(Option<ClientKey>, String, i64)>, Error> {
    let rows: Vec<(Vec<u8>, String, i64)> = usage_counts::table
        .filter(usage_counts::kind.eq(kind))
        .filter(usage_counts::hour.ge(from))
        .filter(usage_counts::hour.lt(to))
        .group_by((usage_counts::client_id, usage_counts::label))
        .select((usage_counts::client_id, usage_counts::label, total()))
        .load(db)?;
    Ok(rows
        .into_iter()
        .map(|(client, label, amount)| (ClientKey::from_bytes(&client), label, amount))
        .collect())
}

/// PostgreSQL sums whole numbers to decimal ones.
fn total() -> diesel::expression::SqlLiteral<BigInt> {
    sql("CAST(SUM(amount) AS BIGINT)")
}

fn client_bytes(client: Option<&ClientKey>) -> &[u8] {
    client.map_or(&[], |client| client.as_bytes())
}
