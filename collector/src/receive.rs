//! The way of a request, from the socket to the answer.

mod admission;
mod grpc;
mod http;
mod inflate;
mod ingest;
mod inlet;
mod intake;
mod refusal;
mod serve;
mod settings;
#[cfg(test)]
mod tests;

pub use ingest::Sink;
pub use inlet::{Inlet, Refused};
pub use serve::{Listeners, bind, serve};
pub use settings::{Patience, Settings};
