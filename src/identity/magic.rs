//! Signing in by mail: a link, and six digits for the browser that asked (PW-7 to PW-10).
//!
//! Link and digits are one thing and are spent together. The link signs in where it is confirmed, and goes on with an
//! authorization request only in the browser that began it; the digits are good in that browser alone. Every request
//! leaves the same rows, whoever has the address (PW-6); a mail goes to whom the account belongs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::device::KnownDevice;
use super::limits::{self, Bucket, Throttled};
use super::link::{self, AskError, LinkError, MailAsked, Tries};
use super::recovery::RegisteredRedirect;
use super::session::{self, Arrival, Begun, Terms};
use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::config::{Issuer, Limit, Limits, RegistrationMode};
use crate::crypto::{MasterKey, Random, Secret, constant_time_eq};
use crate::mail::{self, message};
use crate::model::explanation::{Explanation, Rule};
use crate::model::{
    AuditAction, AuthMethod, EmailAddress, Language, LinkPurpose, Outcome, RequestId, UserId,
};
use crate::store::links::{Link, MailCode};
use crate::store::users::User;
use crate::store::{self, Conn, authorization, clients, links, users};
use crate::tenancy::admission;

/// After so many wrong digits the right ones are worth nothing either.
const CODE_TRIES: i64 = 5;

/// A request for a mail that signs in.
pub struct Asked {
    pub email: String,
    /// Of the mail.
    pub language: Language,
    /// What ties the digits to the browser that asks. Programs have none, and get no digits.
    pub browser: Option<Secret>,
    /// A page of the application's that the link leads to, instead of ours: there it is `token`.
    pub page: Option<RegisteredRedirect>,
    pub device: Option<KnownDevice>,
    pub onward: Onward,
    /// How long the link lasts.
    pub lasts: Duration,
}

/// Where the browser that asked goes on once it is signed in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Onward {
    /// The authorization request that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// A page of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

/// What a link would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The account.
    pub email: String,
    /// The application whose sign-in waits.
    pub client: Option<String>,
    /// Whether this browser asked for the link, so that the application's sign-in goes on here.
    pub is_here: bool,
}

/// Somebody who was signed in by mail.
#[derive(Clone, Debug)]
pub struct Entered {
    pub begun: Begun,
    /// Nowhere in particular unless this browser asked.
    pub onward: Onward,
}

/// Why the digits sign nobody in.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    #[error("the code is wrong")]
    Wrong,
    /// None was asked for in this browser, or it is used, replaced, too old, or was tried too often.
    #[error("the code does not work any more")]
    Void,
    #[error("too many tries")]
    Throttled(Throttled),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<Throttled> for CodeError {
    fn from(throttled: Throttled) -> Self {
        Self::Throttled(throttled)
    }
}

/// Sends a link and digits to the address, if an account may be signed in with it. The caller learns no difference.
pub async fn ask(app: &App, asked: Asked, origin: &Origin) -> Result<(), AskError> {
    let email = EmailAddress::parse(&asked.email).map_err(|_| AskError::BadEmail)?;
    let (secret, digits) = (Secret::generate(&app.random), digits(&app.random));
    let posting = Posting {
        tag: tag(&app.master, &secret.digest().as_bytes()[..], digits.expose()),
        email,
        secret,
        digits,
        lasts: asked.lasts,
        asked,
        product: app.config.branding.product_name.clone(),
        issuer: app.config.issuer.clone(),
        limits: app.limits(origin).clone(),
        may_register: app.config.registration_mode() == RegistrationMode::Open,
        scribe: app.scribe(origin),
    };
    link::paced(app.db.write(move |db| posting.settle(db))).await??;
    app.mail_notify.notify_one();
    Ok(())
}

/// Looks what the link would do, without spending it (PW-7).
pub async fn open(
    app: &App,
    token: &Secret,
    browser: Option<&Secret>,
    origin: &Origin,
) -> Result<Opened, LinkError> {
    let link = link::look(app, token, &[LinkPurpose::MagicLink], Tries::of(app, origin)).await?;
    let browser = browser.map(Secret::digest);
    let opened = app.db.read(move |db| {
        let (Some(email), Some(_)) = (&link.email, link.user_id) else { return Ok(None) };
        let asked_by = links::code_of(db, &link.digest)?.map(|code| code.browser_digest);
        Ok(Some(Opened {
            email: email.clone(),
            client: waiting_client(db, onward(&link)?.request)?,
            is_here: asked_by.is_some() && asked_by == browser,
        }))
    });
    opened.await?.ok_or(LinkError::Expired)
}

/// Spends the link: signs in the browser that confirms it.
pub async fn redeem(
    app: &App,
    token: &Secret,
    browser: Option<&Secret>,
    arrival: Arrival,
    remember: bool,
    origin: &Origin,
) -> Result<Entered, LinkError> {
    let (token, scribe, tries) = (token.clone(), app.scribe(origin), Tries::of(app, origin));
    let (browser, terms) = (browser.map(Secret::digest), Terms::for_arrival(app, &arrival, remember));
    let entered = app.db.write(move |db| {
        let link = match link::spend(db, &token, LinkPurpose::MagicLink, &tries, scribe.now)? {
            Ok(Some(link)) => link,
            Ok(None) => return Ok(Ok(None)),
            Err(throttled) => return Ok(Err(throttled)),
        };
        let asked_by = links::code_of(db, &link.digest)?.map(|code| code.browser_digest);
        let is_here = asked_by.is_some() && asked_by == browser;
        enter(db, &link, is_here, &arrival, terms, &scribe).map(Ok)
    });
    let entered = entered.await?;
    count(app, matches!(entered, Ok(Some(_))), entered.is_err());
    entered?.ok_or(LinkError::Expired)
}

fn count(app: &App, entered: bool, throttled: bool) {
    let outcome = match (entered, throttled) {
        (true, _) => Outcome::Success,
        (false, true) => Outcome::Denied,
        (false, false) => Outcome::Failure,
    };
    app.count_sign_in(AuthMethod::Mail, outcome);
}

/// Spends link and digits together, in the browser that asked for them. A try is counted before it is made.
pub async fn redeem_code(
    app: &App,
    typed: &str,
    browser: &Secret,
    arrival: Arrival,
    remember: bool,
    origin: &Origin,
) -> Result<Entered, CodeError> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let bucket = Bucket::new("sign-in code address", &[&limits::address_key(origin.ip)]);
    let trying = Trying {
        typed: Secret::from_text(typed),
        browser: browser.clone(),
        tries: (bucket, app.limits(origin).link_tries),
        master: app.master.clone(),
        terms: Terms::of(app, remember),
        scribe: app.scribe(origin),
    };
    let entered = app.db.write(move |db| trying.settle(db, &arrival)).await?;
    count(app, entered.is_ok(), matches!(entered, Err(CodeError::Throttled(_))));
    entered
}

/// One try with digits.
struct Trying {
    typed: Secret,
    browser: Secret,
    tries: (Bucket, Limit),
    master: MasterKey,
    terms: Terms,
    scribe: Scribe,
}

impl Trying {
    fn settle(&self, db: &mut Conn, arrival: &Arrival) -> Result<Result<Entered, CodeError>, store::Error> {
        let now = self.scribe.now;
        let slip = &self.scribe.origin.slip;
        let void = |state: &str| {
            slip.refuse(Explanation::of(Rule::MailCode).with("state", state));
            Ok(Err(CodeError::Void))
        };
        if let Err(throttled) = limits::reserve(db, &[self.tries], now, slip)? {
            return Ok(Err(throttled.into()));
        }
        let Some(code) = links::open_code(db, &self.browser.digest(), now)? else {
            return void("none was asked for in this browser, or it is used, replaced or expired");
        };
        if !links::count_code_try(db, &code.link_digest, CODE_TRIES)? {
            return void("tried too often");
        }
        let expected = tag(&self.master, code.link_digest.as_bytes(), self.typed.expose());
        if !constant_time_eq(&expected, &code.tag) {
            let event = Event::failure(AuditAction::SignIn).detail("reason", "wrong code");
            self.scribe.write(db, event)?;
            let tries = format!("{} of {CODE_TRIES}", code.tries + 1);
            slip.refuse(Explanation::of(Rule::MailCode).with("state", "wrong").with("try", tries));
            let was_last = code.tries + 1 >= CODE_TRIES;
            return Ok(Err(if was_last { CodeError::Void } else { CodeError::Wrong }));
        }
        let Some(link) = links::consume(db, &code.link_digest, LinkPurpose::MagicLink, now)? else {
            return void("used a moment ago");
        };
        limits::refund(db, &[self.tries.0])?;
        Ok(enter(db, &link, true, arrival, self.terms, &self.scribe)?.ok_or(CodeError::Void))
    }
}

/// Signs in whoever the spent link belongs to; `None` if nobody, or nobody who may be.
fn enter(
    db: &mut Conn,
    link: &Link,
    is_here: bool,
    arrival: &Arrival,
    terms: Terms,
    scribe: &Scribe,
) -> Result<Option<Entered>, store::Error> {
    let (Some(user), Some(email)) = (link.user_id, &link.email) else {
        // Asked for by somebody who has no account: nobody was sent anything.
        scribe.origin.slip.refuse(Rule::AccountUnknown);
        return Ok(None);
    };
    let admission = match admission::admit_user(db, user)? {
        Ok(admission) => admission,
        Err(refusal) => {
            scribe.origin.slip.refuse(refusal);
            let event = Event::failure(AuditAction::SignIn).user(user);
            scribe.write(db, event.detail("reason", refusal.to_string()))?;
            return Ok(None);
        }
    };
    // The address may have been removed, or gone to somebody else, since the mail was sent (PW-8).
    if !prove_address(db, user, email, scribe)? {
        let told = Explanation::of(Rule::Link).with("state", "the address is not the account's any more");
        scribe.origin.slip.refuse(told);
        return Ok(None);
    }
    let begun = session::begin(db, &admission, &[AuthMethod::Mail], arrival, terms, scribe)?;
    Ok(Some(Entered { begun, onward: if is_here { onward(link)? } else { Onward::default() } }))
}

/// Whoever opens a mail reads it: the address is verified, if it still is the user's (PW-13).
pub(super) fn prove_address(
    db: &mut Conn,
    user: UserId,
    folded: &str,
    scribe: &Scribe,
) -> Result<bool, store::Error> {
    let Some(stored) = users::emails(db, user)?.into_iter().find(|email| email.folded == folded) else {
        return Ok(false);
    };
    if stored.verified_at.is_none() {
        users::mark_email_verified(db, user, &link::stored_address(&stored.address)?, scribe.now)?;
        scribe.write(db, Event::success(AuditAction::EmailVerified).user(user))?;
    }
    Ok(true)
}

fn onward(link: &Link) -> Result<Onward, store::Error> {
    serde_json::from_str(&link.detail).map_err(|error| store::Error::broken("a sign-in link", error))
}

fn waiting_client(db: &mut Conn, request: Option<RequestId>) -> Result<Option<String>, store::Error> {
    let Some(request) = request else { return Ok(None) };
    let Some(request) = authorization::find_request(db, request)? else { return Ok(None) };
    Ok(clients::find(db, request.client_id)?.map(|client| client.name))
}

/// Six digits, each combination as likely: 2^64 is so much more than a million that the remainder does not show.
fn digits(random: &Random) -> Secret {
    Secret::from_text(format!("{:06}", u64::from_be_bytes(random.bytes()) % 1_000_000))
}

/// What is stored of digits: too few to be safe in a plain digest, so it is keyed, and bound to the link.
fn tag(master: &MasterKey, link: &[u8], digits: &str) -> Vec<u8> {
    master.tag(b"sign-in code", &[link, digits.as_bytes()].concat()).to_vec()
}

/// A mail that signs in, on its way into the outbox.
struct Posting {
    email: EmailAddress,
    secret: Secret,
    digits: Secret,
    tag: Vec<u8>,
    asked: Asked,
    product: String,
    issuer: Issuer,
    lasts: Duration,
    limits: Limits,
    may_register: bool,
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
        let to = match &owner {
            Some(owner) if admission::admit_user(db, owner.id)?.is_ok() => {
                link::reachable(db, owner, &self.email)?
            }
            _ => None,
        };
        self.store_link(db, owner.as_ref().filter(|_| to.is_some()))?;
        let event = match (&owner, &to) {
            (Some(owner), Some(to)) => {
                self.send_link(db, owner, to)?;
                Event::success(AuditAction::SignInLinkRequested).user(owner.id)
            }
            (Some(owner), None) => Event::failure(AuditAction::SignInLinkRequested)
                .user(owner.id)
                .detail("reason", "the user is disabled or the address is not verified"),
            (None, _) => {
                self.tell_stranger(db)?;
                Event::failure(AuditAction::SignInLinkRequested).detail("reason", "no such account")
            }
        };
        self.scribe.write(db, event)?;
        Ok(Ok(()))
    }

    /// Also for nobody: then it opens nothing, but the browser's tries are counted as always.
    fn store_link(&self, db: &mut Conn, user: Option<&User>) -> Result<(), store::Error> {
        let now = self.scribe.now;
        let link = Link {
            digest: self.secret.digest(),
            purpose: LinkPurpose::MagicLink,
            user_id: user.map(|user| user.id),
            email: Some(self.email.folded().to_owned()),
            detail: serde_json::to_string(&self.asked.onward).expect("where to go on is plain data"),
            created_at: now,
            expires_at: now.plus(self.lasts),
            consumed_at: None,
        };
        links::insert(db, &link)?;
        let Some(browser) = &self.asked.browser else { return Ok(()) };
        let code = MailCode {
            link_digest: link.digest,
            browser_digest: browser.digest(),
            tag: self.tag.clone(),
            tries: 0,
            created_at: now,
        };
        links::insert_code(db, &code)
    }

    fn send_link(&self, db: &mut Conn, owner: &User, to: &EmailAddress) -> Result<(), store::Error> {
        let mail = message::SignInLink {
            language: owner.locale.as_deref().and_then(Language::of_tag).unwrap_or(self.asked.language),
            product: &self.product,
            name: &owner.name,
            link: &self.address(),
            code: self.asked.browser.as_ref().map(|_| self.digits.expose()),
            lasts: self.lasts,
        };
        let expires_at = self.scribe.now.plus(self.lasts);
        mail::enqueue(db, &self.scribe, to, &mail.message(), Some(expires_at))
    }

    fn address(&self) -> String {
        match &self.asked.page {
            Some(page) => page.with_token(&self.secret),
            None => self.issuer.at(&format!("/login/magic/{}", self.secret.expose())),
        }
    }

    /// Where anybody may register, who has no account learns how to get one. Elsewhere there is nothing to say.
    fn tell_stranger(&self, db: &mut Conn) -> Result<(), store::Error> {
        if !self.may_register {
            return Ok(());
        }
        let mail = message::NoAccount {
            language: self.asked.language,
            product: &self.product,
            link: &self.issuer.at("/register"),
        };
        mail::enqueue(db, &self.scribe, &self.email, &mail.message(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_six_and_their_tag_is_the_links_and_the_instances() {
        let random = Random::system();
        for _ in 0..100 {
            let digits = digits(&random);
            assert!(digits.expose().len() == 6 && digits.expose().bytes().all(|b| b.is_ascii_digit()));
        }
        let (ours, theirs) = (MasterKey::generate(&random), MasterKey::generate(&random));
        let one = tag(&ours, b"link", "000001");
        assert_ne!(one, tag(&ours, b"link", "000002"));
        assert_ne!(one, tag(&ours, b"another", "000001"));
        assert_ne!(one, tag(&theirs, b"link", "000001"));
    }
}
