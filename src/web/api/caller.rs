//! Who calls: a person with a token, or, where a machine may act, an API key.
//!
//! A person's token is for one organisation, or for none (TE-6). A key is of one organisation for good; its scopes say what
//! it may do there, and it never acts for a person: it neither signs in nor makes keys (AK-2).

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;

use super::ask::Call;
use super::page::List;
use crate::app::App;
use crate::audit::Origin;
use crate::crypto::Secret;
use crate::grants::first_party::{self, Subject};
use crate::grants::introspection::LiveAccessToken;
use crate::model::{OrganisationId, Permission, SessionId, UserId};
use crate::store::organisations::Organisation;
use crate::tenancy::actor::Actor;
use crate::tenancy::admission::KeyAdmission;
use crate::tenancy::api_keys::present;
use crate::tenancy::membership::{self, Selection};
use crate::web::fault::{Fault, Refused};

/// A call of somebody who is signed in, in the organisation and workspace that the headers name.
pub struct Member {
    pub call: Call,
    pub live: LiveAccessToken,
    pub subject: Subject,
}

impl FromRequest for Member {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let call = Call::from_request(request, payload);
        Box::pin(async move { Self::of(call.await?).await })
    }
}

impl Member {
    async fn of(call: Call) -> Result<Self, Refused> {
        let (live, subject) =
            first_party::caller(&call.app, &call.product, call.token()?, &call.origin).await?;
        let subject = first_party::narrow(&call.app, subject, call.wanted.clone()).await??;
        Ok(Self { call, live, subject })
    }

    pub fn user(&self) -> UserId {
        self.subject.user.id
    }

    /// The session that the token is of.
    pub fn session(&self) -> Result<SessionId, Refused> {
        self.subject.session.ok_or_else(|| Fault::TokenInvalid.into())
    }

    pub fn list(&self, kind: &'static str) -> List<'_> {
        List { master: &self.call.app.master, kind, of: self.user().to_string() }
    }
}

/// A call about the organisation in the path, by whoever belongs to it.
pub struct Here {
    who: Who,
    pub organisation: OrganisationId,
    pub found: Organisation,
    request: HttpRequest,
}

enum Who {
    Person(Box<Member>),
    Machine(Box<(Call, KeyAdmission)>),
}

impl FromRequest for Here {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, call) = (request.clone(), Call::from_request(request, payload));
        Box::pin(async move {
            let call = call.await?;
            let named = request.match_info().query("organization").to_owned();
            let (who, found) = match call.key.clone() {
                None => person(call, named).await?,
                Some(key) => machine(call, &key, &named).await?,
            };
            Ok(Self { who, organisation: found.id, found, request })
        })
    }
}

async fn person(call: Call, named: String) -> Result<(Who, Organisation), Refused> {
    let Member { call, live, subject } = Member::of(call).await?;
    let wanted = Selection { organisation: Some(named), workspace: None };
    let subject = first_party::narrow(&call.app, subject, wanted).await??;
    let active = subject.active.as_ref().ok_or(Fault::OrganisationDenied)?;
    let found = active.organisation().clone();
    Ok((Who::Person(Box::new(Member { call, live, subject })), found))
}

/// A key is of its own organisation, and perhaps of one workspace there; headers choose nothing else (OR-1).
async fn machine(call: Call, key: &Secret, named: &str) -> Result<(Who, Organisation), Refused> {
    let admitted = present::authenticate(&call.app, key, &call.origin).await?;
    let of = admitted.organisation().clone();
    let is_this = |text: &str| text.eq_ignore_ascii_case(&of.slug) || text.parse() == Ok(of.id);
    if !is_this(named) || call.wanted.organisation.as_deref().is_some_and(|text| !is_this(text)) {
        return Err(Fault::OrganisationDenied.into());
    }
    if let Some(workspace) = call.wanted.workspace.clone() {
        let id = of.id;
        let found = call.app.db.read(move |db| membership::find_workspace(db, id, &workspace)).await?;
        let meant = found.ok_or(Fault::OrganisationDenied)?.id;
        if admitted.key().workspace_id.is_some_and(|held| held != meant) {
            return Err(Fault::OrganisationDenied.into());
        }
    }
    Ok((Who::Machine(Box::new((call, admitted))), of))
}

impl Here {
    pub fn call(&self) -> &Call {
        match &self.who {
            Who::Person(member) => &member.call,
            Who::Machine(machine) => &machine.0,
        }
    }

    pub fn app(&self) -> &App {
        &self.call().app
    }

    pub fn origin(&self) -> &Origin {
        &self.call().origin
    }

    pub fn actor(&self) -> Actor {
        match &self.who {
            Who::Person(member) => Actor::Member(member.user()),
            Who::Machine(machine) => {
                let key = machine.1.key();
                Actor::Key { id: key.id, creator: key.created_by }
            }
        }
    }

    /// For what only people do.
    pub fn person(&self) -> Result<&Member, Refused> {
        match &self.who {
            Who::Person(member) => Ok(member),
            Who::Machine(_) => {
                Err(Refused::with_detail(Fault::Forbidden, "This is for people, not for API keys."))
            }
        }
    }

    /// Whose calls are counted as the same caller's.
    pub fn identity(&self) -> String {
        match &self.who {
            Who::Person(member) => member.user().to_string(),
            Who::Machine(machine) => machine.1.key().machine_id.to_string(),
        }
    }

    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    pub fn list(&self, kind: &'static str) -> List<'_> {
        List { master: &self.app().master, kind, of: self.organisation.to_string() }
    }

    /// What a role or a key in one workspace allows is allowed there only.
    pub fn check_may(&self, permission: Permission) -> Result<(), Refused> {
        let may = match &self.who {
            Who::Person(member) => {
                let mut all = member.subject.memberships.iter();
                let here = all.find(|membership| membership.organisation.id == self.organisation);
                here.is_some_and(|found| found.permissions.contains(permission.as_str()))
            }
            Who::Machine(machine) => {
                let (_, admitted) = machine.as_ref();
                admitted.key().workspace_id.is_none() && admitted.scopes().contains(permission.as_str())
            }
        };
        if may { Ok(()) } else { Err(Fault::Forbidden.into()) }
    }

    /// What the path names. Malformed is as unknown.
    pub fn named<Id: std::str::FromStr>(&self, name: &str) -> Result<Id, Refused> {
        self.request.match_info().query(name).parse().map_err(|_| Fault::NotFound.into())
    }
}
