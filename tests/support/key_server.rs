//! A client's own https server, which publishes its keys.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// Answers every request with the keys of the moment, and counts. It lasts as long as the test's process.
pub struct KeyServer {
    pub url: String,
    certificate: X509,
    keys: Arc<Mutex<String>>,
    hits: Arc<AtomicUsize>,
}

impl KeyServer {
    pub fn start(keys: &Value) -> Self {
        let (certificate, tls) = tls();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("https://{}/keys", listener.local_addr().expect("the address is known"));
        let (keys, hits) = (Arc::new(Mutex::new(keys.to_string())), Arc::new(AtomicUsize::new(0)));
        let server = Self { url, certificate, keys: Arc::clone(&keys), hits: Arc::clone(&hits) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let body = keys.lock().expect("nobody panicked").clone();
                if answer(stream, &tls, &body).is_some() {
                    hits.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        server
    }

    /// From now on it publishes these.
    pub fn publish(&self, keys: &Value) {
        *self.keys.lock().expect("nobody panicked") = keys.to_string();
    }

    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    /// What `outbound.extra_ca_file` names.
    pub fn write_ca(&self, file: &Path) {
        std::fs::write(file, self.certificate.to_pem().expect("PEM")).expect("the file can be written");
    }
}

fn answer(stream: TcpStream, tls: &Arc<ServerConfig>, body: &str) -> Option<()> {
    let connection = ServerConnection::new(Arc::clone(tls)).expect("the settings are good");
    let mut stream = StreamOwned::new(connection, stream);
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let length = body.len();
    let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}

/// A certificate for 127.0.0.1 that is its own authority.
fn tls() -> (X509, Arc<ServerConfig>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("P-256");
    let key = PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key");
    let mut name = X509NameBuilder::new().expect("a name");
    name.append_entry_by_text("CN", "keys of a client").expect("a name");
    let name = name.build();
    let mut builder = X509::builder().expect("a certificate");
    let build = |builder: &mut openssl::x509::X509Builder| -> Result<(), openssl::error::ErrorStack> {
        builder.set_version(2)?;
        let serial = BigNum::from_u32(1)?.to_asn1_integer()?;
        builder.set_serial_number(&serial)?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        builder.set_pubkey(&key)?;
        let (from, until) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(1)?);
        builder.set_not_before(&from)?;
        builder.set_not_after(&until)?;
        builder.append_extension(BasicConstraints::new().build()?)?;
        let names =
            SubjectAlternativeName::new().ip("127.0.0.1").build(&builder.x509v3_context(None, None))?;
        builder.append_extension(names)?;
        builder.sign(&key, MessageDigest::sha256())
    };
    build(&mut builder).expect("a certificate");
    let certificate = builder.build();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the defaults are safe")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.to_der().expect("DER"))],
            PrivatePkcs8KeyDer::from(key.private_key_to_pkcs8().expect("PKCS#8")).into(),
        )
        .expect("key and certificate fit");
    (certificate, Arc::new(config))
}
