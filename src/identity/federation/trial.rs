//! Trying a provider: to it and back, and then what would happen, which is taken back at once. Nobody is signed in,
//! nothing is linked, no account is made; only the administrator who began it, in the same browser, can finish it.
//!
//! What would happen is decided by `admit` itself, in a transaction that is undone, so that no second set of rules can
//! differ from the first.

use std::sync::Arc;

use super::admit::{Refused, Settled, Settlement};
use super::providers::{self, Upstream};
use super::session::{Arrival, Terms};
use super::token::Person;
use super::{FederationError, PATIENCE, Returned, consume, out_of_time, proven};
use crate::app::App;
use crate::audit::{Event, Origin};
use crate::crypto::{Digest, Secret};
use crate::identity::notice::Notices;
use crate::model::{AuditAction, Status, UserId};
use crate::store::{self, Conn, federation as rows, users};
use crate::tenancy::membership;

/// What a trial brought.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Everything that the provider said, as JSON.
    pub claims: String,
    pub issuer: String,
    pub subject: String,
    pub email: Option<String>,
    /// Whether the address counts as theirs (FE-6).
    pub email_verified: bool,
    pub name: Option<String>,
    pub outcome: Foreseen,
}

/// What would happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreseen {
    /// They would be signed in.
    SignedIn {
        who: Account,
        /// Whether the account would be made.
        is_new: bool,
        /// What they would belong to.
        organisations: Vec<String>,
    },
    /// They would have to sign in to this account, to which the identity would then be linked (FE-7).
    Links(Account),
    NoAccount,
    NotInvited,
    NotAdmitted(String),
}

/// An account, as people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: UserId,
    /// Its address, or else its name.
    pub label: String,
}

/// Whether the browser comes back from a trial.
pub async fn is_one(
    app: &App,
    provider: &str,
    returned: &Returned,
    binding: Option<&Secret>,
) -> Result<bool, store::Error> {
    let (Some(state), Some(binding)) = (&returned.state, binding) else { return Ok(false) };
    let (state, browser) = (Digest::of(state.as_bytes()), binding.digest());
    let provider = provider.to_owned();
    app.db.read(move |db| rows::is_trial(db, &state, &provider, &browser)).await
}

/// Ends a trial that this administrator began in this browser.
///
/// # Errors
/// As a sign-in: over already, refused by the provider, not provable.
pub async fn finish(
    app: &App,
    provider: &str,
    returned: Returned,
    binding: &Secret,
    by: UserId,
    notices: Notices,
    origin: &Origin,
) -> Result<Tried, FederationError> {
    let upstream = providers::find(app, provider).await?.ok_or(FederationError::NoSuchProvider)?;
    let row = consume(app, provider, returned.state.as_deref(), Some(binding), Some(by)).await?;
    let tried = async {
        let proven = proven(app, &upstream, &row, &returned).await?;
        let claims = proven.readable();
        Ok((claims, proven.person(&upstream.settings)?))
    };
    let tried = tokio::time::timeout(PATIENCE, tried).await.unwrap_or_else(|_| Err(out_of_time()));
    let outcome = match tried {
        Ok((claims, person)) => {
            let outcome = foresee(app, &upstream, person.clone(), binding, notices, origin).await?;
            Ok(Tried {
                claims,
                issuer: person.issuer,
                subject: person.subject,
                email: person.email.map(|email| email.as_str().to_owned()),
                email_verified: person.email_verified,
                name: person.name,
                outcome,
            })
        }
        Err(error) => Err(error),
    };
    note(app, provider, by, outcome.as_ref().err(), origin).await?;
    outcome
}

async fn foresee(
    app: &App,
    upstream: &Upstream,
    person: Person,
    binding: &Secret,
    notices: Notices,
    origin: &Origin,
) -> Result<Foreseen, store::Error> {
    let settlement = Arc::new(Settlement {
        upstream: upstream.clone(),
        policy: upstream.first_sign_in(app.config.registration_mode()),
        person,
        browser: Some(binding.digest()),
        // Of somebody who comes in a new browser.
        arrival: Arrival { present: Vec::new(), device: None, notices, api: None },
        terms: Terms::of(app, false),
        scribe: app.scribe(origin),
    });
    app.db.write(move |db| store::rehearse(db, |db| settled(db, &settlement))).await
}

fn settled(db: &mut Conn, settlement: &Settlement) -> Result<Foreseen, store::Error> {
    if !settlement.upstream.configured {
        // As if it were enabled; also this is taken back.
        rows::set_provider_status(db, &settlement.upstream.settings.id, Status::Active)?;
    }
    let now = settlement.scribe.now;
    Ok(match settlement.settle(db)? {
        Settled::SignedIn { begun, is_new } => Foreseen::SignedIn {
            who: account(db, begun.user)?,
            is_new,
            organisations: membership::of_user(db, begun.user)?
                .into_iter()
                .map(|membership| membership.organisation.name)
                .collect(),
        },
        Settled::MustLink => {
            let pending = settlement.browser.map(|browser| rows::pending(db, &browser, now)).transpose()?;
            match pending.flatten() {
                Some(pending) => Foreseen::Links(account(db, pending.user_id)?),
                None => return Err(store::Error::Broken("a link that waits is not there".to_owned())),
            }
        }
        Settled::Refused(Refused::NoAccount) => Foreseen::NoAccount,
        Settled::Refused(Refused::NotInvited) => Foreseen::NotInvited,
        Settled::Refused(Refused::NotAdmitted(why)) => Foreseen::NotAdmitted(why),
        Settled::Refused(other) => Foreseen::NotAdmitted(FederationError::from(other).to_string()),
    })
}

fn account(db: &mut Conn, user: UserId) -> Result<Account, store::Error> {
    let email = users::emails(db, user)?.into_iter().next().map(|email| email.address);
    let name = users::find(db, user)?.map(|user| user.name).filter(|name| !name.is_empty());
    Ok(Account { id: user, label: email.or(name).unwrap_or_else(|| user.to_string()) })
}

async fn note(
    app: &App,
    provider: &str,
    by: UserId,
    failure: Option<&FederationError>,
    origin: &Origin,
) -> Result<(), store::Error> {
    let event = match failure {
        None => Event::success(AuditAction::ProviderTried),
        Some(why) => Event::failure(AuditAction::ProviderTried).detail("reason", why.to_string()),
    };
    let event = event.user(by).detail("provider", provider);
    let scribe = app.scribe(origin);
    app.db.write(move |db| scribe.write(db, event.clone())).await
}
