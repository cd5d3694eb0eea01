//! What people see and end of their own account: sessions, and what they allowed applications (SE-6).

use crate::app::App;
use crate::audit::{Event, Origin};
use crate::clock::Timestamp;
use crate::model::{AuditAction, SessionId, UserId};
use crate::store::sessions::Session;
use crate::store::users::Email;
use crate::store::{self, Conn, clients, consents, grants, sessions, users};

use super::session;

/// All that the account page shows.
#[derive(Clone, Debug)]
pub struct Overview {
    pub emails: Vec<Email>,
    /// The live ones, the one used last first.
    pub sessions: Vec<Session>,
    pub applications: Vec<Application>,
}

/// A client that the user allowed something.
#[derive(Clone, Debug)]
pub struct Application {
    pub client_id: String,
    pub name: String,
    pub since: Timestamp,
}

/// The account of this user.
pub async fn overview(app: &App, user: UserId) -> Result<Overview, store::Error> {
    let now = app.clock.now();
    app.db
        .read(move |db| {
            let mut live = sessions::list_for_user(db, user, now)?;
            live.retain(|session| session.is_live(now));
            Ok(Overview {
                emails: users::emails(db, user)?,
                sessions: live,
                applications: applications(db, user)?,
            })
        })
        .await
}

fn applications(db: &mut Conn, user: UserId) -> Result<Vec<Application>, store::Error> {
    let mut found = Vec::new();
    for (client, since) in consents::clients_of(db, user)? {
        if let Some(client) = clients::find(db, client)? {
            found.push(Application { client_id: client.client_id, name: client.name, since });
        }
    }
    Ok(found)
}

/// Ends one of the user's own sessions. `false` if it is none of theirs, or had ended.
pub async fn end_session(
    app: &App,
    user: UserId,
    session: SessionId,
    origin: &Origin,
) -> Result<bool, store::Error> {
    let scribe = app.scribe(origin);
    app.db
        .write(move |db| match sessions::find(db, session)? {
            Some(found) if found.user_id == user => session::end(db, session, user, &scribe),
            _ => Ok(false),
        })
        .await
}

/// Ends every session of the user but `current`, and everything that applications hold, wherever they got it: who
/// presses this button does not know any more who has what (SE-5). Applications in this browser get new tokens
/// without asking, since the session goes on.
pub async fn end_elsewhere(
    app: &App,
    user: UserId,
    current: SessionId,
    origin: &Origin,
) -> Result<(), store::Error> {
    let scribe = app.scribe(origin);
    app.db
        .write(move |db| {
            session::end_all(db, user, Some(current), &scribe)?;
            grants::revoke_of_user(db, user, scribe.now)?;
            Ok(())
        })
        .await
}

/// Takes back what the user allowed this client, and everything that it got by that.
pub async fn withdraw(
    app: &App,
    user: UserId,
    client_id: String,
    origin: &Origin,
) -> Result<(), store::Error> {
    let scribe = app.scribe(origin);
    app.db
        .write(move |db| {
            let Some(client) = clients::find_by_client_id(db, &client_id)? else { return Ok(()) };
            let forgotten = consents::forget(db, user, client.key)?;
            let revoked = grants::revoke_of_user_and_client(db, user, client.key, scribe.now)?;
            if forgotten || revoked > 0 {
                let event = Event::success(AuditAction::ConsentWithdrawn).user(user).client(client.key);
                scribe.write(db, event.detail("grants", revoked))?;
            }
            Ok(())
        })
        .await
}
