//! The HTTP surface over a real socket.

mod access;
mod files;
mod fixture;
mod forecast;
mod grafana;
mod pages;
mod push;
mod recovery;
