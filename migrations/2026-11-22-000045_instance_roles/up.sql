-- Who runs the instance: those who change it, and those who only look.
ALTER TABLE users ADD COLUMN instance_role TEXT CHECK (instance_role IN ('administrator', 'support'));
UPDATE users SET instance_role = 'administrator' WHERE is_admin;
ALTER TABLE users DROP COLUMN is_admin;
CREATE INDEX users_by_instance_role ON users (instance_role) WHERE instance_role IS NOT NULL;

-- What a person is looked for by: name, user name and addresses in small letters. Kept by every write of one of them.
ALTER TABLE users ADD COLUMN search TEXT NOT NULL DEFAULT '';
UPDATE users SET search = lower(name) || ' ' || COALESCE(username, '') || ' '
    || COALESCE((SELECT folded FROM emails WHERE emails.user_id = users.id AND emails.is_primary), '');

-- A session that was let into the console: it needed a proof of its own, and lasts while it is used (AD-2).
CREATE TABLE console_visits (
    session_id BYTEA NOT NULL PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    opened_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
