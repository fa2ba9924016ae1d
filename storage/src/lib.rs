//! The store: durable before the ack, searchable at once, open on disk.
//!
//! ```text
//!  append ──▶ wal ──fsync──▶ buffer ──flush──▶ segment (Parquet + packed index) ──▶ catalog
//!                               │                                                     │
//!                               └──────────────▶ snapshot ◀─────────────────────────────┘
//! ```
//!
//! * [`store`] is the front door: append, snapshot, flush, close; [`tenant`] tells whose store it is.
//! * [`schema`] names tables and columns; [`attrs`] is the typed JSON text of attribute columns;
//!   [`terms`] is what the index knows of a row.
//! * [`wal`] holds requests as received until a segment holds their rows.
//! * [`segment`] writes and reads one Parquet file and its index; [`catalog`] is the DuckLake.
//! * [`scan`] reads rows out of one snapshot; the index prunes there and never decides.
//!
//! It does not know OTLP, HTTP, or any query language.

pub mod attrs;
pub mod backup;
mod buffer;
pub mod catalog;
pub mod check;
pub mod compaction;
mod disk;
pub mod fault;
pub mod ids;
pub mod lake;
pub mod retention;
pub mod rollup;
pub mod scan;
pub mod schema;
pub mod segment;
mod snapshot;
pub mod store;
pub mod tenant;
pub mod terms;
#[cfg(test)]
mod testing;
pub mod text;
pub mod wal;
