CREATE TABLE organisations (
    id BYTEA NOT NULL PRIMARY KEY,
    -- Folded to lower case: what people type and what legacy clients send instead of the id.
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'suspended')),
    require_mfa BOOLEAN NOT NULL,
    -- Whether its members may sign in with a password in JSON (LG-1).
    password_login_allowed BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    -- Touched by every change of who belongs to it: the row is the lock under which the last administrator is counted.
    updated_at BIGINT NOT NULL
);

CREATE TABLE workspaces (
    id BYTEA NOT NULL PRIMARY KEY,
    organisation_id BYTEA NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    is_default BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (organisation_id, slug),
    UNIQUE (organisation_id, id)
);
CREATE UNIQUE INDEX workspaces_default ON workspaces (organisation_id) WHERE is_default;

-- Without an organisation: one of those that the instance ships, good in every organisation.
CREATE TABLE roles (
    id BYTEA NOT NULL PRIMARY KEY,
    organisation_id BYTEA REFERENCES organisations (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The higher one includes the lower ones.
    rank BIGINT NOT NULL CHECK (rank > 0),
    require_mfa BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (organisation_id, key)
);
CREATE UNIQUE INDEX roles_shipped ON roles (key) WHERE organisation_id IS NULL;

CREATE TABLE role_permissions (
    role_id BYTEA NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    PRIMARY KEY (role_id, permission)
);

CREATE TABLE memberships (
    id BYTEA NOT NULL PRIMARY KEY,
    organisation_id BYTEA NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    status TEXT NOT NULL CHECK (status IN ('active', 'suspended')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (organisation_id, user_id),
    UNIQUE (organisation_id, id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);

-- Up to three roles in the whole organisation (no workspace), and up to three in each workspace: the slots are few.
-- The keys over two columns keep every row within one organisation, whatever the code does (AR-5).
CREATE TABLE membership_roles (
    membership_id BYTEA NOT NULL,
    organisation_id BYTEA NOT NULL,
    role_id BYTEA NOT NULL REFERENCES roles (id),
    workspace_id BYTEA,
    slot BIGINT NOT NULL CHECK (slot BETWEEN 1 AND 3),
    FOREIGN KEY (organisation_id, membership_id) REFERENCES memberships (organisation_id, id) ON DELETE CASCADE,
    FOREIGN KEY (organisation_id, workspace_id) REFERENCES workspaces (organisation_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX membership_roles_slots ON membership_roles (membership_id, slot) WHERE workspace_id IS NULL;
CREATE UNIQUE INDEX membership_roles_workspace_slots
    ON membership_roles (membership_id, workspace_id, slot) WHERE workspace_id IS NOT NULL;
CREATE INDEX membership_roles_by_membership ON membership_roles (organisation_id, membership_id);
CREATE INDEX membership_roles_by_workspace ON membership_roles (organisation_id, workspace_id);
CREATE INDEX membership_roles_by_role ON membership_roles (role_id);

-- The reference is random and only its digest is here; everything that it means stands beside it (OR-5).
CREATE TABLE invitations (
    id BYTEA NOT NULL PRIMARY KEY,
    organisation_id BYTEA NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    digest BYTEA NOT NULL UNIQUE,
    folded TEXT NOT NULL,
    address TEXT NOT NULL,
    workspace_id BYTEA,
    invited_by BYTEA REFERENCES users (id) ON DELETE SET NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    accepted_at BIGINT,
    accepted_by BYTEA REFERENCES users (id) ON DELETE SET NULL,
    FOREIGN KEY (organisation_id, workspace_id) REFERENCES workspaces (organisation_id, id) ON DELETE CASCADE
);
CREATE INDEX invitations_by_organisation ON invitations (organisation_id, folded);
CREATE INDEX invitations_by_workspace ON invitations (organisation_id, workspace_id);
CREATE INDEX invitations_by_inviter ON invitations (invited_by);
CREATE INDEX invitations_by_guest ON invitations (accepted_by);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);

CREATE TABLE invitation_roles (
    invitation_id BYTEA NOT NULL REFERENCES invitations (id) ON DELETE CASCADE,
    role_id BYTEA NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    PRIMARY KEY (invitation_id, role_id)
);
CREATE INDEX invitation_roles_by_role ON invitation_roles (role_id);

-- For which organisation a browser is on its way, and for which one tokens are made: fixed for the life of a grant.
ALTER TABLE authorization_requests ADD COLUMN organisation_id BYTEA REFERENCES organisations (id) ON DELETE SET NULL;
CREATE INDEX authorization_requests_by_organisation ON authorization_requests (organisation_id);
ALTER TABLE grants ADD COLUMN organisation_id BYTEA REFERENCES organisations (id) ON DELETE CASCADE;
CREATE INDEX grants_by_organisation ON grants (organisation_id);
ALTER TABLE clients ADD COLUMN require_organization BOOLEAN NOT NULL DEFAULT FALSE;

-- No foreign key: an event outlives what it tells of.
ALTER TABLE audit_events ADD COLUMN organisation_id BYTEA;
CREATE INDEX audit_events_by_organisation ON audit_events (organisation_id, at);
