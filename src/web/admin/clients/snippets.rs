//! Settings of common frameworks with a client's own values. Only what fits how the client signs people in and proves
//! who it is; a secret is never in them, it is read from the environment.

use crate::model::{Client, ClientAuthMethod};
use crate::protocol::client_auth::JWT_BEARER;
use crate::protocol::scope::{EMAIL, OPENID, PROFILE};
use crate::tenancy::clients::kinds::Kind;

/// A text to copy.
pub(super) struct Snippet {
    /// What the framework calls itself.
    pub title: &'static str,
    pub text: String,
    /// Whether the framework sends the secret in the form, and the client is registered to send it in the header.
    pub wants_form: bool,
}

struct Template {
    title: &'static str,
    text: &'static str,
    fits: &'static [Kind],
    by_form: bool,
}

const fn of(title: &'static str, text: &'static str, fits: &'static [Kind]) -> Template {
    Template { title, text, fits, by_form: false }
}

macro_rules! text {
    ($name:literal) => {
        include_str!(concat!("../../../../templates/snippets/", $name, ".txt"))
    };
}

const SERVER: &[Kind] = &[Kind::Server, Kind::Proxy];

/// In the order of the page.
const TEMPLATES: &[Template] = &[
    of("OpenID Connect", text!("environment"), &Kind::ALL),
    of("Node.js: openid-client", text!("openid-client"), SERVER),
    of("Next.js: Auth.js", text!("auth-js"), SERVER),
    of("Java: Spring Security", text!("spring"), SERVER),
    Template { title: "ASP.NET Core", text: text!("asp-net"), fits: SERVER, by_form: true },
    of("Python: Django, Flask with Authlib", text!("authlib"), SERVER),
    of("Go: coreos/go-oidc", text!("go"), SERVER),
    of("Rust: openidconnect", text!("rust"), SERVER),
    of("oauth2-proxy", text!("oauth2-proxy"), SERVER),
    of("nginx: auth_request", text!("nginx"), SERVER),
    of("JavaScript: oidc-client-ts", text!("browser"), &[Kind::Browser]),
    of("Android: AppAuth", text!("device"), &[Kind::Device]),
    of("curl: client_credentials", text!("machine"), &[Kind::Machine]),
    of("curl: introspection", text!("introspection"), &[Kind::Api]),
];

/// Everything that fits the client.
pub(super) fn all(client: &Client, issuer: &str) -> Vec<Snippet> {
    let kind = Kind::of(client);
    TEMPLATES
        .iter()
        .filter(|template| template.fits.contains(&kind))
        .map(|template| Snippet {
            title: template.title,
            text: filled(template.text, client, issuer),
            wants_form: template.by_form && client.auth_method == ClientAuthMethod::SecretBasic,
        })
        .collect()
}

/// The values hold neither quotes nor backslashes: see the checks of redirect URIs, scopes and client ids. A line whose
/// value the client does not have is left out.
fn filled(template: &str, client: &Client, issuer: &str) -> String {
    let redirect = client.redirect_uris.first().map_or("", String::as_str);
    let scope = scope(client);
    let (node, go, rust, rust_secret) = match client.auth_method {
        ClientAuthMethod::SecretPost => (
            "oidc.ClientSecretPost(process.env.OIDC_CLIENT_SECRET)",
            "oauth2.AuthStyleInParams",
            "RequestBody",
            RUST_SECRET,
        ),
        ClientAuthMethod::PrivateKeyJwt => {
            ("oidc.PrivateKeyJwt(privateKey)", "oauth2.AuthStyleInParams", "RequestBody", "None")
        }
        ClientAuthMethod::None => ("oidc.None()", "oauth2.AuthStyleInParams", "RequestBody", "None"),
        ClientAuthMethod::SecretBasic => (
            "oidc.ClientSecretBasic(process.env.OIDC_CLIENT_SECRET)",
            "oauth2.AuthStyleInHeader",
            "BasicAuth",
            RUST_SECRET,
        ),
    };
    let curl = match client.auth_method {
        ClientAuthMethod::SecretBasic => format!("--user \"{}:$OIDC_CLIENT_SECRET\"", client.client_id),
        ClientAuthMethod::SecretPost => format!(
            "--data-urlencode client_id=\"{}\" --data-urlencode client_secret=\"$OIDC_CLIENT_SECRET\"",
            client.client_id
        ),
        ClientAuthMethod::PrivateKeyJwt => format!(
            "--data-urlencode client_assertion_type=\"{JWT_BEARER}\" --data-urlencode client_assertion=\"$ASSERTION\""
        ),
        ClientAuthMethod::None => format!("--data-urlencode client_id=\"{}\"", client.client_id),
    };
    let secret = match client.auth_method {
        ClientAuthMethod::SecretBasic | ClientAuthMethod::SecretPost => "…",
        _ => "",
    };
    // Libraries that refuse an issuer without TLS are told that it is meant.
    let (node_plain, asp_tls) =
        if issuer.starts_with("http://") { ("oidc.allowInsecureRequests", "false") } else { ("", "") };
    let values = [
        ("%ISSUER%", issuer),
        ("%NODE_PLAIN%", node_plain),
        ("%ASP_TLS%", asp_tls),
        ("%CLIENT_ID%", &client.client_id),
        ("%SECRET%", secret),
        ("%METHOD%", client.auth_method.as_str()),
        ("%REDIRECT_URI%", redirect),
        ("%REDIRECT_SCHEME%", redirect.split(':').next().unwrap_or_default()),
        ("%POST_LOGOUT%", client.post_logout_redirect_uris.first().map_or("", String::as_str)),
        ("%SCOPE%", &scope),
        ("%SCOPE_LIST%", &scope.replace(' ', ", ")),
        ("%NODE_AUTH%", node),
        ("%GO_AUTH%", go),
        ("%RUST_AUTH%", rust),
        ("%RUST_SECRET%", rust_secret),
        ("%CURL_AUTH%", &curl),
    ];
    let mut text = String::with_capacity(template.len() + 256);
    for line in template.lines() {
        if values.iter().any(|(name, value)| value.is_empty() && line.contains(name)) {
            continue;
        }
        let line = values.iter().fold(line.to_owned(), |line, (name, value)| line.replace(name, value));
        text.push_str(&line);
        text.push('\n');
    }
    text
}

const RUST_SECRET: &str = r#"Some(ClientSecret::new(std::env::var("OIDC_CLIENT_SECRET")?))"#;

/// What the application asks for: what it may, or of the standard ones what most need.
fn scope(client: &Client) -> String {
    match (client.scopes.is_empty(), Kind::of(client).has_users()) {
        (true, true) => [OPENID, PROFILE, EMAIL].join(" "),
        _ => client.scopes.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::crypto::Random;
    use crate::model::ClientKey;

    #[test]
    fn every_snippet_has_the_clients_values_and_no_gaps() {
        for kind in Kind::ALL {
            let mut metadata = kind.metadata();
            if kind.has_users() {
                metadata.redirect_uris = vec!["https://app.example.com/cb".to_owned()];
            }
            let key = ClientKey::new(Timestamp(1), &Random::system());
            let client = metadata.to_client(key, "calendar".to_owned(), Timestamp(1)).expect("a client");
            let snippets = all(&client, "https://id.example.com");
            assert!(snippets.len() > 1, "{kind:?}");
            for snippet in snippets {
                assert!(!snippet.text.contains('%'), "{}: {}", snippet.title, snippet.text);
                assert!(snippet.text.contains("https://id.example.com"), "{}", snippet.title);
                let is_without_id = snippet.title == "nginx: auth_request";
                assert!(is_without_id || snippet.text.contains("calendar"), "{}", snippet.title);
            }
        }
    }
}
