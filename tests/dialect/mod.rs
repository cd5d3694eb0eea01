//! Login APIs of other products, line by line of what their documents promise.

mod another;
mod api;
mod check;
mod clients;
mod eden;
mod jack;
mod jardine;
mod machines;
mod orgstack;
mod places;
mod roles;
mod rules;
mod tendedloop;

use api::{Answer, Api, members, shipped};
