//! Deliveries of reports to a FinOps system.
