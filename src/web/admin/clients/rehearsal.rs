//! `/admin/clients/{client}/test`: what a sign-in to this application would come to, step by step, and why. The real rules
//! are asked; nothing is stored. The real way begins at the application itself.

use actix_web::HttpResponse;

use super::fields::optional;
use super::{about, found};
use crate::grants::rehearsal::{Issued, Step};
use crate::model::{Client, GrantType};
use crate::protocol::OAuthError;
use crate::protocol::authorize::{AuthorizationRequest, AuthorizeFailure, Prompt};
use crate::protocol::next_step::Allowed;
use crate::protocol::scope::{EMAIL, OPENID, PROFILE, ScopeSet};
use crate::web::admin::access::Console;
use crate::web::failure::PageFailure;
use crate::web::oidc::rehearsal::{self, Trial, TrialError, Tried};
use crate::web::page::admin::{Card, Cell, Field, Form, Item, Kind, Pick, Sheet, Table, Tone};
use crate::web::ui::Ui;

/// `GET /admin/clients/{client}/test`.
pub(super) async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let client = found(&console).await?;
    if !client.may_use(GrantType::AuthorizationCode) {
        return Err(PageFailure::NotFound);
    }
    let query = console.query()?;
    if query.get("scope").is_none() {
        return Ok(console.show(|ui| sheet(ui, &client, form(ui, &client), issuer(&console))));
    }
    let text = |name: &str| query.get(name).and_then(optional);
    let trial = Trial {
        user: text("user"),
        is_signed_in: query.get("signed_in").is_some(),
        scope: text("scope").unwrap_or_default(),
        redirect_uri: query.get("redirect_uri").map(str::to_owned),
        prompt: text("prompt"),
        organisation: text("organization"),
    };
    let tried = match rehearsal::try_out(console.app(), &client, trial).await {
        Ok(tried) => tried,
        Err(TrialError::NoSuchUser) => {
            return Ok(console.show(|ui| {
                let wrong = [("user", ui.t("clients.try.no_such_user").to_owned())];
                sheet(ui, &client, form(ui, &client).typed(Some(&query), &wrong), issuer(&console))
            }));
        }
        Err(TrialError::NoUsers) => return Err(PageFailure::NotFound),
        Err(TrialError::Unwritable(why)) => return Err(PageFailure::Internal(why)),
        Err(TrialError::Store(error)) => return Err(error.into()),
    };
    Ok(console.show(|ui| {
        let result = match &tried {
            Tried::Played { request, steps, dropped } => result(ui, &client, request, steps, dropped),
            Tried::Refused(failure) => refused(ui, failure),
        };
        sheet(ui, &client, form(ui, &client).typed(Some(&query), &[]), issuer(&console)).card(result)
    }))
}

fn issuer(console: &Console) -> &str {
    console.app().config.issuer.as_str()
}

fn sheet(ui: &Ui<'_>, client: &Client, form: Form, issuer: &str) -> Sheet {
    let card = match &client.initiate_login_uri {
        Some(uri) => {
            // OpenID Connect Core §4.
            let query =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("iss", issuer).finish();
            let sign = if uri.contains('?') { '&' } else { '?' };
            Card::new("real", ui.t("clients.try.real")).text(ui.t("clients.try.real_text")).item(
                Item::Outside {
                    text: ui.with("clients.try.start", &[("name", &*client.name)]),
                    address: format!("{uri}{sign}{query}"),
                },
            )
        }
        None => Card::new("real", ui.t("clients.try.real")).text(ui.t("clients.try.no_start")),
    };
    about(ui, client, ui.t("clients.test"))
        .lead(ui.t("clients.try.lead"))
        .card(Card::plain("ask").form(form))
        .card(card)
}

fn form(ui: &Ui<'_>, client: &Client) -> Form {
    let usual = match client.scopes.is_empty() {
        true => [OPENID, PROFILE, EMAIL].join(" "),
        false => client.scopes.join(" "),
    };
    let prompts = std::iter::once(Pick::new("", ui.t("clients.try.no_prompt")))
        .chain(Prompt::ALL.map(|prompt| Pick::new(prompt.as_str(), prompt.as_str())))
        .collect();
    let redirects = client.redirect_uris.iter().map(|uri| Pick::new(uri, uri)).collect();
    Form::search("rehearse", format!("{}/test", super::path_of(client.key)), ui.t("clients.try.ask"))
        .field(Field::text("user", ui.t("clients.try.user")).hint(ui.t("clients.try.user_hint")))
        .field(Field::check("signed_in", ui.t("clients.try.signed_in"), false))
        .field(Field::text("scope", ui.t("clients.scopes")).value(usual).hint(ui.t("clients.try.scope_hint")))
        .field(Field::new(Kind::Select(redirects), "redirect_uri", ui.t("clients.redirect_uris")))
        .field(Field::new(Kind::Select(prompts), "prompt", "prompt"))
        .field(
            Field::text("organization", ui.t("clients.try.organization"))
                .hint(ui.t("clients.try.organization_hint")),
        )
}

fn refused(ui: &Ui<'_>, failure: &AuthorizeFailure) -> Card {
    let (error, text) = match failure {
        AuthorizeFailure::Page(error) => (error, ui.t("clients.try.refused_page")),
        AuthorizeFailure::Redirect(_, error) => (error, ui.t("clients.try.refused_back")),
    };
    Card::new("result", ui.t("clients.try.result"))
        .item(Item::Note(Tone::Bad, text.to_owned()))
        .facts(error_facts(ui, error))
}

fn error_facts(ui: &Ui<'_>, error: &OAuthError) -> Vec<(String, Cell)> {
    vec![
        ("error".to_owned(), Cell::code(error.code.as_str())),
        (ui.t("clients.try.why").to_owned(), Cell::text(error.description())),
    ]
}

fn result(
    ui: &Ui<'_>,
    client: &Client,
    request: &AuthorizationRequest,
    steps: &[Step],
    dropped: &ScopeSet,
) -> Card {
    let head = [ui.t("clients.try.step"), ui.t("clients.try.why")];
    let rows = steps.iter().enumerate().map(|(at, step)| {
        let (what, why) = said(ui, client, request, step);
        vec![Cell::text(format!("{}. {what}", at + 1)), Cell::text(why)]
    });
    let card = Card::new("result", ui.t("clients.try.result"))
        .table(Table::new(ui.t("clients.try.result"), head).rows(rows));
    let dropped: Vec<Cell> = dropped.iter().map(Cell::code).collect();
    let card = match dropped.is_empty() {
        true => card,
        false => card
            .hint(ui.t("clients.try.dropped_text"))
            .facts(vec![(ui.t("clients.try.dropped").to_owned(), Cell::Many(dropped))]),
    };
    match steps.last() {
        Some(Step::Issue(issued)) => card.facts(issued_facts(ui, request, issued)),
        Some(Step::Refuse(error)) => card.facts(error_facts(ui, error)),
        _ => card,
    }
}

fn issued_facts(ui: &Ui<'_>, request: &AuthorizationRequest, issued: &Issued) -> Vec<(String, Cell)> {
    let fact = |key: &'static str, cell: Cell| (ui.t(key).to_owned(), cell);
    vec![
        fact("clients.try.back_to", Cell::code(&request.redirect_uri)),
        fact("clients.try.scope", Cell::Many(issued.scope.iter().map(Cell::code).collect())),
        fact("clients.try.audience", Cell::Many(issued.target.audience.iter().map(Cell::code).collect())),
        fact("clients.try.token_scope", Cell::Many(issued.target.scope.iter().map(Cell::code).collect())),
        fact("clients.try.acts_for", Cell::text(issued.organisation.clone().unwrap_or_default())),
    ]
}

/// What happens at a step, and why.
fn said(ui: &Ui<'_>, client: &Client, request: &AuthorizationRequest, step: &Step) -> (&'static str, String) {
    let text = |key: &'static str| ui.t(key).to_owned();
    match step {
        Step::Login if request.prompts(Prompt::Login) => {
            (ui.t("clients.try.login"), text("clients.try.login_prompt"))
        }
        Step::Login => (ui.t("clients.try.login"), text("clients.try.login_why")),
        Step::ChooseAccount => (ui.t("clients.try.account"), text("clients.try.account_why")),
        Step::Factor => (ui.t("clients.try.factor"), factor_why(ui, client)),
        Step::Enrol => (ui.t("clients.try.enrol"), factor_why(ui, client)),
        Step::ChooseOrganisation(names) => (
            ui.t("clients.try.choose"),
            ui.with("clients.try.choose_why", &[("organizations", names.join(", "))]),
        ),
        Step::Consent(missing) => {
            (ui.t("clients.try.consent"), ui.with("clients.try.consent_why", &[("missing", items(missing))]))
        }
        Step::NotAdmitted(refusal) => (
            ui.t("clients.try.not_admitted"),
            ui.with("clients.try.not_admitted_why", &[("why", refusal.to_string())]),
        ),
        Step::Refuse(error) => (ui.t("clients.try.refuse"), error.description().to_owned()),
        Step::Issue(_) if client.first_party => {
            (ui.t("clients.try.issue"), text("clients.try.issue_first_party"))
        }
        Step::Issue(_) => (ui.t("clients.try.issue"), text("clients.try.issue_why")),
    }
}

fn factor_why(ui: &Ui<'_>, client: &Client) -> String {
    match client.require_mfa {
        true => ui.t("clients.try.factor_client"),
        false => ui.t("clients.try.factor_why"),
    }
    .to_owned()
}

fn items(missing: &Allowed) -> String {
    let items = missing.scopes.iter().map(str::to_owned).chain(missing.claims.iter().cloned());
    items.collect::<Vec<_>>().join(", ")
}
