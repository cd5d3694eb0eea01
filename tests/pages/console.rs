//! Every page of the console that can be looked at, with something on it, in both languages.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::audit::Origin;
use countersign::clock::Clock;
use countersign::identity::federation::providers;
use countersign::model::{
    AuthMethod, EmailAddress, GrantType, InstanceRole, Language, Outcome, SigningAlg, Status,
};
use countersign::store::audit::Sought;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::api_keys::{NewKey, manage};
use countersign::tenancy::resources::{self, NewResource};
use countersign::tenancy::{domains, post};
use countersign::web::admin;

use super::journey::Journey;
use super::{start, start_with};
use crate::support::{Database, Mock, PASSWORD, TestApp, TestClient, TestOrganisation};

const HOUR: Duration = Duration::from_secs(3_600);
/// So many pages fit into the time that one journey has.
const AT_ONCE: usize = 10;

/// The login API that is mounted: the one whose calls take the most.
const DIALECT: &str = "jardine";

/// What stands for each placeholder.
type World = BTreeMap<&'static str, String>;

/// An instance in which something of everything is, some of it long.
async fn world(app: &TestApp) -> World {
    let origin = Origin::command_line();
    let admin = |new: &mut countersign::tenancy::users::NewUser| {
        new.instance_role = Some(InstanceRole::Administrator);
    };
    let root = app.user_with("root", admin).await;
    let ada =
        app.user_with("ada", |new| new.name = "Augusta Ada King-Noel, Countess of Lovelace".to_owned()).await;
    let acme = app.organisation("analytical-engines-and-difference-machines").await;
    app.member(&acme, root, &["admin"]).await;
    app.member(&acme, ada, &["admin"]).await;
    let workspace = app.workspace(&acme, "laboratory").await;
    let role = app.own_role(&acme, "auditor", 15, &["members:read"]).await;
    let claimed = domains::claim(&app.app, Actor::Operator, acme.id, "engines.example.org", &origin).await;
    claimed.expect("claimed");
    let new = NewResource {
        identifier: "https://api.engines.example.org/calendar".to_owned(),
        name: "Calendar".to_owned(),
        scopes: [("events:read".to_owned(), "See events".to_owned())].into(),
        access_ttl: None,
    };
    let resource = resources::create(&app.app, new, &origin).await.expect("an API");
    let calendar = app.client("calendar").await;
    calendar.sign_in(&mut app.browser(), "ada", "openid offline_access").await;
    let to = EmailAddress::parse("operations.and.maintenance@engines.example.org").expect("an address");
    let message = post::send_test(&app.app, &to, Language::English, &origin).await.expect("mail");
    app.app
        .signing
        .rotate(&app.app.db, SigningAlg::Es256, app.app.scribe(&origin))
        .await
        .expect("a successor");
    let api_key = api_key(app, &acme).await;
    let provider = provider(app).await;
    let reference = refusal(app, &calendar, &acme).await;
    count(app).await;
    // Of the organisation: both audits have it.
    let sought = Sought { organisation: Some(acme.id), ..Sought::default() };
    let event = app.read(move |db| countersign::store::audit::search(db, &sought, 1)).await.remove(0);
    let key = app.read(countersign::store::signing_keys::all).await.remove(0);
    [
        ("user", ada.to_string()),
        ("organization", acme.slug),
        ("workspace", workspace.to_string()),
        ("role", role),
        ("domain", "engines.example.org".to_owned()),
        ("client", calendar.client_id),
        ("resource", resource.id.to_string()),
        ("message", message.to_string()),
        ("event", event.id.to_string()),
        ("key", key.kid.bytes().map(|byte| format!("{byte:02x}")).collect()),
        ("api-key", api_key),
        ("provider", provider),
        ("dialect", DIALECT.to_owned()),
        ("reference", reference),
    ]
    .into()
}

/// A key that may do much and ends some day.
async fn api_key(app: &TestApp, of: &TestOrganisation) -> String {
    let scopes =
        ["members:read", "members:write", "org:read", "https://api.engines.example.org/calendar:read"];
    let new = NewKey {
        name: "Nightly import of the members of the whole of the Analytical Society".to_owned(),
        workspace: None,
        scopes: scopes.map(str::to_owned).into(),
        lasts: Some(HOUR * 24 * 90),
        prefix: None,
    };
    let made = manage::create(&app.app, Actor::Operator, of.id, new, &Origin::command_line()).await;
    made.expect("the key is made").key.id.to_string()
}

/// A provider that answers, and that nobody has enabled yet.
async fn provider(app: &TestApp) -> String {
    let mut settings = Mock::start("oidc", Clock::system()).await.settings();
    settings.id = "analytical-engines".to_owned();
    settings.name = Some("Analytical Engines and Difference Machines, Ltd".to_owned());
    settings.email_domains =
        vec!["engines.example.org".to_owned(), "difference-machines.example.org".to_owned()];
    let id = settings.id.clone();
    let stored = providers::add_as(&app.app, settings, None, Status::Disabled, &Origin::command_line()).await;
    stored.expect("the provider is stored");
    id
}

/// The reference of something that was refused in the organisation: a code that was spent twice.
async fn refusal(app: &TestApp, client: &TestClient, of: &TestOrganisation) -> String {
    let flow = client.flow("openid offline_access").and("organization", &of.slug);
    let code = client.authorize(&mut app.browser(), &flow, "ada").await;
    client.redeem(&flow, &code).await.expect_tokens();
    let refused = client.redeem(&flow, &code).await;
    countersign::explain::write(&app.app).await.expect("written");
    refused.header("x-request-id").to_owned()
}

/// Sign-ins, tokens and fetches of the last day.
async fn count(app: &TestApp) {
    let (usage, now) = (&app.app.usage, app.clock.now());
    let client = app.read(|db| countersign::store::clients::list(db, None, 5)).await;
    let client = client.iter().find(|client| client.name.contains("calendar")).map(|client| client.key);
    for hour in 0..24_u32 {
        let at = now.minus(HOUR * hour);
        for (method, amount) in [
            (AuthMethod::Password, 3 + hour % 5),
            (AuthMethod::HardwareKey, 2 + hour % 3),
            (AuthMethod::Mail, hour % 4),
            (AuthMethod::Federated, 1),
        ] {
            (0..amount).for_each(|_| usage.sign_in(method, Outcome::Success, at));
        }
        usage.sign_in(AuthMethod::Password, Outcome::Failure, at);
        for grant in [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::RefreshToken] {
            usage.token_issued(grant, client, at);
        }
        usage.token_issued(GrantType::ClientCredentials, None, at);
        usage.keys_fetched(Some("okhttp/4.12"), at);
        usage.keys_fetched(Some("Go-http-client/2.0"), at);
        usage.keys_fetched(None, at);
    }
}

/// The address of the page.
fn filled(path: &str, world: &World) -> String {
    let mut before = "";
    let parts = path.split('/').map(|part| {
        let filled = match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            None => part,
            // Two kinds of key stand in paths.
            Some("key") if before == "api-keys" => &world["api-key"],
            Some(name) => world.get(name).unwrap_or_else(|| panic!("{path}: the world has no {name}")),
        };
        before = part;
        filled
    });
    parts.collect::<Vec<_>>().join("/")
}

fn named(path: &str) -> String {
    let words: Vec<&str> = path.split(['/', '{', '}']).filter(|word| !word.is_empty()).collect();
    words.join("-").replacen("admin", "console", 1)
}

fn entering(app: &TestApp, locale: &str) -> Journey {
    Journey::new(app).speaking(locale).goto("/login?next=/admin").sign_in("root").see(".console")
}

async fn every_page(locale: &'static str) {
    let app = start_with(Database::Sqlite, |config| {
        let dialect = serde_json::json!({ "use": DIALECT, "path": format!("/{DIALECT}") });
        config.dialects.push(serde_json::from_value(dialect).expect("good settings"));
    })
    .await;
    let world = world(&app).await;
    let pages: Vec<(String, String)> = admin::all()
        // No pages: a download, a picture.
        .filter(|route| route.method == "get")
        .filter(|route| !route.path.ends_with("/export") && !route.path.ends_with("/preview"))
        .map(|route| (named(route.path), filled(route.path, &world)))
        .collect();
    assert!(pages.len() >= 60, "{pages:?}");
    for some in pages.chunks(AT_ONCE) {
        let mut journey = entering(&app, locale);
        for (name, path) in some {
            journey = journey.goto(path).see(".console h1").inspect(name);
        }
        journey.run().await;
    }
    let keys = format!("/admin/organizations/{}/api-keys", world["organization"]);
    let login = r#"{ "email": "ada@example.com", "password": "PASSWORD" }"#.replace("PASSWORD", PASSWORD);
    let journey = entering(&app, locale)
        .goto(&format!("/admin/dialects/{DIALECT}/try?call=POST%20/api/auth/login"))
        .fill("body", &login)
        .click("#call-submit")
        .see("#answer .note")
        .inspect("console-dialects-tried")
        .fill("body", "{}")
        .click("#call-submit")
        .see("#answer .alert")
        .inspect("console-dialects-tried-wrong")
        .goto(&format!("{keys}/new"))
        .fill("name", "Importer")
        .fill("more", "events:write")
        .click("#new-key-submit")
        .see("#new-key")
        .inspect("console-api-key-made");
    journey.run().await;
    let journey = entering(&app, locale)
        .goto("/admin?range=30d")
        .click("#sign-ins summary")
        .click("#keys summary")
        .inspect("console-numbers")
        .goto("/admin/users/new")
        .fill("email", "ada@example.com")
        .fill("name", "Ada")
        .click("#new-user-submit")
        .see("#new-user-error")
        .inspect("console-users-new-wrong")
        .goto("/admin/users?q=nobody-is-called-this&done=saved")
        .see(".empty")
        .inspect("console-users-none");
    journey.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_the_console_english() {
    every_page("en-GB").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_the_console_german() {
    every_page("de-DE").await;
}

/// What somebody sees who has just begun, and who may only look.
async fn little(locale: &'static str) {
    let app = start(Database::Sqlite).await;
    app.user_with("root", |new| new.instance_role = Some(InstanceRole::Support)).await;
    let mut journey = entering(&app, locale).inspect("console-empty");
    for page in ["users", "sessions", "grants", "mail", "keys", "dialects"] {
        journey = journey.goto(&format!("/admin/{page}")).inspect(&format!("console-{page}-support"));
    }
    journey.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn little_to_see_english() {
    little("en-GB").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn little_to_see_german() {
    little("de-DE").await;
}
