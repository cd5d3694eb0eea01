//! What serde cannot know: bounds, settings that need each other, and values that would be unsafe (BU-5).

use std::fs::File;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use url::Url;

use super::dialect::clashes;
use super::duration::text;
use super::sections::{Config, Limit, RegistrationMode};
use crate::crypto::Secret;
use crate::keys;
use crate::keys::MasterKeyError;
use crate::keys::master::WeakKey;
use crate::model::api_key::is_prefix;

/// Every setting that must not be used as it is, with the reason.
pub(super) fn check(config: &Config) -> Vec<(String, String)> {
    let mut found = Findings(Vec::new());
    found.server(config);
    found.database(config);
    found.keys(config);
    found.lifetimes(config);
    found.password(config);
    found.organizations(config);
    found.api_keys(config);
    found.limits(config);
    found.mail(config);
    found.providers(config);
    found.dialects(config);
    found.rest(config);
    found.0
}

struct Findings(Vec<(String, String)>);

impl Findings {
    fn refuse(&mut self, key: &str, reason: impl Into<String>) {
        self.0.push((key.to_owned(), reason.into()));
    }

    fn refuse_if(&mut self, wrong: bool, key: &str, reason: impl Into<String>) {
        if wrong {
            self.refuse(key, reason);
        }
    }

    fn readable(&mut self, key: &str, path: &Path) {
        let opened = File::open(path).and_then(|file| file.metadata());
        match opened {
            Ok(metadata) if metadata.is_dir() => {
                self.refuse(key, format!("`{}` is a folder", path.display()))
            }
            Ok(_) => {}
            Err(error) => self.refuse(key, format!("cannot read `{}`: {error}", path.display())),
        }
    }

    fn server(&mut self, config: &Config) {
        let server = &config.server;
        for network in &server.trusted_proxies {
            self.refuse_if(
                network.is_too_wide(),
                "server.trusted_proxies",
                format!(
                    "`{network}` lets strangers choose the address they are counted by; list only the networks \
                     of your own proxies"
                ),
            );
        }
        self.refuse_if(
            server.metrics_listen == Some(server.listen) && server.listen.port() != 0,
            "server.metrics_listen",
            "is the same as `server.listen`; give it a port of its own",
        );
        let taken = [Some(server.listen), server.metrics_listen];
        self.refuse_if(
            server.console_listen.is_some_and(|at| at.port() != 0 && taken.contains(&Some(at))),
            "server.console_listen",
            "is the same as `server.listen` or `server.metrics_listen`; give it a port of its own",
        );
        self.refuse_if(
            server.workers.is_some_and(|workers| workers.get() > 1024),
            "server.workers",
            "must be at most 1024",
        );
        if let Some(tls) = &server.tls {
            self.readable("server.tls.cert_file", &tls.cert_file);
            self.readable("server.tls.key_file", &tls.key_file);
            self.refuse_if(!config.issuer.is_https(), "issuer", "must be https where `server.tls` is set");
        }
    }

    fn database(&mut self, config: &Config) {
        const KEY: &str = "database.url";
        let url = config.database.url.expose();
        if let Some(path) = url.strip_prefix("sqlite:") {
            self.refuse_if(path.is_empty(), KEY, "names no file; write it like `sqlite:data/countersign.db`");
            self.refuse_if(
                path.starts_with("//"),
                KEY,
                "has slashes after `sqlite:` that are no part of a path; write `sqlite:data/countersign.db` or \
                 `sqlite:/var/lib/countersign.db`",
            );
            self.refuse_if(
                path.starts_with(":memory:"),
                KEY,
                "would be lost at every stop; name a file, like `sqlite:data/countersign.db`",
            );
        } else {
            let place = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
            self.refuse_if(
                place.is_none_or(str::is_empty),
                KEY,
                "is neither `sqlite:PATH` nor `postgres://user:password@host/name`",
            );
        }
        self.refuse_if(config.database.pool.get() > 1000, "database.pool", "must be at most 1000");
    }

    fn keys(&mut self, config: &Config) {
        let keys = &config.keys;
        if let Some(weak) = keys.master_key.as_ref().and_then(master_key_weakness) {
            self.refuse("keys.master_key", weak.to_string());
        }
        self.refuse_if(keys.dir.as_os_str().is_empty(), "keys.dir", "names no folder");
        let (second, year) = (Duration::from_secs(1), days(366));
        self.between("keys.rotate_every", keys.rotate_every, second, year);
        self.between("keys.publish_ahead", keys.publish_ahead, second, days(30));
        self.refuse_if(
            keys.publish_ahead < keys::schedule::NODE_DRIFT * 2 && !config.issuer.is_loopback(),
            "keys.publish_ahead",
            "must be 10m or more on a public issuer: the clocks of two nodes may be that far apart (24h suits caches)",
        );
        self.refuse_if(
            keys.publish_ahead >= keys.rotate_every,
            "keys.publish_ahead",
            "must be shorter than `keys.rotate_every`: a key is published before the one it follows is due",
        );
    }

    fn lifetimes(&mut self, config: &Config) {
        let l = &config.lifetimes;
        let second = Duration::from_secs(1);
        let bounds = [
            ("code", l.code, second, minutes(1)),
            ("par", l.par, second, minutes(10)),
            ("access", l.access, second, days(1)),
            ("status_list", l.status_list, second, minutes(10)),
            ("id_token", l.id_token, second, days(1)),
            ("refresh_idle", l.refresh_idle, second, days(366)),
            ("refresh_max", l.refresh_max, second, days(366)),
            ("refresh_grace", l.refresh_grace, Duration::ZERO, minutes(1)),
            ("session_idle", l.session_idle, second, days(366)),
            ("session_max", l.session_max, second, days(366)),
            ("remember", l.remember, second, days(366)),
            ("magic", l.magic, second, minutes(15)),
            ("reset", l.reset, second, minutes(30)),
            ("verify", l.verify, second, days(1)),
            ("request", l.request, second, days(1)),
            ("setup", l.setup, second, days(7)),
        ];
        for (name, value, least, most) in bounds {
            self.between(&format!("lifetimes.{name}"), value, least, most);
        }
        self.refuse_if(
            l.refresh_idle > l.refresh_max,
            "lifetimes.refresh_idle",
            "must not be longer than `lifetimes.refresh_max`",
        );
        self.refuse_if(
            l.session_idle > l.session_max,
            "lifetimes.session_idle",
            "must not be longer than `lifetimes.session_max`",
        );
    }

    fn between(&mut self, key: &str, value: Duration, least: Duration, most: Duration) {
        self.refuse_if(
            value < least || value > most,
            key,
            format!("is {}; it must be from {} to {}", text(value), text(least), text(most)),
        );
    }

    fn password(&mut self, config: &Config) {
        let p = &config.password;
        let bounds = [
            // 64 characters must always be enough (PW-2).
            ("min_length", p.min_length as u64, 8, 64),
            ("memory_kib", u64::from(p.memory_kib), 19_456, 4 * 1024 * 1024),
            ("passes", u64::from(p.passes), 2, 64),
            ("lanes", u64::from(p.lanes), 1, 64),
        ];
        for (name, value, least, most) in bounds {
            self.refuse_if(
                value < least || value > most,
                &format!("password.{name}"),
                format!("is {value}; it must be from {least} to {most}"),
            );
        }
    }

    fn organizations(&mut self, config: &Config) {
        let organizations = &config.organizations;
        self.between("organizations.domain_check", organizations.domain_check, minutes(1), days(30));
        self.between("organizations.domain_grace", organizations.domain_grace, Duration::ZERO, days(90));
    }

    fn api_keys(&mut self, config: &Config) {
        let keys = &config.api_keys;
        self.between("api_keys.token", keys.token, Duration::from_secs(1), minutes(60));
        self.refuse_if(
            !is_prefix(&keys.prefix),
            "api_keys.prefix",
            "has characters that keys cannot have: use at most 32 letters, digits, `_` and `-`",
        );
    }

    fn limits(&mut self, config: &Config) {
        let l = &config.limits;
        let all: [(&str, Limit); 10] = [
            ("login_failures", l.login_failures),
            ("login_per_address", l.login_per_address),
            ("login_per_account", l.login_per_account),
            ("registration_per_address", l.registration_per_address),
            ("mail_per_address", l.mail_per_address),
            ("mail_per_ip", l.mail_per_ip),
            ("client_secret_failures", l.client_secret_failures),
            ("api_key_failures", l.api_key_failures),
            ("setup_tries", l.setup_tries),
            ("link_tries", l.link_tries),
        ];
        for (name, limit) in all {
            self.refuse_if(limit.count == 0, &format!("limits.{name}.count"), "must be 1 or more");
            self.between(&format!("limits.{name}.per"), limit.per, Duration::from_secs(1), days(7));
        }
        self.refuse_if(
            l.login_per_account.count > 100 && !config.issuer.is_loopback(),
            "limits.login_per_account.count",
            "must be at most 100 on a public issuer",
        );
    }

    fn mail(&mut self, config: &Config) {
        let mode = config.registration_mode();
        match &config.mail.url {
            Some(url) => {
                if let Err(reason) = mail_url(url.expose()) {
                    self.refuse("mail.url", reason);
                }
                self.refuse_if(
                    config.mail.from.is_none()
                        && config.own_address().is_none()
                        && !config.issuer.is_loopback(),
                    "mail.from",
                    "must be set: the issuer's host is no name that mail can come from",
                );
            }
            None => self.refuse_if(
                mode != RegistrationMode::Closed && !config.issuer.is_loopback(),
                "mail.url",
                format!(
                    "must be set on a public issuer while `registration.mode` is `{}`, for people are sent \
                     links; set it, or set `registration.mode` to `closed`",
                    mode.as_str()
                ),
            ),
        }
    }

    fn providers(&mut self, config: &Config) {
        for (index, provider) in config.providers.iter().enumerate() {
            for (field, reason) in provider.problems() {
                self.refuse(&format!("providers.{index}.{field}"), reason);
            }
            self.refuse_if(
                config.providers[..index].iter().any(|earlier| earlier.id == provider.id),
                &format!("providers.{index}.id"),
                format!("`{}` is the id of another provider; each has its own", provider.id),
            );
        }
    }

    fn dialects(&mut self, config: &Config) {
        for (index, dialect) in config.dialects.iter().enumerate() {
            for (field, reason) in dialect.problems(&config.issuer) {
                self.refuse(&format!("dialects.{index}.{field}"), reason);
            }
        }
        for (index, field, reason) in clashes(&config.dialects) {
            self.refuse(&format!("dialects.{index}.{field}"), reason);
        }
    }

    fn rest(&mut self, config: &Config) {
        if let Err(error) = EnvFilter::try_new(&config.log.level) {
            self.refuse(
                "log.level",
                format!("{error}; write it like `info` or `info,countersign::mail=debug`"),
            );
        }
        self.between("log.explain_for", config.log.explain_for, minutes(60), days(30));
        if let Some(path) = &config.outbound.extra_ca_file {
            self.readable("outbound.extra_ca_file", path);
        }
        let name = &config.branding.product_name;
        self.refuse_if(
            name.trim().is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control),
            "branding.product_name",
            "must have 1 to 60 characters on one line",
        );
    }
}

/// Asks the reader that the start asks, so that no key passes here and is refused there.
pub(super) fn master_key_weakness(key: &Secret) -> Option<WeakKey> {
    match keys::load_existing(Path::new(""), Some(key)) {
        Err(MasterKeyError::Configured(weak)) => Some(weak),
        // With a configured key nothing else is looked at.
        _ => None,
    }
}

/// The reason never repeats the URL: it may hold a password.
fn mail_url(text: &str) -> Result<(), &'static str> {
    const SHAPE: &str = "is not a mail server's URL; write it like `smtps://user:password@mail.example.com` (special \
                         characters in the password percent-encoded) or `smtp://localhost:1025`";
    let url = Url::parse(text).map_err(|_| SHAPE)?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(SHAPE);
    }
    let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value);
    let encrypted = match (url.scheme(), tls.as_deref()) {
        ("smtps", _) | ("smtp", Some("required")) => true,
        ("smtp", None | Some("opportunistic")) => false,
        ("smtp", Some(_)) => return Err("has a `tls` other than `required` or `opportunistic`"),
        _ => return Err(SHAPE),
    };
    let has_login = !url.username().is_empty() || url.password().is_some();
    if has_login && !encrypted && !is_this_machine(&url) {
        return Err("would send a password in the clear; use `smtps://`, or `smtp://` with `?tls=required`");
    }
    Ok(())
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_password_is_not_sent_in_the_clear() {
        let cases = [
            ("smtps://u:p@mail.example.com", true),
            ("smtp://u:p@mail.example.com:587?tls=required", true),
            ("smtp://mail.internal", true),
            ("smtp://mail.internal?tls=opportunistic", true),
            ("smtp://u:p@localhost:1025", true),
            ("smtp://u:p@127.0.0.1:1025", true),
            ("smtp://u:p@[::1]:1025", true),
            ("smtp://u:p@mail.example.com", false),
            ("smtp://u:p@mail.example.com?tls=opportunistic", false),
            ("smtp://mail.example.com?tls=yes", false),
            ("smtp://", false),
            ("smtp:mail.example.com", false),
            ("https://mail.example.com", false),
            ("mail.example.com", false),
            ("", false),
        ];
        for (url, accepted) in cases {
            assert_eq!(mail_url(url).is_ok(), accepted, "{url}");
        }
    }
}
