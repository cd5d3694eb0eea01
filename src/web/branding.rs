//! `/branding/{organization}/{hash}/…`: the style sheet and the logo of an organisation, from our own origin.
//!
//! The hash stands for what is served, so both may be kept for ever, and an address of before is unknown.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::web::{self, Data, Path};
use actix_web::{HttpResponse, HttpResponseBuilder};

use crate::app::App;
use crate::model::OrganisationId;
use crate::model::colour::{Palette, Tones};
use crate::store::branding;
use crate::tenancy::branding::{self as looks, Brand};
use crate::tenancy::picture::kind_of;

use super::failure::PageFailure;

const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// A picture that is opened as a page does nothing either.
const NOTHING: &str = "default-src 'none'; sandbox";

/// Below the issuer's path.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/branding/{organization}/{hash}/style.css").route(web::get().to(style)))
        .service(web::resource("/branding/{organization}/{hash}/logo").route(web::get().to(logo)));
}

/// The address of the style sheet, below the issuer's path.
pub fn style_path(brand: &Brand) -> Option<String> {
    brand.palette.map(|_| format!("/branding/{}/{}/style.css", brand.organisation, brand.hash))
}

/// The address of the logo.
pub fn logo_path(brand: &Brand) -> Option<String> {
    brand.has_logo.then(|| format!("/branding/{}/{}/logo", brand.organisation, brand.hash))
}

async fn style(app: Data<App>, path: Path<(String, String)>) -> Result<HttpResponse, PageFailure> {
    let (organisation, hash) = named(&path)?;
    let brand = app.db.read(move |db| looks::of(db, organisation)).await?;
    let brand = brand.filter(|brand| brand.hash == hash).ok_or(PageFailure::NotFound)?;
    let palette = brand.palette.ok_or(PageFailure::NotFound)?;
    Ok(kept("text/css; charset=utf-8").body(sheet(&palette)))
}

async fn logo(app: Data<App>, path: Path<(String, String)>) -> Result<HttpResponse, PageFailure> {
    let (organisation, hash) = named(&path)?;
    let read = app.db.read(move |db| Ok((looks::of(db, organisation)?, branding::find(db, organisation)?)));
    let (brand, stored) = read.await?;
    if brand.is_none_or(|brand| brand.hash != hash) {
        return Err(PageFailure::NotFound);
    }
    let picture = stored.and_then(|stored| stored.logo).ok_or(PageFailure::NotFound)?;
    // Of what was stored only what is still a picture is served as one.
    let kind = kind_of(&picture).ok_or(PageFailure::NotFound)?;
    Ok(kept(kind).body(picture))
}

fn named(path: &(String, String)) -> Result<(OrganisationId, String), PageFailure> {
    let organisation = path.0.parse().map_err(|_| PageFailure::NotFound)?;
    Ok((organisation, path.1.clone()))
}

fn kept(content_type: &str) -> HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((CACHE_CONTROL, FOR_EVER))
        .insert_header((CONTENT_SECURITY_POLICY, NOTHING))
        .insert_header((CONTENT_TYPE, content_type));
    answer
}

/// The names are those of `app.css`, after which this one is read.
fn sheet(palette: &Palette) -> String {
    let names = |tones: &Tones| {
        let Tones { accent, hover, on, tint } = tones;
        format!("--accent: {accent}; --hover: {hover}; --on: {on}; --tint: {tint};")
    };
    format!(
        ":root {{ {} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {} }} }}\n",
        names(&palette.light),
        names(&palette.dark)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::colour::Colour;

    #[test]
    fn the_style_sheet_holds_colours_for_light_and_dark_and_nothing_else() {
        let palette = Palette::of(Colour::parse("#1f3b8f").expect("a colour")).expect("it can be read");
        let sheet = sheet(&palette);
        assert!(
            sheet.starts_with(":root { --accent: #1f3b8f;") && sheet.contains("dark) { :root { --accent: #")
        );
        assert_eq!(sheet.matches("--on: #").count(), 2);
    }
}
