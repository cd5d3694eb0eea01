//! `countersign user`: people.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Failure, Shell, duration};
use crate::app::App;
use crate::audit::Origin;
use crate::crypto::Secret;
use crate::identity::account::export;
use crate::identity::factor::manage;
use crate::model::{EmailAddress, InstanceRole, Status, UserId};
use crate::store::users::User;
use crate::store::{self, Conn};
use crate::tenancy::links;
use crate::tenancy::users::{self, End, Needs, NewUser, UserError};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a user
    Add(Add),
    /// Hand out a link with which somebody makes an account for this address
    Invite {
        #[arg(long, value_name = "ADDRESS", value_parser = EmailAddress::parse)]
        email: EmailAddress,
        /// How long the link is good, at most 30d
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "7d")]
        lifetime: Duration,
    },
    /// List all users in order of creation
    List,
    /// Show a user
    Show(Who),
    /// Disable a user and end all sessions and grants
    Disable(Ending),
    /// Enable a disabled user
    Enable(Who),
    /// Remove a user for good, with everything that is theirs
    #[command(visible_alias = "delete")]
    Remove(Ending),
    /// Print everything that is stored about a user, as JSON
    Export(Who),
    /// Set a new password and end all sessions and grants
    SetPassword {
        #[command(flatten)]
        who: Who,
        /// Read the password from standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Take away all second factors, for somebody who has lost them; new ones must be set up at the next sign-in
    ResetFactors(Who),
    /// Say what the user may do with the instance: `administrator`, `support` (look only) or `none`
    Role {
        #[command(flatten)]
        who: Who,
        #[arg(value_name = "ROLE", value_parser = ["administrator", "support", "none"])]
        role: String,
    },
    /// State that the user controls an address: you vouch for it
    VerifyEmail {
        #[command(flatten)]
        who: Who,
        /// Another address of the user than the primary one
        #[arg(long, value_name = "ADDRESS", value_parser = EmailAddress::parse)]
        email: Option<EmailAddress>,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    #[arg(long, value_name = "ADDRESS", value_parser = EmailAddress::parse)]
    email: EmailAddress,
    /// The full name, as others see it
    #[arg(long)]
    name: String,
    /// A name to sign in with besides the address
    #[arg(long)]
    username: Option<String>,
    /// Read the password from standard input; without it the user has none yet
    #[arg(long)]
    password_stdin: bool,
    /// The address is known to be the user's
    #[arg(long)]
    verified: bool,
    /// Make the user an administrator of this instance
    #[arg(long)]
    admin: bool,
    /// Let the user look at everything in the console, and change nothing
    #[arg(long, conflicts_with = "admin")]
    support: bool,
    /// A further standard claim, such as given_name=Ada or locale=de; repeat for more
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = claim)]
    claims: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub struct Who {
    /// Id, e-mail address or user name
    #[arg(value_name = "USER")]
    user: String,
}

#[derive(Debug, Args)]
pub struct Ending {
    #[command(flatten)]
    who: Who,
    /// Even if nobody is left to administer an organisation, or the instance
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct UserView {
    id: UserId,
    username: Option<String>,
    name: String,
    email: Option<String>,
    email_verified: bool,
    status: Status,
    instance_role: Option<InstanceRole>,
    has_password: bool,
    locale: Option<String>,
    zoneinfo: Option<String>,
    claims: BTreeMap<String, String>,
    created_at: String,
    updated_at: String,
}

pub async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let origin = Origin::command_line();
    match command {
        Command::Add(add) => create(shell, add, &origin).await,
        Command::Invite { email, lifetime } => invite(shell, &email, lifetime, &origin).await,
        Command::List => list(shell).await,
        Command::Show(who) => show(shell, &who.user).await,
        Command::Disable(ending) => {
            let app = shell.open().await?;
            let user = known(&app, &ending.who.user).await?;
            end(&app, &user, End::Disabled, ending.force, &origin).await?;
            done(shell, &user, "is disabled, and all sessions and grants have ended", "disabled")
        }
        Command::Enable(who) => {
            let app = shell.open().await?;
            let user = known(&app, &who.user).await?;
            users::enable(&app, user.id, &origin).await?;
            done(shell, &user, "is enabled", "active")
        }
        Command::Remove(ending) => {
            let app = shell.open().await?;
            let user = known(&app, &ending.who.user).await?;
            end(&app, &user, End::Removed, ending.force, &origin).await?;
            done(shell, &user, "is removed", "removed")
        }
        Command::Export(who) => {
            let app = shell.open().await?;
            let user = known(&app, &who.user).await?;
            match export::export(&app, user.id, &origin).await? {
                Some(copy) => shell.out.value(&copy),
                None => Err(Failure::Failed("the user was removed meanwhile".to_owned())),
            }
        }
        Command::SetPassword { who, password_stdin: _ } => {
            let app = shell.open().await?;
            let user = known(&app, &who.user).await?;
            users::set_password(&app, user.id, &password_from_stdin()?, &origin).await?;
            done(shell, &user, "has a new password, and all sessions and grants have ended", "password_set")
        }
        Command::ResetFactors(who) => {
            let app = shell.open().await?;
            let user = known(&app, &who.user).await?;
            manage::reset(&app, &user, &origin).await?;
            let text = "has no second factor any more and must set one up at the next sign-in";
            done(shell, &user, text, "factors_reset")
        }
        Command::Role { who, role } => {
            let app = shell.open().await?;
            let user = known(&app, &who.user).await?;
            let role = InstanceRole::parse(&role);
            users::set_instance_role(&app, user.id, role, &origin).await?;
            done(shell, &user, "has this role in the instance", "instance_role_set")
        }
        Command::VerifyEmail { who, email } => {
            let app = shell.open().await?;
            let user = known(&app, &who.user).await?;
            users::verify_email(&app, user.id, email, &origin).await?;
            done(shell, &user, "has a verified address", "email_verified")
        }
    }
}

async fn end(app: &App, user: &User, how: End, force: bool, origin: &Origin) -> Result<(), Failure> {
    let needs = if force { Needs::Ignored } else { Needs::Respected };
    match users::end(app, user.id, how, needs, origin).await {
        Err(needed @ UserError::Needed(_)) => {
            Err(Failure::Failed(format!("{needed}; `--force` does it all the same")))
        }
        other => Ok(other?),
    }
}

/// The user that somebody names by id, address or user name.
pub async fn known(app: &App, who: &str) -> Result<User, Failure> {
    let asked = who.to_owned();
    let found = app.db.read(move |db| users::find(db, &asked)).await?;
    found.ok_or_else(|| {
        Failure::Failed(format!("there is no user `{who}`: `countersign user list` shows all of them"))
    })
}

async fn create(shell: &Shell, add: Add, origin: &Origin) -> Result<(), Failure> {
    let app = shell.open().await?;
    let password = if add.password_stdin { Some(password_from_stdin()?) } else { None };
    let instance_role = match (add.admin, add.support) {
        (true, _) => Some(InstanceRole::Administrator),
        (false, true) => Some(InstanceRole::Support),
        (false, false) => None,
    };
    let new = NewUser {
        email: add.email,
        email_verified: add.verified,
        name: add.name,
        username: add.username,
        password,
        instance_role,
        claims: add.claims.into_iter().collect(),
    };
    let id = users::create(&app, new, origin).await?;
    shell.out.answer(&format!("{id}"), &json!({ "id": id }))
}

async fn invite(
    shell: &Shell,
    email: &EmailAddress,
    lifetime: Duration,
    origin: &Origin,
) -> Result<(), Failure> {
    if lifetime.is_zero() || lifetime > Duration::from_secs(30 * 86_400) {
        return Err(Failure::Usage("--lifetime must be between 1s and 30d".to_owned()));
    }
    let app = shell.open().await?;
    let secret = links::invite(&app, email, lifetime, origin).await?;
    let link = app.config.issuer.at(&format!("/register/{}", secret.expose()));
    let until = app.clock.now().plus(lifetime).rfc3339();
    shell.out.answer(
        &format!("{link}\nGood once, until {until}. Send it to {email} only."),
        &json!({ "link": link, "expires_at": until }),
    )
}

async fn list(shell: &Shell) -> Result<(), Failure> {
    const PAGE: i64 = 500;
    let app = shell.open().await?;
    let mut views: Vec<UserView> = Vec::new();
    loop {
        let after = views.last().map(|last| last.id);
        let page = app.db.read(move |db| {
            store::users::list(db, after, PAGE)?
                .into_iter()
                .map(|user| view(db, user))
                .collect::<Result<Vec<_>, _>>()
        });
        let page = page.await?;
        if page.is_empty() {
            break;
        }
        views.extend(page);
    }
    let columns = ["ID", "E-MAIL", "VERIFIED", "USER NAME", "NAME", "STATUS", "INSTANCE", "CREATED"];
    shell.out.list(&views, &columns, |one| {
        vec![
            one.id.to_string(),
            one.email.clone().unwrap_or_else(|| "-".to_owned()),
            yes(one.email_verified),
            one.username.clone().unwrap_or_else(|| "-".to_owned()),
            one.name.clone(),
            one.status.to_string(),
            instance(one.instance_role),
            one.created_at.clone(),
        ]
    })
}

async fn show(shell: &Shell, who: &str) -> Result<(), Failure> {
    let app = shell.open().await?;
    let user = known(&app, who).await?;
    let one = app.db.read(move |db| view(db, user.clone())).await?;
    let mut facts = vec![
        ("id", one.id.to_string()),
        ("name", one.name.clone()),
        ("e-mail", one.email.clone().unwrap_or_else(|| "-".to_owned())),
        ("verified", yes(one.email_verified)),
        ("user name", one.username.clone().unwrap_or_else(|| "-".to_owned())),
        ("status", one.status.to_string()),
        ("instance role", instance(one.instance_role)),
        ("password", if one.has_password { "set" } else { "not set" }.to_owned()),
        ("created", one.created_at.clone()),
        ("updated", one.updated_at.clone()),
    ];
    facts.extend(one.locale.iter().map(|value| ("locale", value.clone())));
    facts.extend(one.zoneinfo.iter().map(|value| ("zoneinfo", value.clone())));
    facts.extend(one.claims.iter().map(|(name, value)| (name.as_str(), value.clone())));
    shell.out.facts(&facts, &one)
}

fn view(db: &mut Conn, user: User) -> Result<UserView, store::Error> {
    let email = store::users::primary_email(db, user.id)?;
    Ok(UserView {
        email_verified: email.as_ref().is_some_and(|email| email.verified_at.is_some()),
        email: email.map(|email| email.address),
        has_password: store::users::password(db, user.id)?.is_some(),
        claims: store::users::claims(db, user.id)?.into_iter().collect(),
        id: user.id,
        username: user.username,
        name: user.name,
        status: user.status,
        instance_role: user.instance_role,
        locale: user.locale,
        zoneinfo: user.zoneinfo,
        created_at: user.created_at.rfc3339(),
        updated_at: user.updated_at.rfc3339(),
    })
}

fn done(shell: &Shell, user: &User, text: &str, state: &str) -> Result<(), Failure> {
    shell.out.answer(&format!("{} {text}.", user.id), &json!({ "id": user.id, "state": state }))
}

fn instance(role: Option<InstanceRole>) -> String {
    role.map_or("-", InstanceRole::as_str).to_owned()
}

fn yes(fact: bool) -> String {
    if fact { "yes" } else { "no" }.to_owned()
}

/// A password comes through standard input only: arguments are seen by every process of the machine. One line end
/// at its end is not part of it.
fn password_from_stdin() -> Result<Secret, Failure> {
    const MOST: u64 = 8 * 1024;
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .lock()
        .take(MOST)
        .read_to_string(&mut text)
        .map_err(|error| Failure::Failed(format!("cannot read the password from standard input: {error}")))?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(Failure::Failed("standard input has no password: pipe it in".to_owned()));
    }
    if password.chars().any(char::is_control) {
        return Err(Failure::Failed(
            "standard input has more than one line, or control characters: pipe the password alone"
                .to_owned(),
        ));
    }
    Ok(Secret::from_text(password))
}

fn claim(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
