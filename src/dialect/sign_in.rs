//! The actions that begin a session, extend it and end it.

use serde_json::{Map, Value, json};

use super::account;
use super::model::{RefreshStyle, RegistrationStyle};
use super::run::At;
use crate::config::RegistrationMode;
use crate::crypto::Secret;
use crate::grants::first_party::{self, Way};
use crate::identity::federation::token_in;
use crate::identity::magic;
use crate::identity::registration::{self, Typed};
use crate::identity::session::{self, Begun};
use crate::identity::sign_in::Attempt;
use crate::model::EmailAddress;
use crate::web::fault::{Fault, Refused};

/// What templates are filled from.
pub type Told = Map<String, Value>;

pub async fn by_password(at: &At<'_>) -> Result<Told, Refused> {
    let login = at.inputs().text("login").or_else(|| at.inputs().text("email")).unwrap_or_default();
    let attempt = Attempt {
        login: login.to_owned(),
        password: at.inputs().needed("password")?.clone(),
        remember: false,
        arrival: at.arrival(),
    };
    let (wanted, product) = (at.selection()?, at.product().await?);
    let issued = first_party::sign_in(at.app(), &product, attempt, wanted, &at.claims(), &at.origin).await?;
    Ok(at.tell_issued(&issued))
}

pub async fn by_link(at: &At<'_>) -> Result<Told, Refused> {
    let token = at.inputs().needed("link")?;
    let entered = magic::redeem(at.app(), token, None, at.arrival(), false, &at.origin).await?;
    give(at, &entered.begun, Way::Other).await
}

pub async fn by_id_token(at: &At<'_>) -> Result<Told, Refused> {
    let inputs = at.inputs();
    let (provider, credential) = (inputs.needed("provider")?.expose(), inputs.needed("credential")?);
    let arrival = at.arrival();
    let nonce = inputs.text("nonce");
    let signed_in =
        token_in::sign_in_with_id_token(at.app(), provider, credential, nonce, arrival, &at.origin).await?;
    novel(at, signed_in).await
}

pub async fn by_access_token(at: &At<'_>) -> Result<Told, Refused> {
    let inputs = at.inputs();
    let (provider, token) = (inputs.needed("provider")?.expose(), inputs.needed("credential")?);
    let signed_in =
        token_in::sign_in_with_access_token(at.app(), provider, token, at.arrival(), &at.origin).await?;
    novel(at, signed_in).await
}

async fn novel(at: &At<'_>, signed_in: token_in::SignedIn) -> Result<Told, Refused> {
    let mut told = give(at, &signed_in.begun, Way::Other).await?;
    told.insert("is_new".to_owned(), json!(signed_in.is_new));
    Ok(told)
}

/// A code that a browser brought back from our own pages: good once, as at the token endpoint.
pub async fn by_code(at: &At<'_>) -> Result<Told, Refused> {
    let inputs = at.inputs();
    let (code, redirect) = (inputs.needed("code")?, inputs.needed("redirect_url")?.expose());
    let product = at.product().await?;
    let (claims, origin) = (at.claims(), &at.origin);
    let issued = first_party::exchange(at.app(), &product, code, redirect, &claims, origin).await?;
    Ok(at.tell_issued(&issued))
}

/// Gives tokens to who has just signed in, unless a second factor is owed: this API cannot ask for one (MF-5).
async fn give(at: &At<'_>, begun: &Begun, way: Way) -> Result<Told, Refused> {
    let wanted = match at.selection() {
        Ok(wanted) => wanted,
        Err(refused) => {
            drop_session(at, begun).await?;
            return Err(refused);
        }
    };
    let product = at.product().await?;
    let issued = first_party::enter(at.app(), &product, begun, wanted, way, &at.claims(), &at.origin).await?;
    Ok(at.tell_issued(&issued))
}

async fn drop_session(at: &At<'_>, begun: &Begun) -> Result<(), Refused> {
    let (scribe, session, user) = (at.app().scribe(&at.origin), begun.id, begun.user);
    at.app().db.write(move |db| session::end(db, session, user, &scribe)).await?;
    Ok(())
}

pub async fn refresh(at: &At<'_>) -> Result<Told, Refused> {
    let product = at.product().await?;
    let issued = match at.call.mounted.dialect.tokens.refresh {
        RefreshStyle::Rotating => {
            let token = at.inputs().needed("refresh_token")?;
            first_party::rotate(at.app(), &product, token, &at.claims(), &at.origin).await?
        }
        RefreshStyle::Bearer | RefreshStyle::None => {
            let token = at.inputs().needed("token")?;
            first_party::extend(at.app(), &product, token, &at.claims(), &at.origin).await?
        }
    };
    Ok(at.tell_issued(&issued))
}

pub async fn select(at: &At<'_>) -> Result<Told, Refused> {
    let (wanted, product) = (at.selection()?, at.product().await?);
    let (live, _) = first_party::caller(at.app(), &product, at.inputs().needed("token")?, &at.origin).await?;
    let (Some(session), Some(grant)) = (live.claims.sid, live.claims.gid) else {
        return Err(Fault::TokenInvalid.into());
    };
    if live.claims.client_id != product.client.client_id {
        return Err(Fault::TokenInvalid.into());
    }
    let way = Way::From(grant);
    let issued =
        first_party::open(at.app(), &product, session, wanted, way, &at.claims(), &at.origin).await?;
    Ok(at.tell_issued(&issued))
}

pub async fn sign_out(at: &At<'_>) -> Result<Told, Refused> {
    let product = at.product().await?;
    let held: Vec<&Secret> =
        ["token", "refresh_token"].into_iter().filter_map(|name| at.inputs().secret(name)).collect();
    let mut closed = false;
    for token in held {
        match first_party::close(at.app(), &product, token, &at.origin).await {
            Ok(()) => closed = true,
            Err(first_party::Denied::Invalid) => {}
            Err(other) => return Err(other.into()),
        }
    }
    if closed { Ok(Map::new()) } else { Err(Fault::TokenInvalid.into()) }
}

pub async fn register(at: &At<'_>) -> Result<Told, Refused> {
    let app = at.app();
    if app.config.registration_mode() != RegistrationMode::Open {
        return Err(Fault::RegistrationClosed.into());
    }
    let inputs = at.inputs();
    let email = inputs.needed("email")?.expose().trim().to_owned();
    let local = email.split('@').next().unwrap_or_default().to_owned();
    let typed = Typed {
        name: inputs.text("name").map_or(local, str::to_owned),
        email: email.clone(),
        password: inputs.needed("password")?.clone(),
    };
    let mut told = match at.call.mounted.dialect.registration {
        RegistrationStyle::ByMail if account::is_routed(at).await? => Map::new(),
        RegistrationStyle::AtOnce if account::is_routed(at).await? => {
            let text = "People of this domain sign in with their organisation's provider.";
            return Err(Refused::with_detail(Fault::RegistrationClosed, text));
        }
        RegistrationStyle::ByMail => {
            let asked = registration::Asked { typed, language: at.language(), request: None, browser: None };
            registration::request(app, asked, &at.origin).await?;
            Map::new()
        }
        RegistrationStyle::AtOnce => {
            let begun = registration::at_once(app, typed, at.arrival(), &at.origin).await?;
            give(at, &begun, Way::Password).await?
        }
    };
    let shown = EmailAddress::parse(&email).map_or(email, |email| email.as_str().to_owned());
    told.insert("email".to_owned(), json!(shown));
    Ok(told)
}
