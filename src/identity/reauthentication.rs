//! Whether somebody who changes what matters has proven just now who they are (SE-7).
//!
//! Within five minutes, and with the strongest thing that the account has: an old session, or a password alone where
//! there is a second factor, changes nothing.

use super::factor::Enrolled;
use super::session::SignedIn;
use crate::app::App;
use crate::clock::Timestamp;
use crate::model::{AuthMethod, SessionId, UserId};
use crate::protocol::factors::RECENT;
use crate::store::{self, Conn, factors, sessions};

/// What has to be proven first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Due {
    #[error("a recent sign-in is needed")]
    SignIn,
    #[error("a second factor shown recently is needed")]
    Factor,
}

/// What is due before this account may be changed from this session; `None` if nothing is.
pub async fn due(app: &App, account: &SignedIn) -> Result<Option<Due>, store::Error> {
    let (user, session, now) = (account.user.id, account.session.id, app.clock.now());
    app.db.read(move |db| due_in(db, user, session, now)).await
}

/// The same within the transaction that makes the change.
pub fn due_in(
    db: &mut Conn,
    user: UserId,
    session: SessionId,
    now: Timestamp,
) -> Result<Option<Due>, store::Error> {
    let since = now.minus(RECENT);
    let mut recent = sessions::proofs(db, session)?;
    recent.retain(|(_, proven_at)| *proven_at >= since);
    let has = |wanted: AuthMethod| recent.iter().any(|(method, _)| *method == wanted);
    let enrolled = Enrolled::of(db, user)?;
    if !enrolled.any() {
        return Ok(recent.is_empty().then_some(Due::SignIn));
    }
    // Where there is a passkey, digits of an application are the weaker factor, and do not take it away. A recovery code
    // does: it is for whoever has lost the passkey, and its owner is told.
    let is_shown = has(AuthMethod::HardwareKey)
        || has(AuthMethod::OneTimePassword)
            && (enrolled.passkeys == 0 || factors::recovery_code_used_since(db, user, since)?);
    Ok((!is_shown).then_some(Due::Factor))
}
