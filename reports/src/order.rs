//! The one order of statements.

use defray_pricing::names::{CostCenter, TenantName};
use defray_pricing::statement::Statement;

use crate::error::WriteError;

/// Refuses statements that do not come in the order of cost centre and tenant, each once: another order
/// of the same month would be other bytes, and a statement that comes twice would be booked twice.
#[derive(Debug, Default)]
pub(crate) struct Order(Option<(CostCenter, TenantName)>);

impl Order {
    /// Takes the next one.
    pub(crate) fn next<E: std::error::Error + 'static>(
        &mut self,
        statement: &Statement,
    ) -> Result<(), WriteError<E>> {
        let key = (statement.cost_center.clone(), statement.tenant.clone());
        if self.0.as_ref().is_some_and(|last| *last >= key) {
            let (cost_center, tenant) = key;
            return Err(WriteError::Order {
                cost_center: cost_center.to_string(),
                tenant: tenant.to_string(),
            });
        }
        self.0 = Some(key);
        Ok(())
    }
}
