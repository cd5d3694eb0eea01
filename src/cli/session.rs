//! `countersign session`: who is signed in where, and ending it.

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::user::known;
use super::{Failure, Shell};
use crate::audit::Origin;
use crate::model::{AuthMethod, SessionId, UserId};
use crate::store::sessions;
use crate::tenancy::users;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the live sessions, of one user or of all, the one used last first
    List {
        /// Id, e-mail address or user name
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    /// End one session, with the tokens that end with it
    End {
        #[arg(value_name = "ID")]
        id: SessionId,
    },
    /// End all sessions and grants of a user: every browser and application has to sign in again
    EndAll {
        /// Id, e-mail address or user name
        #[arg(long, value_name = "USER")]
        user: String,
    },
}

#[derive(Serialize)]
struct SessionView {
    id: SessionId,
    user_id: UserId,
    methods: Vec<AuthMethod>,
    auth_time: String,
    created_at: String,
    last_seen_at: String,
    expires_at: String,
    ip: Option<String>,
    user_agent: Option<String>,
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let origin = Origin::command_line();
    match command {
        Command::List { user } => {
            let now = app.clock.now();
            let user = match user {
                Some(who) => Some(known(&app, &who).await?.id),
                None => None,
            };
            let views = app.db.read(move |db| {
                let live = match user {
                    Some(user) => sessions::list_for_user(db, user, now)?,
                    None => sessions::list_all(db, now)?,
                };
                live.into_iter()
                    .filter(|session| session.is_live(now))
                    .map(|session| Ok(view(sessions::methods(db, session.id)?, session)))
                    .collect::<Result<Vec<_>, _>>()
            });
            let columns = ["ID", "SIGNED IN", "LAST SEEN", "EXPIRES", "BY", "ADDRESS", "BROWSER"];
            shell.out.list(&views.await?, &columns, |one| {
                let methods: Vec<&str> = one.methods.iter().map(|method| method.as_str()).collect();
                let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
                vec![
                    one.id.to_string(),
                    one.auth_time.clone(),
                    one.last_seen_at.clone(),
                    one.expires_at.clone(),
                    methods.join(" "),
                    or_dash(&one.ip),
                    or_dash(&one.user_agent),
                ]
            })
        }
        Command::End { id } => {
            if !users::end_session(&app, id, &origin).await? {
                return Err(Failure::Failed(format!(
                    "no session {id} is live: `countersign session list --user USER` shows those that are"
                )));
            }
            shell.out.answer(&format!("The session {id} has ended."), &json!({ "id": id, "ended": true }))
        }
        Command::EndAll { user } => {
            let user = known(&app, &user).await?.id;
            let ended = users::end_sessions(&app, user, &origin).await?;
            let text = format!("{ended} sessions and all grants of {user} have ended.");
            shell.out.answer(&text, &json!({ "user_id": user, "ended": ended }))
        }
    }
}

fn view(methods: Vec<AuthMethod>, session: sessions::Session) -> SessionView {
    SessionView {
        id: session.id,
        user_id: session.user_id,
        methods,
        auth_time: session.auth_time.rfc3339(),
        created_at: session.created_at.rfc3339(),
        last_seen_at: session.last_seen_at.rfc3339(),
        expires_at: session.expires_at.rfc3339(),
        ip: session.ip,
        user_agent: session.user_agent,
    }
}
