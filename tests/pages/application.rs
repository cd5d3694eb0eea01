//! An application that a browser can come back to: it notes how, and shows a page.

use std::sync::{Arc, Mutex};

use countersign::model::ClientAuthMethod;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::{TestApp, TestClient};

const PAGE: &str = "<!doctype html><html lang=\"en\"><link rel=\"icon\" href=\"data:,\"><title>Application</title>\
    <main id=\"application\"><h1>Back at the application</h1></main></html>";

/// A running application. Ends when dropped.
pub struct Application {
    pub client: TestClient,
    came_back: Arc<Mutex<Vec<Callback>>>,
    serving: JoinHandle<()>,
}

/// One request to the redirect URI.
#[derive(Clone, Debug)]
pub struct Callback {
    pub method: String,
    /// The query, or the body of a form.
    pub parameters: Vec<(String, String)>,
}

impl Application {
    pub async fn start(app: &TestApp, name: &str) -> Self {
        Self::start_with(app, name, false).await
    }

    /// `in_organisation`: whoever signs in does so for one of their organisations.
    pub async fn start_with(app: &TestApp, name: &str, in_organisation: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("the port is known").port();
        let client = TestClient::register(app, name, |registration| {
            registration.require_organization = in_organisation;
            let members = [
                ("application_type", json!("native")),
                ("token_endpoint_auth_method", json!(ClientAuthMethod::None.as_str())),
                ("redirect_uris", json!([format!("http://127.0.0.1:{port}/callback")])),
                ("post_logout_redirect_uris", json!([format!("http://127.0.0.1:{port}/signed-out")])),
                ("policy_uri", json!("https://calendar.example.org/privacy")),
                ("tos_uri", json!("https://calendar.example.org/terms")),
            ];
            registration.metadata.extend(members.map(|(name, value)| (name.to_owned(), value)));
        })
        .await;
        let came_back = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&came_back);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let notes = Arc::clone(&notes);
                tokio::spawn(async move {
                    // A connection that the browser opened in advance ends without a request.
                    if let Ok(Some(callback)) = answer(stream).await {
                        notes.lock().expect("no panic").push(callback);
                    }
                });
            }
        });
        Self { client, came_back, serving }
    }

    /// How the browser came back, most recently.
    pub fn callback(&self) -> Callback {
        self.came_back.lock().expect("no panic").last().cloned().expect("the browser came back")
    }
}

impl Callback {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One request and its answer; the connection is not kept.
async fn answer(stream: TcpStream) -> std::io::Result<Option<Callback>> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let (mut length, mut header) = (0, String::new());
    loop {
        header.clear();
        if stream.read_line(&mut header).await? == 0 || header == "\r\n" {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let query = target.split_once('?').map(|(_, query)| query.as_bytes()).unwrap_or_default();
    let encoded = if body.is_empty() { query } else { &body };
    let callback = Callback {
        method: method.to_owned(),
        parameters: url::form_urlencoded::parse(encoded).into_owned().collect(),
    };
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{PAGE}",
        PAGE.len()
    );
    stream.get_mut().write_all(answer.as_bytes()).await?;
    stream.get_mut().shutdown().await?;
    Ok(target.starts_with("/callback").then_some(callback))
}
