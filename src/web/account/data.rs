//! `/account/data`: a copy of everything that is stored; `/account/delete`: the end of the account.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use crate::identity::account::deletion::{self, DeletionError, Needed};
use crate::identity::account::export;
use crate::identity::session::SignedIn;
use crate::web::cookies::{self, Name};
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::login::visitor::{Visitor, person};
use crate::web::page::{AccountDeletedPage, DataPage, DeletePage, Section, Stays};
use crate::web::respond::{self, Csp};

use super::{confirmation, owner};

const END: &str = "/account/delete";

/// `GET /account/data`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let account = match owner(&visitor, Section::Data).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let confirm = confirmation(&visitor, &account, Section::Data).await?;
    let frame = visitor.frame_of(&account);
    let ui = frame.ui(Some(person(&account).label()));
    let page = DataPage { ui: &ui, confirm: confirm.as_deref() };
    Ok(visitor.show(&ui, StatusCode::OK, &page, Csp::Own))
}

/// `POST /account/data`: the copy, as a file.
pub async fn export(visitor: Visitor, _: PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match visitor.confirmed(Section::Data.path()).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let copy = export::export(&visitor.app, account.user.id, &visitor.origin).await?;
    let text = serde_json::to_string_pretty(&copy.ok_or(PageFailure::NotFound)?)
        .map_err(|error| PageFailure::Internal(error.to_string()))?;
    let name = format!("attachment; filename=\"{}.json\"", account.user.id);
    Ok(respond::no_store(StatusCode::OK)
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CONTENT_DISPOSITION, name))
        .body(text))
}

/// `GET /account/delete`.
pub async fn show_end(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let account = match visitor.confirmed(END).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let needed = deletion::needed(&visitor.app, &account.user).await?;
    Ok(ending(&visitor, &account, StatusCode::OK, false, needed.as_ref()))
}

/// `POST /account/delete`.
pub async fn delete(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match visitor.confirmed(END).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let typed = params.get("confirmation").unwrap_or_default();
    match deletion::delete(&visitor.app, &account, typed, visitor.notices(), &visitor.origin).await {
        Ok(()) => gone(&visitor, &account).await,
        Err(DeletionError::Store(error)) => Err(error.into()),
        Err(DeletionError::NotConfirmed) => {
            Ok(ending(&visitor, &account, StatusCode::UNPROCESSABLE_ENTITY, true, None))
        }
        Err(DeletionError::Needed(needed)) => {
            Ok(ending(&visitor, &account, StatusCode::CONFLICT, false, Some(&needed)))
        }
    }
}

fn ending(
    visitor: &Visitor,
    account: &SignedIn,
    status: StatusCode,
    is_wrong: bool,
    needed: Option<&Needed>,
) -> HttpResponse {
    let frame = visitor.frame_of(account);
    let ui = frame.ui(Some(person(account).label()));
    let stays = needed.map(|needed| match needed {
        Needed::ByInstance => Stays::ForInstance,
        Needed::ByOrganisation(name) => Stays::ForOrganisation(name),
    });
    let page = DeletePage { ui: &ui, phrase: deletion::phrase(account), is_wrong, stays };
    visitor.show(&ui, status, &page, Csp::Own)
}

/// Other accounts of this browser stay signed in.
async fn gone(visitor: &Visitor, account: &SignedIn) -> Result<HttpResponse, PageFailure> {
    let others = visitor.accounts().await?;
    let frame = visitor.frame_of(account);
    let ui = frame.ui(others.first().map(|other| person(other).label()));
    let mut response = visitor.show(&ui, StatusCode::OK, &AccountDeletedPage { ui: &ui }, Csp::Own);
    if others.is_empty() {
        cookies::add(&mut response, &cookies::removal(&visitor.app.config.issuer, Name::Sessions));
    }
    Ok(response)
}
