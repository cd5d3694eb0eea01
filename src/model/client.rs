//! What an application and an API are registered as.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::crypto::Digest;

use super::{
    ApplicationType, ClientAuthMethod, ClientKey, ClientSecretId, GrantType, Place, ResourceId, SigningAlg,
    Status,
};

/// An OAuth client with everything it registered (RFC 7591 §2, OpenID Connect Dynamic Client Registration §2).
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    pub key: ClientKey,
    /// What the client calls itself on the wire.
    pub client_id: String,
    pub name: String,
    pub status: Status,
    pub application_type: ApplicationType,
    pub auth_method: ClientAuthMethod,
    /// The secrets that are live or were; each is checked against the time of use.
    pub secrets: Vec<ClientSecret>,
    /// Belongs to whoever runs this instance: its users are not asked for consent.
    pub first_party: bool,
    /// Its users must have shown two factors, whoever they are (MF-5).
    pub require_mfa: bool,
    /// Its users must act for an organisation that they belong to.
    pub require_organization: bool,
    /// Whether an authorization request without a PKCE challenge is refused. Only a confidential client may be exempted.
    pub pkce_required: bool,
    pub require_par: bool,
    pub redirect_uris: Vec<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub grant_types: Vec<GrantType>,
    /// The scopes it may ask for. Empty means the standard OpenID Connect scopes.
    pub scopes: Vec<String>,
    pub contacts: Vec<String>,
    /// The resources that this client is the server of: it may introspect the tokens that are for them.
    pub audiences: Vec<String>,
    pub default_acr_values: Vec<String>,
    /// Seconds.
    pub default_max_age: Option<i64>,
    pub require_auth_time: bool,
    pub id_token_alg: SigningAlg,
    /// When set, userinfo answers a signed JWT.
    pub userinfo_alg: Option<SigningAlg>,
    /// When set, the only algorithm of its `private_key_jwt` assertions.
    pub assertion_alg: Option<SigningAlg>,
    /// Whether its assertions may name the token endpoint as audience beside the issuer (CA-3).
    pub assertion_aud_token_endpoint: bool,
    /// A JWK Set by value. Never together with `jwks_uri`.
    pub jwks: Option<String>,
    pub jwks_uri: Option<String>,
    pub logo_uri: Option<String>,
    pub client_uri: Option<String>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub initiate_login_uri: Option<String>,
    pub created_at: Timestamp,
    /// In the status lists, for its own tokens: each names one of them.
    pub places: Vec<Place>,
}

/// A client's secret, as its digest.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSecret {
    pub id: ClientSecretId,
    pub digest: Digest,
    pub created_at: Timestamp,
    /// From then on it is refused; `None` means it lives until it is removed.
    pub expires_at: Option<Timestamp>,
}

impl Client {
    /// Whether it can keep a secret (RFC 6749 §2.1).
    pub fn is_confidential(&self) -> bool {
        self.auth_method != ClientAuthMethod::None
    }

    pub fn may_use(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }
}

/// An API that access tokens are for.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    pub id: ResourceId,
    /// The `aud` of its tokens and the value of the `resource` parameter (RFC 8707 §2): an absolute URI.
    pub identifier: String,
    pub name: String,
    pub status: Status,
    /// Life of an access token for it; `None` means the instance's default.
    pub access_ttl: Option<Duration>,
    /// Scope and what the consent page says of it.
    pub scopes: BTreeMap<String, String>,
}
