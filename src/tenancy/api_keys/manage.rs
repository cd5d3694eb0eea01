//! Making, replacing, listing and ending API keys.

use std::time::Duration;

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::crypto::Secret;
use crate::identity::notice::Notices;
use crate::mail::message::Happened;
use crate::model::role::is_permission;
use crate::model::{ApiKeyId, AuditAction, Language, MachineId, OrganisationId, Permission, api_key};
use crate::store::api_keys::{self, ApiKey};
use crate::store::organisations::{self, Organisation};
use crate::store::{self, Conn, users};
use crate::tenancy::actor::{Actor, authority};
use crate::tenancy::admission;
use crate::tenancy::{clean_name, settle};

use super::{ApiKeyError, Created, Described, MAX_SCOPES, NewKey};

const LONGEST: Duration = Duration::from_secs(3_653 * 24 * 60 * 60);

/// Makes a key. A member's key is that member's; what whoever runs the instance makes belongs to the organisation.
pub async fn create(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    new: NewKey,
    origin: &Origin,
) -> Result<Created, ApiKeyError> {
    let new = check(new)?;
    let scribe = app.scribe(origin);
    let prefix = new.prefix.as_deref().unwrap_or(&app.config.api_keys.prefix);
    let text = api_key::generate(prefix, &app.random);
    let key = ApiKey {
        id: ApiKeyId::new(scribe.now, &scribe.random),
        machine_id: MachineId::new(scribe.now, &scribe.random),
        organisation_id: organisation,
        workspace_id: new.workspace,
        name: new.name.clone(),
        digest: text.digest(),
        hint: api_key::hint(&text),
        created_by: actor.member(),
        created_at: scribe.now,
        expires_at: new.lasts.map(|lasts| scribe.now.plus(lasts)),
        last_used_at: None,
        revoked_at: None,
        successor_id: None,
    };
    let making = Making { actor, notices: Notices::of(app, Language::default()), scribe };
    let (stored, scopes) = (key.clone(), new.scopes.clone());
    app.db.write(move |db| settle(making.create(db, &stored, &scopes))).await??;
    Ok(Created { key, text, scopes: new.scopes })
}

/// Gives the machine a new key with the same scopes. The present one lives on for `overlap`, or until it would have
/// ended anyway; the new one lasts as long as the present one was to last.
pub async fn rotate(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    id: ApiKeyId,
    overlap: Duration,
    origin: &Origin,
) -> Result<Created, ApiKeyError> {
    let scribe = app.scribe(origin);
    let new_id = ApiKeyId::new(scribe.now, &scribe.random);
    let text = api_key::generate(&app.config.api_keys.prefix, &app.random);
    let making = Making { actor, notices: Notices::of(app, Language::default()), scribe };
    let shown = text.clone();
    let outcome =
        app.db.write(move |db| settle(making.rotate(db, organisation, id, new_id, &shown, overlap)));
    let Described { key, scopes } = outcome.await??;
    Ok(Created { key, text, scopes })
}

/// Ends a key with all tokens that it was exchanged for: here at once, and everywhere at the next use.
pub async fn revoke(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    id: ApiKeyId,
    origin: &Origin,
) -> Result<(), ApiKeyError> {
    let making = Making { actor, notices: Notices::of(app, Language::default()), scribe: app.scribe(origin) };
    app.db.write(move |db| settle(making.revoke(db, organisation, id))).await?
}

/// Up to `limit` keys of the organisation in order of creation, after the one named. Their texts are known to nobody.
pub fn list(
    db: &mut Conn,
    organisation: OrganisationId,
    after: Option<ApiKeyId>,
    limit: i64,
) -> Result<Vec<Described>, store::Error> {
    let keys = api_keys::list(db, organisation, after, limit)?;
    keys.into_iter().map(|key| Ok(Described { scopes: api_keys::scopes(db, key.id)?, key })).collect()
}

/// Up to `limit` keys, the newest first, before the one named, each with its organisation: of one, or of all. What they
/// are looked for by is in their names and beginnings.
pub fn search(
    db: &mut Conn,
    organisation: Option<OrganisationId>,
    words: &[String],
    before: Option<ApiKeyId>,
    limit: i64,
) -> Result<Vec<(Described, Organisation)>, store::Error> {
    let keys = api_keys::search(db, organisation, words, before, limit)?;
    keys.into_iter()
        .map(|(key, of)| Ok((Described { scopes: api_keys::scopes(db, key.id)?, key }, of)))
        .collect()
}

fn check(new: NewKey) -> Result<NewKey, ApiKeyError> {
    let name = clean_name(&new.name).ok_or(ApiKeyError::BadName)?;
    let mut scopes = new.scopes;
    scopes.sort();
    scopes.dedup();
    if scopes.is_empty() || scopes.len() > MAX_SCOPES {
        return Err(ApiKeyError::BadNumberOfScopes);
    }
    if let Some(bad) = scopes.iter().find(|scope| !is_permission(scope)) {
        return Err(ApiKeyError::BadScope(bad.clone()));
    }
    if new.lasts.is_some_and(|lasts| lasts < Duration::from_secs(1) || lasts > LONGEST) {
        return Err(ApiKeyError::BadLife);
    }
    if new.prefix.as_deref().is_some_and(|prefix| !api_key::is_prefix(prefix)) {
        return Err(ApiKeyError::BadPrefix);
    }
    Ok(NewKey { name, scopes, ..new })
}

/// What is done to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touch {
    Replace,
    End,
}

/// On whose behalf, and how it is told.
struct Making {
    actor: Actor,
    notices: Notices,
    scribe: Scribe,
}

impl Making {
    fn create(&self, db: &mut Conn, key: &ApiKey, scopes: &[String]) -> Result<(), ApiKeyError> {
        let organisation = organisations::lock(db, key.organisation_id, self.scribe.now)?
            .ok_or(ApiKeyError::NoSuchOrganisation)?;
        if let Some(workspace) = key.workspace_id
            && organisations::find_workspace(db, organisation.id, workspace)?.is_none()
        {
            return Err(ApiKeyError::NoSuchWorkspace);
        }
        authority(db, self.actor, organisation.id, key.workspace_id, Permission::ApiKeysWrite)??;
        let allowed = admission::scopes_of_key(db, key, scopes)?.unwrap_or_default();
        if let Some(beyond) = scopes.iter().find(|scope| !allowed.contains(*scope)) {
            return Err(ApiKeyError::AboveOwn(beyond.clone()));
        }
        api_keys::insert(db, key, scopes)?;
        self.record(db, AuditAction::ApiKeyCreated, key, &organisation)
    }

    fn rotate(
        &self,
        db: &mut Conn,
        organisation: OrganisationId,
        id: ApiKeyId,
        new_id: ApiKeyId,
        text: &Secret,
        overlap: Duration,
    ) -> Result<Described, ApiKeyError> {
        let now = self.scribe.now;
        let (of, old) = self.find(db, organisation, id, Touch::Replace)?;
        if !old.is_live(now) {
            return Err(ApiKeyError::Over);
        }
        let overlapped = now.plus(overlap);
        let ends_at = old.expires_at.map_or(overlapped, |end| end.min(overlapped));
        if !api_keys::supersede(db, organisation, id, new_id, ends_at)? {
            return Err(ApiKeyError::Over);
        }
        let key = ApiKey {
            id: new_id,
            digest: text.digest(),
            hint: api_key::hint(text),
            created_at: now,
            expires_at: old.expires_at.map(|end| now.plus(end.since(old.created_at))),
            last_used_at: None,
            ..old
        };
        let scopes = api_keys::scopes(db, id)?;
        api_keys::insert(db, &key, &scopes)?;
        self.record(db, AuditAction::ApiKeyRotated, &key, &of)?;
        Ok(Described { key, scopes })
    }

    fn revoke(&self, db: &mut Conn, organisation: OrganisationId, id: ApiKeyId) -> Result<(), ApiKeyError> {
        let (of, key) = self.find(db, organisation, id, Touch::End)?;
        if api_keys::revoke(db, organisation, id, self.scribe.now)? {
            self.record(db, AuditAction::ApiKeyRevoked, &key, &of)?;
        }
        Ok(())
    }

    /// A key that the actor may touch: any with the permission, and to end it one's own.
    fn find(
        &self,
        db: &mut Conn,
        organisation: OrganisationId,
        id: ApiKeyId,
        touch: Touch,
    ) -> Result<(Organisation, ApiKey), ApiKeyError> {
        let of = organisations::find(db, organisation)?.ok_or(ApiKeyError::NoSuchOrganisation)?;
        let key = api_keys::find_in(db, organisation, id)?;
        let is_own =
            key.as_ref().is_some_and(|key| key.created_by.is_some() && key.created_by == self.actor.user());
        if !(is_own && touch == Touch::End) {
            let workspace = key.as_ref().and_then(|key| key.workspace_id);
            authority(db, self.actor, organisation, workspace, Permission::ApiKeysWrite)??;
        }
        Ok((of, key.ok_or(ApiKeyError::NoSuchKey)?))
    }

    /// In the audit, and to whoever made the key (LO-4).
    fn record(
        &self,
        db: &mut Conn,
        action: AuditAction,
        key: &ApiKey,
        organisation: &Organisation,
    ) -> Result<(), ApiKeyError> {
        let event = Event::success(action)
            .user(key.created_by)
            .actor(self.actor)
            .organisation(organisation.id)
            .detail("key", key.id.to_string())
            .detail("machine", key.machine_id.to_string());
        self.scribe.write(db, event)?;
        let Some(creator) = key.created_by else { return Ok(()) };
        let Some(user) = users::find(db, creator)? else { return Ok(()) };
        let (key, organisation) = (key.name.as_str(), organisation.name.as_str());
        let what = match action {
            AuditAction::ApiKeyRevoked => Happened::ApiKeyRevoked { key, organisation },
            _ => Happened::ApiKeyMade { key, organisation },
        };
        Ok(self.notices.tell(db, &user, what, &self.scribe)?)
    }
}
