//! The shop, as data. [`services`] says who there is, [`operations`], [`chain`] and [`pages`] who asks whom,
//! [`incidents`] what goes wrong and when, [`injections`] what goes wrong on request.

mod chain;
mod incidents;
mod injections;
mod operations;
mod pages;
mod services;

pub(super) use incidents::{GO_TIMEOUT, INCIDENTS, JAVA_TIMEOUT, NODE_TIMEOUT, PYTHON_TIMEOUT};
pub(super) use injections::{CALLS_ARRIVE_WITH_ANOTHER_PARENT, FAST_CLOCK, INJECTIONS, LOST_ANSWER, RELEASES, SINGLE};
pub(super) use pages::FLOWS;
