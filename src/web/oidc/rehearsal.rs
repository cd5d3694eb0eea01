//! A sign-in that is tried out before anybody signs in, for the console and the management API: the request that a good
//! application would send, judged and played through. Nothing is stored.

use super::validate;
use crate::app::App;
use crate::grants::rehearsal::{self, Scene, Step};
use crate::model::{Client, GrantType};
use crate::protocol::authorize::{AuthorizationRequest, AuthorizeFailure, Channel};
use crate::protocol::{Params, ScopeSet};
use crate::store::{self, users};

/// Of RFC 7636, appendix B: nobody redeems the code.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What is tried. Empty is unset.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// User name or address; nobody in particular if unset.
    pub user: Option<String>,
    /// Whether they are signed in already, by their password.
    pub is_signed_in: bool,
    pub scope: String,
    /// The client's first one if unset.
    pub redirect_uri: Option<String>,
    pub prompt: Option<String>,
    pub organisation: Option<String>,
}

/// What came of it.
#[derive(Debug)]
pub enum Tried {
    /// The request itself is refused.
    Refused(AuthorizeFailure),
    /// What happens, in order.
    Played {
        request: Box<AuthorizationRequest>,
        steps: Vec<Step>,
        /// Scopes that were asked for and that the client does not get.
        dropped: ScopeSet,
    },
}

/// Why nothing was tried.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error("nobody signs in to this client: it has no grant `authorization_code`")]
    NoUsers,
    #[error("nobody has this user name or address")]
    NoSuchUser,
    #[error("the request cannot be written: {0}")]
    Unwritable(String),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Tries a sign-in to this client by the real rules.
///
/// # Errors
/// If nobody can sign in to it, or the person is not there.
pub async fn try_out(app: &App, client: &Client, trial: Trial) -> Result<Tried, TrialError> {
    if !client.may_use(GrantType::AuthorizationCode) {
        return Err(TrialError::NoUsers);
    }
    let user = match trial.user.clone().filter(|login| !login.trim().is_empty()) {
        None => None,
        Some(login) => {
            let found = app.db.read(move |db| users::find_by_login(db, login.trim())).await?;
            Some(found.ok_or(TrialError::NoSuchUser)?)
        }
    };
    let asked = written(client, &trial)?;
    // A client that must push its requests would do so.
    let channel = if client.require_par { Channel::Pushed } else { Channel::Browser };
    let request = match validate(app, &asked, Some(client), channel).await? {
        Ok(request) => request,
        Err(failure) => return Ok(Tried::Refused(failure)),
    };
    let scene = Scene { user, is_signed_in: trial.is_signed_in };
    let steps = rehearsal::rehearse(app, client, &request, scene).await?;
    let wanted = ScopeSet::parse(trial.scope.trim()).unwrap_or_default();
    Ok(Tried::Played { dropped: wanted.without(&request.scope), request: Box::new(request), steps })
}

/// The request as a good application would send it.
fn written(client: &Client, trial: &Trial) -> Result<Params, TrialError> {
    let first = client.redirect_uris.first().map_or("", String::as_str);
    let mut sent = url::form_urlencoded::Serializer::new(String::new());
    sent.append_pair("client_id", &client.client_id)
        .append_pair("response_type", "code")
        .append_pair("redirect_uri", trial.redirect_uri.as_deref().unwrap_or(first))
        .append_pair("state", "rehearsal")
        .append_pair("nonce", "rehearsal")
        .append_pair("code_challenge", CHALLENGE)
        .append_pair("code_challenge_method", "S256");
    let words = [
        ("scope", Some(trial.scope.as_str())),
        ("prompt", trial.prompt.as_deref()),
        ("organization", trial.organisation.as_deref()),
    ];
    for (name, value) in words {
        if let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) {
            sent.append_pair(name, value);
        }
    }
    Params::parse(sent.finish().as_bytes()).map_err(|error| TrialError::Unwritable(error.to_string()))
}
