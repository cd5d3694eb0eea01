//! `/admin`: where somebody who comes to the console begins.

use actix_web::HttpResponse;

use super::access::Console;
use super::{Route, table};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Place, Sheet};

pub const ROUTES: &[Route] = table! {
    get "/admin" front see front;
};

/// `GET /admin`: the overview of the instance; for somebody who administers organisations, these.
async fn front(console: Console) -> Result<HttpResponse, PageFailure> {
    if console.entered().instance_role().is_none() {
        let own = console.entered().administered();
        return Ok(match own {
            [only] => console.go(&format!("/admin/organizations/{}", only.slug)),
            _ => console.go("/admin/organizations"),
        });
    }
    Ok(console
        .show(|ui| Sheet::new(Place::Overview, ui.t("console.place.overview")).card(Card::plain("overview"))))
}
