//! `/account/addresses`: the addresses of an account; `/account/email`: another one instead of the primary one.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::identity::account::addresses::{self, AddressError};
use crate::identity::change_email::{self, Asked, ChangeError, Place};
use crate::identity::session::SignedIn;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::login::joining::Complaint;
use crate::web::login::visitor::{Visitor, person, retry_after};
use crate::web::page::{
    AccountAddress, AddressProblem, AddressesPage, ChangeEmailPage, FieldError, FieldErrors, LinkSentPage,
    Section, SentKind,
};
use crate::web::respond::Csp;

use super::{confirmation, owner};

const PAGE: &str = Section::Addresses.path();
const REPLACE: &str = "/account/email";

/// `GET /account/addresses`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    match owner(&visitor, Section::Addresses).await? {
        Ok(account) => page(&visitor, &account, "", Complaint::default(), None).await,
        Err(elsewhere) => Ok(elsewhere),
    }
}

/// `POST /account/addresses`: a link goes to a further address.
pub async fn add(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match visitor.confirmed(PAGE).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let email = params.get("email").unwrap_or_default();
    if addresses::list(&visitor.app, account.user.id).await?.len() >= addresses::MOST {
        return page(&visitor, &account, email, Complaint::default(), None).await;
    }
    match ask(&visitor, &account, email, Place::Beside).await {
        Ok(()) => Ok(sent(&visitor, &account, email)),
        Err(error) => page(&visitor, &account, email, not_asked(error)?, None).await,
    }
}

/// `POST /account/addresses/resend`: a link goes to an address of one's own that is not verified.
pub async fn resend(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match visitor.confirmed(PAGE).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let address = params.get("address").unwrap_or_default();
    let theirs = addresses::list(&visitor.app, account.user.id).await?;
    if !theirs.iter().any(|email| email.address == address) {
        return Err(PageFailure::NotFound);
    }
    match ask(&visitor, &account, address, Place::Beside).await {
        Ok(()) => Ok(sent(&visitor, &account, address)),
        Err(error) => page(&visitor, &account, "", not_asked(error)?, None).await,
    }
}

/// `POST /account/addresses/primary`.
pub async fn make_primary(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match visitor.confirmed(PAGE).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let address = params.get("address").unwrap_or_default();
    let made =
        addresses::make_primary(&visitor.app, &account, address, visitor.notices(), &visitor.origin).await;
    changed(&visitor, &account, made).await
}

/// `POST /account/addresses/remove`.
pub async fn remove(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match visitor.confirmed(PAGE).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let address = params.get("address").unwrap_or_default();
    let removed =
        addresses::remove(&visitor.app, &account, address, visitor.notices(), &visitor.origin).await;
    changed(&visitor, &account, removed).await
}

async fn changed(
    visitor: &Visitor,
    account: &SignedIn,
    outcome: Result<(), AddressError>,
) -> Result<HttpResponse, PageFailure> {
    let problem = match outcome {
        Ok(()) => return Ok(visitor.go(PAGE)),
        Err(AddressError::Store(error)) => return Err(error.into()),
        Err(AddressError::Unknown) => return Err(PageFailure::NotFound),
        Err(AddressError::NotVerified) => AddressProblem::NotVerified,
        Err(AddressError::Primary) => AddressProblem::Primary,
    };
    let complaint = Complaint { status: StatusCode::CONFLICT, ..Complaint::default() };
    page(visitor, account, "", complaint, Some(problem)).await
}

async fn page(
    visitor: &Visitor,
    account: &SignedIn,
    typed: &str,
    complaint: Complaint,
    alert: Option<AddressProblem>,
) -> Result<HttpResponse, PageFailure> {
    let emails = addresses::list(&visitor.app, account.user.id).await?;
    let confirm = confirmation(visitor, account, Section::Addresses).await?;
    let frame = visitor.frame_of(account);
    let ui = frame.ui(Some(person(account).label()));
    let shown: Vec<AccountAddress<'_>> = emails
        .iter()
        .map(|email| AccountAddress {
            address: &email.address,
            primary: email.is_primary,
            verified: email.verified_at.is_some(),
        })
        .collect();
    let page = AddressesPage {
        ui: &ui,
        addresses: &shown,
        confirm: confirm.as_deref(),
        alert,
        may_add: emails.len() < addresses::MOST,
        email: typed,
        errors: complaint.errors,
        problem: complaint.problem,
    };
    Ok(retry_after(visitor.show(&ui, complaint.status, &page, Csp::Own), complaint.failure.as_ref()))
}

/// `GET /account/email`.
pub async fn show_replacing(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    match visitor.confirmed(REPLACE).await? {
        Ok(account) => email_form(&visitor, &account, "", Complaint::default()).await,
        Err(elsewhere) => Ok(elsewhere),
    }
}

/// `POST /account/email`: a link goes to the address, new or one's own.
pub async fn replace(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match visitor.confirmed(REPLACE).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let email = params.get("email").unwrap_or_default();
    match ask(&visitor, &account, email, Place::OfPrimary).await {
        Ok(()) => Ok(sent(&visitor, &account, email)),
        Err(error) => email_form(&visitor, &account, email, not_asked(error)?).await,
    }
}

async fn ask(visitor: &Visitor, account: &SignedIn, email: &str, place: Place) -> Result<(), ChangeError> {
    let asked = Asked {
        user: account.user.id,
        session: account.session.id,
        email: email.to_owned(),
        place,
        notices: visitor.notices(),
    };
    change_email::ask(&visitor.app, asked, &visitor.origin).await
}

fn not_asked(error: ChangeError) -> Result<Complaint, PageFailure> {
    match error {
        ChangeError::Yours => {
            let errors = FieldErrors { email: Some(FieldError::EmailYours), ..FieldErrors::default() };
            Ok(Complaint { status: StatusCode::UNPROCESSABLE_ENTITY, errors, ..Complaint::default() })
        }
        ChangeError::Ask(error) => Complaint::not_asked(error),
    }
}

fn sent(visitor: &Visitor, account: &SignedIn, email: &str) -> HttpResponse {
    let frame = visitor.frame_of(account);
    let ui = frame.ui(Some(person(account).label()));
    let page = LinkSentPage {
        ui: &ui,
        kind: SentKind::Email,
        email: email.trim(),
        lasts: visitor.app.config.lifetimes.verify,
        for_developers: visitor.app.config.has_dev_pages(),
    };
    visitor.show(&ui, StatusCode::OK, &page, Csp::Own)
}

async fn email_form(
    visitor: &Visitor,
    account: &SignedIn,
    typed: &str,
    complaint: Complaint,
) -> Result<HttpResponse, PageFailure> {
    let emails = addresses::list(&visitor.app, account.user.id).await?;
    let frame = visitor.frame_of(account);
    let ui = frame.ui(Some(person(account).label()));
    let page = ChangeEmailPage {
        ui: &ui,
        current: emails.first().map(|email| email.address.as_str()).unwrap_or_default(),
        may_verify: emails.first().is_some_and(|email| email.verified_at.is_none()),
        email: typed,
        errors: complaint.errors,
        problem: complaint.problem,
    };
    Ok(retry_after(visitor.show(&ui, complaint.status, &page, Csp::Own), complaint.failure.as_ref()))
}
