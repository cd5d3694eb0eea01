//! `[[providers]]`: identity providers that may vouch for people.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::sections::write;
use crate::crypto::Secret;
use crate::model::{FirstSignIn, ProviderKind};

/// The word in `tenants` that admits every tenant.
pub const ANY: &str = "any";

/// No provider's id: the console sets a provider up where the page of this one would be.
const RESERVED: &str = "new";

/// One of `[[providers]]`, or one that the command line stored: the same settings.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name in addresses, such as `/login/federation/google`: small letters, digits and `-`.
    pub id: String,
    /// `google`, `microsoft`, or `oidc` for any other OpenID Provider.
    pub kind: ProviderKind,
    /// What its button says. Unset: `Google`, `Microsoft`, or the issuer's host.
    #[serde(default)]
    pub name: Option<String>,
    /// What we are called there.
    pub client_id: String,
    /// Our secret there. Only an `oidc` provider may do without.
    #[serde(default, serialize_with = "write::optional_secret")]
    pub client_secret: Option<Secret>,
    /// A file that holds the secret.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// Its issuer, exactly as its metadata spells it. Needed for `oidc` only.
    #[serde(default)]
    pub issuer: Option<String>,
    /// The Microsoft tenants whose people may come: their ids, or `["any"]`.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// For `oidc`: the mail domains for which its word about an address counts. Empty: all.
    #[serde(default)]
    pub email_domains: Vec<String>,
    /// Scopes asked for besides `openid profile email`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Who comes for the first time: `create_organisation`, `invited_only` or `refuse`. Unset: as `registration.mode`.
    #[serde(default)]
    pub first_sign_in: Option<FirstSignIn>,
    /// Whether it is on this machine or in a private network; then also over http.
    #[serde(default)]
    pub allow_private_network: bool,
}

impl Provider {
    /// What people call it.
    pub fn label(&self) -> String {
        match (&self.name, self.kind) {
            (Some(name), _) => name.clone(),
            (None, ProviderKind::Google) => "Google".to_owned(),
            (None, ProviderKind::Microsoft) => "Microsoft".to_owned(),
            (None, ProviderKind::Oidc) => {
                let issuer = self.issuer.as_deref().and_then(|issuer| Url::parse(issuer).ok());
                issuer
                    .and_then(|issuer| issuer.host_str().map(str::to_owned))
                    .unwrap_or_else(|| self.id.clone())
            }
        }
    }

    /// Every setting that must not be used as it is, with the reason.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut refuse_if = |wrong: bool, field: &'static str, reason: &str| {
            if wrong {
                found.push((field, reason.to_owned()));
            }
        };
        refuse_if(
            !is_id(&self.id),
            "id",
            "must have 1 to 32 small letters, digits or `-`, and begin with a letter or digit",
        );
        refuse_if(
            self.id == RESERVED,
            "id",
            "is reserved: at this address the console sets a provider up; choose another, such as `corp`",
        );
        let is_label =
            |name: &String| !name.trim().is_empty() && name.chars().count() <= 60 && !has_control(name);
        refuse_if(
            !self.name.as_ref().is_none_or(is_label),
            "name",
            "must have 1 to 60 characters on one line",
        );
        refuse_if(
            self.client_id.is_empty() || self.client_id.len() > 255 || !is_graphic(&self.client_id),
            "client_id",
            "must have 1 to 255 characters and no spaces",
        );
        refuse_if(
            self.client_secret.is_none() && self.kind != ProviderKind::Oidc,
            "client_secret",
            "must be set, or `client_secret_file`",
        );
        refuse_if(
            self.client_secret.as_ref().is_some_and(|secret| secret.expose().is_empty()),
            "client_secret",
            "is empty",
        );
        if let Some(reason) = self.issuer_problem() {
            refuse_if(true, "issuer", reason);
        }
        let is_microsoft = self.kind == ProviderKind::Microsoft;
        refuse_if(!is_microsoft && !self.tenants.is_empty(), "tenants", "is for `microsoft` only");
        refuse_if(
            is_microsoft && self.tenants.is_empty(),
            "tenants",
            "must name the tenants whose people may come by their ids, or be `[\"any\"]`",
        );
        refuse_if(
            self.tenants.len() > 1 && self.tenants.iter().any(|tenant| tenant == ANY),
            "tenants",
            "holds `any` beside others; keep one of the two",
        );
        refuse_if(
            !self.tenants.iter().all(|tenant| tenant == ANY || is_tenant_id(tenant)),
            "tenants",
            "must hold tenant ids like `72f988bf-86f1-41af-91ab-2d7cd011db47`, in small letters, or `any`",
        );
        refuse_if(
            self.kind != ProviderKind::Oidc && !self.email_domains.is_empty(),
            "email_domains",
            "is for `oidc` only",
        );
        refuse_if(
            !self.email_domains.iter().all(|domain| is_domain(domain)),
            "email_domains",
            "must hold domains like `example.com`, in small letters",
        );
        refuse_if(
            !self.scopes.iter().all(|scope| !scope.is_empty() && is_graphic(scope)),
            "scopes",
            "must hold one scope in each element",
        );
        found
    }

    fn issuer_problem(&self) -> Option<&'static str> {
        let Some(issuer) = &self.issuer else {
            return (self.kind == ProviderKind::Oidc).then_some("must be set for `oidc`");
        };
        let Ok(url) = Url::parse(issuer) else {
            return Some("is not a URL; write it like `https://idp.example.com`");
        };
        let is_plain = url.username().is_empty() && url.password().is_none();
        if url.host_str().is_none_or(str::is_empty)
            || !is_plain
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Some("must be a URL with a host, and without user, query and fragment");
        }
        match url.scheme() {
            "https" => None,
            "http" if self.allow_private_network => None,
            "http" => Some(
                "must be https; http is only for a private network, with `allow_private_network = true` (`--allow-private-network`)",
            ),
            _ => Some("must be https"),
        }
    }
}

fn is_id(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= 32
        && text.bytes().next().is_some_and(letter)
        && text.bytes().all(|b| letter(b) || b == b'-')
}

/// A tenant's id is a GUID; its names can be moved to another tenant.
pub fn is_tenant_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

fn is_domain(text: &str) -> bool {
    text.contains('.') && idna::domain_to_ascii_strict(text).is_ok_and(|ascii| ascii == text)
}

fn is_graphic(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(kind: ProviderKind) -> Provider {
        Provider {
            id: "corp".to_owned(),
            kind,
            name: None,
            client_id: "us".to_owned(),
            client_secret: Some(Secret::from_text("s3cret")),
            client_secret_file: None,
            issuer: Some("https://idp.example.com".to_owned()),
            tenants: match kind {
                ProviderKind::Microsoft => vec![ANY.to_owned()],
                _ => Vec::new(),
            },
            email_domains: Vec::new(),
            scopes: Vec::new(),
            first_sign_in: None,
            allow_private_network: false,
        }
    }

    #[test]
    fn a_provider_has_what_its_kind_needs() {
        use ProviderKind::{Google, Microsoft, Oidc};
        type Change = fn(&mut Provider);
        let tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        let cases: [(ProviderKind, Change, &[&str]); 24] = [
            (Google, |_| {}, &[]),
            (Microsoft, |_| {}, &[]),
            (Oidc, |_| {}, &[]),
            (Google, |p| p.issuer = None, &[]),
            (Google, |p| p.id = "new".to_owned(), &["id"]),
            (Google, |p| p.id = "new-corp".to_owned(), &[]),
            (Oidc, |p| p.issuer = None, &["issuer"]),
            (Oidc, |p| p.client_secret = None, &[]),
            (Google, |p| p.client_secret = None, &["client_secret"]),
            (Google, |p| p.client_secret = Some(Secret::from_text("")), &["client_secret"]),
            (Oidc, |p| p.issuer = Some("http://localhost:9".to_owned()), &["issuer"]),
            (
                Oidc,
                |p| {
                    p.issuer = Some("http://localhost:9".to_owned());
                    p.allow_private_network = true;
                },
                &[],
            ),
            (Oidc, |p| p.issuer = Some("https://u:p@idp.example.com".to_owned()), &["issuer"]),
            (Oidc, |p| p.issuer = Some("https://idp.example.com?a=b".to_owned()), &["issuer"]),
            (Oidc, |p| p.issuer = Some("ftp://idp.example.com".to_owned()), &["issuer"]),
            (Oidc, |p| p.issuer = Some("idp.example.com".to_owned()), &["issuer"]),
            (Oidc, |p| p.tenants = vec![ANY.to_owned()], &["tenants"]),
            (Microsoft, |p| p.tenants.clear(), &["tenants"]),
            (Microsoft, |p| p.tenants = vec!["contoso.onmicrosoft.com".to_owned()], &["tenants"]),
            (Microsoft, |p| p.tenants.push("72f988bf-86f1-41af-91ab-2d7cd011db47".to_owned()), &["tenants"]),
            (Google, |p| p.email_domains = vec!["example.com".to_owned()], &["email_domains"]),
            (Oidc, |p| p.email_domains = vec!["Example.com".to_owned()], &["email_domains"]),
            (Oidc, |p| p.scopes = vec!["a b".to_owned()], &["scopes"]),
            (
                Oidc,
                |p| {
                    p.id = "../Corp".to_owned();
                    p.name = Some("a\nb".to_owned());
                    p.client_id = "a b".to_owned();
                },
                &["id", "name", "client_id"],
            ),
        ];
        for (index, (kind, change, fields)) in cases.into_iter().enumerate() {
            let mut provider = provider(kind);
            change(&mut provider);
            let found: Vec<_> = provider.problems().into_iter().map(|(field, _)| field).collect();
            assert_eq!(found, fields, "case {index}");
        }
        assert!(is_tenant_id(tenant) && !is_tenant_id(&tenant.to_uppercase()) && !is_tenant_id("any"));
    }

    #[test]
    fn a_button_always_says_something() {
        assert_eq!(provider(ProviderKind::Google).label(), "Google");
        assert_eq!(provider(ProviderKind::Microsoft).label(), "Microsoft");
        assert_eq!(provider(ProviderKind::Oidc).label(), "idp.example.com");
        let named = Provider { name: Some("Corp".to_owned()), ..provider(ProviderKind::Oidc) };
        assert_eq!(named.label(), "Corp");
    }

    #[test]
    fn lo_2_the_secret_is_not_shown() {
        let provider = provider(ProviderKind::Google);
        let shown = format!("{provider:?} {}", toml::to_string(&provider).unwrap());
        assert!(!shown.contains("s3cret") && shown.contains("(set)"), "{shown}");
    }
}
