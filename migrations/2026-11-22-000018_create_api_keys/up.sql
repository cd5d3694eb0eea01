-- Keys of machines. A machine stays who it is when its key is replaced: successors share `machine_id`.
CREATE TABLE api_keys (
    id BYTEA NOT NULL PRIMARY KEY,
    machine_id BYTEA NOT NULL,
    organisation_id BYTEA NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    workspace_id BYTEA,
    name TEXT NOT NULL,
    digest BYTEA NOT NULL UNIQUE,
    -- How the key begins, to recognise it by.
    hint TEXT NOT NULL,
    -- Whoever made it; it does not outlive them (AK-2). Without: an operator made it, and it is the organisation's.
    created_by BYTEA REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT,
    -- The key that replaced it: one, or two successors would live on (AR-1).
    successor_id BYTEA,
    FOREIGN KEY (organisation_id, workspace_id) REFERENCES workspaces (organisation_id, id) ON DELETE CASCADE
);
CREATE INDEX api_keys_by_organisation ON api_keys (organisation_id, id);
CREATE INDEX api_keys_by_workspace ON api_keys (organisation_id, workspace_id);
CREATE INDEX api_keys_by_creator ON api_keys (created_by);

-- Fixed when the key is made.
CREATE TABLE api_key_scopes (
    key_id BYTEA NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    PRIMARY KEY (key_id, scope)
);
