//! Identity providers, who people are there, and sign-ins on their way to them.

use diesel::prelude::*;

use super::schema::{
    federated_identities, grants, pending_links, pending_sign_ins, provider_values, providers,
    session_methods, session_providers, sessions, upstream_logins,
};
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::{
    AuthMethod, EmailAddress, FederatedIdentityId, FirstSignIn, LinkPurpose, OrganisationId, ProviderKind,
    ProviderValueKind, RequestId, SessionId, Status, UserId,
};

/// A provider that the command line stored.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = providers)]
pub struct Provider {
    pub id: String,
    pub kind: ProviderKind,
    pub name: Option<String>,
    pub client_id: String,
    pub secret_sealed: Option<Vec<u8>>,
    pub issuer: Option<String>,
    pub first_sign_in: Option<FirstSignIn>,
    pub allow_private_network: bool,
    pub status: Status,
    pub created_at: Timestamp,
    /// Whose it is; without one, the instance's.
    pub organisation_id: Option<OrganisationId>,
}

/// A provider's lists.
pub type ProviderValues = Vec<(ProviderValueKind, String)>;

/// Stores a provider; [`Error::Taken`] if there is one with its id.
pub fn insert_provider(db: &mut Conn, provider: &Provider, values: &ProviderValues) -> Result<(), Error> {
    diesel::insert_into(providers::table).values(provider).execute(db)?;
    insert_values(db, &provider.id, values)
}

fn insert_values(db: &mut Conn, provider: &str, values: &ProviderValues) -> Result<(), Error> {
    for (kind, value) in values {
        diesel::insert_into(provider_values::table)
            .values((
                provider_values::provider_id.eq(provider),
                provider_values::kind.eq(*kind),
                provider_values::value.eq(value),
            ))
            .execute(db)?;
    }
    Ok(())
}

/// Every stored provider with its lists, by creation.
pub fn providers(db: &mut Conn) -> Result<Vec<(Provider, ProviderValues)>, Error> {
    let all: Vec<Provider> = providers::table
        .order((providers::created_at.asc(), providers::id.asc()))
        .select(Provider::as_select())
        .load(db)?;
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let values: Vec<(String, ProviderValueKind, String)> = provider_values::table
        .order((provider_values::provider_id.asc(), provider_values::value.asc()))
        .select((provider_values::provider_id, provider_values::kind, provider_values::value))
        .load(db)?;
    let of = |id: &str| {
        let theirs = values.iter().filter(|(provider, ..)| provider == id);
        theirs.map(|(_, kind, value)| (*kind, value.clone())).collect()
    };
    Ok(all.into_iter().map(|provider| (of(&provider.id), provider)).map(|(v, p)| (p, v)).collect())
}

/// Whether there is a stored provider with this id that is not disabled. It stays so until the transaction ends: the
/// update that changes nothing holds the row, so that whoever disables it sees what was begun before (FE-10).
pub fn hold_active(db: &mut Conn, id: &str) -> Result<bool, Error> {
    let active = providers::table.filter(providers::id.eq(id)).filter(providers::status.eq(Status::Active));
    Ok(diesel::update(active).set(providers::status.eq(Status::Active)).execute(db)? == 1)
}

pub fn set_provider_status(db: &mut Conn, id: &str, status: Status) -> Result<bool, Error> {
    Ok(diesel::update(providers::table.find(id)).set(providers::status.eq(status)).execute(db)? == 1)
}

/// Writes what can change about a provider, with its lists: not its id, its kind, its status and whose it is.
pub fn update_provider(db: &mut Conn, provider: &Provider, values: &ProviderValues) -> Result<bool, Error> {
    let changed = diesel::update(providers::table.find(&provider.id))
        .set((
            providers::name.eq(&provider.name),
            providers::client_id.eq(&provider.client_id),
            providers::secret_sealed.eq(&provider.secret_sealed),
            providers::issuer.eq(&provider.issuer),
            providers::first_sign_in.eq(provider.first_sign_in),
            providers::allow_private_network.eq(provider.allow_private_network),
        ))
        .execute(db)?;
    if changed == 0 {
        return Ok(false);
    }
    diesel::delete(provider_values::table.filter(provider_values::provider_id.eq(&provider.id)))
        .execute(db)?;
    insert_values(db, &provider.id, values)?;
    Ok(true)
}

pub fn remove_provider(db: &mut Conn, id: &str) -> Result<bool, Error> {
    Ok(diesel::delete(providers::table.find(id)).execute(db)? == 1)
}

/// Who a user is elsewhere.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = federated_identities)]
pub struct Identity {
    pub id: FederatedIdentityId,
    pub user_id: UserId,
    pub provider_id: String,
    pub issuer: String,
    pub subject: String,
    /// What the provider called this person last. For showing only.
    pub label: String,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
}

/// The label may be an address (LO-2).
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("id", &self.id)
            .field("user_id", &self.user_id)
            .field("provider_id", &self.provider_id)
            .finish()
    }
}

/// Links an identity to a user; [`Error::Taken`] if it is linked already.
pub fn insert_identity(db: &mut Conn, identity: &Identity) -> Result<(), Error> {
    diesel::insert_into(federated_identities::table).values(identity).execute(db)?;
    Ok(())
}

/// By what the provider proved (FE-1).
pub fn find_identity(
    db: &mut Conn,
    provider: &str,
    issuer: &str,
    subject: &str,
) -> Result<Option<Identity>, Error> {
    Ok(federated_identities::table
        .filter(federated_identities::provider_id.eq(provider))
        .filter(federated_identities::issuer.eq(issuer))
        .filter(federated_identities::subject.eq(subject))
        .select(Identity::as_select())
        .first(db)
        .optional()?)
}

/// Notes that it was used, and what the person is called there now.
pub fn note_identity_used(
    db: &mut Conn,
    id: FederatedIdentityId,
    label: &str,
    now: Timestamp,
) -> Result<(), Error> {
    diesel::update(federated_identities::table.find(id))
        .set((federated_identities::label.eq(label), federated_identities::last_used_at.eq(now)))
        .execute(db)?;
    Ok(())
}

/// Who the user is elsewhere, the oldest link first.
pub fn identities_of(db: &mut Conn, user: UserId) -> Result<Vec<Identity>, Error> {
    Ok(federated_identities::table
        .filter(federated_identities::user_id.eq(user))
        .order((federated_identities::created_at.asc(), federated_identities::id.asc()))
        .select(Identity::as_select())
        .load(db)?)
}

/// Removes one of the user's links. `false` if it is none of theirs.
pub fn remove_identity(db: &mut Conn, user: UserId, id: FederatedIdentityId) -> Result<bool, Error> {
    let theirs = federated_identities::table
        .filter(federated_identities::id.eq(id))
        .filter(federated_identities::user_id.eq(user));
    Ok(diesel::delete(theirs).execute(db)? == 1)
}

/// A sign-in on its way to a provider and back.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = upstream_logins)]
pub struct UpstreamLogin {
    pub state_digest: Digest,
    pub provider_id: String,
    pub browser_digest: Digest,
    pub nonce_digest: Digest,
    pub verifier_sealed: Vec<u8>,
    pub request_id: Option<RequestId>,
    pub page: Option<String>,
    pub link_to: Option<UserId>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub consumed_at: Option<Timestamp>,
    /// The administrator who only tries what would happen.
    pub trial_by: Option<UserId>,
}

/// Whether what this browser began with this state is a trial.
pub fn is_trial(db: &mut Conn, state: &Digest, provider: &str, browser: &Digest) -> Result<bool, Error> {
    let trial = upstream_logins::table
        .filter(upstream_logins::state_digest.eq(state))
        .filter(upstream_logins::provider_id.eq(provider))
        .filter(upstream_logins::browser_digest.eq(browser))
        .filter(upstream_logins::trial_by.is_not_null());
    Ok(trial.count().get_result::<i64>(db)? > 0)
}

pub fn insert_login(db: &mut Conn, login: &UpstreamLogin) -> Result<(), Error> {
    diesel::insert_into(upstream_logins::table).values(login).execute(db)?;
    Ok(())
}

/// Consumes the sign-in with this state, if this browser began it with this provider and it is neither over nor too
/// old: one statement, so that of two answers that race one wins (FE-2, AR-1).
pub fn consume_login(
    db: &mut Conn,
    state: &Digest,
    provider: &str,
    browser: &Digest,
    now: Timestamp,
) -> Result<Option<UpstreamLogin>, Error> {
    let good = upstream_logins::table
        .filter(upstream_logins::state_digest.eq(state))
        .filter(upstream_logins::provider_id.eq(provider))
        .filter(upstream_logins::browser_digest.eq(browser))
        .filter(upstream_logins::consumed_at.is_null())
        .filter(upstream_logins::expires_at.gt(now));
    Ok(diesel::update(good)
        .set(upstream_logins::consumed_at.eq(now))
        .returning(upstream_logins::all_columns)
        .get_result(db)
        .optional()?)
}

/// Somebody vouched for whose address belongs to an account that this browser has still to sign in to.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = pending_links)]
pub struct PendingLink {
    pub browser_digest: Digest,
    pub user_id: UserId,
    pub provider_id: String,
    pub issuer: String,
    pub subject: String,
    pub label: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Stores the link that is to be made; the browser's one before is void.
pub fn put_pending(db: &mut Conn, pending: &PendingLink) -> Result<(), Error> {
    remove_pending(db, &pending.browser_digest)?;
    diesel::insert_into(pending_links::table).values(pending).execute(db)?;
    Ok(())
}

/// The link that waits for a sign-in in this browser.
pub fn pending(db: &mut Conn, browser: &Digest, now: Timestamp) -> Result<Option<PendingLink>, Error> {
    Ok(pending_links::table
        .find(browser)
        .filter(pending_links::expires_at.gt(now))
        .select(PendingLink::as_select())
        .first(db)
        .optional()?)
}

/// `false` if it was gone.
pub fn remove_pending(db: &mut Conn, browser: &Digest) -> Result<bool, Error> {
    Ok(diesel::delete(pending_links::table.find(browser)).execute(db)? == 1)
}

/// Voids whatever was linked to the user, or was on its way to be (FE-8).
pub fn void_links_of(db: &mut Conn, user: UserId) -> Result<(), Error> {
    diesel::delete(federated_identities::table.filter(federated_identities::user_id.eq(user))).execute(db)?;
    diesel::delete(pending_links::table.filter(pending_links::user_id.eq(user))).execute(db)?;
    diesel::delete(upstream_logins::table.filter(upstream_logins::link_to.eq(user))).execute(db)?;
    Ok(())
}

/// Notes who vouched in this session, which may still wait for a second factor, until it is over for certain.
pub fn note_session(
    db: &mut Conn,
    session: SessionId,
    provider: &str,
    expires_at: Timestamp,
) -> Result<(), Error> {
    upsert::set_session_provider(db, session, provider, expires_at)?;
    Ok(())
}

/// The providers that somebody who is signed in now was vouched for by.
pub fn providers_in_use(db: &mut Conn) -> Result<Vec<String>, Error> {
    Ok(session_providers::table.select(session_providers::provider_id).distinct().load(db)?)
}

/// The sessions that rest on this provider's word, ended or not: whoever signed in did so by it, and may have shown
/// a second factor besides. A later sign-in by other means replaces what was proven.
pub fn sessions_by_provider(db: &mut Conn, provider: &str) -> Result<Vec<(SessionId, UserId)>, Error> {
    Ok(session_providers::table
        .inner_join(sessions::table.on(sessions::id.eq(session_providers::session_id)))
        .inner_join(session_methods::table.on(session_methods::session_id.eq(sessions::id)))
        .filter(session_providers::provider_id.eq(provider))
        .filter(session_methods::method.eq(AuthMethod::Federated))
        .select((sessions::id, sessions::user_id))
        .load(db)?)
}

/// The organisation whose own provider vouched in this session, if one did.
pub fn organisation_of_session(db: &mut Conn, session: SessionId) -> Result<Option<OrganisationId>, Error> {
    let owner: Option<Option<OrganisationId>> = session_providers::table
        .inner_join(providers::table.on(providers::id.eq(session_providers::provider_id)))
        .inner_join(session_methods::table.on(session_methods::session_id.eq(session_providers::session_id)))
        .filter(session_providers::session_id.eq(session))
        .filter(session_methods::method.eq(AuthMethod::Federated))
        .select(providers::organisation_id)
        .first(db)
        .optional()?;
    Ok(owner.flatten())
}

/// Ends the sign-ins by this provider's word that wait for a second factor: everybody's, or one user's.
pub fn end_waiting(db: &mut Conn, provider: &str, of: Option<UserId>) -> Result<(), Error> {
    let ids: Vec<SessionId> = session_providers::table
        .filter(session_providers::provider_id.eq(provider))
        .select(session_providers::session_id)
        .load(db)?;
    let mut waiting =
        diesel::delete(pending_sign_ins::table).into_boxed().filter(pending_sign_ins::id.eq_any(&ids));
    if let Some(user) = of {
        waiting = waiting.filter(pending_sign_ins::user_id.eq(user));
    }
    waiting.execute(db)?;
    Ok(())
}

/// Revokes every grant that began in this session, offline ones too.
pub fn revoke_grants_begun_in(db: &mut Conn, session: SessionId, now: Timestamp) -> Result<usize, Error> {
    let live = grants::table.filter(grants::session_id.eq(session)).filter(grants::revoked_at.is_null());
    Ok(diesel::update(live).set(grants::revoked_at.eq(now)).execute(db)?)
}

/// Spends the invitation of this address, if there is one: its holder proved to have the address in another way.
pub fn consume_invitation(db: &mut Conn, email: &EmailAddress, now: Timestamp) -> Result<bool, Error> {
    use super::schema::one_time_links as links;
    let good = links::table
        .filter(links::email.eq(email.folded()))
        .filter(links::purpose.eq(LinkPurpose::Invite))
        .filter(links::consumed_at.is_null())
        .filter(links::expires_at.gt(now));
    Ok(diesel::update(good).set(links::consumed_at.eq(now)).execute(db)? > 0)
}

/// Voids all that the account can be signed in to with, and what was handed out for it or for this address (FE-8).
pub fn void_credentials(
    db: &mut Conn,
    user: UserId,
    email: &EmailAddress,
    now: Timestamp,
) -> Result<(), Error> {
    use super::schema::{
        ceremonies, consents, one_time_links as links, passkeys, password_credentials, recovery_codes,
        totp_credentials,
    };
    let theirs = links::table
        .filter(links::user_id.eq(user).or(links::email.eq(email.folded())))
        .filter(links::consumed_at.is_null());
    diesel::update(theirs).set(links::consumed_at.eq(now)).execute(db)?;
    diesel::delete(consents::table.filter(consents::user_id.eq(user))).execute(db)?;
    diesel::delete(password_credentials::table.find(user)).execute(db)?;
    diesel::delete(totp_credentials::table.find(user)).execute(db)?;
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user))).execute(db)?;
    diesel::delete(passkeys::table.filter(passkeys::user_id.eq(user))).execute(db)?;
    diesel::delete(ceremonies::table.filter(ceremonies::user_id.eq(user))).execute(db)?;
    Ok(())
}
