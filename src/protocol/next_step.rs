//! What the browser does next: the one place that decides between login, account chooser, consent and answer.
//!
//! Pages change state and come back here; they never choose the next page. Whether the user may have a credential at
//! all (AR-2) is asked by whoever issues.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::model::{AuthMethod, Client, SessionId, UserId};

use super::acr::{acr_for, satisfies};
use super::authorize::{AuthorizationRequest, Prompt};
use super::{ErrorCode, OAuthError, ScopeSet};

/// A live session of this browser.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionView {
    pub id: SessionId,
    /// Its text is the `sub`.
    pub user: UserId,
    /// What a `login_hint` may call the user: folded e-mail addresses, user name.
    pub names: Vec<String>,
    pub auth_time: Timestamp,
    pub methods: Vec<AuthMethod>,
    /// What this user allowed this client before; `None` if nothing ever was.
    pub remembered: Option<Allowed>,
}

/// Scopes, and claims beyond them: what a user allowed, or is to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    pub scopes: ScopeSet,
    pub claims: BTreeSet<String>,
}

/// How far the browser has come with this request.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// When the browser arrived with the request. A login after that is a login for it.
    pub created_at: Timestamp,
    /// The session that was chosen, or opened, for this request.
    pub chosen_session: Option<SessionId>,
    /// Whether the account of `chosen_session` was asked for consent for this request, and gave it. Whoever chooses
    /// another session takes it back.
    pub consented: bool,
}

/// Where the browser goes.
#[derive(Clone, Debug, PartialEq)]
pub enum NextStep {
    /// The login page, with this name filled in.
    Login { hint: Option<String> },
    /// The account chooser.
    ChooseAccount,
    /// The consent page of this session's user, asking for what is missing.
    Consent { session: SessionId, missing: Allowed },
    /// Back to the client with a code.
    Issue { session: SessionId },
    /// Back to the client with an error.
    Refuse(OAuthError),
}

/// Decides. `sessions` are the live ones of this browser, the current one first.
pub fn next_step(
    request: &AuthorizationRequest,
    client: &Client,
    progress: &Progress,
    sessions: &[SessionView],
    now: Timestamp,
) -> NextStep {
    let asked = Asked { request, client, progress, silent: request.prompts(Prompt::None) };
    match asked.account(sessions).and_then(|session| asked.authenticated(session, now)) {
        Ok(session) => asked.allowed(session),
        Err(step) => step,
    }
}

/// The request with everything that does not depend on the session.
struct Asked<'a> {
    request: &'a AuthorizationRequest,
    client: &'a Client,
    progress: &'a Progress,
    /// `prompt=none`: nothing may be shown.
    silent: bool,
}

impl Asked<'_> {
    /// Whose session it is about.
    fn account<'a>(&self, sessions: &'a [SessionView]) -> Result<&'a SessionView, NextStep> {
        let expected = self.request.hint_subject.as_deref();
        let candidates: Vec<&SessionView> = sessions
            .iter()
            .filter(|session| expected.is_none_or(|sub| session.user.to_string() == sub))
            .collect();
        let chosen = sessions.iter().find(|session| Some(session.id) == self.progress.chosen_session);
        match chosen {
            Some(chosen) if candidates.contains(&chosen) => return Ok(chosen),
            // The user has just signed in, as somebody else than the client expects.
            Some(chosen) if self.is_fresh(chosen) => {
                return Err(refuse(
                    ErrorCode::LoginRequired,
                    "another user signed in than the client expects",
                ));
            }
            _ => {}
        }
        match candidates.as_slice() {
            [] => Err(self.login(self.request.login_hint.clone())),
            _ if self.request.prompts(Prompt::SelectAccount) => Err(NextStep::ChooseAccount),
            [only] => Ok(only),
            // Several sessions of the one user that the client expects: any will do.
            [first, ..] if expected.is_some() => Ok(first),
            several => self.hinted(several).ok_or_else(|| self.choose()),
        }
    }

    /// The only session that answers to the `login_hint`.
    fn hinted<'a>(&self, sessions: &[&'a SessionView]) -> Option<&'a SessionView> {
        let hint = self.request.login_hint.as_deref()?.trim();
        let mut named =
            sessions.iter().filter(|s| s.names.iter().any(|name| name.eq_ignore_ascii_case(hint)));
        named.next().copied().filter(|_| named.next().is_none())
    }

    /// Whether the session's login is recent and strong enough.
    fn authenticated<'a>(
        &self,
        session: &'a SessionView,
        now: Timestamp,
    ) -> Result<&'a SessionView, NextStep> {
        let fresh = self.is_fresh(session);
        let stale = self.request.prompts(Prompt::Login) || self.is_too_old(session, now);
        if stale && !fresh {
            return Err(self.login(self.name_of(session)));
        }
        let demanded = self.request.claims.essential_acr();
        if demanded.is_empty() || satisfies(acr_for(&session.methods), demanded) {
            Ok(session)
        } else if fresh {
            let text = "the login does not reach the demanded acr";
            Err(refuse(ErrorCode::UnmetAuthenticationRequirements, text))
        } else {
            Err(self.login(self.name_of(session)))
        }
    }

    /// Whether the user signed in for this request. A fresh login satisfies any `max_age`: asking again because the
    /// user read the consent page slowly would never end.
    fn is_fresh(&self, session: &SessionView) -> bool {
        session.auth_time >= self.progress.created_at
    }

    fn is_too_old(&self, session: &SessionView, now: Timestamp) -> bool {
        self.request.max_age.is_some_and(|seconds| {
            seconds == 0 || now.since(session.auth_time) > Duration::from_secs(u64::from(seconds))
        })
    }

    /// Whether the user allows it (AZ-10).
    fn allowed(&self, session: &SessionView) -> NextStep {
        let whole = Allowed { scopes: self.request.scope.clone(), claims: self.request.extra_claims() };
        if self.progress.consented && self.progress.chosen_session == Some(session.id) {
            return NextStep::Issue { session: session.id };
        }
        let ask_always = self.request.prompts(Prompt::Consent);
        if self.client.first_party && !ask_always {
            return NextStep::Issue { session: session.id };
        }
        let missing = match &session.remembered {
            Some(remembered) if !ask_always && self.is_recognisable() => {
                let missing = whole.less(remembered);
                if missing.is_empty() {
                    return NextStep::Issue { session: session.id };
                }
                missing
            }
            _ => whole,
        };
        if self.silent {
            return refuse(ErrorCode::ConsentRequired, "the user has to be asked for consent");
        }
        NextStep::Consent { session: session.id, missing }
    }

    /// Whether an impostor could not receive this client's answers: it authenticates, or owns its https address. Any
    /// application can claim a private scheme or a loopback port, so there remembered consent counts for nothing
    /// (RFC 8252 §8.6).
    fn is_recognisable(&self) -> bool {
        self.client.is_confidential() || self.request.redirect_uri.starts_with("https://")
    }

    fn name_of(&self, session: &SessionView) -> Option<String> {
        session.names.first().cloned().or_else(|| self.request.login_hint.clone())
    }

    fn login(&self, hint: Option<String>) -> NextStep {
        if self.silent {
            refuse(ErrorCode::LoginRequired, "the user has to sign in")
        } else {
            NextStep::Login { hint }
        }
    }

    fn choose(&self) -> NextStep {
        if self.silent {
            refuse(ErrorCode::AccountSelectionRequired, "the user has to choose an account")
        } else {
            NextStep::ChooseAccount
        }
    }
}

impl Allowed {
    fn less(&self, other: &Self) -> Self {
        Self {
            scopes: self.scopes.without(&other.scopes),
            claims: self.claims.difference(&other.claims).cloned().collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.claims.is_empty()
    }
}

fn refuse(code: ErrorCode, text: &str) -> NextStep {
    NextStep::Refuse(OAuthError::new(code, text))
}
