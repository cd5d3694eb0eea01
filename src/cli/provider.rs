//! `countersign provider`: the identity providers that may vouch for people.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Failure, Shell, org};
use crate::audit::Origin;
use crate::config::Provider;
use crate::crypto::Secret;
use crate::identity::federation::providers::{self, ProviderError, Upstream};
use crate::model::{FirstSignIn, OrganisationId, ProviderKind, Status};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Store a provider
    Add(Box<Add>),
    /// List all providers: those of the configuration and those that are stored
    List,
    /// Show a provider
    Show(Which),
    /// Change a stored provider; a list that is given replaces the former one
    Set(Box<Set>),
    /// Disable a stored provider, and end the sessions and grants that rest on its word
    Disable(Which),
    /// Enable a disabled provider
    Enable(Which),
    /// Remove a stored provider for good
    Remove(Which),
}

#[derive(Debug, Args)]
pub struct Add {
    /// Its name in addresses, such as /login/federation/google
    #[arg(long)]
    id: String,
    #[arg(long, value_name = "google|microsoft|oidc")]
    kind: ProviderKind,
    /// What its button says
    #[arg(long)]
    name: Option<String>,
    /// What we are called there
    #[arg(long)]
    client_id: String,
    /// Read our secret there from standard input
    #[arg(long, conflicts_with = "client_secret_file")]
    client_secret_stdin: bool,
    /// Read our secret there from this file, now
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// Its issuer, exactly as its metadata spells it; needed for oidc only
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// A Microsoft tenant whose people may come, by its id, or any; repeat for more
    #[arg(long = "tenant", value_name = "ID")]
    tenants: Vec<String>,
    /// For oidc: a mail domain for which its word about an address counts; repeat for more; without, all
    #[arg(long = "email-domain", value_name = "DOMAIN")]
    email_domains: Vec<String>,
    /// A scope asked for besides openid, profile and email; repeat for more
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// Who comes for the first time; without, as registration.mode says
    #[arg(long, value_name = "create_organisation|invited_only|refuse")]
    first_sign_in: Option<FirstSignIn>,
    /// It is on this machine or in a private network
    #[arg(long)]
    allow_private_network: bool,
    /// The organisation whose own it is: it speaks for people of that organisation's proven domains only
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
}

/// An empty text takes a value away.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    which: Which,
    /// What its button says
    #[arg(long)]
    name: Option<String>,
    /// What we are called there
    #[arg(long)]
    client_id: Option<String>,
    /// Read our secret there from standard input; else the one that is stored stays
    #[arg(long, conflicts_with = "client_secret_file")]
    client_secret_stdin: bool,
    /// Read our secret there from this file, now
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// Its issuer, exactly as its metadata spells it
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// A Microsoft tenant whose people may come, by its id, or any; repeat for more
    #[arg(long = "tenant", value_name = "ID")]
    tenants: Option<Vec<String>>,
    /// For oidc: a mail domain for which its word about an address counts; repeat for more; empty: all
    #[arg(long = "email-domain", value_name = "DOMAIN")]
    email_domains: Option<Vec<String>>,
    /// A scope asked for besides openid, profile and email; repeat for more
    #[arg(long = "scope")]
    scopes: Option<Vec<String>>,
    /// Who comes for the first time; empty: as registration.mode says
    #[arg(long, value_name = "create_organisation|invited_only|refuse", value_parser = first_sign_in)]
    first_sign_in: Option<First>,
    /// Whether it is on this machine or in a private network: true or false
    #[arg(long, value_name = "BOOL")]
    allow_private_network: Option<bool>,
}

/// Who comes for the first time, or as `registration.mode` says.
#[derive(Clone, Copy, Debug)]
struct First(Option<FirstSignIn>);

fn first_sign_in(text: &str) -> Result<First, String> {
    if text.is_empty() { Ok(First(None)) } else { text.parse().map(|first| First(Some(first))) }
}

#[derive(Debug, Args)]
pub struct Which {
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(Serialize)]
struct ProviderView {
    id: String,
    kind: ProviderKind,
    name: String,
    client_id: String,
    issuer: Option<String>,
    tenants: Vec<String>,
    email_domains: Vec<String>,
    scopes: Vec<String>,
    first_sign_in: FirstSignIn,
    allow_private_network: bool,
    status: Status,
    /// `configuration` or `database`.
    source: &'static str,
    /// Whose own it is; `null` is the instance's.
    organization_id: Option<OrganisationId>,
    /// Where it sends people back to: to be registered there.
    redirect_uri: String,
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let origin = Origin::command_line();
    let view = |upstream: Upstream| ProviderView {
        first_sign_in: upstream.first_sign_in(app.config.registration_mode()),
        name: upstream.settings.label(),
        redirect_uri: providers::callback(&app, &upstream.settings.id),
        source: if upstream.configured { "configuration" } else { "database" },
        status: upstream.status,
        organization_id: upstream.organisation,
        id: upstream.settings.id,
        kind: upstream.settings.kind,
        client_id: upstream.settings.client_id,
        issuer: upstream.settings.issuer,
        tenants: upstream.settings.tenants,
        email_domains: upstream.settings.email_domains,
        scopes: upstream.settings.scopes,
        allow_private_network: upstream.settings.allow_private_network,
    };
    match command {
        Command::Add(add) => {
            let organisation = match &add.org {
                Some(org) => Some(org::known(&app, org).await?.id),
                None => None,
            };
            let provider = new_provider(*add)?;
            let id = provider.id.clone();
            providers::add_for(&app, provider, organisation, &origin).await?;
            let found = providers::find(&app, &id).await?.ok_or(ProviderError::NoSuchProvider)?;
            let made = view(found);
            let text = format!("{id} is stored. Register this redirect URI there: {}", made.redirect_uri);
            shell.out.answer(&text, &made)
        }
        Command::List => {
            let views: Vec<ProviderView> = providers::all(&app).await?.into_iter().map(view).collect();
            let columns = ["ID", "KIND", "NAME", "STATUS", "SOURCE", "FIRST SIGN-IN"];
            shell.out.list(&views, &columns, |one| {
                vec![
                    one.id.clone(),
                    one.kind.to_string(),
                    one.name.clone(),
                    one.status.to_string(),
                    one.source.to_owned(),
                    one.first_sign_in.to_string(),
                ]
            })
        }
        Command::Show(which) => {
            let found = providers::find(&app, &which.id).await?.ok_or(ProviderError::NoSuchProvider)?;
            let one = view(found);
            shell.out.facts(&facts(&one), &one)
        }
        Command::Set(set) => {
            let id = set.which.id.clone();
            providers::alter(&app, &id, changes(*set)?, &origin).await?;
            let found = providers::find(&app, &id).await?.ok_or(ProviderError::NoSuchProvider)?;
            shell.out.answer(&format!("{id} is changed."), &view(found))
        }
        Command::Disable(which) => {
            providers::set_status(&app, &which.id, Status::Disabled, &origin).await?;
            done(shell, &which.id, "disabled")
        }
        Command::Enable(which) => {
            providers::set_status(&app, &which.id, Status::Active, &origin).await?;
            done(shell, &which.id, "active")
        }
        Command::Remove(which) => {
            providers::remove(&app, &which.id, &origin).await?;
            done(shell, &which.id, "removed")
        }
    }
}

fn facts(one: &ProviderView) -> Vec<(&'static str, String)> {
    let list = |values: &[String]| values.join(" ");
    vec![
        ("id", one.id.clone()),
        ("kind", one.kind.to_string()),
        ("name", one.name.clone()),
        ("client id", one.client_id.clone()),
        ("issuer", one.issuer.clone().unwrap_or_else(|| "of the kind".to_owned())),
        ("tenants", list(&one.tenants)),
        ("mail domains", list(&one.email_domains)),
        ("scopes", list(&one.scopes)),
        ("first sign-in", one.first_sign_in.to_string()),
        ("private network", if one.allow_private_network { "yes" } else { "no" }.to_owned()),
        ("status", one.status.to_string()),
        ("source", one.source.to_owned()),
        ("redirect URI", one.redirect_uri.clone()),
    ]
}

fn new_provider(add: Add) -> Result<Provider, Failure> {
    let client_secret = secret_of(add.client_secret_file.as_deref(), add.client_secret_stdin)?;
    Ok(Provider {
        id: add.id,
        kind: add.kind,
        name: add.name,
        client_id: add.client_id,
        client_secret,
        client_secret_file: None,
        issuer: add.issuer,
        tenants: add.tenants,
        email_domains: add.email_domains,
        scopes: add.scopes,
        first_sign_in: add.first_sign_in,
        allow_private_network: add.allow_private_network,
    })
}

/// What the arguments change. The secret is read now.
fn changes(set: Set) -> Result<impl FnOnce(&mut Provider), Failure> {
    let secret = secret_of(set.client_secret_file.as_deref(), set.client_secret_stdin)?;
    let text = |text: String| Some(text).filter(|text| !text.trim().is_empty());
    let list = |values: Vec<String>| values.into_iter().filter(|value| !value.is_empty()).collect();
    Ok(move |settings: &mut Provider| {
        settings.client_secret = secret;
        if let Some(name) = set.name {
            settings.name = text(name);
        }
        if let Some(client_id) = set.client_id {
            settings.client_id = client_id;
        }
        if let Some(issuer) = set.issuer {
            settings.issuer = text(issuer);
        }
        if let Some(tenants) = set.tenants {
            settings.tenants = list(tenants);
        }
        if let Some(domains) = set.email_domains {
            settings.email_domains = list(domains);
        }
        if let Some(scopes) = set.scopes {
            settings.scopes = list(scopes);
        }
        if let Some(First(first)) = set.first_sign_in {
            settings.first_sign_in = first;
        }
        if let Some(allowed) = set.allow_private_network {
            settings.allow_private_network = allowed;
        }
    })
}

fn secret_of(file: Option<&Path>, stdin: bool) -> Result<Option<Secret>, Failure> {
    match (file, stdin) {
        (Some(path), _) => secret_from_file(path).map(Some),
        (None, true) => secret_from(std::io::stdin().lock(), "standard input").map(Some),
        (None, false) => Ok(None),
    }
}

fn secret_from_file(path: &Path) -> Result<Secret, Failure> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path)
        .map_err(|error| Failure::Failed(format!("cannot read the secret from {name}: {error}")))?;
    secret_from(file, &name)
}

/// Never an argument: those are seen by every process of the machine.
fn secret_from(reader: impl Read, name: &str) -> Result<Secret, Failure> {
    const MOST: u64 = 8 * 1024;
    let mut text = Zeroizing::new(String::new());
    reader
        .take(MOST)
        .read_to_string(&mut text)
        .map_err(|error| Failure::Failed(format!("cannot read the secret from {name}: {error}")))?;
    match text.trim() {
        "" => Err(Failure::Failed(format!("{name} holds no secret"))),
        secret => Ok(Secret::from_text(secret)),
    }
}

fn done(shell: &Shell, id: &str, state: &str) -> Result<(), Failure> {
    shell.out.answer(&format!("{id} is {state}."), &json!({ "id": id, "state": state }))
}
