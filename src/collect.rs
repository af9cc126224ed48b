//! From the outside world to usage hours and ownership. Floats, `time` and `jiff` end here.

pub mod kubernetes;
pub mod prometheus;
