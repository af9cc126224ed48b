//! Ownership from a real API server.
