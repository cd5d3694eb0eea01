//! `countersign migrate`: the schema of this version, forward only (BU-3).

use clap::Args;
use serde_json::json;

use super::{Failure, Shell};
use crate::store::{DatabaseUrl, migrate};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<(), Failure> {
    let config = shell.load()?.config;
    let url = DatabaseUrl::parse(config.database.url.expose()).map_err(Failure::Failed)?;
    if let DatabaseUrl::Sqlite(path) = &url
        && !path.exists()
    {
        return Err(Failure::Failed(format!(
            "there is no database at {}: `countersign init` makes one",
            path.display()
        )));
    }
    let migrations = if arguments.dry_run { pending(&url)? } else { migrate::run(&url)? };
    let verb = if arguments.dry_run { "would be applied" } else { "applied" };
    let text = if migrations.is_empty() {
        "The schema is current: nothing to do.".to_owned()
    } else {
        migrations.iter().map(|name| format!("{name} {verb}")).collect::<Vec<_>>().join("\n")
    };
    let name = if arguments.dry_run { "pending" } else { "applied" };
    shell.out.answer(&text, &json!({ name: migrations }))
}

fn pending(url: &DatabaseUrl) -> Result<Vec<String>, Failure> {
    let state = migrate::state(url)?;
    if !state.unknown.is_empty() {
        return Err(crate::store::OpenError::Newer(state.unknown.join(", ")).into());
    }
    Ok(state.pending)
}
