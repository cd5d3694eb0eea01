//! `/admin/clients`.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::protocol::registration::ClientMetadata;
use countersign::tenancy::clients::{self, NewClient, Terms};

use super::{console, copied, listed, press};
use crate::on_both_databases;
use crate::support::TestApp;

async fn registered(app: &TestApp, id: &str, name: &str, redirect: &str) {
    let metadata = ClientMetadata {
        client_name: Some(name.to_owned()),
        redirect_uris: vec![redirect.to_owned()],
        ..ClientMetadata::default()
    };
    let new = NewClient { metadata, client_id: Some(id.to_owned()), secret: None, terms: Terms::default() };
    clients::create(&app.app, new, &Origin::command_line()).await.expect("the client is made");
    // Within a millisecond the order is left to chance.
    app.advance(Duration::from_millis(1));
}

/// Whether the token endpoint takes this secret.
async fn is_taken(app: &TestApp, client_id: &str, secret: &str) -> bool {
    let form = [("grant_type", "client_credentials")];
    let answer = app.http.post(app.url("/oauth2/token")).basic_auth(client_id, Some(secret)).form(&form);
    answer.send().await.expect("an answer").status().is_success()
}

on_both_databases! {
    async fn ar_1_of_two_who_end_one_secret_each_one_keeps_the_client_working(database) {
        use countersign::tenancy::clients;

        let (app, _) = console(database).await;
        let calendar = app.client("calendar").await;
        let (id, origin) = (calendar.client_id.clone(), countersign::audit::Origin::command_line());
        let day = std::time::Duration::from_secs(86_400);
        clients::rotate_secret(&app.app, &id, day, &origin).await.expect("two live");
        let client = clients::find(&app.app, &id).await.expect("answered").expect("there");
        let [first, second] = &client.secrets[..] else { panic!("two: {:?}", client.secrets) };
        let end = |secret| clients::end_secret(&app.app, &id, secret, &origin);
        let (one, two) = tokio::join!(end(first.id), end(second.id));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    }

    async fn a_list_of_applications_is_searched_filtered_and_paged(database) {
        let (app, mut browser) = console(database).await;
        let page = browser.get("/admin/clients").await;
        assert!(page.text().contains("no application yet"), "{}", page.text());
        registered(&app, "calendar", "Kalender für Ämter", "https://calendar.example.com/cb").await;
        registered(&app, "mail_1", "Mail", "https://post.example.net/cb").await;
        for (sought, found) in [
            ("", vec!["Mail", "Kalender für Ämter"]),
            ("q=KALENDER", vec!["Kalender für Ämter"]),
            ("q=%C3%A4mter", vec!["Kalender für Ämter"]),
            ("q=post.example", vec!["Mail"]),
            ("q=mail_", vec!["Mail"]),
            ("q=example+cb+calendar", vec!["Kalender für Ämter"]),
            ("q=%25", vec![]),
            ("status=disabled", vec![]),
            ("status=active&q=mail", vec!["Mail"]),
        ] {
            let page = browser.get(&format!("/admin/clients?{sought}")).await;
            assert_eq!(listed(&page), found, "{sought}");
        }
        for at in 0..60 {
            registered(&app, &format!("many-{at}"), &format!("Many {at}"), "https://many.example/cb").await;
        }
        let page = browser.get("/admin/clients?q=many").await;
        let mut all = listed(&page);
        assert_eq!(all.len(), 50);
        let next = page.links().into_iter().find(|link| link.contains("after=")).expect("a next page");
        assert!(next.contains("q=many"), "{next}");
        all.extend(listed(&browser.get(&next).await));
        assert_eq!(all, (0..60).rev().map(|at| format!("Many {at}")).collect::<Vec<_>>());
    }

    async fn an_application_is_made_by_its_kind_and_each_address_is_told_what_is_wrong(database) {
        let (app, mut browser) = console(database).await;
        let kinds = browser.get("/admin/new-client").await;
        for kind in ["server", "browser", "device", "machine", "api", "proxy"] {
            assert!(kinds.has_id(kind) && kinds.html.contains(&format!("?kind={kind}")), "{kind}");
        }
        let page = browser.get("/admin/new-client?kind=server").await;
        let typed = "https://app.example.com/cb\nhttp://app.example.com/cb\n  https://*.example.com/cb\n";
        let page = browser.submit(&page, "new-client", &[("name", "Kalender"), ("redirect_uris", typed)], None).await;
        assert_eq!(page.status, 422);
        let text = page.text();
        assert!(text.contains("http://app.example.com/cb: plain http") && text.contains("wildcards"), "{text}");
        assert!(!text.contains("https://app.example.com/cb: "), "{text}");
        let form = page.form("new-client");
        assert!(form.field("name") == Some("Kalender") && form.field("redirect_uris") == Some(typed), "{form:?}");

        let good = [("redirect_uris", "https://app.example.com/cb\r\nhttp://localhost:3000/cb"), ("first_party", "yes")];
        let page = browser.submit(&page, "new-client", &good, None).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let (id, secret) = (copied(&page, "client_id"), copied(&page, "client_secret"));
        assert!(secret.len() > 40);
        let made = app.read({
            let id = id.clone();
            move |db| countersign::store::clients::find_by_client_id(db, &id)
        }).await.expect("it is there");
        assert_eq!(made.redirect_uris, ["https://app.example.com/cb", "http://localhost:3000/cb"]);
        assert!(made.first_party && made.pkce_required && made.is_confidential());
        assert_eq!(made.scopes, ["openid", "profile", "email", "offline_access"]);

        let page = browser.get(&format!("/admin/clients/{id}")).await;
        assert!(page.has_id("secrets") && !page.html.contains(&secret), "CA-2: {}", page.text());
        let again = [("name", "Other"), ("redirect_uris", "https://x.example/cb"), ("client_id", &*id)];
        let page = browser.get("/admin/new-client?kind=browser").await;
        let page = browser.submit(&page, "new-client", &again, None).await;
        assert!(page.status == 422 && page.has_id("client_id-error"), "{}", page.text());
        let page = browser.submit(&page, "new-client", &[("client_id", "spa")], None).await;
        assert!(page.has_id("done") && !page.has_id("secrets") && page.text().contains("Single-page"), "{}", page.text());
        let page = browser.get("/admin/new-client?kind=device").await;
        let phone = [("name", "Phone"), ("redirect_uris", "com.example.app:/cb")];
        assert!(browser.submit(&page, "new-client", &phone, None).await.has_id("done"));

        let events = app.read(|db| countersign::store::audit::newest(db, 20)).await;
        assert!(events.iter().any(|event| event.action == "client.created" && event.actor_id.is_some()), "LO-1");
    }

    async fn ca_2_a_secret_is_replaced_with_an_overlap_and_the_former_one_ended(database) {
        let (app, mut browser) = console(database).await;
        let page = browser.get("/admin/new-client?kind=machine").await;
        let page = browser.submit(&page, "new-client", &[("name", "Reports")], None).await;
        let (id, first) = (copied(&page, "client_id"), copied(&page, "client_secret"));
        assert!(is_taken(&app, &id, &first).await);

        let at = format!("/admin/clients/{id}");
        let page = browser.get(&format!("{at}/rotate-secret")).await;
        let page = browser.submit(&page, "rotate-secret", &[("overlap", "24")], None).await;
        let second = copied(&page, "client_secret");
        assert!(is_taken(&app, &id, &first).await && is_taken(&app, &id, &second).await);
        let page = browser.get(&format!("{at}/rotate-secret")).await;
        let page = browser.submit(&page, "rotate-secret", &[], None).await;
        assert!(page.status == 422 && page.text().contains("Two secrets are live"), "{}", page.text());

        let page = browser.get(&format!("{at}/end-secret")).await;
        let page = press(&mut browser, &page, "/end-secret").await;
        assert!(page.has_id("done"), "{}", page.text());
        assert!(!is_taken(&app, &id, &first).await && is_taken(&app, &id, &second).await);
        let page = browser.get(&format!("{at}/end-secret")).await;
        let page = press(&mut browser, &page, "/end-secret").await;
        assert!(page.status == 422 && page.text().contains("only one"), "{}", page.text());
        assert!(is_taken(&app, &id, &second).await);

        app.advance(Duration::from_secs(6 * 60));
        let page = browser.get(&format!("{at}/rotate-secret")).await;
        assert!(page.url.contains("/login") && !page.has_id("rotate-secret"), "SE-7: {}", page.text());
    }

    async fn an_application_is_edited_disabled_enabled_and_removed(database) {
        let (app, mut browser) = console(database).await;
        registered(&app, "calendar", "Calendar", "https://calendar.example.com/cb").await;
        let at = "/admin/clients/calendar";
        let page = browser.get(&format!("{at}/edit")).await;
        let bad = [("name", "Kalender"), ("logo", "http://x.example/logo.png"), ("grants.refresh_token", "yes")];
        let page = browser.submit(&page, "edit-client", &bad, None).await;
        assert!(page.status == 422 && page.has_id("logo-error"), "{}", page.text());
        assert_eq!(page.form("edit-client").field("name"), Some("Kalender"));
        let page = browser.submit(&page, "edit-client", &[("redirect_uris", "https://calendar.example.com/cb#x")], None).await;
        assert!(page.status == 422 && page.has_id("redirect_uris-error"), "{}", page.text());
        let good = [
            ("logo", "https://x.example/logo.png"), ("redirect_uris", "https://calendar.example.com/other"),
            ("auth", "client_secret_post"), ("require_mfa", "yes"), ("require_par", "yes"),
            ("id_token_alg", "ES256"), ("scopes.openid", "yes"), ("initiate", "https://calendar.example.com/start"),
        ];
        let page = browser.submit(&page, "edit-client", &good, None).await;
        assert!(page.has_id("done"), "{}", page.text());
        let client = app.read(|db| countersign::store::clients::find_by_client_id(db, "calendar")).await.expect("it is there");
        assert_eq!((client.name.as_str(), client.auth_method.as_str()), ("Kalender", "client_secret_post"));
        assert_eq!(client.redirect_uris, ["https://calendar.example.com/other"]);
        assert!(client.require_mfa && client.require_par && client.pkce_required && client.scopes == ["openid"]);
        assert!(client.grant_types.len() == 2 && client.id_token_alg.as_str() == "ES256");

        let page = browser.get(&format!("{at}/settings")).await;
        let node = copied(&page, "Node.js: openid-client");
        assert!(node.contains("ClientSecretPost") && node.contains("https://calendar.example.com/other"), "{node}");

        let page = browser.get(&format!("{at}/disable")).await;
        let page = press(&mut browser, &page, "/disable").await;
        assert!(page.has_id("done") && page.text().contains("disabled"), "{}", page.text());
        let page = press(&mut browser, &page, "/enable").await;
        assert!(page.has_id("done"), "{}", page.text());
        let page = browser.get(&format!("{at}/remove")).await;
        press(&mut browser, &page, "/remove").await;
        assert_eq!(browser.get(at).await.status, 404);
    }

    async fn what_is_long_is_judged_by_its_own_field_and_never_lost(database) {
        let (app, mut browser) = console(database).await;
        registered(&app, "calendar", "Calendar", "https://calendar.example.com/cb").await;
        let at = "/admin/clients/calendar/edit";
        let page = browser.get(at).await;
        let many: Vec<String> =
            (0..11).map(|at| format!("https://calendar.example.com/a-rather-long-way/to-{at}/callback")).collect();
        let page = browser.submit(&page, "edit-client", &[("redirect_uris", &many.join("\n"))], None).await;
        assert!(page.has_id("done"), "{}", page.text());
        let client = app.read(|db| countersign::store::clients::find_by_client_id(db, "calendar")).await.expect("it is there");
        assert_eq!(client.redirect_uris, many);

        let page = browser.get(at).await;
        let long = "x".repeat(5_000);
        let page = browser.submit(&page, "edit-client", &[("name", &long)], None).await;
        assert!(page.status == 422 && page.has_id("name-error"), "{} {}", page.status, page.text());
        assert_eq!(page.form("edit-client").field("name"), Some(long.as_str()));
        let new = browser.get("/admin/users/new").await;
        let typed = [("name", long.as_str()), ("email", "ada@example.com")];
        let new = browser.submit(&new, "new-user", &typed, None).await;
        assert!(new.status == 422 && new.has_id("name-error"), "{} {}", new.status, new.text());

        for (name, value, status, said) in [
            ("name", "a\0b".to_owned(), 400, "cannot be read"),
            ("name", "x".repeat(65 * 1024), 413, "too large"),
            ("name", "x".repeat(255 * 1024), 413, "too large"),
            ("name", "x".repeat(300 * 1024), 413, "too large"),
        ] {
            browser.headers = vec![("accept", "text/html".to_owned())];
            let refused = browser.submit(&page, "edit-client", &[(name, &value)], None).await;
            assert!(refused.status == status && refused.text().contains(said), "{} {}", refused.status, refused.text());
            assert!(refused.text().contains("Nothing was saved") && !refused.text().contains("An application"), "{}", refused.text());
        }
        let sought = browser.get(&format!("/admin/clients?q={}", "x".repeat(2_000))).await;
        assert_eq!(sought.status, 200, "{}", sought.text());
    }

    async fn an_application_called_new_is_one_as_any(database) {
        let (app, mut browser) = console(database).await;
        registered(&app, "new", "Brought along", "https://calendar.example.com/cb").await;
        let page = browser.get("/admin/clients/new").await;
        assert!(page.text().contains("Brought along") && page.has_id("secrets"), "{}", page.text());
        let page = browser.get("/admin/clients/new/edit").await;
        let page = browser.submit(&page, "edit-client", &[("name", "Newer")], None).await;
        assert!(page.has_id("done") && page.text().contains("Newer"), "{}", page.text());
        assert!(browser.get("/admin/new-client").await.has_id("server"));
    }

    async fn ar_2_a_test_tells_what_a_sign_in_would_come_to_and_does_nothing(database) {
        let (app, mut browser) = console(database).await;
        registered(&app, "calendar", "Calendar", "https://calendar.example.com/cb").await;
        app.user("ada").await;
        let at = "/admin/clients/calendar/test";
        assert!(browser.get(at).await.has_id("rehearse"));
        let page = browser.get(&format!("{at}?scope=openid+email+nonsense")).await;
        assert!(page.text().contains("1. The sign-in page") && !page.text().contains("2."), "{}", page.text());
        assert!(page.html.contains("<code>nonsense</code>"), "what is left out is told: {}", page.text());

        let asks = |rest: &str| format!("{at}?user=ada%40example.com&scope=openid+email{rest}");
        let page = browser.get(&asks("")).await;
        let text = page.text();
        for said in ["1. The sign-in page", "2. The question for consent", "3. Back to the application with a code"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        let page = browser.get(&asks("&signed_in=yes")).await;
        assert!(page.text().contains("1. The question for consent"), "{}", page.text());
        for prompt in ["login", "select_account"] {
            let page = browser.get(&asks(&format!("&signed_in=yes&prompt={prompt}"))).await;
            assert!(page.text().contains("3. Back to the application with a code"), "{prompt}: {}", page.text());
        }
        let page = browser.get(&asks("&prompt=none")).await;
        assert!(page.html.contains("<code>login_required</code>"), "{}", page.text());
        let page = browser.get(&asks("&prompt=none&signed_in=yes")).await;
        assert!(page.html.contains("<code>consent_required</code>"), "{}", page.text());
        let page = browser.get(&asks("&organization=nowhere")).await;
        assert!(page.html.contains("<code>access_denied</code>"), "{}", page.text());
        let page = browser.get(&asks("&redirect_uri=https%3A%2F%2Fevil.example%2Fcb")).await;
        assert!(page.text().contains("not registered for this client"), "{}", page.text());
        let page = browser.get(&format!("{at}?user=nobody&scope=openid")).await;
        assert!(page.has_id("user-error"), "{}", page.text());

        let edit = browser.get("/admin/clients/calendar/edit").await;
        let sent = [("require_mfa", "yes"), ("first_party", "yes"), ("initiate", "https://calendar.example.com/start")];
        browser.submit(&edit, "edit-client", &sent, None).await;
        let page = browser.get(&asks("")).await;
        assert!(page.text().contains("2. Setting up a second factor") && page.text().contains("requires two factors"), "{}", page.text());
        assert!(page.text().contains("3. Back to the application with a code"), "{}", page.text());
        assert!(page.links().iter().any(|link| link.starts_with("https://calendar.example.com/start?iss=")), "{:?}", page.links());

        let page = browser.get("/admin/users?q=ada").await;
        let ada = page.links().into_iter().find(|link| link.contains("/users/usr_")).expect("her page");
        let question = browser.get(&format!("{ada}/disable")).await;
        press(&mut browser, &question, "/disable").await;
        let page = browser.get(&asks("&signed_in=yes")).await;
        assert!(page.text().contains("nothing is issued") && page.text().contains("disabled"), "{}", page.text());
    }
}
