//! Changing from a shell what was made before: resources, providers, secrets of clients, how an organisation looks.

use serde_json::json;

use super::on_every_database;

#[test]
fn a_resource_is_changed_in_what_is_said() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        let api = "https://api.example.com";
        instance.json(&["resource", "add", "--identifier", api, "--name", "API", "--scope", "a:read=Read"]);
        let set = instance.json(&["resource", "set", api, "--name", "Calendar", "--access-ttl", "10m"]);
        assert_eq!(
            (&set["name"], &set["access_ttl"], &set["scopes"]),
            (&json!("Calendar"), &json!(600), &json!({ "a:read": "Read" }))
        );
        let set = instance.json(&["resource", "set", api, "--scope", "b:read=B", "--access-ttl", "0s"]);
        assert_eq!((&set["access_ttl"], &set["scopes"]), (&json!(null), &json!({ "b:read": "B" })));
        assert_eq!(instance.json(&["resource", "show", api]), set);
        instance.run(&["resource", "set", api, "--scope", "openid"]).fails(1, "OpenID Connect");
        instance.run(&["resource", "set", "other", "--name", "X"]).fails(1, "no such resource");
        assert_eq!(instance.audited()[0], "resource.changed");
    });
}

#[test]
fn a_provider_is_changed_and_keeps_its_secret() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        let add = ["provider", "add", "--id", "corp", "--kind", "oidc", "--client-id", "ours", "--json"];
        let rest = ["--issuer", "https://corp.example.com", "--scope", "phone", "--client-secret-stdin"];
        instance.run_with_input(&[&add[..], &rest].concat(), "s3cret").done();
        let set = instance.json(&[
            "provider",
            "set",
            "corp",
            "--name",
            "Corp",
            "--first-sign-in",
            "refuse",
            "--scope",
            "",
            "--allow-private-network",
            "true",
        ]);
        assert_eq!((&set["name"], &set["first_sign_in"]), (&json!("Corp"), &json!("refuse")));
        assert_eq!((&set["scopes"], &set["allow_private_network"]), (&json!([]), &json!(true)));
        assert_eq!((&set["issuer"], &set["client_id"]), (&json!("https://corp.example.com"), &json!("ours")));
        let set = instance.json(&["provider", "set", "corp", "--name", "", "--first-sign-in", ""]);
        assert_eq!(set["name"], "corp.example.com");
        assert_ne!(set["first_sign_in"], "refuse");
        assert_eq!(instance.json(&["provider", "show", "corp"]), set);
        instance.run(&["provider", "set", "corp", "--issuer", "ftp://x"]).fails(1, "issuer");
        instance.run(&["provider", "set", "corp", "--first-sign-in", "maybe"]).fails(2, "expected one of");
        instance.run(&["provider", "set", "other", "--name", "X"]).fails(1, "no such provider");

        // Google may not be without a secret: that it can be changed shows that its own stays.
        let google = ["provider", "add", "--id", "google", "--kind", "google", "--client-id", "ours"];
        instance.run_with_input(&[&google[..], &["--client-secret-stdin"]].concat(), "s3cret").done();
        instance.run(&["provider", "set", "google", "--client-id", "others"]).done();
        assert_eq!(instance.json(&["provider", "show", "google"])["client_id"], "others");
        let anew = instance.run_with_input(&["provider", "set", "google", "--client-secret-stdin"], "\n");
        anew.fails(1, "holds no secret");
        assert_eq!(instance.audited()[0], "provider.changed");
    });
}

#[test]
fn ca_2_one_secret_of_a_client_is_ended() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        let app = ["client", "add", "--name", "App", "--client-id", "app"];
        instance.run(&[&app[..], &["--redirect-uri", "https://app.example.com/back"]].concat()).done();
        let only = instance.json(&["client", "show", "app"])["secrets"][0]["id"].as_str().unwrap().to_owned();
        instance.run(&["client", "end-secret", "app", &only]).fails(1, "only secret");
        instance.run(&["client", "rotate-secret", "app", "--overlap", "1h"]).done();
        assert!(instance.run(&["client", "show", "app"]).done().out.contains(&only), "it is told by its id");
        let ended = instance.json(&["client", "end-secret", "app", &only]);
        assert_eq!((&ended["secret"], &ended["state"]), (&json!(only), &json!("ended")));
        instance.run(&["client", "end-secret", "app", &only]).fails(1, "no such secret");
        instance.run(&["client", "rotate-secret", "app", "--overlap", "1h"]).done();
        instance.run(&["client", "end-secret", "app", "first"]).fails(2, "first");
        instance.run(&["client", "end-secret", "other", &only]).fails(1, "no such client");
        assert!(instance.audited().contains(&"client.changed".to_owned()));

        let home = ["client", "set", "app", "--client-uri", "https://app.example.com"];
        let set = instance
            .json(&[&home[..], &["--id-token-alg", "ES256", "--auth", "client_secret_post"]].concat());
        assert_eq!(set["client_uri"], "https://app.example.com");
        assert_eq!(set["id_token_signed_response_alg"], "ES256");
        assert_eq!(set["token_endpoint_auth_method"], "client_secret_post");
        assert_eq!(instance.json(&["client", "set", "app", "--client-uri", ""])["client_uri"], json!(null));
    });
}

#[test]
fn how_an_organisation_looks_is_changed_and_shown() {
    on_every_database(|instance| {
        instance.run(&["init"]).done();
        instance.run(&["org", "add", "--slug", "acme", "--name", "Acme"]).done();
        let plain = instance.json(&["org", "brand", "acme"]);
        assert_eq!(
            (&plain["accent"], &plain["logo"], &plain["message"]),
            (&json!(null), &json!(null), &json!(""))
        );
        instance.write("logo.png", "no picture");
        instance
            .run(&["org", "brand", "acme", "--logo", "logo.png", "--message", "X"])
            .fails(1, "PNG, JPEG or WebP");
        assert_eq!(instance.json(&["org", "brand", "acme"])["message"], "", "nothing was changed");
        instance.write("logo.webp", "RIFF\0\0\0\0WEBPVP8X\n\0\0\0\0\0\0\0\u{f}\0\0\u{f}\0\0");
        let brand = ["org", "brand", "acme", "--accent", "#146150", "--message", "Staff only"];
        let look =
            instance.json(&[&brand[..], &["--support", "help@acme.example", "--logo", "logo.webp"]].concat());
        assert_eq!((&look["accent"], &look["message"]), (&json!("#146150"), &json!("Staff only")));
        assert_eq!((&look["support"], &look["logo"]), (&json!("help@acme.example"), &json!("image/webp")));
        let look = instance.json(&["org", "brand", "acme", "--message", "", "--no-logo"]);
        assert_eq!(
            (&look["accent"], &look["message"], &look["logo"]),
            (&json!("#146150"), &json!(""), &json!(null))
        );
        instance.run(&["org", "brand", "acme", "--accent", "#ffff00"]).fails(1, "contrast");
        instance.run(&["org", "brand", "other"]).fails(1, "there is no organisation");
        assert!(instance.audited().contains(&"branding.changed".to_owned()), "{:?}", instance.audited());
    });
}
