//! Nothing leaks from one organisation into another: a table of routes, tried by everybody who has no business there.
//!
//! Each route is asked for what belongs to the organisation `victim`, and once more for what does not exist at all.
//! Whoever asks belongs to another organisation only. The two answers must be alike, tell nothing of the victim, and
//! leave it as it was. Who adds a route that reads or changes what an organisation owns adds a line to [`ROUTES`]; who
//! adds a kind of credential adds it to [`intruders`]. The JSON API is tried by what it says of itself, with tokens and with an
//! API key.

use countersign::audit::Origin;
use countersign::model::{EmailAddress, InvitationId, Language, Permission, UserId};
use countersign::store::{self, Conn};
use countersign::tenancy::actor::Actor;
use countersign::tenancy::api_keys::{NewKey, manage};
use countersign::tenancy::invitations::{self, Guest};
use reqwest::Method;
use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::{Browser, PASSWORD, TestApp, TestClient, TestOrganisation, without_references};

/// Something to be asked for. `{org}`, `{slug}`, `{workspace}`, `{member}`, `{invitation}` and `{client}` stand for
/// what belongs to the victim.
struct Route {
    method: Method,
    path: &'static str,
    /// A form; the token of the browser's forms is added.
    form: &'static [(&'static str, &'static str)],
}

const fn get(path: &'static str) -> Route {
    Route { method: Method::GET, path, form: &[] }
}

const fn post(path: &'static str, form: &'static [(&'static str, &'static str)]) -> Route {
    Route { method: Method::POST, path, form }
}

const ROUTES: &[Route] = &[
    get("/oauth2/authorize?{client}&organization={org}"),
    get("/oauth2/authorize?{client}&organization={slug}"),
    get("/oauth2/authorize?{client}&prompt=none&organization={slug}"),
    get("/invitation/{invitation}"),
    post("/invitation/{invitation}", &[("action", "accept")]),
    post(
        "/invitation/{invitation}",
        &[("action", "join"), ("name", "Eve"), ("password", crate::support::PASSWORD)],
    ),
];

/// What belongs to the victim, or looks as if it did.
struct Target {
    words: Vec<(&'static str, String)>,
}

impl Target {
    fn fill(&self, text: &str) -> String {
        self.words
            .iter()
            .fold(text.to_owned(), |text, (name, word)| text.replace(&format!("{{{name}}}"), word))
    }

    /// The answer without the words that were asked with, and without its reference.
    fn blank(&self, text: &str) -> String {
        self.words
            .iter()
            .filter(|(name, _)| *name != "client")
            .fold(without_references(text), |text, (_, word)| text.replace(word, "…"))
    }
}

/// Somebody who belongs elsewhere.
struct Intruder {
    name: &'static str,
    browser: Browser,
}

struct Scene {
    app: TestApp,
    victim: TestOrganisation,
    real: Target,
    made_up: Target,
    intruders: Vec<Intruder>,
}

impl Scene {
    async fn set(app: TestApp) -> Self {
        let (victim, elsewhere) = (app.organisation("victim").await, app.organisation("elsewhere").await);
        let owner = app.user("owner").await;
        app.member(&victim, owner, &["admin"]).await;
        let client = app.client("calendar").await;
        let invitation = invite(&app, &victim).await;
        let made_up = format!("{:032x}", 7);
        let of = |org: String, slug: &str, workspace: String, member: String, invitation: String| Target {
            words: vec![
                ("org", org),
                ("slug", slug.to_owned()),
                ("workspace", workspace),
                ("member", member),
                ("invitation", invitation),
                ("client", query(&client)),
            ],
        };
        let real = of(
            victim.id.to_string(),
            &victim.slug,
            victim.workspace.to_string(),
            owner.to_string(),
            invitation.to_string(),
        );
        let made_up = of(
            format!("org_{made_up}"),
            "nobody",
            format!("wsp_{made_up}"),
            format!("usr_{made_up}"),
            format!("inv_{made_up}"),
        );
        let intruders = intruders(&app, &elsewhere).await;
        Self { app, victim, real, made_up, intruders }
    }
}

/// A member and an administrator of another organisation.
async fn intruders(app: &TestApp, elsewhere: &TestOrganisation) -> Vec<Intruder> {
    let mut intruders = Vec::new();
    for (name, role) in [("mallory", "member"), ("eve", "admin")] {
        let user: UserId = app.user(name).await;
        app.member(elsewhere, user, &[role]).await;
        intruders.push(Intruder { name, browser: app.signed_in(name).await });
    }
    intruders
}

async fn invite(app: &TestApp, to: &TestOrganisation) -> InvitationId {
    let guest = Guest {
        email: EmailAddress::parse("guest@example.com").expect("an address"),
        workspace: None,
        roles: vec!["admin".to_owned()],
        language: Language::default(),
        lifetime: std::time::Duration::from_secs(3_600),
    };
    let sent = invitations::send(&app.app, Actor::Operator, to.id, guest, &Origin::command_line()).await;
    sent.expect("it is sent").id
}

fn query(client: &TestClient) -> String {
    client.flow("openid").path().split_once('?').expect("a query").1.to_owned()
}

/// What a browser is answered: status, where it is sent, and what the page says.
async fn ask(browser: &mut Browser, route: &Route, target: &Target) -> (u16, String, String) {
    let mut fields: Vec<(String, String)> =
        route.form.iter().map(|(name, value)| ((*name).to_owned(), target.fill(value))).collect();
    if !fields.is_empty() {
        let page = browser.get("/login?other=1").await;
        let form = page.form("login-form");
        fields.push(("csrf".to_owned(), form.field("csrf").expect("a token").to_owned()));
    }
    let form = (!fields.is_empty()).then_some(fields.as_slice());
    let mut path = target.fill(route.path);
    // The request's own page is where the answer is.
    loop {
        let answer = browser
            .once(
                if path.starts_with("/oauth2/authorize/") { Method::GET } else { route.method.clone() },
                &path,
                form,
            )
            .await;
        let location = answer.headers().get("location").map(|to| to.to_str().expect("text").to_owned());
        match location {
            Some(to) if to.starts_with("/oauth2/authorize/") => path = to,
            location => {
                let status = answer.status().as_u16();
                let html = answer.text().await.expect("text");
                let page = crate::support::text(&html);
                return (status, target.blank(&location.unwrap_or_default()), target.blank(&page));
            }
        }
    }
}

/// Everything that the victim is made of.
fn state(db: &mut Conn, of: &TestOrganisation) -> Result<String, store::Error> {
    let organisation = store::organisations::find(db, of.id)?;
    let members = store::memberships::list(db, of.id, None, 100)?;
    let ids: Vec<_> = members.iter().map(|member| member.id).collect();
    let held = store::memberships::roles_of(db, of.id, &ids)?;
    let invitations: Vec<_> = store::invitations::list(db, of.id, None, 100)?
        .into_iter()
        .map(|one| (one.id, one.accepted_at, one.revoked_at))
        .collect();
    let workspaces = store::organisations::workspaces(db, of.id, None, 100)?;
    let roles = store::roles::all(db, of.id)?;
    let permissions = store::roles::permissions(db, of.id)?;
    let keys = store::api_keys::list(db, of.id, None, 100)?;
    Ok(format!(
        "{organisation:?} {members:?} {held:?} {invitations:?} {workspaces:?} {roles:?} {permissions:?} {keys:?}"
    ))
}

on_both_databases! {
    async fn or_7_ar_5_nothing_of_another_organisation_is_told_or_changed(database) {
        let mut scene = Scene::set(TestApp::start(database).await).await;
        let victim = scene.victim.clone();
        let before = scene.app.read(move |db| state(db, &victim)).await;
        for intruder in &mut scene.intruders {
            for route in ROUTES {
                let told = ask(&mut intruder.browser, route, &scene.real).await;
                let nothing = ask(&mut intruder.browser, route, &scene.made_up).await;
                let what = format!("{} {} as {}", route.method, route.path, intruder.name);
                assert_eq!(told, nothing, "{what}");
                let (status, location, page) = told;
                assert!((300..500).contains(&status), "{what}: {status}");
                for secret in ["victim", "Söhne", "owner", "guest@"] {
                    assert!(!location.contains(secret) && !page.contains(secret), "{what}: {secret}: {location} {page}");
                }
            }
        }
        let victim = scene.victim.clone();
        assert_eq!(scene.app.read(move |db| state(db, &victim)).await, before);
        // The table can fail: whoever does belong there is told more than of what does not exist.
        scene.app.user("guest").await;
        let (mut owner, mut guest) = (scene.app.signed_in("owner").await, scene.app.signed_in("guest").await);
        for route in ROUTES {
            let insider = if route.path.contains("{invitation}") { &mut guest } else { &mut owner };
            let told = ask(insider, route, &scene.real).await;
            assert_ne!(told, ask(insider, route, &scene.made_up).await, "{} {}", route.method, route.path);
        }
    }
}

/// Whoever belongs elsewhere, at the JSON API: what a request is sent with.
struct Stranger {
    name: &'static str,
    header: (&'static str, String),
}

/// A member, an administrator and an API key of another organisation.
async fn strangers(app: &TestApp, elsewhere: &TestOrganisation) -> Vec<Stranger> {
    let mut strangers = Vec::new();
    for (name, role) in [("mallory", "member"), ("eve", "admin")] {
        let user = app.user(name).await;
        app.member(elsewhere, user, &[role]).await;
        strangers.push(Stranger { name, header: ("authorization", bearer(app, name).await) });
    }
    let scopes = Permission::ALL.iter().map(|scope| scope.as_str().to_owned()).collect();
    let new = NewKey { name: "intruder".to_owned(), workspace: None, scopes, lasts: None, prefix: None };
    let made = manage::create(&app.app, Actor::Operator, elsewhere.id, new, &Origin::command_line()).await;
    let key = made.expect("the key is made").text.expose().to_owned();
    strangers.push(Stranger { name: "a key", header: ("x-api-key", key) });
    strangers
}

async fn bearer(app: &TestApp, name: &str) -> String {
    let login = json!({ "login": format!("{name}@example.com"), "password": PASSWORD });
    let answer = app.http.post(app.url("/api/v1/sign-in")).json(&login).send().await.expect("an answer");
    let told: Value = answer.json().await.expect("JSON");
    format!("Bearer {}", told["access_token"].as_str().expect("a token"))
}

/// One operation of the API on an organisation, as the API describes it.
struct Operation {
    method: Method,
    path: String,
    body: Value,
}

/// All that there are: the description is made of the table that is mounted, so none is forgotten.
async fn operations(app: &TestApp) -> Vec<Operation> {
    let told = app.http.get(app.url("/api/v1/openapi.json")).send().await.expect("an answer");
    let told: Value = told.json().await.expect("JSON");
    let mut all = Vec::new();
    for (path, described) in told["paths"].as_object().expect("paths") {
        for (method, operation) in described.as_object().expect("operations") {
            if path.contains("{organization}") {
                let method = method.to_uppercase().parse().expect("a method");
                all.push(Operation { method, path: format!("/api/v1{path}"), body: body(operation) });
            }
        }
    }
    all
}

/// A body that a member would be listened to with.
fn body(operation: &Value) -> Value {
    let properties = &operation["requestBody"]["content"]["application/json"]["schema"]["properties"];
    let Some(properties) = properties.as_object() else { return json!({}) };
    let value = |name: &str| match name {
        "roles" => json!(["member"]),
        "scopes" => json!(["org:read"]),
        "permissions" => json!([]),
        "rank" => json!(1),
        "email" => json!("new@example.com"),
        "name" | "slug" | "key" => json!("intruder"),
        _ => Value::Null,
    };
    Value::Object(properties.keys().map(|name| (name.clone(), value(name))).collect())
}

/// What is answered, less what names the request.
async fn call(
    app: &TestApp,
    header: &(&str, String),
    operation: &Operation,
    target: &Target,
) -> (u16, String) {
    let request = app.http.request(operation.method.clone(), app.url(&target.fill(&operation.path)));
    let answer = request.header(header.0, &header.1).json(&operation.body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

on_both_databases! {
    async fn or_7_ar_5_no_route_of_the_api_tells_strangers_or_obeys_them(database) {
        let app = TestApp::start(database).await;
        let (victim, elsewhere) = (app.organisation("victim").await, app.organisation("elsewhere").await);
        let (owner, user) = (app.user("owner").await, app.user("worker").await);
        app.member(&victim, owner, &["admin"]).await;
        app.member(&victim, user, &["member"]).await;
        let invitation = invite(&app, &victim).await;
        let new = NewKey { name: "own".to_owned(), workspace: None, scopes: vec!["org:read".to_owned()], lasts: None, prefix: None };
        let key = manage::create(&app.app, Actor::Operator, victim.id, new, &Origin::command_line()).await.expect("a key");
        let target = |organization: String, user: String, role: &str, invitation: String, key: String| Target {
            words: vec![
                ("organization", organization),
                ("user", user),
                ("role", role.to_owned()),
                ("invitation", invitation),
                ("key", key),
            ],
        };
        let (id, none) = (victim.id.to_string(), format!("{:032x}", 7));
        let real = target(id, user.to_string(), "member", invitation.to_string(), key.key.id.to_string());
        let by_name = target(victim.slug.clone(), user.to_string(), "member", invitation.to_string(), key.key.id.to_string());
        let made_up = target(format!("org_{none}"), format!("usr_{none}"), "nobody", format!("inv_{none}"), format!("key_{none}"));

        let all = operations(&app).await;
        for part in ["", "/workspaces", "/members/{user}/roles", "/roles/{role}", "/invitations/{invitation}", "/api-keys/{key}/rotate"] {
            let path = format!("/api/v1/organizations/{{organization}}{part}");
            assert!(all.iter().any(|operation| operation.path == path), "{path} is not tried");
        }
        let of = victim.clone();
        let before = app.read(move |db| state(db, &of)).await;
        for stranger in strangers(&app, &elsewhere).await {
            for operation in &all {
                let what = format!("{} {} as {}", operation.method, operation.path, stranger.name);
                let told = call(&app, &stranger.header, operation, &real).await;
                assert_eq!(told.0, 403, "{what}: {}", told.1);
                assert!(told.1.contains("organisation_denied"), "{what}: {}", told.1);
                assert_eq!(told, call(&app, &stranger.header, operation, &by_name).await, "{what}");
                assert_eq!(told, call(&app, &stranger.header, operation, &made_up).await, "{what}");
            }
        }
        let of = victim.clone();
        assert_eq!(app.read(move |db| state(db, &of)).await, before);
        // Each can fail: the administrator is told more.
        let owner = ("authorization", bearer(&app, "owner").await);
        for operation in &all {
            let told = call(&app, &owner, operation, &real).await;
            assert_ne!(told, call(&app, &owner, operation, &made_up).await, "{} {}", operation.method, operation.path);
        }
        let of = victim.clone();
        assert_ne!(app.read(move |db| state(db, &of)).await, before);
    }
}
