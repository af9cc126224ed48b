//! The HTTP surface over a real socket.

mod access;
mod closing;
mod estimate;
mod explain;
mod files;
mod fixture;
mod forecast;
mod grafana;
mod missing;
mod pages;
mod prices;
mod push;
mod recovery;
mod scoped;
