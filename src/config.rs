//! Configuration: typed, unknown keys refused, all errors at once.
