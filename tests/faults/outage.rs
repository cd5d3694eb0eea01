//! The database goes away, or does not answer, and comes back (CR-3).

use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::header::COOKIE;

use crate::support::{
    Flow, PrivatePostgres, Settings, TestApp, TestClient, TestDatabase, TokenAnswer, Tokens,
};

/// An instance in use.
struct Scene {
    app: TestApp,
    client: TestClient,
    tokens: Tokens,
    /// Its refresh token is only ever revoked.
    other: Tokens,
    flow: Flow,
    code: String,
    cookies: String,
}

type Ask<'a> = Pin<Box<dyn Future<Output = (&'static str, Duration, TokenAnswer)> + Send + 'a>>;

fn timed<'a>(name: &'static str, ask: impl Future<Output = TokenAnswer> + Send + 'a) -> Ask<'a> {
    Box::pin(async move {
        let began = Instant::now();
        let answer = ask.await;
        (name, began.elapsed(), answer)
    })
}

impl Scene {
    async fn set(postgres: &PrivatePostgres) -> Self {
        let settings =
            Settings::with(|config| config.lifetimes.refresh_grace = Duration::from_secs(60)).real_time();
        let app = TestApp::serve(TestDatabase::at(&postgres.url()), settings).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let tokens = client.sign_in(&mut browser, "ada", "openid offline_access").await;
        let other = client.sign_in(&mut browser, "ada", "openid offline_access").await;
        let flow = client.flow("openid");
        let code = client.authorize(&mut browser, &flow, "ada").await;
        let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Self { app, client, tokens, other, flow, code, cookies: cookies.join("; ") }
    }

    async fn get(&self, path: &str, cookies: &str) -> TokenAnswer {
        let request = self.app.http.get(self.app.url(path)).header(COOKIE, cookies);
        TokenAnswer::of(request.send().await.expect("the server answers")).await
    }

    /// Everything that needs the database, many at a time.
    async fn ask_for_everything(&self) -> Vec<(&'static str, Duration, TokenAnswer)> {
        let parameters: Vec<(&str, &str)> =
            self.flow.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let authorize = self.flow.path();
        let mut asks: Vec<Ask> = Vec::new();
        for _ in 0..6 {
            asks.extend([
                timed("refresh", self.client.refresh(self.tokens.refresh_token())),
                timed("redeem", self.client.redeem(&self.flow, &self.code)),
                timed("introspect", async {
                    self.client.call("/oauth2/introspect", &[("token", &self.tokens.access_token)]).await
                }),
                timed("userinfo", self.client.userinfo(&self.tokens.access_token)),
                timed("revoke", async {
                    self.client.call("/oauth2/revoke", &[("token", self.other.refresh_token())]).await
                }),
                timed("push", self.client.call("/oauth2/par", &parameters)),
                timed("authorize", self.get(&authorize, "")),
                timed("authorize, signed in", self.get(&authorize, &self.cookies)),
                timed("account", self.get("/account", &self.cookies)),
            ]);
        }
        join_all(asks).await
    }

    /// What is answered from memory.
    async fn expect_memory(&self) {
        for path in [
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
            "/.well-known/jwks.json",
            "/livez",
        ] {
            let began = Instant::now();
            assert_eq!(self.get(path, "").await.status, 200, "{path}");
            assert!(began.elapsed() < Duration::from_millis(500), "{path} took {:?}", began.elapsed());
        }
    }

    async fn expect_outage(&self) {
        let (answers, ()) = tokio::join!(self.ask_for_everything(), self.expect_memory());
        for (name, took, answer) in &answers {
            assert_eq!(answer.status, 503, "{name}: {}", answer.body);
            assert!(!answer.header("retry-after").is_empty(), "{name}");
            assert!(*took < Duration::from_millis(3_300), "{name} took {took:?}");
            let body = answer.body.to_string();
            for denial in [
                "invalid_grant",
                "invalid_client",
                "invalid_token",
                "\"active\"",
                "access_denied",
                "postgres",
            ] {
                assert!(!body.contains(denial), "{name}: {body}");
            }
        }
        assert_eq!(self.get("/readyz", "").await.status, 503);
    }

    /// Works again, and soon: what was good before is good still.
    async fn expect_recovery(&self) {
        let began = Instant::now();
        while self.client.refresh(self.tokens.refresh_token()).await.status != 200 {
            assert!(began.elapsed() < Duration::from_secs(5), "it does not recover");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(self.client.introspect(&self.tokens.access_token).await["active"], true);
        assert_eq!(self.client.userinfo(&self.tokens.access_token).await.status, 200);
        assert_eq!(self.get("/account", &self.cookies).await.status, 200);
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        assert_eq!(self.get("/readyz", "").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cr_3_while_the_database_is_away_nobody_is_denied_anything() {
    let mut postgres = PrivatePostgres::start();
    let scene = Scene::set(&postgres).await;

    postgres.stop();
    scene.expect_outage().await;
    // A second wave finds no connection that could still be alive.
    scene.expect_outage().await;
    postgres.start_again();
    scene.expect_recovery().await;
    assert_eq!(
        scene.client.introspect(&scene.other.access_token).await["active"],
        true,
        "503 was not a revocation"
    );

    postgres.freeze();
    scene.expect_outage().await;
    postgres.thaw();
    scene.expect_recovery().await;

    // A restart that no request noticed leaves stale connections; nobody sees an error for them.
    postgres.stop();
    postgres.start_again();
    let answers = scene.ask_for_everything().await;
    for (name, _, answer) in answers.iter().filter(|(name, ..)| *name != "redeem") {
        assert!(answer.status < 500, "{name}: {} {}", answer.status, answer.body);
    }
}
