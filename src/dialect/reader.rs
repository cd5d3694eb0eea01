//! Reading values of a TOML file that remember where they stand. Nothing stops at the first problem.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::action::{Kind, MEMBERSHIP, kind_of};
use super::problem::Problem;
use super::template::{Name, Template};
use crate::config::{self, Limit};

/// A file being read, and what was found wrong with it.
pub struct Reader<'t> {
    source: &'t str,
    text: &'t str,
    problems: Vec<Problem>,
}

/// A value at its place.
pub type At<'v> = &'v Spanned<DeValue<'v>>;

/// What the names in a template may stand for.
#[derive(Clone, Copy)]
pub enum Scope<'a> {
    /// What an action, or an error, tells.
    Told(&'a [(&'static str, Kind)]),
    /// What stands in a request whose path has these places; unset: whichever it names.
    Request { places: Option<&'a [&'a str]> },
}

impl Scope<'_> {
    /// Why a name stands for nothing here.
    fn refuse(self, name: &Name) -> Option<String> {
        let dotted = name.dotted();
        match self {
            Self::Told(names) => {
                if kind_of(&dotted, names.iter().copied()).is_some() {
                    return None;
                }
                let near = config::nearest(&dotted, names.iter().map(|(name, _)| *name));
                let hint = near.map(|near| format!("; did you mean `{{{{{near}}}}}`?"));
                Some(format!("nothing here is called `{{{{{dotted}}}}}`{}", hint.unwrap_or_default()))
            }
            Self::Request { places } => {
                let parts: Vec<&str> = name.parts.iter().map(String::as_str).collect();
                let stands = match parts.as_slice() {
                    ["path", name] => places.is_none_or(|places| places.contains(name)),
                    ["body", _, ..]
                    | ["query" | "header", _]
                    | ["basic", "username" | "password"]
                    | ["bearer" | "api_key"] => true,
                    _ => false,
                };
                (!stands).then(|| match parts.as_slice() {
                    ["path", name] => format!("the path in `on` has no place `{{{name}}}`"),
                    _ => format!(
                        "a request has no `{{{{{dotted}}}}}`: it has body.NAME, query.NAME, header.NAME, path.NAME, \
                         basic.username, basic.password, bearer and api_key"
                    ),
                })
            }
        }
    }
}

impl<'t> Reader<'t> {
    pub fn new(source: &'t str, text: &'t str) -> Self {
        Self { source, text, problems: Vec::new() }
    }

    pub fn finish(self) -> Vec<Problem> {
        self.problems
    }

    /// Whether nothing is wrong so far.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// The whole file. `None` if it is no TOML, which is a problem already.
    pub fn document(&mut self) -> Option<Spanned<DeTable<'t>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            self.wrong(&span, format!("this is not valid TOML: {}", error.message()));
        }
        errors.is_empty().then_some(table)
    }

    pub fn wrong(&mut self, span: &Range<usize>, reason: impl Into<String>) {
        self.problems.push(Problem::at(self.source, self.text, span, reason.into()));
    }

    /// Refuses every key of `table` that is not among `known`.
    pub fn only(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                self.unknown(&key.span(), "setting", name, known.iter().copied());
            }
        }
    }

    /// Refuses `name`, with what may have been meant instead.
    pub fn unknown<'n>(
        &mut self,
        span: &Range<usize>,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'n str>,
    ) {
        let hint = config::nearest(name, known).map(|near| format!("; did you mean `{near}`?"));
        self.wrong(span, format!("`{name}` is no {what}{}", hint.unwrap_or_default()));
    }

    pub fn table<'v>(&mut self, value: At<'v>) -> Option<&'v DeTable<'v>> {
        let table = value.get_ref().as_table();
        self.expected(table.is_some(), value, "a table");
        table
    }

    pub fn text<'v>(&mut self, value: At<'v>) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        self.expected(text.is_some(), value, "text in quotes");
        text
    }

    pub fn flag(&mut self, value: At<'_>) -> Option<bool> {
        let flag = value.get_ref().as_bool();
        self.expected(flag.is_some(), value, "true or false");
        flag
    }

    pub fn integer(&mut self, value: At<'_>) -> Option<i64> {
        let number = match value.get_ref() {
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok(),
            _ => None,
        };
        self.expected(number.is_some(), value, "a whole number");
        number
    }

    /// A whole number between these two.
    pub fn number_in(&mut self, value: At<'_>, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let number = self.integer(value)?;
        if !range.contains(&number) {
            self.wrong(&value.span(), format!("must be {} to {}", range.start(), range.end()));
            return None;
        }
        Some(number)
    }

    pub fn duration(&mut self, value: At<'_>) -> Option<Duration> {
        let duration = value.get_ref().as_str().and_then(config::duration::parse);
        self.expected(duration.is_some(), value, "a duration such as \"15m\" or \"24h\"");
        duration
    }

    /// One of a closed set of words.
    pub fn word<T: Copy>(&mut self, value: At<'_>, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(value)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(&value.span(), format!("`{text}` is none of {}", known.join(", ")));
        }
        found
    }

    /// A list of texts.
    pub fn texts(&mut self, value: At<'_>) -> Vec<String> {
        let Some(list) = value.get_ref().as_array() else {
            self.expected(false, value, "a list");
            return Vec::new();
        };
        list.iter().filter_map(|element| self.text(element).map(str::to_owned)).collect()
    }

    /// `{ count = 5, per = "15m" }`.
    pub fn limit(&mut self, value: At<'_>) -> Option<Limit> {
        let table = self.table(value)?;
        self.only(table, &["count", "per"]);
        let count = match table.get("count") {
            Some(count) => self.number_in(count, 1..=1_000_000),
            None => self.lacks(value, "count"),
        };
        let per = match table.get("per") {
            Some(per) => self.duration(per),
            None => self.lacks(value, "per"),
        };
        Some(Limit { count: u32::try_from(count?).ok()?, per: per? })
    }

    pub fn lacks<T>(&mut self, table: At<'_>, setting: &str) -> Option<T> {
        self.wrong(&table.span(), format!("lacks the setting `{setting}`"));
        None
    }

    /// Any value as a template; `each` and `item` make a list, `when` and `then` what may be left out.
    pub fn template(&mut self, value: At<'_>, scope: Scope<'_>) -> Option<Template> {
        match value.get_ref() {
            DeValue::String(text) => self.text_template(value, text, scope),
            DeValue::Boolean(flag) => Some(Template::Constant(Value::Bool(*flag))),
            DeValue::Integer(_) => self.integer(value).map(|number| Template::Constant(number.into())),
            DeValue::Float(float) => {
                let number = float.as_str().parse().ok().and_then(Number::from_f64);
                self.expected(number.is_some(), value, "a number that JSON knows");
                number.map(|number| Template::Constant(Value::Number(number)))
            }
            DeValue::Datetime(_) => {
                self.expected(false, value, "text, a number, a flag, a list or a table");
                None
            }
            DeValue::Array(list) => {
                let items: Vec<_> = list.iter().map(|item| self.template(item, scope)).collect();
                items.into_iter().collect::<Option<_>>().map(Template::List)
            }
            DeValue::Table(table) if table.contains_key("each") => self.each(value, table, scope),
            DeValue::Table(table) if table.contains_key("when") => self.when(value, table, scope),
            DeValue::Table(table) => self.fields(table, scope).map(|fields| match fields.is_empty() {
                true => Template::Constant(Value::Object(Map::new())),
                false => Template::Table(fields),
            }),
        }
    }

    fn text_template(&mut self, value: At<'_>, text: &str, scope: Scope<'_>) -> Option<Template> {
        let template = match Template::of_text(text) {
            Ok(template) => template,
            Err(reason) => {
                self.wrong(&value.span(), reason);
                return None;
            }
        };
        for reason in template.names().into_iter().filter_map(|name| scope.refuse(name)) {
            self.wrong(&value.span(), reason);
        }
        Some(template)
    }

    fn each(&mut self, value: At<'_>, table: &DeTable<'_>, scope: Scope<'_>) -> Option<Template> {
        self.only(table, &["each", "item"]);
        let each = table.get("each")?;
        let is_list = |name: &Name| match scope {
            Scope::Told(names) => kind_of(&name.dotted(), names.iter().copied()) == Some(Kind::Memberships),
            Scope::Request { .. } => false,
        };
        let over = match self.template(each, scope)? {
            Template::Name(name) if is_list(&name) => Some(name),
            _ => {
                self.wrong(&each.span(), "must be the name of a list of tables: \"{{memberships}}\"");
                None
            }
        };
        let item = match table.get("item") {
            Some(item) => self.template(item, Scope::Told(MEMBERSHIP)),
            None => self.lacks(value, "item"),
        };
        Some(Template::Each { over: over?, item: Box::new(item?) })
    }

    fn when(&mut self, value: At<'_>, table: &DeTable<'_>, scope: Scope<'_>) -> Option<Template> {
        self.only(table, &["when", "then"]);
        let when = table.get("when")?;
        let name = match self.template(when, scope)? {
            Template::Name(name) => Some(name),
            _ => {
                self.wrong(&when.span(), "must be a name alone, such as \"{{user.id}}\"");
                None
            }
        };
        let then = match table.get("then") {
            Some(then) => self.template(then, scope),
            None => self.lacks(value, "then"),
        };
        Some(Template::When { name: name?, then: Box::new(then?) })
    }

    /// A table of templates, in the order of the file.
    pub fn fields(&mut self, table: &DeTable<'_>, scope: Scope<'_>) -> Option<Vec<(String, Template)>> {
        let fields: Vec<_> = in_order(table)
            .map(|(key, value)| Some((key.get_ref().clone().into_owned(), self.template(value, scope)?)))
            .collect();
        fields.into_iter().collect()
    }

    fn expected(&mut self, is_so: bool, value: At<'_>, what: &str) {
        if !is_so {
            self.wrong(&value.span(), format!("must be {what}"));
        }
    }
}

/// The entries as they stand in the file.
pub fn in_order<'v>(table: &'v DeTable<'v>) -> impl Iterator<Item = (&'v Spanned<Cow<'v, str>>, At<'v>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries.into_iter()
}
