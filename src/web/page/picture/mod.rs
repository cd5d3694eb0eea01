//! Pictures of numbers, drawn on the server: columns over time, bars beside names, a time line, a small curve.
//!
//! Each is a figure with its numbers in a table behind it, for whoever does not see it. What is along the width is a share
//! of it and what is along the height is in pixels, so a picture fits a phone and a desk, and its words keep their size.
//! Colours are classes of the style sheet (CH-2 forbids any of a picture's own), and nothing is told by colour alone: each
//! paint has a pattern, too. What the numbers are is for the pages to know; the template escapes every word.

mod columns;
mod keys;
mod rows;
mod scale;
mod sign_ins;
mod sparkline;
mod times;
mod tokens;

use std::fmt;

use crate::web::ui::{Language, Ui};

pub use columns::{Column, Columns, Series};
pub use keys::key_line;
pub use rows::{Row, Rows};
pub use sign_ins::sign_ins;
pub use sparkline::Sparkline;
pub use times::{Stretch, TimeLine, TimeRow};
pub use tokens::tokens;

/// What `components/picture.html` draws.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Begins the ids of its parts; once on a page.
    pub id: &'static str,
    pub title: String,
    /// What is to be seen, in a sentence.
    pub about: String,
    /// Instead of a drawing, when there is nothing to draw: what makes that change.
    pub empty: Option<String>,
    /// Pixels.
    pub height: f64,
    /// Words of the scale, in a margin of their own.
    pub margin: Vec<Words>,
    pub lines: Vec<Stroke>,
    pub areas: Vec<Area>,
    pub words: Vec<Words>,
    pub legend: Vec<(Paint, String)>,
    pub table: Table,
}

/// A rectangle.
#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    pub x: Share,
    pub width: Share,
    pub y: Pixels,
    pub height: Pixels,
    pub paint: Paint,
    /// Shown where a pointer rests.
    pub hint: String,
}

/// A straight line.
#[derive(Clone, Debug, PartialEq)]
pub struct Stroke {
    pub x: [Share; 2],
    pub y: [Pixels; 2],
    pub class: &'static str,
}

/// A line of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    pub x: Share,
    pub y: Pixels,
    pub anchor: &'static str,
    pub class: &'static str,
    pub text: String,
}

/// The numbers of a picture. The first column names the row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub head: Vec<String>,
    pub rows: Vec<(String, Vec<String>)>,
}

/// A colour with its pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    One,
    Two,
    Three,
    Four,
    Five,
    /// What did not go well.
    Bad,
    /// What is over, or not yet.
    Faint,
}

impl Paint {
    pub const ALL: [Self; 7] =
        [Self::One, Self::Two, Self::Three, Self::Four, Self::Five, Self::Bad, Self::Faint];

    /// The class of the style sheet, and the end of its pattern's id.
    pub const fn class(self) -> &'static str {
        match self {
            Self::One => "p1",
            Self::Two => "p2",
            Self::Three => "p3",
            Self::Four => "p4",
            Self::Five => "p5",
            Self::Bad => "bad",
            Self::Faint => "faint",
        }
    }

    /// What is drawn over the colour, eight pixels square and repeated; the first is plain.
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::One => "",
            Self::Two => "M-2 10L10-2M-2 2L2-2M6 10L10 6",
            Self::Three => "M2 2h2v2h-2zM6 6h2v2h-2z",
            Self::Four => "M0 2h8M0 6h8",
            Self::Five => "M2 0v8M6 0v8",
            Self::Bad => "M-2 10L10-2M-2-2L10 10",
            Self::Faint => "M-2-2L10 10M-2 6L2 10M6-2L10 2",
        }
    }
}

/// A part of the width, written as a percentage.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(pub f64);

impl Share {
    /// `part` of `whole`, within it.
    pub fn of(part: f64, whole: f64) -> Self {
        let share = if whole > 0.0 { part / whole * 100.0 } else { 0.0 };
        Self(if share.is_finite() { share.clamp(0.0, 100.0) } else { 0.0 })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", rounded(self.0))
    }
}

/// A length in pixels.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Pixels(pub f64);

impl fmt::Display for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", rounded(self.0))
    }
}

/// To hundredths, without zeros at the end.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0 + 0.0
}

impl Picture {
    /// Nothing drawn yet.
    fn blank(id: &'static str, title: String, about: String, height: f64) -> Self {
        Self {
            id,
            title,
            about,
            empty: None,
            height,
            margin: Vec::new(),
            lines: Vec::new(),
            areas: Vec::new(),
            words: Vec::new(),
            legend: Vec::new(),
            table: Table::default(),
        }
    }

    /// The paints that it uses and that have a pattern.
    pub fn patterns(&self) -> Vec<Paint> {
        let used = |paint: &Paint| {
            self.areas.iter().any(|area| area.paint == *paint)
                || self.legend.iter().any(|(one, _)| one == paint)
        };
        Paint::ALL.into_iter().filter(|paint| !paint.pattern().is_empty()).filter(used).collect()
    }

    pub fn has_drawing(&self) -> bool {
        self.empty.is_none()
    }
}

/// A number with its thousands apart, as the language writes it.
pub fn whole(ui: &Ui<'_>, number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mark = match ui.language {
        Language::English => ',',
        Language::German => '.',
    };
    let mut text = String::from(if number < 0 { "−" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(mark);
        }
        text.push(digit);
    }
    text
}

/// No longer than `most` letters, as there is room for beside a bar. The table has the whole of it.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

#[cfg(test)]
mod tests;
