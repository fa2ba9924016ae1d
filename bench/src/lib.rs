//! Measures Clew, and peers that somebody has started, under one load: files of OTLP in, questions out, one table of ratios.
//!
//! ```text
//! generate ─▶ requests.bin + manifest.json ─▶ load ─▶ steady state ─▶ verify (or void) ─▶ ask ─▶ table
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`generate`] | shapes T1 to T4 and logs from a seed, counted and sampled as they are made |
//! | `files`, `manifest` | what is on disk: encoded requests; what they hold and what to ask of it |
//! | [`load`] | sends requests as fast as they are taken, or at a rate |
//! | `adapters` | the questions in each product's API, and how much an answer holds; no sockets |
//! | `system` | a running system: its adapter, its addresses, its processes |
//! | `round` | one load of one system: sent, settled, verified, asked |
//! | [`run`], [`clew`] | rounds of systems in turns, and of binaries of Clew that are started for it |
//! | `table` | measures, medians, ratios |
//!
//! It builds and ships no peer, and knows nothing of Clew but its HTTP API.

mod adapters;
pub mod clew;
mod files;
pub mod generate;
mod latency;
pub mod load;
mod manifest;
mod process;
mod round;
pub mod run;
mod system;
mod table;

use std::fmt::Display;
use std::path::Path;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Signal {
    Traces,
    Logs,
}

/// What went wrong, in words for the one who started the program.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    fn new(reason: impl Display) -> Self {
        Self(reason.to_string())
    }

    /// For `map_err`: names the file.
    fn at<E: Display>(path: &Path) -> impl FnOnce(E) -> Self + use<'_, E> {
        move |error| Self(format!("{}: {error}", path.display()))
    }
}
