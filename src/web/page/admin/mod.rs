//! The pages of the console: all of one make, put together from few kinds of blocks.
//!
//! A handler says what stands on a page ([`Sheet`]), one template says how it looks. So every list can be paged, every
//! table reads on a phone, and every field has a label, a hint and a place for what is wrong with it.

mod blocks;
mod form;
mod look;

pub use blocks::{Button, Card, Cell, Item, Link, Notice, Row, Sheet, Table, Tone};
pub use form::{Field, Form, Kind, Pick, picked};
pub use look::LookPicture;

use askama::Template;

use super::Page;
use crate::web::ui::Ui;

/// What the navigation of the console leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Overview,
    Users,
    Organisations,
    Clients,
    Resources,
    Providers,
    ApiKeys,
    Sessions,
    Keys,
    Dialects,
    Mail,
    Audit,
    Explain,
    Settings,
}

impl Place {
    /// In the order of the navigation.
    pub const ALL: &'static [Self] = &[
        Self::Overview,
        Self::Users,
        Self::Organisations,
        Self::Clients,
        Self::Resources,
        Self::Providers,
        Self::ApiKeys,
        Self::Sessions,
        Self::Keys,
        Self::Dialects,
        Self::Mail,
        Self::Audit,
        Self::Explain,
        Self::Settings,
    ];

    /// What somebody sees who only administers organisations.
    pub const OF_ORGANISATIONS: &'static [Self] = &[Self::Organisations];

    pub const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/admin",
            Self::Users => "/admin/users",
            Self::Organisations => "/admin/organizations",
            Self::Clients => "/admin/clients",
            Self::Resources => "/admin/resources",
            Self::Providers => "/admin/providers",
            Self::ApiKeys => "/admin/api-keys",
            Self::Sessions => "/admin/sessions",
            Self::Keys => "/admin/keys",
            Self::Dialects => "/admin/dialects",
            Self::Mail => "/admin/mail",
            Self::Audit => "/admin/audit",
            Self::Explain => "/admin/explain",
            Self::Settings => "/admin/settings",
        }
    }

    pub fn label(self, ui: &Ui<'_>) -> &'static str {
        ui.t(match self {
            Self::Overview => "console.place.overview",
            Self::Users => "console.place.users",
            Self::Organisations => "console.place.organisations",
            Self::Clients => "console.place.clients",
            Self::Resources => "console.place.resources",
            Self::Providers => "console.place.providers",
            Self::ApiKeys => "console.place.api_keys",
            Self::Sessions => "console.place.sessions",
            Self::Keys => "console.place.keys",
            Self::Dialects => "console.place.dialects",
            Self::Mail => "console.place.mail",
            Self::Audit => "console.place.audit",
            Self::Explain => "console.place.explain",
            Self::Settings => "console.place.settings",
        })
    }
}

/// A page of the console.
#[derive(Template)]
#[template(path = "pages/admin/page.html")]
pub struct ConsolePage<'a> {
    pub ui: &'a Ui<'a>,
    pub sheet: &'a Sheet,
    pub places: &'a [Place],
    /// What has just been done.
    pub done: Option<&'a str>,
    /// They look and change nothing: said once, on each page.
    pub looks_only: bool,
}

impl Page for ConsolePage<'_> {
    fn connects(&self) -> bool {
        self.sheet.is_watched()
    }
}
