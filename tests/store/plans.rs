//! Every look-up of the hot paths and of the sweep uses an index, on both databases.

use super::{Store, explain_postgres, explain_sqlite, texts};
use crate::on_both_databases;
use crate::support::Database;

/// Queries as diesel writes them, with values in place of parameters: `X` is 16 bytes.
const QUERIES: &[&str] = &[
    "SELECT * FROM codes WHERE digest = X",
    "UPDATE codes SET redeemed_at = 1 WHERE digest = X AND redeemed_at IS NULL AND expires_at > 5",
    "SELECT * FROM refresh_tokens WHERE digest = X",
    "UPDATE refresh_tokens SET consumed_at = 1 WHERE digest = X AND consumed_at IS NULL AND expires_at > 5",
    "SELECT * FROM pushed_requests WHERE digest = X AND client_id = X AND consumed_at IS NULL AND expires_at > 5",
    "SELECT * FROM authorization_requests WHERE id = X",
    "UPDATE authorization_requests SET completed_at = 1 WHERE id = X AND completed_at IS NULL AND expires_at > 5",
    "SELECT * FROM grants WHERE id = X",
    "UPDATE grants SET revoked_at = 1 WHERE session_id = X AND offline = FALSE AND revoked_at IS NULL",
    "UPDATE grants SET revoked_at = 1 WHERE user_id = X AND revoked_at IS NULL",
    "UPDATE grants SET revoked_at = 1 WHERE user_id = X AND client_id = X AND revoked_at IS NULL",
    "SELECT * FROM sessions WHERE secret_digest = X",
    "SELECT * FROM sessions WHERE id = X",
    "SELECT id FROM sessions WHERE user_id = X AND ended_at IS NULL",
    "SELECT method FROM session_methods WHERE session_id = X ORDER BY proven_at",
    "SELECT * FROM one_time_links WHERE digest = X AND purpose = 'setup' AND consumed_at IS NULL",
    "UPDATE one_time_links SET consumed_at = 1 WHERE purpose = 'invite' AND consumed_at IS NULL AND email = 'a'",
    "UPDATE one_time_links SET consumed_at = 1 WHERE purpose = 'invite' AND consumed_at IS NULL AND user_id = X",
    "SELECT jti FROM revocations WHERE jti = 'a'",
    "UPDATE status_indices SET revoked_at = 1 WHERE owner = X AND revoked_at IS NULL AND expires_at > 5",
    "UPDATE status_indices SET revoked_at = 1 WHERE owner IN (SELECT id FROM grants WHERE user_id = X) AND revoked_at IS NULL",
    "UPDATE status_indices SET revoked_at = 1 WHERE owner IN (SELECT id FROM api_keys WHERE created_by = X) AND revoked_at IS NULL",
    "SELECT * FROM api_keys WHERE digest = X",
    "SELECT * FROM api_keys WHERE organisation_id = X AND id = X",
    "SELECT * FROM api_keys WHERE organisation_id = X ORDER BY id LIMIT 500",
    "SELECT scope FROM api_key_scopes WHERE key_id = X",
    "DELETE FROM api_keys WHERE created_by = X",
    "DELETE FROM api_keys WHERE organisation_id = X AND workspace_id = X",
    "SELECT place FROM status_indices WHERE revoked_at > 5",
    "SELECT place FROM status_indices WHERE revoked_at IS NOT NULL AND expires_at > 5",
    "SELECT place FROM status_indices ORDER BY place DESC LIMIT 1",
    "SELECT * FROM replays WHERE digest = X",
    "SELECT * FROM rate_limits WHERE bucket = X",
    "SELECT item FROM consents WHERE user_id = X AND client_id = X",
    "SELECT * FROM users WHERE username = 'a'",
    "SELECT * FROM emails INNER JOIN users ON users.id = emails.user_id WHERE folded = 'a'",
    "SELECT * FROM emails WHERE user_id = X",
    "SELECT phc FROM password_credentials WHERE user_id = X",
    "SELECT name, value FROM user_claims WHERE user_id = X",
    "SELECT * FROM clients WHERE client_id = 'a'",
    "SELECT kind, value FROM client_values WHERE client_id = X",
    "SELECT * FROM client_secrets WHERE client_id = X",
    "SELECT * FROM outbox WHERE due_at <= 5 AND sent_at IS NULL AND failed_at IS NULL ORDER BY attempts, due_at, id LIMIT 10",
    "SELECT * FROM audit_events WHERE seq IS NULL ORDER BY at, id LIMIT 1",
    "SELECT seq, chain FROM audit_events WHERE seq > 0 ORDER BY seq DESC LIMIT 1",
    "SELECT * FROM audit_events WHERE seq > 5 ORDER BY seq LIMIT 500",
    "SELECT * FROM audit_checkpoints ORDER BY seq DESC LIMIT 1",
    "SELECT * FROM outbox ORDER BY created_at DESC, id DESC LIMIT 10",
    "SELECT * FROM audit_events ORDER BY at DESC, id DESC LIMIT 10",
    "SELECT * FROM audit_events WHERE user_id = X AND at > 5 AND action IN ('a', 'b') ORDER BY at DESC, id DESC LIMIT 10",
    "UPDATE emails SET is_primary = TRUE WHERE folded = 'a' AND user_id = X AND verified_at IS NOT NULL",
    "DELETE FROM leases WHERE name = 'sweep' AND holder = 'a'",
    "SELECT * FROM organisations WHERE slug = 'acme'",
    "SELECT * FROM workspaces WHERE organisation_id = X AND slug = 'default'",
    "SELECT * FROM workspaces WHERE organisation_id = X AND is_default",
    "SELECT * FROM roles WHERE organisation_id = X AND key = 'admin'",
    "SELECT * FROM memberships WHERE user_id = X",
    "SELECT * FROM memberships WHERE organisation_id = X AND user_id = X",
    "SELECT * FROM memberships WHERE organisation_id = X ORDER BY id LIMIT 100",
    "SELECT * FROM membership_roles WHERE organisation_id = X AND membership_id = X",
    "SELECT * FROM membership_roles WHERE role_id = X",
    "SELECT * FROM invitations WHERE digest = X",
    "SELECT * FROM organisation_domains WHERE domain = 'example.com' AND verified_at IS NOT NULL",
    "SELECT * FROM organisation_domains WHERE organisation_id = X",
    "SELECT * FROM organisation_branding WHERE organisation_id = X",
    "SELECT * FROM organisations ORDER BY id DESC LIMIT 51",
    "SELECT * FROM memberships INNER JOIN users ON users.id = memberships.user_id WHERE organisation_id = X ORDER BY memberships.id LIMIT 51",
    "SELECT * FROM invitations WHERE organisation_id = X ORDER BY id DESC LIMIT 51",
    "SELECT * FROM api_keys WHERE organisation_id = X ORDER BY id DESC LIMIT 51",
    "SELECT membership_id FROM membership_roles WHERE organisation_id = X AND workspace_id = X",
    "SELECT * FROM invitations WHERE organisation_id = X",
    "SELECT * FROM audit_events WHERE organisation_id = X ORDER BY at LIMIT 10",
    "SELECT * FROM refusals WHERE reference = 'a' AND expires_at > 5",
    "SELECT * FROM refusals WHERE expires_at > 5 ORDER BY at DESC, reference DESC LIMIT 50",
    "SELECT * FROM refusals WHERE kind = 'token' AND at < 5 ORDER BY at DESC, reference DESC LIMIT 50",
    "SELECT * FROM refusals WHERE client_id = X AND at < 5 ORDER BY at DESC, reference DESC LIMIT 50",
    "SELECT * FROM refusals WHERE user_id = X AND at < 5 ORDER BY at DESC, reference DESC LIMIT 50",
    "SELECT * FROM refusals WHERE organisation_id = X AND at < 5 ORDER BY at DESC, reference DESC LIMIT 50",
    "SELECT * FROM audit_events WHERE request_id = 'a' ORDER BY at DESC, id DESC LIMIT 50",
    "SELECT * FROM audit_events WHERE action = 'a' AND at > 5 ORDER BY at DESC LIMIT 50",
    "SELECT * FROM audit_events WHERE outcome = 'denied' ORDER BY at DESC, id DESC LIMIT 51",
    "SELECT * FROM outbox WHERE failed_at IS NOT NULL ORDER BY id DESC LIMIT 51",
    "SELECT * FROM outbox WHERE sent_at IS NULL AND failed_at IS NULL ORDER BY id DESC LIMIT 51",
    "SELECT * FROM sessions WHERE ended_at IS NULL AND expires_at > 5 ORDER BY id DESC LIMIT 51",
    "SELECT * FROM grants WHERE revoked_at IS NULL AND expires_at > 5 ORDER BY id DESC LIMIT 51",
    "SELECT kind, hour, label, amount FROM usage_counts WHERE kind = 'sign_in' AND hour >= 5 AND hour < 9",
    "SELECT client_id, label, amount FROM usage_counts WHERE kind = 'token' AND hour >= 5 AND hour < 9",
    // The sweep.
    "SELECT reference FROM refusals WHERE expires_at < 5 ORDER BY expires_at LIMIT 500",
    "SELECT hour FROM usage_counts WHERE hour < 5 ORDER BY hour LIMIT 500",
    "SELECT digest FROM codes WHERE expires_at < 5 ORDER BY expires_at LIMIT 500",
    "SELECT digest FROM refresh_tokens WHERE expires_at < 5 ORDER BY expires_at LIMIT 500",
    "SELECT id FROM grants WHERE expires_at < 5 ORDER BY expires_at LIMIT 500",
    "SELECT id FROM authorization_requests WHERE expires_at < 5 ORDER BY expires_at LIMIT 500",
    "SELECT digest FROM pushed_requests WHERE expires_at < 5 ORDER BY expires_at LIMIT 500",
    "SELECT id FROM sessions WHERE expires_at < 5 ORDER BY expires_at LIMIT 500",
    "SELECT digest FROM one_time_links WHERE expires_at < 5 ORDER BY expires_at LIMIT 500",
    "SELECT jti FROM revocations WHERE expires_at < 5 ORDER BY expires_at LIMIT 500",
    "SELECT place FROM status_indices WHERE expires_at < 5 ORDER BY expires_at LIMIT 500",
    "SELECT digest FROM replays WHERE expires_at < 5 ORDER BY expires_at LIMIT 500",
    "SELECT bucket FROM rate_limits WHERE resets_at < 5 ORDER BY resets_at LIMIT 500",
    "SELECT id FROM outbox WHERE created_at < 5 ORDER BY created_at LIMIT 500",
    // What a removal looks for in the tables that name what is removed.
    "DELETE FROM codes WHERE grant_id = X",
    "DELETE FROM refresh_tokens WHERE grant_id = X",
    "DELETE FROM consents WHERE client_id = X",
    "DELETE FROM authorization_requests WHERE client_id = X",
    "UPDATE authorization_requests SET session_id = NULL WHERE session_id = X",
    "DELETE FROM pushed_requests WHERE client_id = X",
    "DELETE FROM one_time_links WHERE user_id = X",
    "DELETE FROM grants WHERE client_id = X",
    "DELETE FROM grants WHERE organisation_id = X",
    "UPDATE authorization_requests SET organisation_id = NULL WHERE organisation_id = X",
    "DELETE FROM membership_roles WHERE organisation_id = X AND workspace_id = X",
    "DELETE FROM invitations WHERE organisation_id = X AND workspace_id = X",
    "UPDATE invitations SET invited_by = NULL WHERE invited_by = X",
    "DELETE FROM invitation_roles WHERE role_id = X",
    "DELETE FROM providers WHERE organisation_id = X",
    "UPDATE organisation_domains SET provider_id = NULL WHERE provider_id = 'x'",
];

on_both_databases! {
    async fn no_look_up_scans_a_table(database) {
        let store = Store::open(database).await;
        let scans = store.read(move |db| {
            let mut scans = Vec::new();
            for query in QUERIES {
                let plan = match database {
                    Database::Sqlite => {
                        let query = query.replace("= X", "= zeroblob(16)");
                        explain_sqlite(db, &query)?
                    }
                    Database::Postgres => {
                        // A small table is rightly read whole; what counts is whether another way exists.
                        texts(db, "SELECT set_config('enable_seqscan', 'off', true) AS text")?;
                        let query = query.replace("= X", r"= '\x00'::bytea");
                        explain_postgres(db, &query)?
                    }
                };
                let reads_all = plan.iter().any(|line| line.contains("Seq Scan") || is_full_scan(line));
                let sorts = plan.iter().any(|line| line.contains("USE TEMP B-TREE FOR ORDER BY") && query.contains("expires_at LIMIT"));
                if reads_all || sorts {
                    scans.push(format!("{query}: {}", plan.join(" / ")));
                }
            }
            Ok(scans)
        }).await;
        assert!(scans.is_empty(), "{}", scans.join("\n"));
    }
}

/// `SCAN outbox` reads a table; `SCAN outbox USING INDEX …` follows an index for its order.
fn is_full_scan(line: &str) -> bool {
    line.starts_with("SCAN ") && !line.contains("USING")
}
