//! `/login/organization`: for which of the organisations that the person belongs to.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::grants::authorization::{self, Underway};
use crate::identity::session::SignedIn;
use crate::protocol::next_step::NextStep;
use crate::tenancy::membership;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{ClientCard, OrganisationCard, OrganisationPage};
use crate::web::respond::Csp;

use super::Visitor;
use super::visitor::person;

/// `GET /login/organization`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let params = visitor.query()?;
    let underway = visitor.underway(params.get("request").unwrap_or_default()).await?;
    let accounts = visitor.accounts().await?;
    let Some(account) = due(&visitor, &underway, &accounts).await? else {
        return Ok(visitor.resume(&underway));
    };
    let user = account.user.id;
    let memberships = visitor.app.db.read(move |db| membership::of_user(db, user)).await?;
    let ids: Vec<String> = memberships.iter().map(|one| one.organisation.id.to_string()).collect();
    let organisations: Vec<OrganisationCard<'_>> = memberships
        .iter()
        .zip(&ids)
        .map(|(one, id)| OrganisationCard { id, name: &one.organisation.name })
        .collect();
    let frame = visitor.frame(Some(&underway));
    let ui = frame.ui(None);
    let (request, session) = (underway.row.id.to_string(), account.session.id.to_string());
    let page = OrganisationPage {
        ui: &ui,
        request: &request,
        session: &session,
        client: ClientCard::of(&underway.client),
        person: person(account),
        organisations: &organisations,
    };
    Ok(visitor.show(&ui, StatusCode::OK, &page, Csp::Flow))
}

/// `POST /login/organization`. What is no membership of the account that was shown changes nothing: the next step is
/// asked anew.
pub async fn submit(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let underway = visitor.underway(params.get("request").unwrap_or_default()).await?;
    let accounts = visitor.accounts().await?;
    let shown = params.get("session").unwrap_or_default();
    let chosen = params.get("organization").and_then(|id| id.parse().ok());
    if let Some(account) = due(&visitor, &underway, &accounts).await?
        && account.session.id.to_string() == shown
        && let Some(organisation) = chosen
    {
        authorization::choose_organisation(&visitor.app, underway.row.id, account, organisation).await?;
    }
    Ok(visitor.resume(&underway))
}

/// Who is to choose, if that is the next step.
async fn due<'a>(
    visitor: &Visitor,
    underway: &Underway,
    accounts: &'a [SignedIn],
) -> Result<Option<&'a SignedIn>, PageFailure> {
    match authorization::step(&visitor.app, underway, accounts).await? {
        NextStep::ChooseOrganisation { session } => {
            Ok(accounts.iter().find(|account| account.session.id == session))
        }
        _ => Ok(None),
    }
}
