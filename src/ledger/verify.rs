//! Whether an export, or the database as it is, is what was signed. Nothing is chained or signed here: whoever asked for
//! a proof would otherwise get one of what a forger left.

use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::{ALG, BEGINNING, CHECKPOINT_TYP, Extent, FORMAT, Head, LedgerError, Line, Sealed, export};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::keys::{Expect, PublicKeys};
use crate::store::{Db, audit};

/// So long after it happened an event is signed at the latest, unless something was wrong: twice the time between two
/// checkpoints. Whoever forges what is older lacks a signature from then.
const TOLERANCE: Duration = Duration::from_secs(10 * 60);

/// What a proof is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An export, which ends signed.
    File,
    /// What the database holds, the newest of which may wait for its signature.
    Database,
}

/// Events, from the first to the last of them: `1-95`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub first: i64,
    pub last: i64,
}

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let span = text
            .split_once('-')
            .and_then(|(first, last)| Some(Self { first: first.parse().ok()?, last: last.parse().ok()? }));
        span.filter(|span| 0 < span.first && span.first <= span.last)
            .ok_or("write the first and the last event, such as 90-95")
    }
}

/// What is taken for granted.
#[derive(Debug)]
pub struct Premises {
    pub subject: Subject,
    /// Keys that were got from the issuer. Without, those that come with the events are believed, which then proves that
    /// they are whole and not who signed them.
    pub trusted: Option<PublicKeys>,
    /// The event that the first one is known to follow; 0 for the beginning.
    pub after: i64,
    /// Events of which somebody knows why they were signed late.
    pub known_late: Vec<Span>,
    pub now: Timestamp,
}

/// What is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub issuer: String,
    pub events: u64,
    /// The first place that was to be looked at.
    pub from: i64,
    /// The last place that a signed checkpoint vouches for.
    pub proven_up_to: Option<i64>,
    /// Events after it.
    pub unproven: u64,
    /// Events of the database that have no place yet.
    pub waiting: u64,
    /// Events whose address was forgotten with its person.
    pub forgotten: u64,
    /// Whether the keys were got from the issuer.
    pub keys_are_trusted: bool,
    /// What is worth knowing and no fault.
    pub remarks: Vec<String>,
    /// What is wrong, in the order of the lines. Nothing, if all is whole.
    pub faults: Vec<String>,
}

/// Looks at the database as it is.
///
/// # Errors
/// If the database cannot be read, or the event to begin after is not there.
pub async fn check(db: &Db, issuer: &str, premises: Premises) -> Result<Report, LedgerError> {
    let after = premises.after;
    let mut audit = Audit::new(premises);
    let (waiting, oldest) = db.read(audit::waiting).await?;
    let feed = |line: &str| {
        audit.line(line);
        Ok::<(), LedgerError>(())
    };
    export(db, issuer, after, Extent::Everything, feed).await?;
    audit.waiting(waiting, oldest);
    Ok(audit.finish())
}

/// Goes through an export line by line.
#[derive(Debug)]
pub struct Audit {
    premises: Premises,
    keys: PublicKeys,
    begun: bool,
    seq: i64,
    chain: Digest,
    /// The first event that no checkpoint covers yet, and when the oldest of them happened.
    uncovered: Option<(i64, Timestamp)>,
    report: Report,
}

impl Audit {
    pub fn new(premises: Premises) -> Self {
        Self {
            report: Report {
                from: premises.after + 1,
                keys_are_trusted: premises.trusted.is_some(),
                ..Report::default()
            },
            premises,
            keys: PublicKeys::default(),
            begun: false,
            seq: 0,
            chain: BEGINNING,
            uncovered: None,
        }
    }

    pub fn line(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        if !self.begun {
            self.begun = true;
            self.head(line);
        } else if let Ok(sealed) = serde_json::from_str::<Sealed>(line) {
            self.checkpoint(&sealed.checkpoint);
        } else {
            match serde_json::from_str::<Line>(line) {
                Ok(event) => self.event(&event),
                Err(error) => {
                    self.fault(format!("after event {}: not a line of an export: {error}", self.seq))
                }
            }
        }
    }

    pub fn finish(mut self) -> Report {
        if !self.begun {
            self.fault("there is nothing in it".to_owned());
        } else if self.premises.subject == Subject::Database {
            if let Some((first, oldest)) = self.uncovered.filter(|(_, oldest)| self.is_old(*oldest)) {
                self.fault(format!(
                    "{} happened since {oldest} and {} never signed",
                    span(first, self.seq),
                    was(first, self.seq)
                ));
            }
        } else if let Some((first, _)) = self.uncovered {
            self.fault(format!(
                "{} at the end {} not signed: an export ends signed, so something is missing after {}",
                span(first, self.seq),
                if first == self.seq { "is" } else { "are" },
                if first == self.seq { "it" } else { "them" }
            ));
        } else if self.report.proven_up_to.is_none() {
            self.fault("there is no signature in it: an export ends signed".to_owned());
        }
        self.report
    }

    /// Events of the database that have no place, and when the oldest of them happened.
    fn waiting(&mut self, count: i64, oldest: Option<Timestamp>) {
        self.report.waiting = u64::try_from(count).unwrap_or_default();
        if let Some(oldest) = oldest.filter(|oldest| self.is_old(*oldest)) {
            self.fault(format!(
                "events that happened since {oldest} were never chained: {count} wait for it"
            ));
        }
    }

    fn is_old(&self, at: Timestamp) -> bool {
        self.premises.now.since(at) > TOLERANCE
    }

    fn fault(&mut self, what: String) {
        self.report.faults.push(what);
    }

    fn head(&mut self, line: &str) {
        let head = serde_json::from_str::<Head>(line).ok().filter(|head| head.format == FORMAT);
        let Some(head) = head else {
            return self.fault(format!("the first line is not that of a {FORMAT} export"));
        };
        let named = PublicKeys::parse(head.keys.to_string().as_bytes());
        match self.premises.trusted.take().map_or(named, Ok) {
            Ok(keys) => self.keys = keys,
            Err(error) => self.fault(format!("the keys of the first line: {error}")),
        }
        // Nobody has signed where it begins.
        let (begins, told) = (head.after, self.premises.after);
        if begins != told && told == 0 {
            self.fault(format!(
                "it begins after event {begins}, and nothing shows what was before: if that is how it was exported, \
                 say `--after {begins}`"
            ));
        } else if begins != told {
            self.fault(format!("it begins after event {begins}, not after event {told}"));
        }
        self.report.from = begins.saturating_add(1);
        self.report.issuer = head.issuer;
        (self.seq, self.chain) = (begins, head.chain);
    }

    fn event(&mut self, line: &Line) {
        let (expected, seq) = (self.seq.saturating_add(1), line.seq);
        if seq < 1 {
            return self.fault(format!("event {seq} ({}) stands before the first place", line.id));
        }
        if seq < expected {
            return self
                .fault(format!("event {seq} stands after event {}: it was moved or repeated", self.seq));
        }
        if seq > expected {
            let missing = missing(expected, seq - 1);
            // Whoever deletes the oldest keeps the last one before those that stay.
            let hint = match (self.report.events, expected) {
                (0, 1) => format!("; if you deleted what is before event {seq}, say `--after {seq}`"),
                _ => String::new(),
            };
            self.fault(format!("{missing}{hint}"));
        } else if line.chained(&self.chain) != line.chain {
            self.fault(format!("event {seq} ({}) was altered", line.id));
        }
        if !line.has_its_address() {
            self.fault(format!("the address of event {seq} ({}) was altered", line.id));
        }
        self.report.forgotten += u64::from(line.ip_digest.is_some() && line.ip.is_none());
        self.report.events += 1;
        self.report.unproven += 1;
        let at = Timestamp::from_micros(line.at);
        let (first, oldest) = self.uncovered.unwrap_or((seq, at));
        self.uncovered = Some((first, oldest.min(at)));
        (self.seq, self.chain) = (seq, line.chain);
    }

    fn checkpoint(&mut self, token: &str) {
        let issuer = self.report.issuer.clone();
        let expect = Expect {
            types: &[CHECKPOINT_TYP],
            algs: &[ALG],
            issuer: &issuer,
            now: self.premises.now,
            leeway: Duration::ZERO,
            check_expiry: true,
        };
        let claims = match self.keys.verify(token, &expect) {
            Ok(verified) => verified.claims,
            Err(error) => {
                return self
                    .fault(format!("the checkpoint after event {} proves nothing: {error}", self.seq));
            }
        };
        let chain =
            claims.get("chain").and_then(|chain| serde_json::from_value::<Digest>(chain.clone()).ok());
        let seq = claims.get("seq").and_then(Value::as_i64);
        if let Some(seq) = seq.filter(|seq| *seq > self.seq) {
            let missing = missing(self.seq + 1, seq);
            return self.fault(format!("{missing}: a checkpoint goes up to event {seq}"));
        }
        if seq != Some(self.seq) || chain != Some(self.chain) {
            return self.fault(format!(
                "the checkpoint after event {} vouches for another chain, up to event {}",
                self.seq,
                seq.unwrap_or_default()
            ));
        }
        // Without its time it proves nothing of when.
        let signed =
            claims.get("iat").and_then(Value::as_i64).map_or(self.premises.now, Timestamp::from_seconds);
        if let Some((first, oldest)) = self.uncovered.take() {
            self.covered(Span { first, last: self.seq }, signed.since(oldest));
        }
        self.report.proven_up_to = seq;
        self.report.unproven = 0;
    }

    /// A signature says what its events were when it was made. If that is long after they happened, whoever could write
    /// the database had as long to change them.
    fn covered(&mut self, late: Span, by: Duration) {
        if by <= TOLERANCE {
            return;
        }
        let Span { first, last } = late;
        let what = format!(
            "{} {} signed only {} after {} happened: what was changed before that is not found",
            span(first, last),
            was(first, last),
            in_words(by),
            if first == last { "it" } else { "they" }
        );
        if self.premises.known_late.contains(&late) {
            self.report.remarks.push(what);
        } else {
            self.fault(format!("{what} (if you know why, say `--accept-late {first}-{last}`)"));
        }
    }
}

fn span(first: i64, last: i64) -> String {
    if first == last { format!("event {first}") } else { format!("events {first} to {last}") }
}

const fn was(first: i64, last: i64) -> &'static str {
    if first == last { "was" } else { "were" }
}

fn missing(first: i64, last: i64) -> String {
    format!("{} {} missing", span(first, last), if first == last { "is" } else { "are" })
}

fn in_words(length: Duration) -> String {
    let minutes = length.as_secs() / 60;
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_told_in_the_unit_that_fits() {
        let told = |minutes: u64| in_words(Duration::from_secs(minutes * 60 + 59));
        assert_eq!([11, 119, 180, 2879, 4320].map(told), ["11 min", "119 min", "3 h", "47 h", "3 days"]);
    }

    #[test]
    fn a_span_is_two_events_in_order() {
        assert_eq!("90-95".parse(), Ok(Span { first: 90, last: 95 }));
        for bad in ["", "9", "9-", "-9", "0-9", "9-8", "1-2-3", "a-b"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
