//! From a call to its answer: each action is one use case of the product's own, the same that its pages call.
//!
//! Nothing is decided here. What a use case answers becomes what the templates are filled from; what it refuses
//! becomes one of the errors that the dialect has words for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::action::Action;
use super::answer::{Answer, fill_all_headers, fill_headers};
use super::input::Inputs;
use super::model::{Endpoint, RefreshStyle};
use super::mounted::Mounted;
use super::template::Template;
use super::{account, sign_in, subject};
use crate::app::App;
use crate::audit::{Event, Origin};
use crate::config::Limits;
use crate::crypto::constant_time_eq;
use crate::grants::first_party::{Holder, Issued, Product, Refresh, Subject};
use crate::identity::notice::Notices;
use crate::identity::session::{Api, Arrival};
use crate::model::{AuditAction, Language, OrganisationId, Slug, WorkspaceId, language};
use crate::tenancy::membership::Selection;
use crate::web::fault::{Fault, Refused};

/// A call whose inputs were read.
pub struct Call<'c> {
    pub app: &'c App,
    pub mounted: &'c Mounted,
    pub endpoint: &'c Endpoint,
    pub inputs: Inputs,
    pub origin: Origin,
    /// The `Accept-Language` header.
    pub language: Option<String>,
    /// What stands in the header that may lift limits.
    pub system_secret: Option<Vec<u8>>,
}

/// Does what the endpoint is there for.
pub async fn run(call: &Call<'_>) -> Result<Answer, Refused> {
    let at = At { origin: counted(call).await?, call };
    let told = match call.endpoint.action {
        Action::PasswordSignIn => sign_in::by_password(&at).await?,
        Action::RedeemMagicLink => sign_in::by_link(&at).await?,
        Action::IdToken => sign_in::by_id_token(&at).await?,
        Action::AccessToken => sign_in::by_access_token(&at).await?,
        Action::UpstreamExchange => sign_in::by_code(&at).await?,
        Action::Register => sign_in::register(&at).await?,
        Action::Refresh => sign_in::refresh(&at).await?,
        Action::Select => sign_in::select(&at).await?,
        Action::SignOut => sign_in::sign_out(&at).await?,
        Action::Me => account::me(&at).await?,
        Action::UpdateMe => account::update_me(&at).await?,
        Action::Check => account::check(&at).await?,
        Action::ForgotPassword => account::forgot_password(&at).await?,
        Action::ResetPassword => account::reset_password(&at).await?,
        Action::ChangePassword => account::change_password(&at).await?,
        Action::RequestMagicLink => account::request_magic_link(&at).await?,
        Action::UpstreamStart => account::upstream_start(&at)?,
        Action::SignInPage => at.page("/login"),
        Action::MagicLinkPage => account::magic_link_page(&at).await?,
    };
    Ok(answer(call.endpoint, &Value::Object(told)))
}

fn answer(endpoint: &Endpoint, told: &Value) -> Answer {
    let mut headers = match endpoint.action {
        // Each of them, if need be empty, so that a proxy which copies them overwrites what a client sent by the same name.
        Action::Check => fill_all_headers(&endpoint.headers, told),
        _ => fill_headers(&endpoint.headers, told),
    };
    if let (301..=308, Some(location)) = (endpoint.status, told["location"].as_str()) {
        headers.push(("Location".to_owned(), location.to_owned()));
    }
    Answer { status: endpoint.status, headers, body: endpoint.reply.as_ref().map(|reply| reply.fill(told)) }
}

/// What the call is counted against: the dialect's limits, or none for who has the secret that lifts them (LG-4).
async fn counted(call: &Call<'_>) -> Result<Origin, Refused> {
    let mounted = call.mounted;
    let lifted = match (&call.system_secret, &mounted.system_secret) {
        (Some(sent), Some(secret)) => constant_time_eq(sent, secret.expose().as_bytes()),
        _ => false,
    };
    if !lifted {
        return Ok(Origin { limits: Some(Arc::new(mounted.limits.clone())), ..call.origin.clone() });
    }
    let scribe = call.app.scribe(&call.origin);
    let (dialect, path) = (mounted.dialect.name.clone(), call.endpoint.route.text());
    let event = Event::success(AuditAction::LimitsLifted)
        .detail("dialect", dialect.as_str())
        .detail("path", path.as_str());
    call.app.db.write(move |db| scribe.write(db, event.clone())).await?;
    Ok(Origin { limits: Some(Arc::new(Limits::lifted())), ..call.origin.clone() })
}

/// A call, with what it is counted against.
pub struct At<'c> {
    pub call: &'c Call<'c>,
    pub origin: Origin,
}

impl At<'_> {
    pub fn app(&self) -> &App {
        self.call.app
    }

    pub fn inputs(&self) -> &Inputs {
        &self.call.inputs
    }

    pub fn language(&self) -> Language {
        language::negotiate::<&str>(&[], self.call.language.as_deref())
    }

    pub fn notices(&self) -> Notices {
        Notices::of(self.app(), self.language())
    }

    /// The dialect as what tokens are for.
    pub async fn product(&self) -> Result<Product, Refused> {
        let (mounted, app) = (self.call.mounted, self.app());
        let client = app.client(&mounted.client_id).await?;
        let client = client.ok_or_else(|| Refused::internal("the client of the dialect was removed"))?;
        let dialect = &mounted.dialect;
        let idle = dialect.tokens.refresh_ttl;
        let refresh = match (dialect.tokens.refresh, &dialect.tokens.refresh_claims) {
            (RefreshStyle::Rotating, None) => Refresh::Opaque(idle),
            (RefreshStyle::Rotating, Some(templates)) => {
                let templates = templates.clone();
                Refresh::Jwt(idle, Arc::new(move |holder: &Holder| refresh_claims(&templates, holder)))
            }
            _ => Refresh::None,
        };
        Ok(Product {
            client,
            audience: mounted.audience.clone(),
            access_ttl: dialect.tokens.access_ttl,
            refresh,
            needs_organisation: dialect.needs_organisation,
        })
    }

    /// Somebody who comes by this API.
    pub fn arrival(&self) -> Arrival {
        let dialect = &self.call.mounted.dialect;
        // The session begins a moment before its first token, which must not lose that moment at its end.
        let shortest = dialect.tokens.access_ttl + Duration::from_secs(60);
        let session = dialect.tokens.session_ttl.max(shortest);
        let api = Api { session, first_sign_in: dialect.first_sign_in };
        Arrival { present: Vec::new(), device: None, notices: self.notices(), api: Some(api) }
    }

    /// What the call says it is about.
    pub fn selection(&self) -> Result<Selection, Refused> {
        let organisation = self.inputs().text("organisation");
        let workspace = self.inputs().text("workspace");
        let is_good = |text: &str, is_id: bool| is_id || Slug::parse(text).is_ok();
        let good = organisation.is_none_or(|text| is_good(text, text.parse::<OrganisationId>().is_ok()))
            && workspace.is_none_or(|text| is_good(text, text.parse::<WorkspaceId>().is_ok()));
        if !good {
            return Err(Fault::OrganisationMalformed.into());
        }
        Ok(Selection {
            organisation: organisation.map(str::to_owned),
            workspace: workspace.map(str::to_owned),
        })
    }

    /// What templates may tell of the subject.
    pub fn tell(&self, subject: &Subject) -> Map<String, Value> {
        subject::scope(&self.call.mounted.dialect, subject, self.app().config.issuer.as_str())
    }

    /// The claims that this dialect adds to access tokens.
    pub fn claims(&self) -> impl Fn(&Subject) -> Map<String, Value> + Sync + use<'_> {
        |subject| {
            let scope = Value::Object(self.tell(subject));
            subject::claims(&self.call.mounted.dialect.tokens.claims, &scope)
        }
    }

    /// The subject with tokens that were just made.
    pub fn tell_issued(&self, issued: &Issued) -> Map<String, Value> {
        let mut told = self.tell(&issued.subject);
        told.insert("tokens".to_owned(), subject::tokens(issued));
        told
    }

    /// One of our own pages.
    pub fn page(&self, path: &str) -> Map<String, Value> {
        Map::from_iter([("location".to_owned(), Value::String(self.app().config.issuer.at(path)))])
    }
}

fn refresh_claims(templates: &[(String, Template)], holder: &Holder) -> Map<String, Value> {
    let scope = json!({
        "user": { "id": holder.user.to_string() },
        "org": { "id": holder.organisation.map(|organisation| organisation.to_string()) },
        "session": { "id": holder.session.map(|session| session.to_string()) },
    });
    subject::claims(templates, &scope)
}
