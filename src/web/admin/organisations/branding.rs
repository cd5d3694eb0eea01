//! How the sign-in pages of an organisation look: colour, words and logo, with a picture of the result.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use askama::Template;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{Said, Tab, fact, sheet};
use crate::model::colour::{Colour, Pale, Palette};
use crate::store::branding::{self as rows, Branding};
use crate::tenancy::branding::{self as looks, BrandingError, Words};
use crate::web::admin::access::{Change, Console};
use crate::web::admin::upload::Upload;
use crate::web::admin::{Route, table, words};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Button, Card, Cell, Field, Form, Item, Kind, LookPicture, Sheet, Tone};
use crate::web::respond;
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/organizations/{organization}/branding" organisation see show;
    post "/admin/organizations/{organization}/branding" organisation change save;
    get "/admin/organizations/{organization}/branding/preview" organisation see preview;
    post "/admin/organizations/{organization}/branding/logo" organisation change set_logo;
    post "/admin/organizations/{organization}/branding/remove-logo" organisation change remove_logo;
};

/// A picture that runs and loads nothing, with the logo inside.
const PICTURE_POLICY: &str = "default-src 'none'; img-src data:; sandbox";

async fn stored(console: &Console) -> Result<Option<Branding>, PageFailure> {
    let organisation = console.entered().organisation().id;
    Ok(console.app().db.read(move |db| rows::find(db, organisation)).await?)
}

/// What stands on the page besides what is stored.
#[derive(Default)]
struct Shown<'a> {
    /// A colour to look at before it is stored.
    tried: Option<Colour>,
    form: Option<Form>,
    logo_problem: Option<&'a str>,
}

/// `GET /admin/organizations/{organization}/branding`.
async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let (look, query) = (stored(&console).await?, console.query()?);
    let tried = query.get("colour").and_then(Colour::parse);
    Ok(console.show(|ui| page(ui, &console, look.as_ref(), Shown { tried, ..Shown::default() })))
}

fn page(ui: &Ui<'_>, console: &Console, look: Option<&Branding>, shown: Shown<'_>) -> Sheet {
    let of = console.entered().organisation();
    let at = Tab::Branding.path(of.id);
    let sheet =
        sheet(ui, of, Tab::Branding).lead(ui.t("branding.lead")).card(picture(ui, &at, look, shown.tried));
    if !console.may_change() {
        return sheet;
    }
    let form = shown.form.unwrap_or_else(|| words_form(ui, &at, look, shown.tried));
    sheet
        .card(Card::new("try", ui.t("branding.try")).form(try_form(ui, &at, look, shown.tried)))
        .card(Card::new("words", ui.t("branding.words")).form(form))
        .card(logo(ui, &at, look, shown.logo_problem))
}

/// As the sign-in page will look, in light and dark; with a colour that is tried, what is to be said of it.
fn picture(ui: &Ui<'_>, at: &str, look: Option<&Branding>, tried: Option<Colour>) -> Card {
    let judged = tried.map(Palette::of);
    let (query, note) = match (tried, judged) {
        (Some(colour), Some(Ok(palette))) => {
            let ground = Colour::parse("#ffffff").map(|white| palette.light.accent.contrast(white));
            let contrast = format!("{:.1}", ground.unwrap_or_default());
            let text = ui.with("branding.good", &[("colour", colour.to_string()), ("contrast", contrast)]);
            (format!("?colour=%23{}", &colour.to_string()[1..]), Some((Tone::Good, text)))
        }
        (_, Some(Err(pale))) => (String::new(), Some((Tone::Bad, too_pale(ui, pale)))),
        _ => (String::new(), None),
    };
    // The address changes with what is stored, so that no old picture is shown.
    let hash = look.map(|look| look.hash.as_str()).unwrap_or_default();
    let query = if query.is_empty() { format!("?v={hash}") } else { format!("{query}&v={hash}") };
    let card = Card::new("look", ui.t("branding.look"));
    let card = match note {
        Some((tone, text)) => card.item(Item::Note(tone, text)),
        None => card,
    };
    let source = format!("{}{at}/preview{query}", ui.base);
    let facts = vec![fact(ui, "branding.shown", Cell::text(ui.t("branding.shown_when")))];
    card.item(Item::Preview { source, alt: ui.t("branding.alt").to_owned() }).facts(facts)
}

fn too_pale(ui: &Ui<'_>, pale: Pale) -> String {
    let values = [("contrast", format!("{:.1}", pale.contrast)), ("instead", pale.instead.to_string())];
    ui.with("branding.pale", &values)
}

fn accent_of(look: Option<&Branding>, tried: Option<Colour>) -> String {
    let stored = look.and_then(|look| look.accent.clone());
    tried.map(|colour| colour.to_string()).or(stored).unwrap_or_default()
}

/// A picker, which always holds some colour: to look at, not to store.
fn try_form(ui: &Ui<'_>, at: &str, look: Option<&Branding>, tried: Option<Colour>) -> Form {
    let value = match accent_of(look, tried) {
        none if none.is_empty() => Palette::ours().light.accent.to_string(),
        accent => accent,
    };
    Form::search("try-colour", at, ui.t("branding.try"))
        .field(Field::new(Kind::Colour, "colour", ui.t("branding.accent")).value(value))
}

fn words_form(ui: &Ui<'_>, at: &str, look: Option<&Branding>, tried: Option<Colour>) -> Form {
    let message = look.map(|look| look.message.as_str()).unwrap_or_default();
    let support = look.map(|look| look.support.as_str()).unwrap_or_default();
    let mut accent = Field::text("accent", ui.t("branding.accent"));
    accent.value = accent_of(look, tried);
    Form::new("change-look", at, ui.t("users.save"))
        .field(accent.hint(ui.t("branding.accent_hint")))
        .field(
            Field::text("message", ui.t("branding.message"))
                .hint(ui.t("branding.message_hint"))
                .value(message),
        )
        .field(Field::new(Kind::Email, "support", ui.t("branding.support")).value(support))
}

fn logo(ui: &Ui<'_>, at: &str, look: Option<&Branding>, problem: Option<&str>) -> Card {
    let has_logo = look.is_some_and(|look| look.logo.is_some());
    let card = Card::new("logo", ui.t("branding.logo"));
    let wrong: Vec<_> = problem.map(|text| ("file", text.to_owned())).into_iter().collect();
    let file = Field::new(Kind::File("image/png,image/jpeg,image/webp"), "file", ui.t("branding.file"));
    let form = Form::new("set-logo", format!("{at}/logo"), ui.t("branding.upload"))
        .field(file.hint(ui.t("branding.file_hint")).required());
    let card = card.form(form.typed(None, &wrong));
    match has_logo {
        true => card.buttons(vec![Button::new(ui.t("branding.remove_logo"), format!("{at}/remove-logo"))]),
        false => card,
    }
}

/// `GET /admin/organizations/{organization}/branding/preview`: the sign-in page, drawn.
async fn preview(console: Console) -> Result<HttpResponse, PageFailure> {
    let (look, query) = (stored(&console).await?, console.query()?);
    let accent = look.as_ref().and_then(|look| look.accent.as_deref());
    let chosen = query.get("colour").or(accent).and_then(Colour::parse);
    let palette = chosen.and_then(|colour| Palette::of(colour).ok()).unwrap_or(Palette::ours());
    let logo = look.as_ref().and_then(|look| Some((look.logo.as_ref()?, look.logo_type.as_ref()?)));
    let logo = logo.map(|(bytes, kind)| format!("data:{kind};base64,{}", BASE64_STANDARD.encode(bytes)));
    let message = look.as_ref().map(|look| look.message.clone()).unwrap_or_default();
    let name = console.entered().organisation().name.clone();
    let drawn = console.draw(|ui| LookPicture::new(ui, &palette, &name, logo.as_deref(), &message).render());
    let drawn = drawn.map_err(|error| PageFailure::Internal(error.to_string()))?;
    Ok(respond::no_store(StatusCode::OK)
        .insert_header((CONTENT_TYPE, "image/svg+xml"))
        .insert_header((CONTENT_SECURITY_POLICY, PICTURE_POLICY))
        .body(drawn))
}

/// What is said of a look that was refused.
enum Complaint {
    Plain(Said),
    Pale(Pale),
}

fn said(error: BrandingError) -> Result<Complaint, PageFailure> {
    Ok(Complaint::Plain(match error {
        BrandingError::Pale(pale) => return Ok(Complaint::Pale(pale)),
        BrandingError::BadColour => ("accent", "branding.bad_colour"),
        BrandingError::BadMessage => ("message", "branding.bad_message"),
        BrandingError::BadSupport => ("support", "users.bad_email"),
        BrandingError::NoPicture => ("file", "branding.no_picture"),
        BrandingError::TooLarge => ("file", "branding.too_large"),
        BrandingError::NotPermitted(_) => ("", "orgs.not_permitted"),
        BrandingError::NoSuchOrganisation => return Err(PageFailure::NotFound),
        BrandingError::Store(error) => return Err(error.into()),
    }))
}

impl Complaint {
    fn words(self, ui: &Ui<'_>) -> (&'static str, String) {
        match self {
            Self::Plain((field, key)) => (field, words::said(ui, key)),
            Self::Pale(pale) => ("accent", too_pale(ui, pale)),
        }
    }
}

/// `POST /admin/organizations/{organization}/branding`.
async fn save(change: Change) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation();
    let at = Tab::Branding.path(of.id);
    let typed = |name: &str| Some(change.text(name).to_owned());
    let words = Words { accent: typed("accent"), message: typed("message"), support: typed("support") };
    match looks::change(change.app(), change.actor(), of.id, words, &change.origin).await {
        Ok(()) => Ok(change.done(&at, "saved")),
        Err(error) => {
            let complaint = said(error)?;
            let look = stored(&change).await?;
            Ok(change.again(|ui| {
                let wrong = [complaint.words(ui)];
                let form = words_form(ui, &at, look.as_ref(), None).typed(Some(&change.typed), &wrong);
                page(ui, &change, look.as_ref(), Shown { form: Some(form), ..Shown::default() })
            }))
        }
    }
}

/// `POST /admin/organizations/{organization}/branding/logo`.
async fn set_logo(Upload { change, file }: Upload) -> Result<HttpResponse, PageFailure> {
    store_logo(&change, Some(file)).await
}

/// `POST /admin/organizations/{organization}/branding/remove-logo`.
async fn remove_logo(change: Change) -> Result<HttpResponse, PageFailure> {
    store_logo(&change, None).await
}

async fn store_logo(change: &Change, picture: Option<Vec<u8>>) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation();
    match looks::set_logo(change.app(), change.actor(), of.id, picture, &change.origin).await {
        Ok(()) => Ok(change.done(&Tab::Branding.path(of.id), "saved")),
        Err(error) => {
            let complaint = said(error)?;
            let look = stored(change).await?;
            Ok(change.again(|ui| {
                let (_, text) = complaint.words(ui);
                let shown = Shown { logo_problem: Some(&text), ..Shown::default() };
                page(ui, change, look.as_ref(), shown)
            }))
        }
    }
}
