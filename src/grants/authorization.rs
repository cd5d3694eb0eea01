//! The way of one authorization request: stored once, decided step by step, answered once.
//!
//! Pages change what is stored and come back; [`step`] alone says where the browser goes next.

use std::sync::Arc;

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::crypto::{Digest, Secret};
use crate::identity::factor::Enrolled;
use crate::identity::session::SignedIn;
use crate::model::explanation::Rule;
use crate::model::{
    AuditAction, AuthMethod, Client, ClientKey, GrantId, OrganisationId, RequestId, SessionId, UserId,
};
use crate::protocol::acr::{acr_answer, acr_for};
use crate::protocol::authorize::AuthorizationRequest;
use crate::protocol::next_step::{Allowed, NextStep, OrganisationView, Progress, SessionView, next_step};
use crate::protocol::redirect::ClientRedirect;
use crate::protocol::response::AuthorizationResponse;
use crate::protocol::scope::{self, ScopeSet};
use crate::protocol::{ErrorCode, OAuthError};
use crate::store::authorization::{self, Code, Request};
use crate::store::users::User;
use crate::store::{self, Conn, consents, grants, sessions, users};
use crate::tenancy::admission::{self, Acting, Refusal, Rules};
use crate::tenancy::branding::{self, Brand};
use crate::tenancy::membership;

use super::{Detail, Failure};

/// A request on its way, as this browser may see it.
#[derive(Clone, Debug)]
pub struct Underway {
    pub row: Request,
    pub request: AuthorizationRequest,
    pub client: Arc<Client>,
    /// How its pages look, if it is about an organisation that chose that.
    pub brand: Option<Brand>,
}

/// Why a request cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Unknown, another browser's, or expired: one answer (AR-6).
    #[error("this sign-in has expired or was begun in another browser")]
    Unknown,
    /// It was answered before: the way back button leads here.
    #[error("this sign-in is complete")]
    Completed,
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Stores a validated request for the browser with this pre-login secret (AZ-8, AR-6).
pub async fn begin(
    app: &App,
    client: &Client,
    request: &AuthorizationRequest,
    browser: &Secret,
    pushed: Option<Digest>,
) -> Result<RequestId, store::Error> {
    let now = app.clock.now();
    let row = Request {
        id: RequestId::new(now, &app.random),
        client_id: client.key,
        browser_digest: browser.digest(),
        request: serde_json::to_string(request).expect("an authorization request is plain data"),
        pushed_digest: pushed,
        session_id: None,
        consented_at: None,
        created_at: now,
        expires_at: now.plus(app.config.lifetimes.request),
        completed_at: None,
        organisation_id: None,
    };
    let id = row.id;
    app.db.write(move |db| authorization::insert_request(db, &row)).await?;
    Ok(id)
}

/// The request, if it is this browser's and still open.
pub async fn find(app: &App, id: RequestId, browser: Option<&Secret>) -> Result<Underway, Lost> {
    let Some(browser) = browser.map(Secret::digest) else { return Err(Lost::Unknown) };
    let row = app.db.read(move |db| authorization::find_request(db, id)).await?;
    let now = app.clock.now();
    let row = row.filter(|row| row.browser_digest == browser && row.expires_at > now).ok_or(Lost::Unknown)?;
    if row.completed_at.is_some() {
        return Err(Lost::Completed);
    }
    let request: AuthorizationRequest = serde_json::from_str(&row.request)
        .map_err(|error| store::Error::broken("an authorization request", error))?;
    let client = app.client(&request.client_id).await?.filter(|client| client.key == row.client_id);
    let (chosen, named) = (row.organisation_id, request.organization.clone());
    let hint = request.login_hint.clone();
    let look = move |db: &mut Conn| branding::of_request(db, chosen, named.as_deref(), hint.as_deref());
    let brand = match chosen.is_some() || request.organization.is_some() || request.login_hint.is_some() {
        true => app.db.read(look).await?,
        false => None,
    };
    Ok(Underway { request, client: client.ok_or(Lost::Unknown)?, row, brand })
}

/// What the browser does now, with these accounts signed in.
pub async fn step(app: &App, underway: &Underway, accounts: &[SignedIn]) -> Result<NextStep, store::Error> {
    let views = views(app, underway, accounts).await?;
    let progress = Progress {
        created_at: underway.row.created_at,
        chosen_session: underway.row.session_id,
        consented: underway.row.consented_at.is_some(),
        organisation: underway.row.organisation_id,
    };
    Ok(next_step(&underway.request, &underway.client, &progress, &views, app.clock.now()))
}

async fn views(
    app: &App,
    underway: &Underway,
    accounts: &[SignedIn],
) -> Result<Vec<SessionView>, store::Error> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let (client, accounts) = (Arc::clone(&underway.client), accounts.to_vec());
    let rules = Rules::of(&app.config);
    app.db
        .read(move |db| {
            accounts
                .iter()
                .map(|account| {
                    // Nor is anything else offered than what admission will allow.
                    let vouched_by = store::federation::organisation_of_session(db, account.session.id)?;
                    let mut names: Vec<String> = account.user.username.iter().cloned().collect();
                    names.extend(users::emails(db, account.user.id)?.into_iter().map(|email| email.folded));
                    Ok(SessionView {
                        id: account.session.id,
                        user: account.user.id,
                        names,
                        auth_time: proven_at(db, account)?,
                        methods: account.methods.clone(),
                        has_factor: Enrolled::of(db, account.user.id)?.any(),
                        required: admission::required_of(db, &account.user, Some(&client), rules)?,
                        organisations: organisations(db, &account.user, vouched_by, &client, rules)?,
                        remembered: remembered(db, account.user.id, client.key)?,
                    })
                })
                .collect()
        })
        .await
}

/// What the user may act for; `vouched_by` is the organisation whose own provider vouched, if one did.
pub(super) fn organisations(
    db: &mut Conn,
    user: &User,
    vouched_by: Option<OrganisationId>,
    client: &Client,
    rules: Rules,
) -> Result<Vec<OrganisationView>, store::Error> {
    let mut views = Vec::new();
    for one in membership::of_user(db, user.id)? {
        if vouched_by.is_some_and(|only| only != one.organisation.id) {
            continue;
        }
        views.push(OrganisationView {
            required: admission::required_in(db, user, Some(client), one.demands_mfa(), rules)?,
            id: one.organisation.id,
            slug: one.organisation.slug,
        });
    }
    Ok(views)
}

/// A remembered item is a scope, a claim asked for by name, or an organisation that the client may know of.
pub(super) const CLAIM: &str = "claim:";
pub(super) const ORGANISATION: &str = "organization:";

/// Since when the login counts: a provider that does not say when it asked is believed to have asked long ago, although
/// the session began just now.
fn proven_at(db: &mut Conn, account: &SignedIn) -> Result<Timestamp, store::Error> {
    let began = account.session.auth_time;
    if !account.methods.contains(&AuthMethod::Federated) {
        return Ok(began);
    }
    let oldest = store::sessions::proofs(db, account.session.id)?.into_iter().map(|(_, at)| at).min();
    Ok(oldest.map_or(began, |oldest| oldest.min(began)))
}

/// What the user allowed the client before.
pub(super) fn remembered(
    db: &mut Conn,
    user: UserId,
    client: crate::model::ClientKey,
) -> Result<Option<Allowed>, store::Error> {
    let items = consents::items(db, user, client)?;
    if items.is_empty() {
        return Ok(None);
    }
    let mut allowed = Allowed::default();
    let mut scopes: Vec<&str> = Vec::new();
    for item in &items {
        if let Some(claim) = item.strip_prefix(CLAIM) {
            allowed.claims.insert(claim.to_owned());
        } else if let Some(organisation) = item.strip_prefix(ORGANISATION) {
            allowed.organisations.extend(organisation.parse::<OrganisationId>());
        } else {
            scopes.push(item);
        }
    }
    // What no longer reads as scopes was not allowed.
    allowed.scopes = ScopeSet::parse(&scopes.join(" ")).unwrap_or_default();
    Ok(Some(allowed))
}

/// Notes which account the user chose, or signed in as, for this request.
pub async fn choose(app: &App, id: RequestId, session: SessionId) -> Result<(), Lost> {
    let chosen = app.db.write(move |db| authorization::choose_session(db, id, session)).await?;
    if chosen { Ok(()) } else { Err(Lost::Completed) }
}

/// Notes for which organisation the user acts with this request, if it is one of theirs: of others nobody is told
/// whether they exist (OR-1). [`step`] asks again whether the user belongs to it.
pub async fn choose_organisation(
    app: &App,
    id: RequestId,
    account: &SignedIn,
    organisation: OrganisationId,
) -> Result<(), Lost> {
    let (user, session) = (account.user.id, account.session.id);
    let chosen = app.db.write(move |db| {
        if !membership::is_active(db, user, organisation)? {
            return Ok(true);
        }
        authorization::choose_organisation(db, id, session, organisation)
    });
    if chosen.await? { Ok(()) } else { Err(Lost::Completed) }
}

/// The user allows it. What was asked is remembered, unless it was asked for this time only.
pub async fn consent(
    app: &App,
    underway: &Underway,
    account: &SignedIn,
    organisation: Option<OrganisationId>,
    origin: &Origin,
) -> Result<(), Lost> {
    let (id, user, session) = (underway.row.id, account.user.id, account.session.id);
    let (client, scribe) = (underway.client.key, app.scribe(origin));
    let mut items: Vec<String> = underway.request.scope.iter().map(str::to_owned).collect();
    items.extend(underway.request.extra_claims().iter().map(|claim| format!("{CLAIM}{claim}")));
    items.extend(organisation.map(|organisation| format!("{ORGANISATION}{organisation}")));
    let noted = app
        .db
        .write(move |db| {
            if !authorization::note_consent(db, id, session, scribe.now)? {
                return Ok(false);
            }
            consents::remember(db, user, client, &items, scribe.now)?;
            let event = Event::success(AuditAction::ConsentGiven).user(user).client(client).session(session);
            scribe.write(db, event.detail("items", items.clone()))?;
            Ok(true)
        })
        .await?;
    if noted { Ok(()) } else { Err(Lost::Completed) }
}

/// The user, or the rules, say no: the request ends and the client is told.
pub async fn refuse(
    app: &App,
    underway: &Underway,
    error: &OAuthError,
    origin: &Origin,
) -> Result<AuthorizationResponse, Failure> {
    let redirect = underway.request.redirect(&underway.client, app.config.issuer.as_str())?;
    let (id, pushed, scribe) = (underway.row.id, underway.row.pushed_digest, app.scribe(origin));
    let event = Event::denied(AuditAction::ConsentRefused)
        .client(underway.client.key)
        .detail("error", error.code.as_str())
        .detail("reason", error.hint().unwrap_or_else(|| error.description()));
    let ended = app
        .db
        .write(move |db| {
            let ended = authorization::complete(db, id, scribe.now)?;
            if ended {
                if let Some(pushed) = pushed {
                    authorization::consume_pushed(db, &pushed, scribe.now)?;
                }
                scribe.write(db, event.clone())?;
            }
            Ok(ended)
        })
        .await?;
    if !ended {
        return Err(completed());
    }
    Ok(refused(&redirect, error, underway.client.key, origin))
}

/// Issues the code: the request ends, the grant begins (AZ-9).
pub async fn issue_code(
    app: &App,
    underway: &Underway,
    account: &SignedIn,
    organisation: Option<OrganisationId>,
    origin: &Origin,
) -> Result<AuthorizationResponse, Failure> {
    let redirect = underway.request.redirect(&underway.client, app.config.issuer.as_str())?;
    let code = Secret::generate(&app.random);
    let scribe = app.scribe(origin);
    let detail = detail(&underway.request, account);
    let lifetimes = &app.config.lifetimes;
    let asked = Issuing {
        client: Arc::clone(&underway.client),
        row: underway.row.clone(),
        redirect_uri: redirect.uri().to_owned(),
        code_challenge: underway.request.code_challenge.clone(),
        session: account.session.id,
        organisation,
        offline: detail.scope.contains(scope::OFFLINE_ACCESS),
        detail: detail.to_json(),
        methods: detail.methods.clone(),
        scope: detail.scope.to_string(),
        code: code.digest(),
        rules: Rules::of(&app.config),
        code_expires_at: scribe.now.plus(lifetimes.code),
        grant_expires_at: scribe.now.plus(lifetimes.refresh_max),
        scribe,
    };
    let outcome = app.db.write(move |db| asked.settle(db)).await?;
    match outcome {
        Issued::Code => Ok(AuthorizationResponse::code(&redirect, &code)),
        Issued::Refused(error) => {
            origin.slip.concerns(account.user.id);
            Ok(refused(&redirect, &error, underway.client.key, origin))
        }
        Issued::Completed => Err(completed()),
    }
}

/// The answer that tells the client no, with the reference by which an operator finds out why.
pub fn refused(
    redirect: &ClientRedirect,
    error: &OAuthError,
    client: ClientKey,
    origin: &Origin,
) -> AuthorizationResponse {
    origin.slip.concerns(client);
    origin.slip.refuse(error.explanation());
    AuthorizationResponse::error(redirect, &error.referring_to(&origin.request_id))
}

fn detail(request: &AuthorizationRequest, account: &SignedIn) -> Detail {
    Detail {
        scope: request.scope.clone(),
        resources: request.resources.clone(),
        claims: request.claims.clone(),
        nonce: request.nonce.clone(),
        acr: acr_answer(acr_for(&account.methods), request.asked_acr()).as_str().to_owned(),
        methods: account.methods.clone(),
        workspace: None,
    }
}

struct Issuing {
    client: Arc<Client>,
    row: Request,
    redirect_uri: String,
    code_challenge: Option<String>,
    session: SessionId,
    organisation: Option<OrganisationId>,
    offline: bool,
    detail: String,
    methods: Vec<AuthMethod>,
    scope: String,
    code: Digest,
    rules: Rules,
    code_expires_at: Timestamp,
    grant_expires_at: Timestamp,
    scribe: Scribe,
}

enum Issued {
    Code,
    Refused(OAuthError),
    Completed,
}

impl Issuing {
    fn settle(&self, db: &mut Conn) -> Result<Issued, store::Error> {
        let now = self.scribe.now;
        if !authorization::complete(db, self.row.id, now)? {
            return Ok(Issued::Completed);
        }
        if let Some(pushed) = &self.row.pushed_digest
            && !authorization::consume_pushed(db, pushed, now)?
        {
            let text = "the pushed request was used before";
            return Ok(Issued::Refused(OAuthError::new(ErrorCode::InvalidRequestUri, text)));
        }
        let Some(session) = sessions::find(db, self.session)? else {
            return self.denied(db, Refusal::SessionEnded);
        };
        // What this session had proven when the detail was written, not what it has by now.
        let acting = Acting {
            client: &self.client,
            proven: &self.methods,
            organisation: self.organisation,
            rules: self.rules,
        };
        if let Err(refusal) = admission::admit_authorization(db, &session, acting, now)? {
            return self.denied(db, refusal);
        }
        let grant = grants::Grant {
            id: GrantId::new(now, &self.scribe.random),
            user_id: session.user_id,
            client_id: self.client.key,
            session_id: Some(session.id),
            offline: self.offline,
            detail: self.detail.clone(),
            auth_time: session.auth_time,
            created_at: now,
            expires_at: match self.offline {
                true => self.grant_expires_at,
                false => self.grant_expires_at.min(session.expires_at),
            },
            revoked_at: None,
            organisation_id: self.organisation,
        };
        grants::insert(db, &grant)?;
        let code = Code {
            digest: self.code,
            grant_id: grant.id,
            redirect_uri: self.redirect_uri.clone(),
            code_challenge: self.code_challenge.clone(),
            created_at: now,
            expires_at: self.code_expires_at,
            redeemed_at: None,
        };
        authorization::insert_code(db, &code)?;
        let event = Event::success(AuditAction::CodeIssued)
            .user(session.user_id)
            .client(self.client.key)
            .organisation(self.organisation);
        self.scribe.write(db, event.session(session.id).detail("scope", self.scope.as_str()))?;
        Ok(Issued::Code)
    }

    fn denied(&self, db: &mut Conn, refusal: Refusal) -> Result<Issued, store::Error> {
        let reason = refusal.to_string();
        let event = Event::denied(AuditAction::CodeIssued).client(self.client.key).session(self.session);
        self.scribe.write(db, event.detail("reason", reason.as_str()))?;
        let error = OAuthError::new(ErrorCode::AccessDenied, "this user may not sign in here");
        Ok(Issued::Refused(error.with_hint(reason).because(refusal)))
    }
}

fn completed() -> Failure {
    OAuthError::invalid_request("this sign-in was answered before; go back to the application")
        .because(Rule::RequestOver)
        .into()
}
