//! What a proxy demands of a request before it lets it pass. Written in the proxy's configuration, never by the client.
//!
//! A demand that is not understood is refused: one that were passed over would open what it should have closed.

use super::scope::ScopeSet;
use super::{OAuthError, Params};

/// The parameters of `/forward-auth`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// A role that the caller's highest one must reach.
    pub role: Option<String>,
    /// All of these.
    pub scope: ScopeSet,
    /// The API that stands behind the proxy.
    pub audience: Option<String>,
    /// By id or short name.
    pub organisation: Option<String>,
    /// Whether a fresh token for the audience is to be made.
    pub token: bool,
    /// The client by whose name a browser's token is made.
    pub client: Option<String>,
}

impl Demands {
    /// Reads them as they stand in a query.
    pub fn parse(query: &str) -> Result<Self, OAuthError> {
        let params = Params::parse(query.as_bytes())?;
        let written = query.split('&').filter(|piece| !piece.is_empty()).count();
        if params.iter().count() != written {
            return Err(OAuthError::invalid_request("a parameter has no value"));
        }
        let mut demands = Self::default();
        for (name, value) in params.iter() {
            let text = Some(value.to_owned());
            match name {
                "role" => demands.role = text,
                "scope" => demands.scope = ScopeSet::parse(value)?,
                "audience" => demands.audience = text,
                "organization" => demands.organisation = text,
                "client" => demands.client = text,
                "token" if value == "1" => demands.token = true,
                "token" => return Err(OAuthError::invalid_request("token is 1 or left out")),
                _ => return Err(OAuthError::invalid_request("there is a parameter that is not known here")),
            }
        }
        if params.get("scope").is_some() && demands.scope.is_empty() {
            return Err(OAuthError::invalid_request("scope names no scope"));
        }
        if demands.token && demands.audience.is_none() {
            return Err(OAuthError::invalid_request("token needs audience: the API that it is for"));
        }
        Ok(demands)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demands_are_read_as_they_are_written() {
        let read =
            Demands::parse("role=manager&scope=a:read+b&audience=https%3A%2F%2Fapi%2F&organization=acme");
        let expected = Demands {
            role: Some("manager".to_owned()),
            scope: ScopeSet::parse("a:read b").unwrap(),
            audience: Some("https://api/".to_owned()),
            organisation: Some("acme".to_owned()),
            ..Demands::default()
        };
        assert_eq!(read, Ok(expected));
        assert_eq!(Demands::parse(""), Ok(Demands::default()));
        let read = Demands::parse("token=1&audience=x&client=web").unwrap();
        assert!(read.token && read.client.as_deref() == Some("web"));
    }

    #[test]
    fn what_is_not_understood_opens_nothing() {
        for wrong in [
            "rol=manager",
            "role=",
            "role",
            "role=a&role=b",
            "scope=a&scope=b",
            "scope=+",
            "scope=%22",
            "resource=a&resource=b",
            "token=yes&audience=x",
            "token=1",
            "role=%zz",
        ] {
            assert!(Demands::parse(wrong).is_err(), "{wrong}");
        }
    }
}
