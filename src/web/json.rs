//! How JSON bodies are read: within a time, a length and a depth, before anything looks at what they say (HL-1).

use std::fmt;
use std::time::Duration;

use actix_web::dev::Payload;
use futures_util::StreamExt;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

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

/// JSON in which no object has a member twice: of two that read such a thing, one may see the first and one the last.
pub fn once_each(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(bytes).map(|Once(value)| value)
}

struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor).map(Self)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Once(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Once(value))) = map.next_entry::<String, Once>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(members))
    }
}
