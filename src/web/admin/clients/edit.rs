//! `/admin/clients/{client}/edit`: everything about a client that can change, in one form.

use actix_web::HttpResponse;

use super::fields::{self, Wrong, lines};
use super::{about, failure, found, has_secrets, path_of};
use crate::model::{Client, ClientAuthMethod, GrantType, Resource, SigningAlg};
use crate::tenancy::clients::{self, Change as Wanted, Keys, Links};
use crate::web::admin::access::{Change, Console};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Field, Form, Kind, Pick};
use crate::web::ui::Ui;

/// A client that has secrets may send them in another place; any other way to authenticate makes it another client.
const SECRET_METHODS: [ClientAuthMethod; 2] = [ClientAuthMethod::SecretBasic, ClientAuthMethod::SecretPost];

/// `GET /admin/clients/{client}/edit`.
pub(super) async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let client = found(&console).await?;
    let resources = console.app().resources().await?;
    Ok(console.show(|ui| {
        about(ui, &client, ui.t("clients.edit")).card(Card::plain("edit").form(form(ui, &client, &resources)))
    }))
}

fn form(ui: &Ui<'_>, client: &Client, resources: &[Resource]) -> Form {
    let at = path_of(client.key);
    let has_users = client.may_use(GrantType::AuthorizationCode);
    let mut form = Form::new("edit-client", format!("{at}/edit"), ui.t("clients.save"))
        .field(fields::name(ui).value(&client.name));
    if has_secrets(client) {
        form = form.field(fields::auth(ui, client.auth_method, &SECRET_METHODS));
    }
    if has_users {
        form = form
            .field(fields::redirect_uris(ui, client.application_type).value(client.redirect_uris.join("\n")))
            .field(fields::post_logout(ui).value(client.post_logout_redirect_uris.join("\n")))
            .fields(links(ui, client));
    }
    form = form
        .field(grants(ui, client))
        .field(fields::scopes(ui, has_users, resources, &client.scopes))
        .field(fields::audiences(ui, resources, &client.audiences));
    if has_users {
        form = form
            .fields(fields::user_terms(
                ui,
                client.first_party,
                client.require_mfa,
                client.require_organization,
            ))
            .field(
                Field::check("require_par", ui.t("clients.require_par"), client.require_par)
                    .hint(ui.t("clients.require_par_hint")),
            );
        if client.is_confidential() {
            form = form.field(
                Field::check("pkce", ui.t("clients.pkce"), client.pkce_required)
                    .hint(ui.t("clients.pkce_hint")),
            );
        }
        form = form.field(fields::id_token_alg(ui, client.id_token_alg));
    }
    if client.auth_method == ClientAuthMethod::PrivateKeyJwt {
        let own = client.jwks_uri.clone().or_else(|| client.jwks.clone()).unwrap_or_default();
        form = form.field(fields::keys_field(ui).value(own).required());
    }
    form.cancel(at)
}

fn links(ui: &Ui<'_>, client: &Client) -> [Field; 5] {
    let field = |name: &str, label: &'static str, own: &Option<String>| {
        Field::text(name, label).value(own.clone().unwrap_or_default())
    };
    [
        field("initiate", ui.t("clients.initiate"), &client.initiate_login_uri)
            .hint(ui.t("clients.initiate_hint")),
        field("home", ui.t("clients.home"), &client.client_uri),
        field("logo", ui.t("clients.logo"), &client.logo_uri).hint(ui.t("clients.logo_hint")),
        field("policy", ui.t("clients.policy"), &client.policy_uri),
        field("terms", ui.t("clients.terms"), &client.tos_uri),
    ]
}

fn grants(ui: &Ui<'_>, client: &Client) -> Field {
    let hint = |grant: GrantType| match grant {
        GrantType::AuthorizationCode => ui.t("clients.grant.authorization_code"),
        GrantType::RefreshToken => ui.t("clients.grant.refresh_token"),
        GrantType::ClientCredentials => ui.t("clients.grant.client_credentials"),
        GrantType::TokenExchange => ui.t("clients.grant.token_exchange"),
    };
    let picks = GrantType::ALL
        .iter()
        .map(|grant| {
            Pick::new(grant.as_str(), grant.as_str()).hint(hint(*grant)).picked(client.may_use(*grant))
        })
        .collect();
    Field::new(Kind::Checks(picks), "grants", ui.t("clients.grants"))
}

/// `POST /admin/clients/{client}/edit`.
pub(super) async fn save(change: Change) -> Result<HttpResponse, PageFailure> {
    let client = found(&change).await?;
    let resources = change.app().resources().await?;
    let again = |wrong: Vec<Wrong>| {
        change.again(|ui| {
            let form = form(ui, &client, &resources).typed(Some(&change.typed), &wrong);
            about(ui, &client, ui.t("clients.edit")).card(Card::plain("edit").form(form))
        })
    };
    let Ok(wanted) = wanted(&change, &client) else {
        return Ok(again(change.say(|ui| vec![("keys", ui.t("clients.keys_not_json").to_owned())])));
    };
    let wrong = change.say(|ui| complaints(ui, &client, &wanted));
    if !wrong.is_empty() {
        return Ok(again(wrong));
    }
    match clients::change(change.app(), &client.client_id, wanted, &change.origin).await {
        Ok(_) => Ok(change.done(&path_of(client.key), "saved")),
        Err(error) => match change.say(|ui| fields::wrong(ui, &error)) {
            Some(wrong) => Ok(again(vec![wrong])),
            None => Err(failure(error)),
        },
    }
}

/// What the form says; a field that it did not have changes nothing.
fn wanted(change: &Change, client: &Client) -> Result<Wanted, ()> {
    let has_users = client.may_use(GrantType::AuthorizationCode);
    let keys = match client.auth_method {
        // Emptied is not unchanged: the client would be without keys.
        ClientAuthMethod::PrivateKeyJwt => {
            Some(fields::keys(change.text("keys"))?.unwrap_or(Keys::At(String::new())))
        }
        _ => None,
    };
    let grants = fields::chosen(&change.typed, "grants");
    let common = Wanted {
        name: Some(change.text("name").to_owned()),
        grant_types: Some(grants.iter().filter_map(|grant| GrantType::parse(grant)).collect()),
        scopes: Some(fields::chosen(&change.typed, "scopes")),
        audiences: Some(fields::chosen(&change.typed, "audiences")),
        keys,
        auth_method: SECRET_METHODS
            .into_iter()
            .find(|method| has_secrets(client) && method.as_str() == change.text("auth")),
        ..Wanted::default()
    };
    if !has_users {
        return Ok(common);
    }
    Ok(Wanted {
        redirect_uris: Some(lines(change.text("redirect_uris"))),
        post_logout_redirect_uris: Some(lines(change.text("post_logout"))),
        first_party: Some(change.is_checked("first_party")),
        require_mfa: Some(change.is_checked("require_mfa")),
        require_organization: Some(change.is_checked("require_organization")),
        pkce_required: client.is_confidential().then(|| change.is_checked("pkce")),
        require_par: Some(change.is_checked("require_par")),
        id_token_alg: SigningAlg::parse(change.text("id_token_alg")),
        links: Links {
            logo_uri: Some(change.text("logo").to_owned()),
            client_uri: Some(change.text("home").to_owned()),
            policy_uri: Some(change.text("policy").to_owned()),
            tos_uri: Some(change.text("terms").to_owned()),
            initiate_login_uri: Some(change.text("initiate").to_owned()),
        },
        ..common
    })
}

/// What is wrong with the addresses, line by line; the rest is found when it is saved.
fn complaints(ui: &Ui<'_>, client: &Client, wanted: &Wanted) -> Vec<Wrong> {
    [("redirect_uris", &wanted.redirect_uris), ("post_logout", &wanted.post_logout_redirect_uris)]
        .into_iter()
        .filter_map(|(field, uris)| {
            let text = fields::addresses_complaint(ui, uris.as_deref()?, client.application_type)?;
            Some((field, text))
        })
        .collect()
}
