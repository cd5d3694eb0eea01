//! A mail server for tests: it keeps what it is given, and fails on demand.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// What the server does with mail to a recipient, or with everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// 451 at RCPT: come back later.
    Busy,
    /// 550 at RCPT: there is no such person.
    Unknown,
    /// 554 after the content: this will never be taken.
    RefuseContent,
    /// The content is kept and no answer given.
    Hang,
    /// The content is kept, and the answer takes a while.
    Dawdle,
    /// The content is kept, and the connection closed without an answer.
    Vanish,
}

/// A message that the server took.
#[derive(Clone, Debug)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// As it came, with `\r\n`.
    pub raw: String,
}

/// A mail server on a port of its own. It lasts as long as the test's process.
pub struct SmtpServer {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    mails: Mutex<Vec<Mail>>,
    arrived: Condvar,
    treatments: Mutex<HashMap<String, Treatment>>,
    /// `Some` while no connection is welcome: the reply to everybody.
    closed: Mutex<Option<&'static str>>,
    connections: Mutex<usize>,
}

impl SmtpServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = Arc::clone(&server.state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), Arc::clone(&state));
                *state.connections.lock().unwrap() += 1;
                // An error is a client that left.
                std::thread::spawn(move || Session::new(stream, state).and_then(Session::run));
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, mail to this recipient fares like that.
    pub fn treat(&self, recipient: &str, treatment: Treatment) {
        self.state.treatments.lock().unwrap().insert(recipient.to_owned(), treatment);
    }

    /// Mail to this recipient is taken again.
    pub fn heal(&self, recipient: &str) {
        self.state.treatments.lock().unwrap().remove(recipient);
    }

    /// Greets everybody with this reply, such as `554 go away`, until `None`.
    pub fn close(&self, reply: Option<&'static str>) {
        *self.state.closed.lock().unwrap() = reply;
    }

    /// What has arrived so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.state.mails.lock().unwrap().clone()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }

    /// Waits until so many mails have arrived, and returns all.
    pub fn wait_for(&self, count: usize) -> Vec<Mail> {
        let patience = Duration::from_secs(20);
        let mails = self.state.mails.lock().unwrap();
        let (mails, outcome) =
            self.state.arrived.wait_timeout_while(mails, patience, |mails| mails.len() < count).unwrap();
        assert!(!outcome.timed_out(), "{} of {count} mails arrived in {patience:?}", mails.len());
        mails.clone()
    }

    /// Waits for a mail to this recipient.
    pub fn mail_to(&self, recipient: &str) -> Mail {
        let began = Instant::now();
        loop {
            let found = self.mails().into_iter().rev().find(|mail| mail.to.iter().any(|to| to == recipient));
            match found {
                Some(mail) => return mail,
                None => assert!(began.elapsed() < Duration::from_secs(20), "no mail to {recipient}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Mail {
    /// The value of a header, unfolded and as it was encoded.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.raw.split("\r\n\r\n").next().unwrap_or_default();
        header(head, name)
    }

    /// The plain text, decoded.
    pub fn text(&self) -> String {
        self.part("text/plain").expect("the mail has a plain text")
    }

    /// The HTML, decoded.
    pub fn html(&self) -> String {
        self.part("text/html").expect("the mail has an HTML part")
    }

    /// The first address in the plain text.
    pub fn link(&self) -> String {
        let text = self.text();
        let link = text.split_whitespace().find(|word| word.starts_with("http"));
        link.unwrap_or_else(|| panic!("no link in {text}")).to_owned()
    }

    fn part(&self, content_type: &str) -> Option<String> {
        let kind = self.header("content-type")?;
        let boundary = kind.split("boundary=\"").nth(1)?.split('"').next()?;
        self.raw.split(&format!("--{boundary}")).find_map(|part| {
            let (head, body) = part.trim_start().split_once("\r\n\r\n")?;
            header(head, "content-type")?.starts_with(content_type).then(|| {
                let encoding = header(head, "content-transfer-encoding").unwrap_or_default();
                // The line break before a boundary belongs to the boundary.
                decode(&encoding, body.strip_suffix("\r\n").unwrap_or(body))
            })
        })
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    unfolded.split("\r\n").find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

fn decode(encoding: &str, body: &str) -> String {
    let bytes = match encoding {
        "base64" => BASE64_STANDARD.decode(body.replace("\r\n", "")).unwrap(),
        "quoted-printable" => {
            let joined = body.replace("=\r\n", "");
            let mut bytes = Vec::new();
            let mut rest = joined.as_bytes();
            while let Some((&first, after)) = rest.split_first() {
                if first == b'=' {
                    let hex = std::str::from_utf8(&after[..2]).unwrap();
                    bytes.push(u8::from_str_radix(hex, 16).unwrap());
                    rest = &after[2..];
                } else {
                    bytes.push(first);
                    rest = after;
                }
            }
            bytes
        }
        _ => body.as_bytes().to_vec(),
    };
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

/// One connection.
struct Session {
    lines: BufReader<TcpStream>,
    answers: TcpStream,
    state: Arc<State>,
}

impl Session {
    fn new(stream: TcpStream, state: Arc<State>) -> std::io::Result<Self> {
        Ok(Self { lines: BufReader::new(stream.try_clone()?), answers: stream, state })
    }

    fn say(&mut self, reply: &str) -> std::io::Result<()> {
        self.answers.write_all(format!("{reply}\r\n").as_bytes())
    }

    fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = String::new();
        Ok((self.lines.read_line(&mut line)? > 0).then_some(line))
    }

    fn run(mut self) -> std::io::Result<()> {
        let closed = *self.state.closed.lock().unwrap();
        if let Some(reply) = closed {
            return self.say(reply);
        }
        self.say("220 test")?;
        let mut mail = Mail { from: String::new(), to: Vec::new(), raw: String::new() };
        while let Some(line) = self.line()? {
            let line = line.trim_end();
            match line.to_ascii_uppercase().split([' ', ':']).next().unwrap_or_default() {
                "EHLO" => self.say("250-test\r\n250 AUTH PLAIN LOGIN")?,
                // Whoever signs in here has the wrong password.
                "AUTH" => self.say("535 wrong password")?,
                "MAIL" => {
                    mail = Mail { from: address(line), to: Vec::new(), raw: String::new() };
                    self.say("250 ok")?;
                }
                "RCPT" => {
                    let to = address(line);
                    match self.treatment(&to) {
                        Some(Treatment::Busy) => {
                            self.say(&format!("451 {to} is busy, ask postmaster@test"))?
                        }
                        Some(Treatment::Unknown) => self.say(&format!("550 <{to}>: no such person"))?,
                        _ => {
                            mail.to.push(to);
                            self.say("250 ok")?;
                        }
                    }
                }
                "DATA" => {
                    self.say("354 go on")?;
                    mail.raw = self.content()?;
                    match mail.to.iter().find_map(|to| self.treatment(to)) {
                        Some(Treatment::RefuseContent) => self.say("554 no such content here")?,
                        Some(Treatment::Hang) => {
                            self.take(mail);
                            // Until the client is tired of it.
                            while self.line()?.is_some() {}
                            return Ok(());
                        }
                        Some(Treatment::Vanish) => {
                            self.take(mail);
                            return Ok(());
                        }
                        Some(Treatment::Dawdle) => {
                            self.take(mail.clone());
                            std::thread::sleep(std::time::Duration::from_millis(600));
                            self.say("250 taken")?;
                        }
                        _ => {
                            self.take(mail.clone());
                            self.say("250 taken")?;
                        }
                    }
                }
                "QUIT" => return self.say("221 bye"),
                _ => self.say("250 ok")?,
            }
        }
        Ok(())
    }

    fn treatment(&self, recipient: &str) -> Option<Treatment> {
        self.state.treatments.lock().unwrap().get(recipient).copied()
    }

    fn take(&self, mail: Mail) {
        self.state.mails.lock().unwrap().push(mail);
        self.state.arrived.notify_all();
    }

    fn content(&mut self) -> std::io::Result<String> {
        let mut content = String::new();
        while let Some(line) = self.line()? {
            if line == ".\r\n" {
                break;
            }
            content.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
        Ok(content)
    }
}

/// `<…>` of a command.
fn address(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}
