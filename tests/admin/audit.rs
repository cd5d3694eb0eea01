//! The audit of one organisation, for its administrators; and that taking the audit along is an event of it.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::model::InstanceRole;
use countersign::store::audit::{Event, Sought};
use countersign::tenancy::users;
use serde_json::Value;

use super::{console, listed, user_with_role};
use crate::on_both_databases;
use crate::support::{Browser, Database, TestApp, TestOrganisation};

/// Two organisations in which the same happened: each has an administrator, who took somebody in.
struct World {
    app: TestApp,
    ours: TestOrganisation,
    theirs: TestOrganisation,
    /// In which the administrator of ours is signed in.
    browser: Browser,
}

async fn world(database: Database) -> World {
    let app = TestApp::start(database).await;
    let (ours, theirs) = (app.organisation("ours").await, app.organisation("theirs").await);
    for (name, of) in [("ada", &ours), ("eve", &theirs)] {
        let (user, other) = (app.user(name).await, app.user(&format!("member-of-{name}")).await);
        app.member(of, user, &["admin"]).await;
        app.advance(Duration::from_secs(1));
        let mut browser = app.signed_in(name).await;
        let page = browser.get(&format!("/admin/organizations/{}/members/{other}/remove", of.id)).await;
        assert_eq!(page.status, 404, "not a member yet");
        app.member(of, other, &["member"]).await;
        let page = browser.get(&format!("/admin/organizations/{}/members/{other}/remove", of.id)).await;
        let done = super::press(&mut browser, &page, "/remove").await;
        assert!(done.has_id("done"), "{}", done.text());
    }
    let browser = app.signed_in("ada").await;
    World { app, ours, theirs, browser }
}

impl World {
    async fn events(&self, of: Option<&TestOrganisation>) -> Vec<Event> {
        let sought = Sought { organisation: of.map(|of| of.id), ..Sought::default() };
        self.app.read(move |db| countersign::store::audit::search(db, &sought, 1_000)).await
    }

    fn at(&self) -> String {
        format!("/admin/organizations/{}/audit", self.ours.id)
    }
}

/// The newest event of an export.
async fn export_told(app: &TestApp) -> (Event, Value) {
    let sought = Sought { action: Some("audit.exported".to_owned()), ..Sought::default() };
    let mut found = app.read(move |db| countersign::store::audit::search(db, &sought, 10)).await;
    let event = found.remove(0);
    let detail = serde_json::from_str(&event.detail).expect("JSON");
    (event, detail)
}

on_both_databases! {
    async fn or_1_an_organisations_administrator_sees_its_audit_and_nothing_of_others(database) {
        let mut world = world(database).await;
        let (ours, theirs) = (world.events(Some(&world.ours)).await, world.events(Some(&world.theirs)).await);
        assert!(ours.len() >= 4 && theirs.len() >= 4, "{ours:?}");
        let at = world.at();
        let page = world.browser.get(&at).await;
        assert_eq!(page.status, 200);
        assert_eq!(listed(&page).len(), ours.len());
        for event in &ours {
            assert!(page.html.contains(&format!("{at}/{}", event.id)), "{}: {}", event.action, page.text());
        }
        assert!(page.text().contains("member.removed") && !page.has_id("proof"), "{}", page.text());
        assert!(!page.links().iter().any(|link| link.contains("/admin/audit") || link.contains("/admin/users")));

        // Whatever is asked for, it is asked of this organisation.
        let of_instance: Vec<Event> =
            world.events(None).await.into_iter().filter(|event| event.organisation_id.is_none()).collect();
        assert!(!of_instance.is_empty());
        let elsewhere = theirs.iter().chain(&of_instance).collect::<Vec<_>>();
        for question in [String::new(), format!("?organization={}", world.theirs.id), "?action=member.".to_owned()] {
            let page = world.browser.get(&format!("{at}{question}")).await;
            assert!(listed(&page).len() >= 3, "{}", page.text());
            for event in &elsewhere {
                assert!(!page.html.contains(&event.id.to_string()), "{question}: {} is told", event.action);
            }
        }
        let eve = theirs.iter().find_map(|event| event.actor_id).expect("who removed somebody");
        for question in [format!("?user={eve}"), format!("?request={}", theirs[0].request_id.clone().expect("one"))] {
            let page = world.browser.get(&format!("{at}{question}")).await;
            let found = listed(&page).len();
            // The command line's events are in both, by the same name.
            let expected = ours.iter().filter(|event| event.request_id == theirs[0].request_id).count();
            assert_eq!(found, if question.starts_with("?user") { 0 } else { expected }, "{question}");
        }
        for event in &elsewhere {
            assert_eq!(world.browser.get(&format!("{at}/{}", event.id)).await.status, 404, "{}", event.action);
        }
        for format in ["csv", "jsonl"] {
            let question = format!("{at}/export?format={format}&organization={}", world.theirs.id);
            let file = world.browser.get(&question).await;
            assert_eq!(file.status, 200);
            for event in &ours {
                assert!(file.html.contains(&event.id.to_string()), "{format}: {} is missing", event.action);
            }
            for event in &elsewhere {
                assert!(!file.html.contains(&event.id.to_string()), "{format}: {} is told", event.action);
            }
        }
        let theirs_at = format!("/admin/organizations/{}/audit", world.theirs.id);
        for path in [theirs_at.clone(), format!("{theirs_at}/export?format=csv"), "/admin/audit".to_owned(), "/admin/audit/export?format=csv".to_owned()] {
            assert_eq!(world.browser.get(&path).await.status, 403, "{path}");
        }
    }

    async fn a_request_is_followed_and_the_list_has_pages(database) {
        let mut world = world(database).await;
        let at = world.at();
        let page = world.browser.get(&format!("{at}?action=member.removed")).await;
        assert_eq!(listed(&page).len(), 1, "{}", page.text());
        let removed = world.events(Some(&world.ours)).await;
        let removed = removed.iter().find(|event| event.action == "member.removed").expect("above").clone();
        let follow = format!("{at}?request={}", removed.request_id.clone().expect("of a request"));
        assert!(page.links().iter().any(|link| link.ends_with(&follow)), "{:?}", page.links());
        let followed = world.browser.get(&follow).await;
        assert!(followed.html.contains(&removed.id.to_string()), "{}", followed.text());
        let one = world.browser.get(&format!("{at}/{}", removed.id)).await;
        assert!(one.has_id("event") && one.text().contains("member.removed"), "{}", one.text());
        let nobody = world.browser.get(&format!("{at}?user=somebody")).await;
        assert!(nobody.text().contains("Nobody here has this id"), "{}", nobody.text());

        let member = world.app.user("often").await;
        for _ in 0..30 {
            world.app.advance(Duration::from_secs(1));
            world.app.member(&world.ours, member, &["member"]).await;
            let origin = Origin::command_line();
            let operator = countersign::tenancy::actor::Actor::Operator;
            let gone = countersign::tenancy::members::remove(&world.app.app, operator, world.ours.id, member, &origin);
            gone.await.expect("removed");
        }
        let mut browser = world.app.signed_in("ada").await;
        let (mut seen, mut next) = (Vec::new(), Some(format!("{at}?action=member.")));
        while let Some(path) = next {
            let page = browser.get(&path).await;
            seen.extend(page.links().into_iter().filter(|link| link.contains("/audit/evt_")));
            next = page.links().into_iter().find(|link| link.contains("after="));
            next = next.filter(|_| page.html.contains("rel=\"next\""));
            assert!(seen.len() < 500, "the pages end");
        }
        let all = world.events(Some(&world.ours)).await;
        let expected = all.iter().filter(|event| event.action.starts_with("member.")).count();
        assert!(expected > 60, "more than a page: {expected}");
        assert_eq!(seen.len(), expected);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), expected, "each once");
    }

    async fn ch_1_a_link_elsewhere_takes_nothing_along_in_somebodys_name(database) {
        let World { app, ours, mut browser, .. } = world(database).await;
        user_with_role(&app, "root", InstanceRole::Administrator).await;
        let mut root = app.signed_in("root").await;
        let own = format!("/admin/organizations/{}/audit", ours.id);
        let exports = async || {
            let events = app.audit().await;
            events.iter().filter(|event| event.starts_with("audit.exported")).count()
        };
        for (browser, at, before) in [(&mut browser, own.as_str(), 0), (&mut root, "/admin/audit", 1)] {
            let address = format!("{at}/export?format=csv");
            for site in ["cross-site", "same-site"] {
                browser.headers = vec![("sec-fetch-site", site.to_owned()), ("accept", "text/html".to_owned())];
                let page = browser.get(&address).await;
                assert!(page.status == 403 && page.text().contains("Another site led you here"), "{}", page.text());
                assert_eq!(browser.get(at).await.status, 200, "to look is no harm");
            }
            assert_eq!(exports().await, before, "{site}", site = at);
            browser.headers = vec![("sec-fetch-site", "same-origin".to_owned())];
            let file = browser.get(&address).await;
            assert!(file.status == 200 && file.html.starts_with("id,at,action"), "{}", file.html);
            assert_eq!(exports().await, before + 1);
        }
    }

    async fn lo_1_an_export_is_an_event_of_who_took_what_along(database) {
        let (app, mut browser) = console(database).await;
        let ada = app.user("ada").await;
        let acme = app.organisation("acme").await;
        app.member(&acme, ada, &["admin"]).await;
        let origin = Origin::command_line();
        users::disable(&app.app, ada, &origin).await.expect("disabled");
        users::enable(&app.app, ada, &origin).await.expect("enabled");
        let root = user_with_role(&app, "second", InstanceRole::Administrator).await;

        let file = browser.get(&format!("/admin/audit/export?format=jsonl&user={ada}&action=user.")).await;
        assert_eq!(file.html.lines().count(), 3, "{}", file.html);
        let (event, told) = export_told(&app).await;
        assert!(event.actor_id.is_some_and(|id| id != root) && event.organisation_id.is_none(), "{event:?}");
        assert_eq!((&told["events"], &told["format"]), (&Value::from(3), &Value::from("jsonl")));
        assert_eq!((&told["of_user"], &told["of_action"]), (&Value::from(ada.to_string()), &Value::from("user.")));
        assert!(event.ip.is_some() && event.request_id.as_deref() == Some(file.header("x-request-id")));

        // What was typed is not repeated, and what was refused is no export.
        app.advance(Duration::from_secs(1));
        browser.get("/admin/audit/export?format=csv&action=ada%40example.com").await;
        let (_, told) = export_told(&app).await;
        assert_eq!((&told["of_action"], &told["events"]), (&Value::from("unknown"), &Value::from(0)));
        let before = app.audit().await.len();
        assert_eq!(browser.get("/admin/audit/export?format=xml").await.status, 404);
        assert_eq!(app.audit().await.len(), before);

        // Of an organisation: its administrators see who has it.
        app.advance(Duration::from_secs(1));
        browser.get(&format!("/admin/audit/export?format=csv&organization={}", acme.id)).await;
        let (event, _) = export_told(&app).await;
        assert_eq!(event.organisation_id, Some(acme.id));
        let mut hers = app.signed_in("ada").await;
        let page = hers.get(&format!("/admin/organizations/{}/audit?action=audit.", acme.id)).await;
        assert_eq!(listed(&page).len(), 1, "{}", page.text());
        app.advance(Duration::from_secs(1));
        hers.get(&format!("/admin/organizations/{}/audit/export?format=csv", acme.id)).await;
        let (event, told) = export_told(&app).await;
        assert_eq!((event.organisation_id, event.actor_id), (Some(acme.id), Some(ada)));
        assert!(told["events"].as_i64().is_some_and(|count| count >= 3), "{told}");
    }
}
