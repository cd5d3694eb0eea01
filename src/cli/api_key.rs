//! `countersign api-key`: the keys of machines.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::{Failure, Shell, duration, org, workspace};
use crate::app::App;
use crate::audit::Origin;
use crate::clock::Timestamp;
use crate::model::{ApiKeyId, MachineId, OrganisationId, UserId, WorkspaceId};
use crate::store::api_keys::{self, ApiKey};
use crate::tenancy::actor::Actor;
use crate::tenancy::api_keys::manage;
use crate::tenancy::api_keys::{Created, Described, NewKey};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key that belongs to the organisation; its text is shown this once
    Add(Add),
    /// List the keys of an organisation in order of creation
    List(org::Of),
    /// Show a key
    Show(Which),
    /// Give the machine a new key, while the present one lives on for a time
    Rotate {
        #[command(flatten)]
        which: Which,
        /// How long the present key lives on, at most 30d; 0s ends it now
        #[arg(long, value_name = "DURATION", value_parser = overlap, default_value = "24h")]
        overlap: Duration,
    },
    /// End a key and the tokens that it was exchanged for
    Revoke(Which),
}

#[derive(Debug, Args)]
pub struct Add {
    #[command(flatten)]
    of: org::Of,
    /// The name that people see
    #[arg(long)]
    name: String,
    /// What the machine may do; repeat for several
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
    scopes: Vec<String>,
    /// Id or short name of the workspace that the key is for
    #[arg(long)]
    workspace: Option<String>,
    /// How long the key lasts; without, until it is revoked
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    expires: Option<Duration>,
    /// What the key begins with, in place of the configured prefix
    #[arg(long)]
    prefix: Option<String>,
}

/// The key that a command is about.
#[derive(Debug, Args)]
pub struct Which {
    /// Id of the key (key_…)
    #[arg(value_name = "ID")]
    id: ApiKeyId,
}

#[derive(Serialize)]
struct View {
    id: ApiKeyId,
    machine: MachineId,
    organization_id: OrganisationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<WorkspaceId>,
    name: String,
    /// How the key begins.
    begins: String,
    scopes: Vec<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<UserId>,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    successor: Option<ApiKeyId>,
}

impl View {
    fn new(described: Described, now: Timestamp) -> Self {
        let Described { key, scopes } = described;
        Self {
            status: status(&key, now),
            id: key.id,
            machine: key.machine_id,
            organization_id: key.organisation_id,
            workspace_id: key.workspace_id,
            name: key.name,
            begins: key.hint,
            scopes,
            created_by: key.created_by,
            created_at: key.created_at.rfc3339(),
            expires_at: key.expires_at.map(Timestamp::rfc3339),
            last_used_at: key.last_used_at.map(Timestamp::rfc3339),
            successor: key.successor_id,
        }
    }
}

fn status(key: &ApiKey, now: Timestamp) -> &'static str {
    match () {
        () if key.revoked_at.is_some() => "revoked",
        () if !key.is_live(now) => "expired",
        () if key.successor_id.is_some() => "replaced",
        () => "active",
    }
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let origin = Origin::command_line();
    match command {
        Command::Add(add) => {
            let one = org::known(&app, &add.of.org).await?;
            let workspace = match add.workspace {
                Some(named) => Some(workspace::known(&app, one.id, &named).await?.id),
                None => None,
            };
            let (name, scopes, lasts, prefix) = (add.name, add.scopes, add.expires, add.prefix);
            let new = NewKey { name, workspace, scopes, lasts, prefix };
            shown_once(shell, &manage::create(&app, Actor::Operator, one.id, new, &origin).await?)
        }
        Command::List(of) => {
            let one = org::known(&app, &of.org).await?;
            list(shell, &app, one.id).await
        }
        Command::Show(Which { id }) => {
            let key = known(&app, id).await?;
            let scopes = app.db.read(move |db| api_keys::scopes(db, id)).await?;
            show(shell, &View::new(Described { key, scopes }, app.clock.now()))
        }
        Command::Rotate { which, overlap } => {
            let key = known(&app, which.id).await?;
            let made =
                manage::rotate(&app, Actor::Operator, key.organisation_id, key.id, overlap, &origin).await?;
            shown_once(shell, &made)
        }
        Command::Revoke(Which { id }) => {
            let key = known(&app, id).await?;
            manage::revoke(&app, Actor::Operator, key.organisation_id, id, &origin).await?;
            shell.out.answer(&format!("{id} is revoked"), &json!({ "id": id, "status": "revoked" }))
        }
    }
}

fn shown_once(shell: &Shell, made: &Created) -> Result<(), Failure> {
    let Created { key, text, scopes } = made;
    shell.out.answer(
        &format!("{} is made. Its text is shown this once:\n\n  {}", key.id, text.expose()),
        &json!({
            "id": key.id,
            "key": text.expose(),
            "machine": key.machine_id,
            "organization_id": key.organisation_id,
            "name": key.name,
            "scopes": scopes,
            "expires_at": key.expires_at.map(Timestamp::rfc3339),
        }),
    )
}

fn show(shell: &Shell, view: &View) -> Result<(), Failure> {
    let or_never = |time: &Option<String>| time.clone().unwrap_or_else(|| "never".to_owned());
    shell.out.facts(
        &[
            ("Id", view.id.to_string()),
            ("Machine", view.machine.to_string()),
            ("Organisation", view.organization_id.to_string()),
            ("Name", view.name.clone()),
            ("Begins with", view.begins.clone()),
            ("Scopes", view.scopes.join(" ")),
            ("Status", view.status.to_owned()),
            ("Created", view.created_at.clone()),
            ("Expires", or_never(&view.expires_at)),
            ("Last used", or_never(&view.last_used_at)),
        ],
        view,
    )
}

async fn known(app: &App, id: ApiKeyId) -> Result<ApiKey, Failure> {
    let found = app.db.read(move |db| api_keys::find(db, id)).await?;
    found.ok_or_else(|| {
        Failure::Failed("there is no such key: `countersign api-key list` shows them".to_owned())
    })
}

async fn list(shell: &Shell, app: &App, organisation: OrganisationId) -> Result<(), Failure> {
    const PAGE: i64 = 500;
    let mut views: Vec<View> = Vec::new();
    loop {
        let after = views.last().map(|last| last.id);
        let page = app.db.read(move |db| manage::list(db, organisation, after, PAGE)).await?;
        if page.is_empty() {
            break;
        }
        let now = app.clock.now();
        views.extend(page.into_iter().map(|one| View::new(one, now)));
    }
    shell.out.list(&views, &["ID", "NAME", "BEGINS WITH", "SCOPES", "STATUS", "LAST USED"], |one| {
        vec![
            one.id.to_string(),
            one.name.clone(),
            one.begins.clone(),
            one.scopes.join(" "),
            one.status.to_owned(),
            one.last_used_at.clone().unwrap_or_else(|| "never".to_owned()),
        ]
    })
}

fn overlap(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
    duration(text).and_then(|length| match length <= LONGEST {
        true => Ok(length),
        false => Err("at most 30d".to_owned()),
    })
}
