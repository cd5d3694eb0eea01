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
    /// The account cannot go: nobody else administers this instance.
    pub is_last: bool,
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
                for (is_wrong, is_last) in [(false, false), (true, false), (false, true)] {
                    let html = check(&DeletePage { ui, phrase: text, is_wrong, is_last });
                    assert_eq!(html.contains(r#"id="delete-form""#), !is_last);
                    assert_eq!(html.contains(r#"id="confirmation-error""#), is_wrong);
                }
            }
            check(&AccountDeletedPage { ui });
        });
    }
}
