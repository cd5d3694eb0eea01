//! Passkeys (WebAuthn): one proves possession of a device and, since user verification is demanded each time, that its
//! owner holds it. So it signs in by itself, and serves as a second factor (MF-2).
//!
//! A challenge is kept here, never in the browser; it belongs to one purpose, one browser and at most one account, is
//! good for five minutes and for one answer. The relying party is the issuer's host, and the origin must be the
//! issuer's exactly.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{
    AuthenticationResult, CredentialID, DiscoverableAuthentication, DiscoverableKey, Passkey,
    PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Webauthn,
    WebauthnBuilder, WebauthnError,
};

use super::enrol::{Secured, secure};
use super::second::{Claimant, Stand};
use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::config::{Config, Limit};
use crate::crypto::Secret;
use crate::identity::limits::{self, Bucket, Throttled};
use crate::identity::session::{self, Arrival, Begun, Terms};
use crate::mail::message::FactorKind;
use crate::model::explanation::{Explanation, Rule};
use crate::model::{AuditAction, AuthMethod, CeremonyPurpose, Outcome, PasskeyId, UserId};
use crate::store::passkeys::{self, Ceremony, Passkey as Row};
use crate::store::{self, Conn, users};
use crate::tenancy::admission;

/// How long a challenge waits for its answer.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// Challenges that one address may ask for.
const CHALLENGES: Limit = Limit { count: 300, per: Duration::from_secs(10 * 60) };
/// Passkeys of one account.
const MOST: usize = 20;
const NAME_LENGTH: usize = 64;

/// What the browser is asked to do.
#[derive(Debug, Serialize)]
pub struct Challenge {
    /// Names the challenge when the answer comes.
    ceremony: String,
    /// `PublicKeyCredentialCreationOptions` or `PublicKeyCredentialRequestOptions` as JSON (WebAuthn §5.1).
    #[serde(rename = "publicKey")]
    options: Value,
}

/// What the browser answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub ceremony: Secret,
    /// The credential as JSON.
    pub credential: String,
    /// What ties the browser to its challenges.
    pub browser: Secret,
}

/// Why a passkey was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// The issuer is an IP address: browsers do not offer passkeys there.
    #[error("passkeys need an issuer with a host name")]
    Unavailable,
    /// The challenge is gone, or the answer does not prove what it should: one answer for all.
    #[error("the passkey was not recognised")]
    Refused,
    /// Nobody waits for a factor here, or may add one.
    #[error("nobody waits for a passkey here")]
    Gone,
    #[error("too many tries")]
    Throttled(Throttled),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A signature was right. Its use is noted where it is acted upon.
#[derive(Clone, Debug)]
pub struct Verified {
    id: PasskeyId,
    user: UserId,
    credential: String,
    counter: i64,
}

/// Whether this instance can take passkeys at all.
pub fn is_available(config: &Config) -> bool {
    relying_party(config).is_ok()
}

/// A challenge for whoever has a passkey of any account.
pub async fn begin_sign_in(app: &App, browser: &Secret, origin: &Origin) -> Result<Challenge, PasskeyError> {
    let (options, state) =
        relying_party(&app.config)?.start_discoverable_authentication().map_err(refused)?;
    keep(app, CeremonyPurpose::SignIn, None, options.public_key, &state, browser, origin).await
}

/// Signs in whoever has the passkey.
pub async fn sign_in(
    app: &App,
    answer: &Answer,
    arrival: &Arrival,
    remember: bool,
    origin: &Origin,
) -> Result<Begun, PasskeyError> {
    let settled = settle_sign_in(app, answer, arrival, remember, origin).await;
    match &settled {
        Ok(_) => app.count_sign_in(AuthMethod::HardwareKey, Outcome::Success),
        Err(PasskeyError::Refused) => app.count_sign_in(AuthMethod::HardwareKey, Outcome::Failure),
        Err(PasskeyError::Throttled(_)) => app.count_sign_in(AuthMethod::HardwareKey, Outcome::Denied),
        Err(PasskeyError::Unavailable | PasskeyError::Gone | PasskeyError::Store(_)) => {}
    }
    settled
}

async fn settle_sign_in(
    app: &App,
    answer: &Answer,
    arrival: &Arrival,
    remember: bool,
    origin: &Origin,
) -> Result<Begun, PasskeyError> {
    let scribe = app.scribe(origin);
    let outcome = verify_sign_in(app, answer).await;
    let verified = told(app, outcome, None, &scribe).await?;
    let (terms, arrival) = (Terms::of(app, remember), arrival.clone());
    let begun = app.db.write(move |db| {
        scribe.origin.slip.concerns(verified.user);
        let admission = match admission::admit_user(db, verified.user)? {
            Ok(admission) => admission,
            Err(refusal) => {
                scribe.origin.slip.refuse(refusal);
                return Ok(None);
            }
        };
        if !note_use(db, &verified, &scribe)? {
            return Ok(None);
        }
        session::begin(db, &admission, &[AuthMethod::HardwareKey], &arrival, terms, &scribe).map(Some)
    });
    begun.await?.ok_or(PasskeyError::Refused)
}

async fn verify_sign_in(app: &App, answer: &Answer) -> Result<Verified, PasskeyError> {
    let ceremony = take(app, CeremonyPurpose::SignIn, None, answer).await?;
    let state: DiscoverableAuthentication = read_state(&ceremony)?;
    let credential: PublicKeyCredential = read_answer(answer)?;
    let id = credential.get_credential_id().to_vec();
    let row =
        app.db.read(move |db| passkeys::find_by_credential(db, &id)).await?.ok_or(PasskeyError::Refused)?;
    // What the authenticator says whose it is must be what we know (WebAuthn §7.2 step 6).
    if credential.get_user_unique_id() != Some(row.user_id.as_bytes().as_slice()) {
        return Err(PasskeyError::Refused);
    }
    let key = read_key(&row)?;
    let result = relying_party(&app.config)?
        .finish_discoverable_authentication_v2(&credential, state, DiscoverableKey::from(&key))
        .map_err(refused)?;
    verified(row, key, &result)
}

/// A challenge for one of the passkeys of whoever is to show a second factor.
pub async fn begin_factor(
    app: &App,
    claimant: &Claimant,
    browser: &Secret,
    origin: &Origin,
) -> Result<Challenge, PasskeyError> {
    let (user, keys) = standing(app, claimant, |db, stand| {
        let user = stand.admission().user().id;
        Ok((user, passkeys::of_user(db, user)?))
    })
    .await?;
    let keys = keys.iter().map(read_key).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err(PasskeyError::Gone);
    }
    let (options, state) =
        relying_party(&app.config)?.start_passkey_authentication(&keys).map_err(refused)?;
    keep(app, CeremonyPurpose::SecondFactor, Some(user), options.public_key, &state, browser, origin).await
}

/// Judges the answer of whoever is to show a second factor.
pub async fn verify_factor(
    app: &App,
    claimant: &Claimant,
    answer: &Answer,
    origin: &Origin,
) -> Result<Verified, PasskeyError> {
    let user = standing(app, claimant, |_, stand| Ok(stand.admission().user().id)).await?;
    let outcome = verify_of_user(app, user, answer).await;
    told(app, outcome, Some(user), &app.scribe(origin)).await
}

async fn verify_of_user(app: &App, user: UserId, answer: &Answer) -> Result<Verified, PasskeyError> {
    let ceremony = take(app, CeremonyPurpose::SecondFactor, Some(user), answer).await?;
    let state: PasskeyAuthentication = read_state(&ceremony)?;
    let credential: PublicKeyCredential = read_answer(answer)?;
    let result =
        relying_party(&app.config)?.finish_passkey_authentication(&credential, &state).map_err(refused)?;
    let id = result.cred_id().to_vec();
    let row = app.db.read(move |db| passkeys::find_by_credential(db, &id)).await?;
    let row = row.filter(|row| row.user_id == user).ok_or(PasskeyError::Refused)?;
    let key = read_key(&row)?;
    verified(row, key, &result)
}

/// A challenge for a new passkey of whoever is signed in, or must get a second factor.
pub async fn begin_registration(
    app: &App,
    claimant: &Claimant,
    browser: &Secret,
    origin: &Origin,
) -> Result<Challenge, PasskeyError> {
    let now = app.clock.now();
    let (user, email, known) = standing(app, claimant, move |db, stand| {
        let user = stand.admission().user().clone();
        let known = passkeys::of_user(db, user.id)?;
        let may = stand.enrolling(db, now)?.is_some() && known.len() < MOST;
        let email = users::primary_email(db, user.id)?.map(|email| email.address);
        Ok(may.then_some((user, email, known)))
    })
    .await?
    .ok_or(PasskeyError::Gone)?;
    let name = email.as_deref().or(user.username.as_deref()).unwrap_or(&user.name);
    let label = if user.name.trim().is_empty() { name } else { &user.name };
    let known = known.into_iter().map(|row| row.credential_id).collect();
    let (options, state) = start_registration(&app.config, user.id, name, label, known)?;
    keep(app, CeremonyPurpose::Register, Some(user.id), options, &state, browser, origin).await
}

/// What the browser is asked for, and what its answer is judged by.
pub(super) fn start_registration(
    config: &Config,
    user: UserId,
    name: &str,
    label: &str,
    known: Vec<CredentialID>,
) -> Result<(Value, PasskeyRegistration), PasskeyError> {
    let handle = Uuid::from_bytes(*user.as_bytes());
    let (options, state) = relying_party(config)?
        .start_passkey_registration(handle, name, label, Some(known))
        .map_err(refused)?;
    let mut options = json!(options.public_key);
    // It must be found without a name: the library leaves that to the authenticator.
    options["authenticatorSelection"]["residentKey"] = json!("required");
    options["authenticatorSelection"]["requireResidentKey"] = json!(true);
    Ok((options, state))
}

pub(super) fn finish_registration(
    config: &Config,
    credential: &RegisterPublicKeyCredential,
    state: &PasskeyRegistration,
) -> Result<Passkey, PasskeyError> {
    relying_party(config)?.finish_passkey_registration(credential, state).map_err(refused)
}

/// Adds the new passkey, which signs in or steps up whoever made it.
pub async fn register(
    app: &App,
    claimant: &Claimant,
    answer: &Answer,
    name: &str,
    arrival: &Arrival,
    origin: &Origin,
) -> Result<Secured, PasskeyError> {
    let user = standing(app, claimant, |_, stand| Ok(stand.admission().user().id)).await?;
    let scribe = app.scribe(origin);
    let outcome = verify_registration(app, user, answer).await;
    let key = told(app, outcome, Some(user), &scribe).await?;
    let row = row(user, &key, name, &scribe);
    let terms = [Terms::of(app, false), Terms::of(app, true)];
    let (claimant, arrival) = (claimant.clone(), arrival.clone());
    let secured = app.db.write(move |db| {
        let Some(stand) = Stand::of(db, &claimant, scribe.now)? else { return Ok(None) };
        let before = stand.enrolling(db, scribe.now)?.filter(|before| before.passkeys < MOST);
        let Some(before) = before else { return Ok(None) };
        passkeys::insert(db, &row)?;
        let passed = stand.pass(db, AuthMethod::HardwareKey, &arrival, terms, &scribe)?;
        let Some(passed) = passed else { return Ok(None) };
        let user = stand.admission().user();
        let recovery_codes =
            secure(db, &passed, user, before, FactorKind::Passkey, &arrival.notices, &scribe)?;
        Ok(Some(Secured { passed, recovery_codes }))
    });
    match secured.await {
        Ok(secured) => secured.ok_or(PasskeyError::Gone),
        // Another account has it, or the same answer came twice.
        Err(store::Error::Taken(_)) => Err(PasskeyError::Refused),
        Err(error) => Err(error.into()),
    }
}

async fn verify_registration(app: &App, user: UserId, answer: &Answer) -> Result<Passkey, PasskeyError> {
    let ceremony = take(app, CeremonyPurpose::Register, Some(user), answer).await?;
    let state: PasskeyRegistration = read_state(&ceremony)?;
    let credential: RegisterPublicKeyCredential = read_answer(answer)?;
    finish_registration(&app.config, &credential, &state)
}

/// How a passkey is stored that was made just now.
pub(super) fn row(user: UserId, key: &Passkey, name: &str, scribe: &Scribe) -> Row {
    Row {
        id: PasskeyId::new(scribe.now, &scribe.random),
        user_id: user,
        credential_id: key.cred_id().to_vec(),
        credential: write_key(key),
        counter: 0,
        name: shown_name(name),
        created_at: scribe.now,
        last_used_at: None,
    }
}

/// Notes the use of a verified passkey, within the transaction that acts upon it. `false` if the passkey is gone, or
/// another signature has overtaken this one: then nothing may follow (MF-2).
pub(super) fn note_use(db: &mut Conn, verified: &Verified, scribe: &Scribe) -> Result<bool, store::Error> {
    let noted = passkeys::note_use(db, verified.id, &verified.credential, verified.counter, scribe.now)?;
    if !noted {
        let told =
            Explanation::of(Rule::Passkey).with("state", "removed meanwhile, or its counter went back");
        scribe.origin.slip.refuse(told);
        scribe.write(db, refusal(Some(verified.user), "removed meanwhile, or its counter went back"))?;
    }
    Ok(noted)
}

impl Verified {
    pub(super) fn user(&self) -> UserId {
        self.user
    }
}

fn verified(row: Row, mut key: Passkey, result: &AuthenticationResult) -> Result<Verified, PasskeyError> {
    // The library has asked for it; nothing else makes a passkey two factors.
    if !result.user_verified() {
        return Err(PasskeyError::Refused);
    }
    key.update_credential(result);
    Ok(Verified {
        id: row.id,
        user: row.user_id,
        credential: write_key(&key),
        counter: i64::from(result.counter()),
    })
}

fn relying_party(config: &Config) -> Result<Webauthn, PasskeyError> {
    let origin = Url::parse(&config.issuer.origin()).map_err(|_| PasskeyError::Unavailable)?;
    let host = origin.domain().ok_or(PasskeyError::Unavailable)?;
    WebauthnBuilder::new(host, &origin)
        .and_then(|builder| builder.rp_name(&config.branding.product_name).timeout(PATIENCE).build())
        .map_err(|_| PasskeyError::Unavailable)
}

/// Why the library refused goes to the log: it names no person and no key.
fn refused(error: WebauthnError) -> PasskeyError {
    match error {
        WebauthnError::CredentialPossibleCompromise => {
            tracing::warn!("a passkey's counter went back: there may be two of it");
        }
        error => tracing::info!(%error, "a passkey was not taken"),
    }
    PasskeyError::Refused
}

/// Looks at a claimant who may go on.
async fn standing<T: Send + 'static>(
    app: &App,
    claimant: &Claimant,
    look: impl Fn(&mut Conn, &Stand) -> Result<T, store::Error> + Send + 'static,
) -> Result<T, PasskeyError> {
    let (claimant, now) = (claimant.clone(), app.clock.now());
    let found = app.db.read(move |db| match Stand::of(db, &claimant, now)? {
        Some(stand) => look(db, &stand).map(Some),
        None => Ok(None),
    });
    found.await?.ok_or(PasskeyError::Gone)
}

pub(super) async fn keep(
    app: &App,
    purpose: CeremonyPurpose,
    user: Option<UserId>,
    options: impl Serialize,
    state: &impl Serialize,
    browser: &Secret,
    origin: &Origin,
) -> Result<Challenge, PasskeyError> {
    let now = app.clock.now();
    let secret = Secret::generate(&app.random);
    let ceremony = Ceremony {
        digest: secret.digest(),
        purpose,
        browser_digest: browser.digest(),
        user_id: user,
        state: serde_json::to_string(state).map_err(|error| store::Error::broken("a challenge", error))?,
        expires_at: now.plus(PATIENCE),
    };
    let options =
        serde_json::to_value(options).map_err(|error| store::Error::broken("a challenge", error))?;
    let bucket = Bucket::new("passkey challenges", &[&limits::address_key(origin.ip)]);
    let slip = origin.slip.clone();
    let kept = app.db.write(move |db| {
        if let Err(throttled) = limits::reserve(db, &[(bucket, CHALLENGES)], now, &slip)? {
            return Ok(Err(throttled));
        }
        passkeys::begin_ceremony(db, &ceremony).map(Ok)
    });
    kept.await?.map_err(PasskeyError::Throttled)?;
    Ok(Challenge { ceremony: secret.expose().to_owned(), options })
}

/// Takes the challenge, which is spent by that.
pub(super) async fn take(
    app: &App,
    purpose: CeremonyPurpose,
    user: Option<UserId>,
    answer: &Answer,
) -> Result<Ceremony, PasskeyError> {
    let (digest, browser, now) = (answer.ceremony.digest(), answer.browser.digest(), app.clock.now());
    let taken = app.db.write(move |db| passkeys::take_ceremony(db, &digest, purpose, &browser, now)).await?;
    taken.filter(|ceremony| ceremony.user_id == user).ok_or(PasskeyError::Refused)
}

/// Records a refusal.
pub(super) async fn told<T>(
    app: &App,
    outcome: Result<T, PasskeyError>,
    user: Option<UserId>,
    scribe: &Scribe,
) -> Result<T, PasskeyError> {
    if let Err(PasskeyError::Refused) = &outcome {
        scribe.origin.slip.refuse(Rule::Passkey);
        let scribe = scribe.clone();
        app.db.write(move |db| scribe.write(db, refusal(user, "the passkey was not recognised"))).await?;
    }
    outcome
}

fn refusal(user: Option<UserId>, reason: &str) -> Event {
    Event::failure(AuditAction::FactorRefused).user(user).detail("kind", "passkey").detail("reason", reason)
}

pub(super) fn read_state<T: DeserializeOwned>(ceremony: &Ceremony) -> Result<T, PasskeyError> {
    Ok(serde_json::from_str(&ceremony.state).map_err(|error| store::Error::broken("a challenge", error))?)
}

pub(super) fn read_answer<T: DeserializeOwned>(answer: &Answer) -> Result<T, PasskeyError> {
    serde_json::from_str(&answer.credential).map_err(|_| PasskeyError::Refused)
}

fn read_key(row: &Row) -> Result<Passkey, store::Error> {
    serde_json::from_str(&row.credential).map_err(|error| store::Error::broken("a passkey", error))
}

fn write_key(key: &Passkey) -> String {
    serde_json::to_string(key).expect("a passkey is plain data")
}

/// What the user calls it, on one line.
fn shown_name(typed: &str) -> String {
    let name: String = typed.trim().chars().filter(|c| !c.is_control()).take(NAME_LENGTH).collect();
    if name.is_empty() { "Passkey".to_owned() } else { name }
}
