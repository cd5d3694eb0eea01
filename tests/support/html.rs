//! Just enough HTML for our own pages: forms, their fields, elements by id, text.

/// A form and what it would send.
#[derive(Clone, Debug, Default)]
pub struct Form {
    pub id: String,
    pub action: String,
    pub fields: Vec<(String, String)>,
}

impl Form {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }
}

/// Every form of a page, without its buttons and unchecked boxes.
pub fn forms(html: &str) -> Vec<Form> {
    sections(html, "form")
        .into_iter()
        .map(|(attributes, inside)| {
            let fields = tags(inside, "input")
                .into_iter()
                .filter(|input| {
                    let kind = attribute(input, "type").unwrap_or_default();
                    !matches!(kind.as_str(), "checkbox" | "radio" | "submit") || input.contains(" checked")
                })
                .filter_map(|input| {
                    Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()))
                })
                .chain(sections(inside, "select").into_iter().filter_map(chosen))
                .chain(sections(inside, "textarea").into_iter().filter_map(typed))
                .collect();
            Form {
                id: attribute(attributes, "id").unwrap_or_default(),
                action: attribute(attributes, "action").unwrap_or_default(),
                fields,
            }
        })
        .collect()
}

/// The text without the references of refusals (`k7f2-9q3m-x4tz`), which no two answers share.
pub fn without_references(text: &str) -> String {
    let is_one = |part: &[u8]| {
        part.iter().enumerate().all(|(at, byte)| match at {
            4 | 9 => *byte == b'-',
            _ => byte.is_ascii_digit() || byte.is_ascii_lowercase(),
        })
    };
    let found = text.as_bytes().windows(14).filter(|part| is_one(part));
    found.fold(text.to_owned(), |left, part| left.replace(std::str::from_utf8(part).expect("ASCII"), "…"))
}

/// What a list sends: the option that is selected, or the first.
fn chosen((attributes, inside): (&str, &str)) -> Option<(String, String)> {
    let options = tags(inside, "option");
    let selected = options.iter().find(|option| option.ends_with(" selected")).or(options.first())?;
    Some((attribute(attributes, "name")?, attribute(selected, "value").unwrap_or_default()))
}

/// What a field of several lines sends. The first line break stands for none (HTML §13.1.2.5).
fn typed((attributes, inside): (&str, &str)) -> Option<(String, String)> {
    let text = inside.strip_prefix('\n').unwrap_or(inside);
    Some((attribute(attributes, "name")?, unescape(text)))
}

/// The buttons that send a name and a value, with what stands on them.
pub fn buttons(html: &str) -> Vec<(String, String, String)> {
    sections(html, "button")
        .into_iter()
        .filter_map(|(attributes, inside)| {
            Some((attribute(attributes, "name")?, attribute(attributes, "value")?, text(inside)))
        })
        .collect()
}

/// Whether the page has an element with this id.
pub fn has_id(html: &str, id: &str) -> bool {
    html.contains(&format!("id=\"{id}\""))
}

/// The visible words.
pub fn text(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    unescape(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Every address that a link of the page leads to.
pub fn links(html: &str) -> Vec<String> {
    tags(html, "a").into_iter().filter_map(|link| attribute(link, "href")).collect()
}

fn sections<'a>(html: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find(&open) {
        let after = &rest[at + open.len()..];
        let (Some(end_of_tag), Some(end)) = (after.find('>'), after.find(&close)) else { break };
        found.push((&after[..end_of_tag], &after[end_of_tag + 1..end]));
        rest = &after[end..];
    }
    found
}

fn tags<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let open = format!("<{name}");
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find(&open) {
        let after = &rest[at + open.len()..];
        let Some(end) = after.find('>') else { break };
        if after.starts_with([' ', '\n', '\t', '>']) {
            found.push(&after[..end]);
        }
        rest = &after[end..];
    }
    found
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let needle = format!("{name}=\"");
    let mut rest = tag;
    while let Some(at) = rest.find(&needle) {
        let starts_a_word = at == 0 || rest[..at].ends_with(char::is_whitespace);
        let after = &rest[at + needle.len()..];
        if starts_a_word {
            return after.find('"').map(|end| unescape(&after[..end]));
        }
        rest = after;
    }
    None
}

/// The text as it was before it was written into a page.
pub fn unescape(text: &str) -> String {
    text.replace("&#38;", "&\u{0}")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&\u{0}")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace('\u{0}', "")
}
