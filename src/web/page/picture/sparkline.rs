//! A small curve beside a number, which says the same in words.

/// A curve within 100 × 24, stretched to where it stands. For decoration: the number beside it is what counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparkline {
    /// The points of a polyline.
    pub points: String,
}

impl Sparkline {
    /// `None` if there is nothing to see: fewer than two amounts, or all of them nought.
    pub fn of(amounts: &[i64]) -> Option<Self> {
        const WIDTH: f64 = 100.0;
        const HEIGHT: f64 = 22.0;
        let most = amounts.iter().copied().max().filter(|most| *most > 0)?;
        let last = u32::try_from(amounts.len().checked_sub(1).filter(|last| *last > 0)?).ok()?;
        #[expect(clippy::cast_precision_loss, reason = "a pixel is coarser than what is lost")]
        let share = |amount: i64| amount.max(0) as f64 / most as f64;
        let points: Vec<String> = (0..=last)
            .zip(amounts)
            .map(|(at, amount)| {
                let (x, y) = (f64::from(at) / f64::from(last) * WIDTH, 1.0 + HEIGHT * (1.0 - share(*amount)));
                format!("{},{}", super::rounded(x), super::rounded(y))
            })
            .collect();
        Some(Self { points: points.join(" ") })
    }
}
