//! A dialect as data: what its file says, checked.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::config::Limit;
use crate::model::FirstSignIn;

use super::action::Action;
use super::route::Route;
use super::template::Template;
use crate::web::fault::Fault;

/// One described API.
#[derive(Clone, Debug)]
pub struct Dialect {
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Where the file would have it; the configuration decides.
    pub mount: Option<Mount>,
    pub body: BodyForm,
    /// Bytes.
    pub body_limit: usize,
    /// Whether who belongs to no organisation may sign in.
    pub needs_organisation: bool,
    pub registration: RegistrationStyle,
    /// What becomes of somebody whom a provider vouches for and who has no account; unset: as the provider's.
    pub first_sign_in: Option<FirstSignIn>,
    /// The header in which the secret that lifts limits may stand, where the configuration has one.
    pub system_secret_header: Option<String>,
    pub tokens: Tokens,
    pub roles: RoleNames,
    /// Limits that differ from the instance's, by their names there.
    pub limits: BTreeMap<String, Limit>,
    pub redirect_urls: Vec<String>,
    /// Where mailed sign-in links lead, with their token; unset: to a page of ours.
    pub magic_link_page: Option<String>,
    pub endpoints: Vec<Endpoint>,
    pub errors: Errors,
}

/// Where an API is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mount {
    /// Below this path of the issuer.
    Path(String),
    /// At the root of this host.
    Host(String),
}

/// What bodies an API takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    Json,
    Form,
    Either,
}

/// What becomes of a request to register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationStyle {
    /// A link is mailed; nobody learns whether the address has an account.
    ByMail,
    /// The account is made and signed in at once; an address that is taken is said to be.
    AtOnce,
}

/// How tokens live.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access_ttl: Duration,
    pub refresh: RefreshStyle,
    /// A refresh token that nobody uses.
    pub refresh_ttl: Duration,
    /// A session, however much it is used.
    pub session_ttl: Duration,
    /// A mailed link; unset: as the instance's.
    pub magic_ttl: Option<Duration>,
    /// Claims beside the standard ones.
    pub claims: Vec<(String, Template)>,
    /// Claims of refresh tokens, where these are JWTs; opaque texts otherwise.
    pub refresh_claims: Option<Vec<(String, Template)>>,
}

/// How a client goes on when its access token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshStyle {
    /// A refresh token that its use replaces.
    Rotating,
    /// A live access token is given a successor, up to the end of the session.
    Bearer,
    /// By signing in again.
    None,
}

/// The instance's roles in the API's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleNames {
    pub words: BTreeMap<String, String>,
    /// For what no word includes, and for a member without a role.
    pub other: Option<String>,
}

impl RoleNames {
    /// The API's words for a member's roles, each with its rank, the highest first and so the words, without
    /// repetition. `ranks` are those of all roles of the organisation: a role that the API has no word for is called like
    /// the highest that it includes (TE7). An API that has no words of its own calls them as the instance does.
    pub fn of<'a>(
        &self,
        roles: impl IntoIterator<Item = (&'a str, i64)>,
        ranks: &BTreeMap<String, i64>,
    ) -> Vec<String> {
        let has_words = !self.words.is_empty() || self.other.is_some();
        let mut words: Vec<String> = Vec::new();
        for (role, rank) in roles {
            let word = match has_words {
                true => self.word(role, rank, ranks),
                false => Some(role),
            };
            if let Some(word) = word
                && !words.iter().any(|known| known == word)
            {
                words.push(word.to_owned());
            }
        }
        if words.is_empty() {
            words.extend(self.other.clone());
        }
        words
    }

    fn word(&self, role: &str, rank: i64, ranks: &BTreeMap<String, i64>) -> Option<&str> {
        let included = || {
            let ranked = self.words.iter().filter_map(|(key, word)| Some((*ranks.get(key)?, word)));
            ranked.filter(|(known, _)| *known <= rank).max_by_key(|(known, _)| *known).map(|(_, word)| word)
        };
        self.words.get(role).or_else(included).or(self.other.as_ref()).map(String::as_str)
    }

    /// The instance's role for a word of the API's, or the word itself. `None` for the word that every role has.
    pub fn key_of<'a>(&'a self, word: &'a str) -> Option<&'a str> {
        match self.words.iter().find(|(_, known)| *known == word) {
            Some((key, _)) => Some(key),
            None => (self.other.as_deref() != Some(word)).then_some(word),
        }
    }
}

/// One method and path, and what they do.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub method: Method,
    pub route: Route,
    pub action: Action,
    pub inputs: BTreeMap<&'static str, Input>,
    pub status: u16,
    pub headers: Vec<(String, Template)>,
    /// `None`: an answer without a body.
    pub reply: Option<Template>,
}

impl Endpoint {
    /// The names that its answer uses.
    pub fn uses(&self, name: &str) -> bool {
        let of_headers = self.headers.iter().map(|(_, template)| template);
        of_headers
            .chain(&self.reply)
            .any(|template| template.names().iter().any(|used| used.dotted() == name))
    }

    /// Whether anything is read from the body.
    pub fn reads_body(&self) -> bool {
        self.inputs.values().any(|input| input.sources().any(|source| source[0] == "body"))
    }
}

/// The methods that an endpoint may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }
}

/// Where the value of an input stands in a request.
#[derive(Clone, Debug)]
pub struct Input {
    pub from: Template,
    /// The answer where it is not there, though the action needs it.
    pub missing: Fault,
    /// Whether the call is refused without it, though the action does not need it.
    pub required: bool,
}

impl Input {
    /// The names that it is read from, in parts.
    pub fn sources(&self) -> impl Iterator<Item = Vec<String>> {
        self.from.names().into_iter().map(|name| name.parts.clone())
    }
}

/// The words of errors.
#[derive(Clone, Debug)]
pub struct Errors {
    pub body: Template,
    pub headers: Vec<(String, Template)>,
    pub words: BTreeMap<Fault, Wording>,
}

/// What one error says differently.
#[derive(Clone, Debug, Default)]
pub struct Wording {
    pub status: Option<u16>,
    /// Text or a number.
    pub code: Option<Value>,
    pub message: Option<Template>,
    pub body: Option<Template>,
    pub headers: Vec<(String, Template)>,
    /// Answered exactly as this other error.
    pub like: Option<Fault>,
}
