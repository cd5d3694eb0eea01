//! How strongly a user proved to be themself: `amr` (RFC 8176) and `acr` from the methods that were used.

use std::fmt;

use crate::model::AuthMethod;

/// An authentication context class, the weaker first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acr {
    OneFactor,
    TwoFactors,
}

impl Acr {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneFactor => "urn:countersign:acr:1fa",
            Self::TwoFactors => "urn:countersign:acr:2fa",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::OneFactor, Self::TwoFactors].into_iter().find(|acr| acr.as_str() == text)
    }
}

impl fmt::Display for Acr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What these methods amount to.
pub fn acr_for(methods: &[AuthMethod]) -> Acr {
    if is_multi_factor(methods) { Acr::TwoFactors } else { Acr::OneFactor }
}

/// Whether the achieved class is one of the demanded values, or stronger than one.
pub fn satisfies<'a>(achieved: Acr, demanded: impl IntoIterator<Item = &'a str>) -> bool {
    demanded.into_iter().filter_map(Acr::parse).any(|wanted| achieved >= wanted)
}

/// The `acr` of the ID token: the first of the asked values that the login satisfied, else what was achieved
/// (OpenID Connect Core §3.1.2.1).
pub fn acr_answer<'a>(achieved: Acr, asked: impl IntoIterator<Item = &'a str>) -> Acr {
    asked.into_iter().filter_map(Acr::parse).find(|wanted| achieved >= *wanted).unwrap_or(achieved)
}

/// The `amr` array: the methods once each, and `mfa` when factors of different kinds came together.
pub fn amr(methods: &[AuthMethod]) -> Vec<AuthMethod> {
    let mut amr = Vec::new();
    for method in methods {
        if *method != AuthMethod::MultiFactor && !amr.contains(method) {
            amr.push(*method);
        }
    }
    if is_multi_factor(&amr) {
        amr.push(AuthMethod::MultiFactor);
    }
    amr
}

/// A passkey proves possession of a device and, by the user verification demanded at each use, knowledge or a
/// feature of the person.
fn is_multi_factor(methods: &[AuthMethod]) -> bool {
    methods.contains(&AuthMethod::HardwareKey)
        || methods.contains(&AuthMethod::OneTimePassword) && methods.iter().copied().any(is_first_factor)
}

/// A mailed link can replace the password and an upstream provider vouches instead of it, so two of these
/// together prove no more than one.
fn is_first_factor(method: AuthMethod) -> bool {
    matches!(method, AuthMethod::Password | AuthMethod::Mail | AuthMethod::Federated)
}

#[cfg(test)]
mod tests {
    use super::*;

    use AuthMethod::{Federated, HardwareKey, Mail, MultiFactor, OneTimePassword, Password};

    #[test]
    fn two_kinds_of_factor_make_mfa() {
        let cases: [(&[AuthMethod], &[AuthMethod], Acr); 8] = [
            (&[], &[], Acr::OneFactor),
            (&[Password], &[Password], Acr::OneFactor),
            (&[Password, Password], &[Password], Acr::OneFactor),
            (&[Password, Mail], &[Password, Mail], Acr::OneFactor),
            (&[OneTimePassword], &[OneTimePassword], Acr::OneFactor),
            (&[HardwareKey], &[HardwareKey, MultiFactor], Acr::TwoFactors),
            (&[Password, OneTimePassword], &[Password, OneTimePassword, MultiFactor], Acr::TwoFactors),
            (&[Federated, HardwareKey], &[Federated, HardwareKey, MultiFactor], Acr::TwoFactors),
        ];
        for (methods, expected, acr) in cases {
            assert_eq!(amr(methods), expected);
            assert_eq!(amr(&amr(methods)), expected, "stored and derived again");
            assert_eq!(acr_for(methods), acr, "{methods:?}");
        }
    }

    #[test]
    fn az_11_a_stronger_login_satisfies_a_weaker_demand() {
        let (one, two) = (Acr::OneFactor.as_str(), Acr::TwoFactors.as_str());
        assert!(satisfies(Acr::TwoFactors, [one]));
        assert!(satisfies(Acr::OneFactor, ["unknown", one]));
        assert!(!satisfies(Acr::OneFactor, [two]));
        assert!(!satisfies(Acr::TwoFactors, ["unknown"]));
        assert_eq!(acr_answer(Acr::TwoFactors, [one, two]), Acr::OneFactor);
        assert_eq!(acr_answer(Acr::OneFactor, [two]), Acr::OneFactor);
        assert_eq!(acr_answer(Acr::TwoFactors, []), Acr::TwoFactors);
    }
}
