//! Lists of the console in pages: after a key, never by number (OR-7), with what was looked for kept in the address.

use std::fmt::Display;
use std::str::FromStr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::protocol::Params;
use crate::web::failure::PageFailure;

/// Rows on one page.
pub const SIZE: usize = 50;
/// For a query: one more than a page shows, to know whether anything follows.
pub const LIMIT: i64 = SIZE as i64 + 1;

/// What part of a list somebody looks at.
pub struct List<'a> {
    path: &'a str,
    query: &'a Params,
    /// The parameters that say what is looked for.
    kept: &'a [&'a str],
}

impl<'a> List<'a> {
    pub fn new(path: &'a str, query: &'a Params, kept: &'a [&'a str]) -> Self {
        Self { path, query, kept }
    }

    /// The row after which this page begins.
    pub fn after<Id: FromStr>(&self) -> Result<Option<Id>, PageFailure> {
        self.query.get("after").map(|id| id.parse().map_err(|_| PageFailure::NotFound)).transpose()
    }

    /// Leaves one page of the rows; the addresses of the next page and of the first.
    pub fn cut<T, Id: Display>(
        &self,
        rows: &mut Vec<T>,
        id: impl Fn(&T) -> Id,
    ) -> (Option<String>, Option<String>) {
        let more = rows.len() > SIZE;
        rows.truncate(SIZE);
        let next = rows.last().filter(|_| more).map(|last| self.at(Some(&id(last).to_string())));
        let first = self.query.get("after").is_some().then(|| self.at(None));
        (next, first)
    }

    /// The address of the part after this row.
    fn at(&self, after: Option<&str>) -> String {
        let encode = |value: &str| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        let kept = self.kept.iter().filter_map(|name| Some((*name, self.query.get(name)?)));
        let pairs: Vec<String> = kept
            .chain(after.map(|after| ("after", after)))
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        match pairs.is_empty() {
            true => self.path.to_owned(),
            false => format!("{}?{}", self.path, pairs.join("&")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn or_7_what_was_looked_for_stays_in_the_addresses_of_the_pages() {
        let query = Params::parse(b"q=a%26b&status=&other=1&after=usr_1").expect("parameters");
        let list = List::new("/admin/users", &query, &["q", "status"]);
        let mut rows: Vec<usize> = (0..=SIZE).collect();
        let (next, first) = list.cut(&mut rows, |row| *row);
        assert_eq!(rows.len(), SIZE);
        assert_eq!(next.as_deref(), Some("/admin/users?q=a%26b&after=49"));
        assert_eq!(first.as_deref(), Some("/admin/users?q=a%26b"));

        let mut rows = vec![1];
        let query = Params::default();
        let list = List::new("/admin/users", &query, &["q"]);
        assert_eq!(list.cut(&mut rows, |row| *row), (None, None));
    }
}
