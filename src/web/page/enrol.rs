//! Getting a second factor: the choice, an authenticator application, and the recovery codes that come with it.

use askama::Template;
use qrcodegen::{QrCode, QrCodeEcc};

use crate::web::ui::Ui;

use super::{FactorProblem, Page};

/// Which kind of factor.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/enrol.html")]
pub struct EnrolPage<'a> {
    pub ui: &'a Ui<'a>,
    pub account: &'a str,
    /// Hidden fields that say who it is for and where to go on.
    pub context: &'a [(&'static str, String)],
    /// Whether nothing else is to be had before.
    pub is_required: bool,
    pub can_passkey: bool,
    pub can_totp: bool,
    pub passkey_refused: bool,
}

/// The secret of an authenticator application, to be confirmed by a code.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/totp.html")]
pub struct TotpPage<'a> {
    pub ui: &'a Ui<'a>,
    pub context: &'a [(&'static str, String)],
    pub qr: QrPicture,
    /// For typing.
    pub key: &'a str,
    pub problem: Option<FactorProblem>,
}

/// Recovery codes, this once.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/recovery_codes.html")]
pub struct RecoveryCodesPage<'a> {
    pub ui: &'a Ui<'a>,
    pub codes: &'a [&'a str],
    /// Where to go on.
    pub next: &'a str,
}

/// A QR code as one path, a square for each dark module, with the quiet zone that readers need around it.
#[derive(Clone, Debug, PartialEq)]
pub struct QrPicture {
    pub size: i32,
    pub path: String,
}

impl QrPicture {
    /// `None` if the text is too long for any QR code.
    pub fn of(text: &str) -> Option<Self> {
        const QUIET: i32 = 4;
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
        let mut path = String::new();
        for y in 0..code.size() {
            for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
                path.push_str(&format!("M{} {}h1v1h-1z", x + QUIET, y + QUIET));
            }
        }
        Some(Self { size: code.size() + 2 * QUIET, path })
    }
}

impl TotpPage<'_> {
    fn is_wrong(&self) -> bool {
        self.problem == Some(FactorProblem::Wrong)
    }
}

impl Page for EnrolPage<'_> {
    fn connects(&self) -> bool {
        self.can_passkey
    }
}
impl Page for TotpPage<'_> {}
impl Page for RecoveryCodesPage<'_> {}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                let context = [("request", text.to_owned()), ("session", text.to_owned())];
                for full in [true, false] {
                    let html = check(&EnrolPage {
                        ui,
                        account: text,
                        context: &context,
                        is_required: full,
                        can_passkey: full,
                        can_totp: true,
                        passkey_refused: full,
                    });
                    assert_eq!(html.contains("passkey-form"), full);
                }
                for problem in [None, Some(FactorProblem::Wrong)] {
                    let qr = QrPicture::of("otpauth://totp/x").unwrap();
                    let html = check(&TotpPage { ui, context: &context, qr, key: text, problem });
                    assert!(html.contains(r#"id="totp-form""#));
                }
                check(&RecoveryCodesPage { ui, codes: &[text, text], next: "/auth/account" });
            }
        });
    }

    #[test]
    fn a_qr_code_has_its_finder_and_its_quiet_zone() {
        let qr = QrPicture::of("otpauth://totp/Countersign:ada?secret=JBSWY3DPEHPK3PXP").unwrap();
        assert!(qr.path.starts_with("M4 4h1v1h-1z"), "the corner of the first finder is dark");
        assert!(!qr.path.contains("M3 ") && qr.size >= 29 + 8, "{}", qr.size);
        assert_eq!(QrPicture::of(&"x".repeat(4000)), None);
    }
}
