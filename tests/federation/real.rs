//! Through a real OpenID Provider, with the claims of each kind.

use super::*;
use crate::support::{RealProvider, TestClient};

async fn world(database: Database, kind: &'static str, accounts: Value) -> (TestApp, RealProvider) {
    let provider = RealProvider::start(kind, accounts).await;
    let settings = provider.settings();
    let adjust = move |config: &mut Config| config.providers.push(settings);
    let app = TestApp::start_with(database, Settings::with(adjust).real_time()).await;
    (app, provider)
}

async fn sign_in(browser: &mut Browser, provider: &RealProvider, kind: &str, account: &str) -> Page {
    let address = leave(browser, &format!("/login/federation/{kind}")).await;
    let back = provider.sign_in(&address, account).await;
    browser.get(&back).await
}

on_both_databases! {
    async fn an_application_gets_tokens_of_somebody_from_an_openid_provider(database) {
        let ada = json!({ "name": "Ada Lovelace", "email": "ada@example.com", "email_verified": true });
        let (app, provider) = world(database, "oidc", json!({ "ada": ada })).await;
        let client = TestClient::register(&app, "calendar", |r| r.first_party = true).await;
        let mut browser = app.browser();
        let flow = client.flow("openid email profile");
        let login = browser.get(&flow.path()).await;
        let link = login.links().into_iter().find(|link| link.contains("/login/federation/oidc"));
        let address = leave(&mut browser, &link.expect("the button of the provider")).await;
        let back = provider.sign_in(&address, "ada").await;
        let page = browser.get(&back).await;
        let code = page.query().remove("code").unwrap_or_else(|| panic!("{}: {}", page.url, page.text()));
        let tokens = client.redeem(&flow, &code).await.expect_tokens();
        assert_eq!(tokens.id_claims()["amr"], json!(["fed"]));
        let userinfo = client.userinfo(&tokens.access_token).await.body;
        assert_eq!((&userinfo["email"], &userinfo["email_verified"]), (&json!("ada@example.com"), &json!(true)));
        assert_eq!(userinfo["name"], "Ada Lovelace");

        // Another browser, the same person.
        let tokens_again = {
            let mut browser = app.browser();
            let flow = client.flow("openid");
            let login = browser.get(&flow.path()).await;
            let link = login.links().into_iter().find(|link| link.contains("/login/federation/oidc"));
            let address = leave(&mut browser, &link.expect("the button of the provider")).await;
            let page = browser.get(&provider.sign_in(&address, "ada").await).await;
            client.redeem(&flow, &page.query()["code"]).await.expect_tokens()
        };
        assert_eq!(tokens_again.id_claims()["sub"], tokens.id_claims()["sub"]);
        let audit = app.audit().await;
        let count = |event: &str| audit.iter().filter(|known| *known == event).count();
        assert_eq!((count("user.created success"), count("identity.linked success")), (1, 1));
    }

    async fn google_vouches_for_addresses_of_hosted_domains(database) {
        let hosted = json!({ "email": "ada@example.com", "email_verified": true, "hd": "example.com" });
        let foreign = json!({ "email": "eve@example.org", "email_verified": true });
        let (app, provider) = world(database, "google", json!({ "ada": hosted, "eve": foreign })).await;
        for (account, address) in [("ada", Some("ada@example.com")), ("eve", None)] {
            let mut browser = app.browser();
            let page = sign_in(&mut browser, &provider, "google", account).await;
            assert_eq!(page.status, 200, "{}", page.text());
            let account = browser.get("/account").await;
            assert!(account.url.ends_with("/account"), "{}", account.text());
            for known in ["ada@example.com", "eve@example.org"] {
                assert_eq!(account.text().contains(known), address == Some(known), "{known} FE-6");
            }
        }
    }

    async fn fe_5_microsoft_has_an_issuer_for_each_tenant(database) {
        let person = |oid: &str, edov: bool| {
            let mut person = json!({ "tid": TENANT, "oid": oid, "name": "Ada", "email": format!("{oid}@example.com") });
            if edov {
                person["xms_edov"] = json!(true);
            }
            person
        };
        let accounts = json!({ "plain": person("a", false), "sure": person("b", true) });
        let (app, provider) = world(database, "microsoft", accounts).await;
        for (account, oid, addresses) in [("plain", "a", 0), ("sure", "b", 1)] {
            let mut browser = app.browser();
            let page = sign_in(&mut browser, &provider, "microsoft", account).await;
            assert_eq!(page.status, 200, "{}", page.text());
            assert!(is_signed_in(&mut browser).await);
            let issuer = provider.settings().issuer.unwrap().replace("{tenantid}", TENANT);
            let subject = format!("{TENANT}/{oid}");
            let find = move |db: &mut store::Conn| store::federation::find_identity(db, "microsoft", &issuer, &subject);
            let identity = app.read(find).await.expect("known by tenant and object: FE-1, FE-5");
            assert_eq!(emails(&app, identity.user_id).await.len(), addresses);
        }
    }
}
