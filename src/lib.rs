//! The daemon: collect → ledger → rate → statements → serve and push.
//!
//! `app` is the composition root: it builds everything from a validated `config`, and is the only place
//! where rooms meet. Siblings do not import each other; a test checks it.

pub mod app;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod closing;
pub mod collect;
pub mod config;
pub mod demo;
pub mod http;
pub mod jobs;
pub mod month;
pub mod outlook;
pub mod push;
pub mod rerate;
pub mod shipped;
pub mod supervise;
pub mod telemetry;
