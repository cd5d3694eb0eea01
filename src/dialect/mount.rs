//! Rules for a dialect's settings that its file and the configuration share.

use std::time::Duration;

use super::model::{RefreshStyle, Tokens};
use crate::config::duration::text;

/// Why these lifetimes make no sense together, each with the setting that is wrong.
pub fn token_problems(tokens: &Tokens) -> Vec<(&'static str, String)> {
    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);
    let mut found = Vec::new();
    for (name, life, most) in [
        ("access_ttl", tokens.access_ttl, DAY),
        ("refresh_ttl", tokens.refresh_ttl, 366 * DAY),
        ("session_ttl", tokens.session_ttl, 366 * DAY),
    ] {
        if life < MINUTE || life > most {
            found.push((name, format!("`{name}` must be 1m to {}", text(most))));
        }
    }
    if tokens.magic_ttl.is_some_and(|life| life < MINUTE || life > 15 * MINUTE) {
        found.push(("magic_ttl", "`magic_ttl` must be 1m to 15m".to_owned()));
    }
    if tokens.access_ttl > tokens.session_ttl {
        let reason = "`access_ttl` must not be longer than `session_ttl`: no token outlives its session";
        found.push(("access_ttl", reason.to_owned()));
    }
    if tokens.refresh == RefreshStyle::Rotating && tokens.refresh_ttl < tokens.access_ttl {
        found.push(("refresh_ttl", "`refresh_ttl` must not be shorter than `access_ttl`".to_owned()));
    }
    found
}
