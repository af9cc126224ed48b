//! Deliveries to a receiver over HTTP.
