//! `/admin`: how the instance does. What is wrong and what to do, who signs in, who gets tokens, which keys sign.

use actix_web::HttpResponse;

use super::access::Console;
use super::{Route, table};
use crate::clock::Timestamp;
use crate::findings::{self, Finding, Severity};
use crate::signing::{self, KeyLine};
use crate::store::signing_keys;
use crate::tenancy::clients;
use crate::usage::{self, Present, Range, SignIns, Span, Tokens};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Item, Link, Notice, Place, Sheet, Tone};
use crate::web::page::picture::{self, whole};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin" front see front;
};

/// Applications that are told apart in the picture.
const CLIENTS: usize = 8;

/// What the overview shows.
struct Overview {
    now: Timestamp,
    span: Span,
    findings: Vec<Finding>,
    has_client: bool,
    present: Present,
    sign_ins: SignIns,
    tokens: Tokens,
    keys: Vec<KeyLine>,
}

/// `GET /admin`: the overview of the instance; for somebody who administers organisations, these.
async fn front(console: Console) -> Result<HttpResponse, PageFailure> {
    if console.entered().instance_role().is_none() {
        let own = console.entered().administered();
        return Ok(match own {
            [only] => console.go(&format!("/admin/organizations/{}", only.id)),
            _ => console.go("/admin/organizations"),
        });
    }
    let overview = look(&console).await?;
    let may = console.may_change();
    Ok(console.show(|ui| {
        let tab = |range: Range, text| Link::tab(text, path(range), range == overview.span.range);
        Sheet::new(Place::Overview, ui.t("console.place.overview"))
            .maybe((!overview.has_client).then(|| start(ui, may)))
            .card(findings_card(ui, &overview.findings))
            .card(present(ui, &overview.present))
            .tabs(vec![
                tab(Range::Day, ui.t("overview.day")),
                tab(Range::Week, ui.t("overview.week")),
                tab(Range::Month, ui.t("overview.month")),
            ])
            .card(Card::plain("over-time").picture(picture::sign_ins(ui, &overview.span, &overview.sign_ins)))
            .card(tokens(ui, &overview.tokens))
            .card(
                Card::plain("key-line")
                    .picture(picture::key_line(ui, &overview.keys, overview.now))
                    .links(vec![Link::new(ui.t("console.place.keys"), Place::Keys.path())]),
            )
    }))
}

/// The page for another stretch of time.
fn path(range: Range) -> String {
    format!("{}?range={}", Place::Overview.path(), range.as_str())
}

async fn look(console: &Console) -> Result<Overview, PageFailure> {
    let (app, now) = (console.app(), console.app().clock.now());
    let range = console.query()?.get("range").and_then(Range::parse).unwrap_or_default();
    let span = Span::last(range, now, console.zone().as_ref());
    let rows = app.db.read(signing_keys::all).await?;
    Ok(Overview {
        findings: findings::look(&app.db, &app.config, now).await?,
        has_client: clients::first(app).await?.is_some(),
        present: usage::present(&app.db, now).await?,
        sign_ins: app.usage.sign_ins(&app.db, &span).await?,
        tokens: app.usage.tokens_by_client(&app.db, &span, CLIENTS).await?,
        keys: signing::lines(&rows, &signing::policy(&app.config), now),
        now,
        span,
    })
}

/// What to do first, where there is no application yet.
fn start(ui: &Ui<'_>, may: bool) -> Card {
    let card = Card::new("start", ui.t("overview.start")).tone(Tone::Good).text(ui.t("overview.start_text"));
    if !may {
        return card;
    }
    card.links(vec![
        Link::primary(ui.t("setup_guide.title"), "/admin/setup"),
        Link::new(ui.t("overview.make_client"), "/admin/new-client"),
        Link::new(ui.t("users.invite"), "/admin/users/invite"),
        Link::new(ui.t("mail_console.test"), "/admin/mail/test"),
    ])
}

fn findings_card(ui: &Ui<'_>, findings: &[Finding]) -> Card {
    let card = Card::new("findings", ui.t("overview.findings"));
    if findings.is_empty() {
        return card.tone(Tone::Good).text(ui.t("overview.no_findings"));
    }
    let is_grave = findings.iter().any(|finding| finding.severity() == Severity::Problem);
    let card = if is_grave { card.tone(Tone::Bad) } else { card };
    card.item(Item::Notices(findings.iter().map(|finding| notice(ui, finding)).collect()))
}

fn notice(ui: &Ui<'_>, finding: &Finding) -> Notice {
    let (tone, tag) = match finding.severity() {
        Severity::Problem => (Tone::Bad, ui.t("overview.problem")),
        Severity::Warning => (Tone::Bad, ui.t("overview.warning")),
        Severity::Hint => (Tone::Plain, ui.t("overview.hint")),
    };
    Notice {
        tone,
        tag: tag.to_owned(),
        text: finding.says(ui.language, ui.zone),
        advice: finding.advice(ui.language).to_owned(),
        link: way(ui, finding),
    }
}

/// The page of the console where it is mended or seen closer.
fn way(ui: &Ui<'_>, finding: &Finding) -> Option<Link> {
    let (place, path) = match finding {
        Finding::SchemaBehind | Finding::ClockOff(_) | Finding::NoAdministrator => return None,
        Finding::NoSigningKey(_) | Finding::NoSuccessor(_) => (Place::Keys, Place::Keys.path().to_owned()),
        Finding::OneAdministrator | Finding::AdministratorsWithoutFactor(_) => {
            (Place::Users, "/admin/users?role=administrator".to_owned())
        }
        Finding::MailFailed(_) => (Place::Mail, "/admin/mail?state=failed".to_owned()),
        Finding::MailWaits { .. } => (Place::Mail, "/admin/mail?state=waiting".to_owned()),
        Finding::SecretEnds { client_id, .. } => (Place::Clients, format!("/admin/clients/{client_id}")),
        Finding::DomainMissing { .. } => (Place::Organisations, Place::Organisations.path().to_owned()),
        Finding::NoMailServer | Finding::NoTrustedProxy | Finding::NoMetrics | Finding::OneNodeOnly => {
            (Place::Settings, Place::Settings.path().to_owned())
        }
    };
    Some(Link::new(place.label(ui), path))
}

fn present(ui: &Ui<'_>, present: &Present) -> Card {
    let failed = whole(ui, present.mail.failed);
    Card::new("present", ui.t("overview.present")).facts(vec![
        (ui.t("overview.sessions").to_owned(), Cell::link(whole(ui, present.sessions), "/admin/sessions")),
        (
            ui.t("overview.mail_waits").to_owned(),
            Cell::link(whole(ui, present.mail.waiting), "/admin/mail?state=waiting"),
        ),
        (ui.t("overview.mail_failed").to_owned(), Cell::link(failed, "/admin/mail?state=failed")),
    ])
}

fn tokens(ui: &Ui<'_>, tokens: &Tokens) -> Card {
    let known = tokens.clients.iter().filter(|client| !client.client_id.is_empty());
    let links: Vec<Cell> = known
        .map(|client| {
            let name = if client.name.trim().is_empty() { &client.client_id } else { &client.name };
            Cell::link(name, format!("/admin/clients/{}", client.client_id))
        })
        .collect();
    let card = Card::plain("by-client").picture(picture::tokens(ui, tokens));
    if links.is_empty() {
        return card;
    }
    card.facts(vec![(ui.t("overview.look_at").to_owned(), Cell::Many(links))])
}
