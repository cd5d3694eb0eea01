//! Forms of the console: fields with a label, a hint and what is wrong; what was typed is never lost.

use crate::protocol::Params;

/// A form, sent to a path below the issuer's.
#[derive(Debug, Default)]
pub struct Form {
    pub id: String,
    pub action: String,
    pub submit: String,
    pub fields: Vec<Field>,
    /// Does what cannot be taken back.
    pub grave: bool,
    /// A search: sent by GET, so that its address can be kept and passed on.
    pub is_search: bool,
    /// What is wrong with the form as a whole.
    pub problem: Option<String>,
    /// A second button, by its name and its words: does something else with what was typed.
    pub also: Option<(String, String)>,
    /// Where somebody goes who does not want this after all.
    pub cancel: Option<String>,
}

impl Form {
    pub fn new(id: &str, action: impl Into<String>, submit: impl Into<String>) -> Self {
        Self { id: id.to_owned(), action: action.into(), submit: submit.into(), ..Self::default() }
    }

    pub fn search(id: &str, action: impl Into<String>, submit: impl Into<String>) -> Self {
        Self { is_search: true, ..Self::new(id, action, submit) }
    }

    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    #[must_use]
    pub fn fields(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// A second button, sent as `yes`.
    #[must_use]
    pub fn also(self, name: &str, words: impl Into<String>) -> Self {
        Self { also: Some((name.to_owned(), words.into())), ..self }
    }

    #[must_use]
    pub fn grave(self) -> Self {
        Self { grave: true, ..self }
    }

    #[must_use]
    pub fn cancel(self, path: impl Into<String>) -> Self {
        Self { cancel: Some(path.into()), ..self }
    }

    /// What was typed stays in its fields, and each complaint stands at its own; one that no field has is the form's.
    #[must_use]
    pub fn typed(mut self, typed: Option<&Params>, wrong: &[(&str, String)]) -> Self {
        if let Some(typed) = typed {
            for field in &mut self.fields {
                field.take(typed);
            }
        }
        for (name, text) in wrong {
            match self.fields.iter_mut().find(|field| field.name == *name) {
                Some(field) => field.wrong = Some(text.clone()),
                None => self.problem = Some(text.clone()),
            }
        }
        self
    }

    /// Whether it sends a file.
    pub fn has_file(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.kind, Kind::File(_)))
    }

    pub fn has_problem(&self) -> bool {
        self.problem.is_some() || self.fields.iter().any(|field| field.wrong.is_some())
    }
}

/// One field.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub label: String,
    pub hint: String,
    pub wrong: Option<String>,
    pub value: String,
    pub required: bool,
    pub kind: Kind,
}

/// How a field is filled in.
#[derive(Debug)]
pub enum Kind {
    Text,
    Email,
    Search,
    Number,
    /// Several lines.
    Lines,
    /// One of these.
    Select(Vec<Pick>),
    /// Yes or no.
    Check,
    /// Any of these.
    Checks(Vec<Pick>),
    /// One of these, each explained.
    Radios(Vec<Pick>),
    /// Sent along.
    Hidden,
    /// Typed, never shown.
    Secret,
    /// A file of one of these types; its form is sent in parts.
    File(&'static str),
}

/// One of several things to choose.
#[derive(Clone, Debug, Default)]
pub struct Pick {
    pub value: String,
    pub label: String,
    pub hint: String,
    pub picked: bool,
}

impl Pick {
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), ..Self::default() }
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    #[must_use]
    pub fn picked(self, picked: bool) -> Self {
        Self { picked, ..self }
    }
}

impl Field {
    pub fn new(kind: Kind, name: &str, label: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            label: label.into(),
            hint: String::new(),
            wrong: None,
            value: String::new(),
            required: false,
            kind,
        }
    }

    pub fn text(name: &str, label: impl Into<String>) -> Self {
        Self::new(Kind::Text, name, label)
    }

    pub fn hidden(name: &str, value: impl Into<String>) -> Self {
        Self::new(Kind::Hidden, name, "").value(value)
    }

    /// Yes or no; sent as `yes`.
    pub fn check(name: &str, label: impl Into<String>, checked: bool) -> Self {
        Self::new(Kind::Check, name, label).value(if checked { "yes" } else { "" })
    }

    #[must_use]
    pub fn value(self, value: impl Into<String>) -> Self {
        Self { value: value.into(), ..self }
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    fn take(&mut self, typed: &Params) {
        let sent = typed.get(&self.name).unwrap_or_default();
        match &mut self.kind {
            Kind::Hidden | Kind::Secret | Kind::File(_) => {}
            Kind::Checks(picks) => {
                for pick in picks {
                    pick.picked = typed.get(&format!("{}.{}", self.name, pick.value)).is_some();
                }
            }
            Kind::Radios(picks) | Kind::Select(picks) => {
                for pick in picks {
                    pick.picked = pick.value == sent;
                }
            }
            _ => sent.clone_into(&mut self.value),
        }
    }

    /// The ids of what describes the field, for screen readers.
    pub fn described_by(&self) -> String {
        let wrong = self.wrong.as_ref().map(|_| format!("{}-error", self.name));
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        wrong.into_iter().chain(hint).collect::<Vec<_>>().join(" ")
    }

    /// For fields of one line.
    pub fn input_type(&self) -> &'static str {
        match self.kind {
            Kind::Email => "email",
            Kind::Search => "search",
            Kind::Number => "number",
            Kind::Secret => "password",
            Kind::File(_) => "file",
            _ => "text",
        }
    }

    /// How high a field of several lines is: all of what stands in it, within bounds.
    pub fn rows(&self) -> usize {
        (self.value.lines().count() + 1).clamp(4, 20)
    }

    /// Whether it takes no words of a language.
    pub fn is_code(&self) -> bool {
        matches!(self.kind, Kind::Email | Kind::Secret | Kind::Search)
    }

    /// The types of files that it takes.
    pub fn accepts(&self) -> Option<&'static str> {
        match self.kind {
            Kind::File(types) => Some(types),
            _ => None,
        }
    }

    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }
}

/// What was picked of a field of [`Kind::Checks`].
pub fn picked(typed: &Params, name: &str) -> Vec<String> {
    let prefix = format!("{name}.");
    typed.iter().filter_map(|(sent, _)| sent.strip_prefix(&prefix)).map(str::to_owned).collect()
}
