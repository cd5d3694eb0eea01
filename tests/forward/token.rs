//! The token that a back end gets in place of the credential.

use super::*;
use crate::support::{status::listed_soon, verified};

const FRESH: &str = "token=1&audience=https://api.example.com/";

/// The token in the answer, verified by the JWKS.
async fn given(world: &World, answer: &TokenAnswer) -> (String, Value) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let token = answer.header("authorization").strip_prefix("Bearer ").expect("a bearer token").to_owned();
    let (header, claims) = verified(&world.app, &token).await;
    assert_eq!((&header["typ"], &claims["aud"]), (&json!("at+jwt"), &json!(API)));
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert!((1..=60).contains(&life), "{life}");
    (token, claims)
}

on_both_databases! {
    async fn a_token_is_narrowed_to_the_api_and_ends_with_its_grant(database) {
        let world = ready(database).await;
        let token = world.access_token("openid email events:read").await;
        let (fresh, claims) = given(&world, &world.with_token(FRESH, &token).await).await;
        assert_ne!(fresh, token);
        assert_eq!((text(&claims["sub"]), text(&claims["scope"])), (world.ada.to_string().as_str(), "events:read"));
        assert_eq!((&claims["org"], &claims["roles"]), (&json!(world.acme.id), &json!(["manager"])));
        assert_eq!(world.with_token("scope=events:read", &fresh).await.status, 200);
        expect(&world.with_token("", &fresh).await, 401, "invalid_token");
        // What was presented is not for it.
        let only = world.access_token("openid").await;
        expect(&world.with_token(FRESH, &only).await, 401, "invalid_token");
        // Never longer than what it was made for, however often it is passed on.
        world.app.advance(Duration::from_secs(30));
        let (_, again) = given(&world, &world.with_token(FRESH, &fresh).await).await;
        assert_eq!(again["exp"], claims["exp"]);

        let ada = world.ada;
        let now = world.app.clock.now();
        world.app.app.db.write(move |db| store::grants::revoke_of_user(db, ada, now)).await.unwrap();
        expect(&world.with_token("scope=events:read", &fresh).await, 401, "invalid_token");
        // An API that verifies offline learns it as well.
        listed_soon(&world.app, &fresh).await;
    }

    async fn a_key_gives_a_token_of_its_machine(database) {
        let world = ready(database).await;
        let (fresh, claims) = given(&world, &world.with_key(FRESH).await).await;
        assert_eq!((text(&claims["scope"]), &claims["api_key"]), ("events:read", &json!(world.key_id)));
        assert_eq!(claims["org"], json!(world.acme.id));
        let (_, again) = given(&world, &world.with_token(FRESH, &fresh).await).await;
        assert_eq!(again["sub"], claims["sub"]);
        let (operator, origin) = (Actor::Operator, Origin::command_line());
        manage::revoke(&world.app.app, operator, world.acme.id, world.key_id, &origin).await.unwrap();
        expect(&world.with_token("scope=events:read", &fresh).await, 401, "invalid_token");
    }

    async fn te_9_a_client_gives_a_token_of_its_own(database) {
        let world = ready(database).await;
        let machine = TestClient::register(&world.app, "batch", |terms| {
            terms.set("grant_types", json!(["client_credentials"]));
            terms.set("redirect_uris", json!([]));
            terms.set("scope", "events:write");
        })
        .await;
        let token = machine.token(&[("grant_type", "client_credentials")]).await.expect_tokens().access_token;
        let (_, claims) = given(&world, &world.with_token(FRESH, &token).await).await;
        assert_eq!((text(&claims["sub"]), text(&claims["scope"])), (machine.client_id.as_str(), "events:write"));
        let answer = world.with_token("scope=events:write", &token).await;
        assert_eq!((answer.status, answer.header("x-auth-user")), (200, machine.client_id.as_str()));
        expect(&world.with_token("organization=acme&scope=events:write", &token).await, 403, "access_denied");
    }

    async fn a_browser_gives_a_token_by_the_client_that_is_named(database) {
        let world = ready(database).await;
        let other = world.app.client("foreign").await;
        expect(&world.with_cookie(FRESH).await, 400, "invalid_request");
        for client in ["nobody", other.client_id.as_str()] {
            expect(&world.with_cookie(&format!("{FRESH}&client={client}")).await, 400, "invalid_request");
        }
        let client = &world.client.client_id;
        let unknown = format!("token=1&audience=https://other.example.com/&client={client}");
        expect(&world.with_cookie(&unknown).await, 400, "invalid_request");

        let demands = format!("{FRESH}&client={client}&role=manager");
        let (fresh, claims) = given(&world, &world.with_cookie(&demands).await).await;
        assert_eq!((&claims["client_id"], &claims["org"]), (&json!(client), &json!(world.acme.id)));
        assert!(claims.get("scope").is_none());
        let (_, again) = given(&world, &world.with_cookie(&demands).await).await;
        assert_eq!(again["gid"], claims["gid"], "one grant for one session");
        assert_eq!(world.with_token(&format!("audience={API}"), &fresh).await.status, 200);

        let (ada, now) = (world.ada, world.app.clock.now());
        world.app.app.db.write(move |db| {
            for session in store::sessions::list_for_user(db, ada, now)? {
                store::sessions::end(db, session.id, now)?;
            }
            Ok(())
        }).await.unwrap();
        expect(&world.with_token(&format!("audience={API}"), &fresh).await, 401, "invalid_token");
        expect(&world.with_cookie(&demands).await, 401, "login_required");
    }
}
