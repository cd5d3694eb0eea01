//! The actions of who is signed in already, and those that send mails.

use serde_json::{Map, json};

use super::run::At;
use super::sign_in::Told;
use crate::crypto::Secret;
use crate::grants::first_party::{self, Subject};
use crate::grants::introspection::LiveAccessToken;
use crate::identity::account::profile::{self, Profile};
use crate::identity::change_password::{self, Change};
use crate::identity::magic::{self, Onward};
use crate::identity::recovery::{self, RegisteredRedirect};
use crate::tenancy::api_keys::present;
use crate::tenancy::membership::ActiveMembership;
use crate::web::fault::{Fault, Refused};

/// Who calls, where the headers say.
async fn caller(at: &At<'_>) -> Result<(LiveAccessToken, Subject), Refused> {
    let (wanted, product) = (at.selection()?, at.product().await?);
    let (live, subject) = first_party::caller(at.app(), &product, at.inputs().needed("token")?).await?;
    let subject = first_party::narrow(at.app(), subject, wanted).await??;
    Ok((live, subject))
}

pub async fn me(at: &At<'_>) -> Result<Told, Refused> {
    let (_, subject) = caller(at).await?;
    Ok(at.tell(&subject))
}

pub async fn update_me(at: &At<'_>) -> Result<Told, Refused> {
    let (_, subject) = caller(at).await?;
    let given = |name| at.inputs().text(name).map(str::to_owned);
    let (name, locale, picture) = (given("name"), given("locale"), given("picture"));
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
    me(at).await
}

/// May the request pass? With the role that it needs, or a higher one; by an API key, with its scopes alone.
pub async fn check(at: &At<'_>) -> Result<Told, Refused> {
    if let Some(key) = at.inputs().secret("api_key") {
        return check_key(at, key).await;
    }
    let (live, subject) = caller(at).await?;
    if let Some(needed) = at.inputs().text("role") {
        let key = at.call.mounted.dialect.roles.key_of(needed);
        let has_it = |active: &ActiveMembership| key.is_none_or(|key| active.has_role_at_least(key));
        if !subject.active.as_ref().is_some_and(has_it) {
            return Err(Fault::Forbidden.into());
        }
    }
    if let Some(needed) = at.inputs().text("scope")
        && !live.claims.scope.contains(needed)
    {
        return Err(Fault::Forbidden.into());
    }
    let mut told = at.tell(&subject);
    if at.call.endpoint.uses("tokens.access") {
        let product = at.product().await?;
        let access = first_party::again(at.app(), &product, &live, &subject, &at.claims()).await?;
        told.insert("tokens".to_owned(), json!({ "access": access.expose() }));
    }
    Ok(told)
}

/// A key has no roles, and is of one organisation.
async fn check_key(at: &At<'_>, key: &Secret) -> Result<Told, Refused> {
    let wanted = at.selection()?;
    let admitted = present::authenticate(at.app(), key, &at.origin).await?;
    let (key, organisation) = (admitted.key(), admitted.organisation());
    let is_other = |named: &str, id: String, slug: &str| named != id && !named.eq_ignore_ascii_case(slug);
    if wanted
        .organisation
        .is_some_and(|named| is_other(&named, organisation.id.to_string(), &organisation.slug))
        || wanted.workspace.is_some_and(|named| key.workspace_id.map(|id| id.to_string()) != Some(named))
    {
        return Err(Fault::OrganisationDenied.into());
    }
    let has_scope = |needed| admitted.scopes().contains(needed);
    if at.inputs().text("role").is_some() || !at.inputs().text("scope").is_none_or(has_scope) {
        return Err(Fault::Forbidden.into());
    }
    let scopes: Vec<&str> = admitted.scopes().iter().collect();
    let mut told = json!({
        "machine": { "id": key.machine_id.to_string(), "name": key.name },
        "org": { "id": organisation.id.to_string(), "slug": organisation.slug, "name": organisation.name },
        "workspace": { "id": key.workspace_id.map(|id| id.to_string()) },
        "scopes": scopes,
        "roles": [],
        "permissions": [],
        "memberships": [],
        "issuer": at.app().config.issuer.as_str(),
    });
    Ok(told.as_object_mut().map(std::mem::take).unwrap_or_default())
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
    let (live, subject) = caller(at).await?;
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
    let app = at.app();
    let asked = magic::Asked {
        email: at.inputs().needed("email")?.expose().to_owned(),
        language: at.language(),
        // The mail's digits are for a browser, and this is none.
        browser: Secret::generate(&app.random),
        device: None,
        onward: Onward::default(),
        lasts: at.call.mounted.dialect.tokens.magic_ttl.unwrap_or(app.config.lifetimes.magic),
    };
    magic::ask(app, asked, &at.origin).await?;
    Ok(requested(at))
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

/// The page that asks before it spends the link (PW-7).
pub fn magic_link_page(at: &At<'_>) -> Result<Told, Refused> {
    let token = at.inputs().needed("link")?.expose();
    let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    Ok(at.page(&format!("/login/magic/{encoded}")))
}
