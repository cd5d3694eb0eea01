//! The roles that an organisation can give: those that the instance ships, to look at, and its own, to define.

use actix_web::HttpResponse;

use super::{Said, Tab, below, fact, sheet};
use crate::model::Permission;
use crate::store::organisations::Organisation;
use crate::tenancy::roles::{self, Described, Description, RoleError};
use crate::web::admin::access::{Change, Console};
use crate::web::admin::{Route, table, words};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Kind, Link, Pick, Sheet, Table, Tone, picked};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/organizations/{organization}/roles" organisation see list;
    get "/admin/organizations/{organization}/new-role" organisation change new;
    post "/admin/organizations/{organization}/new-role" organisation change define;
    get "/admin/organizations/{organization}/roles/{role}" organisation see show;
    post "/admin/organizations/{organization}/roles/{role}" organisation change save;
    get "/admin/organizations/{organization}/roles/{role}/remove" organisation destroy ask_remove;
    post "/admin/organizations/{organization}/roles/{role}/remove" organisation destroy remove;
};

fn path(of: &Organisation, key: &str) -> String {
    format!("{}/{key}", Tab::Roles.path(of.id))
}

/// What an organisation's APIs call things, beside the words of ours.
fn beyond(permissions: &[String]) -> Vec<&str> {
    permissions.iter().map(String::as_str).filter(|text| Permission::parse(text).is_none()).collect()
}

async fn all(console: &Console) -> Result<Vec<Described>, PageFailure> {
    let organisation = console.entered().organisation().id;
    Ok(console.app().db.read(move |db| roles::list(db, organisation)).await?)
}

async fn found(console: &Console) -> Result<Described, PageFailure> {
    let key: String = console.named("role")?;
    all(console).await?.into_iter().find(|one| one.role.key == key).ok_or(PageFailure::NotFound)
}

/// `GET /admin/organizations/{organization}/roles`: all on one page, for an organisation has few.
async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, found) = (console.entered().organisation(), all(&console).await?);
    let may = console.may_change();
    Ok(console.show(|ui| {
        let new = Link::primary(ui.t("roles.new"), format!("{}/new-role", super::path_of(of.id)));
        let rows = found.iter().map(|one| {
            let role = &one.role;
            let mut name = vec![Cell::link(&role.name, path(of, &role.key))];
            if role.organisation_id.is_none() {
                name.push(Cell::tag(Tone::Plain, ui.t("roles.shipped")));
            }
            if role.require_mfa {
                name.push(Cell::tag(Tone::Plain, ui.t("roles.two_factors")));
            }
            let permissions = one.permissions.iter().map(Cell::code).collect();
            vec![
                Cell::Many(name),
                Cell::code(&role.key),
                Cell::text(role.rank.to_string()),
                Cell::Many(permissions),
            ]
        });
        let head = [ui.t("roles.name"), ui.t("roles.key"), ui.t("roles.rank"), ui.t("roles.permissions")];
        let table = Table::new(ui.t("roles.title"), head).rows(rows);
        let card = Card::plain("roles").links(may.then_some(new).into_iter().collect()).table(table);
        sheet(ui, of, Tab::Roles).lead(ui.t("roles.lead")).card(card)
    }))
}

fn meaning(ui: &Ui<'_>, permission: Permission) -> &'static str {
    match permission {
        Permission::OrganisationRead => ui.t("roles.may.org_read"),
        Permission::OrganisationWrite => ui.t("roles.may.org_write"),
        Permission::MembersRead => ui.t("roles.may.members_read"),
        Permission::MembersWrite => ui.t("roles.may.members_write"),
        Permission::RolesWrite => ui.t("roles.may.roles_write"),
        Permission::WorkspacesWrite => ui.t("roles.may.workspaces_write"),
        Permission::ApiKeysWrite => ui.t("roles.may.api_keys_write"),
    }
}

/// Our own permissions to tick.
pub fn permissions(ui: &Ui<'_>, name: &str, label: &'static str, given: &[String]) -> Field {
    let picks = Permission::ALL.iter().map(|one| {
        let has = given.iter().any(|text| text == one.as_str());
        Pick::new(one.as_str(), one.as_str()).hint(meaning(ui, *one)).picked(has)
    });
    Field::new(Kind::Checks(picks.collect()), name, ui.t(label))
}

/// What was ticked, and what was written beside it.
pub fn all_permissions(change: &Change, name: &str) -> Vec<String> {
    let mut all = picked(&change.typed, name);
    all.extend(change.text("more").split_whitespace().map(str::to_owned));
    all
}

fn fields(ui: &Ui<'_>, one: Option<&Described>) -> Vec<Field> {
    let given = one.map(|one| one.permissions.as_slice()).unwrap_or_default();
    let role = one.map(|one| &one.role);
    let name = role.map(|role| role.name.as_str()).unwrap_or_default();
    let rank = role.map_or(20, |role| role.rank).to_string();
    let more = Field::new(Kind::Lines, "more", ui.t("roles.more")).value(beyond(given).join("\n"));
    let mfa =
        Field::check("require_mfa", ui.t("roles.two_factors"), role.is_some_and(|role| role.require_mfa));
    vec![
        Field::text("name", ui.t("roles.name")).value(name).required(),
        Field::new(Kind::Number, "rank", ui.t("roles.rank"))
            .hint(ui.t("roles.rank_hint"))
            .value(rank)
            .required(),
        permissions(ui, "permissions", "roles.permissions", given),
        more.hint(ui.t("roles.more_hint")),
        mfa.hint(ui.t("roles.two_factors_hint")),
    ]
}

fn description(change: &Change) -> Result<Description, Said> {
    Ok(Description {
        name: change.text("name").to_owned(),
        rank: change.text("rank").trim().parse().map_err(|_| ("rank", "roles.bad_rank"))?,
        permissions: all_permissions(change, "permissions").into_iter().collect(),
        require_mfa: change.is_checked("require_mfa"),
    })
}

/// `GET /admin/organizations/{organization}/new-role`.
async fn new(console: Console) -> Result<HttpResponse, PageFailure> {
    let of = console.entered().organisation();
    Ok(console.show(|ui| new_sheet(ui, of, new_form(ui, of))))
}

fn new_sheet(ui: &Ui<'_>, of: &Organisation, form: Form) -> Sheet {
    below(ui, of, Tab::Roles, ui.t("roles.new")).card(Card::plain("form-card").form(form))
}

fn new_form(ui: &Ui<'_>, of: &Organisation) -> Form {
    Form::new("new-role", format!("{}/new-role", super::path_of(of.id)), ui.t("users.create"))
        .field(Field::text("key", ui.t("roles.key")).hint(ui.t("roles.key_hint")).required())
        .fields(fields(ui, None))
        .cancel(Tab::Roles.path(of.id))
}

/// `POST /admin/organizations/{organization}/new-role`.
async fn define(change: Change) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation();
    let (actor, key) = (change.actor(), change.text("key"));
    let defined = match description(&change) {
        Ok(description) => {
            let defined = roles::define(change.app(), actor, of.id, key, description, &change.origin).await;
            defined.map(|_| ()).map_err(said)
        }
        Err(wrong) => Err(Ok(wrong)),
    };
    match defined {
        Ok(()) => Ok(change.done(&Tab::Roles.path(of.id), "created")),
        Err(wrong) => {
            let (field, key) = wrong?;
            Ok(change.again(|ui| {
                let wrong = [(field, words::said(ui, key))];
                new_sheet(ui, of, new_form(ui, of).typed(Some(&change.typed), &wrong))
            }))
        }
    }
}

fn said(error: RoleError) -> Result<Said, PageFailure> {
    Ok(match error {
        RoleError::BadSlug(_) => ("key", "orgs.bad_slug"),
        RoleError::BadName => ("name", "orgs.bad_name"),
        RoleError::BadRank => ("rank", "roles.bad_rank"),
        RoleError::BadPermission(_) => ("more", "roles.bad_permission"),
        RoleError::TooManyPermissions => ("more", "roles.too_many"),
        RoleError::Shipped(_) => ("key", "roles.is_shipped"),
        RoleError::KeyTaken => ("key", "roles.key_taken"),
        RoleError::Held(_) => ("", "roles.held"),
        RoleError::AboveOwn => ("", "roles.above"),
        RoleError::NotPermitted(_) => ("", "orgs.not_permitted"),
        RoleError::NoSuchOrganisation | RoleError::NoSuchRole(_) => return Err(PageFailure::NotFound),
        RoleError::Store(error) => return Err(error.into()),
    })
}

/// `GET /admin/organizations/{organization}/roles/{role}`.
async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (console.entered().organisation(), found(&console).await?);
    let may = console.may_change() && one.role.organisation_id.is_some();
    Ok(console.show(|ui| one_sheet(ui, of, &one, may.then(|| edit_form(ui, of, &one)))))
}

fn edit_form(ui: &Ui<'_>, of: &Organisation, one: &Described) -> Form {
    Form::new("edit-role", path(of, &one.role.key), ui.t("users.save"))
        .fields(fields(ui, Some(one)))
        .cancel(Tab::Roles.path(of.id))
}

fn one_sheet(ui: &Ui<'_>, of: &Organisation, one: &Described, form: Option<Form>) -> Sheet {
    let role = &one.role;
    let facts = vec![
        fact(ui, "roles.key", Cell::code(&role.key)),
        fact(ui, "roles.rank", Cell::text(role.rank.to_string())),
        fact(ui, "roles.permissions", Cell::Many(one.permissions.iter().map(Cell::code).collect())),
    ];
    let card = Card::plain("role").facts(facts);
    let card = if role.organisation_id.is_none() { card.text(ui.t("roles.is_shipped")) } else { card };
    let sheet = below(ui, of, Tab::Roles, &role.name).card(card);
    let Some(form) = form else { return sheet };
    let remove = Link::grave(ui.t("roles.remove"), format!("{}/remove", path(of, &role.key)));
    sheet
        .card(Card::new("edit", ui.t("roles.edit")).form(form))
        .card(Card::new("endings", ui.t("roles.remove")).links(vec![remove]))
}

/// `POST /admin/organizations/{organization}/roles/{role}`.
async fn save(change: Change) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (change.entered().organisation(), found(&change).await?);
    let key = one.role.key.as_str();
    let saved = match description(&change) {
        Ok(description) => {
            let saved = roles::change(change.app(), change.actor(), of.id, key, description, &change.origin);
            saved.await.map_err(said)
        }
        Err(wrong) => Err(Ok(wrong)),
    };
    match saved {
        Ok(()) => Ok(change.done(&path(of, key), "saved")),
        Err(wrong) => {
            let (field, key) = wrong?;
            Ok(change.again(|ui| {
                let wrong = [(field, words::said(ui, key))];
                one_sheet(ui, of, &one, Some(edit_form(ui, of, &one).typed(Some(&change.typed), &wrong)))
            }))
        }
    }
}

fn question(ui: &Ui<'_>, of: &Organisation, one: &Described, wrong: Option<Said>) -> Sheet {
    let at = path(of, &one.role.key);
    let form = Form::new("remove", format!("{at}/remove"), ui.t("roles.remove")).grave().cancel(&at);
    let wrong: Vec<_> = wrong.map(|(_, key)| ("", words::said(ui, key))).into_iter().collect();
    let text = ui.with("roles.remove_text", &[("name", one.role.name.as_str())]);
    let card = Card::plain("question").text(text).form(form.typed(None, &wrong));
    below(ui, of, Tab::Roles, ui.t("roles.remove")).under(&one.role.name, at).card(card)
}

/// `GET /admin/organizations/{organization}/roles/{role}/remove`.
async fn ask_remove(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (console.entered().organisation(), found(&console).await?);
    Ok(console.show(|ui| question(ui, of, &one, None)))
}

/// `POST /admin/organizations/{organization}/roles/{role}/remove`.
async fn remove(change: Change) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (change.entered().organisation(), found(&change).await?);
    match roles::remove(change.app(), change.actor(), of.id, &one.role.key, &change.origin).await {
        Ok(()) => Ok(change.done(&Tab::Roles.path(of.id), "removed")),
        Err(error) => {
            let wrong = said(error)?;
            Ok(change.again(|ui| question(ui, of, &one, Some(wrong))))
        }
    }
}
