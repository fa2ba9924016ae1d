//! Questions and their answers: search, call trees, graphs, SQL over one snapshot of the store.
//!
//! * [`Engine`] is the front door; each module adds its questions to it.
//! * [`traceql`] and [`logql`] parse what people type; [`filter`] decides rows and names what the index can prune.
//! * [`search`] finds traces, [`logs`] finds records, [`traces`] assembles one trace and its [`tree`].
//! * [`findings`] judges how the services work together.
//! * [`rollup`] counts calls by the minute; [`services`], [`graph`], [`tags`] describe the system, [`usage`] the store; [`sql`] is DataFusion over the same rows.
//!
//! It does not know HTTP, OTLP bytes, Parquet, or tantivy.

pub mod engine;
pub mod erase;
pub mod filter;
pub mod findings;
pub mod graph;
pub mod logql;
pub mod logs;
pub mod model;
pub mod promql;
pub mod rollup;
pub mod rows;
pub mod search;
pub mod services;
pub mod sql;
pub mod tags;
pub mod traceql;
pub mod traces;
pub mod tree;
pub mod usage;

pub use engine::{Engine, Limits, QueryError, Range};
