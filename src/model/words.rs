//! Closed sets of words that columns, settings and protocol messages hold.
//!
//! Each is an enum with one spelling per value; text becomes a value at the edge, once.

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::parse(text).ok_or_else(|| {
                    let known: Vec<_> = Self::ALL.iter().map(|word| word.as_str()).collect();
                    format!("expected one of {}", known.join(", "))
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

words! {
    /// Whether something may be used. Disabling keeps the row and its history.
    Status {
        Active = "active",
        Disabled = "disabled",
    }

    /// What somebody may do with the instance itself, in the console and the management API (AD-3).
    InstanceRole {
        /// Sees and changes everything.
        Administrator = "administrator",
        /// Sees everything, changes nothing.
        Support = "support",
    }

    /// How a client proves who it is at the token endpoint (OpenID Connect Core §9).
    ClientAuthMethod {
        SecretBasic = "client_secret_basic",
        SecretPost = "client_secret_post",
        PrivateKeyJwt = "private_key_jwt",
        /// A public client: it has no secret and proves nothing but its PKCE verifier.
        None = "none",
    }

    /// Grant types that exist here (RFC 6749 §4, §6). There is no password and no implicit grant (TE-8).
    GrantType {
        AuthorizationCode = "authorization_code",
        RefreshToken = "refresh_token",
        ClientCredentials = "client_credentials",
        /// RFC 8693; of API keys alone.
        TokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange",
    }

    /// `application_type` (OpenID Connect Dynamic Client Registration §2): decides which redirect URIs may be registered.
    ApplicationType {
        Web = "web",
        Native = "native",
    }

    /// Signature algorithms of our own keys, and the ones that we accept from clients (RFC 7518 §3.1, RFC 8037).
    SigningAlg {
        Rs256 = "RS256",
        Ps256 = "PS256",
        Es256 = "ES256",
        EdDsa = "EdDSA",
    }

    /// What a client's list of values means: one row of `client_values` holds one value of one kind.
    ClientValueKind {
        RedirectUri = "redirect_uri",
        PostLogoutRedirectUri = "post_logout_redirect_uri",
        GrantType = "grant_type",
        Scope = "scope",
        Contact = "contact",
        DefaultAcrValue = "default_acr_value",
        /// An API that the client is the server of: it may introspect tokens for it.
        Audience = "audience",
    }

    /// How a user proved to be who they are: values of `amr` (RFC 8176 §2).
    AuthMethod {
        Password = "pwd",
        /// A code of an authenticator application, or one of the recovery codes.
        OneTimePassword = "otp",
        /// Proof of possession of a key: a passkey. Always with user verification, which is demanded at each use: a
        /// passkey is two factors by itself.
        HardwareKey = "hwk",
        /// A link or code that was mailed.
        Mail = "mail",
        /// An upstream identity provider vouched.
        Federated = "fed",
        /// More than one factor was used. Derived, never stored.
        MultiFactor = "mfa",
    }

    /// What somebody wanted who was refused.
    RefusalKind {
        /// To prove who they are, in whatever way.
        SignIn = "sign_in",
        /// An application sent a browser.
        Authorize = "authorize",
        /// An application wanted tokens.
        Token = "token",
        /// An application did not prove which it is.
        Client = "client",
        /// Whatever else is called: userinfo, introspection, our own API.
        Api = "api",
    }

    /// What a one-time link is good for. A link of one purpose is nothing to another (PW-8).
    LinkPurpose {
        Setup = "setup",
        Register = "register",
        Invite = "invite",
        VerifyEmail = "verify_email",
        MagicLink = "magic_link",
        ResetPassword = "reset_password",
    }

    /// The kinds of identity providers that may vouch for people: each has rules of its own for what it says.
    ProviderKind {
        Google = "google",
        Microsoft = "microsoft",
        Oidc = "oidc",
    }

    /// What a provider's list of values means: one row of `provider_values` holds one value of one kind.
    ProviderValueKind {
        Tenant = "tenant",
        EmailDomain = "email_domain",
        Scope = "scope",
    }

    /// What is counted by the hour, for the console.
    UsageKind {
        SignIn = "sign_in",
        /// Refused, for whatever reason.
        SignInFailed = "sign_in_failed",
        Token = "token",
        /// The public signing keys were fetched.
        KeysFetched = "keys_fetched",
    }

    /// What becomes of somebody whom a provider vouches for, and who has no account yet.
    FirstSignIn {
        CreateOrganisation = "create_organisation",
        InvitedOnly = "invited_only",
        Refuse = "refuse",
    }

    /// What a passkey is asked to sign a challenge for. A challenge of one purpose is nothing to another (MF-2).
    CeremonyPurpose {
        Register = "register",
        SignIn = "sign_in",
        SecondFactor = "second_factor",
    }

    /// Caches that a write elsewhere makes stale. Each has a version row that every node watches.
    Topic {
        Clients = "clients",
        Keys = "keys",
        Resources = "resources",
    }

    /// How an organisation, or somebody in it, stands. Suspension counts as absence, and can be taken back (OR-2).
    Standing {
        Active = "active",
        Suspended = "suspended",
    }

    /// What a role may allow within Countersign itself. An organisation's APIs define others in their own words.
    Permission {
        OrganisationRead = "org:read",
        OrganisationWrite = "org:write",
        MembersRead = "members:read",
        MembersWrite = "members:write",
        RolesWrite = "roles:write",
        WorkspacesWrite = "workspaces:write",
        ApiKeysWrite = "api_keys:write",
    }

    /// How an audited act ended.
    Outcome {
        Success = "success",
        Failure = "failure",
        Denied = "denied",
    }

    /// What an audit event tells of.
    AuditAction {
        UserCreated = "user.created",
        UserDisabled = "user.disabled",
        UserEnabled = "user.enabled",
        UserRemoved = "user.removed",
        PasswordChanged = "user.password_changed",
        EmailVerified = "user.email_verified",
        ProfileChanged = "user.profile_changed",
        LimitsLifted = "limits.lifted",
        EmailChangeRequested = "user.email_change_requested",
        EmailChanged = "user.email_changed",
        EmailAdded = "user.email_added",
        EmailRemoved = "user.email_removed",
        PrimaryEmailChanged = "user.primary_email_changed",
        DataExported = "user.data_exported",
        SignedOutEverywhere = "user.signed_out_everywhere",
        ResetRequested = "reset.requested",
        InvitationSent = "invitation.sent",
        InvitationRevoked = "invitation.revoked",
        InvitationAccepted = "invitation.accepted",
        RegistrationRequested = "registration.requested",
        SignInLinkRequested = "sign_in_link.requested",
        SignIn = "session.begun",
        SessionEnded = "session.ended",
        FactorAwaited = "session.factor_awaited",
        SteppedUp = "session.stepped_up",
        FactorRefused = "factor.refused",
        FactorAdded = "factor.added",
        FactorRemoved = "factor.removed",
        FactorsReset = "factor.reset",
        RecoveryCodesMade = "factor.recovery_codes_made",
        RecoveryCodeUsed = "factor.recovery_code_used",
        ConsentGiven = "consent.given",
        ConsentRefused = "consent.refused",
        ConsentWithdrawn = "consent.withdrawn",
        CodeIssued = "code.issued",
        CodeReplayed = "code.replayed",
        TokenIssued = "token.issued",
        TokenRefreshed = "token.refreshed",
        TokenRefused = "token.refused",
        RefreshReused = "token.refresh_reused",
        TokenRevoked = "token.revoked",
        ClientRefused = "client.refused",
        ClientCreated = "client.created",
        ClientChanged = "client.changed",
        ClientRemoved = "client.removed",
        ResourceCreated = "resource.created",
        ResourceChanged = "resource.changed",
        ResourceRemoved = "resource.removed",
        KeyCreated = "key.created",
        KeyRotated = "key.rotated",
        KeyRevoked = "key.revoked",
        ApiKeyCreated = "api_key.created",
        ApiKeyRotated = "api_key.rotated",
        ApiKeyRevoked = "api_key.revoked",
        ApiKeyRefused = "api_key.refused",
        AdminCreated = "setup.completed",
        MailSentAgain = "mail.sent_again",
        MailTested = "mail.tested",
        InstanceRoleSet = "user.instance_role_set",
        ConsoleOpened = "console.opened",
        ConsoleRefused = "console.refused",
        IdentityLinked = "identity.linked",
        IdentityUnlinked = "identity.unlinked",
        AccountReclaimed = "account.reclaimed",
        ProviderCreated = "provider.created",
        ProviderChanged = "provider.changed",
        ProviderRemoved = "provider.removed",
        ProviderTried = "provider.tried",
        DialectTried = "dialect.tried",
        AuditExported = "audit.exported",
        OrganisationCreated = "organization.created",
        OrganisationChanged = "organization.changed",
        OrganisationSuspended = "organization.suspended",
        OrganisationResumed = "organization.resumed",
        BrandingChanged = "branding.changed",
        WorkspaceCreated = "workspace.created",
        WorkspaceRenamed = "workspace.renamed",
        WorkspaceRemoved = "workspace.removed",
        RoleDefined = "role.defined",
        RoleChanged = "role.changed",
        RoleRemoved = "role.removed",
        MemberAdded = "member.added",
        MemberRolesSet = "member.roles_set",
        MemberSuspended = "member.suspended",
        MemberResumed = "member.resumed",
        MemberRemoved = "member.removed",
        DomainClaimed = "domain.claimed",
        DomainVerified = "domain.verified",
        DomainRouted = "domain.routed",
        DomainRemoved = "domain.removed",
        DomainMissing = "domain.missing",
        DomainLapsed = "domain.lapsed",
    }
}
