//! `/account/password`: a new one, after a sign-in just now (SE-7).

use actix_web::HttpResponse;

use crate::crypto::Secret;
use crate::identity::change_password::{self, Change, ChangeError};
use crate::identity::session::SignedIn;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::login::joining::Complaint;
use crate::web::login::visitor::{Visitor, person, retry_after};
use crate::web::page::{ChangePasswordPage, Section};
use crate::web::respond::Csp;

const PAGE: &str = Section::Password.path();

/// `GET /account/password`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    match visitor.confirmed(PAGE).await? {
        Ok(current) => password_form(&visitor, &current, true, false, Complaint::default()).await,
        Err(elsewhere) => Ok(elsewhere),
    }
}

/// `POST /account/password`.
pub async fn change(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let current = match visitor.confirmed(PAGE).await? {
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

async fn password_form(
    visitor: &Visitor,
    current: &SignedIn,
    end_others: bool,
    current_is_wrong: bool,
    complaint: Complaint,
) -> Result<HttpResponse, PageFailure> {
    let has_password = change_password::has_password(&visitor.app, current.user.id).await?;
    let frame = visitor.frame_of(current);
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
