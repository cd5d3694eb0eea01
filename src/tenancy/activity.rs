//! Who is signed in and what applications hold, across the instance, for whoever runs it.

use crate::app::App;
use crate::audit::{Event, Origin};
use crate::clock::Timestamp;
use crate::model::{AuditAction, AuthMethod, GrantId, SessionId, UserId};
use crate::store::grants::Grant;
use crate::store::sessions::Session;
use crate::store::users::User;
use crate::store::{self, Conn, grants, personal, sessions, users};

/// A browser that is signed in.
#[derive(Clone, Debug)]
pub struct Browser {
    pub session: Session,
    pub user: User,
    pub methods: Vec<AuthMethod>,
}

/// What a user allowed an application, and it holds.
#[derive(Clone, Debug)]
pub struct Held {
    pub grant: Grant,
    pub user: User,
    /// `client_id` and name.
    pub client: (String, String),
}

/// Up to `limit` live sessions, the newest first, before the one named.
pub async fn browsers(
    app: &App,
    before: Option<SessionId>,
    limit: i64,
) -> Result<Vec<Browser>, store::Error> {
    let now = app.clock.now();
    app.db
        .read(move |db| {
            let live = sessions::newest_live(db, before, limit, now)?;
            let ids: Vec<SessionId> = live.iter().map(|(session, _)| session.id).collect();
            let proven = sessions::methods_of(db, &ids)?;
            let methods = |id| proven.iter().filter(|(of, _)| *of == id).map(|(_, method)| *method).collect();
            let told =
                |(session, user): (Session, User)| Browser { methods: methods(session.id), session, user };
            Ok(live.into_iter().map(told).collect())
        })
        .await
}

/// Up to `limit` live grants, the newest first, before the one named.
pub async fn held(app: &App, before: Option<GrantId>, limit: i64) -> Result<Vec<Held>, store::Error> {
    let now = app.clock.now();
    app.db.read(move |db| held_in(db, before, limit, now)).await
}

fn held_in(
    db: &mut Conn,
    before: Option<GrantId>,
    limit: i64,
    now: Timestamp,
) -> Result<Vec<Held>, store::Error> {
    let live = grants::newest_live(db, before, limit, now)?;
    let mut keys: Vec<_> = live.iter().map(|grant| grant.client_id).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut people: Vec<UserId> = live.iter().map(|grant| grant.user_id).collect();
    people.sort_unstable();
    people.dedup();
    let clients = personal::clients(db, &keys)?;
    let people = users::named(db, &people)?;
    let told = |grant: Grant| {
        let (_, client_id, name) = clients.iter().find(|(key, ..)| *key == grant.client_id)?;
        let user = people.iter().find(|user| user.id == grant.user_id)?.clone();
        Some(Held { client: (client_id.clone(), name.clone()), user, grant })
    };
    Ok(live.into_iter().filter_map(told).collect())
}

/// Takes from an application what one grant gave it, with all its tokens. `false` if that was over.
pub async fn revoke(app: &App, grant: GrantId, origin: &Origin) -> Result<bool, store::Error> {
    let scribe = app.scribe(origin);
    app.db
        .write(move |db| {
            let Some(found) = grants::find(db, grant)? else { return Ok(false) };
            let revoked = grants::revoke(db, grant, scribe.now)?;
            if revoked {
                let event = Event::success(AuditAction::TokenRevoked).client(found.client_id);
                let event = event.user(found.user_id).session(found.session_id);
                scribe.write(db, event.organisation(found.organisation_id).detail("token", "grant"))?;
            }
            Ok(revoked)
        })
        .await
}
