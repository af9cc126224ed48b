//! Queries over one hour become a usage hour.
