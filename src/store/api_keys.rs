//! API keys. Whatever is asked on behalf of an organisation takes its id and puts it into the `WHERE` (AR-5); a key that
//! is presented says by itself whose it is.

use diesel::prelude::*;

use super::organisations::Organisation;
use super::schema::{api_key_scopes, api_keys, organisations};
use super::status::revoke_of_owners;
use super::users::contains;
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::{ApiKeyId, MachineId, OrganisationId, UserId, WorkspaceId};

/// A key, as its digest.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
pub struct ApiKey {
    pub id: ApiKeyId,
    /// Who acts by it; its successors act as the same.
    pub machine_id: MachineId,
    pub organisation_id: OrganisationId,
    pub workspace_id: Option<WorkspaceId>,
    pub name: String,
    pub digest: Digest,
    pub hint: String,
    /// `None`: it belongs to the organisation.
    pub created_by: Option<UserId>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub successor_id: Option<ApiKeyId>,
}

impl ApiKey {
    /// Whether it was neither revoked nor has expired. Whose it is may forbid its use all the same.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

pub fn insert(db: &mut Conn, key: &ApiKey, scopes: &[String]) -> Result<(), Error> {
    let words = format!("{} {}", key.name.to_lowercase(), key.hint.to_lowercase());
    diesel::insert_into(api_keys::table).values((key, api_keys::search.eq(words))).execute(db)?;
    for scope in scopes {
        diesel::insert_into(api_key_scopes::table)
            .values((api_key_scopes::key_id.eq(key.id), api_key_scopes::scope.eq(scope)))
            .execute(db)?;
    }
    Ok(())
}

/// The key with this id, whosever it is: for what proved by itself to come from it, and for whoever runs the instance.
pub fn find(db: &mut Conn, id: ApiKeyId) -> Result<Option<ApiKey>, Error> {
    Ok(api_keys::table.find(id).select(ApiKey::as_select()).first(db).optional()?)
}

pub fn find_by_digest(db: &mut Conn, digest: &Digest) -> Result<Option<ApiKey>, Error> {
    let known = api_keys::table.filter(api_keys::digest.eq(digest));
    Ok(known.select(ApiKey::as_select()).first(db).optional()?)
}

/// A key of the organisation.
pub fn find_in(db: &mut Conn, organisation: OrganisationId, id: ApiKeyId) -> Result<Option<ApiKey>, Error> {
    Ok(api_keys::table
        .filter(api_keys::organisation_id.eq(organisation))
        .filter(api_keys::id.eq(id))
        .select(ApiKey::as_select())
        .first(db)
        .optional()?)
}

pub fn scopes(db: &mut Conn, id: ApiKeyId) -> Result<Vec<String>, Error> {
    Ok(api_key_scopes::table
        .filter(api_key_scopes::key_id.eq(id))
        .order(api_key_scopes::scope.asc())
        .select(api_key_scopes::scope)
        .load(db)?)
}

/// Up to `limit` keys of the organisation in order of creation, after the one named.
pub fn list(
    db: &mut Conn,
    organisation: OrganisationId,
    after: Option<ApiKeyId>,
    limit: i64,
) -> Result<Vec<ApiKey>, Error> {
    let mut query = api_keys::table
        .filter(api_keys::organisation_id.eq(organisation))
        .select(ApiKey::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(api_keys::id.gt(after));
    }
    Ok(query.order(api_keys::id.asc()).limit(limit).load(db)?)
}

/// Up to `limit` keys, the newest first, before the one named, each with its organisation: of one, or of all; with each
/// of these words in the name or the beginning.
pub fn search(
    db: &mut Conn,
    organisation: Option<OrganisationId>,
    words: &[String],
    before: Option<ApiKeyId>,
    limit: i64,
) -> Result<Vec<(ApiKey, Organisation)>, Error> {
    let mut query = api_keys::table
        .inner_join(organisations::table.on(organisations::id.eq(api_keys::organisation_id)))
        .select((ApiKey::as_select(), Organisation::as_select()))
        .into_boxed();
    if let Some(organisation) = organisation {
        query = query.filter(api_keys::organisation_id.eq(organisation));
    }
    for word in words {
        query = query.filter(api_keys::search.like(contains(word)).escape('\\'));
    }
    if let Some(before) = before {
        query = query.filter(api_keys::id.lt(before));
    }
    Ok(query.order(api_keys::id.desc()).limit(limit).load(db)?)
}

/// Every key that this user made, the newest first, with the name of its organisation.
pub fn of_creator(db: &mut Conn, user: UserId) -> Result<Vec<(ApiKey, String)>, Error> {
    Ok(api_keys::table
        .inner_join(organisations::table.on(organisations::id.eq(api_keys::organisation_id)))
        .filter(api_keys::created_by.eq(user))
        .order(api_keys::id.desc())
        .select((ApiKey::as_select(), organisations::name))
        .load(db)?)
}

/// Revokes a key of the organisation with the tokens that it was exchanged for. `false` if it was revoked before.
pub fn revoke(
    db: &mut Conn,
    organisation: OrganisationId,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<bool, Error> {
    let live = api_keys::table
        .filter(api_keys::organisation_id.eq(organisation))
        .filter(api_keys::id.eq(id))
        .filter(api_keys::revoked_at.is_null());
    let revoked = diesel::update(live).set(api_keys::revoked_at.eq(now)).execute(db)? == 1;
    if revoked {
        revoke_of_owners!(db, now, api_keys::table.filter(api_keys::id.eq(id)).select(api_keys::id))?;
    }
    Ok(revoked)
}

/// Lets the key end at `ends_at` in favour of its successor. `false` if it has one, or was revoked.
pub fn supersede(
    db: &mut Conn,
    organisation: OrganisationId,
    id: ApiKeyId,
    successor: ApiKeyId,
    ends_at: Timestamp,
) -> Result<bool, Error> {
    let current = api_keys::table
        .filter(api_keys::organisation_id.eq(organisation))
        .filter(api_keys::id.eq(id))
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::successor_id.is_null());
    let set = (api_keys::successor_id.eq(successor), api_keys::expires_at.eq(ends_at));
    Ok(diesel::update(current).set(set).execute(db)? == 1)
}

/// Keeps the key from being revoked until this transaction ends, so that the token it is exchanged for is known to
/// whoever revokes it next. `false` if it was revoked.
pub fn hold(db: &mut Conn, id: ApiKeyId) -> Result<bool, Error> {
    let live = api_keys::table.filter(api_keys::id.eq(id)).filter(api_keys::revoked_at.is_null());
    Ok(diesel::update(live).set(api_keys::name.eq(api_keys::name)).execute(db)? == 1)
}

/// Notes when keys were used, unless a later use is known.
pub fn note_uses(db: &mut Conn, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), Error> {
    for (id, at) in uses {
        let earlier = api_keys::table
            .filter(api_keys::id.eq(id))
            .filter(api_keys::last_used_at.is_null().or(api_keys::last_used_at.lt(at)));
        diesel::update(earlier).set(api_keys::last_used_at.eq(at)).execute(db)?;
    }
    Ok(())
}

/// Marks the tokens of the keys among `$which`, once those that are exchanged at this moment have been.
macro_rules! mark_among {
    ($db:ident, $now:ident, $which:expr) => {{
        diesel::update($which).set(api_keys::name.eq(api_keys::name)).execute($db)?;
        revoke_of_owners!($db, $now, $which.select(api_keys::id))?;
    }};
}

/// Marks the tokens of the keys of one workspace, which is about to be removed.
pub fn revoke_tokens_of_workspace(
    db: &mut Conn,
    organisation: OrganisationId,
    workspace: WorkspaceId,
    now: Timestamp,
) -> Result<(), Error> {
    let of = api_keys::table.filter(api_keys::organisation_id.eq(organisation));
    mark_among!(db, now, of.filter(api_keys::workspace_id.eq(workspace)));
    Ok(())
}

/// Revokes every key that this user made, with the tokens that they were exchanged for: the account is somebody else's.
pub fn revoke_of_creator(db: &mut Conn, user: UserId, now: Timestamp) -> Result<(), Error> {
    revoke_tokens_of_creator(db, user, now)?;
    let live = api_keys::table.filter(api_keys::created_by.eq(user)).filter(api_keys::revoked_at.is_null());
    diesel::update(live).set(api_keys::revoked_at.eq(now)).execute(db)?;
    Ok(())
}

/// Marks the tokens of all keys that this user made: the account was disabled or is about to be removed.
pub fn revoke_tokens_of_creator(db: &mut Conn, user: UserId, now: Timestamp) -> Result<(), Error> {
    mark_among!(db, now, api_keys::table.filter(api_keys::created_by.eq(user)));
    Ok(())
}

/// Marks the tokens of the keys of an organisation: of those that one member made, or of all.
pub fn revoke_tokens_in(
    db: &mut Conn,
    organisation: OrganisationId,
    member: Option<UserId>,
    now: Timestamp,
) -> Result<(), Error> {
    let all = api_keys::table.filter(api_keys::organisation_id.eq(organisation));
    match member {
        Some(user) => mark_among!(db, now, all.filter(api_keys::created_by.eq(user))),
        None => mark_among!(db, now, all),
    }
    Ok(())
}
