//! How the instance does, by the management API: what is wrong and what to do, sign-ins and tokens over a stretch of time.

use actix_web::HttpResponse;
use actix_web::web::Query;
use serde::Deserialize;

use super::manager::Manager;
use crate::findings::{self, Finding, Severity};
use crate::model::{AuthMethod, Language};
use crate::usage::{self, ClientTokens, Range, Span};
use crate::web::api::organizations::ok;
use crate::web::api::page::query_without_page;
use crate::web::api::typed::told;
use crate::web::fault::{Fault, Refused};

/// Applications that are told apart; the rest is one sum.
const CLIENTS: usize = 100;

told! {
    Overview {
        findings: Vec<FindingTold>,
        /// Browsers that are signed in now.
        sessions: i64,
        mail_waiting: i64,
        mail_failed: i64,
        /// `24h`, `7d` or `30d`.
        range: String,
        /// The stretches of time that are counted: hours of a day, else days of UTC.
        slots: Vec<SlotTold>,
        sign_ins: Vec<Counted>,
        failed_sign_ins: Vec<Counted>,
        /// What applications got, the one that got most first.
        tokens: Vec<ClientTokensTold>,
        /// The applications after those, and what they got together.
        other_clients: u64,
        other_tokens: i64,
    }
    FindingTold {
        code: String,
        /// `problem`, `warning` or `hint`.
        severity: String,
        area: String,
        says: String,
        /// What to do about it.
        advice: String,
    }
    SlotTold {
        from: String,
        until: String,
    }
    /// By one way of signing in, in each slot.
    Counted {
        method: String,
        amounts: Vec<i64>,
    }
    ClientTokensTold {
        /// Its `client_id`; null for keys of machines, which need none.
        client: Option<String>,
        name: String,
        total: i64,
        by_grant: Vec<GrantTokens>,
    }
    GrantTokens {
        grant_type: String,
        amount: i64,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    range: Option<String>,
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Problem => "problem",
        Severity::Warning => "warning",
        Severity::Hint => "hint",
    }
}

fn told(finding: &Finding) -> FindingTold {
    let language = Language::default();
    FindingTold {
        code: finding.code().to_owned(),
        severity: word(finding.severity()).to_owned(),
        area: finding.area().to_owned(),
        says: finding.says(language, None),
        advice: finding.advice(language).to_owned(),
    }
}

fn counted(lines: Vec<(AuthMethod, Vec<i64>)>) -> Vec<Counted> {
    lines.into_iter().map(|(method, amounts)| Counted { method: method.to_string(), amounts }).collect()
}

fn tokens(client: &ClientTokens) -> ClientTokensTold {
    ClientTokensTold {
        client: Some(client.client_id.clone()).filter(|id| !id.is_empty()),
        name: client.name.clone(),
        total: client.total(),
        by_grant: client
            .by_grant
            .iter()
            .map(|(grant, amount)| GrantTokens { grant_type: grant.to_string(), amount: *amount })
            .collect(),
    }
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    let Query(looked) = query_without_page::<Looked>(manager.request())?;
    let refuse = || Refused::with_detail(Fault::InvalidValue, "`range` must be 24h, 7d or 30d.");
    let range = match looked.range.as_deref() {
        Some(word) => Range::parse(word).ok_or_else(refuse)?,
        None => Range::default(),
    };
    let (app, now) = (manager.app(), manager.app().clock.now());
    let span = Span::last(range, now, None);
    let findings = findings::look(&app.db, &app.config, now).await?;
    let present = usage::present(&app.db, now).await?;
    let sign_ins = app.usage.sign_ins(&app.db, &span).await?;
    let of_clients = app.usage.tokens_by_client(&app.db, &span, CLIENTS).await?;
    Ok(ok(&Overview {
        findings: findings.iter().map(told).collect(),
        sessions: present.sessions,
        mail_waiting: present.mail.waiting,
        mail_failed: present.mail.failed,
        range: range.as_str().to_owned(),
        slots: sign_ins
            .slots
            .iter()
            .map(|slot| SlotTold { from: slot.from.rfc3339(), until: slot.until.rfc3339() })
            .collect(),
        sign_ins: counted(sign_ins.by_method),
        failed_sign_ins: counted(sign_ins.failed_by_method),
        tokens: of_clients.clients.iter().map(tokens).collect(),
        other_clients: u64::try_from(of_clients.other_clients).unwrap_or_default(),
        other_tokens: of_clients.others,
    }))
}
