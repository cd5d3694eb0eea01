//! Organisations: making, suspending and resuming them, and what holds in them.

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::crypto::Random;
use crate::identity::limits::{self, Bucket, Throttled};
use crate::model::role::SHIPPED;
use crate::model::slug::BadSlug;
use crate::model::{
    AuditAction, EmailAddress, Language, MembershipId, OrganisationId, Permission, Slug, Standing, UserId,
    WorkspaceId,
};
use crate::store::organisations::{Organisation, Workspace};
use crate::store::{self, Conn, Unique, memberships, organisations};
use crate::tenancy::actor::{Actor, NotPermitted, authority};
use crate::tenancy::invitations::{self, Guest, InvitationError};
use crate::tenancy::members::{self, Assignment};
use crate::tenancy::membership::fold;
use crate::tenancy::{clean_name, settle, use_case_errors};

/// An organisation that was just made, with its default workspace.
#[derive(Clone, Debug)]
pub struct Created {
    pub organisation: Organisation,
    pub workspace: Workspace,
}

/// What to change about an organisation; `None` leaves as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub name: Option<String>,
    /// Members must have shown two factors (MF-5).
    pub require_mfa: Option<bool>,
    /// Members may sign in with a password in JSON (LG-1).
    pub password_login_allowed: Option<bool>,
}

/// Why an organisation was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum OrganisationError {
    #[error(transparent)]
    BadSlug(#[from] BadSlug),
    #[error("the name must have 1 to 200 characters, none of them control characters")]
    BadName,
    #[error("another organisation has this short name")]
    SlugTaken,
    #[error("there is no such organisation: `countersign org list` shows them")]
    NoSuchOrganisation,
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    #[error("too many organisations were asked for; try again later")]
    Throttled(Throttled),
    #[error(transparent)]
    Store(store::Error),
}

use_case_errors!(OrganisationError);

/// Makes an organisation with a default workspace, and nobody in it.
pub async fn create(
    app: &App,
    slug: &str,
    name: &str,
    origin: &Origin,
) -> Result<Created, OrganisationError> {
    let slug = Slug::parse(slug)?;
    let name = clean_name(name).ok_or(OrganisationError::BadName)?;
    let scribe = app.scribe(origin);
    let created = app.db.write(move |db| insert(db, &slug, &name, None, &scribe));
    created.await.map_err(|error| match error {
        store::Error::Taken(Unique::OrganisationSlug) => OrganisationError::SlugTaken,
        other => OrganisationError::Store(other),
    })
}

/// Who came to administer a new organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// Somebody with an account, at once.
    Member(UserId),
    /// Whoever has the address, once they accept.
    Invited,
}

/// Makes whoever has this address the first administrator: at once if somebody has an account with it, otherwise by an
/// invitation.
pub async fn give_administrator(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    email: EmailAddress,
    language: Language,
    origin: &Origin,
) -> Result<First, InvitationError> {
    let [administrator, ..] = SHIPPED;
    let roles = vec![administrator.key.to_owned()];
    let sought = email.clone();
    match app.db.read(move |db| store::users::find_by_email(db, &sought)).await? {
        Some(user) => {
            let assignment = Assignment { user: user.id, workspace: None, roles };
            members::add(app, actor, organisation, assignment, origin).await?;
            Ok(First::Member(user.id))
        }
        None => {
            let guest = Guest { email, workspace: None, roles, language, lifetime: invitations::LONGEST };
            invitations::send(app, actor, organisation, guest, origin).await?;
            Ok(First::Invited)
        }
    }
}

/// Somebody who is signed in makes an organisation, and administers it: where that is allowed, and not too often.
pub async fn found(
    app: &App,
    user: UserId,
    slug: &str,
    name: &str,
    origin: &Origin,
) -> Result<Organisation, OrganisationError> {
    if !app.config.may_found_organizations() {
        return Err(OrganisationError::NotPermitted(NotPermitted));
    }
    let slug = Slug::parse(slug)?;
    let name = clean_name(name).ok_or(OrganisationError::BadName)?;
    let (scribe, limit) = (app.scribe(origin), app.config.limits.organizations_per_user);
    let bucket = Bucket::new("organisations of", &[user.as_bytes().as_slice()]);
    // Counted by itself, so that asking which short names are taken is counted too (OR-7).
    let (now, slip) = (scribe.now, origin.slip.clone());
    let counted = app.db.write(move |db| limits::reserve(db, &[(bucket, limit)], now, &slip)).await?;
    counted.map_err(OrganisationError::Throttled)?;
    let founded = app.db.write(move |db| {
        let created = insert(db, &slug, &name, Some(user), &scribe)?;
        administer(db, created.organisation.id, user, &scribe)?;
        Ok(created.organisation)
    });
    founded.await.map_err(|error| match error {
        store::Error::Taken(Unique::OrganisationSlug) => OrganisationError::SlugTaken,
        other => OrganisationError::Store(other),
    })
}

/// Makes a fresh organisation of which this user is the administrator, in the caller's transaction (OR-8: whoever
/// comes for the first time joins no existing one).
pub fn create_for(
    db: &mut Conn,
    user: UserId,
    user_name: &str,
    scribe: &Scribe,
) -> Result<(Created, MembershipId), store::Error> {
    let slug = Slug::from_name(user_name, &suffix(&scribe.random))
        .map_err(|error| store::Error::broken("a short name made from a name", error))?;
    let name = clean_name(user_name).unwrap_or_else(|| slug.to_string());
    let created = insert(db, &slug, &name, Some(user), scribe)?;
    let member = administer(db, created.organisation.id, user, scribe)?;
    Ok((created, member))
}

/// Makes this user the first administrator.
fn administer(
    db: &mut Conn,
    organisation: OrganisationId,
    user: UserId,
    scribe: &Scribe,
) -> Result<MembershipId, store::Error> {
    let [administrator, ..] = SHIPPED;
    let member = members::insert(db, organisation, user, scribe)?;
    memberships::set_roles(db, organisation, member, None, &[administrator.id()])?;
    let event = Event::success(AuditAction::MemberAdded)
        .user(user)
        .organisation(organisation)
        .detail("roles", vec![administrator.key]);
    scribe.write(db, event)?;
    Ok(member)
}

fn insert(
    db: &mut Conn,
    slug: &Slug,
    name: &str,
    user: Option<UserId>,
    scribe: &Scribe,
) -> Result<Created, store::Error> {
    let now = scribe.now;
    let organisation = Organisation {
        id: OrganisationId::new(now, &scribe.random),
        slug: slug.to_string(),
        name: name.to_owned(),
        status: Standing::Active,
        require_mfa: false,
        password_login_allowed: true,
        created_at: now,
        updated_at: now,
    };
    let workspace = default_workspace(organisation.id, now, &scribe.random);
    organisations::insert(db, &organisation)?;
    organisations::insert_workspace(db, &workspace)?;
    let event = Event::success(AuditAction::OrganisationCreated)
        .user(user)
        .organisation(organisation.id)
        .detail("slug", slug.as_str());
    scribe.write(db, event)?;
    Ok(Created { organisation, workspace })
}

fn default_workspace(organisation: OrganisationId, now: Timestamp, random: &Random) -> Workspace {
    Workspace {
        id: WorkspaceId::new(now, random),
        organisation_id: organisation,
        slug: "default".to_owned(),
        name: "Default".to_owned(),
        is_default: true,
        created_at: now,
    }
}

/// Eight letters and digits: enough that two people of one name never meet.
fn suffix(random: &Random) -> String {
    random.bytes::<4>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The organisation with this id or short name.
pub fn find(db: &mut Conn, which: &str) -> Result<Option<Organisation>, store::Error> {
    match which.parse::<OrganisationId>() {
        Ok(id) => organisations::find(db, id),
        Err(_) => organisations::find_by_slug(db, &fold(which)),
    }
}

/// Changes name and rules.
pub async fn change(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    change: Change,
    origin: &Origin,
) -> Result<Organisation, OrganisationError> {
    let scribe = app.scribe(origin);
    let name = match &change.name {
        Some(name) => Some(clean_name(name).ok_or(OrganisationError::BadName)?),
        None => None,
    };
    let outcome = app
        .db
        .write(move |db| settle(change_stored(db, actor, organisation, name.as_deref(), &change, &scribe)));
    outcome.await?
}

fn change_stored(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    name: Option<&str>,
    change: &Change,
    scribe: &Scribe,
) -> Result<Organisation, OrganisationError> {
    let Some(mut found) = organisations::lock(db, organisation, scribe.now)? else {
        return Err(OrganisationError::NoSuchOrganisation);
    };
    authority(db, actor, organisation, None, Permission::OrganisationWrite)??;
    if let Some(name) = name {
        name.clone_into(&mut found.name);
    }
    found.require_mfa = change.require_mfa.unwrap_or(found.require_mfa);
    found.password_login_allowed = change.password_login_allowed.unwrap_or(found.password_login_allowed);
    organisations::update(db, &found, scribe.now)?;
    let event = Event::success(AuditAction::OrganisationChanged)
        .actor(actor)
        .organisation(organisation)
        .detail("require_mfa", found.require_mfa)
        .detail("password_login_allowed", found.password_login_allowed);
    scribe.write(db, event)?;
    Ok(found)
}

/// Suspends the organisation: nobody acts in it, and no token is made for it, until it is resumed (OR-6).
pub async fn suspend(
    app: &App,
    organisation: OrganisationId,
    origin: &Origin,
) -> Result<(), OrganisationError> {
    set_status(app, organisation, Standing::Suspended, origin).await
}

/// Takes a suspension back.
pub async fn resume(
    app: &App,
    organisation: OrganisationId,
    origin: &Origin,
) -> Result<(), OrganisationError> {
    set_status(app, organisation, Standing::Active, origin).await
}

async fn set_status(
    app: &App,
    organisation: OrganisationId,
    status: Standing,
    origin: &Origin,
) -> Result<(), OrganisationError> {
    let scribe = app.scribe(origin);
    let action = match status {
        Standing::Active => AuditAction::OrganisationResumed,
        Standing::Suspended => AuditAction::OrganisationSuspended,
    };
    let changed = app.db.write(move |db| {
        let found = organisations::set_status(db, organisation, status, scribe.now)?;
        if found {
            if status == Standing::Suspended {
                store::grants::revoke_tokens_in(db, organisation, None, scribe.now)?;
                store::api_keys::revoke_tokens_in(db, organisation, None, scribe.now)?;
            }
            scribe.write(db, Event::success(action).organisation(organisation))?;
        }
        Ok(found)
    });
    if changed.await? { Ok(()) } else { Err(OrganisationError::NoSuchOrganisation) }
}
