//! Is this token good? What introspection (RFC 7662), userinfo and our own APIs ask.
//!
//! The answer comes from a verified signature and the stored state, never from the token's word alone (IR-2).

use std::time::Duration;

use serde::Serialize;

use crate::app::App;
use crate::audit::Origin;
use crate::clock::Timestamp;
use crate::crypto::Secret;
use crate::keys::{Expect, VerifyError, peek_header};
use crate::model::explanation::{Concerned, Explanation, Rule, Slip};
use crate::model::{ApiKeyId, GrantId, Place, WorkspaceId, api_key};
use crate::protocol::scope::ScopeSet;
use crate::protocol::targets::{Target, client_targets};
use crate::protocol::tokens::{ACCESS_TOKEN_TYP, AccessClaims, Audience, OrganisationClaims};
use crate::signing::ALGORITHMS;
use crate::store::grants::{self, Grant};
use crate::store::users::User;
use crate::store::{self, Conn};
use crate::tenancy::admission::{self, Admission, KeyAdmission, Rules};
use crate::tenancy::api_keys::present::{self, KeyRefused};
use crate::tenancy::membership::ActiveMembership;

use super::{Authenticated, Detail, Failure, issue, registry, token_exchange};

/// What a caller learns of a token. Everything that is not an active token meant for it reads the same (IR-1).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Introspection {
    pub active: bool,
    #[serde(flatten)]
    pub token: Option<ActiveToken>,
}

/// An active token (RFC 7662 §2.2).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActiveToken {
    pub scope: ScopeSet,
    pub client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    pub iat: i64,
    pub sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<Audience>,
    pub iss: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// As it is now, not as it was when the token was made.
    #[serde(flatten)]
    pub organisation: OrganisationClaims,
    #[serde(flatten)]
    pub of_key: Option<OfKey>,
}

/// What is said of an API key, and of a token that it was exchanged for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfKey {
    pub api_key: ApiKeyId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
}

impl OfKey {
    fn new(admitted: &KeyAdmission) -> Self {
        let key = admitted.key();
        Self { api_key: key.id, workspace: key.workspace_id }
    }
}

/// An access token that is good now.
#[derive(Clone, Debug)]
pub struct LiveAccessToken {
    pub claims: AccessClaims,
    /// The user and what was granted; `None` for a client's own token.
    pub of_user: Option<(User, Grant)>,
    /// The organisation that it is about, and what the user may do there now.
    pub membership: Option<ActiveMembership>,
    /// The key that it was exchanged for.
    pub of_key: Option<KeyAdmission>,
}

/// Tells the caller about a token, if it is active and meant for it.
pub async fn introspect(
    app: &App,
    caller: &Authenticated,
    token: &Secret,
    origin: &Origin,
) -> Result<Introspection, Failure> {
    if api_key::is_well_formed(token) {
        return describe_key(app, caller, token, origin).await;
    }
    let found = match live_access_token(app, token).await? {
        Some(live) if may_see(caller, &live.claims) => Some(describe_access(app, live)),
        Some(live) => {
            let told = Explanation::of(Rule::TokenAudience).with("for", &live.claims.aud);
            let told = told.with("of client", &live.claims.client_id).with("asked by", &caller.client_id);
            origin.slip.refuse(told.with("serves", caller.audiences.join(" ")));
            None
        }
        None => {
            let refresh = describe_refresh(app, caller, token).await?;
            if refresh.is_none() {
                origin.slip.refuse(doubt(app, token, &origin.slip));
            }
            refresh
        }
    };
    Ok(Introspection { active: found.is_some(), token: found })
}

/// Its own tokens, and those for an API that it serves (10.2).
fn may_see(caller: &Authenticated, claims: &AccessClaims) -> bool {
    claims.client_id == caller.client_id
        || caller.audiences.iter().any(|audience| claims.aud.contains(audience))
}

/// The token, if it is one of our access tokens, was not revoked, and all that it rests on still stands.
pub async fn live_access_token(app: &App, token: &Secret) -> Result<Option<LiveAccessToken>, store::Error> {
    let Some(claims) = verify(app, token, true) else { return Ok(None) };
    let client = app.client(&claims.client_id).await?.filter(|client| client.is_active());
    // Who exchanges a key need not be a client.
    let by_itself = claims.api_key.is_some() && claims.client_id == claims.sub;
    if client.is_none() && !by_itself {
        return Ok(None);
    }
    let now = app.clock.now();
    let (jti, gid, api_key) = (claims.jti.clone(), claims.gid, claims.api_key);
    let place = claims.status.as_ref().and_then(|claim| Place::of(claim, app.config.issuer.as_str()));
    let (client, rules) = (client.map(|client| client.key), Rules::of(&app.config));
    let state = app
        .db
        .read(move |db| {
            // What a list once told offline verifiers to refuse is refused here, too, whatever was resumed meanwhile.
            let is_listed = place.map(|place| store::status::is_revoked(db, place)).transpose()?;
            if is_listed == Some(true) || grants::is_revoked(db, &jti)? {
                return Ok(State::Dead);
            }
            Ok(match (gid, api_key) {
                (None, None) => State::Machine,
                (None, Some(id)) => key_state(db, id, now)?.map_or(State::Dead, State::Key),
                (Some(gid), _) => match grant_state(db, gid, rules, now)? {
                    Some((admission, grant)) if Some(grant.client_id) == client => {
                        State::User(Box::new((admission, grant)))
                    }
                    _ => State::Dead,
                },
            })
        })
        .await?;
    Ok(match state {
        State::Dead => None,
        State::Machine => Some(LiveAccessToken { claims, of_user: None, membership: None, of_key: None }),
        State::Key(key) => {
            Some(LiveAccessToken { claims, of_user: None, membership: None, of_key: Some(*key) })
        }
        State::User(holder) => {
            let (admission, grant) = *holder;
            let membership = admission.membership().cloned();
            let of_user = Some((admission.user().clone(), grant));
            Some(LiveAccessToken { claims, of_user, membership, of_key: None })
        }
    })
}

/// Why a token is good for nothing here. Asked after it was refused, for those who run the instance; whoever presented it
/// learns no more than that it is not.
pub fn doubt(app: &App, token: &Secret, slip: &Slip) -> Explanation {
    let header = peek_header(token.expose());
    let key = |told: Explanation| told.with_id("key asked for", header.kid.as_deref().unwrap_or("none"));
    let (now, checked) = (app.clock.now(), decode(app, token, true));
    let error = match checked {
        Ok(claims) => {
            slip.concerns(Concerned { user: claims.sub.parse().ok(), ..Concerned::default() });
            return Explanation::of(Rule::TokenRevoked)
                .with("of client", &claims.client_id)
                .with("for", &claims.aud)
                .with("issued seconds ago", now.since(claims.iat).as_secs());
        }
        Err(error) => error,
    };
    let rule = match error {
        VerifyError::Malformed => Rule::TokenMalformed,
        VerifyError::WrongType => Rule::TokenMalformed,
        VerifyError::UnknownKey => Rule::TokenKey,
        VerifyError::BadSignature | VerifyError::WrongAlgorithm => Rule::TokenSignature,
        VerifyError::WrongIssuer => Rule::TokenIssuer,
        VerifyError::NotYetValid => Rule::TokenEarly,
        VerifyError::Expired => Rule::TokenExpired,
    };
    let told = Explanation::of(rule).with("reason", error);
    match error {
        VerifyError::UnknownKey => key(told).with("keys known", app.signing.keyring().key_ids().join(", ")),
        VerifyError::BadSignature | VerifyError::WrongAlgorithm => {
            key(told).with("algorithm", header.alg.as_deref().unwrap_or("none"))
        }
        VerifyError::Expired => match decode(app, token, false) {
            Ok(claims) => {
                slip.concerns(Concerned { user: claims.sub.parse().ok(), ..Concerned::default() });
                told.with("expired seconds ago", now.since(claims.exp).as_secs())
                    .with("of client", &claims.client_id)
            }
            Err(_) => told,
        },
        _ => told,
    }
}

/// What a token is worth to an API of ours.
#[derive(Clone, Debug)]
pub enum Examined {
    Live(Box<LiveAccessToken>),
    /// Signed by us, and past its time (LG-5).
    Expired,
    /// Anything else: not ours, of another kind, revoked, its session ended.
    Invalid,
}

/// The same for who must tell a token that has expired from one that is good for nothing.
pub async fn examine(app: &App, token: &Secret) -> Result<Examined, store::Error> {
    if verify(app, token, true).is_none() {
        let is_ours = verify(app, token, false).is_some();
        return Ok(if is_ours { Examined::Expired } else { Examined::Invalid });
    }
    let live = live_access_token(app, token).await?;
    Ok(live.map_or(Examined::Invalid, |live| Examined::Live(Box::new(live))))
}

enum State {
    Dead,
    Machine,
    Key(Box<KeyAdmission>),
    User(Box<(Admission, Grant)>),
}

fn grant_state(
    db: &mut Conn,
    id: GrantId,
    rules: Rules,
    now: Timestamp,
) -> Result<Option<(Admission, Grant)>, store::Error> {
    let Some(grant) = grants::find(db, id)? else { return Ok(None) };
    let admitted = admission::admit_holder(db, &grant, rules, now)?;
    Ok(admitted.ok().map(|admission| (admission, grant)))
}

fn key_state(db: &mut Conn, id: ApiKeyId, now: Timestamp) -> Result<Option<Box<KeyAdmission>>, store::Error> {
    let Some(key) = store::api_keys::find(db, id)? else { return Ok(None) };
    Ok(admission::admit_api_key(db, key, now)?.ok().map(Box::new))
}

/// A key is shown to the servers of the APIs that it is for, where it could be exchanged for a token for them; with as much
/// of its scopes as concerns them (IR-1).
async fn describe_key(
    app: &App,
    caller: &Authenticated,
    key: &Secret,
    origin: &Origin,
) -> Result<Introspection, Failure> {
    if caller.audiences.is_empty() {
        return Ok(Introspection::default());
    }
    let admitted = match present::authenticate(app, key, origin).await {
        Ok(admitted) => admitted,
        Err(KeyRefused::Invalid) => return Ok(Introspection::default()),
        Err(refused) => return Err(refused.into()),
    };
    let resources = app.resources().await?;
    let registry = registry(app, &resources);
    let meant =
        |audience: &String| client_targets(admitted.scopes(), std::slice::from_ref(audience), &registry).ok();
    let targets: Vec<Target> = caller.audiences.iter().filter_map(meant).collect();
    if targets.is_empty() {
        return Ok(Introspection::default());
    }
    let permissions = token_exchange::permissions(admitted.scopes(), &registry);
    let scope = targets.iter().fold(permissions, |scope, target| scope.union(&target.scope));
    let known = admitted.key();
    let machine = known.machine_id.to_string();
    let token = ActiveToken {
        scope,
        client_id: machine.clone(),
        sub: machine,
        username: None,
        token_type: Some("api_key"),
        exp: known.expires_at.map(Timestamp::seconds),
        iat: known.created_at.seconds(),
        aud: None,
        iss: app.config.issuer.as_str().to_owned(),
        jti: None,
        sid: None,
        auth_time: None,
        acr: None,
        organisation: issue::organisation_of_key(&admitted),
        of_key: Some(OfKey::new(&admitted)),
    };
    Ok(Introspection { active: true, token: Some(token) })
}

/// Signature, type, issuer and time. `None` for anything that is not an access token of ours.
pub(super) fn verify(app: &App, token: &Secret, check_expiry: bool) -> Option<AccessClaims> {
    decode(app, token, check_expiry).ok()
}

fn decode(app: &App, token: &Secret, check_expiry: bool) -> Result<AccessClaims, VerifyError> {
    let expect = Expect {
        types: &[ACCESS_TOKEN_TYP],
        algs: &ALGORITHMS,
        issuer: app.config.issuer.as_str(),
        now: app.clock.now(),
        leeway: Duration::ZERO,
        check_expiry,
    };
    let verified = app.signing.keyring().verify(token.expose(), &expect)?;
    serde_json::from_value(serde_json::Value::Object(verified.claims)).map_err(|_| VerifyError::Malformed)
}

fn describe_access(app: &App, live: LiveAccessToken) -> ActiveToken {
    let claims = live.claims;
    ActiveToken {
        organisation: match &live.of_key {
            Some(key) => issue::organisation_of_key(key),
            None => issue::organisation_claims(live.membership.as_ref()),
        },
        scope: claims.scope,
        client_id: claims.client_id,
        username: live.of_user.and_then(|(user, _)| user.username),
        token_type: Some("Bearer"),
        exp: Some(claims.exp.seconds()),
        iat: claims.iat.seconds(),
        sub: claims.sub,
        aud: Some(claims.aud),
        iss: app.config.issuer.as_str().to_owned(),
        jti: Some(claims.jti),
        sid: claims.sid.map(|sid| sid.to_string()),
        auth_time: claims.auth_time.map(Timestamp::seconds),
        acr: claims.acr,
        of_key: live.of_key.as_ref().map(OfKey::new),
    }
}

/// A refresh token is shown to the client that holds it, and to nobody else.
async fn describe_refresh(
    app: &App,
    caller: &Authenticated,
    token: &Secret,
) -> Result<Option<ActiveToken>, Failure> {
    let (digest, client, now) = (token.digest(), caller.key, app.clock.now());
    let rules = Rules::of(&app.config);
    let found = app
        .db
        .read(move |db| {
            let Some(refresh) = grants::find_refresh(db, &digest)? else { return Ok(None) };
            if refresh.consumed_at.is_some() || refresh.expires_at <= now {
                return Ok(None);
            }
            let state = grant_state(db, refresh.grant_id, rules, now)?;
            let Some((admission, grant)) = state.filter(|(_, grant)| grant.client_id == client) else {
                return Ok(None);
            };
            Ok(Some((admission, Detail::parse(&grant.detail)?, refresh)))
        })
        .await?;
    Ok(found.map(|(admission, detail, refresh)| ActiveToken {
        scope: detail.scope,
        client_id: caller.client_id.clone(),
        sub: admission.user().id.to_string(),
        username: admission.user().username.clone(),
        organisation: issue::organisation_claims(admission.membership()),
        token_type: None,
        exp: Some(refresh.expires_at.seconds()),
        iat: refresh.created_at.seconds(),
        aud: None,
        iss: app.config.issuer.as_str().to_owned(),
        jti: None,
        sid: None,
        auth_time: None,
        acr: Some(detail.acr),
        of_key: None,
    }))
}
