//! `/account/api-keys`: making, replacing and ending one's own API keys (AK-1, AK-2).

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::identity::session::SignedIn;
use crate::model::OrganisationId;
use crate::tenancy::actor::Actor;
use crate::tenancy::api_keys::own::{self, OVERLAP, Own};
use crate::tenancy::api_keys::{ApiKeyError, Created, MAX_SCOPES, NewKey, manage};
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::login::visitor::{Visitor, person};
use crate::web::page::{AccountKey, ApiKeysPage, KeyForm, KeyPlace, KeyProblem, NewKeyText, Section};
use crate::web::respond::Csp;

use super::{confirmation, owner};

const PAGE: &str = Section::ApiKeys.path();

/// What is chosen at first.
const BLANK: KeyForm<'static> = KeyForm { name: "", organisation: "", scopes: "", days: "90" };

/// `GET /account/api-keys`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    match owner(&visitor, Section::ApiKeys).await? {
        Ok(account) => page(&visitor, &account, Shown::default()).await,
        Err(elsewhere) => Ok(elsewhere),
    }
}

/// `POST /account/api-keys`: a new key, shown once.
pub async fn create(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match visitor.confirmed(PAGE).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let typed = |name| params.get(name).unwrap_or_default();
    let form = KeyForm {
        name: typed("name"),
        organisation: typed("organisation"),
        scopes: typed("scopes"),
        days: typed("days"),
    };
    match make(&visitor, &account, form).await {
        Ok(created) => {
            page(&visitor, &account, Shown { new: Some((created, false)), ..Shown::default() }).await
        }
        Err(error) => {
            let problem = Some(problem(error)?);
            page(&visitor, &account, Shown { form, problem, ..Shown::default() }).await
        }
    }
}

/// `POST /account/api-keys/rotate`: a new key in the place of one, shown once.
pub async fn rotate(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match visitor.confirmed(PAGE).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let key = params.get("key").unwrap_or_default().parse().map_err(|_| PageFailure::NotFound)?;
    match own::rotate(&visitor.app, account.user.id, key, &visitor.origin).await {
        Ok(created) => {
            page(&visitor, &account, Shown { new: Some((created, true)), ..Shown::default() }).await
        }
        Err(ApiKeyError::NoSuchKey) => Err(PageFailure::NotFound),
        Err(error) => {
            page(&visitor, &account, Shown { problem: Some(problem(error)?), ..Shown::default() }).await
        }
    }
}

/// `POST /account/api-keys/revoke`: asks for no new proof, for it only takes away.
pub async fn revoke(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match owner(&visitor, Section::ApiKeys).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let key = params.get("key").unwrap_or_default().parse().map_err(|_| PageFailure::NotFound)?;
    match own::revoke(&visitor.app, account.user.id, key, &visitor.origin).await {
        Ok(()) => Ok(visitor.go(PAGE)),
        Err(ApiKeyError::Store(error)) => Err(error.into()),
        Err(_) => Err(PageFailure::NotFound),
    }
}

async fn make(visitor: &Visitor, account: &SignedIn, form: KeyForm<'_>) -> Result<Created, ApiKeyError> {
    let organisation: OrganisationId =
        form.organisation.parse().map_err(|_| ApiKeyError::NoSuchOrganisation)?;
    let lasts = match form.days {
        "" => None,
        days => {
            let days: u64 = days.parse().map_err(|_| ApiKeyError::BadLife)?;
            Some(Duration::from_secs(days.saturating_mul(24 * 60 * 60)))
        }
    };
    let new = NewKey {
        name: form.name.to_owned(),
        workspace: None,
        scopes: form.scopes.split_whitespace().map(str::to_owned).collect(),
        lasts,
        prefix: None,
    };
    manage::create(&visitor.app, Actor::Member(account.user.id), organisation, new, &visitor.origin).await
}

/// What is to be said of it. What the form does not offer is not found.
fn problem(error: ApiKeyError) -> Result<KeyProblem, PageFailure> {
    Ok(match error {
        ApiKeyError::BadName => KeyProblem::Name,
        ApiKeyError::BadNumberOfScopes => KeyProblem::Scopes { most: MAX_SCOPES },
        ApiKeyError::BadScope(scope) => KeyProblem::BadScope(scope),
        ApiKeyError::AboveOwn(scope) => KeyProblem::Beyond(scope),
        ApiKeyError::NoSuchOrganisation | ApiKeyError::NoSuchWorkspace | ApiKeyError::NotPermitted(_) => {
            KeyProblem::Place
        }
        ApiKeyError::Over => KeyProblem::Over,
        ApiKeyError::BadLife | ApiKeyError::BadPrefix | ApiKeyError::NoSuchKey => {
            return Err(PageFailure::NotFound);
        }
        ApiKeyError::Store(error) => return Err(error.into()),
    })
}

/// What the page shows beside the keys.
struct Shown<'a> {
    /// A new key, and whether it stands in the place of another.
    new: Option<(Created, bool)>,
    form: KeyForm<'a>,
    problem: Option<KeyProblem>,
}

impl Default for Shown<'_> {
    fn default() -> Self {
        Self { new: None, form: BLANK, problem: None }
    }
}

async fn page(visitor: &Visitor, account: &SignedIn, shown: Shown<'_>) -> Result<HttpResponse, PageFailure> {
    let (keys, places) = own::list(&visitor.app, account.user.id).await?;
    let confirm = confirmation(visitor, account, Section::ApiKeys).await?;
    let frame = visitor.frame_of(account);
    let ui = frame.ui(Some(person(account).label()));
    let now = visitor.app.clock.now();
    let key_ids: Vec<String> = keys.iter().map(|own| own.key.key.id.to_string()).collect();
    let rows: Vec<AccountKey<'_>> = keys
        .iter()
        .zip(&key_ids)
        .map(|(Own { key, organisation }, id)| AccountKey {
            id,
            name: &key.key.name,
            hint: &key.key.hint,
            organisation,
            scopes: &key.scopes,
            since: key.key.created_at,
            used_at: key.key.last_used_at,
            expires_at: key.key.expires_at,
            live: key.key.is_live(now),
            current: key.key.successor_id.is_none(),
        })
        .collect();
    let place_ids: Vec<String> = places.iter().map(|place| place.organisation.to_string()).collect();
    let offered: Vec<KeyPlace<'_>> = places
        .iter()
        .zip(&place_ids)
        .map(|(place, id)| KeyPlace { id, name: &place.name, permissions: &place.permissions })
        .collect();
    let new = shown.new.as_ref().map(|(created, replaces)| NewKeyText {
        name: &created.key.name,
        text: created.text.expose(),
        overlaps: replaces.then(|| now.plus(OVERLAP)),
    });
    let status = match &shown.problem {
        None => StatusCode::OK,
        Some(KeyProblem::Over) => StatusCode::CONFLICT,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let page = ApiKeysPage {
        ui: &ui,
        now,
        new,
        keys: &rows,
        places: &offered,
        form: shown.form,
        confirm: confirm.as_deref(),
        problem: shown.problem,
    };
    Ok(visitor.show(&ui, status, &page, Csp::Own))
}
