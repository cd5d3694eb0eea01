-- The worker looks once a second: what has left is kept for a month, and is not to be walked past each time.
CREATE INDEX outbox_waiting ON outbox (due_at) WHERE sent_at IS NULL AND failed_at IS NULL;
DROP INDEX outbox_by_due;
