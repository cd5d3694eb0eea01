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
use crate::store::audit::Sought;
use crate::store::{self, Conn, Db};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// What is taken along of the audit.
#[derive(Clone, Debug)]
pub enum Taken {
    /// What a filter lets through, in this format.
    Found(Sought, &'static str),
    /// The ledger, after the event with this number.
    Ledger { after: i64 },
}

impl Taken {
    /// Events are counted no further: an export of everything is one of very much.
    pub const COUNTED: i64 = 100_000;

    fn count(&self, db: &mut Conn) -> Result<i64, store::Error> {
        match self {
            Self::Found(sought, _) => store::audit::count(db, sought, Self::COUNTED + 1),
            Self::Ledger { after } => store::audit::count_after(db, *after, Self::COUNTED + 1),
        }
    }

    /// Who reads the audit later learns which part it was: the filter in words of ours and ids, never in what was typed.
    fn event(&self, events: i64) -> Event {
        let event = Event::success(AuditAction::AuditExported).detail("events", events.min(Self::COUNTED));
        let event = if events > Self::COUNTED { event.detail("more", true) } else { event };
        match self {
            Self::Ledger { after } => event.detail("format", "ledger").detail("after", *after),
            Self::Found(sought, format) => {
                let event = event.detail("format", *format).organisation(sought.organisation);
                let action = sought.action.as_deref().map(known_action);
                let request = sought.request.as_deref().map(known_reference);
                [
                    ("of_user", sought.user.map(|id| id.to_string())),
                    ("of_action", action.map(str::to_owned)),
                    ("of_outcome", sought.outcome.map(|outcome| outcome.as_str().to_owned())),
                    ("of_request", request.map(str::to_owned)),
                ]
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .fold(event, |event, (name, value)| event.detail(name, value))
            }
        }
    }
}

/// An action, or the beginning of some. Whatever else was typed is found nowhere.
fn known_action(typed: &str) -> &str {
    let group = |action: &AuditAction| typed.ends_with('.') && action.as_str().starts_with(typed);
    let is_known = AuditAction::parse(typed).is_some() || AuditAction::ALL.iter().any(group);
    if is_known { typed } else { "unknown" }
}

fn known_reference(typed: &str) -> &str {
    let is_known = typed.len() <= 36 && typed.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_known { typed } else { "unknown" }
}

/// Records that the audit, or a part of it, is taken along as a file. Before the first event is given, so that nobody
/// who breaks off goes unrecorded.
pub async fn note_export(db: &Db, scribe: Scribe, taken: Taken) -> Result<(), store::Error> {
    let counted = taken.clone();
    let events = db.read(move |db| counted.count(db)).await?;
    db.write(move |db| scribe.write(db, taken.event(events))).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lo_2_an_export_is_told_in_words_of_ours() {
        let sought = |action: &str, request: &str| Sought {
            action: Some(action.to_owned()),
            request: Some(request.to_owned()),
            ..Sought::default()
        };
        for (action, request, told) in [
            ("user.created", "k7f2-9q3m-x4tz", ("user.created", "k7f2-9q3m-x4tz")),
            ("user.", "command-line", ("user.", "command-line")),
            ("ada@example.com", "ada@example.com", ("unknown", "unknown")),
            ("use", "", ("unknown", "")),
        ] {
            let event = Taken::Found(sought(action, request), "csv").event(7);
            let detail = |name: &str| event.detail[name].as_str().expect("text").to_owned();
            assert_eq!((detail("of_action").as_str(), detail("of_request").as_str()), told);
            assert_eq!((&event.detail["events"], event.detail.get("more")), (&json!(7), None));
        }
        let event = Taken::Ledger { after: 3 }.event(Taken::COUNTED + 1);
        assert_eq!((&event.detail["events"], &event.detail["more"]), (&json!(Taken::COUNTED), &json!(true)));
    }
}
