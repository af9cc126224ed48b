//! Why a report could not be written.

use defray_pricing::Overflow;

/// Why a report could not be written. `E` is what reading the statements may fail with.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E: std::error::Error + 'static> {
    /// The statements could not be read.
    #[error("the statements could not be read")]
    Read(#[source] E),
    /// The receiver of the bytes did not take them.
    #[error("the report could not be written")]
    Write(#[from] std::io::Error),
    /// A sum does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// Statements came in another order than cost centre, tenant; the same month would give other bytes.
    #[error("the statement of `{tenant}` on `{cost_center}` is out of order")]
    Order {
        /// The cost centre.
        cost_center: String,
        /// The tenant.
        tenant: String,
    },
    /// The engine that groups refused.
    #[error("the report could not be grouped: {0}")]
    Group(String),
}

impl<E: std::error::Error + 'static> From<::csv::Error> for WriteError<E> {
    fn from(error: ::csv::Error) -> Self {
        Self::Write(error.into())
    }
}

impl<E: std::error::Error + 'static> From<serde_json::Error> for WriteError<E> {
    fn from(error: serde_json::Error) -> Self {
        Self::Write(error.into())
    }
}
