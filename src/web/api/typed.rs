//! Types of bodies, each with its JSON Schema: written once, so that the description cannot differ from what is read.

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
