//! What is recorded of every security event, in the same transaction as its cause (LO-1).
//!
//! A [`Scribe`] goes with each use case: it knows when and from where, and writes [`Event`]s. Details hold no
//! secret and no full address (LO-2).

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::config::Limits;
use crate::crypto::{Digest, Random};
use crate::model::explanation::{Concerned, Slip};
use crate::model::{
    ApiKeyId, AuditAction, AuditEventId, ClientKey, OrganisationId, Outcome, SessionId, UserId,
};
use crate::store::{self, Conn};

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The client's address, by the one rule for it (RL-1); `None` on the command line.
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// What the error pages show and the log has.
    pub request_id: String,
    /// What tries from there are counted against, where that is not as the instance has it.
    pub limits: Option<Arc<Limits>>,
    /// The idempotency key that the call holds: whatever it makes, it makes once.
    pub claim: Option<Claim>,
    /// Who acts on others, in the console or by the management API; each of their events has it.
    pub by: By,
    /// Where a refusal is noted by whoever knows its reason.
    pub slip: Slip,
}

/// A key of [`store::idempotency`], and who holds it.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub key: Digest,
    pub holder: Digest,
}

/// Who did something, when that is not the one it is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct By {
    /// The person, or whose key it was.
    pub user: Option<UserId>,
    /// A machine acted, by this key.
    pub key: Option<ApiKeyId>,
    /// A machine acted, as this client.
    pub client: Option<ClientKey>,
}

impl From<Option<UserId>> for By {
    fn from(user: Option<UserId>) -> Self {
        Self { user, ..Self::default() }
    }
}

impl From<UserId> for By {
    fn from(user: UserId) -> Self {
        Some(user).into()
    }
}

impl Origin {
    /// An operator at a shell.
    pub fn command_line() -> Self {
        Self::within("command-line")
    }

    /// The server itself: periodic work.
    pub fn system() -> Self {
        Self::within("system")
    }

    fn within(place: &str) -> Self {
        Self {
            ip: None,
            user_agent: None,
            request_id: place.to_owned(),
            limits: None,
            claim: None,
            by: By::default(),
            slip: Slip::default(),
        }
    }
}

/// The moment and the origin of one use case, and the means to make ids in it.
#[derive(Clone, Debug)]
pub struct Scribe {
    pub now: Timestamp,
    pub random: Random,
    pub origin: Origin,
}

impl Scribe {
    /// Writes the event in the caller's transaction. Where the call holds an idempotency key, a success is noted there
    /// too: if another call has the key by now, nothing of this transaction stays.
    pub fn write(&self, db: &mut Conn, event: Event) -> Result<(), store::Error> {
        if let (Some(claim), Outcome::Success) = (self.origin.claim, event.outcome)
            && !store::idempotency::confirm(db, &claim.key, &claim.holder, self.now)?
        {
            return Err(store::Error::broken("an idempotency key", "another call has it by now"));
        }
        if event.outcome != Outcome::Success {
            let (client, user, organisation) = (event.client, event.user, event.organisation);
            self.origin.slip.concerns(Concerned { client, user, organisation });
        }
        let event = match event.actor {
            None => event.actor(self.origin.by),
            Some(_) => event,
        };
        store::audit::insert(
            db,
            &store::audit::Event {
                id: AuditEventId::new(self.now, &self.random),
                at: self.now,
                action: event.action.as_str().to_owned(),
                outcome: event.outcome,
                user_id: event.user,
                actor_id: event.actor,
                client_id: event.client,
                session_id: event.session,
                ip: self.origin.ip.map(|ip| ip.to_string()),
                request_id: Some(self.origin.request_id.clone()),
                detail: Value::Object(event.detail).to_string(),
                organisation_id: event.organisation,
            },
        )
    }
}

/// What happened, to whom, through which client.
#[derive(Clone, Debug)]
pub struct Event {
    action: AuditAction,
    outcome: Outcome,
    user: Option<UserId>,
    actor: Option<UserId>,
    client: Option<ClientKey>,
    session: Option<SessionId>,
    organisation: Option<OrganisationId>,
    detail: Map<String, Value>,
}

impl Event {
    pub fn new(action: AuditAction, outcome: Outcome) -> Self {
        Self {
            action,
            outcome,
            user: None,
            actor: None,
            client: None,
            session: None,
            organisation: None,
            detail: Map::new(),
        }
    }

    pub fn success(action: AuditAction) -> Self {
        Self::new(action, Outcome::Success)
    }

    pub fn failure(action: AuditAction) -> Self {
        Self::new(action, Outcome::Failure)
    }

    pub fn denied(action: AuditAction) -> Self {
        Self::new(action, Outcome::Denied)
    }

    /// Whom it is about.
    pub fn user(mut self, user: impl Into<Option<UserId>>) -> Self {
        self.user = user.into();
        self
    }

    /// Who did it, when that is not the one it is about.
    pub fn actor(mut self, by: impl Into<By>) -> Self {
        let by = by.into();
        self.actor = by.user;
        if let Some(key) = by.key {
            self = self.detail("by_key", key.to_string());
        }
        match by.client {
            Some(client) => self.detail("by_client", client.to_string()),
            None => self,
        }
    }

    /// In which organisation it happened: its administrators may see it.
    pub fn organisation(mut self, organisation: impl Into<Option<OrganisationId>>) -> Self {
        self.organisation = organisation.into();
        self
    }

    pub fn client(mut self, client: ClientKey) -> Self {
        self.client = Some(client);
        self
    }

    pub fn session(mut self, session: impl Into<Option<SessionId>>) -> Self {
        self.session = session.into();
        self
    }

    /// A fact worth keeping. Never a secret.
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }
}

/// A stored event as files and programs read it.
pub fn told(event: &store::audit::Event) -> Value {
    let detail = serde_json::from_str(&event.detail).unwrap_or_else(|_| Value::String(event.detail.clone()));
    json!({
        "id": event.id,
        "at": event.at.rfc3339(),
        "action": event.action,
        "outcome": event.outcome,
        "user": event.user_id,
        "actor": event.actor_id,
        "client": event.client_id.map(|id| id.to_string()),
        "session": event.session_id,
        "organization": event.organisation_id,
        "ip": event.ip,
        "request": event.request_id,
        "detail": detail,
    })
}
