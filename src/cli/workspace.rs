//! `countersign workspace`: the parts of an organisation.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::{Failure, Shell, org};
use crate::app::App;
use crate::audit::Origin;
use crate::model::{OrganisationId, WorkspaceId};
use crate::store::organisations::{self, Workspace};
use crate::tenancy::actor::Actor;
use crate::tenancy::{membership, workspaces};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a workspace
    Add {
        #[command(flatten)]
        of: org::Of,
        /// Its short name within the organisation: letters, digits and . _ -
        #[arg(long)]
        slug: String,
        /// The name that people see
        #[arg(long)]
        name: String,
    },
    /// List the workspaces of an organisation in order of creation
    List(org::Of),
    /// Give a workspace another name; its short name stays
    Rename {
        #[command(flatten)]
        which: Which,
        /// The name that people see
        #[arg(long)]
        name: String,
    },
    /// Remove a workspace with the roles, API keys and invitations that count in it alone; the default one stays
    Remove(Which),
}

#[derive(Debug, Args)]
pub struct Which {
    #[command(flatten)]
    of: org::Of,
    /// Id or short name of the workspace
    #[arg(long, value_name = "WORKSPACE")]
    workspace: String,
}

#[derive(Serialize)]
struct View {
    id: WorkspaceId,
    slug: String,
    name: String,
    default: bool,
    created_at: String,
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    match command {
        Command::Add { of, slug, name } => {
            let one = org::known(&app, &of.org).await?;
            let origin = Origin::command_line();
            let made = workspaces::create(&app, Actor::Operator, one.id, &slug, &name, &origin).await?;
            shell.out.answer(
                &format!("{} is made: {}", made.slug, made.id),
                &json!({ "id": made.id, "slug": made.slug, "organization_id": one.id }),
            )
        }
        Command::List(of) => {
            let one = org::known(&app, &of.org).await?;
            list(shell, &app, one.id).await
        }
        Command::Rename { which, name } => {
            let one = chosen(&app, &which).await?;
            let (id, origin) = (one.id, Origin::command_line());
            workspaces::rename(&app, Actor::Operator, one.organisation_id, id, &name, &origin).await?;
            done(shell, &one, "renamed")
        }
        Command::Remove(which) => {
            let one = chosen(&app, &which).await?;
            let (id, origin) = (one.id, Origin::command_line());
            workspaces::remove(&app, Actor::Operator, one.organisation_id, id, &origin).await?;
            done(shell, &one, "removed")
        }
    }
}

async fn chosen(app: &App, which: &Which) -> Result<Workspace, Failure> {
    let organisation = org::known(app, &which.of.org).await?.id;
    known(app, organisation, &which.workspace).await
}

fn done(shell: &Shell, one: &Workspace, state: &str) -> Result<(), Failure> {
    shell.out.answer(
        &format!("{} is {state}.", one.slug),
        &json!({ "id": one.id, "slug": one.slug, "state": state }),
    )
}

/// The workspace that somebody names by id or short name.
pub async fn known(app: &App, organisation: OrganisationId, which: &str) -> Result<Workspace, Failure> {
    let asked = which.to_owned();
    let found = app.db.read(move |db| membership::find_workspace(db, organisation, &asked)).await?;
    found.ok_or_else(|| {
        Failure::Failed(format!(
            "the organisation has no workspace `{which}`: `countersign workspace list` shows all of them"
        ))
    })
}

async fn list(shell: &Shell, app: &App, organisation: OrganisationId) -> Result<(), Failure> {
    const PAGE: i64 = 500;
    let mut views: Vec<View> = Vec::new();
    loop {
        let after = views.last().map(|last| last.id);
        let page = app.db.read(move |db| organisations::workspaces(db, organisation, after, PAGE)).await?;
        if page.is_empty() {
            break;
        }
        views.extend(page.into_iter().map(|one| View {
            id: one.id,
            slug: one.slug,
            name: one.name,
            default: one.is_default,
            created_at: one.created_at.rfc3339(),
        }));
    }
    shell.out.list(&views, &["ID", "SHORT NAME", "NAME", "DEFAULT", "CREATED"], |one| {
        vec![
            one.id.to_string(),
            one.slug.clone(),
            one.name.clone(),
            if one.default { "yes" } else { "no" }.to_owned(),
            one.created_at.clone(),
        ]
    })
}
