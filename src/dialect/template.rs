//! JSON values with places to fill: compiled once when the dialect is read, filled for each answer.
//!
//! `"{{user.id}}"` alone becomes the value itself, whatever its JSON type; inside of a longer text it becomes text.
//! `"{{user.picture?}}"` alone leaves its key out where there is no value. A table with `each` and `item` becomes a
//! list: `item` once for every element of the list that `each` names, which it calls `item`. One with `when` and `then`
//! is `then` where the name of `when` has a value, and left out where it has none.

use serde_json::{Map, Value};

/// A value to be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    /// Nothing to fill.
    Constant(Value),
    /// One name alone: its value, type and all.
    Name(Name),
    /// Text around names.
    Text(Vec<Piece>),
    List(Vec<Template>),
    Table(Vec<(String, Template)>),
    Each {
        over: Name,
        item: Box<Template>,
    },
    When {
        name: Name,
        then: Box<Template>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Literal(String),
    Name(Name),
}

/// A name with dots, such as `user.id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub parts: Vec<String>,
    /// Whether the key is left out where there is no value.
    pub optional: bool,
}

impl Name {
    pub fn dotted(&self) -> String {
        self.parts.join(".")
    }

    /// What the name stands for in `scope`.
    pub fn find<'v>(&self, scope: &'v Value) -> &'v Value {
        static NULL: Value = Value::Null;
        self.parts.iter().try_fold(scope, |value, part| value.get(part)).unwrap_or(&NULL)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (text, optional) = match text.trim().strip_suffix('?') {
            Some(text) => (text, true),
            None => (text.trim(), false),
        };
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        };
        let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        if !parts.iter().all(|part| is_part(part)) {
            return Err(format!("`{{{{{text}}}}}` is not a name: write it like `{{{{user.id}}}}`"));
        }
        Ok(Self { parts, optional })
    }
}

impl Template {
    /// The template that a text is.
    pub fn of_text(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, behind) = after
                .split_once("}}")
                .ok_or("`{{` is not closed by `}}`; a text cannot hold it otherwise")?;
            if !before.is_empty() {
                pieces.push(Piece::Literal(before.to_owned()));
            }
            pieces.push(Piece::Name(Name::parse(name)?));
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(match pieces.as_slice() {
            [] => Self::Constant(Value::String(String::new())),
            [Piece::Literal(text)] => Self::Constant(Value::String(text.clone())),
            [Piece::Name(name)] => Self::Name(name.clone()),
            _ => Self::Text(pieces),
        })
    }

    /// The names in it, those of a list's `item` without their `item.`, which is put before as the list's name.
    pub fn names(&self) -> Vec<&Name> {
        match self {
            Self::Constant(_) => Vec::new(),
            Self::Name(name) => vec![name],
            Self::Text(pieces) => pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Name(name) => Some(name),
                    Piece::Literal(_) => None,
                })
                .collect(),
            Self::List(items) => items.iter().flat_map(Self::names).collect(),
            Self::Table(fields) => fields.iter().flat_map(|(_, value)| value.names()).collect(),
            Self::Each { over, item } => std::iter::once(over).chain(item.names()).collect(),
            Self::When { name, then } => std::iter::once(name).chain(then.names()).collect(),
        }
    }

    /// Fills every place from `scope`.
    pub fn fill(&self, scope: &Value) -> Value {
        match self {
            Self::Constant(value) => value.clone(),
            Self::Name(name) => name.find(scope).clone(),
            Self::Text(pieces) => Value::String(text_of(pieces, scope, &plain)),
            Self::List(items) => Value::Array(items.iter().map(|item| item.fill(scope)).collect()),
            Self::Table(fields) => Value::Object(fill_table(fields, scope)),
            Self::Each { over, item } => {
                let elements = over.find(scope).as_array().map(Vec::as_slice).unwrap_or_default();
                let inner = |element: &Value| item.fill(&serde_json::json!({ "item": element }));
                Value::Array(elements.iter().map(inner).collect())
            }
            Self::When { name, .. } if name.find(scope).is_null() => Value::Null,
            Self::When { then, .. } => then.fill(scope),
        }
    }

    /// Whether it may be left out of a table: where it has no value.
    pub fn may_be_absent(&self) -> bool {
        matches!(self, Self::Name(Name { optional: true, .. }) | Self::When { .. })
    }

    /// As the value of a header, in which each value that is filled in is `encoded` and a list stands with commas. `None`
    /// where there is nothing to say.
    pub fn fill_header(&self, scope: &Value, encoded: impl Fn(&str) -> String) -> Option<String> {
        let shown = |value: &Value| header_text(value, &encoded);
        match self {
            Self::Text(pieces) => Some(text_of(pieces, scope, &shown)),
            Self::Name(name) => Some(name.find(scope)).filter(|value| !value.is_null()).map(shown),
            // What the file itself says stands as it is.
            Self::Constant(Value::String(text)) => Some(text.clone()),
            other => Some(other.fill(scope)).filter(|value| !value.is_null()).map(|value| shown(&value)),
        }
    }
}

/// The fields, without those that are optional and have no value.
pub fn fill_table(fields: &[(String, Template)], scope: &Value) -> Map<String, Value> {
    let filled = fields.iter().filter_map(|(key, template)| {
        let value = template.fill(scope);
        let absent = template.may_be_absent() && value.is_null();
        (!absent).then(|| (key.clone(), value))
    });
    filled.collect()
}

fn text_of(pieces: &[Piece], scope: &Value, shown: &dyn Fn(&Value) -> String) -> String {
    let pieces = pieces.iter().map(|piece| match piece {
        Piece::Literal(literal) => literal.clone(),
        Piece::Name(name) => shown(name.find(scope)),
    });
    pieces.collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn header_text(value: &Value, encoded: &impl Fn(&str) -> String) -> String {
    match value {
        Value::Array(items) => items.iter().map(|item| encoded(&plain(item))).collect::<Vec<_>>().join(","),
        other => encoded(&plain(other)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fill(text: &str, scope: &Value) -> Value {
        Template::of_text(text).expect("a good template").fill(scope)
    }

    #[test]
    fn a_name_alone_keeps_its_type_and_becomes_text_within_text() {
        let scope = json!({ "n": 7, "list": ["A", 1], "flag": true, "user": { "id": "u1", "none": null } });
        for (text, expected) in [
            ("{{n}}", json!(7)),
            ("{{ n }}", json!(7)),
            ("{{list}}", json!(["A", 1])),
            ("{{flag}}", json!(true)),
            ("{{user.id}}", json!("u1")),
            ("{{user}}", json!({ "id": "u1", "none": null })),
            ("{{user.none}}", Value::Null),
            ("{{absent.deep}}", Value::Null),
            ("n={{n}}, {{user.id}}!", json!("n=7, u1!")),
            ("<{{user.none}}>", json!("<>")),
            ("{{list}} ", json!("[\"A\",1] ")),
            ("plain } {", json!("plain } {")),
            ("", json!("")),
        ] {
            assert_eq!(fill(text, &scope), expected, "{text}");
        }
    }

    #[test]
    fn what_is_filled_in_is_never_read_again() {
        let scope = json!({ "name": "{{secret}}", "secret": "s3cret" });
        assert_eq!(fill("Hello {{name}}", &scope), json!("Hello {{secret}}"));
        assert_eq!(fill("{{name}}", &scope), json!("{{secret}}"));
    }

    #[test]
    fn an_optional_key_without_value_is_left_out() {
        let fields: Vec<_> = [("a", "{{x?}}"), ("b", "{{y?}}"), ("c", "{{x}}")]
            .map(|(key, text)| (key.to_owned(), Template::of_text(text).unwrap()))
            .into();
        let filled = Template::Table(fields).fill(&json!({ "y": 1 }));
        assert_eq!(filled, json!({ "b": 1, "c": null }));
    }

    #[test]
    fn a_table_is_there_when_its_name_has_a_value() {
        let name = Name { parts: vec!["user".to_owned(), "id".to_owned()], optional: false };
        let then = Template::Table(vec![("id".to_owned(), Template::of_text("{{user.id}}").unwrap())]);
        let when = Template::When { name, then: Box::new(then) };
        let whole = Template::Table(vec![("user".to_owned(), when)]);
        assert_eq!(whole.fill(&json!({ "user": { "id": 7 } })), json!({ "user": { "id": 7 } }));
        assert_eq!(whole.fill(&json!({ "user": { "id": null } })), json!({}));
        assert_eq!(whole.fill(&json!({})), json!({}));
    }

    #[test]
    fn in_a_header_what_is_filled_in_is_encoded_and_what_the_file_says_is_not() {
        let scope = json!({ "name": "Zoë %41", "roles": ["A", "B,C"], "n": 7, "none": null, "no": [] });
        let encoded = |text: &str| text.replace('%', "%25").replace(',', "%2C").replace('ë', "%C3%AB");
        for (text, expected) in [
            ("{{name}}", Some("Zo%C3%AB %2541")),
            ("a, {{name}}", Some("a, Zo%C3%AB %2541")),
            ("{{roles}}", Some("A,B%2CC")),
            ("[{{roles}}] {{n}}{{none}}", Some("[A,B%2CC] 7")),
            ("{{no}}", Some("")),
            ("{{none}}", None),
            ("50%, a", Some("50%, a")),
        ] {
            let template = Template::of_text(text).expect("a good template");
            assert_eq!(template.fill_header(&scope, encoded).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_list_is_made_of_each_element() {
        let item = Template::Table(vec![("role".to_owned(), Template::of_text("{{item.role}}").unwrap())]);
        let over = Name { parts: vec!["memberships".to_owned()], optional: false };
        let each = Template::Each { over, item: Box::new(item) };
        let scope = json!({ "memberships": [{ "role": "A" }, { "role": "B" }], "role": "outside" });
        assert_eq!(each.fill(&scope), json!([{ "role": "A" }, { "role": "B" }]));
        assert_eq!(each.fill(&json!({})), json!([]));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["{{", "{{}}", "{{a", "{{a b}}", "{{a..b}}", "{{.a}}", "x {{a.}}", "{{a|b}}", "{{ü}}"] {
            assert!(Template::of_text(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_template_panic(text in "\\PC{0,60}|[a.{}? ]{0,20}") {
            if let Ok(template) = Template::of_text(&text) {
                let _ = template.fill(&json!({ "a": { "a": [1, null] } }));
            }
        }
    }
}
