//! `/consent`: what an application may do.

use std::time::Duration;

use askama::Template;

use crate::model::Resource;
use crate::protocol::scope;
use crate::web::ui::Ui;

use super::{ClientCard, OrganisationCard, Page, Person};

/// The consent page.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/consent.html")]
pub struct ConsentPage<'a> {
    pub ui: &'a Ui<'a>,
    pub request: &'a str,
    /// The session of the account that is shown: whoever allows must be the one who was asked.
    pub session: &'a str,
    pub client: ClientCard<'a>,
    pub person: Person<'a>,
    /// For which organisation, if for any: allowing is for this one (AZ-10).
    pub organisation: Option<OrganisationCard<'a>>,
    pub permissions: &'a [Permission<'a>],
    pub lifetime: Lifetime,
    /// The host that the browser goes to afterwards, from the checked redirect URI.
    pub return_host: &'a str,
}

/// One thing that the application asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Permission<'a> {
    /// A scope of OpenID Connect (Core §5.4, §11), worded by us. One that we have no words for is shown by its name.
    Standard(&'a str),
    /// A scope of an API, worded by whoever registered the API.
    Resource { scope: &'a str, description: &'a str, api: &'a str },
    /// A single claim beyond the scopes (Core §5.5).
    Claim(&'a str),
    /// To know of this organisation of the person's.
    Organisation(&'a str),
}

/// How long the application keeps what it gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lifetime {
    /// Until the person signs out.
    Session,
    /// `offline_access`: until it is unused for this long, or removed.
    Offline(Duration),
}

impl<'a> Permission<'a> {
    /// A scope: of one that several APIs have, the one asked for speaks.
    pub fn of_scope(name: &'a str, asked: &[String], resources: &'a [Resource]) -> Self {
        let mut owners: Vec<&Resource> =
            resources.iter().filter(|resource| resource.scopes.contains_key(name)).collect();
        owners.sort_by_key(|owner| !asked.contains(&owner.identifier));
        match owners.first() {
            Some(owner) if !scope::is_standard(name) => Self::Resource {
                scope: name,
                description: owner.scopes.get(name).map(String::as_str).unwrap_or_default(),
                api: &owner.name,
            },
            _ => Self::Standard(name),
        }
    }
}

impl Permission<'_> {
    /// What the person reads.
    pub fn text(&self, ui: &Ui<'_>) -> String {
        let key = match *self {
            Self::Standard("openid") => "scope.openid",
            Self::Standard("profile") => "scope.profile",
            Self::Standard("email") => "scope.email",
            Self::Standard("address") | Self::Claim("address") => "scope.address",
            Self::Standard("phone") => "scope.phone",
            Self::Standard("offline_access") => "scope.offline_access",
            Self::Standard("organizations") => "scope.organizations",
            Self::Claim("name") => "claim.name",
            Self::Claim("given_name") => "claim.given_name",
            Self::Claim("family_name") => "claim.family_name",
            Self::Claim("nickname") => "claim.nickname",
            Self::Claim("preferred_username") => "claim.preferred_username",
            Self::Claim("picture") => "claim.picture",
            Self::Claim("birthdate") => "claim.birthdate",
            Self::Claim("zoneinfo") => "claim.zoneinfo",
            Self::Claim("locale") => "claim.locale",
            Self::Claim("updated_at") => "claim.updated_at",
            Self::Claim("email" | "email_verified") => "claim.email",
            Self::Claim("phone_number" | "phone_number_verified") => "claim.phone_number",
            Self::Resource { description, .. } if !description.trim().is_empty() => {
                return description.to_owned();
            }
            Self::Organisation(name) => return ui.with("consent.organisation", &[("organisation", name)]),
            Self::Standard(name) | Self::Claim(name) | Self::Resource { scope: name, .. } => {
                return ui.with("consent.other", &[("name", name)]);
            }
        };
        ui.t(key).to_owned()
    }

    /// A second line: what it means, or which API it is about.
    pub fn hint(&self, ui: &Ui<'_>) -> Option<String> {
        match *self {
            Self::Standard("offline_access") => Some(ui.t("scope.offline_access_hint").to_owned()),
            Self::Standard("profile") => Some(ui.t("scope.profile_hint").to_owned()),
            Self::Resource { api, .. } if !api.trim().is_empty() => {
                Some(ui.with("consent.at_api", &[("api", api)]))
            }
            _ => None,
        }
    }
}

impl Lifetime {
    pub fn text(self, ui: &Ui<'_>) -> String {
        match self {
            Self::Session => ui.t("consent.until_sign_out").to_owned(),
            Self::Offline(idle) => ui.with("consent.until_unused", &[("span", &ui.span(idle))]),
        }
    }
}

impl Page for ConsentPage<'_> {
    fn image_origins(&self) -> Vec<String> {
        self.client.image_origins()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                let permissions = [
                    Permission::Standard("openid"),
                    Permission::Standard("offline_access"),
                    Permission::Standard(text),
                    Permission::Resource { scope: text, description: text, api: text },
                    Permission::Claim(text),
                ];
                for (permissions, lifetime) in [
                    (&permissions[..], Lifetime::Offline(Duration::from_secs(86_400))),
                    (&[], Lifetime::Session),
                ] {
                    let html = check(&ConsentPage {
                        ui,
                        request: text,
                        session: text,
                        client: ClientCard::sample(text, true),
                        person: Person { name: text, email: text },
                        organisation: permissions.first().map(|_| OrganisationCard { id: text, name: text }),
                        permissions,
                        lifetime,
                        return_host: text,
                    });
                    for name in [
                        r#"id="consent-form""#,
                        r#"id="consent-allow" name="action" value="allow""#,
                        r#"id="consent-deny" name="action" value="deny""#,
                    ] {
                        assert!(html.contains(name), "{name}");
                    }
                }
            }
        });
    }

    #[test]
    fn az_3_16_every_standard_scope_and_claim_has_words() {
        each_language(|ui| {
            for scope in ["openid", "profile", "email", "address", "phone", "offline_access", "organizations"]
            {
                let fallback = ui.with("consent.other", &[("name", scope)]);
                assert_ne!(Permission::Standard(scope).text(ui), fallback);
            }
            let described =
                Permission::Resource { scope: "s", description: "Read your calendar", api: "Calendar" };
            assert_eq!(described.text(ui), "Read your calendar");
            let silent = Permission::Resource { scope: "calendar:read", description: " ", api: "" };
            assert!(silent.text(ui).contains("calendar:read"));
        });
    }
}
