//! What a user has given applications: seeing it, and taking it back (SE-6).

use std::collections::{BTreeMap, BTreeSet};

use crate::app::App;
use crate::audit::{Event, Origin};
use crate::clock::Timestamp;
use crate::model::{AuditAction, ClientKey, OrganisationId, SessionId, UserId};
use crate::protocol::scope::{OFFLINE_ACCESS, STANDARD, ScopeSet};
use crate::store::grants::Grant;
use crate::store::{self, Conn, clients, consents, grants, personal, sessions};

use super::Detail;
use super::authorization::{CLAIM, ORGANISATION};

/// An application that has something of the user's.
#[derive(Clone, Debug)]
pub struct Given {
    pub client_id: String,
    pub name: String,
    pub scopes: ScopeSet,
    /// Claims allowed by name.
    pub claims: BTreeSet<String>,
    /// What the organisations are called that it may know of.
    pub organisations: Vec<String>,
    pub since: Timestamp,
    /// When it last got a token; `None` if it can get none now without asking.
    pub last_used: Option<Timestamp>,
    /// Whether it can go on while the user is away.
    pub offline: bool,
}

/// What is gathered of one client.
struct Gathered {
    scopes: Vec<String>,
    claims: BTreeSet<String>,
    organisations: BTreeSet<OrganisationId>,
    since: Timestamp,
    last_used: Option<Timestamp>,
    offline: bool,
}

impl Gathered {
    fn since(since: Timestamp) -> Self {
        Self {
            scopes: Vec::new(),
            claims: BTreeSet::new(),
            organisations: BTreeSet::new(),
            since,
            last_used: None,
            offline: false,
        }
    }

    fn consented(&mut self, item: String, at: Timestamp) {
        self.since = self.since.min(at);
        if let Some(claim) = item.strip_prefix(CLAIM) {
            self.claims.insert(claim.to_owned());
        } else if let Some(organisation) = item.strip_prefix(ORGANISATION) {
            self.organisations.extend(organisation.parse::<OrganisationId>());
        } else {
            self.scopes.push(item);
        }
    }

    fn granted(&mut self, grant: &Grant, used: Timestamp) -> Result<(), store::Error> {
        self.since = self.since.min(grant.created_at);
        self.last_used = self.last_used.max(Some(used));
        self.offline |= grant.offline;
        self.scopes.extend(Detail::parse(&grant.detail)?.scope.iter().map(str::to_owned));
        Ok(())
    }
}

/// The applications that the user allowed something, or that hold tokens of theirs now, by name.
pub async fn list(app: &App, user: UserId) -> Result<Vec<Given>, store::Error> {
    let now = app.clock.now();
    app.db.read(move |db| gather(db, user, now)).await
}

fn gather(db: &mut Conn, user: UserId, now: Timestamp) -> Result<Vec<Given>, store::Error> {
    let mut by_client: BTreeMap<ClientKey, Gathered> = BTreeMap::new();
    for (client, item, at) in personal::consents(db, user)? {
        by_client.entry(client).or_insert_with(|| Gathered::since(at)).consented(item, at);
    }
    let live: Vec<SessionId> =
        sessions::list_for_user(db, user, now)?.into_iter().map(|session| session.id).collect();
    let mut held = grants::live_of_user(db, user, now)?;
    // The others ended with their sessions.
    held.retain(|grant| grant.offline || grant.session_id.is_some_and(|session| live.contains(&session)));
    let ids: Vec<_> = held.iter().map(|grant| grant.id).collect();
    let renewed: BTreeMap<_, _> = grants::renewed_at(db, &ids)?.into_iter().collect();
    for grant in &held {
        let used = renewed.get(&grant.id).copied().unwrap_or(grant.created_at);
        let gathered = by_client.entry(grant.client_id);
        gathered.or_insert_with(|| Gathered::since(grant.created_at)).granted(grant, used)?;
    }
    let keys: Vec<ClientKey> = by_client.keys().copied().collect();
    let mut given = Vec::new();
    for (key, client_id, name) in personal::clients(db, &keys)? {
        if let Some(gathered) = by_client.remove(&key) {
            given.push(of(db, gathered, client_id, name)?);
        }
    }
    given.sort_by_cached_key(|given| (given.name.to_lowercase(), given.client_id.clone()));
    Ok(given)
}

fn of(db: &mut Conn, gathered: Gathered, client_id: String, name: String) -> Result<Given, store::Error> {
    let Gathered { scopes, claims, organisations: of, since, last_used, offline } = gathered;
    let mut organisations = Vec::new();
    for id in of {
        organisations.extend(store::organisations::find(db, id)?.map(|organisation| organisation.name));
    }
    let mut scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    // The standard ones first, in their own order.
    scopes.sort_by_key(|scope| {
        (STANDARD.iter().position(|known| known == scope).unwrap_or(usize::MAX), *scope)
    });
    let scopes: ScopeSet = scopes.into_iter().collect();
    // Whether it goes on while the user is away is said by the grants, not by what was once allowed.
    Ok(Given {
        client_id,
        name,
        scopes: scopes.filtered(|s| s != OFFLINE_ACCESS),
        claims,
        organisations,
        since,
        last_used,
        offline,
    })
}

/// Takes back what the user allowed this client, and everything that it got by that. `false` if there was nothing.
pub async fn withdraw(
    app: &App,
    user: UserId,
    client_id: String,
    origin: &Origin,
) -> Result<bool, store::Error> {
    let scribe = app.scribe(origin);
    app.db
        .write(move |db| {
            let Some(client) = clients::find_by_client_id(db, &client_id)? else { return Ok(false) };
            let forgotten = consents::forget(db, user, client.key)?;
            let revoked = grants::revoke_of_user_and_client(db, user, client.key, scribe.now)?;
            let had_something = forgotten || revoked > 0;
            if had_something {
                let event = Event::success(AuditAction::ConsentWithdrawn).user(user).client(client.key);
                scribe.write(db, event.detail("grants", revoked))?;
            }
            Ok(had_something)
        })
        .await
}
