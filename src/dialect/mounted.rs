//! A dialect at its place: its file and what the configuration says of it, put together at start-up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::model::{Dialect, Mount};
use super::problem::{Problem, Problems};
use super::{mount, openapi, read, shipped};
use crate::app::App;
use crate::audit::Origin;
use crate::config::{self, Config, Issuer, Limits};
use crate::crypto::Secret;
use crate::tenancy::clients::{self, ClientError, Product};

/// A dialect that answers.
#[derive(Debug)]
pub struct Mounted {
    /// With the configuration's changes.
    pub dialect: Dialect,
    pub mount: Mount,
    /// What its tokens are issued to.
    pub client_id: String,
    /// The `aud` of its tokens.
    pub audience: String,
    /// The instance's limits, with the dialect's own.
    pub limits: Limits,
    /// Origins of browser applications.
    pub origins: BTreeSet<String>,
    pub system_secret: Option<Secret>,
    /// Its description of itself, as bytes that are sent.
    pub description: String,
}

impl Mounted {
    /// The path before its own paths, below the root of the host.
    pub fn prefix(&self, issuer: &Issuer) -> String {
        match &self.mount {
            Mount::Path(path) => format!("{}{path}", issuer.path()),
            Mount::Host(_) => String::new(),
        }
    }

    /// Where it is, for people.
    pub fn place(&self) -> &str {
        match &self.mount {
            Mount::Path(place) | Mount::Host(place) => place,
        }
    }
}

/// Every dialect that the configuration mounts.
#[derive(Clone, Debug, Default)]
pub struct Dialects(pub(super) Arc<[Arc<Mounted>]>);

impl Dialects {
    /// Reads their files and puts them together.
    ///
    /// # Errors
    /// With everything that is wrong with any of them.
    pub fn load(config: &Config) -> Result<Self, Problems> {
        let (mut mounted, mut problems) = (Vec::new(), Vec::new());
        for settings in &config.dialects {
            match put_together(config, settings) {
                Ok(one) => mounted.push(one),
                Err(found) => problems.extend(found.0),
            }
        }
        problems.extend(clashes(&mounted));
        match problems.is_empty() {
            true => Ok(Self(mounted.into_iter().map(Arc::new).collect())),
            false => Err(Problems(problems)),
        }
    }

    /// Whether the tokens of one of them have this `aud`.
    pub fn serves(&self, audience: &str) -> bool {
        self.iter().any(|mounted| mounted.audience == audience)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Mounted> {
        self.0.iter().map(AsRef::as_ref)
    }
}

/// Sees to it that each dialect has the client that its tokens are issued to.
pub async fn prepare(app: &App) -> Result<(), ClientError> {
    for mounted in app.dialects.iter() {
        let product = Product {
            client_id: mounted.client_id.clone(),
            name: mounted.dialect.name.clone(),
            redirect_uris: mounted.dialect.redirect_urls.clone(),
        };
        clients::keep_product(app, product, &Origin::system()).await?;
    }
    Ok(())
}

/// The dialect that the settings name.
fn file(settings: &config::Dialect) -> Result<Dialect, Problems> {
    if let Some(name) = &settings.shipped {
        let Some(found) = shipped::find(name) else {
            let known: Vec<&str> = shipped::SHIPPED.iter().map(|shipped| shipped.name).collect();
            let reason =
                format!("no dialect of this name ships with the program; these do: {}", known.join(", "));
            return Err(Problems(vec![Problem::of(name, reason)]));
        };
        return read::read(name, found.text);
    }
    let path = settings.file.clone().unwrap_or_default();
    read::read_file(&path)
}

fn put_together(config: &Config, settings: &config::Dialect) -> Result<Mounted, Problems> {
    let mut dialect = file(settings)?;
    let source = dialect.name.clone();
    let mut problems = Vec::new();
    let mut wrong = |reason: String| problems.push(Problem::of(&source, reason));
    override_lives(&mut dialect, &settings.tokens);
    for (_, reason) in mount::token_problems(&dialect.tokens) {
        wrong(reason);
    }
    override_rest(&mut dialect, settings);
    if let Some(page) = &dialect.magic_link_page
        && !dialect.redirect_urls.contains(page)
    {
        wrong(format!("`magic_link_page` is `{page}`, which is none of `redirect_urls`"));
    }
    let limits = config.limits.with(&dialect.limits);
    if limits.login_per_account.count > 100 && !config.issuer.is_loopback() {
        wrong("`limits.login_per_account` must allow at most 100 on a public issuer".to_owned());
    }
    if settings.system_secret.is_some() && dialect.system_secret_header.is_none() {
        wrong("`system_secret` is set, and the dialect names no header for it".to_owned());
    }
    let chosen = match (&settings.path, &settings.host) {
        (Some(path), _) => Some(Mount::Path(path.clone())),
        (None, Some(host)) => Some(Mount::Host(host.clone())),
        (None, None) => dialect.mount.clone(),
    };
    let Some(mount) = chosen else {
        wrong("is mounted nowhere: set `path` or `host`".to_owned());
        return Err(Problems(problems));
    };
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let base = base_of(&config.issuer, &mount);
    Ok(Mounted {
        client_id: settings.client_id.clone().unwrap_or_else(|| format!("dialect:{}", dialect.name)),
        audience: settings.audience.clone().unwrap_or_else(|| base.clone()),
        limits,
        origins: settings.cors.origins.iter().cloned().collect(),
        system_secret: settings.system_secret.clone(),
        description: openapi::describe(&dialect, &base),
        mount,
        dialect,
    })
}

fn override_lives(dialect: &mut Dialect, lives: &config::dialect::Lives) {
    let set = |life: &mut Duration, given: Option<Duration>| {
        if let Some(given) = given {
            *life = given;
        }
    };
    let tokens = &mut dialect.tokens;
    set(&mut tokens.access_ttl, lives.access_ttl);
    set(&mut tokens.refresh_ttl, lives.refresh_ttl);
    set(&mut tokens.session_ttl, lives.session_ttl);
    tokens.magic_ttl = lives.magic_ttl.or(tokens.magic_ttl);
}

fn override_rest(dialect: &mut Dialect, settings: &config::Dialect) {
    for (role, word) in &settings.roles {
        match role.as_str() {
            "*" => dialect.roles.other = Some(word.clone()),
            role => drop(dialect.roles.words.insert(role.to_owned(), word.clone())),
        }
    }
    dialect.limits.extend(settings.limits.iter().map(|(name, limit)| (name.clone(), *limit)));
    dialect.redirect_urls.extend(settings.redirect_urls.iter().cloned());
    dialect.magic_link_page = settings.magic_link_page.clone().or(dialect.magic_link_page.take());
    dialect.first_sign_in = settings.first_sign_in.or(dialect.first_sign_in);
}

/// The address of the API: from the configuration alone, never from a request.
fn base_of(issuer: &Issuer, mount: &Mount) -> String {
    match mount {
        Mount::Path(path) => issuer.at(path),
        Mount::Host(host) => format!("{}://{host}", issuer.url().scheme()),
    }
}

/// Two at one place, or two whose tokens could be taken for one another's.
fn clashes(mounted: &[Mounted]) -> Vec<Problem> {
    let mut found = Vec::new();
    for (index, one) in mounted.iter().enumerate() {
        for earlier in &mounted[..index] {
            let below =
                |a: &str, b: &str| a == b || b.strip_prefix(a).is_some_and(|rest| rest.starts_with('/'));
            let (a, b) = (earlier.place(), one.place());
            if below(a, b) || below(b, a) {
                let reason = format!("`{b}` is where the dialect `{}` is mounted", earlier.dialect.name);
                found.push(Problem::of(&one.dialect.name, reason));
            }
            if earlier.client_id == one.client_id {
                let reason = format!("`{}` is another dialect's client too: set `client_id`", one.client_id);
                found.push(Problem::of(&one.dialect.name, reason));
            }
            if earlier.audience == one.audience {
                let reason = format!("`{}` is another dialect's audience too", one.audience);
                found.push(Problem::of(&one.dialect.name, reason));
            }
        }
    }
    found
}
