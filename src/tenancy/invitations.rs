//! Invitations to an organisation, by mail (OR-5).
//!
//! What an invitation means stands in the database; the mail has a random reference and nothing else. It is accepted by
//! whoever has proven to have the address, and nothing here says whether that address has an account.

use std::time::Duration;

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::config::Limit;
use crate::crypto::Secret;
use crate::identity::limits::{self, Bucket, Throttled};
use crate::mail::{self, message};
use crate::model::role::MAX_ROLES;
use crate::model::{
    AuditAction, EmailAddress, InvitationId, Language, MembershipId, OrganisationId, RoleId, Standing,
    UserId, WorkspaceId,
};
use crate::store::invitations::{self, Invitation};
use crate::store::organisations::{self, Organisation};
use crate::store::roles::Role;
use crate::store::{self, Conn, memberships, users};
use crate::tenancy::actor::Actor;
use crate::tenancy::members::{self, MemberError, Place};
use crate::tenancy::{settle, use_case_errors};

/// Whom to invite, and what for.
#[derive(Clone, Debug)]
pub struct Guest {
    pub email: EmailAddress,
    pub workspace: Option<WorkspaceId>,
    /// Keys.
    pub roles: Vec<String>,
    /// Of the mail.
    pub language: Language,
    pub lifetime: Duration,
}

/// An invitation that is on its way.
#[derive(Clone, Debug)]
pub struct Sent {
    pub id: InvitationId,
    pub expires_at: Timestamp,
}

/// An open invitation of an organisation that is not suspended.
#[derive(Clone, Debug)]
pub struct Open {
    pub invitation: Invitation,
    pub organisation: Organisation,
}

/// An invitation as its organisation sees it.
#[derive(Clone, Debug)]
pub struct Described {
    pub invitation: Invitation,
    pub roles: Vec<Role>,
}

/// Why nobody was invited, or joined.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    #[error("an invitation lasts between 1s and 30d")]
    BadLifetime,
    /// Roles, workspace and permission are judged as for a member.
    #[error(transparent)]
    Member(MemberError),
    #[error("the organisation has no such open invitation: `countersign invitation list` shows them")]
    NoSuchInvitation,
    /// Unknown, revoked, accepted, too old, or for somebody else: one answer.
    #[error("the invitation does not work any more")]
    Gone,
    #[error("too many mails were sent to this address; try again later")]
    Throttled(Throttled),
    #[error(transparent)]
    Store(store::Error),
}

use_case_errors!(InvitationError);

impl From<MemberError> for InvitationError {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::Store(error) => Self::Store(error),
            other => Self::Member(other),
        }
    }
}

/// The longest life of an invitation.
pub const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Sends an invitation. Whoever asks gives nothing above their own rank; an open one for the address is void.
pub async fn send(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    guest: Guest,
    origin: &Origin,
) -> Result<Sent, InvitationError> {
    if guest.lifetime.is_zero() || guest.lifetime > LONGEST {
        return Err(InvitationError::BadLifetime);
    }
    let scribe = app.scribe(origin);
    let sending = Sending {
        actor,
        organisation,
        secret: Secret::generate(&app.random),
        product: app.config.branding.product_name.clone(),
        base: app.config.issuer.at("/invitation"),
        per_address: app.config.limits.mail_per_address,
        expires_at: scribe.now.plus(guest.lifetime),
        guest,
        scribe,
    };
    let sent = app.db.write(move |db| settle(sending.settle(db))).await??;
    app.mail_notify.notify_one();
    Ok(sent)
}

struct Sending {
    actor: Actor,
    organisation: OrganisationId,
    guest: Guest,
    secret: Secret,
    product: String,
    base: String,
    per_address: Limit,
    expires_at: Timestamp,
    scribe: Scribe,
}

impl Sending {
    fn settle(&self, db: &mut Conn) -> Result<Sent, InvitationError> {
        let place = Place { organisation: self.organisation, workspace: self.guest.workspace };
        let authority = members::begin(db, self.actor, place, &self.scribe)?;
        let roles = members::resolve(db, self.organisation, &self.guest.roles)?;
        authority.check_gives(&roles)?;
        let Some(organisation) = organisations::find(db, self.organisation)? else {
            return Err(MemberError::NoSuchOrganisation.into());
        };
        if self.actor != Actor::Operator {
            let bucket = Bucket::new("mail to", &[self.guest.email.folded().as_bytes()]);
            limits::reserve(db, &[(bucket, self.per_address)], self.scribe.now, &self.scribe.origin.slip)?
                .map_err(InvitationError::Throttled)?;
        }
        let invitation = self.invitation();
        invitations::insert(db, &invitation, &roles.iter().map(|role| role.id).collect::<Vec<_>>())?;
        self.mail(db, &organisation)?;
        let event = Event::success(AuditAction::InvitationSent)
            .actor(self.actor)
            .organisation(self.organisation)
            .detail("invitation", invitation.id.to_string())
            .detail("roles", roles.iter().map(|role| role.key.clone()).collect::<Vec<_>>());
        self.scribe.write(db, event)?;
        Ok(Sent { id: invitation.id, expires_at: invitation.expires_at })
    }

    fn invitation(&self) -> Invitation {
        Invitation {
            id: InvitationId::new(self.scribe.now, &self.scribe.random),
            organisation_id: self.organisation,
            digest: self.secret.digest(),
            folded: self.guest.email.folded().to_owned(),
            address: self.guest.email.as_str().to_owned(),
            workspace_id: self.guest.workspace,
            invited_by: self.actor.user(),
            created_at: self.scribe.now,
            expires_at: self.expires_at,
            revoked_at: None,
            accepted_at: None,
            accepted_by: None,
        }
    }

    fn mail(&self, db: &mut Conn, organisation: &Organisation) -> Result<(), store::Error> {
        let mail = message::OrganisationInvitation {
            language: self.guest.language,
            product: &self.product,
            organisation: &organisation.name,
            link: &format!("{}/{}", self.base, self.secret.expose()),
            lasts: self.guest.lifetime,
        };
        mail::enqueue(db, &self.scribe, &self.guest.email, &mail.message(), Some(self.expires_at))
    }
}

/// Up to `limit` invitations in order of sending, after the one named.
pub fn list(
    db: &mut Conn,
    organisation: OrganisationId,
    after: Option<InvitationId>,
    limit: i64,
) -> Result<Vec<Described>, store::Error> {
    let all = invitations::list(db, organisation, after, limit)?;
    described(db, organisation, all)
}

/// Up to `limit` invitations, the newest first, before the one named: to addresses with each of these words in them.
pub fn search(
    db: &mut Conn,
    organisation: OrganisationId,
    words: &[String],
    before: Option<InvitationId>,
    limit: i64,
) -> Result<Vec<Described>, store::Error> {
    let found = invitations::search(db, organisation, words, before, limit)?;
    described(db, organisation, found)
}

fn described(
    db: &mut Conn,
    organisation: OrganisationId,
    all: Vec<Invitation>,
) -> Result<Vec<Described>, store::Error> {
    let ids: Vec<InvitationId> = all.iter().map(|invitation| invitation.id).collect();
    let roles = invitations::roles_of(db, organisation, &ids)?;
    let of = |id| roles.iter().filter(|(of, _)| *of == id).map(|(_, role)| role.clone()).collect();
    Ok(all.into_iter().map(|invitation| Described { roles: of(invitation.id), invitation }).collect())
}

/// Sends an invitation again that nobody has accepted, for the same roles: with a new link, and the one before is void.
pub async fn send_again(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    id: InvitationId,
    (language, lifetime): (Language, Duration),
    origin: &Origin,
) -> Result<Sent, InvitationError> {
    let found = app.db.read(move |db| {
        let Some(invitation) = invitations::find_in(db, organisation, id)? else { return Ok(None) };
        let roles = invitations::roles_of(db, organisation, &[id])?;
        Ok(Some((invitation, roles.into_iter().map(|(_, role)| role.key).collect::<Vec<_>>())))
    });
    let found = found.await?.filter(|(invitation, _)| invitation.accepted_at.is_none());
    let (invitation, roles) = found.ok_or(InvitationError::NoSuchInvitation)?;
    let email = EmailAddress::parse(&invitation.address).map_err(|_| InvitationError::NoSuchInvitation)?;
    let guest = Guest { email, workspace: invitation.workspace_id, roles, language, lifetime };
    send(app, actor, organisation, guest, origin).await
}

/// Takes an open invitation back.
pub async fn revoke(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    id: InvitationId,
    origin: &Origin,
) -> Result<(), InvitationError> {
    let scribe = app.scribe(origin);
    let outcome = app.db.write(move |db| settle(revoke_stored(db, actor, organisation, id, &scribe)));
    outcome.await?
}

fn revoke_stored(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    id: InvitationId,
    scribe: &Scribe,
) -> Result<(), InvitationError> {
    members::begin(db, actor, Place { organisation, workspace: None }, scribe)?;
    if !invitations::revoke(db, organisation, id, scribe.now)? {
        return Err(InvitationError::NoSuchInvitation);
    }
    let event = Event::success(AuditAction::InvitationRevoked)
        .actor(actor)
        .organisation(organisation)
        .detail("invitation", id.to_string());
    scribe.write(db, event)?;
    Ok(())
}

/// The open invitation with this reference.
pub fn open(db: &mut Conn, reference: &Secret, now: Timestamp) -> Result<Option<Open>, store::Error> {
    let found = invitations::find_open(db, &reference.digest(), now)?;
    of_active_organisation(db, found)
}

/// The open invitation with this id, if this user has proven to have its address.
pub fn open_for(
    db: &mut Conn,
    id: InvitationId,
    user: UserId,
    now: Timestamp,
) -> Result<Option<Open>, store::Error> {
    let addresses = verified_addresses(db, user)?;
    let found = invitations::find_open_for(db, id, &addresses, now)?;
    of_active_organisation(db, found)
}

/// Whether this user has proven to have the invited address.
pub fn is_for(db: &mut Conn, open: &Open, user: UserId) -> Result<bool, store::Error> {
    Ok(verified_addresses(db, user)?.contains(&open.invitation.folded))
}

fn of_active_organisation(db: &mut Conn, found: Option<Invitation>) -> Result<Option<Open>, store::Error> {
    let Some(invitation) = found else { return Ok(None) };
    let organisation = organisations::find(db, invitation.organisation_id)?;
    let active = organisation.filter(|organisation| organisation.status == Standing::Active);
    Ok(active.map(|organisation| Open { invitation, organisation }))
}

/// Makes the user a member, if they have proven to have the address and nobody was quicker, in the caller's
/// transaction.
pub fn accept_in(
    db: &mut Conn,
    open: &Open,
    user: UserId,
    scribe: &Scribe,
) -> Result<MembershipId, InvitationError> {
    let Open { invitation, organisation } = open;
    let now = scribe.now;
    if !is_for(db, open, user)? {
        return Err(InvitationError::Gone);
    }
    let still = organisations::lock(db, organisation.id, now)?;
    let roles = invitations::roles_of(db, organisation.id, &[invitation.id])?;
    let member = memberships::find(db, organisation.id, user)?;
    let is_good = still.is_some_and(|still| still.status == Standing::Active)
        && !roles.is_empty()
        && member.as_ref().is_none_or(|member| member.status == Standing::Active);
    // The condition in the statement decides between two that arrive together (AR-1).
    if !is_good || !invitations::accept(db, organisation.id, invitation.id, user, now)? {
        return Err(InvitationError::Gone);
    }
    let id = match member {
        Some(member) => member.id,
        None => members::insert(db, organisation.id, user, scribe)?,
    };
    let place = Place { organisation: organisation.id, workspace: invitation.workspace_id };
    let mut all: Vec<Role> = roles.into_iter().map(|(_, role)| role).collect();
    let held = memberships::roles_of(db, organisation.id, &[id])?;
    all.extend(members::in_place(&held, place).map(|held| held.role.clone()));
    memberships::set_roles(db, organisation.id, id, place.workspace, &highest(all))?;
    let event = Event::success(AuditAction::InvitationAccepted)
        .user(user)
        .organisation(organisation.id)
        .detail("invitation", invitation.id.to_string());
    scribe.write(db, event)?;
    Ok(id)
}

/// The invited roles beside those that the user has already: the highest, as many as there may be.
fn highest(mut roles: Vec<Role>) -> Vec<RoleId> {
    roles.sort_by(|a, b| b.rank.cmp(&a.rank).then_with(|| a.key.cmp(&b.key)));
    let mut ids: Vec<RoleId> = roles.into_iter().map(|role| role.id).collect();
    ids.dedup();
    ids.truncate(MAX_ROLES);
    ids
}

fn verified_addresses(db: &mut Conn, user: UserId) -> Result<Vec<String>, store::Error> {
    let emails = users::emails(db, user)?;
    Ok(emails.into_iter().filter(|email| email.verified_at.is_some()).map(|email| email.folded).collect())
}
