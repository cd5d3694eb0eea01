//! The workspaces of an organisation: making, renaming, and removing with what ends with one.

use actix_web::HttpResponse;

use super::{Said, Tab, below, fact, sheet};
use crate::model::WorkspaceId;
use crate::store::organisations::{self, Organisation, Workspace};
use crate::tenancy::workspaces::{self, Uses, WorkspaceError};
use crate::web::admin::access::{Change, Console};
use crate::web::admin::list::{LIMIT, List};
use crate::web::admin::{Route, table, words};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Link, Sheet, Table, Tone};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/organizations/{organization}/workspaces" organisation see list;
    get "/admin/organizations/{organization}/workspaces/new" organisation change new;
    post "/admin/organizations/{organization}/workspaces/new" organisation change create;
    get "/admin/organizations/{organization}/workspaces/{workspace}" organisation see show;
    post "/admin/organizations/{organization}/workspaces/{workspace}" organisation change rename;
    get "/admin/organizations/{organization}/workspaces/{workspace}/remove" organisation destroy ask_remove;
    post "/admin/organizations/{organization}/workspaces/{workspace}/remove" organisation destroy remove;
};

/// `GET /admin/organizations/{organization}/workspaces`.
async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let of = console.entered().organisation();
    let (organisation, at) = (of.id, Tab::Workspaces.path(of.id));
    let query = console.query()?;
    let list = List::new(&at, &query, &[]);
    let after = list.after()?;
    let read = move |db: &mut crate::store::Conn| organisations::workspaces(db, organisation, after, LIMIT);
    let mut found = console.app().db.read(read).await?;
    let (next, first) = list.cut(&mut found, |one| one.id);
    let may = console.may_change();
    Ok(console.show(|ui| {
        let new = Link::primary(ui.t("workspaces.new"), format!("{at}/new"));
        let rows = found.iter().map(|one| {
            let mut name = vec![Cell::link(&one.name, format!("{at}/{}", one.id))];
            if one.is_default {
                name.push(Cell::tag(Tone::Plain, ui.t("workspaces.default")));
            }
            vec![Cell::Many(name), Cell::code(&one.slug), Cell::Time(one.created_at)]
        });
        let head = [ui.t("orgs.name"), ui.t("orgs.slug"), ui.t("orgs.since")];
        let table = Table::new(ui.t("workspaces.title"), head).rows(rows).pages(next, first);
        let card = Card::plain("workspaces").links(may.then_some(new).into_iter().collect()).table(table);
        sheet(ui, of, Tab::Workspaces).lead(ui.t("workspaces.lead")).card(card)
    }))
}

/// `GET /admin/organizations/{organization}/workspaces/new`.
async fn new(console: Console) -> Result<HttpResponse, PageFailure> {
    let of = console.entered().organisation();
    Ok(console.show(|ui| new_sheet(ui, of, new_form(ui, of))))
}

fn new_sheet(ui: &Ui<'_>, of: &Organisation, form: Form) -> Sheet {
    below(ui, of, Tab::Workspaces, ui.t("workspaces.new")).card(Card::plain("form-card").form(form))
}

fn new_form(ui: &Ui<'_>, of: &Organisation) -> Form {
    let at = Tab::Workspaces.path(of.id);
    Form::new("new-workspace", format!("{at}/new"), ui.t("users.create"))
        .field(Field::text("name", ui.t("orgs.name")).required())
        .field(Field::text("slug", ui.t("orgs.slug")).hint(ui.t("orgs.slug_hint")).required())
        .cancel(at)
}

/// `POST /admin/organizations/{organization}/workspaces/new`.
async fn create(change: Change) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation();
    let (slug, name) = (change.text("slug"), change.text("name"));
    match workspaces::create(change.app(), change.actor(), of.id, slug, name, &change.origin).await {
        Ok(made) => Ok(change.done(&format!("{}/{}", Tab::Workspaces.path(of.id), made.id), "created")),
        Err(error) => {
            let (field, key) = said(error)?;
            Ok(change.again(|ui| {
                let wrong = [(field, words::said(ui, key))];
                new_sheet(ui, of, new_form(ui, of).typed(Some(&change.typed), &wrong))
            }))
        }
    }
}

fn said(error: WorkspaceError) -> Result<Said, PageFailure> {
    Ok(match error {
        WorkspaceError::BadSlug(_) => ("slug", "orgs.bad_slug"),
        WorkspaceError::BadName => ("name", "orgs.bad_name"),
        WorkspaceError::SlugTaken => ("slug", "workspaces.slug_taken"),
        WorkspaceError::Default => ("", "workspaces.stays"),
        WorkspaceError::NotPermitted(_) => ("", "orgs.not_permitted"),
        WorkspaceError::NoSuchWorkspace | WorkspaceError::NoSuchOrganisation => {
            return Err(PageFailure::NotFound);
        }
        WorkspaceError::Store(error) => return Err(error.into()),
    })
}

async fn found(console: &Console) -> Result<Workspace, PageFailure> {
    let (organisation, id): (_, WorkspaceId) =
        (console.entered().organisation().id, console.named("workspace")?);
    let read = console.app().db.read(move |db| organisations::find_workspace(db, organisation, id));
    read.await?.ok_or(PageFailure::NotFound)
}

/// `GET /admin/organizations/{organization}/workspaces/{workspace}`.
async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (console.entered().organisation(), found(&console).await?);
    let uses = workspaces::uses(console.app(), &one).await?;
    let may = console.may_change();
    Ok(console.show(|ui| one_sheet(ui, of, &one, &uses, may.then(|| rename_form(ui, of, &one)))))
}

fn rename_form(ui: &Ui<'_>, of: &Organisation, one: &Workspace) -> Form {
    let at = Tab::Workspaces.path(of.id);
    Form::new("rename-workspace", format!("{at}/{}", one.id), ui.t("users.save"))
        .field(Field::text("name", ui.t("orgs.name")).value(&one.name).required())
        .cancel(at)
}

fn one_sheet(ui: &Ui<'_>, of: &Organisation, one: &Workspace, uses: &Uses, form: Option<Form>) -> Sheet {
    let facts = vec![
        fact(ui, "orgs.slug", Cell::code(&one.slug)),
        fact(ui, "users.id", Cell::code(one.id.to_string())),
        fact(ui, "workspaces.members", Cell::text(uses.members.to_string())),
        fact(ui, "console.place.api_keys", Cell::text(uses.api_keys.to_string())),
        fact(ui, "invites.still_open", Cell::text(uses.invitations.to_string())),
        fact(ui, "orgs.since", Cell::Time(one.created_at)),
    ];
    let sheet = below(ui, of, Tab::Workspaces, &one.name).card(Card::plain("workspace").facts(facts));
    let Some(form) = form else { return sheet };
    let end = Card::new("endings", ui.t("workspaces.remove"));
    let end = match one.is_default {
        true => end.text(ui.t("workspaces.stays")),
        false => {
            let at = format!("{}/{}/remove", Tab::Workspaces.path(of.id), one.id);
            end.links(vec![Link::grave(ui.t("workspaces.remove"), at)])
        }
    };
    sheet.card(Card::new("rename", ui.t("workspaces.rename")).form(form)).card(end)
}

/// `POST /admin/organizations/{organization}/workspaces/{workspace}`.
async fn rename(change: Change) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (change.entered().organisation(), found(&change).await?);
    let (actor, name) = (change.actor(), change.text("name"));
    match workspaces::rename(change.app(), actor, of.id, one.id, name, &change.origin).await {
        Ok(()) => Ok(change.done(&format!("{}/{}", Tab::Workspaces.path(of.id), one.id), "saved")),
        Err(error) => {
            let (field, key) = said(error)?;
            let uses = workspaces::uses(change.app(), &one).await?;
            Ok(change.again(|ui| {
                let wrong = [(field, words::said(ui, key))];
                let form = rename_form(ui, of, &one).typed(Some(&change.typed), &wrong);
                one_sheet(ui, of, &one, &uses, Some(form))
            }))
        }
    }
}

fn question(ui: &Ui<'_>, of: &Organisation, one: &Workspace, uses: &Uses, wrong: Option<Said>) -> Sheet {
    let at = format!("{}/{}", Tab::Workspaces.path(of.id), one.id);
    let form = Form::new("remove", format!("{at}/remove"), ui.t("workspaces.remove")).grave().cancel(&at);
    let wrong: Vec<_> = wrong.map(|(_, key)| ("", words::said(ui, key))).into_iter().collect();
    let count = |number: usize| Cell::text(number.to_string());
    let card = Card::plain("question")
        .text(ui.with("workspaces.remove_text", &[("name", one.name.as_str())]))
        .facts(vec![
            fact(ui, "workspaces.members", count(uses.members)),
            fact(ui, "workspaces.leaving", count(uses.leaving)),
            fact(ui, "console.place.api_keys", Cell::text(uses.api_keys.to_string())),
            fact(ui, "invites.still_open", Cell::text(uses.invitations.to_string())),
        ])
        .form(form.typed(None, &wrong));
    below(ui, of, Tab::Workspaces, ui.t("workspaces.remove")).under(&one.name, at).card(card)
}

/// `GET /admin/organizations/{organization}/workspaces/{workspace}/remove`.
async fn ask_remove(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (console.entered().organisation(), found(&console).await?);
    let uses = workspaces::uses(console.app(), &one).await?;
    Ok(console.show(|ui| question(ui, of, &one, &uses, None)))
}

/// `POST /admin/organizations/{organization}/workspaces/{workspace}/remove`.
async fn remove(change: Change) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (change.entered().organisation(), found(&change).await?);
    match workspaces::remove(change.app(), change.actor(), of.id, one.id, &change.origin).await {
        Ok(()) => Ok(change.done(&Tab::Workspaces.path(of.id), "removed")),
        Err(error) => {
            let wrong = said(error)?;
            let uses = workspaces::uses(change.app(), &one).await?;
            Ok(change.again(|ui| question(ui, of, &one, &uses, Some(wrong))))
        }
    }
}
