//! How the sign-in pages of any organisation look, by the management API. Pictures come and go in base64.

use actix_web::HttpResponse;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::manager::Manager;
use super::organizations::of;
use crate::model::OrganisationId;
use crate::store::branding::{self as rows, Branding};
use crate::tenancy::branding::{self, BrandingError, Words};
use crate::web::api::ask::{Sent, WITH_PICTURE};
use crate::web::api::organizations::ok;
use crate::web::api::refuse::sentence;
use crate::web::api::session::done;
use crate::web::api::typed::{asked, told};
use crate::web::fault::{Fault, Refused};

asked! {
    /// `PATCH …/branding`. An empty text takes a value away.
    BrandingChange {
        /// As `#146150`, dark enough to be read on white.
        accent: Option<String> where { "maxLength": 16 },
        message: Option<String> where { "maxLength": 300 },
        /// An address for help.
        support: Option<String> where { "maxLength": 254 },
    }
    /// `PUT …/branding/logo`.
    LogoAsked {
        /// PNG, JPEG or WebP of at most 64 KiB.
        picture: String where { "contentEncoding": "base64", "minLength": 1, "maxLength": 87384 },
    }
}

told! {
    BrandingTold {
        accent: Option<String>,
        message: String,
        support: String,
        /// Its media type, if there is one.
        logo: Option<String>,
    }
    LogoTold {
        media_type: String,
        picture: String,
    }
}

impl From<BrandingError> for Refused {
    fn from(error: BrandingError) -> Self {
        match error {
            BrandingError::BadColour
            | BrandingError::Pale(_)
            | BrandingError::BadMessage
            | BrandingError::BadSupport
            | BrandingError::NoPicture
            | BrandingError::TooLarge => Self::with_detail(Fault::InvalidValue, sentence(&error)),
            BrandingError::NoSuchOrganisation => Fault::NotFound.into(),
            BrandingError::NotPermitted(refused) => refused.into(),
            BrandingError::Store(error) => error.into(),
        }
    }
}

async fn find(manager: &Manager, of: OrganisationId) -> Result<Option<Branding>, Refused> {
    Ok(manager.app().db.read(move |db| rows::find(db, of)).await?)
}

async fn told(manager: &Manager, of: OrganisationId) -> Result<HttpResponse, Refused> {
    let look = find(manager, of).await?;
    let look = look.as_ref();
    Ok(ok(&BrandingTold {
        accent: look.and_then(|look| look.accent.clone()),
        message: look.map(|look| look.message.clone()).unwrap_or_default(),
        support: look.map(|look| look.support.clone()).unwrap_or_default(),
        logo: look.and_then(|look| look.logo_type.clone()),
    }))
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    told(&manager, of).await
}

pub async fn change(
    Sent { by: manager, asked, .. }: Sent<Manager, BrandingChange>,
) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let words = Words { accent: asked.accent, message: asked.message, support: asked.support };
    branding::change(manager.app(), manager.actor(), of, words, manager.origin()).await?;
    told(&manager, of).await
}

pub async fn logo(manager: Manager) -> Result<HttpResponse, Refused> {
    let look = find(&manager, of(&manager).await?.id).await?;
    let logo = look.and_then(|look| Some((look.logo?, look.logo_type?)));
    let (bytes, media_type) = logo.ok_or(Fault::NotFound)?;
    Ok(ok(&LogoTold { media_type, picture: BASE64_STANDARD.encode(bytes) }))
}

pub async fn set_logo(
    Sent { by: manager, asked, .. }: Sent<Manager, LogoAsked, WITH_PICTURE>,
) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let why = "`picture` must be base64 (RFC 4648 §4), with its padding and without spaces.";
    let bytes =
        BASE64_STANDARD.decode(asked.picture).map_err(|_| Refused::with_detail(Fault::InvalidValue, why))?;
    branding::set_logo(manager.app(), manager.actor(), of, Some(bytes), manager.origin()).await?;
    told(&manager, of).await
}

pub async fn remove_logo(manager: Manager) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    branding::set_logo(manager.app(), manager.actor(), of, None, manager.origin()).await?;
    Ok(done())
}
