//! The HTTP surface over a real socket.
