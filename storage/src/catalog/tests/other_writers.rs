//! DuckDB writes to the lake too: what it does there (seen with 1.5.5) must not break us.

use super::*;

async fn two_segments(fixture: &Fixture) -> Catalog {
    let catalog = fixture.open().await;
    let add = vec![segment(Table::Spans, "a", 0..10), segment(Table::Spans, "b", 10..20)];
    catalog.commit(Change { add, ..Change::default() }).await.expect("commits");
    catalog
}

const SNAPSHOT: &str = "INSERT INTO ducklake_snapshot SELECT snapshot_id + 1, '2026-01-01 00:00:00.5+00', \
     schema_version, next_catalog_id, next_file_id + 1 FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1;";

on_both! {
    async fn its_files_are_no_segments_and_its_numbers_are_kept_free(on) {
        let fixture = Fixture::new(on);
        let catalog = two_segments(&fixture).await;
        fixture
            .execute(&format!(
                "{SNAPSHOT} INSERT INTO ducklake_data_file VALUES \
                 (2, 1, 3, NULL, NULL, 'ducklake-x.parquet', true, 'parquet', 5, 900, 80, 20, NULL, NULL, NULL, NULL); \
                 UPDATE ducklake_table_stats SET record_count = 25, next_row_id = 25;"
            ))
            .await;
        assert_eq!(catalog.segments().await.expect("segments").len(), 2);
        let change = Change { add: vec![segment(Table::Spans, "c", 0..10)], ..Change::default() };
        assert_eq!(catalog.commit(change).await.expect("commits"), CommittedSnapshot { snapshot: 4, segment_ids: vec![3], rollup: None });
        assert_eq!(fixture.text("SELECT row_id_start FROM ducklake_data_file WHERE data_file_id = 3").await, ["25"]);
        assert!(catalog.known_files().await.expect("files").contains("main/spans/ducklake-x.parquet"));
        assert!(matches!(
            catalog.commit(Change { remove: vec![2], ..Change::default() }).await,
            Err(CatalogError::Conflict(_))
        ));
        let findings = catalog.check().await.expect("check");
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(!findings[0].damage && findings[0].what.contains("5 rows"), "{findings:?}");
    }
}

on_both! {
    async fn segments_that_it_merged_are_gone_and_their_indexes_garbage(on) {
        let fixture = Fixture::new(on);
        let catalog = two_segments(&fixture).await;
        fixture
            .execute(&format!(
                "{SNAPSHOT} INSERT INTO ducklake_data_file VALUES \
                 (2, 1, 2, NULL, NULL, 'merged.parquet', true, 'parquet', 20, 900, 80, 0, NULL, NULL, NULL, NULL); \
                 DELETE FROM ducklake_data_file WHERE data_file_id < 2; \
                 INSERT INTO ducklake_files_scheduled_for_deletion VALUES \
                 (0, 'main/spans/a.parquet', true, '2026-01-01 00:00:00+00'), (1, 'main/spans/b.parquet', true, '2026-01-01 00:00:00+00');"
            ))
            .await;
        assert_eq!(catalog.segments().await.expect("segments"), []);
        fixture.pass(1);
        let mut expired = catalog.expired_files(0).await.expect("expires");
        expired.sort();
        let both = ["main/spans/a.index", "main/spans/a.parquet", "main/spans/b.index", "main/spans/b.parquet"];
        assert_eq!(expired, both);
        catalog.forget_files(&expired).await.expect("forgets");
        assert!(catalog.known_files().await.expect("files").iter().eq(["main/spans/merged.parquet"]));
    }
}

on_both! {
    async fn rows_that_it_deleted_are_told_and_bounds_stay_inexact(on) {
        let fixture = Fixture::new(on);
        let catalog = two_segments(&fixture).await;
        fixture
            .execute(&format!(
                "{SNAPSHOT} CREATE TABLE ducklake_inlined_delete_1(file_id BIGINT, row_id BIGINT, begin_snapshot BIGINT); \
                 INSERT INTO ducklake_inlined_delete_1 VALUES (0, 3, 3), (0, 4, 3); \
                 INSERT INTO ducklake_delete_file VALUES \
                 (2, 1, 3, NULL, 1, 'ducklake-delete.parquet', true, 'parquet', 4, 300, 80, NULL, NULL);"
            ))
            .await;
        assert_eq!(catalog.deleted_rows().await.expect("deleted"), [(0, 2), (1, 4)].into());
        assert_eq!(catalog.check().await.expect("check").len(), 2);
        // DuckDB takes bounds for exact where the count of rows ever added equals that of rows there are.
        catalog.commit(Change { remove: vec![1], ..Change::default() }).await.expect("commits");
        assert_eq!(fixture.text("SELECT record_count FROM ducklake_table_stats").await, ["20"]);
        assert_eq!(fixture.text("SELECT end_snapshot FROM ducklake_delete_file").await, ["4"]);
        assert_eq!(catalog.deleted_rows().await.expect("deleted"), [(0, 2)].into());
        fixture.pass(1_000_000_000);
        let expired = catalog.expired_files(0).await.expect("expires");
        assert_eq!(expired, ["main/spans/b.index", "main/spans/b.parquet", "main/spans/ducklake-delete.parquet"]);
    }
}

on_both! {
    async fn a_table_that_it_dropped_comes_back_empty(on) {
        let fixture = Fixture::new(on);
        let catalog = two_segments(&fixture).await;
        fixture.execute(&format!("{SNAPSHOT} UPDATE ducklake_table SET end_snapshot = 3 WHERE table_id = 1")).await;
        assert_eq!(catalog.segments().await.expect("segments"), []);
        let change = || Change { add: vec![segment(Table::Spans, "c", 0..10)], ..Change::default() };
        assert!(matches!(catalog.commit(change()).await, Err(CatalogError::Foreign(_))));
        catalog.close().await;

        let catalog = fixture.open().await;
        assert_eq!(catalog.segments().await.expect("segments"), []);
        catalog.commit(change()).await.expect("commits");
        assert_eq!(catalog.segments().await.expect("segments").len(), 1);
        fixture.pass(1_000_000_000);
        let expired = catalog.expired_files(0).await.expect("expires");
        assert_eq!(expired.len(), 4, "{expired:?}");
        assert_eq!(catalog.segments().await.expect("segments").len(), 1);
    }
}

on_both! {
    async fn columns_that_it_added_or_renamed_get_fitting_statistics(on) {
        let fixture = Fixture::new(on);
        let catalog = two_segments(&fixture).await;
        fixture
            .execute(
                "UPDATE ducklake_column SET column_name = 'service' WHERE table_id = 1 AND column_name = 'service_name'; \
                 INSERT INTO ducklake_column VALUES (99, 2, NULL, 1, 99, 'extra', 'int32', NULL, 'NULL', true, NULL, 'literal', 'duckdb');",
            )
            .await;
        catalog
            .commit(Change { add: vec![segment(Table::Spans, "c", 0..10)], ..Change::default() })
            .await
            .expect("commits");
        let stats = |column: &str| {
            format!(
                "SELECT value_count || ' ' || null_count || ' ' || coalesce(min_value, '-') FROM ducklake_file_column_stats \
                 WHERE data_file_id = 2 AND column_id = (SELECT column_id FROM ducklake_column WHERE table_id = 1 AND column_name = '{column}')"
            )
        };
        assert_eq!(fixture.text(&stats("service")).await, ["10 0 name 0"]);
        assert_eq!(fixture.text(&stats("extra")).await, ["0 10 -"]);
        let findings = catalog.check().await.expect("check");
        assert!(findings.len() == 1 && !findings[0].damage, "{findings:?}");
    }
}

on_both! {
    async fn a_commit_waits_for_its_transaction(on) {
        let fixture = Fixture::new(on);
        let catalog = two_segments(&fixture).await;
        let mut other = fixture.connect().await;
        let mut transaction = db::begin(&mut other).await.expect("begins");
        sqlx::raw_sql(AssertSqlSafe(SNAPSHOT)).execute(&mut *transaction).await.expect("writes");
        let change = Change { add: vec![segment(Table::Spans, "c", 0..10)], ..Change::default() };
        let commit = catalog.commit(change);
        let release = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            transaction.commit().await.expect("commits");
        };
        let (committed, ()) = tokio::join!(commit, release);
        assert_eq!(committed.expect("commits"), CommittedSnapshot { snapshot: 4, segment_ids: vec![3], rollup: None });
    }
}
