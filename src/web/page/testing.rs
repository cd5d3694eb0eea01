//! What holds for every page, whatever it is filled with.

use askama::Template;

use crate::model::OrganisationId;
use crate::model::colour::Palette;
use crate::tenancy::branding::Brand;
use crate::web::ui::{Language, Ui};

/// Markup, a quotation that would leave an attribute, a very long word, text from right to left, nothing at all.
pub const AWKWARD: [&str; 5] = [
    "<script>alert('1')</script>",
    "\" onload=\"x\" '><img src=x onerror=y>{{ 7*7 }}{product}",
    concat!(
        "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessenschafewaren",
        "wohlgepflegeundsorgfaltigkeitbeschutzenvonangreifendurchihrraubgierigfeindewelchevoralternzwolftausend"
    ),
    "مرحبا \u{202e}exe.gpj",
    "",
];

/// Runs a test with each language, with and without an account in the header, and for an organisation of its own look.
pub fn each_language(test: impl Fn(&Ui<'_>)) {
    let brand = Brand {
        organisation: OrganisationId::from_bytes(&[7; 16]).expect("an id"),
        name: AWKWARD[0].to_owned(),
        palette: Some(Palette::ours()),
        has_logo: true,
        message: AWKWARD[1].to_owned(),
        support: "help@example.org".to_owned(),
        hash: "0011223344556677".to_owned(),
    };
    for &language in Language::ALL {
        for (account, brand) in [(None, None), (Some(AWKWARD[1]), None), (None, Some(&brand))] {
            test(&Ui {
                language,
                base: "/auth",
                csrf: "csrf-\"1\"",
                product: "Countersign <&>",
                account,
                zone: None,
                reference: account.map(|_| "k7f2-9q3m-x4tz"),
                brand,
            });
        }
    }
}

/// Renders a page, holds it against the rules for all pages, and returns its HTML.
pub fn check(page: &impl Template) -> String {
    let html = page.render().unwrap();
    let tags = tags(&html);
    let of = |name: &str| tags.iter().filter(|tag| tag.name == name).collect::<Vec<_>>();

    assert_eq!(of("h1").len(), 1, "one h1: {html}");
    assert_eq!(of("main").len(), 1, "one main: {html}");
    // A picture's parts have titles, too.
    assert_eq!(html.split("<body").next().map(|head| head.matches("<title>").count()), Some(1));
    assert!(["en", "de"].contains(&of("html")[0].value("lang").unwrap()));
    assert!(of("style").is_empty() && !html.contains(" style="), "CH-2: no inline style");
    for script in of("script") {
        assert!(script.value("src").is_some_and(|src| src.starts_with("/auth/assets/")), "CH-2: {script:?}");
    }
    for tag in &tags {
        assert!(!tag.attributes.iter().any(|(name, _)| name.starts_with("on")), "CH-5: {tag:?}");
        for name in ["href", "action", "src"] {
            let Some(value) = tag.value(name) else { continue };
            let ours = value.starts_with("/auth/") || value.starts_with('#');
            let elsewhere = value.starts_with("https://") || value == "mailto:help@example.org";
            assert!(ours || elsewhere, "{tag:?}");
        }
    }
    for awkward in [AWKWARD[0], AWKWARD[1]] {
        assert!(!html.contains(awkward), "CH-5: not escaped: {html}");
    }
    let mut ids: Vec<&str> = tags.iter().filter_map(|tag| tag.value("id")).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "an id appears twice: {ids:?}");
    check_controls(&tags, &ids);
    html
}

/// Inputs have labels, descriptions exist, forms are posts with a token, buttons say what they do.
fn check_controls(tags: &[Tag], ids: &[&str]) {
    let labelled: Vec<&str> =
        tags.iter().filter(|tag| tag.name == "label").filter_map(|tag| tag.value("for")).collect();
    let mut form_is_ours = false;
    for tag in tags {
        match tag.name.as_str() {
            "form" => {
                assert_eq!(tag.value("method"), Some("post"), "{tag:?}");
                form_is_ours = tag.value("action").is_some_and(|action| action.starts_with("/auth/"));
            }
            "input" if tag.value("type") != Some("hidden") => {
                let id = tag.value("id").unwrap_or_else(|| panic!("an input without id: {tag:?}"));
                assert!(labelled.contains(&id), "an input without label: {tag:?}");
            }
            "button" => assert!(tag.value("type") == Some("submit"), "{tag:?}"),
            "img" => assert!(tag.value("alt").is_some(), "{tag:?}"),
            _ => {}
        }
        if let Some(described) = tag.value("aria-describedby") {
            for id in described.split_whitespace() {
                assert!(ids.contains(&id), "described by nothing: {tag:?}");
            }
        }
    }
    let forms = tags.iter().filter(|tag| tag.name == "form").count();
    let tokens = tags.iter().filter(|tag| tag.value("name") == Some("csrf")).count();
    assert!(forms == tokens || !form_is_ours, "CH-1: {forms} forms, {tokens} tokens");
}

/// A start tag.
#[derive(Debug)]
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn value(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads the start tags the way a browser would; our templates quote every value.
fn tags(html: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '>').unwrap();
        let mut tag = Tag { name: rest[..end].to_owned(), attributes: Vec::new() };
        rest = rest[end..].trim_start();
        while !rest.starts_with('>') {
            let end = rest.find(|c: char| c.is_whitespace() || c == '>' || c == '=').unwrap();
            let name = rest[..end].to_owned();
            rest = &rest[end..];
            let mut value = String::new();
            if let Some(quoted) = rest.strip_prefix("=\"") {
                let (inner, after) = quoted.split_once('"').unwrap();
                value = inner.to_owned();
                rest = after;
            }
            tag.attributes.push((name, value));
            rest = rest.trim_start();
        }
        tags.push(tag);
    }
    tags
}

#[test]
fn no_template_turns_escaping_off() {
    fn scan(folder: &std::path::Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                scan(&path);
            } else if path.extension().is_some_and(|extension| extension == "html") {
                let text = std::fs::read_to_string(&path).unwrap();
                for hole in ["|safe", "| safe", "|escape", "| escape", "autoescape"] {
                    assert!(!text.contains(hole), "{hole} in {}", path.display());
                }
            }
        }
    }
    scan(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"));
}
