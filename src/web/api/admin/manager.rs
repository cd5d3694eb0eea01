//! Who calls the management API: whoever holds a token for it, with the scope that the operation names.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;

use super::table;
use crate::app::App;
use crate::audit::{By, Origin};
use crate::grants::introspection::{self, Examined};
use crate::model::{InstanceRole, OrganisationId};
use crate::tenancy::actor::Actor;
use crate::tenancy::management::{self, Admitted, PATH, Presented, Reach, Refusal};
use crate::web::api::ask::Call;
use crate::web::api::page::List;
use crate::web::api::table::Who;
use crate::web::fault::{Fault, Refused};

/// Somebody who may do what this operation does.
pub struct Manager {
    /// With who acts, for every event of the audit.
    pub call: Call,
    actor: Actor,
    reach: Reach,
    request: HttpRequest,
}

impl FromRequest for Manager {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, call) = (request.clone(), Call::from_request(request, payload));
        Box::pin(async move {
            let mut call = call.await?;
            let pattern = request.match_pattern().unwrap_or_default();
            let path = pattern.rsplit_once(PATH).map_or("", |(_, path)| path);
            let method = request.method().as_str();
            let route = table::ROUTES.iter().find(|route| route.path == path && route.is_of(method));
            let Some(Who::Manager(scope)) = route.map(|route| route.who) else {
                return Err(Refused::internal(format!("{method} {path} is not in the table")));
            };
            let live = match introspection::examine(&call.app, call.token()?).await? {
                Examined::Live(live) => live,
                refused => {
                    let slip = &call.origin.slip;
                    slip.refuse(introspection::doubt(&call.app, call.token()?, slip));
                    return Err(match refused {
                        Examined::Expired => Fault::TokenExpired.into(),
                        _ => Fault::TokenInvalid.into(),
                    });
                }
            };
            let presented = Presented {
                claims: &live.claims,
                of_user: live.of_user.as_ref(),
                is_of_key: live.of_key.is_some(),
            };
            let Admitted { actor, reach } = management::admit(&call.app, presented, scope).await?;
            call.origin = Origin { by: By::from(actor), ..call.origin };
            Ok(Self { call, actor, reach, request })
        })
    }
}

fn beyond(scope: &str) -> Refused {
    let why = format!("The token lacks the scope `{scope}`, and nobody gives what they do not have.");
    Refused::with_detail(Fault::Forbidden, why)
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::OtherAudience => Fault::TokenInvalid.into(),
            Refusal::ScopeMissing(scope) => {
                Self::with_detail(Fault::Forbidden, format!("The token lacks the scope `{scope}`."))
            }
            Refusal::NoRole => Self::with_detail(Fault::Forbidden, "The user does not run this instance."),
            Refusal::NotSignedIn => Self::with_detail(
                Fault::Forbidden,
                "The user has to be signed in here, by what counts for the whole instance: sign in again. Offline \
                 access is not for this.",
            ),
            Refusal::LooksOnly => Self::with_detail(Fault::Forbidden, "Support looks and changes nothing."),
            Refusal::Store(error) => error.into(),
        }
    }
}

impl Manager {
    pub fn app(&self) -> &App {
        &self.call.app
    }

    pub fn origin(&self) -> &Origin {
        &self.call.origin
    }

    /// On whose behalf it is done.
    pub fn actor(&self) -> Actor {
        self.actor
    }

    /// Whether an application with these scopes may be made, changed or given a secret by this caller.
    pub fn may_give<'s>(&self, scopes: impl IntoIterator<Item = &'s str>) -> Result<(), Refused> {
        self.reach.covers(scopes).map_err(beyond)
    }

    /// Whether this caller may give the role to somebody, or take it from them.
    pub fn may_give_role(&self, role: Option<InstanceRole>) -> Result<(), Refused> {
        role.map_or(Ok(()), |role| self.reach.covers_role(role).map_err(beyond))
    }

    /// Whose calls are counted as the same caller's.
    pub fn identity(&self) -> String {
        match self.actor {
            Actor::Service(client) => client.to_string(),
            actor => actor.user().map(|user| user.to_string()).unwrap_or_default(),
        }
    }

    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// A list of the instance: a cursor is good for whoever may see it.
    pub fn list(&self, kind: &'static str) -> List<'_> {
        List { master: &self.call.app.master, kind, of: "instance".to_owned() }
    }

    /// A list of one organisation.
    pub fn list_of(&self, kind: &'static str, of: OrganisationId) -> List<'_> {
        List { of: of.to_string(), ..self.list(kind) }
    }

    /// What the path names. Malformed is as unknown.
    pub fn named<Id: std::str::FromStr>(&self, name: &str) -> Result<Id, Refused> {
        self.request.match_info().query(name).parse().map_err(|_| Fault::NotFound.into())
    }
}
