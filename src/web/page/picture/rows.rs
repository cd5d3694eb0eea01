//! Bars beside names, the longest first.

use crate::web::ui::Ui;

use super::{Area, Paint, Picture, Pixels, Share, Table, Words, shortened, whole};

/// One row: the name, and the bar below it.
const ROW: f64 = 42.0;
const BAR: f64 = 14.0;
/// Of the width; the number stands behind the bar.
const LONGEST: f64 = 82.0;
/// As many letters as a phone has room for.
const LETTERS: usize = 40;

/// What is to be drawn.
pub struct Rows {
    pub id: &'static str,
    pub title: String,
    pub about: String,
    /// Said when there are no rows.
    pub empty: String,
    /// What the rows are.
    pub each: String,
    /// The parts of each bar.
    pub parts: Vec<(Paint, String)>,
    pub rows: Vec<Row>,
}

pub struct Row {
    pub name: String,
    /// One for each part.
    pub amounts: Vec<i64>,
}

impl Row {
    fn total(&self) -> i64 {
        self.amounts.iter().sum()
    }
}

impl Rows {
    pub fn draw(self, ui: &Ui<'_>) -> Picture {
        let height = ROW * f64::from(u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
        let mut picture = Picture::blank(self.id, self.title.clone(), self.about.clone(), height);
        let most = self.rows.iter().map(Row::total).max().unwrap_or(0);
        if most == 0 {
            picture.empty = Some(self.empty);
            return picture;
        }
        let mut top = 0.0;
        for row in &self.rows {
            let text = shortened(&row.name, LETTERS);
            picture.words.push(Words {
                x: Share(0.0),
                y: Pixels(top + 15.0),
                anchor: "start",
                class: "name",
                text,
            });
            let mut left = 0.0;
            for ((paint, part), amount) in
                self.parts.iter().zip(&row.amounts).filter(|(_, amount)| **amount > 0)
            {
                let width = length(*amount, most);
                picture.areas.push(Area {
                    x: Share(left),
                    width: Share(width.max(0.4)),
                    y: Pixels(top + 21.0),
                    height: Pixels(BAR),
                    paint: *paint,
                    hint: format!("{}: {part} {}", row.name, whole(ui, *amount)),
                });
                left += width;
            }
            let (x, y) = (Share(left + 1.0), Pixels(top + 21.0 + BAR - 2.5));
            picture.words.push(Words { x, y, anchor: "start", class: "mark", text: whole(ui, row.total()) });
            top += ROW;
        }
        let is_used =
            |at: usize| self.rows.iter().any(|row| row.amounts.get(at).is_some_and(|amount| *amount > 0));
        let used = self.parts.iter().enumerate().filter(|(at, _)| is_used(*at)).map(|(_, part)| part.clone());
        picture.legend = used.collect();
        picture.table = self.table(ui);
        picture
    }

    fn table(&self, ui: &Ui<'_>) -> Table {
        let mut head = vec![self.each.clone()];
        head.extend(self.parts.iter().map(|(_, name)| name.clone()));
        head.push(ui.t("picture.total").to_owned());
        let row = |row: &Row| {
            let amounts = row.amounts.iter().copied().chain([row.total()]);
            (row.name.clone(), amounts.map(|amount| whole(ui, amount)).collect())
        };
        Table { head, rows: self.rows.iter().map(row).collect() }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser than what is lost")]
fn length(amount: i64, most: i64) -> f64 {
    amount as f64 / most as f64 * LONGEST
}
