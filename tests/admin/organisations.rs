//! `/admin/organizations` and what is below it.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::model::InstanceRole;
use countersign::store;
use countersign::tenancy::organisations;

use super::{console, post, press, user_with_role};
use crate::on_both_databases;
use crate::support::{Browser, NameServer, Page, Settings, TestApp};

/// What the rows of a list are about, in its order.
fn listed(page: &Page) -> Vec<String> {
    let rows = page.html.split("<tbody>").nth(1).unwrap_or_default();
    let rows = rows.split("</tbody>").next().unwrap_or_default();
    let name = |row: &str| {
        let name = row.split("<bdi>").nth(1).and_then(|rest| rest.split("</bdi>").next());
        name.map(|name| name.replace("&#38;", "&"))
    };
    rows.split("<th scope=\"row\"").skip(1).map(|row| name(row).expect("a name")).collect()
}

/// The place of an organisation's pages.
async fn place(app: &TestApp, slug: &str) -> (crate::support::TestOrganisation, String) {
    let of = app.organisation(slug).await;
    let at = format!("/admin/organizations/{}", of.id);
    (of, at)
}

/// A browser of somebody who administers `acme` and nothing else.
async fn administrator(app: &TestApp, of: &crate::support::TestOrganisation, name: &str) -> Browser {
    let user = app.user(name).await;
    app.member(of, user, &["admin"]).await;
    app.signed_in(name).await
}

async fn mailed(app: &TestApp, to: &str) -> usize {
    let mail = app.read(|db| store::outbox::newest(db, 50)).await;
    mail.iter().filter(|mail| mail.recipient == to).count()
}

on_both_databases! {
    async fn organisations_are_searched_filtered_and_paged(database) {
        let (app, mut browser) = console(database).await;
        let page = browser.get("/admin/organizations").await;
        assert!(page.text().contains("no organization yet"), "{}", page.text());
        for slug in ["acme", "umbrella"] {
            app.organisation(slug).await;
            app.advance(Duration::from_millis(5));
        }
        let umbrella = app.organisation("off_100").await;
        organisations::suspend(&app.app, umbrella.id, &Origin::command_line()).await.expect("suspended");
        for (sought, found) in [
            ("", vec!["off_100 & Söhne", "umbrella & Söhne", "acme & Söhne"]),
            ("q=UMBR", vec!["umbrella & Söhne"]),
            ("q=S%C3%96HNE+acme", vec!["acme & Söhne"]),
            ("q=%5F", vec!["off_100 & Söhne"]),
            ("status=suspended", vec!["off_100 & Söhne"]),
            ("q=nothing", vec![]),
        ] {
            assert_eq!(listed(&browser.get(&format!("/admin/organizations?{sought}")).await), found, "{sought}");
        }
        for at in 0..55 {
            organisations::create(&app.app, &format!("many-{at}"), "Many", &Origin::command_line()).await.expect("made");
        }
        let page = browser.get("/admin/organizations?q=many").await;
        assert_eq!(listed(&page).len(), 50);
        let next = page.links().into_iter().find(|link| link.contains("after=")).expect("a next page");
        assert_eq!(listed(&browser.get(&next).await).len(), 5);
    }

    async fn ad_3_an_administrator_of_one_sees_and_changes_that_one(database) {
        let (app, _) = console(database).await;
        let (acme, at) = place(&app, "acme").await;
        let (_, other) = place(&app, "umbrella").await;
        let mut hers = administrator(&app, &acme, "ada").await;
        let page = hers.get("/admin/organizations").await;
        assert_eq!(listed(&page), ["acme & Söhne"]);
        assert!(!page.html.contains("/admin/organizations/new"), "nobody is shown what they may not do");
        assert!(listed(&hers.get("/admin/organizations?q=umbrella").await).is_empty());
        let page = hers.get(&at).await;
        assert!(page.has_id("administrators") && !page.has_id("ending") && page.has_id("history"), "{}", page.text());
        for path in ["", "/members", "/invitations", "/roles", "/workspaces", "/domains", "/api-keys"] {
            assert_eq!(hers.get(&format!("{at}{path}")).await.status, 200, "{path}");
            assert_eq!(hers.get(&format!("{other}{path}")).await.status, 403, "OR-1: {path}");
        }
        assert_eq!(hers.get("/admin/api-keys").await.status, 403);
        for path in ["/suspend", "/members/new"] {
            assert_eq!(hers.get(&format!("{at}{path}")).await.status, 403, "a matter of the instance: {path}");
        }
        assert_eq!(post(&mut hers, &format!("{at}/suspend"), &[]).await.status, 403);
        let page = hers.get(&format!("{at}/edit")).await;
        let page = hers.submit(&page, "edit-organization", &[("name", "")], None).await;
        assert!(page.status == 422 && page.has_id("name-error"), "{}", page.text());
        let page = hers.submit(&page, "edit-organization", &[("name", "Acme Inc."), ("require_mfa", "yes")], None).await;
        // She has no second factor: from now on the console asks her for one.
        assert!(!page.has_id("organization"), "MF-5: {}", page.text());

        user_with_role(&app, "sue", InstanceRole::Support).await;
        let mut support = app.signed_in("sue").await;
        let page = support.get(&at).await;
        assert!(page.text().contains("Acme Inc.") && page.has_id("looks-only"), "{}", page.text());
        assert!(!page.html.contains("/edit") && !page.has_id("ending"));
        assert_eq!(support.get(&format!("{at}/edit")).await.status, 403);
    }

    async fn an_organisation_is_made_changed_suspended_and_resumed(database) {
        let (app, mut browser) = console(database).await;
        let ada = app.user("ada").await;
        let page = browser.get("/admin/organizations/new").await;
        let page = browser.submit(&page, "new-organization", &[("name", "Acme"), ("slug", "a b")], None).await;
        assert!(page.status == 422 && page.has_id("slug-error"), "{}", page.text());
        assert_eq!(page.form("new-organization").field("name"), Some("Acme"));
        let page = browser.submit(&page, "new-organization", &[("slug", "acme"), ("administrator", "nobody")], None).await;
        assert!(page.status == 422 && page.has_id("administrator-error"), "{}", page.text());
        let page = browser.submit(&page, "new-organization", &[("administrator", "ADA@example.com")], None).await;
        assert!(page.has_id("done") && page.text().contains("ada"), "{}", page.text());
        assert!(page.links().iter().any(|link| link.ends_with(&format!("/members/{ada}"))));
        let at = page.url.split('?').next().expect("an address").to_owned();

        let again = browser.get("/admin/organizations/new").await;
        let again = browser.submit(&again, "new-organization", &[("name", "Acme"), ("slug", "ACME")], None).await;
        assert!(again.text().contains("has this short name"), "{}", again.text());
        let other = browser.submit(&again, "new-organization", &[("slug", "empty"), ("administrator", "new@example.com")], None).await;
        assert!(other.text().contains("Nobody administers this organization"), "{}", other.text());
        assert_eq!(mailed(&app, "new@example.com").await, 1);

        // Whoever runs the instance may come to administer an organisation of it, and leave it again.
        let page = browser.get(&format!("{at}/members/new")).await;
        let own = [("user", "root@example.com"), ("roles.admin", "yes")];
        let page = browser.submit(&page, "add-member", &own, None).await;
        assert!(page.has_id("done") && page.text().contains("Administrator"), "{}", page.text());
        let remove = page.links().into_iter().find(|link| link.ends_with("/remove")).expect("a way");
        let page = browser.get(&remove).await;
        let page = press(&mut browser, &page, "/remove").await;
        assert!(page.has_id("done"), "{}", page.text());

        let page = browser.get(&format!("{at}/suspend")).await;
        let page = press(&mut browser, &page, "/suspend").await;
        assert!(page.has_id("done") && page.text().contains("suspended"), "{}", page.text());
        let page = press(&mut browser, &page, "/resume").await;
        assert!(page.has_id("done"), "{}", page.text());
        let events = app.read(|db| store::audit::newest(db, 50)).await;
        for action in ["organization.created", "organization.suspended", "organization.resumed", "member.added"] {
            let event = events.iter().find(|event| event.action == action).unwrap_or_else(|| panic!("{action}"));
            assert!(event.actor_id.is_some(), "LO-1: who did it is recorded: {action}");
        }
    }

    async fn or_3_members_are_found_added_given_roles_suspended_and_removed(database) {
        let (app, mut browser) = console(database).await;
        let (acme, at) = place(&app, "acme").await;
        let desk = app.workspace(&acme, "desk").await;
        let ada = app.user("ada").await;
        app.member(&acme, ada, &["admin"]).await;
        app.user("bob").await;
        app.advance(Duration::from_millis(5));
        let page = browser.get(&format!("{at}/members/new")).await;
        let page = browser.submit(&page, "add-member", &[("user", "nobody@example.com")], None).await;
        assert!(page.status == 422 && page.form("add-member").field("user") == Some("nobody@example.com"), "{}", page.text());
        let workspace = desk.to_string();
        let page = browser
            .submit(&page, "add-member", &[("user", "bob@example.com"), ("workspace", &workspace), ("roles.manager", "yes")], None)
            .await;
        assert!(page.has_id("done") && page.text().contains("Manager") && page.text().contains("desk"), "{}", page.text());
        let bobs = page.url.split('?').next().expect("an address").to_owned();

        let members = format!("{at}/members");
        assert_eq!(listed(&browser.get(&members).await), ["ada", "bob"]);
        assert_eq!(listed(&browser.get(&format!("{members}?q=BOB%40example")).await), ["bob"]);
        assert!(listed(&browser.get(&format!("{members}?q=root")).await).is_empty());

        let page = browser.get(&format!("{bobs}/roles")).await;
        let all = [("roles.admin", "yes"), ("roles.manager", "yes"), ("roles.member", "yes")];
        let page = browser.submit(&page, "set-roles", &all, None).await;
        assert!(page.has_id("done") && page.text().contains("Administrator"), "{}", page.text());
        let page = browser.get(&format!("{bobs}/roles?workspace={workspace}")).await;
        assert!(page.text().contains("desk"), "{}", page.text());
        assert_eq!(browser.get(&format!("{bobs}/roles?workspace=wsp_0")).await.status, 404);

        // Bob suspends Ada; he does not touch himself, and the last administrator stays.
        let mut his = app.signed_in("bob").await;
        let adas = format!("{members}/{ada}");
        let page = his.get(&format!("{adas}/suspend")).await;
        let page = press(&mut his, &page, "/suspend").await;
        assert!(page.has_id("done") && page.text().contains("suspended"), "{}", page.text());
        let page = his.get(&format!("{bobs}/remove")).await;
        let page = press(&mut his, &page, "/remove").await;
        assert!(page.status == 422 && page.text().contains("Nobody changes their own"), "{}", page.text());
        let page = browser.get(&format!("{bobs}/remove")).await;
        let page = press(&mut browser, &page, "/remove").await;
        assert!(page.status == 422 && page.text().contains("Nobody would administer"), "{}", page.text());
        let page = browser.get(&adas).await;
        press(&mut browser, &page, "/resume").await;
        let page = browser.get(&format!("{bobs}/remove")).await;
        let page = press(&mut browser, &page, "/remove").await;
        assert!(page.has_id("done"), "{}", page.text());
        assert_eq!(listed(&page), ["ada"]);
    }

    async fn or_5_invitations_are_sent_again_and_taken_back(database) {
        let (app, mut browser) = console(database).await;
        let (acme, at) = place(&app, "acme").await;
        let mut hers = administrator(&app, &acme, "ada").await;
        let page = hers.get(&format!("{at}/invitations/new")).await;
        let mut form = page.form("invite");
        form.fields.retain(|(name, _)| !name.starts_with("roles."));
        form.set("email", "guest@example.com");
        let refused = hers.post(&form.action, &form.fields).await;
        assert!(refused.status == 422 && refused.text().contains("at least one role"), "{}", refused.text());
        assert_eq!(refused.form("invite").field("email"), Some("guest@example.com"));
        let page = hers.submit(&refused, "invite", &[("roles.manager", "yes")], None).await;
        assert!(page.has_id("done") && page.text().contains("guest@example.com"), "{}", page.text());
        assert_eq!(mailed(&app, "guest@example.com").await, 1);

        let page = press(&mut hers, &page, "/again").await;
        assert!(page.has_id("done"), "{}", page.text());
        assert_eq!(mailed(&app, "guest@example.com").await, 2);
        assert_eq!(page.text().matches("guest@example.com").count(), 2, "the one before is void: {}", page.text());
        let page = press(&mut hers, &page, "/revoke").await;
        assert_eq!(page.text().matches("taken back").count(), 2, "{}", page.text());
        // Sent again, what was taken back is open once more, and counted against the address.
        let mut page = page;
        for _ in 0..5 {
            if page.status == 200 {
                page = press(&mut hers, &page, "/again").await;
            }
        }
        assert!(page.status == 422 && page.text().contains("Too many mails"), "{}", page.text());
        assert!(listed(&browser.get(&format!("{at}/invitations?q=nobody")).await).is_empty());
        assert!(!listed(&browser.get(&format!("{at}/invitations?q=GUEST")).await).is_empty());
    }

    async fn or_3_roles_are_defined_changed_and_removed(database) {
        let (app, _) = console(database).await;
        let (acme, at) = place(&app, "acme").await;
        let mut hers = administrator(&app, &acme, "ada").await;
        let page = hers.get(&format!("{at}/roles/admin")).await;
        assert!(page.text().contains("cannot be changed") && !page.has_id("edit"), "{}", page.text());
        let page = hers.get(&format!("{at}/new-role")).await;
        let typed = [("key", "clerk"), ("name", "Clerk"), ("rank", "many"), ("more", "orders:write a,b")];
        let page = hers.submit(&page, "new-role", &typed, None).await;
        assert!(page.status == 422 && page.has_id("rank-error") && page.form("new-role").field("key") == Some("clerk"));
        let page = hers.submit(&page, "new-role", &[("rank", "15")], None).await;
        assert!(page.status == 422 && page.has_id("more-error"), "{}", page.text());
        let page = hers.submit(&page, "new-role", &[("rank", "99"), ("more", "orders:write")], None).await;
        assert!(page.status == 422 && page.text().contains("ranks above their own"), "{}", page.text());
        let page = hers.submit(&page, "new-role", &[("rank", "15"), ("permissions.members:read", "yes")], None).await;
        assert!(page.has_id("done") && page.text().contains("orders:write"), "{}", page.text());

        let page = hers.get(&format!("{at}/roles/clerk")).await;
        let form = page.form("edit-role");
        assert_eq!((form.field("more"), form.field("permissions.members:read")), (Some("orders:write"), Some("yes")));
        let page = hers.submit(&page, "edit-role", &[("name", "Desk clerk")], None).await;
        assert!(page.has_id("done") && page.text().contains("Desk clerk"), "{}", page.text());
        let bob = app.user("bob").await;
        app.member(&acme, bob, &["clerk"]).await;
        let page = hers.get(&format!("{at}/roles/clerk/remove")).await;
        let page = press(&mut hers, &page, "/remove").await;
        assert!(page.status == 422 && page.text().contains("Members have this role"), "{}", page.text());
        app.set_roles(&acme, bob, &["member"]).await;
        let page = press(&mut hers, &page, "/remove").await;
        assert!(page.has_id("done") && !page.text().contains("clerk"), "{}", page.text());
        assert_eq!(hers.get(&format!("{at}/roles/clerk")).await.status, 404);
    }

    async fn a_workspace_is_made_renamed_and_removed_with_what_is_in_it(database) {
        let (app, mut browser) = console(database).await;
        let (acme, at) = place(&app, "acme").await;
        let page = browser.get(&format!("{at}/workspaces/new")).await;
        let page = browser.submit(&page, "new-workspace", &[("name", "Desk"), ("slug", "default")], None).await;
        assert!(page.status == 422 && page.has_id("slug-error"), "{}", page.text());
        let page = browser.submit(&page, "new-workspace", &[("slug", "desk")], None).await;
        assert!(page.has_id("done") && page.has_id("workspace"), "{}", page.text());
        let desk = page.url.split('?').next().expect("an address").to_owned();
        let page = browser.submit(&page, "rename-workspace", &[("name", "")], None).await;
        assert!(page.status == 422 && page.has_id("name-error"), "{}", page.text());
        let page = browser.submit(&page, "rename-workspace", &[("name", "Front desk")], None).await;
        assert!(page.has_id("done") && page.text().contains("Front desk"), "{}", page.text());

        let id = desk.rsplit('/').next().expect("an id").parse().expect("an id");
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        app.member(&acme, ada, &["admin"]).await;
        app.member_of(&acme, Some(id), ada, &["manager"]).await;
        app.member_of(&acme, Some(id), bob, &["member"]).await;
        let page = browser.get(&format!("{desk}/remove")).await;
        assert!(page.text().contains("Members with roles in it 2") && page.text().contains("no more 1"), "{}", page.text());
        let page = press(&mut browser, &page, "/remove").await;
        assert!(page.has_id("done") && !page.text().contains("Front desk"), "{}", page.text());
        assert_eq!(listed(&browser.get(&format!("{at}/members")).await), ["ada"], "who had roles nowhere else is gone");
        let page = post(&mut browser, &format!("{at}/workspaces/{}/remove", acme.workspace), &[]).await;
        assert!(page.status == 422 && page.text().contains("stays"), "{}", page.text());
        let events = app.audit().await;
        for action in ["workspace.created", "workspace.renamed", "workspace.removed", "member.removed"] {
            assert!(events.contains(&format!("{action} success")), "{action}: {events:?}");
        }
    }
}

on_both_databases! {
    async fn or_8_a_domain_is_claimed_proven_routed_and_given_up(database) {
        let dns = NameServer::start().await;
        let server = dns.address;
        let settings = Settings::with(move |config| config.outbound.dns_server = Some(server));
        let app = TestApp::start_with(database, settings).await;
        let (acme, at) = place(&app, "acme").await;
        let mut hers = administrator(&app, &acme, "ada").await;
        let page = hers.get(&format!("{at}/domains")).await;
        let page = hers.submit(&page, "claim-domain", &[("domain", "no domain")], None).await;
        assert!(page.status == 422 && page.form("claim-domain").field("domain") == Some("no domain"), "{}", page.text());
        let page = hers.submit(&page, "claim-domain", &[("domain", "Example.COM")], None).await;
        assert!(page.has_id("done") && page.text().contains("countersign-verification="), "{}", page.text());
        let record = page.text().split_whitespace().find(|word| word.starts_with("countersign-v")).expect("it").to_owned();
        let page = press(&mut hers, &page, "/verify").await;
        assert!(page.status == 422 && page.text().contains("not there yet"), "{}", page.text());
        dns.set("example.com", &[&record]);
        let page = press(&mut hers, &page, "/verify").await;
        assert!(page.has_id("done") && page.text().contains("no sign-in provider of its own"), "{}", page.text());

        let mock = crate::support::Mock::start("oidc", app.clock.clone()).await;
        let origin = Origin::command_line();
        countersign::identity::federation::providers::add_for(&app.app, mock.settings(), Some(acme.id), &origin)
            .await
            .expect("stored");
        let page = hers.get(&format!("{at}/domains/example.com")).await;
        let page = hers.submit(&page, "route-domain", &[("provider", "oidc")], None).await;
        assert!(page.has_id("done") && page.form("route-domain").field("provider") == Some("oidc"), "{}", page.text());
        let page = hers.get(&format!("{at}/domains/example.com/remove")).await;
        let page = press(&mut hers, &page, "/remove").await;
        assert!(page.has_id("done") && page.text().contains("No domain has been claimed"), "{}", page.text());
        assert_eq!(hers.get(&format!("{at}/domains/example.com")).await.status, 404);
    }

    async fn se_7_what_cannot_be_taken_back_wants_a_proof_of_just_now(database) {
        let (app, _) = console(database).await;
        let (acme, at) = place(&app, "acme").await;
        let bob = app.user("bob").await;
        app.member(&acme, bob, &["member"]).await;
        let mut hers = administrator(&app, &acme, "ada").await;
        assert_eq!(hers.get(&at).await.status, 200);
        app.advance(Duration::from_secs(301));
        assert!(hers.get(&format!("{at}/members/{bob}")).await.has_id("member"), "looking goes on");
        let page = hers.get(&format!("{at}/members/{bob}/remove")).await;
        assert!(page.has_id("login-form"), "{}", page.text());
        let page = hers.answer_login(&page, "ada", crate::support::PASSWORD).await;
        assert!(page.has_id("remove"), "back where she was: {} {}", page.url, page.text());
    }
}
