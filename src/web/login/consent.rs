//! `/consent`: what an application may do.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use url::Url;

use crate::grants::authorization::{self, Underway};
use crate::identity::session::SignedIn;
use crate::model::{OrganisationId, Resource};
use crate::protocol::next_step::{Allowed, NextStep};
use crate::protocol::scope;
use crate::store::organisations;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{ClientCard, ConsentPage, Lifetime, OrganisationCard, Permission};
use crate::web::respond::Csp;

use super::Visitor;
use super::visitor::person;

/// `GET /consent`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let params = visitor.query()?;
    let underway = visitor.underway(params.get("request").unwrap_or_default()).await?;
    let accounts = visitor.accounts().await?;
    let Some(Due { account, organisation, missing }) = due(&visitor, &underway, &accounts).await? else {
        return Ok(visitor.resume(&underway));
    };
    let organisation = match organisation {
        Some(id) => visitor.app.db.read(move |db| organisations::find(db, id)).await?,
        None => None,
    };
    let resources = visitor.app.resources().await?;
    let permissions = permissions(&missing, &underway.request.resources, &resources);
    let frame = visitor.frame(Some(&underway));
    let ui = frame.ui(None);
    let (request, session) = (underway.row.id.to_string(), account.session.id.to_string());
    let shown = organisation.as_ref().map(|one| one.id.to_string()).unwrap_or_default();
    let return_host = return_host(&underway.request.redirect_uri);
    let page = ConsentPage {
        ui: &ui,
        request: &request,
        session: &session,
        client: ClientCard::of(&underway.client),
        person: person(account),
        organisation: organisation.as_ref().map(|one| OrganisationCard { id: &shown, name: &one.name }),
        permissions: &permissions,
        lifetime: match underway.request.scope.contains(scope::OFFLINE_ACCESS) {
            true => Lifetime::Offline(visitor.app.config.lifetimes.refresh_idle),
            false => Lifetime::Session,
        },
        return_host: &return_host,
    };
    Ok(visitor.show(&ui, StatusCode::OK, &page, Csp::Flow))
}

/// `POST /consent`.
///
/// The form names the session whose account was shown, and the organisation. If another one is due by now, chosen in
/// another tab, its owner has not been asked, and is asked first (AZ-8).
pub async fn submit(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let underway = visitor.underway(params.get("request").unwrap_or_default()).await?;
    match params.get("action") {
        Some("deny") => return visitor.deny(&underway).await,
        Some("allow") => {}
        _ => return Ok(visitor.resume(&underway)),
    }
    let accounts = visitor.accounts().await?;
    let shown = |field: &str| params.get(field).unwrap_or_default().to_owned();
    if let Some(Due { account, organisation, .. }) = due(&visitor, &underway, &accounts).await?
        && account.session.id.to_string() == shown("session")
        && organisation.map(|id| id.to_string()).unwrap_or_default() == shown("organization")
    {
        authorization::consent(&visitor.app, &underway, account, organisation, &visitor.origin).await?;
    }
    Ok(visitor.resume(&underway))
}

/// Who is to be asked for what.
struct Due<'a> {
    account: &'a SignedIn,
    organisation: Option<OrganisationId>,
    missing: Allowed,
}

/// What is to be asked, if consent is the next step.
async fn due<'a>(
    visitor: &Visitor,
    underway: &Underway,
    accounts: &'a [SignedIn],
) -> Result<Option<Due<'a>>, PageFailure> {
    match authorization::step(&visitor.app, underway, accounts).await? {
        NextStep::Consent { session, organisation, missing } => {
            let account = accounts.iter().find(|account| account.session.id == session);
            Ok(account.map(|account| Due { account, organisation, missing }))
        }
        _ => Ok(None),
    }
}

/// What is missing, in words.
fn permissions<'a>(missing: &'a Allowed, asked: &[String], resources: &'a [Resource]) -> Vec<Permission<'a>> {
    let claims = missing.claims.iter().map(|claim| Permission::Claim(claim));
    let scopes = missing.scopes.iter().map(|name| Permission::of_scope(name, asked, resources));
    scopes.chain(claims).collect()
}

/// Where the browser goes afterwards, as a person can read it: a host, or the scheme of an application.
fn return_host(redirect_uri: &str) -> String {
    match Url::parse(redirect_uri) {
        Ok(uri) => uri.host_str().unwrap_or_else(|| uri.scheme()).to_owned(),
        Err(_) => redirect_uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::clock::Timestamp;
    use crate::crypto::Random;
    use crate::model::{ResourceId, Status};
    use crate::protocol::ScopeSet;

    fn resource(identifier: &str, name: &str, description: &str) -> Resource {
        Resource {
            id: ResourceId::new(Timestamp(0), &Random::system()),
            identifier: identifier.to_owned(),
            name: name.to_owned(),
            status: Status::Active,
            access_ttl: None,
            scopes: BTreeMap::from([("notes.read".to_owned(), description.to_owned())]),
        }
    }

    #[test]
    fn az_10_each_missing_scope_and_claim_is_named_and_an_api_speaks_for_its_own() {
        let missing = Allowed {
            scopes: ScopeSet::parse("openid notes.read gone").unwrap(),
            claims: BTreeSet::from(["birthdate".to_owned()]),
            ..Allowed::default()
        };
        let resources =
            [resource("https://a.example", "A", "of A"), resource("https://b.example", "B", "of B")];
        let named = |asked: &[String]| permissions(&missing, asked, &resources);
        for (asked, description, api) in
            [(vec![], "of A", "A"), (vec!["https://b.example".to_owned()], "of B", "B")]
        {
            let named = named(&asked);
            assert_eq!(named.len(), 4);
            for expected in [
                Permission::Standard("openid"),
                Permission::Resource { scope: "notes.read", description, api },
                Permission::Standard("gone"),
                Permission::Claim("birthdate"),
            ] {
                assert!(named.contains(&expected), "{expected:?} in {named:?}");
            }
        }
    }

    #[test]
    fn the_way_back_is_a_host_or_an_application() {
        for (uri, host) in [
            ("https://app.example.org/callback?x=1", "app.example.org"),
            ("http://127.0.0.1:4000/cb", "127.0.0.1"),
            ("com.example.app:/callback", "com.example.app"),
        ] {
            assert_eq!(return_host(uri), host);
        }
    }
}
