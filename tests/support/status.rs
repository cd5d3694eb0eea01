//! The status lists, read as an outsider does.

use std::io::Read;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::client::claims;
use super::jwt::verified;
use super::{TestApp, TokenAnswer};

/// What acts on the same node acts within this, and the time it takes to ask.
const SAME_NODE: Duration = Duration::from_millis(1_500);

/// Where a token says that its status stands.
pub fn place(token: &str) -> (String, usize) {
    let status = &claims(token)["status"]["status_list"];
    let index = status["idx"].as_u64().unwrap_or_else(|| panic!("no place in {}", claims(token)));
    (status["uri"].as_str().expect("an address").to_owned(), usize::try_from(index).expect("small"))
}

/// The list at this address, as this node serves it.
pub async fn list(node: &TestApp, uri: &str) -> TokenAnswer {
    let path = uri.strip_prefix(&node.issuer).expect("it is one of this issuer's");
    TokenAnswer::of(node.http.get(node.url(path)).send().await.expect("the server answers")).await
}

/// Whether the token's bit is set in the list that this node serves now.
pub async fn is_listed(node: &TestApp, token: &str) -> bool {
    let (uri, index) = place(token);
    let answer = list(node, &uri).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let Value::String(jwt) = &answer.body else { panic!("a list is text: {answer:?}") };
    let (header, claims) = verified(node, jwt).await;
    assert_eq!((&header["typ"], &claims["sub"]), (&"statuslist+jwt".into(), &uri.into()));
    bits(&claims)[index / 8] >> (index % 8) & 1 == 1
}

/// The bits of a list.
pub fn bits(claims: &Value) -> Vec<u8> {
    assert_eq!(claims["status_list"]["bits"], 1);
    let packed = claims["status_list"]["lst"].as_str().expect("text");
    let packed = BASE64_URL_SAFE_NO_PAD.decode(packed).expect("base64url");
    let mut bits = Vec::new();
    flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut bits).expect("ZLIB");
    bits
}

/// Waits until the node lists the token, within the time that is promised for the node where it happened.
#[track_caller]
pub fn listed_soon(node: &TestApp, token: &str) -> impl Future<Output = ()> {
    let from = std::panic::Location::caller();
    async move {
        let began = Instant::now();
        while !is_listed(node, token).await {
            assert!(began.elapsed() < SAME_NODE, "{from}: it is not listed");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
