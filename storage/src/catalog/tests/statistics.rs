//! Statistics of files and tables, as DuckDB will read them.

use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Float64Array, StringArray};
use arrow::datatypes::Int32Type;

use super::fixture::{rows, segment_of};
use super::*;
use crate::schema::col;

fn with(batch: RecordBatch, column: &str, values: ArrayRef) -> RecordBatch {
    let at = batch.schema().index_of(column).expect("a column");
    let mut columns = batch.columns().to_vec();
    columns[at] = values;
    RecordBatch::try_new(batch.schema(), columns).expect("fits the schema")
}

impl Fixture {
    async fn file_stats(&self, file: i64, column: &str) -> Vec<String> {
        let table = format!("(SELECT table_id FROM ducklake_data_file WHERE data_file_id = {file})");
        self.text(&format!(
            "SELECT value_count || ' ' || null_count || ' ' || coalesce(min_value || '|' || max_value, '-') || ' ' \
             || coalesce(CAST(CAST(contains_nan AS INTEGER) AS VARCHAR), '-') FROM ducklake_file_column_stats WHERE data_file_id = {file} AND column_id = \
             (SELECT column_id FROM ducklake_column WHERE table_id = {table} AND column_name = '{column}')"
        ))
        .await
    }

    async fn table_stats(&self, table: &str, column: &str) -> Vec<String> {
        self.text(&format!(
            "SELECT CAST(contains_null AS INTEGER) || ' ' || coalesce(min_value || '|' || max_value, '-') || ' ' \
             || coalesce(CAST(CAST(contains_nan AS INTEGER) AS VARCHAR), '-') FROM ducklake_table_column_stats s JOIN ducklake_table t \
             ON t.table_id = s.table_id JOIN ducklake_column c ON c.table_id = s.table_id AND c.column_id = s.column_id \
             WHERE t.table_name = '{table}' AND c.column_name = '{column}'"
        ))
        .await
    }
}

async fn add(catalog: &Catalog, table: Table, batch: &RecordBatch) -> i64 {
    let name = format!("{}-{}", catalog.known_files().await.expect("files").len(), table.name());
    let change = Change { add: vec![segment_of(table, &name, batch)], ..Change::default() };
    catalog.commit(change).await.expect("commits").segment_ids[0]
}

on_both! {
    async fn each_type_is_spelled_as_duckdb_does(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        let (logs, metrics) = (0, 1);
        add(&catalog, Table::Logs, &rows(Table::Logs, 0..10)).await;
        add(&catalog, Table::Metrics, &rows(Table::Metrics, 0..10)).await;
        let time = "10 0 2026-01-01 00:00:00.000000000|2026-01-01 00:00:00.000000009 -";
        for (file, column, expected) in [
            (logs, col::TIME, time),
            (logs, col::TRACE_ID, "5 5 - -"),
            (logs, col::TIME_INFERRED, "10 0 0|1 -"),
            (logs, col::FLAGS, "10 0 0|9 -"),
            (logs, col::SEVERITY_TEXT, "5 5 name 0|name 4 -"),
            (logs, col::BODY, "5 5 text 000000|text 000008 -"),
            (logs, col::ROW_ID, "10 0 18446744073709551606|18446744073709551615 -"),
            (metrics, col::VALUE, "5 5 0.0|2.0 0"),
            (metrics, col::VALUE_INT, "5 5 -8|0 -"),
        ] {
            assert_eq!(fixture.file_stats(file, column).await, [expected], "{column}");
        }
        let all = "SELECT count(*) FROM ducklake_file_column_stats s WHERE data_file_id = 0";
        assert_eq!(fixture.text(all).await, [Table::Logs.schema().fields().len().to_string()]);
        assert_eq!(fixture.table_stats("logs", col::BODY).await, ["1 text 000000|text 000008 -"]);
        assert_eq!(fixture.table_stats("metrics", col::VALUE).await, ["1 0.0|2.0 0"]);
    }
}

on_both! {
    async fn a_table_knows_the_bounds_of_its_live_files(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        let middle = add(&catalog, Table::Metrics, &rows(Table::Metrics, 100..110)).await;
        let wide = add(&catalog, Table::Metrics, &rows(Table::Metrics, 2..1000)).await;
        assert_eq!(fixture.table_stats("metrics", col::VALUE).await, ["1 0.5|249.5 0"]);
        assert_eq!(fixture.table_stats("metrics", col::VALUE_INT).await, ["1 -998|-2 -"]);
        assert_eq!(fixture.table_stats("metrics", col::FLAGS).await, ["0 2|999 -"]);
        catalog.commit(Change { remove: vec![wide], ..Change::default() }).await.expect("commits");
        assert_eq!(fixture.table_stats("metrics", col::VALUE).await, ["1 25.0|27.0 0"]);
        assert_eq!(fixture.table_stats("metrics", col::FLAGS).await, ["0 100|109 -"]);
        assert_eq!(fixture.text("SELECT record_count FROM ducklake_table_stats").await, ["10"]);
        catalog.commit(Change { remove: vec![middle], ..Change::default() }).await.expect("commits");
        assert_eq!(fixture.table_stats("metrics", col::FLAGS).await, ["0 - -"]);
        assert_eq!(fixture.text("SELECT record_count || ' ' || next_row_id FROM ducklake_table_stats").await, ["0 1008"]);
        add(&catalog, Table::Metrics, &rows(Table::Metrics, 5..6)).await;
        assert_eq!(fixture.table_stats("metrics", col::FLAGS).await, ["0 5|5 -"]);
    }
}

on_both! {
    async fn not_a_number_is_told_apart_and_bounds_leave_it_out(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        let values = |values: [Option<f64>; 3]| {
            with(rows(Table::Metrics, 0..3), col::VALUE, Arc::new(Float64Array::from(values.to_vec())))
        };
        add(&catalog, Table::Metrics, &values([None, None, None])).await;
        assert_eq!(fixture.file_stats(0, col::VALUE).await, ["0 3 - 0"]);
        assert_eq!(fixture.table_stats("metrics", col::VALUE).await, ["1 - 0"]);
        add(&catalog, Table::Metrics, &values([Some(f64::NAN), Some(-0.0), Some(f64::NEG_INFINITY)])).await;
        assert_eq!(fixture.file_stats(1, col::VALUE).await, ["3 0 -inf|-0.0 1"]);
        assert_eq!(fixture.table_stats("metrics", col::VALUE).await, ["1 -inf|-0.0 1"]);
        add(&catalog, Table::Metrics, &values([Some(f64::NAN), None, None])).await;
        assert_eq!(fixture.file_stats(2, col::VALUE).await, ["1 2 - 1"]);
        // Values without bounds: the table's are unknown from now on, not those of the next file.
        assert_eq!(fixture.table_stats("metrics", col::VALUE).await, ["1 - 1"]);
        add(&catalog, Table::Metrics, &values([Some(1.0), None, None])).await;
        assert_eq!(fixture.table_stats("metrics", col::VALUE).await, ["1 - 1"]);
        catalog.commit(Change { remove: vec![2], ..Change::default() }).await.expect("commits");
        assert_eq!(fixture.table_stats("metrics", col::VALUE).await, ["1 -inf|1.0 1"]);
    }
}

on_both! {
    async fn long_texts_are_cut_and_unused_ones_ignored(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        let long = "長".repeat(100);
        let bodies = StringArray::from(vec![long.as_str(), "a\0b"]);
        let names = DictionaryArray::<Int32Type>::new(vec![1, 1].into(), Arc::new(StringArray::from(vec!["a", "m", "z"])));
        let batch = with(rows(Table::Logs, 0..2), col::BODY, Arc::new(bodies));
        add(&catalog, Table::Logs, &with(batch, col::SERVICE_NAME, Arc::new(names))).await;
        let next = char::from_u32('長' as u32 + 1).expect("a character");
        let above = format!("{}{next}", "長".repeat(20));
        assert_eq!(fixture.file_stats(0, col::BODY).await, [format!("2 0 a|{above} -")]);
        assert_eq!(fixture.file_stats(0, col::SERVICE_NAME).await, ["2 0 m|m -"]);
    }
}
