//! `countersign client`: the applications that ask for tokens.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Failure, Shell, duration, split_uris};
use crate::audit::Origin;
use crate::clock::Timestamp;
use crate::crypto::Secret;
use crate::model::{
    ApplicationType, Client, ClientAuthMethod, ClientKey, ClientSecretId, GrantType, SigningAlg, Status,
};
use crate::protocol::metadata::{ASSERTION_ALGS, OWN_ALGS};
use crate::protocol::registration::ClientMetadata;
use crate::store::clients;
use crate::tenancy::clients::{self as registered, BroughtSecret, Change, ClientError, NewClient, Terms};

const ADD_EXAMPLES: &str = "\
Examples:
  A web application:
    countersign client add --name Calendar --redirect-uri https://calendar.example.com/callback
  A single-page or native application, which cannot keep a secret:
    countersign client add --name 'Calendar for phones' --auth none --application-type native \\
      --redirect-uri com.example.calendar:/callback
  A service that acts for itself:
    countersign client add --name Reports --grant client_credentials --scope reports:read";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a client
    Add(Box<Add>),
    /// Make a client from a file of RFC 7591 metadata
    Import(Import),
    /// List all clients in order of creation
    List,
    /// Show a client
    Show(Which),
    /// Change a client; a list that is given replaces the former one
    Set(Box<Set>),
    /// Give a client a new secret, while the present one lives on for a time
    RotateSecret {
        #[command(flatten)]
        which: Which,
        /// How long the present secret lives on, at most 30d; 0s ends it now
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "24h")]
        overlap: Duration,
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

#[derive(Debug, Args)]
#[command(after_help = ADD_EXAMPLES)]
pub struct Add {
    /// What people see when they are asked for consent
    #[arg(long)]
    name: String,
    /// Where the browser may be sent back to; repeat for more, or separate by commas
    #[arg(long = "redirect-uri", value_name = "URI", num_args = 1..)]
    redirect_uris: Vec<String>,
    /// Where the browser may be sent after signing out; repeat for more, or separate by commas
    #[arg(long = "post-logout-redirect-uri", value_name = "URI", num_args = 1..)]
    post_logout_redirect_uris: Vec<String>,
    /// authorization_code, refresh_token, client_credentials
    #[arg(
        long = "grant", value_name = "GRANT", num_args = 1.., value_delimiter = ',',
        default_values = ["authorization_code", "refresh_token"]
    )]
    grants: Vec<GrantType>,
    /// How it authenticates: client_secret_basic, client_secret_post, private_key_jwt or none
    #[arg(long, value_name = "METHOD", default_value = "client_secret_basic")]
    auth: ClientAuthMethod,
    /// Scopes it may ask for; unset, the standard ones of OpenID Connect
    #[arg(long = "scope", value_name = "SCOPE", num_args = 1.., value_delimiter = ',')]
    scopes: Vec<String>,
    /// web or native: decides which redirect URIs may be registered
    #[arg(long, value_name = "TYPE", default_value = "web")]
    application_type: ApplicationType,
    /// What signs its ID tokens: RS256, ES256 or EdDSA
    #[arg(long, value_name = "ALG", default_value = "RS256", value_parser = own_alg)]
    id_token_alg: SigningAlg,
    /// Userinfo answers as a JWT signed with this, instead of plain JSON
    #[arg(long, value_name = "ALG", value_parser = own_alg)]
    userinfo_alg: Option<SigningAlg>,
    /// The only algorithm of its private_key_jwt assertions: RS256, PS256, ES256 or EdDSA
    #[arg(long, value_name = "ALG", value_parser = assertion_alg)]
    assertion_alg: Option<SigningAlg>,
    /// A file with its public keys, a JWK Set
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// Where its public keys are fetched from
    #[arg(long, value_name = "URI")]
    jwks_uri: Option<String>,
    /// Call it so; unset, an identifier is made
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Its authorization requests must be pushed (RFC 9126)
    #[arg(long)]
    require_par: bool,
    #[command(flatten)]
    terms: TermArguments,
}

/// What the operator decides, whatever a client says of itself.
#[derive(Debug, Args)]
pub struct TermArguments {
    /// It belongs to whoever runs this instance: users are not asked for consent
    #[arg(long)]
    first_party: bool,
    /// Its users must show two factors: a passkey, or an authenticator's code besides another proof
    #[arg(long)]
    require_mfa: bool,
    /// Its users must act for an organisation that they belong to
    #[arg(long)]
    require_organization: bool,
    /// Take authorization requests without PKCE; only for a client that authenticates
    #[arg(long)]
    no_pkce: bool,
    /// A resource that it is the server of: it may introspect tokens for it; repeat for more
    #[arg(long = "audience", value_name = "RESOURCE", num_args = 1..)]
    audiences: Vec<String>,
    /// Take its assertions also with the token endpoint as audience, not only with the issuer
    #[arg(long)]
    assertion_aud_token_endpoint: bool,
}

#[derive(Debug, Args)]
pub struct Import {
    /// JSON of client metadata, which may hold client_id and client_secret; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    terms: ImportTerms,
}

/// As [`TermArguments`], with values one at a time: here another argument follows.
#[derive(Debug, Args)]
pub struct ImportTerms {
    /// It belongs to whoever runs this instance: users are not asked for consent
    #[arg(long)]
    first_party: bool,
    /// Its users must show two factors: a passkey, or an authenticator's code besides another proof
    #[arg(long)]
    require_mfa: bool,
    /// Its users must act for an organisation that they belong to
    #[arg(long)]
    require_organization: bool,
    /// Take authorization requests without PKCE; only for a client that authenticates
    #[arg(long)]
    no_pkce: bool,
    /// A resource that it is the server of: it may introspect tokens for it; repeat for more
    #[arg(long = "audience", value_name = "RESOURCE")]
    audiences: Vec<String>,
    /// Take its assertions also with the token endpoint as audience, not only with the issuer
    #[arg(long)]
    assertion_aud_token_endpoint: bool,
}

#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    which: Which,
    #[arg(long)]
    name: Option<String>,
    /// Repeat for more, or separate by commas
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Option<Vec<String>>,
    /// Repeat for more, or separate by commas
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Option<Vec<String>>,
    /// authorization_code, refresh_token, client_credentials
    #[arg(long = "grant", value_name = "GRANT", value_delimiter = ',')]
    grants: Option<Vec<GrantType>>,
    /// Scopes it may ask for
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Option<Vec<String>>,
    /// A resource that it is the server of
    #[arg(long = "audience", value_name = "RESOURCE")]
    audiences: Option<Vec<String>>,
    /// Whether users are spared the question for consent: true or false
    #[arg(long, value_name = "BOOL")]
    first_party: Option<bool>,
    /// Whether its users must show two factors: true or false
    #[arg(long, value_name = "BOOL")]
    require_mfa: Option<bool>,
    /// Whether its users must act for an organisation that they belong to: true or false
    #[arg(long, value_name = "BOOL")]
    require_organization: Option<bool>,
    /// Whether its authorization requests must have PKCE: true or false
    #[arg(long, value_name = "BOOL")]
    pkce: Option<bool>,
    /// Whether its authorization requests must be pushed: true or false
    #[arg(long, value_name = "BOOL")]
    require_par: Option<bool>,
}

#[derive(Serialize)]
struct ClientView {
    client_id: String,
    id: ClientKey,
    client_name: String,
    status: Status,
    application_type: ApplicationType,
    token_endpoint_auth_method: ClientAuthMethod,
    first_party: bool,
    require_mfa: bool,
    require_organization: bool,
    pkce_required: bool,
    require_pushed_authorization_requests: bool,
    grant_types: Vec<GrantType>,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    scope: String,
    audiences: Vec<String>,
    id_token_signed_response_alg: SigningAlg,
    userinfo_signed_response_alg: Option<SigningAlg>,
    token_endpoint_auth_signing_alg: Option<SigningAlg>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    secrets: Vec<SecretView>,
    created_at: String,
}

#[derive(Serialize)]
struct SecretView {
    id: ClientSecretId,
    created_at: String,
    expires_at: Option<String>,
}

impl From<Client> for ClientView {
    fn from(client: Client) -> Self {
        Self {
            client_id: client.client_id,
            id: client.key,
            client_name: client.name,
            status: client.status,
            application_type: client.application_type,
            token_endpoint_auth_method: client.auth_method,
            first_party: client.first_party,
            require_mfa: client.require_mfa,
            require_organization: client.require_organization,
            pkce_required: client.pkce_required,
            require_pushed_authorization_requests: client.require_par,
            grant_types: client.grant_types,
            redirect_uris: client.redirect_uris,
            post_logout_redirect_uris: client.post_logout_redirect_uris,
            scope: client.scopes.join(" "),
            audiences: client.audiences,
            id_token_signed_response_alg: client.id_token_alg,
            userinfo_signed_response_alg: client.userinfo_alg,
            token_endpoint_auth_signing_alg: client.assertion_alg,
            jwks: client.jwks.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))),
            jwks_uri: client.jwks_uri,
            secrets: client
                .secrets
                .into_iter()
                .map(|secret| SecretView {
                    id: secret.id,
                    created_at: secret.created_at.rfc3339(),
                    expires_at: secret.expires_at.map(Timestamp::rfc3339),
                })
                .collect(),
            created_at: client.created_at.rfc3339(),
        }
    }
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let origin = Origin::command_line();
    match command {
        Command::Add(add) => create(shell, new_client(*add)?, &origin).await,
        Command::Import(import) => create(shell, imported(import)?, &origin).await,
        Command::List => list(shell).await,
        Command::Show(which) => show(shell, which.client_id).await,
        Command::Set(set) => {
            let app = shell.open().await?;
            let id = set.which.client_id.clone();
            let client = registered::change(&app, &id, change(*set), &origin).await?;
            let text = format!("{} is changed.", client.client_id);
            shell.out.answer(&text, &ClientView::from(client))
        }
        Command::RotateSecret { which, overlap } => {
            rotate_secret(shell, &which.client_id, overlap, &origin).await
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

async fn list(shell: &Shell) -> Result<(), Failure> {
    const PAGE: i64 = 500;
    let app = shell.open().await?;
    let mut views: Vec<ClientView> = Vec::new();
    loop {
        let after = views.last().map(|last| last.id);
        let page = app.db.read(move |db| clients::list(db, after, PAGE)).await?;
        if page.is_empty() {
            break;
        }
        views.extend(page.into_iter().map(ClientView::from));
    }
    let columns = ["CLIENT ID", "NAME", "STATUS", "AUTHENTICATES BY", "GRANTS", "PKCE", "FIRST PARTY"];
    shell.out.list(&views, &columns, |one| {
        vec![
            one.client_id.clone(),
            one.client_name.clone(),
            one.status.to_string(),
            one.token_endpoint_auth_method.to_string(),
            joined(&one.grant_types),
            if one.pkce_required { "required" } else { "EXEMPT" }.to_owned(),
            yes(one.first_party),
        ]
    })
}

async fn show(shell: &Shell, client_id: String) -> Result<(), Failure> {
    let app = shell.open().await?;
    let found = app.db.read(move |db| clients::find_by_client_id(db, &client_id)).await?;
    let one = ClientView::from(found.ok_or(ClientError::NoSuchClient)?);
    let mut facts = vec![
        ("client id", one.client_id.clone()),
        ("name", one.client_name.clone()),
        ("status", one.status.to_string()),
        ("type", one.application_type.to_string()),
        ("authenticates by", one.token_endpoint_auth_method.to_string()),
        ("grants", joined(&one.grant_types)),
        ("scopes", if one.scope.is_empty() { "the standard ones" } else { &one.scope }.to_owned()),
        ("first party", yes(one.first_party)),
        ("two factors", if one.require_mfa { "required" } else { "as the user likes" }.to_owned()),
        ("organisation", if one.require_organization { "required" } else { "if there is one" }.to_owned()),
        ("PKCE", if one.pkce_required { "required" } else { "EXEMPT" }.to_owned()),
        (
            "pushed requests",
            if one.require_pushed_authorization_requests { "required" } else { "allowed" }.to_owned(),
        ),
        ("ID tokens", one.id_token_signed_response_alg.to_string()),
        ("created", one.created_at.clone()),
    ];
    facts.extend(one.redirect_uris.iter().map(|uri| ("redirect URI", uri.clone())));
    facts.extend(one.post_logout_redirect_uris.iter().map(|uri| ("after sign-out", uri.clone())));
    facts.extend(one.audiences.iter().map(|audience| ("serves", audience.clone())));
    facts.extend(one.jwks_uri.iter().map(|uri| ("keys from", uri.clone())));
    facts.extend(one.secrets.iter().map(|secret| {
        let until = secret.expires_at.as_deref().unwrap_or("further notice");
        ("secret", format!("since {}, until {until}", secret.created_at))
    }));
    shell.out.facts(&facts, &one)
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

fn new_client(add: Add) -> Result<NewClient, Failure> {
    let jwks = add.jwks.as_deref().map(read_jwks).transpose()?;
    let metadata = ClientMetadata {
        client_name: Some(add.name),
        redirect_uris: split_uris(&add.redirect_uris),
        post_logout_redirect_uris: split_uris(&add.post_logout_redirect_uris),
        grant_types: Some(add.grants.iter().map(ToString::to_string).collect()),
        application_type: Some(add.application_type.to_string()),
        token_endpoint_auth_method: Some(add.auth.to_string()),
        token_endpoint_auth_signing_alg: add.assertion_alg.map(|alg| alg.to_string()),
        id_token_signed_response_alg: Some(add.id_token_alg.to_string()),
        userinfo_signed_response_alg: add.userinfo_alg.map(|alg| alg.to_string()),
        scope: Some(add.scopes.join(" ")),
        jwks,
        jwks_uri: add.jwks_uri,
        require_pushed_authorization_requests: add.require_par,
        ..ClientMetadata::default()
    };
    let terms = Terms {
        first_party: add.terms.first_party,
        require_mfa: add.terms.require_mfa,
        require_organization: add.terms.require_organization,
        pkce_required: !add.terms.no_pkce,
        audiences: split_uris(&add.terms.audiences),
        assertion_aud_token_endpoint: add.terms.assertion_aud_token_endpoint,
    };
    Ok(NewClient { metadata, client_id: add.client_id, secret: None, terms })
}

fn imported(import: Import) -> Result<NewClient, Failure> {
    let text = read_file(&import.file)?;
    let mut metadata = ClientMetadata::parse(&text).map_err(ClientError::Metadata)?;
    let client_id = take_text(&mut metadata.other, "client_id")?;
    let secret = take_text(&mut metadata.other, "client_secret")?.map(Secret::from_text);
    let expires_at = match metadata.other.remove("client_secret_expires_at") {
        None | Some(Value::Null) => None,
        // RFC 7591 §3.2.1: 0 means never.
        Some(seconds) => match seconds.as_i64() {
            Some(0) => None,
            Some(seconds) if seconds > 0 => Some(Timestamp::from_seconds(seconds)),
            _ => return Err(member("client_secret_expires_at", "not a number of seconds since 1970")),
        },
    };
    Ok(NewClient {
        metadata,
        client_id,
        secret: secret.map(|secret| BroughtSecret { secret, expires_at }),
        terms: Terms {
            first_party: import.terms.first_party,
            require_mfa: import.terms.require_mfa,
            require_organization: import.terms.require_organization,
            pkce_required: !import.terms.no_pkce,
            audiences: split_uris(&import.terms.audiences),
            assertion_aud_token_endpoint: import.terms.assertion_aud_token_endpoint,
        },
    })
}

fn change(set: Set) -> Change {
    Change {
        name: set.name,
        redirect_uris: set.redirect_uris.map(|uris| split_uris(&uris)),
        post_logout_redirect_uris: set.post_logout_redirect_uris.map(|uris| split_uris(&uris)),
        grant_types: set.grants,
        scopes: set.scopes,
        audiences: set.audiences.map(|audiences| split_uris(&audiences)),
        first_party: set.first_party,
        require_mfa: set.require_mfa,
        require_organization: set.require_organization,
        pkce_required: set.pkce,
        require_par: set.require_par,
        ..Change::default()
    }
}

fn take_text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Failure> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(member(name, "not text")),
    }
}

fn member(name: &str, why: &str) -> Failure {
    Failure::Failed(format!("the client is refused: {name}: {why}"))
}

fn read_jwks(path: &Path) -> Result<Value, Failure> {
    serde_json::from_slice(&read_file(path)?)
        .map_err(|error| Failure::Failed(format!("{} is not JSON: {error}", path.display())))
}

/// A file of at most 256 KiB, or standard input for `-`.
fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    const MOST: u64 = 256 * 1024;
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::Failed(format!("cannot read {}: {error}", path.display())))?;
    if bytes.len() as u64 > MOST {
        return Err(Failure::Failed(format!("{} is larger than 256 KiB", path.display())));
    }
    Ok(bytes)
}

fn own_alg(text: &str) -> Result<SigningAlg, String> {
    one_of(text, &OWN_ALGS)
}

fn assertion_alg(text: &str) -> Result<SigningAlg, String> {
    one_of(text, ASSERTION_ALGS)
}

fn one_of(text: &str, known: &[SigningAlg]) -> Result<SigningAlg, String> {
    known.iter().copied().find(|alg| alg.as_str() == text).ok_or_else(|| {
        let known: Vec<&str> = known.iter().map(|alg| alg.as_str()).collect();
        format!("expected one of {}", known.join(", "))
    })
}

fn joined(grants: &[GrantType]) -> String {
    grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>().join(" ")
}

fn yes(fact: bool) -> String {
    if fact { "yes" } else { "no" }.to_owned()
}
