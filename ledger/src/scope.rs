//! Who is asking: every read takes a scope, so that an unscoped query does not compile.

use std::collections::BTreeSet;

use defray_pricing::names::TenantName;

use crate::error::LedgerError;

/// What a reader may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(Reach);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reach {
    Everything,
    Tenants(BTreeSet<TenantName>),
}

impl Scope {
    /// Every tenant, and what belongs to no single one.
    pub const fn everything() -> Self {
        Self(Reach::Everything)
    }

    /// These tenants' charges and statements, and nothing else.
    pub const fn tenants(tenants: BTreeSet<TenantName>) -> Self {
        Self(Reach::Tenants(tenants))
    }

    /// Whether this reader sees a tenant.
    pub fn sees(&self, tenant: &TenantName) -> bool {
        match &self.0 {
            Reach::Everything => true,
            Reach::Tenants(tenants) => tenants.contains(tenant),
        }
    }

    /// Refuses what is not kept per tenant, unless everything may be seen.
    pub(crate) fn whole(&self, what: &'static str) -> Result<(), LedgerError> {
        match &self.0 {
            Reach::Everything => Ok(()),
            Reach::Tenants(_) => Err(LedgerError::OutOfScope(what)),
        }
    }

    /// The tenants a query must be cut down to; none where everything may be seen.
    pub(crate) const fn limit(&self) -> Option<&BTreeSet<TenantName>> {
        match &self.0 {
            Reach::Everything => None,
            Reach::Tenants(tenants) => Some(tenants),
        }
    }
}
