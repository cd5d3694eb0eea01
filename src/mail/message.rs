//! What mails say: subject, plain text and HTML of each, in every language.
//!
//! Whom a mail goes to and when is decided by whoever puts it into the outbox.

use std::time::Duration;

use askama::Template;

use crate::model::Language;

pub use super::notice::{AccountNotice, FactorKind, Happened};

/// A mail, ready for the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Asks somebody who registered to confirm the address.
#[derive(Clone, Copy, Debug)]
pub struct VerifyRegistration<'a> {
    pub language: Language,
    pub product: &'a str,
    /// The page behind the link asks before it acts (PW-7).
    pub link: &'a str,
    pub lasts: Duration,
}

/// Tells the owner of an address that somebody tried to register with it (PW-6).
#[derive(Clone, Copy, Debug)]
pub struct AlreadyRegistered<'a> {
    pub language: Language,
    pub product: &'a str,
    /// May be empty.
    pub name: &'a str,
    /// The sign-in page.
    pub link: &'a str,
}

/// Invites somebody for whom an account was prepared.
#[derive(Clone, Copy, Debug)]
pub struct Invitation<'a> {
    pub language: Language,
    pub product: &'a str,
    /// May be empty.
    pub name: &'a str,
    pub link: &'a str,
    pub lasts: Duration,
}

/// Invites somebody to an organisation, whether or not there is an account.
#[derive(Clone, Copy, Debug)]
pub struct OrganisationInvitation<'a> {
    pub language: Language,
    pub product: &'a str,
    pub organisation: &'a str,
    pub link: &'a str,
    pub lasts: Duration,
}

/// Signs somebody in: a link, and digits for the browser that asked.
#[derive(Clone, Copy)]
pub struct SignInLink<'a> {
    pub language: Language,
    pub product: &'a str,
    /// May be empty.
    pub name: &'a str,
    /// The page behind the link asks before it acts (PW-7).
    pub link: &'a str,
    /// For the browser that asked, if one did.
    pub code: Option<&'a str>,
    pub lasts: Duration,
}

/// Lets somebody choose a new password.
#[derive(Clone, Copy, Debug)]
pub struct ResetPassword<'a> {
    pub language: Language,
    pub product: &'a str,
    /// May be empty.
    pub name: &'a str,
    /// The page behind the link asks before it acts (PW-7).
    pub link: &'a str,
    pub lasts: Duration,
}

/// Lets somebody choose a password because whoever looks after the instance wants it: maybe the first, of a new account.
#[derive(Clone, Copy, Debug)]
pub struct ChoosePassword<'a> {
    pub language: Language,
    pub product: &'a str,
    /// May be empty.
    pub name: &'a str,
    /// The page behind the link asks before it acts (PW-7).
    pub link: &'a str,
    pub lasts: Duration,
}

/// Asks somebody with an account to confirm a new address, or one that is not verified.
#[derive(Clone, Copy, Debug)]
pub struct VerifyEmail<'a> {
    pub language: Language,
    pub product: &'a str,
    /// The page behind the link asks before it acts (PW-7).
    pub link: &'a str,
    pub lasts: Duration,
}

/// Tells somebody who asked to be signed in that there is no account with this address (PW-6).
#[derive(Clone, Copy, Debug)]
pub struct NoAccount<'a> {
    pub language: Language,
    pub product: &'a str,
    /// The registration page.
    pub link: &'a str,
}

/// Says only that mail works here.
#[derive(Clone, Copy, Debug)]
pub struct Test<'a> {
    pub language: Language,
    pub product: &'a str,
    /// The front page.
    pub link: &'a str,
}

/// Gives a mail its three templates, which see the same fields. `name = ""` is for a mail to an address that nobody
/// has proven: it greets no one, because a name would be text of a stranger's choice.
macro_rules! templates {
    (
        $mail:ident { $($field:ident: $type:ty),* $(; $fixed:ident = $value:literal)? }
        $subject:literal $text:literal $html:literal
    ) => {
        impl $mail<'_> {
            /// The mail in its language.
            pub fn message(&self) -> Message {
                #[derive(Template)]
                #[template(path = $subject)]
                struct Subject<'a> { language: Language, product: &'a str }
                #[derive(Template)]
                #[template(path = $text, whitespace = "preserve")]
                struct Text<'a> { $($field: $type,)* $($fixed: &'static str)? }
                #[derive(Template)]
                #[template(path = $html)]
                struct Html<'a> { $($field: $type,)* $($fixed: &'static str)? }

                Message {
                    subject: one_line(&render(&Subject { language: self.language, product: self.product })),
                    text: render(&Text { $($field: self.$field,)* $($fixed: $value)? }),
                    html: render(&Html { $($field: self.$field,)* $($fixed: $value)? }),
                }
            }
        }
    };
}

templates! {
    VerifyRegistration { language: Language, product: &'a str, link: &'a str, lasts: Duration; name = "" }
    "mail/verify_registration/subject.txt" "mail/verify_registration/body.txt" "mail/verify_registration/body.html"
}
templates! {
    AlreadyRegistered { language: Language, product: &'a str, name: &'a str, link: &'a str }
    "mail/already_registered/subject.txt" "mail/already_registered/body.txt" "mail/already_registered/body.html"
}
templates! {
    Invitation { language: Language, product: &'a str, name: &'a str, link: &'a str, lasts: Duration }
    "mail/invitation/subject.txt" "mail/invitation/body.txt" "mail/invitation/body.html"
}
templates! {
    OrganisationInvitation {
        language: Language, product: &'a str, organisation: &'a str, link: &'a str, lasts: Duration; name = ""
    }
    "mail/organisation_invitation/subject.txt" "mail/organisation_invitation/body.txt"
    "mail/organisation_invitation/body.html"
}

templates! {
    SignInLink {
        language: Language, product: &'a str, name: &'a str, link: &'a str, code: Option<&'a str>, lasts: Duration
    }
    "mail/sign_in_link/subject.txt" "mail/sign_in_link/body.txt" "mail/sign_in_link/body.html"
}
templates! {
    ResetPassword { language: Language, product: &'a str, name: &'a str, link: &'a str, lasts: Duration }
    "mail/reset_password/subject.txt" "mail/reset_password/body.txt" "mail/reset_password/body.html"
}
templates! {
    ChoosePassword { language: Language, product: &'a str, name: &'a str, link: &'a str, lasts: Duration }
    "mail/choose_password/subject.txt" "mail/choose_password/body.txt" "mail/choose_password/body.html"
}
templates! {
    VerifyEmail { language: Language, product: &'a str, link: &'a str, lasts: Duration; name = "" }
    "mail/verify_email/subject.txt" "mail/verify_email/body.txt" "mail/verify_email/body.html"
}
templates! {
    NoAccount { language: Language, product: &'a str, link: &'a str; name = "" }
    "mail/no_account/subject.txt" "mail/no_account/body.txt" "mail/no_account/body.html"
}

templates! {
    Test { language: Language, product: &'a str, link: &'a str; name = "" }
    "mail/test/subject.txt" "mail/test/body.txt" "mail/test/body.html"
}

pub(super) fn render(template: &impl Template) -> String {
    template.render().expect("writing into a String does not fail")
}

/// A header holds one line (CH-5).
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://id.example.org/register/abc?x=1&y=2";

    fn all(language: Language, product: &str, name: &str) -> Vec<Message> {
        let lasts = Duration::from_secs(86_400);
        vec![
            VerifyRegistration { language, product, link: LINK, lasts }.message(),
            AlreadyRegistered { language, product, name, link: LINK }.message(),
            Invitation { language, product, name, link: LINK, lasts }.message(),
            OrganisationInvitation { language, product, organisation: name, link: LINK, lasts }.message(),
            SignInLink { language, product, name, link: LINK, code: Some("012345"), lasts }.message(),
            SignInLink { language, product, name, link: LINK, code: None, lasts }.message(),
            NoAccount { language, product, link: LINK }.message(),
            Test { language, product, link: LINK }.message(),
            ResetPassword { language, product, name, link: LINK, lasts }.message(),
            ChoosePassword { language, product, name, link: LINK, lasts }.message(),
            VerifyEmail { language, product, link: LINK, lasts }.message(),
            notice(language, product, name, Happened::NewDevice),
            notice(language, product, name, Happened::PasswordChanged),
            notice(language, product, name, Happened::EmailChanged),
            notice(language, product, name, Happened::AddressAdded { address: name }),
            notice(language, product, name, Happened::AddressRemoved { address: name }),
            notice(language, product, name, Happened::PrimaryAddressChanged { address: name }),
            notice(language, product, name, Happened::SignedOutEverywhere),
            notice(language, product, name, Happened::AccountDeleted),
            notice(language, product, name, Happened::RefreshReused { client: name }),
            notice(language, product, name, Happened::IdentityLinked { provider: name }),
            notice(language, product, name, Happened::IdentityUnlinked { provider: name }),
            notice(language, product, name, Happened::FactorAdded { kind: FactorKind::Totp }),
            notice(language, product, name, Happened::FactorRemoved { kind: FactorKind::Passkey }),
            notice(language, product, name, Happened::FactorsReset),
            notice(language, product, name, Happened::RecoveryCodeUsed { left: 3 }),
            notice(language, product, name, Happened::RecoveryCodesMade),
            notice(language, product, name, Happened::ApiKeyMade { key: name, organisation: name }),
            notice(language, product, name, Happened::ApiKeyRevoked { key: name, organisation: name }),
            notice(language, product, name, Happened::DomainLapsed { domain: name, organisation: name }),
            notice(
                language,
                product,
                name,
                Happened::DomainMissing { domain: name, organisation: name, until: name },
            ),
        ]
    }

    fn notice(language: Language, product: &str, name: &str, what: Happened<'_>) -> Message {
        let notice = AccountNotice {
            language,
            product,
            name,
            what,
            when: name,
            browser: name,
            place: name,
            link: LINK,
        };
        notice.message()
    }

    #[test]
    fn ch_5_awkward_names_neither_break_headers_nor_html() {
        let long = "x".repeat(200);
        for name in ["<script>alert(1)</script>", "Ada\r\nBcc: eve@example.org", "\u{202e}مرحبا", &long, ""]
        {
            for &language in Language::ALL {
                for message in all(language, name, name) {
                    assert!(!message.subject.contains(['\r', '\n']) && !message.subject.is_empty());
                    assert!(!message.html.contains("<script>"), "{}", message.html);
                    assert!(message.text.lines().any(|line| line == LINK), "{}", message.text);
                    assert_eq!(message.html.matches("x=1&#38;y=2").count(), 3, "{}", message.html);
                }
            }
        }
    }

    #[test]
    fn mails_speak_both_languages() {
        let [verify, registered, ..] = &all(Language::English, "Countersign", "Ada")[..] else {
            panic!("two at least")
        };
        assert!(registered.text.starts_with("Hello Ada,\n\n"), "{}", registered.text);
        assert_eq!(verify.subject, "Confirm your e-mail address for Countersign");
        assert!(verify.text.starts_with("Hello,\n\nThank you"), "{}", verify.text);
        assert!(verify.text.contains("\n\nThe link expires in 1 day"), "{}", verify.text);
        let [verify, _, invitation, ..] = &all(Language::German, "Countersign", "")[..] else {
            panic!("three at least")
        };
        assert!(verify.text.starts_with("Guten Tag,\n\nvielen Dank"), "{}", verify.text);
        assert_eq!(invitation.subject, "Einladung zu Countersign");
        assert!(invitation.html.contains(r#"lang="de""#));
    }
}
