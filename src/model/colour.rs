//! Colours of pages: whether one can be read on another (WCAG 2.2 §1.4.3), and what follows from the one that somebody
//! chose. The style sheet knows the names; here are only numbers.

use std::fmt;

/// The least contrast of text of a usual size.
pub const READABLE: f64 = 4.5;

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

const WHITE: Colour = Colour([0xff; 3]);
const BLACK: Colour = Colour([0; 3]);
/// What our pages are painted on: of `app.css`.
const LIGHT: [Colour; 2] = [Colour([0xf4, 0xf3, 0xee]), WHITE];
const DARK: [Colour; 2] = [Colour([0x0f, 0x14, 0x12]), Colour([0x17, 0x1e, 0x1b])];

impl Colour {
    /// As browsers send it: `#146150`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }

    /// How well one can be read on the other: 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Percent of the other in this one.
    fn mixed(self, other: Self, percent: u32) -> Self {
        let mix = |a: u8, b: u8| {
            let sum = (u32::from(a) * (100 - percent) + u32::from(b) * percent + 50) / 100;
            u8::try_from(sum).unwrap_or(u8::MAX)
        };
        let ([r, g, b], [s, h, c]) = (self.0, other.0);
        Self([mix(r, s), mix(g, h), mix(b, c)])
    }

    fn luminance(self) -> f64 {
        let [r, g, b] = self.0.map(|part| {
            let share = f64::from(part) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

/// What is painted with one colour in one of the two schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tones {
    /// Links, buttons and marks.
    pub accent: Colour,
    /// The same under the pointer.
    pub hover: Colour,
    /// Words on the accent: black or white, whichever reads better.
    pub on: Colour,
    /// A faint ground.
    pub tint: Colour,
}

/// Everything that follows from one colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    pub light: Tones,
    pub dark: Tones,
}

/// The colour cannot be read on light pages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pale {
    pub contrast: f64,
    /// The nearest darker one that can.
    pub instead: Colour,
}

impl Palette {
    /// Of our own pages: the colours of `app.css`.
    pub const fn ours() -> Self {
        Self {
            light: Tones {
                accent: Colour([0x14, 0x61, 0x50]),
                hover: Colour([0x0d, 0x4b, 0x3d]),
                on: WHITE,
                tint: Colour([0xe6, 0xf1, 0xec]),
            },
            dark: Tones {
                accent: Colour([0x86, 0xd6, 0xbd]),
                hover: Colour([0xa4, 0xe4, 0xd0]),
                on: Colour([0x06, 0x24, 0x1c]),
                tint: Colour([0x1d, 0x2f, 0x29]),
            },
        }
    }

    /// On dark pages a dark colour is made light enough; on light pages it is taken as it is, or not at all.
    pub fn of(accent: Colour) -> Result<Self, Pale> {
        let light = light(accent);
        let contrast = worst(&light, LIGHT);
        if contrast < READABLE {
            let mut darker = (1..=100).map(|percent| accent.mixed(BLACK, percent));
            let instead = darker.find(|colour| worst(&self::light(*colour), LIGHT) >= READABLE);
            return Err(Pale { contrast, instead: instead.unwrap_or(BLACK) });
        }
        let mut lighter = (0..=100).map(|percent| dark(accent.mixed(WHITE, percent)));
        let dark = lighter.find(|tones| worst(tones, DARK) >= READABLE);
        Ok(Self { light, dark: dark.unwrap_or(self::dark(WHITE)) })
    }
}

fn light(accent: Colour) -> Tones {
    Tones { accent, hover: accent.mixed(BLACK, 20), on: on(accent), tint: WHITE.mixed(accent, 8) }
}

fn dark(accent: Colour) -> Tones {
    Tones { accent, hover: accent.mixed(WHITE, 30), on: on(accent), tint: DARK[1].mixed(accent, 12) }
}

fn on(accent: Colour) -> Colour {
    if accent.contrast(WHITE) >= accent.contrast(BLACK) { WHITE } else { BLACK }
}

/// Of the accent on everything that it is written on.
fn worst(tones: &Tones, grounds: [Colour; 2]) -> f64 {
    let grounds = grounds.into_iter().chain([tones.tint]);
    grounds.map(|ground| tones.accent.contrast(ground)).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Colour {
        Colour::parse(text).expect("a colour")
    }

    #[test]
    fn a_colour_is_read_and_written() {
        for good in ["#146150", "#000000", "#ffffff"] {
            assert_eq!(of(good).to_string(), good);
        }
        assert_eq!(of(" #ABCDEF ").to_string(), "#abcdef");
        for bad in ["", "146150", "#14615", "#1461500", "#14615g", "red", "#é1234", "url(#a)"] {
            assert_eq!(Colour::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        for (a, b, contrast) in
            [("#000000", "#ffffff", 21.0), ("#ffffff", "#ffffff", 1.0), ("#767676", "#ffffff", 4.54)]
        {
            assert!((of(a).contrast(of(b)) - contrast).abs() < 0.01, "{a} {b}");
        }
    }

    #[test]
    fn every_colour_that_is_taken_can_be_read_everywhere() {
        let steps = [0, 0x33, 0x66, 0x99, 0xcc, 0xff];
        for r in steps {
            for g in steps {
                for b in steps {
                    let colour = Colour([r, g, b]);
                    let palette = match Palette::of(colour) {
                        Ok(palette) => palette,
                        Err(pale) => {
                            assert!(pale.contrast < READABLE);
                            Palette::of(pale.instead).expect("what is proposed is taken")
                        }
                    };
                    for (tones, grounds) in [(palette.light, LIGHT), (palette.dark, DARK)] {
                        assert!(worst(&tones, grounds) >= READABLE, "{colour} {tones:?}");
                        assert!(tones.accent.contrast(tones.on) >= READABLE, "{colour} {tones:?}");
                    }
                }
            }
        }
    }
}
