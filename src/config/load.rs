//! Reading: file and environment into one flat map of settings, each with its source, and that into a [`Config`].
//!
//! Nothing stops at the first problem: a value that cannot be taken is noted, left out, and the rest is read on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_path_to_error::Segment;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::check::{check, master_key_weakness};
use super::problem::{Problem, Problems, Source, Sources};
use super::schema::{self, fields_of, join};
use super::sections::{Config, Limits};
use crate::crypto::Secret;
use crate::keys::master::WeakKey;

/// The variable that names the configuration file where the command line does not.
pub const CONFIG_VARIABLE: &str = "COUNTERSIGN_CONFIG";

const PREFIX: &str = "COUNTERSIGN__";

/// No configuration and no secret is larger than this; a device file is.
const MAX_FILE: u64 = 1024 * 1024;

/// A configuration without problems, and where its values came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is in force.
    pub config: Config,
    /// Where each of its values came from.
    pub sources: Sources,
}

/// One setting in force, fit to be shown: a secret reads `(set)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its full name, such as `server.listen`.
    pub key: String,
    /// Its value as it is shown.
    pub value: String,
    /// Where that came from.
    pub source: Source,
}

impl Loaded {
    /// Every setting in force, by name. What is unset and has no default reads `(not set)`.
    pub fn settings(&self) -> Vec<Setting> {
        let values = flatten(&self.config);
        let shown = |key: &str| match (key, values.get(key)) {
            ("database.url", _) => self.config.database.label(),
            (_, Some(toml::Value::String(text))) => text.clone(),
            (_, Some(value)) => value.to_string(),
            (_, None) => "(not set)".to_owned(),
        };
        schema::keys()
            .into_iter()
            .flat_map(|key| self.elements(key))
            .map(|key| Setting { value: shown(&key), source: self.sources.of(&key), key })
            .collect()
    }

    /// `providers.id` once for each provider that there is, and so on; any other setting once.
    fn elements(&self, key: String) -> Vec<String> {
        match key.split_once('.') {
            Some((list, field)) if schema::is_list(list) => {
                let length = match list {
                    "dialects" => self.config.dialects.len(),
                    _ => self.config.providers.len(),
                };
                (0..length).map(|index| format!("{list}.{index}.{field}")).collect()
            }
            _ => vec![key],
        }
    }
}

/// This process's variables as [`load`] takes them. What is not UTF-8 is marked with U+FFFD, which `load` refuses.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

/// Reads the file at `path` (or the one that `COUNTERSIGN_CONFIG` in `env` names; or none) and the environment,
/// which wins, and checks the whole.
pub fn load(path: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> Result<Loaded, Problems> {
    let env: BTreeMap<String, String> =
        env.filter(|(name, _)| name == CONFIG_VARIABLE || name.starts_with(PREFIX)).collect();
    let named = env.get(CONFIG_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);

    let mut reader = Reader::default();
    let file_read = path.map(Path::to_owned).or(named).is_none_or(|path| reader.read_file(&path));
    reader.read_environment(env);
    reader.read_secret_files();
    let mut config = reader.read_config();
    reader.follow_listener(&mut config);
    // With the file unread, what the rest lacks may well stand in it.
    if file_read {
        reader.check(&config);
    }
    reader.finish(config)
}

/// A value that somebody gave.
struct Given {
    value: toml::Value,
    source: Source,
    /// For a variable whose text did not fit as text and was read as a TOML value: why it did not fit.
    as_text: Option<String>,
}

#[derive(Default)]
struct Reader {
    given: BTreeMap<String, Given>,
    problems: Vec<Problem>,
    /// Keys that have a problem already, so that their default is not blamed as well.
    troubled: BTreeSet<String>,
}

impl Reader {
    fn problem(&mut self, key: impl Into<String>, source: Source, reason: impl Into<String>) {
        let key = key.into();
        if !key.is_empty() {
            self.troubled.insert(key.clone());
        }
        self.problems.push(Problem { key, source, reason: reason.into() });
    }

    /// Whether the file could be read as TOML.
    fn read_file(&mut self, path: &Path) -> bool {
        let at = |line| Source::File { path: path.to_owned(), line };
        let text = match read_text(path) {
            Ok(text) => text,
            Err(reason) => {
                self.problem("", at(0), format!("cannot be read: {reason}"));
                return false;
            }
        };
        let (spans, mut errors) = DeTable::parse_recoverable(&text);
        let values = match text.parse::<toml::Table>() {
            Ok(values) => values,
            Err(error) => {
                if errors.is_empty() {
                    errors.push(error);
                }
                toml::Table::new()
            }
        };
        for error in &errors {
            // Only the message: the error's own text quotes the line, which may hold a secret.
            let line = error.span().map_or(0, |span| line_of(&text, span.start));
            self.problem("", at(line), format!("is not valid TOML: {}", error.message()));
        }
        if errors.is_empty() {
            self.take_table("", values, spans.get_ref(), &|offset| at(line_of(&text, offset)));
        }
        errors.is_empty()
    }

    fn take_table(
        &mut self,
        section: &str,
        values: toml::Table,
        spans: &DeTable<'_>,
        at: &dyn Fn(usize) -> Source,
    ) {
        let known = fields_of(section).unwrap_or_default();
        for (name, value) in values {
            let spanned = spans.get_key_value(name.as_str());
            let source = at(spanned.map_or(0, |(key, _)| key.span().start));
            let key = join(section, &name);
            if !known.contains(&name.as_str()) {
                let hint = schema::suggestion(section, &name).map(|near| format!("; did you mean `{near}`?"));
                self.problem(key, source, format!("is not a setting{}", hint.unwrap_or_default()));
                continue;
            }
            if schema::is_list(&key) {
                self.take_list(&key, value, spanned.map(|(_, value)| value.get_ref()), source, at);
                continue;
            }
            match (fields_of(&key), value, spanned.map(|(_, value)| value.get_ref())) {
                (Some(_), toml::Value::Table(values), Some(DeValue::Table(spans))) => {
                    self.take_table(&key, values, spans, at);
                }
                (Some(fields), _, _) => {
                    let reason = format!("is a section and holds {}; write it as a table", fields.join(", "));
                    self.problem(key, source, reason);
                }
                (None, value, _) => {
                    self.given.insert(key, Given { value, source, as_text: None });
                }
            }
        }
    }

    fn take_list(
        &mut self,
        list: &str,
        value: toml::Value,
        spans: Option<&DeValue<'_>>,
        source: Source,
        at: &dyn Fn(usize) -> Source,
    ) {
        let (toml::Value::Array(values), Some(DeValue::Array(spans))) = (value, spans) else {
            return self.problem(
                list,
                source,
                format!("is a list; write each of its elements as `[[{list}]]`"),
            );
        };
        for (index, (value, spanned)) in values.into_iter().zip(spans.iter()).enumerate() {
            let (element, source) = (join(list, &index.to_string()), at(spanned.span().start));
            match (value, spanned.get_ref()) {
                _ if schema::element_of(&element).is_none() => {
                    self.problem(element, source, "is one too many");
                }
                (toml::Value::Table(values), DeValue::Table(spans)) if !values.is_empty() => {
                    self.take_table(&element, values, spans, at);
                }
                _ => self.problem(element, source, format!("holds nothing; write it as `[[{list}]]`")),
            }
        }
    }

    fn read_environment(&mut self, env: BTreeMap<String, String>) {
        for (name, text) in env {
            let Some(written) = name.strip_prefix(PREFIX) else { continue };
            let parts: Vec<String> = written.split("__").map(str::to_ascii_lowercase).collect();
            let (last, above) = parts.split_last().expect("a split gives at least one part");
            let (section, key) = (above.join("."), parts.join("."));
            let source = Source::Environment(name.clone());
            let is_field = fields_of(&section).is_some_and(|fields| fields.contains(&last.as_str()));
            let known = !parts.iter().any(|part| part.contains('.'))
                && written == written.to_ascii_uppercase()
                && !schema::is_list(&section)
                && is_field;
            if !known {
                let near = if is_field { Some(key.clone()) } else { schema::suggestion(&section, last) };
                let hint = near.map(|near| format!("; did you mean `{}`?", variable(&near)));
                self.problem(key, source, format!("is not a setting{}", hint.unwrap_or_default()));
            } else if let Some(fields) = fields_of(&key) {
                let first = fields.first().copied().unwrap_or_default();
                let reason = format!(
                    "is a section; set its settings one by one, such as `{}`",
                    variable(&join(&key, first))
                );
                self.problem(key, source, reason);
            } else if text.contains('\u{fffd}') {
                self.problem(key, source, "is not UTF-8 text; set it again");
            } else {
                self.take_variable(key, text, source);
            }
        }
    }

    /// The environment wins over the file, also where one names a secret and the other the secret's file.
    fn take_variable(&mut self, key: String, text: String, source: Source) {
        for other in schema::file_key(&key).into_iter().chain(schema::secret_of(&key)) {
            if self.given.get(&other).is_some_and(|given| matches!(given.source, Source::File { .. })) {
                self.given.remove(&other);
            }
        }
        self.given.insert(key, Given { value: toml::Value::String(text), source, as_text: None });
    }

    /// Puts the contents of each `x_file` in place of `x`.
    fn read_secret_files(&mut self) {
        let named: Vec<(String, String)> =
            self.given.keys().filter_map(|key| Some((key.clone(), schema::secret_of(key)?))).collect();
        for (file_key, secret_key) in named {
            let Given { value: toml::Value::String(name), source, .. } = &self.given[&file_key] else {
                continue;
            };
            let (name, source) = (name.clone(), source.clone());
            if self.given.contains_key(&secret_key) {
                self.problem(file_key, source, format!("stands beside `{secret_key}`; keep one of the two"));
                continue;
            }
            match read_secret(&name) {
                Ok(secret) => {
                    let source = Source::SecretFile { path: PathBuf::from(name), named_by: Box::new(source) };
                    let value = toml::Value::String(secret.as_str().to_owned());
                    self.given.insert(secret_key, Given { value, source, as_text: None });
                }
                Err(reason) => {
                    self.problem(file_key, source, reason);
                    self.troubled.insert(secret_key);
                }
            }
        }
    }

    /// Every turn either ends or takes something away from what is given, so this ends.
    fn read_config(&mut self) -> Config {
        loop {
            let error = match serde_path_to_error::deserialize(toml::Value::Table(self.nested())) {
                Ok(config) => return config,
                Err(error) => error,
            };
            let (path, element) = self.place(error.path());
            let reason = error.inner().message().to_owned();
            let Some(key) = self.to_blame(&path) else {
                // Sections that lack a required setting, such as `server.tls` with one of two files.
                let source = self.take_section_away(&path);
                let known = source.is_some();
                let reason = reason.replace("missing field", "lacks the setting");
                self.problem(path, source.unwrap_or(Source::Default), reason);
                if known { continue } else { return Config::default() }
            };
            self.set_aside(&key, element, reason);
        }
    }

    /// What is given, as the sections see it; a limit that is set by half takes the rest from its default.
    fn nested(&self) -> toml::Table {
        let limits = flatten(&LimitsOnly { limits: Limits::default() });
        let given = self.given.iter().map(|(key, given)| (key.clone(), given.value.clone()));
        let mut top = toml::Table::new();
        for (key, value) in limits.into_iter().chain(given) {
            let mut table = &mut top;
            let mut parts = key.split('.').peekable();
            while let Some(part) = parts.next() {
                if parts.peek().is_none() {
                    table.insert(part.to_owned(), value);
                    break;
                }
                let below = table.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
                table = below.as_table_mut().expect("no setting is at once a section");
            }
        }
        for list in schema::LISTS {
            if let Some(toml::Value::Table(mut elements)) = top.remove(list) {
                let places = self.places(list);
                let in_order = places.iter().filter_map(|index| elements.remove(&index.to_string()));
                top.insert(list.to_owned(), toml::Value::Array(in_order.collect()));
            }
        }
        top
    }

    /// The places in a list at which something is given: not without gaps, for a variable names any place and what
    /// cannot be read is left out.
    fn places(&self, list: &str) -> Vec<usize> {
        let of_list = self.given.keys().filter_map(|key| {
            let (of, index) = schema::element_of(key.rsplit_once('.')?.0)?;
            (of == list).then_some(index)
        });
        of_list.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The setting where reading stopped, as it was given, and the element if it is a list of values.
    fn place(&self, path: &serde_path_to_error::Path) -> (String, Option<usize>) {
        let mut key = String::new();
        for segment in path {
            match segment {
                Segment::Map { key: name } => key = join(&key, name),
                Segment::Seq { index } if schema::is_list(&key) => {
                    let given = self.places(&key).get(*index).copied();
                    key = join(&key, &given.unwrap_or(*index).to_string());
                }
                Segment::Seq { index } => return (key, Some(*index)),
                Segment::Enum { .. } | Segment::Unknown => break,
            }
        }
        (key, None)
    }

    /// The name under which a setting of the result was given: of a list, elements may have been left out.
    fn as_given(&self, key: String) -> String {
        let given = key.rsplit_once('.').and_then(|(section, field)| {
            let (list, index) = schema::element_of(section)?;
            Some(join(&join(list, &self.places(list).get(index)?.to_string()), field))
        });
        given.unwrap_or(key)
    }

    /// The given setting that stands at `path` or above it.
    fn to_blame(&self, path: &str) -> Option<String> {
        let mut key = path;
        loop {
            if self.given.contains_key(key) {
                return Some(key.to_owned());
            }
            key = key.rsplit_once('.')?.0;
        }
    }

    /// Notes why the value of `key` cannot be taken and leaves it out. Of a list, only the bad element. A
    /// variable is first tried again as a TOML value: in the environment everything is text.
    fn set_aside(&mut self, key: &str, element: Option<usize>, reason: String) {
        let Some(given) = self.given.get_mut(key) else { return };
        if let (Source::Environment(_), toml::Value::String(text), None) =
            (&given.source, &given.value, &given.as_text)
            && let Ok(value) = text.parse::<toml::Value>()
            && !value.is_str()
        {
            given.value = value;
            given.as_text = Some(reason);
            return;
        }
        let source = given.source.clone();
        let reason = match (&given.as_text, &given.value) {
            (Some(as_text), value) if !value.is_array() => as_text.clone(),
            _ => reason,
        };
        let reason = advice(key, &reason);
        if let (Some(index), toml::Value::Array(list)) = (element, &mut given.value)
            && index < list.len()
        {
            list.remove(index);
            // Not troubled: the elements that are left are still to be checked.
            self.problems.push(Problem { key: key.to_owned(), source, reason });
        } else {
            self.given.remove(key);
            self.problem(key, source, reason);
        }
    }

    /// Leaves out everything below `section`; answers where its first value came from.
    fn take_section_away(&mut self, section: &str) -> Option<Source> {
        let below = format!("{section}.");
        let keys: Vec<String> = self.given.keys().filter(|key| key.starts_with(&below)).cloned().collect();
        keys.iter()
            .filter_map(|key| self.given.remove(key))
            .map(|given| given.source)
            .reduce(|first, _| first)
    }

    /// Without an issuer, the one on localhost has the port that is listened on, so that what is printed opens.
    fn follow_listener(&self, config: &mut Config) {
        let port = config.server.listen.port();
        if self.given.contains_key("issuer") || port == 0 {
            return;
        }
        let issuer = match (config.server.tls.is_some(), port) {
            (true, 443) => "https://localhost".to_owned(),
            (false, 80) => "http://localhost".to_owned(),
            (true, port) => format!("https://localhost:{port}"),
            (false, port) => format!("http://localhost:{port}"),
        };
        config.issuer = issuer.parse().expect("localhost with a port is a good issuer");
    }

    fn check(&mut self, config: &Config) {
        for (key, reason) in check(config) {
            let key = self.as_given(key);
            if !self.troubled.contains(&key) {
                let source = self.given.get(&key).map_or(Source::Default, |given| given.source.clone());
                self.problem(key, source, reason);
            }
        }
    }

    fn finish(mut self, config: Config) -> Result<Loaded, Problems> {
        if self.problems.is_empty() {
            let keys =
                flatten(&config).into_keys().chain(self.given.keys().cloned()).collect::<BTreeSet<_>>();
            let source = |key: String| {
                let given = self.given.get(&self.as_given(key.clone()))?;
                Some((key, given.source.clone()))
            };
            let sources = keys.into_iter().filter_map(source).collect();
            return Ok(Loaded { config, sources: Sources(sources) });
        }
        self.problems.sort_by(|a, b| a.key.cmp(&b.key));
        Err(Problems(self.problems))
    }
}

/// [`Limits`] under their section's name.
#[derive(serde::Serialize)]
struct LimitsOnly {
    limits: Limits,
}

/// The values of a serialised struct by their full names.
pub(super) fn flatten(of: &impl serde::Serialize) -> BTreeMap<String, toml::Value> {
    fn walk(section: &str, table: toml::Table, flat: &mut BTreeMap<String, toml::Value>) {
        for (name, value) in table {
            match value {
                toml::Value::Table(below) if fields_of(&join(section, &name)).is_some() => {
                    walk(&join(section, &name), below, flat);
                }
                toml::Value::Array(elements) if schema::is_list(&join(section, &name)) => {
                    for (index, element) in elements.into_iter().enumerate() {
                        if let toml::Value::Table(below) = element {
                            walk(&join(&join(section, &name), &index.to_string()), below, flat);
                        }
                    }
                }
                value => {
                    flat.insert(join(section, &name), value);
                }
            }
        }
    }
    let mut flat = BTreeMap::new();
    let table = toml::Table::try_from(of).expect("settings are texts, numbers, lists and tables of these");
    walk("", table, &mut flat);
    flat
}

/// Serde's reason and what to write instead. A secret's own value must not be repeated.
fn advice(key: &str, reason: &str) -> String {
    if schema::file_key(key).is_some() {
        return "must be text in quotes".to_owned();
    }
    if reason.contains("expected a sequence") {
        return format!("{reason}; write a list, such as `[\"192.0.2.1\", \"10.0.0.0/8\"]`");
    }
    match flatten(&Config::default()).get(key) {
        Some(default) if reason.starts_with("invalid") => format!("{reason}; write it like `{default}`"),
        _ => reason.to_owned(),
    }
}

/// The variable for a setting; of a list, for its first element.
fn variable(key: &str) -> String {
    let first = match key.split_once('.') {
        Some((list, field))
            if schema::is_list(list) && schema::fields_of(list).unwrap_or_default().contains(&field) =>
        {
            Some(format!("{list}.0.{field}"))
        }
        _ => None,
    };
    let key = first.as_deref().unwrap_or(key);
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn read_text(path: &Path) -> Result<Zeroizing<String>, String> {
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).map_err(|e| e.to_string())?;
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 > MAX_FILE {
        return Err("it is larger than 1 MiB".to_owned());
    }
    Ok(text)
}

fn read_secret(name: &str) -> Result<Zeroizing<String>, String> {
    let text = read_text(Path::new(name)).map_err(|reason| match looks_like_secret(name) {
        // The secret was written where its file belongs: what was meant as a path must not be printed.
        true => "looks like the secret itself; write the path of a file that holds it".to_owned(),
        false => format!("cannot read `{name}`: {reason}"),
    })?;
    match text.trim() {
        "" => Err(format!("`{name}` is empty; write the secret into it")),
        secret => Ok(Zeroizing::new(secret.to_owned())),
    }
}

fn looks_like_secret(name: &str) -> bool {
    name.contains("://") || master_key_weakness(&Secret::from_text(name)) != Some(WeakKey::Shape)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::config::{ForwardedHeader, RegistrationMode};

    const MASTER_KEY: &str = "qcgJ4vgGhOm87AQ8PSuFCjz1s7ZrtJ9p4D4Q9tUo3Hk=";
    const EXAMPLE: &str = include_str!("../../deploy/countersign.example.toml");

    /// Loads `toml` from a file (none if it is empty) with these variables. Problems name that file `F`.
    fn try_load(toml: &str, env: &[(&str, &str)]) -> Result<Loaded, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.toml");
        std::fs::write(&path, toml).unwrap();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let loaded = load((!toml.is_empty()).then_some(path.as_path()), env);
        loaded.map_err(|problems| problems.to_string().replace(path.to_str().unwrap(), "F"))
    }

    fn problems(toml: &str, env: &[(&str, &str)]) -> Vec<String> {
        try_load(toml, env).expect_err("there are problems").lines().map(str::to_owned).collect()
    }

    /// Each expected text stands in the problem at its place.
    fn assert_problems(toml: &str, env: &[(&str, &str)], expected: &[&str]) {
        let found = problems(toml, env);
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (problem, text) in found.iter().zip(expected) {
            assert!(problem.contains(text), "{problem}\nlacks {text}");
        }
    }

    #[test]
    fn nothing_set_gives_the_defaults() {
        let loaded = try_load("", &[("PATH", "/bin"), ("COUNTERSIGN_LOG", "debug")]).unwrap();
        assert_eq!(flatten(&loaded.config), flatten(&Config::default()));
        assert_eq!(loaded.sources.of("server.listen"), Source::Default);
    }

    #[test]
    fn the_environment_wins_and_sources_are_told() {
        let toml =
            "issuer = \"https://id.example.com\"\n[server]\nlisten = \"[::1]:80\"\n\n[log]\nlevel = \"warn\"";
        let loaded = try_load(toml, &[("COUNTERSIGN__LOG__LEVEL", "debug")]).unwrap();
        assert_eq!(loaded.config.log.level, "debug");
        assert_eq!(loaded.config.server.listen.to_string(), "[::1]:80");
        let source = |key| loaded.sources.of(key).to_string();
        assert!(source("issuer").ends_with("countersign.toml:1"), "{}", source("issuer"));
        assert!(source("server.listen").ends_with("countersign.toml:3"));
        assert_eq!(source("log.level"), "COUNTERSIGN__LOG__LEVEL");
        assert_eq!(source("log.format"), "default");
    }

    #[test]
    fn variables_take_the_type_of_their_setting() {
        let config = try_load(
            "",
            &[
                ("COUNTERSIGN__BRANDING__PRODUCT_NAME", "12345"),
                ("COUNTERSIGN__DATABASE__POOL", "7"),
                ("COUNTERSIGN__OUTBOUND__ALLOW_PRIVATE_NETWORK", "true"),
                ("COUNTERSIGN__SERVER__TRUSTED_PROXIES", r#"["10.0.0.0/8", "::1"]"#),
                ("COUNTERSIGN__SERVER__FORWARDED_HEADER", "forwarded"),
                ("COUNTERSIGN__SERVER__WORKERS", "3"),
                ("COUNTERSIGN__REGISTRATION__MODE", "invited"),
                ("COUNTERSIGN__LIMITS__LOGIN_FAILURES__COUNT", "3"),
                ("COUNTERSIGN__KEYS__MASTER_KEY", MASTER_KEY),
                ("COUNTERSIGN__MAIL__FROM", "ada@example.com"),
            ],
        )
        .unwrap()
        .config;
        assert_eq!(config.branding.product_name, "12345");
        assert_eq!(config.database.pool.get(), 7);
        assert!(config.outbound.allow_private_network);
        assert_eq!(config.server.trusted_proxies.len(), 2);
        assert_eq!(config.server.forwarded_header, ForwardedHeader::Forwarded);
        assert_eq!(config.server.workers.map(|n| n.get()), Some(3));
        assert_eq!(config.registration_mode(), RegistrationMode::Invited);
        assert_eq!(config.limits.login_failures.count, 3);
        assert_eq!(config.limits.login_failures.per, Duration::from_secs(900));
        assert_eq!(config.keys.master_key.as_ref().map(Secret::expose), Some(MASTER_KEY));
        assert_eq!(config.mail_from().address.as_str(), "ada@example.com");
    }

    #[test]
    fn the_file_may_be_named_by_a_variable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "log.format = \"json\"").unwrap();
        let env = [(CONFIG_VARIABLE.to_owned(), path.to_str().unwrap().to_owned())];
        let loaded = load(None, env.into_iter()).unwrap();
        assert_eq!(loaded.config.log.format, crate::config::LogFormat::Json);
    }

    #[test]
    fn an_unset_issuer_has_the_port_that_is_listened_on() {
        for (listen, issuer) in [
            ("127.0.0.1:8080", "http://localhost:8080"),
            ("0.0.0.0:9000", "http://localhost:9000"),
            ("[::]:80", "http://localhost"),
            ("127.0.0.1:0", "http://localhost:8080"),
        ] {
            let loaded = try_load("", &[("COUNTERSIGN__SERVER__LISTEN", listen)]).unwrap();
            assert_eq!(loaded.config.issuer.as_str(), issuer, "{listen}");
        }
    }

    #[test]
    fn bu_5_all_problems_at_once() {
        let toml = r#"
issuer = "https://id.example.com/"
isuer = 1
[server]
lissten = "x"
listen = "localhost:80"
trusted_proxies = ["10.0.0.0/8", "proxy", "0.0.0.0/0", "router"]
[server.tls]
cert_file = "/nowhere"
[database]
url = "mysql://u:hunter2@db/x"
pool = 0
[lifetimes]
code = "61s"
par = 60
access = "15 minutes"
[password]
min_length = 7
[limits]
login_failures = { count = 0 }
[colour]
x = 1
"#;
        let env = [
            ("COUNTERSIGN__KEYS__MASTER_KEY", "hunter2"),
            ("COUNTERSIGN__SERVER__WORKERS", "many"),
            ("COUNTERSIGN__SERVER__WORKRES", "1"),
            ("COUNTERSIGN__LIMITS__MAIL_PER_IP", "3"),
            ("COUNTERSIGN__log__LEVEL", "info"),
            ("COUNTERSIGN__MAIL__URL_FILE", "/nowhere/mail"),
        ];
        let expected = [
            "colour (F:21): is not a setting",
            "database.pool (F:12): invalid value: integer `0`, expected a nonzero u32; write it like `10`",
            "database.url (F:11): is neither `sqlite:PATH` nor `postgres://",
            "issuer (F:2): ends in `/`; remove the trailing slash",
            "isuer (F:3): is not a setting; did you mean `issuer`?",
            "keys.master_key (COUNTERSIGN__KEYS__MASTER_KEY): it must be base64 of exactly 32 random bytes",
            "lifetimes.access (F:16): `15 minutes` is not a duration",
            "lifetimes.code (F:14): is 1m1s; it must be from 1s to 1m",
            "lifetimes.par (F:15): invalid type: integer `60`, expected a string; write it like `\"1m\"`",
            "limits.login_failures.count (F:20): must be 1 or more",
            "limits.mail_per_ip (COUNTERSIGN__LIMITS__MAIL_PER_IP): is a section; set its settings one by one, such \
             as `COUNTERSIGN__LIMITS__MAIL_PER_IP__COUNT`",
            "log.level (COUNTERSIGN__log__LEVEL): is not a setting; did you mean `COUNTERSIGN__LOG__LEVEL`?",
            "mail.url_file (COUNTERSIGN__MAIL__URL_FILE): cannot read `/nowhere/mail`: No such file",
            "password.min_length (F:18): is 7; it must be from 8 to 64",
            "server.lissten (F:5): is not a setting; did you mean `server.listen`?",
            "server.listen (F:6): `localhost:80` is not an IP address with a port",
            "server.tls (F:9): lacks the setting `key_file`",
            "server.trusted_proxies (F:7): `proxy` is not an IP address or network",
            "server.trusted_proxies (F:7): `router` is not an IP address or network",
            "server.trusted_proxies (F:7): `0.0.0.0/0` lets strangers",
            "server.workers (COUNTERSIGN__SERVER__WORKERS): invalid type: string \"many\", expected a nonzero usize",
            "server.workres (COUNTERSIGN__SERVER__WORKRES): is not a setting; did you mean \
             `COUNTERSIGN__SERVER__WORKERS`?",
        ];
        assert_problems(toml, &env, &expected);
    }

    #[test]
    fn bu_5_what_is_refused_alone() {
        let cases: [(&str, &str); 26] = [
            ("issuer = \"http://id.example.com\"", "issuer (F:1): uses http on a public host"),
            ("issuer = [", "F:1: is not valid TOML"),
            ("[issuer]", "issuer (F:1): invalid type: map, expected a string"),
            ("server = 5", "server (F:1): is a section and holds listen,"),
            ("[[server]]", "server (F:1): is a section and holds listen,"),
            ("\"server.listen\" = \"127.0.0.1:1\"", "server.listen (F:1): is not a setting"),
            ("[server]\nforwarded_header = \"x-real-ip\"", "`x-forwarded-for` or `forwarded`"),
            ("[server]\nmetrics_listen = \"127.0.0.1:8080\"", "is the same as `server.listen`"),
            ("[server]\nconsole_listen = \"127.0.0.1:8080\"", "is the same as `server.listen`"),
            ("[database]\nurl = \"sqlite:\"", "names no file"),
            ("[database]\nurl = \"sqlite://data/x.db\"", "slashes"),
            ("[database]\nurl = \"sqlite::memory:\"", "would be lost"),
            ("[database]\nurl = \"data/x.db\"", "is neither"),
            (
                "[database]\nurl = \"a\"\nurl_file = \"b\"",
                "database.url_file (F:3): stands beside `database.url`",
            ),
            (
                "[keys]\nmaster_key = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
                "its bytes are not random",
            ),
            ("[keys]\nrotate_every = \"1h\"", "must be shorter than `keys.rotate_every`"),
            ("[lifetimes]\nrefresh_grace = \"61s\"", "from 0s to 1m"),
            ("[lifetimes]\nmagic = \"16m\"", "from 1s to 15m"),
            ("[lifetimes]\nsession_idle = \"25h\"", "must not be longer than `lifetimes.session_max`"),
            ("[password]\nmemory_kib = 19455", "from 19456"),
            ("[password]\npasses = -1", "expected u32"),
            ("[mail]\nurl = \"mail.example.com\"", "is not a mail server's URL"),
            ("[mail]\nfrom = \"Ada\"", "not a single e-mail address"),
            ("[log]\nlevel = \"a=b=c\"", "write it like `info`"),
            ("[branding]\nproduct_name = \"a\\nb\"", "1 to 60 characters on one line"),
            ("[outbound]\nextra_ca_file = \"/\"", "`/` is a folder"),
        ];
        for (toml, expected) in cases {
            let found = problems(toml, &[]);
            assert!(found.iter().any(|problem| problem.contains(expected)), "{toml}\n{found:#?}");
        }
        assert_problems(
            "[provider]\n",
            &[],
            &["provider (F:1): is not a setting; did you mean `providers`?"],
        );
        let missing = load(Some(Path::new("/nowhere/c.toml")), std::iter::empty()).unwrap_err().to_string();
        assert!(missing.starts_with("/nowhere/c.toml: cannot be read: No such file"), "{missing}");
    }

    #[test]
    fn a_public_issuer_needs_mail_only_if_people_are_sent_links() {
        let public = ("COUNTERSIGN__ISSUER", "https://id.example.com");
        assert!(try_load("", &[public]).is_ok());
        assert!(try_load("", &[public, ("COUNTERSIGN__REGISTRATION__MODE", "closed")]).is_ok());
        for mode in ["open", "invited"] {
            let mode_set = ("COUNTERSIGN__REGISTRATION__MODE", mode);
            let expected = format!("while `registration.mode` is `{mode}`");
            assert_problems("", &[public, mode_set], &[&expected]);
            assert!(
                try_load("", &[public, mode_set, ("COUNTERSIGN__MAIL__URL", "smtps://mail.example.com")])
                    .is_ok()
            );
        }
        // A file that cannot be read may hold what is missing: only the file is blamed.
        assert_problems(
            "[",
            &[public, ("COUNTERSIGN__REGISTRATION__MODE", "open")],
            &["F:1: is not valid TOML"],
        );
    }

    #[test]
    fn a_public_issuer_keeps_the_limit_per_account() {
        let raised = ("COUNTERSIGN__LIMITS__LOGIN_PER_ACCOUNT__COUNT", "101");
        assert!(try_load("", &[raised]).is_ok());
        assert_problems("", &[raised, ("COUNTERSIGN__ISSUER", "https://id.example.com")], &["at most 100"]);
    }

    #[test]
    fn tk_10_a_public_issuer_publishes_keys_before_the_slowest_node_signs() {
        let short = ("COUNTERSIGN__KEYS__PUBLISH_AHEAD", "9m");
        assert!(try_load("", &[short]).is_ok());
        assert_problems(
            "",
            &[short, ("COUNTERSIGN__ISSUER", "https://id.example.com")],
            &["must be 10m or more"],
        );
    }

    #[test]
    fn secrets_come_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        let name = file.to_str().unwrap();
        std::fs::write(&file, " postgres://u:hunter2@db/id\n").unwrap();
        let loaded = try_load(&format!("[database]\nurl_file = {name:?}"), &[]).unwrap();
        assert_eq!(loaded.config.database.url.expose(), "postgres://u:hunter2@db/id");
        assert!(loaded.sources.of("database.url").to_string().contains("countersign.toml:2"));

        // The environment wins over the file, whichever of the two settings each uses.
        let loaded = try_load(
            &format!("[database]\nurl_file = {name:?}"),
            &[("COUNTERSIGN__DATABASE__URL", "sqlite:a.db")],
        )
        .unwrap();
        assert_eq!(loaded.config.database.label(), "sqlite:a.db");
        let loaded =
            try_load("[database]\nurl = \"sqlite:a.db\"", &[("COUNTERSIGN__DATABASE__URL_FILE", name)])
                .unwrap();
        assert_eq!(loaded.config.database.label(), "postgres://db/id");

        std::fs::write(&file, " \n").unwrap();
        assert_problems("", &[("COUNTERSIGN__DATABASE__URL_FILE", name)], &["is empty"]);
        assert_problems(
            "",
            &[("COUNTERSIGN__DATABASE__URL", "sqlite:a"), ("COUNTERSIGN__DATABASE__URL_FILE", name)],
            &["stands beside `database.url`"],
        );
    }

    #[test]
    fn lo_2_no_secret_in_problems_debug_or_listing() {
        let wrong: [(&str, &[(&str, &str)]); 8] = [
            ("[database]\nurl = 5551234", &[]),
            ("[database]\nurl = \"mysql://u:5551234@db\"", &[]),
            ("[keys]\nmaster_key = \"5551234\"", &[]),
            ("[keys]\nmaster_key = 5551234", &[]),
            ("[keys]\nmaster_key = \"5551234\"\nmaster_key = 5551234", &[]),
            ("[mail]\nurl = smtp://u:5551234@x", &[]),
            ("", &[("COUNTERSIGN__MAIL__URL", "5551234\u{fffd}")]),
            ("", &[("COUNTERSIGN__MAIL__URL_FILE", "smtp://u:5551234@x")]),
        ];
        for (toml, env) in wrong {
            let found = problems(toml, env).join("\n");
            assert!(!found.contains("5551234"), "{found}");
        }
        assert_problems(
            "",
            &[("COUNTERSIGN__KEYS__MASTER_KEY_FILE", MASTER_KEY)],
            &["looks like the secret itself"],
        );

        let toml = format!(
            "[database]\nurl = \"postgres://u:5551234@db/id\"\n[keys]\nmaster_key = \"{MASTER_KEY}\"\n\
             [mail]\nurl = \"smtps://u:5551234@mail.example.com\""
        );
        let loaded = try_load(&toml, &[]).unwrap();
        let settings = loaded.settings();
        let shown = format!("{loaded:?} {settings:?} {:?}", flatten(&loaded.config));
        assert!(!shown.contains("5551234") && !shown.contains(MASTER_KEY), "{shown}");
        let value = |key: &str| settings.iter().find(|s| s.key == key).map(|s| s.value.as_str());
        assert_eq!(value("keys.master_key"), Some("(set)"));
        assert_eq!(value("mail.url"), Some("(set)"));
        assert_eq!(value("database.url"), Some("postgres://db/id"));
        assert_eq!(value("mail.from"), Some("(not set)"));
        assert_eq!(value("lifetimes.access"), Some("15m"));
    }

    const TWO_PROVIDERS: &str = r#"
[[providers]]
id = "google"
kind = "google"
client_id = "us"
client_secret = "5551234"
first_sign_in = "refuse"

[[providers]]
id = "corp"
kind = "oidc"
client_id = "us"
issuer = "https://idp.example.com"
scopes = ["groups"]
"#;

    #[test]
    fn providers_are_a_list_that_variables_can_complete() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "from a file\n").unwrap();
        let env = [
            ("COUNTERSIGN__PROVIDERS__0__CLIENT_SECRET_FILE", file.to_str().unwrap()),
            ("COUNTERSIGN__PROVIDERS__1__NAME", "Corp"),
            // A place of its own, with a gap before it.
            ("COUNTERSIGN__PROVIDERS__7__ID", "ms"),
            ("COUNTERSIGN__PROVIDERS__7__KIND", "microsoft"),
            ("COUNTERSIGN__PROVIDERS__7__CLIENT_ID", "us"),
            ("COUNTERSIGN__PROVIDERS__7__CLIENT_SECRET", "5551234"),
            ("COUNTERSIGN__PROVIDERS__7__TENANTS", r#"["any"]"#),
            ("COUNTERSIGN__PROVIDERS__7__ALLOW_PRIVATE_NETWORK", "true"),
        ];
        let loaded = try_load(TWO_PROVIDERS, &env).unwrap();
        let ids: Vec<&str> = loaded.config.providers.iter().map(|provider| provider.id.as_str()).collect();
        assert_eq!(ids, ["google", "corp", "ms"]);
        let secret = |index: usize| loaded.config.providers[index].client_secret.as_ref().map(Secret::expose);
        assert_eq!((secret(0), secret(1), secret(2)), (Some("from a file"), None, Some("5551234")));
        assert_eq!(loaded.config.providers[1].label(), "Corp");
        assert!(loaded.config.providers[2].allow_private_network);

        let settings = loaded.settings();
        let setting = |key: &str| {
            let found = settings.iter().find(|setting| setting.key == key).expect(key);
            (found.value.clone(), found.source.to_string())
        };
        assert_eq!(setting("providers.2.client_secret").0, "(set)");
        assert_eq!(setting("providers.2.id"), ("ms".to_owned(), "COUNTERSIGN__PROVIDERS__7__ID".to_owned()));
        assert!(setting("providers.1.issuer").1.ends_with("countersign.toml:13"), "{settings:?}");
        assert!(!format!("{loaded:?} {settings:?}").contains("5551234"), "LO-2");
    }

    #[test]
    fn bu_5_every_problem_of_every_provider() {
        let toml = r#"
[[providers]]
id = "google"
kind = "facebook"
client_id = "us"

[[providers]]
kind = "oidc"
client_id = "us"
clientsecret = "5551234"

[[providers]]
id = "ms"
kind = "microsoft"
client_id = "us"
client_secret = 5551234
tenants = ["contoso.com"]

[[providers]]

[[providers]]
id = "ms"
kind = "oidc"
client_id = "us"
issuer = "http://idp.example.com"
"#;
        let env = [("COUNTERSIGN__PROVIDERS", "x"), ("COUNTERSIGN__PROVIDERS__ID", "x")];
        let expected = [
            "providers (COUNTERSIGN__PROVIDERS): is a section; set its settings one by one, such as \
             `COUNTERSIGN__PROVIDERS__0__ID`",
            "providers.0 (F:5): lacks the setting `kind`",
            "providers.0.kind (F:4): expected one of google, microsoft, oidc",
            "providers.1 (F:9): lacks the setting `id`",
            "providers.1.clientsecret (F:10): is not a setting; did you mean `providers.1.client_secret`?",
            "providers.2.client_secret (F:16): must be text in quotes",
            "providers.2.tenants (F:17): must hold tenant ids",
            "providers.3 (F:19): holds nothing; write it as `[[providers]]`",
            "providers.4.id (F:22): `ms` is the id of another provider",
            "providers.4.issuer (F:25): must be https",
            "providers.id (COUNTERSIGN__PROVIDERS__ID): is not a setting; did you mean `COUNTERSIGN__PROVIDERS__0__ID`?",
        ];
        assert_problems(toml, &env, &expected);
        let found = problems(toml, &env).join("\n");
        assert!(!found.contains("5551234"), "LO-2: {found}");
        assert_problems(
            "[providers]\nid = \"x\"",
            &[],
            &["providers (F:1): is a list; write each of its elements"],
        );
        assert_problems("providers = 5", &[], &["providers (F:1): is a list"]);
        assert_problems("providers = [5]", &[], &["providers.0 (F:1): holds nothing"]);
    }

    #[test]
    fn a_problem_stays_on_its_line() {
        let found = problems("\"a\\nissuer (F:1): fine\\u001b[0m\" = 1", &[]);
        assert_eq!(found, ["a\\nissuer (F:1): fine\\u{1b}[0m (F:1): is not a setting"]);
    }

    #[test]
    fn the_example_is_the_defaults_and_names_every_setting() {
        let loaded = try_load(EXAMPLE, &[]).unwrap();
        assert_eq!(flatten(&loaded.config), flatten(&Config::default()));
        assert_eq!(loaded.config.database.url.expose(), Config::default().database.url.expose());

        // A setting that is commented out has no space behind its `#`; prose has one.
        let all: String = EXAMPLE
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
            .flat_map(|line| [line, "\n"])
            .collect();
        let mentioned: Vec<String> = flatten(&all.parse::<toml::Table>().unwrap())
            .into_keys()
            .map(|key| key.replace(".0.", "."))
            .collect();
        assert_eq!(mentioned, schema::keys());
    }

    #[test]
    fn every_default_is_a_known_key_and_passes_every_check() {
        let keys = schema::keys();
        for (key, value) in flatten(&Config::default()) {
            assert!(keys.contains(&key), "{key}");
            assert!(!value.is_table(), "{key} is a section that the schema does not know");
        }
        assert_eq!(check(&Config::default()), []);
    }

    proptest! {
        #[test]
        fn no_text_panics_the_loader(
            toml in ".*",
            name in "COUNTERSIGN__[A-Z_.]{0,20}",
            value in ".*",
            index in any::<prop::sample::Index>(),
        ) {
            let _ = try_load(&toml, &[(&name, &value)]);
            let keys = schema::keys();
            let key = index.get(&keys);
            let variable = variable(key);
            let _ = try_load("", &[(&variable, &value)]);
            let _ = try_load(&format!("{key} = {value}"), &[]);
            let _ = try_load(&format!("{key} = {value:?}"), &[]);
            let _ = try_load(&format!("[{key}]\nx = {value:?}\n[[{key}.y]]"), &[]);
        }
    }
}
