//! `/account/security`: the factors of an account.

use askama::Template;

use crate::clock::Timestamp;
use crate::web::ui::Ui;

use super::Section;

/// The security page.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account/security.html")]
pub struct SecurityPage<'a> {
    pub ui: &'a Ui<'a>,
    pub now: Timestamp,
    pub passkeys: &'a [SecurityPasskey<'a>],
    pub totp_since: Option<Timestamp>,
    pub recovery_codes: i64,
    /// Where to prove who is there, if that is needed before anything can be changed (SE-7).
    pub confirm: Option<&'a str>,
    /// Where a factor is added.
    pub add: Option<&'a str>,
    pub problem: Option<SecurityProblem>,
}

/// A passkey in the list.
#[derive(Clone, Copy, Debug)]
pub struct SecurityPasskey<'a> {
    /// The text of its [`crate::model::PasskeyId`].
    pub id: &'a str,
    pub name: &'a str,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

/// Why a factor was not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityProblem {
    Required,
    LastWayIn,
}

impl SecurityProblem {
    fn text(self, ui: &Ui<'_>) -> &'static str {
        match self {
            Self::Required => ui.t("security.required"),
            Self::LastWayIn => ui.t("security.last_way_in"),
        }
    }
}

impl SecurityPasskey<'_> {
    fn history(&self, ui: &Ui<'_>, now: &Timestamp) -> String {
        let added = history(ui, "security.added", self.created_at, *now);
        match self.last_used_at {
            Some(at) => format!("{added} · {}", history(ui, "security.used", at, *now)),
            None => added,
        }
    }
}

fn history(ui: &Ui<'_>, what: &'static str, at: Timestamp, now: Timestamp) -> String {
    ui.with(what, &[("when", ui.ago(at, now))])
}

impl SecurityPage<'_> {
    fn totp_history(&self) -> String {
        self.totp_since.map(|at| history(self.ui, "security.added", at, self.now)).unwrap_or_default()
    }

    fn has_factor(&self) -> bool {
        self.totp_since.is_some() || !self.passkeys.is_empty()
    }
}

stands_in!(Security: SecurityPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::testing::{AWKWARD, check, each_language};

    #[test]
    fn renders_with_awkward_values() {
        let now = Timestamp::from_seconds(1_773_324_300);
        each_language(|ui| {
            for text in AWKWARD {
                let passkey = SecurityPasskey { id: text, name: text, created_at: now, last_used_at: None };
                let passkeys = [passkey, SecurityPasskey { last_used_at: Some(now), ..passkey }];
                let mut page = SecurityPage {
                    ui,
                    now,
                    passkeys: &passkeys,
                    totp_since: Some(now),
                    recovery_codes: 9,
                    confirm: None,
                    add: Some("/auth/login/enrol?session=x"),
                    problem: Some(SecurityProblem::Required),
                };
                assert_eq!(check(&page).matches("/account/security/remove").count(), 3);
                page.confirm = Some("/auth/login?next=/account/security");
                page.problem = Some(SecurityProblem::LastWayIn);
                assert!(!check(&page).contains("<form"));
                check(&SecurityPage { passkeys: &[], totp_since: None, add: None, problem: None, ..page });
            }
        });
    }
}
