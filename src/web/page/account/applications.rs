//! `/account/applications`: what applications were allowed.

use askama::Template;

use crate::clock::Timestamp;
use crate::web::page::Permission;
use crate::web::ui::Ui;

use super::Section;

/// The applications with access.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account/applications.html")]
pub struct ApplicationsPage<'a> {
    pub ui: &'a Ui<'a>,
    pub now: Timestamp,
    pub applications: &'a [AccountApplication<'a>],
}

/// An application that was given access.
#[derive(Clone, Debug)]
pub struct AccountApplication<'a> {
    pub client_id: &'a str,
    pub name: &'a str,
    pub permissions: Vec<Permission<'a>>,
    pub since: Timestamp,
    pub used_at: Option<Timestamp>,
    /// Whether it goes on while the person is away.
    pub offline: bool,
}

impl AccountApplication<'_> {
    fn name(&self) -> &str {
        if self.name.trim().is_empty() { self.client_id } else { self.name }
    }

    fn used(&self) -> Timestamp {
        self.used_at.unwrap_or(self.since)
    }
}

stands_in!(Applications: ApplicationsPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::testing::{AWKWARD, check, each_language};

    #[test]
    fn renders_with_awkward_values() {
        let now = Timestamp::from_seconds(1_773_324_300);
        each_language(|ui| {
            for text in AWKWARD {
                let one = AccountApplication {
                    client_id: text,
                    name: text,
                    permissions: vec![
                        Permission::Standard("profile"),
                        Permission::Claim(text),
                        Permission::Organisation(text),
                        Permission::Resource { scope: text, description: text, api: text },
                    ],
                    since: Timestamp(0),
                    used_at: Some(now),
                    offline: true,
                };
                let bare = AccountApplication {
                    permissions: Vec::new(),
                    used_at: None,
                    offline: false,
                    ..one.clone()
                };
                let html = check(&ApplicationsPage { ui, now, applications: &[one, bare] });
                assert_eq!(html.matches("/auth/account/applications/remove").count(), 2);
                assert!(check(&ApplicationsPage { ui, now, applications: &[] }).contains("no-applications"));
            }
        });
    }
}
