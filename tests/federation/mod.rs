//! Signing in through identity providers: FE-1 to FE-11, LG-3, SS-1.
//!
//! Most tests go through a provider that lies when told to ([`Mock`]); [`real`] goes through a real one.

mod linking;
mod provider;
mod real;
mod token;
mod tokens_in;

use countersign::clock::Clock;
use countersign::config::{Config, Provider};
use countersign::identity::notice::Notices;
use countersign::model::{Language, UserId};
use countersign::store;
use reqwest::Method;
use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::{Browser, Database, Mock, Page, Settings, Signing, TENANT, TestApp};

/// A server with one provider.
pub struct World {
    pub app: TestApp,
    pub mock: Mock,
    kind: &'static str,
}

impl World {
    pub async fn of(database: Database, kind: &'static str) -> Self {
        Self::with(database, kind, |_| {}).await
    }

    async fn with(
        database: Database,
        kind: &'static str,
        adjust: impl FnOnce(&mut Provider) + Send + 'static,
    ) -> Self {
        Self::configured(database, kind, |config, mut provider| {
            adjust(&mut provider);
            config.providers.push(provider);
        })
        .await
    }

    async fn configured(
        database: Database,
        kind: &'static str,
        adjust: impl FnOnce(&mut Config, Provider) + Send + 'static,
    ) -> Self {
        let clock = Settings::default().clock;
        let mock = Mock::start(kind, clock.clone()).await;
        let provider = mock.settings();
        let app = start(database, clock, move |config| adjust(config, provider)).await;
        Self { app, mock, kind }
    }

    /// A whole sign-in on our own pages.
    pub async fn sign_in(&self, browser: &mut Browser) -> Page {
        let answer = self.go(browser).await;
        self.come_back(browser, &answer).await
    }

    /// To the provider; gives what it leads back with.
    async fn go(&self, browser: &mut Browser) -> Vec<(String, String)> {
        let address = leave(browser, &format!("/login/federation/{}", self.kind)).await;
        self.mock.consent(&address)
    }

    pub async fn come_back(&self, browser: &mut Browser, answer: &[(String, String)]) -> Page {
        browser.get(&self.callback(answer)).await
    }

    fn callback(&self, answer: &[(String, String)]) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(answer).finish();
        format!("/login/federation/{}/callback?{query}", self.kind)
    }

    /// Whose identity `subject` of the mock is.
    pub async fn owner(&self, subject: &str) -> Option<UserId> {
        let (kind, issuer, subject) = (self.kind, self.mock.issuer(), subject.to_owned());
        let found =
            self.app.read(move |db| store::federation::find_identity(db, kind, &issuer, &subject)).await;
        found.map(|identity| identity.user_id)
    }
}

async fn start(
    database: Database,
    clock: Clock,
    adjust: impl FnOnce(&mut Config) + Send + 'static,
) -> TestApp {
    let mut settings = Settings::with(adjust);
    settings.clock = clock;
    TestApp::start_with(database, settings).await
}

/// Where the browser is sent to.
async fn leave(browser: &mut Browser, path: &str) -> String {
    let response = browser.once(Method::GET, path, None).await;
    assert_eq!(response.status(), 303, "{path}");
    let location = response.headers().get("location").expect("an address").to_str().expect("text");
    location.to_owned()
}

async fn is_signed_in(browser: &mut Browser) -> bool {
    browser.get("/account").await.url.ends_with("/account")
}

/// The sign-in page came back with a problem, and offers the other ways.
#[track_caller]
fn assert_sorry(page: &Page, status: u16, says: &str) {
    assert_eq!(page.status, status, "{}", page.text());
    assert!(page.has_id("login-error") && page.has_id("login-form"), "{}", page.text());
    assert!(page.text().contains(says), "{}", page.text());
}

fn pairs(answer: &[(&str, &str)]) -> Vec<(String, String)> {
    answer.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn emails(app: &TestApp, user: UserId) -> Vec<(String, bool)> {
    let emails = app.read(move |db| store::users::emails(db, user)).await;
    emails.into_iter().map(|email| (email.address, email.verified_at.is_some())).collect()
}

fn notices(app: &TestApp) -> Notices {
    Notices::of(&app.app, Language::English)
}

/// Subjects of the mails to this address.
async fn told(app: &TestApp, address: &str) -> Vec<String> {
    let mut mails = app.read(|db| store::outbox::newest(db, 100)).await;
    mails.retain(|mail| mail.recipient == address);
    mails.into_iter().map(|mail| mail.subject).collect()
}
