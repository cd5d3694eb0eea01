//! The first quarter of an hour of an instance in Chromium: an administrator with a passkey, and what they watch.

use std::time::Duration;

use countersign::tenancy::links;

use super::journey::Journey;
use super::start;
use crate::on_both_databases;

on_both_databases! {
    async fn ad_1_mf_2_the_administrator_begins_with_a_passkey_and_watches_the_first_sign_in(database) {
        let app = start(database).await;
        app.user("ada").await;
        let calendar = app.client("calendar").await;
        let link = links::first_administrator(&app.app).await.unwrap().expect("nobody administers yet");
        let path = format!("/setup/{}", link.expose());
        let journey = Journey::new(&app)
            .authenticator()
            .goto(&path)
            .see("#passkey-form")
            .inspect("setup-passkey")
            // Nothing is typed yet: the browser says so, and the page stays.
            .click("#passkey-submit")
            .see("#setup-form")
            .fill("name", "Root")
            .fill("email", "ada@example.com")
            .click("#passkey-submit")
            .see("#email-error")
            .fill("email", "root@example.com")
            .click("#passkey-submit")
            .see("#recovery-codes")
            .click("#recovery-continue")
            .at(&app.url("/admin/setup"))
            .see_text("2 of 5 steps")
            .see("#step-administrator.on-card")
            .see("#step-watch[data-watch]")
            .not_see("#step-watch.on-card")
            // The page is left alone from here on.
            .see("#step-watch.on-card")
            .not_see("[data-watch]");
        let first_sign_in = async {
            for _ in 0..300 {
                if app.read(countersign::store::users::any_admin).await { break; }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            // Until the page is there.
            tokio::time::sleep(Duration::from_secs(4)).await;
            calendar.sign_in(&mut app.browser(), "ada", "openid").await;
        };
        tokio::join!(journey.run(), first_sign_in);

        let root = app.read(|db| countersign::store::users::find_by_login(db, "root@example.com")).await.expect("made");
        assert!(app.read(move |db| countersign::store::users::password(db, root.id)).await.is_none(), "no password");
        assert!(app.audit().await.contains(&"setup.completed success".to_owned()));
        // The passkey is the way in from now on, and the link is spent.
        let again = Journey::new(&app).goto(&path).see("#link-expired");
        again.run().await;
    }
}
