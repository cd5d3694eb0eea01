//! The account area: several small pages with one navigation.

/// Says where in the navigation a page stands.
macro_rules! stands_in {
    ($section:ident: $($page:ident),+) => {$(
        impl crate::web::page::Page for $page<'_> {}

        impl $page<'_> {
            fn here(&self) -> super::Section {
                super::Section::$section
            }
        }
    )+};
}

mod addresses;
mod api_keys;
mod applications;
mod data;
mod overview;
mod password;
mod profile;
mod providers;
mod security;
mod sessions;
mod words;

pub use addresses::{AccountAddress, AddressProblem, AddressesPage, ChangeEmailPage};
pub use api_keys::{AccountKey, ApiKeysPage, KeyForm, KeyPlace, KeyProblem, NewKeyText};
pub use applications::{AccountApplication, ApplicationsPage};
pub use data::{AccountDeletedPage, DataPage, DeletePage, Stays};
pub use overview::{AccountDeed, Advice, OverviewPage};
pub use password::ChangePasswordPage;
pub use profile::{ProfileErrors, ProfileFields, ProfilePage};
pub use providers::{AccountIdentity, LinkingProblem, ProvidersPage};
pub use security::{SecurityPage, SecurityPasskey, SecurityProblem};
pub use sessions::{AccountSession, SessionsPage};
pub use words::methods as methods_in_words;

use crate::web::ui::Ui;

/// What the navigation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Overview,
    Profile,
    Addresses,
    Password,
    Security,
    Providers,
    Sessions,
    Applications,
    ApiKeys,
    Data,
}

impl Section {
    /// In the order of the navigation.
    pub const ALL: &'static [Self] = &[
        Self::Overview,
        Self::Profile,
        Self::Addresses,
        Self::Password,
        Self::Security,
        Self::Providers,
        Self::Sessions,
        Self::Applications,
        Self::ApiKeys,
        Self::Data,
    ];

    pub const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/account",
            Self::Profile => "/account/profile",
            Self::Addresses => "/account/addresses",
            Self::Password => "/account/password",
            Self::Security => "/account/security",
            Self::Providers => "/account/providers",
            Self::Sessions => "/account/sessions",
            Self::Applications => "/account/applications",
            Self::ApiKeys => "/account/api-keys",
            Self::Data => "/account/data",
        }
    }

    fn label(self, ui: &Ui<'_>) -> &'static str {
        ui.t(match self {
            Self::Overview => "account.overview",
            Self::Profile => "profile.title",
            Self::Addresses => "account.emails",
            Self::Password => "account.password",
            Self::Security => "security.title",
            Self::Providers => "providers.title",
            Self::Sessions => "account.sessions",
            Self::Applications => "account.applications",
            Self::ApiKeys => "api_keys.title",
            Self::Data => "data.title",
        })
    }

    fn is_front(self) -> bool {
        self == Self::Overview
    }
}
