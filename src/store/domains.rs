//! Mail domains that organisations claim and prove.

use diesel::prelude::*;

use super::schema::{organisation_domains as domains, organisations, providers};
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::model::{OrganisationId, Standing, Status};

/// A domain that an organisation claims.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = domains)]
pub struct Domain {
    pub organisation_id: OrganisationId,
    /// In IDNA and lower case.
    pub domain: String,
    pub challenge: String,
    pub created_at: Timestamp,
    pub verified_at: Option<Timestamp>,
    /// Where its people are sent to sign in.
    pub provider_id: Option<String>,
    /// When its DNS was last asked whether the proof is there still.
    pub checked_at: Option<Timestamp>,
    /// Since when it is not.
    pub missing_since: Option<Timestamp>,
}

pub fn insert(db: &mut Conn, domain: &Domain) -> Result<(), Error> {
    diesel::insert_into(domains::table).values(domain).execute(db)?;
    Ok(())
}

pub fn find(db: &mut Conn, organisation: OrganisationId, domain: &str) -> Result<Option<Domain>, Error> {
    Ok(domains::table
        .filter(domains::organisation_id.eq(organisation))
        .filter(domains::domain.eq(domain))
        .select(Domain::as_select())
        .first(db)
        .optional()?)
}

/// All of the organisation's.
pub fn list(db: &mut Conn, organisation: OrganisationId) -> Result<Vec<Domain>, Error> {
    Ok(domains::table
        .filter(domains::organisation_id.eq(organisation))
        .order(domains::domain.asc())
        .select(Domain::as_select())
        .load(db)?)
}

/// The domain was proven; [`Error::Taken`] if another organisation has proven it.
pub fn set_verified(
    db: &mut Conn,
    organisation: OrganisationId,
    domain: &str,
    challenge: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let claimed = domains::table
        .filter(domains::organisation_id.eq(organisation))
        .filter(domains::domain.eq(domain))
        .filter(domains::challenge.eq(challenge));
    let proven = (
        domains::verified_at.eq(now),
        domains::checked_at.eq(now),
        domains::missing_since.eq(None::<Timestamp>),
    );
    Ok(diesel::update(claimed).set(proven).execute(db)? == 1)
}

/// Up to `limit` proven domains whose DNS was last asked before then, the longest ago first.
pub fn due(db: &mut Conn, before: Timestamp, limit: i64) -> Result<Vec<Domain>, Error> {
    Ok(domains::table
        .filter(domains::verified_at.is_not_null())
        .filter(domains::checked_at.le(before))
        .order(domains::checked_at.asc())
        .limit(limit)
        .select(Domain::as_select())
        .load(db)?)
}

/// The one proof that is looked at: a claim that was given up and made anew has another challenge.
macro_rules! proof {
    ($domain:expr) => {
        domains::table
            .filter(domains::organisation_id.eq($domain.organisation_id))
            .filter(domains::domain.eq(&$domain.domain))
            .filter(domains::challenge.eq(&$domain.challenge))
            .filter(domains::verified_at.is_not_null())
    };
}

/// The caller looks at it now. `false` if somebody else does, or did (AR-1).
pub fn begin_check(db: &mut Conn, domain: &Domain, before: Timestamp, now: Timestamp) -> Result<bool, Error> {
    let due = proof!(domain).filter(domains::checked_at.le(before));
    Ok(diesel::update(due).set(domains::checked_at.eq(now)).execute(db)? == 1)
}

/// The DNS gave no answer: as if it had been asked at another time.
pub fn postpone(db: &mut Conn, domain: &Domain, checked_at: Timestamp) -> Result<(), Error> {
    diesel::update(proof!(domain)).set(domains::checked_at.eq(checked_at)).execute(db)?;
    Ok(())
}

/// The proof is not there since then, or is back.
pub fn set_missing(db: &mut Conn, domain: &Domain, since: Option<Timestamp>) -> Result<bool, Error> {
    Ok(diesel::update(proof!(domain)).set(domains::missing_since.eq(since)).execute(db)? == 1)
}

/// The domain is not proven any more. Where its people were sent is remembered for when it is again.
pub fn lapse(db: &mut Conn, domain: &Domain) -> Result<bool, Error> {
    let claimed = (domains::verified_at.eq(None::<Timestamp>), domains::missing_since.eq(None::<Timestamp>));
    Ok(diesel::update(proof!(domain)).set(claimed).execute(db)? == 1)
}

/// Domains whose proof is missing, with the name of the organisation; the one that misses it longest comes first.
pub fn missing(db: &mut Conn, limit: i64) -> Result<Vec<(String, String, Timestamp)>, Error> {
    let rows: Vec<(String, String, Option<Timestamp>)> = domains::table
        .inner_join(organisations::table.on(organisations::id.eq(domains::organisation_id)))
        .filter(domains::verified_at.is_not_null())
        .filter(domains::missing_since.is_not_null())
        .order((domains::missing_since.asc(), domains::domain.asc()))
        .limit(limit)
        .select((organisations::name, domains::domain, domains::missing_since))
        .load(db)?;
    let missed =
        |(organisation, domain, since): (_, _, Option<Timestamp>)| Some((organisation, domain, since?));
    Ok(rows.into_iter().filter_map(missed).collect())
}

/// Whether the people of any domain are sent anywhere.
pub fn any_route(db: &mut Conn) -> Result<bool, Error> {
    let routed =
        domains::table.filter(domains::verified_at.is_not_null()).filter(domains::provider_id.is_not_null());
    Ok(diesel::select(diesel::dsl::exists(routed)).get_result(db)?)
}

/// Sends the people of a proven domain to one of the organisation's own providers, or to none.
pub fn set_provider(
    db: &mut Conn,
    organisation: OrganisationId,
    domain: &str,
    provider: Option<&str>,
) -> Result<bool, Error> {
    let proven = domains::table
        .filter(domains::organisation_id.eq(organisation))
        .filter(domains::domain.eq(domain))
        .filter(domains::verified_at.is_not_null());
    Ok(diesel::update(proven).set(domains::provider_id.eq(provider)).execute(db)? == 1)
}

/// Whether the provider is the organisation's own.
pub fn owns_provider(db: &mut Conn, organisation: OrganisationId, provider: &str) -> Result<bool, Error> {
    let own = providers::table
        .filter(providers::id.eq(provider))
        .filter(providers::organisation_id.eq(organisation));
    Ok(diesel::select(diesel::dsl::exists(own)).get_result(db)?)
}

pub fn remove(db: &mut Conn, organisation: OrganisationId, domain: &str) -> Result<bool, Error> {
    let claimed =
        domains::table.filter(domains::organisation_id.eq(organisation)).filter(domains::domain.eq(domain));
    Ok(diesel::delete(claimed).execute(db)? == 1)
}

/// The organisation that has proven the domain.
pub fn proven_by(db: &mut Conn, domain: &str) -> Result<Option<OrganisationId>, Error> {
    Ok(domains::table
        .filter(domains::domain.eq(domain))
        .filter(domains::verified_at.is_not_null())
        .select(domains::organisation_id)
        .first(db)
        .optional()?)
}

/// The provider to which the people of this domain are sent, with its organisation: the domain is proven, provider and
/// organisation are active.
pub fn route(db: &mut Conn, domain: &str) -> Result<Option<(OrganisationId, String)>, Error> {
    Ok(domains::table
        .inner_join(providers::table.on(providers::id.nullable().eq(domains::provider_id)))
        .inner_join(organisations::table.on(organisations::id.eq(domains::organisation_id)))
        .filter(domains::domain.eq(domain))
        .filter(domains::verified_at.is_not_null())
        .filter(providers::organisation_id.eq(domains::organisation_id.nullable()))
        .filter(providers::status.eq(Status::Active))
        .filter(organisations::status.eq(Standing::Active))
        .select((domains::organisation_id, providers::id))
        .first(db)
        .optional()?)
}
