//! Which settings exist, read from the section structs themselves, so that no second list can drift.

use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::value::Error as Unread;
use serde::de::{Deserializer, Error as _, Visitor};

use super::sections::{
    ApiKeys, Branding, Config, Database, Keys, Lifetimes, Limit, Limits, Log, Mail, Organizations, Outbound,
    Password, Protocol, Registration, Server, Tls,
};
use super::{Dialect, Provider};

type Fields = &'static [&'static str];

static SECTIONS: LazyLock<Vec<(String, Fields)>> = LazyLock::new(|| {
    let mut sections = vec![
        (String::new(), fields::<Config>()),
        ("server".to_owned(), fields::<Server>()),
        ("server.tls".to_owned(), fields::<Tls>()),
        ("database".to_owned(), fields::<Database>()),
        ("keys".to_owned(), fields::<Keys>()),
        ("lifetimes".to_owned(), fields::<Lifetimes>()),
        ("password".to_owned(), fields::<Password>()),
        ("registration".to_owned(), fields::<Registration>()),
        ("organizations".to_owned(), fields::<Organizations>()),
        ("api_keys".to_owned(), fields::<ApiKeys>()),
        ("limits".to_owned(), fields::<Limits>()),
        ("mail".to_owned(), fields::<Mail>()),
        ("log".to_owned(), fields::<Log>()),
        ("outbound".to_owned(), fields::<Outbound>()),
        ("protocol".to_owned(), fields::<Protocol>()),
        ("branding".to_owned(), fields::<Branding>()),
        ("providers".to_owned(), fields::<Provider>()),
        ("dialects".to_owned(), fields::<Dialect>()),
    ];
    sections.extend(fields::<Limits>().iter().map(|name| (join("limits", name), fields::<Limit>())));
    sections
});

/// Sections that can be there several times: `[[providers]]`. The settings of the first are `providers.0.id` and so on.
pub const LISTS: [&str; 2] = ["providers", "dialects"];

pub fn is_list(section: &str) -> bool {
    LISTS.contains(&section)
}

/// The list and the place in it, if `section` is an element such as `providers.0`.
pub fn element_of(section: &str) -> Option<(&str, usize)> {
    let (list, index) = section.rsplit_once('.')?;
    let canonical = index == "0" || !index.starts_with('0');
    let is_index = canonical && index.len() <= 2 && index.bytes().all(|b| b.is_ascii_digit());
    Some((list, index.parse().ok()?)).filter(|_| is_index && is_list(list))
}

/// Every setting's full name, such as `server.listen` or `limits.login_failures.count`. Those of a list are named
/// without a place in it: `providers.id`.
pub fn keys() -> Vec<String> {
    let mut keys: Vec<String> = SECTIONS
        .iter()
        .flat_map(|(section, fields)| fields.iter().map(move |field| join(section, field)))
        .filter(|key| fields_of(key).is_none())
        .collect();
    keys.sort();
    keys
}

/// The names directly below `section` (`""` is the top), or `None` if it is no section.
pub fn fields_of(section: &str) -> Option<Fields> {
    let described_at = element_of(section).map_or(section, |(list, _)| list);
    SECTIONS.iter().find(|(name, _)| name == described_at).map(|(_, fields)| *fields)
}

/// The setting that names a file with this secret, if `key` is a secret: exactly the keys with such a neighbour.
pub fn file_key(key: &str) -> Option<String> {
    let (section, name) = key.rsplit_once('.')?;
    let file = format!("{name}_file");
    fields_of(section)?.contains(&file.as_str()).then(|| join(section, &file))
}

/// The secret whose file `key` names, if it names one.
pub fn secret_of(key: &str) -> Option<String> {
    let secret = key.strip_suffix("_file")?;
    let (section, name) = secret.rsplit_once('.')?;
    fields_of(section)?.contains(&name).then(|| secret.to_owned())
}

pub fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// What somebody who wrote the unknown `name` in `section` may have meant: a near spelling there, or the same
/// name in another section.
pub fn suggestion(section: &str, name: &str) -> Option<String> {
    let name: String = name.chars().take(40).collect();
    if let Some(field) = nearest(&name, fields_of(section)?.iter().copied()) {
        return Some(join(section, field));
    }
    let suffix = format!(".{name}");
    keys().into_iter().find(|key| key.ends_with(&suffix))
}

/// The word that somebody who wrote `name` may have meant.
pub fn nearest<'w>(name: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let near = words
        .map(|word| (distance(word, name), word))
        .filter(|(steps, word)| *steps <= 1 + word.len() / 4)
        .min();
    near.map(|(_, word)| word)
}

/// Levenshtein's edit distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The field names of a struct, as its derived `Deserialize` tells them to a deserializer.
fn fields<T: for<'de> Deserialize<'de>>() -> Fields {
    struct Listener<'a>(&'a mut Fields);

    impl<'de> Deserializer<'de> for Listener<'_> {
        type Error = Unread;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unread> {
            Err(Unread::custom("only structs have fields"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: Fields,
            _: V,
        ) -> Result<V::Value, Unread> {
            *self.0 = fields;
            Err(Unread::custom("the names are all that is asked"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut names: Fields = &[];
    let told = T::deserialize(Listener(&mut names));
    debug_assert!(told.is_err(), "the listener always stops the reading");
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_the_keys_with_a_file_beside_them() {
        let secrets: Vec<_> = keys().into_iter().filter(|key| file_key(key).is_some()).collect();
        assert_eq!(
            secrets,
            [
                "database.url",
                "dialects.system_secret",
                "keys.master_key",
                "mail.url",
                "providers.client_secret"
            ]
        );
        for secret in secrets {
            assert_eq!(secret_of(&file_key(&secret).unwrap()), Some(secret));
        }
        assert_eq!(secret_of("server.tls.cert_file"), None);
        assert_eq!(secret_of("outbound.extra_ca_file"), None);
    }

    #[test]
    fn suggestions_are_near_or_absent() {
        let cases = [
            ("server", "lissten", Some("server.listen")),
            ("server", "trusted_proxy", Some("server.trusted_proxies")),
            ("", "isuer", Some("issuer")),
            ("", "listen", Some("server.listen")),
            ("limits.login_failures", "counts", Some("limits.login_failures.count")),
            ("providers.0", "client_ID", Some("providers.0.client_id")),
            ("server", "colour", None),
            ("nowhere", "listen", None),
        ];
        for (section, name, expected) in cases {
            assert_eq!(suggestion(section, name).as_deref(), expected, "{section} {name}");
        }
    }

    #[test]
    fn an_element_of_a_list_has_the_settings_of_the_list() {
        assert_eq!(element_of("providers.0"), Some(("providers", 0)));
        assert_eq!(element_of("providers.12"), Some(("providers", 12)));
        for no in ["providers", "providers.01", "providers.100", "providers.", "providers.x", "server.0", "0"]
        {
            assert_eq!(element_of(no), None, "{no}");
        }
        assert_eq!(fields_of("providers.3"), fields_of("providers"));
        assert_eq!(file_key("providers.0.client_secret").as_deref(), Some("providers.0.client_secret_file"));
    }

    #[test]
    fn edit_distance() {
        for (a, b, steps) in [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("pool", "pool", 0)] {
            assert_eq!(distance(a, b), steps, "{a} {b}");
            assert_eq!(distance(b, a), steps, "{b} {a}");
        }
    }
}
