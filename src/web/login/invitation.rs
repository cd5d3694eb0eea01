//! `/invitation/{reference}`: what the mail of an organisation leads to. Looking spends nothing (PW-7).

use actix_web::HttpResponse;
use actix_web::web::Path;

use crate::crypto::Secret;
use crate::identity::invitation::{self, Reference};
use crate::identity::registration::{Choice, RegistrationError};
use crate::identity::session::SignedIn;
use crate::tenancy::branding::{self, Brand};
use crate::tenancy::invitations::Open;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{InvitationPage, InvitedAccount, LinkKind};
use crate::web::respond::Csp;

use super::Visitor;
use super::joining::{Complaint, Setback, link_expired};
use super::visitor::{Welcome, no_referrer, person, retry_after};

/// What the address names, and who may accept it.
struct Found {
    reference: String,
    is_mailed: bool,
    open: Open,
    account: Option<SignedIn>,
    /// How the organisation's pages look.
    brand: Option<Brand>,
}

/// `GET /invitation/{reference}`.
pub async fn show(visitor: Visitor, reference: Path<String>) -> Result<HttpResponse, PageFailure> {
    let reference = reference.into_inner();
    let accounts = visitor.accounts().await?;
    match find(&visitor, reference.clone(), &accounts).await {
        Ok(found) => Ok(page(&visitor, &found, "", Complaint::default())),
        // The page after a sign-in, before it: nothing is said of whether there is such an invitation.
        Err(RegistrationError::LinkExpired) if accounts.is_empty() && is_id(&reference) => {
            Ok(visitor.go(&format!("/login?next=/invitation/{reference}")))
        }
        Err(error) => no_invitation(&visitor, error),
    }
}

/// `POST /invitation/{reference}`.
pub async fn submit(
    visitor: Visitor,
    reference: Path<String>,
    PageForm(params): PageForm,
) -> Result<HttpResponse, PageFailure> {
    let accounts = visitor.accounts().await?;
    let found = match find(&visitor, reference.into_inner(), &accounts).await {
        Ok(found) => found,
        Err(error) => return no_invitation(&visitor, error),
    };
    let text = |name| params.get(name).unwrap_or_default();
    match (text("action"), &found.account) {
        ("accept", Some(account)) if account.session.id.to_string() == text("session") => {
            match invitation::accept(&visitor.app, found.open, account, &visitor.origin).await {
                Ok(()) => Ok(visitor.go("/")),
                Err(error) => no_invitation(&visitor, error),
            }
        }
        ("join", None) if found.is_mailed => {
            let password = Secret::from_text(text("password"));
            join(&visitor, found, &accounts, text("name"), password).await
        }
        _ => Ok(page(&visitor, &found, "", Complaint::default())),
    }
}

async fn find(visitor: &Visitor, text: String, accounts: &[SignedIn]) -> Result<Found, RegistrationError> {
    let reference = Reference::parse(&text);
    let (open, account) = invitation::open(&visitor.app, &reference, accounts, &visitor.origin).await?;
    let organisation = open.organisation.id;
    let brand = visitor.app.db.read(move |db| branding::of(db, organisation)).await?;
    Ok(Found { is_mailed: matches!(reference, Reference::Mailed(_)), reference: text, open, account, brand })
}

fn is_id(reference: &str) -> bool {
    matches!(Reference::parse(reference), Reference::Known(_))
}

async fn join(
    visitor: &Visitor,
    found: Found,
    others: &[SignedIn],
    name: &str,
    password: Secret,
) -> Result<HttpResponse, PageFailure> {
    let choice = Choice { name: name.to_owned(), password };
    let (app, arrival) = (&visitor.app, visitor.arrival());
    match invitation::join_with_account(app, found.open.clone(), choice, arrival, &visitor.origin).await {
        Ok(begun) => {
            let welcome = Welcome { begun: &begun, others, remember: false, underway: None };
            Ok(visitor.welcome(welcome, "/").await)
        }
        Err(error) => Ok(match Setback::of(error)? {
            Setback::Form(complaint) => page(visitor, &found, name, complaint),
            Setback::LinkExpired => link_expired(visitor, LinkKind::Invite),
        }),
    }
}

fn page(visitor: &Visitor, found: &Found, name: &str, complaint: Complaint) -> HttpResponse {
    let frame = visitor.frame(None).branded(found.brand.clone());
    let ui = frame.ui(None);
    let id = found.open.invitation.id.to_string();
    let session = found.account.as_ref().map(|account| account.session.id.to_string()).unwrap_or_default();
    let account = found.account.as_ref();
    let page = InvitationPage {
        ui: &ui,
        reference: &found.reference,
        id: &id,
        organisation: &found.open.organisation.name,
        email: &found.open.invitation.address,
        account: account.map(|account| InvitedAccount { session: &session, person: person(account) }),
        may_join: found.is_mailed && invitation::may_make_account(&visitor.app),
        name,
        errors: complaint.errors,
        problem: complaint.problem,
        min_length: visitor.app.config.password.min_length,
    };
    let response = visitor.show(&ui, complaint.status, &page, Csp::Own);
    no_referrer(retry_after(response, complaint.failure.as_ref()))
}

fn no_invitation(visitor: &Visitor, error: RegistrationError) -> Result<HttpResponse, PageFailure> {
    match Setback::of(error)? {
        Setback::Form(Complaint { failure: Some(failure), .. }) => Err(failure),
        Setback::Form(_) | Setback::LinkExpired => Ok(link_expired(visitor, LinkKind::Invite)),
    }
}
