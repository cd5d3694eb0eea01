//! Reading: file and environment into one flat map of settings, each with its source, and that into a [`Config`].
//!
//! Nothing stops at the first problem: a value that cannot be taken is noted, left out, and the rest is read on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_path_to_error::Segment;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::check::check;
use super::problem::{Problem, Problems, Source, Sources};
use super::schema::{self, fields_of, join};
use super::sections::{Config, Limits};

/// The variable that names the configuration file where the command line does not.
pub const CONFIG_VARIABLE: &str = "COUNTERSIGN_CONFIG";

const PREFIX: &str = "COUNTERSIGN__";

/// No configuration and no secret is larger than this; a device file is.
const MAX_FILE: u64 = 1024 * 1024;

/// A configuration without problems, and where its values came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    pub sources: Sources,
}

/// One setting in force, fit to be shown: a secret reads `(set)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub key: String,
    pub value: String,
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
            .map(|key| Setting { value: shown(&key), source: self.sources.of(&key), key })
            .collect()
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

    fn read_environment(&mut self, env: BTreeMap<String, String>) {
        for (name, text) in env {
            let Some(written) = name.strip_prefix(PREFIX) else { continue };
            let parts: Vec<String> = written.split("__").map(str::to_ascii_lowercase).collect();
            let (last, above) = parts.split_last().expect("a split gives at least one part");
            let (section, key) = (above.join("."), parts.join("."));
            let source = Source::Environment(name.clone());
            let known = !parts.iter().any(|part| part.contains('.'))
                && written == written.to_ascii_uppercase()
                && fields_of(&section).is_some_and(|fields| fields.contains(&last.as_str()));
            if !known {
                let near = if fields_of(&section).is_some_and(|fields| fields.contains(&last.as_str())) {
                    Some(key.clone())
                } else {
                    schema::suggestion(&section, last)
                };
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
            let (path, element) = place(error.path());
            let reason = error.inner().message().to_owned();
            let Some(key) = self.to_blame(&path) else {
                // Sections that lack a required setting, such as `server.tls` with one of two files.
                let source = self.take_section_away(&path);
                let known = source.is_some();
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
        top
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
        let left = match (element, &mut given.value) {
            (Some(index), toml::Value::Array(list)) if index < list.len() => {
                list.remove(index);
                true
            }
            _ => false,
        };
        if !left {
            self.given.remove(key);
        }
        self.problem(key, source, advice(key, &reason));
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
            if !self.troubled.contains(&key) {
                let source = self.given.get(&key).map_or(Source::Default, |given| given.source.clone());
                self.problem(key, source, reason);
            }
        }
    }

    fn finish(mut self, config: Config) -> Result<Loaded, Problems> {
        if self.problems.is_empty() {
            let sources = self.given.into_iter().map(|(key, given)| (key, given.source)).collect();
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
                toml::Value::Table(below) => walk(&join(section, &name), below, flat),
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

/// The setting where reading stopped, and the element if it is a list.
fn place(path: &serde_path_to_error::Path) -> (String, Option<usize>) {
    let mut key = String::new();
    for segment in path {
        match segment {
            Segment::Map { key: name } => key = join(&key, name),
            Segment::Seq { index } => return (key, Some(*index)),
            Segment::Enum { .. } | Segment::Unknown => break,
        }
    }
    (key, None)
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

fn variable(key: &str) -> String {
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
    if looks_like_secret(name) {
        // The mistake is to write the secret where its file belongs: then the "path" must not be printed.
        return Err("looks like the secret itself; write the path of a file that holds it".to_owned());
    }
    let text = read_text(Path::new(name)).map_err(|reason| format!("cannot read `{name}`: {reason}"))?;
    match text.trim() {
        "" => Err(format!("`{name}` is empty; write the secret into it")),
        secret => Ok(Zeroizing::new(secret.to_owned())),
    }
}

fn looks_like_secret(name: &str) -> bool {
    let bytes = base64::engine::general_purpose::STANDARD.decode(name);
    name.contains("://") || bytes.is_ok_and(|bytes| bytes.len() == 32)
}
