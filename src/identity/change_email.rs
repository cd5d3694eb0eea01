//! A new address, proven by the link that goes there, and the proof of one that is not verified yet (PW-13).
//!
//! Nothing changes until the link is confirmed. Then the new address takes the place of the old one, the old one is
//! told, and everybody else is out (SE-5); or it stands beside the others, and the primary one is told. That the
//! sign-in was just now is asked before ([`super::reauthentication`]).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::account::addresses::MOST;
use super::limits::Throttled;
use super::link::{self, AskError, LinkError, MailAsked, Tries};
use super::notice::Notices;
use super::{magic, session};
use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::config::{Issuer, Limits};
use crate::crypto::Secret;
use crate::mail::message::Happened;
use crate::mail::{self, message};
use crate::model::{AuditAction, EmailAddress, LinkPurpose, SessionId, UserId};
use crate::store::links::Link;
use crate::store::users::User;
use crate::store::{self, Conn, grants, links, users};
use crate::tenancy::admission;

/// An address, and who says that it is theirs.
pub struct Asked {
    pub user: UserId,
    /// The session at work: it stays.
    pub session: SessionId,
    pub email: String,
    pub place: Place,
    pub notices: Notices,
}

/// Which place a new address takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// That of the primary one.
    OfPrimary,
    /// One beside the others.
    Beside,
}

/// What a link confirms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub email: String,
    /// The user's name, so that whoever opens the mail sees whose address it becomes.
    pub name: String,
}

/// Why no link was sent.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is nothing to prove: the address is one of the user's own.
    #[error("the address is the user's own already")]
    Yours,
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// Sends a link to the address. Whether somebody else has it is told to its owner, not to who asks (PW-6).
pub async fn ask(app: &App, asked: Asked, origin: &Origin) -> Result<(), ChangeError> {
    let email = EmailAddress::parse(&asked.email).map_err(|_| AskError::BadEmail)?;
    let posting = Posting {
        email,
        secret: Secret::generate(&app.random),
        asked,
        product: app.config.branding.product_name.clone(),
        issuer: app.config.issuer.clone(),
        lasts: app.config.lifetimes.verify,
        limits: app.limits(origin).clone(),
        scribe: app.scribe(origin),
    };
    let settled = link::paced(app.db.write(move |db| posting.settle(db))).await.map_err(AskError::from)?;
    if let Settled::Yours = settled.map_err(AskError::from)? {
        return Err(ChangeError::Yours);
    }
    app.mail_notify.notify_one();
    Ok(())
}

/// Looks without spending the link (PW-7).
pub async fn open(app: &App, token: &Secret, origin: &Origin) -> Result<Opened, LinkError> {
    let link = link::look(app, token, &[LinkPurpose::VerifyEmail], Tries::of(app, origin)).await?;
    let (Some(email), Some(user)) = (link.email, link.user_id) else { return Err(LinkError::Expired) };
    let user = app.db.read(move |db| users::find(db, user)).await?.ok_or(LinkError::Expired)?;
    Ok(Opened { email, name: user.name })
}

/// Spends the link. Signs nobody in: whoever opens the mail may be a stranger to the account (SE-8).
pub async fn confirm(app: &App, token: &Secret, notices: Notices, origin: &Origin) -> Result<(), LinkError> {
    let (token, scribe, tries) = (token.clone(), app.scribe(origin), Tries::of(app, origin));
    let confirmed = app.db.write(move |db| {
        match link::spend(db, &token, LinkPurpose::VerifyEmail, &tries, scribe.now)? {
            Ok(Some(link)) => settle_confirmed(db, &link, &notices, &scribe).map(Ok),
            Ok(None) => Ok(Ok(false)),
            Err(throttled) => Ok(Err(throttled)),
        }
    });
    match confirmed.await {
        Ok(confirmed) => {
            if !confirmed? {
                return Err(LinkError::Expired);
            }
        }
        // Somebody else has taken the address at this moment.
        Err(store::Error::Taken(_)) => return Err(LinkError::Expired),
        Err(error) => return Err(error.into()),
    }
    app.mail_notify.notify_one();
    Ok(())
}

fn settle_confirmed(
    db: &mut Conn,
    link: &Link,
    notices: &Notices,
    scribe: &Scribe,
) -> Result<bool, store::Error> {
    let (Some(user), Some(email)) = (link.user_id, &link.email) else { return Ok(false) };
    let Ok(admission) = admission::admit_user(db, user)? else { return Ok(false) };
    let detail: Detail = serde_json::from_str(&link.detail)
        .map_err(|error| store::Error::broken("a link that proves an address", error))?;
    let new = link::stored_address(&detail.typed)?;
    match detail.act {
        Act::Verify => magic::prove_address(db, user, email, scribe),
        Act::Add => add(db, admission.user(), &new, notices, scribe),
        Act::Replace(old) => {
            let replacing = Replacing { user: admission.user(), old, new, session: detail.session };
            replacing.settle(db, notices, scribe)
        }
    }
}

/// Puts a proven address beside the others; it is the primary one if there are none.
fn add(
    db: &mut Conn,
    user: &User,
    new: &EmailAddress,
    notices: &Notices,
    scribe: &Scribe,
) -> Result<bool, store::Error> {
    let now = scribe.now;
    // Holds the user's row: of two links opened at once, the second counts what the first has added.
    users::touch(db, user.id, now)?;
    let emails = users::emails(db, user.id)?;
    if emails.len() >= MOST || users::find_by_email(db, new)?.is_some() {
        return Ok(false);
    }
    // Told where mail went until now.
    notices.tell(db, user, Happened::AddressAdded { address: new.as_str() }, scribe)?;
    users::insert_email(db, user.id, new, emails.is_empty(), Some(now), now)?;
    scribe.write(db, Event::success(AuditAction::EmailAdded).user(user.id))?;
    Ok(true)
}

/// One address that takes the place of another.
struct Replacing<'a> {
    user: &'a User,
    /// Folded.
    old: String,
    new: EmailAddress,
    /// The session that asked.
    session: SessionId,
}

impl Replacing<'_> {
    fn settle(&self, db: &mut Conn, notices: &Notices, scribe: &Scribe) -> Result<bool, store::Error> {
        let (user, now) = (self.user.id, scribe.now);
        let emails = users::emails(db, user)?;
        let Some(old) = emails.into_iter().find(|email| email.folded == self.old) else { return Ok(false) };
        if users::find_by_email(db, &self.new)?.is_some() {
            return Ok(false);
        }
        users::remove_email(db, user, &old.folded)?;
        users::insert_email(db, user, &self.new, old.is_primary, Some(now), now)?;
        users::touch(db, user, now)?;
        session::end_all(db, user, Some(self.session), scribe)?;
        grants::revoke_of_user(db, user, now)?;
        links::void_of_user(db, user, now)?;
        scribe.write(db, Event::success(AuditAction::EmailChanged).user(user))?;
        notices.tell_at(
            db,
            &link::stored_address(&old.address)?,
            self.user,
            Happened::EmailChanged,
            scribe,
        )?;
        Ok(true)
    }
}

/// What the link keeps until it is opened.
#[derive(Serialize, Deserialize)]
struct Detail {
    /// The address as it was typed.
    typed: String,
    act: Act,
    session: SessionId,
}

/// What opening it does.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Act {
    /// It is the user's already.
    Verify,
    Add,
    /// It takes the place of this one, folded.
    Replace(String),
}

/// What became of what was asked.
enum Settled {
    /// Somebody was written to, or is gone.
    Done,
    Yours,
}

/// A link on its way into the outbox.
struct Posting {
    email: EmailAddress,
    secret: Secret,
    asked: Asked,
    product: String,
    issuer: Issuer,
    lasts: Duration,
    limits: Limits,
    scribe: Scribe,
}

impl Posting {
    fn settle(&self, db: &mut Conn) -> Result<Result<Settled, Throttled>, store::Error> {
        let own = users::emails(db, self.asked.user)?.into_iter().find(|e| e.folded == self.email.folded());
        if own.is_some_and(|own| !self.is_to_be_verified(&own)) {
            return Ok(Ok(Settled::Yours));
        }
        let asked = MailAsked { email: &self.email, device: None, origin: &self.scribe.origin };
        if let Err(throttled) = link::count_mail(db, &self.limits, &asked, None, self.scribe.now)? {
            return Ok(Err(throttled));
        }
        let Some(user) = users::find(db, self.asked.user)? else { return Ok(Ok(Settled::Done)) };
        let event = match users::find_by_email(db, &self.email)? {
            Some(owner) if owner.id != user.id => {
                self.tell_owner(db, &owner)?;
                Event::failure(AuditAction::EmailChangeRequested)
                    .detail("reason", "the address has an account")
            }
            Some(_) => {
                self.send_link(db, &user, Act::Verify)?;
                Event::success(AuditAction::EmailChangeRequested)
            }
            None => {
                let act = match users::primary_email(db, user.id)? {
                    Some(primary) if self.asked.place == Place::OfPrimary => Act::Replace(primary.folded),
                    _ => Act::Add,
                };
                self.send_link(db, &user, act)?;
                Event::success(AuditAction::EmailChangeRequested)
            }
        };
        self.scribe.write(db, event.user(user.id).session(self.asked.session))?;
        Ok(Ok(Settled::Done))
    }

    /// One's own address can be proven where it stands; to take the primary one's place it need not be sent for.
    fn is_to_be_verified(&self, own: &users::Email) -> bool {
        own.verified_at.is_none() && (own.is_primary || self.asked.place == Place::Beside)
    }

    fn send_link(&self, db: &mut Conn, user: &User, act: Act) -> Result<(), store::Error> {
        let (now, expires_at) = (self.scribe.now, self.scribe.now.plus(self.lasts));
        let typed = self.email.as_str().to_owned();
        let detail = Detail { typed, act, session: self.asked.session };
        let link = Link {
            digest: self.secret.digest(),
            purpose: LinkPurpose::VerifyEmail,
            user_id: Some(user.id),
            email: Some(self.email.folded().to_owned()),
            detail: serde_json::to_string(&detail).expect("what is to be changed is plain data"),
            created_at: now,
            expires_at,
            consumed_at: None,
        };
        links::insert(db, &link)?;
        let mail = message::VerifyEmail {
            language: self.asked.notices.language_of(user),
            product: &self.product,
            link: &self.issuer.at(&format!("/verify-email/{}", self.secret.expose())),
            lasts: self.lasts,
        };
        mail::enqueue(db, &self.scribe, &self.email, &mail.message(), Some(expires_at))
    }

    /// To the address that is stored, as when somebody registers with it (PW-11).
    fn tell_owner(&self, db: &mut Conn, owner: &User) -> Result<(), store::Error> {
        let Some(to) = link::reachable(db, owner, &self.email)? else { return Ok(()) };
        let mail = message::AlreadyRegistered {
            language: self.asked.notices.language_of(owner),
            product: &self.product,
            name: &owner.name,
            link: &self.issuer.at("/login"),
        };
        mail::enqueue(db, &self.scribe, &to, &mail.message(), None)
    }
}
