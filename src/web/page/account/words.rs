//! Words that several pages of the account use.

use crate::model::AuthMethod;
use crate::web::ui::Ui;

/// How somebody signed in: `Password, Authenticator app`.
pub fn methods(ui: &Ui<'_>, methods: &[AuthMethod]) -> String {
    let words: Vec<&str> = methods.iter().filter_map(|method| word(ui, *method)).collect();
    words.join(", ")
}

fn word(ui: &Ui<'_>, method: AuthMethod) -> Option<&'static str> {
    Some(ui.t(match method {
        AuthMethod::Password => "login.password",
        AuthMethod::OneTimePassword => "method.code",
        AuthMethod::HardwareKey => "passkey.title",
        AuthMethod::Mail => "method.mail",
        AuthMethod::Federated => "method.provider",
        // Follows from the others.
        AuthMethod::MultiFactor => return None,
    }))
}
