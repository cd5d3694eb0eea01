//! Making an account: by registration, whose link goes to the address, or by invitation, whose link came from there.
//!
//! An account exists only once its link was opened and confirmed, so its address is verified from the first moment
//! (PW-13). What a request is answered says nothing of whether the address has an account: its owner is told by mail
//! (PW-6). Who may register at all is the configuration's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::change_email::{self, ChangeError};
use super::limits::{self, Bucket, Throttled};
use super::link::{self, AskError, LinkError, Tries};
use super::password::{Busy, Weak};
use super::session::{self, Arrival, Begun, Terms};
use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::config::{Issuer, Limit, RegistrationMode};
use crate::crypto::{Digest, Secret};
use crate::mail::{self, message};
use crate::model::{AuditAction, AuthMethod, EmailAddress, Language, LinkPurpose, RequestId, UserId};
use crate::store::links::Link;
use crate::store::{self, Conn, links, users};
use crate::tenancy::admission;
use crate::tenancy::users::{MAX_NAME, Prepared, check_password, insert};

/// What somebody typed to make an account.
#[derive(Clone)]
pub struct Typed {
    pub name: String,
    pub email: String,
    pub password: Secret,
}

/// What is wrong with it, all at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub name: Option<NameFault>,
    pub email: Option<EmailFault>,
    pub password: Option<Weak>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    Missing,
    TooLong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailFault {
    Invalid,
    /// Said only to whoever holds the set-up link: to anybody else it would tell accounts apart.
    Taken,
}

/// A request to register.
pub struct Asked {
    pub typed: Typed,
    /// Of the mail.
    pub language: Language,
    /// The authorization request that goes on afterwards.
    pub request: Option<RequestId>,
    /// The pre-login secret of the browser that asks.
    pub browser: Option<Secret>,
}

/// Why there is no account, or no link to one.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    #[error("what was entered cannot be taken")]
    Faulty(Faults),
    /// Unknown, used, replaced, too old, or not good any more for another reason: one answer.
    #[error("the link does not work any more")]
    LinkExpired,
    #[error("too many tries")]
    Throttled(Throttled),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<Throttled> for RegistrationError {
    fn from(throttled: Throttled) -> Self {
        Self::Throttled(throttled)
    }
}

impl From<LinkError> for RegistrationError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Expired => Self::LinkExpired,
            LinkError::Throttled(throttled) => Self::Throttled(throttled),
            LinkError::Store(error) => Self::Store(error),
        }
    }
}

/// What a link opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Everything is known, and this is the browser that said it: confirming is enough.
    Registration { email: String },
    /// Name and password are still to be chosen: by who was invited, or by who opens the link of a registration in
    /// another browser. A stranger may have begun that one, whose password must not open this person's account.
    Invitation { email: String },
}

/// A person who has just made an account and is signed in.
#[derive(Clone, Debug)]
pub struct Joined {
    pub begun: Begun,
    /// The authorization request from which the registration was begun, maybe in another browser.
    pub request: Option<RequestId>,
}

/// Sends a link to the address, or tells its owner that there is an account already. The caller learns no difference.
pub async fn request(app: &App, asked: Asked, origin: &Origin) -> Result<(), RegistrationError> {
    let checked = check(app, &asked.typed).map_err(RegistrationError::Faulty)?;
    let scribe = app.scribe(origin);
    let tries = mail_tries(app, &checked.email, origin);
    app.db.write(move |db| limits::reserve(db, &tries, scribe.now, &scribe.origin.slip)).await??;
    // Also for an address that is taken: it takes as long (PW-6).
    let phc = app.passwords.hash(&checked.password).await?;
    let posting = Posting {
        pending: Pending {
            name: checked.name,
            email: checked.email.as_str().to_owned(),
            phc,
            request: asked.request,
            browser: asked.browser.as_ref().map(Secret::digest),
        },
        email: checked.email,
        secret: Secret::generate(&app.random),
        language: asked.language,
        product: app.config.branding.product_name.clone(),
        issuer: app.config.issuer.clone(),
        lasts: app.config.lifetimes.verify,
        scribe: app.scribe(origin),
    };
    app.db.write(move |db| posting.settle(db)).await?;
    app.mail_notify.notify_one();
    Ok(())
}

/// Makes the account and signs it in at once. Only for a login API whose operator chose that: it tells whether an
/// address has an account. The address stays unproven until a link that is mailed to it was opened.
///
/// # Errors
/// [`EmailFault::Taken`] if somebody has the address.
pub async fn at_once(
    app: &App,
    typed: Typed,
    arrival: Arrival,
    origin: &Origin,
) -> Result<Begun, RegistrationError> {
    let notices = arrival.notices.clone();
    let checked = check(app, &typed).map_err(RegistrationError::Faulty)?;
    let taken = || RegistrationError::Faulty(Faults { email: Some(EmailFault::Taken), ..Faults::default() });
    let (scribe, email) = (app.scribe(origin), checked.email.clone());
    let tries = mail_tries(app, &email, origin);
    app.db.write(move |db| limits::reserve(db, &tries, scribe.now, &scribe.origin.slip)).await??;
    let phc = app.passwords.hash(&checked.password).await?;
    let prepared = Prepared::unproven(email.clone(), checked.name, phc);
    let (scribe, terms) = (app.scribe(origin), Terms::for_arrival(app, &arrival, false));
    let methods = [AuthMethod::Password];
    let joined = app.db.write(move |db| Ok(Ok(join(db, &prepared, &methods, &arrival, terms, &scribe)?)));
    let begun = taken_is_none(joined.await)?.ok_or_else(taken)?;
    let asked = change_email::Asked {
        user: begun.user,
        session: begun.id,
        email: email.as_str().to_owned(),
        // It is the primary one already, and is to be verified.
        place: change_email::Place::OfPrimary,
        notices,
    };
    match change_email::ask(app, asked, origin).await {
        // The account is there; its page offers the mail again.
        Ok(()) | Err(ChangeError::Yours | ChangeError::Ask(AskError::BadEmail | AskError::Throttled(_))) => {}
        Err(ChangeError::Ask(AskError::Store(error))) => return Err(error.into()),
    }
    Ok(begun)
}

/// Looks what the link opens without spending it (PW-7).
pub async fn open(
    app: &App,
    token: &Secret,
    browser: Option<&Secret>,
    origin: &Origin,
) -> Result<Opened, RegistrationError> {
    let link = link::look(app, token, honoured(app), Tries::of(app, origin)).await?;
    let same_browser = link.purpose == LinkPurpose::Register && Pending::parse(&link.detail)?.is_of(browser);
    let email = link.email.ok_or_else(|| store::Error::broken("a link", "it has no address"))?;
    Ok(if same_browser { Opened::Registration { email } } else { Opened::Invitation { email } })
}

/// Spends the link of a registration: the account is made and signed in, in the browser that confirmed.
///
/// What this browser has proven is that it reads the address's mail. The password was chosen in another request, so
/// it does not count as proven.
pub async fn confirm(
    app: &App,
    token: &Secret,
    browser: Option<&Secret>,
    arrival: Arrival,
    origin: &Origin,
) -> Result<Joined, RegistrationError> {
    if !honoured(app).contains(&LinkPurpose::Register) {
        return Err(RegistrationError::LinkExpired);
    }
    let (digest, scribe, browser) = (token.digest(), app.scribe(origin), browser.cloned());
    let (tries, terms) = (Tries::of(app, origin), Terms::of(app, false));
    let joined = app.db.write(move |db| {
        let Some(link) = links::peek(db, &digest, LinkPurpose::Register, scribe.now)? else {
            return tries.missed(db, Some(&digest), scribe.now);
        };
        let pending = Pending::parse(&link.detail)?;
        if !pending.is_of(browser.as_ref())
            || links::consume(db, &digest, LinkPurpose::Register, scribe.now)?.is_none()
        {
            return tries.missed(db, Some(&digest), scribe.now);
        }
        let prepared = pending.prepared()?;
        let begun = join(db, &prepared, &[AuthMethod::Mail], &arrival, terms, &scribe)?;
        Ok(Ok(begun.map(|begun| Joined { begun, request: pending.request })))
    });
    taken_is_none(joined.await)?.ok_or(RegistrationError::LinkExpired)
}

/// A name and a password chosen behind a link.
pub struct Choice {
    pub name: String,
    pub password: Secret,
}

/// Spends an invitation, or a registration that was begun in another browser: its holder chose a name and a password.
pub async fn accept(
    app: &App,
    token: &Secret,
    choice: Choice,
    arrival: Arrival,
    origin: &Origin,
) -> Result<Begun, RegistrationError> {
    // Looked at first: only a good link may cost a hash.
    let link = link::look(app, token, honoured(app), Tries::of(app, origin)).await?;
    let purpose = link.purpose;
    let email = link.email.ok_or_else(|| store::Error::broken("a link", "it has no address"))?;
    let typed = Typed { name: choice.name, email, password: choice.password };
    let checked = check(app, &typed).map_err(RegistrationError::Faulty)?;
    let phc = app.passwords.hash(&checked.password).await?;
    let prepared = Prepared::with_hash(checked.email, checked.name, phc, None);
    let (digest, scribe, terms) = (token.digest(), app.scribe(origin), Terms::of(app, false));
    let begun = app.db.write(move |db| {
        Ok(Ok(match links::consume(db, &digest, purpose, scribe.now)? {
            Some(_) => join(db, &prepared, &[AuthMethod::Mail], &arrival, terms, &scribe)?,
            None => None,
        }))
    });
    taken_is_none(begun.await)?.ok_or(RegistrationError::LinkExpired)
}

/// What has passed every check.
pub(super) struct Checked {
    pub name: String,
    pub email: EmailAddress,
    pub password: Secret,
}

pub(super) fn check(app: &App, typed: &Typed) -> Result<Checked, Faults> {
    let person = check_person(&typed.name, &typed.email);
    let called = check_name(&typed.name).unwrap_or_default();
    let password = check_password(app, &typed.password, &called, None, Some(typed.email.trim()));
    match (person, password) {
        (Ok((name, email)), Ok(())) => Ok(Checked { name, email, password: typed.password.clone() }),
        (person, password) => Err(Faults { password: password.err(), ..person.err().unwrap_or_default() }),
    }
}

/// What is wrong with a name and an address, both at once.
pub(super) fn check_person(name: &str, email: &str) -> Result<(String, EmailAddress), Faults> {
    match (check_name(name), EmailAddress::parse(email)) {
        (Ok(name), Ok(email)) => Ok((name, email)),
        (name, email) => {
            Err(Faults { name: name.err(), email: email.err().map(|_| EmailFault::Invalid), password: None })
        }
    }
}

/// Trimmed, without control characters: no keyboard makes them (CH-5).
pub(super) fn check_name(typed: &str) -> Result<String, NameFault> {
    let name: String = typed.trim().chars().filter(|c| !c.is_control()).collect();
    match name.chars().count() {
        0 => Err(NameFault::Missing),
        1..=MAX_NAME => Ok(name),
        _ => Err(NameFault::TooLong),
    }
}

/// The purposes that a link at `/register/…` may have here.
fn honoured(app: &App) -> &'static [LinkPurpose] {
    match app.config.registration_mode() {
        RegistrationMode::Open => &[LinkPurpose::Register, LinkPurpose::Invite],
        RegistrationMode::Invited => &[LinkPurpose::Invite],
        RegistrationMode::Closed => &[],
    }
}

fn mail_tries(app: &App, email: &EmailAddress, origin: &Origin) -> [(Bucket, Limit); 3] {
    let (limits, address) = (app.limits(origin), limits::address_key(origin.ip));
    [
        (Bucket::new("registration address", &[&address]), limits.registration_per_address),
        (Bucket::new("mail to", &[email.folded().as_bytes()]), limits.mail_per_address),
        (Bucket::new("mail asked for by address", &[&address]), limits.mail_per_ip),
    ]
}

/// Makes the user and signs them in; `None` if somebody has the address by now.
pub(super) fn join(
    db: &mut Conn,
    prepared: &Prepared,
    methods: &[AuthMethod],
    arrival: &Arrival,
    terms: Terms,
    scribe: &Scribe,
) -> Result<Option<Begun>, store::Error> {
    if users::find_by_email(db, prepared.email())?.is_some() {
        return Ok(None);
    }
    let user: UserId = insert(db, prepared, scribe)?;
    match admission::admit_user(db, user)? {
        Ok(admission) => session::begin(db, &admission, methods, arrival, terms, scribe).map(Some),
        Err(refusal) => Err(store::Error::broken("a user just made", refusal)),
    }
}

/// Two that insert the same address at the same moment: the later one finds it taken.
pub(super) fn taken_is_none<T>(
    outcome: Result<Result<Option<T>, Throttled>, store::Error>,
) -> Result<Option<T>, RegistrationError> {
    match outcome {
        Err(store::Error::Taken(_)) => Ok(None),
        other => Ok(other??),
    }
}

/// What the link of a registration keeps until it is opened.
#[derive(Clone, Serialize, Deserialize)]
struct Pending {
    name: String,
    /// As it was typed.
    email: String,
    phc: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<RequestId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    browser: Option<Digest>,
}

impl Pending {
    /// Whether the registration was begun in this browser.
    fn is_of(&self, browser: Option<&Secret>) -> bool {
        self.browser.is_some() && self.browser == browser.map(Secret::digest)
    }

    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a pending registration is plain data")
    }

    fn parse(json: &str) -> Result<Self, store::Error> {
        serde_json::from_str(json).map_err(|error| store::Error::broken("a pending registration", error))
    }

    fn prepared(&self) -> Result<Prepared, store::Error> {
        let email = EmailAddress::parse(&self.email)
            .map_err(|error| store::Error::broken("the address of a pending registration", error))?;
        Ok(Prepared::with_hash(email, self.name.clone(), self.phc.clone(), None))
    }
}

/// A registration on its way into the outbox.
struct Posting {
    pending: Pending,
    email: EmailAddress,
    secret: Secret,
    language: Language,
    product: String,
    issuer: Issuer,
    lasts: Duration,
    scribe: Scribe,
}

impl Posting {
    fn settle(&self, db: &mut Conn) -> Result<(), store::Error> {
        match users::find_by_email(db, &self.email)? {
            Some(owner) => self.tell_owner(db, &owner),
            None => self.send_link(db),
        }
    }

    fn send_link(&self, db: &mut Conn) -> Result<(), store::Error> {
        let (now, expires_at) = (self.scribe.now, self.scribe.now.plus(self.lasts));
        let link = Link {
            digest: self.secret.digest(),
            purpose: LinkPurpose::Register,
            user_id: None,
            email: Some(self.email.folded().to_owned()),
            detail: self.pending.to_json(),
            created_at: now,
            expires_at,
            consumed_at: None,
        };
        links::insert(db, &link)?;
        let mail = message::VerifyRegistration {
            language: self.language,
            product: &self.product,
            link: &self.issuer.at(&format!("/register/{}", self.secret.expose())),
            lasts: self.lasts,
        };
        mail::enqueue(db, &self.scribe, &self.email, &mail.message(), Some(expires_at))?;
        self.scribe.write(db, Event::success(AuditAction::RegistrationRequested))
    }

    /// To the address that is stored, in the owner's language if it is known (PW-11).
    fn tell_owner(&self, db: &mut Conn, owner: &users::User) -> Result<(), store::Error> {
        let stored = users::emails(db, owner.id)?
            .into_iter()
            .find(|email| email.folded == self.email.folded())
            .ok_or_else(|| store::Error::broken("an address", "it went missing in one transaction"))?;
        let to = EmailAddress::parse(&stored.address)
            .map_err(|error| store::Error::broken("a user's address", error))?;
        let mail = message::AlreadyRegistered {
            language: owner.locale.as_deref().and_then(Language::of_tag).unwrap_or(self.language),
            product: &self.product,
            name: &owner.name,
            link: &self.issuer.at("/login"),
        };
        mail::enqueue(db, &self.scribe, &to, &mail.message(), None)?;
        let event = Event::failure(AuditAction::RegistrationRequested).user(owner.id);
        self.scribe.write(db, event.detail("reason", "the address has an account"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_bounded() {
        let long = "ü".repeat(MAX_NAME);
        for (typed, name) in [
            (" Ada Lovelace ", Ok("Ada Lovelace")),
            ("Ada\r\nBcc: eve", Ok("AdaBcc: eve")),
            (&long, Ok(long.as_str())),
            ("", Err(NameFault::Missing)),
            (" \t\u{7f} ", Err(NameFault::Missing)),
            (&format!("{long}x"), Err(NameFault::TooLong)),
        ] {
            assert_eq!(check_name(typed).as_deref().map_err(|fault| *fault), name, "{typed:?}");
        }
    }
}
