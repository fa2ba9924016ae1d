//! The shop, as data. [`services`] says who there is, [`operations`] who asks whom, [`incidents`] what
//! goes wrong and when.

mod incidents;
mod operations;
mod services;

pub(super) use incidents::{GO_TIMEOUT, INCIDENTS, JAVA_TIMEOUT, NODE_TIMEOUT, PYTHON_TIMEOUT, RELEASE};
pub(super) use operations::FLOWS;
