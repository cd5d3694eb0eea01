//! The tables, as `migrations/` makes them.

macro_rules! tables {
    ($($name:ident ($($key:ident),+) { $($column:ident -> $type:ty,)+ })+) => {
        $(diesel::table! { $name ($($key),+) { $($column -> $type,)+ } })+
        diesel::allow_tables_to_appear_in_same_query!($($name,)+);
    };
}

tables! {
    users (id) {
        id -> Binary,
        username -> Nullable<Text>,
        name -> Text,
        locale -> Nullable<Text>,
        zoneinfo -> Nullable<Text>,
        status -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        last_sign_in_at -> Nullable<BigInt>,
        instance_role -> Nullable<Text>,
        search -> Text,
    }
    emails (folded) {
        folded -> Text,
        address -> Text,
        user_id -> Binary,
        is_primary -> Bool,
        verified_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
    user_claims (user_id, name) {
        user_id -> Binary,
        name -> Text,
        value -> Text,
    }
    password_credentials (user_id) {
        user_id -> Binary,
        phc -> Text,
        changed_at -> BigInt,
    }
    clients (id) {
        id -> Binary,
        client_id -> Text,
        name -> Text,
        status -> Text,
        application_type -> Text,
        auth_method -> Text,
        first_party -> Bool,
        pkce_required -> Bool,
        require_par -> Bool,
        require_auth_time -> Bool,
        default_max_age -> Nullable<BigInt>,
        id_token_alg -> Text,
        userinfo_alg -> Nullable<Text>,
        assertion_alg -> Nullable<Text>,
        assertion_aud_token_endpoint -> Bool,
        jwks -> Nullable<Text>,
        jwks_uri -> Nullable<Text>,
        logo_uri -> Nullable<Text>,
        client_uri -> Nullable<Text>,
        policy_uri -> Nullable<Text>,
        tos_uri -> Nullable<Text>,
        initiate_login_uri -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        require_mfa -> Bool,
        require_organization -> Bool,
    }
    client_values (client_id, kind, value) {
        client_id -> Binary,
        kind -> Text,
        value -> Text,
        position -> BigInt,
    }
    client_secrets (id) {
        id -> Binary,
        client_id -> Binary,
        digest -> Binary,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
    }
    resources (id) {
        id -> Binary,
        identifier -> Text,
        name -> Text,
        status -> Text,
        access_ttl -> Nullable<BigInt>,
        created_at -> BigInt,
    }
    resource_scopes (resource_id, scope) {
        resource_id -> Binary,
        scope -> Text,
        description -> Text,
    }
    sessions (id) {
        id -> Binary,
        user_id -> Binary,
        secret_digest -> Binary,
        created_at -> BigInt,
        auth_time -> BigInt,
        last_seen_at -> BigInt,
        expires_at -> BigInt,
        idle_limit -> BigInt,
        ended_at -> Nullable<BigInt>,
        ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
    }
    session_methods (session_id, method) {
        session_id -> Binary,
        method -> Text,
        proven_at -> BigInt,
    }
    console_visits (session_id) {
        session_id -> Binary,
        opened_at -> BigInt,
        seen_at -> BigInt,
    }
    pending_sign_ins (id) {
        id -> Binary,
        user_id -> Binary,
        secret_digest -> Binary,
        proven -> Text,
        remember -> Bool,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
    totp_credentials (user_id) {
        user_id -> Binary,
        sealed -> Binary,
        last_step -> BigInt,
        created_at -> BigInt,
        confirmed_at -> Nullable<BigInt>,
    }
    recovery_codes (digest) {
        digest -> Binary,
        user_id -> Binary,
        created_at -> BigInt,
        used_at -> Nullable<BigInt>,
    }
    passkeys (id) {
        id -> Binary,
        user_id -> Binary,
        credential_id -> Binary,
        credential -> Text,
        counter -> BigInt,
        name -> Text,
        created_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
    }
    ceremonies (digest) {
        digest -> Binary,
        purpose -> Text,
        browser_digest -> Binary,
        user_id -> Nullable<Binary>,
        state -> Text,
        expires_at -> BigInt,
    }
    factor_demands (user_id) {
        user_id -> Binary,
        created_at -> BigInt,
    }
    one_time_links (digest) {
        digest -> Binary,
        purpose -> Text,
        user_id -> Nullable<Binary>,
        email -> Nullable<Text>,
        detail -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        consumed_at -> Nullable<BigInt>,
    }
    mail_codes (link_digest) {
        link_digest -> Binary,
        browser_digest -> Binary,
        tag -> Binary,
        tries -> BigInt,
        created_at -> BigInt,
    }
    consents (user_id, client_id, item) {
        user_id -> Binary,
        client_id -> Binary,
        item -> Text,
        granted_at -> BigInt,
    }
    pushed_requests (digest) {
        digest -> Binary,
        client_id -> Binary,
        request -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        consumed_at -> Nullable<BigInt>,
    }
    authorization_requests (id) {
        id -> Binary,
        client_id -> Binary,
        browser_digest -> Binary,
        request -> Text,
        pushed_digest -> Nullable<Binary>,
        session_id -> Nullable<Binary>,
        consented_at -> Nullable<BigInt>,
        created_at -> BigInt,
        expires_at -> BigInt,
        completed_at -> Nullable<BigInt>,
        organisation_id -> Nullable<Binary>,
    }
    grants (id) {
        id -> Binary,
        user_id -> Binary,
        client_id -> Binary,
        session_id -> Nullable<Binary>,
        offline -> Bool,
        detail -> Text,
        auth_time -> BigInt,
        created_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        organisation_id -> Nullable<Binary>,
    }
    codes (digest) {
        digest -> Binary,
        grant_id -> Binary,
        redirect_uri -> Text,
        code_challenge -> Nullable<Text>,
        created_at -> BigInt,
        expires_at -> BigInt,
        redeemed_at -> Nullable<BigInt>,
    }
    refresh_tokens (digest) {
        digest -> Binary,
        grant_id -> Binary,
        created_at -> BigInt,
        expires_at -> BigInt,
        consumed_at -> Nullable<BigInt>,
        successor_digest -> Nullable<Binary>,
        successor_sealed -> Nullable<Binary>,
    }
    revocations (jti) {
        jti -> Text,
        revoked_at -> BigInt,
        expires_at -> BigInt,
    }
    api_keys (id) {
        id -> Binary,
        machine_id -> Binary,
        organisation_id -> Binary,
        workspace_id -> Nullable<Binary>,
        name -> Text,
        digest -> Binary,
        hint -> Text,
        created_by -> Nullable<Binary>,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        successor_id -> Nullable<Binary>,
        search -> Text,
    }
    api_key_scopes (key_id, scope) {
        key_id -> Binary,
        scope -> Text,
    }
    status_indices (place) {
        place -> BigInt,
        owner -> Binary,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
    replays (digest) {
        digest -> Binary,
        expires_at -> BigInt,
    }
    idempotency_keys (digest) {
        digest -> Binary,
        fingerprint -> Binary,
        holder -> Binary,
        held_until -> BigInt,
        made_at -> Nullable<BigInt>,
        answer -> Nullable<Binary>,
        expires_at -> BigInt,
    }
    signing_keys (kid) {
        kid -> Text,
        alg -> Text,
        public_jwk -> Text,
        sealed -> Binary,
        master_key_id -> Text,
        created_at -> BigInt,
        published_at -> BigInt,
        active_from -> BigInt,
        retired_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
    usage_counts (kind, hour, label, client_id) {
        kind -> Text,
        hour -> BigInt,
        label -> Text,
        client_id -> Binary,
        amount -> BigInt,
    }
    versions (topic) {
        topic -> Text,
        value -> BigInt,
    }
    rate_limits (bucket) {
        bucket -> Binary,
        tries -> BigInt,
        resets_at -> BigInt,
    }
    outbox (id) {
        id -> Binary,
        recipient -> Text,
        subject -> Text,
        body_text -> Text,
        body_html -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        due_at -> BigInt,
        attempts -> BigInt,
        last_error -> Nullable<Text>,
        sent_at -> Nullable<BigInt>,
        failed_at -> Nullable<BigInt>,
    }
    audit_events (id) {
        id -> Binary,
        at -> BigInt,
        action -> Text,
        outcome -> Text,
        user_id -> Nullable<Binary>,
        actor_id -> Nullable<Binary>,
        client_id -> Nullable<Binary>,
        session_id -> Nullable<Binary>,
        ip -> Nullable<Text>,
        request_id -> Nullable<Text>,
        detail -> Text,
        organisation_id -> Nullable<Binary>,
        seq -> Nullable<BigInt>,
        salt -> Nullable<Binary>,
        ip_digest -> Nullable<Binary>,
        chain -> Nullable<Binary>,
    }
    audit_checkpoints (seq) {
        seq -> BigInt,
        at -> BigInt,
        token -> Text,
    }
    leases (name) {
        name -> Text,
        holder -> Text,
        expires_at -> BigInt,
    }
    providers (id) {
        id -> Text,
        kind -> Text,
        name -> Nullable<Text>,
        client_id -> Text,
        secret_sealed -> Nullable<Binary>,
        issuer -> Nullable<Text>,
        first_sign_in -> Nullable<Text>,
        allow_private_network -> Bool,
        status -> Text,
        created_at -> BigInt,
        organisation_id -> Nullable<Binary>,
    }
    provider_values (provider_id, kind, value) {
        provider_id -> Text,
        kind -> Text,
        value -> Text,
    }
    federated_identities (id) {
        id -> Binary,
        user_id -> Binary,
        provider_id -> Text,
        issuer -> Text,
        subject -> Text,
        label -> Text,
        created_at -> BigInt,
        last_used_at -> BigInt,
    }
    upstream_logins (state_digest) {
        state_digest -> Binary,
        provider_id -> Text,
        browser_digest -> Binary,
        nonce_digest -> Binary,
        verifier_sealed -> Binary,
        request_id -> Nullable<Binary>,
        page -> Nullable<Text>,
        link_to -> Nullable<Binary>,
        created_at -> BigInt,
        expires_at -> BigInt,
        consumed_at -> Nullable<BigInt>,
        trial_by -> Nullable<Binary>,
    }
    pending_links (browser_digest) {
        browser_digest -> Binary,
        user_id -> Binary,
        provider_id -> Text,
        issuer -> Text,
        subject -> Text,
        label -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
    session_providers (session_id) {
        session_id -> Binary,
        provider_id -> Text,
        expires_at -> BigInt,
    }
    organisations (id) {
        id -> Binary,
        slug -> Text,
        name -> Text,
        status -> Text,
        require_mfa -> Bool,
        password_login_allowed -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
        search -> Text,
    }
    workspaces (id) {
        id -> Binary,
        organisation_id -> Binary,
        slug -> Text,
        name -> Text,
        is_default -> Bool,
        created_at -> BigInt,
    }
    roles (id) {
        id -> Binary,
        organisation_id -> Nullable<Binary>,
        key -> Text,
        name -> Text,
        rank -> BigInt,
        require_mfa -> Bool,
        created_at -> BigInt,
    }
    role_permissions (role_id, permission) {
        role_id -> Binary,
        permission -> Text,
    }
    memberships (id) {
        id -> Binary,
        organisation_id -> Binary,
        user_id -> Binary,
        status -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
    membership_roles (membership_id, role_id) {
        membership_id -> Binary,
        organisation_id -> Binary,
        role_id -> Binary,
        workspace_id -> Nullable<Binary>,
        slot -> BigInt,
    }
    invitations (id) {
        id -> Binary,
        organisation_id -> Binary,
        digest -> Binary,
        folded -> Text,
        address -> Text,
        workspace_id -> Nullable<Binary>,
        invited_by -> Nullable<Binary>,
        created_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        accepted_at -> Nullable<BigInt>,
        accepted_by -> Nullable<Binary>,
    }
    invitation_roles (invitation_id, role_id) {
        invitation_id -> Binary,
        role_id -> Binary,
    }
    organisation_branding (organisation_id) {
        organisation_id -> Binary,
        accent -> Nullable<Text>,
        logo -> Nullable<Binary>,
        logo_type -> Nullable<Text>,
        message -> Text,
        support -> Text,
        hash -> Text,
    }
    organisation_domains (organisation_id, domain) {
        organisation_id -> Binary,
        domain -> Text,
        challenge -> Text,
        created_at -> BigInt,
        verified_at -> Nullable<BigInt>,
        provider_id -> Nullable<Text>,
        checked_at -> Nullable<BigInt>,
        missing_since -> Nullable<BigInt>,
    }
    refusals (reference) {
        reference -> Text,
        at -> BigInt,
        kind -> Text,
        rule -> Text,
        client_id -> Nullable<Binary>,
        user_id -> Nullable<Binary>,
        organisation_id -> Nullable<Binary>,
        detail -> Text,
        expires_at -> BigInt,
    }
}
