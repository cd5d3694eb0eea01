//! The mail server: how it is reached, and one message at a time handed over to it.
//!
//! Connections are kept for the next message here and not by lettre's pool, because that one keeps a connection
//! whose use was given up half-way: the next message would then read the answer that was meant for this one.

use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::message::Message;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailBodyParameter, MailParameter};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::crypto::Secret;

/// From connecting to the moment when the server wants to have the message. Measured by a monotonic clock (CR-7).
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// For the message and the answer to its last line: whoever gives up soon sends again what was taken (RFC 5321
/// §4.5.3.2.6, which would wait twice as long).
pub(super) const LAST_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Mail servers drop connections that do nothing; most wait longer than this.
const IDLE: Duration = Duration::from_secs(20);

/// Why a message was not handed over.
#[derive(Debug)]
pub(super) enum SendError {
    /// The server will never take this message.
    Refused(String),
    /// It may take it later: it could not be reached or spoken with, or it said so.
    Later(String),
}

/// How to speak to the server.
enum Encryption {
    None,
    Wrapped(TlsParameters),
    StartTls(TlsParameters),
    /// STARTTLS where the server offers it.
    Opportunistic(TlsParameters),
}

/// A mail server and the connections to it.
pub(super) struct Relay {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<Credentials>,
    hello: ClientId,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
    patience: Duration,
}

impl Relay {
    /// From `mail.url`. `own_domain` is how we greet where the URL has no path, `extra_ca` a file of certificate
    /// authorities beside the public ones.
    ///
    /// # Errors
    /// Says what is wrong with the URL or the file, without repeating the URL: it may hold a password.
    pub(super) fn new(url: &Secret, own_domain: &str, extra_ca: Option<&Path>) -> Result<Self, String> {
        let url = Url::parse(url.expose()).map_err(|error| format!("mail.url: {error}"))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err("mail.url: names no host".to_owned());
        }
        let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
        let (port, encryption) = match (url.scheme(), tls.as_deref()) {
            ("smtps", _) => (465, Encryption::Wrapped(tls_parameters(&host, extra_ca)?)),
            ("smtp", None) => (25, Encryption::None),
            ("smtp", Some("required")) => (587, Encryption::StartTls(tls_parameters(&host, extra_ca)?)),
            ("smtp", Some("opportunistic")) => {
                (587, Encryption::Opportunistic(tls_parameters(&host, extra_ca)?))
            }
            _ => return Err("mail.url: is neither smtps:// nor smtp://, or its `tls` is unknown".to_owned()),
        };
        let hello = match url.path().trim_matches('/') {
            "" => own_domain,
            named => named,
        };
        Ok(Self {
            port: url.port().unwrap_or(port),
            encryption,
            credentials: credentials(&url)?,
            hello: ClientId::Domain(hello.to_owned()),
            idle: Mutex::default(),
            patience: PATIENCE,
            host,
        })
    }

    /// Hands one message over. When it takes too long, the connection is closed with the future.
    pub(super) async fn send(&self, message: &Message) -> Result<(), SendError> {
        let slow = |patience: Duration| {
            SendError::Later(format!("the mail server did not take it within {} seconds", patience.as_secs()))
        };
        let content = message.formatted();
        let announced = self.announce(message, content.is_ascii());
        let mut connection = match tokio::time::timeout(self.patience, announced).await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(slow(self.patience)),
        };
        match tokio::time::timeout(LAST_PATIENCE, connection.message(&content)).await {
            Ok(Ok(_)) => {
                self.keep(connection);
                Ok(())
            }
            Ok(Err(error)) => Err(judged(&error)),
            Err(_) => Err(slow(LAST_PATIENCE)),
        }
    }

    /// Connects and names sender and recipient, up to the server's word that it wants the message.
    async fn announce(&self, message: &Message, is_ascii: bool) -> Result<AsyncSmtpConnection, SendError> {
        // A refusal before the message is even named is about us or the server, so it never condemns the message.
        let mut connection =
            self.connection().await.map_err(|error| SendError::Later(format!("connecting: {error}")))?;
        let envelope = message.envelope();
        let mut parameters = Vec::new();
        if !is_ascii {
            // What a server without the extension says to it decides.
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let said = connection.command(Mail::new(envelope.from().cloned(), parameters)).await;
        said.map_err(|error| judged(&error))?;
        for to in envelope.to() {
            let said = connection.command(Rcpt::new(to.clone(), Vec::new())).await;
            said.map_err(|error| judged(&error))?;
        }
        connection.command(Data).await.map_err(|error| judged(&error))?;
        Ok(connection)
    }

    async fn connection(&self) -> Result<AsyncSmtpConnection, smtp::Error> {
        while let Some((mut connection, since)) = self.take_idle() {
            if since.elapsed() < IDLE && connection.test_connected().await {
                return Ok(connection);
            }
        }
        self.connect().await
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, smtp::Error> {
        let wrapper = match &self.encryption {
            Encryption::Wrapped(tls) => Some(tls.clone()),
            _ => None,
        };
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(PATIENCE), &self.hello, wrapper, None).await?;
        match &self.encryption {
            Encryption::StartTls(tls) => connection.starttls(tls.clone(), &self.hello).await?,
            Encryption::Opportunistic(tls) if connection.can_starttls() => {
                connection.starttls(tls.clone(), &self.hello).await?;
            }
            _ => {}
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await?;
        }
        Ok(connection)
    }

    fn take_idle(&self) -> Option<(AsyncSmtpConnection, Instant)> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
    }
}

/// What an answer to the sender, the recipient or the message means for it.
fn judged(error: &smtp::Error) -> SendError {
    if error.is_permanent() && !is_about_us(error) {
        SendError::Refused(error.to_string())
    } else {
        SendError::Later(error.to_string())
    }
}

/// Replies that ask us to sign in, better or more securely (RFC 4954 §6, RFC 3207 §4): an operator can mend that.
fn is_about_us(error: &smtp::Error) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538))
}

fn tls_parameters(host: &str, extra_ca: Option<&Path>) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = extra_ca {
        let fail = |reason: String| format!("outbound.extra_ca_file: {}: {reason}", path.display());
        let pem = fs::read(path).map_err(|error| fail(error.to_string()))?;
        builder = builder
            .add_root_certificate(Certificate::from_pem(&pem).map_err(|error| fail(error.to_string()))?);
    }
    builder.build().map_err(|error| format!("mail.url: {error}"))
}

fn credentials(url: &Url) -> Result<Option<Credentials>, String> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    // The url crate leaves the percent signs of what stands before the `@`.
    let decode = |text| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map(Cow::into_owned).map_err(|_| "mail.url: the user or password is not UTF-8".to_owned())
    };
    Ok(Some(Credentials::new(decode(url.username())?, decode(url.password().unwrap_or_default())?)))
}

#[cfg(test)]
#[path = "../../tests/support/smtp.rs"]
#[expect(dead_code, reason = "the integration tests use the rest of it")]
mod sink;

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;

    use lettre::Address;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::sink::{SmtpServer, Treatment};
    use super::*;
    use crate::outbound::testing::TestAuthority;

    fn relay(url: &str) -> Result<Relay, String> {
        Relay::new(&Secret::from_text(url), "id.example", None)
    }

    fn message(to: &str) -> Message {
        let from: Address = "no-reply@id.example".parse().unwrap();
        let to: Address = to.parse().unwrap();
        Message::builder().from(from.into()).to(to.into()).body("Hello".to_owned()).unwrap()
    }

    /// `None` if it was sent, else whether it may be tried again.
    async fn send(relay: &Relay, to: &str) -> Option<bool> {
        match relay.send(&message(to)).await {
            Ok(()) => None,
            Err(SendError::Later(_)) => Some(true),
            Err(SendError::Refused(_)) => Some(false),
        }
    }

    #[test]
    fn the_url_says_where_and_how() {
        let cases = [
            ("smtp://mail.example", "mail.example 25 none"),
            ("smtp://127.0.0.1:1025", "127.0.0.1 1025 none"),
            ("smtp://[::1]:1025", "::1 1025 none"),
            ("smtps://mail.example", "mail.example 465 wrapped"),
            ("smtp://mail.example?tls=required", "mail.example 587 starttls"),
            ("smtp://mail.example:25?tls=opportunistic", "mail.example 25 opportunistic"),
        ];
        for (url, expected) in cases {
            let relay = relay(url).unwrap();
            let encryption = match relay.encryption {
                Encryption::None => "none",
                Encryption::Wrapped(_) => "wrapped",
                Encryption::StartTls(_) => "starttls",
                Encryption::Opportunistic(_) => "opportunistic",
            };
            assert_eq!(format!("{} {} {encryption}", relay.host, relay.port), expected, "{url}");
        }
        for url in ["smtp://u:hunter2@mail.example?tls=maybe", "imap://u:hunter2@mail.example", "hunter2"] {
            let error = relay(url).err().unwrap();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_url_holds_the_password_percent_encoded() {
        let of = |url: &str| credentials(&Url::parse(url).unwrap());
        let expected = Credentials::new("ada@example.org".to_owned(), "p%/ü".to_owned());
        assert_eq!(of("smtps://ada%40example.org:p%25%2F%C3%BC@mail.example"), Ok(Some(expected)));
        assert_eq!(of("smtps://mail.example"), Ok(None));
        assert!(of("smtps://a:%ff@mail.example").is_err());
    }

    #[tokio::test]
    async fn a_connection_serves_the_next_message_if_the_last_one_went_well() {
        let server = SmtpServer::start();
        let relay = relay(&server.url()).unwrap();
        for _ in 0..3 {
            assert_eq!(send(&relay, "ada@test.example").await, None);
        }
        assert_eq!((server.mails().len(), server.connections()), (3, 1));
        server.treat("eve@test.example", Treatment::Unknown);
        assert_eq!(send(&relay, "eve@test.example").await, Some(false));
        assert_eq!(send(&relay, "ada@test.example").await, None);
        assert_eq!((server.mails().len(), server.connections()), (4, 2));
    }

    #[tokio::test]
    async fn a_send_that_was_given_up_does_not_confuse_the_next() {
        let server = SmtpServer::start();
        let relay = relay(&server.url()).unwrap();
        assert_eq!(send(&relay, "ada@test.example").await, None);
        server.treat("eve@test.example", Treatment::Hang);
        let hanging = message("eve@test.example");
        assert!(tokio::time::timeout(Duration::from_millis(300), relay.send(&hanging)).await.is_err());
        server.heal("eve@test.example");
        server.treat("bob@test.example", Treatment::Busy);
        assert_eq!(send(&relay, "bob@test.example").await, Some(true));
        assert_eq!(send(&relay, "eve@test.example").await, None);
    }

    #[tokio::test]
    async fn cr_6_what_a_slow_server_has_taken_is_not_sent_again() {
        let server = SmtpServer::start();
        server.treat("slow@test.example", Treatment::Dawdle);
        let relay = Relay { patience: Duration::from_millis(200), ..relay(&server.url()).unwrap() };
        assert_eq!(send(&relay, "slow@test.example").await, None);
        assert_eq!((server.mails().len(), server.connections()), (1, 1));
    }

    #[tokio::test]
    async fn cr_6_only_what_concerns_the_message_is_final() {
        let server = SmtpServer::start();
        server.treat("busy@test.example", Treatment::Busy);
        server.treat("unknown@test.example", Treatment::Unknown);
        server.treat("spam@test.example", Treatment::RefuseContent);
        server.treat("vanish@test.example", Treatment::Vanish);
        let open = relay(&server.url()).unwrap();
        for (to, again) in [
            ("busy@test.example", Some(true)),
            ("vanish@test.example", Some(true)),
            ("unknown@test.example", Some(false)),
            ("spam@test.example", Some(false)),
        ] {
            assert_eq!(send(&open, to).await, again, "{to}");
        }
        // The test server knows no password.
        let address = server.address();
        let wrong_password = relay(&format!("smtp://u:p@{address}")).unwrap();
        assert_eq!(send(&wrong_password, "ada@test.example").await, Some(true));
        let no_tls = relay(&format!("smtp://{address}?tls=required")).unwrap();
        assert_eq!(send(&no_tls, "ada@test.example").await, Some(true));
        server.close(Some("554 go away"));
        let fresh = relay(&server.url()).unwrap();
        assert_eq!(send(&fresh, "ada@test.example").await, Some(true));
    }

    /// Takes whatever comes, until the client wants TLS (`true`) or leaves.
    fn speak(stream: &mut (impl Read + Write), greets: bool) -> std::io::Result<bool> {
        if greets {
            stream.write_all(b"220 test\r\n")?;
        }
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        let mut in_content = false;
        while stream.read_line(&mut line)? > 0 {
            in_content &= line != ".\r\n";
            let reply = match line.trim_end() {
                _ if in_content => "",
                "DATA" => "354 go on\r\n",
                "STARTTLS" => "220 go on\r\n",
                greeting if greeting.starts_with("EHLO") => "250-test\r\n250 STARTTLS\r\n",
                _ => "250 ok\r\n",
            };
            in_content |= line == "DATA\r\n";
            stream.get_mut().write_all(reply.as_bytes())?;
            stream.get_mut().flush()?;
            if line == "STARTTLS\r\n" {
                return Ok(true);
            }
            line.clear();
        }
        Ok(false)
    }

    /// One connection with a server that speaks TLS at once or by STARTTLS.
    fn converse(mut stream: TcpStream, tls: Arc<ServerConfig>, at_once: bool) -> std::io::Result<()> {
        if at_once || speak(&mut stream, true)? {
            let session = ServerConnection::new(tls).map_err(std::io::Error::other)?;
            speak(&mut StreamOwned::new(session, stream), at_once)?;
        }
        Ok(())
    }

    #[tokio::test]
    async fn mail_goes_to_a_server_with_a_known_certificate_only() {
        let folder = tempfile::tempdir().unwrap();
        let authority = TestAuthority::new();
        let file = authority.file(folder.path());
        let tls = authority.server("127.0.0.1");
        for (at_once, scheme, query) in
            [(true, "smtps", ""), (false, "smtp", "?tls=required"), (false, "smtp", "?tls=opportunistic")]
        {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = Secret::from_text(format!("{scheme}://{}{query}", listener.local_addr().unwrap()));
            let tls = Arc::clone(&tls);
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    // An error is a client that left.
                    drop(converse(stream.unwrap(), Arc::clone(&tls), at_once));
                }
            });
            let stranger = Relay::new(&url, "id.example", None).unwrap();
            assert_eq!(send(&stranger, "ada@test.example").await, Some(true), "{scheme}{query}");
            let trusting = Relay::new(&url, "id.example", Some(&file)).unwrap();
            assert_eq!(send(&trusting, "ada@test.example").await, None, "{scheme}{query}");
        }
    }
}
