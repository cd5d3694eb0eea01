//! May this request pass to what stands behind a proxy? What `/forward-auth` asks.
//!
//! One credential is looked at: an access token, an API key, or the session of a browser. What it is worth is read from
//! the database at each request, so that whatever ends it ends it here at once. If the proxy asks for it, what stands
//! behind gets a token of its own: short, for it alone, and gone with the credential that it was made for.

use std::time::Duration;

use crate::app::App;
use crate::audit::Origin;
use crate::clock::Timestamp;
use crate::crypto::Secret;
use crate::identity::session::{self, SignedIn};
use crate::model::{GrantId, GrantType, OrganisationId, Place, UserId};
use crate::protocol::acr::acr_for;
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::demands::Demands;
use crate::protocol::scope::{self, ScopeSet};
use crate::protocol::targets::{Target, client_targets};
use crate::protocol::tokens::AccessClaims;
use crate::protocol::{ErrorCode, OAuthError};
use crate::store::grants::{self, Grant};
use crate::store::organisations::Organisation;
use crate::store::users::{self, User};
use crate::store::{self, Conn, federation, sessions};
use crate::tenancy::admission::{self, Acting, Admission, KeyAdmission, Rules};
use crate::tenancy::api_keys::present::{self, KeyRefused};
use crate::tenancy::membership::{self, ActiveMembership, Selection, Workspaces};

use super::introspection::{self, Examined};
use super::issue::{self, Issuing, KeyIssuing};
use super::{Detail, Failure, registry, token_exchange};

/// How long a token for what stands behind the proxy lives: it is used at once.
const FRESH: Duration = Duration::from_secs(60);

/// What the request brings.
#[derive(Clone, Debug)]
pub enum Presented {
    Token(Secret),
    Key(Secret),
    /// What may be sessions of the browser, the current one first.
    Browser(Vec<Secret>),
}

/// Whoever is let through, in the words of the headers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    /// The user's id, or the machine's.
    pub subject: String,
    /// Only one that was proven.
    pub email: Option<String>,
    pub name: Option<String>,
    pub organisation: Option<OrganisationId>,
    /// The highest first.
    pub roles: Vec<String>,
    pub scope: ScopeSet,
    pub client: Option<String>,
}

/// The request may pass.
#[derive(Clone, Debug)]
pub struct Passed {
    pub identity: Identity,
    /// For what stands behind the proxy.
    pub token: Option<Secret>,
}

/// Why it may not.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    #[error("no credential that is good")]
    Missing,
    #[error("the credential is not valid")]
    Invalid,
    #[error("the access token has expired")]
    Expired,
    #[error("the credential is not for this organisation")]
    Organisation,
    #[error("a role is missing")]
    Role,
    #[error("a scope is missing")]
    Scope,
    #[error("a second factor is demanded and was not shown")]
    Factor,
    /// The proxy asks for what cannot be.
    #[error("{0}")]
    Demands(&'static str),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<store::Error> for Denied {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<KeyRefused> for Denied {
    fn from(refused: KeyRefused) -> Self {
        match refused {
            KeyRefused::Invalid => Self::Invalid,
            KeyRefused::Throttled(retry_after) => Self::Failed(Failure::Throttled(retry_after)),
            KeyRefused::Store(error) => error.into(),
        }
    }
}

impl From<admission::Refusal> for Denied {
    fn from(refusal: admission::Refusal) -> Self {
        use admission::Refusal;
        match refusal {
            Refusal::NotAMember | Refusal::OrganisationMissing => Self::Organisation,
            Refusal::FactorMissing => Self::Factor,
            Refusal::ClientDisabled | Refusal::GrantType | Refusal::PublicClient => {
                Self::Demands("client names none that may act for users")
            }
            _ => Self::Invalid,
        }
    }
}

/// Looks at the credential, and at what the proxy demands of it.
pub async fn examine(
    app: &App,
    presented: Presented,
    demands: &Demands,
    origin: &Origin,
) -> Result<Passed, Denied> {
    let caller = match presented {
        Presented::Token(token) => of_token(app, &token, demands).await?,
        Presented::Key(key) => {
            let admitted = present::authenticate(app, &key, origin).await?;
            Caller::of_key(admitted, None)
        }
        Presented::Browser(secrets) => of_browser(app, &secrets, demands).await?,
    };
    caller.meets(demands)?;
    caller.is_for(app, demands).await?;
    let token = match (&demands.audience, demands.token) {
        (Some(audience), true) => Some(fresh(app, &caller, audience, demands, origin).await?),
        _ => None,
    };
    Ok(Passed { identity: caller.identity, token })
}

/// Who asks to pass, and on what ground.
struct Caller {
    identity: Identity,
    /// What the user may do in the organisation that the credential is about.
    active: Option<ActiveMembership>,
    organisation: Option<Organisation>,
    ground: Ground,
}

enum Ground {
    Grant(Box<(AccessClaims, Grant)>),
    /// A client's own token.
    Client(Box<AccessClaims>),
    /// A key, or a token that it was exchanged for.
    Key(Box<(KeyAdmission, Option<AccessClaims>)>),
    Session(Box<SignedIn>),
}

impl Ground {
    /// If a token was presented, what it says.
    fn claims(&self) -> Option<&AccessClaims> {
        match self {
            Self::Grant(held) => Some(&held.0),
            Self::Client(claims) => Some(claims),
            Self::Key(held) => held.1.as_ref(),
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
    fn of_key(admitted: KeyAdmission, claims: Option<AccessClaims>) -> Self {
        let machine = admitted.key().machine_id.to_string();
        let identity = Identity {
            client: Some(claims.as_ref().map_or(&machine, |claims| &claims.client_id).clone()),
            subject: machine,
            name: Some(admitted.key().name.clone()),
            organisation: Some(admitted.organisation().id),
            scope: claims.as_ref().map_or(admitted.scopes(), |claims| &claims.scope).clone(),
            ..Identity::default()
        };
        let organisation = Some(admitted.organisation().clone());
        Self { identity, active: None, organisation, ground: Ground::Key(Box::new((admitted, claims))) }
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
    fn meets(&self, demands: &Demands) -> Result<(), Denied> {
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
    async fn is_for(&self, app: &App, demands: &Demands) -> Result<(), Denied> {
        let issuer = app.config.issuer.as_str();
        match (&self.ground, self.ground.claims(), demands.audience.as_deref()) {
            (_, Some(claims), Some(audience)) if claims.aud.contains(audience) => Ok(()),
            (_, Some(_), Some(_)) => Err(Denied::Invalid),
            (_, Some(claims), None) if !demands.scope.is_empty() || claims.aud.contains(issuer) => Ok(()),
            (_, Some(_), None) => Err(Denied::Invalid),
            (Ground::Key(held), None, Some(audience)) => {
                let known = app.resources().await?;
                let asked = [audience.to_owned()];
                // As where it is exchanged: a key is for the APIs of which it holds a scope.
                client_targets(held.0.scopes(), &asked, &registry(app, &known)).map_err(no_target)?;
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

async fn of_token(app: &App, token: &Secret, demands: &Demands) -> Result<Caller, Denied> {
    let live = match introspection::examine(app, token).await? {
        Examined::Live(live) => *live,
        Examined::Expired => return Err(Denied::Expired),
        Examined::Invalid => return Err(Denied::Invalid),
    };
    if let Some(admitted) = live.of_key {
        return Ok(Caller::of_key(admitted, Some(live.claims)));
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
async fn of_browser(app: &App, secrets: &[Secret], demands: &Demands) -> Result<Caller, Denied> {
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

/// A token for the audience, for as much of the scopes as concerns it.
async fn fresh(
    app: &App,
    caller: &Caller,
    audience: &str,
    demands: &Demands,
    origin: &Origin,
) -> Result<Secret, Denied> {
    let known = app.resources().await?;
    let registry = registry(app, &known);
    let resource = registry.find(audience);
    let now = app.clock.now();
    let left = caller.ground.claims().map_or(FRESH, |claims| claims.exp.since(now));
    let usual = resource.and_then(|resource| resource.access_ttl).unwrap_or(FRESH);
    let concerns = |scope: &str| match resource {
        Some(resource) => resource.scopes.contains_key(scope),
        None => audience == app.config.issuer.as_str() && scope::is_standard(scope),
    };
    let target = Target {
        audience: vec![audience.to_owned()],
        scope: caller.identity.scope.filtered(concerns),
        access_ttl: Some(FRESH.min(usual).min(left)),
    };
    let text = match &caller.ground {
        Ground::Grant(held) => of_grant(app, &held.0, held.1.clone(), target, origin).await?,
        Ground::Client(claims) => {
            let client = app.client(&claims.client_id).await?.ok_or(Denied::Invalid)?;
            let admitted = admission::admit_client(&client)?;
            issue::client_access_token(app, &client, admitted, &target, now)?.text
        }
        Ground::Key(held) => {
            // Scopes that no API calls its own are the organisation's permissions and go along.
            let everywhere = caller.identity.scope.filtered(|scope| !registry.knows_scope(scope));
            let target = Target { scope: target.scope.union(&everywhere), ..target };
            of_key(app, &held.0, target, now, origin).await?
        }
        Ground::Session(_) if resource.is_none() => {
            return Err(Denied::Demands("audience is no API that is registered"));
        }
        Ground::Session(signed_in) => {
            let place = caller.identity.organisation;
            of_session(app, signed_in, place, demands.client.as_deref(), target, origin).await?
        }
    };
    app.metrics.token_issued(GrantType::TokenExchange);
    Ok(Secret::from_text(text))
}

/// What a transaction has allowed.
type Allowed = (Admission, Grant, Detail, Place);

async fn of_grant(
    app: &App,
    claims: &AccessClaims,
    grant: Grant,
    target: Target,
    origin: &Origin,
) -> Result<String, Denied> {
    let client = app.client(&claims.client_id).await?.ok_or(Denied::Invalid)?;
    let (rules, usual, scribe) = (Rules::of(&app.config), app.config.lifetimes.access, app.scribe(origin));
    let (now, meant) = (scribe.now, target.clone());
    let allowed = app.db.write(move |db| {
        if !grants::hold(db, grant.id)? {
            return Ok(None);
        }
        let Ok(admission) = admission::admit_holder(db, &grant, rules, now)? else { return Ok(None) };
        let place = issue::take_place(db, &grant, &meant, usual, &scribe)?;
        let detail = Detail::parse(&grant.detail)?;
        Ok(Some((admission, grant.clone(), detail, place)))
    });
    sign(app, &client, &allowed.await?.ok_or(Denied::Invalid)?, &target, now)
}

fn sign(
    app: &App,
    client: &crate::model::Client,
    allowed: &Allowed,
    target: &Target,
    now: Timestamp,
) -> Result<String, Denied> {
    let (admission, grant, detail, place) = allowed;
    let issuing = Issuing { client, place: *place, admission, grant, detail, target, now };
    Ok(issue::user_access_token(app, &issuing)?.text)
}

async fn of_key(
    app: &App,
    admitted: &KeyAdmission,
    target: Target,
    now: Timestamp,
    origin: &Origin,
) -> Result<String, Denied> {
    let expires_at = token_exchange::expiry(app, admitted, &target, now);
    let (key, scribe) = (admitted.key().clone(), app.scribe(origin));
    let taken =
        app.db.write(move |db| token_exchange::take_place(db, key.clone(), expires_at, &scribe)).await?;
    let place = taken.map_err(|_| Denied::Invalid)?;
    let issuing = KeyIssuing { admitted, client_id: None, place, target: &target, expires_at, now };
    Ok(issue::key_access_token(app, &issuing)?.text)
}

/// A browser's session holds no grant. It gets one of the client that the proxy's configuration names, for as long as the
/// session lasts, which its later requests find again.
async fn of_session(
    app: &App,
    signed_in: &SignedIn,
    organisation: Option<OrganisationId>,
    client: Option<&str>,
    target: Target,
    origin: &Origin,
) -> Result<String, Denied> {
    let Some(named) = client else {
        return Err(Denied::Demands("for a browser's session token needs client: whom it is made for"));
    };
    let client = app.client(named).await?.filter(|client| client.first_party);
    let client =
        client.ok_or(Denied::Demands("client names no application of whoever runs this instance"))?;
    let (rules, usual, scribe) = (Rules::of(&app.config), app.config.lifetimes.access, app.scribe(origin));
    let (id, acts, meant, now) = (signed_in.session.id, client.clone(), target.clone(), scribe.now);
    let allowed = app.db.write(move |db| {
        // Held, so that who ends it at this moment waits and then knows of the grant.
        let held = sessions::hold(db, id)?;
        let Some(session) = sessions::find(db, id)?.filter(|_| held) else {
            return Ok(Err(admission::Refusal::SessionEnded));
        };
        let proven = sessions::methods(db, id)?;
        let acting = Acting { client: &acts, proven: &proven, organisation, rules };
        let admission = match admission::admit_authorization(db, &session, acting, now)? {
            Ok(admission) => admission,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let detail = Detail {
            scope: ScopeSet::default(),
            resources: meant.audience.clone(),
            claims: ClaimsRequest::default(),
            nonce: None,
            acr: acr_for(&proven).as_str().to_owned(),
            methods: proven,
            workspace: None,
        };
        let wanted = Grant {
            id: GrantId::new(now, &scribe.random),
            user_id: session.user_id,
            client_id: acts.key,
            session_id: Some(id),
            organisation_id: organisation,
            offline: false,
            detail: detail.to_json(),
            auth_time: session.auth_time,
            created_at: now,
            expires_at: session.expires_at,
            revoked_at: None,
        };
        let grant = found_or_made(db, wanted, now)?;
        if !grants::hold(db, grant.id)? {
            return Ok(Err(admission::Refusal::GrantRevoked));
        }
        let place = issue::take_place(db, &grant, &meant, usual, &scribe)?;
        Ok(Ok((admission, grant, detail, place)))
    });
    sign(app, &client, &allowed.await??, &target, now)
}

/// The grant that says the same already, if there is one.
fn found_or_made(db: &mut Conn, wanted: Grant, now: Timestamp) -> Result<Grant, store::Error> {
    let is_same = |grant: &Grant| {
        grant.client_id == wanted.client_id
            && grant.session_id == wanted.session_id
            && grant.organisation_id == wanted.organisation_id
            && grant.auth_time == wanted.auth_time
            && grant.expires_at == wanted.expires_at
            && grant.detail == wanted.detail
    };
    let live = grants::live_of_user(db, wanted.user_id, now)?;
    match live.into_iter().find(is_same) {
        Some(grant) => Ok(grant),
        None => {
            grants::insert(db, &wanted)?;
            Ok(wanted)
        }
    }
}
