//! What people say about themselves: names, language, time zone.
//!
//! These fields and no others: what somebody may do, and whether an address is verified, is never said here (OR-4,
//! PW-13).

use url::Url;

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::identity::registration::{NameFault, check_name};
use crate::model::{AuditAction, UserId, Zone};
use crate::store::users::User;
use crate::store::{self, Conn, users};
use crate::tenancy::users::MAX_NAME;

/// The claims that are set here, besides those that stand in columns (OpenID Connect Core §5.1).
const CLAIMS: [&str; 4] = ["given_name", "family_name", "nickname", "picture"];

/// Bytes of a picture's address at most.
const MAX_PICTURE: usize = 2_000;

/// What is said. A text is empty where nothing is, save for the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    pub name: String,
    pub given_name: String,
    pub family_name: String,
    pub nickname: String,
    /// An https address.
    pub picture: String,
    /// A language tag.
    pub locale: String,
    /// A zone of the IANA database.
    pub zoneinfo: String,
}

/// What is wrong with one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Missing,
    TooLong,
    /// There is no such language or zone, or the address is no web page's.
    Unknown,
}

/// Fields that cannot be taken, by their names.
pub type Faults = Vec<(&'static str, Fault)>;

/// Why the profile stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error("cannot be taken: {}", .0.iter().map(|(field, _)| *field).collect::<Vec<_>>().join(", "))]
    Faulty(Faults),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Profile {
    /// The texts of [`CLAIMS`].
    fn claims(&self) -> [(&'static str, &str); 4] {
        let [given_name, family_name, nickname, picture] = CLAIMS;
        [
            (given_name, &self.given_name),
            (family_name, &self.family_name),
            (nickname, &self.nickname),
            (picture, &self.picture),
        ]
    }

    fn of(db: &mut Conn, user: &User) -> Result<Self, store::Error> {
        let claims = users::claims(db, user.id)?;
        let claim = |wanted: &str| {
            let found = claims.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let [given_name, family_name, nickname, picture] = CLAIMS.map(claim);
        Ok(Self {
            name: user.name.clone(),
            given_name,
            family_name,
            nickname,
            picture,
            locale: user.locale.clone().unwrap_or_default(),
            zoneinfo: user.zoneinfo.clone().unwrap_or_default(),
        })
    }
}

/// What the user says.
pub async fn read(app: &App, user: &User) -> Result<Profile, store::Error> {
    let user = user.clone();
    app.db.read(move |db| Profile::of(db, &user)).await
}

/// Stores what the user says from now on: what they said before, and what `say` makes of it.
pub async fn change(
    app: &App,
    user: UserId,
    say: impl Fn(&mut Profile) + Send + 'static,
    origin: &Origin,
) -> Result<(), ProfileError> {
    let scribe = app.scribe(origin);
    app.db
        .write(move |db| {
            // Touched first, so that of two changes at once the second sees the first.
            users::touch(db, user, scribe.now)?;
            let Some(user) = users::find(db, user)? else { return Ok(Ok(())) };
            let before = Profile::of(db, &user)?;
            let mut typed = before.clone();
            say(&mut typed);
            match checked(&typed, &before) {
                Ok(after) => settle(db, &user, &before, &after, &scribe).map(Ok),
                Err(faults) => Ok(Err(ProfileError::Faulty(faults))),
            }
        })
        .await?
}

fn settle(
    db: &mut Conn,
    user: &User,
    before: &Profile,
    after: &Profile,
    scribe: &Scribe,
) -> Result<(), store::Error> {
    let changed = changed(before, after);
    if changed.is_empty() {
        return Ok(());
    }
    let (locale, zone) = (some(&after.locale), some(&after.zoneinfo));
    users::set_profile(db, user.id, &after.name, locale, zone, scribe.now)?;
    for (name, value) in after.claims() {
        match some(value) {
            Some(value) => users::set_claim(db, user.id, name, value)?,
            None => drop(users::remove_claim(db, user.id, name)?),
        }
    }
    // Which fields, not what stands in them (LO-2).
    scribe.write(db, Event::success(AuditAction::ProfileChanged).user(user.id).detail("fields", changed))
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn changed(before: &Profile, after: &Profile) -> Vec<&'static str> {
    let mut changed: Vec<&'static str> = [
        ("name", &before.name, &after.name),
        ("locale", &before.locale, &after.locale),
        ("zoneinfo", &before.zoneinfo, &after.zoneinfo),
    ]
    .into_iter()
    .filter_map(|(field, old, new)| (old != new).then_some(field))
    .collect();
    let claims = before.claims().into_iter().zip(after.claims());
    changed.extend(claims.filter(|((_, old), (_, new))| old != new).map(|((name, _), _)| name));
    changed
}

/// What was typed, as it is stored. What could not be said today may stay as it was.
fn checked(typed: &Profile, before: &Profile) -> Result<Profile, Faults> {
    let mut faults = Faults::new();
    let mut take = |field, outcome: Result<String, Fault>| {
        outcome.unwrap_or_else(|fault| {
            faults.push((field, fault));
            String::new()
        })
    };
    let name = check_name(&typed.name).map_err(|fault| match fault {
        NameFault::Missing => Fault::Missing,
        NameFault::TooLong => Fault::TooLong,
    });
    let after = Profile {
        name: take("name", name),
        given_name: take("given_name", part(&typed.given_name)),
        family_name: take("family_name", part(&typed.family_name)),
        nickname: take("nickname", part(&typed.nickname)),
        picture: take("picture", picture(&typed.picture, &before.picture)),
        locale: take("locale", language(&typed.locale, &before.locale)),
        zoneinfo: take("zoneinfo", zone(&typed.zoneinfo, &before.zoneinfo)),
    };
    if faults.is_empty() { Ok(after) } else { Err(faults) }
}

/// A name that may be left out.
fn part(typed: &str) -> Result<String, Fault> {
    let text: String = typed.chars().filter(|c| !c.is_control()).collect();
    let text = text.trim();
    if text.chars().count() > MAX_NAME { Err(Fault::TooLong) } else { Ok(text.to_owned()) }
}

fn language(typed: &str, before: &str) -> Result<String, Fault> {
    if is_language_tag(typed) || typed.is_empty() || typed == before {
        Ok(typed.to_owned())
    } else {
        Err(Fault::Unknown)
    }
}

/// Whether it looks like a tag of BCP 47. The language need not be one that pages are shown in: applications are told.
fn is_language_tag(text: &str) -> bool {
    let is_part =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let is_primary =
        |part: &str| (2..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic());
    text.len() <= 35 && text.split('-').all(is_part) && text.split('-').next().is_some_and(is_primary)
}

fn picture(typed: &str, before: &str) -> Result<String, Fault> {
    if typed.is_empty() || typed == before {
        return Ok(typed.to_owned());
    }
    match Url::parse(typed) {
        Ok(url) if url.scheme() == "https" && typed.len() <= MAX_PICTURE => Ok(url.into()),
        _ => Err(Fault::Unknown),
    }
}

fn zone(typed: &str, before: &str) -> Result<String, Fault> {
    if typed.is_empty() || typed == before {
        return Ok(typed.to_owned());
    }
    Zone::parse(typed).map(|zone| zone.name().to_owned()).ok_or(Fault::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Profile {
        Profile { name: "Ada".to_owned(), locale: "de-AT".to_owned(), ..Profile::default() }
    }

    #[test]
    fn a_language_is_a_tag_and_a_picture_an_https_address() {
        for (locale, good) in
            [("en", true), ("de-AT", true), ("zh-Hant-TW", true), ("e", false), ("", true), ("de_AT", false)]
        {
            assert_eq!(language(locale, "fr").is_ok(), good, "{locale}");
        }
        for (address, good) in [
            ("https://cdn.example.com/a.png", true),
            ("http://cdn.example.com/a.png", false),
            ("javascript:alert(1)", false),
            ("a.png", false),
        ] {
            assert_eq!(picture(address, "").is_ok(), good, "{address}");
        }
    }

    #[test]
    fn what_is_typed_is_cleaned_and_what_does_not_exist_is_refused() {
        let typed = Profile {
            name: " Ada\u{7}  Lovelace ".to_owned(),
            nickname: "  ".to_owned(),
            zoneinfo: "europe/london".to_owned(),
            ..ada()
        };
        let stored = checked(&typed, &ada()).unwrap();
        assert_eq!((stored.name.as_str(), stored.nickname.as_str()), ("Ada  Lovelace", ""));
        assert_eq!((stored.zoneinfo.as_str(), stored.locale.as_str()), ("Europe/London", "de-AT"));
        assert_eq!(changed(&ada(), &stored), ["name", "zoneinfo"]);

        let bad = Profile {
            name: " ".to_owned(),
            family_name: "x".repeat(201),
            locale: "de_AT".to_owned(),
            zoneinfo: "Middle/Earth".to_owned(),
            ..ada()
        };
        let faults = checked(&bad, &ada()).unwrap_err();
        let expected = [
            ("name", Fault::Missing),
            ("family_name", Fault::TooLong),
            ("locale", Fault::Unknown),
            ("zoneinfo", Fault::Unknown),
        ];
        assert_eq!(faults, expected);
    }
}
