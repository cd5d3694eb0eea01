//! `countersign resource`: the APIs that access tokens are for.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::{Failure, Shell, duration};
use crate::audit::Origin;
use crate::model::{Resource, ResourceId, Status};
use crate::store::resources;
use crate::tenancy::resources::{self as api, NewResource, ResourceChange, ResourceError};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a resource
    Add(Add),
    /// List all resources
    List,
    /// Show a resource
    Show(Which),
    /// Change a resource; scopes that are given replace the former ones
    Set(Set),
    /// Disable a resource: no token for it is issued
    Disable(Which),
    /// Enable a disabled resource
    Enable(Which),
    /// Remove a resource for good
    Remove(Which),
}

#[derive(Debug, Args)]
pub struct Add {
    /// The `aud` of its tokens and the value of the `resource` parameter: an absolute URI
    #[arg(long, value_name = "URI")]
    identifier: String,
    #[arg(long)]
    name: String,
    /// A scope, and what the consent page says of it: calendar:read='See your calendar'; repeat for more
    #[arg(long = "scope", value_name = "NAME[=DESCRIPTION]")]
    scopes: Vec<String>,
    /// How long an access token for it lives, at most 24h; unset, as `lifetimes.access` says
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    access_ttl: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    which: Which,
    #[arg(long)]
    name: Option<String>,
    /// A scope, and what the consent page says of it; repeat for more
    #[arg(long = "scope", value_name = "NAME[=DESCRIPTION]")]
    scopes: Option<Vec<String>>,
    /// How long an access token for it lives, at most 24h; 0s: as `lifetimes.access` says
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    access_ttl: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Which {
    /// Id or identifier
    #[arg(value_name = "RESOURCE")]
    resource: String,
}

#[derive(Serialize)]
struct ResourceView {
    id: ResourceId,
    identifier: String,
    name: String,
    status: Status,
    /// Seconds.
    access_ttl: Option<u64>,
    scopes: BTreeMap<String, String>,
}

impl From<Resource> for ResourceView {
    fn from(resource: Resource) -> Self {
        Self {
            id: resource.id,
            identifier: resource.identifier,
            name: resource.name,
            status: resource.status,
            access_ttl: resource.access_ttl.map(|ttl| ttl.as_secs()),
            scopes: resource.scopes,
        }
    }
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let origin = Origin::command_line();
    match command {
        Command::Add(add) => {
            let resource = api::create(&app, new_resource(add), &origin).await?;
            let text = format!("{} is made: {}", resource.identifier, resource.id);
            shell.out.answer(&text, &json!({ "id": resource.id, "identifier": resource.identifier }))
        }
        Command::List => {
            let all = app.db.read(resources::all).await?;
            let views: Vec<ResourceView> = all.into_iter().map(ResourceView::from).collect();
            let columns = ["ID", "IDENTIFIER", "NAME", "STATUS", "TOKEN LIFE", "SCOPES"];
            shell.out.list(&views, &columns, |one| {
                let scopes: Vec<&str> = one.scopes.keys().map(String::as_str).collect();
                vec![
                    one.id.to_string(),
                    one.identifier.clone(),
                    one.name.clone(),
                    one.status.to_string(),
                    life(one),
                    scopes.join(" "),
                ]
            })
        }
        Command::Show(which) => {
            let found = app.db.read(move |db| api::find(db, &which.resource)).await?;
            let one = ResourceView::from(found.ok_or(ResourceError::NoSuchResource)?);
            let mut facts = vec![
                ("id", one.id.to_string()),
                ("identifier", one.identifier.clone()),
                ("name", one.name.clone()),
                ("status", one.status.to_string()),
                ("token life", life(&one)),
            ];
            facts.extend(one.scopes.iter().map(|(scope, text)| ("scope", format!("{scope}  {text}"))));
            shell.out.facts(&facts, &one)
        }
        Command::Set(set) => {
            let change = ResourceChange {
                name: set.name,
                scopes: set.scopes.as_deref().map(described),
                access_ttl: set.access_ttl.map(|ttl| Some(ttl).filter(|ttl| !ttl.is_zero())),
            };
            let changed = api::change(&app, &set.which.resource, change, &origin).await?;
            let text = format!("{} is changed.", changed.identifier);
            shell.out.answer(&text, &ResourceView::from(changed))
        }
        Command::Disable(which) => {
            let found = api::set_status(&app, &which.resource, Status::Disabled, &origin).await?;
            done(shell, &found, "disabled")
        }
        Command::Enable(which) => {
            let found = api::set_status(&app, &which.resource, Status::Active, &origin).await?;
            done(shell, &found, "active")
        }
        Command::Remove(which) => {
            let found = api::remove(&app, &which.resource, &origin).await?;
            done(shell, &found, "removed")
        }
    }
}

fn described(scopes: &[String]) -> BTreeMap<String, String> {
    let one = |text: &String| match text.split_once('=') {
        Some((scope, description)) => (scope.to_owned(), description.to_owned()),
        None => (text.clone(), String::new()),
    };
    scopes.iter().map(one).collect()
}

fn new_resource(add: Add) -> NewResource {
    NewResource {
        identifier: add.identifier,
        name: add.name,
        scopes: described(&add.scopes),
        access_ttl: add.access_ttl,
    }
}

fn life(one: &ResourceView) -> String {
    one.access_ttl
        .map_or_else(|| "default".to_owned(), |ttl| crate::config::duration::text(Duration::from_secs(ttl)))
}

fn done(shell: &Shell, resource: &Resource, state: &str) -> Result<(), Failure> {
    shell.out.answer(
        &format!("{} is {state}.", resource.identifier),
        &json!({ "id": resource.id, "identifier": resource.identifier, "state": state }),
    )
}
