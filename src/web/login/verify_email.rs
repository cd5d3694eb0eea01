//! `/verify-email/{token}`: the link to an address, which whoever reads mail there opens, signed in or not.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Path;

use crate::crypto::Secret;
use crate::identity::change_email;
use crate::identity::link::LinkError;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{EmailConfirmPage, EmailDonePage, LinkKind};
use crate::web::respond::Csp;

use super::Visitor;
use super::joining::link_expired;
use super::visitor::no_referrer;

/// `GET /verify-email/{token}`: looking spends nothing (PW-7).
pub async fn show(visitor: Visitor, token: Path<String>) -> Result<HttpResponse, PageFailure> {
    let token = Secret::from_text(token.into_inner());
    let opened = match change_email::open(&visitor.app, &token, &visitor.origin).await {
        Ok(opened) => opened,
        Err(error) => return no_link(&visitor, error),
    };
    let frame = visitor.frame(None);
    let ui = frame.ui(None);
    let page = EmailConfirmPage { ui: &ui, token: token.expose(), email: &opened.email, name: &opened.name };
    Ok(no_referrer(visitor.show(&ui, StatusCode::OK, &page, Csp::Own)))
}

/// `POST /verify-email/{token}`.
pub async fn confirm(
    visitor: Visitor,
    token: Path<String>,
    _: PageForm,
) -> Result<HttpResponse, PageFailure> {
    let token = Secret::from_text(token.into_inner());
    match change_email::confirm(&visitor.app, &token, visitor.notices(), &visitor.origin).await {
        Ok(()) => {
            let frame = visitor.frame(None);
            let ui = frame.ui(None);
            Ok(no_referrer(visitor.show(&ui, StatusCode::OK, &EmailDonePage { ui: &ui }, Csp::Own)))
        }
        Err(error) => no_link(&visitor, error),
    }
}

fn no_link(visitor: &Visitor, error: LinkError) -> Result<HttpResponse, PageFailure> {
    match error {
        LinkError::Expired => Ok(link_expired(visitor, LinkKind::Email)),
        LinkError::Throttled(throttled) => Err(throttled.into()),
        LinkError::Store(error) => Err(error.into()),
    }
}
