//! `countersign role`: what members may be given.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::{Failure, Shell, org};
use crate::audit::Origin;
use crate::model::RoleId;
use crate::tenancy::actor::Actor;
use crate::tenancy::roles::{self, Described, Description};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Define a role of an organisation's own
    Add(Definition),
    /// Describe a role of an organisation's own anew
    Set(Definition),
    /// List the roles that an organisation can give: its own and the shipped ones
    List(org::Of),
    /// Remove a role of an organisation's own that nobody has
    Remove {
        #[command(flatten)]
        of: org::Of,
        #[arg(long)]
        key: String,
    },
}

#[derive(Debug, Args)]
pub struct Definition {
    #[command(flatten)]
    of: org::Of,
    /// What stands in tokens: letters, digits and . _ -
    #[arg(long)]
    key: String,
    /// The name that people see
    #[arg(long)]
    name: String,
    /// 1 to 1000; the shipped admin has 30, manager 20, member 10, and a higher role includes a lower one
    #[arg(long)]
    rank: i64,
    /// What the role allows, such as members:read or orders:write; repeat for more
    #[arg(long = "permission", value_name = "PERMISSION", num_args = 1.., value_delimiter = ',')]
    permissions: Vec<String>,
    /// Who has the role must show two factors
    #[arg(long)]
    require_mfa: bool,
}

#[derive(Serialize)]
struct View {
    id: RoleId,
    key: String,
    name: String,
    rank: i64,
    shipped: bool,
    require_mfa: bool,
    permissions: Vec<String>,
}

impl From<Described> for View {
    fn from(one: Described) -> Self {
        Self {
            id: one.role.id,
            key: one.role.key,
            name: one.role.name,
            rank: one.role.rank,
            shipped: one.role.organisation_id.is_none(),
            require_mfa: one.role.require_mfa,
            permissions: one.permissions,
        }
    }
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let origin = Origin::command_line();
    match command {
        Command::Add(new) => {
            let organisation = org::known(&app, &new.of.org).await?.id;
            let (key, description) = described(new);
            let id = roles::define(&app, Actor::Operator, organisation, &key, description, &origin).await?;
            shell.out.answer(&format!("{key} is made: {id}"), &json!({ "id": id, "key": key }))
        }
        Command::Set(new) => {
            let organisation = org::known(&app, &new.of.org).await?.id;
            let (key, description) = described(new);
            roles::change(&app, Actor::Operator, organisation, &key, description, &origin).await?;
            shell.out.answer(&format!("{key} is changed."), &json!({ "key": key, "state": "changed" }))
        }
        Command::List(of) => {
            let organisation = org::known(&app, &of.org).await?.id;
            let all = app.db.read(move |db| roles::list(db, organisation)).await?;
            let views: Vec<View> = all.into_iter().map(View::from).collect();
            shell.out.list(&views, &["ID", "KEY", "NAME", "RANK", "SHIPPED", "PERMISSIONS"], |one| {
                vec![
                    one.id.to_string(),
                    one.key.clone(),
                    one.name.clone(),
                    one.rank.to_string(),
                    if one.shipped { "yes" } else { "no" }.to_owned(),
                    one.permissions.join(" "),
                ]
            })
        }
        Command::Remove { of, key } => {
            let organisation = org::known(&app, &of.org).await?.id;
            roles::remove(&app, Actor::Operator, organisation, &key, &origin).await?;
            shell.out.answer(&format!("{key} is removed."), &json!({ "key": key, "state": "removed" }))
        }
    }
}

fn described(new: Definition) -> (String, Description) {
    let description = Description {
        name: new.name,
        rank: new.rank,
        permissions: new.permissions.into_iter().collect(),
        require_mfa: new.require_mfa,
    };
    (new.key, description)
}
