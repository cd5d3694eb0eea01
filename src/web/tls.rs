//! TLS in this process, where no proxy in front speaks it: 1.3 and 1.2 with ECDHE and AEAD, nothing older
//! (RFC 9325 §3.1).

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};

use crate::config::Tls;

/// Reads certificate and key. The error names the file at fault.
pub fn load(tls: &Tls) -> io::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(&tls.cert_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(&tls.cert_file, error))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key_file).map_err(|error| failed(&tls.key_file, error))?;
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| failed(&tls.cert_file, error))
}

fn failed(path: &std::path::Path, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}
