//! Grants, their families of refresh tokens, revoked access tokens, and what may be presented only once.

use diesel::prelude::*;

use super::schema::{clients, grants, refresh_tokens, revocations};
use super::{Conn, Error, status, upsert};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::{ClientKey, GrantId, OrganisationId, SessionId, Status, UserId};

/// One authorization that was given.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = grants)]
pub struct Grant {
    pub id: GrantId,
    pub user_id: UserId,
    pub client_id: ClientKey,
    pub session_id: Option<SessionId>,
    /// Whether it outlives its session.
    pub offline: bool,
    /// What was granted, as JSON that [`crate::grants`] writes and reads.
    pub detail: String,
    pub auth_time: Timestamp,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    /// What its tokens are about; once it is there it never changes (TE-6).
    pub organisation_id: Option<OrganisationId>,
}

pub fn insert(db: &mut Conn, grant: &Grant) -> Result<(), Error> {
    diesel::insert_into(grants::table).values(grant).execute(db)?;
    Ok(())
}

pub fn find(db: &mut Conn, id: GrantId) -> Result<Option<Grant>, Error> {
    Ok(grants::table.find(id).select(Grant::as_select()).first(db).optional()?)
}

/// Fixes the organisation of a grant that has none, and what goes with it.
pub fn set_place(db: &mut Conn, grant: &Grant) -> Result<bool, Error> {
    let open = grants::table.filter(grants::id.eq(grant.id)).filter(grants::organisation_id.is_null());
    let set = (grants::organisation_id.eq(grant.organisation_id), grants::detail.eq(&grant.detail));
    Ok(diesel::update(open).set(set).execute(db)? == 1)
}

/// Keeps the grant from being revoked until this transaction ends, so that what it issues is known to whoever
/// revokes it next. `false` if it was revoked, or its client disabled, meanwhile.
pub fn hold(db: &mut Conn, id: GrantId) -> Result<bool, Error> {
    let active = clients::table.filter(clients::status.eq(Status::Active)).select(clients::id);
    let live = grants::table
        .filter(grants::id.eq(id))
        .filter(grants::revoked_at.is_null())
        .filter(grants::client_id.eq_any(active));
    Ok(diesel::update(live).set(grants::offline.eq(grants::offline)).execute(db)? == 1)
}

/// Revokes the grants among `$which` that are not revoked, then marks the places of their access tokens: in this
/// order, since a grant that issues at this moment is [held](hold).
macro_rules! revoke_among {
    ($db:ident, $now:ident, $which:expr) => {{
        let live = $which.filter(grants::revoked_at.is_null());
        let revoked = diesel::update(live).set(grants::revoked_at.eq($now)).execute($db)?;
        let ended = $which.filter(grants::revoked_at.is_not_null()).select(grants::id);
        status::revoke_of_owners!($db, $now, ended)?;
        revoked
    }};
}

/// Marks the places of the grants among `$which`, once those that issue at this moment have done so.
macro_rules! mark_among {
    ($db:ident, $now:ident, $which:expr) => {{
        diesel::update($which).set(grants::offline.eq(grants::offline)).execute($db)?;
        status::revoke_of_owners!($db, $now, $which.select(grants::id))?;
    }};
}

/// The user's grants that were not revoked and have not expired, the newest first.
pub fn live_of_user(db: &mut Conn, user: UserId, now: Timestamp) -> Result<Vec<Grant>, Error> {
    Ok(grants::table
        .filter(grants::user_id.eq(user))
        .filter(grants::revoked_at.is_null())
        .filter(grants::expires_at.gt(now))
        .order((grants::created_at.desc(), grants::id.desc()))
        .select(Grant::as_select())
        .load(db)?)
}

/// Up to `limit` grants that were not revoked and have not expired, the newest first, before the one named.
pub fn newest_live(
    db: &mut Conn,
    before: Option<GrantId>,
    limit: i64,
    now: Timestamp,
) -> Result<Vec<Grant>, Error> {
    let mut query = grants::table
        .filter(grants::revoked_at.is_null())
        .filter(grants::expires_at.gt(now))
        .select(Grant::as_select())
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(grants::id.lt(before));
    }
    Ok(query.order(grants::id.desc()).limit(limit).load(db)?)
}

/// When each of these grants was renewed last: its refresh token that is not consumed was made then.
pub fn renewed_at(db: &mut Conn, grants: &[GrantId]) -> Result<Vec<(GrantId, Timestamp)>, Error> {
    Ok(refresh_tokens::table
        .filter(refresh_tokens::grant_id.eq_any(grants))
        .filter(refresh_tokens::consumed_at.is_null())
        .order((refresh_tokens::grant_id.asc(), refresh_tokens::created_at.asc()))
        .select((refresh_tokens::grant_id, refresh_tokens::created_at))
        .load(db)?)
}

/// Revokes the grant with all tokens of it. `false` if it was revoked before.
pub fn revoke(db: &mut Conn, id: GrantId, now: Timestamp) -> Result<bool, Error> {
    Ok(revoke_among!(db, now, grants::table.filter(grants::id.eq(id))) == 1)
}

/// Revokes the grants that end with this session: all but the offline ones.
pub fn revoke_of_session(db: &mut Conn, session: SessionId, now: Timestamp) -> Result<usize, Error> {
    let ending = grants::table.filter(grants::session_id.eq(session)).filter(grants::offline.eq(false));
    Ok(revoke_among!(db, now, ending))
}

/// Revokes all of a user's grants, offline ones too: the user was disabled, or the password was reset (SE-5).
pub fn revoke_of_user(db: &mut Conn, user: UserId, now: Timestamp) -> Result<usize, Error> {
    Ok(revoke_among!(db, now, grants::table.filter(grants::user_id.eq(user))))
}

/// Revokes all of a user's grants but this one.
pub fn revoke_of_user_except(
    db: &mut Conn,
    user: UserId,
    except: Option<GrantId>,
    now: Timestamp,
) -> Result<usize, Error> {
    let Some(kept) = except else { return revoke_of_user(db, user, now) };
    let others = grants::table.filter(grants::user_id.eq(user)).filter(grants::id.ne(kept));
    Ok(revoke_among!(db, now, others))
}

/// Revokes what one user granted for one organisation: the user is no member any more.
pub fn revoke_of_member(
    db: &mut Conn,
    organisation: OrganisationId,
    user: UserId,
    now: Timestamp,
) -> Result<usize, Error> {
    let theirs =
        grants::table.filter(grants::organisation_id.eq(organisation)).filter(grants::user_id.eq(user));
    Ok(revoke_among!(db, now, theirs))
}

/// Revokes what one user granted one client.
pub fn revoke_of_user_and_client(
    db: &mut Conn,
    user: UserId,
    client: ClientKey,
    now: Timestamp,
) -> Result<usize, Error> {
    let theirs = grants::table.filter(grants::user_id.eq(user)).filter(grants::client_id.eq(client));
    Ok(revoke_among!(db, now, theirs))
}

/// Marks the access tokens that name this organisation of one of its members, or of all: whoever is suspended may come
/// back to the grants, but not to the tokens.
pub fn revoke_tokens_in(
    db: &mut Conn,
    organisation: OrganisationId,
    member: Option<UserId>,
    now: Timestamp,
) -> Result<(), Error> {
    let live =
        grants::table.filter(grants::organisation_id.eq(organisation)).filter(grants::revoked_at.is_null());
    match member {
        Some(user) => mark_among!(db, now, live.filter(grants::user_id.eq(user))),
        None => mark_among!(db, now, live),
    }
    Ok(())
}

/// A refresh token, as its digest.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = refresh_tokens)]
pub struct RefreshToken {
    pub digest: Digest,
    pub grant_id: GrantId,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub consumed_at: Option<Timestamp>,
    pub successor_digest: Option<Digest>,
    /// The successor, sealed under a key that the consumed token yields (TE-5).
    pub successor_sealed: Option<Vec<u8>>,
}

pub fn insert_refresh(db: &mut Conn, token: &RefreshToken) -> Result<(), Error> {
    diesel::insert_into(refresh_tokens::table).values(token).execute(db)?;
    Ok(())
}

pub fn find_refresh(db: &mut Conn, digest: &Digest) -> Result<Option<RefreshToken>, Error> {
    Ok(refresh_tokens::table.find(digest).select(RefreshToken::as_select()).first(db).optional()?)
}

/// Consumes the token in favour of its successor, if nobody has consumed it.
pub fn consume_refresh(
    db: &mut Conn,
    digest: &Digest,
    successor: &Digest,
    sealed: &[u8],
    now: Timestamp,
) -> Result<bool, Error> {
    let unused = refresh_tokens::table
        .filter(refresh_tokens::digest.eq(digest))
        .filter(refresh_tokens::consumed_at.is_null())
        .filter(refresh_tokens::expires_at.gt(now));
    let consumed = diesel::update(unused)
        .set((
            refresh_tokens::consumed_at.eq(now),
            refresh_tokens::successor_digest.eq(successor),
            refresh_tokens::successor_sealed.eq(sealed),
        ))
        .execute(db)?;
    Ok(consumed == 1)
}

/// Removes the grant's refresh tokens.
pub fn remove_refresh_tokens(db: &mut Conn, grant: GrantId) -> Result<(), Error> {
    diesel::delete(refresh_tokens::table.filter(refresh_tokens::grant_id.eq(grant))).execute(db)?;
    Ok(())
}

/// Makes an access token dead before its time.
pub fn revoke_access_token(
    db: &mut Conn,
    jti: &str,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    upsert::insert_revocation(db, jti, now, expires_at)?;
    Ok(())
}

pub fn is_revoked(db: &mut Conn, jti: &str) -> Result<bool, Error> {
    Ok(revocations::table.find(jti).select(revocations::jti).first::<String>(db).optional()?.is_some())
}

/// Notes that something was presented that may be presented once. `false` if it had been before (AR-1).
pub fn present_once(db: &mut Conn, digest: &Digest, expires_at: Timestamp) -> Result<bool, Error> {
    Ok(upsert::insert_replay(db, digest, expires_at)? == 1)
}
