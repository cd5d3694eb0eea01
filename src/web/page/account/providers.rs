//! `/account/providers`: who somebody is elsewhere.

use askama::Template;

use crate::clock::Timestamp;
use crate::web::page::{ProviderButton, ProviderProblem};
use crate::web::ui::Ui;

use super::Section;

/// The identity providers of an account.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account/providers.html")]
pub struct ProvidersPage<'a> {
    pub ui: &'a Ui<'a>,
    pub now: Timestamp,
    pub linked: &'a [AccountIdentity<'a>],
    /// The ones that can be linked.
    pub offered: &'a [ProviderButton<'a>],
    /// Where to prove who is there, if that is needed before anything can be changed (SE-7).
    pub confirm: Option<&'a str>,
    pub alert: Option<LinkingProblem<'a>>,
}

/// A linked identity.
#[derive(Clone, Copy, Debug)]
pub struct AccountIdentity<'a> {
    /// The text of its [`crate::model::FederatedIdentityId`].
    pub id: &'a str,
    pub provider: &'a str,
    /// What the provider calls the person. May be empty.
    pub label: &'a str,
    /// Whether it can be used to sign in now.
    pub active: bool,
    pub since: Timestamp,
    pub used_at: Timestamp,
}

/// Why nothing was linked or unlinked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LinkingProblem<'a> {
    /// FE-9.
    LastWay,
    Provider {
        provider: &'a str,
        problem: ProviderProblem,
    },
}

impl LinkingProblem<'_> {
    fn text(self, ui: &Ui<'_>) -> String {
        match self {
            Self::LastWay => ui.t("providers.last_way").to_owned(),
            Self::Provider { provider, problem } => match problem {
                ProviderProblem::LinkedElsewhere | ProviderProblem::Throttled { .. } => {
                    problem.text(provider, ui)
                }
                ProviderProblem::Unavailable => ui.with("providers.unavailable", &[("provider", provider)]),
                _ => ui.with("providers.not_linked", &[("provider", provider)]),
            },
        }
    }
}

stands_in!(Providers: ProvidersPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::testing::{AWKWARD, check, each_language};

    #[test]
    fn renders_with_awkward_values() {
        let now = Timestamp::from_seconds(1_773_324_300);
        each_language(|ui| {
            for text in AWKWARD {
                let one = AccountIdentity {
                    id: text,
                    provider: text,
                    label: text,
                    active: true,
                    since: Timestamp(0),
                    used_at: now,
                };
                let linked = [one, AccountIdentity { active: false, ..one }];
                let offered = [ProviderButton { id: text, name: text }];
                let page = ProvidersPage {
                    ui,
                    now,
                    linked: &linked,
                    offered: &offered,
                    confirm: None,
                    alert: Some(LinkingProblem::LastWay),
                };
                let html = check(&page);
                assert_eq!(html.matches("/auth/account/providers/unlink").count(), 2);
                assert_eq!(html.matches("/auth/account/providers/link").count(), 1);
                for problem in
                    [ProviderProblem::LinkedElsewhere, ProviderProblem::Unavailable, ProviderProblem::Denied]
                {
                    let alert = Some(LinkingProblem::Provider { provider: text, problem });
                    let html = check(&ProvidersPage { confirm: Some("/auth/login"), alert, ..page.clone() });
                    assert!(!html.contains("<form"), "SE-7");
                }
                check(&ProvidersPage { linked: &[], offered: &[], alert: None, ..page });
            }
        });
    }
}
