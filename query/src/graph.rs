//! The service graph and Jaeger's dependencies, exact for what is stored.
//!
//! ```text
//!  spans ──parts──▶ one trace at a time ──calls──▶ who called whom ──edges──▶ sums, quantiles
//! ```
//!
//! Nothing waits for the other half of a call: each answer pairs what is stored by then.

use std::collections::BTreeMap;

use crate::engine::{Engine, QueryError, Range};
use crate::model::{Graph, Notes};

mod aliases;
pub(crate) mod calls;
mod edges;
pub(crate) mod intern;
pub(crate) mod parts;
pub(crate) mod peer;
pub mod sketch;

pub(crate) use edges::NAMELESS;
use edges::Sums;
use intern::Names;

impl Engine {
    /// Services, what they call, and how that went, for calls that begin within the range; with `focus`
    /// only what touches that service.
    pub async fn graph(&self, range: Range, focus: Option<String>) -> Result<Graph, QueryError> {
        self.run(move |snapshot, deadline| {
            let (mut names, mut notes, mut sums) = (Names::default(), Notes::over(snapshot, range), Sums::default());
            parts::each_trace(snapshot, deadline, range, &mut names, &mut notes, |trace, names| {
                sums.add(trace, range, names);
            })?;
            deadline.check()?;
            Ok(sums.finish(&names, focus.as_deref(), notes))
        })
        .await
    }

    /// (parent service, child service, count) of spans that begin within the range and whose parent is
    /// stored, in order of name. Spans without a service are left out.
    pub async fn dependencies(&self, range: Range) -> Result<(Vec<(String, String, u64)>, Notes), QueryError> {
        self.run(move |snapshot, deadline| {
            let (mut names, mut notes, mut counts) = (Names::default(), Notes::over(snapshot, range), BTreeMap::new());
            parts::each_trace(snapshot, deadline, range, &mut names, &mut notes, |trace, _| {
                for (parent, child) in calls::dependencies(trace) {
                    if range.contains(trace[child].node.start as i64) {
                        *counts.entry((trace[parent].service, trace[child].service)).or_insert(0) += 1;
                    }
                }
            })?;
            let text = |name| names.text(name).to_owned();
            let mut links: Vec<(String, String, u64)> = counts
                .into_iter()
                .map(|((parent, child), count)| (text(parent), text(child), count))
                .filter(|(parent, child, _)| !parent.is_empty() && !child.is_empty())
                .collect();
            links.sort();
            Ok((links, notes))
        })
        .await
    }
}

#[cfg(test)]
mod tests;
