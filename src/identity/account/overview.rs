//! The front page of an account: what is worth doing next, and what happened lately.

use std::time::Duration;

use serde_json::Value;

use crate::app::App;
use crate::clock::Timestamp;
use crate::identity::factor::Enrolled;
use crate::model::{AuditAction, AuthMethod, ClientKey, Outcome, UserId};
use crate::store::audit::Event;
use crate::store::{self, Conn, audit, factors, personal, users};

/// So many events are shown.
const EVENTS: usize = 6;
/// What happened longer ago is not news.
const RECENT: Duration = Duration::from_secs(90 * 86_400);
/// So few recovery codes are too few.
const FEW_CODES: i64 = 3;

/// What people recognise as something that they, or somebody else, did.
const TOLD: [AuditAction; 20] = [
    AuditAction::UserCreated,
    AuditAction::SignIn,
    AuditAction::SignedOutEverywhere,
    AuditAction::ProfileChanged,
    AuditAction::PasswordChanged,
    AuditAction::EmailVerified,
    AuditAction::EmailChanged,
    AuditAction::EmailAdded,
    AuditAction::EmailRemoved,
    AuditAction::PrimaryEmailChanged,
    AuditAction::FactorAdded,
    AuditAction::FactorRemoved,
    AuditAction::FactorsReset,
    AuditAction::FactorRefused,
    AuditAction::RecoveryCodesMade,
    AuditAction::ConsentGiven,
    AuditAction::ConsentWithdrawn,
    AuditAction::IdentityLinked,
    AuditAction::IdentityUnlinked,
    AuditAction::DataExported,
];

/// What the overview shows.
#[derive(Clone, Debug)]
pub struct Overview {
    pub advice: Vec<Advice>,
    /// The newest first.
    pub activity: Vec<Activity>,
}

/// Something that makes the account safer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Nothing can be mailed to this account.
    AddAddress,
    VerifyAddress,
    AddFactor,
    MakeRecoveryCodes {
        left: i64,
    },
}

/// Something that happened to the account.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    pub action: AuditAction,
    pub outcome: Outcome,
    pub at: Timestamp,
    /// The network address that it came from.
    pub place: Option<String>,
    /// What the application concerned is called.
    pub client: Option<String>,
    /// How somebody signed in.
    pub methods: Vec<AuthMethod>,
}

/// The front page of this user.
pub async fn overview(app: &App, user: UserId) -> Result<Overview, store::Error> {
    let since = app.clock.now().minus(RECENT);
    app.db
        .read(move |db| Ok(Overview { advice: advice(db, user)?, activity: activity(db, user, since)? }))
        .await
}

fn advice(db: &mut Conn, user: UserId) -> Result<Vec<Advice>, store::Error> {
    let mut advice = Vec::new();
    match users::primary_email(db, user)? {
        None => advice.push(Advice::AddAddress),
        Some(email) if email.verified_at.is_none() => advice.push(Advice::VerifyAddress),
        Some(_) => {}
    }
    if !Enrolled::of(db, user)?.any() {
        advice.push(Advice::AddFactor);
    } else {
        let left = factors::recovery_codes_left(db, user)?;
        if left < FEW_CODES {
            advice.push(Advice::MakeRecoveryCodes { left });
        }
    }
    Ok(advice)
}

fn activity(db: &mut Conn, user: UserId, since: Timestamp) -> Result<Vec<Activity>, store::Error> {
    let told: Vec<&str> = TOLD.iter().map(|action| action.as_str()).collect();
    // More than are shown: of some acts only the success is news.
    let events = audit::of_user(db, user, &told, since, 4 * EVENTS as i64)?;
    let mut shown: Vec<(Activity, Option<ClientKey>)> = events.into_iter().filter_map(tell).collect();
    shown.truncate(EVENTS);
    let keys: Vec<ClientKey> = shown.iter().filter_map(|(_, client)| *client).collect();
    let clients = if keys.is_empty() { Vec::new() } else { personal::clients(db, &keys)? };
    let name = |key: ClientKey| clients.iter().find(|(known, ..)| *known == key).map(|(_, _, name)| name);
    Ok(shown
        .into_iter()
        .map(|(activity, client)| Activity { client: client.and_then(name).cloned(), ..activity })
        .collect())
}

fn tell(event: Event) -> Option<(Activity, Option<ClientKey>)> {
    let action = AuditAction::parse(&event.action)?;
    let is_try = matches!(action, AuditAction::SignIn | AuditAction::FactorRefused);
    if event.outcome != Outcome::Success && !is_try {
        return None;
    }
    let activity = Activity {
        action,
        outcome: event.outcome,
        at: event.at,
        place: event.ip,
        client: None,
        methods: methods(&event.detail),
    };
    Some((activity, event.client_id))
}

/// The methods that the event of a sign-in names.
fn methods(detail: &str) -> Vec<AuthMethod> {
    let detail: Value = serde_json::from_str(detail).unwrap_or_default();
    let words = detail["methods"].as_array().map(Vec::as_slice).unwrap_or_default();
    words.iter().filter_map(|word| AuthMethod::parse(word.as_str()?)).collect()
}
