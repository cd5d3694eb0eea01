//! Who calls a product's API: a person with a token of it, or a machine with a token that its API key was exchanged
//! for. Who presents the key itself is found by [`crate::tenancy::api_keys::present`].

use crate::app::App;
use crate::audit::Origin;
use crate::crypto::Secret;
use crate::grants::introspection::{self, Examined, LiveAccessToken};
use crate::grants::issue::{FRESH, take_place};
use crate::grants::token_exchange;
use crate::model::explanation::{Explanation, Rule};
use crate::protocol::scope::ScopeSet;
use crate::protocol::targets::Target;
use crate::protocol::tokens::AccessClaims;
use crate::store::grants;
use crate::tenancy::admission::{self, KeyAdmission};
use crate::tenancy::membership::{self, Selection, Workspaces};

use super::settle::{Allowed, Context};
use super::{Claims, Denied, Detail, Fresh, Issued, Product, Subject, sign};

/// Who is calling.
#[derive(Clone, Debug)]
pub enum Caller {
    Person(Box<(LiveAccessToken, Subject)>),
    Machine(Box<Machine>),
}

/// A machine, by its key or by a token of it.
#[derive(Clone, Debug)]
pub struct Machine {
    admitted: KeyAdmission,
    scope: ScopeSet,
    /// What the token says, if it is one.
    claims: Option<AccessClaims>,
}

impl Machine {
    pub fn of_key(admitted: KeyAdmission) -> Self {
        Self { scope: admitted.scopes().clone(), admitted, claims: None }
    }

    /// What the token was made for, as far as the key allows it still.
    pub fn of_token(admitted: KeyAdmission, claims: AccessClaims) -> Self {
        let scope = claims.scope.filtered(|scope| admitted.scopes().contains(scope));
        Self { admitted, scope, claims: Some(claims) }
    }

    pub fn admitted(&self) -> &KeyAdmission {
        &self.admitted
    }

    /// What it may do now.
    pub fn scope(&self) -> &ScopeSet {
        &self.scope
    }

    pub fn claims(&self) -> Option<&AccessClaims> {
        self.claims.as_ref()
    }
}

/// Who calls with this access token: it is live, and for this product.
pub async fn anyone(app: &App, product: &Product, token: &Secret, origin: &Origin) -> Result<Caller, Denied> {
    let found = look(app, product, token, origin).await;
    if let (Err(Denied::Expired | Denied::Invalid), false) = (&found, origin.slip.is_refused()) {
        origin.slip.refuse(introspection::doubt(app, token, &origin.slip));
    }
    found
}

async fn look(app: &App, product: &Product, token: &Secret, origin: &Origin) -> Result<Caller, Denied> {
    let mut live = match introspection::examine(app, token).await? {
        Examined::Live(live) => *live,
        Examined::Expired => return Err(Denied::Expired),
        Examined::Invalid => return Err(Denied::Invalid),
    };
    if !live.claims.aud.contains(&product.audience) {
        let told = Explanation::of(Rule::TokenAudience).with("for", &live.claims.aud);
        origin.slip.refuse(told.with("needed", &product.audience));
        return Err(Denied::Invalid);
    }
    if let Some(admitted) = live.of_key.take() {
        return Ok(Caller::Machine(Box::new(Machine::of_token(admitted, live.claims))));
    }
    let Some((user, grant)) = live.of_user.clone() else { return Err(Denied::Invalid) };
    let context = Context::of(app, &Origin::system());
    let subject = app.db.read(move |db| {
        let detail = Detail::parse(&grant.detail)?;
        context.subject_of_grant(db, &user, &grant, &detail)
    });
    let subject = subject.await?.ok_or(Denied::Invalid)?;
    Ok(Caller::Person(Box::new((live, subject))))
}

/// The same where only a person will do, and one who came here: what stands behind a proxy was given a token to know them
/// by, not to act for them.
pub async fn caller(
    app: &App,
    product: &Product,
    token: &Secret,
    origin: &Origin,
) -> Result<(LiveAccessToken, Subject), Denied> {
    match anyone(app, product, token, origin).await? {
        Caller::Person(person) if !person.0.claims.passed_on => Ok(*person),
        Caller::Person(_) | Caller::Machine(_) => {
            let told = "a person's own token is needed, not one that was passed on or one of a machine";
            origin.slip.refuse(Explanation::of(Rule::TokenAudience).with("reason", told));
            Err(Denied::Invalid)
        }
    }
}

/// A fresh access token for whoever was just found to be the caller, for whatever stands behind a proxy. It lives for a
/// minute, and never longer than the token that was presented.
pub async fn again(
    app: &App,
    product: &Product,
    caller: &Caller,
    claims: Claims<'_>,
    origin: &Origin,
) -> Result<Fresh, Denied> {
    match caller {
        Caller::Person(person) => of_person(app, product, person, claims).await,
        Caller::Machine(machine) => of_machine(app, product, machine, origin).await,
    }
}

async fn of_person(
    app: &App,
    product: &Product,
    (live, subject): &(LiveAccessToken, Subject),
    claims: Claims<'_>,
) -> Result<Fresh, Denied> {
    let Some((_, grant)) = live.of_user.clone() else { return Err(Denied::Invalid) };
    let context = Context::of(app, &Origin::system());
    let now = context.scribe.now;
    let product = product.lasting(FRESH.min(live.claims.exp.since(now)));
    let (target, subject) = (product.target(), subject.clone());
    let allowed = app.db.write(move |db| {
        if !grants::hold(db, grant.id)? {
            return Ok(None);
        }
        let detail = Detail::parse(&grant.detail)?;
        let Ok(admission) = admission::admit_holder(db, &grant, context.rules, now)? else { return Ok(None) };
        let place = take_place(db, &grant, &target, context.usual, &context.scribe)?;
        let (grant, subject) = (grant.clone(), subject.clone());
        Ok(Some(Allowed { admission, place, grant, detail, subject, refresh: None }))
    });
    let allowed = allowed.await?.ok_or(Denied::Invalid)?;
    let Issued { access, issued_at, expires_at, .. } = sign(app, &product, allowed, claims, now, true)?;
    Ok(Fresh { token: access, issued_at, expires_at })
}

async fn of_machine(
    app: &App,
    product: &Product,
    machine: &Machine,
    origin: &Origin,
) -> Result<Fresh, Denied> {
    let now = app.clock.now();
    let left = machine.claims.as_ref().map_or(FRESH, |claims| claims.exp.since(now).min(FRESH));
    let target = Target { scope: machine.scope.clone(), ..product.lasting(left).target() };
    let made = token_exchange::token_of_key(app, &machine.admitted, &target, origin).await?;
    made.ok_or(Denied::Invalid)
}

/// The same caller in the organisation or the workspace that a header names. It only chooses among what the token is
/// for (OR-1, AR-5).
pub async fn narrow(
    app: &App,
    subject: Subject,
    wanted: Selection,
) -> Result<Result<Subject, Elsewhere>, Denied> {
    if wanted == Selection::default() {
        return Ok(Ok(subject));
    }
    let (user, mode) = (subject.user.id, Workspaces::of(&app.config));
    let bound = subject.active.as_ref().map(|active| active.organisation().id);
    let named_workspace = wanted.workspace.is_some();
    let found = app.db.read(move |db| {
        let here = wanted.organisation.clone().or_else(|| bound.map(|bound| bound.to_string()));
        let here = Selection { organisation: here, workspace: wanted.workspace.clone() };
        match membership::select(db, user, &here, mode)? {
            Ok(found) => Ok(Ok(found)),
            // A workspace of another organisation of theirs.
            Err(_) => membership::select(db, user, &wanted, mode),
        }
    });
    let found = found.await?;
    let found = found.map_err(|_| Denied::NotAMember)?;
    let held = subject.active.as_ref().and_then(|active| active.workspace()).map(|held| held.id);
    let meant = found.workspace().map(|meant| meant.id);
    if bound != Some(found.organisation().id) || (named_workspace && held.is_some() && held != meant) {
        return Ok(Err(Elsewhere));
    }
    let active = if named_workspace { Some(found) } else { subject.active.clone() };
    Ok(Ok(Subject { active, ..subject }))
}

/// The caller belongs there, and the token is for another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere;
