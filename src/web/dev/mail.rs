//! `/dev/mail`: the development mailbox. What would be mailed, where no mail server is configured, and what was.
//!
//! Links that sign somebody in stand here for whoever can ask, so it answers only under a name of this machine: a
//! page elsewhere whose name was turned to 127.0.0.1 cannot read it with the developer's browser.

use actix_web::http::StatusCode;
use actix_web::http::header::HOST;
use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::config::Issuer;
use crate::model::MessageId;
use crate::store::outbox;
use crate::web::extract::Browser;
use crate::web::failure::PageFailure;
use crate::web::page::{DevMail, DevMailMessagePage, DevMailPage};
use crate::web::respond::{self, Csp, Frame};

/// Messages that the list shows.
const SHOWN: i64 = 50;

/// Mounts the mailbox.
pub fn routes(config: &mut ServiceConfig) {
    config.route("/dev/mail", web::get().to(list)).route("/dev/mail/{message}", web::get().to(message));
}

/// The newest messages.
async fn list(app: Data<App>, request: HttpRequest, browser: Browser) -> Result<HttpResponse, PageFailure> {
    check_host(&request)?;
    let rows = app.db.read(|db| outbox::newest(db, SHOWN)).await?;
    let ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
    let messages: Vec<DevMail<'_>> = rows.iter().zip(&ids).map(|(row, id)| shown(row, id)).collect();
    let frame = Frame::new(&app, &request, browser.binding.as_ref(), &[]);
    let ui = frame.ui(None);
    let page = DevMailPage { ui: &ui, now: app.clock.now(), messages: &messages };
    Ok(respond::page(&ui, StatusCode::OK, &page, Csp::Own))
}

/// One message.
async fn message(
    app: Data<App>,
    request: HttpRequest,
    browser: Browser,
    id: Path<String>,
) -> Result<HttpResponse, PageFailure> {
    check_host(&request)?;
    let id: MessageId = id.parse().map_err(|_| PageFailure::NotFound)?;
    let row = app.db.read(move |db| outbox::find(db, id)).await?.ok_or(PageFailure::NotFound)?;
    let frame = Frame::new(&app, &request, browser.binding.as_ref(), &[]);
    let (ui, id) = (frame.ui(None), row.id.to_string());
    let page = DevMailMessagePage {
        ui: &ui,
        now: app.clock.now(),
        mail: shown(&row, &id),
        text: &row.body_text,
        html: &row.body_html,
        issuer: app.config.issuer.as_str(),
    };
    Ok(respond::page(&ui, StatusCode::OK, &page, Csp::Own))
}

fn shown<'a>(row: &'a outbox::Message, id: &'a str) -> DevMail<'a> {
    DevMail { id, to: &row.recipient, subject: &row.subject, at: row.created_at }
}

/// Whether the browser is on this machine and asked for a name that can only be this machine: the mailbox opens every
/// account.
fn check_host(request: &HttpRequest) -> Result<(), PageFailure> {
    if !request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback()) {
        return Err(PageFailure::NotFound);
    }
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let origin = format!("http://{host}").parse::<Issuer>();
    if origin.is_ok_and(|origin| origin.is_loopback()) { Ok(()) } else { Err(PageFailure::NotFound) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::audit::Origin;
    use crate::mail;
    use crate::mail::message::Message;
    use crate::model::EmailAddress;
    use crate::web::testing::Running;

    async fn get(server: &Running, path: &str, host: &str) -> String {
        server.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_mail_can_be_read_and_its_link_followed() {
        let server = Running::start("/id", |_| {}).await;
        let app = &server.instance.app;
        let issuer = app.config.issuer.as_str();
        let empty = get(&server, "/id/dev/mail", "localhost").await;
        assert!(empty.starts_with("HTTP/1.1 200") && !empty.contains("/dev/mail/msg_"), "{empty}");

        let scribe = app.scribe(&Origin::system());
        let message = Message {
            subject: "Hello <b>".to_owned(),
            text: format!("{issuer}/register/abc\n{issuer}.evil.example/ http://evil.example/x\n"),
            html: "<p>Hello<script>alert(1)</script></p>".to_owned(),
        };
        let to = EmailAddress::parse("ada@test.example").unwrap();
        app.db.write(move |db| mail::enqueue(db, &scribe, &to, &message, None)).await.unwrap();
        app.mail_notify.notify_one();

        let list = get(&server, "/id/dev/mail", "127.0.0.1:8080").await;
        assert!(list.contains("Hello &#60;b&#62;") && list.contains("ada@test.example"), "{list}");
        let path = list.split('"').find(|word| word.starts_with("/id/dev/mail/msg_")).unwrap();
        let page = get(&server, path, "[::1]:8080").await;
        assert!(page.contains(&format!("href=\"{issuer}/register/abc\"")), "{page}");
        assert!(!page.contains("href=\"http://evil") && !page.contains("evil.example/\""), "{page}");
        assert!(page.contains("&#60;script&#62;") && !page.contains("<script>alert"), "{page}");
        assert!(page.contains("default-src 'none'"), "{page}");

        // Without a mail server, being shown here is being delivered.
        for _ in 0..100 {
            let rows = app.db.read(|db| outbox::newest(db, 1)).await.unwrap();
            if rows[0].sent_at.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the message was not marked as sent");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_names_of_this_machine_and_known_messages_are_answered() {
        let server = Running::start("", |_| {}).await;
        let status = async |path: &str, host: &str| get(&server, path, host).await[9..12].to_owned();
        for (host, expected) in [
            ("localhost:8080", "200"),
            ("id.localhost", "200"),
            ("127.0.0.1", "200"),
            ("[::1]", "200"),
            ("rebound.example:8080", "404"),
            ("localhost.example", "404"),
            ("10.0.0.1", "404"),
            ("localhost@evil.example", "404"),
        ] {
            assert_eq!(status("/dev/mail", host).await, expected, "{host}");
        }
        for id in ["msg_0193e5a4c6f87c3d9b2a1f0e4d5c6b7a", "usr_0193e5a4c6f87c3d9b2a1f0e4d5c6b7a", "x", "%00"]
        {
            assert_ne!(status(&format!("/dev/mail/{id}"), "localhost").await, "200", "{id}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_public_issuer_has_no_mailbox() {
        let server = Running::start("", |config| {
            config.issuer = "https://id.example.com".parse().unwrap();
        })
        .await;
        assert!(get(&server, "/dev/mail", "localhost").await.starts_with("HTTP/1.1 404"));
    }
}
