//! The composition root: build (validate, bind, connect, migrate), run, stop.
