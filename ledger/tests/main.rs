//! The one test binary of the ledger: every rule is asked of both databases.

#![cfg(test)]

mod archive;
mod books;
mod charges;
mod closes;
mod copying;
mod hours;
mod inspecting;
mod months;
mod opening;
mod outbox;
mod ownership;
mod pods;
mod support;
mod writers;
