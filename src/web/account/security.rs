//! `/account/security`: the factors of an account, and taking them away (MF-4).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::crypto::Secret;
use crate::identity::factor::manage::{self, ManageError, Which};
use crate::identity::session::SignedIn;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::login::visitor::{Visitor, person};
use crate::web::page::{RecoveryCodesPage, Section, SecurityPage, SecurityPasskey, SecurityProblem};
use crate::web::respond::Csp;

use super::{confirmation, owner};

const PATH: &str = Section::Security.path();

/// `GET /account/security`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let account = match owner(&visitor, Section::Security).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    page(&visitor, &account, StatusCode::OK, None).await
}

/// `POST /account/security/remove`: a passkey, or the authenticator application if none is named.
pub async fn remove(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match owner(&visitor, Section::Security).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let which = match params.get("passkey") {
        Some(id) => Which::Passkey(id.parse().map_err(|_| PageFailure::NotFound)?),
        None => Which::Totp,
    };
    match manage::remove(&visitor.app, &account, which, &visitor.notices(), &visitor.origin).await {
        Ok(()) | Err(ManageError::Unknown | ManageError::Due(_)) => Ok(visitor.go(PATH)),
        Err(ManageError::Required) => {
            page(&visitor, &account, StatusCode::CONFLICT, Some(SecurityProblem::Required)).await
        }
        Err(ManageError::LastWayIn) => {
            page(&visitor, &account, StatusCode::CONFLICT, Some(SecurityProblem::LastWayIn)).await
        }
        Err(ManageError::Store(error)) => Err(error.into()),
    }
}

/// `POST /account/security/recovery-codes`: new ones, shown this once.
pub async fn new_codes(visitor: Visitor, _: PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match owner(&visitor, Section::Security).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let codes = match manage::regenerate(&visitor.app, &account, &visitor.notices(), &visitor.origin).await {
        Ok(codes) => codes,
        Err(ManageError::Store(error)) => return Err(error.into()),
        Err(_) => return Ok(visitor.go(PATH)),
    };
    let codes: Vec<&str> = codes.iter().map(Secret::expose).collect();
    let frame = visitor.frame_of(&account);
    let ui = frame.ui(Some(person(&account).label()));
    let next = format!("{}{PATH}", ui.base);
    let page = RecoveryCodesPage { ui: &ui, codes: &codes, next: &next };
    Ok(visitor.show(&ui, StatusCode::OK, &page, Csp::Own))
}

async fn page(
    visitor: &Visitor,
    account: &SignedIn,
    status: StatusCode,
    problem: Option<SecurityProblem>,
) -> Result<HttpResponse, PageFailure> {
    let overview = manage::overview(&visitor.app, &account.user).await?;
    let confirm = confirmation(visitor, account, Section::Security).await?;
    let frame = visitor.frame_of(account);
    let ui = frame.ui(Some(person(account).label()));
    let session = account.session.id;
    let add = format!("{}/login/enrol?session={session}&next={PATH}", ui.base);
    let ids: Vec<String> = overview.passkeys.iter().map(|passkey| passkey.id.to_string()).collect();
    let passkeys: Vec<SecurityPasskey<'_>> = overview
        .passkeys
        .iter()
        .zip(&ids)
        .map(|(passkey, id)| SecurityPasskey {
            id,
            name: &passkey.name,
            created_at: passkey.created_at,
            last_used_at: passkey.last_used_at,
        })
        .collect();
    let page = SecurityPage {
        ui: &ui,
        now: visitor.app.clock.now(),
        passkeys: &passkeys,
        totp_since: overview.totp_since,
        recovery_codes: overview.recovery_codes,
        confirm: confirm.as_deref(),
        add: confirm.is_none().then_some(&add),
        problem,
    };
    Ok(visitor.show(&ui, status, &page, Csp::Own))
}
