//! Idempotent, input-less jobs: on a tick and on demand.
