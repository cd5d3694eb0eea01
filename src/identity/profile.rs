//! What people change about themselves: name, language, picture. Addresses and passwords have ways of their own.

use url::Url;

use crate::app::App;
use crate::audit::{Event, Origin};
use crate::model::{AuditAction, UserId};
use crate::store::{self, users};
use crate::tenancy::users::MAX_NAME;

/// What to change; `None` leaves as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub name: Option<String>,
    /// A language tag (BCP 47), such as `de-AT`.
    pub locale: Option<String>,
    /// An https address.
    pub picture: Option<String>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error("a name has 1 to 200 characters")]
    BadName,
    #[error("a locale is a language tag such as `en` or `de-AT`")]
    BadLocale,
    #[error("a picture is an https address")]
    BadPicture,
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Changes it.
pub async fn change(app: &App, user: UserId, change: Change, origin: &Origin) -> Result<(), ProfileError> {
    let change = Change {
        name: change.name.as_deref().map(check_name).transpose()?,
        locale: change.locale.as_deref().map(check_locale).transpose()?,
        picture: change.picture.as_deref().map(check_picture).transpose()?,
    };
    if change == Change::default() {
        return Ok(());
    }
    let scribe = app.scribe(origin);
    let changed = app.db.write(move |db| {
        users::set_profile(db, user, change.name.as_deref(), change.locale.as_deref(), scribe.now)?;
        if let Some(picture) = &change.picture {
            users::set_claim(db, user, "picture", picture)?;
        }
        scribe.write(db, Event::success(AuditAction::ProfileChanged).user(user))
    });
    Ok(changed.await?)
}

fn check_name(name: &str) -> Result<String, ProfileError> {
    let name: String = name.trim().chars().filter(|c| !c.is_control()).collect();
    match name.chars().count() {
        1..=MAX_NAME => Ok(name),
        _ => Err(ProfileError::BadName),
    }
}

fn check_locale(locale: &str) -> Result<String, ProfileError> {
    let is_part =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let is_tag = locale.len() <= 35
        && locale.split('-').all(is_part)
        && locale.split('-').next().is_some_and(|language| {
            (2..=3).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_alphabetic())
        });
    if is_tag { Ok(locale.to_owned()) } else { Err(ProfileError::BadLocale) }
}

fn check_picture(picture: &str) -> Result<String, ProfileError> {
    match Url::parse(picture) {
        Ok(url) if url.scheme() == "https" && picture.len() <= 2_000 => Ok(url.into()),
        _ => Err(ProfileError::BadPicture),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_may_be_called_and_shown_as() {
        for (locale, good) in
            [("en", true), ("de-AT", true), ("zh-Hant-TW", true), ("e", false), ("", false), ("de_AT", false)]
        {
            assert_eq!(check_locale(locale).is_ok(), good, "{locale}");
        }
        for (picture, good) in [
            ("https://cdn.example.com/a.png", true),
            ("http://cdn.example.com/a.png", false),
            ("javascript:alert(1)", false),
            ("a.png", false),
        ] {
            assert_eq!(check_picture(picture).is_ok(), good, "{picture}");
        }
        assert_eq!(check_name(" Ada\r\n ").ok().as_deref(), Some("Ada"));
        assert!(check_name(" ").is_err() && check_name(&"x".repeat(201)).is_err());
    }
}
