-- A way to a provider and back that signs nobody in: an administrator tries what would happen.
ALTER TABLE upstream_logins ADD COLUMN trial_by BYTEA REFERENCES users (id) ON DELETE CASCADE;
CREATE INDEX upstream_logins_by_trial ON upstream_logins (trial_by);
