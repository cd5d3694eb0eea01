//! `/admin/organizations`: organisations and everything that is theirs. One file for each of the pages beside each other.
//!
//! Whoever administers an organisation comes here as well as whoever runs the instance; what they may do there beyond
//! that is decided by [`crate::tenancy`], in the transaction that does it.

pub mod api_keys;
pub mod branding;
pub mod domains;
pub mod invitations;
pub mod list;
pub mod members;
pub mod roles;
pub mod show;
pub mod workspaces;

use crate::model::{OrganisationId, WorkspaceId};
use crate::store::organisations::{self, Organisation, Workspace};
use crate::tenancy::members::MemberError;
use crate::tenancy::roles::{self as own_roles, Described};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Cell, Field, Kind, Link, Pick, Place, Sheet};
use crate::web::ui::Ui;

use super::access::{Change, Console};

const PATH: &str = "/admin/organizations";
/// Workspaces that a form offers.
const OFFERED: i64 = 200;

/// Where an organisation is looked at. By its id: a short name could be a word of ours, such as `new`.
fn path_of(organisation: OrganisationId) -> String {
    format!("{PATH}/{organisation}")
}

/// The pages beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Members,
    Invitations,
    Roles,
    Workspaces,
    Domains,
    Branding,
    ApiKeys,
    Explain,
    Audit,
}

impl Tab {
    const ALL: [Self; 10] = [
        Self::Overview,
        Self::Members,
        Self::Invitations,
        Self::Roles,
        Self::Workspaces,
        Self::Domains,
        Self::Branding,
        Self::ApiKeys,
        Self::Explain,
        Self::Audit,
    ];

    fn label(self, ui: &Ui<'_>) -> &'static str {
        match self {
            Self::Overview => ui.t("console.place.overview"),
            Self::Members => ui.t("members.title"),
            Self::Invitations => ui.t("invites.title"),
            Self::Roles => ui.t("roles.title"),
            Self::Workspaces => ui.t("workspaces.title"),
            Self::Domains => ui.t("domains.title"),
            Self::Branding => ui.t("branding.title"),
            Self::ApiKeys => ui.t("console.place.api_keys"),
            Self::Explain => ui.t("console.place.explain"),
            Self::Audit => ui.t("console.place.audit"),
        }
    }

    pub(super) fn path(self, of: OrganisationId) -> String {
        let at = path_of(of);
        match self {
            Self::Overview => at,
            Self::Members => format!("{at}/members"),
            Self::Invitations => format!("{at}/invitations"),
            Self::Roles => format!("{at}/roles"),
            Self::Workspaces => format!("{at}/workspaces"),
            Self::Domains => format!("{at}/domains"),
            Self::Branding => format!("{at}/branding"),
            Self::ApiKeys => format!("{at}/api-keys"),
            Self::Explain => format!("{at}/explain"),
            Self::Audit => format!("{at}/audit"),
        }
    }
}

/// One of the pages beside each other.
pub(super) fn sheet(ui: &Ui<'_>, of: &Organisation, tab: Tab) -> Sheet {
    let tabs = Tab::ALL.iter().map(|one| Link::tab(one.label(ui), one.path(of.id), *one == tab)).collect();
    let title = if tab == Tab::Overview { of.name.as_str() } else { tab.label(ui) };
    let sheet = Sheet::new(Place::Organisations, title).under(ui.t("console.place.organisations"), PATH);
    match tab {
        Tab::Overview => sheet,
        _ => sheet.under(&of.name, path_of(of.id)),
    }
    .tabs(tabs)
}

/// A page below one of them.
pub(super) fn below(ui: &Ui<'_>, of: &Organisation, tab: Tab, title: impl Into<String>) -> Sheet {
    let sheet = Sheet::new(Place::Organisations, title)
        .under(ui.t("console.place.organisations"), PATH)
        .under(&of.name, path_of(of.id));
    if tab == Tab::Overview { sheet } else { sheet.under(tab.label(ui), tab.path(of.id)) }
}

/// What a form offers that gives roles: the roles, the highest first, and the workspaces.
struct Offer {
    roles: Vec<Described>,
    workspaces: Vec<Workspace>,
}

impl Offer {
    async fn of(console: &Console) -> Result<Self, PageFailure> {
        let organisation = console.entered().organisation().id;
        let read = console.app().db.read(move |db| {
            let roles = own_roles::list(db, organisation)?;
            Ok(Self { roles, workspaces: organisations::workspaces(db, organisation, None, OFFERED)? })
        });
        Ok(read.await?)
    }

    fn roles(&self, ui: &Ui<'_>, picked: &[&str]) -> Field {
        let picks = self.roles.iter().map(|one| {
            let role = &one.role;
            Pick::new(&role.key, &role.name)
                .hint(one.permissions.join(", "))
                .picked(picked.contains(&role.key.as_str()))
        });
        Field::new(Kind::Checks(picks.collect()), "roles", ui.t("members.roles"))
            .hint(ui.t("members.roles_hint"))
    }

    fn workspaces(&self, ui: &Ui<'_>) -> Field {
        let all = Pick::new("", ui.t("members.everywhere"));
        let picks = self.workspaces.iter().map(|one| Pick::new(one.id.to_string(), &one.name));
        let picks = std::iter::once(all).chain(picks).collect();
        Field::new(Kind::Select(picks), "workspace", ui.t("members.where"))
    }

    /// How a workspace is called.
    fn name_of(&self, workspace: WorkspaceId) -> Option<&str> {
        self.workspaces.iter().find(|one| one.id == workspace).map(|one| one.name.as_str())
    }
}

/// The workspace that was chosen; none is the whole organisation.
fn chosen_workspace(change: &Change) -> Result<Option<WorkspaceId>, PageFailure> {
    match change.text("workspace") {
        "" => Ok(None),
        id => id.parse().map(Some).map_err(|_| PageFailure::NotFound),
    }
}

/// A field, and the text about it.
type Said = (&'static str, &'static str);

/// What is said of a membership that was not changed; a failure where no form can mend it.
fn about_members(error: MemberError) -> Result<Said, PageFailure> {
    Ok(match error {
        MemberError::NoSuchWorkspace => ("workspace", "members.no_workspace"),
        MemberError::NoSuchRole(_) => ("roles", "members.no_role"),
        MemberError::NoSuchUser => ("user", "members.no_user"),
        MemberError::NoRoles => ("roles", "members.no_roles"),
        MemberError::TooManyRoles => ("roles", "members.too_many_roles"),
        MemberError::LastAdministrator => ("", "members.last"),
        MemberError::OwnMembership => ("", "members.own"),
        MemberError::AboveOwn => ("roles", "members.above"),
        MemberError::NotPermitted(_) => ("", "orgs.not_permitted"),
        MemberError::NoSuchOrganisation | MemberError::NotAMember => return Err(PageFailure::NotFound),
        MemberError::Store(error) => return Err(error.into()),
    })
}

/// A name of one of the facts, and what it is.
fn fact(ui: &Ui<'_>, key: &'static str, cell: Cell) -> (String, Cell) {
    (ui.t(key).to_owned(), cell)
}
