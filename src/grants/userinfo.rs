//! What userinfo says (OpenID Connect Core §5.3).

use serde_json::{Map, Value};

use crate::app::App;
use crate::audit::Origin;
use crate::crypto::Secret;
use crate::identity::claims;
use crate::model::explanation::{Explanation, Rule};
use crate::model::{Client, SigningAlg};
use crate::protocol::{ErrorCode, OAuthError, scope};

use super::{Detail, Failure, introspection, issue};

/// The answer, in the form that the client registered.
#[derive(Clone, Debug, PartialEq)]
pub enum UserInfo {
    Json(Map<String, Value>),
    /// A signed JWT (`application/jwt`).
    Jwt(String),
}

/// The user's claims for whoever holds this access token.
pub async fn userinfo(app: &App, token: &Secret, origin: &Origin) -> Result<UserInfo, Failure> {
    let invalid = |hint: &str| {
        OAuthError::new(ErrorCode::InvalidToken, "the access token is expired, revoked or not valid here")
            .with_hint(hint)
    };
    let Some(live) = introspection::live_access_token(app, token).await? else {
        return Err(invalid("not live").because(introspection::doubt(app, token, &origin.slip)).into());
    };
    if let Some((user, _)) = &live.of_user {
        origin.slip.concerns(user.id);
    }
    let issuer = app.config.issuer.as_str();
    if !live.claims.aud.contains(issuer) {
        let told = Explanation::of(Rule::TokenAudience).with("for", &live.claims.aud).with("needed", issuer);
        return Err(invalid("for another audience").because(told).into());
    }
    if !live.claims.scope.contains(scope::OPENID) {
        let told =
            Explanation::of(Rule::Scope).with("missing", scope::OPENID).with("held", &live.claims.scope);
        let error = OAuthError::new(ErrorCode::InsufficientScope, "the scope openid is needed");
        return Err(error.because(told).into());
    }
    let Some((user, grant)) = live.of_user else { return Err(invalid("a client's own token").into()) };
    let client = app.client(&live.claims.client_id).await?.ok_or_else(|| invalid("no such client"))?;
    let sub = user.id.to_string();
    let scopes = live.claims.scope;
    let about = live.membership.filter(|_| scopes.contains(scope::ORGANIZATIONS));
    let organisation = issue::organisation_claims(about.as_ref());
    let user_claims = app
        .db
        .read(move |db| {
            let asked = Detail::parse(&grant.detail)?.claims;
            claims::for_userinfo(db, &user, &scopes, &asked)
        })
        .await?;
    let mut claims = Map::from_iter([("sub".to_owned(), Value::String(sub))]);
    if let Ok(Value::Object(user_claims)) = serde_json::to_value(user_claims) {
        claims.extend(user_claims);
    }
    if let Ok(Value::Object(organisation)) = serde_json::to_value(organisation) {
        claims.extend(organisation);
    }
    match client.userinfo_alg {
        None => Ok(UserInfo::Json(claims)),
        Some(alg) => signed(app, &client, alg, claims),
    }
}

fn signed(
    app: &App,
    client: &Client,
    alg: SigningAlg,
    mut claims: Map<String, Value>,
) -> Result<UserInfo, Failure> {
    claims.insert("iss".to_owned(), Value::String(app.config.issuer.as_str().to_owned()));
    claims.insert("aud".to_owned(), Value::String(client.client_id.clone()));
    issue::sign(app, alg, "JWT", &claims, app.clock.now()).map(UserInfo::Jwt)
}
