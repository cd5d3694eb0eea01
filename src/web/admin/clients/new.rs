//! `/admin/new-client`: first what kind of application it is, with what each kind is given and why; then its name and
//! its addresses.

use actix_web::HttpResponse;

use super::fields::{self, Wrong, lines, optional};
use super::{PATH, failure, kind_word, method_word, path_of, secret};
use crate::model::{ClientAuthMethod, Resource, Status};
use crate::protocol::registration::ClientMetadata;
use crate::tenancy::clients::kinds::Kind;
use crate::tenancy::clients::{self, Keys, NewClient, Terms};
use crate::web::admin::access::{Change, Console};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Link, Place, Sheet};
use crate::web::ui::Ui;

/// How a client that authenticates may do so.
const METHODS: [ClientAuthMethod; 3] =
    [ClientAuthMethod::SecretBasic, ClientAuthMethod::SecretPost, ClientAuthMethod::PrivateKeyJwt];

const AT: &str = "/admin/new-client";

/// `GET /admin/new-client`: the kinds, or the form of one.
pub(super) async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let kind = match console.query()?.get("kind") {
        Some(word) => Some(Kind::parse(word).ok_or(PageFailure::NotFound)?),
        None => None,
    };
    let resources = usable(&console).await?;
    Ok(console.show(|ui| match kind {
        Some(kind) => form_sheet(ui, kind, &resources, form(ui, kind, &resources)),
        None => kinds(ui),
    }))
}

/// The resources that are not disabled.
async fn usable(console: &Console) -> Result<Vec<Resource>, PageFailure> {
    let all = console.app().resources().await?;
    Ok(all.iter().filter(|resource| resource.status == Status::Active).cloned().collect())
}

fn kinds(ui: &Ui<'_>) -> Sheet {
    let sheet = Sheet::new(Place::Clients, ui.t("clients.new"))
        .under(ui.t("console.place.clients"), PATH)
        .lead(ui.t("clients.kinds_lead"));
    Kind::ALL.into_iter().fold(sheet, |sheet, kind| sheet.card(kind_card(ui, kind)))
}

fn kind_card(ui: &Ui<'_>, kind: Kind) -> Card {
    let (what, why) = explained(ui, kind);
    let grants = kind.grant_types().iter().map(|grant| Cell::code(grant.as_str())).collect();
    Card::new(kind.as_str(), kind_word(ui, kind))
        .text(what)
        .facts(vec![
            (ui.t("clients.auth").to_owned(), Cell::text(method_word(ui, kind.auth_method()))),
            (ui.t("clients.grants").to_owned(), Cell::Many(grants)),
        ])
        .hint(why)
        .links(vec![Link::new(
            ui.with("clients.new_of", &[("kind", kind_word(ui, kind))]),
            format!("{AT}?kind={}", kind.as_str()),
        )])
}

/// What the kind is, and why it is given what it is given.
fn explained(ui: &Ui<'_>, kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Server => (ui.t("clients.what.server"), ui.t("clients.why.server")),
        Kind::Browser => (ui.t("clients.what.browser"), ui.t("clients.why.browser")),
        Kind::Device => (ui.t("clients.what.device"), ui.t("clients.why.device")),
        Kind::Machine => (ui.t("clients.what.machine"), ui.t("clients.why.machine")),
        Kind::Api => (ui.t("clients.what.api"), ui.t("clients.why.api")),
        Kind::Proxy => (ui.t("clients.what.proxy"), ui.t("clients.why.proxy")),
    }
}

fn form_sheet(ui: &Ui<'_>, kind: Kind, resources: &[Resource], form: Form) -> Sheet {
    let (what, why) = explained(ui, kind);
    let sheet = Sheet::new(Place::Clients, ui.with("clients.new_of", &[("kind", kind_word(ui, kind))]))
        .under(ui.t("console.place.clients"), PATH)
        .under(ui.t("clients.new"), AT)
        .lead(what);
    if kind == Kind::Api && !resources.iter().any(fields::can_be_served) {
        let make = Link::primary(ui.t("resources.new"), "/admin/resources/new");
        return sheet.card(Card::plain("no-resource").empty(ui.t("clients.api_needs_resource"), Some(make)));
    }
    sheet.card(Card::plain("form-card").hint(why).form(form))
}

fn form(ui: &Ui<'_>, kind: Kind, resources: &[Resource]) -> Form {
    let own: Vec<String> = kind.scopes().iter().map(|scope| (*scope).to_owned()).collect();
    let mut form = Form::new("new-client", AT, ui.t("clients.create"))
        .field(Field::hidden("kind", kind.as_str()))
        .field(fields::name(ui));
    if kind.has_users() {
        form = form
            .field(fields::redirect_uris(ui, kind.application_type()))
            .field(fields::post_logout(ui))
            .fields(fields::user_terms(ui, false, false, false));
    }
    match kind {
        Kind::Api => form = form.field(fields::audiences(ui, resources, &[])),
        _ if kind.has_users() || !resources.is_empty() => {
            form = form.field(fields::scopes(ui, kind.has_users(), resources, &own));
        }
        _ => {}
    }
    if kind.auth_method() != ClientAuthMethod::None {
        form = form
            .field(fields::auth(ui, kind.auth_method(), &METHODS).hint(ui.t("clients.auth_hint")))
            .field(fields::keys_field(ui));
    }
    form.field(Field::text("client_id", ui.t("clients.client_id")).hint(ui.t("clients.client_id_hint")))
        .cancel(AT)
}

/// `POST /admin/new-client`: the secret is in the answer, and nowhere later.
pub(super) async fn create(change: Change) -> Result<HttpResponse, PageFailure> {
    let kind = Kind::parse(change.text("kind")).ok_or(PageFailure::NotFound)?;
    let resources = usable(&change).await?;
    let again = |wrong: Vec<Wrong>| {
        change.again(|ui| {
            let form = form(ui, kind, &resources).typed(Some(&change.typed), &wrong);
            form_sheet(ui, kind, &resources, form)
        })
    };
    let Ok(new) = wanted(&change, kind) else {
        return Ok(again(change.say(|ui| vec![("keys", ui.t("clients.keys_not_json").to_owned())])));
    };
    let wrong = change.say(|ui| complaints(ui, kind, &new));
    if !wrong.is_empty() {
        return Ok(again(wrong));
    }
    match clients::create(change.app(), new, &change.origin).await {
        Ok(made) if made.secret.is_some() => {
            Ok(change.show(|ui| secret::shown_once(ui, &made, "clients.made")))
        }
        Ok(made) => Ok(change.done(&path_of(made.client.key), "created")),
        Err(error) => match change.say(|ui| fields::wrong(ui, &error)) {
            Some(wrong) => Ok(again(vec![wrong])),
            None => Err(failure(error)),
        },
    }
}

/// What the form says. The keys must be readable.
fn wanted(change: &Change, kind: Kind) -> Result<NewClient, ()> {
    let keys = fields::keys(change.text("keys"))?;
    let (jwks, jwks_uri) = match keys {
        Some(Keys::These(jwks)) => (Some(jwks), None),
        Some(Keys::At(uri)) => (None, Some(uri)),
        None => (None, None),
    };
    let auth = match kind.auth_method() {
        ClientAuthMethod::None => ClientAuthMethod::None,
        usual => ClientAuthMethod::parse(change.text("auth"))
            .filter(|method| *method != ClientAuthMethod::None)
            .unwrap_or(usual),
    };
    let metadata = ClientMetadata {
        client_name: Some(change.text("name").to_owned()),
        redirect_uris: lines(change.text("redirect_uris")),
        post_logout_redirect_uris: lines(change.text("post_logout")),
        token_endpoint_auth_method: Some(auth.to_string()),
        scope: Some(fields::chosen(&change.typed, "scopes").join(" ")),
        jwks,
        jwks_uri,
        ..kind.metadata()
    };
    let terms = Terms {
        first_party: change.is_checked("first_party"),
        require_mfa: change.is_checked("require_mfa"),
        require_organization: change.is_checked("require_organization"),
        audiences: fields::chosen(&change.typed, "audiences"),
        ..Terms::default()
    };
    Ok(NewClient { metadata, client_id: optional(change.text("client_id")), secret: None, terms })
}

/// What is wrong with several fields at once; the rest is found when it is made.
fn complaints(ui: &Ui<'_>, kind: Kind, new: &NewClient) -> Vec<Wrong> {
    let (metadata, mut wrong) = (&new.metadata, Vec::new());
    if metadata.client_name.as_deref().is_none_or(|name| name.trim().is_empty()) {
        wrong.push(("name", ui.t("clients.bad_name").to_owned()));
    }
    if kind.has_users() && metadata.redirect_uris.is_empty() {
        wrong.push(("redirect_uris", ui.t("clients.need_address").to_owned()));
    }
    for (field, uris) in
        [("redirect_uris", &metadata.redirect_uris), ("post_logout", &metadata.post_logout_redirect_uris)]
    {
        if let Some(text) = fields::addresses_complaint(ui, uris, kind.application_type()) {
            wrong.push((field, text));
        }
    }
    if kind == Kind::Api && new.terms.audiences.is_empty() {
        wrong.push(("audiences", ui.t("clients.need_audience").to_owned()));
    }
    wrong
}
