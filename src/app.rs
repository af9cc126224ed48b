//! The composition root: build (validate, open, bind, connect), run, stop.
//!
//! The only place where rooms meet. Tests embed it, with a clock of their own, on port 0.

mod adapters;
mod backfill;
mod build;
mod check;
mod close;
mod demo;
mod made_up;
mod push;
mod run;

pub use adapters::connect;
pub use backfill::{Backfill, Progress, Wanted, progress};
use build::ground;
pub use build::{App, NotStarted, Setup, configured_ground};
pub use check::check;
pub use close::{keeper, onlooker};
pub use demo::{demo, demo_ground};
pub use made_up::{is_demo, refuse_demo};
pub use push::pusher;
