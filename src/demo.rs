//! A deterministic platform with three months of usage, through the real pipeline.
