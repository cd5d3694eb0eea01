//! What is wrong with a configuration, and where each value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File {
        /// As it was named.
        path: PathBuf,
        /// Counted from 1; 0 where the whole file is meant.
        line: usize,
    },
    /// An environment variable, by its name.
    Environment(String),
    /// A file that a setting `x_file` names.
    SecretFile {
        /// As it was named.
        path: PathBuf,
        /// Where the setting `x_file` stands.
        named_by: Box<Source>,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: 0 } => write!(f, "{}", path.display()),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::SecretFile { path, named_by } => write!(f, "{} (named by {named_by})", path.display()),
        }
    }
}

/// The source of every setting that somebody set.
#[derive(Clone, Debug, Default)]
pub struct Sources(pub(super) BTreeMap<String, Source>);

impl Sources {
    /// Where the value of `key` (such as `server.listen`) came from.
    pub fn of(&self, key: &str) -> Source {
        self.0.get(key).cloned().unwrap_or(Source::Default)
    }
}

/// One thing to put right before the server can start. Never holds a secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting, such as `server.listen`; empty where a whole source is meant.
    pub key: String,
    /// Where the value came from.
    pub source: Source,
    /// What is wrong and what to do about it.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self.key.as_str() {
            "" => format!("{}: {}", self.source, self.reason),
            key => format!("{key} ({}): {}", self.source, self.reason),
        };
        // A key or value may hold anything; what is printed stays on its line.
        for c in line.chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}

/// Everything that is wrong, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
