//! The protocol from outside: what a client, a browser and an API see.

mod flows;
mod refresh;
