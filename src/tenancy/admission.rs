//! May this subject receive a credential now? The one place that decides (AR-2).
//!
//! Every path that issues or extends one (a sign-in, a code, a token, a refreshed token) asks here and must hand on
//! the proof it got: an [`Admission`] cannot be made anywhere else, and the functions that issue take one.

use crate::clock::Timestamp;
use crate::config::Config;
use crate::model::{AuthMethod, Client, GrantType, SessionId, Status, UserId};
use crate::protocol::acr::{Acr, acr_for};
use crate::protocol::factors::{self, Circumstances};
use crate::store::grants::Grant;
use crate::store::sessions::Session;
use crate::store::users::User;
use crate::store::{self, Conn};

/// Proof that the subject may receive a credential at the moment it was asked.
#[derive(Clone, Debug)]
pub struct Admission {
    user: User,
}

impl Admission {
    pub fn user(&self) -> &User {
        &self.user
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
    #[error("a second factor is demanded and was not shown")]
    FactorMissing,
}

/// What the instance itself says about second factors.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    is_public: bool,
}

impl Rules {
    pub fn of(config: &Config) -> Self {
        Self { is_public: !config.issuer.is_loopback() }
    }
}

/// The least that this user must have shown: for any session, or to let this client act for them (MF-5).
pub fn required_of(
    db: &mut Conn,
    user: &User,
    client: Option<&Client>,
    rules: Rules,
) -> Result<Acr, store::Error> {
    Ok(factors::required(Circumstances {
        client_demands: client.is_some_and(|client| client.require_mfa),
        account_demands: store::factors::is_demanded(db, user.id)?,
        is_administrator: user.is_admin,
        is_public: rules.is_public,
    }))
}

/// May this user be signed in?
pub fn admit_user(db: &mut Conn, user: UserId) -> Result<Result<Admission, Refusal>, store::Error> {
    let Some(user) = store::users::find(db, user)? else { return Ok(Err(Refusal::NoUser)) };
    Ok(match user.status {
        Status::Active => Ok(Admission { user }),
        Status::Disabled => Err(Refusal::UserDisabled),
    })
}

/// May this client act for the user of this session?
pub fn admit_authorization(
    db: &mut Conn,
    client: &Client,
    session: &Session,
    proven: &[AuthMethod],
    rules: Rules,
    now: Timestamp,
) -> Result<Result<Admission, Refusal>, store::Error> {
    if let Err(refusal) = check_client(client, GrantType::AuthorizationCode) {
        return Ok(Err(refusal));
    }
    if !session.is_live(now) {
        return Ok(Err(Refusal::SessionEnded));
    }
    admit_shown(db, session.user_id, client, proven, rules)
}

/// May this client receive (more) tokens from this grant, which was given after this had been proven? A demand for a
/// second factor that came later holds as well (MF-5).
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
    admit_shown(db, grant.user_id, client, proven, rules)
}

/// May this user be signed in, and was enough shown for this client?
fn admit_shown(
    db: &mut Conn,
    user: UserId,
    client: &Client,
    proven: &[AuthMethod],
    rules: Rules,
) -> Result<Result<Admission, Refusal>, store::Error> {
    let admission = match admit_user(db, user)? {
        Ok(admission) => admission,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let enough = acr_for(proven) >= required_of(db, admission.user(), Some(client), rules)?;
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

/// Whether the grant is good: not revoked, not expired, and its session not ended unless it outlives it.
pub fn check_grant(
    db: &mut Conn,
    grant: &Grant,
    now: Timestamp,
) -> Result<Result<(), Refusal>, store::Error> {
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
