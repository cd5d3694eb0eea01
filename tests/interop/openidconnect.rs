//! The `openidconnect` crate, with an HTTP client of the test's own.

use std::future::Future;
use std::pin::Pin;

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpClientError, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, Scope,
    TokenResponse,
};
use serde_json::json;

use super::start;
use crate::on_both_databases;
use crate::support::{Flow, TestClient};

type Answer = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpClientError<reqwest::Error>>> + Send>>;

on_both_databases! {
    async fn the_openidconnect_crate_signs_a_person_in(database) {
        let app = start(database).await;
        let ada = app.user("ada").await.to_string();
        for alg in ["RS256", "ES256", "EdDSA"] {
            let registered = TestClient::register(&app, &format!("crate-{}", alg.to_lowercase()), |registration| {
                registration.metadata.insert("id_token_signed_response_alg".to_owned(), json!(alg));
            })
            .await;
            let http = http(&app.http);

            let issuer = IssuerUrl::new(app.issuer.clone()).expect("an issuer");
            let metadata = CoreProviderMetadata::discover_async(issuer, &http).await.expect("discovery");
            let secret = registered.secret.clone().map(ClientSecret::new);
            let redirect = RedirectUrl::new(registered.redirect_uri.clone()).expect("an address");
            let client =
                CoreClient::from_provider_metadata(metadata, ClientId::new(registered.client_id.clone()), secret)
                    .set_redirect_uri(redirect);

            let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
            let (url, state, nonce) = client
                .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
                .add_scopes(["email", "offline_access"].map(|scope| Scope::new(scope.to_owned())))
                .set_pkce_challenge(challenge)
                .url();
            let flow = Flow {
                parameters: url.query_pairs().into_owned().collect(),
                verifier: verifier.secret().clone(),
                state: state.secret().clone(),
                nonce: nonce.secret().clone(),
            };
            let page = registered.visit(&mut app.browser(), &flow, "ada").await;
            let answer = page.query();
            assert_eq!(answer["state"], *state.secret());

            let tokens = client
                .exchange_code(AuthorizationCode::new(answer["code"].clone()))
                .expect("a token endpoint")
                .set_pkce_verifier(verifier)
                .request_async(&http)
                .await
                .expect("tokens");
            let wanted: CoreJwsSigningAlgorithm = serde_json::from_value(json!(alg)).expect("an algorithm");
            let id_token_verifier = client.id_token_verifier().set_allowed_algs([wanted]);
            let id_token = tokens.id_token().expect("an ID token");
            let claims = id_token.claims(&id_token_verifier, &nonce).expect("a good ID token");
            assert_eq!(claims.subject().as_str(), ada);
            if let Some(expected) = claims.access_token_hash() {
                let signing_key = id_token.signing_key(&id_token_verifier).expect("a known key");
                let signing_alg = id_token.signing_alg().expect("an algorithm");
                let actual = AccessTokenHash::from_token(tokens.access_token(), signing_alg, signing_key);
                assert_eq!(actual.expect("a hash"), *expected);
            }
            let foreign = Nonce::new("another".to_owned());
            assert!(id_token.claims(&id_token_verifier, &foreign).is_err());

            let userinfo: CoreUserInfoClaims = client
                .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
                .expect("a userinfo endpoint")
                .request_async(&http)
                .await
                .expect("userinfo");
            assert_eq!(userinfo.email().expect("an address").as_str(), "ada@example.com");

            let refreshed = client
                .exchange_refresh_token(tokens.refresh_token().expect("a refresh token"))
                .expect("a token endpoint")
                .request_async(&http)
                .await
                .expect("new tokens");
            assert_ne!(refreshed.access_token().secret(), tokens.access_token().secret());
            assert_ne!(
                refreshed.refresh_token().expect("a refresh token").secret(),
                tokens.refresh_token().expect("a refresh token").secret()
            );
            // OpenID Connect Core §12.2: the same person, and no nonce is needed.
            let again = refreshed.id_token().expect("an ID token");
            let again = again.claims(&id_token_verifier, |_: Option<&Nonce>| Ok(())).expect("a good ID token");
            assert_eq!((again.subject(), again.auth_time()), (claims.subject(), claims.auth_time()));
        }
    }
}

/// Carries the crate's requests, as any application's own HTTP client would.
fn http(client: &reqwest::Client) -> impl Fn(HttpRequest) -> Answer {
    let client = client.clone();
    move |request| {
        let client = client.clone();
        Box::pin(async move {
            let failed = |error| HttpClientError::Reqwest(Box::new(error));
            let request = reqwest::Request::try_from(request).map_err(failed)?;
            let response = client.execute(request).await.map_err(failed)?;
            let mut answer = openidconnect::http::Response::builder().status(response.status());
            for (name, value) in response.headers() {
                answer = answer.header(name, value);
            }
            let body = response.bytes().await.map_err(failed)?.to_vec();
            answer.body(body).map_err(HttpClientError::Http)
        })
    }
}
