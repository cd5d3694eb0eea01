//! Everything that the API has, once: mounted from here, and described from here in OpenAPI 3.1.

use actix_web::web::{self, Data};
use actix_web::{HttpResponse, Route as Handler};
use serde_json::{Map, Value, json};

use super::typed::Typed;
use super::{BASE, account, keys, organizations, session, tell};
use crate::app::App;

/// One operation.
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    /// Its name in generated clients.
    id: &'static str,
    about: &'static str,
    /// Whether the caller must be signed in.
    signed_in: bool,
    asked: Option<fn() -> Value>,
    /// Status, and what is answered with it.
    told: (u16, Option<fn() -> Value>),
    pub to: fn() -> Handler,
}

const SHOWN: &str = "The caller must be signed in.";

macro_rules! routes {
    ($($verb:ident $path:literal $id:literal $who:ident ($($asked:ty)?) -> $status:literal ($($told:ty)?), $to:path, $about:literal;)+) => {
        pub const ROUTES: &[Route] = &[$(Route {
            method: stringify!($verb),
            path: $path,
            id: $id,
            about: $about,
            signed_in: routes!(@who $who),
            asked: routes!(@type $($asked)?),
            told: ($status, routes!(@type $($told)?)),
            to: || web::$verb().to($to),
        },)+];
    };
    (@who anybody) => { false };
    (@who member) => { true };
    (@type) => { None };
    (@type $type:ty) => { Some(<$type as Typed>::schema) };
}

routes! {
    post "/sign-in" "signIn" anybody (session::SignIn) -> 200 (tell::SignedIn), session::sign_in,
        "Signs in with a password. Who owes a second factor is sent to the website: `factor_required`.";
    post "/refresh" "refresh" anybody (session::Refresh) -> 200 (tell::SignedIn), session::refresh,
        "Exchanges a refresh token for its successor and a new access token.";
    post "/switch" "switch" member (session::Switch) -> 200 (tell::SignedIn), session::switch,
        "Gives tokens for another organisation or workspace; those for the former one end.";
    post "/sign-out" "signOut" anybody (session::SignOut) -> 204 (), session::sign_out,
        "Ends the session that the access token in the header, or the refresh token in the body, is of.";
    get "/me" "me" member () -> 200 (tell::Me), account::me,
        "Who calls, where, and what they belong to.";
    patch "/me" "changeMe" member (account::Changed) -> 200 (tell::Me), account::change_me,
        "Changes the profile. What is left out stays; an empty text takes a value away.";
    post "/password/change" "changePassword" member (account::ChangePassword) -> 204 (), account::change_password,
        "Sets a new password. Everything else of the account is signed out.";
    post "/password/forgot" "forgotPassword" anybody (account::Forgot) -> 202 (account::Accepted), account::forgot_password,
        "Sends a link to set a new password, if the address has an account.";
    post "/password/reset" "resetPassword" anybody (account::Reset) -> 204 (), account::reset_password,
        "Sets a new password with the token of a mailed link.";
    post "/magic-link" "askForLink" anybody (account::AskLink) -> 202 (account::Accepted), account::ask_link,
        "Sends a link to sign in with, if the address has an account.";
    post "/magic-link/redeem" "redeemLink" anybody (session::Redeem) -> 200 (tell::SignedIn), session::redeem,
        "Signs in with the token of a mailed link.";
    post "/upstream/{provider}" "signInUpstream" anybody (session::Upstream) -> 200 (tell::Vouched), session::upstream,
        "Signs in with a provider's token: an ID token, or an access token of Microsoft's.";
    get "/sessions" "sessions" member () -> 200 (account::Sessions), account::sessions,
        "Where the caller is signed in.";
    delete "/sessions/{session}" "endSession" member () -> 204 (), account::end_session,
        "Ends one of the caller's sessions, with all its tokens.";
    get "/organizations/{organization}" "organization" member () -> 200 (organizations::OrganizationTold), organizations::show,
        "What the organisation is.";
    patch "/organizations/{organization}" "changeOrganization" member (organizations::ChangeOrganization) -> 200 (organizations::OrganizationTold), organizations::change,
        "Changes the organisation. What is left out stays.";
    get "/organizations/{organization}/workspaces" "workspaces" member () -> 200 (organizations::Workspaces), organizations::workspaces,
        "Its workspaces.";
    post "/organizations/{organization}/workspaces" "newWorkspace" member (organizations::NewWorkspace) -> 201 (tell::Named), organizations::new_workspace,
        "Makes a workspace.";
    get "/organizations/{organization}/members" "members" member () -> 200 (organizations::Members), organizations::members,
        "Its members, with their roles.";
    put "/organizations/{organization}/members/{user}/roles" "setRoles" member (organizations::SetRoles) -> 204 (), organizations::set_roles,
        "Gives a member these roles instead of the present ones, in the whole organisation or in one workspace.";
    post "/organizations/{organization}/members/{user}/suspend" "suspendMember" member () -> 204 (), organizations::suspend,
        "Suspends a member.";
    post "/organizations/{organization}/members/{user}/resume" "resumeMember" member () -> 204 (), organizations::resume,
        "Takes a suspension back.";
    delete "/organizations/{organization}/members/{user}" "removeMember" member () -> 204 (), organizations::remove,
        "Removes a member. The account stays.";
    get "/organizations/{organization}/roles" "roles" member () -> 200 (organizations::Roles), organizations::roles,
        "The roles that can be given, the highest first.";
    post "/organizations/{organization}/roles" "newRole" member (organizations::NewRole) -> 201 (organizations::Made), organizations::new_role,
        "Makes a role of the organisation's own.";
    put "/organizations/{organization}/roles/{role}" "changeRole" member (organizations::RoleDescribed) -> 204 (), organizations::change_role,
        "Describes a role anew.";
    delete "/organizations/{organization}/roles/{role}" "removeRole" member () -> 204 (), organizations::remove_role,
        "Removes a role that nobody has.";
    get "/organizations/{organization}/invitations" "invitations" member () -> 200 (organizations::Invitations), organizations::invitations,
        "Its invitations, in order of sending.";
    post "/organizations/{organization}/invitations" "invite" member (organizations::NewInvitation) -> 201 (organizations::Made), organizations::invite,
        "Invites somebody by mail.";
    delete "/organizations/{organization}/invitations/{invitation}" "uninvite" member () -> 204 (), organizations::uninvite,
        "Takes an open invitation back.";
    get "/organizations/{organization}/api-keys" "apiKeys" member () -> 200 (keys::ApiKeys), keys::list,
        "Its API keys, without their texts. Needs a recent sign-in.";
    post "/organizations/{organization}/api-keys" "newApiKey" member (keys::NewApiKey) -> 201 (keys::KeyMade), keys::create,
        "Makes an API key of the caller's. Needs a recent sign-in.";
    post "/organizations/{organization}/api-keys/{key}/rotate" "rotateApiKey" member (keys::Rotate) -> 201 (keys::KeyMade), keys::rotate,
        "Replaces an API key. Needs a recent sign-in.";
    delete "/organizations/{organization}/api-keys/{key}" "revokeApiKey" member () -> 204 (), keys::revoke,
        "Ends an API key with its tokens. Needs a recent sign-in.";
}

/// Each path once.
pub fn paths() -> Vec<&'static str> {
    let mut paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// The methods of a path.
pub fn methods(path: &str) -> Vec<String> {
    ROUTES.iter().filter(|route| route.path == path).map(|route| route.method.to_ascii_uppercase()).collect()
}

/// `GET /openapi.json`. It says nothing of this instance but its address.
pub async fn describe(app: Data<App>) -> HttpResponse {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let at = paths.entry(route.path).or_insert_with(|| json!({}));
        at[route.method] = operation(route);
    }
    HttpResponse::Ok().insert_header(("Cache-Control", "public, max-age=300")).json(json!({
        "openapi": "3.1.0",
        "info": { "title": "Countersign", "version": "1" },
        "servers": [{ "url": app.config.issuer.at(BASE) }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
            "schemas": { "Problem": problem() },
        },
    }))
}

fn operation(route: &Route) -> Value {
    let answer = match route.told {
        (_, None) => json!({ "description": "Done." }),
        (_, Some(told)) => json!({
            "description": "Done.",
            "content": { "application/json": { "schema": told() } },
        }),
    };
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.about,
        "parameters": parameters(route),
        "responses": { route.told.0.to_string(): answer, "default": refusal() },
    });
    if let Some(asked) = route.asked {
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": asked() } } });
    }
    if route.signed_in {
        operation["security"] = json!([{ "token": [] }]);
        operation["description"] = json!(SHOWN);
    }
    operation
}

fn refusal() -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({ "description": "A problem.", "content": { "application/problem+json": { "schema": schema } } })
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |place: &str, name: &str, required: bool| json!({ "in": place, "name": name, "required": required, "schema": { "type": "string" } });
    let mut all: Vec<Value> = in_path.map(|name| parameter("path", name, true)).collect();
    if route.told.1.is_some_and(|told| told()["properties"].get("next").is_some()) {
        all.push(parameter("query", "cursor", false));
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 100 });
        all.push(json!({ "in": "query", "name": "limit", "required": false, "schema": limit }));
    }
    all.push(parameter("header", "X-Organization-ID", false));
    all.push(parameter("header", "X-Workspace-ID", false));
    all
}

fn problem() -> Value {
    json!({
        "type": "object",
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string" },
            "detail": { "type": "string" },
        },
        "required": ["type", "title", "status", "code"],
    })
}
