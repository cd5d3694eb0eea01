//! `countersign domain`: mail domains of an organisation.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::{Failure, Shell, org};
use crate::audit::Origin;
use crate::store;
use crate::store::domains::Domain;
use crate::tenancy::actor::Actor;
use crate::tenancy::domains;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Claim a domain; prints the TXT record that proves it
    Add(Which),
    /// Look at the domain's DNS
    Verify(Which),
    /// Send the people of a proven domain to one of the organisation's own providers
    Route {
        #[command(flatten)]
        which: Which,
        /// The provider's id
        #[arg(long, value_name = "ID", required_unless_present = "none")]
        provider: Option<String>,
        /// To none any more
        #[arg(long, conflicts_with = "provider")]
        none: bool,
    },
    /// List the domains of an organisation
    List(org::Of),
    /// Give a domain up
    Remove(Which),
}

#[derive(Debug, Args)]
pub struct Which {
    #[command(flatten)]
    of: org::Of,
    /// Such as example.com
    #[arg(long, value_name = "DOMAIN")]
    domain: String,
}

#[derive(Serialize)]
struct View {
    domain: String,
    verified: bool,
    /// The TXT record at the domain.
    record: String,
    provider: Option<String>,
}

impl From<Domain> for View {
    fn from(one: Domain) -> Self {
        Self {
            record: domains::record(&one),
            verified: one.verified_at.is_some(),
            domain: one.domain,
            provider: one.provider_id,
        }
    }
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let (origin, actor) = (Origin::command_line(), Actor::Operator);
    match command {
        Command::Add(which) => {
            let organisation = org::known(&app, &which.of.org).await?.id;
            let one = View::from(domains::claim(&app, actor, organisation, &which.domain, &origin).await?);
            let text = format!("Add this TXT record at {}, and verify:\n{}", one.domain, one.record);
            shell.out.answer(&text, &one)
        }
        Command::Verify(which) => {
            let organisation = org::known(&app, &which.of.org).await?.id;
            let one = View::from(domains::verify(&app, actor, organisation, &which.domain, &origin).await?);
            shell.out.answer(&format!("{} is proven.", one.domain), &one)
        }
        Command::Route { which, provider, none: _ } => {
            let organisation = org::known(&app, &which.of.org).await?.id;
            let to = provider.clone();
            domains::route(&app, actor, organisation, &which.domain, provider, &origin).await?;
            let text = match &to {
                Some(provider) => format!("People of {} sign in with {provider}.", which.domain),
                None => format!("People of {} sign in as everybody does.", which.domain),
            };
            shell.out.answer(&text, &json!({ "domain": which.domain, "provider": to }))
        }
        Command::List(of) => {
            let organisation = org::known(&app, &of.org).await?.id;
            let all = app.db.read(move |db| store::domains::list(db, organisation)).await?;
            let views: Vec<View> = all.into_iter().map(View::from).collect();
            shell.out.list(&views, &["DOMAIN", "PROVEN", "RECORD", "PROVIDER"], |one| {
                vec![
                    one.domain.clone(),
                    if one.verified { "yes" } else { "no" }.to_owned(),
                    one.record.clone(),
                    one.provider.clone().unwrap_or_else(|| "-".to_owned()),
                ]
            })
        }
        Command::Remove(which) => {
            let organisation = org::known(&app, &which.of.org).await?.id;
            domains::remove(&app, actor, organisation, &which.domain, &origin).await?;
            let text = format!("{} is given up.", which.domain);
            shell.out.answer(&text, &json!({ "domain": which.domain, "state": "removed" }))
        }
    }
}
