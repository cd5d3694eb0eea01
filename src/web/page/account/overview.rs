//! `/account`: who I am here, what is worth doing, what happened lately.

use askama::Template;

use crate::clock::Timestamp;
use crate::model::{AuditAction, AuthMethod};
use crate::web::page::Person;
use crate::web::ui::Ui;

use super::{Section, words};

/// The front page of the account.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account/overview.html")]
pub struct OverviewPage<'a> {
    pub ui: &'a Ui<'a>,
    pub now: Timestamp,
    pub person: Person<'a>,
    pub advice: &'a [Advice],
    /// The newest first.
    pub activity: &'a [AccountDeed<'a>],
    /// Whether the console is for them.
    pub leads_on: bool,
}

/// Something that makes the account safer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Advice {
    AddAddress,
    VerifyAddress,
    AddFactor,
    MakeRecoveryCodes { left: i64 },
}

/// Something that happened to the account.
#[derive(Clone, Copy, Debug)]
pub struct AccountDeed<'a> {
    pub action: AuditAction,
    pub succeeded: bool,
    pub at: Timestamp,
    /// The address that it came from. May be empty.
    pub place: &'a str,
    /// What the application concerned is called. May be empty.
    pub client: &'a str,
    pub methods: &'a [AuthMethod],
}

impl Advice {
    fn path(self) -> &'static str {
        match self {
            Self::AddAddress | Self::VerifyAddress => Section::Addresses.path(),
            Self::AddFactor | Self::MakeRecoveryCodes { .. } => Section::Security.path(),
        }
    }

    fn title(self, ui: &Ui<'_>) -> &'static str {
        ui.t(match self {
            Self::AddAddress => "advice.address",
            Self::VerifyAddress => "advice.verify",
            Self::AddFactor => "advice.factor",
            Self::MakeRecoveryCodes { .. } => "advice.codes",
        })
    }

    fn text(self, ui: &Ui<'_>) -> String {
        ui.t(match self {
            Self::AddAddress => "advice.address_text",
            Self::VerifyAddress => "advice.verify_text",
            Self::AddFactor => "advice.factor_text",
            Self::MakeRecoveryCodes { left } => {
                return ui.with("security.codes_left", &[("count", left.to_string())]);
            }
        })
        .to_owned()
    }
}

impl AccountDeed<'_> {
    fn text(&self, ui: &Ui<'_>) -> String {
        let key = match self.action {
            AuditAction::SignIn if !self.succeeded => "activity.sign_in_failed",
            AuditAction::SignIn => {
                return ui.with("activity.sign_in", &[("how", words::methods(ui, self.methods))]);
            }
            AuditAction::ConsentGiven => {
                return ui.with("activity.consent_given", &[("client", self.client)]);
            }
            AuditAction::ConsentWithdrawn => {
                return ui.with("activity.consent_withdrawn", &[("client", self.client)]);
            }
            AuditAction::UserCreated => "activity.created",
            AuditAction::SignedOutEverywhere => "activity.signed_out",
            AuditAction::ProfileChanged => "activity.profile",
            AuditAction::PasswordChanged => "activity.password",
            AuditAction::EmailVerified => "activity.email_verified",
            AuditAction::EmailAdded => "activity.email_added",
            AuditAction::EmailRemoved => "activity.email_removed",
            AuditAction::EmailChanged | AuditAction::PrimaryEmailChanged => "activity.email_changed",
            AuditAction::FactorAdded => "activity.factor_added",
            AuditAction::FactorRemoved => "activity.factor_removed",
            AuditAction::FactorsReset => "activity.factors_reset",
            AuditAction::FactorRefused => "activity.factor_refused",
            AuditAction::RecoveryCodesMade => "activity.codes_made",
            AuditAction::IdentityLinked => "activity.linked",
            AuditAction::IdentityUnlinked => "activity.unlinked",
            AuditAction::DataExported => "activity.exported",
            other => return other.as_str().to_owned(),
        };
        ui.t(key).to_owned()
    }
}

stands_in!(Overview: OverviewPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::testing::{AWKWARD, check, each_language};

    #[test]
    fn renders_with_awkward_values() {
        let now = Timestamp::from_seconds(1_773_324_300);
        let all_advice = [
            Advice::AddAddress,
            Advice::VerifyAddress,
            Advice::AddFactor,
            Advice::MakeRecoveryCodes { left: 0 },
        ];
        each_language(|ui| {
            for text in AWKWARD {
                let methods = [AuthMethod::Password, AuthMethod::OneTimePassword, AuthMethod::MultiFactor];
                let deed = |action, succeeded| AccountDeed {
                    action,
                    succeeded,
                    at: now,
                    place: text,
                    client: text,
                    methods: &methods,
                };
                let mut activity: Vec<AccountDeed<'_>> =
                    AuditAction::ALL.iter().map(|action| deed(*action, true)).collect();
                activity.push(deed(AuditAction::SignIn, false));
                let person = Person { name: text, email: text };
                let html = check(&OverviewPage {
                    ui,
                    now,
                    person,
                    advice: &all_advice,
                    activity: &activity,
                    leads_on: true,
                });
                assert_eq!(html.matches("aria-current=\"page\"").count(), 1);
                assert!(!html.contains(r#"class="back""#));
                let html =
                    check(&OverviewPage { ui, now, person, advice: &[], activity: &[], leads_on: false });
                assert!(html.contains(r#"id="all-well""#));
            }
        });
    }
}
