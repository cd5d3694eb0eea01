//! Signing in by the API, staying so, and signing out.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Path;

use super::ask::{Call, Sent, no_claims};
use super::caller::Member;
use super::tell::{SignedIn, Vouched};
use super::typed::asked;
use crate::crypto::Secret;
use crate::grants::first_party::{self, Denied, Issued, Way};
use crate::identity::federation::token_in;
use crate::identity::magic;
use crate::identity::sign_in::Attempt;
use crate::model::GrantId;
use crate::web::fault::{Fault, Refused};
use crate::web::respond;

asked! {
    /// `POST /sign-in`.
    SignIn {
        /// An e-mail address or a user name.
        login: String,
        password: Secret,
        organization: Option<String>,
        workspace: Option<String>,
    }
    /// `POST /refresh`.
    Refresh {
        refresh_token: Secret,
    }
    /// `POST /sign-out`. Nothing: the access token stands in the header.
    SignOut {
        refresh_token: Option<Secret>,
    }
    /// `POST /switch`.
    Switch {
        organization: Option<String>,
        workspace: Option<String>,
    }
    /// `POST /magic-link/redeem`.
    Redeem {
        token: Secret,
        organization: Option<String>,
        workspace: Option<String>,
    }
    /// `POST /upstream/{provider}`: one of the two tokens.
    Upstream {
        id_token: Option<Secret>,
        access_token: Option<Secret>,
        nonce: Option<String>,
        organization: Option<String>,
        workspace: Option<String>,
    }
}

pub async fn sign_in(Sent { by: call, asked, .. }: Sent<Call, SignIn>) -> Result<HttpResponse, Refused> {
    let wanted = call.place(asked.organization.as_deref(), asked.workspace.as_deref())?;
    let attempt =
        Attempt { login: asked.login, password: asked.password, remember: false, arrival: call.arrival() };
    let issued =
        first_party::sign_in(&call.app, &call.product, attempt, wanted, &no_claims, &call.origin).await?;
    Ok(tell(&issued))
}

pub async fn refresh(Sent { by: call, asked, .. }: Sent<Call, Refresh>) -> Result<HttpResponse, Refused> {
    let token = &asked.refresh_token;
    let issued = first_party::rotate(&call.app, &call.product, token, &no_claims, &call.origin).await?;
    Ok(tell(&issued))
}

/// Tokens for another organisation or workspace, in the same session. What was given for the former one ends.
pub async fn switch(Sent { by: member, asked, .. }: Sent<Member, Switch>) -> Result<HttpResponse, Refused> {
    let call = &member.call;
    let wanted = call.place(asked.organization.as_deref(), asked.workspace.as_deref())?;
    let way = Way::From(grant(&member)?);
    let session = member.session()?;
    let (app, product) = (&call.app, &call.product);
    let issued = first_party::open(app, product, session, wanted, way, &no_claims, &call.origin).await?;
    Ok(tell(&issued))
}

/// The grant of a token that was made for this API.
pub fn grant(member: &Member) -> Result<GrantId, Refused> {
    let claims = &member.live.claims;
    let ours = claims.client_id == member.call.product.client.client_id;
    claims.gid.filter(|_| ours).ok_or_else(|| Fault::TokenInvalid.into())
}

/// Ends the session. Ending twice is ending once.
pub async fn sign_out(Sent { by: call, asked, .. }: Sent<Call, SignOut>) -> Result<HttpResponse, Refused> {
    let in_body = asked.refresh_token.as_ref();
    let held: Vec<&Secret> = match (call.token(), in_body) {
        (Ok(token), in_body) => std::iter::once(token).chain(in_body).collect(),
        (Err(_), Some(token)) => vec![token],
        (Err(refused), None) => return Err(refused),
    };
    let mut closed = false;
    for token in held {
        match first_party::close(&call.app, &call.product, token, &call.origin).await {
            Ok(()) => closed = true,
            Err(Denied::Invalid) => {}
            Err(other) => return Err(other.into()),
        }
    }
    if closed { Ok(done()) } else { Err(Fault::TokenInvalid.into()) }
}

pub async fn redeem(Sent { by: call, asked, .. }: Sent<Call, Redeem>) -> Result<HttpResponse, Refused> {
    let wanted = call.place(asked.organization.as_deref(), asked.workspace.as_deref())?;
    let app = &call.app;
    let entered = magic::redeem(app, &asked.token, None, call.arrival(), false, &call.origin).await?;
    let (product, begun) = (&call.product, &entered.begun);
    let issued =
        first_party::enter(app, product, begun, wanted, Way::Other, &no_claims, &call.origin).await?;
    Ok(tell(&issued))
}

pub async fn upstream(
    provider: Path<String>,
    Sent { by: call, asked, .. }: Sent<Call, Upstream>,
) -> Result<HttpResponse, Refused> {
    let wanted = call.place(asked.organization.as_deref(), asked.workspace.as_deref())?;
    let (app, arrival, origin) = (&call.app, call.arrival(), &call.origin);
    let signed_in = match (&asked.id_token, &asked.access_token) {
        (Some(token), None) => {
            let nonce = asked.nonce.as_deref();
            token_in::sign_in_with_id_token(app, &provider, token, nonce, arrival, origin).await?
        }
        (None, Some(token)) => {
            token_in::sign_in_with_access_token(app, &provider, token, arrival, origin).await?
        }
        _ => {
            let why = "Send either `id_token` or `access_token`.";
            return Err(Refused::with_detail(Fault::InvalidValue, why));
        }
    };
    let begun = &signed_in.begun;
    let issued =
        first_party::enter(app, &call.product, begun, wanted, Way::Other, &no_claims, origin).await?;
    let told = Vouched { is_new: signed_in.is_new, tokens: (&issued).into() };
    Ok(respond::json_no_store(StatusCode::OK, &told))
}

fn tell(issued: &Issued) -> HttpResponse {
    respond::json_no_store(StatusCode::OK, &SignedIn::from(issued))
}

/// Nothing more to say.
pub fn done() -> HttpResponse {
    respond::no_store(StatusCode::NO_CONTENT).finish()
}
