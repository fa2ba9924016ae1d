//! Takes in telemetry: OTLP over gRPC and HTTP, admitted, turned into rows, made durable, then acknowledged.
//!
//! ```text
//!            ┌ grpc ┐
//! exporter ─▶│      │─▶ intake ─▶ ingest ─▶ rows (+ normalise) ─▶ Sink, the store ─▶ ack
//!            └ http ┘  admission
//! ```
//!
//! * [`serve()`] runs both receivers on [`Listeners`] until shutdown, then drains.
//! * `receive` is the way of a request: `serve` (connections), `http` and `grpc` (the two protocols),
//!   `intake` (reading, decompressing, bounded), `admission` (the byte budget), `ingest` (rows, store, answer),
//!   `refusal` (every way to say no).
//! * [`rows`] turns OTLP protobuf into Arrow; [`normalise`] says what a span means.
//! * [`OtlpDecoder`] reads logged requests back when the store opens.
//!
//! Both protocols are served by hyper directly: gRPC's framing of one message is five bytes, and only so
//! can a message be admitted and bounded chunk by chunk while it is read and decompressed.
//!
//! The crate does not know queries, the UI, or how rows are stored.

pub mod counters;
pub mod decode;
pub mod normalise;
mod receive;
pub mod rows;

pub use counters::Counters;
pub use decode::OtlpDecoder;
pub use receive::{Inlet, Listeners, Patience, Refused, Settings, Sink, bind, serve};
