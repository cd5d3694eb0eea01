//! Signing in through identity providers: Google, Microsoft, any OpenID Provider.
//!
//! [`start`] sends a browser to a provider, [`finish`] takes it back. In between lies what only this browser, this
//! provider and this attempt can complete (FE-2). What the provider says is proven by `token`, against the issuer
//! that `authority` chose beforehand (FE-4, FE-5); what becomes of whom it vouches for is decided by `admit`, and
//! linking to an account that exists by [`link`]. [`token_in`] is the way in for applications that bring a
//! provider's token themselves.
//!
//! Providers that only speak OAuth 2 (GitHub) are not among them: each says who somebody is in an API of its own, and
//! none of them signs it.

mod admit;
mod authority;
pub mod link;
pub mod providers;
mod token;
pub mod token_in;
pub mod trial;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::device::KnownDevice;
use super::factor::Enrolled;
use super::limits::{self, Bucket, Throttled};
use super::session::{self, Arrival, Begun, Terms};
use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::config::Limit;
use crate::crypto::{Digest, MasterKey, Secret};
use crate::model::explanation::{Explanation, Rule};
use crate::model::{AuditAction, AuthMethod, Outcome, RequestId, Status, UserId};
use crate::protocol::factors::RECENT;
use crate::store::{self, Conn, federation as rows};

use admit::{Settled, Settlement};
use providers::Upstream;
use token::{NonceCheck, Person, Proven};

/// How long somebody may take at the provider (FE-2).
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// How long all that we ask a provider for one browser may take together: the page must say within six seconds that
/// the provider is away (FE-11). A single fetch gives up before.
const PATIENCE: Duration = Duration::from_millis(5_500);

/// Why nobody was signed in. The texts in it are for the log and the audit, never for a page.
#[derive(Debug, thiserror::Error)]
pub enum FederationError {
    /// Unknown, or disabled.
    #[error("there is no such provider")]
    NoSuchProvider,
    /// Not begun in this browser with this provider, begun too long ago, or over already: one answer.
    #[error("the sign-in is over or was not begun in this browser")]
    Stale,
    /// The person or the provider did not want to go on.
    #[error("the provider answered: {0}")]
    Denied(String),
    /// It does not answer, or not in time, or not with what it should be (FE-11).
    #[error("the provider is not available: {0}")]
    Unavailable(String),
    /// It answered, but what it said does not prove who somebody is (FE-4).
    #[error("the provider's answer was refused: {0}")]
    Refused(String),
    /// It does not take us for who we say we are: the client id or the secret is not the one that it knows.
    #[error("the provider does not know us: {0}")]
    ClientRefused(String),
    /// The provider's people do not become users by signing in.
    #[error("there is no account for this identity")]
    NoAccount,
    #[error("there is no invitation for this identity")]
    NotInvited,
    /// Somebody else's account is linked to it.
    #[error("the identity is linked to another account")]
    LinkedElsewhere,
    /// The address belongs to an account that is not linked; told only where there is no browser to sign in with.
    #[error("the address belongs to an account that is not linked")]
    AccountExists,
    #[error("too many tries")]
    Throttled(Throttled),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl FederationError {
    /// Notes why, for those who run the instance.
    fn tell(&self, provider: &str, origin: &Origin) {
        let (rule, reason) = match self {
            // Noted where it was counted; and an outage is no refusal.
            Self::Throttled(_) | Self::Store(_) => return,
            Self::NoSuchProvider => (Rule::ProviderUnknown, None),
            Self::Stale => (Rule::ProviderStale, None),
            Self::Denied(error) => (Rule::ProviderDenied, Some(error.clone())),
            Self::Unavailable(why) => (Rule::ProviderAway, Some(why.clone())),
            Self::Refused(why) => (Rule::ProviderToken, Some(why.clone())),
            Self::ClientRefused(why) => (Rule::ProviderClient, Some(why.clone())),
            Self::NoAccount | Self::NotInvited | Self::LinkedElsewhere | Self::AccountExists => {
                (Rule::ProviderAccount, Some(self.to_string()))
            }
        };
        let told = Explanation::of(rule).with("provider", provider);
        origin.slip.refuse(reason.into_iter().fold(told, |told, why| told.with("reason", why)));
    }
}

/// A browser that wants to go to a provider.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    pub provider: &'a str,
    /// Of the browser (AR-6).
    pub binding: &'a Secret,
    /// Whether the browser is known, and as which.
    pub device: Option<&'a KnownDevice>,
    pub onward: Onward,
    /// Whether the provider is to ask who is there, even if it knows: somebody has to prove it anew.
    pub anew: bool,
    /// The signed-in user who wants the identity linked. The caller has asked for the password again (FE-9).
    pub link_to: Option<UserId>,
    /// The administrator who only tries what would happen; then the provider may be a disabled one.
    pub trial_by: Option<UserId>,
}

/// What the browser is about, and goes on with afterwards.
#[derive(Clone, Debug, Default)]
pub struct Onward {
    pub request: Option<RequestId>,
    /// Without a request: a page of ours.
    pub page: Option<String>,
}

/// What came back from a provider through the browser.
#[derive(Clone, Debug, Default)]
pub struct Returned {
    pub state: Option<String>,
    pub code: Option<String>,
    /// The issuer, where the provider names it (RFC 9207).
    pub iss: Option<String>,
    pub error: Option<String>,
}

/// A sign-in that went well so far.
#[derive(Clone, Debug)]
pub struct Finished {
    pub outcome: Come,
    pub onward: Onward,
}

/// Who came back.
#[derive(Clone, Debug)]
pub enum Come {
    /// Maybe up to a second factor.
    SignedIn {
        begun: Begun,
        /// Whether the account was made just now.
        is_new: bool,
    },
    /// The address belongs to an account: its owner signs in to it in this browser, and it is linked (FE-7).
    MustLink,
    /// The identity is linked to the account that asked for it.
    Linked,
}

/// A sign-in that did not go well, with what a page needs to offer the other ways.
#[derive(Debug)]
pub struct Failed {
    pub error: FederationError,
    /// What people call the provider, if there is one.
    pub provider: Option<String>,
    pub onward: Onward,
}

/// Where to send the browser.
///
/// # Errors
/// If there is no such provider, or it does not answer.
pub async fn start(app: &App, start: Start<'_>, origin: &Origin) -> Result<Url, Failed> {
    let provider = start.provider;
    let outcome = set_out(app, start, origin).await;
    outcome.inspect_err(|failed| failed.error.tell(provider, origin))
}

async fn set_out(app: &App, start: Start<'_>, origin: &Origin) -> Result<Url, Failed> {
    let upstream = match providers::find(app, start.provider).await {
        Ok(Some(upstream)) if upstream.status == Status::Active || start.trial_by.is_some() => upstream,
        Ok(_) => return Err(Failed::of(FederationError::NoSuchProvider, None, start.onward)),
        Err(error) => return Err(Failed::of(error.into(), None, start.onward)),
    };
    let begun = tokio::time::timeout(PATIENCE, begin(app, &upstream, &start, origin)).await;
    let outcome = begun.unwrap_or_else(|_| Err(out_of_time()));
    if let Err(FederationError::Unavailable(why)) = &outcome {
        tracing::warn!(provider = start.provider, why, "an identity provider is not available");
    }
    outcome.map_err(|error| Failed::of(error, Some(&upstream), start.onward))
}

async fn begin(
    app: &App,
    upstream: &Upstream,
    start: &Start<'_>,
    origin: &Origin,
) -> Result<Url, FederationError> {
    let scribe = app.scribe(origin);
    let tries = [tries(app, start.device, origin)];
    app.db
        .write(move |db| limits::reserve(db, &tries, scribe.now, &scribe.origin.slip))
        .await?
        .map_err(FederationError::Throttled)?;
    let documents = upstream::documents(app, &upstream.settings).await?;
    let attempt = Attempt::new(app);
    let url = upstream::authorization_url(app, &upstream.settings, &documents, &attempt, start.anew)?;
    let row = attempt.row(app, start, app.clock.now());
    app.db.write(move |db| rows::insert_login(db, &row)).await?;
    Ok(url)
}

/// The secrets of one attempt: each of 256 random bits.
struct Attempt {
    state: Secret,
    nonce: Secret,
    /// RFC 7636 §4.1 asks for 43 characters or more: it has 43.
    verifier: Secret,
}

impl Attempt {
    fn new(app: &App) -> Self {
        let fresh = || Secret::generate(&app.random);
        Self { state: fresh(), nonce: fresh(), verifier: fresh() }
    }

    fn row(&self, app: &App, start: &Start<'_>, now: Timestamp) -> rows::UpstreamLogin {
        let state_digest = self.state.digest();
        let verifier = self.verifier.expose().as_bytes();
        rows::UpstreamLogin {
            state_digest,
            provider_id: start.provider.to_owned(),
            browser_digest: start.binding.digest(),
            nonce_digest: self.nonce.digest(),
            verifier_sealed: app.master.seal(&app.random, &sealing_context(&state_digest), verifier),
            request_id: start.onward.request,
            page: start.onward.page.clone(),
            link_to: start.link_to,
            created_at: now,
            expires_at: now.plus(LIFETIME),
            consumed_at: None,
            trial_by: start.trial_by,
        }
    }
}

fn sealing_context(state: &Digest) -> Vec<u8> {
    [b"upstream verifier ".as_slice(), state.as_bytes()].concat()
}

fn open_verifier(master: &MasterKey, row: &rows::UpstreamLogin) -> Result<Secret, store::Error> {
    let opened = master
        .unseal(&sealing_context(&row.state_digest), &row.verifier_sealed)
        .map_err(|error| store::Error::broken("the verifier of an upstream sign-in", error))?;
    let text = std::str::from_utf8(&opened)
        .map_err(|error| store::Error::broken("the verifier of an upstream sign-in", error))?;
    Ok(Secret::from_text(text))
}

/// Takes a browser back from a provider.
///
/// # Errors
/// With everything that a page needs to offer the other ways.
pub async fn finish(
    app: &App,
    provider: &str,
    returned: Returned,
    binding: Option<&Secret>,
    arrival: Arrival,
    origin: &Origin,
) -> Result<Finished, Failed> {
    let outcome = come_back(app, provider, returned, binding, arrival, origin).await;
    outcome.inspect_err(|failed| failed.error.tell(provider, origin))
}

async fn come_back(
    app: &App,
    provider: &str,
    returned: Returned,
    binding: Option<&Secret>,
    arrival: Arrival,
    origin: &Origin,
) -> Result<Finished, Failed> {
    let upstream = match providers::find_active(app, provider).await {
        Ok(Some(upstream)) => upstream,
        Ok(None) => return Err(Failed::of(FederationError::NoSuchProvider, None, Onward::default())),
        Err(error) => return Err(Failed::of(error.into(), None, Onward::default())),
    };
    let row = match consume(app, provider, returned.state.as_deref(), binding, None).await {
        Ok(row) => row,
        Err(error) => return Err(Failed::of(error, Some(&upstream), Onward::default())),
    };
    let onward = Onward { request: row.request_id, page: row.page.clone() };
    let proven = tokio::time::timeout(PATIENCE, prove(app, &upstream, &row, &returned)).await;
    let outcome = match proven.unwrap_or_else(|_| Err(out_of_time())) {
        Ok(person) => take_in(app, &upstream, person, &row, arrival, origin).await,
        Err(error) => Err(error),
    };
    note(app, &upstream, outcome.as_ref().err(), origin)
        .await
        .map_err(|error| Failed::of(error.into(), Some(&upstream), onward.clone()))?;
    match outcome {
        Ok(outcome) => Ok(Finished { outcome, onward }),
        Err(error) => Err(Failed::of(error, Some(&upstream), onward)),
    }
}

async fn consume(
    app: &App,
    provider: &str,
    state: Option<&str>,
    binding: Option<&Secret>,
    trial_by: Option<UserId>,
) -> Result<rows::UpstreamLogin, FederationError> {
    let (Some(state), Some(binding)) = (state, binding) else { return Err(FederationError::Stale) };
    let (state, browser, now) = (Digest::of(state.as_bytes()), binding.digest(), app.clock.now());
    let provider = provider.to_owned();
    let row = app.db.write(move |db| rows::consume_login(db, &state, &provider, &browser, now)).await?;
    // A trial is no sign-in, and a sign-in no trial: what is taken for the other is over.
    row.filter(|row| row.trial_by == trial_by).ok_or(FederationError::Stale)
}

/// Everything between the browser's return and knowing who it is.
async fn prove(
    app: &App,
    upstream: &Upstream,
    row: &rows::UpstreamLogin,
    returned: &Returned,
) -> Result<Person, FederationError> {
    let proven = proven(app, upstream, row, returned).await?;
    Ok(proven.person(&upstream.settings)?)
}

/// The same, up to what the provider's proven words are.
async fn proven(
    app: &App,
    upstream: &Upstream,
    row: &rows::UpstreamLogin,
    returned: &Returned,
) -> Result<Proven, FederationError> {
    let settings = &upstream.settings;
    let documents = upstream::documents(app, settings).await?;
    // Before an error is believed as well: it may be another provider's (RFC 9207 §2.4).
    documents.check_response_issuer(settings, returned.iss.as_deref())?;
    if let Some(error) = &returned.error {
        return Err(FederationError::Denied(plain(error)));
    }
    let Some(code) = &returned.code else {
        return Err(FederationError::Refused("the answer has no code".to_owned()));
    };
    let verifier = open_verifier(&app.master, row)?;
    let tokens = upstream::exchange(app, settings, &documents, code, &verifier).await?;
    let nonce = NonceCheck::Digest(row.nonce_digest);
    upstream::proven(app, settings, &documents, &tokens, nonce).await
}

/// An error code of a provider, short and printable.
fn plain(error: &str) -> String {
    error.chars().filter(|c| c.is_ascii_graphic()).take(60).collect()
}

async fn take_in(
    app: &App,
    upstream: &Upstream,
    person: Person,
    row: &rows::UpstreamLogin,
    arrival: Arrival,
    origin: &Origin,
) -> Result<Come, FederationError> {
    if let Some(user) = row.link_to {
        link::to_account(app, upstream, person, user, &arrival, origin).await?;
        return Ok(Come::Linked);
    }
    let (bucket, _) = tries(app, arrival.device.as_ref(), origin);
    let settlement = Settlement {
        upstream: upstream.clone(),
        policy: upstream.first_sign_in(app.config.registration_mode()),
        person,
        browser: Some(row.browser_digest),
        arrival,
        terms: Terms::of(app, false),
        scribe: app.scribe(origin),
    };
    let settlement = Arc::new(settlement);
    let settled = settle_twice(app, move |db| {
        let settled = settlement.settle(db)?;
        if let Settled::SignedIn { .. } = settled {
            limits::refund(db, &[bucket])?;
        }
        Ok(settled)
    });
    match settled.await? {
        Settled::SignedIn { begun, is_new } => Ok(Come::SignedIn { begun, is_new }),
        Settled::MustLink => Ok(Come::MustLink),
        Settled::Refused(error) => Err(error.into()),
    }
}

/// Two first sign-ins of one person that arrive together: the later one finds the account made when it is settled again.
async fn settle_twice<T: Send + 'static>(
    app: &App,
    settle: impl Fn(&mut Conn) -> Result<T, store::Error> + Clone + Send + 'static,
) -> Result<T, FederationError> {
    match app.db.write(settle.clone()).await {
        Err(store::Error::Taken(_)) => match app.db.write(settle).await {
            Err(store::Error::Taken(_)) => Err(FederationError::Stale),
            again => Ok(again?),
        },
        first => Ok(first?),
    }
}

/// Counts the sign-in, and records why it failed if it did. What worked is recorded with the session.
async fn note(
    app: &App,
    upstream: &Upstream,
    failure: Option<&FederationError>,
    origin: &Origin,
) -> Result<(), store::Error> {
    let Some(failure) = failure else {
        app.count_sign_in(AuthMethod::Federated, Outcome::Success);
        return Ok(());
    };
    app.count_sign_in(AuthMethod::Federated, Outcome::Failure);
    tracing::warn!(provider = upstream.settings.id, why = %failure, "a sign-in through an identity provider failed");
    if matches!(failure, FederationError::Store(_)) {
        return Ok(());
    }
    let event = Event::failure(AuditAction::SignIn)
        .detail("provider", upstream.settings.id.as_str())
        .detail("reason", failure.to_string());
    let scribe = app.scribe(origin);
    app.db.write(move |db| scribe.write(db, event.clone())).await
}

/// Sign-ins that one network address began and that did not end well (RL-3). A known device counts for itself: what
/// others at the same address begin does not keep it out (RL-4).
fn tries(app: &App, device: Option<&KnownDevice>, origin: &Origin) -> (Bucket, Limit) {
    let bucket = match device {
        Some(device) => Bucket::new("federation device", &[device.id()]),
        None => Bucket::new("federation address", &[&limits::address_key(origin.ip)]),
    };
    (bucket, app.config.limits.login_per_address)
}

fn out_of_time() -> FederationError {
    FederationError::Unavailable(format!("it took longer than {} ms", PATIENCE.as_millis()))
}

impl Failed {
    fn of(error: FederationError, upstream: Option<&Upstream>, onward: Onward) -> Self {
        Self { error, provider: upstream.map(|upstream| upstream.settings.label()), onward }
    }
}

/// Whether the user can prove here, without the provider, who they are.
fn has_own_proof(db: &mut Conn, user: UserId) -> Result<bool, store::Error> {
    Ok(store::users::password(db, user)?.is_some() || Enrolled::of(db, user)?.any())
}

/// Begins a session of an admitted user by this provider's word. Nothing else begins one here.
fn begin_session(
    db: &mut Conn,
    admission: &crate::tenancy::admission::Admission,
    provider: &str,
    authenticated_at: Option<Timestamp>,
    arrival: &Arrival,
    terms: Terms,
    scribe: &Scribe,
) -> Result<Begun, store::Error> {
    let begun = session::begin(db, admission, &[AuthMethod::Federated], arrival, terms, scribe)?;
    match authenticated_at {
        _ if begun.awaiting_factor => {}
        // Nobody was asked here: the proof is as old as the provider's (AZ-11).
        Some(at) if at < scribe.now => store::sessions::backdate(db, begun.id, at)?,
        Some(_) => {}
        // One that does not say when it asked proves who is there, and not that somebody was asked just now. Whoever has
        // a password or a factor proves the rest with it (SE-7); of whoever has nothing else, nothing better is to be had.
        None if has_own_proof(db, begun.user)? => {
            let long_ago = scribe.now.minus(RECENT + Duration::from_secs(1));
            store::sessions::backdate_proofs(db, begun.id, long_ago)?;
        }
        None => {}
    }
    rows::note_session(db, begun.id, provider, scribe.now.plus(terms.max))?;
    Ok(begun)
}
