//! `countersign explain`: why a request was refused, by the reference that the visitor was shown.

use clap::Args;
use serde_json::{Value, json};

use super::user::known;
use super::{Failure, Shell};
use crate::app::App;
use crate::explain::{self, Explained, Sought, Told};
use crate::model::explanation::Fact;
use crate::model::{Language, RefusalKind};
use crate::store::audit::Event;
use crate::tenancy::organisations;

#[derive(Debug, Args)]
pub struct Arguments {
    /// What the error page, the answer or the log has; without, the latest refusals are listed
    #[arg(value_name = "REFERENCE")]
    reference: Option<String>,
    /// Only of this client
    #[arg(long, value_name = "CLIENT_ID", conflicts_with = "reference")]
    client: Option<String>,
    /// Only of this user: id, e-mail address or user name
    #[arg(long, value_name = "USER", conflicts_with = "reference")]
    user: Option<String>,
    /// Only in this organisation: id or short name
    #[arg(long, value_name = "ORG", conflicts_with = "reference")]
    org: Option<String>,
    /// Only what was wanted: sign_in, authorize, token, client or api
    #[arg(long, value_name = "KIND", conflicts_with = "reference")]
    kind: Option<RefusalKind>,
    /// So many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1_000))]
    limit: i64,
}

pub async fn run(shell: &Shell, arguments: Arguments) -> Result<(), Failure> {
    let app = shell.open().await?;
    let Some(reference) = &arguments.reference else { return list(shell, &app, arguments).await };
    let found = explain::find(&app, reference, None).await?.ok_or_else(|| {
        let kept = crate::config::duration::text(app.config.log.explain_for);
        Failure::Failed(format!(
            "nothing is known of this reference: the request was not refused, or more than {kept} ago"
        ))
    })?;
    shell.out.answer(&in_words(&found), &view(&found))
}

async fn list(shell: &Shell, app: &App, arguments: Arguments) -> Result<(), Failure> {
    let client = match &arguments.client {
        Some(client_id) => {
            let missing = || Failure::Failed("there is no such client: `countersign client list`".to_owned());
            Some(app.client(client_id).await?.ok_or_else(missing)?.key)
        }
        None => None,
    };
    let user = match &arguments.user {
        Some(who) => Some(known(app, who).await?.id),
        None => None,
    };
    let organisation = match arguments.org {
        Some(which) => {
            let found = app.db.read(move |db| organisations::find(db, &which)).await?;
            let missing =
                || Failure::Failed("there is no such organisation: `countersign org list`".to_owned());
            Some(found.ok_or_else(missing)?.id)
        }
        None => None,
    };
    let sought = Sought { kind: arguments.kind, rule: None, client, user, organisation };
    let found = explain::recent(app, sought, None, arguments.limit).await?;
    let views: Vec<Value> = found.iter().map(view_of_told).collect();
    let columns = ["AT", "REFERENCE", "KIND", "RULE", "CLIENT", "USER"];
    shell.out.list(&views, &columns, |one| {
        let text = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
        ["at", "reference", "kind", "rule", "client", "user"].map(text).to_vec()
    })
}

fn in_words(found: &Explained) -> String {
    let Explained { told, account, organisation, events } = found;
    let language = Language::default();
    let mut lines = vec![
        language.text(told.rule.says()).to_owned(),
        language.text(told.rule.advice()).to_owned(),
        String::new(),
        format!("rule: {}", told.rule),
        format!("at: {}", told.at),
        format!("wanted: {} ({}, answered {})", told.kind, told.route, told.status),
    ];
    lines.extend(told.facts.iter().map(|Fact { name, value }| format!("{name}: {value}")));
    if let Some(client) = &told.client {
        lines.push(format!("client: {} ({})", client.client_id, client.name));
    }
    if let Some(user) = told.user {
        let email = account.as_ref().and_then(|account| account.email.clone());
        lines.push(format!("user: {user} ({})", email.as_deref().unwrap_or("no address")));
    }
    if let Some(slug) = organisation {
        lines.push(format!("organisation: {slug}"));
    }
    lines.extend(events.iter().map(|event| format!("recorded: {} {}", event.action, event.outcome)));
    lines.iter().map(|line| super::plain(line)).collect::<Vec<_>>().join("\n")
}

fn view(found: &Explained) -> Value {
    let language = Language::default();
    let mut view = view_of_told(&found.told);
    view["says"] = json!(language.text(found.told.rule.says()));
    view["do"] = json!(language.text(found.told.rule.advice()));
    view["recorded"] = found.events.iter().map(view_of_event).collect();
    view
}

fn view_of_event(event: &Event) -> Value {
    json!({ "id": event.id, "at": event.at.rfc3339(), "action": event.action, "outcome": event.outcome })
}

fn view_of_told(told: &Told) -> Value {
    let facts: Vec<Value> =
        told.facts.iter().map(|Fact { name, value }| json!({ "name": name, "value": value })).collect();
    json!({
        "reference": told.reference,
        "at": told.at.rfc3339(),
        "kind": told.kind,
        "rule": told.rule.as_str(),
        "facts": facts,
        "route": told.route,
        "status": told.status,
        "client": told.client.as_ref().map(|client| &client.client_id),
        "user": told.user,
        "organisation": told.organisation,
    })
}
