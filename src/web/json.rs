//! How JSON bodies are read: within a time, a length and a depth, before anything looks at what they say (HL-1).

use std::time::Duration;

use actix_web::dev::Payload;
use futures_util::StreamExt;

use super::fault::{Fault, Refused};

/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(15);

/// JSON nested deeper is not looked at.
const DEEPEST: usize = 32;

/// The whole body, also of a call that does not look at it.
pub async fn collect(mut payload: Payload, limit: usize) -> Result<Vec<u8>, Refused> {
    let reading = async {
        let mut body = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Fault::InvalidRequest)?;
            if body.len() + chunk.len() > limit {
                return Err(Fault::BodyTooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    let read = tokio::time::timeout(BODY_TIME, reading).await.unwrap_or(Err(Fault::RequestTimeout));
    read.map_err(Refused::from)
}

/// Whether brackets are nested too deeply.
pub fn is_too_deep(json: &[u8]) -> bool {
    depth(json) > DEEPEST
}

/// How deeply brackets are nested outside of texts, before anything is read.
fn depth(json: &[u8]) -> usize {
    let (mut now, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !in_text => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
