//! The service graph out of counts by the minute, and Jaeger's dependencies out of spans; exact for what is
//! stored.
//!
//! ```text
//!  spans ──parts──▶ one trace at a time ──calls──▶ who called whom ──rollup──▶ cells ──draw──▶ graph
//! ```
//!
//! Nothing waits for the other half of a call: each answer pairs what is stored by then.

use std::collections::BTreeMap;

use storage::rollup::{MINUTES_PER_HOUR, Minute, NANOS_PER_MINUTE};

use crate::engine::{Engine, QueryError, Range};
use crate::model::{Graph, NodeKind, Notes};
use crate::rollup::{Cells, Grain, minutes};
use crate::services::layers;

pub(crate) mod aliases;
pub(crate) mod calls;
pub(crate) mod draw;
pub(crate) mod intern;
pub(crate) mod parts;
pub(crate) mod peer;
pub(crate) mod sides;
pub mod sketch;
pub(crate) mod tempo;
pub mod zipkin;

use intern::Names;

/// What a service without a name is called: the default of OpenTelemetry's resource conventions.
pub(crate) const NAMELESS: &str = "unknown_service";

/// Which part of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphOptions {
    /// Only calls of this `deployment.environment`.
    pub env: Option<String>,
    /// The id of a node, and how many edges away from it is shown. None: everything.
    pub focus: Option<String>,
    pub depth: u32,
    pub layer: LayerFilter,
    /// An edge for each operation.
    pub operations: bool,
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self { env: None, focus: None, depth: 1, layer: LayerFilter::All, operations: false }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LayerFilter {
    #[default]
    All,
    /// Services, the user and the unknown; messages go from service to service.
    App,
    /// Databases, topics and external hosts, and who uses them.
    Infra,
}

/// Who answers under which address is learned from calls so long before and after the asked minutes.
const LEARN: Minute = MINUTES_PER_HOUR;

impl Engine {
    /// Services, what they call, and how that went, for calls that begin in the minutes that the range
    /// touches.
    pub async fn graph(&self, range: Range, options: GraphOptions) -> Result<Graph, QueryError> {
        let (asked, file) = (minutes(range), self.file_layers());
        let around =
            [asked.start.saturating_sub(LEARN)..asked.start, asked.clone(), asked.end..asked.end.saturating_add(LEARN)];
        let around = around.into_iter().filter(|range| !range.is_empty()).map(|range| (range, Grain::Hour)).collect();
        self.counted(around, move |counted, deadline| {
            let mut notes = Notes::of(&counted.snapshot);
            notes.warnings.extend_from_slice(&counted.warnings);
            let parts = counted.parts.concat();
            let sums = draw::sums(&parts, &asked);
            deadline.check()?;
            let ns = |minute: Minute| minute.saturating_mul(NANOS_PER_MINUTE);
            let window = Range { from: ns(asked.start), to: ns(asked.end) };
            let mut graph = draw::draw(&sums, &options, window, counted.as_of, notes);
            let layers = layers::layers(&Cells::calls(&sums, asked), &file);
            let named = graph.nodes.iter_mut().filter(|node| node.kind == NodeKind::Service);
            named.for_each(|node| node.layer = layers.get(&node.name).map(|(layer, _)| layer.name().to_owned()));
            Ok(graph)
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
