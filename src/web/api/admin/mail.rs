//! Mail that leaves, by the management API: what waits or failed, sending it again, a test, what DNS says of its domain.

use actix_web::HttpResponse;
use actix_web::web::Query;
use serde::Deserialize;

use super::manager::Manager;
use super::users::{email_of, word};
use crate::model::MessageId;
use crate::store::outbox;
use crate::tenancy::post::{self, Record};
use crate::web::api::ask::Sent;
use crate::web::api::once::Made;
use crate::web::api::organizations::ok;
use crate::web::api::page::query_without_page;
use crate::web::api::session::done;
use crate::web::api::typed::{asked, told};
use crate::web::fault::{Fault, Refused};

asked! {
    /// `POST /mail/test`.
    TestAsked {
        email: String where { "format": "email", "maxLength": 254 },
    }
}

told! {
    Messages {
        items: Vec<MessageTold>,
        next: Option<String>,
    }
    MessageTold {
        id: String,
        recipient: String,
        subject: String,
        /// `waiting`, `sent` or `failed`.
        state: String,
        attempts: i64,
        last_error: Option<String>,
        created_at: String,
        sent_at: Option<String>,
        failed_at: Option<String>,
    }
    Records {
        items: Vec<RecordTold>,
    }
    /// One by which others believe that mail comes from here.
    RecordTold {
        /// `SPF`, `DMARC` or `DKIM`.
        record: String,
        /// Where in DNS.
        name: String,
        /// `found`, `missing`, or `unknown` if DNS could not be asked.
        state: String,
        /// What stands there, or why it is not known.
        says: Option<String>,
    }
}

impl Made for MessageTold {}

fn told(message: &outbox::Message) -> MessageTold {
    MessageTold {
        id: message.id.to_string(),
        recipient: message.recipient.clone(),
        subject: message.subject.clone(),
        state: post::state(message).as_str().to_owned(),
        attempts: message.attempts,
        last_error: message.last_error.clone(),
        created_at: message.created_at.rfc3339(),
        sent_at: message.sent_at.map(|at| at.rfc3339()),
        failed_at: message.failed_at.map(|at| at.rfc3339()),
    }
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let list = manager.list("mail");
    let page = list.page_beside::<MessageId>(manager.request(), &["state"])?;
    let Query(looked) = query_without_page::<Looked>(manager.request())?;
    let state = word::<post::State>("state", looked.state.as_deref())?;
    let found = post::list(manager.app(), state, page.after, page.limit + 1).await?;
    let (found, next) = list.cut(found, page.limit, |message| message.id);
    Ok(ok(&Messages { items: found.iter().map(told).collect(), next }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    state: Option<String>,
}

pub async fn send_again(manager: Manager) -> Result<HttpResponse, Refused> {
    let again = post::send_again(manager.app(), manager.named("message")?, manager.origin()).await?;
    if again { Ok(done()) } else { Err(Fault::NotFound.into()) }
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = post::find(manager.app(), manager.named("message")?).await?;
    Ok(ok(&told(&found.ok_or(Fault::NotFound)?)))
}

pub async fn send_test(
    Sent { by: manager, asked, once }: Sent<Manager, TestAsked>,
) -> Result<HttpResponse, Refused> {
    let (to, app, language) = (email_of(&asked.email)?, manager.call.app.clone(), manager.call.language);
    let make = async move |origin| {
        let id = post::send_test(&app, &to, language, &origin).await?;
        Ok(told(&post::find(&app, id).await?.ok_or(Fault::NotFound)?))
    };
    once.make(&manager.call, &manager.identity(), make).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selected {
    selector: Option<String>,
}

pub async fn check(manager: Manager) -> Result<HttpResponse, Refused> {
    let Query(selected) = query_without_page::<Selected>(manager.request())?;
    let selector = selected.selector.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let items = post::look_up(manager.app(), selector).await.into_iter().map(|(what, name, record)| {
        let (state, says) = match record {
            Record::Found(text) => ("found", Some(text)),
            Record::Missing => ("missing", None),
            Record::Unknown(why) => ("unknown", Some(why)),
        };
        RecordTold { record: what.to_owned(), name, state: state.to_owned(), says }
    });
    Ok(ok(&Records { items: items.collect() }))
}
