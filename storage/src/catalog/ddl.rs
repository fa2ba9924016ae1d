//! The tables of the database: DuckLake 1.0 as DuckDB 1.5 creates them in PostgreSQL, then ours.
//!
//! [`super::db::create_statement`] gives SQLite the types that DuckDB gives it.

/// Of the DuckLake specification, `version` in `ducklake_metadata`.
pub(super) const LAKE_VERSION: &str = "1.0";

/// Names, types and keys are those that DuckDB expects to find; order as it creates them.
pub(super) const LAKE: &[&str] = &[
    "CREATE TABLE ducklake_metadata(\
         key VARCHAR NOT NULL, value VARCHAR NOT NULL, scope VARCHAR, scope_id BIGINT)",
    "CREATE TABLE ducklake_snapshot(\
         snapshot_id BIGINT PRIMARY KEY, snapshot_time TIMESTAMPTZ, schema_version BIGINT, \
         next_catalog_id BIGINT, next_file_id BIGINT)",
    "CREATE TABLE ducklake_snapshot_changes(\
         snapshot_id BIGINT PRIMARY KEY, changes_made VARCHAR, author VARCHAR, commit_message VARCHAR, \
         commit_extra_info VARCHAR)",
    "CREATE TABLE ducklake_schema(\
         schema_id BIGINT PRIMARY KEY, schema_uuid UUID, begin_snapshot BIGINT, end_snapshot BIGINT, \
         schema_name VARCHAR, path VARCHAR, path_is_relative BOOLEAN)",
    "CREATE TABLE ducklake_table(\
         table_id BIGINT, table_uuid UUID, begin_snapshot BIGINT, end_snapshot BIGINT, \
         schema_id BIGINT, table_name VARCHAR, path VARCHAR, path_is_relative BOOLEAN)",
    "CREATE TABLE ducklake_view(\
         view_id BIGINT, view_uuid UUID, begin_snapshot BIGINT, end_snapshot BIGINT, schema_id BIGINT, \
         view_name VARCHAR, dialect VARCHAR, sql VARCHAR, column_aliases VARCHAR)",
    "CREATE TABLE ducklake_tag(\
         object_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, key VARCHAR, value VARCHAR)",
    "CREATE TABLE ducklake_column_tag(\
         table_id BIGINT, column_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, key VARCHAR, \
         value VARCHAR)",
    "CREATE TABLE ducklake_data_file(\
         data_file_id BIGINT PRIMARY KEY, table_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, \
         file_order BIGINT, path VARCHAR, path_is_relative BOOLEAN, file_format VARCHAR, \
         record_count BIGINT, file_size_bytes BIGINT, footer_size BIGINT, row_id_start BIGINT, \
         partition_id BIGINT, encryption_key VARCHAR, mapping_id BIGINT, partial_max BIGINT)",
    "CREATE TABLE ducklake_file_column_stats(\
         data_file_id BIGINT, table_id BIGINT, column_id BIGINT, column_size_bytes BIGINT, \
         value_count BIGINT, null_count BIGINT, min_value VARCHAR, max_value VARCHAR, \
         contains_nan BOOLEAN, extra_stats VARCHAR)",
    "CREATE TABLE ducklake_file_variant_stats(\
         data_file_id BIGINT, table_id BIGINT, column_id BIGINT, variant_path VARCHAR, \
         shredded_type VARCHAR, column_size_bytes BIGINT, value_count BIGINT, null_count BIGINT, \
         min_value VARCHAR, max_value VARCHAR, contains_nan BOOLEAN, extra_stats VARCHAR)",
    "CREATE TABLE ducklake_delete_file(\
         delete_file_id BIGINT PRIMARY KEY, table_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, \
         data_file_id BIGINT, path VARCHAR, path_is_relative BOOLEAN, format VARCHAR, delete_count BIGINT, \
         file_size_bytes BIGINT, footer_size BIGINT, encryption_key VARCHAR, partial_max BIGINT)",
    "CREATE TABLE ducklake_column(\
         column_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, table_id BIGINT, \
         column_order BIGINT, column_name VARCHAR, column_type VARCHAR, initial_default VARCHAR, \
         default_value VARCHAR, nulls_allowed BOOLEAN, parent_column BIGINT, default_value_type VARCHAR, \
         default_value_dialect VARCHAR)",
    "CREATE TABLE ducklake_table_stats(\
         table_id BIGINT, record_count BIGINT, next_row_id BIGINT, file_size_bytes BIGINT)",
    "CREATE TABLE ducklake_table_column_stats(\
         table_id BIGINT, column_id BIGINT, contains_null BOOLEAN, contains_nan BOOLEAN, min_value VARCHAR, \
         max_value VARCHAR, extra_stats VARCHAR)",
    "CREATE TABLE ducklake_partition_info(\
         partition_id BIGINT, table_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT)",
    "CREATE TABLE ducklake_partition_column(\
         partition_id BIGINT, table_id BIGINT, partition_key_index BIGINT, column_id BIGINT, \
         transform VARCHAR)",
    "CREATE TABLE ducklake_file_partition_value(\
         data_file_id BIGINT, table_id BIGINT, partition_key_index BIGINT, partition_value VARCHAR)",
    "CREATE TABLE ducklake_files_scheduled_for_deletion(\
         data_file_id BIGINT, path VARCHAR, path_is_relative BOOLEAN, schedule_start TIMESTAMPTZ)",
    "CREATE TABLE ducklake_inlined_data_tables(\
         table_id BIGINT, table_name VARCHAR, schema_version BIGINT)",
    "CREATE TABLE ducklake_column_mapping(\
         mapping_id BIGINT, table_id BIGINT, type VARCHAR)",
    "CREATE TABLE ducklake_name_mapping(\
         mapping_id BIGINT, column_id BIGINT, source_name VARCHAR, target_field_id BIGINT, \
         parent_column BIGINT, is_partition BOOLEAN)",
    "CREATE TABLE ducklake_schema_versions(\
         begin_snapshot BIGINT, schema_version BIGINT, table_id BIGINT)",
    "CREATE TABLE ducklake_macro(\
         schema_id BIGINT, macro_id BIGINT, macro_name VARCHAR, begin_snapshot BIGINT, \
         end_snapshot BIGINT)",
    "CREATE TABLE ducklake_macro_impl(\
         macro_id BIGINT, impl_id BIGINT, dialect VARCHAR, sql VARCHAR, type VARCHAR)",
    "CREATE TABLE ducklake_macro_parameters(\
         macro_id BIGINT, impl_id BIGINT, column_id BIGINT, parameter_name VARCHAR, \
         parameter_type VARCHAR, default_value VARCHAR, default_value_type VARCHAR)",
    "CREATE TABLE ducklake_sort_info(\
         sort_id BIGINT, table_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT)",
    "CREATE TABLE ducklake_sort_expression(\
         sort_id BIGINT, table_id BIGINT, sort_key_index BIGINT, expression VARCHAR, dialect VARCHAR, \
         sort_direction VARCHAR, null_order VARCHAR)",
];
/// What the store must know and DuckLake has no place for.
///
/// * `clew_segment`: a data file, its index, and the checksums of both. A row lives as long as the
///   row of `ducklake_data_file` with its id.
/// * `clew_garbage`: index files of segments that are gone, kept for readers that still hold them.
/// * `clew_state`: single values; see the keys in `state`.
/// * `clew_chapter`: of several writers, which part of its sequence numbers has which chapter of row ids.
/// * `clew_thinned`: by which tail rules a segment was judged; lives as long as the segment.
/// * `clew_rollup`: counts of calls by the minute, a chunk of one hour a row; see `rollup`.
/// * `clew_document`: texts of the layers above, by kind and id.
/// * `clew_lease`: who does what one process at a time should do, until when (ns).
pub(super) const OURS: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS clew_segment(data_file_id BIGINT PRIMARY KEY, \
         parquet_path VARCHAR NOT NULL UNIQUE, index_path VARCHAR NOT NULL UNIQUE, \
         parquet_bytes BIGINT NOT NULL, index_bytes BIGINT NOT NULL, row_count BIGINT NOT NULL, \
         min_time BIGINT NOT NULL, max_time BIGINT NOT NULL, \
         parquet_checksums BYTEA NOT NULL, index_checksums BYTEA NOT NULL, format BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS clew_garbage(path VARCHAR PRIMARY KEY, since BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS clew_state(name VARCHAR PRIMARY KEY, value VARCHAR NOT NULL)",
    "CREATE TABLE IF NOT EXISTS clew_chapter(writer VARCHAR NOT NULL, part BIGINT NOT NULL, \
         number BIGINT NOT NULL UNIQUE, PRIMARY KEY (writer, part))",
    "CREATE TABLE IF NOT EXISTS clew_thinned(data_file_id BIGINT NOT NULL, rule VARCHAR NOT NULL, \
         PRIMARY KEY (data_file_id, rule))",
    "CREATE TABLE IF NOT EXISTS clew_rollup(chunk_id BIGINT PRIMARY KEY, kind BIGINT NOT NULL, \
         hour BIGINT NOT NULL, cells BYTEA NOT NULL)",
    "CREATE TABLE IF NOT EXISTS clew_document(kind VARCHAR NOT NULL, id VARCHAR NOT NULL, body VARCHAR NOT NULL, \
         PRIMARY KEY (kind, id))",
    "CREATE TABLE IF NOT EXISTS clew_lease(name VARCHAR PRIMARY KEY, holder VARCHAR NOT NULL, until BIGINT NOT NULL)",
];
