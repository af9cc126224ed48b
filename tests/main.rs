//! The one integration binary: one file per feature, one harness.
#![cfg(test)]

mod bench;
mod cli;
mod demo;
mod harness;
mod http;
mod kubernetes;
mod large;
mod policy;
mod prometheus;
mod push;
mod rated;
mod story;
mod timelines;
