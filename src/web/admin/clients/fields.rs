//! What is typed about a client: the fields, how they are read, and which of them an error is about.

use serde_json::Value;

use super::method_word;
use crate::model::{ApplicationType, ClientAuthMethod, Resource, SigningAlg};
use crate::protocol::Params;
use crate::protocol::metadata::OWN_ALGS;
use crate::protocol::redirect::{BadAddress, check_registration};
use crate::protocol::scope::STANDARD;
use crate::tenancy::clients::{ClientError, Keys};
use crate::tenancy::management;
use crate::web::page::admin::{Field, Kind, Pick, picked};
use crate::web::ui::Ui;

/// A field and what is wrong with it.
pub(super) type Wrong = (&'static str, String);

/// Lines, without what surrounds them and without empty ones.
pub(super) fn lines(typed: &str) -> Vec<String> {
    typed.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// What was typed, or nothing.
pub(super) fn optional(typed: &str) -> Option<String> {
    Some(typed.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Every line that is no address which an application of this kind may register, with the reason.
pub(super) fn addresses_complaint(ui: &Ui<'_>, uris: &[String], kind: ApplicationType) -> Option<String> {
    let complaints: Vec<String> = uris
        .iter()
        .filter_map(|uri| {
            let why = address_word(ui, &check_registration(uri, kind).err()?);
            Some(ui.with("clients.address_refused", &[("address", uri), ("why", &why)]))
        })
        .collect();
    (!complaints.is_empty()).then(|| complaints.join(" "))
}

fn address_word(ui: &Ui<'_>, bad: &BadAddress) -> String {
    let one = |key: &'static str, value: &str| ui.with(key, &[("value", value)]);
    let key = match bad {
        BadAddress::Character(c) => return one("clients.address.character", c),
        BadAddress::Scheme(scheme) => return one("clients.address.scheme", scheme),
        BadAddress::SchemeName(scheme) => return one("clients.address.scheme_name", scheme),
        BadAddress::NotUrl(why) => return one("clients.address.not_url", &why.to_string()),
        BadAddress::Length => "clients.address.length",
        BadAddress::Wildcard => "clients.address.wildcard",
        BadAddress::Fragment => "clients.address.fragment",
        BadAddress::Relative => "clients.address.relative",
        BadAddress::PlainHttp => "clients.address.plain_http",
        BadAddress::SchemeCase => "clients.address.scheme_case",
        BadAddress::PrivateOnWeb => "clients.address.private_on_web",
        BadAddress::User => "clients.address.user",
        BadAddress::HostEscape => "clients.address.host_escape",
        BadAddress::NoHost => "clients.address.no_host",
        BadAddress::MalformedScheme => "clients.address.malformed_scheme",
        BadAddress::PrivatePath => "clients.address.private_path",
        BadAddress::Escape => "clients.address.escape",
        BadAddress::EscapedControl => "clients.address.escaped_control",
        BadAddress::Dots => "clients.address.dots",
    };
    ui.t(key).to_owned()
}

/// The public keys as they were typed: an address, or a JWK Set.
pub(super) fn keys(typed: &str) -> Result<Option<Keys>, ()> {
    match typed.trim() {
        "" => Ok(None),
        text if text.starts_with('{') => match serde_json::from_str::<Value>(text) {
            Ok(jwks) => Ok(Some(Keys::These(jwks))),
            Err(_) => Err(()),
        },
        text => Ok(Some(Keys::At(text.to_owned()))),
    }
}

/// The field that an error is about, and what is said of it; `None` if nobody who types can help it.
pub(super) fn wrong(ui: &Ui<'_>, error: &ClientError) -> Option<Wrong> {
    let text = |key: &'static str| ui.t(key).to_owned();
    Some(match error {
        ClientError::Metadata(error) => {
            let member = error.description().split(':').next().unwrap_or_default().to_owned();
            match member.as_str() {
                "client_name" => ("name", text("clients.bad_name")),
                "redirect_uris" => ("redirect_uris", text("clients.need_address")),
                "post_logout_redirect_uris" => ("post_logout", text("clients.too_many")),
                "grant_types" => ("grants", text("clients.bad_grants")),
                "scope" => ("scopes", text("clients.too_many")),
                "logo_uri" => ("logo", text("clients.need_https")),
                "client_uri" => ("home", text("clients.need_https")),
                "policy_uri" => ("policy", text("clients.need_https")),
                "tos_uri" => ("terms", text("clients.need_https")),
                "initiate_login_uri" => ("initiate", text("clients.need_https")),
                "jwks_uri" => ("keys", text("clients.need_https")),
                "jwks" => ("keys", text("clients.keys_missing")),
                "token_endpoint_auth_method" => ("grants", text("clients.bad_grants")),
                _ => ("", error.description().to_owned()),
            }
        }
        ClientError::Keys(why) => ("keys", ui.with("clients.bad_keys", &[("why", why)])),
        ClientError::BadClientId => ("client_id", text("clients.bad_client_id")),
        ClientError::Taken => ("client_id", text("clients.client_id_taken")),
        ClientError::PublicWithoutPkce => ("pkce", text("clients.public_pkce")),
        ClientError::UnknownAudience(audience) => {
            ("audiences", ui.with("clients.unknown_audience", &[("audience", audience)]))
        }
        _ => return None,
    })
}

pub(super) fn name(ui: &Ui<'_>) -> Field {
    Field::text("name", ui.t("clients.name")).hint(ui.t("clients.name_hint")).required()
}

pub(super) fn redirect_uris(ui: &Ui<'_>, kind: ApplicationType) -> Field {
    let hint = match kind {
        ApplicationType::Web => ui.t("clients.redirect_hint"),
        ApplicationType::Native => ui.t("clients.redirect_hint_native"),
    };
    Field::new(Kind::Lines, "redirect_uris", ui.t("clients.redirect_uris")).hint(hint).required()
}

pub(super) fn post_logout(ui: &Ui<'_>) -> Field {
    Field::new(Kind::Lines, "post_logout", ui.t("clients.post_logout")).hint(ui.t("clients.post_logout_hint"))
}

/// The standard scopes for applications with users, and those of every API.
pub(super) fn scopes(ui: &Ui<'_>, has_users: bool, resources: &[Resource], own: &[String]) -> Field {
    let is_own = |scope: &str| own.iter().any(|one| one == scope);
    let mut picks: Vec<Pick> = Vec::new();
    if has_users {
        picks.extend(STANDARD.map(|scope| Pick::new(scope, scope).picked(is_own(scope))));
    }
    for resource in resources {
        for (scope, description) in &resource.scopes {
            if picks.iter().all(|pick| pick.value != *scope) {
                let hint = match description.is_empty() {
                    true => resource.name.clone(),
                    false => format!("{} · {description}", resource.name),
                };
                picks.push(Pick::new(scope, scope).hint(hint).picked(is_own(scope)));
            }
        }
    }
    // What it may ask for already stays its own, whatever became of the API.
    for scope in own {
        if picks.iter().all(|pick| pick.value != *scope) {
            picks.push(Pick::new(scope, scope).hint(ui.t("clients.scope_unknown")).picked(true));
        }
    }
    let hint = if has_users { ui.t("clients.scopes_hint") } else { ui.t("clients.scopes_hint_machine") };
    Field::new(Kind::Checks(picks), "scopes", ui.t("clients.scopes")).hint(hint)
}

/// Whether a client may be the server of the resource: of all but the management API, which is our own.
pub(super) fn can_be_served(resource: &Resource) -> bool {
    !resource.scopes.keys().any(|scope| management::is_own_scope(scope))
}

/// The resources that it may be the server of.
pub(super) fn audiences(ui: &Ui<'_>, resources: &[Resource], own: &[String]) -> Field {
    let picks = resources
        .iter()
        .filter(|resource| can_be_served(resource))
        .map(|resource| {
            Pick::new(&resource.identifier, &resource.name)
                .hint(&resource.identifier)
                .picked(own.contains(&resource.identifier))
        })
        .collect();
    Field::new(Kind::Checks(picks), "audiences", ui.t("clients.audiences"))
        .hint(ui.t("clients.audiences_hint"))
}

/// How it authenticates, one of these ways.
pub(super) fn auth(ui: &Ui<'_>, own: ClientAuthMethod, ways: &[ClientAuthMethod]) -> Field {
    let picks =
        ways.iter().map(|way| Pick::new(way.as_str(), method_word(ui, *way)).picked(*way == own)).collect();
    Field::new(Kind::Select(picks), "auth", ui.t("clients.auth"))
}

pub(super) fn keys_field(ui: &Ui<'_>) -> Field {
    Field::new(Kind::Lines, "keys", ui.t("clients.keys")).hint(ui.t("clients.keys_hint"))
}

pub(super) fn id_token_alg(ui: &Ui<'_>, own: SigningAlg) -> Field {
    let picks =
        OWN_ALGS.iter().map(|alg| Pick::new(alg.as_str(), alg.as_str()).picked(*alg == own)).collect();
    Field::new(Kind::Select(picks), "id_token_alg", ui.t("clients.id_token_alg"))
        .hint(ui.t("clients.id_token_alg_hint"))
}

/// What the operator decides about an application with users.
pub(super) fn user_terms(ui: &Ui<'_>, first_party: bool, mfa: bool, organisation: bool) -> [Field; 3] {
    [
        Field::check("first_party", ui.t("clients.first_party"), first_party)
            .hint(ui.t("clients.first_party_hint")),
        Field::check("require_mfa", ui.t("clients.require_mfa"), mfa).hint(ui.t("clients.require_mfa_hint")),
        Field::check("require_organization", ui.t("clients.require_organization"), organisation)
            .hint(ui.t("clients.require_organization_hint")),
    ]
}

/// What was picked, in the order of the picks.
pub(super) fn chosen(typed: &Params, name: &str) -> Vec<String> {
    picked(typed, name)
}
