//! Columns over time, each a pile of what makes it up.

use crate::web::ui::Ui;

use super::{Area, Paint, Picture, Pixels, Share, Stroke, Table, Words, scale, whole};

/// The plot, and the words below it.
const PLOT: f64 = 176.0;
const BELOW: f64 = 24.0;
/// Above the plot, so that the words at the top of the scale are whole.
const ABOVE: f64 = 8.0;
/// Of a column's share of the width.
const FILLED: f64 = 0.76;
/// Between two parts of a pile.
const GAP: f64 = 1.5;

/// What is to be drawn.
pub struct Columns {
    pub id: &'static str,
    pub title: String,
    pub about: String,
    /// Said when all numbers are nought.
    pub empty: String,
    /// What the columns are: an hour, a day.
    pub each: String,
    pub columns: Vec<Column>,
    /// From the ground up.
    pub series: Vec<Series>,
}

pub struct Column {
    /// In the table.
    pub name: String,
    /// Below the column, where it is written at all.
    pub mark: Option<String>,
}

pub struct Series {
    pub name: String,
    pub paint: Paint,
    /// One for each column.
    pub amounts: Vec<i64>,
}

impl Columns {
    pub fn draw(self, ui: &Ui<'_>) -> Picture {
        let total = |at: usize| self.series.iter().map(|one| amount(one, at)).sum::<i64>();
        let most = (0..self.columns.len()).map(total).max().unwrap_or(0);
        let mut picture =
            Picture::blank(self.id, self.title.clone(), self.about.clone(), ABOVE + PLOT + BELOW);
        if most == 0 {
            picture.empty = Some(self.empty);
            return picture;
        }
        let ticks = scale::ticks(most);
        let top = ticks.last().copied().unwrap_or(most);
        let height = |amount: i64| to_float(amount) / to_float(top) * PLOT;
        for tick in &ticks {
            let y = ABOVE + PLOT - height(*tick);
            picture.lines.push(Stroke {
                x: [Share(0.0), Share(100.0)],
                y: [Pixels(y), Pixels(y)],
                class: if *tick == 0 { "ground" } else { "grid" },
            });
            let (text, y) = (scale::short(ui, *tick), Pixels(y + 4.0));
            picture.margin.push(Words { x: Share(100.0), y, anchor: "end", class: "mark", text });
        }
        let pitch = 100.0 / to_float(i64::try_from(self.columns.len()).unwrap_or(1).max(1));
        for (at, column) in self.columns.iter().enumerate() {
            let left = pitch * to_float(i64::try_from(at).unwrap_or(0));
            let mut y = ABOVE + PLOT;
            for one in self.series.iter().filter(|one| amount(one, at) > 0) {
                let tall = height(amount(one, at));
                y -= tall;
                picture.areas.push(Area {
                    x: Share(left + pitch * (1.0 - FILLED) / 2.0),
                    width: Share(pitch * FILLED),
                    y: Pixels(y),
                    // What is there is seen, however little it is.
                    height: Pixels((tall - GAP).max(1.0)),
                    paint: one.paint,
                    hint: format!("{}: {} {}", column.name, one.name, whole(ui, amount(one, at))),
                });
            }
            if let Some(text) = column.mark.clone() {
                let (x, y) = (Share(left + pitch / 2.0), Pixels(ABOVE + PLOT + BELOW - 6.0));
                picture.words.push(Words { x, y, anchor: "middle", class: "mark", text });
            }
        }
        picture.legend = self.series.iter().map(|one| (one.paint, one.name.clone())).collect();
        picture.table = self.table(ui);
        picture
    }

    fn table(&self, ui: &Ui<'_>) -> Table {
        let head = std::iter::once(self.each.clone()).chain(self.series.iter().map(|one| one.name.clone()));
        let row = |(at, column): (usize, &Column)| {
            let amounts = self.series.iter().map(|one| whole(ui, amount(one, at))).collect();
            (column.name.clone(), amounts)
        };
        Table { head: head.collect(), rows: self.columns.iter().enumerate().map(row).collect() }
    }
}

fn amount(series: &Series, at: usize) -> i64 {
    series.amounts.get(at).copied().unwrap_or(0).max(0)
}

#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser than what is lost")]
fn to_float(number: i64) -> f64 {
    number as f64
}
