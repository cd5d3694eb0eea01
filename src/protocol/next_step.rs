//! What the browser does next: the one place that decides between login, account chooser, consent and answer.
//!
//! Pages change state and come back here; they never choose the next page. Whether the user may have a
//! credential at all (AR-2) is asked by whoever issues.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::model::explanation::{Explanation, Rule};
use crate::model::{AuthMethod, Client, OrganisationId, SessionId, Slug, UserId};

use super::acr::{Acr, acr_for, satisfies};
use super::authorize::{AuthorizationRequest, Prompt};
use super::factors::RECENT;
use super::{ErrorCode, OAuthError, ScopeSet, scope};

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
    /// Whether the user has a second factor.
    pub has_factor: bool,
    /// The least that must have been shown for this client: see [`super::factors`].
    pub required: Acr,
    /// What the user belongs to, in order of joining: active members of active organisations only.
    pub organisations: Vec<OrganisationView>,
    /// What this user allowed this client before; `None` if nothing ever was.
    pub remembered: Option<Allowed>,
}

/// An organisation that a user may act for.
#[derive(Clone, Debug, PartialEq)]
pub struct OrganisationView {
    pub id: OrganisationId,
    pub slug: String,
    /// The least that must have been shown to act for it with this client: see [`super::factors`].
    pub required: Acr,
}

impl OrganisationView {
    fn is_called(&self, name: &str) -> bool {
        self.id.to_string() == name || Slug::parse(name).is_ok_and(|slug| slug.as_str() == self.slug)
    }
}

/// Scopes, claims beyond them, and for which organisation: what a user allowed, or is to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    pub scopes: ScopeSet,
    pub claims: BTreeSet<String>,
    pub organisations: BTreeSet<OrganisationId>,
}

/// How far the browser has come with this request.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// When the browser arrived with the request. A login after that is a login for it.
    pub created_at: Timestamp,
    /// The session that was chosen, or opened, for this request.
    pub chosen_session: Option<SessionId>,
    /// Whether the account of `chosen_session` was asked for consent for this request, and gave it. Whoever
    /// chooses another session or organisation takes it back.
    pub consented: bool,
    /// The organisation that `chosen_session` chose for this request.
    pub organisation: Option<OrganisationId>,
}

/// Where the browser goes.
#[derive(Clone, Debug, PartialEq)]
pub enum NextStep {
    /// The login page, with this name filled in.
    Login { hint: Option<String> },
    /// The page that asks this session's user for a second factor.
    Factor { session: SessionId },
    /// The pages on which this session's user, who must have a second factor, gets one.
    Enrol { session: SessionId },
    /// The account chooser.
    ChooseAccount,
    /// The page on which this session's user says for which organisation.
    ChooseOrganisation { session: SessionId },
    /// The consent page of this session's user, asking for what is missing.
    Consent { session: SessionId, organisation: Option<OrganisationId>, missing: Allowed },
    /// Back to the client with a code.
    Issue { session: SessionId, organisation: Option<OrganisationId> },
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
    asked.decide(sessions, now).unwrap_or_else(|step| step)
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
    fn decide(&self, sessions: &[SessionView], now: Timestamp) -> Result<NextStep, NextStep> {
        let session = self.account(sessions)?;
        self.recent_enough(session, now)?;
        let organisation = self.organisation(session)?;
        let required = organisation.map_or(session.required, |organisation| organisation.required);
        self.strong_enough(session, required, now)?;
        Ok(self.allowed(session, organisation.map(|organisation| organisation.id)))
    }

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
                let text = "another user signed in than the client expects";
                let told = Explanation::of(Rule::AnotherUser)
                    .with("expected", expected.unwrap_or_default())
                    .with("signed in", chosen.user);
                return Err(refuse(ErrorCode::LoginRequired, text, told));
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

    /// Whether the session's login is recent enough.
    fn recent_enough(&self, session: &SessionView, now: Timestamp) -> Result<(), NextStep> {
        let fresh = self.is_fresh(session);
        let stale = self.request.prompts(Prompt::Login) || self.is_too_old(session, now);
        if stale && !fresh {
            return Err(self.login(self.name_of(session)));
        }
        Ok(())
    }

    /// For which organisation the user acts, if for any. Several are asked about only where the client says that it
    /// cares: others would be told nothing that they look at.
    fn organisation<'a>(&self, session: &'a SessionView) -> Result<Option<&'a OrganisationView>, NextStep> {
        let all = &session.organisations;
        if let Some(name) = self.request.organization.as_deref() {
            let text = "the user is not a member of the organization that was asked for";
            let named = all.iter().find(|organisation| organisation.is_called(name));
            let told = || {
                let held: Vec<&str> = all.iter().map(|organisation| organisation.slug.as_str()).collect();
                let told = Explanation::of(Rule::Membership).with("user", session.user);
                told.with("asked for", name).with("member of", held.join(" "))
            };
            return named.map(Some).ok_or_else(|| refuse(ErrorCode::AccessDenied, text, told()));
        }
        let chosen = self.progress.organisation.filter(|_| self.progress.chosen_session == Some(session.id));
        let chosen = chosen.and_then(|id| all.iter().find(|organisation| organisation.id == id));
        let required = self.client.require_organization;
        match all.as_slice() {
            _ if chosen.is_some() => Ok(chosen),
            [only] => Ok(Some(only)),
            [] if required => {
                let told =
                    Explanation::of(Rule::Membership).with("user", session.user).with("member of", "none");
                Err(refuse(ErrorCode::AccessDenied, "the user is not a member of any organization", told))
            }
            [] => Ok(None),
            _ if !required && !self.request.scope.contains(scope::ORGANIZATIONS) => Ok(None),
            _ if self.silent => {
                Err(silent(ErrorCode::InteractionRequired, "the user has to choose an organization"))
            }
            _ => Err(NextStep::ChooseOrganisation { session: session.id }),
        }
    }

    /// Whether enough was shown: for the policies, for an essential `acr`, and if it costs the user no more than a
    /// second factor that is there, for what the client wishes (OpenID Connect Core §5.5.1.1, AZ-11).
    fn strong_enough(&self, session: &SessionView, required: Acr, now: Timestamp) -> Result<(), NextStep> {
        let proven = acr_for(&session.methods);
        let essential = self.request.claims.essential_acr();
        let reaches = |acr| essential.is_empty() || satisfies(acr, essential.iter().copied());
        let unmet = || {
            let text = "the login does not reach the demanded acr";
            let told = Explanation::of(Rule::Acr)
                .with("demanded", essential.join(" "))
                .with("reached", proven.as_str())
                .with("user", session.user);
            Err(refuse(ErrorCode::UnmetAuthenticationRequirements, text, told))
        };
        if !reaches(Acr::TwoFactors) {
            return unmet();
        }
        let must = proven < required || !reaches(proven);
        let wished = self.request.asked_acr().find_map(Acr::parse).is_some_and(|wish| proven < wish);
        let ask = must || (wished && session.has_factor && !self.silent);
        if !ask {
            Ok(())
        } else if session.has_factor {
            Err(self.factor(NextStep::Factor { session: session.id }))
        } else if proven < required && now.since(session.auth_time) > RECENT {
            // Adding a factor takes a recent login (SE-7).
            Err(self.login(self.name_of(session)))
        } else if proven < required {
            Err(self.factor(NextStep::Enrol { session: session.id }))
        } else {
            unmet()
        }
    }

    fn factor(&self, step: NextStep) -> NextStep {
        if self.silent {
            silent(ErrorCode::InteractionRequired, "the user has to show a second factor")
        } else {
            step
        }
    }

    /// Whether the user signed in for this request. A fresh login satisfies any `max_age`: asking again
    /// because the user read the consent page slowly would never end.
    fn is_fresh(&self, session: &SessionView) -> bool {
        session.auth_time >= self.progress.created_at
    }

    fn is_too_old(&self, session: &SessionView, now: Timestamp) -> bool {
        self.request.max_age.is_some_and(|seconds| {
            seconds == 0 || now.since(session.auth_time) > Duration::from_secs(u64::from(seconds))
        })
    }

    /// Whether the user allows it (AZ-10).
    fn allowed(&self, session: &SessionView, organisation: Option<OrganisationId>) -> NextStep {
        let whole = Allowed {
            scopes: self.request.scope.clone(),
            claims: self.request.extra_claims(),
            organisations: organisation.into_iter().collect(),
        };
        let issue = NextStep::Issue { session: session.id, organisation };
        if self.progress.consented && self.progress.chosen_session == Some(session.id) {
            return issue;
        }
        let ask_always = self.request.prompts(Prompt::Consent);
        if self.client.first_party && !ask_always {
            return issue;
        }
        let missing = match &session.remembered {
            Some(remembered) if !ask_always && self.is_recognisable() => {
                let missing = whole.less(remembered);
                if missing.is_empty() {
                    return issue;
                }
                missing
            }
            _ => whole,
        };
        if self.silent {
            return silent(ErrorCode::ConsentRequired, "the user has to be asked for consent");
        }
        NextStep::Consent { session: session.id, organisation, missing }
    }

    /// Whether an impostor could not receive this client's answers: it authenticates, or owns its https
    /// address. Any application can claim a private scheme or a loopback port, so there remembered consent
    /// counts for nothing (RFC 8252 §8.6).
    fn is_recognisable(&self) -> bool {
        self.client.is_confidential() || self.request.redirect_uri.starts_with("https://")
    }

    fn name_of(&self, session: &SessionView) -> Option<String> {
        session.names.first().cloned().or_else(|| self.request.login_hint.clone())
    }

    fn login(&self, hint: Option<String>) -> NextStep {
        if self.silent {
            silent(ErrorCode::LoginRequired, "the user has to sign in")
        } else {
            NextStep::Login { hint }
        }
    }

    fn choose(&self) -> NextStep {
        if self.silent {
            silent(ErrorCode::AccountSelectionRequired, "the user has to choose an account")
        } else if self.request.prompts(Prompt::Login) {
            // None of them will do without a password anyway.
            self.login(self.request.login_hint.clone())
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
            organisations: self.organisations.difference(&other.organisations).copied().collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.claims.is_empty() && self.organisations.is_empty()
    }
}

fn refuse(code: ErrorCode, text: &str, told: Explanation) -> NextStep {
    NextStep::Refuse(OAuthError::new(code, text).because(told))
}

/// With `prompt=none` nothing may be shown.
fn silent(code: ErrorCode, text: &str) -> NextStep {
    refuse(code, text, Explanation::of(Rule::InteractionNeeded).with("error", code).with("needed", text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ClientAuthMethod;
    use crate::protocol::acr::Acr;
    use crate::protocol::claims::ClaimsRequest;
    use crate::protocol::fixtures::{CALLBACK, client};
    use crate::protocol::response::ResponseMode;

    const ARRIVED: i64 = 10_000;
    const NOW: i64 = 10_030;

    /// One case: an ordinary request of a confidential client, and a browser without sessions.
    struct Case {
        request: AuthorizationRequest,
        client: Client,
        progress: Progress,
        sessions: Vec<SessionView>,
    }

    fn user(n: u8) -> UserId {
        UserId::from_bytes(&[n; 16]).unwrap()
    }

    fn session(n: u8) -> SessionId {
        SessionId::from_bytes(&[n; 16]).unwrap()
    }

    fn allowed(scopes: &str) -> Allowed {
        Allowed { scopes: ScopeSet::parse(scopes).unwrap(), ..Allowed::default() }
    }

    /// User `n`, who signed in before the request and consented to `openid email` at some time.
    fn signed_in(n: u8) -> SessionView {
        SessionView {
            id: session(n),
            user: user(n),
            names: vec![format!("user{n}@example.com"), format!("user{n}")],
            auth_time: Timestamp::from_seconds(ARRIVED - 1000),
            methods: vec![AuthMethod::Password],
            has_factor: false,
            required: Acr::OneFactor,
            organisations: vec![],
            remembered: Some(allowed("openid email")),
        }
    }

    fn case() -> Case {
        Case {
            request: AuthorizationRequest {
                client_id: "calendar".into(),
                redirect_uri: CALLBACK.into(),
                response_mode: ResponseMode::Query,
                state: None,
                scope: ScopeSet::parse("openid email").unwrap(),
                nonce: None,
                code_challenge: None,
                prompt: BTreeSet::new(),
                max_age: None,
                login_hint: None,
                hint_subject: None,
                acr_values: vec![],
                ui_locales: vec![],
                claims: ClaimsRequest::default(),
                resources: vec![],
                organization: None,
            },
            client: client(),
            progress: Progress {
                created_at: Timestamp::from_seconds(ARRIVED),
                chosen_session: None,
                consented: false,
                organisation: None,
            },
            sessions: vec![],
        }
    }

    impl Case {
        fn prompt(mut self, prompts: &[Prompt]) -> Self {
            self.request.prompt = prompts.iter().copied().collect();
            self
        }

        fn max_age(mut self, seconds: u32) -> Self {
            self.request.max_age = Some(seconds);
            self
        }

        fn scope(mut self, scope: &str) -> Self {
            self.request.scope = ScopeSet::parse(scope).unwrap();
            self
        }

        fn claims(mut self, json: &str) -> Self {
            self.request.claims = ClaimsRequest::parse(json).unwrap();
            self
        }

        fn login_hint(mut self, hint: &str) -> Self {
            self.request.login_hint = Some(hint.into());
            self
        }

        fn expects(mut self, n: u8) -> Self {
            self.request.hint_subject = Some(user(n).to_string());
            self
        }

        fn essential_acr(self, acr: &str) -> Self {
            self.claims(&format!(r#"{{"id_token":{{"acr":{{"essential":true,"value":"{acr}"}}}}}}"#))
        }

        fn first_party(mut self) -> Self {
            self.client.first_party = true;
            self
        }

        fn public(mut self, redirect_uri: &str) -> Self {
            self.client.auth_method = ClientAuthMethod::None;
            self.request.redirect_uri = redirect_uri.into();
            self
        }

        fn session(mut self, n: u8) -> Self {
            self.sessions.push(signed_in(n));
            self
        }

        /// The last session is from a login after the request arrived.
        fn fresh(self) -> Self {
            self.signed_in_at(ARRIVED + 5)
        }

        fn signed_in_at(self, seconds: i64) -> Self {
            self.last(|session| session.auth_time = Timestamp::from_seconds(seconds))
        }

        fn last(mut self, change: impl FnOnce(&mut SessionView)) -> Self {
            change(self.sessions.last_mut().unwrap());
            self
        }

        fn never_consented(self) -> Self {
            self.last(|session| session.remembered = None)
        }

        fn chosen(mut self, n: u8) -> Self {
            self.progress.chosen_session = Some(session(n));
            self
        }

        fn organization(mut self, name: &str) -> Self {
            self.request.organization = Some(name.into());
            self
        }

        fn chose_organisation(mut self, n: u8) -> Self {
            self.progress.organisation = Some(organisation(n).id);
            self
        }

        fn members_only(mut self) -> Self {
            self.client.require_organization = true;
            self
        }

        fn consented(mut self) -> Self {
            self.progress.consented = true;
            self
        }

        fn step(&self) -> String {
            let now = Timestamp::from_seconds(NOW);
            match next_step(&self.request, &self.client, &self.progress, &self.sessions, now) {
                NextStep::Login { hint } => format!("login {}", hint.unwrap_or_default()),
                NextStep::Factor { session } => format!("factor {}", session.as_bytes()[0]),
                NextStep::Enrol { session } => format!("enrol {}", session.as_bytes()[0]),
                NextStep::ChooseAccount => "choose".into(),
                NextStep::ChooseOrganisation { session } => {
                    format!("choose organisation {}", session.as_bytes()[0])
                }
                NextStep::Consent { session, organisation, missing } => {
                    let mut claims: Vec<_> = missing.claims.into_iter().collect();
                    claims.extend(missing.organisations.iter().map(|id| format!("org {}", id.as_bytes()[0])));
                    let (text, about) = (claims.join(" "), of(organisation));
                    format!("consent {}{about}: {} {text}", session.as_bytes()[0], missing.scopes)
                }
                NextStep::Issue { session, organisation } => {
                    format!("issue {}{}", session.as_bytes()[0], of(organisation))
                }
                NextStep::Refuse(error) => error.code.to_string(),
            }
        }
    }

    fn of(organisation: Option<OrganisationId>) -> String {
        organisation.map(|id| format!(" for {}", id.as_bytes()[0])).unwrap_or_default()
    }

    fn organisation(n: u8) -> OrganisationView {
        let id = OrganisationId::from_bytes(&[n; 16]).unwrap();
        OrganisationView { id, slug: format!("org{n}"), required: Acr::OneFactor }
    }

    /// In one organisation that the client may know of already.
    fn in_one(session: &mut SessionView) {
        session.organisations = vec![organisation(1)];
        let remembered = session.remembered.get_or_insert_default();
        remembered.organisations = [organisation(1).id, organisation(2).id].into();
    }

    fn in_two(session: &mut SessionView) {
        in_one(session);
        session.organisations.push(organisation(2));
    }

    fn in_strict_one(session: &mut SessionView) {
        in_one(session);
        session.organisations[0].required = Acr::TwoFactors;
    }

    fn has_factor(session: &mut SessionView) {
        session.has_factor = true;
    }

    fn strong(session: &mut SessionView) {
        session.methods.push(AuthMethod::OneTimePassword);
    }

    fn check(cases: Vec<(&str, Case, &str)>) {
        for (what, case, expected) in cases {
            assert_eq!(case.step().trim_end(), expected, "{what}");
        }
    }

    use Prompt::{Consent, Login, None as Silent, SelectAccount};

    #[test]
    fn for_which_organisation() {
        let one = || case().session(1).last(in_one);
        let two = || case().session(1).last(in_two).scope("openid organizations").first_party();
        check(vec![
            ("the only one is meant", one(), "issue 1 for 1"),
            ("nobody asks about several who does not care", case().session(1).last(in_two), "issue 1"),
            ("the client cares by scope", two(), "choose organisation 1"),
            ("or by its terms", case().session(1).last(in_two).members_only(), "choose organisation 1"),
            ("what was chosen", two().chosen(1).chose_organisation(2), "issue 1 for 2"),
            (
                "what another account chose",
                two().session(2).chosen(2).chose_organisation(2).last(in_two),
                "issue 2 for 2",
            ),
            (
                "left or suspended since it was chosen",
                two().chosen(1).chose_organisation(3),
                "choose organisation 1",
            ),
            ("named by short name", two().organization(" ORG2 "), "issue 1 for 2"),
            ("named by id", two().organization(&organisation(2).id.to_string()), "issue 1 for 2"),
            (
                "a name beats a choice",
                two().organization("org2").chosen(1).chose_organisation(1),
                "issue 1 for 2",
            ),
            ("a stranger's", two().organization("org3"), "access_denied"),
            ("malformed", two().organization("../org1"), "access_denied"),
            ("nobody's", case().session(1).organization("org1"), "access_denied"),
            ("for members only", case().session(1).members_only(), "access_denied"),
            ("whoever is not signed in signs in first", case().organization("org3"), "login"),
            ("silent with several", two().prompt(&[Silent]), "interaction_required"),
            ("silent with a name", two().prompt(&[Silent]).organization("org1"), "issue 1 for 1"),
        ]);
    }

    #[test]
    fn mf_5_an_organisation_demands_a_second_factor() {
        let strict = || case().session(1).fresh().last(in_strict_one);
        check(vec![
            ("of members without one", strict(), "enrol 1"),
            ("of members with one", strict().last(has_factor), "factor 1"),
            ("of members who showed it", strict().last(strong), "issue 1 for 1"),
            ("silently", strict().prompt(&[Silent]), "interaction_required"),
        ]);
    }

    #[test]
    fn az_10_consent_is_for_an_organisation() {
        let elsewhere = |session: &mut SessionView| {
            in_one(session);
            session.organisations = vec![organisation(3)];
        };
        check(vec![
            ("never told of this one", case().session(1).last(elsewhere), "consent 1 for 3:  org 3"),
            ("told just now", case().session(1).last(elsewhere).chosen(1).consented(), "issue 1 for 3"),
            ("silently", case().session(1).last(elsewhere).prompt(&[Silent]), "consent_required"),
        ]);
    }

    #[test]
    fn whose_session_it_is() {
        check(vec![
            ("nobody is signed in", case(), "login"),
            ("a hint fills the name in", case().login_hint("ada"), "login ada"),
            ("one session", case().session(1), "issue 1"),
            (
                "a single session is used even if the hint is another's",
                case().session(1).login_hint("x"),
                "issue 1",
            ),
            ("several", case().session(1).session(2), "choose"),
            ("several, one named", case().session(1).session(2).login_hint("user2"), "issue 2"),
            (
                "the case of a name does not matter",
                case().session(1).session(2).login_hint("User2@Example.com"),
                "issue 2",
            ),
            ("several, none named", case().session(1).session(2).login_hint("user3"), "choose"),
            ("a name of two", case().session(1).session(1).login_hint("user1"), "choose"),
            ("several, one chosen", case().session(1).session(2).chosen(2), "issue 2"),
            (
                "the choice wins over the hint",
                case().session(1).session(2).chosen(2).login_hint("user1"),
                "issue 2",
            ),
            ("the chosen one has ended", case().session(1).session(2).chosen(9), "choose"),
            ("select_account asks", case().session(1).prompt(&[SelectAccount]), "choose"),
            (
                "also with a hint",
                case().session(1).session(2).login_hint("user2").prompt(&[SelectAccount]),
                "choose",
            ),
            ("nothing to select from", case().prompt(&[SelectAccount]), "login"),
            ("selected", case().session(1).chosen(1).prompt(&[SelectAccount]), "issue 1"),
            (
                "selected, then signed in",
                case().session(1).chosen(1).prompt(&[SelectAccount, Login]),
                "login user1@example.com",
            ),
        ]);
    }

    #[test]
    fn the_user_that_the_client_expects() {
        check(vec![
            ("is there", case().session(1).expects(1), "issue 1"),
            ("is one of several", case().session(1).session(2).expects(2), "issue 2"),
            ("has two sessions", case().session(2).session(2).expects(2), "issue 2"),
            ("is not there", case().session(1).expects(2), "login"),
            (
                "is not there and cannot be asked",
                case().session(1).expects(2).prompt(&[Silent]),
                "login_required",
            ),
            ("another was chosen", case().session(1).session(2).chosen(1).expects(2), "issue 2"),
            ("another signed in", case().session(1).fresh().chosen(1).expects(2), "login_required"),
            (
                "no user of ours",
                {
                    let mut c = case().session(1);
                    c.request.hint_subject = Some("x".into());
                    c
                },
                "login",
            ),
        ]);
    }

    #[test]
    fn az_11_reauthentication_is_real() {
        check(vec![
            ("prompt=login", case().session(1).prompt(&[Login]), "login user1@example.com"),
            (
                "a login before the request does not count",
                case().session(1).signed_in_at(ARRIVED - 1).prompt(&[Login]),
                "login user1@example.com",
            ),
            ("signed in for the request", case().session(1).fresh().prompt(&[Login]), "issue 1"),
            (
                "several and prompt=login",
                case().session(1).session(2).login_hint("x").prompt(&[Login]),
                "login x",
            ),
            (
                "several, signed in again",
                case().session(1).session(2).fresh().chosen(2).prompt(&[Login]),
                "issue 2",
            ),
            (
                "another account is fresh, the chosen is not",
                case().session(1).session(2).fresh().chosen(1).prompt(&[Login]),
                "login user1@example.com",
            ),
            ("max_age holds", case().session(1).max_age(1030), "issue 1"),
            ("max_age is over", case().session(1).max_age(1029), "login user1@example.com"),
            ("max_age=0", case().session(1).signed_in_at(ARRIVED - 1).max_age(0), "login user1@example.com"),
            ("max_age=0, signed in", case().session(1).fresh().max_age(0), "issue 1"),
            ("a slow reader of the consent page", case().session(1).fresh().max_age(1), "issue 1"),
            ("a clock set back", case().session(1).signed_in_at(NOW + 100).max_age(1), "issue 1"),
        ]);
    }

    #[test]
    fn az_11_an_essential_acr_is_met_or_an_error() {
        let two = Acr::TwoFactors.as_str();
        check(vec![
            ("no factor", case().session(1).essential_acr(two), "unmet_authentication_requirements"),
            (
                "no factor, signed in for the request",
                case().session(1).fresh().essential_acr(two),
                "unmet_authentication_requirements",
            ),
            ("a factor not shown yet", case().session(1).last(has_factor).essential_acr(two), "factor 1"),
            (
                "too long ago comes first",
                case().session(1).last(has_factor).essential_acr(two).max_age(1),
                "login user1@example.com",
            ),
            ("nobody", case().essential_acr(two), "login"),
            ("strong", case().session(1).last(strong).essential_acr(two), "issue 1"),
            (
                "stronger than asked",
                case().session(1).last(strong).essential_acr(Acr::OneFactor.as_str()),
                "issue 1",
            ),
            (
                "unknown, whatever is shown",
                case().session(1).last(has_factor).essential_acr("gold"),
                "unmet_authentication_requirements",
            ),
            (
                "silently",
                case().session(1).last(has_factor).essential_acr(two).prompt(&[Silent]),
                "interaction_required",
            ),
            (
                "any value will do",
                case().session(1).claims(r#"{"id_token":{"acr":{"essential":true}}}"#),
                "issue 1",
            ),
            ("a wish", case().session(1).claims(r#"{"id_token":{"acr":{"value":"gold"}}}"#), "issue 1"),
        ]);
    }

    #[test]
    fn az_11_a_wish_for_two_factors_asks_for_one_that_is_there() {
        let wish = |values: &[Acr]| {
            let mut case = case().session(1);
            case.request.acr_values = values.iter().map(ToString::to_string).collect();
            case
        };
        let (one, two) = (Acr::OneFactor, Acr::TwoFactors);
        check(vec![
            ("there", wish(&[two]).last(has_factor), "factor 1"),
            ("shown", wish(&[two]).last(has_factor).last(strong), "issue 1"),
            ("not there", wish(&[two]), "issue 1"),
            ("wanted most", wish(&[two, one]).last(has_factor), "factor 1"),
            ("wanted less", wish(&[one, two]).last(has_factor), "issue 1"),
            ("silently", wish(&[two]).last(has_factor).prompt(&[Silent]), "issue 1"),
        ]);
    }

    #[test]
    fn mf_5_what_the_policies_demand_comes_before_anything_is_issued() {
        let demanded = |session: &mut SessionView| session.required = Acr::TwoFactors;
        let case = || case().session(1).signed_in_at(ARRIVED - 60).last(demanded);
        check(vec![
            ("not shown", case().last(has_factor), "factor 1"),
            ("shown", case().last(has_factor).last(strong), "issue 1"),
            ("none to show", case(), "enrol 1"),
            (
                "none to show, and demanded by the client too",
                case().essential_acr(Acr::TwoFactors.as_str()),
                "enrol 1",
            ),
            ("first party", case().first_party(), "enrol 1"),
            ("signed in for the request", case().fresh(), "enrol 1"),
            ("silently", case().prompt(&[Silent]), "interaction_required"),
            (
                "none to show, and signed in long ago",
                case().signed_in_at(NOW - 301),
                "login user1@example.com",
            ),
        ]);
    }

    #[test]
    fn prompt_none_never_shows_a_page() {
        let none = |case: Case| case.prompt(&[Silent]);
        check(vec![
            ("signed in and remembered", none(case().session(1)), "issue 1"),
            ("nobody", none(case()), "login_required"),
            ("several", none(case().session(1).session(2)), "account_selection_required"),
            ("several, one hinted", none(case().session(1).session(2).login_hint("user1")), "issue 1"),
            ("several, one expected", none(case().session(1).session(2).expects(1)), "issue 1"),
            ("too long ago", none(case().session(1).max_age(5)), "login_required"),
            ("no consent", none(case().session(1).never_consented()), "consent_required"),
            ("not enough consent", none(case().session(1).scope("openid phone")), "consent_required"),
            (
                "a claim beyond",
                none(case().session(1).claims(r#"{"userinfo":{"name":null}}"#)),
                "consent_required",
            ),
            ("first party", none(case().session(1).never_consented().first_party()), "issue 1"),
            ("public, https", none(case().session(1).public(CALLBACK)), "issue 1"),
            (
                "public, private scheme",
                none(case().session(1).public("com.example.app:/cb")),
                "consent_required",
            ),
            ("public, loopback", none(case().session(1).public("http://127.0.0.1:5/cb")), "consent_required"),
        ]);
        // Whatever else a silent request says, what comes is an answer and not a page.
        for sessions in 0..3 {
            for max_age in [None, Some(0)] {
                let mut case = none(case().scope("openid phone"));
                case.request.max_age = max_age;
                case.sessions = (0..sessions).map(signed_in).collect();
                let step = case.step();
                assert!(step.ends_with("_required"), "{step}");
            }
        }
    }

    #[test]
    fn az_10_consent() {
        let native = "com.example.app:/cb";
        check(vec![
            ("remembered", case().session(1), "issue 1"),
            ("less than remembered", case().session(1).scope("email"), "issue 1"),
            ("never asked", case().session(1).never_consented(), "consent 1: openid email"),
            ("never asked, for no scope", case().session(1).never_consented().scope(""), "consent 1:"),
            ("more than remembered", case().session(1).scope("openid phone email"), "consent 1: phone"),
            (
                "a claim beyond",
                case().session(1).claims(r#"{"id_token":{"name":null,"email":null}}"#),
                "consent 1:  name",
            ),
            (
                "a remembered claim",
                case().session(1).claims(r#"{"id_token":{"name":null}}"#).last(|s| {
                    s.remembered.as_mut().unwrap().claims.insert("name".into());
                }),
                "issue 1",
            ),
            (
                "offline access is asked",
                case().session(1).scope("openid offline_access"),
                "consent 1: offline_access",
            ),
            ("given for this request", case().session(1).never_consented().chosen(1).consented(), "issue 1"),
            ("prompt=consent asks for all", case().session(1).prompt(&[Consent]), "consent 1: openid email"),
            ("prompt=consent, given", case().session(1).prompt(&[Consent]).chosen(1).consented(), "issue 1"),
            ("first party", case().session(1).never_consented().first_party(), "issue 1"),
            (
                "first party, prompt=consent",
                case().session(1).first_party().prompt(&[Consent]),
                "consent 1: openid email",
            ),
            ("public, https", case().session(1).public(CALLBACK), "issue 1"),
            ("public, private scheme", case().session(1).public(native), "consent 1: openid email"),
            ("public, given now", case().session(1).public(native).chosen(1).consented(), "issue 1"),
            ("public, first party", case().session(1).public(native).first_party(), "issue 1"),
            (
                "login comes before consent",
                case().session(1).prompt(&[Login, Consent]),
                "login user1@example.com",
            ),
        ]);
    }

    #[test]
    fn az_10_one_accounts_consent_is_not_anothers() {
        let other = case().session(1).never_consented().consented();
        check(vec![
            ("another session was asked", other.chosen(2), "consent 1: openid email"),
            ("nobody chose", case().session(1).never_consented().consented(), "consent 1: openid email"),
        ]);
    }
}
