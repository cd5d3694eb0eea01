//! Where somebody is signed in, and ending that (SE-5, SE-6).

use crate::app::App;
use crate::audit::{Event, Origin};
use crate::identity::notice::Notices;
use crate::identity::session::{self, SignedIn};
use crate::mail::message::Happened;
use crate::model::{AuditAction, AuthMethod, SessionId, UserId};
use crate::store::sessions::Session;
use crate::store::{self, grants, sessions};

/// A browser that is signed in.
#[derive(Clone, Debug)]
pub struct Seen {
    pub session: Session,
    pub methods: Vec<AuthMethod>,
}

/// The live sessions of this user, the one used last first.
pub async fn list(app: &App, user: UserId) -> Result<Vec<Seen>, store::Error> {
    let now = app.clock.now();
    app.db
        .read(move |db| {
            let mut live = sessions::list_for_user(db, user, now)?;
            live.retain(|session| session.is_live(now));
            let ids: Vec<SessionId> = live.iter().map(|session| session.id).collect();
            let proven = sessions::methods_of(db, &ids)?;
            let methods = |id| proven.iter().filter(|(of, _)| *of == id).map(|(_, method)| *method).collect();
            Ok(live.into_iter().map(|session| Seen { methods: methods(session.id), session }).collect())
        })
        .await
}

/// Ends one of the user's own sessions. `false` if it is none of theirs; one that had ended is.
pub async fn end(app: &App, user: UserId, session: SessionId, origin: &Origin) -> Result<bool, store::Error> {
    let scribe = app.scribe(origin);
    app.db
        .write(move |db| match sessions::find(db, session)? {
            Some(found) if found.user_id == user => session::end(db, session, user, &scribe).map(|_| true),
            _ => Ok(false),
        })
        .await
}

/// Ends every session of the user but this one, and everything that applications hold, wherever they got it: who
/// presses this button does not know any more who has what (SE-5). Applications in this browser get new tokens
/// without asking, since the session goes on.
pub async fn end_elsewhere(
    app: &App,
    account: &SignedIn,
    notices: Notices,
    origin: &Origin,
) -> Result<(), store::Error> {
    let (account, scribe) = (account.clone(), app.scribe(origin));
    app.db
        .write(move |db| {
            let (user, current) = (account.user.id, account.session.id);
            let ended = session::end_all(db, user, Some(current), &scribe)?;
            let revoked = grants::revoke_of_user(db, user, scribe.now)?;
            let event = Event::success(AuditAction::SignedOutEverywhere).user(user).session(current);
            scribe.write(db, event.detail("sessions", ended).detail("grants", revoked))?;
            notices.tell(db, &account.user, Happened::SignedOutEverywhere, &scribe)
        })
        .await?;
    app.mail_notify.notify_one();
    Ok(())
}
