//! What is wrong with this instance, or will be soon, and what to do about it.
//!
//! One list for the console, the management API and `countersign doctor`. It says only what database and configuration
//! prove; what has to be tried (does the mail server answer?) is `doctor`'s. Who may read it is for others to decide.

mod look;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::model::{Language, SigningAlg, Zone};

pub use look::look;

/// The worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work.
    Problem,
    /// Something will not work soon, or is less safe than it should be.
    Warning,
    /// Worth knowing.
    Hint,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    SchemaBehind,
    /// Ours is ahead of the database's by so many milliseconds; behind it, if negative.
    ClockOff(i64),
    NoSigningKey(SigningAlg),
    /// It is time for the key to have one.
    NoSuccessor(SigningAlg),
    NoAdministrator,
    OneAdministrator,
    AdministratorsWithoutFactor(i64),
    NoMailServer,
    MailFailed(i64),
    MailWaits {
        count: i64,
        since: Timestamp,
    },
    /// The last of the client's secrets.
    SecretEnds {
        client_id: String,
        name: String,
        at: Timestamp,
        has_ended: bool,
    },
    /// The DNS does not say any more that the domain is the organisation's.
    DomainMissing {
        organisation: String,
        domain: String,
        since: Timestamp,
    },
    /// Everybody seems to come from the proxy.
    NoTrustedProxy,
    NoMetrics,
    OneNodeOnly,
}

impl Finding {
    pub const fn severity(&self) -> Severity {
        match self {
            Self::SchemaBehind | Self::NoSigningKey(_) => Severity::Problem,
            Self::ClockOff(ahead) if ahead.unsigned_abs() > look::CLOCK_STOPS => Severity::Problem,
            Self::SecretEnds { has_ended: true, .. } => Severity::Problem,
            Self::ClockOff(_)
            | Self::NoSuccessor(_)
            | Self::NoAdministrator
            | Self::OneAdministrator
            | Self::AdministratorsWithoutFactor(_)
            | Self::NoMailServer
            | Self::MailFailed(_)
            | Self::MailWaits { .. }
            | Self::SecretEnds { .. }
            | Self::DomainMissing { .. }
            | Self::NoTrustedProxy => Severity::Warning,
            Self::NoMetrics | Self::OneNodeOnly => Severity::Hint,
        }
    }

    /// For programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SchemaBehind => "schema_behind",
            Self::ClockOff(_) => "clock_off",
            Self::NoSigningKey(_) => "no_signing_key",
            Self::NoSuccessor(_) => "no_successor",
            Self::NoAdministrator => "no_administrator",
            Self::OneAdministrator => "one_administrator",
            Self::AdministratorsWithoutFactor(_) => "administrators_without_factor",
            Self::NoMailServer => "no_mail_server",
            Self::MailFailed(_) => "mail_failed",
            Self::MailWaits { .. } => "mail_waits",
            Self::SecretEnds { .. } => "secret_ends",
            Self::DomainMissing { .. } => "domain_missing",
            Self::NoTrustedProxy => "no_trusted_proxy",
            Self::NoMetrics => "no_metrics",
            Self::OneNodeOnly => "one_node_only",
        }
    }

    /// What it is about, as `doctor` calls it.
    pub const fn area(&self) -> &'static str {
        match self {
            Self::SchemaBehind => "schema",
            Self::ClockOff(_) => "clock",
            Self::NoSigningKey(_) | Self::NoSuccessor(_) => "signing keys",
            Self::NoAdministrator | Self::OneAdministrator | Self::AdministratorsWithoutFactor(_) => {
                "administrator"
            }
            Self::NoMailServer | Self::MailFailed(_) | Self::MailWaits { .. } => "mail",
            Self::SecretEnds { .. } => "clients",
            Self::DomainMissing { .. } => "domains",
            Self::NoTrustedProxy => "proxy",
            Self::NoMetrics => "metrics",
            Self::OneNodeOnly => "database",
        }
    }

    /// What is the matter, in a sentence. Times are shown as they are read in the zone.
    pub fn says(&self, language: Language, zone: Option<&Zone>) -> String {
        let date = |at: Timestamp| language.date_in(at, zone);
        match self {
            Self::SchemaBehind => language.text("finding.schema_behind").to_owned(),
            Self::ClockOff(ahead) => {
                let seconds = (ahead.unsigned_abs() / 1_000).to_string();
                let key = if *ahead < 0 { "finding.clock_behind" } else { "finding.clock_ahead" };
                language.with(key, &[("seconds", seconds)])
            }
            Self::NoSigningKey(alg) => language.with("finding.no_signing_key", &[("alg", alg.as_str())]),
            Self::NoSuccessor(alg) => language.with("finding.no_successor", &[("alg", alg.as_str())]),
            Self::NoAdministrator => language.text("finding.no_administrator").to_owned(),
            Self::OneAdministrator => language.text("finding.one_administrator").to_owned(),
            Self::AdministratorsWithoutFactor(count) => {
                language.with("finding.administrators_without_factor", &[("count", count.to_string())])
            }
            Self::NoMailServer => language.text("finding.no_mail_server").to_owned(),
            Self::MailFailed(count) => language.with("finding.mail_failed", &[("count", count.to_string())]),
            Self::MailWaits { count, since } => {
                language.with("finding.mail_waits", &[("count", count.to_string()), ("since", date(*since))])
            }
            Self::SecretEnds { client_id, name, at, has_ended } => {
                let key = if *has_ended { "finding.secret_ended" } else { "finding.secret_ends" };
                let name = if name.trim().is_empty() { client_id } else { name };
                language.with(key, &[("client", name.clone()), ("at", date(*at))])
            }
            Self::DomainMissing { organisation, domain, since } => language.with(
                "finding.domain_missing",
                &[
                    ("domain", domain.clone()),
                    ("organisation", organisation.clone()),
                    ("since", date(*since)),
                ],
            ),
            Self::NoTrustedProxy => language.text("finding.no_trusted_proxy").to_owned(),
            Self::NoMetrics => language.text("finding.no_metrics").to_owned(),
            Self::OneNodeOnly => language.text("finding.one_node_only").to_owned(),
        }
    }

    /// What to do about it.
    pub fn advice(&self, language: Language) -> &'static str {
        language.text(match self {
            Self::SchemaBehind => "finding_do.schema_behind",
            Self::ClockOff(_) => "finding_do.clock_off",
            Self::NoSigningKey(_) => "finding_do.no_signing_key",
            Self::NoSuccessor(_) => "finding_do.no_successor",
            Self::NoAdministrator => "finding_do.no_administrator",
            Self::OneAdministrator => "finding_do.one_administrator",
            Self::AdministratorsWithoutFactor(_) => "finding_do.administrators_without_factor",
            Self::NoMailServer => "finding_do.no_mail_server",
            Self::MailFailed(_) => "finding_do.mail_failed",
            Self::MailWaits { .. } => "finding_do.mail_waits",
            Self::SecretEnds { .. } => "finding_do.secret_ends",
            Self::DomainMissing { .. } => "finding_do.domain_missing",
            Self::NoTrustedProxy => "finding_do.no_trusted_proxy",
            Self::NoMetrics => "finding_do.no_metrics",
            Self::OneNodeOnly => "finding_do.one_node_only",
        })
    }
}
