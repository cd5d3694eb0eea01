//! Tokens for the clients of a product's own login API (LG-1).
//!
//! Whoever signed in by it gets ordinary tokens: signed as all are, of a session and of a grant that are stored, so
//! that signing out, revoking and introspecting know them. What they are for is one organisation, chosen once for the
//! life of the grant (TE-6). How they are worded is the caller's.

mod caller;
mod settle;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::app::App;
use crate::audit::{Event, Origin};
use crate::clock::Timestamp;
use crate::crypto::Secret;
use crate::identity::session::{self, Begun};
use crate::identity::sign_in::{self, Attempt, SignInError};
use crate::model::explanation::{Explanation, Rule};
use crate::model::{AuditAction, Client, GrantId, GrantType, OrganisationId, SessionId, UserId};
use crate::protocol::OAuthError;
use crate::protocol::scope::ScopeSet;
use crate::protocol::targets::Target;
use crate::store;
use crate::store::grants;
use crate::store::organisations::Workspace;
use crate::store::sessions;
use crate::store::users::{Email, User};
use crate::tenancy::admission::{self, Refusal};
use crate::tenancy::membership::{ActiveMembership, Membership, Selection};

use crate::grants::authorization_code;
use crate::grants::introspection;
use crate::grants::issue::{self, Issuing};
use crate::grants::refresh_token::Rotating;
use crate::grants::{Authenticated, Detail, Failure};

use settle::{Allowed, Context, Opening};

pub use crate::grants::token_exchange::Fresh;
pub use caller::{Caller, Elsewhere, Machine, again, anyone, caller, narrow};

/// A product's login API, as far as its tokens go.
#[derive(Clone)]
pub struct Product {
    pub client: Arc<Client>,
    /// The `aud` of its tokens.
    pub audience: String,
    pub access_ttl: Duration,
    pub refresh: Refresh,
    /// Whether tokens are for an organisation in any case.
    pub needs_organisation: bool,
}

impl Product {
    /// With tokens that last no longer than this.
    fn lasting(&self, at_most: Duration) -> Self {
        Self { access_ttl: self.access_ttl.min(at_most), ..self.clone() }
    }

    fn target(&self) -> Target {
        Target {
            audience: vec![self.audience.clone()],
            scope: ScopeSet::default(),
            access_ttl: Some(self.access_ttl),
        }
    }
}

/// What kind of refresh tokens there are.
#[derive(Clone)]
pub enum Refresh {
    None,
    /// Random texts, good for so long without use.
    Opaque(Duration),
    /// JWTs with these claims, because clients look into them. The server asks its table all the same.
    Jwt(Duration, RefreshClaims),
}

/// Claims of a refresh token.
pub type RefreshClaims = Arc<dyn Fn(&Holder) -> Map<String, Value> + Send + Sync>;

/// Claims of an access token.
pub type Claims<'a> = &'a (dyn Fn(&Subject) -> Map<String, Value> + Sync);

/// Whose refresh token it is.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    pub user: UserId,
    pub organisation: Option<OrganisationId>,
    pub session: Option<SessionId>,
}

/// Somebody who acts, and where.
#[derive(Clone, Debug)]
pub struct Subject {
    pub user: User,
    /// The primary one.
    pub email: Option<Email>,
    pub picture: Option<String>,
    pub active: Option<ActiveMembership>,
    /// Everything that the person belongs to.
    pub memberships: Vec<Membership>,
    /// In single-workspace mode, the workspace that is meant where none is named.
    pub implied: BTreeMap<OrganisationId, Workspace>,
    pub session: Option<SessionId>,
}

/// Tokens that were just made.
#[derive(Clone, Debug)]
pub struct Issued {
    pub subject: Subject,
    pub access: Secret,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    /// With the end of its life.
    pub refresh: Option<(Secret, Timestamp)>,
}

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No member, or there is no such organisation: nobody is told which (OR-1).
    #[error("not a member of this organisation")]
    NotAMember,
    /// The instance or the organisation does not want passwords to be sent by programs (LG-1).
    #[error("this way of signing in is not allowed here")]
    NotThisWay,
    #[error("a second factor is demanded and was not shown")]
    FactorMissing,
    #[error("not admitted: {0}")]
    NotAdmitted(Refusal),
    /// Unknown, foreign, revoked, or its session ended.
    #[error("the token is not valid")]
    Invalid,
    #[error("the token has expired")]
    Expired,
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Denied {
    /// Notes why, for those who run the instance, unless that is known already. An outage is no refusal.
    fn tell(&self, wanted: Option<&Selection>, origin: &Origin) {
        let told = match self {
            Self::NotAMember => Explanation::of(Rule::Membership),
            Self::NotThisWay => Explanation::of(Rule::WayClosed),
            Self::FactorMissing => Explanation::of(Rule::FactorMissing),
            Self::NotAdmitted(refusal) => (*refusal).into(),
            Self::Invalid | Self::Expired | Self::Failed(_) => return,
        };
        let named = wanted.and_then(|wanted| wanted.organisation.as_deref());
        let told = named.into_iter().fold(told, |told, named| told.with("asked for", named));
        if !origin.slip.is_refused() {
            origin.slip.refuse(told);
        }
    }
}

impl From<store::Error> for Denied {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::FactorMissing => Self::FactorMissing,
            Refusal::NotAMember | Refusal::OrganisationMissing => Self::NotAMember,
            other => Self::NotAdmitted(other),
        }
    }
}

/// The way in which somebody came to the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Password,
    Other,
    /// From another organisation, in the same session: the grant there ends.
    From(GrantId),
}

/// Signs in with a password that a program sent, and gives tokens (LG-1). Where the instance takes no such passwords,
/// nothing is said of the one that was sent.
pub async fn sign_in(
    app: &App,
    product: &Product,
    attempt: Attempt,
    wanted: Selection,
    claims: Claims<'_>,
    origin: &Origin,
) -> Result<Issued, SignInDenied> {
    if !app.config.password.json_sign_in {
        origin.slip.refuse(Rule::WayClosed);
        return Err(Denied::NotThisWay.into());
    }
    let begun = sign_in::with_password(app, attempt, origin).await?;
    Ok(enter(app, product, &begun, wanted, Way::Password, claims, origin).await?)
}

/// Why somebody who sent a password has no tokens.
#[derive(Debug, thiserror::Error)]
pub enum SignInDenied {
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// Gives tokens to who has just signed in, unless a second factor is owed: a login API cannot ask for one (MF-5).
pub async fn enter(
    app: &App,
    product: &Product,
    begun: &Begun,
    wanted: Selection,
    way: Way,
    claims: Claims<'_>,
    origin: &Origin,
) -> Result<Issued, Denied> {
    origin.slip.concerns(begun.user);
    if begun.awaiting_factor {
        origin.slip.refuse(Rule::FactorMissing);
        return Err(Denied::FactorMissing);
    }
    open(app, product, begun.id, wanted, way, claims, origin).await
}

/// Gives tokens for a session that has just begun. Who is refused is not signed in any more.
pub async fn open(
    app: &App,
    product: &Product,
    session: SessionId,
    wanted: Selection,
    way: Way,
    claims: Claims<'_>,
    origin: &Origin,
) -> Result<Issued, Denied> {
    let asked = wanted.clone();
    let opening =
        Opening { product: product.clone(), session, wanted, way, context: Context::of(app, origin) };
    let now = opening.context.scribe.now;
    let opened = app.db.write(move |db| opening.settle(db)).await?.map_err(Denied::from);
    issue(app, product, *opened.inspect_err(|denied| denied.tell(Some(&asked), origin))?, claims, now)
}

/// Gives a live access token a successor, at most up to the end of its session. The old one stays good until its own
/// end: other tabs hold it.
pub async fn extend(
    app: &App,
    product: &Product,
    token: &Secret,
    claims: Claims<'_>,
    origin: &Origin,
) -> Result<Issued, Denied> {
    let (live, _) = caller(app, product, token, origin).await?;
    if live.claims.client_id != product.client.client_id {
        return Err(Denied::Invalid);
    }
    let Some(gid) = live.claims.gid else { return Err(Denied::Invalid) };
    let (client, context) = (Arc::clone(&product.client), Context::of(app, origin));
    let (target, now) = (product.target(), context.scribe.now);
    let extended = app.db.write(move |db| {
        // Held before anything is asked about it: what ends it meanwhile waits, and then knows of the new token.
        if !grants::hold(db, gid)? {
            return Ok(None);
        }
        let Some(grant) = grants::find(db, gid)? else { return Ok(None) };
        let detail = Detail::parse(&grant.detail)?;
        let (kind, proven) = (GrantType::RefreshToken, &detail.methods);
        let admitted = admission::admit_grant(db, &client, kind, &grant, proven, context.rules, now)?;
        let Ok(admission) = admitted else { return Ok(None) };
        let Some(subject) = context.subject_of_grant(db, admission.user(), &grant, &detail)? else {
            return Ok(None);
        };
        let place = issue::take_place(db, &grant, &target, context.usual, &context.scribe)?;
        if let Some(session) = grant.session_id {
            sessions::touch(db, session, now.minus(Duration::from_secs(60)), now)?;
        }
        let event = Event::success(AuditAction::TokenRefreshed).user(grant.user_id).client(client.key);
        context.scribe.write(db, event.session(grant.session_id))?;
        Ok(Some(Allowed { admission, place, grant, detail, subject, refresh: None }))
    });
    let allowed = extended.await?.ok_or(Denied::Invalid)?;
    issue(app, product, allowed, claims, now)
}

/// Exchanges a refresh token for its successor and a new access token (TE-4, TE-5).
pub async fn rotate(
    app: &App,
    product: &Product,
    token: &Secret,
    claims: Claims<'_>,
    origin: &Origin,
) -> Result<Issued, Denied> {
    let context = Context::of(app, origin);
    let Some((idle, make)) = context.maker(product) else { return Err(Denied::Invalid) };
    let client = Authenticated::ourselves(Arc::clone(&product.client));
    let rotating = Rotating::new(app, &client, token.clone(), make, idle, origin);
    let target = product.target();
    let rotated = rotating.run(app, move |db, admission, grant| {
        let detail = Detail::parse(&grant.detail)?;
        let subject = context.subject_of_grant(db, admission.user(), grant, &detail)?;
        Ok(match subject {
            Some(subject) => Ok((target.clone(), (detail, subject))),
            None => Err(OAuthError::invalid_grant("the grant is not valid any more").with_hint("no member")),
        })
    });
    let rotated = match rotated.await {
        Ok(rotated) => rotated,
        Err(Failure::OAuth(error)) => {
            origin.slip.refuse(error.explanation());
            return Err(Denied::Invalid);
        }
        Err(other) => return Err(other.into()),
    };
    let ((detail, subject), now) = (rotated.granted, rotated.now);
    let ends = now.plus(idle).min(rotated.grant.expires_at);
    let allowed = Allowed {
        admission: rotated.admission,
        place: rotated.place,
        grant: rotated.grant,
        detail,
        subject,
        refresh: Some((rotated.successor, ends)),
    };
    issue(app, product, allowed, claims, now)
}

/// Gives tokens for the code with which a browser came back from our own pages. They are of the code's own grant, so
/// that a second use of the code ends them (TE-3).
pub async fn exchange(
    app: &App,
    product: &Product,
    code: &Secret,
    redirect_uri: &str,
    claims: Claims<'_>,
    origin: &Origin,
) -> Result<Issued, Denied> {
    let client = Authenticated::ourselves(Arc::clone(&product.client));
    let presented = authorization_code::Presented {
        code: code.clone(),
        redirect_uri: redirect_uri.to_owned(),
        verifier: None,
        resources: Vec::new(),
    };
    let redeemed = match authorization_code::redeem(app, &client, presented, origin).await {
        Ok(tokens) => Secret::from_text(tokens.access_token),
        Err(Failure::OAuth(error)) => {
            origin.slip.refuse(error.explanation());
            return Err(Denied::Invalid);
        }
        Err(other) => return Err(other.into()),
    };
    let gid =
        introspection::verify(app, &redeemed, true).and_then(|claims| claims.gid).ok_or(Denied::Invalid)?;
    let (context, product_of, now) = (Context::of(app, origin), product.clone(), app.clock.now());
    let settled =
        app.db.write(move |db| context.take_over(db, &product_of, gid)).await?.map_err(Denied::from);
    issue(app, product, *settled.inspect_err(|denied| denied.tell(None, origin))?, claims, now)
}

/// Ends the session that the token is of, with everything that was given in it. A token that was good once is as good
/// for this as a live one, and ending twice is ending once.
pub async fn close(app: &App, product: &Product, token: &Secret, origin: &Origin) -> Result<(), Denied> {
    let client = Arc::clone(&product.client);
    let scribe = app.scribe(origin);
    let claims = introspection::verify(app, token, false);
    if claims.as_ref().is_some_and(|claims| claims.client_id != client.client_id || claims.passed_on) {
        return Err(Denied::Invalid);
    }
    let (digest, gid) = (token.digest(), claims.and_then(|claims| claims.gid));
    let found = app.db.write(move |db| {
        let grant = match gid {
            Some(gid) => grants::find(db, gid)?,
            None => match grants::find_refresh(db, &digest)? {
                Some(refresh) => grants::find(db, refresh.grant_id)?,
                None => None,
            },
        };
        let Some(grant) = grant.filter(|grant| grant.client_id == client.key) else { return Ok(false) };
        if let Some(session) = grant.session_id {
            session::end(db, session, grant.user_id, &scribe)?;
        }
        grants::revoke(db, grant.id, scribe.now)?;
        Ok(true)
    });
    if found.await? { Ok(()) } else { Err(Denied::Invalid) }
}

/// Signs what was allowed.
fn issue(
    app: &App,
    product: &Product,
    allowed: Allowed,
    claims: Claims<'_>,
    now: Timestamp,
) -> Result<Issued, Denied> {
    sign(app, product, allowed, claims, now, false)
}

fn sign(
    app: &App,
    product: &Product,
    allowed: Allowed,
    claims: Claims<'_>,
    now: Timestamp,
    passed_on: bool,
) -> Result<Issued, Denied> {
    let Allowed { admission, place, grant, detail, subject, refresh } = allowed;
    let (client, target) = (&product.client, product.target());
    let issuing = Issuing {
        client,
        place,
        admission: &admission,
        grant: &grant,
        detail: &detail,
        target: &target,
        now,
        passed_on,
    };
    let access = issue::product_access_token(app, &issuing, subject.active.as_ref(), claims(&subject))?;
    app.count_token(GrantType::RefreshToken, Some(client.key));
    // As the token itself has it: whole seconds.
    let expires_at = Timestamp::from_seconds(now.seconds()).plus(Duration::from_secs(access.expires_in));
    Ok(Issued { subject, access: Secret::from_text(access.text), issued_at: now, expires_at, refresh })
}
