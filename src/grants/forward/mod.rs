//! May this request pass to what stands behind a proxy? What `/forward-auth` asks.
//!
//! One credential is looked at: an access token, an API key, or the session of a browser. What it is worth is read from
//! the database at each request, so that whatever ends it ends it here at once. If the proxy asks for it, what stands
//! behind gets a token of its own: short, for it alone, and gone with the credential that it was made for.

mod caller;
mod fresh;

use crate::app::App;
use crate::audit::Origin;
use crate::crypto::Secret;
use crate::model::OrganisationId;
use crate::model::explanation::{Explanation, Rule};
use crate::protocol::demands::Demands;
use crate::protocol::scope::ScopeSet;
use crate::store;
use crate::tenancy::admission;
use crate::tenancy::api_keys::present::{self, KeyRefused};

use super::first_party::Machine;
use super::{Failure, introspection};
use caller::Caller;

/// What the request brings.
#[derive(Clone, Debug)]
pub enum Presented {
    Token(Secret),
    Key(Secret),
    /// What may be sessions of the browser, the current one first.
    Browser(Vec<Secret>),
}

/// Whoever is let through, in the words of the headers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    /// The user's id, or the machine's.
    pub subject: String,
    /// Only one that was proven.
    pub email: Option<String>,
    pub name: Option<String>,
    pub organisation: Option<OrganisationId>,
    /// The highest first.
    pub roles: Vec<String>,
    pub scope: ScopeSet,
    pub client: Option<String>,
}

/// The request may pass.
#[derive(Clone, Debug)]
pub struct Passed {
    pub identity: Identity,
    /// For what stands behind the proxy.
    pub token: Option<Secret>,
}

/// Why it may not.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    #[error("no credential that is good")]
    Missing,
    #[error("the credential is not valid")]
    Invalid,
    #[error("the access token has expired")]
    Expired,
    #[error("the credential is not for this organisation")]
    Organisation,
    #[error("a role is missing")]
    Role,
    #[error("a scope is missing")]
    Scope,
    #[error("a second factor is demanded and was not shown")]
    Factor,
    /// The proxy asks for what cannot be.
    #[error("{0}")]
    Demands(&'static str),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<store::Error> for Denied {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<KeyRefused> for Denied {
    fn from(refused: KeyRefused) -> Self {
        match refused {
            KeyRefused::Invalid => Self::Invalid,
            KeyRefused::Throttled(retry_after) => Self::Failed(Failure::Throttled(retry_after)),
            KeyRefused::Store(error) => error.into(),
        }
    }
}

impl From<admission::Refusal> for Denied {
    fn from(refusal: admission::Refusal) -> Self {
        use admission::Refusal;
        match refusal {
            Refusal::NotAMember | Refusal::OrganisationMissing => Self::Organisation,
            Refusal::FactorMissing => Self::Factor,
            Refusal::ClientDisabled | Refusal::GrantType | Refusal::PublicClient => {
                Self::Demands("client names none that may act for users")
            }
            _ => Self::Invalid,
        }
    }
}

/// Looks at the credential, and at what the proxy demands of it.
pub async fn examine(
    app: &App,
    presented: Presented,
    demands: &Demands,
    origin: &Origin,
) -> Result<Passed, Denied> {
    let token = match &presented {
        Presented::Token(token) => Some(token.clone()),
        Presented::Key(_) | Presented::Browser(_) => None,
    };
    let outcome = look(app, presented, demands, origin).await;
    if let (Err(denied), false) = (&outcome, origin.slip.is_refused()) {
        note(app, denied, token.as_ref(), demands, origin);
    }
    outcome
}

/// Notes why, for those who run the instance. That nothing was presented is how every visit begins.
fn note(app: &App, denied: &Denied, token: Option<&Secret>, demands: &Demands, origin: &Origin) {
    let told = match (denied, token) {
        (Denied::Missing | Denied::Failed(_), _) => return,
        (Denied::Expired | Denied::Invalid, Some(token)) => introspection::doubt(app, token, &origin.slip),
        (Denied::Expired | Denied::Invalid, None) => Rule::SessionOver.into(),
        (Denied::Organisation, _) => Explanation::of(Rule::Membership)
            .with("demanded", demands.organisation.as_deref().unwrap_or("any organisation")),
        (Denied::Role, _) => {
            Explanation::of(Rule::Permission).with("role", demands.role.as_deref().unwrap_or_default())
        }
        (Denied::Scope, _) => Explanation::of(Rule::Scope).with("demanded", &demands.scope),
        (Denied::Factor, _) => Rule::FactorMissing.into(),
        (Denied::Demands(why), _) => Explanation::of(Rule::Parameter).with("reason", why),
    };
    origin.slip.refuse(told);
}

async fn look(app: &App, presented: Presented, demands: &Demands, origin: &Origin) -> Result<Passed, Denied> {
    let caller = match presented {
        Presented::Token(token) => caller::of_token(app, &token, demands).await?,
        Presented::Key(key) => {
            Caller::of_machine(Machine::of_key(present::authenticate(app, &key, origin).await?))
        }
        Presented::Browser(secrets) => caller::of_browser(app, &secrets, demands).await?,
    };
    caller.meets(demands)?;
    caller.is_for(app, demands).await?;
    let token = match (&demands.audience, demands.token) {
        (Some(audience), true) => Some(fresh::token(app, &caller, audience, demands, origin).await?),
        _ => None,
    };
    Ok(Passed { identity: caller.identity, token })
}
