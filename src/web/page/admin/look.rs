//! A picture of the sign-in page of an organisation, in light and dark, drawn as it will look.

use askama::Template;

use crate::model::colour::Palette;
use crate::web::ui::Ui;

/// The picture.
#[derive(Template)]
#[template(path = "pages/admin/look.svg")]
pub struct LookPicture<'a> {
    pub ui: &'a Ui<'a>,
    pub palette: &'a Palette,
    pub name: String,
    /// The logo itself, as an address of its own: what is drawn loads nothing.
    pub logo: Option<&'a str>,
    pub message: String,
    pub support: String,
}

impl<'a> LookPicture<'a> {
    pub fn new(
        ui: &'a Ui<'a>,
        palette: &'a Palette,
        name: &str,
        logo: Option<&'a str>,
        message: &str,
        support: &str,
    ) -> Self {
        Self {
            ui,
            palette,
            name: short(name, if logo.is_some() { 22 } else { 26 }),
            logo,
            message: short(message, 48),
            support: short(support, 36),
        }
    }
}

/// As much of a text as fits on a line.
fn short(text: &str, letters: usize) -> String {
    match text.chars().count() > letters {
        true => text.chars().take(letters - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}
