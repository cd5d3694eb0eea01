//! A time line: what lasts from when until when, one row for each.

use crate::clock::Timestamp;
use crate::web::ui::Ui;

use super::{Area, Paint, Picture, Pixels, Share, Stroke, Table, Words, scale, shortened};

/// One row: the name, and the stretches below it.
const ROW: f64 = 44.0;
const BAR: f64 = 14.0;
/// Above the rows, for the word at now.
const ABOVE: f64 = 22.0;
/// Below them, for the days.
const BELOW: f64 = 24.0;
const LETTERS: usize = 46;
/// Words at the foot, beside those at both ends.
const MARKS: i64 = 4;

/// What is to be drawn.
pub struct TimeLine {
    pub id: &'static str,
    pub title: String,
    pub about: String,
    pub empty: String,
    pub now: Timestamp,
    pub from: Timestamp,
    pub to: Timestamp,
    pub rows: Vec<TimeRow>,
    /// What the paints mean.
    pub legend: Vec<(Paint, String)>,
    /// With a row for each of the rows.
    pub table: Table,
}

pub struct TimeRow {
    pub name: String,
    pub stretches: Vec<Stretch>,
}

pub struct Stretch {
    pub from: Timestamp,
    pub until: Timestamp,
    pub paint: Paint,
    pub hint: String,
}

impl TimeLine {
    pub fn draw(self, ui: &Ui<'_>) -> Picture {
        let rows = f64::from(u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
        let foot = ABOVE + ROW * rows;
        let mut picture = Picture::blank(self.id, self.title.clone(), self.about.clone(), foot + BELOW);
        if self.rows.is_empty() {
            picture.empty = Some(self.empty);
            return picture;
        }
        let mut top = ABOVE;
        for row in &self.rows {
            let text = shortened(&row.name, LETTERS);
            picture.words.push(Words {
                x: Share(0.0),
                y: Pixels(top + 15.0),
                anchor: "start",
                class: "name",
                text,
            });
            for stretch in &row.stretches {
                let (begin, end) = (self.place(stretch.from), self.place(stretch.until));
                if end.0 > begin.0 {
                    picture.areas.push(Area {
                        x: begin,
                        width: Share((end.0 - begin.0).max(0.6).min(100.0 - begin.0)),
                        y: Pixels(top + 22.0),
                        height: Pixels(BAR),
                        paint: stretch.paint,
                        hint: stretch.hint.clone(),
                    });
                }
            }
            top += ROW;
        }
        self.mark_days(ui, foot, &mut picture);
        self.mark_now(ui, foot, &mut picture);
        picture.legend = self.legend;
        picture.table = self.table;
        picture
    }

    fn place(&self, at: Timestamp) -> Share {
        let part = at.micros().saturating_sub(self.from.micros());
        Share::of(to_float(part), to_float(self.to.micros().saturating_sub(self.from.micros())))
    }

    fn mark_days(&self, ui: &Ui<'_>, foot: f64, picture: &mut Picture) {
        let whole = [Share(0.0), Share(100.0)];
        picture.lines.push(Stroke { x: whole, y: [Pixels(foot), Pixels(foot)], class: "ground" });
        let length = self.to.micros().saturating_sub(self.from.micros());
        for mark in 0..=MARKS {
            let at = Timestamp(self.from.micros().saturating_add(length / MARKS * mark));
            let anchor = match mark {
                0 => "start",
                MARKS => "end",
                _ => "middle",
            };
            let x = self.place(at);
            picture.lines.push(Stroke { x: [x, x], y: [Pixels(foot), Pixels(foot + 5.0)], class: "ground" });
            let (y, text) = (Pixels(foot + BELOW - 5.0), scale::day(ui, at));
            picture.words.push(Words { x, y, anchor, class: "mark", text });
        }
    }

    fn mark_now(&self, ui: &Ui<'_>, foot: f64, picture: &mut Picture) {
        let x = self.place(self.now);
        picture.lines.push(Stroke { x: [x, x], y: [Pixels(ABOVE - 6.0), Pixels(foot)], class: "now" });
        let anchor = match x.0 {
            ..10.0 => "start",
            90.0.. => "end",
            _ => "middle",
        };
        let text = ui.t("picture.now").to_owned();
        picture.words.push(Words { x, y: Pixels(ABOVE - 10.0), anchor, class: "name", text });
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser than what is lost")]
fn to_float(number: i64) -> f64 {
    number as f64
}
