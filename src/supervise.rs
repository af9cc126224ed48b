//! Every task has an owner, a fate on error and a fate on shutdown; the only file that may spawn.
