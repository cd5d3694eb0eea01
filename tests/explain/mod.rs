//! Why a request was refused: the reference that a visitor is shown leads to the rule and the facts, and to no secret.

mod authorize;
mod bounds;
mod shell;
mod sign_in;
mod tokens;

use countersign::explain::{self, Explained};

use crate::support::{Page, TestApp, TokenAnswer, text};

/// What an operator is told of this reference.
async fn why(app: &TestApp, reference: &str) -> Explained {
    let found = explain::find(&app.app, reference, None).await.expect("the database answers");
    found.unwrap_or_else(|| panic!("nothing is known of {reference:?}"))
}

/// The rule that refused, and a fact.
#[track_caller]
fn assert_told(found: &Explained, rule: &str, facts: &[(&str, &str)]) {
    let told: Vec<(&str, &str)> =
        found.told.facts.iter().map(|fact| (fact.name.as_ref(), fact.value.as_str())).collect();
    assert_eq!(found.told.rule.as_str(), rule, "{told:?}");
    for fact in facts {
        assert!(told.contains(fact), "{fact:?} is not among {told:?}");
    }
}

/// What a page shows: of an error or beside a form that came back.
#[track_caller]
fn shown(page: &Page) -> String {
    let id = if page.has_id("error-reference") { "error-reference" } else { "reference" };
    let (_, after) = page
        .html
        .split_once(&format!("id=\"{id}\">"))
        .unwrap_or_else(|| panic!("no reference: {}", text(&page.html)));
    let reference = after.split('<').next().unwrap_or_default().to_owned();
    assert_eq!(page.header("x-request-id"), reference, "the header says the same");
    reference
}

/// What an answer of the token endpoint has.
#[track_caller]
fn member(answer: &TokenAnswer) -> String {
    let reference = answer.body["reference"].as_str().unwrap_or_else(|| panic!("no reference: {answer:?}"));
    assert_eq!(answer.header("x-request-id"), reference, "the header says the same");
    reference.to_owned()
}

/// What stands at the end of the description of an error that the browser brings to the application.
#[track_caller]
fn brought(page: &Page) -> String {
    let description = page.query()["error_description"].clone();
    let (_, reference) = description.rsplit_once("(reference ").unwrap_or_else(|| panic!("{description}"));
    reference.trim_end_matches(')').to_owned()
}
