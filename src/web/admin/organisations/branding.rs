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

/// The form whose words the picture shows.
const FORM: &str = "change-look";
/// A picture that runs and loads nothing, with the logo inside.
const PICTURE_POLICY: &str = "default-src 'none'; img-src data:; sandbox";

async fn stored(console: &Console) -> Result<Option<Branding>, PageFailure> {
    let organisation = console.entered().organisation().id;
    Ok(console.app().db.read(move |db| rows::find(db, organisation)).await?)
}

/// What stands on the page besides what is stored.
#[derive(Default)]
struct Shown<'a> {
    /// To look at before it is stored.
    tried: Option<&'a Words>,
    form: Option<Form>,
    logo_problem: Option<&'a str>,
}

/// `GET /admin/organizations/{organization}/branding`.
async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let look = stored(&console).await?;
    Ok(console.show(|ui| page(ui, &console, look.as_ref(), Shown::default())))
}

fn page(ui: &Ui<'_>, console: &Console, look: Option<&Branding>, shown: Shown<'_>) -> Sheet {
    let of = console.entered().organisation();
    let at = Tab::Branding.path(of.id);
    let sheet =
        sheet(ui, of, Tab::Branding).lead(ui.t("branding.lead")).card(picture(ui, &at, look, shown.tried));
    if !console.may_change() {
        return sheet;
    }
    let form = shown.form.unwrap_or_else(|| words_form(ui, &at, look));
    sheet.card(Card::new("words", ui.t("branding.words")).form(form)).card(logo(
        ui,
        &at,
        look,
        shown.logo_problem,
    ))
}

/// As the sign-in page will look, in light and dark; of what is tried, also how its colour can be read.
fn picture(ui: &Ui<'_>, at: &str, look: Option<&Branding>, tried: Option<&Words>) -> Card {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let mut card = Card::new("look", ui.t("branding.look"));
    if let Some(words) = tried {
        card = card.item(Item::Note(Tone::Plain, ui.t("branding.tried").to_owned()));
        card = match words.accent.as_deref().and_then(|accent| readable(ui, accent)) {
            Some(text) => card.item(Item::Note(Tone::Good, text)),
            None => card,
        };
        query.append_pair("typed", "yes");
        for (name, value) in
            [("accent", &words.accent), ("message", &words.message), ("support", &words.support)]
        {
            query.append_pair(name, value.as_deref().unwrap_or_default());
        }
    }
    // The address changes with what is stored, so that no old picture is shown.
    query.append_pair("v", look.map(|look| look.hash.as_str()).unwrap_or_default());
    let source = format!("{}{at}/preview?{}", ui.base, query.finish());
    let facts = vec![fact(ui, "branding.shown", Cell::text(ui.t("branding.shown_when")))];
    card.item(Item::Preview { source, form: FORM, alt: ui.t("branding.alt").to_owned() }).facts(facts)
}

/// How well this colour can be read.
fn readable(ui: &Ui<'_>, accent: &str) -> Option<String> {
    let (colour, white) = (Colour::parse(accent.trim())?, Colour::parse("#ffffff")?);
    let contrast = Palette::of(colour).ok()?.light.accent.contrast(white);
    let values = [("colour", colour.to_string()), ("contrast", format!("{contrast:.1}"))];
    Some(ui.with("branding.good", &values))
}

fn too_pale(ui: &Ui<'_>, pale: Pale) -> String {
    let values = [("contrast", format!("{:.1}", pale.contrast)), ("instead", pale.instead.to_string())];
    ui.with("branding.pale", &values)
}

fn words_form(ui: &Ui<'_>, at: &str, look: Option<&Branding>) -> Form {
    let message = look.map(|look| look.message.as_str()).unwrap_or_default();
    let support = look.map(|look| look.support.as_str()).unwrap_or_default();
    let accent = look.and_then(|look| look.accent.as_deref()).unwrap_or_default();
    Form::new(FORM, at, ui.t("users.save"))
        .also("preview", ui.t("branding.try"))
        .field(
            Field::text("accent", ui.t("branding.accent")).hint(ui.t("branding.accent_hint")).value(accent),
        )
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

/// `GET /admin/organizations/{organization}/branding/preview`: the sign-in page, drawn as it is stored, or with what is typed.
async fn preview(console: Console) -> Result<HttpResponse, PageFailure> {
    let (look, query) = (stored(&console).await?, console.query()?);
    let words = match (query.get("typed"), &look) {
        (Some(_), _) => ["accent", "message", "support"].map(|name| query.get(name).unwrap_or_default()),
        (None, Some(look)) => [look.accent.as_deref().unwrap_or_default(), &look.message, &look.support],
        (None, None) => [""; 3],
    };
    let [accent, message, support] = words.map(str::trim);
    let chosen = Colour::parse(accent);
    let palette = chosen.and_then(|colour| Palette::of(colour).ok()).unwrap_or(Palette::ours());
    let logo = look.as_ref().and_then(|look| Some((look.logo.as_ref()?, look.logo_type.as_ref()?)));
    let logo = logo.map(|(bytes, kind)| format!("data:{kind};base64,{}", BASE64_STANDARD.encode(bytes)));
    let name = &console.entered().organisation().name;
    let drawn =
        console.draw(|ui| LookPicture::new(ui, &palette, name, logo.as_deref(), message, support).render());
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

/// `POST /admin/organizations/{organization}/branding`: stores what was typed, or only shows it.
async fn save(change: Change) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation();
    let at = Tab::Branding.path(of.id);
    let typed = |name: &str| Some(change.text(name).to_owned());
    let words = Words { accent: typed("accent"), message: typed("message"), support: typed("support") };
    let looks_only = change.is_checked("preview");
    let outcome = match looks_only {
        true => looks::check(&words),
        false => looks::change(change.app(), change.actor(), of.id, words.clone(), &change.origin).await,
    };
    let form = |ui: &Ui<'_>, look: Option<&Branding>, wrong: &[(&str, String)]| {
        Some(words_form(ui, &at, look).typed(Some(&change.typed), wrong))
    };
    match outcome {
        Ok(()) if looks_only => {
            let look = stored(&change).await?;
            Ok(change.show(|ui| {
                let form = form(ui, look.as_ref(), &[]);
                page(ui, &change, look.as_ref(), Shown { tried: Some(&words), form, ..Shown::default() })
            }))
        }
        Ok(()) => Ok(change.done(&at, "saved")),
        Err(error) => {
            let complaint = said(error)?;
            let look = stored(&change).await?;
            Ok(change.again(|ui| {
                let form = form(ui, look.as_ref(), &[complaint.words(ui)]);
                page(ui, &change, look.as_ref(), Shown { form, ..Shown::default() })
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
