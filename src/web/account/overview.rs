//! `/account`: who I am here, what is worth doing, what happened lately.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::identity::account::overview::{self, Activity};
use crate::model::Outcome;
use crate::tenancy::console;
use crate::web::failure::PageFailure;
use crate::web::login::visitor::{Visitor, person};
use crate::web::page::{AccountDeed, Advice, OverviewPage, Section};
use crate::web::respond::Csp;

use super::owner;

/// `GET /account`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let account = match owner(&visitor, Section::Overview).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let overview = overview::overview(&visitor.app, account.user.id).await?;
    let frame = visitor.frame_of(&account);
    let person = person(&account);
    let ui = frame.ui(Some(person.label()));
    let advice: Vec<Advice> = overview.advice.iter().map(shown).collect();
    let activity: Vec<AccountDeed<'_>> = overview.activity.iter().map(deed).collect();
    let now = visitor.app.clock.now();
    let leads_on = console::is_open_to(&visitor.app, &account).await?;
    let page = OverviewPage { ui: &ui, now, person, advice: &advice, activity: &activity, leads_on };
    Ok(visitor.show(&ui, StatusCode::OK, &page, Csp::Own))
}

fn shown(advice: &overview::Advice) -> Advice {
    match *advice {
        overview::Advice::AddAddress => Advice::AddAddress,
        overview::Advice::VerifyAddress => Advice::VerifyAddress,
        overview::Advice::AddFactor => Advice::AddFactor,
        overview::Advice::MakeRecoveryCodes { left } => Advice::MakeRecoveryCodes { left },
    }
}

fn deed(activity: &Activity) -> AccountDeed<'_> {
    AccountDeed {
        action: activity.action,
        succeeded: activity.outcome == Outcome::Success,
        at: activity.at,
        place: activity.place.as_deref().unwrap_or_default(),
        client: activity.client.as_deref().unwrap_or_default(),
        methods: &activity.methods,
    }
}
