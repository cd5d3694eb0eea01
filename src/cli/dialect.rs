//! `countersign dialect`: descriptions of login APIs, those that ship and those of one's own.

use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::{Failure, Shell};
use crate::config::Config;
use crate::dialect::{self, Dialects, Mounted, SHIPPED};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a file that describes an API, and name every problem with its place
    Check {
        /// The file
        file: PathBuf,
    },
    /// List the dialects that ship with the program and those that the configuration mounts
    List,
    /// Print the file of a dialect that ships, as an example or to change
    Show {
        /// Its name
        name: String,
    },
}

pub fn run(shell: &Shell, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Check { file } => check(shell, file),
        Command::List => list(shell),
        Command::Show { name } => show(shell, name),
    }
}

fn check(shell: &Shell, file: &std::path::Path) -> Result<(), Failure> {
    let dialect = match dialect::read_file(file) {
        Ok(dialect) => dialect,
        Err(problems) if shell.out.json => {
            let problems: Vec<_> = problems
                .0
                .iter()
                .map(|one| {
                    let (line, column) = one.place.unzip();
                    json!({ "file": one.source, "line": line, "column": column, "reason": one.reason })
                })
                .collect();
            shell.out.value(&json!({ "ok": false, "problems": problems }))?;
            return Err(Failure::Told);
        }
        Err(problems) => return Err(problems.into()),
    };
    let endpoints = dialect.endpoints.len();
    let noun = if endpoints == 1 { "endpoint" } else { "endpoints" };
    let text = format!("The dialect `{}` is good: {endpoints} {noun}.", dialect.name);
    shell.out.answer(&text, &json!({ "ok": true, "name": dialect.name, "endpoints": endpoints }))
}

/// A dialect in the list.
#[derive(Serialize)]
struct Listed {
    name: String,
    description: String,
    /// Where it answers, if it does.
    mounted: Option<String>,
    client_id: Option<String>,
    audience: Option<String>,
}

fn list(shell: &Shell) -> Result<(), Failure> {
    let mounted = Dialects::load(&shell.load()?.config)?;
    let is_mounted = |name: &str| mounted.iter().any(|one| one.dialect.name == name);
    let shipped = SHIPPED.iter().filter(|shipped| !is_mounted(shipped.name)).map(|shipped| {
        dialect::read(shipped.name, shipped.text).map(|dialect| Listed {
            name: dialect.name,
            description: dialect.description,
            mounted: None,
            client_id: None,
            audience: None,
        })
    });
    let mut listed = shipped.collect::<Result<Vec<_>, _>>()?;
    listed.extend(mounted.iter().map(of_mounted));
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    shell.out.list(&listed, &["NAME", "MOUNTED AT", "WHAT IT IS"], |one| {
        vec![one.name.clone(), one.mounted.clone().unwrap_or_default(), one.description.clone()]
    })
}

fn of_mounted(mounted: &Mounted) -> Listed {
    Listed {
        name: mounted.dialect.name.clone(),
        description: mounted.dialect.description.clone(),
        mounted: Some(mounted.place().to_owned()),
        client_id: Some(mounted.client_id.clone()),
        audience: Some(mounted.audience.clone()),
    }
}

fn show(shell: &Shell, name: &str) -> Result<(), Failure> {
    let Some(found) = SHIPPED.iter().find(|shipped| shipped.name == name) else {
        let known: Vec<&str> = SHIPPED.iter().map(|shipped| shipped.name).collect();
        return Err(Failure::Failed(format!("no dialect `{name}` ships; these do: {}", known.join(", "))));
    };
    shell.out.answer(found.text.trim_end(), &json!({ "name": found.name, "toml": found.text }))
}

/// What a configuration's dialects are refused for.
pub fn problems(config: &Config) -> Result<(), dialect::Problems> {
    Dialects::load(config).map(|_| ())
}
