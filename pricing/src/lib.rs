//! What a charge is.
//!
//! This crate is pure: no IO, no clock, no async, no logging, no floats. Time and samples come in as
//! arguments; the same arguments give the same bytes. It can be read alone, in this order: [`money`]
//! and [`quantity`] (what is exact, and to which digit), [`time`], [`usage`] and [`ownership`] (what
//! comes in), [`book`] (what it costs), [`rating`] (one hour becomes charges), [`statement`] (a month
//! of charges becomes a bill).

pub mod apportion;
pub mod astray;
pub mod book;
pub mod charge;
pub mod closing;
pub mod decimal;
pub mod diff;
pub mod digest;
pub mod estimate;
pub mod exchange;
pub mod explain;
pub mod forecast;
pub mod invariants;
pub mod money;
pub mod names;
pub mod ownership;
pub mod printable;
pub mod problem;
pub mod quantity;
pub mod rating;
pub mod recompute;
pub mod recovery;
pub mod restatement;
pub mod statement;
pub mod time;
pub mod usage;
pub mod yaml;

/// An amount, quantity or date left the range that is held exactly. Never wraps, never saturates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("arithmetic overflow: {0}")]
pub struct Overflow(pub &'static str);

/// The number frozen with every close: which generation of these rules made the amounts.
/// Raise it with any change that can move an amount.
pub const ENGINE_VERSION: u32 = 2;
