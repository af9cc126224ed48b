//! The demo, as the README promises it.
