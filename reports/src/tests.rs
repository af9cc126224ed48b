//! Every writer, held against the statements it was given.

mod cost_report;
mod csv;
mod definition;
mod fixture;
mod grafana;
mod json;
mod samples;
