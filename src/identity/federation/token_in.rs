//! Signing in with a provider's token that an application brings itself, as clients in the field do (LG-3).
//!
//! The application got it by the provider's own library; it proves somebody to us only if it was made for us. Each is
//! good once, and is put through the same decision as a browser that comes back from the provider.

use std::sync::Arc;

use super::admit::{Settled, Settlement};
use super::token::{Kind, NonceCheck};
use super::{FederationError, PATIENCE, note, out_of_time, providers, settle_twice, upstream};
use crate::app::App;
use crate::audit::Origin;
use crate::clock::Timestamp;
use crate::crypto::{Digest, Secret};
use crate::identity::session::{Arrival, Begun, Terms};
use crate::model::ProviderKind;
use crate::store;

/// Somebody signed in by a token, maybe up to a second factor.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub begun: Begun,
    /// Whether the account was made just now.
    pub is_new: bool,
}

/// Signs in with an ID token of this provider's, such as the `credential` of Google's button. With a nonce that the
/// application knows, the token must have it.
///
/// # Errors
/// If the token is not for us, was used before, or whoever it names may not come. [`FederationError::AccountExists`]
/// where a browser would be asked to link.
pub async fn sign_in_with_id_token(
    app: &App,
    provider: &str,
    credential: &Secret,
    nonce: Option<&str>,
    arrival: Arrival,
    origin: &Origin,
) -> Result<SignedIn, FederationError> {
    let nonce = nonce.map_or(NonceCheck::Unasked, |nonce| NonceCheck::Digest(Digest::of(nonce.as_bytes())));
    sign_in(app, provider, credential, Kind::Brought, nonce, arrival, origin).await
}

/// Signs in with an access token of Microsoft's. Only one that was made for this application proves anything: one for
/// Graph is somebody else's, and cannot be verified by anybody else.
///
/// # Errors
/// As [`sign_in_with_id_token`]; and for every provider but Microsoft, whose access tokens say nothing of a person.
pub async fn sign_in_with_access_token(
    app: &App,
    provider: &str,
    token: &Secret,
    arrival: Arrival,
    origin: &Origin,
) -> Result<SignedIn, FederationError> {
    sign_in(app, provider, token, Kind::AccessToken, NonceCheck::Unasked, arrival, origin).await
}

async fn sign_in(
    app: &App,
    provider: &str,
    token: &Secret,
    kind: Kind,
    nonce: NonceCheck,
    arrival: Arrival,
    origin: &Origin,
) -> Result<SignedIn, FederationError> {
    let outcome = take_in(app, provider, token, kind, nonce, arrival, origin).await;
    outcome.inspect_err(|error| error.tell(provider, origin))
}

async fn take_in(
    app: &App,
    provider: &str,
    token: &Secret,
    kind: Kind,
    nonce: NonceCheck,
    arrival: Arrival,
    origin: &Origin,
) -> Result<SignedIn, FederationError> {
    let found = providers::find_active(app, provider).await?;
    let is_for_us = |kind_of: ProviderKind| kind != Kind::AccessToken || kind_of == ProviderKind::Microsoft;
    let Some(found) = found.filter(|found| is_for_us(found.settings.kind)) else {
        return Err(FederationError::NoSuchProvider);
    };
    let proving = async {
        let documents = upstream::documents(app, &found.settings).await?;
        let proven = upstream::prove(app, &found.settings, &documents, token.expose(), nonce, kind).await?;
        Ok(proven.person(&found.settings)?)
    };
    let outcome = match tokio::time::timeout(PATIENCE, proving).await.unwrap_or_else(|_| Err(out_of_time())) {
        Ok(person) => {
            let once = Once::of(provider, token, person.expires_at);
            let settlement = Settlement {
                policy: arrival
                    .api
                    .and_then(|api| api.first_sign_in)
                    .unwrap_or_else(|| found.first_sign_in(app.config.registration_mode())),
                upstream: found.clone(),
                person,
                browser: None,
                terms: Terms::for_arrival(app, &arrival, false),
                arrival,
                scribe: app.scribe(origin),
            };
            settle_once(app, settlement, once).await
        }
        Err(error) => Err(error),
    };
    note(app, &found, outcome.as_ref().err(), origin).await?;
    outcome
}

/// What must not be presented again while it would still be good.
struct Once {
    digest: Digest,
    until: Timestamp,
}

impl Once {
    /// Of what is signed: another signature of the same words would be another text.
    fn of(provider: &str, token: &Secret, until: Timestamp) -> Self {
        let token = token.expose();
        let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
        let digest = Digest::of_parts(&[b"upstream token", provider.as_bytes(), signed.as_bytes()]);
        Self { digest, until }
    }
}

async fn settle_once(app: &App, settlement: Settlement, once: Once) -> Result<SignedIn, FederationError> {
    let settlement = Arc::new(settlement);
    let settled = settle_twice(app, move |db| {
        if !store::grants::present_once(db, &once.digest, once.until)? {
            return Ok(None);
        }
        settlement.settle(db).map(Some)
    });
    let Some(settled) = settled.await? else {
        return Err(FederationError::Refused("the token was used before".to_owned()));
    };
    match settled {
        Settled::SignedIn { begun, is_new } => Ok(SignedIn { begun, is_new }),
        Settled::MustLink => Err(FederationError::AccountExists),
        Settled::Refused(refused) => Err(refused.into()),
    }
}
