//! Everything that the management API has, once: mounted and described from here.

use actix_web::web;

use super::{audit, clients, operation, organizations, refusals, sessions, users};
use crate::tenancy::management::Scope;
use crate::web::api::account::Accepted;
use crate::web::api::members::Members;
use crate::web::api::table::{Route, Who};
use crate::web::api::typed::Typed;

macro_rules! routes {
    ($($verb:ident $path:literal $id:literal $scope:ident ($($asked:ty)?) -> $status:literal ($($told:ty)?) [$($refused:literal)*] {$($query:literal)*}, $to:path, $about:literal;)+) => {
        pub const ROUTES: &[Route] = &[$(Route {
            method: stringify!($verb),
            path: $path,
            id: $id,
            about: $about,
            who: Who::Manager(Scope::$scope),
            asked: routes!(@type $($asked)?),
            told: ($status, routes!(@type $($told)?)),
            refused: &[$($refused),*],
            query: &[$($query),*],
            to: || web::$verb().to($to),
        },)+];
    };
    (@type) => { None };
    (@type $type:ty) => { Some(<$type as Typed>::schema) };
}

routes! {
    get "/users" "users" UsersRead () -> 200 (users::Users) [422] {"q" "status" "role"}, users::list,
        "Users, the newest first. `q`: words that are all in the name, user name or an address.";
    post "/users" "newUser" UsersWrite (users::NewUserAsked) -> 201 (users::UserMade) [409 422] {}, users::create,
        "Makes a user without a password. With `send_link`, they are mailed a link to choose one; `link_sent` says whether.";
    get "/users/{user}" "user" UsersRead () -> 200 (users::UserDetails) [404] {}, users::show,
        "One user with addresses, factors, linked accounts and memberships.";
    patch "/users/{user}" "changeUser" UsersWrite (users::UserChange) -> 200 (users::UserTold) [404 422] {}, users::change,
        "Changes the profile. What is left out stays; an empty text takes a value away.";
    delete "/users/{user}" "removeUser" UsersWrite () -> 204 () [404 409] {}, users::remove,
        "Removes a user with everything that is theirs. The last administrator stays.";
    post "/users/{user}/disable" "disableUser" UsersWrite () -> 204 () [404 409] {}, users::disable,
        "Disables a user and ends every session and grant.";
    post "/users/{user}/enable" "enableUser" UsersWrite () -> 204 () [404] {}, users::enable,
        "Lets a disabled user sign in again. What ended stays ended.";
    put "/users/{user}/instance-role" "setInstanceRole" UsersWrite (users::InstanceRoleAsked) -> 204 () [404 409 422] {}, users::set_role,
        "Says what the user may do with the instance itself: `administrator`, `support`, or null.";
    post "/users/{user}/verify-email" "verifyEmail" UsersWrite (users::AddressAsked) -> 204 () [404 422] {}, users::verify_email,
        "States that the address is the user's: you vouch for it.";
    post "/users/{user}/reset-password" "sendResetLink" UsersWrite () -> 202 (Accepted) [404 422 429] {}, users::send_reset,
        "Mails the user a link to choose a new password. No password is chosen for anybody.";
    post "/users/{user}/reset-factors" "resetFactors" UsersWrite () -> 204 () [404] {}, users::reset_factors,
        "Takes all second factors away; the user must set one up at the next sign-in.";
    get "/users/{user}/sessions" "userSessions" UsersRead () -> 200 (sessions::Sessions) [404 422] {}, sessions::list,
        "Where the user is signed in, the newest first.";
    delete "/users/{user}/sessions" "endUserSessions" UsersWrite () -> 204 () [404] {}, sessions::end_all,
        "Ends every session and grant of the user, offline ones too.";
    delete "/users/{user}/sessions/{session}" "endUserSession" UsersWrite () -> 204 () [404] {}, sessions::end,
        "Ends one session of the user with what began in it.";
    post "/invitations" "inviteUser" UsersWrite (users::InvitationAsked) -> 201 (users::InvitationMade) [403 409 422] {}, users::invite,
        "Makes a link with which somebody gets an account for this address. It is shown this once.";
    get "/organizations" "allOrganizations" OrganizationsRead () -> 200 (organizations::OrganizationsTold) [422] {"q" "status"}, organizations::list,
        "Organizations, the newest first. `q`: words that are all in the name or short name.";
    post "/organizations" "foundOrganization" OrganizationsWrite (organizations::NewOrganizationAsked) -> 201 (organizations::OrganizationTold) [409 422 429] {}, organizations::create,
        "Makes an organization with nobody in it.";
    get "/organizations/{organization}" "anyOrganization" OrganizationsRead () -> 200 (organizations::OrganizationTold) [404] {}, organizations::show,
        "One organization, by id or short name.";
    patch "/organizations/{organization}" "changeAnyOrganization" OrganizationsWrite (organizations::OrganizationChange) -> 200 (organizations::OrganizationTold) [404 422] {}, organizations::change,
        "Changes an organization. What is left out stays.";
    post "/organizations/{organization}/suspend" "suspendOrganization" OrganizationsWrite () -> 204 () [404] {}, organizations::suspend,
        "Suspends an organization: nobody acts for it.";
    post "/organizations/{organization}/resume" "resumeOrganization" OrganizationsWrite () -> 204 () [404] {}, organizations::resume,
        "Takes a suspension back.";
    get "/organizations/{organization}/members" "membersOfAny" OrganizationsRead () -> 200 (Members) [404 422] {}, organizations::members,
        "Its members, with their roles.";
    post "/organizations/{organization}/members" "addMember" OrganizationsWrite (organizations::NewMember) -> 201 (organizations::MemberMade) [404 409 422] {}, organizations::add_member,
        "Makes a user a member with these roles.";
    put "/organizations/{organization}/members/{user}/roles" "setMemberRoles" OrganizationsWrite (organizations::RolesAsked) -> 204 () [404 409 422] {}, organizations::set_roles,
        "Gives a member these roles instead of the present ones.";
    delete "/organizations/{organization}/members/{user}" "removeAnyMember" OrganizationsWrite () -> 204 () [404 409] {}, organizations::remove_member,
        "Removes a member. The account stays.";
    get "/clients" "clients" ClientsRead () -> 200 (clients::Clients) [422] {}, clients::list,
        "Registered applications, in order of registration.";
    post "/clients" "newClient" ClientsWrite (clients::NewClientAsked) -> 201 (clients::ClientMade) [409 422] {}, clients::create,
        "Registers an application. Its secret is told this once.";
    get "/clients/{client}" "client" ClientsRead () -> 200 (clients::ClientTold) [404] {}, clients::show,
        "One application, by its `client_id`.";
    patch "/clients/{client}" "changeClient" ClientsWrite (clients::ClientChange) -> 200 (clients::ClientTold) [404 422] {}, clients::change,
        "Changes an application. What is left out stays; a list replaces the former one.";
    delete "/clients/{client}" "removeClient" ClientsWrite () -> 204 () [404] {}, clients::remove,
        "Removes an application with everything that it holds.";
    post "/clients/{client}/secret" "newClientSecret" ClientsWrite (clients::NewSecretAsked) -> 201 (clients::ClientMade) [404 409 422] {}, clients::new_secret,
        "Makes a new secret. With `overlap` the present one lives on for that long.";
    post "/clients/{client}/disable" "disableClient" ClientsWrite () -> 204 () [404] {}, clients::disable,
        "Disables an application.";
    post "/clients/{client}/enable" "enableClient" ClientsWrite () -> 204 () [404] {}, clients::enable,
        "Lets a disabled application work again.";
    get "/resources" "resources" ClientsRead () -> 200 (clients::Resources) [] {}, clients::resources,
        "APIs that tokens are for, with their scopes.";
    post "/resources" "newResource" ClientsWrite (clients::NewResourceAsked) -> 201 (clients::ResourceTold) [409 422] {}, clients::new_resource,
        "Registers an API.";
    post "/resources/{resource}/disable" "disableResource" ClientsWrite () -> 204 () [404] {}, clients::disable_resource,
        "No more tokens are made for the API.";
    post "/resources/{resource}/enable" "enableResource" ClientsWrite () -> 204 () [404] {}, clients::enable_resource,
        "Tokens are made for the API again.";
    delete "/resources/{resource}" "removeResource" ClientsWrite () -> 204 () [404] {}, clients::remove_resource,
        "Removes an API, by its id.";
    get "/keys" "signingKeys" KeysRead () -> 200 (operation::Keys) [] {}, operation::keys,
        "Signing keys with their states.";
    post "/keys/rotate" "rotateKeys" KeysWrite (operation::RotateAsked) -> 200 (operation::Keys) [422] {}, operation::rotate,
        "Publishes successors now; they sign after `keys.publish_ahead`.";
    post "/keys/{kid}/revoke" "revokeKey" KeysWrite () -> 204 () [404] {}, operation::revoke,
        "Withdraws a key at once: whatever it signed is refused from now on.";
    get "/mail" "mail" MailRead () -> 200 (operation::Messages) [422] {"state"}, operation::mail,
        "Mail, the newest first, without what it says. `state`: waiting, sent or failed.";
    post "/mail/{message}/send-again" "sendAgain" MailWrite () -> 204 () [404] {}, operation::send_again,
        "Sends a message now that failed, or waits for its next try.";
    get "/settings" "settings" SettingsRead () -> 200 (operation::Settings) [] {}, operation::settings,
        "Every setting in force, and where it comes from. Secrets read `(set)`.";
    get "/audit" "audit" AuditRead () -> 200 (audit::Events) [422] {"user" "organization" "action" "request"}, audit::list,
        "Security events, the newest first. `action` may be a group: `user.`.";
    get "/refusals" "refusals" AuditRead () -> 200 (refusals::Refusals) [422] {"kind" "client" "user" "organization"}, refusals::list,
        "Refused requests, the newest first. `kind`: sign_in, authorize, token, client or api.";
    get "/refusals/{reference}" "refusal" AuditRead () -> 200 (refusals::RefusalTold) [404] {}, refusals::show,
        "Why a request was refused, by the reference that the visitor was shown.";
}
