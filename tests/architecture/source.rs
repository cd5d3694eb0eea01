//! Files as the rules read them: Rust without its comments, its texts and its tests.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of the repository.
pub struct Source {
    /// From the repository's root, with `/`.
    pub path: String,
    pub text: String,
    /// The text of a Rust file with comments, the insides of literals and test-only items blanked out.
    pub code: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") { without_tests(&without_words(text)) } else { text.to_owned() };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// The first folder or file below `src/`: the room that this file belongs to.
    pub fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        Some(inside.split('/').next()?.trim_end_matches(".rs"))
    }

    /// How many modules deep the file is: `src/app.rs` and `src/keys/mod.rs` 1, `src/keys/jwk.rs` 2.
    pub fn depth(&self) -> usize {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split('/').filter(|part| !["mod.rs", "lib.rs", "main.rs"].contains(part)).count()
    }

    /// The lines of the code (number from 1, text) in which the word stands by itself.
    pub fn lines_with<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.code
            .lines()
            .enumerate()
            .filter(move |(_, line)| has_word(line, word))
            .map(|(index, _)| index + 1)
    }
}

/// Every file below the repository's `folder`, without what `.gitignore` keeps out.
pub fn files(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(folder), &mut found);
    found.sort();
    found
        .iter()
        .filter_map(|path| {
            let text = String::from_utf8(fs::read(path).unwrap()).ok()?;
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            Some(Source::new(name.trim_start_matches('/'), &text))
        })
        .collect()
}

/// The Rust files below `src/` without those that exist for tests only.
pub fn crate_sources() -> Vec<Source> {
    let all: Vec<Source> = files("src").into_iter().filter(|source| source.path.ends_with(".rs")).collect();
    let for_tests: Vec<String> = all.iter().flat_map(test_modules).collect();
    all.into_iter().filter(|source| !for_tests.contains(&source.path)).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    const LEFT_OUT: [&str; 7] =
        [".git", ".venv", "__pycache__", "data", "master.key", "node_modules", "target"];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if LEFT_OUT.contains(&name) {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The files of modules that their parent declares under `#[cfg(test)]`.
fn test_modules(parent: &Source) -> Vec<String> {
    let folder = match parent.path.rsplit_once('/') {
        Some((folder, "mod.rs" | "lib.rs")) => folder.to_owned(),
        _ => parent.path.trim_end_matches(".rs").to_owned(),
    };
    let lines: Vec<&str> = parent.text.lines().map(str::trim).collect();
    lines
        .windows(2)
        .filter(|pair| pair[0] == "#[cfg(test)]")
        .filter_map(|pair| pair[1].strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name))
        .map(|name| format!("{folder}/{name}.rs"))
        .collect()
}

pub fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(part_of_word) && !line[at + word.len()..].starts_with(part_of_word)
    })
}

/// Blanks comments and the insides of text and character literals; lines stay where they are.
fn without_words(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = literal_or_comment(rest, code.chars().next_back());
        let (taken, after) = rest.split_at(length.unwrap_or(first.len_utf8()));
        match length {
            None => code.push_str(taken),
            Some(_) => code.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
        }
        rest = after;
    }
    code
}

/// How long the comment or literal is with which `rest` begins, if it begins with one.
fn literal_or_comment(rest: &str, before: Option<char>) -> Option<usize> {
    let until =
        |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(until("*/", 2));
    }
    if let Some(raw) =
        rest.strip_prefix('r').filter(|_| !before.is_some_and(|c| c.is_alphanumeric() || c == '_'))
    {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return Some(until(&format!("\"{}", "#".repeat(hashes)), hashes + 2));
        }
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, '"'));
    }
    // A lifetime has no second quote where a character has one.
    let mut chars = rest.strip_prefix('\'')?.chars();
    let character = chars.next()?;
    (character == '\\' || chars.next() == Some('\'')).then(|| quoted(rest, '\''))
}

/// The length of a literal between these quotes, with its escapes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Blanks items under `#[cfg(test)]`. Works on code without words, where every brace counts.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        let (before, item) = rest.split_at(at);
        kept.push_str(before);
        let (item, after) = item.split_at(item_length(item));
        kept.extend(item.chars().filter(|c| *c == '\n'));
        rest = after;
    }
    kept + rest
}

/// To the first `;` outside braces, or to the end of the first pair of braces.
fn item_length(item: &str) -> usize {
    let mut open = 0;
    for (at, c) in item.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open <= 1 => return at + 1,
            '}' => open -= 1,
            ';' if open == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

#[test]
fn words_and_tests_are_no_code() {
    let text = r###"
//! diesel
use a::b; // diesel
const A: &str = "diesel \" diesel"; const B: &str = r#"diesel " diesel"#;
const C: char = '"'; fn f<'a>(x: &'a str) -> char { '\'' }
/* diesel */ mod kept { fn diesels() {} }
#[cfg(test)]
mod tests { fn g() { diesel(); } }
fn last() { diesel::run() }
"###;
    let source = Source::new("src/a.rs", text);
    assert_eq!(source.lines_with("diesel").collect::<Vec<_>>(), [9], "{}", source.code);
    assert!(source.code.contains("fn f<'a>(x: &'a str)") && source.code.contains("fn diesels"));
}
