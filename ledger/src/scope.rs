//! Who is asking: every read takes a scope, so that an unscoped query does not compile.

use std::collections::BTreeSet;

use defray_pricing::names::TenantName;

use crate::backend::Value;
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

    /// Whether this reader sees every tenant, and what belongs to no single one.
    pub const fn sees_everything(&self) -> bool {
        matches!(self.0, Reach::Everything)
    }

    /// The tenants this reader sees, in order; none where it sees everything.
    pub(crate) const fn seen(&self) -> Option<&BTreeSet<TenantName>> {
        match &self.0 {
            Reach::Everything => None,
            Reach::Tenants(tenants) => Some(tenants),
        }
    }

    /// Refuses what is not kept per tenant, unless everything may be seen.
    pub(crate) fn whole(&self, what: &'static str) -> Result<(), LedgerError> {
        match &self.0 {
            Reach::Everything => Ok(()),
            Reach::Tenants(_) => Err(LedgerError::OutOfScope(what)),
        }
    }

    /// `AND tenant IN (…)` for a query that has bound `values` so far, which gets the tenants' names too;
    /// nothing where everything may be seen.
    pub(crate) fn and_tenant(&self, values: &mut Vec<Value>) -> String {
        let Reach::Tenants(tenants) = &self.0 else { return String::new() };
        if tenants.is_empty() {
            return " AND 1 = 0".to_owned();
        }
        let mut sql = " AND tenant IN (".to_owned();
        for (n, tenant) in tenants.iter().enumerate() {
            values.push(Value::from(tenant.as_str()));
            sql.push_str(if n == 0 { "$" } else { ", $" });
            sql.push_str(&values.len().to_string());
        }
        sql.push(')');
        sql
    }
}
