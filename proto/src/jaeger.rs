//! Jaeger's JSON: [`v1`], which Grafana reads, and [`v3`], which Jaeger's own UI reads.

pub mod v1;
pub mod v3;
