//! The addresses of an account: which one is the primary one, and taking one away.
//!
//! A further one is added by the link that goes there ([`crate::identity::change_email`]).

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::identity::link::stored_address;
use crate::identity::notice::Notices;
use crate::identity::session::{self, SignedIn};
use crate::mail::message::Happened;
use crate::model::{AuditAction, EmailAddress, UserId};
use crate::store::users::Email;
use crate::store::{self, Conn, grants, links, users};

/// The most that one account has.
pub const MOST: usize = 10;

/// Why the addresses stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("this is no address of the user")]
    Unknown,
    /// Who reads there is not known (PW-13).
    #[error("the address is not verified")]
    NotVerified,
    /// Another one has to take its place first.
    #[error("it is the primary address")]
    Primary,
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The addresses of this user, the primary one first.
pub async fn list(app: &App, user: UserId) -> Result<Vec<Email>, store::Error> {
    app.db.read(move |db| users::emails(db, user)).await
}

/// Makes a verified address the one that everything is sent to, and tells the one before. Everybody else is out
/// (SE-5), and links that were mailed are void (PW-8).
pub async fn make_primary(
    app: &App,
    account: &SignedIn,
    address: &str,
    notices: Notices,
    origin: &Origin,
) -> Result<(), AddressError> {
    let changing = Changing::of(app, account, address, notices, origin)?;
    app.db
        .write(move |db| {
            let emails = changing.begin(db)?;
            let Some(new) = changing.find(&emails) else { return Ok(Err(AddressError::Unknown)) };
            if new.is_primary {
                return Ok(Ok(()));
            }
            if !users::set_primary_email(db, changing.account.user.id, &new.folded)? {
                return Ok(Err(AddressError::NotVerified));
            }
            if let Some(old) = emails.iter().find(|email| email.is_primary) {
                changing.tell(db, &old.address, Happened::PrimaryAddressChanged { address: &new.address })?;
            }
            changing.finish(db, AuditAction::PrimaryEmailChanged).map(Ok)
        })
        .await??;
    app.mail_notify.notify_one();
    Ok(())
}

/// Takes an address away that is not the primary one: so one stays. It is told, and so is the primary one.
pub async fn remove(
    app: &App,
    account: &SignedIn,
    address: &str,
    notices: Notices,
    origin: &Origin,
) -> Result<(), AddressError> {
    let changing = Changing::of(app, account, address, notices, origin)?;
    app.db
        .write(move |db| {
            let emails = changing.begin(db)?;
            let Some(old) = changing.find(&emails) else { return Ok(Err(AddressError::Unknown)) };
            if !users::remove_other_email(db, changing.account.user.id, &old.folded)? {
                return Ok(Err(AddressError::Primary));
            }
            let what = Happened::AddressRemoved { address: &old.address };
            // Who reads an address that was never verified is nobody's business.
            let told = emails.iter().filter(|email| email.is_primary || email.verified_at.is_some());
            for email in told.filter(|email| email.is_primary || email.folded == old.folded) {
                changing.tell(db, &email.address, what)?;
            }
            changing.finish(db, AuditAction::EmailRemoved).map(Ok)
        })
        .await??;
    app.mail_notify.notify_one();
    Ok(())
}

/// A change of somebody's addresses.
struct Changing {
    account: SignedIn,
    address: EmailAddress,
    notices: Notices,
    scribe: Scribe,
}

impl Changing {
    fn of(
        app: &App,
        account: &SignedIn,
        address: &str,
        notices: Notices,
        origin: &Origin,
    ) -> Result<Self, AddressError> {
        let address = EmailAddress::parse(address).map_err(|_| AddressError::Unknown)?;
        Ok(Self { account: account.clone(), address, notices, scribe: app.scribe(origin) })
    }

    /// Holds the user's row, so that of two changes at once the second sees what the first has left.
    fn begin(&self, db: &mut Conn) -> Result<Vec<Email>, store::Error> {
        users::touch(db, self.account.user.id, self.scribe.now)?;
        users::emails(db, self.account.user.id)
    }

    fn find<'a>(&self, emails: &'a [Email]) -> Option<&'a Email> {
        emails.iter().find(|email| email.folded == self.address.folded())
    }

    fn tell(&self, db: &mut Conn, to: &str, what: Happened<'_>) -> Result<(), store::Error> {
        self.notices.tell_at(db, &stored_address(to)?, &self.account.user, what, &self.scribe)
    }

    fn finish(&self, db: &mut Conn, what: AuditAction) -> Result<(), store::Error> {
        let (user, session, now) = (self.account.user.id, self.account.session.id, self.scribe.now);
        session::end_all(db, user, Some(session), &self.scribe)?;
        grants::revoke_of_user(db, user, now)?;
        links::void_of_user(db, user, now)?;
        self.scribe.write(db, Event::success(what).user(user).session(session))
    }
}
