//! The first administrator of an instance (AD-1).
//!
//! The link is printed where the server was started; whoever holds it runs the machine. It works once, and only
//! while nobody administers the instance. The administrator begins with a password or with a passkey.

use super::factor::newcomer::{self, Newcomer};
use super::factor::passkey::{Answer, Challenge, PasskeyError};
use super::limits::{self, Bucket};
use super::link::{self, Tries};
use super::registration::{self, EmailFault, Faults, RegistrationError, Typed};
use super::session::{Arrival, Begun, Terms};
use crate::app::App;
use crate::audit::{Event, Origin};
use crate::crypto::Secret;
use crate::model::{AuditAction, AuthMethod, EmailAddress, InstanceRole, LinkPurpose};
use crate::store::{self, links, users};
use crate::tenancy::users::Prepared;

const ADMINISTRATOR: Option<InstanceRole> = Some(InstanceRole::Administrator);

/// Who the administrator is to be, as typed.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    pub name: &'a str,
    pub email: &'a str,
}

/// Why there is no administrator with a passkey.
#[derive(Debug, thiserror::Error)]
pub enum PasskeySetUpError {
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
}

impl From<store::Error> for PasskeySetUpError {
    fn from(error: store::Error) -> Self {
        Self::Registration(error.into())
    }
}

/// An administrator who was made just now.
#[derive(Clone, Debug)]
pub struct Installed {
    pub begun: Begun,
    /// With a passkey there are recovery codes, to be shown this once.
    pub recovery_codes: Vec<Secret>,
}

/// Whether the link is good, without spending it.
pub async fn open(app: &App, token: &Secret, origin: &Origin) -> Result<(), RegistrationError> {
    let bucket = Bucket::new("set-up link address", &[&limits::address_key(origin.ip)]);
    let tries = Tries { bucket, limit: app.config.limits.setup_tries, slip: origin.slip.clone() };
    link::look(app, token, &[LinkPurpose::Setup], tries).await?;
    if app.db.read(users::any_admin).await? { Err(RegistrationError::LinkExpired) } else { Ok(()) }
}

/// Spends the link: makes the administrator with a password, and signs them in.
pub async fn first_administrator(
    app: &App,
    token: &Secret,
    typed: &Typed,
    arrival: Arrival,
    origin: &Origin,
) -> Result<Installed, RegistrationError> {
    // Looked at first: only a good link may cost a hash, or learn that an address is taken.
    open(app, token, origin).await?;
    let checked = registration::check(app, typed).map_err(RegistrationError::Faulty)?;
    is_free(app, &checked.email).await?;
    let phc = app.passwords.hash(&checked.password).await?;
    let prepared = Prepared::with_hash(checked.email, checked.name, phc, ADMINISTRATOR);
    install(app, token, prepared, None, arrival, origin).await
}

/// A challenge for the passkey of the administrator. The link is not spent.
pub async fn passkey_challenge(
    app: &App,
    token: &Secret,
    person: Person<'_>,
    browser: &Secret,
    origin: &Origin,
) -> Result<Challenge, PasskeySetUpError> {
    open(app, token, origin).await?;
    let (name, email) = check(app, person).await?;
    Ok(newcomer::begin(app, &name, &email, browser, origin).await?)
}

/// Spends the link: makes the administrator with the passkey that answered, and signs them in.
pub async fn first_administrator_with_passkey(
    app: &App,
    token: &Secret,
    person: Person<'_>,
    answer: &Answer,
    arrival: Arrival,
    origin: &Origin,
) -> Result<Installed, PasskeySetUpError> {
    open(app, token, origin).await?;
    let (name, email) = check(app, person).await?;
    let newcomer = newcomer::verify(app, answer, origin).await?;
    let prepared = Prepared::with_passkey(newcomer.user(), email, name, ADMINISTRATOR);
    Ok(install(app, token, prepared, Some(newcomer), arrival, origin).await?)
}

async fn check(app: &App, person: Person<'_>) -> Result<(String, EmailAddress), RegistrationError> {
    let (name, email) =
        registration::check_person(person.name, person.email).map_err(RegistrationError::Faulty)?;
    is_free(app, &email).await?;
    Ok((name, email))
}

async fn is_free(app: &App, email: &EmailAddress) -> Result<(), RegistrationError> {
    let email = email.clone();
    if app.db.read(move |db| users::find_by_email(db, &email)).await?.is_some() {
        let faults = Faults { email: Some(EmailFault::Taken), ..Faults::default() };
        return Err(RegistrationError::Faulty(faults));
    }
    Ok(())
}

/// Makes the administrator, who signs in with this passkey, or with the password of `prepared`.
async fn install(
    app: &App,
    token: &Secret,
    prepared: Prepared,
    passkey: Option<Newcomer>,
    arrival: Arrival,
    origin: &Origin,
) -> Result<Installed, RegistrationError> {
    let (digest, scribe, terms) = (token.digest(), app.scribe(origin), Terms::of(app, false));
    let installed = app.db.write(move |db| {
        let spent = links::consume(db, &digest, LinkPurpose::Setup, scribe.now)?;
        if spent.is_none() || users::any_admin(db)? {
            return Ok(Ok(None));
        }
        let method = if passkey.is_some() { AuthMethod::HardwareKey } else { AuthMethod::Password };
        let Some(begun) = registration::join(db, &prepared, &[method], &arrival, terms, &scribe)? else {
            return Ok(Ok(None));
        };
        let recovery_codes = match &passkey {
            Some(newcomer) => newcomer.settle(db, "", &scribe)?,
            None => Vec::new(),
        };
        scribe.write(db, Event::success(AuditAction::AdminCreated).user(begun.user))?;
        Ok(Ok(Some(Installed { begun, recovery_codes })))
    });
    registration::taken_is_none(installed.await)?.ok_or(RegistrationError::LinkExpired)
}
