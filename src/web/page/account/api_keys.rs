//! `/account/api-keys`: what machines may do in one's name.

use askama::Template;

use crate::clock::Timestamp;
use crate::web::ui::Ui;

use super::Section;

/// The API keys that somebody made.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account/api_keys.html")]
pub struct ApiKeysPage<'a> {
    pub ui: &'a Ui<'a>,
    pub now: Timestamp,
    /// A key just made: the one time that its text is shown.
    pub new: Option<NewKeyText<'a>>,
    pub keys: &'a [AccountKey<'a>],
    /// Where a key can be made. Empty: nowhere.
    pub places: &'a [KeyPlace<'a>],
    pub form: KeyForm<'a>,
    /// Where to prove who is there, if that is needed before a key is made (SE-7).
    pub confirm: Option<&'a str>,
    pub problem: Option<KeyProblem>,
}

/// The text of a key just made.
#[derive(Clone, Copy, Debug)]
pub struct NewKeyText<'a> {
    pub name: &'a str,
    pub text: &'a str,
    /// Until when the key that it replaces can be used.
    pub overlaps: Option<Timestamp>,
}

impl NewKeyText<'_> {
    fn overlaps(&self, ui: &Ui<'_>) -> Option<String> {
        let end = self.overlaps?;
        Some(ui.with("api_keys.overlaps", &[("date", &ui.date(end))]))
    }
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct AccountKey<'a> {
    /// The text of its [`crate::model::ApiKeyId`].
    pub id: &'a str,
    pub name: &'a str,
    /// How its text begins.
    pub hint: &'a str,
    pub organisation: &'a str,
    pub scopes: &'a [String],
    pub since: Timestamp,
    pub used_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// Whether it can be used now.
    pub live: bool,
    /// Whether it can be replaced: only the latest of a machine can.
    pub current: bool,
}

impl AccountKey<'_> {
    fn used(&self) -> Timestamp {
        self.used_at.unwrap_or(self.since)
    }

    fn end(&self, ui: &Ui<'_>) -> String {
        self.expires_at.map(|end| ui.date(end)).unwrap_or_default()
    }
}

/// An organisation in which a key can be made.
#[derive(Clone, Copy, Debug)]
pub struct KeyPlace<'a> {
    /// The text of its [`crate::model::OrganisationId`].
    pub id: &'a str,
    pub name: &'a str,
    /// What a key can be allowed there.
    pub permissions: &'a [String],
}

/// What was typed.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyForm<'a> {
    pub name: &'a str,
    pub organisation: &'a str,
    pub scopes: &'a str,
    /// Days as they were chosen; empty for ever.
    pub days: &'a str,
}

impl KeyForm<'_> {
    /// The lives to choose from, in days.
    pub const DAYS: [&'static str; 4] = ["30", "90", "365", ""];

    fn lives(&self, ui: &Ui<'_>) -> Vec<(&'static str, String)> {
        let label = |days: &&'static str| match *days {
            "" => ui.t("api_keys.for_ever").to_owned(),
            days => ui.with("api_keys.days", &[("days", days)]),
        };
        Self::DAYS.iter().map(|days| (*days, label(days))).collect()
    }
}

/// Why no key was made.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyProblem {
    Name,
    /// None, or too many.
    Scopes {
        most: usize,
    },
    BadScope(String),
    /// Nobody gives more than they have (AK-2).
    Beyond(String),
    /// There is no such place for a key, or no longer.
    Place,
    /// It was revoked, has expired or was replaced.
    Over,
}

impl KeyProblem {
    /// The field that is wrong.
    fn field(&self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Scopes { .. } | Self::BadScope(_) | Self::Beyond(_) => "scopes",
            Self::Place => "organisation",
            Self::Over => "",
        }
    }

    fn text(&self, ui: &Ui<'_>) -> String {
        match self {
            Self::Name => ui.t("api_keys.bad_name").to_owned(),
            Self::Scopes { most } => ui.with("api_keys.bad_scopes", &[("most", &most.to_string())]),
            Self::BadScope(scope) => ui.with("api_keys.bad_scope", &[("scope", scope)]),
            Self::Beyond(scope) => ui.with("api_keys.beyond", &[("scope", scope)]),
            Self::Place => ui.t("api_keys.no_place").to_owned(),
            Self::Over => ui.t("api_keys.over").to_owned(),
        }
    }
}

impl ApiKeysPage<'_> {
    /// What is wrong with this field.
    fn wrong(&self, field: &str) -> Option<String> {
        let problem = self.problem.as_ref().filter(|problem| problem.field() == field)?;
        Some(problem.text(self.ui))
    }
}

stands_in!(ApiKeys: ApiKeysPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::testing::{AWKWARD, check, each_language};

    #[test]
    fn renders_with_awkward_values() {
        let now = Timestamp::from_seconds(1_773_324_300);
        each_language(|ui| {
            for text in AWKWARD {
                let words = [text.to_owned(), "members:read".to_owned()];
                let live = AccountKey {
                    id: text,
                    name: text,
                    hint: text,
                    organisation: text,
                    scopes: &words,
                    since: Timestamp(0),
                    used_at: Some(now),
                    expires_at: Some(now),
                    live: true,
                    current: true,
                };
                let keys = [live, AccountKey { live: false, used_at: None, expires_at: None, ..live }];
                let places = [KeyPlace { id: text, name: text, permissions: &words }];
                let page = ApiKeysPage {
                    ui,
                    now,
                    new: Some(NewKeyText { name: text, text, overlaps: Some(now) }),
                    keys: &keys,
                    places: &places,
                    form: KeyForm { name: text, organisation: text, scopes: text, days: "90" },
                    confirm: None,
                    problem: None,
                };
                let html = check(&page);
                assert_eq!(
                    html.matches("/auth/account/api-keys/revoke").count(),
                    1,
                    "what is over has no button"
                );
                assert_eq!(html.matches("/auth/account/api-keys/rotate").count(), 1);
                for problem in [
                    KeyProblem::Name,
                    KeyProblem::Scopes { most: 50 },
                    KeyProblem::BadScope(text.to_owned()),
                    KeyProblem::Beyond(text.to_owned()),
                    KeyProblem::Place,
                    KeyProblem::Over,
                ] {
                    check(&ApiKeysPage { new: None, problem: Some(problem), ..page.clone() });
                }
                let html = check(&ApiKeysPage { new: None, confirm: Some("/auth/login"), ..page.clone() });
                assert!(!html.contains("api-key-form") && !html.contains("/rotate"), "SE-7");
                check(&ApiKeysPage { new: None, keys: &[], places: &[], ..page });
            }
        });
    }
}
