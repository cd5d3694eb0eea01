//! The words that each API has for roles: the highest wins, in the words as in what may pass.

use serde_json::json;

use super::{Api, shipped};
use crate::on_both_databases;
use crate::support::{Database, PASSWORD, Settings, TestOrganisation, claims};

/// Three APIs, and an organisation with roles of its own between and above the shipped ones.
async fn start(database: Database) -> (Api, TestOrganisation) {
    let settings =
        Settings::with(|config| config.dialects.extend(["jack", "eden", "tendedloop"].map(shipped)));
    let api = Api::serve(database, settings, "").await;
    let acme = api.app.organisation("acme").await;
    api.app.own_role(&acme, "supervisor", 25, &[]).await;
    api.app.own_role(&acme, "chief", 45, &[]).await;
    api.app.own_role(&acme, "porter", 5, &[]).await;
    (api, acme)
}

on_both_databases! {
    async fn te_7_jk_6_ed_2_the_highest_role_wins_in_the_words_of_an_api(database) {
        let (api, acme) = start(database).await;
        for (name, roles, jack, eden, tended, checks) in [
            ("ada", &["supervisor", "manager"][..], "manager", "Manager", vec!["MANAGER"], "manager"),
            ("bea", &["supervisor"], "manager", "Manager", vec!["MANAGER"], "manager"),
            ("cem", &["chief"], "admin", "Admin", vec!["ADMIN"], "admin"),
            ("dan", &["chief", "porter"], "admin", "Admin", vec!["ADMIN", "TECHNICIAN"], "admin"),
            ("eve", &["porter"], "staff", "Member", vec!["TECHNICIAN"], "porter"),
        ] {
            let user = api.app.user(name).await;
            api.app.member(&acme, user, roles).await;
            let answer = api.login("/jack/api/v1/auth/login", name).await;
            assert_eq!(answer.expect(200)["data"]["user"]["role"], jack, "{name}");
            let token = answer.text("/data/token");
            assert_eq!(claims(&token)["role"], jack);
            let check = format!("/jack/api/v1/auth/check?role={checks}");
            let passed = api.get(&check).bearer(&token).send().await;
            assert_eq!((passed.status, passed.header("x-user-role")), (204, jack), "{name}");
            let answer = api
                .post("/eden/auth/login")
                .header("Authorization", &basic(name))
                .header("X-Org-Id", "acme")
                .send()
                .await;
            assert_eq!(answer.expect(200)["user"]["accessLevel"], eden, "{name}");
            assert_eq!(claims(&answer.text("/token"))["accessLevel"], eden);
            let answer = api.login("/tendedloop/api/auth/login", name).await;
            assert_eq!(answer.expect(200)["data"]["user"]["roles"], json!(tended), "{name}");
            assert_eq!(claims(&answer.text("/data/tokens/accessToken"))["roles"], json!(tended));
        }
    }

    async fn jk_6_who_belongs_nowhere_is_not_staff(database) {
        let (api, acme) = start(database).await;
        let zoe = api.app.user("zoe").await;
        let refused = api.login("/jack/api/v1/auth/login", "zoe").await;
        assert_eq!(refused.expect(403)["error"]["code"], "FORBIDDEN");
        assert_eq!(api.app.live_sessions("zoe").await, 0);
        api.app.member(&acme, zoe, &["porter"]).await;
        let answer = api.login("/jack/api/v1/auth/login", "zoe").await;
        assert_eq!(answer.expect(200)["data"]["user"]["role"], "staff");
    }
}

fn basic(name: &str) -> String {
    use base64::Engine;
    let pair = format!("{name}@example.com:{PASSWORD}");
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair))
}
