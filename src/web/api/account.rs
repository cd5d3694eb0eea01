//! What somebody sees and changes of themselves by the API, and the mails that it sends.

use actix_web::http::StatusCode;
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};

use super::ask::{Call, Sent};
use super::caller::Member;
use super::refuse::value;
use super::session::{done, grant};
use super::tell::Me;
use super::typed::{asked, told};
use crate::crypto::Secret;
use crate::grants::first_party;
use crate::identity::account::profile::{self, Profile};
use crate::identity::account::sessions;
use crate::identity::change_password::{self, Change};
use crate::identity::magic::{self, Onward};
use crate::identity::recovery::{self, RegisteredRedirect};
use crate::model::SessionId;
use crate::web::fault::{Fault, Refused};
use crate::web::respond;

asked! {
    /// `PATCH /me`. What is left out stays; an empty text takes a value away.
    Changed {
        name: Option<String>,
        given_name: Option<String>,
        family_name: Option<String>,
        nickname: Option<String>,
        picture: Option<String>,
        locale: Option<String>,
        zoneinfo: Option<String>,
    }
    /// `POST /password/change`.
    ChangePassword {
        current_password: Secret,
        new_password: Secret,
    }
    /// `POST /password/forgot`.
    Forgot {
        email: String where { "format": "email", "maxLength": 254 },
        /// Where the person goes on to when the password is set: an address that the API's client registered.
        redirect_url: Option<String>,
    }
    /// `POST /password/reset`.
    Reset {
        token: Secret,
        new_password: Secret,
    }
    /// `POST /magic-link`.
    AskLink {
        email: String where { "format": "email", "maxLength": 254 },
    }
}

told! {
    /// A mail is sent, if the address has an account: nobody is told whether it has (PW-6).
    Accepted {
        status: String,
    }
    /// Where the caller is signed in.
    Sessions {
        items: Vec<SessionTold>,
        next: Option<String>,
    }
    SessionTold {
        id: String,
        current: bool,
        created_at: String,
        last_seen_at: String,
        expires_at: String,
        ip: Option<String>,
        user_agent: Option<String>,
    }
}

pub async fn me(member: Member) -> HttpResponse {
    respond::json_no_store(StatusCode::OK, &Me::from(&member.subject))
}

pub async fn change_me(
    Sent { by: member, asked: said, .. }: Sent<Member, Changed>,
) -> Result<HttpResponse, Refused> {
    let say = move |profile: &mut Profile| {
        for (field, said) in [
            (&mut profile.name, &said.name),
            (&mut profile.given_name, &said.given_name),
            (&mut profile.family_name, &said.family_name),
            (&mut profile.nickname, &said.nickname),
            (&mut profile.picture, &said.picture),
            (&mut profile.locale, &said.locale),
            (&mut profile.zoneinfo, &said.zoneinfo),
        ] {
            if let Some(said) = said {
                field.clone_from(said);
            }
        }
    };
    let call = &member.call;
    profile::change(&call.app, member.user(), say, &call.origin).await.map_err(value)?;
    let (_, subject) = first_party::caller(&call.app, &call.product, call.token()?, &call.origin).await?;
    let subject = first_party::narrow(&call.app, subject, call.wanted.clone()).await??;
    Ok(respond::json_no_store(StatusCode::OK, &Me::from(&subject)))
}

/// Everything else of the account is signed out; what asks for this stays.
pub async fn change_password(
    Sent { by: member, asked, .. }: Sent<Member, ChangePassword>,
) -> Result<HttpResponse, Refused> {
    let change = Change {
        user: member.user(),
        session: member.session()?,
        grant: Some(grant(&member)?),
        current: asked.current_password,
        new: asked.new_password,
        end_others: true,
        notices: member.call.notices(),
    };
    change_password::change(&member.call.app, change, &member.call.origin).await?;
    Ok(done())
}

pub async fn forgot_password(
    Sent { by: call, asked, .. }: Sent<Call, Forgot>,
) -> Result<HttpResponse, Refused> {
    let return_to = match asked.redirect_url.as_deref() {
        None => None,
        Some(url) => Some(RegisteredRedirect::of(&call.product.client, url).ok_or(Fault::RedirectRefused)?),
    };
    let asked = recovery::Asked {
        email: asked.email,
        language: call.language,
        device: None,
        request: None,
        return_to,
    };
    recovery::request(&call.app, asked, &call.origin).await.map_err(value)?;
    Ok(accepted())
}

pub async fn reset_password(
    Sent { by: call, asked, .. }: Sent<Call, Reset>,
) -> Result<HttpResponse, Refused> {
    let (token, password) = (&asked.token, &asked.new_password);
    recovery::reset(&call.app, token, password, call.notices(), &call.origin).await?;
    Ok(done())
}

pub async fn ask_link(Sent { by: call, asked, .. }: Sent<Call, AskLink>) -> Result<HttpResponse, Refused> {
    let asked = magic::Asked {
        email: asked.email,
        language: call.language,
        browser: None,
        page: None,
        device: None,
        onward: Onward::default(),
        lasts: call.app.config.lifetimes.magic,
    };
    magic::ask(&call.app, asked, &call.origin).await.map_err(value)?;
    Ok(accepted())
}

fn accepted() -> HttpResponse {
    respond::json_no_store(StatusCode::ACCEPTED, &Accepted { status: "accepted".to_owned() })
}

/// The newest first.
pub async fn sessions(member: Member, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let list = member.list("sessions");
    let page = list.page::<SessionId>(&request)?;
    let mut live = sessions::list(&member.call.app, member.user()).await?;
    live.sort_by_key(|seen| std::cmp::Reverse(seen.session.id));
    live.retain(|seen| page.after.is_none_or(|after| seen.session.id < after));
    let (found, next) = list.cut(live, page.limit, |seen| seen.session.id);
    let current = member.subject.session;
    let items = found.into_iter().map(|seen| {
        let session = seen.session;
        SessionTold {
            current: current == Some(session.id),
            id: session.id.to_string(),
            created_at: session.created_at.rfc3339(),
            last_seen_at: session.last_seen_at.rfc3339(),
            expires_at: session.expires_at.rfc3339(),
            ip: session.ip,
            user_agent: session.user_agent,
        }
    });
    Ok(respond::json_no_store(StatusCode::OK, &Sessions { items: items.collect(), next }))
}

/// Ends one of the caller's own sessions. Of another's there is nothing to be found.
pub async fn end_session(member: Member, session: Path<String>) -> Result<HttpResponse, Refused> {
    let session: SessionId = session.parse().map_err(|_| Fault::NotFound)?;
    let ended = sessions::end(&member.call.app, member.user(), session, &member.call.origin).await?;
    if ended { Ok(done()) } else { Err(Fault::NotFound.into()) }
}
