//! What a sign-in to an application would come to, by the management API. It tells of people: it needs a scope for them.

use actix_web::HttpResponse;

use super::clients::find;
use super::manager::Manager;
use crate::grants::rehearsal::{Issued, Step};
use crate::model::Client;
use crate::protocol::OAuthError;
use crate::protocol::authorize::{AuthorizationRequest, AuthorizeFailure};
use crate::protocol::scope::{EMAIL, OPENID, PROFILE};
use crate::web::api::ask::Sent;
use crate::web::api::organizations::ok;
use crate::web::api::refuse::sentence;
use crate::web::api::typed::{asked, told};
use crate::web::fault::{Fault, Refused};
use crate::web::oidc::rehearsal::{Trial, TrialError, Tried, try_out};

asked! {
    /// `POST /clients/{client}/rehearsal`.
    RehearsalAsked {
        /// User name or address; nobody in particular if left out.
        user: Option<String> where { "maxLength": 254 },
        /// Whether they are signed in already, by their password.
        signed_in: Option<bool>,
        /// Separated by spaces; what is usual for the application if left out.
        scope: Option<String> where { "maxLength": 2000 },
        /// The application's first one if left out.
        redirect_uri: Option<String> where { "maxLength": 2000 },
        prompt: Option<String> where { "enum": ["none", "login", "consent", "select_account"] },
        /// Id or short name.
        organization: Option<String> where { "maxLength": 64 },
    }
}

told! {
    Rehearsed {
        /// In order. Empty if the request itself is refused.
        steps: Vec<StepTold>,
        /// Asked for, and not for this application.
        dropped_scopes: Vec<String>,
        refused: Option<RefusedTold>,
        issued: Option<IssuedTold>,
    }
    StepTold {
        /// `login`, `choose_account`, `factor`, `enrol`, `choose_organization`, `consent`, `not_admitted`, `refuse` or
        /// `issue`.
        step: String,
        /// Why they are not let in.
        why: Option<String>,
        /// Which can be chosen, by name.
        organizations: Vec<String>,
        /// Scopes and claims that are asked about.
        missing: Vec<String>,
    }
    RefusedTold {
        error: String,
        error_description: String,
        /// Whether the application hears of it; else the browser stays on a page of ours.
        goes_back: bool,
    }
    IssuedTold {
        redirect_uri: String,
        scope: String,
        /// Of the access token.
        audience: Vec<String>,
        token_scope: String,
        organization: Option<String>,
    }
}

impl From<TrialError> for Refused {
    fn from(error: TrialError) -> Self {
        match error {
            TrialError::NoUsers => Self::with_detail(Fault::Conflict, sentence(&error)),
            TrialError::NoSuchUser => {
                Self::with_detail(Fault::InvalidValue, "`user`: nobody has this user name or address.")
            }
            TrialError::Unwritable(_) => Self::with_detail(Fault::InvalidValue, sentence(&error)),
            TrialError::Store(error) => error.into(),
        }
    }
}

fn usual(client: &Client) -> String {
    match client.scopes.is_empty() {
        true => [OPENID, PROFILE, EMAIL].join(" "),
        false => client.scopes.join(" "),
    }
}

pub async fn rehearse(
    Sent { by: manager, asked, .. }: Sent<Manager, RehearsalAsked>,
) -> Result<HttpResponse, Refused> {
    let client = find(&manager).await?;
    let trial = Trial {
        user: asked.user,
        is_signed_in: asked.signed_in.unwrap_or_default(),
        scope: asked.scope.unwrap_or_else(|| usual(&client)),
        redirect_uri: asked.redirect_uri,
        prompt: asked.prompt,
        organisation: asked.organization,
    };
    Ok(ok(&match try_out(manager.app(), &client, trial).await? {
        Tried::Refused(AuthorizeFailure::Page(error)) => at_once(refused(&error, false)),
        Tried::Refused(AuthorizeFailure::Redirect(_, error)) => at_once(refused(&error, true)),
        Tried::Played { request, steps, dropped } => Rehearsed {
            steps: steps.iter().map(told).collect(),
            dropped_scopes: dropped.iter().map(str::to_owned).collect(),
            refused: steps.iter().find_map(|step| match step {
                Step::Refuse(error) => Some(refused(error, true)),
                _ => None,
            }),
            issued: steps.iter().find_map(|step| match step {
                Step::Issue(of) => Some(issued(&request, of)),
                _ => None,
            }),
        },
    }))
}

fn at_once(refused: RefusedTold) -> Rehearsed {
    Rehearsed { steps: Vec::new(), dropped_scopes: Vec::new(), refused: Some(refused), issued: None }
}

fn refused(error: &OAuthError, goes_back: bool) -> RefusedTold {
    RefusedTold {
        error: error.code.as_str().to_owned(),
        error_description: error.description().to_owned(),
        goes_back,
    }
}

fn issued(request: &AuthorizationRequest, of: &Issued) -> IssuedTold {
    IssuedTold {
        redirect_uri: request.redirect_uri.clone(),
        scope: of.scope.to_string(),
        audience: of.target.audience.clone(),
        token_scope: of.target.scope.to_string(),
        organization: of.organisation.clone(),
    }
}

fn told(step: &Step) -> StepTold {
    let of = |step: &str| StepTold {
        step: step.to_owned(),
        why: None,
        organizations: Vec::new(),
        missing: Vec::new(),
    };
    match step {
        Step::Login => of("login"),
        Step::ChooseAccount => of("choose_account"),
        Step::Factor => of("factor"),
        Step::Enrol => of("enrol"),
        Step::ChooseOrganisation(names) => {
            StepTold { organizations: names.clone(), ..of("choose_organization") }
        }
        Step::Consent(missing) => {
            let missing = missing.scopes.iter().map(str::to_owned).chain(missing.claims.iter().cloned());
            StepTold { missing: missing.collect(), ..of("consent") }
        }
        Step::NotAdmitted(refusal) => StepTold { why: Some(sentence(refusal)), ..of("not_admitted") },
        Step::Refuse(error) => StepTold { why: Some(error.description().to_owned()), ..of("refuse") },
        Step::Issue(_) => of("issue"),
    }
}
