//! `/admin/providers/{provider}/trial`: whether the provider answers, and a way to it and back that shows what it says of
//! somebody and what would happen, without signing anybody in.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::{about, found, path_of};
use crate::identity::federation::providers::{self, Found, Upstream};
use crate::identity::federation::trial::{self, Account, Foreseen, Tried};
use crate::identity::federation::{self, FederationError, Onward, Returned, Start};
use crate::identity::notice::Notices;
use crate::model::Status;
use crate::protocol::Params;
use crate::web::admin::access::{Change, Console};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Button, Card, Cell, Form, Item, Link, Sheet, Tone};
use crate::web::respond;
use crate::web::ui::Ui;

/// `GET /admin/providers/{provider}/trial`: the way there, or what came back.
pub(super) async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let upstream = found(&console).await?;
    let query = console.query()?;
    if query.get("state").is_some() {
        return came_back(&console, &upstream, &query).await;
    }
    let discovered = match providers::discover(console.app(), &upstream.settings).await {
        Err(FederationError::Store(error)) => return Err(error.into()),
        other => other,
    };
    Ok(console.show(|ui| sheet(ui, &upstream, &discovered, None)))
}

fn sheet(
    ui: &Ui<'_>,
    upstream: &Upstream,
    discovered: &Result<Found, FederationError>,
    problem: Option<String>,
) -> Sheet {
    let at = path_of(&upstream.settings.id);
    let card = Card::new("discovery", ui.t("upstream_console.discovery"));
    let sheet = about(ui, upstream, ui.t("upstream_console.try"));
    match discovered {
        Ok(found) => {
            let form = Form::new("trial", format!("{at}/trial"), ui.t("upstream_console.try_now"));
            let wrong: Vec<(&str, String)> = problem.into_iter().map(|text| ("", text)).collect();
            sheet
                .outward()
                .card(card.item(Item::Note(Tone::Good, ui.t("upstream_console.answers").to_owned())).facts(
                    vec![
                        (ui.t("upstream_console.issuer").to_owned(), Cell::code(&found.issuer)),
                        (
                            ui.t("upstream_console.sent_to").to_owned(),
                            Cell::code(&found.authorization_endpoint),
                        ),
                    ],
                ))
                .card(
                    Card::new("round-trip", ui.t("upstream_console.round_trip"))
                        .text(ui.t("upstream_console.try_text"))
                        .form(form.typed(None, &wrong)),
                )
                .maybe(enabling(ui, upstream))
        }
        Err(error) => {
            let text = ui.with("upstream_console.no_answer", &[("why", error.to_string())]);
            let edit = Link::primary(ui.t("upstream_console.edit"), format!("{at}/edit"));
            sheet.card(card.item(Item::Note(Tone::Bad, text)).links(match upstream.configured {
                true => Vec::new(),
                false => vec![edit],
            }))
        }
    }
}

/// The last step, if the provider is not in use.
fn enabling(ui: &Ui<'_>, upstream: &Upstream) -> Option<Card> {
    if upstream.status == Status::Active {
        return None;
    }
    let enable =
        Button::new(ui.t("upstream_console.enable"), format!("{}/enable", path_of(&upstream.settings.id)));
    Some(
        Card::new("enable", ui.t("upstream_console.step_enable"))
            .text(ui.t("upstream_console.enable_text"))
            .buttons(vec![enable]),
    )
}

/// `POST /admin/providers/{provider}/trial`: to the provider, which is asked to ask who is there.
pub(super) async fn start(change: Change) -> Result<HttpResponse, PageFailure> {
    let upstream = found(&change).await?;
    let (app, visitor) = (change.app(), change.visitor());
    let start = Start {
        provider: &upstream.settings.id,
        binding: visitor.binding(),
        device: visitor.browser.device.as_ref(),
        onward: Onward::default(),
        anew: true,
        link_to: None,
        trial_by: Some(change.account().user.id),
    };
    match federation::start(app, start, &change.origin).await {
        Ok(url) => Ok(visitor.with_binding(respond::see_other(url.as_str()))),
        Err(failed) => {
            let discovered = providers::discover(app, &upstream.settings).await;
            let text = change.say(|ui| said(ui, &failed.error));
            let text = text.ok_or(failed.error);
            match text {
                Ok(text) => Ok(change.again(|ui| sheet(ui, &upstream, &discovered, Some(text)))),
                Err(error) => Err(internal(error)),
            }
        }
    }
}

fn internal(error: FederationError) -> PageFailure {
    match error {
        FederationError::Store(error) => error.into(),
        other => PageFailure::Internal(other.to_string()),
    }
}

async fn came_back(
    console: &Console,
    upstream: &Upstream,
    query: &Params,
) -> Result<HttpResponse, PageFailure> {
    let text = |name: &str| query.get(name).map(str::to_owned);
    let returned =
        Returned { state: text("state"), code: text("code"), iss: text("iss"), error: text("error") };
    let (app, by) = (console.app(), console.account().user.id);
    let notices = Notices::of(app, console.language());
    let id = &upstream.settings.id;
    let binding = console.visitor().binding();
    let tried = trial::finish(app, id, returned, binding, by, notices, &console.origin).await;
    let again = |ui: &Ui<'_>| {
        vec![
            Link::new(ui.t("upstream_console.try_again"), format!("{}/trial", path_of(id))),
            Link::new(ui.t("upstream_console.to_provider"), path_of(id)),
        ]
    };
    match tried {
        Ok(tried) => Ok(console.show(|ui| {
            about(ui, upstream, ui.t("upstream_console.tried"))
                .card(outcome(ui, &tried.outcome).links(again(ui)))
                .card(said_by_provider(ui, &tried))
                .maybe(enabling(ui, upstream))
        })),
        Err(error) => {
            let Some(text) = console.say(|ui| said(ui, &error)) else { return Err(internal(error)) };
            Ok(console.show_as(StatusCode::UNPROCESSABLE_ENTITY, |ui| {
                about(ui, upstream, ui.t("upstream_console.tried"))
                    .card(Card::plain("refused").item(Item::Note(Tone::Bad, text)).links(again(ui)))
            }))
        }
    }
}

/// What is said of a way that ended early; `None` for a fault of ours.
fn said(ui: &Ui<'_>, error: &FederationError) -> Option<String> {
    Some(match error {
        FederationError::Stale => ui.t("upstream_console.failed.stale").to_owned(),
        FederationError::Denied(why) => ui.with("upstream_console.failed.denied", &[("why", why)]),
        FederationError::Unavailable(why) => ui.with("upstream_console.no_answer", &[("why", why)]),
        FederationError::Refused(why) => ui.with("upstream_console.failed.refused", &[("why", why)]),
        FederationError::ClientRefused(why) => ui.with("upstream_console.failed.client", &[("why", why)]),
        FederationError::Throttled(throttled) => {
            ui.with("upstream_console.failed.throttled", &[("span", ui.span(throttled.retry_after))])
        }
        _ => return None,
    })
}

fn outcome(ui: &Ui<'_>, outcome: &Foreseen) -> Card {
    let card = Card::new("outcome", ui.t("upstream_console.outcome"));
    let with = |key: &'static str, who: &Account| ui.with(key, &[("who", &*who.label)]);
    let (tone, text, who) = match outcome {
        Foreseen::SignedIn { who, is_new: false, .. } => {
            (Tone::Good, with("upstream_console.outcome_known", who), Some(who))
        }
        Foreseen::SignedIn { who, is_new: true, organisations } => {
            let text = match organisations.is_empty() {
                true => with("upstream_console.outcome_new", who),
                false => {
                    let list = organisations.join(", ");
                    ui.with(
                        "upstream_console.outcome_new_in",
                        &[("who", &*who.label), ("organizations", &list)],
                    )
                }
            };
            (Tone::Good, text, None)
        }
        Foreseen::Links(who) => (Tone::Good, with("upstream_console.outcome_links", who), Some(who)),
        Foreseen::NoAccount => (Tone::Bad, ui.t("upstream_console.outcome_no_account").to_owned(), None),
        Foreseen::NotInvited => (Tone::Bad, ui.t("upstream_console.outcome_not_invited").to_owned(), None),
        Foreseen::NotAdmitted(why) => {
            (Tone::Bad, ui.with("upstream_console.outcome_refused", &[("why", why)]), None)
        }
    };
    let card = card.item(Item::Note(tone, text)).hint(ui.t("upstream_console.outcome_hint"));
    match who {
        Some(who) => card.facts(vec![(
            ui.t("upstream_console.account").to_owned(),
            Cell::link(&who.label, format!("/admin/users/{}", who.id)),
        )]),
        None => card,
    }
}

fn said_by_provider(ui: &Ui<'_>, tried: &Tried) -> Card {
    let fact = |key: &'static str, cell: Cell| (ui.t(key).to_owned(), cell);
    let email = match (&tried.email, tried.email_verified) {
        (None, _) => Cell::Nothing,
        (Some(email), true) => {
            Cell::Many(vec![Cell::text(email), Cell::tag(Tone::Good, ui.t("upstream_console.email_counts"))])
        }
        (Some(email), false) => Cell::Many(vec![
            Cell::text(email),
            Cell::tag(Tone::Bad, ui.t("upstream_console.email_counts_not")),
        ]),
    };
    Card::new("claims", ui.t("upstream_console.claims"))
        .facts(vec![
            fact("upstream_console.issuer", Cell::code(&tried.issuer)),
            fact("upstream_console.subject", Cell::code(&tried.subject)),
            fact("upstream_console.email", email),
            fact("upstream_console.person", Cell::text(tried.name.clone().unwrap_or_default())),
        ])
        .code(ui.t("upstream_console.claims_raw"), &tried.claims)
}
