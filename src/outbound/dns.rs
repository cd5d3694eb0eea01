//! Asking a name server for texts: how a domain says who speaks for it.
//!
//! One question over TCP (RFC 7766), which cannot be answered by whoever guesses its number, as UDP can. The name
//! server is the operator's: it follows aliases and validates, if it does.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::crypto::Random;

/// From the first packet to the last byte.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a machine says which name server it asks.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Why a domain could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    #[error("there is no name server to ask: set outbound.dns_server, or name one in {RESOLV_CONF}")]
    NoServer,
    #[error("`{0}` is not a name that can be asked for")]
    BadName(String),
    #[error("the name server {0} did not answer: {1}")]
    Unreachable(SocketAddr, String),
    #[error("the name server {0} answered with {1}")]
    Refused(SocketAddr, String),
}

/// The texts (TXT) that stand at this name. None at all is an answer too.
pub(super) async fn texts(
    server: Option<SocketAddr>,
    name: &str,
    random: &Random,
) -> Result<Vec<String>, DnsError> {
    let server = server.or_else(of_the_machine).ok_or(DnsError::NoServer)?;
    let number = u16::from_be_bytes(random.bytes::<2>());
    let question = question(number, name)?;
    let asking = tokio::time::timeout(PATIENCE, ask(server, &question));
    let unreachable = |why: String| DnsError::Unreachable(server, why);
    let answer = asking
        .await
        .map_err(|_| unreachable(format!("not within {} seconds", PATIENCE.as_secs())))?
        .map_err(|error| unreachable(error.to_string()))?;
    read(number, &answer).map_err(|why| DnsError::Refused(server, why))
}

/// The first name server that the machine itself asks.
fn of_the_machine() -> Option<SocketAddr> {
    let text = std::fs::read_to_string(RESOLV_CONF).ok()?;
    first_server(&text)
}

fn first_server(resolv_conf: &str) -> Option<SocketAddr> {
    resolv_conf
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .find_map(|rest| rest.trim().parse::<IpAddr>().ok())
        .map(|address| SocketAddr::new(address, 53))
}

fn question(number: u16, name: &str) -> Result<Vec<u8>, DnsError> {
    let bad = || DnsError::BadName(name.to_owned());
    // The library drops empty labels.
    if name.split('.').any(str::is_empty) {
        return Err(bad());
    }
    let asked = Name::new(name).map_err(|_| bad())?;
    let mut packet = Packet::new_query(number);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(asked, QTYPE::TYPE(TYPE::TXT), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().map_err(|_| bad())
}

/// Each message has its length before it (RFC 1035 §4.2.2).
async fn ask(server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// The texts of an answer to the question of this number. A text of several pieces is one (RFC 1035 §3.3.14).
fn read(number: u16, answer: &[u8]) -> Result<Vec<String>, String> {
    let packet = Packet::parse(answer).map_err(|error| format!("what is no answer: {error}"))?;
    if packet.id() != number || !packet.has_flags(PacketFlag::RESPONSE) {
        return Err("the answer to another question".to_owned());
    }
    match packet.rcode() {
        RCODE::NoError | RCODE::NameError => {}
        code => return Err(format!("the error {code:?}")),
    }
    let texts = packet.answers.into_iter().filter_map(|record| match record.rdata {
        RData::TXT(text) => String::try_from(text).ok(),
        _ => None,
    });
    Ok(texts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_name_server() {
        let text = "# by hand\nsearch example.com\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n";
        assert_eq!(first_server(text).map(|server| server.to_string()).as_deref(), Some("192.0.2.1:53"));
        assert_eq!(
            first_server("nameserver ::1").map(|server| server.to_string()).as_deref(),
            Some("[::1]:53")
        );
        assert_eq!(first_server("nameserver example.com\n;nameserver 192.0.2.1"), None);
    }

    #[test]
    fn no_answer_panics_and_none_but_ours_is_believed() {
        let asked = question(7, "example.com").unwrap();
        assert!(read(7, &asked).is_err(), "a question is no answer");
        for end in 0..asked.len() {
            assert!(read(7, &asked[..end]).is_err());
        }
        let mut answer = asked.clone();
        answer[2] |= 0x80;
        assert_eq!(read(7, &answer), Ok(vec![]));
        assert!(read(8, &answer).is_err());
        answer[3] |= 2;
        assert!(read(7, &answer).unwrap_err().contains("ServerFailure"));
        for byte in 0..answer.len() {
            let mut broken = answer.clone();
            broken[byte] ^= 0xff;
            let _ = read(7, &broken);
        }
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        for bad in ["a..b", &"a".repeat(64), &format!("{}com", "a.".repeat(200))] {
            assert!(question(1, bad).is_err(), "{bad}");
        }
    }
}
