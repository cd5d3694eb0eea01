//! What a handler of the console asks for: somebody who was let in for this very route (AD-3).
//!
//! [`Console`] is enough to look; to change something a handler takes [`Change`], which only a form of ours makes. Who is
//! let in is decided by [`crate::tenancy::console`]; here it is said in HTTP: the way to the sign-in page, or 403.

use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;

use crate::app::App;
use crate::audit::Origin;
use crate::identity::session::SignedIn;
use crate::model::{InstanceRole, Language, Zone};
use crate::protocol::{Bounds, Params};
use crate::tenancy::actor::Actor;
use crate::tenancy::console::{self, Act, Entered, Refusal};
use crate::web::csrf;
use crate::web::extract::{ConsoleForm, not_taken};
use crate::web::failure::PageFailure;
use crate::web::login::visitor::{Visitor, person, proof_page};
use crate::web::page::admin::{ConsolePage, Place, Sheet};
use crate::web::respond::Csp;
use crate::web::ui::Ui;

use super::need_of;

/// Somebody who may look at what the route is about.
pub struct Console {
    visitor: Visitor,
    entered: Entered,
    /// With who acts, for every event of the audit.
    pub origin: Origin,
}

impl FromRequest for Console {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, visitor) = (request.clone(), Visitor::from_request(request, payload));
        Box::pin(async move { Self::enter(&request, visitor.await?).await })
    }
}

impl Console {
    async fn enter(request: &HttpRequest, visitor: Visitor) -> Result<Self, actix_web::Error> {
        let base = visitor.app.config.issuer.path();
        let pattern = request.match_pattern().unwrap_or_default();
        let path = pattern.strip_prefix(base).unwrap_or(&pattern);
        let need = need_of(request.method().as_str(), path)
            .ok_or_else(|| PageFailure::Internal(format!("{path} is not in the table of the console")))?;
        let account = visitor.accounts().await.map_err(PageFailure::from)?.into_iter().next();
        let Some(account) = account else {
            return Err(elsewhere(visitor.go(&format!("/login?next={}", way_back(request, base)))));
        };
        let organisation = request.match_info().get("organization");
        let entered = console::enter(&visitor.app, account.clone(), need, organisation, &visitor.origin);
        match entered.await.map_err(PageFailure::from)? {
            Ok(entered) => {
                let origin = entered.origin(&visitor.origin);
                Ok(Self { visitor, entered, origin })
            }
            Err(refusal) => {
                let next = way_back(request, base);
                Err(match refusal {
                    Refusal::Due(due) => elsewhere(visitor.go(&proof_page(due, &account, &next))),
                    Refusal::NotForThem | Refusal::LooksOnly => PageFailure::Forbidden.into(),
                })
            }
        }
    }

    pub fn app(&self) -> &Data<App> {
        &self.visitor.app
    }

    /// The browser that they came with.
    pub fn visitor(&self) -> &Visitor {
        &self.visitor
    }

    pub fn entered(&self) -> &Entered {
        &self.entered
    }

    pub fn account(&self) -> &SignedIn {
        self.entered.account()
    }

    /// Whether what the page is about may be changed by whoever looks: then it has forms.
    pub fn may_change(&self) -> bool {
        match self.entered.need().area {
            crate::tenancy::console::Area::Organisation => self.entered.may_change(),
            _ => self.entered.runs_instance(),
        }
    }

    /// The parameters in the address.
    pub fn query(&self) -> Result<Params, PageFailure> {
        let text = self.visitor.request.query_string();
        Params::parse_within(text.as_bytes(), &Bounds::GENEROUS).map_err(not_taken)
    }

    /// What the path names. Malformed is as unknown.
    pub fn named<Id: std::str::FromStr>(&self, name: &str) -> Result<Id, PageFailure> {
        self.visitor.request.match_info().query(name).parse().map_err(|_| PageFailure::NotFound)
    }

    /// The language that the page is shown in.
    pub fn language(&self) -> Language {
        let frame = self.visitor.frame_of(self.account());
        frame.ui(None).language
    }

    /// Something in the language of the page, before it is known what the page will be.
    pub fn say<T>(&self, of: impl FnOnce(&Ui<'_>) -> T) -> T {
        let frame = self.visitor.frame_of(self.account());
        of(&frame.ui(None))
    }

    /// The zone that its times are read in.
    pub fn zone(&self) -> Option<Zone> {
        self.account().user.zoneinfo.as_deref().and_then(Zone::parse)
    }

    /// A page.
    pub fn show(&self, build: impl FnOnce(&Ui<'_>) -> Sheet) -> HttpResponse {
        self.show_as(StatusCode::OK, build)
    }

    /// A page with another status: a form that comes back to be mended.
    pub fn show_as(&self, status: StatusCode, build: impl FnOnce(&Ui<'_>) -> Sheet) -> HttpResponse {
        let frame = self.visitor.frame_of(self.account());
        let ui = frame.ui(Some(person(self.account()).label()));
        let sheet = build(&ui);
        let done = self.query().ok().and_then(|query| query.get("done").and_then(|word| done(&ui, word)));
        let places =
            if self.entered.instance_role().is_some() { Place::ALL } else { Place::OF_ORGANISATIONS };
        let looks_only = self.entered.instance_role() == Some(InstanceRole::Support) && !self.may_change();
        let page = ConsolePage { ui: &ui, sheet: &sheet, places, done, looks_only };
        self.visitor.show(&ui, status, &page, if sheet.is_outward { Csp::Outward } else { Csp::Own })
    }

    /// Something else than a page, in the words of the visitor's language.
    pub fn draw<T>(&self, build: impl FnOnce(&Ui<'_>) -> T) -> T {
        let frame = self.visitor.frame_of(self.account());
        build(&frame.ui(None))
    }

    /// Where to go on.
    pub fn go(&self, path: &str) -> HttpResponse {
        self.visitor.go(path)
    }
}

/// Somebody who takes something along, which is written down in their name: a link on another site does not do it for
/// them.
pub struct Taking(pub Console);

impl FromRequest for Taking {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (is_led_by_us, console) =
            (csrf::is_led_by_us(request.headers()), Console::from_request(request, payload));
        Box::pin(async move {
            if !is_led_by_us {
                return Err(PageFailure::FromElsewhere.into());
            }
            Ok(Self(console.await?))
        })
    }
}

/// A form of ours, sent by somebody who may change what the route is about.
pub struct Change {
    console: Console,
    /// What was typed.
    pub typed: Params,
}

impl FromRequest for Change {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (form, console) =
            (ConsoleForm::from_request(request, payload), Console::from_request(request, payload));
        Box::pin(async move {
            // Who is not let in learns so whatever the form says.
            let console = console.await?;
            if console.entered.need().act == Act::See {
                let why = "a route that only looks takes a form";
                return Err(PageFailure::Internal(why.to_owned()).into());
            }
            let ConsoleForm(typed) = form.await?;
            Ok(Self { console, typed })
        })
    }
}

impl Deref for Change {
    type Target = Console;

    fn deref(&self) -> &Console {
        &self.console
    }
}

impl Change {
    /// Of a form that was read in another way, and proven to be ours.
    pub(super) fn of(console: Console, typed: Params) -> Self {
        Self { console, typed }
    }

    /// On whose behalf it is done.
    pub fn actor(&self) -> Actor {
        self.console.entered.actor()
    }

    /// What was typed into a field; empty if nothing was.
    pub fn text(&self, name: &str) -> &str {
        self.typed.get(name).unwrap_or_default()
    }

    /// Whether a box was ticked.
    pub fn is_checked(&self, name: &str) -> bool {
        self.typed.get(name).is_some()
    }

    /// It is done: back to a page, which says so in one word of `console.done`.
    pub fn done(&self, path: &str, word: &str) -> HttpResponse {
        self.console.go(&format!("{path}?done={word}"))
    }

    /// It cannot be done as typed: the page comes back with everything that was typed.
    pub fn again(&self, build: impl FnOnce(&Ui<'_>) -> Sheet) -> HttpResponse {
        self.console.show_as(StatusCode::UNPROCESSABLE_ENTITY, build)
    }
}

/// What has just been done, of the words that there are.
fn done<'u>(ui: &Ui<'u>, word: &str) -> Option<&'u str> {
    Some(match word {
        "created" => ui.t("console.done.created"),
        "created_unsent" => ui.t("console.done.created_unsent"),
        "saved" => ui.t("console.done.saved"),
        "disabled" => ui.t("console.done.disabled"),
        "enabled" => ui.t("console.done.enabled"),
        "removed" => ui.t("console.done.removed"),
        "ended" => ui.t("console.done.ended"),
        "sent" => ui.t("console.done.sent"),
        "revoked" => ui.t("console.done.revoked"),
        "verified" => ui.t("console.done.verified"),
        _ => return None,
    })
}

/// The page to come back to after a proof: this one, or for a form the page that shows it.
fn way_back(request: &HttpRequest, base: &str) -> String {
    let pattern = request.match_pattern().unwrap_or_default();
    let is_shown = need_of("get", pattern.strip_prefix(base).unwrap_or(&pattern)).is_some();
    let path = request.path();
    let path = path.strip_prefix(base).unwrap_or(path);
    match path.rsplit_once('/') {
        Some((above, _)) if !is_shown => above.to_owned(),
        _ => path.to_owned(),
    }
}

fn elsewhere(response: HttpResponse) -> actix_web::Error {
    InternalError::from_response("somewhere else first", response).into()
}
