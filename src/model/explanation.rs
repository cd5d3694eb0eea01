//! Why a request was refused, in a form that may be kept: the rule that refused it, and facts about the difference.
//!
//! A fact never comes from a secret: [`Explanation::with`] shortens what it is given, leaves out all but the beginning
//! of addresses of people and of what looks like a token, and there is no way in for a [`crate::crypto::Secret`], whose
//! text is not shown. Who notes a refusal where it is known writes it on the request's [`Slip`]; what becomes of it is
//! decided by [`crate::explain`].

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{ClientKey, OrganisationId, RefusalKind, UserId};

macro_rules! rules {
    ($($variant:ident: $family:ident, $word:literal, $says:literal, $advice:literal;)+) => {
        /// The rules that refuse. Each has a word that stays, and two texts: what it means, and what to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule { $($variant,)+ }

        impl Rule {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$variant),)+ _ => None }
            }

            /// The key of the text that says what the rule means.
            pub const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says,)+ }
            }

            /// The key of the text that says what to do.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)+ }
            }

            const fn family(self) -> Family {
                match self { $(Self::$variant => Family::$family,)+ }
            }
        }
    };
}

/// What a rule is always about, wherever it refuses.
#[derive(Clone, Copy)]
enum Family {
    Client,
    SignIn,
    /// What the endpoint is there for.
    Any,
}

rules! {
    // Which client calls.
    ClientUnknown: Client, "client_unknown", "explain.rule.client_unknown", "explain.rule.client_unknown.do";
    ClientDisabled: Client, "client_disabled", "explain.rule.client_disabled", "explain.rule.client_disabled.do";
    ClientProof: Client, "client_proof", "explain.rule.client_proof", "explain.rule.client_proof.do";
    ClientMethod: Client, "client_method", "explain.rule.client_method", "explain.rule.client_method.do";
    ClientSecret: Client, "client_secret", "explain.rule.client_secret", "explain.rule.client_secret.do";
    ClientKeys: Client, "client_keys", "explain.rule.client_keys", "explain.rule.client_keys.do";
    AssertionKey: Client, "assertion_key", "explain.rule.assertion_key", "explain.rule.assertion_key.do";
    AssertionSignature: Client, "assertion_signature",
        "explain.rule.assertion_signature", "explain.rule.assertion_signature.do";
    AssertionClaims: Client, "assertion_claims", "explain.rule.assertion_claims", "explain.rule.assertion_claims.do";
    AssertionTime: Client, "assertion_time", "explain.rule.assertion_time", "explain.rule.assertion_time.do";
    AssertionReused: Client, "assertion_reused", "explain.rule.assertion_reused", "explain.rule.assertion_reused.do";
    GrantType: Client, "grant_type", "explain.rule.grant_type", "explain.rule.grant_type.do";
    // What it asks for.
    RedirectUri: Any, "redirect_uri", "explain.rule.redirect_uri", "explain.rule.redirect_uri.do";
    PkceMissing: Any, "pkce_missing", "explain.rule.pkce_missing", "explain.rule.pkce_missing.do";
    PkceChallenge: Any, "pkce_challenge", "explain.rule.pkce_challenge", "explain.rule.pkce_challenge.do";
    PkceVerifier: Any, "pkce_verifier", "explain.rule.pkce_verifier", "explain.rule.pkce_verifier.do";
    Response: Any, "response", "explain.rule.response", "explain.rule.response.do";
    RequestObject: Any, "request_object", "explain.rule.request_object", "explain.rule.request_object.do";
    PushRequired: Any, "push_required", "explain.rule.push_required", "explain.rule.push_required.do";
    PushedRequest: Any, "pushed_request", "explain.rule.pushed_request", "explain.rule.pushed_request.do";
    Parameter: Any, "parameter", "explain.rule.parameter", "explain.rule.parameter.do";
    Scope: Any, "scope", "explain.rule.scope", "explain.rule.scope.do";
    Resource: Any, "resource", "explain.rule.resource", "explain.rule.resource.do";
    Acr: Any, "acr", "explain.rule.acr", "explain.rule.acr.do";
    InteractionNeeded: Any, "interaction_needed",
        "explain.rule.interaction_needed", "explain.rule.interaction_needed.do";
    AnotherUser: Any, "another_user", "explain.rule.another_user", "explain.rule.another_user.do";
    Declined: Any, "declined", "explain.rule.declined", "explain.rule.declined.do";
    RequestOver: Any, "request_over", "explain.rule.request_over", "explain.rule.request_over.do";
    FormExpired: Any, "form_expired", "explain.rule.form_expired", "explain.rule.form_expired.do";
    // Codes and tokens that it brings.
    CodeUnknown: Any, "code_unknown", "explain.rule.code_unknown", "explain.rule.code_unknown.do";
    CodeClient: Any, "code_client", "explain.rule.code_client", "explain.rule.code_client.do";
    CodeExpired: Any, "code_expired", "explain.rule.code_expired", "explain.rule.code_expired.do";
    CodeSpent: Any, "code_spent", "explain.rule.code_spent", "explain.rule.code_spent.do";
    RefreshUnknown: Any, "refresh_unknown", "explain.rule.refresh_unknown", "explain.rule.refresh_unknown.do";
    RefreshClient: Any, "refresh_client", "explain.rule.refresh_client", "explain.rule.refresh_client.do";
    RefreshExpired: Any, "refresh_expired", "explain.rule.refresh_expired", "explain.rule.refresh_expired.do";
    RefreshReused: Any, "refresh_reused", "explain.rule.refresh_reused", "explain.rule.refresh_reused.do";
    TokenMissing: Any, "token_missing", "explain.rule.token_missing", "explain.rule.token_missing.do";
    TokenMalformed: Any, "token_malformed", "explain.rule.token_malformed", "explain.rule.token_malformed.do";
    TokenKey: Any, "token_key", "explain.rule.token_key", "explain.rule.token_key.do";
    TokenSignature: Any, "token_signature", "explain.rule.token_signature", "explain.rule.token_signature.do";
    TokenExpired: Any, "token_expired", "explain.rule.token_expired", "explain.rule.token_expired.do";
    TokenEarly: Any, "token_early", "explain.rule.token_early", "explain.rule.token_early.do";
    TokenIssuer: Any, "token_issuer", "explain.rule.token_issuer", "explain.rule.token_issuer.do";
    TokenAudience: Any, "token_audience", "explain.rule.token_audience", "explain.rule.token_audience.do";
    TokenRevoked: Any, "token_revoked", "explain.rule.token_revoked", "explain.rule.token_revoked.do";
    ApiKey: Any, "api_key", "explain.rule.api_key", "explain.rule.api_key.do";
    // Whether the subject may receive a credential now.
    UserGone: Any, "user_gone", "explain.rule.user_gone", "explain.rule.user_gone.do";
    UserDisabled: Any, "user_disabled", "explain.rule.user_disabled", "explain.rule.user_disabled.do";
    GrantOver: Any, "grant_over", "explain.rule.grant_over", "explain.rule.grant_over.do";
    SessionOver: Any, "session_over", "explain.rule.session_over", "explain.rule.session_over.do";
    FactorMissing: Any, "factor_missing", "explain.rule.factor_missing", "explain.rule.factor_missing.do";
    Membership: Any, "membership", "explain.rule.membership", "explain.rule.membership.do";
    Permission: Any, "permission", "explain.rule.permission", "explain.rule.permission.do";
    Reauthentication: Any, "reauthentication", "explain.rule.reauthentication", "explain.rule.reauthentication.do";
    // Signing in.
    AccountUnknown: SignIn, "account_unknown", "explain.rule.account_unknown", "explain.rule.account_unknown.do";
    PasswordWrong: SignIn, "password_wrong", "explain.rule.password_wrong", "explain.rule.password_wrong.do";
    CredentialsMissing: SignIn, "credentials_missing", "explain.rule.credentials_missing", "explain.rule.credentials_missing.do";
    PasswordUnset: SignIn, "password_unset", "explain.rule.password_unset", "explain.rule.password_unset.do";
    WayClosed: SignIn, "way_closed", "explain.rule.way_closed", "explain.rule.way_closed.do";
    Link: SignIn, "link", "explain.rule.link", "explain.rule.link.do";
    MailCode: SignIn, "mail_code", "explain.rule.mail_code", "explain.rule.mail_code.do";
    FactorWrong: SignIn, "factor_wrong", "explain.rule.factor_wrong", "explain.rule.factor_wrong.do";
    FactorOver: SignIn, "factor_over", "explain.rule.factor_over", "explain.rule.factor_over.do";
    Passkey: SignIn, "passkey", "explain.rule.passkey", "explain.rule.passkey.do";
    ProviderUnknown: SignIn, "provider_unknown", "explain.rule.provider_unknown", "explain.rule.provider_unknown.do";
    ProviderStale: SignIn, "provider_stale", "explain.rule.provider_stale", "explain.rule.provider_stale.do";
    ProviderDenied: SignIn, "provider_denied", "explain.rule.provider_denied", "explain.rule.provider_denied.do";
    ProviderAway: SignIn, "provider_away", "explain.rule.provider_away", "explain.rule.provider_away.do";
    ProviderToken: SignIn, "provider_token", "explain.rule.provider_token", "explain.rule.provider_token.do";
    ProviderClient: SignIn, "provider_client", "explain.rule.provider_client", "explain.rule.provider_client.do";
    ProviderAccount: SignIn, "provider_account", "explain.rule.provider_account", "explain.rule.provider_account.do";
    // Whatever it is.
    Throttled: Any, "throttled", "explain.rule.throttled", "explain.rule.throttled.do";
    Busy: Any, "busy", "explain.rule.busy", "explain.rule.busy.do";
    Database: Any, "database", "explain.rule.database", "explain.rule.database.do";
    Internal: Any, "internal", "explain.rule.internal", "explain.rule.internal.do";
    Other: Any, "other", "explain.rule.other", "explain.rule.other.do";
}

impl Rule {
    /// What kind of request was refused by it: mostly what the endpoint is there for.
    pub const fn kind(self, endpoint: RefusalKind) -> RefusalKind {
        match self.family() {
            Family::Client => match endpoint {
                // An unknown client at the authorization endpoint is an authorization request that went wrong.
                RefusalKind::Authorize => RefusalKind::Authorize,
                _ => RefusalKind::Client,
            },
            Family::SignIn => RefusalKind::SignIn,
            Family::Any => endpoint,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that helps to see what is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub name: Cow<'static, str>,
    pub value: String,
}

/// Whom a refusal is about, as far as that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Concerned {
    pub client: Option<ClientKey>,
    pub user: Option<UserId>,
    pub organisation: Option<OrganisationId>,
}

impl Concerned {
    /// What is known here, and what the other knows beyond.
    fn or(self, other: Self) -> Self {
        Self {
            client: self.client.or(other.client),
            user: self.user.or(other.user),
            organisation: self.organisation.or(other.organisation),
        }
    }
}

impl From<ClientKey> for Concerned {
    fn from(client: ClientKey) -> Self {
        Self { client: Some(client), ..Self::default() }
    }
}

impl From<UserId> for Concerned {
    fn from(user: UserId) -> Self {
        Self { user: Some(user), ..Self::default() }
    }
}

impl From<OrganisationId> for Concerned {
    fn from(organisation: OrganisationId) -> Self {
        Self { organisation: Some(organisation), ..Self::default() }
    }
}

/// Which rule refused, and the facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub rule: Rule,
    facts: Vec<Fact>,
}

impl Explanation {
    const MAX_FACTS: usize = 16;
    const MAX_VALUE: usize = 300;

    pub fn of(rule: Rule) -> Self {
        Self { rule, facts: Vec::new() }
    }

    /// Adds a fact: shortened, and without what may be an address or a token. One too many is left out.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        if self.facts.len() < Self::MAX_FACTS {
            let value = shortened(&without_tokens(&without_addresses(&value.to_string())), Self::MAX_VALUE);
            self.facts.push(Fact { name: Cow::Borrowed(name), value });
        }
        self
    }

    /// Adds the id of a key or of another public thing, which may look like a token.
    #[must_use]
    pub fn with_id(mut self, name: &'static str, id: &str) -> Self {
        if self.facts.len() < Self::MAX_FACTS {
            self.facts
                .push(Fact { name: Cow::Borrowed(name), value: shortened(&without_addresses(id), 128) });
        }
        self
    }

    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// The value of a fact.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str())
    }
}

impl From<Rule> for Explanation {
    fn from(rule: Rule) -> Self {
        Self::of(rule)
    }
}

/// What one request's refusal is noted on, by whoever knows best. Every copy is the same slip.
#[derive(Clone, Debug, Default)]
pub struct Slip(Arc<Mutex<Written>>);

#[derive(Clone, Debug, Default)]
struct Written {
    explanation: Option<Explanation>,
    concerned: Concerned,
}

impl Slip {
    /// This request is refused, for this reason. Who is told so last decides: a transaction may run twice.
    pub fn refuse(&self, explanation: impl Into<Explanation>) {
        self.written().explanation = Some(explanation.into());
    }

    /// Whom the request is about, should it be refused. What was known before is kept.
    pub fn concerns(&self, whom: impl Into<Concerned>) {
        let mut written = self.written();
        written.concerned = written.concerned.or(whom.into());
    }

    /// Whether a reason was written down.
    pub fn is_refused(&self) -> bool {
        self.written().explanation.is_some()
    }

    pub fn explanation(&self) -> Option<Explanation> {
        self.written().explanation.clone()
    }

    pub fn concerned(&self) -> Concerned {
        self.written().concerned
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// On one line, without what turns the direction of the text around it, and not longer than this.
fn shortened(text: &str, most: usize) -> String {
    let is_shown = |c: &char| !c.is_control() && !super::language::turns_direction(*c);
    let mut left = text.chars().filter(is_shown);
    let mut short: String = left.by_ref().take(most).collect();
    if left.next().is_some() {
        short.pop();
        short.push('…');
    }
    short
}

/// `ada@example.com` becomes `a…@example.com`.
fn without_addresses(text: &str) -> String {
    const ENDS: &[char] = &['<', '>', '"', '\'', '(', ')', ',', ':', ';', '&', '=', '?', '/', '@'];
    let text = text.replace("%40", "@");
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('@') {
        let (before, after) = rest.split_at(at);
        let begins = before.rfind(|c: char| c.is_whitespace() || ENDS.contains(&c));
        let begins = begins.map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let (kept, name) = before.split_at(begins);
        masked.push_str(kept);
        if let Some(first) = name.chars().next() {
            masked.push(first);
            masked.push('…');
        }
        masked.push('@');
        rest = &after[1..];
    }
    masked.push_str(rest);
    masked
}

/// Runs of 40 or more letters, digits, `-` and `_` keep their first six: what is as long as our tokens may be one.
pub fn without_tokens(text: &str) -> String {
    const LONG: usize = 40;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(run);
        if word.len() >= LONG {
            masked.push_str(&word[..6]);
            masked.push('…');
        } else {
            masked.push_str(word);
        }
        let other = after.find(is_part).unwrap_or(after.len());
        let (between, next) = after.split_at(other);
        masked.push_str(between);
        rest = next;
    }
    masked
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::Language;

    #[test]
    fn every_rule_has_a_word_and_two_texts_of_its_own() {
        let words: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
        assert_eq!(words.len(), Rule::ALL.len());
        for rule in Rule::ALL {
            assert_eq!(Rule::parse(rule.as_str()), Some(*rule));
            assert_eq!(rule.says(), format!("explain.rule.{rule}"));
            assert_eq!(rule.advice(), format!("explain.rule.{rule}.do"));
            for language in Language::ALL {
                for key in [rule.says(), rule.advice()] {
                    assert_ne!(language.text(key), key, "{language:?} has no text");
                }
            }
        }
        assert_eq!(Rule::parse("no_such_rule"), None);
    }

    #[test]
    fn lo_2_addresses_and_tokens_are_cut_short() {
        let shown = |text: &str| Explanation::of(Rule::Other).with("x", text).facts()[0].value.clone();
        for (given, kept) in [
            ("ada@example.com", "a…@example.com"),
            ("login=ada.l+x@example.com&b", "login=a…@example.com&b"),
            ("<ada@a.example>, bob@b.example", "<a…@a.example>, b…@b.example"),
            ("ada%40example.com", "a…@example.com"),
            ("øyvind@example.no", "ø…@example.no"),
            ("@example.com", "@example.com"),
            ("https://ada:pw@example.com", "https://ada:p…@example.com"),
            ("abcdefghijklmnopqrstuvwxyz0123456789-_ABCD", "abcdef…"),
            ("code abcdefghijklmnopqrstuvwxyz0123456789-_ABCD.", "code abcdef…."),
            ("abcdefghijklmnopqrstuvwxyz0123456789-_A", "abcdefghijklmnopqrstuvwxyz0123456789-_A"),
            ("a\r\nb\u{202e}c", "abc"),
        ] {
            assert_eq!(shown(given), kept, "{given}");
        }
        assert_eq!(shown(&"ä ".repeat(400)).chars().count(), 300);
    }

    #[test]
    fn a_key_id_is_shown_whole() {
        let kid = "abcdefghijklmnopqrstuvwxyz0123456789-_ABCDE";
        assert_eq!(Explanation::of(Rule::AssertionKey).with_id("kid", kid).fact("kid"), Some(kid));
        let long = Explanation::of(Rule::AssertionKey).with_id("kid", &"k".repeat(4_000));
        assert_eq!(long.facts()[0].value.chars().count(), 128);
    }

    #[test]
    fn there_are_no_more_than_sixteen_facts() {
        let many = (0..40).fold(Explanation::of(Rule::Other), |all, at| all.with("n", at));
        assert_eq!(many.facts().len(), 16);
    }

    #[test]
    fn a_slip_keeps_whom_it_is_about_and_the_last_reason() {
        let slip = Slip::default();
        assert!(!slip.is_refused() && slip.explanation().is_none());
        let (first, second) =
            (ClientKey::from_bytes(&[1; 16]).unwrap(), ClientKey::from_bytes(&[2; 16]).unwrap());
        slip.concerns(first);
        slip.clone().concerns(second);
        slip.refuse(Rule::PasswordWrong);
        slip.clone().refuse(Rule::Throttled);
        assert_eq!(slip.concerned().client, Some(first));
        assert_eq!(slip.explanation(), Some(Rule::Throttled.into()));
    }

    proptest! {
        #[test]
        fn lo_2_no_fact_is_long_and_none_holds_a_whole_address(text in ".{0,600}", name in "[a-z]{2,9}") {
            let fact = Explanation::of(Rule::Other).with("x", format!("{text} {name}@example.com {text}"));
            let value = &fact.facts()[0].value;
            prop_assert!(value.chars().count() <= 300);
            let whole = format!("{name}@");
            prop_assert!(!value.contains(&whole));
        }
    }
}
