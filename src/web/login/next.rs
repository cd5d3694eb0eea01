//! Where somebody who had to sign in first was going, within our own pages (CH-6).

use std::fmt;

use crate::model::InvitationId;

/// A path of the account area or the console, or an invitation by its id. Nothing else is a place to be sent on to, so no text that a
/// stranger puts into a link becomes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next(String);

impl Next {
    /// `/account` or `/admin`, or words below them; `/invitation/inv_…`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(id) = text.strip_prefix("/invitation/") {
            return id.parse::<InvitationId>().ok().map(|_| Self(text.to_owned()));
        }
        let rest = text.strip_prefix("/account").or_else(|| text.strip_prefix("/admin"))?;
        let is_in_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(is_in_word);
        let is_path =
            rest.is_empty() || rest.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_word));
        (is_path && text.len() <= 128).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ch_6_only_the_account_area_and_the_console_are_places_to_go_on_to() {
        for good in [
            "/account",
            "/account/password",
            "/account/email",
            "/account/two-step/codes",
            "/admin",
            "/admin/users/usr_00000000000070008000000000000000/disable",
            "/invitation/inv_00000000000070008000000000000000",
        ] {
            assert_eq!(Next::parse(good).map(|next| next.to_string()).as_deref(), Some(good));
        }
        let long = format!("/account/{}", "a".repeat(200));
        for bad in [
            "",
            "/",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/login",
            "/accounts",
            "/administrator",
            "/admin/..",
            "/admin/%2e%2e/x",
            "account",
            "/account/",
            "/account//evil.example",
            "/account/../login",
            "/account?x=1",
            "/account#x",
            "/account/%2e",
            "/account\r\nLocation: x",
            "/account/A",
            "/invitation/",
            "/invitation/inv_1",
            "/invitation/inv_00000000000070008000000000000000/x",
            &long,
        ] {
            assert_eq!(Next::parse(bad), None, "{bad}");
        }
    }
}
