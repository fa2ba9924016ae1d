//! Wire formats: bytes of other people's protocols, read and written, and nothing else.
//!
//! | module | what it is |
//! |---|---|
//! | [`otlp::view`] | OTLP protobuf requests read in place: one pass, nothing copied |
//! | [`otlp::json`] | OTLP/JSON requests turned into OTLP protobuf, so that there is one path behind them |
//! | [`otlp::traces`] | OTLP/JSON answers (`TracesData`), as Jaeger v3 and Tempo send them |
//! | [`otlp::messages`] | the generated OTLP messages and gRPC services, for service names, tests and clients |
//! | [`otlp::make`] | short ways to write OTLP messages |
//! | [`rpc`] | answers to an OTLP sender: export responses and `google.rpc.Status` |
//! | [`jaeger`] | Jaeger's JSON: the v1 envelope and traces (also as OTLP), the v3 summaries |
//! | [`zipkin`] | Zipkin's v2 JSON spans, and what they are in OTLP |
//!
//! This crate knows no other crate of the workspace: no storage, no HTTP, no configuration. It does not
//! judge what it reads either: an all-zero trace id, a span that ends before it starts or text that is
//! not UTF-8 is handed over as sent, and the collector decides.

pub mod jaeger;
pub mod otlp;
pub mod rpc;
pub mod zipkin;

/// For those who encode and decode whole [`otlp::messages`].
pub use prost::{DecodeError, Message};
