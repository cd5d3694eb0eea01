//! The mail domains of an organisation: claiming, proving by DNS, and sending their people to a provider.

use actix_web::HttpResponse;

use super::{Said, Tab, below, fact, sheet};
use crate::identity::federation::providers::{self, Upstream};
use crate::store::domains::{self as rows, Domain};
use crate::store::organisations::Organisation;
use crate::tenancy::domains::{self, DomainError};
use crate::web::admin::access::{Change, Console};
use crate::web::admin::{Route, table, words};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Button, Card, Cell, Field, Form, Kind, Link, Pick, Sheet, Table, Tone};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/organizations/{organization}/domains" organisation see list;
    post "/admin/organizations/{organization}/domains" organisation change claim;
    get "/admin/organizations/{organization}/domains/{domain}" organisation see show;
    post "/admin/organizations/{organization}/domains/{domain}/verify" organisation change verify;
    post "/admin/organizations/{organization}/domains/{domain}/route" organisation change route;
    get "/admin/organizations/{organization}/domains/{domain}/remove" organisation destroy ask_remove;
    post "/admin/organizations/{organization}/domains/{domain}/remove" organisation destroy remove;
};

fn path(of: &Organisation, domain: &str) -> String {
    format!("{}/{domain}", Tab::Domains.path(of.id))
}

async fn all(console: &Console) -> Result<Vec<Domain>, PageFailure> {
    let organisation = console.entered().organisation().id;
    Ok(console.app().db.read(move |db| rows::list(db, organisation)).await?)
}

/// `GET /admin/organizations/{organization}/domains`: all on one page, for an organisation has few.
async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, found) = (console.entered().organisation(), all(&console).await?);
    let may = console.may_change();
    Ok(console.show(|ui| list_sheet(ui, of, &found, may.then(|| claim_form(ui, of)))))
}

fn claim_form(ui: &Ui<'_>, of: &Organisation) -> Form {
    Form::new("claim-domain", Tab::Domains.path(of.id), ui.t("domains.claim"))
        .field(Field::text("domain", ui.t("domains.domain")).hint(ui.t("domains.domain_hint")).required())
}

fn list_sheet(ui: &Ui<'_>, of: &Organisation, found: &[Domain], form: Option<Form>) -> Sheet {
    let card = Card::plain("domains");
    let card = match found.is_empty() {
        true => card.empty(ui.t("domains.none"), None),
        false => {
            let rows = found.iter().map(|one| {
                vec![
                    Cell::link(&one.domain, path(of, &one.domain)),
                    state(ui, one),
                    Cell::text(one.provider_id.clone().unwrap_or_default()),
                ]
            });
            let head = [ui.t("domains.domain"), ui.t("orgs.state"), ui.t("domains.provider")];
            card.table(Table::new(ui.t("domains.title"), head).rows(rows))
        }
    };
    let claim = form.map(|form| Card::new("claim", ui.t("domains.claim")).form(form));
    sheet(ui, of, Tab::Domains).lead(ui.t("domains.lead")).card(card).maybe(claim)
}

fn state(ui: &Ui<'_>, one: &Domain) -> Cell {
    match (one.verified_at, one.missing_since) {
        (None, _) => Cell::tag(Tone::Plain, ui.t("domains.unproven")),
        (Some(_), None) => Cell::tag(Tone::Good, ui.t("domains.proven")),
        (Some(_), Some(since)) => {
            Cell::Many(vec![Cell::tag(Tone::Bad, ui.t("domains.missing")), Cell::Time(since)])
        }
    }
}

/// `POST /admin/organizations/{organization}/domains`.
async fn claim(change: Change) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation();
    let typed = change.text("domain");
    match domains::claim(change.app(), change.actor(), of.id, typed, &change.origin).await {
        Ok(claimed) => Ok(change.done(&path(of, &claimed.domain), "created")),
        Err(error) => {
            let (field, key) = said(error)?;
            let found = all(&change).await?;
            Ok(change.again(|ui| {
                let wrong = [(field, words::said(ui, key))];
                list_sheet(ui, of, &found, Some(claim_form(ui, of).typed(Some(&change.typed), &wrong)))
            }))
        }
    }
}

fn said(error: DomainError) -> Result<Said, PageFailure> {
    Ok(match error {
        DomainError::BadDomain => ("domain", "domains.bad"),
        DomainError::Claimed => ("domain", "domains.claimed"),
        DomainError::NotProven { .. } => ("", "domains.not_proven"),
        DomainError::ProvenByAnother => ("", "domains.of_another"),
        DomainError::NotYetProven => ("provider", "domains.prove_first"),
        DomainError::NoSuchProvider => ("provider", "domains.no_provider"),
        DomainError::Dns(_) => ("", "domains.no_answer"),
        DomainError::NotPermitted(_) => ("", "orgs.not_permitted"),
        DomainError::NotClaimed | DomainError::NoSuchOrganisation => return Err(PageFailure::NotFound),
        DomainError::Store(error) => return Err(error.into()),
    })
}

async fn found(console: &Console) -> Result<Domain, PageFailure> {
    let domain: String = console.named("domain")?;
    all(console).await?.into_iter().find(|one| one.domain == domain).ok_or(PageFailure::NotFound)
}

/// The organisation's own providers: only they may speak for its people.
async fn own_providers(console: &Console) -> Result<Vec<Upstream>, PageFailure> {
    let of = console.entered().organisation().id;
    let all = providers::all(console.app()).await?;
    Ok(all.into_iter().filter(|one| one.organisation == Some(of)).collect())
}

/// `GET /admin/organizations/{organization}/domains/{domain}`.
async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (console.entered().organisation(), found(&console).await?);
    let (own, may) = (own_providers(&console).await?, console.may_change());
    Ok(console.show(|ui| one_sheet(ui, of, &one, &own, may, None)))
}

fn one_sheet(
    ui: &Ui<'_>,
    of: &Organisation,
    one: &Domain,
    own: &[Upstream],
    may: bool,
    wrong: Option<Said>,
) -> Sheet {
    let at = path(of, &one.domain);
    let mut facts = vec![fact(ui, "orgs.state", state(ui, one))];
    facts.extend(one.verified_at.map(|at| fact(ui, "domains.proven_at", Cell::Time(at))));
    facts.extend(one.checked_at.map(|at| fact(ui, "domains.checked_at", Cell::Time(at))));
    let proof = Card::new("proof", ui.t("domains.proof"))
        .facts(facts)
        .text(ui.with("domains.record_text", &[("domain", one.domain.as_str())]))
        .code(ui.t("domains.record"), domains::record(one));
    let proof = match wrong.filter(|(field, _)| field.is_empty()) {
        Some((_, key)) => proof.item(crate::web::page::admin::Item::Note(Tone::Bad, words::said(ui, key))),
        None => proof,
    };
    let proof = match may {
        true => {
            proof.buttons(vec![Button::new(ui.t("domains.look"), format!("{at}/verify")).about(&one.domain)])
        }
        false => proof,
    };
    let sheet = below(ui, of, Tab::Domains, &one.domain).card(proof);
    if !may {
        return sheet;
    }
    let route = Card::new("route", ui.t("domains.route")).text(ui.t("domains.route_text"));
    let route = match (one.verified_at, own.is_empty()) {
        (None, _) => route.empty(ui.t("domains.prove_first"), None),
        (Some(_), true) => route.empty(ui.t("domains.no_own_provider"), None),
        (Some(_), false) => {
            let wrong: Vec<_> = wrong.map(|(field, key)| (field, words::said(ui, key))).into_iter().collect();
            route.form(route_form(ui, &at, one, own).typed(None, &wrong))
        }
    };
    let remove = Link::grave(ui.t("domains.remove"), format!("{at}/remove"));
    sheet.card(route).card(Card::new("endings", ui.t("domains.remove")).links(vec![remove]))
}

fn route_form(ui: &Ui<'_>, at: &str, one: &Domain, own: &[Upstream]) -> Form {
    let is = |id: &str| one.provider_id.as_deref() == Some(id);
    let nobody = Pick::new("", ui.t("domains.nobody")).picked(one.provider_id.is_none());
    let picks = own.iter().map(|upstream| {
        let id = upstream.settings.id.as_str();
        Pick::new(id, upstream.settings.label()).picked(is(id))
    });
    let picks = std::iter::once(nobody).chain(picks).collect();
    Form::new("route-domain", format!("{at}/route"), ui.t("users.save")).field(Field::new(
        Kind::Select(picks),
        "provider",
        ui.t("domains.provider"),
    ))
}

/// The page again, with what is wrong.
async fn refused(change: &Change, error: DomainError) -> Result<HttpResponse, PageFailure> {
    let wrong = said(error)?;
    let (of, one, own) =
        (change.entered().organisation(), found(change).await?, own_providers(change).await?);
    Ok(change.again(|ui| one_sheet(ui, of, &one, &own, true, Some(wrong))))
}

/// `POST /admin/organizations/{organization}/domains/{domain}/verify`.
async fn verify(change: Change) -> Result<HttpResponse, PageFailure> {
    let (of, domain): (_, String) = (change.entered().organisation(), change.named("domain")?);
    match domains::verify(change.app(), change.actor(), of.id, &domain, &change.origin).await {
        Ok(proven) => Ok(change.done(&path(of, &proven.domain), "verified")),
        Err(error) => refused(&change, error).await,
    }
}

/// `POST /admin/organizations/{organization}/domains/{domain}/route`.
async fn route(change: Change) -> Result<HttpResponse, PageFailure> {
    let (of, domain): (_, String) = (change.entered().organisation(), change.named("domain")?);
    let provider = change.typed.get("provider").map(str::to_owned);
    match domains::route(change.app(), change.actor(), of.id, &domain, provider, &change.origin).await {
        Ok(()) => Ok(change.done(&path(of, &domain), "saved")),
        Err(error) => refused(&change, error).await,
    }
}

/// `GET /admin/organizations/{organization}/domains/{domain}/remove`.
async fn ask_remove(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (console.entered().organisation(), found(&console).await?);
    Ok(console.show(|ui| {
        let at = path(of, &one.domain);
        let form = Form::new("remove", format!("{at}/remove"), ui.t("domains.remove")).grave().cancel(&at);
        let text = ui.with("domains.remove_text", &[("domain", one.domain.as_str())]);
        let card = Card::plain("question").text(text).form(form);
        below(ui, of, Tab::Domains, ui.t("domains.remove")).under(&one.domain, at).card(card)
    }))
}

/// `POST /admin/organizations/{organization}/domains/{domain}/remove`.
async fn remove(change: Change) -> Result<HttpResponse, PageFailure> {
    let (of, domain): (_, String) = (change.entered().organisation(), change.named("domain")?);
    match domains::remove(change.app(), change.actor(), of.id, &domain, &change.origin).await {
        Ok(()) => Ok(change.done(&Tab::Domains.path(of.id), "removed")),
        Err(error) => refused(&change, error).await,
    }
}
