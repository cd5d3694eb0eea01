//! What stands on a page of the console.

use super::{Form, Place};
use crate::clock::Timestamp;
use crate::web::page::picture::{Picture, Sparkline};

/// Everything on one page, from top to bottom.
#[derive(Debug)]
pub struct Sheet {
    pub place: Place,
    pub title: String,
    pub lead: Option<String>,
    /// The pages above this one, the highest first.
    pub trail: Vec<Link>,
    /// Pages beside this one, about the same thing.
    pub tabs: Vec<Link>,
    pub cards: Vec<Card>,
    /// Whether a form of the page ends at another site.
    pub is_outward: bool,
}

impl Sheet {
    pub fn new(place: Place, title: impl Into<String>) -> Self {
        Self {
            place,
            title: title.into(),
            lead: None,
            trail: Vec::new(),
            tabs: Vec::new(),
            cards: Vec::new(),
            is_outward: false,
        }
    }

    #[must_use]
    pub fn lead(mut self, text: impl Into<String>) -> Self {
        self.lead = Some(text.into());
        self
    }

    /// A form of the page ends at another site.
    #[must_use]
    pub fn outward(self) -> Self {
        Self { is_outward: true, ..self }
    }

    /// Adds a page above this one.
    #[must_use]
    pub fn under(mut self, text: impl Into<String>, path: impl Into<String>) -> Self {
        self.trail.push(Link::new(text, path));
        self
    }

    #[must_use]
    pub fn tabs(mut self, tabs: Vec<Link>) -> Self {
        self.tabs = tabs;
        self
    }

    #[must_use]
    pub fn card(mut self, card: Card) -> Self {
        self.cards.push(card);
        self
    }

    /// The same, if there is one.
    #[must_use]
    pub fn maybe(mut self, card: Option<Card>) -> Self {
        self.cards.extend(card);
        self
    }

    /// Whether something on this page shows by itself what becomes of it.
    pub fn is_watched(&self) -> bool {
        self.cards.iter().any(|card| card.is_watched)
    }

    /// Whether a picture of what is typed stands on this page.
    pub fn has_preview(&self) -> bool {
        let mut items = self.cards.iter().flat_map(|card| &card.items);
        items.any(|item| matches!(item, Item::Preview { .. }))
    }

    /// Whether a form of this page is to be filled in anew.
    pub fn has_problem(&self) -> bool {
        let mut items = self.cards.iter().flat_map(|card| &card.items);
        items.any(|item| matches!(item, Item::Form(form) if form.has_problem()))
    }
}

/// How something is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
}

impl Tone {
    pub const fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain-tag",
            Self::Good => "on",
            Self::Bad => "off",
        }
    }
}

/// A part of a page with a heading of its own.
#[derive(Debug, Default)]
pub struct Card {
    pub id: String,
    pub title: Option<String>,
    pub tone: Tone,
    pub items: Vec<Item>,
    /// Whether it shows by itself what becomes of it.
    pub is_watched: bool,
}

impl Card {
    pub fn new(id: &str, title: impl Into<String>) -> Self {
        Self { id: id.to_owned(), title: Some(title.into()), ..Self::default() }
    }

    /// Without a heading: the first on a page, which its title stands for.
    pub fn plain(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// Shows by itself what becomes of it, as long as this is awaited.
    #[must_use]
    pub fn watched(self, is_awaited: bool) -> Self {
        Self { is_watched: is_awaited, ..self }
    }

    #[must_use]
    pub fn item(mut self, item: Item) -> Self {
        self.items.push(item);
        self
    }

    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.item(Item::Text(text.into()))
    }

    #[must_use]
    pub fn hint(self, text: impl Into<String>) -> Self {
        self.item(Item::Hint(text.into()))
    }

    #[must_use]
    pub fn facts(self, facts: Vec<(String, Cell)>) -> Self {
        self.item(Item::Facts(facts))
    }

    #[must_use]
    pub fn table(self, table: Table) -> Self {
        self.item(Item::Table(table))
    }

    #[must_use]
    pub fn form(self, form: Form) -> Self {
        self.item(Item::Form(form))
    }

    /// Ways on: none, one or several.
    #[must_use]
    pub fn links(self, links: Vec<Link>) -> Self {
        if links.is_empty() { self } else { self.item(Item::Links(links)) }
    }

    #[must_use]
    pub fn buttons(self, buttons: Vec<Button>) -> Self {
        if buttons.is_empty() { self } else { self.item(Item::Buttons(buttons)) }
    }

    /// Nothing is here yet: says so, and what to do next.
    #[must_use]
    pub fn empty(self, text: impl Into<String>, link: Option<Link>) -> Self {
        self.item(Item::Empty(text.into())).links(link.into_iter().collect())
    }

    #[must_use]
    pub fn picture(self, picture: Picture) -> Self {
        self.item(Item::Picture(Box::new(picture)))
    }

    /// A text to copy, such as settings or a secret that is shown once.
    #[must_use]
    pub fn code(self, label: impl Into<String>, text: impl Into<String>) -> Self {
        self.item(Item::Code { label: label.into(), text: text.into() })
    }
}

/// One thing on a card.
#[derive(Debug)]
pub enum Item {
    Text(String),
    Hint(String),
    /// Something that wants to be noticed.
    Note(Tone, String),
    Empty(String),
    Facts(Vec<(String, Cell)>),
    Table(Table),
    Form(Form),
    Links(Vec<Link>),
    Buttons(Vec<Button>),
    Code {
        label: String,
        text: String,
    },
    /// A wide picture of ours, which shrinks where there is little room. It shows what is typed in `form` as soon as
    /// scripts may run.
    Preview {
        source: String,
        form: &'static str,
        alt: String,
    },
    /// A way to another site, in a window of its own.
    Outside {
        text: String,
        address: String,
    },
    /// Drawn on the server.
    Picture(Box<Picture>),
    Notices(Vec<Notice>),
}

/// Something to know, with what to do about it.
#[derive(Clone, Debug)]
pub struct Notice {
    pub tone: Tone,
    /// How grave it is, in a word.
    pub tag: String,
    pub text: String,
    pub advice: String,
    /// Where it is done.
    pub link: Option<Link>,
}

/// A way to another page. The path stands below the issuer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub text: String,
    pub path: String,
    /// The one that most people want here.
    pub primary: bool,
    /// Leads to what cannot be taken back.
    pub grave: bool,
    /// Leads to this page.
    pub here: bool,
}

impl Link {
    pub fn new(text: impl Into<String>, path: impl Into<String>) -> Self {
        Self { text: text.into(), path: path.into(), primary: false, grave: false, here: false }
    }

    pub fn primary(text: impl Into<String>, path: impl Into<String>) -> Self {
        Self { primary: true, ..Self::new(text, path) }
    }

    pub fn grave(text: impl Into<String>, path: impl Into<String>) -> Self {
        Self { grave: true, ..Self::new(text, path) }
    }

    /// One of several pages beside each other.
    pub fn tab(text: impl Into<String>, path: impl Into<String>, here: bool) -> Self {
        Self { here, ..Self::new(text, path) }
    }
}

/// A form that is one button.
#[derive(Clone, Debug)]
pub struct Button {
    pub text: String,
    pub action: String,
    /// What is sent, by name.
    pub values: Vec<(String, String)>,
    /// For those who only hear it: the button with what it is about.
    pub about: Option<String>,
}

impl Button {
    pub fn new(text: impl Into<String>, action: impl Into<String>) -> Self {
        Self { text: text.into(), action: action.into(), values: Vec::new(), about: None }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.push((name.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub fn about(mut self, what: impl Into<String>) -> Self {
        self.about = Some(what.into());
        self
    }

    pub fn spoken(&self) -> Option<String> {
        self.about.as_ref().map(|about| format!("{}: {about}", self.text))
    }
}

/// Rows with the same columns.
#[derive(Debug, Default)]
pub struct Table {
    pub caption: String,
    pub head: Vec<String>,
    pub rows: Vec<Row>,
    /// The address of what follows.
    pub next: Option<String>,
    /// The address of the beginning, if this is not it.
    pub first: Option<String>,
}

/// One row; the first cell says what it is about.
#[derive(Debug)]
pub struct Row {
    pub cells: Vec<Cell>,
}

impl Table {
    pub fn new<S: Into<String>>(caption: impl Into<String>, head: impl IntoIterator<Item = S>) -> Self {
        let head = head.into_iter().map(Into::into).collect();
        Self { caption: caption.into(), head, ..Self::default() }
    }

    #[must_use]
    pub fn rows(mut self, rows: impl IntoIterator<Item = Vec<Cell>>) -> Self {
        self.rows.extend(rows.into_iter().map(|cells| Row { cells }));
        self
    }

    #[must_use]
    pub fn pages(mut self, next: Option<String>, first: Option<String>) -> Self {
        (self.next, self.first) = (next, first);
        self
    }

    /// The name of a column.
    pub fn head_of(&self, column: &usize) -> &str {
        self.head.get(*column).map_or("", String::as_str)
    }
}

/// What stands in one place of a table or a list of facts.
#[derive(Clone, Debug)]
pub enum Cell {
    Text(String),
    Code(String),
    Link(Link),
    Time(Timestamp),
    Tag(Tone, String),
    /// Several, beside each other.
    Many(Vec<Cell>),
    Button(Button),
    /// A curve, beside a number that says the same.
    Curve(Sparkline),
    Nothing,
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::Nothing } else { Self::Text(text) }
    }

    pub fn code(text: impl Into<String>) -> Self {
        Self::Code(text.into())
    }

    pub fn link(text: impl Into<String>, path: impl Into<String>) -> Self {
        Self::Link(Link::new(text, path))
    }

    pub fn time(at: Option<Timestamp>) -> Self {
        at.map_or(Self::Nothing, Self::Time)
    }

    pub fn tag(tone: Tone, text: impl Into<String>) -> Self {
        Self::Tag(tone, text.into())
    }
}
