//! `countersign org`: organisations.

mod brand;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::{Failure, Shell};
use crate::app::App;
use crate::audit::Origin;
use crate::model::{OrganisationId, Standing};
use crate::store::organisations::{self, Organisation};
use crate::tenancy::actor::Actor;
use crate::tenancy::organisations::{self as tenants, Change};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an organisation with a default workspace
    Add {
        /// Its short name: letters, digits and . _ -
        #[arg(long)]
        slug: String,
        /// The name that people see
        #[arg(long)]
        name: String,
    },
    /// List all organisations in order of creation
    List,
    /// Show an organisation
    Show(Which),
    /// Change the name or what holds for its members
    Set {
        #[command(flatten)]
        which: Which,
        /// The name that people see
        #[arg(long)]
        name: Option<String>,
        /// Whether members must show two factors
        #[arg(long, value_name = "true|false")]
        require_mfa: Option<bool>,
        /// Whether members may sign in with a password in JSON
        #[arg(long, value_name = "true|false")]
        password_login: Option<bool>,
    },
    /// Show or change how the sign-in pages look for it
    Brand(brand::Arguments),
    /// Suspend an organisation: nobody acts in it and no token is made for it
    Suspend(Which),
    /// Take a suspension back
    Resume(Which),
}

/// The organisation that a command is about.
#[derive(Debug, Args)]
pub struct Which {
    /// Id or short name
    #[arg(value_name = "ORG", required_unless_present = "org")]
    named: Option<String>,
    /// The same, as an option
    #[arg(long, value_name = "ORG", conflicts_with = "named")]
    org: Option<String>,
}

impl Which {
    fn text(&self) -> &str {
        self.named.as_deref().or(self.org.as_deref()).unwrap_or_default()
    }
}

/// The organisation that the things of a command belong to.
#[derive(Debug, Args)]
pub struct Of {
    /// Id or short name of the organisation
    #[arg(long, value_name = "ORG")]
    pub org: String,
}

#[derive(Serialize)]
struct View {
    id: OrganisationId,
    slug: String,
    name: String,
    status: Standing,
    require_mfa: bool,
    password_login: bool,
    created_at: String,
}

impl From<Organisation> for View {
    fn from(one: Organisation) -> Self {
        Self {
            id: one.id,
            slug: one.slug,
            name: one.name,
            status: one.status,
            require_mfa: one.require_mfa,
            password_login: one.password_login_allowed,
            created_at: one.created_at.rfc3339(),
        }
    }
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let origin = Origin::command_line();
    match command {
        Command::Add { slug, name } => {
            let created = tenants::create(&app, &slug, &name, &origin).await?;
            let (one, workspace) = (created.organisation, created.workspace);
            shell.out.answer(
                &format!("{} is made: {}", one.slug, one.id),
                &json!({ "id": one.id, "slug": one.slug, "default_workspace": workspace.id }),
            )
        }
        Command::List => list(shell, &app).await,
        Command::Show(which) => show(shell, known(&app, which.text()).await?),
        Command::Set { which, name, require_mfa, password_login } => {
            let one = known(&app, which.text()).await?;
            let change = Change { name, require_mfa, password_login_allowed: password_login };
            show(shell, tenants::change(&app, Actor::Operator, one.id, change, &origin).await?)
        }
        Command::Brand(arguments) => brand::run(shell, &app, arguments, &origin).await,
        Command::Suspend(which) => {
            let one = known(&app, which.text()).await?;
            tenants::suspend(&app, one.id, &origin).await?;
            done(shell, &one, "suspended")
        }
        Command::Resume(which) => {
            let one = known(&app, which.text()).await?;
            tenants::resume(&app, one.id, &origin).await?;
            done(shell, &one, "active")
        }
    }
}

/// The organisation that somebody names by id or short name.
pub async fn known(app: &App, which: &str) -> Result<Organisation, Failure> {
    let asked = which.to_owned();
    let found = app.db.read(move |db| tenants::find(db, &asked)).await?;
    found.ok_or_else(|| {
        Failure::Failed(format!(
            "there is no organisation `{which}`: `countersign org list` shows all of them"
        ))
    })
}

async fn list(shell: &Shell, app: &App) -> Result<(), Failure> {
    const PAGE: i64 = 500;
    let mut views: Vec<View> = Vec::new();
    loop {
        let after = views.last().map(|last| last.id);
        let page = app.db.read(move |db| organisations::list(db, after, PAGE)).await?;
        if page.is_empty() {
            break;
        }
        views.extend(page.into_iter().map(View::from));
    }
    shell.out.list(&views, &["ID", "SHORT NAME", "NAME", "STATUS", "CREATED"], |one| {
        vec![
            one.id.to_string(),
            one.slug.clone(),
            one.name.clone(),
            one.status.to_string(),
            one.created_at.clone(),
        ]
    })
}

fn show(shell: &Shell, organisation: Organisation) -> Result<(), Failure> {
    let one = View::from(organisation);
    let facts = [
        ("id", one.id.to_string()),
        ("short name", one.slug.clone()),
        ("name", one.name.clone()),
        ("status", one.status.to_string()),
        ("second factor", if one.require_mfa { "demanded" } else { "as elsewhere" }.to_owned()),
        ("password in JSON", if one.password_login { "allowed" } else { "refused" }.to_owned()),
        ("created", one.created_at.clone()),
    ];
    shell.out.facts(&facts, &one)
}

fn done(shell: &Shell, one: &Organisation, state: &str) -> Result<(), Failure> {
    shell.out.answer(
        &format!("{} is {state}.", one.slug),
        &json!({ "id": one.id, "slug": one.slug, "state": state }),
    )
}
