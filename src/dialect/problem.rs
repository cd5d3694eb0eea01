//! What is wrong with a dialect's file, and at which place of it.

use std::fmt;
use std::ops::Range;

/// One thing to put right, with its place. Shown as `FILE:LINE:COLUMN: what is wrong`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, or the name of a dialect that ships with the program.
    pub source: String,
    /// Counted from 1, in characters.
    pub place: Option<(usize, usize)>,
    pub reason: String,
}

impl Problem {
    pub(super) fn at(source: &str, text: &str, span: &Range<usize>, reason: String) -> Self {
        Self { source: source.to_owned(), place: Some(place(text, span.start)), reason }
    }

    pub(super) fn of(source: &str, reason: impl Into<String>) -> Self {
        Self { source: source.to_owned(), place: None, reason: reason.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.source)?;
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        // A key may hold anything; what is printed stays on its line.
        f.write_str(" ")?;
        self.reason.chars().try_for_each(|c| match c.is_control() {
            true => write!(f, "{}", c.escape_default()),
            false => write!(f, "{c}"),
        })
    }
}

/// Everything that is wrong, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}

fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    (line, column)
}
