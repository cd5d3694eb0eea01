//! The whole instance, or one organisation of it: what both areas have is one page, which shows an organisation nothing
//! that is not in it.

use super::access::Console;
use super::organisations::{self, Tab};
use crate::model::OrganisationId;
use crate::store::organisations::Organisation;
use crate::tenancy::console::Area;
use crate::web::page::admin::{Place, Sheet};
use crate::web::ui::Ui;

/// Where a page is looked at.
pub struct Within {
    place: Place,
    tab: Tab,
    organisation: Option<Organisation>,
}

impl Within {
    /// As the route has it: an organisation is the one that its path names, and whoever came was let in for.
    pub fn of(console: &Console, place: Place, tab: Tab) -> Self {
        let is_of_one = console.entered().need().area == Area::Organisation;
        let organisation = is_of_one.then(|| console.entered().organisation().clone());
        Self { place, tab, organisation }
    }

    /// The one organisation.
    pub fn one(&self) -> Option<&Organisation> {
        self.organisation.as_ref()
    }

    pub fn only(&self) -> Option<OrganisationId> {
        self.one().map(|of| of.id)
    }

    /// The list.
    pub fn path(&self) -> String {
        self.one().map_or_else(|| self.place.path().to_owned(), |of| self.tab.path(of.id))
    }

    /// The page of the list.
    pub fn sheet(&self, ui: &Ui<'_>) -> Sheet {
        match self.one() {
            None => Sheet::new(self.place, self.place.label(ui)),
            Some(of) => organisations::sheet(ui, of, self.tab),
        }
    }

    /// A page of something in the list.
    pub fn below(&self, ui: &Ui<'_>, title: &str) -> Sheet {
        match self.one() {
            None => Sheet::new(self.place, title).under(self.place.label(ui), self.place.path()),
            Some(of) => organisations::below(ui, of, self.tab, title),
        }
    }
}
