//! All that is stored about one person, for giving it to them and for taking it away.
//!
//! Whatever names a user in a table is read or removed here, or goes with the user's row (`ON DELETE CASCADE`); a test
//! looks for tables that were forgotten.

use diesel::prelude::*;

use super::grants::Grant;
use super::invitations::Invitation;
use super::links::Link;
use super::memberships::Member;
use super::organisations::Organisation;
use super::pending::PendingSignIn;
use super::refusals::Refusal;
use super::schema::{
    audit_events, ceremonies, clients, consents, emails, factor_demands, grants, invitations, memberships,
    one_time_links, organisations, outbox, password_credentials, pending_links, pending_sign_ins,
    recovery_codes, refusals, session_providers, sessions, upstream_logins, users,
};
use super::sessions::Session;
use super::{Conn, Error, audit};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::{CeremonyPurpose, ClientKey, MessageId, SessionId, UserId};

/// When the password was set last.
pub fn password_changed_at(db: &mut Conn, user: UserId) -> Result<Option<Timestamp>, Error> {
    let password = password_credentials::table.find(user).select(password_credentials::changed_at);
    Ok(password.first(db).optional()?)
}

/// Every session that is stored, ended or not, the newest first.
pub fn sessions(db: &mut Conn, user: UserId) -> Result<Vec<Session>, Error> {
    Ok(sessions::table
        .filter(sessions::user_id.eq(user))
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .select(Session::as_select())
        .load(db)?)
}

/// Who vouched in these sessions.
pub fn session_providers(db: &mut Conn, of: &[SessionId]) -> Result<Vec<(SessionId, String)>, Error> {
    Ok(session_providers::table
        .filter(session_providers::session_id.eq_any(of))
        .order(session_providers::session_id.asc())
        .select((session_providers::session_id, session_providers::provider_id))
        .load(db)?)
}

/// The sign-ins that wait for a second factor.
pub fn pending_sign_ins(db: &mut Conn, user: UserId) -> Result<Vec<PendingSignIn>, Error> {
    Ok(pending_sign_ins::table
        .filter(pending_sign_ins::user_id.eq(user))
        .order(pending_sign_ins::id.asc())
        .select(PendingSignIn::as_select())
        .load(db)?)
}

/// When each recovery code was made, and used.
pub fn recovery_codes(db: &mut Conn, user: UserId) -> Result<Vec<(Timestamp, Option<Timestamp>)>, Error> {
    Ok(recovery_codes::table
        .filter(recovery_codes::user_id.eq(user))
        .order((recovery_codes::created_at.asc(), recovery_codes::digest.asc()))
        .select((recovery_codes::created_at, recovery_codes::used_at))
        .load(db)?)
}

/// Since when a second factor is demanded of this account.
pub fn factor_demanded_at(db: &mut Conn, user: UserId) -> Result<Option<Timestamp>, Error> {
    Ok(factor_demands::table.find(user).select(factor_demands::created_at).first(db).optional()?)
}

/// Challenges that wait for a passkey.
pub fn ceremonies(db: &mut Conn, user: UserId) -> Result<Vec<(CeremonyPurpose, Timestamp)>, Error> {
    Ok(ceremonies::table
        .filter(ceremonies::user_id.eq(user))
        .order((ceremonies::expires_at.asc(), ceremonies::digest.asc()))
        .select((ceremonies::purpose, ceremonies::expires_at))
        .load(db)?)
}

/// The one-time links that were made for the user.
pub fn links(db: &mut Conn, user: UserId) -> Result<Vec<Link>, Error> {
    Ok(one_time_links::table
        .filter(one_time_links::user_id.eq(user))
        .order((one_time_links::created_at.asc(), one_time_links::digest.asc()))
        .select(Link::as_select())
        .load(db)?)
}

/// What the user allowed which client, and when.
pub fn consents(db: &mut Conn, user: UserId) -> Result<Vec<(ClientKey, String, Timestamp)>, Error> {
    Ok(consents::table
        .filter(consents::user_id.eq(user))
        .order((consents::client_id.asc(), consents::item.asc()))
        .select((consents::client_id, consents::item, consents::granted_at))
        .load(db)?)
}

/// Every grant that is stored, revoked or not, the newest first.
pub fn grants(db: &mut Conn, user: UserId) -> Result<Vec<Grant>, Error> {
    Ok(grants::table
        .filter(grants::user_id.eq(user))
        .order((grants::created_at.desc(), grants::id.desc()))
        .select(Grant::as_select())
        .load(db)?)
}

/// What clients are called: their ids and names.
pub fn clients(db: &mut Conn, keys: &[ClientKey]) -> Result<Vec<(ClientKey, String, String)>, Error> {
    Ok(clients::table
        .filter(clients::id.eq_any(keys))
        .order(clients::id.asc())
        .select((clients::id, clients::client_id, clients::name))
        .load(db)?)
}

/// Sign-ins on their way to a provider, to be linked to the user.
pub fn upstream_logins(db: &mut Conn, user: UserId) -> Result<Vec<(String, Timestamp)>, Error> {
    Ok(upstream_logins::table
        .filter(upstream_logins::link_to.eq(user))
        .order((upstream_logins::created_at.asc(), upstream_logins::state_digest.asc()))
        .select((upstream_logins::provider_id, upstream_logins::created_at))
        .load(db)?)
}

/// Identities that wait to be linked to the user: provider, what it calls the person, since when.
pub fn pending_links(db: &mut Conn, user: UserId) -> Result<Vec<(String, String, Timestamp)>, Error> {
    Ok(pending_links::table
        .filter(pending_links::user_id.eq(user))
        .order((pending_links::created_at.asc(), pending_links::browser_digest.asc()))
        .select((pending_links::provider_id, pending_links::label, pending_links::created_at))
        .load(db)?)
}

/// What the user belongs to, in whatever standing.
pub fn memberships(db: &mut Conn, user: UserId) -> Result<Vec<(Member, Organisation)>, Error> {
    Ok(memberships::table
        .inner_join(organisations::table.on(organisations::id.eq(memberships::organisation_id)))
        .filter(memberships::user_id.eq(user))
        .order(memberships::id.asc())
        .select((Member::as_select(), Organisation::as_select()))
        .load(db)?)
}

/// The invitations that the user accepted.
pub fn invitations(db: &mut Conn, user: UserId) -> Result<Vec<Invitation>, Error> {
    Ok(invitations::table
        .filter(invitations::accepted_by.eq(user))
        .order(invitations::id.asc())
        .select(Invitation::as_select())
        .load(db)?)
}

/// A mail, without what it says: that may hold a link.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = outbox)]
pub struct Mail {
    pub id: MessageId,
    pub recipient: String,
    pub subject: String,
    pub created_at: Timestamp,
    pub sent_at: Option<Timestamp>,
    pub failed_at: Option<Timestamp>,
}

/// The mails to these addresses that are still stored, the newest first.
pub fn mails(db: &mut Conn, addresses: &[String]) -> Result<Vec<Mail>, Error> {
    Ok(outbox::table
        .filter(outbox::recipient.eq_any(addresses))
        .order((outbox::created_at.desc(), outbox::id.desc()))
        .select(Mail::as_select())
        .load(db)?)
}

/// Every event about the user, the newest first.
pub fn events(db: &mut Conn, user: UserId) -> Result<Vec<audit::Event>, Error> {
    Ok(audit_events::table
        .filter(audit_events::user_id.eq(user))
        .order((audit_events::at.desc(), audit_events::id.desc()))
        .select(audit::Event::as_select())
        .load(db)?)
}

/// Every request about the user that was refused, the newest first.
pub fn refused(db: &mut Conn, user: UserId) -> Result<Vec<Refusal>, Error> {
    Ok(refusals::table
        .filter(refusals::user_id.eq(user))
        .order((refusals::at.desc(), refusals::reference.desc()))
        .select(Refusal::as_select())
        .load(db)?)
}

/// Removes the user with everything that is theirs. What is recorded of them keeps the id, and no address of theirs
/// or of their network. `false` if there was no such user.
pub fn erase(db: &mut Conn, user: UserId) -> Result<bool, Error> {
    let (folded, typed): (Vec<String>, Vec<String>) = emails::table
        .filter(emails::user_id.eq(user))
        .select((emails::folded, emails::address))
        .load::<(String, String)>(db)?
        .into_iter()
        .unzip();
    diesel::delete(invitations::table.filter(invitations::accepted_by.eq(user))).execute(db)?;
    diesel::delete(outbox::table.filter(outbox::recipient.eq_any(&typed))).execute(db)?;
    diesel::delete(one_time_links::table.filter(one_time_links::email.eq_any(&folded))).execute(db)?;
    let mut theirs: Vec<SessionId> =
        sessions::table.filter(sessions::user_id.eq(user)).select(sessions::id).load(db)?;
    let waiting = pending_sign_ins::table.filter(pending_sign_ins::user_id.eq(user));
    theirs.extend(waiting.select(pending_sign_ins::id).load::<SessionId>(db)?);
    diesel::delete(session_providers::table.filter(session_providers::session_id.eq_any(&theirs)))
        .execute(db)?;
    diesel::delete(refusals::table.filter(refusals::user_id.eq(user))).execute(db)?;
    let removed = diesel::delete(users::table.find(user)).execute(db)? == 1;
    diesel::update(audit_events::table.filter(audit_events::user_id.eq(user)))
        .set((audit_events::ip.eq(None::<String>), audit_events::salt.eq(None::<Digest>)))
        .execute(db)?;
    Ok(removed)
}
