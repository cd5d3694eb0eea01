//! How far a new instance has come: what there is of what everybody needs first, and when the first person signed in to
//! the first application.

use crate::app::App;
use crate::clock::Timestamp;
use crate::identity::factor::Enrolled;
use crate::model::{AuditAction, Client, ClientKey, Outcome, UserId};
use crate::store::audit::Sought;
use crate::store::organisations::Organisation;
use crate::store::outbox::Message;
use crate::store::users::{self, User};
use crate::store::{self, Conn, audit, organisations, outbox, personal};
use crate::tenancy::clients;

/// Sign-ins that are shown.
const SHOWN: usize = 5;
/// Events among which they are looked for: services get tokens as well.
const LOOKED_AT: i64 = 200;

/// What there is.
#[derive(Clone)]
pub struct Beginning {
    /// Whether the administrator has a passkey or an authenticator application.
    pub has_factor: bool,
    /// The first one.
    pub organisation: Option<Organisation>,
    /// The newest message, whatever became of it.
    pub mail: Option<Message>,
    /// The first application that is not part of this program.
    pub client: Option<Client>,
    /// Tokens that applications were given for a person, the newest first.
    pub sign_ins: Vec<SignIn>,
}

/// Somebody came in to an application.
#[derive(Clone)]
pub struct SignIn {
    pub at: Timestamp,
    /// Who is there still.
    pub user: Option<User>,
    /// The application's `client_id` and name, if it is there still.
    pub client: Option<(String, String)>,
}

pub async fn look(app: &App, administrator: UserId) -> Result<Beginning, store::Error> {
    let client = clients::first(app).await?;
    app.db
        .read(move |db| {
            Ok(Beginning {
                has_factor: Enrolled::of(db, administrator)?.any(),
                organisation: organisations::list(db, None, 1)?.pop(),
                mail: outbox::before(db, None, 1)?.pop(),
                client: client.clone(),
                sign_ins: sign_ins(db)?,
            })
        })
        .await
}

fn sign_ins(db: &mut Conn) -> Result<Vec<SignIn>, store::Error> {
    // A code says that somebody was sent back to the application, tokens that the application took it from there.
    let sought = Sought {
        action: Some(AuditAction::TokenIssued.as_str().to_owned()),
        outcome: Some(Outcome::Success),
        ..Sought::default()
    };
    let mut events = audit::search(db, &sought, LOOKED_AT)?;
    events.retain(|event| event.user_id.is_some());
    events.truncate(SHOWN);
    let ids: Vec<UserId> = events.iter().filter_map(|event| event.user_id).collect();
    let keys: Vec<ClientKey> = events.iter().filter_map(|event| event.client_id).collect();
    let (people, clients) = (users::named(db, &ids)?, personal::clients(db, &keys)?);
    let told = events.into_iter().map(|event| SignIn {
        at: event.at,
        user: people.iter().find(|user| Some(user.id) == event.user_id).cloned(),
        client: clients
            .iter()
            .find(|(key, ..)| Some(*key) == event.client_id)
            .map(|(_, id, name)| (id.clone(), name.clone())),
    });
    Ok(told.collect())
}
