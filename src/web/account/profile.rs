//! `/account/profile`: names, language, time zone.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::identity::account::profile::{self, Fault, Profile, ProfileError};
use crate::identity::session::SignedIn;
use crate::protocol::{OAuthError, Params};
use crate::web::csrf;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::login::visitor::{Visitor, person};
use crate::web::page::{FieldError, ProfileErrors, ProfileFields, ProfilePage, Section};
use crate::web::respond::Csp;

use super::owner;

/// The fields of the form. A form with any other is not ours: nobody makes themselves an administrator here (OR-4).
const FIELDS: [&str; 6] = ["name", "given_name", "family_name", "nickname", "locale", "zoneinfo"];

/// `GET /account/profile`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let account = match owner(&visitor, Section::Profile).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let profile = profile::read(&visitor.app, &account.user).await?;
    let saved = visitor.query()?.get("saved").is_some();
    Ok(page(&visitor, &account, &profile, ProfileErrors::default(), saved))
}

/// `POST /account/profile`.
pub async fn change(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match owner(&visitor, Section::Profile).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let typed = read(&params)?;
    let said = typed.clone();
    let say = move |profile: &mut Profile| {
        // The form has no picture.
        let picture = std::mem::take(&mut profile.picture);
        *profile = Profile { picture, ..said.clone() };
    };
    match profile::change(&visitor.app, account.user.id, say, &visitor.origin).await {
        Ok(()) => Ok(visitor.go("/account/profile?saved=1")),
        Err(ProfileError::Store(error)) => Err(error.into()),
        Err(ProfileError::Faulty(faults)) => {
            let errors = faults.into_iter().map(|(field, fault)| (field, shown(field, fault))).collect();
            Ok(page(&visitor, &account, &typed, ProfileErrors(errors), false))
        }
    }
}

fn read(params: &Params) -> Result<Profile, PageFailure> {
    if params.iter().any(|(name, _)| name != csrf::FIELD && !FIELDS.contains(&name)) {
        let error = OAuthError::invalid_request("the form has a field that is not part of a profile");
        return Err(PageFailure::request(&error, None));
    }
    let [name, given_name, family_name, nickname, locale, zoneinfo] =
        FIELDS.map(|field| params.get(field).unwrap_or_default().to_owned());
    Ok(Profile { name, given_name, family_name, nickname, picture: String::new(), locale, zoneinfo })
}

fn shown(field: &str, fault: Fault) -> FieldError {
    match fault {
        Fault::Missing => FieldError::NameMissing,
        Fault::TooLong if field == "name" => FieldError::NameTooLong,
        Fault::TooLong => FieldError::TooLong,
        Fault::Unknown => FieldError::NotOffered,
    }
}

fn page(
    visitor: &Visitor,
    account: &SignedIn,
    profile: &Profile,
    errors: ProfileErrors,
    saved: bool,
) -> HttpResponse {
    let frame = visitor.frame_of(account);
    let person = person(account);
    let ui = frame.ui(Some(person.label()));
    let status = if errors.0.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = ProfilePage {
        ui: &ui,
        now: visitor.app.clock.now(),
        person,
        username: account.user.username.as_deref(),
        fields: ProfileFields {
            name: &profile.name,
            given_name: &profile.given_name,
            family_name: &profile.family_name,
            nickname: &profile.nickname,
            locale: &profile.locale,
            zoneinfo: &profile.zoneinfo,
        },
        errors,
        problem: None,
        saved,
    };
    visitor.show(&ui, status, &page, Csp::Own)
}
