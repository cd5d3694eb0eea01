//! Authorization requests on their way, pushed ones, and codes.

use diesel::prelude::*;

use super::schema::{authorization_requests, codes, pushed_requests};
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::{ClientKey, GrantId, OrganisationId, RequestId, SessionId};

/// A validated authorization request on its way through one browser.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = authorization_requests)]
pub struct Request {
    pub id: RequestId,
    pub client_id: ClientKey,
    /// Of the pre-login secret of the browser that began it (AR-6).
    pub browser_digest: Digest,
    /// JSON; never changes (AZ-8).
    pub request: String,
    pub pushed_digest: Option<Digest>,
    pub session_id: Option<SessionId>,
    pub consented_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub completed_at: Option<Timestamp>,
    /// The one that `session_id` chose.
    pub organisation_id: Option<OrganisationId>,
}

pub fn insert_request(db: &mut Conn, request: &Request) -> Result<(), Error> {
    diesel::insert_into(authorization_requests::table).values(request).execute(db)?;
    Ok(())
}

pub fn find_request(db: &mut Conn, id: RequestId) -> Result<Option<Request>, Error> {
    Ok(authorization_requests::table.find(id).select(Request::as_select()).first(db).optional()?)
}

/// Notes the account chosen for this request. What another account chose or allowed does not count for it.
pub fn choose_session(db: &mut Conn, id: RequestId, session: SessionId) -> Result<bool, Error> {
    let open = authorization_requests::table
        .filter(authorization_requests::id.eq(id))
        .filter(authorization_requests::completed_at.is_null());
    let chosen = diesel::update(open)
        .set((
            authorization_requests::session_id.eq(session),
            authorization_requests::consented_at.eq(None::<Timestamp>),
            authorization_requests::organisation_id.eq(None::<OrganisationId>),
        ))
        .execute(db)?;
    Ok(chosen == 1)
}

/// Notes the organisation that the account of `session` chose for this request. Consent for another one does not count.
pub fn choose_organisation(
    db: &mut Conn,
    id: RequestId,
    session: SessionId,
    organisation: OrganisationId,
) -> Result<bool, Error> {
    let open = authorization_requests::table
        .filter(authorization_requests::id.eq(id))
        .filter(authorization_requests::completed_at.is_null());
    let chosen = diesel::update(open)
        .set((
            authorization_requests::session_id.eq(session),
            authorization_requests::consented_at.eq(None::<Timestamp>),
            authorization_requests::organisation_id.eq(organisation),
        ))
        .execute(db)?;
    Ok(chosen == 1)
}

/// Notes that consent was asked for and given by the account of `session`.
pub fn note_consent(db: &mut Conn, id: RequestId, session: SessionId, now: Timestamp) -> Result<bool, Error> {
    let open = authorization_requests::table
        .filter(authorization_requests::id.eq(id))
        .filter(authorization_requests::completed_at.is_null());
    let noted = diesel::update(open)
        .set((authorization_requests::session_id.eq(session), authorization_requests::consented_at.eq(now)))
        .execute(db)?;
    Ok(noted == 1)
}

/// Ends the request: from two answers that race, one wins (AR-1).
pub fn complete(db: &mut Conn, id: RequestId, now: Timestamp) -> Result<bool, Error> {
    let open = authorization_requests::table
        .filter(authorization_requests::id.eq(id))
        .filter(authorization_requests::completed_at.is_null())
        .filter(authorization_requests::expires_at.gt(now));
    Ok(diesel::update(open).set(authorization_requests::completed_at.eq(now)).execute(db)? == 1)
}

/// A pushed authorization request (RFC 9126).
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = pushed_requests)]
pub struct Pushed {
    pub digest: Digest,
    pub client_id: ClientKey,
    pub request: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub consumed_at: Option<Timestamp>,
}

pub fn insert_pushed(db: &mut Conn, pushed: &Pushed) -> Result<(), Error> {
    diesel::insert_into(pushed_requests::table).values(pushed).execute(db)?;
    Ok(())
}

/// The pushed request, whosever it is and whatever it is worth.
pub fn look_at_pushed(db: &mut Conn, digest: &Digest) -> Result<Option<Pushed>, Error> {
    Ok(pushed_requests::table.find(digest).select(Pushed::as_select()).first(db).optional()?)
}

/// The pushed request, if it is of this client, not used up and not expired.
pub fn find_pushed(
    db: &mut Conn,
    digest: &Digest,
    client: ClientKey,
    now: Timestamp,
) -> Result<Option<Pushed>, Error> {
    Ok(pushed_requests::table
        .filter(pushed_requests::digest.eq(digest))
        .filter(pushed_requests::client_id.eq(client))
        .filter(pushed_requests::consumed_at.is_null())
        .filter(pushed_requests::expires_at.gt(now))
        .select(Pushed::as_select())
        .first(db)
        .optional()?)
}

/// Uses the pushed request up, when its authorization completes (TE-11). Its expiry was checked when it was presented.
pub fn consume_pushed(db: &mut Conn, digest: &Digest, now: Timestamp) -> Result<bool, Error> {
    let unused = pushed_requests::table
        .filter(pushed_requests::digest.eq(digest))
        .filter(pushed_requests::consumed_at.is_null());
    Ok(diesel::update(unused).set(pushed_requests::consumed_at.eq(now)).execute(db)? == 1)
}

/// An authorization code.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = codes)]
pub struct Code {
    pub digest: Digest,
    pub grant_id: GrantId,
    pub redirect_uri: String,
    pub code_challenge: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub redeemed_at: Option<Timestamp>,
}

pub fn insert_code(db: &mut Conn, code: &Code) -> Result<(), Error> {
    diesel::insert_into(codes::table).values(code).execute(db)?;
    Ok(())
}

pub fn find_code(db: &mut Conn, digest: &Digest) -> Result<Option<Code>, Error> {
    Ok(codes::table.find(digest).select(Code::as_select()).first(db).optional()?)
}

/// Spends the code, if nobody has.
///
/// The condition in the `UPDATE`, not an earlier read, decides between two requests that arrive together
/// (RFC 6749 §4.1.2: a second use must be denied).
pub fn redeem_code(db: &mut Conn, digest: &Digest, now: Timestamp) -> Result<bool, Error> {
    let unspent = codes::table
        .filter(codes::digest.eq(digest))
        .filter(codes::redeemed_at.is_null())
        .filter(codes::expires_at.gt(now));
    Ok(diesel::update(unspent).set(codes::redeemed_at.eq(now)).execute(db)? == 1)
}
