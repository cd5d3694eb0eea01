//! How far a new instance has come: what there is of what everybody needs first, and when the first person signed in to
//! the first application.

use crate::app::App;
use crate::identity::factor::Enrolled;
use crate::model::{AuditAction, Client, UserId};
use crate::store::audit::{Event, Sought};
use crate::store::organisations::Organisation;
use crate::store::outbox::Message;
use crate::store::{self, audit, organisations, outbox};
use crate::tenancy::clients;

/// Sign-ins that are shown.
const EVENTS: i64 = 5;

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
    /// Codes that applications were given, the newest first: each is a person who came in.
    pub sign_ins: Vec<Event>,
}

pub async fn look(app: &App, administrator: UserId) -> Result<Beginning, store::Error> {
    let client = clients::first(app).await?;
    app.db
        .read(move |db| {
            let sought =
                Sought { action: Some(AuditAction::CodeIssued.as_str().to_owned()), ..Sought::default() };
            Ok(Beginning {
                has_factor: Enrolled::of(db, administrator)?.any(),
                organisation: organisations::list(db, None, 1)?.pop(),
                mail: outbox::before(db, None, 1)?.pop(),
                client: client.clone(),
                sign_ins: audit::search(db, &sought, EVENTS)?,
            })
        })
        .await
}
