//! Why requests were refused, by the management API.

use actix_web::HttpResponse;
use actix_web::web::Query;
use serde::Deserialize;

use super::audit::id;
use super::manager::Manager;
use crate::explain::{self, After, Sought, Told};
use crate::model::{Language, OrganisationId, RefusalKind, UserId};
use crate::web::api::organizations::ok;
use crate::web::api::page::query_without_page;
use crate::web::api::typed::told;
use crate::web::fault::{Fault, Refused};

told! {
    Refusals {
        items: Vec<RefusalTold>,
        next: Option<String>,
    }
    RefusalTold {
        /// What the visitor was shown.
        reference: String,
        at: String,
        /// `sign_in`, `authorize`, `token`, `client` or `api`.
        kind: String,
        rule: String,
        /// What the rule means.
        says: String,
        /// What to do about it.
        advice: String,
        facts: Vec<FactTold>,
        client: Option<String>,
        user: Option<String>,
        organization: Option<String>,
    }
    FactTold {
        name: String,
        value: String,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    kind: Option<String>,
    rule: Option<String>,
    client: Option<String>,
    user: Option<String>,
    organization: Option<String>,
}

fn told_refusal(told: &Told) -> RefusalTold {
    let language = Language::default();
    let facts = told.facts.iter();
    RefusalTold {
        reference: told.reference.clone(),
        at: told.at.rfc3339(),
        kind: told.kind.to_string(),
        rule: told.rule.to_string(),
        says: language.text(told.rule.says()).to_owned(),
        advice: language.text(told.rule.advice()).to_owned(),
        facts: facts
            .map(|fact| FactTold { name: fact.name.clone().into_owned(), value: fact.value.clone() })
            .collect(),
        client: told.client.as_ref().map(|client| client.client_id.clone()),
        user: told.user.map(|id| id.to_string()),
        organization: told.organisation.map(|id| id.to_string()),
    }
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let list = manager.list("refusals");
    let beside = ["kind", "rule", "client", "user", "organization"];
    let page = list.page_beside::<After>(manager.request(), &beside)?;
    let Query(looked) = query_without_page::<Looked>(manager.request())?;
    let client = match &looked.client {
        Some(client_id) => {
            let unknown = || Refused::with_detail(Fault::InvalidValue, "`client` is no client's id.");
            Some(manager.app().client(client_id).await?.ok_or_else(unknown)?.key)
        }
        None => None,
    };
    let sought = Sought {
        kind: super::users::word::<RefusalKind>("kind", looked.kind.as_deref())?,
        rule: looked.rule,
        client,
        user: id::<UserId>("user", looked.user.as_deref())?,
        organisation: id::<OrganisationId>("organization", looked.organization.as_deref())?,
    };
    let found = explain::recent(manager.app(), sought, page.after, page.limit + 1).await?;
    let (found, next) = list.cut(found, page.limit, After::of);
    Ok(ok(&Refusals { items: found.iter().map(told_refusal).collect(), next }))
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    let reference: String = manager.named("reference")?;
    let found = explain::find(manager.app(), &reference, None).await?.ok_or(Fault::NotFound)?;
    Ok(ok(&told_refusal(&found.told)))
}
