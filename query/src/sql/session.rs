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
use datafusion::logical_expr::planner::ExprPlanner;
use storage::schema::Table;
use storage::store::Snapshot;

use crate::model::Notes;

use super::growth::Growth;
use super::table::StoredTable;
use super::watch::{self, Watch};
use super::{concat, functions};

/// What was noted while reading, shared by the leaves of a plan.
pub(super) type SharedNotes = Arc<parking_lot::Mutex<Notes>>;

/// Consumers named when memory runs out.
const NAMED_CONSUMERS: std::num::NonZeroUsize = std::num::NonZeroUsize::MIN;

/// A session over one snapshot, with the memory that `watch` tells and so many partitions.
pub(super) fn open(
    snapshot: &Snapshot,
    notes: &SharedNotes,
    watch: &Arc<Watch>,
    partitions: usize,
) -> Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_batch_size(watch::BATCH_ROWS)
        .with_target_partitions(partitions)
        .with_information_schema(false)
        .with_collect_statistics(false);
    config.options_mut().execution.enable_recursive_ctes = false;
    // Our tables have no use for them, and they are written out through every projection below.
    config.options_mut().set("datafusion.optimizer.enable_dynamic_filter_pushdown", "false")?;
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let pool = TrackConsumersPool::new(GreedyMemoryPool::new(watch.memory()), NAMED_CONSUMERS);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_expr_planners(expr_planners())
        .with_scalar_functions(scalar_functions())
        .with_aggregate_functions(SessionStateDefaults::default_aggregate_functions())
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .with_table_function_list(table_functions())
        .build();
    let context = SessionContext::new_with_state(state);
    for table in Table::ALL {
        let stored = StoredTable::new(table, snapshot.clone(), watch.clone(), notes.clone(), partitions);
        context.register_table(table.name(), Arc::new(stored))?;
    }
    Ok(context)
}

/// Those whose growth is known. [`super::harden`] refuses the others by whatever way they come.
fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let mut functions = SessionStateDefaults::default_scalar_functions();
    functions.retain(|function| Growth::of(function.name()).is_some());
    functions.extend(functions::all());
    functions
}

/// Lists come first: what is left of `||` is about text.
fn expr_planners() -> Vec<Arc<dyn ExprPlanner>> {
    let mut planners = SessionStateDefaults::default_expr_planners();
    planners.push(Arc::new(concat::Planner));
    planners
}

/// Only the series, which make rows as they are asked for.
fn table_functions() -> Vec<Arc<TableFunction>> {
    let mut functions = SessionStateDefaults::default_table_functions();
    functions.retain(|function| matches!(function.name(), "generate_series" | "range"));
    functions
}
