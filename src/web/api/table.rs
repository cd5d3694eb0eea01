//! Everything that the API has, once: mounted from here, and described from here by [`super::describe`].

use actix_web::Route as Handler;
use actix_web::web;
use serde_json::Value;

use super::typed::Typed;
use super::{account, invitations, keys, members, organizations, roles, session, tell};
use crate::tenancy::management::Scope;

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Anybody,
    /// Somebody who is signed in.
    Person,
    /// The same, of the organisation in the path: a key is known there, and refused.
    Here,
    /// A person or an API key of the organisation in the path.
    Either,
    /// Whoever holds a token of the management API with this scope.
    Manager(Scope),
}

/// One operation.
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    /// Its name in generated clients.
    pub id: &'static str,
    pub about: &'static str,
    pub who: Who,
    pub asked: Option<fn() -> Value>,
    /// Status, and what is answered with it.
    pub told: (u16, Option<fn() -> Value>),
    /// Statuses of refusals, besides those that follow from the rest.
    pub refused: &'static [u16],
    /// What a list may be asked to be about, in the address.
    pub query: &'static [&'static str],
    pub to: fn() -> Handler,
}

macro_rules! routes {
    ($($verb:ident $path:literal $id:literal $who:ident ($($asked:ty)?) -> $status:literal ($($told:ty)?) [$($refused:literal)*], $to:path, $about:literal;)+) => {
        pub const ROUTES: &[Route] = &[$(Route {
            method: stringify!($verb),
            path: $path,
            id: $id,
            about: $about,
            who: routes!(@who $who),
            asked: routes!(@type $($asked)?),
            told: ($status, routes!(@type $($told)?)),
            refused: &[$($refused),*],
            query: &[],
            to: || web::$verb().to($to),
        },)+];
    };
    (@who anybody) => { Who::Anybody };
    (@who person) => { Who::Person };
    (@who here) => { Who::Here };
    (@who either) => { Who::Either };
    (@type) => { None };
    (@type $type:ty) => { Some(<$type as Typed>::schema) };
}

routes! {
    post "/sign-in" "signIn" anybody (session::SignIn) -> 200 (tell::SignedIn) [429], session::sign_in,
        "Signs in with a password. Who owes a second factor is sent to the website: `factor_required`.";
    post "/refresh" "refresh" anybody (session::Refresh) -> 200 (tell::SignedIn) [429], session::refresh,
        "Exchanges a refresh token for its successor and a new access token.";
    post "/switch" "switch" person (session::Switch) -> 200 (tell::SignedIn) [], session::switch,
        "Gives tokens for another organisation or workspace; those for the former one end.";
    post "/sign-out" "signOut" anybody (session::SignOut) -> 204 () [], session::sign_out,
        "Ends the session that the access token in the header, or the refresh token in the body, is of.";
    get "/me" "me" person () -> 200 (tell::Me) [], account::me,
        "Who calls, where, and what they belong to.";
    patch "/me" "changeMe" person (account::Changed) -> 200 (tell::Me) [422], account::change_me,
        "Changes the profile. What is left out stays; an empty text takes a value away.";
    post "/password/change" "changePassword" person (account::ChangePassword) -> 204 () [422 429], account::change_password,
        "Sets a new password. Everything else of the account is signed out.";
    post "/password/forgot" "forgotPassword" anybody (account::Forgot) -> 202 (account::Accepted) [422 429], account::forgot_password,
        "Sends a link to set a new password, if the address has an account.";
    post "/password/reset" "resetPassword" anybody (account::Reset) -> 204 () [422 429], account::reset_password,
        "Sets a new password with the token of a mailed link.";
    post "/magic-link" "askForLink" anybody (account::AskLink) -> 202 (account::Accepted) [422 429], account::ask_link,
        "Sends a link to sign in with, if the address has an account.";
    post "/magic-link/redeem" "redeemLink" anybody (session::Redeem) -> 200 (tell::SignedIn) [422 429], session::redeem,
        "Signs in with the token of a mailed link.";
    post "/upstream/{provider}" "signInUpstream" anybody (session::Upstream) -> 200 (tell::Vouched) [404 409 422 429], session::upstream,
        "Signs in with a provider's token: an ID token, or an access token of Microsoft's. `is_new` says whether the account was made by that.";
    get "/sessions" "sessions" person () -> 200 (account::Sessions) [422], account::sessions,
        "Where the caller is signed in, the newest first.";
    delete "/sessions/{session}" "endSession" person () -> 204 () [404], account::end_session,
        "Ends one of the caller's sessions, with all its tokens.";
    post "/invitations/accept" "acceptInvitation" person (invitations::Accept) -> 200 (tell::Named) [422 429], invitations::accept,
        "Joins the organisation that a mailed invitation is of, if the caller has proven to have the invited address.";
    get "/organizations" "organizations" person () -> 200 (organizations::Organizations) [422], organizations::list,
        "What the caller belongs to, in order of foundation.";
    post "/organizations" "newOrganization" person (organizations::NewOrganization) -> 201 (organizations::OrganizationTold) [409 422 429], organizations::create,
        "Makes an organisation that the caller administers, where the instance allows it.";
    get "/organizations/{organization}" "organization" either () -> 200 (organizations::OrganizationTold) [], organizations::show,
        "What the organisation is. An API key needs `org:read`.";
    patch "/organizations/{organization}" "changeOrganization" either (organizations::ChangeOrganization) -> 200 (organizations::OrganizationTold) [422], organizations::change,
        "Changes the organisation. What is left out stays. An API key needs `org:write`.";
    get "/organizations/{organization}/workspaces" "workspaces" either () -> 200 (organizations::Workspaces) [422], organizations::workspaces,
        "Its workspaces. An API key needs `org:read`.";
    post "/organizations/{organization}/workspaces" "newWorkspace" either (organizations::NewWorkspace) -> 201 (tell::Named) [409 422], organizations::new_workspace,
        "Makes a workspace. An API key needs `workspaces:write`.";
    get "/organizations/{organization}/members" "members" either () -> 200 (members::Members) [422], members::list,
        "Its members, with their roles. An API key needs `members:read`.";
    get "/organizations/{organization}/members/{user}" "member" either () -> 200 (members::MemberTold) [404], members::show,
        "One member. An API key needs `members:read`.";
    put "/organizations/{organization}/members/{user}/roles" "setRoles" either (members::SetRoles) -> 204 () [404 409 422], members::set_roles,
        "Gives a member these roles instead of the present ones, in the whole organisation or in one workspace. An API key needs `members:write`.";
    post "/organizations/{organization}/members/{user}/suspend" "suspendMember" either () -> 204 () [404 409], members::suspend,
        "Suspends a member. An API key needs `members:write`.";
    post "/organizations/{organization}/members/{user}/resume" "resumeMember" either () -> 204 () [404 409], members::resume,
        "Takes a suspension back. An API key needs `members:write`.";
    delete "/organizations/{organization}/members/{user}" "removeMember" either () -> 204 () [404 409], members::remove,
        "Removes a member. The account stays. An API key needs `members:write`.";
    get "/organizations/{organization}/roles" "roles" either () -> 200 (roles::Roles) [422], roles::list,
        "The roles that can be given, the highest first. An API key needs `org:read`.";
    post "/organizations/{organization}/roles" "newRole" either (roles::NewRole) -> 201 (roles::RoleMade) [409 422], roles::create,
        "Makes a role of the organisation's own. An API key needs `roles:write`.";
    put "/organizations/{organization}/roles/{role}" "changeRole" either (roles::RoleDescribed) -> 204 () [404 409 422], roles::change,
        "Describes a role anew. An API key needs `roles:write`.";
    delete "/organizations/{organization}/roles/{role}" "removeRole" either () -> 204 () [404 409 422], roles::remove,
        "Removes a role that nobody has. An API key needs `roles:write`.";
    get "/organizations/{organization}/invitations" "invitations" either () -> 200 (invitations::Invitations) [422], invitations::list,
        "Its invitations, in order of sending. An API key needs `members:read`.";
    post "/organizations/{organization}/invitations" "invite" either (invitations::NewInvitation) -> 201 (invitations::Invited) [409 422], invitations::create,
        "Invites somebody by mail. An API key needs `members:write`.";
    delete "/organizations/{organization}/invitations/{invitation}" "uninvite" either () -> 204 () [404], invitations::revoke,
        "Takes an open invitation back. An API key needs `members:write`.";
    get "/organizations/{organization}/api-keys" "apiKeys" here () -> 200 (keys::ApiKeys) [422], keys::list,
        "Its API keys, without their texts. Needs a recent sign-in.";
    post "/organizations/{organization}/api-keys" "newApiKey" here (keys::NewApiKey) -> 201 (keys::KeyMade) [409 422], keys::create,
        "Makes an API key of the caller's. Needs a recent sign-in.";
    post "/organizations/{organization}/api-keys/{key}/rotate" "rotateApiKey" here (keys::Rotate) -> 201 (keys::KeyMade) [404 409 422], keys::rotate,
        "Replaces an API key. Needs a recent sign-in.";
    delete "/organizations/{organization}/api-keys/{key}" "revokeApiKey" here () -> 204 () [404], keys::revoke,
        "Ends an API key with its tokens. Needs a recent sign-in.";
}

impl Route {
    /// Whether it answers this method.
    pub fn is_of(&self, method: &str) -> bool {
        let method = if method == "HEAD" { "GET" } else { method };
        self.method.eq_ignore_ascii_case(method)
    }
}

/// Each path once.
pub fn paths() -> Vec<&'static str> {
    paths_of(ROUTES)
}

/// The same of any table.
pub fn paths_of(routes: &[Route]) -> Vec<&'static str> {
    let mut paths: Vec<&str> = routes.iter().map(|route| route.path).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// The methods of a path.
pub fn methods(path: &str) -> Vec<String> {
    methods_of(ROUTES, path)
}

/// The same of any table.
pub fn methods_of(routes: &[Route], path: &str) -> Vec<String> {
    routes.iter().filter(|route| route.path == path).map(|route| route.method.to_ascii_uppercase()).collect()
}
