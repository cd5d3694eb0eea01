//! `/account/data`: a copy of everything; `/account/delete`: the end of the account.

use askama::Template;

use crate::web::page::Page;
use crate::web::ui::Ui;

use super::Section;

/// Offers a copy, and the way to the end.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account/data.html")]
pub struct DataPage<'a> {
    pub ui: &'a Ui<'a>,
    /// Where to prove who is there, if that is needed first (SE-7).
    pub confirm: Option<&'a str>,
}

/// Says what is lost, and asks for a confirmation that nobody types by accident.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account/delete.html")]
pub struct DeletePage<'a> {
    pub ui: &'a Ui<'a>,
    /// What has to be typed.
    pub phrase: &'a str,
    /// Something else was typed.
    pub is_wrong: bool,
    pub stays: Option<Stays<'a>>,
}

/// Why the account cannot go: nobody else is there to administer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stays<'a> {
    ForInstance,
    ForOrganisation(&'a str),
}

impl Stays<'_> {
    fn text(self, ui: &Ui<'_>) -> String {
        match self {
            Self::ForInstance => ui.t("delete.last_administrator").to_owned(),
            Self::ForOrganisation(name) => ui.with("delete.last_of", &[("organisation", name)]),
        }
    }
}

/// The account is gone.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account_deleted.html")]
pub struct AccountDeletedPage<'a> {
    pub ui: &'a Ui<'a>,
}

stands_in!(Data: DataPage, DeletePage);

impl Page for AccountDeletedPage<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::testing::{AWKWARD, check, each_language};

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for (confirm, form) in [(None, true), (Some("/auth/login?next=/account/data"), false)] {
                assert_eq!(check(&DataPage { ui, confirm }).contains(r#"id="export-form""#), form);
            }
            for text in AWKWARD {
                for (is_wrong, stays) in [
                    (false, None),
                    (true, None),
                    (false, Some(Stays::ForInstance)),
                    (false, Some(Stays::ForOrganisation(text))),
                ] {
                    let html = check(&DeletePage { ui, phrase: text, is_wrong, stays });
                    assert_eq!(html.contains(r#"id="delete-form""#), stays.is_none());
                    assert_eq!(html.contains(r#"id="confirmation-error""#), is_wrong);
                }
            }
            check(&AccountDeletedPage { ui });
        });
    }
}
