//! Who asks to pass a proxy: on what ground, and whether that meets what the proxy demands.

use crate::app::App;
use crate::crypto::Secret;
use crate::grants::first_party::Machine;
use crate::grants::introspection::{self, Examined};
use crate::grants::registry;
use crate::identity::session::{self, SignedIn};
use crate::model::UserId;
use crate::protocol::demands::Demands;
use crate::protocol::targets::client_targets;
use crate::protocol::tokens::AccessClaims;
use crate::protocol::{ErrorCode, OAuthError};
use crate::store::grants::Grant;
use crate::store::organisations::Organisation;
use crate::store::users::{self, User};
use crate::store::{self, Conn, federation};
use crate::tenancy::admission::{self, Admission, Rules};
use crate::tenancy::membership::{self, ActiveMembership, Selection, Workspaces};

use super::{Denied, Identity};

/// Who asks to pass, and on what ground.
pub(super) struct Caller {
    pub identity: Identity,
    /// What the user may do in the organisation that the credential is about.
    active: Option<ActiveMembership>,
    organisation: Option<Organisation>,
    pub ground: Ground,
}

pub(super) enum Ground {
    Grant(Box<(AccessClaims, Grant)>),
    /// A client's own token.
    Client(Box<AccessClaims>),
    /// A key, or a token that it was exchanged for.
    Machine(Box<Machine>),
    Session(Box<SignedIn>),
}

impl Ground {
    /// If a token was presented, what it says.
    pub fn claims(&self) -> Option<&AccessClaims> {
        match self {
            Self::Grant(held) => Some(&held.0),
            Self::Client(claims) => Some(claims),
            Self::Machine(machine) => machine.claims(),
            Self::Session(_) => None,
        }
    }
}

impl Caller {
    fn of_user(user: &User, email: Option<String>, active: Option<ActiveMembership>, ground: Ground) -> Self {
        let claims = ground.claims();
        let identity = Identity {
            subject: user.id.to_string(),
            email,
            name: Some(user.name.clone()).filter(|name| !name.is_empty()),
            organisation: active.as_ref().map(|active| active.organisation().id),
            roles: active.iter().flat_map(|active| active.roles()).map(|role| role.key.clone()).collect(),
            scope: claims.map(|claims| claims.scope.clone()).unwrap_or_default(),
            client: claims.map(|claims| claims.client_id.clone()),
        };
        let organisation = active.as_ref().map(|active| active.organisation().clone());
        Self { identity, active, organisation, ground }
    }

    /// A machine has no roles: its scopes say what it may do.
    pub fn of_machine(machine: Machine) -> Self {
        let (key, organisation) = (machine.admitted().key(), machine.admitted().organisation().clone());
        let subject = key.machine_id.to_string();
        let identity = Identity {
            client: Some(machine.claims().map_or(&subject, |claims| &claims.client_id).clone()),
            subject,
            name: Some(key.name.clone()),
            organisation: Some(organisation.id),
            scope: machine.scope().clone(),
            ..Identity::default()
        };
        let organisation = Some(organisation);
        Self { identity, active: None, organisation, ground: Ground::Machine(Box::new(machine)) }
    }

    fn of_client(claims: AccessClaims) -> Self {
        let identity = Identity {
            subject: claims.sub.clone(),
            scope: claims.scope.clone(),
            client: Some(claims.client_id.clone()),
            ..Identity::default()
        };
        Self { identity, active: None, organisation: None, ground: Ground::Client(Box::new(claims)) }
    }

    /// Organisation, role and scopes. A role counts in the organisation that the credential is about, and nowhere else.
    pub fn meets(&self, demands: &Demands) -> Result<(), Denied> {
        if let Some(named) = &demands.organisation
            && !self.organisation.as_ref().is_some_and(|organisation| is_called(organisation, named))
        {
            return Err(Denied::Organisation);
        }
        if let Some(role) = &demands.role
            && !self.active.as_ref().is_some_and(|active| active.has_role_at_least(role))
        {
            return Err(Denied::Role);
        }
        if !demands.scope.is_subset_of(&self.identity.scope) {
            return Err(Denied::Scope);
        }
        Ok(())
    }

    /// A token that was made for another API is not good here, wherever its bearer got it: it names the audience, or the
    /// demanded scope, which is that of the API. Where neither is said it must be for us.
    pub async fn is_for(&self, app: &App, demands: &Demands) -> Result<(), Denied> {
        let issuer = app.config.issuer.as_str();
        match (&self.ground, self.ground.claims(), demands.audience.as_deref()) {
            (_, Some(claims), Some(audience)) if claims.aud.contains(audience) => Ok(()),
            (_, Some(_), Some(_)) => Err(Denied::Invalid),
            (_, Some(claims), None) if !demands.scope.is_empty() || claims.aud.contains(issuer) => Ok(()),
            (_, Some(_), None) => Err(Denied::Invalid),
            // A product's login API takes every key.
            (Ground::Machine(_), None, Some(audience)) if app.dialects.serves(audience) => Ok(()),
            (Ground::Machine(machine), None, Some(audience)) => {
                let known = app.resources().await?;
                let asked = [audience.to_owned()];
                // As where it is exchanged: a key is for the APIs of which it holds a scope.
                client_targets(machine.scope(), &asked, &registry(app, &known)).map_err(no_target)?;
                Ok(())
            }
            (_, None, _) => Ok(()),
        }
    }
}

fn no_target(error: OAuthError) -> Denied {
    match error.code {
        ErrorCode::InvalidTarget => Denied::Scope,
        _ => Denied::Failed(error.into()),
    }
}

fn is_called(organisation: &Organisation, named: &str) -> bool {
    named == organisation.id.to_string() || named.eq_ignore_ascii_case(&organisation.slug)
}

pub(super) async fn of_token(app: &App, token: &Secret, demands: &Demands) -> Result<Caller, Denied> {
    let live = match introspection::examine(app, token).await? {
        Examined::Live(live) => *live,
        Examined::Expired => return Err(Denied::Expired),
        Examined::Invalid => return Err(Denied::Invalid),
    };
    if let Some(admitted) = live.of_key {
        return Ok(Caller::of_machine(Machine::of_token(admitted, live.claims)));
    }
    let Some((user, grant)) = live.of_user else { return Ok(Caller::of_client(live.claims)) };
    let (id, mode) = (user.id, Workspaces::of(&app.config));
    // Roles in the one workspace that a product's token is for count as well.
    let wanted = live.claims.workspace.zip(grant.organisation_id).map(|(workspace, organisation)| {
        Selection { organisation: Some(organisation.to_string()), workspace: Some(workspace.to_string()) }
    });
    let found = app.db.read(move |db| {
        let narrowed = match &wanted {
            Some(wanted) => Some(membership::select(db, id, wanted, mode)?),
            None => None,
        };
        Ok((narrowed, proven_email(db, id)?))
    });
    let (narrowed, email) = found.await?;
    let active = match narrowed {
        Some(narrowed) => Some(narrowed.map_err(|_| Denied::Invalid)?),
        None => live.membership,
    };
    // A product's token that is for no organisation cannot be turned to one by the proxy.
    if demands.organisation.is_some() && active.is_none() {
        return Err(Denied::Organisation);
    }
    Ok(Caller::of_user(&user, email, active, Ground::Grant(Box::new((live.claims, grant)))))
}

fn proven_email(db: &mut Conn, user: UserId) -> Result<Option<String>, store::Error> {
    let email = users::primary_email(db, user)?;
    Ok(email.filter(|email| email.verified_at.is_some()).map(|email| email.address))
}

/// The account that the browser uses at the moment, in the organisation that is demanded, or else in the one that vouches
/// for the session, or in the one that the person joined first.
pub(super) async fn of_browser(app: &App, secrets: &[Secret], demands: &Demands) -> Result<Caller, Denied> {
    let Some(current) = session::resume(app, secrets).await?.into_iter().next() else {
        return Err(Denied::Missing);
    };
    let (signed_in, named, now) = (current.clone(), demands.organisation.clone(), app.clock.now());
    let (rules, mode) = (Rules::of(&app.config), Workspaces::of(&app.config));
    let needs_one = named.is_some() || demands.role.is_some();
    let found = app.db.read(move |db| {
        let session = &signed_in.session;
        let email = proven_email(db, signed_in.user.id)?;
        let organisation = match &named {
            Some(named) => Some(named.clone()),
            None => federation::organisation_of_session(db, session.id)?.map(|id| id.to_string()),
        };
        let wanted = Selection { organisation, workspace: None };
        let active = membership::select(db, session.user_id, &wanted, mode)?.ok();
        let place = active.map(|active| active.organisation().id);
        let proven = &signed_in.methods;
        let admitted = match admission::admit_session(db, session, proven, place, rules, now)? {
            // Where no organisation matters, one that would not have this session is left aside.
            Err(_) if place.is_some() && !needs_one => {
                admission::admit_session(db, session, proven, None, rules, now)?
            }
            admitted => admitted,
        };
        Ok(admitted.map(|admission| (admission, email)))
    });
    let (admission, email): (Admission, _) = found.await?.map_err(Denied::from)?;
    let active = admission.membership().cloned();
    Ok(Caller::of_user(admission.user(), email, active, Ground::Session(Box::new(current))))
}
