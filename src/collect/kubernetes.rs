//! Watches and lists of Tenants, Namespaces and Nodes become observations of who owns what.
