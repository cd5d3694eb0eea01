//! What people are told of their account (LO-4): subject, plain text and HTML, in every language.
//!
//! Whom it goes to and when is decided by whoever puts it into the outbox.

use askama::Template;

use super::message::{Message, one_line, render};
use crate::model::Language;

/// Tells somebody what happened to their account, and where it came from (LO-4).
#[derive(Clone, Copy, Debug)]
pub struct AccountNotice<'a> {
    pub language: Language,
    pub product: &'a str,
    /// May be empty.
    pub name: &'a str,
    pub what: Happened<'a>,
    pub when: &'a str,
    /// May be empty, as may the place.
    pub browser: &'a str,
    /// A network address.
    pub place: &'a str,
    /// The page to look at: [`Happened::page`].
    pub link: &'a str,
}

/// What a notice tells of.
#[derive(Clone, Copy, Debug)]
pub enum Happened<'a> {
    /// The account was signed in to in a browser that does not know it.
    NewDevice,
    /// A refresh token of this application was used twice, so its access was ended.
    RefreshReused {
        client: &'a str,
    },
    /// The account can be signed in to through this provider from now on.
    IdentityLinked {
        provider: &'a str,
    },
    /// Not any more.
    IdentityUnlinked {
        provider: &'a str,
    },
    PasswordChanged,
    /// Told at the address that was.
    EmailChanged,
    /// The account has one address more, which signs in as well.
    AddressAdded {
        address: &'a str,
    },
    AddressRemoved {
        address: &'a str,
    },
    /// From now on everything is sent to this one.
    PrimaryAddressChanged {
        address: &'a str,
    },
    /// Every other browser was signed out, and every application lost its access.
    SignedOutEverywhere,
    /// There is no account any more.
    AccountDeleted,
    /// A second factor was added.
    FactorAdded {
        kind: FactorKind,
    },
    FactorRemoved {
        kind: FactorKind,
    },
    /// An administrator took all factors away.
    FactorsReset,
    /// Somebody signed in with one of the recovery codes; so many are left.
    RecoveryCodeUsed {
        left: i64,
    },
    /// New recovery codes void the old ones.
    RecoveryCodesMade,
    /// A machine can act in the user's name from now on.
    ApiKeyMade {
        key: &'a str,
        organisation: &'a str,
    },
    ApiKeyRevoked {
        key: &'a str,
        organisation: &'a str,
    },
    /// The DNS does not say any more that the domain is the organisation's.
    DomainMissing {
        domain: &'a str,
        organisation: &'a str,
        /// When that has consequences.
        until: &'a str,
    },
    /// And now it counts as proven no more.
    DomainLapsed {
        domain: &'a str,
        organisation: &'a str,
    },
}

/// A kind of second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorKind {
    /// An authenticator application.
    Totp,
    Passkey,
}

impl FactorKind {
    /// For the audit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Passkey => "passkey",
        }
    }

    fn text(self, language: Language) -> &'static str {
        language.text(match self {
            Self::Totp => "mail.factor.totp",
            Self::Passkey => "mail.factor.passkey",
        })
    }
}

impl Happened<'_> {
    fn subject(self, language: Language, product: &str) -> String {
        let key = match self {
            Self::NewDevice => "mail.new_device.subject",
            Self::RefreshReused { .. } => "mail.refresh_reused.subject",
            Self::IdentityLinked { .. } => "mail.identity_linked.subject",
            Self::IdentityUnlinked { .. } => "mail.identity_unlinked.subject",
            Self::PasswordChanged => "mail.password_changed.subject",
            Self::EmailChanged => "mail.email_changed.subject",
            Self::AddressAdded { .. } => "mail.address_added.subject",
            Self::AddressRemoved { .. } => "mail.address_removed.subject",
            Self::PrimaryAddressChanged { .. } => "mail.primary_changed.subject",
            Self::SignedOutEverywhere => "mail.signed_out.subject",
            Self::AccountDeleted => "mail.account_deleted.subject",
            Self::FactorAdded { .. } => "mail.factor_added.subject",
            Self::FactorRemoved { .. } => "mail.factor_removed.subject",
            Self::FactorsReset => "mail.factors_reset.subject",
            Self::RecoveryCodeUsed { .. } => "mail.recovery_used.subject",
            Self::RecoveryCodesMade => "mail.recovery_made.subject",
            Self::ApiKeyMade { .. } => "mail.api_key_made.subject",
            Self::ApiKeyRevoked { .. } => "mail.api_key_revoked.subject",
            Self::DomainMissing { .. } => "mail.domain_missing.subject",
            Self::DomainLapsed { .. } => "mail.domain_lapsed.subject",
        };
        language.with(key, &[("product", product)])
    }

    fn text(self, language: Language, product: &str) -> String {
        match self {
            Self::NewDevice => language.with("mail.new_device.text", &[("product", product)]),
            Self::RefreshReused { client } => {
                language.with("mail.refresh_reused.text", &[("client", client), ("product", product)])
            }
            Self::IdentityLinked { provider } => {
                language.with("mail.identity_linked.text", &[("provider", provider), ("product", product)])
            }
            Self::IdentityUnlinked { provider } => {
                language.with("mail.identity_unlinked.text", &[("provider", provider), ("product", product)])
            }
            Self::PasswordChanged => language.with("mail.password_changed.text", &[("product", product)]),
            Self::EmailChanged => language.with("mail.email_changed.text", &[("product", product)]),
            Self::AddressAdded { address } => {
                language.with("mail.address_added.text", &[("address", address), ("product", product)])
            }
            Self::AddressRemoved { address } => {
                language.with("mail.address_removed.text", &[("address", address), ("product", product)])
            }
            Self::PrimaryAddressChanged { address } => {
                language.with("mail.primary_changed.text", &[("address", address), ("product", product)])
            }
            Self::SignedOutEverywhere => language.with("mail.signed_out.text", &[("product", product)]),
            Self::AccountDeleted => language.with("mail.account_deleted.text", &[("product", product)]),
            Self::FactorAdded { kind } => {
                let kind = kind.text(language);
                language.with("mail.factor_added.text", &[("kind", kind), ("product", product)])
            }
            Self::FactorRemoved { kind } => {
                let kind = kind.text(language);
                language.with("mail.factor_removed.text", &[("kind", kind), ("product", product)])
            }
            Self::FactorsReset => language.with("mail.factors_reset.text", &[("product", product)]),
            Self::RecoveryCodeUsed { left } => {
                let left = left.to_string();
                language.with("mail.recovery_used.text", &[("count", &*left), ("product", product)])
            }
            Self::RecoveryCodesMade => language.with("mail.recovery_made.text", &[("product", product)]),
            Self::ApiKeyMade { key, organisation } => language.with(
                "mail.api_key_made.text",
                &[("key", key), ("organisation", organisation), ("product", product)],
            ),
            Self::ApiKeyRevoked { key, organisation } => language.with(
                "mail.api_key_revoked.text",
                &[("key", key), ("organisation", organisation), ("product", product)],
            ),
            Self::DomainMissing { domain, organisation, until } => language.with(
                "mail.domain_missing.text",
                &[("domain", domain), ("organisation", organisation), ("until", until), ("product", product)],
            ),
            Self::DomainLapsed { domain, organisation } => language.with(
                "mail.domain_lapsed.text",
                &[("domain", domain), ("organisation", organisation), ("product", product)],
            ),
        }
    }

    /// The page of ours to look at.
    pub const fn page(self) -> &'static str {
        match self {
            Self::AccountDeleted => "/",
            _ => "/account",
        }
    }

    /// What stands on the button that leads there.
    fn button(self, language: Language) -> &'static str {
        language.text(match self {
            Self::AccountDeleted => "error.home",
            _ => "mail.fact.review",
        })
    }

    /// What to do if it was somebody else.
    fn advice(self, language: Language) -> &'static str {
        language.text(match self {
            Self::NewDevice => "mail.new_device.after",
            Self::RefreshReused { .. } => "mail.refresh_reused.after",
            Self::IdentityLinked { .. } => "mail.identity_linked.after",
            Self::IdentityUnlinked { .. } => "mail.identity_unlinked.after",
            Self::PasswordChanged => "mail.password_changed.after",
            Self::EmailChanged => "mail.email_changed.after",
            Self::AddressAdded { .. } | Self::AddressRemoved { .. } | Self::PrimaryAddressChanged { .. } => {
                "mail.addresses.after"
            }
            Self::SignedOutEverywhere => "mail.signed_out.after",
            Self::AccountDeleted => "mail.account_deleted.after",
            Self::FactorsReset => "mail.factors_reset.after",
            Self::FactorAdded { .. }
            | Self::FactorRemoved { .. }
            | Self::RecoveryCodeUsed { .. }
            | Self::RecoveryCodesMade => "mail.factor.after",
            Self::ApiKeyMade { .. } => "mail.api_key_made.after",
            Self::ApiKeyRevoked { .. } => "mail.api_key_revoked.after",
            Self::DomainMissing { .. } | Self::DomainLapsed { .. } => "mail.domain_missing.after",
        })
    }
}

impl AccountNotice<'_> {
    /// The mail in its language.
    pub fn message(&self) -> Message {
        #[derive(Template)]
        #[template(path = "mail/notice/body.txt", whitespace = "preserve")]
        struct Text<'a> {
            language: Language,
            product: &'a str,
            name: &'a str,
            link: &'a str,
            notice: &'a AccountNotice<'a>,
        }
        #[derive(Template)]
        #[template(path = "mail/notice/body.html")]
        struct Html<'a> {
            language: Language,
            product: &'a str,
            name: &'a str,
            link: &'a str,
            notice: &'a AccountNotice<'a>,
        }
        let &Self { language, product, name, link, .. } = self;
        Message {
            subject: one_line(&self.what.subject(language, product)),
            text: render(&Text { language, product, name, link, notice: self }),
            html: render(&Html { language, product, name, link, notice: self }),
        }
    }

    /// When and where, as far as it is known, a line each.
    fn facts(&self) -> Vec<String> {
        let fact =
            |key, name, value: &str| (!value.is_empty()).then(|| self.language.with(key, &[(name, value)]));
        [
            fact("mail.fact.when", "when", self.when),
            fact("mail.fact.browser", "browser", self.browser),
            fact("mail.fact.place", "place", self.place),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn text(&self) -> String {
        self.what.text(self.language, self.product)
    }

    fn advice(&self) -> &'static str {
        self.what.advice(self.language)
    }

    fn button(&self) -> &'static str {
        self.what.button(self.language)
    }
}
