//! From a real cluster to a statement, cent for cent.
