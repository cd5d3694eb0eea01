//! Clients that others wrote, in three ecosystems, against a running server in real time: what they accept is what
//! applications will get along with.

mod code_flow;
mod machine;
mod offline;
mod openidconnect;
mod revoked;
mod snippets;

use countersign::audit::Origin;
use countersign::model::SigningAlg;
use countersign::tenancy::resources::{self, NewResource};
use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use serde_json::Value;

use crate::support::{Database, Dialogue, Settings, TestApp, node, python};

/// The API that tokens are asked for with a resource indicator.
const API: &str = "https://api.example.org/calendar";

/// Which ecosystem's clients act.
#[derive(Clone, Copy, Debug)]
enum Ecosystem {
    Node,
    Python,
}

const ECOSYSTEMS: [Ecosystem; 2] = [Ecosystem::Node, Ecosystem::Python];

impl Ecosystem {
    /// Lets the client of this name do its job.
    async fn run(self, script: &str, job: &Value) -> Value {
        match self {
            Self::Node => node(&format!("{script}.mjs"), job).await,
            Self::Python => python(&format!("{script}.py"), job).await,
        }
    }

    /// The same, where a refusal is the test's failure.
    async fn expect(self, script: &str, job: &Value) -> Value {
        let report = self.run(script, job).await;
        assert_eq!(report["ok"], true, "{self:?} {job}: {report:#}");
        report
    }

    /// A verifier that lives on between two tokens.
    fn verifier(self) -> Dialogue {
        match self {
            Self::Node => Dialogue::node("verify_jwt.mjs"),
            Self::Python => Dialogue::python("verify_jwt.py"),
        }
    }
}

/// A server whose clock goes as the clients' own do, with an API.
async fn start(database: Database) -> TestApp {
    start_with(database, Settings::default()).await
}

async fn start_with(database: Database, settings: Settings) -> TestApp {
    let app = TestApp::start_with(database, settings.real_time()).await;
    let api = NewResource {
        identifier: API.to_owned(),
        name: "Calendar".to_owned(),
        scopes: [("calendar.read".to_owned(), "Read your calendar".to_owned())].into(),
        access_ttl: None,
    };
    resources::create(&app.app, api, &Origin::command_line()).await.expect("the API is registered");
    app
}

/// A client's own signing key: the private JWK, and the JWKS that is registered.
fn client_key() -> (Value, Value) {
    let pair = EcKeyPair::generate(EcCurve::P256).expect("a key");
    let named = |mut jwk: Jwk| {
        jwk.set_key_id("client-key-1");
        jwk.set_algorithm(SigningAlg::Es256.as_str());
        serde_json::to_value(jwk).expect("a JWK is JSON")
    };
    let public = named(pair.to_jwk_public_key());
    (named(pair.to_jwk_key_pair()), serde_json::json!({ "keys": [public] }))
}
