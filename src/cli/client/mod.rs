//! `countersign client`: the applications that ask for tokens.

mod add;
mod set;
mod show;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Failure, Shell, duration};
use crate::audit::Origin;
use crate::clock::Timestamp;
use crate::model::{ClientSecretId, Status};
use crate::tenancy::clients::{self as registered, NewClient};

use show::ClientView;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a client
    Add(Box<add::Add>),
    /// Make a client from a file of RFC 7591 metadata
    Import(add::Import),
    /// List all clients in order of creation
    List,
    /// Show a client
    Show(Which),
    /// Change a client; a list that is given replaces the former one
    Set(Box<set::Set>),
    /// Give a client a new secret, while the present one lives on for a time
    RotateSecret {
        #[command(flatten)]
        which: Which,
        /// How long the present secret lives on, at most 30d; 0s ends it now
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "24h")]
        overlap: Duration,
    },
    /// End one of a client's secrets now; the last one stays, then disable the client
    EndSecret {
        #[command(flatten)]
        which: Which,
        /// Its id, as `client show` tells it
        #[arg(value_name = "SECRET")]
        secret: ClientSecretId,
    },
    /// Disable a client: it gets nothing more, whatever it holds
    Disable(Which),
    /// Enable a disabled client
    Enable(Which),
    /// Remove a client for good, with its grants and consents
    Remove(Which),
}

#[derive(Debug, Args)]
pub struct Which {
    #[arg(value_name = "CLIENT_ID")]
    client_id: String,
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let origin = Origin::command_line();
    match command {
        Command::Add(add) => create(shell, add::new_client(*add)?, &origin).await,
        Command::Import(import) => create(shell, add::imported(import)?, &origin).await,
        Command::List => show::list(shell).await,
        Command::Show(which) => show::show(shell, which.client_id).await,
        Command::Set(set) => {
            let app = shell.open().await?;
            let id = set.which.client_id.clone();
            let client = registered::change(&app, &id, set::change(*set)?, &origin).await?;
            let text = format!("{} is changed.", client.client_id);
            shell.out.answer(&text, &ClientView::from(client))
        }
        Command::RotateSecret { which, overlap } => {
            rotate_secret(shell, &which.client_id, overlap, &origin).await
        }
        Command::EndSecret { which, secret } => {
            let app = shell.open().await?;
            let client = registered::end_secret(&app, &which.client_id, secret, &origin).await?;
            shell.out.answer(
                &format!("{secret} of {} is ended.", client.client_id),
                &json!({ "client_id": client.client_id, "secret": secret, "state": "ended" }),
            )
        }
        Command::Disable(which) => set_status(shell, &which.client_id, Status::Disabled, &origin).await,
        Command::Enable(which) => set_status(shell, &which.client_id, Status::Active, &origin).await,
        Command::Remove(which) => {
            let app = shell.open().await?;
            let client = registered::remove(&app, &which.client_id, &origin).await?;
            done(shell, &client.client_id, "removed")
        }
    }
}

async fn create(shell: &Shell, new: NewClient, origin: &Origin) -> Result<(), Failure> {
    let app = shell.open().await?;
    let made = registered::create(&app, new, origin).await?;
    show_made(shell, &made, None)
}

async fn rotate_secret(
    shell: &Shell,
    client_id: &str,
    overlap: Duration,
    origin: &Origin,
) -> Result<(), Failure> {
    if overlap > registered::secrets::LONGEST_OVERLAP {
        return Err(Failure::Usage("--overlap must be at most 30d".to_owned()));
    }
    let app = shell.open().await?;
    let made = registered::rotate_secret(&app, client_id, overlap, origin).await?;
    show_made(shell, &made, Some(app.clock.now().plus(overlap)))
}

async fn set_status(shell: &Shell, client_id: &str, status: Status, origin: &Origin) -> Result<(), Failure> {
    let app = shell.open().await?;
    let client = registered::set_status(&app, client_id, status, origin).await?;
    done(shell, &client.client_id, status.as_str())
}

/// The one moment at which a secret is seen.
fn show_made(
    shell: &Shell,
    made: &registered::Created,
    former_until: Option<Timestamp>,
) -> Result<(), Failure> {
    let mut value = json!({ "client_id": made.client.client_id });
    let mut facts = vec![("client_id", made.client.client_id.clone())];
    if let Some(secret) = &made.secret {
        value["client_secret"] = json!(secret.expose());
        facts.push(("client_secret", secret.expose().to_owned()));
    }
    if let Some(until) = former_until {
        value["former_secret_expires_at"] = json!(until.rfc3339());
        facts.push(("former secret until", until.rfc3339()));
    }
    shell.out.facts(&facts, &value)?;
    if made.secret.is_some() && !shell.out.json {
        shell.out.line("\nKeep the secret now: it is not shown again.")?;
    }
    Ok(())
}

fn done(shell: &Shell, client_id: &str, state: &str) -> Result<(), Failure> {
    shell.out.answer(&format!("{client_id} is {state}."), &json!({ "client_id": client_id, "state": state }))
}
