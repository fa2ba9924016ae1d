//! Jaeger's JSON: [`v1`], which Grafana reads, and [`v3`], which Jaeger's own UI reads; [`to_otlp`] reads v1 back.

pub mod to_otlp;
pub mod v1;
pub mod v3;
