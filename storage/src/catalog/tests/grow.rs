//! A later version that knows more columns and tables opens the lake of an earlier one.

use std::sync::Arc;

use arrow::datatypes::Schema;

use super::*;
use crate::schema::col;

/// The logs table without some columns, in the middle and at the end; and no metrics.
fn earlier() -> Vec<(Table, SchemaRef)> {
    let lacks = [col::EVENT_NAME, col::ROW_ID];
    let logs = Table::Logs.schema();
    let fields: Vec<_> =
        logs.fields().iter().filter(|field| !lacks.contains(&field.name().as_str())).cloned().collect();
    vec![(Table::Spans, Table::Spans.schema()), (Table::Logs, Arc::new(Schema::new(fields)))]
}

on_both! {
    async fn missing_columns_and_tables_are_added_as_one_schema_change(on) {
        let fixture = Fixture::new(on);
        let catalog =
            Catalog::open_with(fixture.source(), &fixture.data_path(), fixture.clock(), &earlier()).await.expect("opens");
        assert_eq!(catalog.field_id(Table::Logs, col::EVENT_NAME), None);
        assert_eq!(catalog.field_id(Table::Logs, col::BODY), Some(9));
        let add = vec![segment(Table::Spans, "a", 0..10), segment(Table::Logs, "a", 0..10)];
        catalog.commit(Change { add, ..Change::default() }).await.expect("commits");
        catalog.close().await;

        let catalog = fixture.open().await;
        let last = Table::Logs.schema().fields().len() as i32;
        assert_eq!(catalog.field_id(Table::Logs, col::BODY), Some(9));
        assert_eq!(catalog.field_id(Table::Logs, col::EVENT_NAME), Some(last - 1));
        assert_eq!(catalog.field_id(Table::Logs, col::ROW_ID), Some(last));
        let changes = "SELECT snapshot_id || ' ' || changes_made FROM ducklake_snapshot_changes WHERE snapshot_id > 2";
        assert_eq!(fixture.text(changes).await, [r#"3 altered_table:2,created_table:"main"."metrics""#]);
        let versions = "SELECT begin_snapshot || ' ' || schema_version || ' ' || table_id FROM ducklake_schema_versions";
        assert_eq!(fixture.text(versions).await, ["1 1 1", "1 1 2", "3 2 2", "3 2 6"]);
        let nullable =
            format!("SELECT CAST(nulls_allowed AS INTEGER) FROM ducklake_column WHERE table_id = 2 AND column_id >= {}", last - 1);
        assert_eq!(fixture.text(&nullable).await, ["1", "1"]);
        let stats = format!(
            "SELECT CAST(contains_null AS INTEGER) || coalesce(min_value, '-') FROM ducklake_table_column_stats \
             WHERE table_id = 2 AND column_id = {last}"
        );
        assert_eq!(fixture.text(&stats).await, ["1-"]);

        // Files of before stay without the column: it keeps its nulls, also after a removal.
        let add = vec![segment(Table::Logs, "b", 0..10), segment(Table::Logs, "c", 0..10)];
        let ids = catalog.commit(Change { add, ..Change::default() }).await.expect("commits").segment_ids;
        assert_eq!(fixture.text(&stats).await, ["118446744073709551606"]);
        catalog.commit(Change { remove: vec![ids[1]], ..Change::default() }).await.expect("commits");
        assert_eq!(fixture.text(&stats).await, ["118446744073709551606"]);
        catalog.commit(Change { remove: vec![1], ..Change::default() }).await.expect("commits");
        assert_eq!(fixture.text(&stats).await, ["018446744073709551606"]);
        assert_eq!(catalog.check().await.expect("check"), []);
        catalog.close().await;
        fixture.open().await;
        assert_eq!(fixture.text("SELECT max(schema_version) FROM ducklake_snapshot").await, ["2"]);
    }
}

on_both! {
    async fn a_new_lake_numbers_columns_in_order(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        for table in Table::ALL {
            for (number, field) in (1..).zip(table.schema().fields()) {
                assert_eq!(catalog.field_id(table, field.name()), Some(number));
            }
        }
    }
}
