//! Everything that the management API has, once: mounted and described from here.

use actix_web::web;
use serde_json::Value;

use super::{
    api_keys, audit, branding, clients, domains, invitations, mail, members, operation, organizations,
    overview, providers, refusals, rehearsal, resources, roles, sessions, signed_in, users, workspaces,
};
use crate::tenancy::management::Scope;
use crate::web::api::account::Accepted;
use crate::web::api::invitations::{Invitations, Invited, NewInvitation};
use crate::web::api::keys::{ApiKeys, KeyMade, NewApiKey, Rotate};
use crate::web::api::members::{MemberTold, Members};
use crate::web::api::organizations::{NewWorkspace, Workspaces};
use crate::web::api::roles::{NewRole, RoleDescribed, RoleMade, Roles};
use crate::web::api::table::{Route, Who};
use crate::web::api::tell::Named;
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
    post "/users/{user}/export" "exportUser" UsersWrite () -> 200 (Value) [404] {}, users::export,
        "Everything that is stored about the user. That it was taken stands in the audit.";
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
    get "/organizations/{organization}/members" "membersOfAny" OrganizationsRead () -> 200 (Members) [404 422] {"q"}, members::list,
        "Its members, with their roles, in order of joining. `q`: words that are all in the name or address.";
    get "/organizations/{organization}/members/{user}" "memberOfAny" OrganizationsRead () -> 200 (MemberTold) [404] {}, members::show,
        "One member.";
    post "/organizations/{organization}/members" "addMember" OrganizationsWrite (members::NewMember) -> 201 (members::MemberMade) [404 409 422] {}, members::add,
        "Makes a user a member with these roles.";
    put "/organizations/{organization}/members/{user}/roles" "setMemberRoles" OrganizationsWrite (members::RolesAsked) -> 204 () [404 409 422] {}, members::set_roles,
        "Gives a member these roles instead of the present ones.";
    delete "/organizations/{organization}/members/{user}" "removeAnyMember" OrganizationsWrite () -> 204 () [404 409] {}, members::remove,
        "Removes a member. The account stays.";
    post "/organizations/{organization}/members/{user}/suspend" "suspendAnyMember" OrganizationsWrite () -> 204 () [404 409] {}, members::suspend,
        "Suspends a member: they do not act for the organization.";
    post "/organizations/{organization}/members/{user}/resume" "resumeAnyMember" OrganizationsWrite () -> 204 () [404 409] {}, members::resume,
        "Takes a member's suspension back.";
    get "/organizations/{organization}/workspaces" "workspacesOfAny" OrganizationsRead () -> 200 (Workspaces) [404 422] {}, workspaces::list,
        "Its workspaces, in order of making.";
    post "/organizations/{organization}/workspaces" "addWorkspace" OrganizationsWrite (NewWorkspace) -> 201 (Named) [404 409 422] {}, workspaces::create,
        "Makes a workspace.";
    get "/organizations/{organization}/workspaces/{workspace}" "workspaceOfAny" OrganizationsRead () -> 200 (workspaces::WorkspaceTold) [404] {}, workspaces::show,
        "One workspace, by id or short name, and what would end with it.";
    patch "/organizations/{organization}/workspaces/{workspace}" "renameWorkspace" OrganizationsWrite (workspaces::WorkspaceChange) -> 200 (workspaces::WorkspaceTold) [404 422] {}, workspaces::rename,
        "Gives a workspace another name. Its short name stays.";
    delete "/organizations/{organization}/workspaces/{workspace}" "removeWorkspace" OrganizationsWrite () -> 204 () [404 409] {}, workspaces::remove,
        "Removes a workspace with the roles in it, its API keys and invitations. The default one stays.";
    get "/organizations/{organization}/roles" "rolesOfAny" OrganizationsRead () -> 200 (Roles) [404 422] {}, roles::list,
        "The roles that can be given, the highest first.";
    post "/organizations/{organization}/roles" "defineRole" OrganizationsWrite (NewRole) -> 201 (RoleMade) [404 409 422] {}, roles::create,
        "Makes a role of the organization's own.";
    put "/organizations/{organization}/roles/{role}" "describeRole" OrganizationsWrite (RoleDescribed) -> 204 () [404 409 422] {}, roles::change,
        "Describes one of the organization's own roles anew.";
    delete "/organizations/{organization}/roles/{role}" "removeRoleOfAny" OrganizationsWrite () -> 204 () [404 409 422] {}, roles::remove,
        "Removes one of the organization's own roles, which nobody has.";
    get "/organizations/{organization}/invitations" "invitationsOfAny" OrganizationsRead () -> 200 (Invitations) [404 422] {"q"}, invitations::list,
        "Its invitations, the newest first. `q`: words that are all in the address.";
    post "/organizations/{organization}/invitations" "inviteMember" OrganizationsWrite (NewInvitation) -> 201 (Invited) [404 409 422 429] {}, invitations::create,
        "Invites somebody by mail.";
    post "/organizations/{organization}/invitations/{invitation}/again" "inviteMemberAgain" OrganizationsWrite (invitations::AgainAsked) -> 201 (Invited) [404 409 422 429] {}, invitations::again,
        "Sends an invitation again that nobody accepted, with a new link. The former one is void.";
    delete "/organizations/{organization}/invitations/{invitation}" "uninviteMember" OrganizationsWrite () -> 204 () [404] {}, invitations::revoke,
        "Takes an open invitation back.";
    get "/organizations/{organization}/domains" "domains" OrganizationsRead () -> 200 (domains::Domains) [404 422] {}, domains::list,
        "Its mail domains, by name, with what their DNS must say.";
    post "/organizations/{organization}/domains" "claimDomain" OrganizationsWrite (domains::NewDomain) -> 201 (domains::DomainTold) [404 409 422] {}, domains::claim,
        "Claims a domain. It counts once it is verified.";
    get "/organizations/{organization}/domains/{domain}" "domain" OrganizationsRead () -> 200 (domains::DomainTold) [404] {}, domains::show,
        "One domain.";
    post "/organizations/{organization}/domains/{domain}/verify" "verifyDomain" OrganizationsWrite () -> 200 (domains::DomainTold) [404 409] {}, domains::verify,
        "Looks for the domain's `record` in DNS now.";
    put "/organizations/{organization}/domains/{domain}/provider" "routeDomain" OrganizationsWrite (domains::RouteAsked) -> 204 () [404 409 422] {}, domains::route,
        "Sends the people of a proven domain to one of the organization's own providers, or, with null, no more.";
    delete "/organizations/{organization}/domains/{domain}" "removeDomain" OrganizationsWrite () -> 204 () [404] {}, domains::remove,
        "Gives a domain up.";
    get "/organizations/{organization}/branding" "branding" OrganizationsRead () -> 200 (branding::BrandingTold) [404] {}, branding::show,
        "How its sign-in pages look.";
    patch "/organizations/{organization}/branding" "changeBranding" OrganizationsWrite (branding::BrandingChange) -> 200 (branding::BrandingTold) [404 422] {}, branding::change,
        "Changes colour, text and address for help. What is left out stays; an empty text takes a value away.";
    get "/organizations/{organization}/branding/logo" "logo" OrganizationsRead () -> 200 (branding::LogoTold) [404] {}, branding::logo,
        "Its logo, in base64.";
    put "/organizations/{organization}/branding/logo" "setLogo" OrganizationsWrite (branding::LogoAsked) -> 200 (branding::BrandingTold) [404 422] {}, branding::set_logo,
        "Sets its logo: PNG, JPEG or WebP of at most 64 KiB, in base64.";
    delete "/organizations/{organization}/branding/logo" "removeLogo" OrganizationsWrite () -> 204 () [404] {}, branding::remove_logo,
        "Takes its logo away.";
    get "/api-keys" "apiKeysOfAll" ApiKeysRead () -> 200 (api_keys::KeysOfAll) [422] {"q"}, api_keys::of_all,
        "API keys of all organizations, the newest first, without their texts. `q`: words that are all in the name or beginning.";
    get "/organizations/{organization}/api-keys" "apiKeysOfAny" ApiKeysRead () -> 200 (ApiKeys) [404 422] {"q"}, api_keys::list,
        "API keys of one organization, the newest first.";
    post "/organizations/{organization}/api-keys" "makeApiKey" ApiKeysWrite (NewApiKey) -> 201 (KeyMade) [404 409 422] {}, api_keys::create,
        "Makes an API key that belongs to the organization. Its text is told this once.";
    post "/organizations/{organization}/api-keys/{key}/rotate" "replaceApiKey" ApiKeysWrite (Rotate) -> 201 (KeyMade) [404 409 422] {}, api_keys::rotate,
        "Replaces an API key. With `overlap` the present one lives on for that long.";
    delete "/organizations/{organization}/api-keys/{key}" "endApiKey" ApiKeysWrite () -> 204 () [404] {}, api_keys::revoke,
        "Ends an API key with its tokens.";
    get "/providers" "providers" ProvidersRead () -> 200 (providers::Providers) [422] {}, providers::list,
        "Identity providers, by id: those of the configuration and those that are stored. No secret is told.";
    post "/providers" "newProvider" ProvidersWrite (providers::NewProvider) -> 201 (providers::ProviderTold) [409 422] {}, providers::create,
        "Stores a provider. It is offered when it is enabled, at once with `enabled`.";
    get "/providers/{provider}" "provider" ProvidersRead () -> 200 (providers::ProviderTold) [404] {}, providers::show,
        "One provider.";
    patch "/providers/{provider}" "changeProvider" ProvidersWrite (providers::ProviderChange) -> 200 (providers::ProviderTold) [404 409 422] {}, providers::change,
        "Changes a stored provider. What is left out stays, the secret too; an empty text takes a value away.";
    delete "/providers/{provider}" "removeProvider" ProvidersWrite () -> 204 () [404 409] {}, providers::remove,
        "Removes a stored provider, and ends what rests on its word.";
    post "/providers/{provider}/disable" "disableProvider" ProvidersWrite () -> 204 () [404 409] {}, providers::disable,
        "Disables a stored provider, and ends what rests on its word.";
    post "/providers/{provider}/enable" "enableProvider" ProvidersWrite () -> 204 () [404 409] {}, providers::enable,
        "Enables a stored provider.";
    post "/providers/{provider}/discover" "discoverProvider" ProvidersWrite () -> 200 (providers::Discovered) [404] {}, providers::discover,
        "Asks the provider for its metadata and keys now. That it does not answer is an answer here.";
    get "/clients" "clients" ClientsRead () -> 200 (clients::Clients) [422] {"q" "status"}, clients::list,
        "Registered applications, the newest first. `q`: words that are all in the name, `client_id` or a redirect URI.";
    post "/clients" "newClient" ClientsWrite (clients::NewClientAsked) -> 201 (clients::ClientMade) [409 422] {}, clients::create,
        "Registers an application. Its secret is told this once.";
    get "/clients/{client}" "client" ClientsRead () -> 200 (clients::ClientTold) [404] {}, clients::show,
        "One application, by its `client_id` or `id`.";
    patch "/clients/{client}" "changeClient" ClientsWrite (clients::ClientChange) -> 200 (clients::ClientTold) [404 422] {}, clients::change,
        "Changes an application. What is left out stays; a list replaces the former one.";
    delete "/clients/{client}" "removeClient" ClientsWrite () -> 204 () [404] {}, clients::remove,
        "Removes an application with everything that it holds.";
    post "/clients/{client}/secret" "newClientSecret" ClientsWrite (clients::NewSecretAsked) -> 201 (clients::ClientMade) [404 409 422] {}, clients::new_secret,
        "Makes a new secret. With `overlap` the present one lives on for that long.";
    delete "/clients/{client}/secrets/{secret}" "endClientSecret" ClientsWrite () -> 204 () [404 409] {}, clients::end_secret,
        "Ends one secret now. The last one stays: disable the application instead.";
    post "/clients/{client}/rehearsal" "rehearseSignIn" UsersRead (rehearsal::RehearsalAsked) -> 200 (rehearsal::Rehearsed) [404 409 422] {}, rehearsal::rehearse,
        "What a sign-in to the application would come to, step by step, by the real rules. Nothing is stored.";
    post "/clients/{client}/disable" "disableClient" ClientsWrite () -> 204 () [404] {}, clients::disable,
        "Disables an application.";
    post "/clients/{client}/enable" "enableClient" ClientsWrite () -> 204 () [404] {}, clients::enable,
        "Lets a disabled application work again.";
    get "/resources" "resources" ClientsRead () -> 200 (resources::Resources) [422] {}, resources::list,
        "APIs that tokens are for, with their scopes.";
    post "/resources" "newResource" ClientsWrite (resources::NewResourceAsked) -> 201 (resources::ResourceTold) [409 422] {}, resources::create,
        "Registers an API.";
    get "/resources/{resource}" "resource" ClientsRead () -> 200 (resources::ResourceTold) [404] {}, resources::show,
        "One API, by its id.";
    get "/resources/{resource}/clients" "clientsOfResource" ClientsRead () -> 200 (resources::Users) [404] {}, resources::users,
        "The applications that may ask for the API's scopes, or are its server, by name.";
    patch "/resources/{resource}" "changeResource" ClientsWrite (resources::ResourceChangeAsked) -> 200 (resources::ResourceTold) [404 422] {}, resources::change,
        "Changes an API. What is left out stays; `scopes` replaces the former ones.";
    post "/resources/{resource}/disable" "disableResource" ClientsWrite () -> 204 () [404] {}, resources::disable,
        "No more tokens are made for the API.";
    post "/resources/{resource}/enable" "enableResource" ClientsWrite () -> 204 () [404] {}, resources::enable,
        "Tokens are made for the API again.";
    delete "/resources/{resource}" "removeResource" ClientsWrite () -> 204 () [404] {}, resources::remove,
        "Removes an API, by its id.";
    get "/keys" "signingKeys" KeysRead () -> 200 (operation::Keys) [] {}, operation::keys,
        "Signing keys with their states.";
    get "/keys/readers" "keyReaders" KeysRead () -> 200 (operation::Readers) [] {}, operation::readers,
        "Programs that fetched the published keys within the last month.";
    post "/keys/rotate" "rotateKeys" KeysWrite (operation::RotateAsked) -> 200 (operation::Keys) [422] {}, operation::rotate,
        "Publishes successors now; they sign after `keys.publish_ahead`.";
    post "/keys/{kid}/revoke" "revokeKey" KeysWrite () -> 204 () [404] {}, operation::revoke,
        "Withdraws a key at once: whatever it signed is refused from now on.";
    get "/mail" "mail" MailRead () -> 200 (mail::Messages) [422] {"state"}, mail::list,
        "Mail, the newest first, without what it says. `state`: waiting, sent or failed.";
    post "/mail/{message}/send-again" "sendAgain" MailWrite () -> 204 () [404] {}, mail::send_again,
        "Sends a message now that failed, or waits for its next try.";
    post "/mail/test" "testMail" MailWrite (mail::TestAsked) -> 201 (mail::MessageTold) [422] {}, mail::send_test,
        "Sends a message that says only that mail works. What becomes of it is at `/mail/{message}`.";
    get "/mail/check" "checkMail" MailRead () -> 200 (mail::Records) [] {"selector"}, mail::check,
        "What DNS says of the domain that mail comes from. `selector`: of the mail server's DKIM signatures.";
    get "/mail/{message}" "message" MailRead () -> 200 (mail::MessageTold) [404] {}, mail::show,
        "What became of one message.";
    get "/sessions" "allSessions" SessionsRead () -> 200 (signed_in::Browsers) [422] {}, signed_in::browsers,
        "Who is signed in, the newest first.";
    delete "/sessions/{session}" "endAnySession" SessionsWrite () -> 204 () [404] {}, signed_in::end,
        "Ends a session with what began in it.";
    get "/grants" "grants" SessionsRead () -> 200 (signed_in::Grants) [422] {}, signed_in::grants,
        "What users allowed applications, and they hold, the newest first.";
    delete "/grants/{grant}" "revokeGrant" SessionsWrite () -> 204 () [404] {}, signed_in::revoke,
        "Takes from an application what one grant gave it, with all its tokens.";
    get "/overview" "overview" OverviewRead () -> 200 (overview::Overview) [422] {"range"}, overview::show,
        "What is wrong and what to do, who signs in, who gets tokens. `range`: 24h, 7d or 30d.";
    get "/dialects" "dialects" SettingsRead () -> 200 (operation::Dialects) [] {}, operation::dialects,
        "Login APIs of other products that are mounted, with their calls.";
    get "/settings" "settings" SettingsRead () -> 200 (operation::Settings) [] {}, operation::settings,
        "Every setting in force, and where it comes from. Secrets read `(set)`.";
    get "/audit" "audit" AuditRead () -> 200 (audit::Events) [422] {"user" "organization" "action" "outcome" "request"}, audit::list,
        "Security events, the newest first. `action` may be a group: `user.`. `outcome`: success, failure or denied.";
    get "/audit/{event}" "event" AuditRead () -> 200 (audit::EventTold) [404] {}, audit::show,
        "One event.";
    get "/refusals" "refusals" AuditRead () -> 200 (refusals::Refusals) [422] {"kind" "rule" "client" "user" "organization"}, refusals::list,
        "Refused requests, the newest first. `kind`: sign_in, authorize, token, client or api.";
    get "/refusals/{reference}" "refusal" AuditRead () -> 200 (refusals::RefusalTold) [404] {}, refusals::show,
        "Why a request was refused, by the reference that the visitor was shown.";
}
