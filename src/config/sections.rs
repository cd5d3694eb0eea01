//! The settings themselves: one struct per section, one sentence per setting. These sentences are the reference.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Host;

use super::{Dialect, Issuer, Mailbox, Network, Provider, duration};
use crate::crypto::Secret;
use crate::model::EmailAddress;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Everything that an operator can set.
///
/// Serialised, a secret reads `(set)`; printed with `Debug`, it prints nothing (LO-2).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The address that names this instance in every token. A public one is https.
    pub issuer: Issuer,
    /// Where requests come in.
    pub server: Server,
    /// Where everything is stored.
    pub database: Database,
    /// The master key and the rotation of signing keys.
    pub keys: Keys,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// What a password must have and what hashing it costs.
    pub password: Password,
    /// Who may make an account.
    pub registration: Registration,
    /// How organisations are used.
    pub organizations: Organizations,
    /// The keys of machines.
    pub api_keys: ApiKeys,
    /// How often something may be tried.
    pub limits: Limits,
    /// How mail leaves.
    pub mail: Mail,
    /// What is logged, and how it is written.
    pub log: Log,
    /// Requests that the server itself makes.
    pub outbound: Outbound,
    /// Choices that OAuth leaves open.
    pub protocol: Protocol,
    /// What people see.
    pub branding: Branding,
    /// Identity providers that may vouch for people, in the order of their buttons.
    pub providers: Vec<Provider>,
    /// Login APIs of other products that are answered here.
    pub dialects: Vec<Dialect>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            issuer: "http://localhost:8080".parse().expect("the default issuer is a good one"),
            server: Server::default(),
            database: Database::default(),
            keys: Keys::default(),
            lifetimes: Lifetimes::default(),
            password: Password::default(),
            registration: Registration::default(),
            organizations: Organizations::default(),
            api_keys: ApiKeys::default(),
            limits: Limits::default(),
            mail: Mail::default(),
            log: Log::default(),
            outbound: Outbound::default(),
            protocol: Protocol::default(),
            branding: Branding::default(),
            providers: Vec::new(),
            dialects: Vec::new(),
        }
    }
}

impl Config {
    /// Who may register. Unless it is set: anybody on a loopback issuer, nobody on a public one.
    pub fn registration_mode(&self) -> RegistrationMode {
        self.registration.mode.unwrap_or(if self.issuer.is_loopback() {
            RegistrationMode::Open
        } else {
            RegistrationMode::Closed
        })
    }

    /// Whether whoever is signed in may make an organisation.
    pub fn may_found_organizations(&self) -> bool {
        let open = self.registration_mode() == RegistrationMode::Open;
        self.organizations.self_service.unwrap_or(open)
    }

    /// Whether `/dev/*` exists: only on a loopback http issuer.
    pub fn has_dev_pages(&self) -> bool {
        self.issuer.is_loopback() && !self.issuer.is_https()
    }

    /// Whether `/metrics` is answered by the main listener. On a public issuer it needs a listener of its own.
    pub fn metrics_on_main_listener(&self) -> bool {
        self.server.metrics_listen.is_none() && self.issuer.is_loopback()
    }

    /// Whom mail comes from: `mail.from`, or `no-reply@` the issuer's host; by the product's name unless another is set.
    pub fn mail_from(&self) -> Mailbox {
        let mut from = self.mail.from.clone().unwrap_or_else(|| {
            let address = self.own_address().unwrap_or_else(|| {
                EmailAddress::parse("no-reply@localhost").expect("localhost is accepted as a domain")
            });
            Mailbox { name: None, address }
        });
        from.name.get_or_insert_with(|| self.branding.product_name.clone());
        from
    }

    /// `no-reply@` the issuer's host, if the host is a name that can stand in an address.
    pub(super) fn own_address(&self) -> Option<EmailAddress> {
        match self.issuer.url().host() {
            Some(Host::Domain(name)) => EmailAddress::parse(&format!("no-reply@{name}")).ok(),
            _ => None,
        }
    }
}

/// `[server]`: where requests come in.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// The address and port to listen on.
    #[serde(deserialize_with = "read::address")]
    pub listen: SocketAddr,
    /// Reverse proxies whose word about the client's address is taken: addresses or networks.
    pub trusted_proxies: Vec<Network>,
    /// The one header in which those proxies name the client: `x-forwarded-for` or `forwarded`.
    pub forwarded_header: ForwardedHeader,
    /// A listener of its own for `/metrics`. Unset: with the rest on a loopback issuer, nowhere on a public one.
    #[serde(deserialize_with = "read::optional_address")]
    pub metrics_listen: Option<SocketAddr>,
    /// A listener of its own for the console and the management API. Unset: with the rest.
    #[serde(deserialize_with = "read::optional_address")]
    pub console_listen: Option<SocketAddr>,
    /// Threads that answer requests. Unset: one per processor.
    pub workers: Option<NonZeroUsize>,
    /// A certificate, where no proxy in front speaks TLS.
    pub tls: Option<Tls>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::XForwardedFor,
            metrics_listen: None,
            console_listen: None,
            workers: None,
            tls: None,
        }
    }
}

/// The header in which a trusted proxy names the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// What most proxies send: a list, the nearest hop last.
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

impl ForwardedHeader {
    /// The header's name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// `[server.tls]`: both files are needed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain in PEM.
    pub cert_file: PathBuf,
    /// Its private key in PEM.
    pub key_file: PathBuf,
}

/// `[database]`: where everything is stored.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://user:password@host/name`.
    #[serde(serialize_with = "write::secret")]
    pub url: Secret,
    /// A file that holds the URL.
    pub url_file: Option<PathBuf>,
    /// Connections at most.
    pub pool: NonZeroU32,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: Secret::from_text("sqlite:data/countersign.db"),
            url_file: None,
            pool: NonZeroU32::new(10).expect("ten is not zero"),
        }
    }
}

impl Database {
    /// The database file, if the database is SQLite.
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.url.expose().strip_prefix("sqlite:").map(Path::new)
    }

    /// The URL as it may be shown: without user, password and parameters.
    pub fn label(&self) -> String {
        let url = self.url.expose();
        if self.sqlite_path().is_some() {
            return url.to_owned();
        }
        let Some((scheme, rest)) = url.split_once("://") else { return "(set)".to_owned() };
        // From the last `@`, so that a password with an `@` in it is cut off whole.
        let rest = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        format!("{scheme}://{}", rest.split('?').next().unwrap_or_default())
    }
}

/// `[keys]`: the master key and the rotation of signing keys.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// The folder of `master.key`, which is made at first start.
    pub dir: PathBuf,
    /// How long a signing key signs.
    #[serde(with = "duration")]
    pub rotate_every: Duration,
    /// How long a new key is in the JWKS before it signs; on a public issuer 10m or more.
    #[serde(with = "duration")]
    pub publish_ahead: Duration,
    /// The master key itself (32 random bytes in base64), instead of the file in `dir`.
    #[serde(serialize_with = "write::optional_secret")]
    pub master_key: Option<Secret>,
    /// A file that holds the master key, instead of the one in `dir`.
    pub master_key_file: Option<PathBuf>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("keys"),
            rotate_every: Duration::from_secs(90 * DAY),
            publish_ahead: Duration::from_secs(DAY),
            master_key: None,
            master_key_file: None,
        }
    }
}

/// `[lifetimes]`: how long things live.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lifetimes {
    /// An authorization code; at most 60s.
    #[serde(with = "duration")]
    pub code: Duration,
    /// A pushed authorization request; at most 10m.
    #[serde(with = "duration")]
    pub par: Duration,
    /// An access token; at most 24h.
    #[serde(with = "duration")]
    pub access: Duration,
    /// How long an API may keep a status list before it asks for a new one; at most 10m. A revocation reaches it at the
    /// latest after this and 5s.
    #[serde(with = "duration")]
    pub status_list: Duration,
    /// An ID token; at most 24h.
    #[serde(with = "duration")]
    pub id_token: Duration,
    /// A refresh token that nobody uses.
    #[serde(with = "duration")]
    pub refresh_idle: Duration,
    /// A family of refresh tokens, however much it is used.
    #[serde(with = "duration")]
    pub refresh_max: Duration,
    /// How long a spent refresh token still gives the same successor; at most 60s, 0s for never.
    #[serde(with = "duration")]
    pub refresh_grace: Duration,
    /// A browser session that nobody uses.
    #[serde(with = "duration")]
    pub session_idle: Duration,
    /// A browser session, however much it is used.
    #[serde(with = "duration")]
    pub session_max: Duration,
    /// A browser session with "stay signed in".
    #[serde(with = "duration")]
    pub remember: Duration,
    /// A sign-in link; at most 15m.
    #[serde(with = "duration")]
    pub magic: Duration,
    /// A link to reset a password; at most 30m.
    #[serde(with = "duration")]
    pub reset: Duration,
    /// A link to verify an address; at most 24h.
    #[serde(with = "duration")]
    pub verify: Duration,
    /// How long a browser may take from authorization request to answer; at most 24h.
    #[serde(with = "duration")]
    pub request: Duration,
    /// The link that makes the first administrator; at most 7d.
    #[serde(with = "duration")]
    pub setup: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            code: Duration::from_secs(60),
            par: Duration::from_secs(60),
            access: Duration::from_secs(15 * MINUTE),
            status_list: Duration::from_secs(60),
            id_token: Duration::from_secs(HOUR),
            refresh_idle: Duration::from_secs(30 * DAY),
            refresh_max: Duration::from_secs(90 * DAY),
            refresh_grace: Duration::from_secs(10),
            session_idle: Duration::from_secs(8 * HOUR),
            session_max: Duration::from_secs(24 * HOUR),
            remember: Duration::from_secs(30 * DAY),
            magic: Duration::from_secs(10 * MINUTE),
            reset: Duration::from_secs(30 * MINUTE),
            verify: Duration::from_secs(24 * HOUR),
            request: Duration::from_secs(30 * MINUTE),
            setup: Duration::from_secs(24 * HOUR),
        }
    }
}

/// `[password]`: what a password must have, and what hashing it costs (Argon2id).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Password {
    /// Characters at least; 8 or more. NIST asks for 15 where the password is the only factor.
    pub min_length: usize,
    /// Memory for one hash in KiB; 19456 or more.
    pub memory_kib: u32,
    /// Passes over that memory; 2 or more.
    pub passes: u32,
    /// Lanes computed side by side.
    pub lanes: u32,
    /// Whether programs may send a password in JSON to sign somebody in: to `/api/v1` and to dialects. An organisation may
    /// forbid it for itself.
    pub json_sign_in: bool,
}

impl Default for Password {
    fn default() -> Self {
        Self { min_length: 12, memory_kib: 19_456, passes: 2, lanes: 1, json_sign_in: true }
    }
}

/// `[registration]`: who may make an account.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registration {
    /// `open`, `invited` or `closed`. Unset: `open` on a loopback issuer, else `closed`.
    pub mode: Option<RegistrationMode>,
}

/// `[organizations]`: how organisations are used.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Organizations {
    /// Whoever names no workspace means the default one. Workspaces exist all the same, and their ids work.
    pub single_workspace: bool,
    /// How often the DNS of a proven domain is asked again; 1m to 30d.
    #[serde(with = "duration")]
    pub domain_check: Duration,
    /// How long the proof of a domain may be gone before the domain counts as proven no more; at most 90d.
    #[serde(with = "duration")]
    pub domain_grace: Duration,
    /// Whether whoever is signed in may make organisations through `/api/v1`. Unset: where anybody may make an account.
    pub self_service: Option<bool>,
}

impl Default for Organizations {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { single_workspace: false, domain_check: DAY, domain_grace: 7 * DAY, self_service: None }
    }
}

/// `[api_keys]`: the keys of machines.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiKeys {
    /// What new keys begin with: at most 32 letters, digits, `_` and `-`. Keys with another prefix stay good.
    pub prefix: String,
    /// A token that a key is exchanged for; at most 1h.
    #[serde(with = "duration")]
    pub token: Duration,
}

impl Default for ApiKeys {
    fn default() -> Self {
        Self { prefix: "cs_k_".to_owned(), token: Duration::from_secs(5 * MINUTE) }
    }
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationMode {
    /// Anybody.
    Open,
    /// Nobody; administrators make accounts.
    Closed,
    /// Who has an invitation link.
    Invited,
}

impl RegistrationMode {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Invited => "invited",
        }
    }
}

/// `[limits]`: how often something may be tried (RL-3).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Failed sign-ins to one account from one address.
    pub login_failures: Limit,
    /// Failed sign-ins from one address.
    pub login_per_address: Limit,
    /// Failed sign-ins to one account from anywhere, half of them from one address; a public issuer allows at most 100.
    pub login_per_account: Limit,
    /// Registrations from one address.
    pub registration_per_address: Limit,
    /// Mails to one mail address, asked for from one network address; from all of them twice as many.
    pub mail_per_address: Limit,
    /// Mails asked for from one network address.
    pub mail_per_ip: Limit,
    /// Wrong client secrets for one client from one address.
    pub client_secret_failures: Limit,
    /// Wrong API keys from one address.
    pub api_key_failures: Limit,
    /// Wrong set-up links from one address.
    pub setup_tries: Limit,
    /// Wrong one-time links from one address.
    pub link_tries: Limit,
    /// Organisations that one user asks for.
    pub organizations_per_user: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        let limit = |count, seconds| Limit { count, per: Duration::from_secs(seconds) };
        Self {
            login_failures: limit(10, 15 * MINUTE),
            login_per_address: limit(30, 15 * MINUTE),
            login_per_account: limit(100, DAY),
            registration_per_address: limit(5, HOUR),
            mail_per_address: limit(3, HOUR),
            mail_per_ip: limit(10, HOUR),
            client_secret_failures: limit(30, 15 * MINUTE),
            api_key_failures: limit(30, 15 * MINUTE),
            setup_tries: limit(10, 15 * MINUTE),
            link_tries: limit(30, 15 * MINUTE),
            organizations_per_user: limit(10, DAY),
        }
    }
}

impl Limits {
    /// What the limits are called.
    pub fn names() -> &'static [&'static str] {
        super::schema::fields_of("limits").expect("limits are a section")
    }

    /// These limits, with others for some names.
    #[must_use]
    pub fn with(&self, others: &BTreeMap<String, Limit>) -> Self {
        let mut all = toml::Table::try_from(self).expect("limits are plain data");
        for (name, limit) in others.iter().filter(|(name, _)| Self::names().contains(&name.as_str())) {
            all.insert(name.clone(), toml::Value::try_from(limit).expect("a limit is plain data"));
        }
        all.try_into().expect("limits that were written are read")
    }

    /// No limits at all. Only the secret of a dialect on a loopback issuer gives these (LG-4).
    pub fn lifted() -> Self {
        let endless = Limit { count: u32::MAX, per: Duration::from_secs(1) };
        Self::default().with(&Self::names().iter().map(|name| ((*name).to_owned(), endless)).collect())
    }

    /// Whether they are [`Limits::lifted`].
    pub fn are_lifted(&self) -> bool {
        self.login_failures.count == u32::MAX
    }
}

/// So many times in so long a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// How many times; 1 or more.
    pub count: u32,
    /// In how long a time; 1s to 7d.
    #[serde(with = "duration")]
    pub per: Duration,
}

/// `[mail]`: how mail leaves.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// The mail server: `smtps://user:password@host`, or `smtp://host:587?tls=required`.
    #[serde(serialize_with = "write::optional_secret")]
    pub url: Option<Secret>,
    /// A file that holds the URL.
    pub url_file: Option<PathBuf>,
    /// The sender: `id@example.com` or `Example <id@example.com>`. Unset: `no-reply@` the issuer's host.
    pub from: Option<Mailbox>,
}

/// `[log]`: what is logged, and how it is written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, also per module: `info,countersign::mail=debug`.
    pub level: String,
    /// `text` for people, `json` for collectors.
    pub format: LogFormat,
    /// How long it is kept why a request was refused, to be found by its reference.
    #[serde(with = "duration")]
    pub explain_for: Duration,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text, explain_for: Duration::from_secs(7 * DAY) }
    }
}

/// How log records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One object a line.
    Json,
}

/// `[outbound]`: requests that the server itself makes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Further certificate authorities in PEM, beside the public ones.
    pub extra_ca_file: Option<PathBuf>,
    /// Whether loopback and private addresses may be fetched from.
    pub allow_private_network: bool,
    /// The name server that is asked for proofs of domains, over TCP. Unset: the first one of `/etc/resolv.conf`.
    pub dns_server: Option<SocketAddr>,
}

/// `[protocol]`: choices that OAuth leaves open.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Protocol {
    /// Who must use PKCE: `required` for every client, `public` for clients without a secret.
    pub pkce: Pkce,
}

/// Who must use PKCE (RFC 7636).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pkce {
    /// Every client.
    #[default]
    Required,
    /// Clients that have no secret.
    Public,
}

/// `[branding]`: what people see.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Branding {
    /// The name on pages and in mails.
    pub product_name: String,
}

impl Default for Branding {
    fn default() -> Self {
        Self { product_name: "Countersign".to_owned() }
    }
}

/// Types whose own reading would not say what to write instead.
mod read {
    use std::net::SocketAddr;

    use serde::de::{Deserialize, Deserializer, Error};

    pub fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| {
            D::Error::custom(format_args!(
                "`{text}` is not an IP address with a port; write it like `127.0.0.1:8080`, `0.0.0.0:8080` \
                 or `[::]:8080`"
            ))
        })
    }

    pub fn optional_address<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SocketAddr>, D::Error> {
        address(deserializer).map(Some)
    }
}

/// How settings are listed.
pub(super) mod write {
    use serde::Serializer;

    use crate::crypto::Secret;

    pub fn secret<S: Serializer>(_: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(set)")
    }

    pub fn optional_secret<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
        match secret {
            Some(_) => serializer.serialize_str("(set)"),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lo_2_a_database_is_shown_without_its_password() {
        let cases = [
            ("sqlite:data/a.db", "sqlite:data/a.db"),
            ("postgres://db.internal:5432/id", "postgres://db.internal:5432/id"),
            ("postgres://u:hunter2@db/id", "postgres://db/id"),
            ("postgresql://u:hun@ter/2@db/id?sslmode=require", "postgresql://db/id"),
            ("postgres://u:hunt?er2@db/id", "postgres://db/id"),
            ("postgres://db/id?password=hunter2", "postgres://db/id"),
            ("hunter2", "(set)"),
        ];
        for (url, label) in cases {
            let database = Database { url: Secret::from_text(url), ..Database::default() };
            assert_eq!(database.label(), label, "{url}");
        }
    }

    #[test]
    fn registration_follows_the_issuer_unless_it_is_set() {
        let config = |issuer: &str, mode| Config {
            issuer: issuer.parse().unwrap(),
            registration: Registration { mode },
            ..Config::default()
        };
        assert_eq!(config("http://localhost", None).registration_mode(), RegistrationMode::Open);
        assert_eq!(config("https://id.example.com", None).registration_mode(), RegistrationMode::Closed);
        assert_eq!(
            config("https://id.example.com", Some(RegistrationMode::Invited)).registration_mode(),
            RegistrationMode::Invited
        );
    }

    #[test]
    fn mail_comes_from_the_issuers_host_unless_it_is_set() {
        for (issuer, from) in [
            ("http://localhost:8080", "no-reply@localhost"),
            ("https://id.example.com/id", "no-reply@id.example.com"),
            ("http://127.0.0.1", "no-reply@localhost"),
        ] {
            let config = Config { issuer: issuer.parse().unwrap(), ..Config::default() };
            assert_eq!(config.mail_from().to_string(), format!("Countersign <{from}>"));
        }
    }

    #[test]
    fn metrics_need_their_own_listener_on_a_public_issuer() {
        let mut config = Config::default();
        assert!(config.metrics_on_main_listener() && config.has_dev_pages());
        config.issuer = "https://id.example.com".parse().unwrap();
        assert!(!config.metrics_on_main_listener() && !config.has_dev_pages());
    }
}
