//! `/account/password`, `/account/email`: what a signed-in person changes about how they sign in, after a sign-in just
//! now (SE-7), and `/verify-email/{token}`, the link to a new address.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Path;

use crate::crypto::Secret;
use crate::identity::change_password::{self, Change, ChangeError};
use crate::identity::link::LinkError;
use crate::identity::session::SignedIn;
use crate::identity::{account, change_email};
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{
    ChangeEmailPage, ChangePasswordPage, EmailConfirmPage, EmailDonePage, LinkKind, LinkSentPage, SentKind,
};
use crate::web::respond::Csp;

use super::Visitor;
use super::joining::{Complaint, link_expired};
use super::visitor::{no_referrer, person, retry_after};

const PASSWORD: &str = "/account/password";
const EMAIL: &str = "/account/email";

/// `GET /account/password`.
pub async fn show_password(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    match visitor.confirmed(PASSWORD).await? {
        Ok(current) => password_form(&visitor, &current, true, false, Complaint::default()).await,
        Err(elsewhere) => Ok(elsewhere),
    }
}

/// `POST /account/password`.
pub async fn change_password(
    visitor: Visitor,
    PageForm(params): PageForm,
) -> Result<HttpResponse, PageFailure> {
    let current = match visitor.confirmed(PASSWORD).await? {
        Ok(current) => current,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let secret = |name| Secret::from_text(params.get(name).unwrap_or_default());
    let end_others = params.get("end_others").is_some();
    let change = Change {
        user: current.user.id,
        grant: None,
        session: current.session.id,
        current: secret("current_password"),
        new: secret("password"),
        end_others,
        notices: visitor.notices(),
    };
    let (is_wrong, complaint) = match change_password::change(&visitor.app, change, &visitor.origin).await {
        Ok(()) => return Ok(visitor.go("/account")),
        Err(ChangeError::Store(error)) => return Err(error.into()),
        Err(ChangeError::WrongPassword) => (true, Complaint::wrong_password()),
        Err(ChangeError::Weak(weak)) => (false, Complaint::weak(weak)),
        Err(ChangeError::Throttled(throttled)) => (false, Complaint::throttled(throttled)),
        Err(ChangeError::Busy(busy)) => (false, Complaint::busy(busy)),
    };
    password_form(&visitor, &current, end_others, is_wrong, complaint).await
}

/// `GET /account/email`.
pub async fn show_email(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    match visitor.confirmed(EMAIL).await? {
        Ok(current) => email_form(&visitor, &current, "", Complaint::default()).await,
        Err(elsewhere) => Ok(elsewhere),
    }
}

/// `POST /account/email`: a link goes to the address, new or one's own.
pub async fn change_email(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let current = match visitor.confirmed(EMAIL).await? {
        Ok(current) => current,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let email = params.get("email").unwrap_or_default();
    let asked = change_email::Asked {
        user: current.user.id,
        session: current.session.id,
        email: email.to_owned(),
        notices: visitor.notices(),
    };
    if let Err(error) = change_email::ask(&visitor.app, asked, &visitor.origin).await {
        return email_form(&visitor, &current, email, Complaint::not_asked(error)?).await;
    }
    let frame = visitor.frame(None);
    let ui = frame.ui(Some(person(&current).label()));
    let page = LinkSentPage {
        ui: &ui,
        kind: SentKind::Email,
        email: email.trim(),
        lasts: visitor.app.config.lifetimes.verify,
        for_developers: visitor.app.config.has_dev_pages(),
    };
    Ok(visitor.show(&ui, StatusCode::OK, &page, Csp::Own))
}

/// `GET /verify-email/{token}`: looking spends nothing (PW-7).
pub async fn show_link(visitor: Visitor, token: Path<String>) -> Result<HttpResponse, PageFailure> {
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
pub async fn confirm_link(
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

async fn password_form(
    visitor: &Visitor,
    current: &SignedIn,
    end_others: bool,
    current_is_wrong: bool,
    complaint: Complaint,
) -> Result<HttpResponse, PageFailure> {
    let has_password = change_password::has_password(&visitor.app, current.user.id).await?;
    let frame = visitor.frame(None);
    let ui = frame.ui(Some(person(current).label()));
    let page = ChangePasswordPage {
        ui: &ui,
        username: current.email.as_deref().or(current.user.username.as_deref()).unwrap_or_default(),
        has_password,
        end_others,
        current_is_wrong,
        errors: complaint.errors,
        problem: complaint.problem,
        min_length: visitor.app.config.password.min_length,
    };
    Ok(retry_after(visitor.show(&ui, complaint.status, &page, Csp::Own), complaint.failure.as_ref()))
}

async fn email_form(
    visitor: &Visitor,
    current: &SignedIn,
    typed: &str,
    complaint: Complaint,
) -> Result<HttpResponse, PageFailure> {
    let emails = account::overview(&visitor.app, current.user.id).await?.emails;
    let frame = visitor.frame(None);
    let ui = frame.ui(Some(person(current).label()));
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

fn no_link(visitor: &Visitor, error: LinkError) -> Result<HttpResponse, PageFailure> {
    match error {
        LinkError::Expired => Ok(link_expired(visitor, LinkKind::Email)),
        LinkError::Throttled(throttled) => Err(throttled.into()),
        LinkError::Store(error) => Err(error.into()),
    }
}
