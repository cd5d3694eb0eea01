//! `/admin/mail`: what waits, what failed, a test, and whether others will believe that mail comes from here.

use actix_web::HttpResponse;

use super::access::{Change, Console};
use super::list::{LIMIT, List};
use super::{Route, table};
use crate::model::{EmailAddress, MessageId};
use crate::store::outbox::Message;
use crate::tenancy::post::{self, Record, State};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Button, Card, Cell, Field, Form, Kind, Link, Pick, Place, Sheet, Table, Tone};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/mail" instance see list;
    post "/admin/mail/again" instance change again;
    get "/admin/mail/test" instance change test;
    post "/admin/mail/test" instance change send;
    get "/admin/mail/test/{message}" instance see watch;
    get "/admin/mail/check" instance see check;
};

const PATH: &str = "/admin/mail";

async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let query = console.query()?;
    let list = List::new(PATH, &query, &["state"]);
    let state: Option<State> = query.get("state").and_then(|word| word.parse().ok());
    let mut found = post::list(console.app(), state, list.after::<MessageId>()?, LIMIT).await?;
    let (next, first) = list.cut(&mut found, |message| message.id);
    let may = console.may_change();
    let from = console.app().config.mail_from().to_string();
    Ok(console.show(|ui| {
        let mut links = vec![Link::new(ui.t("mail_console.check"), "/admin/mail/check")];
        if may {
            links.insert(0, Link::primary(ui.t("mail_console.test"), "/admin/mail/test"));
        }
        let states = [State::Waiting, State::Failed, State::Sent];
        let picks = std::iter::once(Pick::new("", ui.t("console.any")))
            .chain(states.map(|state| Pick::new(state.as_str(), word(ui, state))));
        let seek = Form::search("seek", PATH, ui.t("console.search"))
            .field(Field::new(Kind::Select(picks.collect()), "state", ui.t("users.state")))
            .typed(Some(&query), &[]);
        let card = Card::plain("mail").links(links).form(seek);
        let head = [
            ui.t("mail_console.to"),
            ui.t("mail_console.subject"),
            ui.t("users.state"),
            ui.t("mail_console.tries"),
            ui.t("mail_console.made"),
            ui.t("mail_console.error"),
            ui.t("users.act"),
        ];
        let card = match found.is_empty() {
            true => card.empty(ui.t("mail_console.none"), None),
            false => card.table(
                Table::new(ui.t("console.place.mail"), head)
                    .rows(found.iter().map(|message| row(ui, message, may)))
                    .pages(next, first),
            ),
        };
        Sheet::new(Place::Mail, ui.t("console.place.mail"))
            .lead(ui.with("mail_console.lead", &[("from", from.as_str())]))
            .card(card)
    }))
}

fn word(ui: &Ui<'_>, state: State) -> &'static str {
    match state {
        State::Waiting => ui.t("mail_console.waiting"),
        State::Sent => ui.t("mail_console.sent"),
        State::Failed => ui.t("mail_console.failed"),
    }
}

fn tag(ui: &Ui<'_>, state: State) -> Cell {
    let tone = match state {
        State::Waiting => Tone::Plain,
        State::Sent => Tone::Good,
        State::Failed => Tone::Bad,
    };
    Cell::tag(tone, word(ui, state))
}

fn row(ui: &Ui<'_>, message: &Message, may: bool) -> Vec<Cell> {
    let state = post::state(message);
    let again = Button::new(ui.t("mail_console.again"), "/admin/mail/again")
        .with("message", message.id.to_string())
        .about(&message.recipient);
    vec![
        Cell::text(&message.recipient),
        Cell::text(&message.subject),
        tag(ui, state),
        Cell::text(message.attempts.to_string()),
        Cell::Time(message.created_at),
        Cell::text(message.last_error.clone().unwrap_or_default()),
        if may && state != State::Sent { Cell::Button(again) } else { Cell::Nothing },
    ]
}

async fn again(change: Change) -> Result<HttpResponse, PageFailure> {
    let message: MessageId = change.text("message").parse().map_err(|_| PageFailure::NotFound)?;
    match post::send_again(change.app(), message, &change.origin).await? {
        true => Ok(change.done(PATH, "sent")),
        false => Err(PageFailure::NotFound),
    }
}

fn below(ui: &Ui<'_>, title: &'static str) -> Sheet {
    Sheet::new(Place::Mail, ui.t(title)).under(ui.t("console.place.mail"), PATH)
}

fn test_form(ui: &Ui<'_>, to: &str) -> Form {
    Form::new("test-mail", "/admin/mail/test", ui.t("mail_console.send"))
        .field(Field::new(Kind::Email, "to", ui.t("mail_console.to")).value(to).required())
        .cancel(PATH)
}

async fn test(console: Console) -> Result<HttpResponse, PageFailure> {
    let own = console.account().email.clone().unwrap_or_default();
    Ok(console.show(|ui| {
        below(ui, "mail_console.test")
            .card(Card::plain("test").text(ui.t("mail_console.test_text")).form(test_form(ui, &own)))
    }))
}

async fn send(change: Change) -> Result<HttpResponse, PageFailure> {
    let Ok(to) = EmailAddress::parse(change.text("to")) else {
        return Ok(change.again(|ui| {
            let wrong = [("to", ui.t("users.bad_email").to_owned())];
            below(ui, "mail_console.test")
                .card(Card::plain("test").form(test_form(ui, "").typed(Some(&change.typed), &wrong)))
        }));
    };
    let id = post::send_test(change.app(), &to, change.language(), &change.origin).await?;
    Ok(change.go(&format!("/admin/mail/test/{id}")))
}

/// What became of the test.
async fn watch(console: Console) -> Result<HttpResponse, PageFailure> {
    let id: MessageId = console.named("message")?;
    let message = post::find(console.app(), id).await?.ok_or(PageFailure::NotFound)?;
    Ok(console.show(|ui| {
        let (tone, text) = match post::state(&message) {
            State::Sent => (Tone::Good, ui.with("mail_console.arrived", &[("to", &message.recipient)])),
            State::Failed => (Tone::Bad, ui.t("mail_console.broken").to_owned()),
            State::Waiting => (Tone::Plain, ui.t("mail_console.underway").to_owned()),
        };
        let facts = vec![
            (ui.t("users.state").to_owned(), tag(ui, post::state(&message))),
            (ui.t("mail_console.tries").to_owned(), Cell::text(message.attempts.to_string())),
            (
                ui.t("mail_console.error").to_owned(),
                Cell::text(message.last_error.clone().unwrap_or_default()),
            ),
        ];
        let card = Card::plain("watch")
            .item(crate::web::page::admin::Item::Note(tone, text))
            .facts(facts)
            .links(vec![Link::new(ui.t("mail_console.look_again"), format!("/admin/mail/test/{id}"))]);
        below(ui, "mail_console.test").card(card)
    }))
}

/// What DNS says of the domain that mail comes from.
async fn check(console: Console) -> Result<HttpResponse, PageFailure> {
    let query = console.query()?;
    let selector = query.get("selector").map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let records = post::look_up(console.app(), selector.as_deref()).await;
    Ok(console.show(|ui| {
        let rows = records.iter().map(|(what, name, found)| {
            let (tone, text, told) = match found {
                Record::Found(text) => (Tone::Good, ui.t("mail_console.there"), text.clone()),
                Record::Missing => (Tone::Bad, ui.t("mail_console.missing"), String::new()),
                Record::Unknown(why) => (Tone::Plain, ui.t("mail_console.unknown"), why.clone()),
            };
            vec![Cell::text(*what), Cell::code(name), Cell::tag(tone, text), Cell::text(told)]
        });
        let head = [
            ui.t("mail_console.record"),
            ui.t("mail_console.name"),
            ui.t("users.state"),
            ui.t("mail_console.says"),
        ];
        let seek = Form::search("selector-form", "/admin/mail/check", ui.t("mail_console.look"))
            .field(
                Field::text("selector", ui.t("mail_console.selector"))
                    .hint(ui.t("mail_console.selector_hint")),
            )
            .typed(Some(&query), &[]);
        let card = Card::plain("check")
            .text(ui.t("mail_console.check_text"))
            .table(Table::new(ui.t("mail_console.check"), head).rows(rows))
            .form(seek);
        below(ui, "mail_console.check").card(card)
    }))
}
