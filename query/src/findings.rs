//! Findings: what is wrong with how the services work together, with evidence; and what cannot be judged.
//!
//! ```text
//!  spans, logs ─observe─▶ windows ─┐
//!  rollup ─────────────▶ cells ────┴─judge (rules)─▶ verdict ─ledger─▶ findings with state, in the catalogue
//! ```
//! * [`observe`] reads each minute once; [`rules`] and [`judge`] are pure; so is [`ledger`].
//! * [`keeper`] runs them on a schedule; [`Engine`](crate::Engine) answers what was found.

pub mod ask;
pub mod judge;
pub mod keeper;
pub mod layers;
pub mod ledger;
pub mod model;
pub mod observe;
pub mod releases;
pub mod rules;
mod store;
pub mod thresholds;

pub use ask::{Asked, Report};
pub use keeper::{Evaluated, Keeper, Notify, Settings};
pub use layers::Layer;
pub use ledger::Finding;
pub use thresholds::Thresholds;

pub(crate) use keeper::Desk;

#[cfg(test)]
mod tests;
