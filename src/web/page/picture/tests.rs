//! Geometry, escaping, words and their room.

use std::time::Duration;

use askama::Template;

use super::super::testing::{AWKWARD, each_language};
use super::*;
use crate::clock::Timestamp;
use crate::crypto::Random;
use crate::model::{AuthMethod, ClientKey, GrantType, SigningAlg};
use crate::signing::{KeyLine, KeyState};
use crate::usage::{ClientTokens, Range, SignIns, Span, Tokens};

const NOW: Timestamp = Timestamp::from_seconds(1_773_324_300); // 2026-03-12 14:05 UTC
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Template)]
#[template(
    source = r#"{% import "components/picture.html" as picture %}{% call picture::picture(ui, p) %}{% endcall %}{% if let Some(s) = s %}{% call picture::sparkline(s) %}{% endcall %}{% endif %}"#,
    ext = "html"
)]
struct Alone<'a> {
    ui: &'a Ui<'a>,
    p: &'a Picture,
    s: Option<Sparkline>,
}

/// Draws, and holds it against what is true of every picture.
fn check(ui: &Ui<'_>, p: &Picture) -> String {
    let html = Alone { ui, p, s: Sparkline::of(&[1, 3, 2]) }.render().unwrap();
    for awkward in [AWKWARD[0], AWKWARD[1]] {
        assert!(!html.contains(awkward), "CH-5: {html}");
    }
    assert!(!html.contains("style="), "CH-2: {html}");
    assert!(!html.contains("NaN") && !html.contains("inf%"), "{html}");
    for area in &p.areas {
        assert!(area.x.0 >= 0.0 && area.x.0 + area.width.0 <= 100.01, "{area:?}");
        assert!(area.y.0 >= 0.0 && area.y.0 + area.height.0 <= p.height, "{area:?}");
        assert!(area.width.0 > 0.0 && area.height.0 > 0.0, "{area:?}");
    }
    for words in p.words.iter().chain(&p.margin) {
        assert!((0.0..=p.height).contains(&words.y.0), "{words:?}");
        assert!(words.class != "name" || words.text.chars().count() <= 46, "{words:?}");
    }
    if p.has_drawing() {
        assert!(
            html.contains(r#"role="img""#) && html.contains("<desc") && html.contains("<details"),
            "{html}"
        );
        for (_, cells) in &p.table.rows {
            assert_eq!(cells.len() + 1, p.table.head.len(), "{:?}", p.table);
        }
        for paint in p.patterns() {
            let id = format!("{}-{}", p.id, paint.class());
            assert!(html.contains(&format!(r#"<pattern id="{id}""#)), "{html}");
            assert!(html.contains(&format!("url(#{id})")), "{html}");
        }
    } else {
        assert!(!html.contains("<details") && html.contains(r#"class="empty""#), "{html}");
    }
    html
}

fn counted(span: &Span, good: i64, bad: i64) -> SignIns {
    let last = span.slots.len() - 1;
    let line = |amount| (0..=last).map(|at| if at == last { amount } else { 0 }).collect::<Vec<i64>>();
    SignIns {
        slots: span.slots.clone(),
        by_method: vec![(AuthMethod::Password, line(good)), (AuthMethod::MultiFactor, line(9))],
        failed_by_method: vec![(AuthMethod::Password, line(bad)), (AuthMethod::Mail, line(bad))],
    }
}

#[test]
fn sign_ins_are_piled_up_with_the_failures_on_top() {
    each_language(|ui| {
        let span = Span::last(Range::Day, NOW, None);
        let p = sign_ins(ui, &span, &counted(&span, 60, 20));
        check(ui, &p);
        assert_eq!(p.areas.len(), 2, "what follows from others is not counted again");
        let (good, bad) = (&p.areas[0], &p.areas[1]);
        assert_eq!((good.paint, bad.paint), (Paint::One, Paint::Bad));
        assert!(bad.y.0 < good.y.0 && (bad.y.0 + bad.height.0 + 1.5 - good.y.0).abs() < 0.01, "no overlap");
        assert!((good.height.0 + 1.5) / (bad.height.0 + 1.5) - 1.5 < 0.01, "60 to 40");
        assert_eq!((good.x, good.width), (bad.x, bad.width));
        assert_eq!(
            p.margin.iter().map(|words| words.text.as_str()).collect::<Vec<_>>(),
            ["0", "20", "40", "60", "80", "100"]
        );
        assert_eq!(p.table.rows.len(), 24);
        assert_eq!(p.table.rows[23].1, ["60", "40"]);
        let marks = p.words.iter().filter(|words| words.class == "mark").count();
        assert_eq!(marks, 4, "every six hours");
    });
}

#[test]
fn a_phone_has_room_for_the_words_of_the_axis() {
    each_language(|ui| {
        for range in Range::ALL {
            let span = Span::last(range, NOW, None);
            let p = sign_ins(ui, &span, &counted(&span, 1, 0));
            check(ui, &p);
            let mut places: Vec<f64> = p.words.iter().map(|words| words.x.0).collect();
            places.sort_by(f64::total_cmp);
            let letters = p.words.iter().map(|words| words.text.chars().count()).max().unwrap();
            // 264 pixels are left of 360; a letter of 12 takes less than 7.
            let room = places.windows(2).map(|two| (two[1] - two[0]) * 2.64).fold(f64::MAX, f64::min);
            assert!(room > f64::from(u32::try_from(letters).unwrap()) * 6.0, "{range:?} {room} {letters}");
            assert!(p.table.head.len() == 2, "no column for failures that there are not");
        }
    });
}

#[test]
fn nothing_counted_says_what_to_do() {
    each_language(|ui| {
        let span = Span::last(Range::Week, NOW, None);
        let p = sign_ins(ui, &span, &counted(&span, 0, 0));
        assert!(p.areas.is_empty() && p.lines.is_empty() && !check(ui, &p).contains("<desc"));
        assert!(!check(ui, &tokens(ui, &Tokens::default())).contains("<desc"));
        assert!(!check(ui, &key_line(ui, &[], NOW)).contains("<desc"));
        assert_eq!(Sparkline::of(&[0, 0, 0]), None);
        assert_eq!((Sparkline::of(&[5]), Sparkline::of(&[])), (None, None));
    });
}

#[test]
fn the_longest_bar_leaves_room_for_its_number() {
    each_language(|ui| {
        let client = |name: &str, amount| ClientTokens {
            client: Some(ClientKey::new(NOW, &Random::system())),
            name: name.to_owned(),
            client_id: "id".to_owned(),
            by_grant: vec![(GrantType::RefreshToken, amount), (GrantType::AuthorizationCode, 1)],
        };
        let mut clients: Vec<ClientTokens> = AWKWARD.iter().map(|name| client(name, 1_234_567)).collect();
        clients.push(ClientTokens {
            client: None,
            name: String::new(),
            client_id: String::new(),
            by_grant: Vec::new(),
        });
        let p = tokens(ui, &Tokens { clients, other_clients: 3, others: 7 });
        check(ui, &p);
        let ends = p.areas.iter().map(|area| area.x.0 + area.width.0).fold(0.0, f64::max);
        assert!((80.0..=82.5).contains(&ends), "{ends}");
        assert_eq!(p.table.rows.len(), 7);
        assert_eq!(p.table.rows[4].0, "id", "a client without a name is called by its id");
        let mark = if ui.language == Language::English { "1,234,568" } else { "1.234.568" };
        assert_eq!(p.table.rows[0].1.last().unwrap(), mark);
        assert_eq!(p.legend.len(), 3, "only what there is");
    });
}

fn key(alg: SigningAlg, state: KeyState) -> KeyLine {
    KeyLine {
        kid: "<script>alert('1')</script>".to_owned(),
        alg,
        state,
        published_at: NOW.minus(50 * DAY),
        signs_from: NOW.minus(40 * DAY),
        signs_until: None,
        expected_until: NOW.plus(50 * DAY),
        leaves_at: None,
        revoked_at: None,
    }
}

#[test]
fn a_key_is_published_signs_and_will_sign() {
    each_language(|ui| {
        let signing = key(SigningAlg::Es256, KeyState::Signing);
        let retired = KeyLine {
            signs_until: Some(NOW.minus(20 * DAY)),
            leaves_at: Some(NOW.minus(18 * DAY)),
            ..key(SigningAlg::Rs256, KeyState::Gone)
        };
        let revoked =
            KeyLine { revoked_at: Some(NOW.minus(DAY)), ..key(SigningAlg::EdDsa, KeyState::Revoked) };
        let forgotten = KeyLine {
            signs_until: Some(NOW.minus(90 * DAY)),
            leaves_at: Some(NOW.minus(80 * DAY)),
            ..key(SigningAlg::Rs256, KeyState::Gone)
        };
        let p = key_line(ui, &[signing, retired, revoked, forgotten], NOW);
        check(ui, &p);
        let paints: Vec<Paint> = p.areas.iter().map(|area| area.paint).collect();
        let first = [Paint::Three, Paint::One, Paint::Faint];
        let second = [Paint::Three, Paint::One, Paint::Two];
        assert_eq!(paints, [&first[..], &second, &[Paint::Three, Paint::One, Paint::Bad]].concat());
        let now = p.lines.iter().find(|line| line.class == "now").unwrap();
        assert_eq!(now.x, [Share(50.0), Share(50.0)]);
        assert!((p.areas[1].x.0 + p.areas[1].width.0 - 50.0).abs() < 0.01, "it has signed until now");
        assert_eq!(p.areas[8].x, Share(49.0));
        assert_eq!(p.table.rows.len(), 3, "what has been gone for long is not shown");
    });
}

#[test]
fn scales_are_round_and_hold_what_is_to_be_shown() {
    for (most, expected) in [
        (0, vec![0, 1, 2]),
        (1, vec![0, 1, 2]),
        (3, vec![0, 1, 2, 3]),
        (7, vec![0, 2, 4, 6, 8]),
        (60, vec![0, 20, 40, 60]),
        (101, vec![0, 50, 100, 150]),
        (999, vec![0, 200, 400, 600, 800, 1_000]),
    ] {
        assert_eq!(scale::ticks(most), expected, "{most}");
    }
    let huge = scale::ticks(i64::MAX);
    assert!(huge.len() <= 6 && huge.windows(2).all(|two| two[0] < two[1] || two[1] == i64::MAX), "{huge:?}");
    each_language(|ui| {
        let point = if ui.language == Language::English { "1.5M" } else { "1,5M" };
        let short = [0, 9_999, 10_000, 1_500_000, 2_000_000_000].map(|number| scale::short(ui, number));
        assert_eq!(short, ["0", "9999", "10k", point, "2G"]);
    });
}

#[test]
fn shares_stay_within_the_picture() {
    for (part, whole, share) in
        [(1.0, 4.0, "25%"), (5.0, 4.0, "100%"), (-1.0, 4.0, "0%"), (1.0, 0.0, "0%"), (1.0, 3.0, "33.33%")]
    {
        assert_eq!(Share::of(part, whole).to_string(), share);
    }
    assert_eq!(Sparkline::of(&[0, 5, 10]).unwrap().points, "0,23 50,12 100,1");
}
