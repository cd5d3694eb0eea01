//! Types of bodies, each with its JSON Schema: written once, so that the description cannot differ from what is read.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::crypto::Secret;

/// Whatever can stand in a body.
pub trait Typed {
    /// Whether a body must have a field of it.
    const REQUIRED: bool = true;

    fn schema() -> Value;
}

/// A body that is read: of these fields, and no others.
macro_rules! asked {
    ($($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $kind:ty $(where $within:tt)?,)* })+) => {$(
        $(#[$doc])*
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$about])* pub $field: $kind,)* }
        crate::web::api::typed::describe!($name { $($field: $kind $(where $within)?,)* });
    )+};
}

/// A body that is answered.
macro_rules! told {
    ($($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $kind:ty,)* })+) => {$(
        $(#[$doc])*
        #[derive(Debug, serde::Serialize)]
        pub struct $name { $($(#[$about])* pub $field: $kind,)* }
        crate::web::api::typed::describe!($name { $($field: $kind,)* });
    )+};
}

macro_rules! describe {
    ($name:ident { $($field:ident: $kind:ty $(where $within:tt)?,)* }) => {
        impl crate::web::api::typed::Typed for $name {
            fn schema() -> serde_json::Value {
                let mut properties = serde_json::Map::new();
                let mut required: Vec<&str> = Vec::new();
                $(
                    let schema = <$kind as crate::web::api::typed::Typed>::schema();
                    $(let schema = crate::web::api::typed::narrow(schema, &serde_json::json!($within));)?
                    properties.insert(stringify!($field).to_owned(), schema);
                    if <$kind as crate::web::api::typed::Typed>::REQUIRED {
                        required.push(stringify!($field));
                    }
                )*
                serde_json::json!({
                    "type": "object",
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                })
            }
        }
    };
}
pub(super) use {asked, describe, told};

/// Says more about what a field takes, also of one that may be null.
pub fn narrow(mut schema: Value, within: &Value) -> Value {
    let at = match schema.get("anyOf") {
        Some(_) => &mut schema["anyOf"][0],
        None => &mut schema,
    };
    for (name, value) in within.as_object().into_iter().flatten() {
        at[name.as_str()] = value.clone();
    }
    schema
}

/// A whole number as JSON Schema has it: `60.0` is one too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integer(pub i64);

impl Integer {
    /// As seconds. Whoever asks for fewer than none asks for too many.
    pub fn seconds(self) -> Duration {
        Duration::from_secs(u64::try_from(self.0).unwrap_or(u64::MAX))
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        // Up to there every whole number has its own float (RFC 8259 §6).
        const EXACT: f64 = 9_007_199_254_740_991.0;
        let whole = |float: f64| float.fract() == 0.0 && float.abs() <= EXACT;
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and fits")]
        let rounded = number.as_f64().filter(|float| whole(*float)).map(|float| float as i64);
        let found = number.as_i64().or(rounded);
        found.map(Self).ok_or_else(|| serde::de::Error::custom("not a whole number that is taken here"))
    }
}

impl Typed for Integer {
    fn schema() -> Value {
        json!({ "type": "integer" })
    }
}

/// Anything: what it says depends on what it tells of.
impl Typed for Value {
    fn schema() -> Value {
        json!({})
    }
}

impl Typed for String {
    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

impl Typed for Secret {
    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

impl Typed for bool {
    fn schema() -> Value {
        json!({ "type": "boolean" })
    }
}

impl Typed for i64 {
    fn schema() -> Value {
        json!({ "type": "integer" })
    }
}

impl Typed for u64 {
    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0 })
    }
}

impl<T: Typed> Typed for Vec<T> {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }
}

/// What may be left out, or null.
impl<T: Typed> Typed for Option<T> {
    const REQUIRED: bool = false;

    fn schema() -> Value {
        json!({ "anyOf": [T::schema(), { "type": "null" }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_may_be_written_with_a_point() {
        for (text, read) in [
            ("7", Some(7)),
            ("7.0", Some(7)),
            ("-3", Some(-3)),
            ("1e3", Some(1_000)),
            ("7.5", None),
            ("1e300", None),
            ("18446744073709551615", None),
            ("\"7\"", None),
            ("true", None),
            ("null", None),
        ] {
            assert_eq!(serde_json::from_str(text).ok().map(|Integer(number)| number), read, "{text}");
        }
        assert_eq!(Integer(-1).seconds(), Duration::from_secs(u64::MAX));
    }

    #[test]
    fn a_field_says_more_than_its_type() {
        let narrowed = narrow(Option::<Integer>::schema(), &json!({ "minimum": 1 }));
        assert_eq!(narrowed["anyOf"][0], json!({ "type": "integer", "minimum": 1 }));
        assert_eq!(narrow(String::schema(), &json!({ "maxLength": 2 }))["maxLength"], 2);
    }
}
