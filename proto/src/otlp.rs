//! OTLP: the protocol of OpenTelemetry.

pub mod view;

/// The generated messages and gRPC services of `opentelemetry-proto`.
pub use opentelemetry_proto::tonic as messages;
