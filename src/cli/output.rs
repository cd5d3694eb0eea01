//! What commands print: aligned tables for people, JSON for programs.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use super::Failure;

/// Where answers go: standard output, in one of two forms.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    pub json: bool,
}

impl Output {
    /// Prints the text for people, or the value for programs.
    pub fn answer(self, text: &str, value: &impl Serialize) -> Result<(), Failure> {
        if self.json { self.value(value) } else { self.line(text) }
    }

    /// Prints a list: as a table with these columns, or as a JSON array.
    pub fn list<T: Serialize>(
        self,
        items: &[T],
        columns: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), Failure> {
        if self.json {
            return self.value(&items);
        }
        let mut rows: Vec<Vec<String>> = Vec::new();
        if !columns.is_empty() {
            rows.push(columns.iter().map(|column| (*column).to_owned()).collect());
        }
        rows.extend(items.iter().map(row));
        self.line(&table(&rows))
    }

    /// Prints names with their values, one a line, or the value for programs.
    pub fn facts(self, facts: &[(&str, String)], value: &impl Serialize) -> Result<(), Failure> {
        let rows: Vec<Vec<String>> =
            facts.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
        self.answer(&table(&rows), value)
    }

    pub fn value(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::Failed(format!("cannot write the answer as JSON: {error}")))?;
        self.line(&text)
    }

    /// Prints a line. A reader that has gone away (`| head`) is not an error of ours.
    pub fn line(self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::ReaderGone),
            Err(error) => Err(Failure::Failed(format!("cannot write to standard output: {error}"))),
        }
    }
}

/// Columns two spaces apart, without trailing spaces. What stands in a cell cannot move the cursor (CH-5).
fn table(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a String cannot fail.
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// The text with control characters and those that reverse its direction written as escapes.
pub fn plain(text: &str) -> String {
    let unsafe_char =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.chars().any(unsafe_char) {
        return text.to_owned();
    }
    text.chars().fold(String::new(), |mut plain, c| {
        if unsafe_char(c) {
            plain.extend(c.escape_default())
        } else {
            plain.push(c)
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["ID", "NAME"], vec!["1", "Ada"], vec!["22", ""], vec!["3", "Grüße", "more"]];
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        assert_eq!(table(&rows), "ID  NAME\n1   Ada\n22\n3   Grüße  more");
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn ch_5_what_is_shown_stays_in_its_cell() {
        for (text, shown) in
            [("Ada", "Ada"), ("a\nb", "a\\nb"), ("\u{1b}[2J", "\\u{1b}[2J"), ("x\u{202e}y", "x\\u{202e}y")]
        {
            assert_eq!(plain(text), shown);
        }
    }
}
