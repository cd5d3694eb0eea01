//! `countersign member`: who belongs to an organisation, with which roles.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::{Failure, Shell, org, user, workspace};
use crate::app::App;
use crate::audit::Origin;
use crate::model::{MembershipId, OrganisationId, Standing, UserId};
use crate::store;
use crate::store::users::User;
use crate::tenancy::actor::Actor;
use crate::tenancy::members::{self, Assignment, Described};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a user a member, or give a member further roles
    Add(Roles),
    /// Replace the roles of a member, in the organisation or in one workspace
    SetRoles(Roles),
    /// List the members of an organisation in order of joining
    List(org::Of),
    /// Suspend a member: nothing is given to them for this organisation
    Suspend(Who),
    /// Take a suspension back
    Resume(Who),
    /// Remove a member with all their roles; the account stays
    Remove(Who),
}

#[derive(Debug, Args)]
pub struct Roles {
    #[command(flatten)]
    who: Who,
    /// The key of a role, such as admin, manager or member; up to three
    #[arg(long = "role", value_name = "ROLE", required = true, num_args = 1.., value_delimiter = ',')]
    roles: Vec<String>,
    /// Id or short name of the workspace in which the roles hold; unset, in the whole organisation
    #[arg(long, value_name = "WORKSPACE")]
    workspace: Option<String>,
}

#[derive(Debug, Args)]
pub struct Who {
    #[command(flatten)]
    of: org::Of,
    /// Id, e-mail address or user name
    #[arg(long, value_name = "USER")]
    user: String,
}

#[derive(Serialize)]
struct View {
    id: MembershipId,
    user_id: UserId,
    name: String,
    email: Option<String>,
    status: Standing,
    roles: Vec<RoleView>,
    created_at: String,
}

#[derive(Serialize)]
struct RoleView {
    role: String,
    /// Short name; `null` in the whole organisation.
    workspace: Option<String>,
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let origin = Origin::command_line();
    match command {
        Command::Add(roles) => {
            let (organisation, assignment) = assignment(&app, roles).await?;
            let user = assignment.user;
            let id = members::add(&app, Actor::Operator, organisation, assignment, &origin).await?;
            shell.out.answer(&format!("{user} is a member: {id}"), &json!({ "id": id, "user_id": user }))
        }
        Command::SetRoles(roles) => {
            let (organisation, assignment) = assignment(&app, roles).await?;
            let user = assignment.user;
            members::set_roles(&app, Actor::Operator, organisation, assignment, &origin).await?;
            done(shell, user, "has these roles", "roles_set")
        }
        Command::List(of) => {
            let organisation = org::known(&app, &of.org).await?.id;
            list(shell, &app, organisation).await
        }
        Command::Suspend(who) => {
            let (organisation, user) = member(&app, &who).await?;
            members::suspend(&app, Actor::Operator, organisation, user, &origin).await?;
            done(shell, user, "is suspended", "suspended")
        }
        Command::Resume(who) => {
            let (organisation, user) = member(&app, &who).await?;
            members::resume(&app, Actor::Operator, organisation, user, &origin).await?;
            done(shell, user, "is an active member", "active")
        }
        Command::Remove(who) => {
            let (organisation, user) = member(&app, &who).await?;
            members::remove(&app, Actor::Operator, organisation, user, &origin).await?;
            done(shell, user, "is no member any more", "removed")
        }
    }
}

async fn member(app: &App, who: &Who) -> Result<(OrganisationId, UserId), Failure> {
    Ok((org::known(app, &who.of.org).await?.id, user::known(app, &who.user).await?.id))
}

async fn assignment(app: &App, roles: Roles) -> Result<(OrganisationId, Assignment), Failure> {
    let (organisation, user) = member(app, &roles.who).await?;
    let workspace = match &roles.workspace {
        Some(named) => Some(workspace::known(app, organisation, named).await?.id),
        None => None,
    };
    Ok((organisation, Assignment { user, workspace, roles: roles.roles }))
}

async fn list(shell: &Shell, app: &App, organisation: OrganisationId) -> Result<(), Failure> {
    const PAGE: i64 = 500;
    let mut views: Vec<View> = Vec::new();
    loop {
        let after = views.last().map(|last| last.id);
        let page = app.db.read(move |db| {
            let mut page = Vec::new();
            for one in members::list(db, organisation, after, PAGE)? {
                let email = store::users::primary_email(db, one.user.id)?.map(|email| email.address);
                page.push(view(one, email));
            }
            Ok(page)
        });
        let page = page.await?;
        if page.is_empty() {
            break;
        }
        views.extend(page);
    }
    shell.out.list(&views, &["ID", "USER", "E-MAIL", "NAME", "STATUS", "ROLES", "SINCE"], |one| {
        vec![
            one.id.to_string(),
            one.user_id.to_string(),
            one.email.clone().unwrap_or_else(|| "-".to_owned()),
            one.name.clone(),
            one.status.to_string(),
            one.roles.iter().map(shown).collect::<Vec<_>>().join(" "),
            one.created_at.clone(),
        ]
    })
}

fn view(one: Described, email: Option<String>) -> View {
    let Described { member, user: User { id, name, .. }, roles } = one;
    View {
        id: member.id,
        user_id: id,
        name,
        email,
        status: member.status,
        roles: roles
            .into_iter()
            .map(|held| RoleView { role: held.role.key, workspace: held.workspace.map(|of| of.slug) })
            .collect(),
        created_at: member.created_at.rfc3339(),
    }
}

fn shown(role: &RoleView) -> String {
    match &role.workspace {
        Some(workspace) => format!("{}@{workspace}", role.role),
        None => role.role.clone(),
    }
}

fn done(shell: &Shell, user: UserId, text: &str, state: &str) -> Result<(), Failure> {
    shell.out.answer(&format!("{user} {text}."), &json!({ "user_id": user, "state": state }))
}
