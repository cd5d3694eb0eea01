//! A forgotten password: a link to the address, a new password, and everybody out (PW-7 to PW-10, SE-5).
//!
//! Asking changes nothing and locks nothing, and its answer says nothing of whether there is an account (PW-6, RL-4).
//! A reset signs nobody in: a second factor is still to be shown, and a disabled account stays one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::device::KnownDevice;
use super::limits::Throttled;
use super::link::{self, AskError, LinkError, MailAsked, Tries};
use super::notice::Notices;
use super::password::{Busy, Weak};
use super::{magic, sign_in};
use crate::app::App;
use crate::audit::{By, Event, Origin, Scribe};
use crate::config::{Issuer, Limits};
use crate::crypto::Secret;
use crate::mail::message::Happened;
use crate::mail::{self, message};
use crate::model::{AuditAction, Client, EmailAddress, Language, LinkPurpose, RequestId};
use crate::protocol::redirect;
use crate::store::links::Link;
use crate::store::users::User;
use crate::store::{self, Conn, links, users};
use crate::tenancy::admission;
use crate::tenancy::users::{check_password, end_everything};

/// A request for a link.
pub struct Asked {
    pub email: String,
    /// Of the mail.
    pub language: Language,
    pub device: Option<KnownDevice>,
    /// The authorization request that waits in the browser that asks.
    pub request: Option<RequestId>,
    /// Where the person may go on to when the password is set.
    pub return_to: Option<RegisteredRedirect>,
}

/// Proof that a client registered the address: nobody else's is ever linked to (PW-14). A link that sets a password leads
/// to our own page in any case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredRedirect(String);

impl RegisteredRedirect {
    /// `None` unless the active client registered exactly this address, for sign-in or for sign-out.
    pub fn of(client: &Client, uri: &str) -> Option<Self> {
        let mut registered = client.redirect_uris.iter().chain(&client.post_logout_redirect_uris);
        let is_registered =
            registered.any(|registered| redirect::matches(registered, uri, client.application_type));
        (client.is_active() && is_registered).then(|| Self(uri.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// With the secret of a link that the application itself redeems.
    pub fn with_token(&self, token: &Secret) -> String {
        let pair = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token.expose())
            .finish();
        let mark = if self.0.contains('?') { '&' } else { '?' };
        format!("{}{mark}{pair}", self.0)
    }
}

/// What a link opens: the choice of a new password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub email: String,
}

/// After the password was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Goes on if this is the browser that asked.
    pub request: Option<RequestId>,
    pub return_to: Option<RegisteredRedirect>,
}

/// Why the password was not set.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    #[error("the password cannot be taken")]
    Weak(Weak),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Busy(#[from] Busy),
}

impl From<store::Error> for ResetError {
    fn from(error: store::Error) -> Self {
        Self::Link(error.into())
    }
}

impl From<Throttled> for ResetError {
    fn from(throttled: Throttled) -> Self {
        Self::Link(throttled.into())
    }
}

/// Sends a link to the address, if an account may be signed in with it. The caller learns no difference.
pub async fn request(app: &App, asked: Asked, origin: &Origin) -> Result<(), AskError> {
    let email = EmailAddress::parse(&asked.email).map_err(|_| AskError::BadEmail)?;
    let posting = Posting {
        email,
        secret: Secret::generate(&app.random),
        asked,
        product: app.config.branding.product_name.clone(),
        issuer: app.config.issuer.clone(),
        lasts: app.config.lifetimes.reset,
        lasts_for_new: app.config.lifetimes.verify,
        limits: app.limits(origin).clone(),
        scribe: app.scribe(origin),
    };
    link::paced(app.db.write(move |db| posting.settle(db))).await??;
    app.mail_notify.notify_one();
    Ok(())
}

/// Looks without spending the link (PW-7).
pub async fn open(app: &App, token: &Secret, origin: &Origin) -> Result<Opened, LinkError> {
    let link = link::look(app, token, &[LinkPurpose::ResetPassword], Tries::of(app, origin)).await?;
    Ok(Opened { email: email_of(&link)?.to_owned() })
}

/// Spends the link: sets the password, and ends every session and all that applications hold.
pub async fn reset(
    app: &App,
    token: &Secret,
    password: &Secret,
    notices: Notices,
    origin: &Origin,
) -> Result<Reset, ResetError> {
    let tries = Tries::of(app, origin);
    // Looked at first: only a good link may cost a hash.
    let link = link::look(app, token, &[LinkPurpose::ResetPassword], tries.clone()).await?;
    let email = email_of(&link)?.to_owned();
    let user = app.db.read(move |db| link.user_id.map_or(Ok(None), |id| users::find(db, id))).await?;
    let user = user.ok_or(LinkError::Expired)?;
    check_password(app, password, &user.name, user.username.as_deref(), Some(&email))
        .map_err(ResetError::Weak)?;
    let phc = app.passwords.hash(password).await?;
    let (token, scribe) = (token.clone(), app.scribe(origin));
    let reset = app.db.write(move |db| {
        let link = match link::spend(db, &token, LinkPurpose::ResetPassword, &tries, scribe.now)? {
            Ok(Some(link)) => link,
            Ok(None) => return Ok(Ok(None)),
            Err(throttled) => return Ok(Err(throttled)),
        };
        settle_reset(db, &link, &phc, &notices, &scribe).map(Ok)
    });
    let reset = reset.await??.ok_or(LinkError::Expired)?;
    app.mail_notify.notify_one();
    Ok(reset)
}

fn settle_reset(
    db: &mut Conn,
    link: &Link,
    phc: &str,
    notices: &Notices,
    scribe: &Scribe,
) -> Result<Option<Reset>, store::Error> {
    let Some(user) = link.user_id else { return Ok(None) };
    let Ok(admission) = admission::admit_user(db, user)? else { return Ok(None) };
    // The address may have been removed, or gone to somebody else, since the mail was sent (PW-8).
    if !magic::prove_address(db, user, email_of(link)?, scribe)? {
        return Ok(None);
    }
    users::set_password(db, user, phc, scribe.now)?;
    end_everything(db, user, scribe)?;
    links::void_of_user(db, user, scribe.now)?;
    sign_in::forgive(db, admission.user().id, &scribe.origin)?;
    scribe.write(db, Event::success(AuditAction::PasswordChanged).user(user).detail("by", "reset link"))?;
    notices.tell(db, admission.user(), Happened::PasswordChanged, scribe)?;
    let detail = Detail::parse(&link.detail)?;
    Ok(Some(Reset { request: detail.request, return_to: detail.return_to }))
}

fn email_of(link: &Link) -> Result<&str, store::Error> {
    link.email.as_deref().ok_or_else(|| store::Error::broken("a link", "it has no address"))
}

/// What the link keeps until it is opened.
#[derive(Serialize, Deserialize)]
struct Detail {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<RequestId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    return_to: Option<RegisteredRedirect>,
}

impl Detail {
    fn parse(json: &str) -> Result<Self, store::Error> {
        serde_json::from_str(json).map_err(|error| store::Error::broken("a reset link", error))
    }
}

/// A link on its way into the outbox.
struct Posting {
    email: EmailAddress,
    secret: Secret,
    asked: Asked,
    product: String,
    issuer: Issuer,
    lasts: Duration,
    /// How long the link to a first password is good that somebody else asked for.
    lasts_for_new: Duration,
    limits: Limits,
    scribe: Scribe,
}

impl Posting {
    fn settle(&self, db: &mut Conn) -> Result<Result<(), Throttled>, store::Error> {
        let owner = users::find_by_email(db, &self.email)?;
        let asked =
            MailAsked { email: &self.email, device: self.asked.device.as_ref(), origin: &self.scribe.origin };
        if let Err(throttled) = link::count_mail(db, &self.limits, &asked, owner.as_ref(), self.scribe.now)? {
            return Ok(Err(throttled));
        }
        let event = match owner {
            None => Event::failure(AuditAction::ResetRequested).detail("reason", "no such account"),
            Some(owner) => match self.address_of(db, &owner)? {
                Some(to) => {
                    self.send_link(db, &owner, &to)?;
                    Event::success(AuditAction::ResetRequested).user(owner.id)
                }
                None => Event::failure(AuditAction::ResetRequested)
                    .user(owner.id)
                    .detail("reason", "the user is disabled or the address is not verified"),
            },
        };
        self.scribe.write(db, event)?;
        Ok(Ok(()))
    }

    fn address_of(&self, db: &mut Conn, owner: &User) -> Result<Option<EmailAddress>, store::Error> {
        match admission::admit_user(db, owner.id)? {
            Ok(_) => link::reachable(db, owner, &self.email),
            Err(_) => Ok(None),
        }
    }

    fn send_link(&self, db: &mut Conn, owner: &User, to: &EmailAddress) -> Result<(), store::Error> {
        // Whoever did not ask for it is told so, and may read it the next day where there is no password to take over.
        let is_own_wish = self.scribe.origin.by == By::default();
        let is_first = users::password(db, owner.id)?.is_none();
        let lasts = if is_first && !is_own_wish { self.lasts_for_new } else { self.lasts };
        let (now, expires_at) = (self.scribe.now, self.scribe.now.plus(lasts));
        let detail = Detail { request: self.asked.request, return_to: self.asked.return_to.clone() };
        let link = Link {
            digest: self.secret.digest(),
            purpose: LinkPurpose::ResetPassword,
            user_id: Some(owner.id),
            email: Some(self.email.folded().to_owned()),
            detail: serde_json::to_string(&detail).expect("where to go on is plain data"),
            created_at: now,
            expires_at,
            consumed_at: None,
        };
        links::insert(db, &link)?;
        let language = owner.locale.as_deref().and_then(Language::of_tag).unwrap_or(self.asked.language);
        let (product, name) = (self.product.as_str(), owner.name.as_str());
        let link = &self.issuer.at(&format!("/recover/{}", self.secret.expose()));
        let message = match is_own_wish {
            true => message::ResetPassword { language, product, name, link, lasts }.message(),
            false => message::ChoosePassword { language, product, name, link, lasts }.message(),
        };
        mail::enqueue(db, &self.scribe, to, &message, Some(expires_at))
    }
}
