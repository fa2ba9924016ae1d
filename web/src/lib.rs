//! JSON at the glass: the HTTP API, Jaeger's APIs, and the user interface.
//!
//! ```text
//!  socket ──serve──▶ guard ──▶ router ──▶ api, jaeger ──▶ query::Engine
//!                                 └─────▶ ui (embedded files), health
//! ```
//!
//! * [`bind`], [`serve`]: the listener with its time limits, and the graceful end.
//! * [`router`]: every route on one screen; `guard` is what each request passes first, `tenant` says whose it is.
//! * `api`: `/api/v1`, our own; `openapi` derives its document, whose golden file is `web/openapi.json`.
//! * `zipkin`, `prometheus`: Zipkin's v2 under `/zipkin`, Prometheus' queries of graph metrics under `/prometheus`.
//! * `jaeger`: Jaeger's v1 and v3, under `/jaeger` and at the root.
//! * `params`, `time`, `error`, `answer`: what handlers share: typed parameters in, envelopes and streams out.
//! * `ui`: files of `web/ui/dist`; `health`: `/healthz`, `/readyz`, `/metrics`.
//!
//! It does not know Parquet, tantivy, DataFusion, or how data came in: of `storage` it uses ids, attribute
//! values and the figures of the store.

mod answer;
mod api;
mod error;
mod guard;
mod health;
mod intern;
mod jaeger;
mod openapi;
mod params;
mod prometheus;
mod router;
mod serve;
mod state;
mod tenant;
mod time;
mod ui;
mod zipkin;

pub use router::router;
pub use serve::{bind, serve};
pub use state::{About, AppState, Counter, Counters, Intake, Kind, Refused};

#[cfg(test)]
mod tests;
