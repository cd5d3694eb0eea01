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
use crate::ledger::{self, Audit, Extent, Premises, Report, Sealing, Span, Subject};
use crate::model::{OrganisationId, UserId};
use crate::store::audit::{self, Sought};
use crate::tenancy::organisations;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what happened, the latest first
    List(Filter),
    /// Print every event as JSON lines, chained and signed: `countersign audit export > audit.jsonl`
    Export {
        /// Begin after the event with this number, which has to be there
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
        /// Begin after the event with this number: of a file, the one that it was exported after
        #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
        after: i64,
        /// You know why these events, from the first to the last, were signed late; may be given several times
        #[arg(long, value_name = "FIRST-LAST")]
        accept_late: Vec<Span>,
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
            // What waits may be the event to begin after, and nothing is noted that is then refused.
            app.extend_ledger(Sealing::Now).await?;
            ledger::link(&app.db, after).await?;
            let scribe = app.scribe(&Origin::command_line());
            note_export(&app.db, scribe, Taken::Ledger { after }).await?;
            app.extend_ledger(Sealing::Now).await?;
            let issuer = app.config.issuer.as_str();
            ledger::export(&app.db, issuer, after, Extent::Signed, |line| shell.out.line(line)).await
        }
        Command::Verify { file, jwks, after, accept_late } => {
            let subject = if file.is_some() { Subject::File } else { Subject::Database };
            let trusted = jwks.as_deref().map(keys).transpose()?;
            let now = Clock::system().now();
            let premises = Premises { subject, trusted, after, known_late: accept_late, now };
            let report = match file.as_deref() {
                Some(path) => read(Audit::new(premises), path)?,
                None => {
                    let app = shell.look().await?;
                    ledger::check(&app.db, app.config.issuer.as_str(), premises).await?
                }
            };
            tell(shell, subject, &report)
        }
    }
}

async fn list(shell: &Shell, filter: Filter) -> Result<(), Failure> {
    let app = shell.look().await?;
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

fn tell(shell: &Shell, subject: Subject, report: &Report) -> Result<(), Failure> {
    let Report { issuer, events, from, .. } = report;
    let mut lines = report.faults.clone();
    lines.extend(report.remarks.iter().map(|remark| format!("Accepted: {remark}.")));
    let faults = match report.faults.len() {
        0 => "whole".to_owned(),
        1 => "1 fault".to_owned(),
        faults => format!("{faults} faults"),
    };
    let signed = report.proven_up_to.map_or_else(
        || "nothing is signed".to_owned(),
        |up_to| format!("signed from event {from} to event {up_to}"),
    );
    lines.push(format!("{events} events of {issuer}: {faults}, {signed}."));
    if report.unproven > 0 {
        lines.push(format!("{} after that have no signature yet.", report.unproven));
    }
    if report.waiting > 0 {
        lines.push(format!("{} wait to be chained.", report.waiting));
    }
    if report.forgotten > 0 {
        lines.push(format!("Of {} the address was forgotten with its person.", report.forgotten));
    }
    if !report.keys_are_trusted {
        let (theirs, who) = match subject {
            Subject::File => ("that the file itself names", "made the file"),
            Subject::Database => ("in the database itself", "can write it"),
        };
        lines.push(format!(
            "Nobody vouches for the keys: they are those {theirs}, and whoever {who} may have put in their own. Give \
             `--jwks FILE` with what {} answered when these events were signed.",
            format_args!("{}/.well-known/jwks.json", issuer.trim_end_matches('/'))
        ));
    }
    shell.out.answer(&lines.join("\n"), report)?;
    if report.faults.is_empty() { Ok(()) } else { Err(Failure::Told) }
}
