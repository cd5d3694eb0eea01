//! How the sign-in pages of an organisation look: a logo, a colour, a short text and an address for help.
//!
//! Whoever chooses one makes it known that the organisation exists: its look is shown to anybody who comes to sign in for
//! it, before they sign in. Others keep that to themselves (OR-1). A colour that could not be read is refused here; that
//! a picture is one is seen from its head ([`super::picture`]), and pictures that can hold scripts are none.

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::crypto::Digest;
use crate::model::colour::{Colour, Pale, Palette};
use crate::model::{AuditAction, EmailAddress, OrganisationId, Permission};
use crate::store::branding::{self, Branding};
use crate::store::{self, Conn, domains, organisations};
use crate::tenancy::actor::{Actor, NotPermitted, authority};
use crate::tenancy::picture::{MAX_SIDE, kind_of};
use crate::tenancy::{organisations as tenants, settle, use_case_errors};

/// The largest logo.
pub const MAX_LOGO: usize = 64 * 1024;
/// The longest text.
pub const MAX_MESSAGE: usize = 300;

/// How pages look on the way to signing in for one organisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Brand {
    pub organisation: OrganisationId,
    pub name: String,
    /// `None`: our own.
    pub palette: Option<Palette>,
    pub has_logo: bool,
    pub message: String,
    pub support: String,
    /// Part of the addresses of style sheet and logo.
    pub hash: String,
}

/// What an organisation says of itself besides its logo. `None` leaves as it is, empty is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    pub accent: Option<String>,
    pub message: Option<String>,
    pub support: Option<String>,
}

/// Why a look was not changed.
#[derive(Debug, thiserror::Error)]
pub enum BrandingError {
    #[error("a colour is written as #146150")]
    BadColour,
    #[error("this colour cannot be read on light pages: its contrast is {:.1}, and 4.5 is needed; {} can", .0.contrast, .0.instead)]
    Pale(Pale),
    #[error("the text has at most {MAX_MESSAGE} characters, none of them control characters")]
    BadMessage,
    #[error("this is no e-mail address")]
    BadSupport,
    #[error("a logo is a PNG, JPEG or WebP picture of at most {MAX_SIDE} pixels each way")]
    NoPicture,
    #[error("a logo has at most 64 KiB")]
    TooLarge,
    #[error("there is no such organisation: `countersign org list` shows them")]
    NoSuchOrganisation,
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    #[error(transparent)]
    Store(store::Error),
}

use_case_errors!(BrandingError);

/// Changes colour, text and address.
pub async fn change(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    words: Words,
    origin: &Origin,
) -> Result<(), BrandingError> {
    let judged = Judged::of(&words)?;
    store_changed(app, actor, organisation, origin, move |look| {
        if let Some(accent) = &judged.accent {
            look.accent.clone_from(accent);
        }
        if let Some(message) = &judged.message {
            look.message.clone_from(message);
        }
        if let Some(support) = &judged.support {
            look.support.clone_from(support);
        }
    })
    .await
}

/// Whether these words would be stored, for somebody who looks first.
pub fn check(words: &Words) -> Result<(), BrandingError> {
    Judged::of(words).map(drop)
}

/// [`Words`] as they are stored.
struct Judged {
    accent: Option<Option<String>>,
    message: Option<String>,
    support: Option<String>,
}

impl Judged {
    fn of(words: &Words) -> Result<Self, BrandingError> {
        Ok(Self {
            accent: words.accent.as_deref().map(check_accent).transpose()?,
            message: words.message.as_deref().map(check_message).transpose()?,
            support: words.support.as_deref().map(check_support).transpose()?,
        })
    }
}

fn check_accent(typed: &str) -> Result<Option<String>, BrandingError> {
    let text = typed.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let colour = Colour::parse(text).ok_or(BrandingError::BadColour)?;
    Palette::of(colour).map_err(BrandingError::Pale)?;
    Ok(Some(colour.to_string()))
}

fn check_message(typed: &str) -> Result<String, BrandingError> {
    let message = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    let good = message.chars().count() <= MAX_MESSAGE && !message.chars().any(char::is_control);
    if good { Ok(message) } else { Err(BrandingError::BadMessage) }
}

fn check_support(typed: &str) -> Result<String, BrandingError> {
    match typed.trim() {
        "" => Ok(String::new()),
        text => Ok(EmailAddress::parse(text).map_err(|_| BrandingError::BadSupport)?.as_str().to_owned()),
    }
}

/// Takes this picture as the logo, or takes it away.
pub async fn set_logo(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    picture: Option<Vec<u8>>,
    origin: &Origin,
) -> Result<(), BrandingError> {
    let kind = match &picture {
        Some(bytes) if bytes.len() > MAX_LOGO => return Err(BrandingError::TooLarge),
        Some(bytes) => Some(kind_of(bytes).ok_or(BrandingError::NoPicture)?.to_owned()),
        None => None,
    };
    store_changed(app, actor, organisation, origin, move |look| {
        look.logo.clone_from(&picture);
        look.logo_type.clone_from(&kind);
    })
    .await
}

async fn store_changed(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    origin: &Origin,
    change: impl Fn(&mut Branding) + Send + 'static,
) -> Result<(), BrandingError> {
    let scribe = app.scribe(origin);
    let outcome = app.db.write(move |db| settle(change_in(db, actor, organisation, &change, &scribe)));
    outcome.await?
}

fn change_in(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    change: &impl Fn(&mut Branding),
    scribe: &Scribe,
) -> Result<(), BrandingError> {
    if organisations::lock(db, organisation, scribe.now)?.is_none() {
        return Err(BrandingError::NoSuchOrganisation);
    }
    authority(db, actor, organisation, None, Permission::OrganisationWrite)??;
    let mut look = branding::find(db, organisation)?.unwrap_or_else(|| Branding {
        organisation_id: organisation,
        accent: None,
        logo: None,
        logo_type: None,
        message: String::new(),
        support: String::new(),
        hash: String::new(),
    });
    change(&mut look);
    look.hash = hash_of(&look);
    branding::put(db, &look)?;
    let event = Event::success(AuditAction::BrandingChanged)
        .actor(actor)
        .organisation(organisation)
        .detail("accent", look.accent.as_deref().unwrap_or("none"))
        .detail("logo", look.logo_type.as_deref().unwrap_or("none"));
    scribe.write(db, event)?;
    Ok(())
}

/// Of what style sheet and logo are made of.
fn hash_of(look: &Branding) -> String {
    let mut bytes = look.accent.clone().unwrap_or_default().into_bytes();
    bytes.push(0);
    bytes.extend_from_slice(look.logo.as_deref().unwrap_or_default());
    Digest::of(&bytes).as_bytes()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How pages for this organisation look; `None` if it is suspended or chose nothing.
pub fn of(db: &mut Conn, organisation: OrganisationId) -> Result<Option<Brand>, store::Error> {
    let look = branding::look(db, organisation)?;
    Ok(look.map(|(name, accent, logo_type, message, support, hash)| Brand {
        organisation,
        name,
        // What was stored was judged; a rule that became stricter since shows our own colours.
        palette: accent.as_deref().and_then(Colour::parse).and_then(|colour| Palette::of(colour).ok()),
        has_logo: logo_type.is_some(),
        message,
        support,
        hash,
    }))
}

/// For which organisation somebody comes to sign in: the one that was chosen, else the one that the request names, else the
/// one that has proven the domain of the address that it expects.
pub fn of_request(
    db: &mut Conn,
    chosen: Option<OrganisationId>,
    named: Option<&str>,
    hint: Option<&str>,
) -> Result<Option<Brand>, store::Error> {
    let organisation = match (chosen, named) {
        (Some(chosen), _) => Some(chosen),
        (None, Some(named)) => tenants::find(db, named)?.map(|found| found.id),
        (None, None) => match hint.and_then(|hint| EmailAddress::parse(hint).ok()) {
            Some(email) => domains::proven_by(db, crate::tenancy::domains::domain_of(&email))?,
            None => None,
        },
    };
    organisation.map_or(Ok(None), |organisation| of(db, organisation))
}
