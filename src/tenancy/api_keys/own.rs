//! A person's own keys, in whichever organisations, as the account area shows them.
//!
//! Making and ending one is [`super::manage`], on behalf of the person.

use std::time::Duration;

use super::{ApiKeyError, Created, Described, manage};
use crate::app::App;
use crate::audit::Origin;
use crate::model::{ApiKeyId, OrganisationId, Permission, UserId};
use crate::store::{self, Conn, api_keys};
use crate::tenancy::actor::Actor;
use crate::tenancy::membership;

/// How long the present key lives on after it was replaced, so that whatever uses it can be changed.
pub const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

/// A key, and what people call the organisation that it acts in.
#[derive(Clone, Debug)]
pub struct Own {
    pub key: Described,
    pub organisation: String,
}

/// An organisation in which the person may make keys, and what such a key can be allowed to do there.
#[derive(Clone, Debug)]
pub struct Place {
    pub organisation: OrganisationId,
    pub name: String,
    pub permissions: Vec<String>,
}

/// Every key that this person made, the newest first, and where another one can be made.
pub async fn list(app: &App, user: UserId) -> Result<(Vec<Own>, Vec<Place>), store::Error> {
    app.db.read(move |db| Ok((keys(db, user)?, places(db, user)?))).await
}

fn keys(db: &mut Conn, user: UserId) -> Result<Vec<Own>, store::Error> {
    let own = api_keys::of_creator(db, user)?.into_iter().map(|(key, organisation)| {
        let key = Described { scopes: api_keys::scopes(db, key.id)?, key };
        Ok(Own { key, organisation })
    });
    own.collect()
}

fn places(db: &mut Conn, user: UserId) -> Result<Vec<Place>, store::Error> {
    let memberships = membership::of_user(db, user)?.into_iter();
    let may = memberships.filter(|one| one.permissions.contains(Permission::ApiKeysWrite.as_str()));
    Ok(may
        .map(|one| Place {
            organisation: one.organisation.id,
            name: one.organisation.name,
            permissions: one.permissions.into_iter().collect(),
        })
        .collect())
}

/// Ends one of the person's own keys. [`ApiKeyError::NoSuchKey`] if it is somebody else's.
pub async fn revoke(app: &App, user: UserId, id: ApiKeyId, origin: &Origin) -> Result<(), ApiKeyError> {
    let organisation = organisation_of(app, user, id).await?;
    manage::revoke(app, Actor::Member(user), organisation, id, origin).await
}

/// Replaces one of the person's own keys.
pub async fn rotate(app: &App, user: UserId, id: ApiKeyId, origin: &Origin) -> Result<Created, ApiKeyError> {
    let organisation = organisation_of(app, user, id).await?;
    manage::rotate(app, Actor::Member(user), organisation, id, OVERLAP, origin).await
}

async fn organisation_of(app: &App, user: UserId, id: ApiKeyId) -> Result<OrganisationId, ApiKeyError> {
    let key = app.db.read(move |db| api_keys::find(db, id)).await?;
    let own = key.filter(|key| key.created_by == Some(user));
    own.map(|key| key.organisation_id).ok_or(ApiKeyError::NoSuchKey)
}
