//! The pages, one file each: a struct whose fields are exactly what its template shows.
//!
//! Pages decide nothing. Handlers fill them, send them with the headers of CH-2 and CH-3, and ask [`Page`] which
//! outside pictures the content security policy must allow.

mod account;
pub mod admin;
mod chooser;
mod consent;
mod dev;
mod enrol;
mod error;
mod factor;
mod fields;
mod form_post;
mod invitation;
mod landing;
mod login;
mod logout;
mod magic;
mod organisation;
mod parts;
pub mod picture;
mod recover;
mod register;
mod welcome;

pub use account::{
    AccountAddress, AccountApplication, AccountDeed, AccountDeletedPage, AccountIdentity, AccountKey,
    AccountSession, AddressProblem, AddressesPage, Advice, ApiKeysPage, ApplicationsPage, ChangeEmailPage,
    ChangePasswordPage, DataPage, DeletePage, KeyForm, KeyPlace, KeyProblem, LinkingProblem, NewKeyText,
    OverviewPage, ProfileErrors, ProfileFields, ProfilePage, ProvidersPage, Section, SecurityPage,
    SecurityPasskey, SecurityProblem, SessionsPage, Stays, methods_in_words,
};
pub use chooser::{ChooserAccount, ChooserPage};
pub use consent::{ConsentPage, Lifetime, Permission};
pub use dev::{
    DevAppPage, DevAppState, DevMail, DevMailMessagePage, DevMailPage, DevTokens, DevVerification,
};
pub use enrol::{EnrolPage, QrPicture, RecoveryCodesPage, TotpPage};
pub use error::{ErrorPage, Problem};
pub use factor::{FactorAsked, FactorPage, FactorProblem};
pub use fields::{FieldError, FieldErrors, FormProblem};
pub use form_post::FormPostPage;
pub use invitation::{InvitationPage, InvitedAccount};
pub use landing::LandingPage;
pub use login::{LoginPage, LoginProblem, LoginReason, ProviderButton, ProviderProblem};
pub use logout::{BackLink, LoggedOutPage, LogoutPage};
pub use magic::{CodeProblem, MagicConfirmPage, MagicSentPage};
pub use organisation::OrganisationPage;
pub use parts::{ClientCard, OrganisationCard, Person};
pub use recover::{
    EmailConfirmPage, EmailDonePage, LinkSentPage, RecoverPage, ResetDonePage, ResetPage, SentKind,
};
pub use register::{RegisterConfirmPage, RegisterPage, RegisterSentPage};
pub use welcome::{InvitePage, LinkExpiredPage, LinkKind, SetupPage};

/// What a handler needs to know of a page besides its HTML.
pub trait Page: askama::Template {
    /// Origins outside ours that the page shows pictures from, for `img-src`.
    fn image_origins(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether the page's script asks us for something, for `connect-src`.
    fn connects(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod testing;
