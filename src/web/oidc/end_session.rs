//! `/oauth2/logout` (OpenID Connect RP-Initiated Logout 1.0) and `/logout`, our own page for the same.
//!
//! A valid `id_token_hint` of a session in this browser ends it at once. Anything else asks the person first (IR-5).
//! The browser goes back to the application only with a hint, and only to an address that is exactly registered.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::audit::Origin;
use crate::crypto::Secret;
use crate::identity::session::{self, SignedIn};
use crate::model::Client;
use crate::protocol::response::with_state;
use crate::protocol::tokens::unverified_audience;
use crate::protocol::{OAuthError, Params};
use crate::store;
use crate::web::cookies;
use crate::web::extract::{Browser, Caller, OptionalForm, PageForm};
use crate::web::failure::PageFailure;
use crate::web::page::{BackLink, LoggedOutPage, LogoutPage, Person};
use crate::web::respond::{self, Csp, Frame};

use super::authorize::verify_hint;

/// The parameters that a confirmation carries on; all are checked again then.
const CARRIED: [&str; 5] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"];

/// `GET /oauth2/logout`.
pub async fn by_query(
    app: Data<App>,
    request: HttpRequest,
    browser: Browser,
    Caller(origin): Caller,
) -> Result<HttpResponse, PageFailure> {
    let params = query(&request)?;
    let asked = Asked::read(&app, &params).await?;
    let accounts = session::resume(&app, &browser.sessions).await?;
    let named = asked.hint.as_ref().and_then(|hint| accounts.iter().find(|account| hint.names(account)));
    match named {
        Some(account) => {
            end(&app, std::slice::from_ref(account), &origin).await?;
            let rest: Vec<SignedIn> =
                accounts.iter().filter(|other| other.session.id != account.session.id).cloned().collect();
            Ok(left(&app, &request, &asked, &rest))
        }
        // The session of the hint is over already, and no other one is open here.
        None if accounts.is_empty() && asked.hint.is_some() => Ok(left(&app, &request, &asked, &[])),
        None => Ok(question(&app, &request, &browser, &asked, &accounts, &params)),
    }
}

/// `POST /oauth2/logout`: the form comes from another site and brings no cookies, so the browser is asked to come
/// back by GET.
pub async fn by_form(app: Data<App>, OptionalForm(params): OptionalForm) -> HttpResponse {
    let params = params.unwrap_or_default();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in params.iter() {
        query.append_pair(name, value);
    }
    respond::see_other(&format!("{}/oauth2/logout?{}", app.config.issuer.path(), query.finish()))
}

/// `GET /logout`: our own link; asks.
pub async fn ask(
    app: Data<App>,
    request: HttpRequest,
    browser: Browser,
) -> Result<HttpResponse, PageFailure> {
    let params = query(&request)?;
    let asked = Asked::read(&app, &params).await?;
    let accounts = session::resume(&app, &browser.sessions).await?;
    Ok(question(&app, &request, &browser, &asked, &accounts, &params))
}

/// `POST /logout`: the person said yes. Every account of this browser is signed out.
pub async fn confirm(
    app: Data<App>,
    request: HttpRequest,
    browser: Browser,
    Caller(origin): Caller,
    PageForm(params): PageForm,
) -> Result<HttpResponse, PageFailure> {
    let asked = Asked::read(&app, &params).await?;
    let accounts = session::resume(&app, &browser.sessions).await?;
    end(&app, &accounts, &origin).await?;
    Ok(left(&app, &request, &asked, &[]))
}

fn query(request: &HttpRequest) -> Result<Params, PageFailure> {
    Params::parse(request.query_string().as_bytes())
        .map_err(|error| PageFailure::request(&error.into(), None))
}

/// What the application asked for, checked.
struct Asked {
    client: Option<std::sync::Arc<Client>>,
    hint: Option<Hint>,
    /// Registered for the client, letter by letter.
    back: Option<String>,
    state: Option<String>,
    ui_locales: Vec<String>,
}

struct Hint {
    subject: String,
    session: Option<String>,
}

impl Hint {
    fn names(&self, account: &SignedIn) -> bool {
        match &self.session {
            Some(sid) => account.session.id.to_string() == *sid,
            None => account.user.id.to_string() == self.subject,
        }
    }
}

impl Asked {
    async fn read(app: &App, params: &Params) -> Result<Self, PageFailure> {
        let wrong = |parameter: &'static str, text: &str| {
            PageFailure::request(&OAuthError::invalid_request(format!("{parameter} {text}")), Some(parameter))
        };
        let hint = params.get("id_token_hint");
        let named = match (params.get("client_id"), hint) {
            (Some(client_id), _) => Some(client_id.to_owned()),
            (None, Some(hint)) => unverified_audience(hint),
            (None, None) => None,
        };
        let client = match named {
            Some(client_id) => app.client(&client_id).await?,
            None => None,
        };
        if client.is_none() && params.get("client_id").is_some() {
            return Err(wrong("client_id", "names no client that is known here"));
        }
        let hint = match (hint, &client) {
            (None, _) => None,
            (Some(hint), Some(client)) => verify_hint(app, client, hint),
            (Some(_), None) => None,
        }
        .map(|hint| Hint { subject: hint.subject, session: hint.session });
        if hint.is_none() && params.get("id_token_hint").is_some() {
            return Err(wrong("id_token_hint", "is not an ID token of this provider for this client"));
        }
        let back = params.get("post_logout_redirect_uri");
        if let (Some(back), Some(client)) = (back, &client)
            && !client.post_logout_redirect_uris.iter().any(|registered| registered == back)
        {
            return Err(wrong("post_logout_redirect_uri", "is not registered for this client"));
        }
        Ok(Self {
            back: back.filter(|_| client.is_some()).map(str::to_owned),
            client,
            hint,
            state: params.get("state").map(str::to_owned),
            ui_locales: params.get("ui_locales").unwrap_or_default().split(' ').map(str::to_owned).collect(),
        })
    }
}

async fn end(app: &App, accounts: &[SignedIn], origin: &Origin) -> Result<(), store::Error> {
    let sessions: Vec<_> = accounts.iter().map(|account| (account.session.id, account.user.id)).collect();
    let scribe = app.scribe(origin);
    app.db
        .write(move |db| {
            for (id, user) in &sessions {
                session::end(db, *id, *user, &scribe)?;
            }
            Ok(())
        })
        .await
}

fn question(
    app: &App,
    request: &HttpRequest,
    browser: &Browser,
    asked: &Asked,
    accounts: &[SignedIn],
    params: &Params,
) -> HttpResponse {
    let (binding, is_new) = browser.binding_or_new(&app.random);
    let frame = Frame::new(app, request, Some(&binding), &asked.ui_locales);
    let person = accounts.first().map(|account| Person {
        name: &account.user.name,
        email: account.email.as_deref().unwrap_or_default(),
    });
    let ui = frame.ui(person.as_ref().map(Person::label));
    let carried: Vec<(&str, &str)> =
        CARRIED.into_iter().filter_map(|name| params.get(name).map(|value| (name, value))).collect();
    let client_name = asked.client.as_deref().map(|client| client.name.as_str());
    let page = LogoutPage { ui: &ui, person, client_name, carried: &carried };
    // The way back to the application follows this form.
    let mut response = respond::page(&ui, StatusCode::OK, &page, Csp::Flow);
    if is_new {
        cookies::add(&mut response, &cookies::binding(&app.config.issuer, &binding));
    }
    response
}

/// Back to the application if it may be trusted to have asked, otherwise our own last page.
fn left(app: &App, request: &HttpRequest, asked: &Asked, remaining: &[SignedIn]) -> HttpResponse {
    let mut response = match (&asked.hint, &asked.back) {
        (Some(_), Some(back)) => respond::see_other(&with_state(back, asked.state.as_deref())),
        _ => {
            let frame = Frame::new(app, request, None, &asked.ui_locales);
            let ui = frame.ui(None);
            let back = match (&asked.client, &asked.back) {
                (Some(client), Some(back)) => BackLink::to(&client.name, back),
                _ => None,
            };
            respond::page(&ui, StatusCode::OK, &LoggedOutPage { ui: &ui, back }, Csp::Own)
        }
    };
    let secrets: Vec<Secret> = remaining.iter().map(|account| account.secret.clone()).collect();
    cookies::add(&mut response, &cookies::sessions(&app.config.issuer, &secrets, None));
    response
}
