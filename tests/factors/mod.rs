//! Second factors: authenticator codes, recovery codes, and what a sign-in that waits for one can reach.

mod authenticator;
mod passkeys;
mod pending;
mod policies;
mod recovery;
mod totp;

use std::time::Duration;

use countersign::audit::Origin;
use countersign::crypto::Secret;
use countersign::identity::factor::second::Claimant;
use countersign::identity::factor::{enrol, totp as application};
use countersign::identity::notice::Notices;
use countersign::identity::session::{self, Arrival};
use countersign::model::Language;

use crate::support::{Browser, Page, TestApp};

/// An authenticator application, and the recovery codes that came with it.
pub struct Authenticator {
    secret: Vec<u8>,
    pub recovery_codes: Vec<String>,
}

impl Authenticator {
    /// The code that it shows now.
    pub fn code(&self, app: &TestApp) -> String {
        self.code_at(app.clock.now().seconds())
    }

    pub fn code_at(&self, seconds: i64) -> String {
        let totp = totp_rs::Builder::new().with_secret(self.secret.clone()).build_noncompliant();
        totp.generate(u64::try_from(seconds).expect("after 1970")).to_string()
    }
}

/// Gives the user an authenticator application, and moves on to a fresh code.
pub async fn enrolled(app: &TestApp, name: &str) -> Authenticator {
    let browser = app.signed_in(name).await;
    let cookie = browser.cookies.get("cs-sessions").expect("signed in").clone();
    let present = vec![Secret::from_text(cookie)];
    let account = session::resume(&app.app, &present).await.expect("the database answers").remove(0);
    let claimant = Claimant::SignedIn(Box::new(account));
    assert!(application::propose(&app.app, &claimant).await.expect("the database answers"));
    let proposed = application::proposed(&app.app, &claimant).await.expect("the database answers");
    let key = proposed.expect("it was proposed just now").key;
    let secret = totp_rs::Secret::try_from_base32(key.expose()).expect("base 32");
    let mut authenticator = Authenticator { secret: secret.as_bytes().to_vec(), recovery_codes: Vec::new() };
    let code = Secret::from_text(authenticator.code(app));
    let arrival =
        Arrival { present, device: None, notices: Notices::of(&app.app, Language::default()), api: None };
    let secured = enrol::confirm_totp(&app.app, &claimant, code, arrival, &Origin::command_line())
        .await
        .expect("right");
    authenticator.recovery_codes =
        secured.recovery_codes.iter().map(|code| code.expose().to_owned()).collect();
    app.advance(Duration::from_secs(60));
    authenticator
}

/// Types this code into the page that asks for one.
pub async fn answer(browser: &mut Browser, page: &Page, code: &str) -> Page {
    browser.submit(page, "factor-form", &[("code", code)], None).await
}

/// Where the link with this id leads, as a path of ours.
pub fn href(app: &TestApp, page: &Page, id: &str) -> String {
    let tag = format!("id=\"{id}\" href=\"");
    let found = page.html.split_once(&tag).and_then(|(_, rest)| rest.split_once('"'));
    let (link, _) = found.unwrap_or_else(|| panic!("no link {id} at {}: {}", page.url, page.text()));
    link.replace("&#38;", "&").replacen(&app.issuer, "", 1)
}

/// The text of the element with this id.
pub fn text_of<'a>(page: &'a Page, id: &str) -> &'a str {
    let found = page.html.split_once(&format!("id=\"{id}\">")).and_then(|(_, rest)| rest.split_once('<'));
    found.unwrap_or_else(|| panic!("no element {id} at {}: {}", page.url, page.text())).0
}
