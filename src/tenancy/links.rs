//! Links that whoever runs the instance hands out: the one that makes the first administrator, and invitations.
//!
//! A link's secret leaves here once; the database has its digest (AR-7). What opens it is left to the pages.

use std::time::Duration;

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::config::RegistrationMode;
use crate::crypto::Secret;
use crate::model::{AuditAction, EmailAddress, LinkPurpose};
use crate::store::links::Link;
use crate::store::{self, Conn, links, users};

/// Why nobody was invited.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    #[error("a user with this e-mail address exists already")]
    EmailTaken,
    #[error("nobody can join here: set registration.mode to \"invited\" or \"open\" first")]
    Closed,
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A fresh link that makes the first administrator; earlier ones are void. `None` if there is an administrator
/// (AD-1).
pub async fn first_administrator(app: &App) -> Result<Option<Secret>, store::Error> {
    let scribe = app.scribe(&Origin::system());
    let lifetime = app.config.lifetimes.setup;
    app.db
        .write(move |db| {
            if users::any_admin(db)? {
                return Ok(None);
            }
            store_link(db, LinkPurpose::Setup, None, lifetime, &scribe).map(Some)
        })
        .await
}

/// A link with which the holder of this address makes an account; earlier ones for it are void.
pub async fn invite(
    app: &App,
    email: &EmailAddress,
    lifetime: Duration,
    origin: &Origin,
) -> Result<Secret, InviteError> {
    if app.config.registration_mode() == RegistrationMode::Closed {
        return Err(InviteError::Closed);
    }
    let scribe = app.scribe(origin);
    let email = email.clone();
    let secret = app.db.write(move |db| {
        if users::find_by_email(db, &email)?.is_some() {
            return Ok(None);
        }
        scribe.write(db, Event::success(AuditAction::InvitationSent))?;
        store_link(db, LinkPurpose::Invite, Some(&email), lifetime, &scribe).map(Some)
    });
    secret.await?.ok_or(InviteError::EmailTaken)
}

fn store_link(
    db: &mut Conn,
    purpose: LinkPurpose,
    email: Option<&EmailAddress>,
    lifetime: Duration,
    scribe: &Scribe,
) -> Result<Secret, store::Error> {
    let secret = Secret::generate(&scribe.random);
    let link = Link {
        digest: secret.digest(),
        purpose,
        user_id: None,
        email: email.map(|email| email.folded().to_owned()),
        detail: "{}".to_owned(),
        created_at: scribe.now,
        expires_at: scribe.now.plus(lifetime),
        consumed_at: None,
    };
    links::insert(db, &link)?;
    Ok(secret)
}
