//! What a form says when it comes back: beside a field, and above all of them.

use std::time::Duration;

use crate::web::ui::Ui;

/// What is wrong with the fields of a form that makes an account.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FieldErrors {
    pub name: Option<FieldError>,
    pub email: Option<FieldError>,
    pub password: Option<FieldError>,
}

/// What is wrong with one field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldError {
    NameMissing,
    NameTooLong,
    /// Another text than the name.
    TooLong,
    /// It is none of those to choose from.
    NotOffered,
    EmailInvalid,
    /// Only whoever sets the instance up is told (PW-6).
    EmailTaken,
    /// One of the user's own.
    EmailYours,
    /// PW-2.
    PasswordTooShort {
        min: usize,
    },
    PasswordTooLong,
    /// Not the one that the account has.
    PasswordWrong,
    /// It is among the common ones, or made of the person's or the product's words (PW-3).
    PasswordEasyToGuess,
}

/// Why a form could not be taken as a whole, although its fields may be right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FormProblem {
    /// RL-1.
    Throttled { wait: Duration },
    /// The queue for hashing passwords is full (PW-4).
    Busy,
    /// The form was too old, or did not come from this browser (CH-1).
    FormExpired,
    /// The passkey was not taken.
    Passkey,
}

impl FieldErrors {
    /// Every error with the name of its field, in the order of the fields.
    pub fn all(&self) -> Vec<(&'static str, FieldError)> {
        [("name", self.name), ("email", self.email), ("password", self.password)]
            .into_iter()
            .filter_map(|(field, error)| Some((field, error?)))
            .collect()
    }
}

impl FieldError {
    pub fn text(self, ui: &Ui<'_>) -> String {
        let key = match self {
            Self::NameMissing => "field.name_missing",
            Self::NameTooLong => "field.name_too_long",
            Self::TooLong => "field.too_long",
            Self::NotOffered => "field.not_offered",
            Self::EmailInvalid => "field.email_invalid",
            Self::EmailTaken => "field.email_taken",
            Self::EmailYours => "field.email_yours",
            Self::PasswordTooShort { min } => {
                return ui.with("field.password_too_short", &[("min", &min.to_string())]);
            }
            Self::PasswordWrong => "password.wrong",
            Self::PasswordTooLong => "field.password_too_long",
            Self::PasswordEasyToGuess => "field.password_easy",
        };
        ui.t(key).to_owned()
    }
}

impl FormProblem {
    pub fn text(self, ui: &Ui<'_>) -> String {
        match self {
            Self::Throttled { wait } => ui.with("login.throttled", &[("span", &ui.span(wait))]),
            Self::Busy => ui.t("field.busy").to_owned(),
            Self::FormExpired => ui.t("error.form_expired_user").to_owned(),
            Self::Passkey => ui.t("passkey.problem").to_owned(),
        }
    }
}

/// What a new password must be, in words.
pub(super) fn password_hint(ui: &Ui<'_>, min_length: usize) -> String {
    ui.with("field.password_hint", &[("min", &min_length.to_string())])
}

#[cfg(test)]
impl FieldErrors {
    /// Every field wrong, each kind of error once.
    pub(super) fn samples() -> [Self; 3] {
        [
            Self::default(),
            Self {
                name: Some(FieldError::NameMissing),
                email: Some(FieldError::EmailInvalid),
                password: Some(FieldError::PasswordTooShort { min: 12 }),
            },
            Self {
                name: Some(FieldError::NameTooLong),
                email: Some(FieldError::EmailTaken),
                password: Some(FieldError::PasswordEasyToGuess),
            },
        ]
    }
}

#[cfg(test)]
impl FormProblem {
    pub(super) const SAMPLES: [Option<Self>; 5] = [
        None,
        Some(Self::Throttled { wait: Duration::from_secs(90) }),
        Some(Self::Busy),
        Some(Self::FormExpired),
        Some(Self::Passkey),
    ];
}
