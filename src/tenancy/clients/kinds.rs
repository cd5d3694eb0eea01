//! What kinds of application there are, and what each is registered with. Only the start: everything can be changed
//! later, and a kind is not stored; [`Kind::of`] tells it from what a client is.

use crate::model::{ApplicationType, Client, ClientAuthMethod, GrantType};
use crate::protocol::registration::ClientMetadata;
use crate::protocol::scope;
use crate::store::clients::Listed;

/// A kind of application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A web application whose own server keeps a secret.
    Server,
    /// An application that is all in the browser.
    Browser,
    /// An application that is installed on a phone or a computer.
    Device,
    /// A service that acts for itself, without anybody at a browser.
    Machine,
    /// An API that asks about the tokens it is shown.
    Api,
    /// A proxy that signs people in before it lets them to what stands behind it.
    Proxy,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Server, Self::Browser, Self::Device, Self::Machine, Self::Api, Self::Proxy];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Browser => "browser",
            Self::Device => "device",
            Self::Machine => "machine",
            Self::Api => "api",
            Self::Proxy => "proxy",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether people sign in to it.
    pub const fn has_users(self) -> bool {
        matches!(self, Self::Server | Self::Browser | Self::Device | Self::Proxy)
    }

    pub const fn application_type(self) -> ApplicationType {
        match self {
            Self::Device => ApplicationType::Native,
            _ => ApplicationType::Web,
        }
    }

    /// How it proves who it is. What runs in other people's hands keeps no secret (RFC 8252 §8.5).
    pub const fn auth_method(self) -> ClientAuthMethod {
        match self {
            Self::Browser | Self::Device => ClientAuthMethod::None,
            _ => ClientAuthMethod::SecretBasic,
        }
    }

    pub const fn grant_types(self) -> &'static [GrantType] {
        match self {
            Self::Machine | Self::Api => &[GrantType::ClientCredentials],
            _ => &[GrantType::AuthorizationCode, GrantType::RefreshToken],
        }
    }

    /// The scopes that most of its kind ask for.
    pub const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Server | Self::Device => {
                &[scope::OPENID, scope::PROFILE, scope::EMAIL, scope::OFFLINE_ACCESS]
            }
            Self::Browser | Self::Proxy => &[scope::OPENID, scope::PROFILE, scope::EMAIL],
            Self::Machine | Self::Api => &[],
        }
    }

    /// What it is registered with, but for its name and addresses.
    pub fn metadata(self) -> ClientMetadata {
        ClientMetadata {
            application_type: Some(self.application_type().to_string()),
            token_endpoint_auth_method: Some(self.auth_method().to_string()),
            grant_types: Some(self.grant_types().iter().map(ToString::to_string).collect()),
            scope: Some(self.scopes().join(" ")),
            ..ClientMetadata::default()
        }
    }

    /// What a client looks like. A proxy looks like any web application with a server.
    pub fn of(client: &Client) -> Self {
        Self::told_by(client.application_type, client.auth_method, &client.grant_types, &client.audiences)
    }

    /// The same of a line of the list.
    pub fn of_listed(client: &Listed) -> Self {
        Self::told_by(client.application_type, client.auth_method, &client.grant_types, &client.audiences)
    }

    fn told_by(
        application_type: ApplicationType,
        auth_method: ClientAuthMethod,
        grant_types: &[GrantType],
        audiences: &[String],
    ) -> Self {
        match (grant_types.contains(&GrantType::AuthorizationCode), application_type, auth_method) {
            (false, ..) if audiences.is_empty() => Self::Machine,
            (false, ..) => Self::Api,
            (true, ApplicationType::Native, _) => Self::Device,
            (true, ApplicationType::Web, ClientAuthMethod::None) => Self::Browser,
            (true, ApplicationType::Web, _) => Self::Server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::crypto::Random;
    use crate::model::ClientKey;

    #[test]
    fn a_client_is_of_the_kind_that_it_was_made_as() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
            let mut metadata = kind.metadata();
            if kind.has_users() {
                metadata.redirect_uris = vec!["https://app.example.com/cb".to_owned()];
            }
            let key = ClientKey::new(Timestamp(1), &Random::system());
            let mut client = metadata.to_client(key, "app".to_owned(), Timestamp(1)).expect("good defaults");
            if kind == Kind::Api {
                client.audiences = vec!["https://api.example.com".to_owned()];
            }
            let expected = if kind == Kind::Proxy { Kind::Server } else { kind };
            assert_eq!(Kind::of(&client), expected);
            assert!(client.pkce_required, "AZ-4: a default never leaves PKCE out");
        }
    }
}
