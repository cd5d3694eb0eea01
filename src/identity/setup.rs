//! The first administrator of an instance (AD-1).
//!
//! The link is printed where the server was started; whoever holds it runs the machine. It works once, and only
//! while nobody administers the instance.

use super::limits::{self, Bucket};
use super::link::{self, Tries};
use super::registration::{self, EmailFault, Faults, RegistrationError, Typed};
use super::session::{Arrival, Begun, Terms};
use crate::app::App;
use crate::audit::{Event, Origin};
use crate::crypto::Secret;
use crate::model::{AuditAction, AuthMethod, InstanceRole, LinkPurpose};
use crate::store::{links, users};
use crate::tenancy::users::Prepared;

/// Whether the link is good, without spending it.
pub async fn open(app: &App, token: &Secret, origin: &Origin) -> Result<(), RegistrationError> {
    let bucket = Bucket::new("set-up link address", &[&limits::address_key(origin.ip)]);
    let tries = Tries { bucket, limit: app.config.limits.setup_tries, slip: origin.slip.clone() };
    link::look(app, token, &[LinkPurpose::Setup], tries).await?;
    if app.db.read(users::any_admin).await? { Err(RegistrationError::LinkExpired) } else { Ok(()) }
}

/// Spends the link: makes the administrator and signs them in.
pub async fn first_administrator(
    app: &App,
    token: &Secret,
    typed: &Typed,
    arrival: Arrival,
    origin: &Origin,
) -> Result<Begun, RegistrationError> {
    // Looked at first: only a good link may cost a hash, or learn that an address is taken.
    open(app, token, origin).await?;
    let checked = registration::check(app, typed).map_err(RegistrationError::Faulty)?;
    let email = checked.email.clone();
    if app.db.read(move |db| users::find_by_email(db, &email)).await?.is_some() {
        let faults = Faults { email: Some(EmailFault::Taken), ..Faults::default() };
        return Err(RegistrationError::Faulty(faults));
    }
    let phc = app.passwords.hash(&checked.password).await?;
    let administrator = Some(InstanceRole::Administrator);
    let prepared = Prepared::with_hash(checked.email, checked.name, phc, administrator);
    let (digest, scribe, terms) = (token.digest(), app.scribe(origin), Terms::of(app, false));
    let begun = app.db.write(move |db| {
        let spent = links::consume(db, &digest, LinkPurpose::Setup, scribe.now)?;
        if spent.is_none() || users::any_admin(db)? {
            return Ok(Ok(None));
        }
        let methods = [AuthMethod::Password];
        let begun = registration::join(db, &prepared, &methods, &arrival, terms, &scribe)?;
        if let Some(begun) = &begun {
            scribe.write(db, Event::success(AuditAction::AdminCreated).user(begun.user))?;
        }
        Ok(Ok(begun))
    });
    registration::taken_is_none(begun.await)?.ok_or(RegistrationError::LinkExpired)
}
