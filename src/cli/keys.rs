//! `countersign keys`: the signing keys, their times, and ending one early.

use clap::Subcommand;
use serde_json::json;

use super::{Failure, Shell};
use crate::app::App;
use crate::audit::Origin;
use crate::model::SigningAlg;
use crate::signing::{ALGORITHMS, KeySummary, summarise};
use crate::store::signing_keys;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the signing keys
    List,
    /// Publish successors now; they sign after `keys.publish_ahead`
    Rotate {
        /// Only this algorithm: RS256, ES256 or EdDSA
        #[arg(long, value_name = "ALG", value_parser = own_alg)]
        alg: Option<SigningAlg>,
    },
    /// Withdraw a key at once: everything it signed is refused from now on
    Revoke {
        // One identifier in 64 begins with a hyphen.
        #[arg(value_name = "KID", allow_hyphen_values = true)]
        kid: String,
    },
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let origin = Origin::command_line();
    match command {
        Command::List => show(shell, &all(&app).await?),
        Command::Rotate { alg } => {
            let mut made = Vec::new();
            for alg in ALGORITHMS.into_iter().filter(|one| alg.is_none_or(|alg| alg == *one)) {
                made.push(app.signing.rotate(&app.db, alg, app.scribe(&origin)).await?);
            }
            let keys = all(&app).await?;
            show(shell, &keys.into_iter().filter(|key| made.contains(&key.kid)).collect::<Vec<_>>())
        }
        Command::Revoke { kid } => {
            app.signing.revoke(&app.db, &kid, app.scribe(&origin)).await?;
            let text = format!("The key {kid} is withdrawn. Tokens that it signed are refused from now on.");
            shell.out.answer(&text, &json!({ "kid": kid, "state": "revoked" }))
        }
    }
}

async fn all(app: &App) -> Result<Vec<KeySummary>, Failure> {
    Ok(summarise(&app.db.read(signing_keys::all).await?, app.clock.now()))
}

fn show(shell: &Shell, keys: &[KeySummary]) -> Result<(), Failure> {
    shell.out.list(keys, &["KID", "ALG", "STATE", "PUBLISHED", "SIGNS FROM", "UNTIL"], |key| {
        let until = key.revoked_at.clone().or_else(|| key.retired_at.clone());
        vec![
            key.kid.clone(),
            key.alg.to_string(),
            key.state.to_owned(),
            key.published_at.clone(),
            key.active_from.clone(),
            until.unwrap_or_else(|| "-".to_owned()),
        ]
    })
}

fn own_alg(text: &str) -> Result<SigningAlg, String> {
    ALGORITHMS
        .into_iter()
        .find(|alg| alg.as_str() == text)
        .ok_or_else(|| format!("expected one of {}", ALGORITHMS.map(SigningAlg::as_str).join(", ")))
}
