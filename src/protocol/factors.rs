//! Who must have shown two factors: the one rule for every way in.

use std::time::Duration;

use super::acr::Acr;

/// How old the proof of who is there may be when something that matters is changed, as when a factor is added (SE-7).
pub const RECENT: Duration = Duration::from_secs(5 * 60);

/// What is known of the account and of what it is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The application demands it of everybody (`require_mfa`).
    pub client_demands: bool,
    /// The account itself must have a second factor: its factors were reset (MF-4).
    pub account_demands: bool,
    /// The organisation that the user acts for demands it of its members, or of those with the user's role there.
    pub organisation_demands: bool,
    pub is_administrator: bool,
    /// Whether the instance can be reached by others than the machine it runs on (AD-2).
    pub is_public: bool,
}

/// The least that must have been shown. Every policy stands here, and nowhere else (MF-5).
pub fn required(circumstances: Circumstances) -> Acr {
    let Circumstances { client_demands, account_demands, organisation_demands, is_administrator, is_public } =
        circumstances;
    if client_demands || account_demands || organisation_demands || (is_administrator && is_public) {
        Acr::TwoFactors
    } else {
        Acr::OneFactor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mf_5_ad_2_who_must_show_two_factors() {
        let nobody = Circumstances::default();
        let admin = Circumstances { is_administrator: true, ..nobody };
        for (circumstances, expected) in [
            (nobody, Acr::OneFactor),
            (Circumstances { is_public: true, ..nobody }, Acr::OneFactor),
            (admin, Acr::OneFactor),
            (Circumstances { is_public: true, ..admin }, Acr::TwoFactors),
            (Circumstances { client_demands: true, ..nobody }, Acr::TwoFactors),
            (Circumstances { account_demands: true, ..nobody }, Acr::TwoFactors),
            (Circumstances { organisation_demands: true, ..nobody }, Acr::TwoFactors),
        ] {
            assert_eq!(required(circumstances), expected, "{circumstances:?}");
        }
    }
}
