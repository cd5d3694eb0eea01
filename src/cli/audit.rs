//! `countersign audit`: what happened, as a list, as an export, and as a proof that nothing of it was changed.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::user::known;
use super::{Failure, Shell};
use crate::audit::{Origin, Taken, note_export, told};
use crate::clock::Clock;
use crate::keys::PublicKeys;
use crate::ledger::{self, Audit, Report, Sealing};
use crate::model::{OrganisationId, UserId};
use crate::store::audit::{self, Sought};
use crate::tenancy::organisations;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what happened, the latest first
    List(Filter),
    /// Print every event as JSON lines, chained and signed: `countersign audit export > audit.jsonl`
    Export {
        /// Begin after the event with this number
        #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
        after: i64,
    },
    /// Prove that no event of an export, or of the database, was altered, removed or moved
    Verify {
        /// The export, `-` for standard input; without, the database
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Believe only these keys: what the issuer publishes at /.well-known/jwks.json
        #[arg(long, value_name = "FILE")]
        jwks: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct Filter {
    /// About this user: id, e-mail address or user name
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// In this organisation: id or short name
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// This kind of event, such as `user.sign_in`, or all that begin so: `user.`
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Of the request with this reference, which error pages show
    #[arg(long, value_name = "REFERENCE")]
    request: Option<String>,
    /// So many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(filter) => list(shell, filter).await,
        Command::Export { after } => {
            let app = shell.open().await?;
            let scribe = app.scribe(&Origin::command_line());
            note_export(&app.db, scribe, Taken::Ledger { after }).await?;
            app.extend_ledger(Sealing::Now).await?;
            ledger::export(&app.db, app.config.issuer.as_str(), after, |line| shell.out.line(line)).await
        }
        Command::Verify { file, jwks } => {
            let trusted = jwks.as_deref().map(keys).transpose()?;
            let audit = Audit::new(trusted, Clock::system().now());
            let report = match file.as_deref() {
                Some(path) => read(audit, path)?,
                None => stored(shell, audit).await?,
            };
            tell(shell, &report)
        }
    }
}

async fn list(shell: &Shell, filter: Filter) -> Result<(), Failure> {
    let app = shell.open().await?;
    let user: Option<UserId> = match &filter.user {
        Some(who) => Some(known(&app, who).await?.id),
        None => None,
    };
    let organisation: Option<OrganisationId> = match filter.org {
        Some(which) => {
            let found = app.db.read(move |db| organisations::find(db, &which)).await?;
            let missing =
                || Failure::Failed("there is no such organisation: `countersign org list`".to_owned());
            Some(found.ok_or_else(missing)?.id)
        }
        None => None,
    };
    let sought =
        Sought { user, organisation, action: filter.action, request: filter.request, ..Sought::default() };
    let events = app.db.read(move |db| audit::search(db, &sought, filter.limit)).await?;
    let views: Vec<Value> = events.iter().map(told).collect();
    let columns = ["AT", "ACTION", "OUTCOME", "USER", "ADDRESS", "REFERENCE", "DETAIL"];
    shell.out.list(&views, &columns, |one| {
        let text = |name: &str| match &one[name] {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        };
        ["at", "action", "outcome", "user", "ip", "request", "detail"].map(text).to_vec()
    })
}

fn keys(path: &Path) -> Result<PublicKeys, Failure> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    PublicKeys::parse(&bytes).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("cannot read {}: {error}", path.display()))
}

fn read(mut audit: Audit, path: &Path) -> Result<Report, Failure> {
    let lines: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|error| unreadable(path, &error))?))
    };
    for line in lines.lines() {
        audit.line(&line.map_err(|error| unreadable(path, &error))?);
    }
    Ok(audit.finish())
}

async fn stored(shell: &Shell, mut audit: Audit) -> Result<Report, Failure> {
    let app = shell.open().await?;
    app.extend_ledger(Sealing::Now).await?;
    let feed = |line: &str| {
        audit.line(line);
        Ok::<(), Failure>(())
    };
    ledger::export(&app.db, app.config.issuer.as_str(), 0, feed).await?;
    Ok(audit.finish())
}

fn tell(shell: &Shell, report: &Report) -> Result<(), Failure> {
    let mut lines = report.faults.clone();
    let up_to = report.proven_up_to.map_or_else(|| "no event".to_owned(), |seq| format!("event {seq}"));
    lines.push(match report.faults.len() {
        0 => format!("{} events of {}: whole, signed up to {up_to}.", report.events, report.issuer),
        1 => format!("{} events of {}: 1 fault.", report.events, report.issuer),
        faults => format!("{} events of {}: {faults} faults.", report.events, report.issuer),
    });
    if report.unproven > 0 {
        lines.push(format!("{} after that have no signature yet.", report.unproven));
    }
    if report.forgotten > 0 {
        lines.push(format!("Of {} the address was forgotten with its person.", report.forgotten));
    }
    shell.out.answer(&lines.join("\n"), report)?;
    if report.faults.is_empty() { Ok(()) } else { Err(Failure::Told) }
}
