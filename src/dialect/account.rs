//! The actions of who is signed in already, and those that send mails.

use serde_json::{Map, Value, json};

use super::action::FRESH;
use super::run::At;
use super::sign_in::Told;
use super::subject;
use crate::grants::first_party::{self, Caller, Machine, Subject};
use crate::grants::introspection::LiveAccessToken;
use crate::identity::account::profile::{self, Profile};
use crate::identity::change_email;
use crate::identity::change_password::{self, Change};
use crate::identity::magic::{self, Onward};
use crate::identity::reauthentication::{self, Due};
use crate::identity::recovery::{self, RegisteredRedirect};
use crate::protocol::ScopeSet;
use crate::tenancy::api_keys::present;
use crate::tenancy::domains;
use crate::tenancy::membership::{ActiveMembership, Selection};
use crate::web::fault::{Fault, Refused};

/// The person who calls, where the headers say.
async fn person(at: &At<'_>) -> Result<(LiveAccessToken, Subject), Refused> {
    let (wanted, product) = (at.selection()?, at.product().await?);
    let person = first_party::caller(at.app(), &product, at.inputs().needed("token")?, &at.origin).await?;
    narrowed(at, person, wanted).await
}

/// Who calls, a person or a machine.
async fn caller(at: &At<'_>) -> Result<Caller, Refused> {
    let (wanted, product) = (at.selection()?, at.product().await?);
    let caller = match at.inputs().secret("api_key") {
        Some(key) => {
            let admitted = present::authenticate(at.app(), key, &at.origin).await?;
            Caller::Machine(Box::new(Machine::of_key(admitted)))
        }
        None => first_party::anyone(at.app(), &product, at.inputs().needed("token")?, &at.origin).await?,
    };
    match caller {
        Caller::Person(person) => Ok(Caller::Person(Box::new(narrowed(at, *person, wanted).await?))),
        Caller::Machine(machine) => {
            check_place(at, &machine, wanted)?;
            Ok(Caller::Machine(machine))
        }
    }
}

/// In the organisation that is named, if one is; and nobody else than the user who is, if one is.
async fn narrowed(
    at: &At<'_>,
    (live, subject): (LiveAccessToken, Subject),
    wanted: Selection,
) -> Result<(LiveAccessToken, Subject), Refused> {
    let subject = first_party::narrow(at.app(), subject, wanted).await??;
    let name = subject.user.username.as_deref();
    let address = subject.email.as_ref().map(|email| email.address.as_str());
    let is_called = |named: &str| {
        let names =
            [name, address].into_iter().flatten().any(|known| known.eq_ignore_ascii_case(named.trim()));
        names || subject.user.id.to_string() == named
    };
    // One answer for all others, whether they exist or not.
    match at.inputs().text("user") {
        Some(named) if !is_called(named) => Err(Fault::Forbidden.into()),
        _ => Ok((live, subject)),
    }
}

/// A key is of one organisation, and of one workspace at most; it is no user.
fn check_place(at: &At<'_>, machine: &Machine, wanted: Selection) -> Result<(), Refused> {
    let (key, organisation) = (machine.admitted().key(), machine.admitted().organisation());
    let is_other = |named: &str, id: String, slug: &str| named != id && !named.eq_ignore_ascii_case(slug);
    let elsewhere = wanted
        .organisation
        .is_some_and(|named| is_other(&named, organisation.id.to_string(), &organisation.slug))
        || wanted.workspace.is_some_and(|named| key.workspace_id.map(|id| id.to_string()) != Some(named));
    if elsewhere {
        return Err(Fault::OrganisationDenied.into());
    }
    let id = key.machine_id.to_string();
    match at.inputs().text("user") {
        Some(named) if named != id => Err(Fault::Forbidden.into()),
        _ => Ok(()),
    }
}

fn tell(at: &At<'_>, caller: &Caller) -> Told {
    match caller {
        Caller::Person(person) => at.tell(&person.1),
        Caller::Machine(machine) => subject::machine(machine, at.app().config.issuer.as_str()),
    }
}

pub async fn me(at: &At<'_>) -> Result<Told, Refused> {
    Ok(tell(at, &caller(at).await?))
}

pub async fn update_me(at: &At<'_>) -> Result<Told, Refused> {
    let (_, subject) = person(at).await?;
    // What is sent empty, or as null, is to be empty.
    let given = |name| {
        let emptied = at.inputs().is_emptied(name).then(String::new);
        at.inputs().text(name).map(str::to_owned).or(emptied)
    };
    let (name, locale, picture) = (given("name"), given("locale"), given("picture"));
    let asked = new_address(at, &subject).await?;
    let say = move |profile: &mut Profile| {
        let fields =
            [(&mut profile.name, &name), (&mut profile.locale, &locale), (&mut profile.picture, &picture)];
        for (field, said) in fields {
            if let Some(said) = said {
                field.clone_from(said);
            }
        }
    };
    profile::change(at.app(), subject.user.id, say, &at.origin).await?;
    let mut told = Map::new();
    if let Some(asked) = asked {
        told.insert("email".to_owned(), Value::String(asked.email.clone()));
        match change_email::ask(at.app(), asked, &at.origin).await {
            Ok(()) => {}
            // One beside the primary one is made the primary one on the account's own pages.
            Err(change_email::ChangeError::Yours) => return Err(Fault::Conflict.into()),
            Err(change_email::ChangeError::Ask(error)) => return Err(error.into()),
        }
    }
    told.extend(me(at).await?);
    Ok(told)
}

/// An address that is not theirs yet takes the place of the old one when the link that is sent there was opened, as on
/// the account's own pages (PW-13, SE-7).
async fn new_address(at: &At<'_>, subject: &Subject) -> Result<Option<change_email::Asked>, Refused> {
    let Some(typed) = at.inputs().text("email") else { return Ok(None) };
    let present = subject.email.as_ref().map(|email| email.address.as_str());
    if present.is_some_and(|present| present.eq_ignore_ascii_case(typed.trim())) {
        return Ok(None);
    }
    let (user, session, now) =
        (subject.user.id, subject.session.ok_or(Fault::TokenInvalid)?, at.app().clock.now());
    let due = at.app().db.read(move |db| reauthentication::due_in(db, user, session, now)).await?;
    match due {
        None => Ok(Some(change_email::Asked {
            user,
            session,
            email: typed.to_owned(),
            place: change_email::Place::OfPrimary,
            notices: at.notices(),
        })),
        Some(Due::SignIn) => Err(Fault::ReauthenticationRequired.into()),
        Some(Due::Factor) => Err(Fault::FactorRequired.into()),
    }
}

/// May the request pass? With the role that it needs, or a higher one; by an API key, with its scopes alone.
pub async fn check(at: &At<'_>) -> Result<Told, Refused> {
    let caller = caller(at).await?;
    let role = at.inputs().text("role").map(|needed| at.call.mounted.dialect.roles.key_of(needed));
    let may_by_role = match (&caller, role) {
        (_, None) => true,
        (Caller::Person(person), Some(needed)) => {
            let has_it = |active: &ActiveMembership| needed.is_none_or(|key| active.has_role_at_least(key));
            person.1.active.as_ref().is_some_and(has_it)
        }
        (Caller::Machine(_), Some(_)) => false,
    };
    let scope = match &caller {
        Caller::Person(person) => &person.0.claims.scope,
        Caller::Machine(machine) => machine.scope(),
    };
    let needed = ScopeSet::parse(at.inputs().text("scope").unwrap_or_default());
    let needed = needed
        .map_err(|_| Refused::with_detail(Fault::InvalidRequest, "`scope` is not a list of scopes."))?;
    if !may_by_role || !needed.is_subset_of(scope) {
        return Err(Fault::Forbidden.into());
    }
    let mut told = tell(at, &caller);
    if FRESH.iter().any(|(name, _)| at.call.endpoint.uses(name)) {
        let product = at.product().await?;
        let fresh = first_party::again(at.app(), &product, &caller, &at.claims(), &at.origin).await?;
        told.insert("tokens".to_owned(), subject::fresh(&fresh));
    }
    Ok(told)
}

pub async fn forgot_password(at: &At<'_>) -> Result<Told, Refused> {
    let return_to = match at.inputs().text("redirect_url") {
        None => None,
        Some(url) => {
            let product = at.product().await?;
            let registered = RegisteredRedirect::of(&product.client, url);
            Some(registered.ok_or(Fault::RedirectRefused)?)
        }
    };
    if is_routed(at).await? {
        return Ok(requested(at));
    }
    let asked = recovery::Asked {
        email: at.inputs().needed("email")?.expose().to_owned(),
        language: at.language(),
        device: None,
        request: None,
        return_to,
    };
    recovery::request(at.app(), asked, &at.origin).await?;
    Ok(requested(at))
}

pub async fn reset_password(at: &At<'_>) -> Result<Told, Refused> {
    let (link, password) = (at.inputs().needed("link")?, at.inputs().needed("new_password")?);
    recovery::reset(at.app(), link, password, at.notices(), &at.origin).await?;
    Ok(Map::new())
}

pub async fn change_password(at: &At<'_>) -> Result<Told, Refused> {
    let (live, subject) = person(at).await?;
    let Some(session) = subject.session else { return Err(Fault::TokenInvalid.into()) };
    let change = Change {
        user: subject.user.id,
        session,
        grant: live.claims.gid,
        current: at.inputs().needed("current_password")?.clone(),
        new: at.inputs().needed("new_password")?.clone(),
        end_others: true,
        notices: at.notices(),
    };
    change_password::change(at.app(), change, &at.origin).await?;
    Ok(Map::new())
}

pub async fn request_magic_link(at: &At<'_>) -> Result<Told, Refused> {
    let (app, product) = (at.app(), at.product().await?);
    let page = at.inputs().text("redirect_url").or(at.call.mounted.dialect.magic_link_page.as_deref());
    let registered = |page| RegisteredRedirect::of(&product.client, page).ok_or(Fault::RedirectRefused);
    let page = page.map(registered).transpose()?;
    if is_routed(at).await? {
        return Ok(requested(at));
    }
    let asked = magic::Asked {
        email: at.inputs().needed("email")?.expose().to_owned(),
        language: at.language(),
        browser: None,
        page,
        device: None,
        onward: Onward::default(),
        lasts: at.call.mounted.dialect.tokens.magic_ttl.unwrap_or(app.config.lifetimes.magic),
    };
    magic::ask(app, asked, &at.origin).await?;
    Ok(requested(at))
}

/// Whether the address is one of those whose people sign in with their organisation's own provider: no mail of ours
/// lets anybody in there (OR-8). The answer is the usual one, since it must be (PW-6).
pub async fn is_routed(at: &At<'_>) -> Result<bool, Refused> {
    let address = at.inputs().needed("email")?.expose();
    Ok(domains::provider_of_typed(at.app(), address).await?.is_some())
}

/// A fresh name for every request, whoever has the address (PW-6).
fn requested(at: &At<'_>) -> Told {
    let bytes = at.app().random.bytes::<8>();
    let id = u64::from_be_bytes(bytes) % 1_000_000_000_000;
    Map::from_iter([("request".to_owned(), json!({ "id": format!("{id:012}") }))])
}

/// The address of our own page at which a browser signs in, and from which it comes back with a code.
pub fn upstream_start(at: &At<'_>) -> Result<Told, Refused> {
    let mounted = at.call.mounted;
    let redirect = at.inputs().needed("redirect_url")?.expose();
    if !mounted.dialect.redirect_urls.iter().any(|registered| registered == redirect) {
        return Err(Fault::RedirectRefused.into());
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("client_id", &mounted.client_id)
        .append_pair("response_type", "code")
        .append_pair("scope", "openid")
        .append_pair("redirect_uri", redirect);
    for (parameter, input) in [("state", "state"), ("provider", "provider")] {
        if let Some(value) = at.inputs().text(input) {
            query.append_pair(parameter, value);
        }
    }
    Ok(at.page(&format!("/oauth2/authorize?{}", query.finish())))
}

/// The page that asks before it spends the link (PW-7): the product's own, where it has one.
pub async fn magic_link_page(at: &At<'_>) -> Result<Told, Refused> {
    let token = at.inputs().needed("link")?;
    if let Some(page) = &at.call.mounted.dialect.magic_link_page {
        let page = RegisteredRedirect::of(&at.product().await?.client, page).ok_or(Fault::RedirectRefused)?;
        return Ok(Map::from_iter([("location".to_owned(), json!(page.with_token(token)))]));
    }
    let token = token.expose();
    let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    Ok(at.page(&format!("/login/magic/{encoded}")))
}
