//! Setting a provider up: its kind, what to click there with the address to register, what it gave; and changing it.

use actix_web::HttpResponse;

use super::{PATH, about, failure, first_word, kind_word, path_of, stored};
use crate::config::Provider;
use crate::crypto::Secret;
use crate::identity::federation::providers::{self, ProviderError, Upstream};
use crate::model::{FirstSignIn, ProviderKind, Status};
use crate::web::admin::access::{Change, Console};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Field, Form, Kind, Link, Pick, Place, Sheet};
use crate::web::ui::Ui;

const AT: &str = "/admin/providers/new";

/// `GET /admin/providers/new`: the kinds, or what to do for one.
pub(super) async fn new(console: Console) -> Result<HttpResponse, PageFailure> {
    let kind = match console.query()?.get("kind") {
        Some(word) => Some(ProviderKind::parse(word).ok_or(PageFailure::NotFound)?),
        None => None,
    };
    let Some(kind) = kind else { return Ok(console.show(kinds)) };
    let taken: Vec<String> =
        providers::all(console.app()).await?.into_iter().map(|upstream| upstream.settings.id).collect();
    let id = free_id(kind, &taken);
    let callback = providers::callback(console.app(), &id);
    Ok(console.show(|ui| new_sheet(ui, kind, &callback, new_form(ui, kind, &id))))
}

/// The kind's own name, or the first with a number that nobody has.
fn free_id(kind: ProviderKind, taken: &[String]) -> String {
    let names = std::iter::once(kind.as_str().to_owned())
        .chain((2_usize..).map(|number| format!("{}-{number}", kind.as_str())));
    names.into_iter().find(|name| !taken.contains(name)).unwrap_or_else(|| kind.as_str().to_owned())
}

fn kinds(ui: &Ui<'_>) -> Sheet {
    let sheet = Sheet::new(Place::Providers, ui.t("upstream_console.new"))
        .under(ui.t("console.place.providers"), PATH)
        .lead(ui.t("upstream_console.new_lead"));
    ProviderKind::ALL.iter().fold(sheet, |sheet, kind| {
        let what = match kind {
            ProviderKind::Google => ui.t("upstream_console.what.google"),
            ProviderKind::Microsoft => ui.t("upstream_console.what.microsoft"),
            ProviderKind::Oidc => ui.t("upstream_console.what.oidc"),
        };
        let title = ui.with("upstream_console.new_of", &[("kind", kind_word(ui, *kind))]);
        let link = Link::new(title, format!("{AT}?kind={}", kind.as_str()));
        sheet.card(Card::new(kind.as_str(), kind_word(ui, *kind)).text(what).links(vec![link]))
    })
}

fn new_sheet(ui: &Ui<'_>, kind: ProviderKind, callback: &str, form: Form) -> Sheet {
    let steps = match kind {
        ProviderKind::Google => ui.t("upstream_console.steps.google"),
        ProviderKind::Microsoft => ui.t("upstream_console.steps.microsoft"),
        ProviderKind::Oidc => ui.t("upstream_console.steps.oidc"),
    };
    Sheet::new(Place::Providers, ui.with("upstream_console.new_of", &[("kind", kind_word(ui, kind))]))
        .under(ui.t("console.place.providers"), PATH)
        .under(ui.t("upstream_console.new"), AT)
        .card(
            Card::new("there", ui.t("upstream_console.step_there"))
                .text(steps)
                .code(ui.t("upstream_console.callback"), callback)
                .hint(ui.t("upstream_console.callback_hint")),
        )
        .card(Card::new("here", ui.t("upstream_console.step_here")).form(form))
}

fn new_form(ui: &Ui<'_>, kind: ProviderKind, id: &str) -> Form {
    let form = Form::new("new-provider", AT, ui.t("upstream_console.create"))
        .field(Field::hidden("kind", kind.as_str()))
        .field(
            Field::text("id", ui.t("upstream_console.id"))
                .value(id)
                .hint(ui.t("upstream_console.id_hint"))
                .required(),
        );
    let secret = Field::new(Kind::Secret, "client_secret", ui.t("upstream_console.client_secret"));
    let secret = match kind {
        ProviderKind::Oidc => secret.hint(ui.t("upstream_console.secret_optional")),
        _ => secret.required(),
    };
    common(ui, form, kind, None, secret).cancel(AT)
}

/// The fields that a new one and an old one have in common.
fn common(ui: &Ui<'_>, form: Form, kind: ProviderKind, own: Option<&Provider>, secret: Field) -> Form {
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    let lines = |values: Option<&Vec<String>>| values.map(|values| values.join("\n")).unwrap_or_default();
    let mut form = form.field(
        Field::text("name", ui.t("upstream_console.name"))
            .value(text(own.and_then(|own| own.name.as_ref())))
            .hint(ui.t("upstream_console.name_hint")),
    );
    if kind == ProviderKind::Oidc {
        form = form.field(
            Field::text("issuer", ui.t("upstream_console.issuer"))
                .value(text(own.and_then(|own| own.issuer.as_ref())))
                .hint(ui.t("upstream_console.issuer_hint"))
                .required(),
        );
    }
    form = form
        .field(
            Field::text("client_id", ui.t("upstream_console.client_id"))
                .value(text(own.map(|own| &own.client_id)))
                .required(),
        )
        .field(secret);
    if kind == ProviderKind::Microsoft {
        form = form.field(
            Field::new(Kind::Lines, "tenants", ui.t("upstream_console.tenants"))
                .value(lines(own.map(|own| &own.tenants)))
                .hint(ui.t("upstream_console.tenants_hint"))
                .required(),
        );
    }
    if kind == ProviderKind::Oidc {
        form = form.field(
            Field::new(Kind::Lines, "email_domains", ui.t("upstream_console.domains"))
                .value(lines(own.map(|own| &own.email_domains)))
                .hint(ui.t("upstream_console.domains_hint")),
        );
    }
    form = form
        .field(
            Field::text("scopes", ui.t("upstream_console.scopes"))
                .value(own.map(|own| own.scopes.join(" ")).unwrap_or_default())
                .hint(ui.t("upstream_console.scopes_hint")),
        )
        .field(first_sign_in(ui, own.and_then(|own| own.first_sign_in)));
    match kind {
        ProviderKind::Oidc => form.field(
            Field::check(
                "private",
                ui.t("upstream_console.private"),
                own.is_some_and(|own| own.allow_private_network),
            )
            .hint(ui.t("upstream_console.private_hint")),
        ),
        _ => form,
    }
}

fn first_sign_in(ui: &Ui<'_>, own: Option<FirstSignIn>) -> Field {
    let picks = std::iter::once(Pick::new("", ui.t("upstream_console.first.usual")).picked(own.is_none()))
        .chain(
            FirstSignIn::ALL
                .iter()
                .map(|first| Pick::new(first.as_str(), first_word(ui, *first)).picked(own == Some(*first))),
        )
        .collect();
    Field::new(Kind::Select(picks), "first_sign_in", ui.t("upstream_console.first_sign_in"))
        .hint(ui.t("upstream_console.first_hint"))
}

/// What the form says. What it has no field for stays as `own` has it.
fn wanted(change: &Change, id: String, kind: ProviderKind, own: Option<&Provider>) -> Provider {
    let optional =
        |name: &str| Some(change.text(name).trim()).filter(|text| !text.is_empty()).map(str::to_owned);
    let words = |name: &str| change.text(name).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let is_oidc = kind == ProviderKind::Oidc;
    Provider {
        id,
        kind,
        name: optional("name"),
        client_id: change.text("client_id").trim().to_owned(),
        client_secret: optional("client_secret").map(Secret::from_text),
        client_secret_file: None,
        issuer: if is_oidc { optional("issuer") } else { own.and_then(|own| own.issuer.clone()) },
        tenants: words("tenants"),
        email_domains: words("email_domains"),
        scopes: words("scopes"),
        first_sign_in: FirstSignIn::parse(change.text("first_sign_in")),
        allow_private_network: match is_oidc {
            true => change.is_checked("private"),
            false => own.is_some_and(|own| own.allow_private_network),
        },
    }
}

/// The fields that an error is about, and what is said of each; none if nobody who types can help it.
fn wrong(ui: &Ui<'_>, error: &ProviderError) -> Vec<(&'static str, String)> {
    let ProviderError::Bad(problems) = error else {
        return match error {
            ProviderError::IdTaken => vec![("id", ui.t("upstream_console.taken").to_owned())],
            _ => Vec::new(),
        };
    };
    let mut wrong: Vec<(&'static str, String)> = Vec::new();
    for (field, reason) in problems {
        let key = match *field {
            "id" => "upstream_console.bad.id",
            "name" => "upstream_console.bad.name",
            "client_id" => "upstream_console.bad.client_id",
            "client_secret" => "upstream_console.bad.client_secret",
            "issuer" => "upstream_console.bad.issuer",
            "tenants" => "upstream_console.bad.tenants",
            "email_domains" => "upstream_console.bad.domains",
            "scopes" => "upstream_console.bad.scopes",
            _ => {
                wrong.push(("", reason.clone()));
                continue;
            }
        };
        if wrong.iter().all(|(known, _)| known != field) {
            wrong.push((*field, ui.t(key).to_owned()));
        }
    }
    wrong
}

/// `POST /admin/providers/new`: stored, and disabled until it was tried. So nothing that was typed is lost, also if the
/// provider does not answer.
pub(super) async fn create(change: Change) -> Result<HttpResponse, PageFailure> {
    let kind = ProviderKind::parse(change.text("kind")).ok_or(PageFailure::NotFound)?;
    let id = change.text("id").trim().to_owned();
    let new = wanted(&change, id.clone(), kind, None);
    match providers::add_as(change.app(), new, None, Status::Disabled, &change.origin).await {
        Ok(()) => Ok(change.done(&format!("{}/trial", path_of(&id)), "created")),
        Err(error) => {
            let wrong = change.say(|ui| wrong(ui, &error));
            if wrong.is_empty() {
                return Err(failure(error));
            }
            let callback = providers::callback(change.app(), &id);
            Ok(change.again(|ui| {
                new_sheet(ui, kind, &callback, new_form(ui, kind, &id).typed(Some(&change.typed), &wrong))
            }))
        }
    }
}

/// `GET /admin/providers/{provider}/edit`.
pub(super) async fn edit(console: Console) -> Result<HttpResponse, PageFailure> {
    let upstream = stored(&console).await?;
    Ok(console.show(|ui| edit_sheet(ui, &upstream, edit_form(ui, &upstream))))
}

fn edit_sheet(ui: &Ui<'_>, upstream: &Upstream, form: Form) -> Sheet {
    about(ui, upstream, ui.t("upstream_console.edit"))
        .card(Card::plain("edit").hint(ui.t("upstream_console.edit_text")).form(form))
}

fn edit_form(ui: &Ui<'_>, upstream: &Upstream) -> Form {
    let at = path_of(&upstream.settings.id);
    let secret = Field::new(Kind::Secret, "client_secret", ui.t("upstream_console.client_secret"))
        .hint(ui.t("upstream_console.secret_stays"));
    let form = Form::new("edit-provider", format!("{at}/edit"), ui.t("upstream_console.save"));
    common(ui, form, upstream.settings.kind, Some(&upstream.settings), secret).cancel(at)
}

/// `POST /admin/providers/{provider}/edit`.
pub(super) async fn save(change: Change) -> Result<HttpResponse, PageFailure> {
    let upstream = stored(&change).await?;
    let own = &upstream.settings;
    let wanted = wanted(&change, own.id.clone(), own.kind, Some(own));
    match providers::set(change.app(), wanted, &change.origin).await {
        Ok(()) => Ok(change.done(&format!("{}/trial", path_of(&own.id)), "saved")),
        Err(error) => {
            let wrong = change.say(|ui| wrong(ui, &error));
            if wrong.is_empty() {
                return Err(failure(error));
            }
            Ok(change.again(|ui| {
                edit_sheet(ui, &upstream, edit_form(ui, &upstream).typed(Some(&change.typed), &wrong))
            }))
        }
    }
}
