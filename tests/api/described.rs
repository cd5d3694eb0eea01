//! What the API says of itself is true: each status that happens is described, and Schemathesis finds no difference.

use countersign::config::Limits;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::Api;
use crate::on_both_databases;
use crate::support::{Database, Settings, python};

const BASE: &str = "/api/v1";

/// The same from every server, save for its address.
static DESCRIPTION: OnceCell<Value> = OnceCell::const_new();

/// Panics if this operation is described without this status.
pub async fn check(client: &reqwest::Client, method: &Method, url: &Url, status: u16) {
    let told = DESCRIPTION.get_or_init(async || {
        let url = url.join("/api/v1/openapi.json").expect("an address");
        client.get(url).send().await.expect("an answer").json().await.expect("JSON")
    });
    let path = url.path().strip_prefix(BASE).expect("a path of the API");
    let fits = |template: &str| {
        let parts = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
        let (template, path) = (parts(template), parts(path));
        let same = |(a, b): (&String, &String)| a == b || a.starts_with('{');
        template.len() == path.len() && template.iter().zip(&path).all(same)
    };
    let paths = told.await["paths"].as_object().expect("paths");
    // `/invitations/accept` is no organisation's.
    let Some((template, operations)) = paths.iter().find(|(template, _)| fits(template)) else { return };
    let Some(operation) = operations.get(method.as_str().to_ascii_lowercase()) else {
        assert!(
            [204, 405, 414].contains(&status),
            "{method} {template} is not described, and answers {status}"
        );
        return;
    };
    let described = &operation["responses"][status.to_string()];
    assert!(described.is_object(), "{method} {template} does not say that it may answer {status}");
}

/// A server with an organisation in which `ada` administers and `mia` is a member.
async fn start(database: Database) -> (Api, Value, String) {
    // Limits would end a run early.
    let settings = Settings::with(|config| config.limits = Limits::lifted());
    let api = Api::start_with(database, settings).await;
    let acme = api.app.organisation("acme").await;
    let (ada, mia) = (api.app.user("ada").await, api.app.user("mia").await);
    api.app.member(&acme, ada, &["admin"]).await;
    api.app.member(&acme, mia, &["member"]).await;
    let path = json!({ "organization": acme.id, "user": mia, "role": "scribe", "provider": "google" });
    let scopes =
        ["org:read", "org:write", "members:read", "members:write", "roles:write", "workspaces:write"];
    let key = api.key(&acme, &scopes).await;
    (api, path, key)
}

async fn compare(api: &Api, mut job: Value, more: Value) {
    job["url"] = json!(api.app.url("/api/v1/openapi.json"));
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let report = python("described.py", &job).await;
    assert_eq!(report["code"], 0, "{}", report["output"].as_str().unwrap());
    assert!(report["output"].as_str().unwrap().contains("No issues found"), "{}", report["output"]);
}

/// What ends the token that everything else is asked with, or forbids everybody to sign in.
const LEAVING: &str = "signOut|switch|endSession|changePassword|changeOrganization";

on_both_databases! {
    async fn what_is_described_for_anybody_is_true(database) {
        let (api, path, _) = start(database).await;
        let only = "signIn|refresh|signOut|forgotPassword|resetPassword|askForLink|redeemLink|signInUpstream";
        compare(&api, json!({ "examples": 8, "only": only }), json!({ "path": path })).await;
    }

    async fn what_is_described_for_people_is_true(database) {
        let (api, path, _) = start(database).await;
        let token = api.sign_in("ada").await.text("/access_token");
        let anybody = "signIn|refresh|forgotPassword|resetPassword|askForLink|redeemLink|signInUpstream";
        // A new organisation could be named by a header that was made up before.
        let without = format!("{LEAVING}|{anybody}|newOrganization");
        compare(&api, json!({ "examples": 4, "without": without }), json!({ "path": path, "token": token })).await;
        let token = api.sign_in("ada").await.text("/access_token");
        let job = json!({ "examples": 4, "only": "newOrganization", "stateful": false });
        compare(&api, job, json!({ "path": path, "token": token })).await;
    }

    async fn what_is_described_for_machines_is_true(database) {
        let (api, path, key) = start(database).await;
        let only = "organization|workspaces|newWorkspace|members?|setRoles|.*Member|roles|.*Role|invitations|invite|uninvite|apiKeys|.*ApiKey";
        compare(&api, json!({ "examples": 5, "only": only }), json!({ "path": path, "key": key })).await;
    }

    async fn what_is_described_of_leaving_is_true(database) {
        let (api, path, _) = start(database).await;
        for only in LEAVING.split('|') {
            let token = api.sign_in("ada").await.text("/access_token");
            let job = json!({ "examples": 4, "only": only, "stateful": false });
            compare(&api, job, json!({ "path": path, "token": token })).await;
        }
    }
}
