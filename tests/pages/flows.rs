//! Ways through the pages that matter on their own: a form as the answer, the keyboard alone.

use super::application::Application;
use super::journey::Journey;
use super::start;
use crate::support::{Database, PASSWORD};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn form_post_returns_by_itself_with_scripts_and_by_a_button_without() {
    let app = start(Database::Sqlite).await;
    app.user("ada").await;
    let application = Application::start(&app, "calendar").await;
    let flow = application.client.flow("openid").with("response_mode", "form_post");

    let journey = Journey::new(&app).goto(&flow.path()).sign_in("ada").click("#consent-allow");
    journey.see("#application").at(&application.client.redirect_uri).run().await;
    let by_script = application.callback();

    let journey = Journey::new(&app).without_scripts().goto(&flow.path()).sign_in("ada");
    let journey = journey.click("#consent-allow").see("#form-post").click("#form-post button");
    journey.see("#application").run().await;
    let by_button = application.callback();

    for callback in [&by_script, &by_button] {
        assert_eq!(
            (callback.method.as_str(), callback.get("state")),
            ("POST", Some("st4te")),
            "{callback:?}"
        );
        assert_eq!(callback.get("iss"), Some(app.issuer.as_str()));
        let code = callback.get("code").expect("a code");
        application.client.redeem(&flow, code).await.expect_tokens();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_signs_in_with_the_keyboard_alone() {
    let app = start(Database::Sqlite).await;
    app.user("ada").await;
    let application = Application::start(&app, "calendar").await;
    let flow = application.client.flow("openid email");
    let journey = Journey::new(&app)
        .goto(&flow.path())
        .see("#username:focus")
        .type_in("ada@example.com")
        .press("Tab")
        .see("#password:focus")
        .type_in(PASSWORD)
        .press("Enter")
        .see("#consent-form")
        // Skip link, brand, another account, then the decision.
        .press("Tab")
        .see(".skip:focus")
        .press("Tab")
        .see(".brand:focus")
        .press("Tab")
        .press("Tab")
        .see("#consent-allow:focus")
        .press("Tab")
        .see("#consent-deny:focus")
        .press("Shift+Tab")
        .press("Enter")
        .see("#application");
    journey.run().await;
    let callback = application.callback();
    application.client.redeem(&flow, callback.get("code").expect("a code")).await.expect_tokens();
}
