//! Who there is: the list of users with what was looked for, and everything about one of them that whoever runs the
//! instance needs to help. Only looks; what is changed is changed by [`super::users`] and [`crate::identity`].

use crate::app::App;
use crate::clock::Timestamp;
use crate::identity::account::sessions::{self, Seen};
use crate::identity::factor::manage;
use crate::model::UserId;
use crate::store::federation::Identity;
use crate::store::users::{Email, Sought, User};
use crate::store::{self, audit, federation, memberships, personal, users};

use super::membership::{self, Membership};

/// Events of the audit that a dossier shows.
const EVENTS: i64 = 20;

/// One line of the list.
#[derive(Clone, Debug)]
pub struct Entry {
    pub user: User,
    /// The primary address.
    pub email: Option<Email>,
}

/// Up to `limit` users, the newest first, before the one named.
pub async fn search(
    app: &App,
    sought: Sought,
    before: Option<UserId>,
    limit: i64,
) -> Result<Vec<Entry>, store::Error> {
    let found = app.db.read(move |db| users::search(db, &sought, before, limit)).await?;
    Ok(found.into_iter().map(|(user, email)| Entry { user, email }).collect())
}

/// One user, from all sides.
#[derive(Clone, Debug)]
pub struct Dossier {
    pub user: User,
    /// The primary one first.
    pub emails: Vec<Email>,
    pub has_password: bool,
    pub password_changed_at: Option<Timestamp>,
    pub factors: manage::Overview,
    /// Since when a second factor is demanded of this account.
    pub factor_demanded_at: Option<Timestamp>,
    pub identities: Vec<Identity>,
    /// What they belong to and are active in.
    pub memberships: Vec<Membership>,
    /// The ones that are suspended: how the organisations are called.
    pub suspended_in: Vec<String>,
    /// Where they are signed in.
    pub sessions: Vec<Seen>,
    /// The newest first.
    pub events: Vec<audit::Event>,
}

/// `None` if there is no such user.
pub async fn dossier(app: &App, user: UserId) -> Result<Option<Dossier>, store::Error> {
    let Some(found) = app.db.read(move |db| users::find(db, user)).await? else { return Ok(None) };
    let factors = manage::overview(app, &found).await?;
    let sessions = sessions::list(app, user).await?;
    app.db
        .read(move |db| {
            let sought = audit::Sought { user: Some(user), ..audit::Sought::default() };
            Ok(Some(Dossier {
                user: found.clone(),
                emails: users::emails(db, user)?,
                has_password: users::password(db, user)?.is_some(),
                password_changed_at: personal::password_changed_at(db, user)?,
                factors: factors.clone(),
                factor_demanded_at: personal::factor_demanded_at(db, user)?,
                identities: federation::identities_of(db, user)?,
                memberships: membership::of_user(db, user)?,
                suspended_in: memberships::suspended_of_user(db, user)?,
                sessions: sessions.clone(),
                events: audit::search(db, &sought, EVENTS)?,
            }))
        })
        .await
}
