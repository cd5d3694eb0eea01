-- When the account was last signed in to: whoever signs in for the first time ever is told of no unknown device.
ALTER TABLE users ADD COLUMN last_sign_in_at BIGINT;
UPDATE users SET last_sign_in_at =
    (SELECT MAX(sessions.auth_time) FROM sessions WHERE sessions.user_id = users.id);

-- The six digits that are mailed beside a sign-in link, good only in the browser that asked. So few digits could be
-- found from a plain digest, so the tag is keyed with the master key and bound to the link.
CREATE TABLE mail_codes (
    link_digest BYTEA NOT NULL PRIMARY KEY REFERENCES one_time_links (digest) ON DELETE CASCADE,
    browser_digest BYTEA NOT NULL,
    tag BYTEA NOT NULL,
    tries BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX mail_codes_by_browser ON mail_codes (browser_digest);
