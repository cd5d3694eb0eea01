//! The browser that looks at a page: its cookies, its accounts, and how it is answered.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, REFERRER_POLICY, RETRY_AFTER};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};

use crate::app::App;
use crate::audit::Origin;
use crate::crypto::Secret;
use crate::grants::authorization::{self, Lost, Underway};
use crate::identity::device::KnownDevice;
use crate::identity::factor::second::Asked;
use crate::identity::federation::{self, link};
use crate::identity::notice::Notices;
use crate::identity::reauthentication::{self, Due};
use crate::identity::session::{self, Arrival, Begun, SignedIn};
use crate::model::Zone;
use crate::protocol::{ErrorCode, OAuthError, Params};
use crate::store;
use crate::tenancy::domains;
use crate::web::cookies::{self, Name};
use crate::web::extract::{Browser, Caller};
use crate::web::failure::PageFailure;
use crate::web::oidc;
use crate::web::page::{Page, Person, RecoveryCodesPage};
use crate::web::respond::{self, Csp, Frame};
use crate::web::ui::Ui;

use super::next::Next;

/// What every page asks for.
pub struct Visitor {
    pub app: Data<App>,
    pub request: HttpRequest,
    pub browser: Browser,
    pub origin: Origin,
    /// Ties this browser's forms and authorization requests to it.
    binding: Secret,
    binding_is_new: bool,
}

impl FromRequest for Visitor {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(Self::of(request, payload))
    }
}

impl Visitor {
    fn of(request: &HttpRequest, payload: &mut Payload) -> Result<Self, actix_web::Error> {
        let app = Data::<App>::from_request(request, payload).into_inner()?;
        let browser = Browser::from_request(request, payload).into_inner()?;
        let Caller(origin) = Caller::from_request(request, payload).into_inner()?;
        let (binding, binding_is_new) = browser.binding_or_new(&app.random);
        Ok(Self { app, request: request.clone(), browser, origin, binding, binding_is_new })
    }

    /// The accounts that this browser is signed in to, the current one first.
    pub async fn accounts(&self) -> Result<Vec<SignedIn>, store::Error> {
        session::resume(&self.app, &self.browser.sessions).await
    }

    /// This browser as it comes to be signed in.
    pub fn arrival(&self) -> Arrival {
        Arrival {
            present: self.browser.sessions.clone(),
            device: self.browser.device.clone(),
            notices: self.notices(),
            api: None,
        }
    }

    /// For telling people what happened, in this browser's language if no other is known.
    pub fn notices(&self) -> Notices {
        Notices::of(&self.app, self.frame(None).ui(None).language)
    }

    /// What ties forms, authorization requests and sign-ins under way to this browser.
    pub fn binding(&self) -> &Secret {
        &self.binding
    }

    /// The current account, if its sign-in was recent enough to change what matters (SE-7). Otherwise the way to the
    /// sign-in page, which comes back to `next`, a page of the account area.
    pub async fn confirmed(&self, next: &str) -> Result<Result<SignedIn, HttpResponse>, store::Error> {
        let Some(current) = self.accounts().await?.into_iter().next() else {
            return Ok(Err(self.go(&format!("/login?next={next}"))));
        };
        Ok(match reauthentication::due(&self.app, &current).await? {
            None => Ok(current),
            Some(due) => Err(self.go(&proof_page(due, &current, next))),
        })
    }

    pub fn query(&self) -> Result<Params, PageFailure> {
        Params::parse(self.request.query_string().as_bytes())
            .map_err(|error| PageFailure::request(&error.into(), None))
    }

    /// The authorization request of this browser with this id (AR-6).
    pub async fn underway(&self, id: &str) -> Result<Underway, Lost> {
        let id = id.parse().map_err(|_| Lost::Unknown)?;
        authorization::find(&self.app, id, self.browser.binding.as_ref()).await
    }

    /// The same where the page makes sense without it.
    pub async fn underway_if_any(&self, id: Option<&str>) -> Result<Option<Underway>, store::Error> {
        let Some(id) = id else { return Ok(None) };
        match self.underway(id).await {
            Ok(underway) => Ok(Some(underway)),
            Err(Lost::Unknown | Lost::Completed) => Ok(None),
            Err(Lost::Store(error)) => Err(error),
        }
    }

    pub fn frame(&self, underway: Option<&Underway>) -> Frame<'_> {
        let ui_locales = underway.map(|underway| underway.request.ui_locales.as_slice()).unwrap_or_default();
        let brand = underway.and_then(|underway| underway.brand.clone());
        Frame::new(&self.app, &self.request, Some(&self.binding), ui_locales).branded(brand)
    }

    /// Of a page for this account: in its language and its time zone.
    pub fn frame_of(&self, account: &SignedIn) -> Frame<'_> {
        let user = &account.user;
        let zone = user.zoneinfo.as_deref().and_then(Zone::parse);
        Frame::new(&self.app, &self.request, Some(&self.binding), user.locale.as_slice()).in_zone(zone)
    }

    /// Shows a page, in a browser that from now on has a binding.
    pub fn show(&self, ui: &Ui<'_>, status: StatusCode, page: &impl Page, csp: Csp) -> HttpResponse {
        self.with_binding(respond::page(ui, status, page, csp))
    }

    /// Gives the browser its binding, if it has none.
    pub fn with_binding(&self, mut response: HttpResponse) -> HttpResponse {
        if self.binding_is_new {
            cookies::add(&mut response, &cookies::binding(&self.app.config.issuer, &self.binding));
        }
        response
    }

    /// To one of our own pages.
    pub fn go(&self, path: &str) -> HttpResponse {
        respond::see_other(&format!("{}{path}", self.app.config.issuer.path()))
    }

    /// The organisation's own provider that people with this address sign in with, by whatever form they come. What else
    /// was typed is not looked at, so this answer says nothing of whether there is an account (PW-6). Whoever comes from
    /// there, to link an account that exists, proves that it is theirs by what they have here (FE-7).
    pub async fn provider_of(&self, address: &str) -> Result<Option<String>, PageFailure> {
        if link::waiting(&self.app, self.browser.binding.as_ref()).await?.is_some() {
            return Ok(None);
        }
        Ok(domains::provider_of_typed(&self.app, address).await?)
    }

    /// To this provider, and back to the request that is underway.
    pub fn go_to_provider(&self, provider: &str, underway: Option<&Underway>) -> HttpResponse {
        let onward = underway.map(|underway| format!("?request={}", underway.row.id)).unwrap_or_default();
        self.go(&format!("/login/federation/{provider}{onward}"))
    }

    /// For a page with a form that takes an address: it may lead to a provider, where any domain does.
    pub async fn csp_of_addresses(&self) -> Result<Csp, PageFailure> {
        let leads_out = self.app.db.read(store::domains::any_route).await?;
        Ok(if leads_out { Csp::Outward } else { Csp::Own })
    }

    /// Back to where the next step of this request is decided.
    pub fn resume(&self, underway: &Underway) -> HttpResponse {
        self.go(&format!("/oauth2/authorize/{}", underway.row.id))
    }

    /// The person does not want to go on: the application is told.
    pub async fn deny(&self, underway: &Underway) -> Result<HttpResponse, PageFailure> {
        let error = OAuthError::new(ErrorCode::AccessDenied, "the user did not agree");
        let answer = authorization::refuse(&self.app, underway, &error, &self.origin).await?;
        Ok(oidc::send_back(&self.app, &self.request, underway, answer))
    }

    /// After a sign-in. Whoever owes a second factor goes to the page that asks for it, and nothing else becomes of
    /// it yet (SE-3). Otherwise notes the session for the request that waits, makes the link that waits, sets the
    /// cookies, and goes on there or to `path`. The cookies are set whatever becomes of the request, since the secret
    /// before is dead (SE-2).
    pub async fn welcome(&self, signed_in: Welcome<'_>, path: &str) -> HttpResponse {
        if signed_in.begun.awaiting_factor {
            return self.ask_for_factor(&signed_in.begun.secret, signed_in.underway, path);
        }
        let response = match self.onward(&signed_in, path).await {
            Ok(path) => self.go(&path),
            Err(failure) => HttpResponse::from_error(failure),
        };
        self.with_sessions(response, &signed_in)
    }

    /// The same for somebody who got recovery codes just now: they see them, this once, and go on from there.
    pub async fn welcome_with_codes(
        &self,
        signed_in: Welcome<'_>,
        codes: &[Secret],
        path: &str,
    ) -> HttpResponse {
        if codes.is_empty() {
            return self.welcome(signed_in, path).await;
        }
        let next = match self.onward(&signed_in, path).await {
            Ok(next) => next,
            Err(failure) => return self.with_sessions(HttpResponse::from_error(failure), &signed_in),
        };
        let frame = self.frame(signed_in.underway);
        let ui = frame.ui(None);
        let next = format!("{}{next}", ui.base);
        let codes: Vec<&str> = codes.iter().map(Secret::expose).collect();
        let page = RecoveryCodesPage { ui: &ui, codes: &codes, next: &next };
        self.with_sessions(self.show(&ui, StatusCode::OK, &page, Csp::Own), &signed_in)
    }

    /// Where somebody just signed in goes on: to the request that waits, which learns who it is, or to `path`. Makes
    /// the link that waits for this sign-in (FE-7).
    pub async fn onward(&self, signed_in: &Welcome<'_>, path: &str) -> Result<String, PageFailure> {
        let (binding, notices) = (self.browser.binding.as_ref(), self.notices());
        federation::link::complete(&self.app, binding, signed_in.begun, notices, &self.origin).await?;
        let Some(underway) = signed_in.underway else { return Ok(path.to_owned()) };
        match authorization::choose(&self.app, underway.row.id, signed_in.begun.id).await {
            Err(Lost::Store(error)) => Err(error.into()),
            // Where it is over, its own page says so.
            Ok(()) | Err(Lost::Unknown | Lost::Completed) => {
                Ok(format!("/oauth2/authorize/{}", underway.row.id))
            }
        }
    }

    /// The answer with the cookies of somebody just signed in.
    pub fn with_sessions(&self, mut response: HttpResponse, signed_in: &Welcome<'_>) -> HttpResponse {
        let Welcome { begun, others, remember, .. } = signed_in;
        let (app, issuer) = (&self.app, &self.app.config.issuer);
        let mut secrets = vec![begun.secret.clone()];
        secrets.extend(
            others.iter().filter(|other| other.user.id != begun.user).map(|other| other.secret.clone()),
        );
        let life = remember.then_some(app.config.lifetimes.remember);
        cookies::add(&mut response, &cookies::sessions(issuer, &secrets, life));
        let mut device = self.browser.device.clone().unwrap_or_else(|| KnownDevice::fresh(&app.random));
        device.remember(begun.user);
        cookies::add(&mut response, &cookies::devices(issuer, &app.master, &device));
        if self.browser.pending.is_some() {
            cookies::add(&mut response, &cookies::removal(issuer, Name::Pending));
        }
        response
    }

    fn ask_for_factor(&self, secret: &Secret, underway: Option<&Underway>, path: &str) -> HttpResponse {
        let mut response = match (underway, Next::parse(path)) {
            (Some(underway), _) => self.go(&format!("/login/factor?request={}", underway.row.id)),
            (None, Some(next)) => self.go(&format!("/login/factor?next={next}")),
            (None, None) => self.go("/login/factor"),
        };
        cookies::add(&mut response, &cookies::pending(&self.app.config.issuer, secret));
        response
    }
}

/// Somebody who has just been signed in.
pub struct Welcome<'a> {
    pub begun: &'a Begun,
    /// The accounts that were signed in before; they stay.
    pub others: &'a [SignedIn],
    /// Whether the cookie outlives the browser. The latest choice holds for all accounts in it; how long each
    /// session counts is stored with it (SE-4).
    pub remember: bool,
    pub underway: Option<&'a Underway>,
}

/// The page that takes what is due, and comes back to `next`.
pub fn proof_page(due: Due, account: &SignedIn, next: &str) -> String {
    match due {
        Due::SignIn => format!("/login?next={next}"),
        Due::Factor => format!("/login/factor?session={}&next={next}", account.session.id),
    }
}

/// An account as pages show it.
pub fn person(account: &SignedIn) -> Person<'_> {
    Person { name: &account.user.name, email: account.email.as_deref().unwrap_or_default() }
}

/// Whoever a factor is asked of, as pages show it.
pub fn person_of(asked: &Asked) -> Person<'_> {
    Person { name: &asked.user.name, email: asked.email.as_deref().unwrap_or_default() }
}

/// Says when to try again, if that is what the failure asks for.
pub fn retry_after(mut response: HttpResponse, failure: Option<&PageFailure>) -> HttpResponse {
    if let Some(wait) = failure.and_then(PageFailure::retry_after) {
        response.headers_mut().insert(RETRY_AFTER, respond::seconds(wait));
    }
    response
}

/// For a page whose address holds a token: no other address is told of it (CH-3).
pub fn no_referrer(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
