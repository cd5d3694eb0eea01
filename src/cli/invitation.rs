//! `countersign invitation`: asking people to join an organisation.

use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::{Failure, Shell, duration, org, workspace};
use crate::app::App;
use crate::audit::Origin;
use crate::clock::Timestamp;
use crate::model::{EmailAddress, InvitationId, Language, OrganisationId};
use crate::tenancy::actor::Actor;
use crate::tenancy::invitations::{self, Described, Guest};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send somebody an invitation by mail
    Add {
        #[command(flatten)]
        of: org::Of,
        #[arg(long, value_name = "ADDRESS", value_parser = EmailAddress::parse)]
        email: EmailAddress,
        /// The key of a role, such as admin, manager or member; up to three
        #[arg(long = "role", value_name = "ROLE", required = true, num_args = 1.., value_delimiter = ',')]
        roles: Vec<String>,
        /// Id or short name of the workspace in which the roles hold; unset, in the whole organisation
        #[arg(long, value_name = "WORKSPACE")]
        workspace: Option<String>,
        /// The language of the mail, such as en or de
        #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = language)]
        language: Language,
        /// How long it is open, at most 30d
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "7d")]
        lifetime: Duration,
    },
    /// List the invitations of an organisation in order of sending
    List(org::Of),
    /// Take an open invitation back
    Revoke {
        #[command(flatten)]
        of: org::Of,
        #[arg(value_name = "ID")]
        id: InvitationId,
    },
}

#[derive(Serialize)]
struct View {
    id: InvitationId,
    email: String,
    roles: Vec<String>,
    state: &'static str,
    created_at: String,
    expires_at: String,
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let origin = Origin::command_line();
    match command {
        Command::Add { of, email, roles, workspace, language, lifetime } => {
            let organisation = org::known(&app, &of.org).await?.id;
            let workspace = match workspace {
                Some(named) => Some(workspace::known(&app, organisation, &named).await?.id),
                None => None,
            };
            let guest = Guest { email: email.clone(), workspace, roles, language, lifetime };
            let sent = invitations::send(&app, Actor::Operator, organisation, guest, &origin).await?;
            let until = sent.expires_at.rfc3339();
            shell.out.answer(
                &format!("{}: mail to {email} is on its way, open until {until}.", sent.id),
                &json!({ "id": sent.id, "expires_at": until }),
            )
        }
        Command::List(of) => {
            let organisation = org::known(&app, &of.org).await?.id;
            list(shell, &app, organisation).await
        }
        Command::Revoke { of, id } => {
            let organisation = org::known(&app, &of.org).await?.id;
            invitations::revoke(&app, Actor::Operator, organisation, id, &origin).await?;
            shell.out.answer(&format!("{id} is revoked."), &json!({ "id": id, "state": "revoked" }))
        }
    }
}

fn language(text: &str) -> Result<Language, String> {
    Language::of_tag(text).ok_or_else(|| "there are no texts in this language: write en or de".to_owned())
}

async fn list(shell: &Shell, app: &App, organisation: OrganisationId) -> Result<(), Failure> {
    const PAGE: i64 = 500;
    let now = app.clock.now();
    let mut views: Vec<View> = Vec::new();
    loop {
        let after = views.last().map(|last| last.id);
        let page = app.db.read(move |db| invitations::list(db, organisation, after, PAGE)).await?;
        if page.is_empty() {
            break;
        }
        views.extend(page.into_iter().map(|one| view(one, now)));
    }
    shell.out.list(&views, &["ID", "E-MAIL", "ROLES", "STATE", "SENT", "OPEN UNTIL"], |one| {
        vec![
            one.id.to_string(),
            one.email.clone(),
            one.roles.join(" "),
            one.state.to_owned(),
            one.created_at.clone(),
            one.expires_at.clone(),
        ]
    })
}

fn view(one: Described, now: Timestamp) -> View {
    let Described { invitation, roles } = one;
    let state = if invitation.accepted_at.is_some() {
        "accepted"
    } else if invitation.revoked_at.is_some() {
        "revoked"
    } else if invitation.expires_at <= now {
        "expired"
    } else {
        "open"
    };
    View {
        id: invitation.id,
        email: invitation.address,
        roles: roles.into_iter().map(|role| role.key).collect(),
        state,
        created_at: invitation.created_at.rfc3339(),
        expires_at: invitation.expires_at.rfc3339(),
    }
}
