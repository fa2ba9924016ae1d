//! The catalogue over a real database file: commits, removal, statistics, growth, other writers.

mod digest;
mod documents;
mod fixture;
mod grow;
mod other_writers;
mod removal;
mod shared;
mod statistics;
mod views;

use fixture::{Database, Fixture, on_both, segment};
use sqlx::AssertSqlSafe;

use super::*;

on_both! {
    async fn a_new_lake_has_our_tables_and_no_segments(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        assert_eq!(catalog.segments().await.expect("segments"), []);
        assert_eq!(catalog.checkpoint().await.expect("checkpoint"), 0);
        assert_eq!(catalog.check().await.expect("check"), []);
        let changes = fixture.text("SELECT changes_made FROM ducklake_snapshot_changes ORDER BY snapshot_id").await;
        let created = r#"created_table:"main"."spans",created_table:"main"."logs",created_table:"main"."metrics""#;
        let views = r#"created_view:"main"."spans_readable",created_view:"main"."logs_readable",created_view:"main"."edges""#;
        assert_eq!(changes, [r#"created_schema:"main""#.to_owned(), format!("{created},{views}")]);
        let types = "SELECT column_name || ' ' || column_type || ' ' || CAST(nulls_allowed AS INTEGER) FROM ducklake_column \
                     WHERE table_id = 2 AND column_id IN (1, 2, 4, 11)";
        assert_eq!(
            fixture.text(types).await,
            ["time timestamp_ns 0", "time_inferred boolean 0", "trace_id blob 1", "body_type varchar 1"]
        );
    }
}

on_both! {
    async fn what_was_committed_is_there_after_reopening(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        let (spans, logs) = (segment(Table::Spans, "a", 0..10), segment(Table::Logs, "b", 0..7));
        let change = Change { add: vec![spans.clone(), logs.clone()], checkpoint: Some(42), ..Change::default() };
        let committed = catalog.commit(change).await.expect("commits");
        assert_eq!(committed, CommittedSnapshot { snapshot: 2, segment_ids: vec![0, 1], rollup: None });
        let expected = [SegmentMeta { id: 0, ..spans.meta }, SegmentMeta { id: 1, ..logs.meta }];
        assert_eq!(catalog.segments().await.expect("segments"), expected);
        catalog.close().await;
        assert!(matches!(catalog.segments().await, Err(CatalogError::Invalid(_))));

        let catalog = fixture.open().await;
        assert_eq!(catalog.segments().await.expect("segments"), expected);
        assert_eq!(catalog.checkpoint().await.expect("checkpoint"), 42);
        assert_eq!(catalog.check().await.expect("check"), []);
        let known = catalog.known_files().await.expect("files");
        assert!(known.iter().eq([
            "main/logs/b.index",
            "main/logs/b.parquet",
            "main/spans/a.index",
            "main/spans/a.parquet"
        ]));
        let rows = fixture
            .text("SELECT data_file_id || ' ' || path || ' ' || row_id_start || ' ' || begin_snapshot FROM ducklake_data_file")
            .await;
        assert_eq!(rows, ["0 a.parquet 0 2", "1 b.parquet 0 2"]);
        let change = "SELECT changes_made FROM ducklake_snapshot_changes WHERE snapshot_id = 2";
        assert_eq!(fixture.text(change).await, ["inserted_into_table:1,inserted_into_table:2"]);
    }
}

on_both! {
    async fn a_change_without_segments_makes_no_snapshot(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        let checkpoint = |sequence| Change { checkpoint: Some(sequence), ..Change::default() };
        assert_eq!(catalog.commit(checkpoint(7)).await.expect("commits").snapshot, 1);
        assert_eq!(catalog.checkpoint().await.expect("checkpoint"), 7);
        assert!(matches!(catalog.commit(checkpoint(6)).await, Err(CatalogError::Invalid(_))));
        assert_eq!(catalog.checkpoint().await.expect("checkpoint"), 7);
    }
}

on_both! {
    async fn a_bad_segment_undoes_the_whole_change(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        let good = segment(Table::Spans, "good", 0..3);
        let spoil = |spoil: &dyn Fn(&mut NewSegment)| {
            let mut bad = segment(Table::Spans, "bad", 0..3);
            spoil(&mut bad);
            bad
        };
        let bad = [
            spoil(&|bad| bad.meta.rows = 0),
            spoil(&|bad| bad.meta.min_time = bad.meta.max_time + 1),
            spoil(&|bad| bad.meta.parquet = "main/logs/bad.parquet".into()),
            spoil(&|bad| bad.meta.parquet = "main/spans/../../bad.parquet".into()),
            spoil(&|bad| bad.meta.index = "/bad.index".into()),
            spoil(&|bad| bad.meta.rows = 4),
            spoil(&|bad| drop(bad.columns.pop())),
            spoil(&|bad| bad.meta.parquet_bytes = u64::MAX),
        ];
        for bad in bad {
            let shown = format!("{:?}", bad.meta);
            let change = Change { add: vec![good.clone(), bad], checkpoint: Some(9), ..Change::default() };
            let result = catalog.commit(change).await;
            assert!(matches!(result, Err(CatalogError::Invalid(_))), "{shown}: {result:?}");
        }
        assert_eq!(catalog.segments().await.expect("segments"), []);
        assert_eq!(catalog.checkpoint().await.expect("checkpoint"), 0);
        assert_eq!(fixture.text("SELECT max(snapshot_id) FROM ducklake_snapshot").await, ["1"]);
    }
}

on_both! {
    async fn a_file_belongs_to_one_segment(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        let change = || Change { add: vec![segment(Table::Spans, "a", 0..3)], ..Change::default() };
        catalog.commit(change()).await.expect("commits");
        assert!(matches!(catalog.commit(change()).await, Err(CatalogError::Invalid(_))));
        assert_eq!(catalog.segments().await.expect("segments").len(), 1);
    }
}

on_both! {
    async fn commits_at_once_follow_each_other(on) {
        let fixture = Fixture::new(on);
        let catalog = std::sync::Arc::new(fixture.open().await);
        let commits = (0..20).map(|number| {
            let (catalog, name) = (catalog.clone(), format!("{number}"));
            let change = Change { add: vec![segment(Table::Logs, &name, 0..5)], ..Change::default() };
            tokio::spawn(async move { catalog.commit(change).await.expect("commits") })
        });
        let committed = futures::future::join_all(commits.collect::<Vec<_>>()).await;
        let mut committed: Vec<_> = committed.into_iter().map(|joined| joined.expect("runs")).collect();
        committed.sort_by_key(|committed| committed.snapshot);
        for (number, committed) in (0..).zip(&committed) {
            assert_eq!(committed, &CommittedSnapshot { snapshot: number + 2, segment_ids: vec![number], rollup: None });
        }
        assert_eq!(catalog.segments().await.expect("segments").len(), 20);
        assert_eq!(fixture.text("SELECT record_count || ' ' || next_row_id FROM ducklake_table_stats").await, ["100 100"]);
        assert_eq!(catalog.check().await.expect("check"), []);
    }
}

#[tokio::test]
async fn a_lake_that_moved_is_found_again() {
    let mut fixture = Fixture::new(Database::Sqlite);
    let catalog = fixture.open().await;
    catalog.close().await;
    fixture.move_to("elsewhere");
    fixture.open().await;
    let registered = fixture.text("SELECT value FROM ducklake_metadata WHERE key = 'data_path'").await;
    let expected = format!("{}/", fixture.data().canonicalize().expect("exists").display());
    assert_eq!(registered, [expected]);
}

on_both! {
    async fn what_is_not_ours_is_left_alone(on) {
        let spoilt = |sql: &'static str| async move {
            let fixture = Fixture::new(on);
            fixture.open().await.close().await;
            fixture.execute(sql).await;
            fixture.try_open().await.err().expect("does not open")
        };
        let newer = spoilt("UPDATE ducklake_metadata SET value = '1.1-dev1' WHERE key = 'version'").await;
        assert!(matches!(newer, CatalogError::Newer { .. }), "{newer}");
        let newer = spoilt("UPDATE clew_state SET value = '99' WHERE name = 'format'").await;
        assert!(matches!(newer, CatalogError::Newer { .. }), "{newer}");
        let older = spoilt("UPDATE ducklake_metadata SET value = '0.3' WHERE key = 'version'").await;
        assert!(matches!(older, CatalogError::Foreign(_)), "{older}");
        let encrypted = spoilt("UPDATE ducklake_metadata SET value = 'true' WHERE key = 'encrypted'").await;
        assert!(matches!(encrypted, CatalogError::Foreign(_)), "{encrypted}");
        let headless = spoilt("DELETE FROM ducklake_snapshot").await;
        assert!(matches!(headless, CatalogError::Damaged(_)), "{headless}");
        let elsewhere =
            spoilt("DROP TABLE clew_state; UPDATE ducklake_metadata SET value = '/x/' WHERE key = 'data_path'").await;
        assert!(matches!(elsewhere, CatalogError::Foreign(_)), "{elsewhere}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_damage() {
    let fixture = Fixture::new(Database::Sqlite);
    std::fs::write(
        fixture.database(),
        b"not a database, but longer than a header of SQLite would be: a hundred bytes ".repeat(4),
    )
    .expect("writes");
    let error = fixture.try_open().await.err().expect("does not open");
    assert!(matches!(error, CatalogError::Damaged(_)), "{error}");
}

on_both! {
    async fn another_programs_database_is_left_alone(on) {
        let fixture = Fixture::new(on);
        fixture.execute("CREATE TABLE bookmarks(url VARCHAR)").await;
        let error = fixture.try_open().await.err().expect("does not open");
        assert!(matches!(error, CatalogError::Foreign(_)), "{error}");
    }
}

on_both! {
    async fn contradictions_are_found(on) {
        let spoilt = [
            ("UPDATE ducklake_data_file SET record_count = 11 WHERE data_file_id = 0", 3),
            ("UPDATE ducklake_data_file SET path = 'other.parquet' WHERE data_file_id = 0", 1),
            ("INSERT INTO clew_garbage VALUES ('main/spans/a.index', 0)", 1),
            ("UPDATE ducklake_snapshot SET next_file_id = 1", 1),
            ("UPDATE ducklake_data_file SET row_id_start = 9 WHERE data_file_id = 1", 1),
            ("UPDATE ducklake_table_stats SET next_row_id = 19, record_count = 19", 2),
            ("DELETE FROM ducklake_table_stats", 1),
            ("UPDATE ducklake_data_file SET begin_snapshot = 99 WHERE data_file_id = 0", 1),
        ];
        for (sql, count) in spoilt {
            let fixture = Fixture::new(on);
            let catalog = fixture.open().await;
            let add = vec![segment(Table::Spans, "a", 0..10), segment(Table::Spans, "b", 0..10)];
            catalog.commit(Change { add, ..Change::default() }).await.expect("commits");
            assert_eq!(catalog.check().await.expect("check"), []);
            fixture.execute(sql).await;
            let findings = catalog.check().await.expect("check");
            assert_eq!(findings.iter().filter(|finding| finding.damage).count(), count, "{sql}: {findings:?}");
        }
    }
}
