//! Tokens for the clients of a product's own login API (LG-1).
//!
//! Whoever signed in by it gets ordinary tokens: signed as all are, of a session and of a grant that are stored, so
//! that signing out, revoking and introspecting know them. What they are for is one organisation, chosen once for the
//! life of the grant (TE-6). How they are worded is the caller's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::crypto::{Random, Secret};
use crate::identity::session;
use crate::keys::Keyring;
use crate::model::{AuditAction, Client, GrantId, GrantType, OrganisationId, Place, SessionId, UserId};
use crate::protocol::OAuthError;
use crate::protocol::acr::acr_for;
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::scope::ScopeSet;
use crate::protocol::targets::Target;
use crate::protocol::tokens::REFRESH_TOKEN_TYP;
use crate::store::grants::{self, Grant, RefreshToken};
use crate::store::organisations::{self, Workspace};
use crate::store::sessions::{self, Session};
use crate::store::users::{self, Email, User};
use crate::store::{self, Conn};
use crate::tenancy::admission::{self, Acting, Admission, Refusal, Rules};
use crate::tenancy::membership::{self, ActiveMembership, Membership, Selection, Workspaces};

use super::authorization_code;
use super::introspection::{self, Examined, LiveAccessToken};
use super::issue::{self, Issuing};
use super::refresh_token::{MakeToken, Rotating};
use super::{Authenticated, Detail, Failure};

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
    /// The organisation does not want passwords to be sent by programs (LG-1).
    #[error("the organisation does not allow this way of signing in")]
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
    let opening =
        Opening { product: product.clone(), session, wanted, way, context: Context::of(app, origin) };
    let now = opening.context.scribe.now;
    let opened = app.db.write(move |db| opening.settle(db)).await?;
    issue(app, product, *opened?, claims, now)
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
    let (live, _) = caller(app, product, token).await?;
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
        Err(Failure::OAuth(_)) => return Err(Denied::Invalid),
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
        Err(Failure::OAuth(_)) => return Err(Denied::Invalid),
        Err(other) => return Err(other.into()),
    };
    let gid =
        introspection::verify(app, &redeemed, true).and_then(|claims| claims.gid).ok_or(Denied::Invalid)?;
    let (context, product_of, now) = (Context::of(app, origin), product.clone(), app.clock.now());
    let settled = app.db.write(move |db| context.take_over(db, &product_of, gid)).await?;
    issue(app, product, *settled?, claims, now)
}

/// Who calls with this access token: it is live, of a user, and for this product.
pub async fn caller(
    app: &App,
    product: &Product,
    token: &Secret,
) -> Result<(LiveAccessToken, Subject), Denied> {
    let live = match introspection::examine(app, token).await? {
        Examined::Live(live) => *live,
        Examined::Expired => return Err(Denied::Expired),
        Examined::Invalid => return Err(Denied::Invalid),
    };
    if !live.claims.aud.contains(&product.audience) {
        return Err(Denied::Invalid);
    }
    let Some((user, grant)) = live.of_user.clone() else { return Err(Denied::Invalid) };
    let context = Context::of(app, &Origin::system());
    let subject = app.db.read(move |db| {
        let detail = Detail::parse(&grant.detail)?;
        context.subject_of_grant(db, &user, &grant, &detail)
    });
    let subject = subject.await?.ok_or(Denied::Invalid)?;
    Ok((live, subject))
}

/// A fresh access token for somebody who was just found to be the caller, for whatever stands behind a proxy.
pub async fn again(
    app: &App,
    product: &Product,
    live: &LiveAccessToken,
    subject: &Subject,
    claims: Claims<'_>,
) -> Result<Secret, Denied> {
    let Some((_, grant)) = live.of_user.clone() else { return Err(Denied::Invalid) };
    let (context, target) = (Context::of(app, &Origin::system()), product.target());
    let now = context.scribe.now;
    let subject = subject.clone();
    let allowed = app.db.write(move |db| {
        if !grants::hold(db, grant.id)? {
            return Ok(None);
        }
        let detail = Detail::parse(&grant.detail)?;
        let Ok(admission) = admission::admit_holder(db, &grant, context.rules, now)? else { return Ok(None) };
        let place = issue::take_place(db, &grant, &target, context.usual, &context.scribe)?;
        let (grant, subject) = (grant.clone(), subject.clone());
        Ok(Some(Allowed { admission, place, grant, detail, subject, refresh: None }))
    });
    let allowed = allowed.await?.ok_or(Denied::Invalid)?;
    issue(app, product, allowed, claims, now).map(|issued| issued.access)
}

/// Ends the session that the token is of, with everything that was given in it. A token that was good once is as good
/// for this as a live one, and ending twice is ending once.
pub async fn close(app: &App, product: &Product, token: &Secret, origin: &Origin) -> Result<(), Denied> {
    let client = Arc::clone(&product.client);
    let scribe = app.scribe(origin);
    let claims = introspection::verify(app, token, false);
    if claims.as_ref().is_some_and(|claims| claims.client_id != client.client_id) {
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
    let wanted = Selection {
        organisation: wanted.organisation.or_else(|| bound.map(|organisation| organisation.to_string())),
        workspace: wanted.workspace,
    };
    let named_workspace = wanted.workspace.is_some();
    let found = app.db.read(move |db| membership::select(db, user, &wanted, mode)).await?;
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

/// What every transaction needs of the instance.
struct Context {
    rules: Rules,
    workspaces: Workspaces,
    keyring: Arc<Keyring>,
    random: Random,
    issuer: String,
    /// How long access tokens usually live.
    usual: Duration,
    scribe: Scribe,
}

impl Context {
    fn of(app: &App, origin: &Origin) -> Self {
        Self {
            rules: Rules::of(&app.config),
            workspaces: Workspaces::of(&app.config),
            keyring: app.signing.keyring(),
            random: app.random.clone(),
            issuer: app.config.issuer.as_str().to_owned(),
            usual: app.config.lifetimes.access,
            scribe: app.scribe(origin),
        }
    }

    /// Whom the grant is of, if they still belong to the organisation that it is for.
    fn subject_of_grant(
        &self,
        db: &mut Conn,
        user: &User,
        grant: &Grant,
        detail: &Detail,
    ) -> Result<Option<Subject>, store::Error> {
        let active = match grant.organisation_id {
            None => None,
            Some(organisation) => {
                let wanted = Selection {
                    organisation: Some(organisation.to_string()),
                    workspace: detail.workspace.map(|workspace| workspace.to_string()),
                };
                match membership::select(db, user.id, &wanted, self.workspaces)? {
                    Ok(active) => Some(active),
                    Err(_) => return Ok(None),
                }
            }
        };
        subject(db, user.clone(), active, grant.session_id, self.workspaces).map(Some)
    }

    /// Makes the product's own of a grant that was given at our pages: an organisation, and a refresh token.
    fn take_over(
        &self,
        db: &mut Conn,
        product: &Product,
        gid: GrantId,
    ) -> Result<Result<Box<Allowed>, Against>, store::Error> {
        let Some(mut grant) = grants::find(db, gid)? else {
            return Ok(Err(Against::Refused(Refusal::GrantRevoked)));
        };
        if !grants::hold(db, gid)? {
            return Ok(Err(Against::Refused(Refusal::GrantRevoked)));
        }
        let mut detail = Detail::parse(&grant.detail)?;
        if grant.organisation_id.is_none() {
            let found = membership::select(db, grant.user_id, &Selection::default(), self.workspaces)?.ok();
            if found.is_none() && product.needs_organisation {
                grants::revoke(db, grant.id, self.scribe.now)?;
                return Ok(Err(Against::NotAMember));
            }
            grant.organisation_id = found.as_ref().map(|active| active.organisation().id);
            detail.workspace = found.as_ref().and_then(|active| active.workspace()).map(|place| place.id);
            grant.detail = detail.to_json();
            grants::set_place(db, &grant)?;
        }
        let (client, kind, now) = (&product.client, GrantType::RefreshToken, self.scribe.now);
        let admitted = admission::admit_grant(db, client, kind, &grant, &detail.methods, self.rules, now)?;
        let admission = match admitted {
            Ok(admission) => admission,
            Err(refusal) => {
                grants::revoke(db, grant.id, now)?;
                return Ok(Err(Against::Refused(refusal)));
            }
        };
        let Some(subject) = self.subject_of_grant(db, admission.user(), &grant, &detail)? else {
            return Ok(Err(Against::NotAMember));
        };
        // The one that the code was redeemed for was told to nobody.
        grants::remove_refresh_tokens(db, grant.id)?;
        let refresh = self.first_refresh_token(db, product, &grant)?;
        let place = issue::take_place(db, &grant, &product.target(), self.usual, &self.scribe)?;
        Ok(Ok(Box::new(Allowed { admission, place, grant, detail, subject, refresh })))
    }

    fn first_refresh_token(
        &self,
        db: &mut Conn,
        product: &Product,
        grant: &Grant,
    ) -> Result<Option<(Secret, Timestamp)>, store::Error> {
        let now = self.scribe.now;
        let Some((idle, make)) = self.maker(product) else { return Ok(None) };
        let expires_at = now.plus(idle).min(grant.expires_at);
        let token = make(grant, expires_at)?;
        let row = RefreshToken {
            digest: token.digest(),
            grant_id: grant.id,
            created_at: now,
            expires_at,
            consumed_at: None,
            successor_digest: None,
            successor_sealed: None,
        };
        grants::insert_refresh(db, &row)?;
        Ok(Some((token, expires_at)))
    }

    /// How refresh tokens are made, if there are any, and how long one may lie unused.
    fn maker(&self, product: &Product) -> Option<(Duration, MakeToken)> {
        let random = self.random.clone();
        match &product.refresh {
            Refresh::None => None,
            Refresh::Opaque(idle) => Some((*idle, Box::new(move |_, _| Ok(Secret::generate(&random))))),
            Refresh::Jwt(idle, claims) => {
                let signer = RefreshSigner {
                    keyring: Arc::clone(&self.keyring),
                    random,
                    issuer: self.issuer.clone(),
                    client_id: product.client.client_id.clone(),
                    claims: Arc::clone(claims),
                    now: self.scribe.now,
                };
                Some((*idle, Box::new(move |grant, expires_at| signer.sign(grant, expires_at))))
            }
        }
    }
}

/// Makes refresh tokens that are JWTs. Their type and their audience, which is only us, keep them from being taken
/// for access tokens (TK-4).
struct RefreshSigner {
    keyring: Arc<Keyring>,
    random: Random,
    issuer: String,
    client_id: String,
    claims: RefreshClaims,
    now: Timestamp,
}

impl RefreshSigner {
    fn sign(&self, grant: &Grant, expires_at: Timestamp) -> Result<Secret, store::Error> {
        let holder =
            Holder { user: grant.user_id, organisation: grant.organisation_id, session: grant.session_id };
        let mut claims = (self.claims)(&holder);
        let own = json!({
            "iss": self.issuer,
            "aud": self.issuer,
            "client_id": self.client_id,
            "iat": self.now.seconds(),
            "exp": expires_at.seconds(),
            "jti": BASE64_URL_SAFE_NO_PAD.encode(self.random.bytes::<32>()),
        });
        claims.extend(own.as_object().cloned().unwrap_or_default());
        issue::sign_with(&self.keyring, issue::ACCESS_ALG, REFRESH_TOKEN_TYP, &claims, self.now)
            .map(Secret::from_text)
            .map_err(|error| store::Error::broken("a refresh token", error))
    }
}

struct Opening {
    product: Product,
    session: SessionId,
    wanted: Selection,
    way: Way,
    context: Context,
}

/// What a transaction has allowed: what an access token is then made of.
struct Allowed {
    admission: Admission,
    place: Place,
    grant: Grant,
    detail: Detail,
    subject: Subject,
    refresh: Option<(Secret, Timestamp)>,
}

/// A decision against, which is committed.
enum Against {
    NotAMember,
    NotThisWay,
    Refused(Refusal),
}

impl From<Against> for Denied {
    fn from(against: Against) -> Self {
        match against {
            Against::NotAMember => Self::NotAMember,
            Against::NotThisWay => Self::NotThisWay,
            Against::Refused(refusal) => refusal.into(),
        }
    }
}

impl Opening {
    fn settle(&self, db: &mut Conn) -> Result<Result<Box<Allowed>, Against>, store::Error> {
        // Held, so that who ends it at this moment waits and then knows of the grant that is made here.
        let held = sessions::hold(db, self.session)?;
        let Some(session) = sessions::find(db, self.session)?.filter(|_| held) else {
            return Ok(Err(Against::Refused(Refusal::SessionEnded)));
        };
        match self.admit(db, &session)? {
            Ok((admission, subject)) => self.give(db, &session, admission, subject),
            Err(against) => {
                // Whoever stays in the organisation they were in stays signed in.
                if !matches!(self.way, Way::From(_)) {
                    session::end(db, session.id, session.user_id, &self.context.scribe)?;
                }
                Ok(Err(against))
            }
        }
    }

    fn admit(
        &self,
        db: &mut Conn,
        session: &Session,
    ) -> Result<Result<(Admission, Subject), Against>, store::Error> {
        let (product, now) = (&self.product, self.context.scribe.now);
        let proven = sessions::methods(db, session.id)?;
        let active = match membership::select(db, session.user_id, &self.wanted, self.context.workspaces)? {
            Ok(active) => Some(active),
            Err(_) if self.wanted == Selection::default() && !product.needs_organisation => None,
            Err(_) => return Ok(Err(Against::NotAMember)),
        };
        let organisation = active.as_ref().map(ActiveMembership::organisation);
        if self.way == Way::Password && organisation.is_some_and(|found| !found.password_login_allowed) {
            return Ok(Err(Against::NotThisWay));
        }
        let acting = Acting {
            client: &product.client,
            proven: &proven,
            organisation: organisation.map(|found| found.id),
            rules: self.context.rules,
        };
        let admission = match admission::admit_product(db, session, acting, now)? {
            Ok(admission) => admission,
            Err(refusal) => return Ok(Err(Against::Refused(refusal))),
        };
        let mode = self.context.workspaces;
        let subject = subject(db, admission.user().clone(), active, Some(session.id), mode)?;
        Ok(Ok((admission, subject)))
    }

    fn give(
        &self,
        db: &mut Conn,
        session: &Session,
        admission: Admission,
        subject: Subject,
    ) -> Result<Result<Box<Allowed>, Against>, store::Error> {
        let (scribe, client) = (&self.context.scribe, &self.product.client);
        let methods = sessions::methods(db, session.id)?;
        let detail = Detail {
            scope: ScopeSet::default(),
            resources: Vec::new(),
            claims: ClaimsRequest::default(),
            nonce: None,
            acr: acr_for(&methods).as_str().to_owned(),
            methods,
            workspace: subject.active.as_ref().and_then(|active| active.workspace()).map(|found| found.id),
        };
        let grant = Grant {
            id: GrantId::new(scribe.now, &scribe.random),
            user_id: session.user_id,
            client_id: client.key,
            session_id: Some(session.id),
            organisation_id: subject.active.as_ref().map(|active| active.organisation().id),
            offline: false,
            detail: detail.to_json(),
            auth_time: session.auth_time,
            created_at: scribe.now,
            expires_at: session.expires_at,
            revoked_at: None,
        };
        grants::insert(db, &grant)?;
        if !grants::hold(db, grant.id)? {
            return Ok(Err(Against::Refused(Refusal::ClientDisabled)));
        }
        if let Way::From(former) = self.way {
            grants::revoke(db, former, scribe.now)?;
        }
        let refresh = self.context.first_refresh_token(db, &self.product, &grant)?;
        let event = Event::success(AuditAction::TokenIssued).user(grant.user_id).client(client.key);
        scribe.write(db, event.session(session.id).detail("grant_type", "first_party"))?;
        let (target, usual) = (self.product.target(), self.context.usual);
        let place = issue::take_place(db, &grant, &target, usual, scribe)?;
        Ok(Ok(Box::new(Allowed { admission, place, grant, detail, subject, refresh })))
    }
}

/// Everything that is told of a person.
fn subject(
    db: &mut Conn,
    user: User,
    active: Option<ActiveMembership>,
    session: Option<SessionId>,
    mode: Workspaces,
) -> Result<Subject, store::Error> {
    let picture = users::claims(db, user.id)?.into_iter().find(|(name, _)| name == "picture");
    let memberships = membership::of_user(db, user.id)?;
    let mut implied = BTreeMap::new();
    if mode == Workspaces::Implied {
        for membership in &memberships {
            let organisation = membership.organisation.id;
            implied.extend(
                organisations::default_workspace(db, organisation)?.map(|found| (organisation, found)),
            );
        }
    }
    Ok(Subject {
        email: users::primary_email(db, user.id)?,
        picture: picture.map(|(_, value)| value),
        memberships,
        implied,
        active,
        session,
        user,
    })
}

/// Signs what was allowed.
fn issue(
    app: &App,
    product: &Product,
    allowed: Allowed,
    claims: Claims<'_>,
    now: Timestamp,
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
    };
    let access = issue::product_access_token(app, &issuing, subject.active.as_ref(), claims(&subject))?;
    app.metrics.token_issued(GrantType::RefreshToken);
    // As the token itself has it: whole seconds.
    let expires_at = Timestamp::from_seconds(now.seconds()).plus(Duration::from_secs(access.expires_in));
    Ok(Issued { subject, access: Secret::from_text(access.text), issued_at: now, expires_at, refresh })
}
