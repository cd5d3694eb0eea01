//! The same functions from a shell: arguments in, a use case called, an answer printed.
//!
//! One file per command. Whatever changes something belongs to [`crate::tenancy`], [`crate::identity`] or
//! [`crate::signing`], so that console and API do it in the same way. Every command but `serve` works beside a
//! running server.

mod api_key;
mod audit;
mod check;
mod client;
mod dialect;
mod doctor;
mod domain;
mod explain;
mod init;
mod invitation;
mod keys;
mod logging;
mod member;
mod migrate;
mod org;
mod output;
mod provider;
mod resource;
mod role;
mod serve;
mod session;
mod user;
mod workspace;

use std::cell::OnceCell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::app::{App, Opening, StartError};
use crate::clock::Clock;
use crate::config::{self, Config, Loaded, Problems};
use crate::identity::federation::providers::ProviderError;
use crate::ledger::{LedgerError, Sealing};
use crate::signing::SigningError;
use crate::store;
use crate::tenancy::api_keys::ApiKeyError;
use crate::tenancy::branding::BrandingError;
use crate::tenancy::clients::ClientError;
use crate::tenancy::domains::DomainError;
use crate::tenancy::invitations::InvitationError;
use crate::tenancy::links::InviteError;
use crate::tenancy::members::MemberError;
use crate::tenancy::organisations::OrganisationError;
use crate::tenancy::resources::ResourceError;
use crate::tenancy::roles::RoleError;
use crate::tenancy::users::UserError;
use crate::tenancy::workspaces::WorkspaceError;

use output::{Output, plain};

const EXAMPLES: &str = "\
Examples:
  countersign serve
  countersign check --all
  countersign user add --email ada@example.com --name 'Ada Lovelace' --password-stdin < password
  countersign client add --name Calendar --redirect-uri https://calendar.example.com/callback

Without --config, the file that COUNTERSIGN_CONFIG names is read, or none: every setting has a default and can be
given as COUNTERSIGN__SECTION__KEY. Exit codes: 0 done, 1 failed, 2 wrong usage.";

/// A standalone identity provider and token issuer.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, about, after_help = EXAMPLES, arg_required_else_help = true)]
struct Arguments {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until told to stop; a first start creates what is missing
    Serve,
    /// Create what is missing: database, master key, signing keys
    Init,
    /// Check the configuration without touching anything
    Check(check::Arguments),
    /// Examine the instance: configuration, database, keys, clock, issuer, mail
    Doctor,
    /// Bring the database's schema up to date
    Migrate(migrate::Arguments),
    /// Manage users
    #[command(subcommand)]
    User(user::Command),
    /// Manage clients: the applications that ask for tokens
    #[command(subcommand)]
    Client(client::Command),
    /// Manage resources: the APIs that tokens are for
    #[command(subcommand)]
    Resource(resource::Command),
    /// Manage the identity providers that may vouch for people
    #[command(subcommand)]
    Provider(provider::Command),
    /// Manage organisations
    #[command(subcommand)]
    Org(org::Command),
    /// Manage the workspaces of organisations
    #[command(subcommand)]
    Workspace(workspace::Command),
    /// Manage the roles that members can have
    #[command(subcommand)]
    Role(role::Command),
    /// Manage who belongs to organisations
    #[command(subcommand)]
    Member(member::Command),
    /// Ask people to join organisations
    #[command(subcommand)]
    Invitation(invitation::Command),
    /// Manage the API keys of machines
    #[command(subcommand)]
    ApiKey(api_key::Command),
    /// Check, list and print descriptions of login APIs that are answered here
    #[command(subcommand)]
    Dialect(dialect::Command),
    /// Prove the mail domains of organisations, and send their people to a provider
    #[command(subcommand)]
    Domain(domain::Command),
    /// Look at what happened, hand it on, and prove that nothing of it was changed
    #[command(subcommand)]
    Audit(audit::Command),
    /// Find out why a request was refused, by the reference that the visitor was shown
    Explain(explain::Arguments),
    /// Manage signing keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Look at sessions and end them
    #[command(subcommand)]
    Session(session::Command),
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
enum Failure {
    /// The arguments make no sense together.
    Usage(String),
    Failed(String),
    /// The answer already says what is wrong.
    Told,
    /// Nobody reads the answer any more.
    ReaderGone,
}

macro_rules! failures {
    ($($error:ty),+) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Failed(error.to_string())
            }
        }
    )+};
}

failures!(
    StartError,
    SigningError,
    store::Error,
    store::OpenError,
    UserError,
    ClientError,
    ApiKeyError,
    ResourceError,
    InviteError,
    ProviderError,
    BrandingError,
    DomainError,
    InvitationError,
    LedgerError,
    MemberError,
    OrganisationError,
    RoleError,
    WorkspaceError,
    io::Error
);

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        let count = problems.0.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        Self::Failed(format!("the configuration has {count} {noun}:\n{problems}"))
    }
}

impl From<crate::dialect::Problems> for Failure {
    fn from(problems: crate::dialect::Problems) -> Self {
        let count = problems.0.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        Self::Failed(format!("the dialects have {count} {noun}:\n{problems}"))
    }
}

/// What every command gets.
struct Shell {
    config: Option<PathBuf>,
    out: Output,
    /// What the command opened to change something: its audit is signed at the end.
    opened: OnceCell<Arc<App>>,
}

impl Shell {
    fn load(&self) -> Result<Loaded, Problems> {
        config::load(self.config.as_deref(), config::environment())
    }

    /// Opens the instance as it is: nothing is created.
    async fn open(&self) -> Result<Arc<App>, Failure> {
        match self.opened.get() {
            Some(app) => Ok(Arc::clone(app)),
            None => self.begin(self.load()?.config, Opening::Existing).await,
        }
    }

    async fn begin(&self, config: Config, opening: Opening) -> Result<Arc<App>, Failure> {
        let app = Arc::new(App::open(config, Clock::system(), opening).await?);
        Ok(Arc::clone(self.opened.get_or_init(|| app)))
    }

    /// Opens the instance for a command that leaves the audit as it is.
    async fn look(&self) -> Result<App, Failure> {
        Ok(App::open(self.load()?.config, Clock::system(), Opening::Existing).await?)
    }

    /// Chains and signs what the command wrote to the audit. It is done by now, so that this failing is said and no
    /// failure of the command; a server then signs it, or the next command.
    async fn sign_audit(&self) {
        let Some(app) = self.opened.get() else { return };
        if let Err(error) = sign_waiting(app).await {
            complain(&format!("what was done is not signed in the audit yet: {error}"), ExitCode::SUCCESS);
        }
    }
}

/// Nothing waits after a command that wrote nothing: it signs nothing either.
async fn sign_waiting(app: &App) -> Result<(), LedgerError> {
    if app.db.read(|db| store::audit::without_place(db, 1)).await?.is_empty() {
        return Ok(());
    }
    app.extend_ledger(Sealing::Now).await
}

/// Runs the command that the arguments name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(answer) => {
            // Help and version are answers too; a reader that has gone away changes nothing.
            let _ = answer.print();
            return if answer.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let shell =
        Shell { config: arguments.config, out: Output { json: arguments.json }, opened: OnceCell::new() };
    match start(&shell, arguments.command) {
        Ok(()) | Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::FAILURE,
        Err(Failure::Failed(why)) => complain(&why, ExitCode::FAILURE),
        Err(Failure::Usage(why)) => complain(&why, ExitCode::from(2)),
    }
}

fn complain(why: &str, code: ExitCode) -> ExitCode {
    let why: Vec<String> = why.lines().map(plain).collect();
    // There is nowhere else to say it.
    let _ = writeln!(io::stderr(), "countersign: {}", why.join("\n  "));
    code
}

fn start(shell: &Shell, command: Command) -> Result<(), Failure> {
    let mut builder = match command {
        Command::Serve => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder.enable_all().build()?;
    let done = runtime.block_on(async {
        let done = match command {
            Command::Serve => serve::run(shell).await,
            Command::Init => init::run(shell).await,
            Command::Check(arguments) => check::run(shell, &arguments),
            Command::Doctor => doctor::run(shell).await,
            Command::Migrate(arguments) => migrate::run(shell, &arguments),
            Command::User(command) => user::run(shell, command).await,
            Command::Client(command) => client::run(shell, command).await,
            Command::Resource(command) => resource::run(shell, command).await,
            Command::Provider(command) => provider::run(shell, command).await,
            Command::Org(command) => org::run(shell, command).await,
            Command::Workspace(command) => workspace::run(shell, command).await,
            Command::Role(command) => role::run(shell, command).await,
            Command::Member(command) => member::run(shell, command).await,
            Command::Invitation(command) => invitation::run(shell, command).await,
            Command::ApiKey(command) => api_key::run(shell, command).await,
            Command::Dialect(command) => dialect::run(shell, &command),
            Command::Domain(command) => domain::run(shell, command).await,
            Command::Audit(command) => audit::run(shell, command).await,
            Command::Explain(arguments) => explain::run(shell, arguments).await,
            Command::Keys(command) => keys::run(shell, command).await,
            Command::Session(command) => session::run(shell, command).await,
        };
        shell.sign_audit().await;
        done
    });
    // A query that its caller gave up on must not hold up the exit.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    done
}

/// A duration as the configuration writes it.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    config::duration::parse(text)
        .ok_or_else(|| "write a number and a unit (s, m, h, d), such as 90s, 10m or 24h".to_owned())
}

/// Splits at commas that begin another address: a comma may also be part of one.
fn split_uris(given: &[String]) -> Vec<String> {
    let begins_uri = |text: &str| {
        text.split_once(':').is_some_and(|(scheme, _)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
        })
    };
    let mut uris: Vec<String> = Vec::new();
    for text in given {
        for (index, part) in text.split(',').enumerate() {
            match uris.last_mut() {
                Some(last) if index > 0 && !begins_uri(part) => {
                    last.push(',');
                    last.push_str(part);
                }
                _ => uris.push(part.to_owned()),
            }
        }
    }
    uris
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn addresses_are_split_at_commas_between_them_only() {
        let cases: [(&[&str], &[&str]); 4] = [
            (&["https://a/cb"], &["https://a/cb"]),
            (&["https://a/cb,https://b/cb", "com.x:/cb"], &["https://a/cb", "https://b/cb", "com.x:/cb"]),
            (&["https://a/cb?x=1,2"], &["https://a/cb?x=1,2"]),
            (&["https://a/1,2,https://b/3,4"], &["https://a/1,2", "https://b/3,4"]),
        ];
        for (given, expected) in cases {
            let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(split_uris(&given), expected);
        }
    }
}
