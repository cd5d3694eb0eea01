//! Which issuer speaks for a provider (FE-4, FE-5).
//!
//! It follows from the configuration alone, never from a token. Microsoft has one issuer for each tenant and one
//! metadata document for all: there the tenant that a token names is looked up in the allow-list, the tenant's issuer
//! is written down, and the token has to be from exactly that one.

use std::borrow::Cow;

use crate::config::{ANY, Provider, is_tenant_id};
use crate::model::ProviderKind;

const GOOGLE: &str = "https://accounts.google.com";
const MICROSOFT: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";
/// Stands for a tenant's id, in Microsoft's metadata and in the configuration.
const TENANT: &str = "{tenantid}";
/// The tenant of people who belong to no organisation.
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
/// Not tenants: where people of several tenants are sent.
const SHARED: [&str; 3] = ["common", "organizations", "consumers"];

/// How the issuer of a token is known before the token is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// It is this one.
    Exact(String),
    /// It is this one with the tenant's id in place of `{tenantid}`.
    PerTenant(String),
}

/// Where the metadata stands, and what issuers it may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    base: String,
    rules: Vec<Rule>,
}

impl Authority {
    pub(super) fn of(settings: &Provider) -> Self {
        match settings.kind {
            ProviderKind::Microsoft => Self::of_microsoft(settings),
            ProviderKind::Google => Self::of_one(settings.issuer.as_deref().unwrap_or(GOOGLE)),
            // Checked when it was configured; without one, nothing is ever announced by the empty name.
            ProviderKind::Oidc => Self::of_one(settings.issuer.as_deref().unwrap_or_default()),
        }
    }

    fn of_one(issuer: &str) -> Self {
        Self { base: issuer.to_owned(), rules: vec![Rule::Exact(issuer.to_owned())] }
    }

    fn of_microsoft(settings: &Provider) -> Self {
        let issuer = settings.issuer.as_deref().unwrap_or(MICROSOFT).trim_end_matches('/');
        let sole = match settings.tenants.as_slice() {
            [tenant] if tenant != ANY => Some(tenant.as_str()),
            _ => None,
        };
        match (template(issuer), sole) {
            (Some((template, _)), Some(tenant)) => {
                let base = template.replace(TENANT, tenant);
                Self { rules: vec![Rule::Exact(base.clone()), Rule::PerTenant(template.into_owned())], base }
            }
            (Some((template, shared)), None) => {
                let everybody = settings.tenants.iter().any(|tenant| tenant == ANY || tenant == CONSUMERS);
                let shared = shared.unwrap_or(if everybody { "common" } else { "organizations" });
                Self {
                    base: template.replace(TENANT, shared),
                    rules: vec![Rule::PerTenant(template.into_owned())],
                }
            }
            (None, _) => Self {
                base: issuer.to_owned(),
                rules: vec![
                    Rule::Exact(issuer.to_owned()),
                    Rule::PerTenant(format!("{issuer}/{TENANT}/v2.0")),
                ],
            },
        }
    }

    /// OpenID Connect Discovery §4.1.
    pub(super) fn metadata_url(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.base.trim_end_matches('/'))
    }

    /// The rule, if the metadata is by whom it should be: its issuer is compared, not believed
    /// (OpenID Connect Discovery §4.3).
    pub(super) fn rule(self, announced: &str) -> Option<Rule> {
        self.rules.into_iter().find(|rule| match rule {
            Rule::Exact(issuer) | Rule::PerTenant(issuer) => issuer == announced,
        })
    }
}

/// An issuer with `{tenantid}` in it, and the shared name that stood there, if one did.
fn template(issuer: &str) -> Option<(Cow<'_, str>, Option<&str>)> {
    if issuer.contains(TENANT) {
        return Some((Cow::Borrowed(issuer), None));
    }
    let (front, last) = issuer.strip_suffix("/v2.0")?.rsplit_once('/')?;
    SHARED.contains(&last).then(|| (Cow::Owned(format!("{front}/{TENANT}/v2.0")), Some(last)))
}

impl Rule {
    /// The issuer that a token of this tenant must be from. `None` if the tenant is not admitted.
    pub(super) fn issuer(&self, settings: &Provider, tenant: Option<&str>) -> Option<String> {
        if settings.kind == ProviderKind::Microsoft && !tenant.is_some_and(|tenant| admits(settings, tenant))
        {
            return None;
        }
        match (self, tenant) {
            (Self::PerTenant(template), Some(tenant)) => Some(template.replace(TENANT, tenant)),
            (Self::PerTenant(_), None) => None,
            (Self::Exact(issuer), Some(tenant)) => {
                // An issuer that names a tenant speaks for that one only.
                let named = issuer.split('/').find(|part| is_tenant_id(part));
                named.is_none_or(|named| named == tenant).then(|| issuer.clone())
            }
            (Self::Exact(issuer), None) => Some(issuer.clone()),
        }
    }

    /// Whether an authorization response may be from this issuer (RFC 9207 §2.4). Of several tenants, the token will
    /// say which.
    pub(super) fn may_answer(&self, settings: &Provider, iss: &str) -> bool {
        match self {
            Self::Exact(issuer) => issuer == iss,
            Self::PerTenant(template) => {
                template == iss
                    || iss
                        .split('/')
                        .find(|part| is_tenant_id(part))
                        .is_some_and(|tenant| self.issuer(settings, Some(tenant)).as_deref() == Some(iss))
            }
        }
    }
}

fn admits(settings: &Provider, tenant: &str) -> bool {
    is_tenant_id(tenant) && settings.tenants.iter().any(|admitted| admitted == ANY || admitted == tenant)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    const B: &str = "11111111-2222-3333-4444-555555555555";

    fn provider(kind: &str, issuer: Option<&str>, tenants: &[&str]) -> Provider {
        let mut table = toml::Table::new();
        for (name, value) in [("id", "p"), ("kind", kind), ("client_id", "us")] {
            table.insert(name.to_owned(), value.into());
        }
        if let Some(issuer) = issuer {
            table.insert("issuer".to_owned(), issuer.into());
        }
        let tenants: Vec<toml::Value> = tenants.iter().map(|tenant| (*tenant).into()).collect();
        table.insert("tenants".to_owned(), tenants.into());
        table.try_into().unwrap()
    }

    #[test]
    fn fe_4_the_metadata_is_by_the_configured_issuer() {
        let cases = [
            ("google", None, "https://accounts.google.com", true),
            ("google", None, "accounts.google.com", false),
            ("google", Some("http://127.0.0.1:9"), "http://127.0.0.1:9", true),
            ("google", Some("http://127.0.0.1:9"), "https://accounts.google.com", false),
            ("oidc", Some("https://idp.example.com/"), "https://idp.example.com/", true),
            ("oidc", Some("https://idp.example.com/"), "https://idp.example.com", false),
            ("oidc", Some("https://idp.example.com"), "https://evil.example.com", false),
        ];
        for (kind, issuer, announced, good) in cases {
            let rule = Authority::of(&provider(kind, issuer, &[])).rule(announced);
            assert_eq!(
                rule,
                good.then(|| Rule::Exact(announced.to_owned())),
                "{kind} {issuer:?} {announced}"
            );
        }
    }

    #[test]
    fn fe_5_microsofts_metadata_is_chosen_by_the_tenants() {
        let standard = "https://login.microsoftonline.com";
        let cases: [(Option<&str>, &[&str], &str); 7] = [
            (None, &[A], "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0"),
            (None, &[A, B], "https://login.microsoftonline.com/organizations/v2.0"),
            (None, &[A, CONSUMERS], "https://login.microsoftonline.com/common/v2.0"),
            (None, &["any"], "https://login.microsoftonline.com/common/v2.0"),
            (
                Some("https://login.microsoftonline.com/organizations/v2.0"),
                &["any"],
                "https://login.microsoftonline.com/organizations/v2.0",
            ),
            (Some("http://127.0.0.1:9/{tenantid}/v2.0"), &[A, B], "http://127.0.0.1:9/organizations/v2.0"),
            (Some("http://127.0.0.1:9/"), &["any"], "http://127.0.0.1:9"),
        ];
        for (issuer, tenants, base) in cases {
            let authority = Authority::of(&provider("microsoft", issuer, tenants));
            assert_eq!(authority.metadata_url(), format!("{base}/.well-known/openid-configuration"));
        }
        let any = Authority::of(&provider("microsoft", None, &["any"]));
        assert!(any.clone().rule(&format!("{standard}/{{tenantid}}/v2.0")).is_some());
        assert!(
            any.clone().rule(&format!("{standard}/{A}/v2.0")).is_none(),
            "one tenant does not speak for all"
        );
        assert!(any.rule("https://evil.example/{tenantid}/v2.0").is_none());
        let bare = Authority::of(&provider("microsoft", Some("http://127.0.0.1:9"), &["any"]));
        assert!(bare.clone().rule("http://127.0.0.1:9").is_some());
        assert!(bare.rule("http://127.0.0.1:9/{tenantid}/v2.0").is_some());
    }

    #[test]
    fn fe_5_the_tenant_is_on_the_list_before_its_issuer_is_written_down() {
        let listed = provider("microsoft", None, &[A]);
        let any = provider("microsoft", None, &["any"]);
        let template = Rule::PerTenant(MICROSOFT.to_owned());
        let of = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
        assert_eq!(template.issuer(&listed, Some(A)), Some(of(A)));
        assert_eq!(template.issuer(&any, Some(B)), Some(of(B)));
        for (settings, tenant) in [
            (&listed, Some(B)),
            (&listed, None),
            (&any, None),
            (&any, Some("")),
            (&any, Some("common")),
            (&any, Some("../evil")),
            (&any, Some("evil.example/72f988bf-86f1-41af-91ab-2d7cd011db47")),
        ] {
            assert_eq!(template.issuer(settings, tenant), None, "{tenant:?}");
        }
        let exact = Rule::Exact(of(A));
        assert_eq!(exact.issuer(&any, Some(A)), Some(of(A)));
        assert_eq!(exact.issuer(&any, Some(B)), None, "an issuer that names a tenant speaks for no other");
        assert_eq!(exact.issuer(&any, None), None);
        assert!(template.may_answer(&listed, &of(A)) && !template.may_answer(&listed, &of(B)));
        assert!(!template.may_answer(&any, &format!("https://evil.example/{A}/v2.0")));
    }
}
