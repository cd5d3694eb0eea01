//! May this subject receive a credential now? The one place that decides (AR-2).
//!
//! Every path that issues or extends one (a sign-in, a code, a token, a refreshed token) asks here and must hand on
//! the proof it got: an [`Admission`] cannot be made anywhere else, and the functions that issue take one.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::config::Config;
use crate::model::explanation::{Explanation, Rule};
use crate::model::{AuthMethod, Client, GrantType, OrganisationId, SessionId, Standing, Status, UserId};
use crate::protocol::acr::{Acr, acr_for};
use crate::protocol::factors::{self, Circumstances};
use crate::protocol::scope::ScopeSet;
use crate::store::api_keys::ApiKey;
use crate::store::grants::Grant;
use crate::store::organisations::Organisation;
use crate::store::sessions::Session;
use crate::store::users::User;
use crate::store::{self, Conn};
use crate::tenancy::membership::{self, ActiveMembership, Selection, Workspaces};

/// Proof that the subject may receive a credential at the moment it was asked.
#[derive(Clone, Debug)]
pub struct Admission {
    user: User,
    membership: Option<ActiveMembership>,
}

impl Admission {
    pub fn user(&self) -> &User {
        &self.user
    }

    /// What the credential is about, if it is about an organisation.
    pub fn membership(&self) -> Option<&ActiveMembership> {
        self.membership.as_ref()
    }
}

/// Proof that a client may receive a token for itself.
#[derive(Clone, Copy, Debug)]
pub struct ClientAdmission(());

/// Why not. Goes to the log and the audit, not to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the user does not exist any more")]
    NoUser,
    #[error("the user is disabled")]
    UserDisabled,
    #[error("the client is disabled")]
    ClientDisabled,
    #[error("the client is not registered for this grant type")]
    GrantType,
    #[error("the client cannot keep a secret")]
    PublicClient,
    #[error("the grant was revoked")]
    GrantRevoked,
    #[error("the grant has expired")]
    GrantExpired,
    #[error("the session has ended")]
    SessionEnded,
    #[error("the key was revoked or has expired")]
    KeyOver,
    #[error("a second factor is demanded and was not shown")]
    FactorMissing,
    #[error("the user is not an active member of the organisation")]
    NotAMember,
    #[error("the client is for members of an organisation only")]
    OrganisationMissing,
}

impl From<Refusal> for Explanation {
    fn from(refusal: Refusal) -> Self {
        let rule = match refusal {
            Refusal::NoUser => Rule::UserGone,
            Refusal::UserDisabled => Rule::UserDisabled,
            Refusal::ClientDisabled => Rule::ClientDisabled,
            Refusal::GrantType | Refusal::PublicClient => Rule::GrantType,
            Refusal::GrantRevoked | Refusal::GrantExpired => Rule::GrantOver,
            Refusal::SessionEnded => Rule::SessionOver,
            Refusal::KeyOver => Rule::ApiKey,
            Refusal::FactorMissing => Rule::FactorMissing,
            Refusal::NotAMember | Refusal::OrganisationMissing => Rule::Membership,
        };
        Self::of(rule).with("reason", refusal)
    }
}

/// What the instance itself says about second factors and workspaces.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    is_public: bool,
    workspaces: Workspaces,
}

impl Rules {
    pub fn of(config: &Config) -> Self {
        Self { is_public: !config.issuer.is_loopback(), workspaces: Workspaces::of(config) }
    }
}

/// The least that this user must have shown: for any session, or to let this client act for them (MF-5).
pub fn required_of(
    db: &mut Conn,
    user: &User,
    client: Option<&Client>,
    rules: Rules,
) -> Result<Acr, store::Error> {
    required_in(db, user, client, false, rules)
}

/// The same to act for an organisation, which demands it or not.
pub fn required_in(
    db: &mut Conn,
    user: &User,
    client: Option<&Client>,
    organisation_demands: bool,
    rules: Rules,
) -> Result<Acr, store::Error> {
    Ok(factors::required(Circumstances {
        client_demands: client.is_some_and(|client| client.require_mfa),
        account_demands: store::factors::is_demanded(db, user.id)?,
        organisation_demands,
        is_administrator: user.instance_role.is_some(),
        is_public: rules.is_public,
    }))
}

/// May this user be signed in?
pub fn admit_user(db: &mut Conn, user: UserId) -> Result<Result<Admission, Refusal>, store::Error> {
    let Some(user) = store::users::find(db, user)? else { return Ok(Err(Refusal::NoUser)) };
    Ok(match user.status {
        Status::Active => Ok(Admission { user, membership: None }),
        Status::Disabled => Err(Refusal::UserDisabled),
    })
}

/// May this session be used for what stands behind a proxy, in this organisation if in any? As where a client acts, an
/// organisation's own provider vouches for that organisation alone, and every demand for a second factor holds.
pub fn admit_session(
    db: &mut Conn,
    session: &Session,
    proven: &[AuthMethod],
    organisation: Option<OrganisationId>,
    rules: Rules,
    now: Timestamp,
) -> Result<Result<Admission, Refusal>, store::Error> {
    if !session.is_live(now) {
        return Ok(Err(Refusal::SessionEnded));
    }
    if let Err(refusal) = check_voucher(db, session, organisation)? {
        return Ok(Err(refusal));
    }
    let admission = match admit_member(db, session.user_id, organisation, rules)? {
        Ok(admission) => admission,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let demanded = admission.membership().is_some_and(ActiveMembership::demands_mfa);
    let enough = acr_for(proven) >= required_in(db, admission.user(), None, demanded, rules)?;
    Ok(if enough { Ok(admission) } else { Err(Refusal::FactorMissing) })
}

/// Does this session show enough to run the instance? It is not over, two factors were shown where they must be, and no
/// organisation's own provider stands behind it: that one vouches for its organisation alone.
pub fn admit_instance(
    db: &mut Conn,
    session: SessionId,
    proven: &[AuthMethod],
    user: &User,
    rules: Rules,
    now: Timestamp,
) -> Result<Result<(), Refusal>, store::Error> {
    if let Err(refusal) = check_session(db, Some(session), now)? {
        return Ok(Err(refusal));
    }
    if store::federation::organisation_of_session(db, session)?.is_some() {
        return Ok(Err(Refusal::NotAMember));
    }
    let enough = acr_for(proven) >= required_of(db, user, None, rules)?;
    Ok(if enough { Ok(()) } else { Err(Refusal::FactorMissing) })
}

/// An organisation's own provider vouches for what is done in that organisation, and in no other.
fn check_voucher(
    db: &mut Conn,
    session: &Session,
    organisation: Option<OrganisationId>,
) -> Result<Result<(), Refusal>, store::Error> {
    let vouched_by = store::federation::organisation_of_session(db, session.id)?;
    let is_other = vouched_by.is_some() && organisation.is_some() && vouched_by != organisation;
    Ok(if is_other { Err(Refusal::NotAMember) } else { Ok(()) })
}

/// What a client wants to do for a user.
#[derive(Clone, Copy, Debug)]
pub struct Acting<'a> {
    pub client: &'a Client,
    /// What the user had proven.
    pub proven: &'a [AuthMethod],
    /// For which organisation, if for any.
    pub organisation: Option<OrganisationId>,
    pub rules: Rules,
}

/// May this client act for the user of this session?
pub fn admit_authorization(
    db: &mut Conn,
    session: &Session,
    acting: Acting<'_>,
    now: Timestamp,
) -> Result<Result<Admission, Refusal>, store::Error> {
    if let Err(refusal) = check_client(acting.client, GrantType::AuthorizationCode) {
        return Ok(Err(refusal));
    }
    if !session.is_live(now) {
        return Ok(Err(Refusal::SessionEnded));
    }
    if let Err(refusal) = check_voucher(db, session, acting.organisation)? {
        return Ok(Err(refusal));
    }
    admit_acting(db, session.user_id, acting)
}

/// May this product's own API give tokens for this session, which no browser holds (LG-1)?
pub fn admit_product(
    db: &mut Conn,
    session: &Session,
    acting: Acting<'_>,
    now: Timestamp,
) -> Result<Result<Admission, Refusal>, store::Error> {
    if let Err(refusal) = check_client(acting.client, GrantType::RefreshToken) {
        return Ok(Err(refusal));
    }
    if !acting.client.first_party {
        return Ok(Err(Refusal::GrantType));
    }
    if !session.is_live(now) {
        return Ok(Err(Refusal::SessionEnded));
    }
    admit_acting(db, session.user_id, acting)
}

/// May this client receive (more) tokens from this grant, which was given after this had been proven? A demand for a
/// second factor that came later holds as well (MF-5), and so do roles and standing in the organisation as they are
/// now (OR-6). While the member or the organisation is suspended the answer is no; the grant itself stays.
pub fn admit_grant(
    db: &mut Conn,
    client: &Client,
    grant_type: GrantType,
    grant: &Grant,
    proven: &[AuthMethod],
    rules: Rules,
    now: Timestamp,
) -> Result<Result<Admission, Refusal>, store::Error> {
    if let Err(refusal) = check_client(client, grant_type) {
        return Ok(Err(refusal));
    }
    if let Err(refusal) = check_grant(db, grant, now)? {
        return Ok(Err(refusal));
    }
    let organisation = grant.organisation_id;
    admit_acting(db, grant.user_id, Acting { client, proven, organisation, rules })
}

/// Does this grant still stand, with the user and the organisation that it is about?
pub fn admit_holder(
    db: &mut Conn,
    grant: &Grant,
    rules: Rules,
    now: Timestamp,
) -> Result<Result<Admission, Refusal>, store::Error> {
    if let Err(refusal) = check_grant(db, grant, now)? {
        return Ok(Err(refusal));
    }
    admit_member(db, grant.user_id, grant.organisation_id, rules)
}

/// May this user act for the organisation, if one is named?
fn admit_member(
    db: &mut Conn,
    user: UserId,
    organisation: Option<OrganisationId>,
    rules: Rules,
) -> Result<Result<Admission, Refusal>, store::Error> {
    let mut admission = match admit_user(db, user)? {
        Ok(admission) => admission,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(organisation) = organisation {
        match membership::in_organisation(db, user, organisation, rules.workspaces)? {
            Ok(membership) => admission.membership = Some(membership),
            Err(_) => return Ok(Err(Refusal::NotAMember)),
        }
    }
    Ok(Ok(admission))
}

/// May this user be signed in and act for the organisation, and was enough shown for it and for this client?
fn admit_acting(
    db: &mut Conn,
    user: UserId,
    acting: Acting<'_>,
) -> Result<Result<Admission, Refusal>, store::Error> {
    let Acting { client, proven, organisation, rules } = acting;
    if client.require_organization && organisation.is_none() {
        return Ok(Err(Refusal::OrganisationMissing));
    }
    let admission = match admit_member(db, user, organisation, rules)? {
        Ok(admission) => admission,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let demanded = admission.membership().is_some_and(ActiveMembership::demands_mfa);
    let enough = acr_for(proven) >= required_in(db, admission.user(), Some(client), demanded, rules)?;
    Ok(if enough { Ok(admission) } else { Err(Refusal::FactorMissing) })
}

/// May this client receive a token for itself? Touches no table.
pub fn admit_client(client: &Client) -> Result<ClientAdmission, Refusal> {
    check_client(client, GrantType::ClientCredentials)?;
    if !client.is_confidential() {
        return Err(Refusal::PublicClient);
    }
    Ok(ClientAdmission(()))
}

/// Proof that a machine may act by this key at the moment it was asked, within these scopes.
#[derive(Clone, Debug)]
pub struct KeyAdmission {
    key: ApiKey,
    organisation: Organisation,
    scopes: ScopeSet,
}

impl KeyAdmission {
    pub fn key(&self) -> &ApiKey {
        &self.key
    }

    pub fn organisation(&self) -> &Organisation {
        &self.organisation
    }

    /// Those of the key that its creator may use now.
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }
}

/// May this key be used? It does not outlive its creator's account or membership (AK-2).
pub fn admit_api_key(
    db: &mut Conn,
    key: ApiKey,
    now: Timestamp,
) -> Result<Result<KeyAdmission, Refusal>, store::Error> {
    if !key.is_live(now) {
        return Ok(Err(Refusal::KeyOver));
    }
    let active = store::organisations::find(db, key.organisation_id)?
        .filter(|organisation| organisation.status == Standing::Active);
    let Some(organisation) = active else { return Ok(Err(Refusal::NotAMember)) };
    if let Some(creator) = key.created_by
        && let Err(refusal) = admit_user(db, creator)?
    {
        return Ok(Err(refusal));
    }
    let given = store::api_keys::scopes(db, key.id)?;
    Ok(match scopes_of_key(db, &key, &given)? {
        Some(scopes) => {
            let scopes = scopes.iter().map(String::as_str).collect();
            Ok(KeyAdmission { key, organisation, scopes })
        }
        None => Err(Refusal::NotAMember),
    })
}

/// The part of these scopes that the key's creator may give at this moment (AK-2); `None` if the creator has no business
/// in the organisation, or in the key's workspace, any more. A scope that is a permission in this organisation needs
/// that permission; any other is a word of the API that the key is for, and free.
pub(super) fn scopes_of_key(
    db: &mut Conn,
    key: &ApiKey,
    given: &[String],
) -> Result<Option<BTreeSet<String>>, store::Error> {
    let Some(creator) = key.created_by else { return Ok(Some(given.iter().cloned().collect())) };
    let wanted = Selection {
        organisation: Some(key.organisation_id.to_string()),
        workspace: key.workspace_id.map(|workspace| workspace.to_string()),
    };
    let Ok(member) = membership::select(db, creator, &wanted, Workspaces::Named)? else { return Ok(None) };
    let permissions = store::roles::permissions(db, key.organisation_id)?;
    let is_permission = |scope: &str| permissions.iter().any(|(_, permission)| permission == scope);
    Ok(Some(given.iter().filter(|scope| !is_permission(scope) || member.may(scope)).cloned().collect()))
}

/// Whether the grant itself is good: not revoked, not expired, and its session not ended unless it outlives it.
fn check_grant(db: &mut Conn, grant: &Grant, now: Timestamp) -> Result<Result<(), Refusal>, store::Error> {
    if grant.revoked_at.is_some() {
        return Ok(Err(Refusal::GrantRevoked));
    }
    if grant.expires_at <= now {
        return Ok(Err(Refusal::GrantExpired));
    }
    if grant.offline {
        return Ok(Ok(()));
    }
    check_session(db, grant.session_id, now)
}

/// A grant without offline access ends with its session. Refreshing counts as using the session, so only its end
/// and its absolute lifetime are asked for here.
fn check_session(
    db: &mut Conn,
    session: Option<SessionId>,
    now: Timestamp,
) -> Result<Result<(), Refusal>, store::Error> {
    let session = match session {
        Some(id) => store::sessions::find(db, id)?,
        None => None,
    };
    Ok(match session {
        Some(session) if session.ended_at.is_none() && now < session.expires_at => Ok(()),
        _ => Err(Refusal::SessionEnded),
    })
}

fn check_client(client: &Client, grant_type: GrantType) -> Result<(), Refusal> {
    if !client.is_active() {
        return Err(Refusal::ClientDisabled);
    }
    if !client.may_use(grant_type) {
        return Err(Refusal::GrantType);
    }
    Ok(())
}
