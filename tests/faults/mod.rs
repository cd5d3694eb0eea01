//! What happens when something breaks: the process dies, the database goes away, the disk is full.

mod crash;
mod full;
mod outage;
mod stop;
