//! Usage from a real Prometheus and a real VictoriaMetrics.
