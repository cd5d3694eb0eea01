//! A name server that answers for texts, over TCP, until it is dropped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// No name that anybody asks for.
const REFUSING: &str = "(refusing)";

type Texts = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// Knows the texts that a test gave it, and no other name.
pub struct NameServer {
    pub address: SocketAddr,
    texts: Texts,
    served: JoinHandle<()>,
}

impl NameServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the address is known");
        let texts = Texts::default();
        let known = Arc::clone(&texts);
        let served = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&known)));
            }
        });
        Self { address, texts, served }
    }

    /// Answers nothing any more but that it cannot.
    pub fn refuse(&self) {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).insert(REFUSING.to_owned(), Vec::new());
    }

    /// What stands at the name from now on.
    pub fn set(&self, name: &str, texts: &[&str]) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), texts);
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.served.abort();
    }
}

async fn answer(mut stream: TcpStream, known: Texts) -> Option<()> {
    let length = stream.read_u16().await.ok()?;
    let mut asked = vec![0; usize::from(length)];
    stream.read_exact(&mut asked).await.ok()?;
    let (name, end) = name_of(&asked)?;
    let known = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // RFC 1035 section 4.1: our header, the question as it came, and one record for each text.
    let (code, texts) = match known.get(&name) {
        _ if known.contains_key(REFUSING) => (2, Vec::new()),
        Some(texts) => (0, texts.clone()),
        None => (3, Vec::new()),
    };
    let count = u8::try_from(texts.len()).ok()?;
    let mut message = vec![asked[0], asked[1], 0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0];
    message.extend(&asked[12..end + 4]);
    for text in texts {
        // In two pieces, as long ones come.
        let (one, other) = text.split_at(text.len() / 2);
        let data: Vec<u8> =
            [one, other].iter().flat_map(|piece| [&[piece.len() as u8], piece.as_bytes()].concat()).collect();
        message.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60]);
        message.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        message.extend(data);
    }
    let length = u16::try_from(message.len()).ok()?;
    stream.write_all(&[&length.to_be_bytes(), message.as_slice()].concat()).await.ok()
}

/// The name that is asked for, and where it ends.
fn name_of(message: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*message.get(at)?);
        let label = message.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(label).into_owned());
    }
}
