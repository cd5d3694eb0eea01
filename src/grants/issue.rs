//! Making the tokens themselves: claims and signature. Touches no table.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::App;
use crate::audit::Scribe;
use crate::clock::Timestamp;
use crate::crypto::Random;
use crate::keys::Keyring;
use crate::model::{Client, Place, SigningAlg};
use crate::protocol::claims::UserClaims;
use crate::protocol::targets::Target;
use crate::protocol::tokens::{
    ACCESS_TOKEN_TYP, AccessClaims, Audience, ID_TOKEN_TYP, IdClaims, OrganisationClaims, half_hash,
};
use crate::protocol::{acr, scope};
use crate::signing::LONGEST_TOKEN_LIFE;
use crate::store::grants::Grant;
use crate::store::{self, Conn};
use crate::tenancy::admission::{Admission, ClientAdmission, KeyAdmission};
use crate::tenancy::membership::ActiveMembership;

use super::{Detail, Failure};

/// The algorithm of access tokens: small, quick to sign and to verify.
pub(super) const ACCESS_ALG: SigningAlg = SigningAlg::Es256;

/// A signed access token.
pub(super) struct AccessToken {
    pub text: String,
    /// Seconds.
    pub expires_in: u64,
}

/// Whom tokens are made for, and on what ground.
pub(super) struct Issuing<'a> {
    pub client: &'a Client,
    /// Where the access token's status stands, taken in the transaction that allowed it.
    pub place: Place,
    pub admission: &'a Admission,
    pub grant: &'a Grant,
    pub detail: &'a Detail,
    pub target: &'a Target,
    pub now: Timestamp,
    /// Whether it is for what stands behind a proxy, in place of the credential that was presented.
    pub passed_on: bool,
}

/// How long a token for what stands behind a proxy lives: it is used at once.
pub(super) const FRESH: Duration = Duration::from_secs(60);

/// The same for a product's API: about this membership, and with the claims that the API has beside. Of the standard
/// ones it may word the roles.
pub(super) fn product_access_token(
    app: &App,
    issuing: &Issuing<'_>,
    membership: Option<&ActiveMembership>,
    mut extra: Map<String, Value>,
) -> Result<AccessToken, Failure> {
    let mut organisation = organisation_claims(membership);
    if let Some(Value::Array(words)) = extra.remove("roles") {
        organisation.roles = words.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    let workspace = membership.and_then(ActiveMembership::workspace).map(|place| place.id);
    let claims = AccessClaims { workspace, organisation, extra, ..user_claims(app, issuing) };
    sign_access(app, claims, issuing.now)
}

/// An access token for an admitted user.
pub(super) fn user_access_token(app: &App, issuing: &Issuing<'_>) -> Result<AccessToken, Failure> {
    sign_access(app, user_claims(app, issuing), issuing.now)
}

fn user_claims(app: &App, issuing: &Issuing<'_>) -> AccessClaims {
    let Issuing { client, place, admission, grant, detail, target, now, passed_on } = *issuing;
    AccessClaims {
        sub: admission.user().id.to_string(),
        auth_time: Some(grant.auth_time),
        acr: Some(detail.acr.clone()),
        amr: acr::amr(&detail.methods),
        sid: grant.session_id,
        gid: Some(grant.id),
        exp: expiry(target, app.config.lifetimes.access, grant, now),
        status: Some(place.claim(app.config.issuer.as_str())),
        passed_on,
        organisation: organisation_claims(admission.membership()),
        ..machine_claims(app, client, target, now)
    }
}

/// When an access token ends that is made now under this grant, and outlives it never.
fn expiry(target: &Target, usual: Duration, grant: &Grant, now: Timestamp) -> Timestamp {
    now.plus(life(target, usual)).min(grant.expires_at)
}

fn life(target: &Target, usual: Duration) -> Duration {
    target.access_ttl.unwrap_or(usual).min(LONGEST_TOKEN_LIFE)
}

/// A place in the status list for the access token that this transaction allows, so that it can be called back. The
/// grant is [held](store::grants::hold).
pub(super) fn take_place(
    db: &mut Conn,
    grant: &Grant,
    target: &Target,
    usual: Duration,
    scribe: &Scribe,
) -> Result<Place, store::Error> {
    let expires_at = expiry(target, usual, grant, scribe.now);
    store::status::take(db, grant.id.as_bytes(), expires_at, &scribe.random)
}

/// An access token for the client itself (RFC 6749 §4.4).
pub(super) fn client_access_token(
    app: &App,
    client: &Client,
    _admitted: ClientAdmission,
    target: &Target,
    now: Timestamp,
) -> Result<AccessToken, Failure> {
    let claims = machine_claims(app, client, target, now);
    let leased = app.registry.leases.draw(client.key, claims.exp, now);
    let place = leased.or_else(|| any_of(&client.places, &app.random));
    let status = place.map(|place| place.claim(app.config.issuer.as_str()));
    sign_access(app, AccessClaims { status, ..claims }, now)
}

/// For good a client has few places, and many tokens may live at a time. Those that share one are revoked together, so
/// they are spread.
fn any_of(places: &[Place], random: &Random) -> Option<Place> {
    let drawn = usize::from(u16::from_be_bytes(random.bytes()));
    places.get(drawn.checked_rem(places.len())?).copied()
}

/// A machine that exchanges its key for a token.
pub(super) struct KeyIssuing<'a> {
    pub admitted: &'a KeyAdmission,
    /// Of the client that asked for it, if one did.
    pub client_id: Option<&'a str>,
    pub place: Place,
    pub target: &'a Target,
    pub expires_at: Timestamp,
    pub now: Timestamp,
}

/// An access token for the machine of an API key.
pub(super) fn key_access_token(app: &App, issuing: &KeyIssuing<'_>) -> Result<AccessToken, Failure> {
    let KeyIssuing { admitted, client_id, place, target, expires_at, now } = *issuing;
    let key = admitted.key();
    let machine = key.machine_id.to_string();
    let issuer = app.config.issuer.as_str();
    let claims = AccessClaims {
        iss: issuer.to_owned(),
        aud: Audience(target.audience.clone()),
        exp: expires_at,
        iat: now,
        jti: BASE64_URL_SAFE_NO_PAD.encode(app.random.bytes::<18>()),
        client_id: client_id.unwrap_or(&machine).to_owned(),
        sub: machine,
        scope: target.scope.clone(),
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        sid: None,
        gid: None,
        api_key: Some(key.id),
        workspace: key.workspace_id,
        status: Some(place.claim(issuer)),
        passed_on: false,
        organisation: organisation_of_key(admitted),
        extra: Map::new(),
    };
    sign_access(app, claims, now)
}

/// What is said of a key's organisation. A machine has no roles: its scopes say what it may do.
pub(super) fn organisation_of_key(admitted: &KeyAdmission) -> OrganisationClaims {
    let organisation = admitted.organisation();
    OrganisationClaims::new(organisation.id, &organisation.slug, Vec::new(), Vec::new())
}

/// The claims of a token for the client itself. A client's id is never a user's (TE-9).
fn machine_claims(app: &App, client: &Client, target: &Target, now: Timestamp) -> AccessClaims {
    AccessClaims {
        iss: app.config.issuer.as_str().to_owned(),
        sub: client.client_id.clone(),
        aud: Audience(target.audience.clone()),
        exp: now.plus(life(target, app.config.lifetimes.access)),
        iat: now,
        jti: BASE64_URL_SAFE_NO_PAD.encode(app.random.bytes::<18>()),
        client_id: client.client_id.clone(),
        scope: target.scope.clone(),
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        sid: None,
        gid: None,
        api_key: None,
        workspace: None,
        status: None,
        passed_on: false,
        organisation: OrganisationClaims::default(),
        extra: Map::new(),
    }
}

fn sign_access(app: &App, claims: AccessClaims, now: Timestamp) -> Result<AccessToken, Failure> {
    let text = sign(app, ACCESS_ALG, ACCESS_TOKEN_TYP, &claims, now)?;
    let expires_in = u64::try_from(claims.exp.seconds() - claims.iat.seconds()).unwrap_or(0);
    Ok(AccessToken { text, expires_in })
}

/// An ID token (OpenID Connect Core §2), if the grant is an OpenID one. There is no `nonce` when refreshing
/// (Core §12.2).
pub(super) fn id_token(
    app: &App,
    issuing: &Issuing<'_>,
    user: UserClaims,
    access_token: &AccessToken,
    nonce: Option<&str>,
) -> Result<Option<String>, Failure> {
    let Issuing { client, admission, grant, detail, now, .. } = *issuing;
    if !detail.scope.contains(scope::OPENID) {
        return Ok(None);
    }
    let alg = client.id_token_alg;
    let claims = IdClaims {
        iss: app.config.issuer.as_str().to_owned(),
        sub: grant.user_id.to_string(),
        aud: Audience(vec![client.client_id.clone()]),
        exp: now.plus(app.config.lifetimes.id_token),
        iat: now,
        auth_time: Some(grant.auth_time),
        nonce: nonce.map(str::to_owned),
        acr: Some(detail.acr.clone()),
        amr: acr::amr(&detail.methods),
        azp: None,
        sid: grant.session_id,
        at_hash: Some(half_hash(alg, &access_token.text)),
        c_hash: None,
        organisation: organisation_claims(
            admission.membership().filter(|_| detail.scope.contains(scope::ORGANIZATIONS)),
        ),
        user,
    };
    sign(app, alg, ID_TOKEN_TYP, &claims, now).map(Some)
}

/// What tokens say of the organisation: as it is at this moment (OR-6).
pub(super) fn organisation_claims(membership: Option<&ActiveMembership>) -> OrganisationClaims {
    let Some(membership) = membership else { return OrganisationClaims::default() };
    OrganisationClaims::new(
        membership.organisation().id,
        &membership.organisation().slug,
        membership.roles().iter().map(|role| role.key.clone()).collect(),
        membership.permissions().iter().cloned().collect(),
    )
}

/// Signs with the key that is in force for this algorithm now.
pub(super) fn sign(
    app: &App,
    alg: SigningAlg,
    typ: &str,
    claims: &impl Serialize,
    now: Timestamp,
) -> Result<String, Failure> {
    sign_with(&app.signing.keyring(), alg, typ, claims, now)
}

/// The same where the keys were taken along.
pub(super) fn sign_with(
    keyring: &Keyring,
    alg: SigningAlg,
    typ: &str,
    claims: &impl Serialize,
    now: Timestamp,
) -> Result<String, Failure> {
    let signer = keyring
        .signer(alg, now)
        .ok_or_else(|| Failure::Internal(format!("no {alg} key may sign at the moment")))?;
    Ok(signer.sign(typ, claims)?)
}
