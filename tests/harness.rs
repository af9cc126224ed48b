//! Starts the real servers on free loopback ports and takes them down again.
