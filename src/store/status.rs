//! Places in the status lists: given to tokens, marked when what the tokens rest on ends.

use std::time::Duration;

use diesel::prelude::*;

use super::schema::{client_values, clients, grants, status_indices};
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::crypto::Random;
use crate::model::{ClientKey, ClientValueKind, GrantType, Place, Status, Topic};

/// Tries to find a free place before a further list is begun. Four that all meet a taken one mean that the lists are
/// half full or fuller.
const TRIES: usize = 4;
/// A verifier's clock may be behind by a minute, so a mark stays for longer than the token.
const LEEWAY: Duration = Duration::from_secs(120);
/// How long a place lies fallow after the last token that named it, so that no copy of a list in which it is marked is
/// still about: longer than any list is good for (`crate::status`).
pub const FALLOW: Duration = Duration::from_secs(3 * 60 * 60);
/// Places that the own tokens of a client share, as far as none are leased for them.
pub const PLACES_OF_CLIENT: usize = 32;
/// A client's places end when it does.
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// Gives the owner a place for tokens that expire by then.
///
/// Places are drawn at random, so nodes need no common counter, and a list tells nobody how many tokens there are
/// (draft-ietf-oauth-status-list §12). The key of the table decides between two that draw the same (AR-1).
pub fn take(db: &mut Conn, owner: &[u8], expires_at: Timestamp, random: &Random) -> Result<Place, Error> {
    let lists = highest(db)?.map_or(0, Place::list) + 1;
    let expires_at = expires_at.plus(LEEWAY);
    for _ in 0..TRIES {
        let place = Place::draw(0, lists, random);
        if upsert::insert_status_index(db, place, owner, expires_at)? == 1 {
            return Ok(place);
        }
    }
    loop {
        let place = Place::draw(lists, 1, random);
        if upsert::insert_status_index(db, place, owner, expires_at)? == 1 {
            return Ok(place);
        }
    }
}

/// The highest place that is taken: it tells how many lists there are.
pub fn highest(db: &mut Conn) -> Result<Option<Place>, Error> {
    Ok(status_indices::table
        .select(status_indices::place)
        .order(status_indices::place.desc())
        .first(db)
        .optional()?)
}

/// The same as often as `count` for a client's own tokens that expire by then; none if the client gets no more.
pub fn lease(
    db: &mut Conn,
    client: ClientKey,
    count: usize,
    expires_at: Timestamp,
    random: &Random,
) -> Result<Vec<Place>, Error> {
    // Held, so that who disables the client at this moment waits, and then marks these places, too.
    let active = clients::table.filter(clients::id.eq(client)).filter(clients::status.eq(Status::Active));
    if diesel::update(active).set(clients::status.eq(Status::Active)).execute(db)? == 0 {
        return Ok(Vec::new());
    }
    (0..count).map(|_| take(db, client.as_bytes(), expires_at, random)).collect()
}

/// Marks one place, until the last token that named it has expired.
pub fn revoke_place(db: &mut Conn, place: Place, expires_at: Timestamp, now: Timestamp) -> Result<(), Error> {
    let live = status_indices::table
        .filter(status_indices::place.eq(place))
        .filter(status_indices::revoked_at.is_null());
    let until = expires_at.plus(LEEWAY);
    diesel::update(live)
        .set((status_indices::revoked_at.eq(now), status_indices::expires_at.eq(until)))
        .execute(db)?;
    Ok(())
}

/// Marks the places of every owner that `$owners` selects, as far as their tokens are not expired.
macro_rules! revoke_of_owners {
    ($db:expr, $now:expr, $owners:expr) => {{
        use crate::store::schema::status_indices;
        let live = status_indices::table
            .filter(status_indices::owner.eq_any($owners))
            .filter(status_indices::revoked_at.is_null())
            .filter(status_indices::expires_at.gt($now));
        diesel::update(live).set(status_indices::revoked_at.eq($now)).execute($db)
    }};
}
pub(super) use revoke_of_owners;

/// Marks all that this client's tokens name: its users' and its own, whose last one has expired by `expires_at`.
pub fn revoke_of_client(
    db: &mut Conn,
    client: ClientKey,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    revoke_of_owners!(db, now, grants::table.filter(grants::client_id.eq(client)).select(grants::id))?;
    let own = status_indices::table
        .filter(status_indices::owner.eq(client.as_bytes().as_slice()))
        .filter(status_indices::revoked_at.is_null());
    let until = expires_at.plus(LEEWAY);
    diesel::update(own)
        .set((status_indices::revoked_at.eq(now), status_indices::expires_at.eq(until)))
        .execute(db)?;
    Ok(())
}

/// The places that these clients have for good, and that their own tokens may name now, in order.
pub fn of_clients(db: &mut Conn, clients: &[ClientKey]) -> Result<Vec<(ClientKey, Place)>, Error> {
    let rows: Vec<(Vec<u8>, Place)> = status_indices::table
        .filter(status_indices::owner.eq_any(clients.iter().map(|client| client.as_bytes().to_vec())))
        .filter(status_indices::expires_at.eq(NEVER))
        .filter(status_indices::revoked_at.is_null())
        .select((status_indices::owner, status_indices::place))
        .order(status_indices::place.asc())
        .load(db)?;
    let known = |(owner, place): (Vec<u8>, Place)| Some((ClientKey::from_bytes(&owner)?, place));
    Ok(rows.into_iter().filter_map(known).collect())
}

/// Sees to it that a client has its number of places, and that every node learns of new ones.
pub fn provide_client(db: &mut Conn, client: ClientKey, random: &Random) -> Result<(), Error> {
    let missing = PLACES_OF_CLIENT.saturating_sub(of_clients(db, &[client])?.len());
    for _ in 0..missing {
        take(db, client.as_bytes(), NEVER, random)?;
    }
    if missing > 0 {
        upsert::bump_version(db, Topic::Clients)?;
    }
    Ok(())
}

/// The same for every active client that may ask for tokens of its own and has no place: those of an older version.
pub fn provide_clients(db: &mut Conn, random: &Random) -> Result<(), Error> {
    let provided = status_indices::table.select(status_indices::owner);
    let active = clients::table.filter(clients::status.eq(Status::Active)).select(clients::id);
    let missing: Vec<ClientKey> = client_values::table
        .filter(client_values::kind.eq(ClientValueKind::GrantType))
        .filter(client_values::value.eq(GrantType::ClientCredentials.as_str()))
        .filter(client_values::client_id.eq_any(active))
        .filter(client_values::client_id.ne_all(provided))
        .select(client_values::client_id)
        .load(db)?;
    missing.into_iter().try_for_each(|client| provide_client(db, client, random))
}

/// Every place that is marked and whose tokens are not all expired.
pub fn revoked(db: &mut Conn, now: Timestamp) -> Result<Vec<Place>, Error> {
    Ok(status_indices::table
        .filter(status_indices::revoked_at.is_not_null())
        .filter(status_indices::expires_at.gt(now))
        .select(status_indices::place)
        .load(db)?)
}

/// Whether this one is marked.
pub fn is_revoked(db: &mut Conn, place: Place) -> Result<bool, Error> {
    let marked = status_indices::table
        .filter(status_indices::place.eq(place))
        .filter(status_indices::revoked_at.is_not_null());
    Ok(diesel::select(diesel::dsl::exists(marked)).get_result(db)?)
}

/// Those that were marked after `since`.
pub fn revoked_since(db: &mut Conn, since: Timestamp) -> Result<Vec<Place>, Error> {
    Ok(status_indices::table
        .filter(status_indices::revoked_at.gt(since))
        .select(status_indices::place)
        .load(db)?)
}
