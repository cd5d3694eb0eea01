//! `/admin/keys`: which keys sign from when until when, a successor before its time, withdrawing one, and who still
//! fetches them.

use actix_web::HttpResponse;

use super::access::{Change, Console};
use super::{Route, table};
use crate::clock::Timestamp;
use crate::model::SigningAlg;
use crate::signing::{self, ALGORITHMS, KeyLine, KeyState, SigningError};
use crate::store::signing_keys;
use crate::usage::{self, KeyReader, Range, Span};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Kind, Link, Pick, Place, Sheet, Table, Tone};
use crate::web::page::picture::{Sparkline, key_line, whole};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/keys" instance see list;
    post "/admin/keys/rotate" instance change rotate;
    get "/admin/keys/{key}/revoke" instance destroy ask_revoke;
    post "/admin/keys/{key}/revoke" instance destroy revoke;
};

const PATH: &str = "/admin/keys";

/// What the page shows.
struct Keys {
    now: Timestamp,
    lines: Vec<KeyLine>,
    /// Within the last month.
    readers: Vec<KeyReader>,
}

impl Keys {
    async fn of(console: &Console) -> Result<Self, PageFailure> {
        let (app, now) = (console.app(), console.app().clock.now());
        let span = Span::last(Range::Month, now, console.zone().as_ref());
        let readers = app.usage.key_readers(&app.db, &span).await?;
        Ok(Self { now, lines: lines(console).await?, readers })
    }
}

async fn lines(console: &Console) -> Result<Vec<KeyLine>, PageFailure> {
    let app = console.app();
    let rows = app.db.read(signing_keys::all).await?;
    Ok(signing::lines(&rows, &signing::policy(&app.config), app.clock.now()))
}

async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let keys = Keys::of(&console).await?;
    Ok(console.show(|ui| sheet(ui, &console, &keys, &[])))
}

fn sheet(ui: &Ui<'_>, console: &Console, keys: &Keys, wrong: &[(&str, String)]) -> Sheet {
    let may = console.may_change();
    Sheet::new(Place::Keys, ui.t("console.place.keys"))
        .lead(ui.t("signing_keys.lead"))
        .card(Card::plain("key-line").picture(key_line(ui, &keys.lines, keys.now)))
        .card(all(ui, &keys.lines, may))
        .maybe(may.then(|| successor(ui, console, wrong)))
        .card(fetched_by(ui, &keys.readers))
}

fn all(ui: &Ui<'_>, lines: &[KeyLine], may: bool) -> Card {
    let rows = lines.iter().map(|key| {
        let revoke = Link::grave(ui.t("signing_keys.revoke"), question_of(key));
        vec![
            Cell::code(&key.kid),
            Cell::text(key.alg.as_str()),
            state(ui, key.state),
            Cell::Time(key.signs_from),
            Cell::time(key.signs_until),
            Cell::time(key.revoked_at.or(key.leaves_at)),
            if may && can_be_revoked(key) { Cell::Link(revoke) } else { Cell::Nothing },
        ]
    });
    let head = [
        ui.t("picture.key"),
        ui.t("picture.algorithm"),
        ui.t("picture.state"),
        ui.t("picture.signs_from"),
        ui.t("picture.signs_until"),
        ui.t("picture.leaves"),
        ui.t("users.act"),
    ];
    Card::new("all-keys", ui.t("signing_keys.all"))
        .table(Table::new(ui.t("signing_keys.all"), head).rows(rows))
}

/// Of one that has gone nothing is believed any more.
fn can_be_revoked(key: &KeyLine) -> bool {
    !matches!(key.state, KeyState::Revoked | KeyState::Gone)
}

fn state(ui: &Ui<'_>, state: KeyState) -> Cell {
    match state {
        KeyState::Waiting => Cell::tag(Tone::Plain, ui.t("picture.state_waiting")),
        KeyState::Signing => Cell::tag(Tone::Good, ui.t("picture.state_signing")),
        KeyState::Retired => Cell::tag(Tone::Plain, ui.t("picture.state_retired")),
        KeyState::Gone => Cell::tag(Tone::Plain, ui.t("picture.state_gone")),
        KeyState::Revoked => Cell::tag(Tone::Bad, ui.t("picture.state_revoked")),
    }
}

fn successor(ui: &Ui<'_>, console: &Console, wrong: &[(&str, String)]) -> Card {
    let picks = ALGORITHMS.map(|alg| Pick::new(alg.as_str(), alg.as_str()));
    let form = Form::new("rotate", "/admin/keys/rotate", ui.t("signing_keys.rotate_submit"))
        .field(Field::new(Kind::Select(picks.to_vec()), "alg", ui.t("picture.algorithm")).required())
        .typed(None, wrong);
    let ahead = ui.span(console.app().config.keys.publish_ahead);
    let every = ui.span(console.app().config.keys.rotate_every);
    Card::new("successor", ui.t("signing_keys.rotate"))
        .text(ui.with("signing_keys.rotate_text", &[("ahead", ahead), ("every", every)]))
        .form(form)
}

fn fetched_by(ui: &Ui<'_>, readers: &[KeyReader]) -> Card {
    let card = Card::new("readers", ui.t("signing_keys.readers"));
    if readers.is_empty() {
        return card.empty(ui.t("signing_keys.no_readers"), None);
    }
    let rows = readers.iter().map(|reader| {
        let name = match reader.program.as_str() {
            usage::OTHER => Cell::text(ui.t("signing_keys.unnamed")),
            program => Cell::text(program),
        };
        let total = Cell::text(whole(ui, reader.amounts.iter().sum()));
        let curve = Sparkline::of(&reader.amounts).map_or(Cell::Nothing, Cell::Curve);
        vec![name, Cell::Many(vec![total, curve]), Cell::Time(reader.last)]
    });
    let head = [ui.t("signing_keys.program"), ui.t("signing_keys.fetches"), ui.t("signing_keys.last_fetch")];
    card.text(ui.t("signing_keys.readers_text"))
        .table(Table::new(ui.t("signing_keys.readers"), head).rows(rows))
}

async fn rotate(change: Change) -> Result<HttpResponse, PageFailure> {
    let asked = change.text("alg");
    let Some(alg) = ALGORITHMS.into_iter().find(|alg: &SigningAlg| alg.as_str() == asked) else {
        let keys = Keys::of(&change).await?;
        return Ok(change.again(|ui| {
            let wrong = [("alg", ui.t("signing_keys.bad_alg").to_owned())];
            sheet(ui, &change, &keys, &wrong)
        }));
    };
    let app = change.app();
    app.signing.rotate(&app.db, alg, app.scribe(&change.origin)).await.map_err(failure)?;
    Ok(change.done(PATH, "created"))
}

/// The page that asks before a key is revoked. An identifier may hold capitals and a way back may not (CH-6), so its
/// bytes stand there in hexadecimal.
fn question_of(key: &KeyLine) -> String {
    format!("{PATH}/{}/revoke", hexadecimal(&key.kid))
}

fn hexadecimal(kid: &str) -> String {
    kid.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The key that the path names, if it can be revoked.
async fn named(console: &Console) -> Result<KeyLine, PageFailure> {
    let asked: String = console.named("key")?;
    let found = lines(console).await?.into_iter().find(|key| hexadecimal(&key.kid) == asked);
    found.filter(can_be_revoked).ok_or(PageFailure::NotFound)
}

async fn ask_revoke(console: Console) -> Result<HttpResponse, PageFailure> {
    let key = named(&console).await?;
    Ok(console.show(|ui| {
        let title = ui.t("signing_keys.revoke_title");
        let what = match key.state {
            KeyState::Waiting => ui.t("signing_keys.revoke_waiting"),
            KeyState::Signing => ui.t("signing_keys.revoke_signing"),
            KeyState::Retired | KeyState::Gone | KeyState::Revoked => ui.t("signing_keys.revoke_retired"),
        };
        let form = Form::new("revoke", question_of(&key), ui.t("signing_keys.revoke")).grave().cancel(PATH);
        let card = Card::plain("question")
            .facts(vec![
                (ui.t("picture.key").to_owned(), Cell::code(&key.kid)),
                (ui.t("picture.algorithm").to_owned(), Cell::text(key.alg.as_str())),
                (ui.t("picture.state").to_owned(), state(ui, key.state)),
            ])
            .text(what)
            .text(ui.t("signing_keys.revoke_text"))
            .form(form);
        Sheet::new(Place::Keys, title).under(ui.t("console.place.keys"), PATH).card(card)
    }))
}

async fn revoke(change: Change) -> Result<HttpResponse, PageFailure> {
    let (app, key) = (change.app(), named(&change).await?);
    app.signing.revoke(&app.db, &key.kid, app.scribe(&change.origin)).await.map_err(failure)?;
    Ok(change.done(PATH, "revoked"))
}

fn failure(error: SigningError) -> PageFailure {
    match error {
        SigningError::Store(error) => error.into(),
        SigningError::NoSuchKey(_) => PageFailure::NotFound,
        other => PageFailure::Internal(other.to_string()),
    }
}
