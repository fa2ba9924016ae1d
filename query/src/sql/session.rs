//! A DataFusion session that knows our tables and functions and nothing else.

use std::sync::Arc;

use datafusion::catalog::TableFunction;
use datafusion::common::Result;
use datafusion::execution::context::SessionContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SessionStateDefaults, config::SessionConfig};
use datafusion::logical_expr::ScalarUDF;
use storage::schema::Table;
use storage::store::Snapshot;

use crate::engine::Deadline;

use super::SharedNotes;
use super::functions;
use super::table::StoredTable;

/// Functions that make values of any size out of small ones: the memory pool does not see them.
const BOUNDLESS: &[&str] = &[
    "repeat",
    "lpad",
    "rpad",
    "range",
    "generate_series",
    "array_repeat",
    "array_resize",
    "replace",
    "regexp_replace",
    "overlay",
    "translate",
];

/// Consumers named when memory runs out.
const NAMED_CONSUMERS: std::num::NonZeroUsize = std::num::NonZeroUsize::MIN;

/// A session over one snapshot, with `memory` bytes and so many partitions.
pub(super) fn open(
    snapshot: &Snapshot,
    deadline: &Deadline,
    notes: &SharedNotes,
    memory: usize,
    partitions: usize,
) -> Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_information_schema(false)
        .with_collect_statistics(false);
    config.options_mut().execution.enable_recursive_ctes = false;
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let pool = TrackConsumersPool::new(GreedyMemoryPool::new(memory), NAMED_CONSUMERS);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
        .with_scalar_functions(scalar_functions())
        .with_higher_order_functions(SessionStateDefaults::default_higher_order_functions())
        .with_aggregate_functions(SessionStateDefaults::default_aggregate_functions())
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .with_table_function_list(table_functions())
        .build();
    let context = SessionContext::new_with_state(state);
    for table in Table::ALL {
        let stored = StoredTable::new(table, snapshot.clone(), deadline.clone(), notes.clone(), partitions);
        context.register_table(table.name(), Arc::new(stored))?;
    }
    Ok(context)
}

fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let mut functions = SessionStateDefaults::default_scalar_functions();
    functions.retain(|function| !BOUNDLESS.contains(&function.name()));
    functions.extend(functions::all());
    functions
}

/// Only the series, which make rows as they are asked for.
fn table_functions() -> Vec<Arc<TableFunction>> {
    let mut functions = SessionStateDefaults::default_table_functions();
    functions.retain(|function| matches!(function.name(), "generate_series" | "range"));
    functions
}
