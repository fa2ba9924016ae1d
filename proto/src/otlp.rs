//! OTLP: the protocol of OpenTelemetry.

pub mod json;
pub mod make;
pub mod traces;
pub mod view;

/// The generated messages and gRPC services of `opentelemetry-proto`.
pub use opentelemetry_proto::tonic as messages;
