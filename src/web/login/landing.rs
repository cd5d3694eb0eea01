//! `/`: the front door.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::config::RegistrationMode;
use crate::web::failure::PageFailure;
use crate::web::page::{LandingPage, Person};
use crate::web::respond::Csp;

use super::Visitor;
use super::visitor::person;

/// `GET /`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let accounts = visitor.accounts().await?;
    let persons: Vec<Person<'_>> = accounts.iter().map(person).collect();
    let frame = visitor.frame(None);
    let ui = frame.ui(persons.first().map(Person::label));
    let page = LandingPage {
        ui: &ui,
        accounts: &persons,
        may_register: visitor.app.config.registration_mode() == RegistrationMode::Open,
        for_developers: visitor.app.config.has_dev_pages(),
    };
    Ok(visitor.show(&ui, StatusCode::OK, &page, Csp::Own))
}
