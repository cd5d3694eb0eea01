//! Who may enter the console, and how far (AD-2, AD-3). The one place where that is decided: every route of the console
//! says what it [needs](Need), and is reached with the [`Entered`] that only [`enter`] makes.
//!
//! An administrator of the instance sees and changes everything, support sees everything, an administrator of an
//! organisation sees and changes that organisation. A visit needs a proof of its own, not older than five minutes when it
//! begins, lasts while it is used, and on a public issuer rests on two factors. What destroys asks for a new proof.

use std::time::Duration;

use super::actor::Actor;
use super::membership;
use crate::app::App;
use crate::audit::{By, Event, Origin};
use crate::identity::reauthentication::{self, Due};
use crate::identity::session::SignedIn;
use crate::model::{AuditAction, InstanceRole, Permission};
use crate::protocol::acr::{Acr, acr_for};
use crate::store::organisations::Organisation;
use crate::store::{self, Conn, console};

/// A visit that nobody uses is over after this.
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// Use is noted once in this time, not at each request.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    See,
    Change,
    /// What cannot be taken back: wants a proof of just now (SE-7).
    Destroy,
}

/// What a route is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// What everybody who may enter sees.
    Front,
    /// The instance, with everybody and everything in it.
    Instance,
    /// The organisation that the path names.
    Organisation,
    /// The same, as a matter of the instance: an organisation does not suspend itself.
    Tenant,
}

/// What a route needs of whoever calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    pub act: Act,
    pub area: Area,
}

/// Somebody who was let in for one request.
#[derive(Clone, Debug)]
pub struct Entered {
    account: SignedIn,
    role: Option<InstanceRole>,
    /// The organisation that the request is about.
    organisation: Option<Organisation>,
    /// The ones that they administer, in order of foundation.
    administered: Vec<Organisation>,
    need: Need,
    /// Whether the organisation that the request is about wants two factors (MF-5).
    demands_mfa: bool,
}

/// Why somebody was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Something has to be proven first. Whoever has no second factor yet is led to getting one (AD-2).
    Due(Due),
    /// Nothing here is for them. An organisation that does not exist is no other answer (OR-1).
    NotForThem,
    /// They may look, and not change.
    LooksOnly,
}

impl Entered {
    pub fn account(&self) -> &SignedIn {
        &self.account
    }

    /// `None` for an organisation's administrator.
    pub fn instance_role(&self) -> Option<InstanceRole> {
        self.role
    }

    /// Whether they may change the instance.
    pub fn runs_instance(&self) -> bool {
        self.role == Some(InstanceRole::Administrator)
    }

    /// Whether they may change what this request is about.
    pub fn may_change(&self) -> bool {
        match (&self.organisation, self.role) {
            (_, Some(InstanceRole::Administrator)) => true,
            _ if self.need.area == Area::Tenant => false,
            (Some(of), _) => self.administered.iter().any(|own| own.id == of.id),
            (None, _) => false,
        }
    }

    pub fn administered(&self) -> &[Organisation] {
        &self.administered
    }

    /// The organisation that the path names; the route said that there is one.
    pub fn organisation(&self) -> &Organisation {
        self.organisation.as_ref().expect("only routes of `Area::Organisation` ask")
    }

    /// On whose behalf things are changed.
    pub fn actor(&self) -> Actor {
        let user = self.account.user.id;
        if self.runs_instance() { Actor::Administrator(user) } else { Actor::Member(user) }
    }

    /// Where the request came from, and who made it.
    pub fn origin(&self, origin: &Origin) -> Origin {
        Origin { by: By::from(self.account.user.id), ..origin.clone() }
    }

    pub fn need(&self) -> Need {
        self.need
    }
}

/// Whether there is anything for this account in the console.
pub async fn is_open_to(app: &App, account: &SignedIn) -> Result<bool, store::Error> {
    let (account, need) = (account.clone(), Need { act: Act::See, area: Area::Front });
    Ok(app.db.read(move |db| standing(db, &account, need, None)).await?.is_ok())
}

/// Lets somebody in for a request that needs this; `organisation` is what the path says, an id or a slug.
pub async fn enter(
    app: &App,
    account: SignedIn,
    need: Need,
    organisation: Option<&str>,
    origin: &Origin,
) -> Result<Result<Entered, Refusal>, store::Error> {
    let (of, known, session) = (organisation.map(str::to_owned), account.clone(), account.session.id);
    let read =
        app.db.read(move |db| Ok((standing(db, &known, need, of.as_deref())?, console::visit(db, session)?)));
    let (found, visit) = read.await?;
    let entered = match found {
        Ok(entered) => entered,
        Err(refusal) => {
            note_refusal(app, &account, need, organisation, origin).await?;
            return Ok(Err(refusal));
        }
    };
    let two_are_needed = !app.config.issuer.is_loopback() || entered.demands_mfa;
    let due = reauthentication::due(app, &account).await?;
    if two_are_needed && acr_for(&account.methods) < Acr::TwoFactors {
        // Whoever has no factor yet gets one after a sign-in of just now, and not before (SE-7).
        return Ok(Err(Refusal::Due(due.unwrap_or(Due::Factor))));
    }
    let now = app.clock.now();
    match visit.filter(|visit| now < visit.seen_at.plus(IDLE)) {
        Some(visit) => {
            if need.act == Act::Destroy
                && let Some(due) = due
            {
                return Ok(Err(Refusal::Due(due)));
            }
            if visit.seen_at < now.minus(TOUCH_EVERY) {
                app.db.write(move |db| console::touch(db, session, now)).await?;
            }
        }
        None => {
            if let Some(due) = due {
                return Ok(Err(Refusal::Due(due)));
            }
            let (user, scribe) = (account.user.id, app.scribe(origin));
            app.db
                .write(move |db| {
                    console::open(db, session, now)?;
                    scribe.write(db, Event::success(AuditAction::ConsoleOpened).user(user).session(session))
                })
                .await?;
        }
    }
    Ok(Ok(entered))
}

fn standing(
    db: &mut Conn,
    account: &SignedIn,
    need: Need,
    organisation: Option<&str>,
) -> Result<Result<Entered, Refusal>, store::Error> {
    let memberships = membership::of_user(db, account.user.id)?;
    // An organisation's own provider vouches for that organisation alone (FE-4).
    let voucher = store::federation::organisation_of_session(db, account.session.id)?;
    let administers = |membership: &&membership::Membership| {
        membership.permissions.contains(Permission::OrganisationWrite.as_str())
            && voucher.is_none_or(|only| only == membership.organisation.id)
    };
    let administered: Vec<Organisation> =
        memberships.iter().filter(administers).map(|membership| membership.organisation.clone()).collect();
    let found = match organisation {
        Some(which) => super::organisations::find(db, which)?,
        None => None,
    };
    let role = account.user.instance_role.filter(|_| voucher.is_none());
    let of_this = |membership: &&membership::Membership| {
        found.as_ref().is_some_and(|found| found.id == membership.organisation.id)
    };
    let demands_mfa = role.is_none() && memberships.iter().find(of_this).is_some_and(|own| own.demands_mfa());
    let entered =
        Entered { account: account.clone(), role, organisation: found, administered, need, demands_mfa };
    let may_see = match need.area {
        Area::Front => role.is_some() || !entered.administered.is_empty(),
        Area::Instance => role.is_some(),
        Area::Tenant => role.is_some() && entered.organisation.is_some(),
        Area::Organisation => entered
            .organisation
            .as_ref()
            .is_some_and(|of| role.is_some() || entered.administered.iter().any(|own| own.id == of.id)),
    };
    if !may_see {
        return Ok(Err(Refusal::NotForThem));
    }
    if need.act != Act::See && !entered.may_change() {
        return Ok(Err(Refusal::LooksOnly));
    }
    Ok(Ok(entered))
}

async fn note_refusal(
    app: &App,
    account: &SignedIn,
    need: Need,
    organisation: Option<&str>,
    origin: &Origin,
) -> Result<(), store::Error> {
    let event = Event::denied(AuditAction::ConsoleRefused)
        .user(account.user.id)
        .session(account.session.id)
        .detail("act", format!("{:?}", need.act).to_lowercase())
        .detail("area", format!("{:?}", need.area).to_lowercase());
    let event = match organisation {
        Some(of) => event.detail("asked", of.chars().take(64).collect::<String>()),
        None => event,
    };
    let scribe = app.scribe(origin);
    app.db.write(move |db| scribe.write(db, event.clone())).await
}
