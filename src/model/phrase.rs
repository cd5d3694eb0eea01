//! What facts of an explanation ([`super::explanation`]) are called, and what those of them say that are words of ours, as
//! texts of the console. Stored, in the API and at a shell they stay as they are written in the code.

macro_rules! phrases {
    ($(#[$doc:meta])* $name:ident: $of:ty { $($english:pat => $key:literal,)+ }) => {
        $(#[$doc])*
        fn $name(of: $of) -> Option<&'static str> {
            Some(match of { $($english => $key,)+ _ => return None })
        }

        #[cfg(test)]
        mod $name {
            pub const KEYS: &[&str] = &[$($key,)+];
        }
    };
}

/// The key of the text that a fact is called by; `None` for what is the same in every language.
pub fn name_of(fact: &str) -> Option<&'static str> {
    names(fact)
}

/// The key of the text for what this fact says; `None` for what is no word of ours.
pub fn value_of(fact: &str, value: &str) -> Option<&'static str> {
    values((fact, value))
}

phrases! { names: &str {
    "algorithm" => "explain.fact.algorithm",
    "allowed" => "explain.fact.allowed",
    "asked" => "explain.fact.asked",
    "asked by" => "explain.fact.asked_by",
    "asked for" => "explain.fact.asked_for",
    "authorized" => "explain.fact.authorized",
    "claim" => "explain.fact.claim",
    "counted by" => "explain.fact.counted_by",
    "demanded" => "explain.fact.demanded",
    "description" => "explain.fact.description",
    "detail" => "explain.fact.detail",
    "differs in" => "explain.fact.differs_in",
    "ended by this" => "explain.fact.ended_by_this",
    "error" => "explain.fact.error",
    "expected" => "explain.fact.expected",
    "expired seconds ago" => "explain.fact.expired_seconds_ago",
    "for" => "explain.fact.for",
    "good secrets" => "explain.fact.good_secrets",
    "held" => "explain.fact.held",
    "issued seconds ago" => "explain.fact.issued_seconds_ago",
    "its scopes" => "explain.fact.its_scopes",
    "its time" => "explain.fact.its_time",
    "key" => "explain.fact.key",
    "key asked for" => "explain.fact.key_asked_for",
    "keys" => "explain.fact.keys",
    "keys known" => "explain.fact.keys_known",
    "known" => "explain.fact.known",
    "lasts seconds" => "explain.fact.lasts_seconds",
    "made" => "explain.fact.made",
    "member of" => "explain.fact.member_of",
    "missing" => "explain.fact.missing",
    "nearest registered" => "explain.fact.nearest_registered",
    "needed" => "explain.fact.needed",
    "of client" => "explain.fact.of_client",
    "our time" => "explain.fact.our_time",
    "presented" => "explain.fact.presented",
    "presented by" => "explain.fact.presented_by",
    "provider" => "explain.fact.provider",
    "public client" => "explain.fact.public_client",
    "reached" => "explain.fact.reached",
    "reason" => "explain.fact.reason",
    "registered" => "explain.fact.registered",
    "registered in all" => "explain.fact.registered_in_all",
    "repeated within seconds" => "explain.fact.repeated_within_seconds",
    "role" => "explain.fact.role",
    "seconds ago" => "explain.fact.seconds_ago",
    "seconds ahead of us" => "explain.fact.seconds_ahead_of_us",
    "seconds to wait" => "explain.fact.seconds_to_wait",
    "serves" => "explain.fact.serves",
    "shown" => "explain.fact.shown",
    "signed in" => "explain.fact.signed_in",
    "spent seconds ago" => "explain.fact.spent_seconds_ago",
    "state" => "explain.fact.state",
    "try" => "explain.fact.try",
    "typed" => "explain.fact.typed",
    "used seconds ago" => "explain.fact.used_seconds_ago",
    "user" => "explain.fact.user",
} }

phrases! { values: (&str, &str) {
    ("state", "unknown") => "explain.value.unknown",
    ("state", "used") => "explain.value.used",
    ("state", "expired") => "explain.value.expired",
    ("state", "disabled") => "explain.value.disabled",
    ("state", "wrong") => "explain.value.wrong",
    ("state", "used or replaced") => "explain.value.used_or_replaced",
    ("state", "used a moment ago") => "explain.value.used_a_moment_ago",
    ("state", "tried too often") => "explain.value.tried_too_often",
    ("state", "pushed by another client") => "explain.value.pushed_by_another_client",
    ("state", "none was asked for in this browser, or it is used, replaced or expired") => "explain.value.none_was_asked_for_in_this_browser",
    ("state", "the address is not the account's any more") => "explain.value.the_address_is_not_the_accounts_any",
    ("state", "removed meanwhile, or its counter went back") => "explain.value.removed_meanwhile_or_its_counter_went_back",
    ("state", "good, but not for this, or not in this browser") => "explain.value.good_but_not_for_this_or_not",
    ("state", "the issuer, which needs the scope openid") => "explain.value.the_issuer_which_needs_the_scope_openid",
    ("differs in", "scheme") => "explain.value.scheme",
    ("differs in", "user name") => "explain.value.user_name",
    ("differs in", "host") => "explain.value.host",
    ("differs in", "port") => "explain.value.port",
    ("differs in", "path") => "explain.value.path",
    ("differs in", "trailing slash") => "explain.value.trailing_slash",
    ("differs in", "capital letters") => "explain.value.capital_letters",
    ("differs in", "query") => "explain.value.query",
    ("differs in", "fragment") => "explain.value.fragment",
    ("presented", "one that has expired") => "explain.value.one_that_has_expired",
    ("presented", "one that is not the client's") => "explain.value.one_that_is_not_the_clients",
    ("keys", "none are registered") => "explain.value.none_are_registered",
    ("ended by this", "all that was issued for it") => "explain.value.all_that_was_issued_for_it",
    ("ended by this", "nothing more") => "explain.value.nothing_more",
    ("public client", "yes") => "explain.value.yes",
    ("public client", "no") => "explain.value.no",
    ("counted by", "login pause") => "explain.value.login_pause",
    ("typed", "no e-mail address") => "explain.value.no_e_mail_address",
    ("member of", "none") => "explain.value.member_of_none",
    ("registered", "none") => "explain.value.registered_none",
    ("shown", "a code of an authenticator application") => "explain.value.a_code_of_an_authenticator_application",
    ("shown", "a first code of a new application") => "explain.value.a_first_code_of_a_new_application",
    ("shown", "a recovery code") => "explain.value.a_recovery_code",
    ("shown", "a passkey of another account, or one that is gone") => "explain.value.a_passkey_of_another_account_or_one",
    ("code_verifier", "missing") => "explain.value.missing",
    ("code_verifier", "sent, although there was no code_challenge") => "explain.value.sent_although_there_was_no_code_challenge",
    ("code_verifier", "not 43 to 128 unreserved characters") => "explain.value.not_43_to_128_unreserved_characters",
    ("code_verifier", "its digest is not the code_challenge") => "explain.value.its_digest_is_not_the_code_challenge",
    ("code_challenge", "missing") => "explain.value.missing",
    ("code_challenge_method", "missing") => "explain.value.missing",
    ("aud", "missing") => "explain.value.missing",
} }

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::Language;

    /// Names of parameters, claims and settings: the same in every language.
    const AS_THEY_ARE: &[&str] = &[
        "aud",
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "code_verifier",
        "jwks_uri",
        "resource",
        "response_mode",
        "response_type",
    ];

    /// The facts that the code names: the name, and what is said of it if that is written there.
    fn written() -> Vec<(String, Option<String>)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        for room in ["grants", "identity", "protocol", "tenancy", "web/fault.rs", "web/failure.rs"] {
            let mut sources = String::new();
            read(&root.join(room), &mut sources);
            for call in [".with(", ".with_id("] {
                for after in sources.split(call).skip(1) {
                    let mut texts = after.trim_start().split('"');
                    let (Some(""), Some(name)) = (texts.next(), texts.next()) else { continue };
                    let said = (texts.next() == Some(", ")).then(|| texts.next()).flatten();
                    found.push((name.to_owned(), said.map(str::to_owned)));
                }
            }
        }
        found
    }

    /// Without tests.
    fn read(path: &Path, into: &mut String) {
        if path.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                read(&entry.unwrap().path(), into);
            }
        } else {
            let text = std::fs::read_to_string(path).unwrap();
            into.push_str(text.split("#[cfg(test)]").next().unwrap());
        }
    }

    #[test]
    fn every_fact_that_the_code_names_has_a_name_in_every_language() {
        let written = written();
        assert!(written.len() > 60, "{}", written.len());
        for (name, said) in written {
            let is_known = name_of(&name).is_some() || AS_THEY_ARE.contains(&name.as_str());
            assert!(is_known, "the fact `{name}` has no name in the console");
            if let Some(said) = said {
                assert!(value_of(&name, &said).is_some(), "`{name}`: `{said}` has no text in the console");
            }
        }
    }

    #[test]
    fn in_english_facts_are_called_as_in_the_code() {
        for (name, said) in written() {
            if let Some(key) = name_of(&name) {
                assert_eq!(Language::English.text(key), name);
                assert_ne!(Language::German.text(key), key);
            }
            if let Some(said) = said {
                let key = value_of(&name, &said).expect("tested above");
                assert_eq!(Language::English.text(key), said);
            }
        }
        for key in names::KEYS.iter().chain(values::KEYS) {
            for language in Language::ALL {
                assert_ne!(language.text(key), *key, "{language:?} has no text");
            }
        }
    }
}
