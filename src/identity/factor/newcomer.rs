//! The first passkey of an account that is made with it, so that nobody has to think up a password.
//!
//! The account gets its identifier when the challenge is made: the authenticator keeps it, and says it at each sign-in.
//! Nothing is stored of the account until the answer is verified, in the transaction that makes it.

use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::{Passkey, PasskeyRegistration, RegisterPublicKeyCredential};

use super::passkey::{self, Answer, Challenge, PasskeyError};
use super::recovery;
use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::crypto::Secret;
use crate::mail::message::FactorKind;
use crate::model::{AuditAction, CeremonyPurpose, EmailAddress, UserId};
use crate::store::{self, Conn, passkeys};

/// What waits for the authenticator's answer.
#[derive(Serialize, Deserialize)]
struct Awaited {
    user: UserId,
    state: PasskeyRegistration,
}

/// Somebody whose authenticator has answered, and whose account is to be made.
#[derive(Clone)]
pub struct Newcomer {
    user: UserId,
    key: Passkey,
}

/// A challenge for the passkey of somebody who will be called this.
pub async fn begin(
    app: &App,
    name: &str,
    email: &EmailAddress,
    browser: &Secret,
    origin: &Origin,
) -> Result<Challenge, PasskeyError> {
    let user = UserId::new(app.clock.now(), &app.random);
    let (options, state) = passkey::start_registration(&app.config, user, email.as_str(), name, Vec::new())?;
    let awaited = Awaited { user, state };
    passkey::keep(app, CeremonyPurpose::Register, None, options, &awaited, browser, origin).await
}

/// Judges the answer.
pub async fn verify(app: &App, answer: &Answer, origin: &Origin) -> Result<Newcomer, PasskeyError> {
    let outcome = judge(app, answer).await;
    passkey::told(app, outcome, None, &app.scribe(origin)).await
}

async fn judge(app: &App, answer: &Answer) -> Result<Newcomer, PasskeyError> {
    let ceremony = passkey::take(app, CeremonyPurpose::Register, None, answer).await?;
    let Awaited { user, state } = passkey::read_state(&ceremony)?;
    let credential: RegisterPublicKeyCredential = passkey::read_answer(answer)?;
    let key = passkey::finish_registration(&app.config, &credential, &state)?;
    Ok(Newcomer { user, key })
}

impl Newcomer {
    /// Which identifier the account must get.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Stores the passkey beside the account, in the caller's transaction, and makes its recovery codes.
    pub fn settle(&self, db: &mut Conn, name: &str, scribe: &Scribe) -> Result<Vec<Secret>, store::Error> {
        passkeys::insert(db, &passkey::row(self.user, &self.key, name, scribe))?;
        let event = Event::success(AuditAction::FactorAdded).user(self.user);
        scribe.write(db, event.detail("kind", FactorKind::Passkey.as_str()))?;
        recovery::replace(db, self.user, &scribe.random, scribe.now)
    }
}
