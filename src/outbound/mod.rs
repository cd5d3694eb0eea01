//! The one HTTP client with which the server fetches from others (AR-9, SS-1).
//!
//! An address comes from a client's registration or an operator, so it may be hostile: it is https, its name is
//! resolved once and only addresses that passed `address` are connected to, nothing is redirected, no proxy from
//! the environment is asked, and an answer has five seconds and 256 KiB. What is made of an answer is decided by the
//! caller; documents that are asked for again and again are kept by [`Outbound::client_jwks`] and
//! [`Outbound::provider_document`].

mod address;
mod copies;
mod dns;

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

use crate::config;
use crate::crypto::Random;
use address::Kind;
use copies::Copies;

pub use dns::DnsError;

/// From the first packet to the last byte. Measured by a monotonic clock (CR-7).
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest body that is read.
const MAX_BODY: usize = 256 * 1024;

/// Fetches from other servers.
pub struct Outbound {
    /// For https to public addresses.
    public: reqwest::Client,
    /// For https to the operator's own networks too.
    any: reqwest::Client,
    /// For http to the operator's own networks.
    plain: reqwest::Client,
    /// What `outbound.allow_private_network` says.
    networks: Networks,
    /// What `outbound.dns_server` says.
    dns_server: Option<SocketAddr>,
    client_keys: Copies,
    provider_documents: Copies,
}

/// Where a fetch may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Networks {
    /// To public addresses, over https.
    Public,
    /// To loopback and private addresses as well, there also over http.
    PrivateToo,
}

impl Networks {
    pub const fn of(allow_private: bool) -> Self {
        if allow_private { Self::PrivateToo } else { Self::Public }
    }
}

/// Why there is no client: the instance cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("outbound.extra_ca_file: {path}: {reason}")]
    ExtraCa { path: String, reason: String },
    #[error("the client for outbound requests cannot be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// Why nothing was fetched. For operators: it goes to the log and the audit, never to a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    #[error("the server could not be reached: {0}")]
    Unreachable(String),
    #[error("the server did not answer within {} seconds", PATIENCE.as_secs())]
    TimedOut,
    #[error("the server answered with a redirect ({0}); register the address that it leads to")]
    Redirected(u16),
    #[error("the server answered with status {0}")]
    Status(u16),
    #[error("the answer is larger than {} KiB", MAX_BODY / 1024)]
    TooLarge,
    #[error("the answer is not {0}")]
    Unexpected(&'static str),
}

/// Why an address is not even tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("not an absolute URL with a host")]
    NotAUrl,
    #[error("only https is fetched (http too from private networks, where allow_private_network is on)")]
    Scheme,
    #[error("the URL holds a user name or password")]
    UserInfo,
    #[error("{0} is on this machine or in a private network, and allow_private_network is off")]
    Private(IpAddr),
    #[error("{0} is a public address, which only https may fetch from")]
    PlainPublic(IpAddr),
    #[error("{0} is a link-local, metadata, multicast, documentation or reserved address")]
    Forbidden(IpAddr),
}

/// The addresses that a client may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Public,
    PublicAndPrivate,
    Private,
}

impl Reach {
    fn check(self, address: IpAddr) -> Result<(), Refusal> {
        match (Kind::of(address), self) {
            (Kind::Forbidden, _) => Err(Refusal::Forbidden(address)),
            (Kind::Private, Self::Public) => Err(Refusal::Private(address)),
            (Kind::Public, Self::Private) => Err(Refusal::PlainPublic(address)),
            (Kind::Private | Kind::Public, _) => Ok(()),
        }
    }
}

impl Outbound {
    /// Reads the extra certificate authorities and makes the client.
    ///
    /// # Errors
    /// If the file cannot be read or holds no usable certificate.
    pub fn new(config: &config::Outbound) -> Result<Self, OutboundError> {
        let tls = tls_config(config.extra_ca_file.as_deref())?;
        Ok(Self {
            public: client(Reach::Public, tls.clone())?,
            any: client(Reach::PublicAndPrivate, tls.clone())?,
            plain: client(Reach::Private, tls)?,
            networks: Networks::of(config.allow_private_network),
            dns_server: config.dns_server,
            client_keys: copies::of_clients(),
            provider_documents: copies::of_providers(),
        })
    }

    /// The body of a `200 OK`, from where the configuration lets fetches lead.
    ///
    /// # Errors
    /// Says what an operator has to know; nothing else than 200 is an answer.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        self.get_in(self.networks, url).await
    }

    /// The texts (TXT) that stand in the DNS at this name.
    pub async fn texts(&self, name: &str, random: &Random) -> Result<Vec<String>, DnsError> {
        dns::texts(self.dns_server, name, random).await
    }

    /// The same in the networks that are named.
    ///
    /// # Errors
    /// As [`Outbound::get`].
    pub async fn get_in(&self, networks: Networks, url: &str) -> Result<Vec<u8>, FetchError> {
        let url = Url::parse(url).map_err(|_| Refusal::NotAUrl)?;
        let request = Request::get(url.as_str()).body(Vec::new()).map_err(|_| Refusal::NotAUrl)?;
        let response = self.fetch_in(networks, request).await?;
        match response.status().as_u16() {
            200 => Ok(response.into_body()),
            status => Err(FetchError::Status(status)),
        }
    }

    /// Sends any request and reads the whole answer, whatever its status, unless it is a redirect.
    ///
    /// # Errors
    /// If the address is refused, or no whole answer came in time.
    pub async fn fetch_in(
        &self,
        networks: Networks,
        request: Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        let url = Url::parse(&request.uri().to_string()).map_err(|_| Refusal::NotAUrl)?;
        let client = self.client_for(networks, &url)?;
        let request = reqwest::Request::try_from(request).map_err(|_| Refusal::NotAUrl)?;
        tokio::time::timeout(PATIENCE, exchange(client, request)).await.map_err(|_| FetchError::TimedOut)?
    }

    /// Names are checked when they are resolved; an address that stands in the URL is never resolved.
    fn client_for(&self, networks: Networks, url: &Url) -> Result<&reqwest::Client, Refusal> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        let (client, reach) = match (url.scheme(), networks) {
            ("https", Networks::Public) => (&self.public, Reach::Public),
            ("https", Networks::PrivateToo) => (&self.any, Reach::PublicAndPrivate),
            ("http", Networks::PrivateToo) => (&self.plain, Reach::Private),
            _ => return Err(Refusal::Scheme),
        };
        match url.host() {
            None => return Err(Refusal::NotAUrl),
            Some(Host::Domain(_)) => {}
            Some(Host::Ipv4(v4)) => reach.check(v4.into())?,
            Some(Host::Ipv6(v6)) => reach.check(v6.into())?,
        }
        Ok(client)
    }
}

async fn exchange(
    client: &reqwest::Client,
    request: reqwest::Request,
) -> Result<Response<Vec<u8>>, FetchError> {
    let mut answer = client.execute(request).await.map_err(unreachable)?;
    let status = answer.status();
    if status.is_redirection() {
        return Err(FetchError::Redirected(status.as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

/// The innermost reason says most: `connection refused`, `invalid peer certificate: UnknownIssuer`.
fn unreachable(error: reqwest::Error) -> FetchError {
    let mut innermost: &dyn StdError = &error;
    loop {
        if let Some(refusal) = innermost.downcast_ref::<Refusal>() {
            return FetchError::Refused(*refusal);
        }
        match innermost.source() {
            Some(source) => innermost = source,
            None => return FetchError::Unreachable(innermost.to_string()),
        }
    }
}

/// Connections are not kept: the address is checked at every fetch.
fn client(reach: Reach, tls: ClientConfig) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls)
        .dns_resolver(CheckedResolver(reach))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()
}

fn tls_config(extra_ca: Option<&Path>) -> Result<ClientConfig, OutboundError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra_ca {
        let fail = |reason: String| OutboundError::ExtraCa { path: path.display().to_string(), reason };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| fail(error.to_string()))?;
        let before = roots.len();
        for certificate in certificates {
            let certificate = certificate.map_err(|error| fail(error.to_string()))?;
            roots.add(certificate).map_err(|error| fail(error.to_string()))?;
        }
        if roots.len() == before {
            return Err(fail("holds no certificate in PEM".to_owned()));
        }
    }
    Ok(ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring serves the default TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Resolves a name and hands out only addresses that may be connected to, so that no second resolution can differ
/// from the checked one.
struct CheckedResolver(Reach);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let mut allowed = Vec::new();
            let mut refusal = None;
            // Port 0 stands for the port of the URL.
            for found in tokio::net::lookup_host((name.as_str(), 0)).await? {
                match reach.check(found.ip()) {
                    Ok(()) => allowed.push(found),
                    Err(refused) => refusal = Some(refused),
                }
            }
            match refusal {
                Some(refused) if allowed.is_empty() => Err(refused.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
