//! Telling people by mail what happened to their account (LO-4).
//!
//! A notice goes into the outbox in the transaction of what it tells of, to an address that is stored. What each
//! says is in [`crate::mail::message`].

use crate::app::App;
use crate::audit::Scribe;
use crate::config::Issuer;
use crate::mail::{
    self,
    message::{AccountNotice, Happened},
};
use crate::model::{EmailAddress, Language, Zone, user_agent};
use crate::store::users::{self, User};
use crate::store::{self, Conn};

/// What every notice of this instance says alike.
#[derive(Clone, Debug)]
pub struct Notices {
    product: String,
    issuer: Issuer,
    /// For those of whom no language is known.
    language: Language,
}

impl Notices {
    /// `language` is that of the browser at work, if there is one.
    pub fn of(app: &App, language: Language) -> Self {
        Self {
            product: app.config.branding.product_name.clone(),
            issuer: app.config.issuer.clone(),
            language,
        }
    }

    /// Tells the user at the primary address. Who has none cannot be told.
    pub fn tell(
        &self,
        db: &mut Conn,
        user: &User,
        what: Happened<'_>,
        scribe: &Scribe,
    ) -> Result<(), store::Error> {
        let Some(email) = users::primary_email(db, user.id)? else { return Ok(()) };
        let to = EmailAddress::parse(&email.address)
            .map_err(|error| store::Error::broken("a user's address", error))?;
        self.tell_at(db, &to, user, what, scribe)
    }

    /// Tells the user at this address, which was theirs.
    pub fn tell_at(
        &self,
        db: &mut Conn,
        to: &EmailAddress,
        user: &User,
        what: Happened<'_>,
        scribe: &Scribe,
    ) -> Result<(), store::Error> {
        let language = self.language_of(user);
        let origin = &scribe.origin;
        let notice = AccountNotice {
            language,
            product: &self.product,
            name: &user.name,
            what,
            when: &language.date_in(scribe.now, user.zoneinfo.as_deref().and_then(Zone::parse).as_ref()),
            browser: &user_agent::readable(origin.user_agent.as_deref().unwrap_or_default()),
            place: &origin.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            link: &self.issuer.at(what.page()),
        };
        mail::enqueue(db, scribe, to, &notice.message(), None)
    }

    /// The language that the user chose, or else that of the browser.
    pub fn language_of(&self, user: &User) -> Language {
        user.locale.as_deref().and_then(Language::of_tag).unwrap_or(self.language)
    }
}
