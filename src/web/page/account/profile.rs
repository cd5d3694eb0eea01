//! `/account/profile`: names, language, time zone.

use askama::Template;

use crate::clock::Timestamp;
use crate::model::Zone;
use crate::web::page::{FieldError, FormProblem, Person};
use crate::web::ui::{Language, Ui};

use super::Section;

/// The profile page.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account/profile.html")]
pub struct ProfilePage<'a> {
    pub ui: &'a Ui<'a>,
    pub now: Timestamp,
    pub person: Person<'a>,
    pub username: Option<&'a str>,
    pub fields: ProfileFields<'a>,
    pub errors: ProfileErrors,
    pub problem: Option<FormProblem>,
    /// Whether this page follows a change.
    pub saved: bool,
}

/// What the fields hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProfileFields<'a> {
    pub name: &'a str,
    pub given_name: &'a str,
    pub family_name: &'a str,
    pub nickname: &'a str,
    pub locale: &'a str,
    pub zoneinfo: &'a str,
}

/// What is wrong with fields, by their names.
#[derive(Clone, Debug, Default)]
pub struct ProfileErrors(pub Vec<(&'static str, FieldError)>);

impl ProfileErrors {
    fn all(&self) -> &[(&'static str, FieldError)] {
        &self.0
    }

    fn of(&self, field: &str) -> Option<FieldError> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, error)| *error)
    }
}

impl<'a> ProfilePage<'a> {
    /// The languages by their own names, and the tag that is stored if it is another.
    fn languages(&self) -> Vec<(&'a str, &'a str)> {
        let name = |language: &Language| match language {
            Language::English => "English",
            Language::German => "Deutsch",
        };
        let mut offered: Vec<(&str, &str)> =
            Language::ALL.iter().map(|language| (language.tag(), name(language))).collect();
        let current = self.fields.locale;
        if !current.is_empty() && !offered.iter().any(|(tag, _)| *tag == current) {
            offered.push((current, current));
        }
        offered
    }

    /// The zones of each part of the world, with what people call them.
    fn regions(&self) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
        let mut regions: Vec<(&str, Vec<(&str, String)>)> = Vec::new();
        for name in Zone::offered() {
            let (region, place) = name.split_once('/').unwrap_or(("UTC", name));
            let zone = (name.as_str(), place.replace('_', " ").replace('/', " / "));
            match regions.last_mut() {
                Some((last, zones)) if *last == region => zones.push(zone),
                _ => regions.push((region, vec![zone])),
            }
        }
        regions
    }

    /// A zone that is stored, or was sent, and is not among those offered.
    fn other_zone(&self) -> Option<&'a str> {
        let current = self.fields.zoneinfo;
        let is_offered = Zone::offered().iter().any(|name| name == current);
        (!current.is_empty() && !is_offered).then_some(current)
    }

    /// What the clock shows, so that one sees whether the zone is right.
    fn clock(&self) -> String {
        self.ui.with("profile.zone_hint", &[("time", self.ui.date(self.now))])
    }
}

stands_in!(Profile: ProfilePage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::testing::{AWKWARD, check, each_language};

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                let fields = ProfileFields {
                    name: text,
                    given_name: text,
                    family_name: text,
                    nickname: text,
                    locale: text,
                    zoneinfo: text,
                };
                let errors = ProfileErrors(vec![
                    ("name", FieldError::NameMissing),
                    ("given_name", FieldError::TooLong),
                    ("locale", FieldError::NotOffered),
                    ("zoneinfo", FieldError::NotOffered),
                ]);
                let page = ProfilePage {
                    ui,
                    now: Timestamp::from_seconds(1_773_324_300),
                    person: Person { name: text, email: text },
                    username: Some(text),
                    fields,
                    errors,
                    problem: None,
                    saved: false,
                };
                assert!(check(&page).contains(r#"id="zoneinfo-error""#));
                let fields = ProfileFields { zoneinfo: "Europe/Vienna", locale: "de", ..fields };
                let html =
                    check(&ProfilePage { errors: ProfileErrors::default(), saved: true, fields, ..page });
                for chosen in [
                    r#"<option value="Europe/Vienna" selected>"#,
                    r#"<option value="de" lang="de" selected>"#,
                ] {
                    assert!(html.contains(chosen), "{chosen}");
                }
            }
        });
    }
}
