//! `/login/organization`: for which organisation.

use askama::Template;

use crate::web::ui::Ui;

use super::{ClientCard, OrganisationCard, Page, Person};

/// The organisations that the person may act for.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/organisation.html")]
pub struct OrganisationPage<'a> {
    pub ui: &'a Ui<'a>,
    pub request: &'a str,
    /// The session of the account that is shown.
    pub session: &'a str,
    pub client: ClientCard<'a>,
    pub person: Person<'a>,
    pub organisations: &'a [OrganisationCard<'a>],
}

impl Page for OrganisationPage<'_> {
    fn image_origins(&self) -> Vec<String> {
        self.client.image_origins()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                let html = check(&OrganisationPage {
                    ui,
                    request: text,
                    session: text,
                    client: ClientCard::sample(text, true),
                    person: Person { name: text, email: text },
                    organisations: &[OrganisationCard { id: text, name: text }],
                });
                assert!(
                    html.contains(r#"id="organization-form""#) && html.contains(r#"name="organization""#)
                );
            }
        });
    }
}
