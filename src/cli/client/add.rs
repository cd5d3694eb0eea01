//! `countersign client add` and `import`.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value};

use super::super::{Failure, split_uris};
use crate::clock::Timestamp;
use crate::crypto::Secret;
use crate::model::{ApplicationType, ClientAuthMethod, GrantType, SigningAlg};
use crate::protocol::metadata::{ASSERTION_ALGS, OWN_ALGS};
use crate::protocol::registration::ClientMetadata;
use crate::tenancy::clients::{BroughtSecret, ClientError, NewClient, Terms};

const ADD_EXAMPLES: &str = "\
Examples:
  A web application:
    countersign client add --name Calendar --redirect-uri https://calendar.example.com/callback
  A single-page or native application, which cannot keep a secret:
    countersign client add --name 'Calendar for phones' --auth none --application-type native \\
      --redirect-uri com.example.calendar:/callback
  A service that acts for itself:
    countersign client add --name Reports --grant client_credentials --scope reports:read";

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

/// The client that the arguments describe.
pub fn new_client(add: Add) -> Result<NewClient, Failure> {
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

/// The client that a file describes.
pub fn imported(import: Import) -> Result<NewClient, Failure> {
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

/// A JWK Set from a file.
pub fn read_jwks(path: &Path) -> Result<Value, Failure> {
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

/// What signs ID tokens here.
pub fn own_alg(text: &str) -> Result<SigningAlg, String> {
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
