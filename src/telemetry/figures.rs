//! Gauges that are replaced as one: a scrape sees all of the old ones or all of the new ones.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;

/// What is shown, by label.
#[derive(Debug)]
pub struct Figures<L>(Arc<RwLock<BTreeMap<L, f64>>>);

impl<L> Clone for Figures<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> Default for Figures<L> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<L: Ord> Figures<L> {
    /// Shows these and no others.
    pub fn replace(&self, figures: BTreeMap<L, f64>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = figures;
    }

    /// What is shown under a label.
    pub fn get(&self, label: &L) -> Option<f64> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(label).copied()
    }
}

impl<L: EncodeLabelSet> EncodeMetric for Figures<L> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        for (label, figure) in &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            encoder.encode_family(label)?.encode_gauge(figure)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}
