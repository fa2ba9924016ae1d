//! Views of the lake for people: ids as hex, times in UTC, attributes as JSON, who called whom.
//!
//! They are DuckLake views in DuckDB's dialect, so they cost nothing here: DuckDB reads their text
//! when somebody asks. A filter on a column that a view passes through (`start_time`, `service_name`)
//! still skips files by their statistics.

use super::db::{self, Connection};
use super::{CatalogError, lake};

/// A view of ours. Its UUID is fixed: so it is told from one that somebody else gave the same name,
/// and from one that somebody dropped.
struct View {
    name: &'static str,
    uuid: &'static str,
    /// `{DUCKLAKE_CATALOG}` is the name under which the lake is attached.
    sql: &'static str,
}

/// Change the text freely: a lake that has an earlier text gets the new one when it is next opened.
const VIEWS: &[View] = &[
    View {
        name: "spans_readable",
        uuid: "0c1e4a60-5ba5-4c1e-8001-636c65770001",
        sql: "SELECT lower(hex(trace_id)) AS trace_id, lower(hex(span_id)) AS span_id, \
              lower(hex(parent_span_id)) AS parent_span_id, service_name, name, \
              CASE kind WHEN 1 THEN 'internal' WHEN 2 THEN 'server' WHEN 3 THEN 'client' WHEN 4 THEN 'producer' \
              WHEN 5 THEN 'consumer' ELSE 'unspecified' END AS kind, \
              start_time, try(make_timestamp_ns(epoch_ns(start_time) + duration)) AS end_time, \
              duration AS duration_ns, \
              CASE status_code WHEN 1 THEN 'ok' WHEN 2 THEN 'error' ELSE 'unset' END AS status, status_message, \
              role, peer, protocol, operation, outcome, CAST(attributes AS JSON) AS attributes, \
              CAST(events AS JSON) AS events, CAST(links AS JSON) AS links, \
              CAST(resource_attributes AS JSON) AS resource_attributes, service_namespace, service_version, \
              service_instance, environment, scope_name, scope_version, trace_state, received_time \
              FROM {DUCKLAKE_CATALOG}.main.spans",
    },
    View {
        name: "logs_readable",
        uuid: "0c1e4a60-5ba5-4c1e-8001-636c65770002",
        sql: "SELECT time, lower(hex(trace_id)) AS trace_id, lower(hex(span_id)) AS span_id, service_name, \
              severity_number, severity_text, event_name, body, body_type, CAST(attributes AS JSON) AS attributes, \
              CAST(resource_attributes AS JSON) AS resource_attributes, service_namespace, service_version, \
              service_instance, environment, scope_name, scope_version, observed_time, time_inferred, received_time, \
              row_id FROM {DUCKLAKE_CATALOG}.main.logs",
    },
    // As the service map counts: equal spans once; a call is the server's span under the span of another,
    // or a client's span that no server's answers to.
    View {
        name: "edges",
        uuid: "0c1e4a60-5ba5-4c1e-8001-636c65770003",
        sql: "WITH span AS (SELECT DISTINCT trace_id, span_id, parent_span_id, service_name, start_time, duration, \
              status_code, role, peer, protocol FROM {DUCKLAKE_CATALOG}.main.spans), \
              call AS (SELECT caller.service_name AS source, callee.service_name AS target, \
              coalesce(caller.protocol, callee.protocol) AS protocol, callee.start_time AS start_time, \
              caller.status_code = 2 OR callee.status_code = 2 AS failed, callee.duration AS duration \
              FROM span callee JOIN span caller ON caller.trace_id = callee.trace_id \
              AND caller.span_id = callee.parent_span_id WHERE callee.role = 'entry' \
              UNION ALL SELECT exit.service_name, exit.peer, exit.protocol, exit.start_time, exit.status_code = 2, \
              exit.duration FROM span exit WHERE exit.role = 'exit' AND exit.peer IS NOT NULL AND NOT EXISTS \
              (SELECT 1 FROM span callee WHERE callee.trace_id = exit.trace_id \
              AND callee.parent_span_id = exit.span_id AND callee.role = 'entry')) \
              SELECT date_trunc('minute', start_time) AS minute, source, target, protocol, count(*) AS calls, \
              count(*) FILTER (failed) AS errors, approx_quantile(duration, 0.5) AS p50_ns, \
              approx_quantile(duration, 0.95) AS p95_ns, max(duration) AS max_ns FROM call GROUP BY ALL",
    },
];

/// Creates views that the lake never had, and replaces those of an earlier text, as part of the snapshot
/// `head`; what changed, in DuckLake's words. A view that somebody dropped or replaced stays as they left it.
pub(super) async fn grow(connection: &mut Connection, head: &mut lake::Head) -> Result<Vec<String>, CatalogError> {
    let schema: Option<i64> =
        sqlx::query_scalar("SELECT schema_id FROM ducklake_schema WHERE schema_name = 'main' AND end_snapshot IS NULL")
            .fetch_optional(&mut *connection)
            .await?;
    let Some(schema) = schema else { return Ok(Vec::new()) };
    let mut changes = Vec::new();
    for view in VIEWS {
        match last_of_ours(connection, view).await? {
            Some(Known { ended: true, .. }) => continue,
            Some(Known { sql, .. }) if sql == view.sql => continue,
            Some(Known { id, .. }) => {
                sqlx::query("UPDATE ducklake_view SET end_snapshot = $1 WHERE view_id = $2 AND end_snapshot IS NULL")
                    .bind(head.snapshot)
                    .bind(id)
                    .execute(&mut *connection)
                    .await?;
                changes.push(format!("dropped_view:{id}"));
            }
            None if is_taken(connection, schema, view.name).await? => continue,
            None => {}
        }
        create(connection, view, schema, head).await?;
        changes.push(format!("created_view:\"main\".\"{}\"", view.name));
    }
    Ok(changes)
}

struct Known {
    id: i64,
    ended: bool,
    sql: String,
}

async fn last_of_ours(connection: &mut Connection, view: &View) -> Result<Option<Known>, CatalogError> {
    let statement = db::sql(
        connection,
        "SELECT view_id, end_snapshot, sql FROM ducklake_view WHERE view_uuid = $1::uuid \
         ORDER BY begin_snapshot DESC LIMIT 1",
    );
    let row: Option<(i64, Option<i64>, String)> =
        sqlx::query_as(statement).bind(view.uuid).fetch_optional(connection).await?;
    Ok(row.map(|(id, end, sql)| Known { id, ended: end.is_some(), sql }))
}

/// Whether a table or view of somebody else has the name.
async fn is_taken(connection: &mut Connection, schema: i64, name: &str) -> Result<bool, CatalogError> {
    let others: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM ducklake_view WHERE schema_id = $1 AND lower(view_name) = $2 \
         AND end_snapshot IS NULL) + (SELECT count(*) FROM ducklake_table WHERE schema_id = $1 \
         AND lower(table_name) = $2 AND end_snapshot IS NULL)",
    )
    .bind(schema)
    .bind(name)
    .fetch_one(connection)
    .await?;
    Ok(others > 0)
}

async fn create(
    connection: &mut Connection,
    view: &View,
    schema: i64,
    head: &mut lake::Head,
) -> Result<(), CatalogError> {
    // DuckDB takes an empty list of aliases, and refuses none.
    let statement = db::sql(
        connection,
        "INSERT INTO ducklake_view (view_id, view_uuid, begin_snapshot, schema_id, view_name, dialect, sql, \
         column_aliases) VALUES ($1, $2::uuid, $3, $4, $5, 'duckdb', $6, '')",
    );
    sqlx::query(statement)
        .bind(head.next_catalog_id)
        .bind(view.uuid)
        .bind(head.snapshot)
        .bind(schema)
        .bind(view.name)
        .bind(view.sql)
        .execute(connection)
        .await?;
    head.next_catalog_id += 1;
    Ok(())
}

/// Views that `clew check` misses or finds changed; not damage, for anybody may drop a view.
pub(super) async fn findings(connection: &mut Connection) -> Result<Vec<String>, CatalogError> {
    let mut findings = Vec::new();
    for view in VIEWS {
        match last_of_ours(connection, view).await? {
            Some(Known { ended: false, sql, .. }) if sql == view.sql => {}
            Some(Known { ended: false, .. }) => {
                findings.push(format!("view {} is of another version; the next start brings it up to date", view.name));
            }
            Some(_) => findings.push(format!("view {} was dropped or replaced by another program", view.name)),
            None => {
                findings.push(format!("view {} is missing; the next start adds it unless its name is taken", view.name))
            }
        }
    }
    Ok(findings)
}
