//! Segments that go: their snapshots, their files, what is known of them until they are deleted.

use super::*;

const SECOND: i64 = 1_000_000_000;

on_both! {
    async fn a_removed_segment_stays_in_older_snapshots(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        let add = vec![segment(Table::Spans, "a", 0..10), segment(Table::Spans, "b", 10..20)];
        catalog.commit(Change { add, ..Change::default() }).await.expect("commits");
        let change = Change { add: vec![segment(Table::Spans, "ab", 0..20)], remove: vec![0, 1], checkpoint: None, mark: Vec::new(), rollup: None };
        let committed = catalog.commit(change).await.expect("commits");
        assert_eq!(committed, CommittedSnapshot { snapshot: 3, segment_ids: vec![2], rollup: None });
        let ids: Vec<i64> = catalog.segments().await.expect("segments").iter().map(|segment| segment.id).collect();
        assert_eq!(ids, [2]);
        let at = |snapshot: i64| {
            format!(
                "SELECT path FROM ducklake_data_file WHERE begin_snapshot <= {snapshot} \
                 AND (end_snapshot IS NULL OR end_snapshot > {snapshot})"
            )
        };
        assert_eq!(fixture.text(&at(2)).await, ["a.parquet", "b.parquet"]);
        assert_eq!(fixture.text(&at(3)).await, ["ab.parquet"]);
        let change = "SELECT changes_made FROM ducklake_snapshot_changes WHERE snapshot_id = 3";
        assert_eq!(fixture.text(change).await, ["inserted_into_table:1,deleted_from_table:1"]);
        let stats = "SELECT record_count || ' ' || next_row_id || ' ' || file_size_bytes FROM ducklake_table_stats";
        assert_eq!(fixture.text(stats).await, ["20 40 1000"]);
        assert_eq!(catalog.check().await.expect("check"), []);
    }
}

on_both! {
    async fn what_is_not_live_cannot_be_removed(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        let add = vec![segment(Table::Spans, "a", 0..10)];
        catalog.commit(Change { add, ..Change::default() }).await.expect("commits");
        let remove = || Change { remove: vec![0], ..Change::default() };
        catalog.commit(remove()).await.expect("commits");
        let both = Change { add: vec![segment(Table::Spans, "again", 0..10)], ..remove() };
        assert!(matches!(catalog.commit(both).await, Err(CatalogError::Conflict(_))));
        assert!(matches!(
            catalog.commit(Change { remove: vec![5], ..Change::default() }).await,
            Err(CatalogError::Conflict(_))
        ));
        assert_eq!(catalog.segments().await.expect("segments"), []);
    }
}

on_both! {
    async fn files_are_given_out_after_the_grace_and_until_forgotten(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        let add = vec![segment(Table::Spans, "a", 0..10), segment(Table::Spans, "b", 10..20)];
        catalog.commit(Change { add, ..Change::default() }).await.expect("commits");
        fixture.pass(100 * SECOND);
        catalog.commit(Change { remove: vec![0], ..Change::default() }).await.expect("commits");

        fixture.pass(9 * SECOND);
        assert!(catalog.expired_files(10 * SECOND).await.expect("expires").is_empty());
        let all = ["main/spans/a.index", "main/spans/a.parquet", "main/spans/b.index", "main/spans/b.parquet"];
        assert!(catalog.known_files().await.expect("files").iter().eq(all));

        fixture.pass(SECOND);
        let expired = catalog.expired_files(10 * SECOND).await.expect("expires");
        assert_eq!(expired, ["main/spans/a.index", "main/spans/a.parquet"]);
        assert_eq!(catalog.expired_files(10 * SECOND).await.expect("expires"), expired);
        assert!(catalog.known_files().await.expect("files").iter().eq(all));
        assert_eq!(fixture.text("SELECT snapshot_id FROM ducklake_snapshot").await, ["3"]);
        assert_eq!(fixture.text("SELECT DISTINCT data_file_id FROM ducklake_file_column_stats").await, ["1"]);
        assert_eq!(catalog.check().await.expect("check"), []);

        catalog.forget_files(&expired).await.expect("forgets");
        assert!(catalog.expired_files(0).await.expect("expires").is_empty());
        assert!(catalog.known_files().await.expect("files").iter().eq(&all[2..]));
        assert_eq!(catalog.segments().await.expect("segments").len(), 1);
    }
}

on_both! {
    async fn the_newest_snapshot_never_expires(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        let add = vec![segment(Table::Spans, "a", 0..10)];
        catalog.commit(Change { add, ..Change::default() }).await.expect("commits");
        fixture.pass(1_000_000 * SECOND);
        assert!(catalog.expired_files(0).await.expect("expires").is_empty());
        assert_eq!(fixture.text("SELECT snapshot_id FROM ducklake_snapshot").await, ["2"]);
        catalog.close().await;
        let segments = fixture.open().await.segments().await.expect("segments");
        assert_eq!(segments.len(), 1);
    }
}

on_both! {
    async fn time_does_not_run_backwards(on) {
        let fixture = Fixture::new(on);
        let catalog = fixture.open().await;
        fixture.pass(-3600 * SECOND);
        let add = vec![segment(Table::Spans, "a", 0..10)];
        catalog.commit(Change { add, ..Change::default() }).await.expect("commits");
        let times = fixture.text("SELECT DISTINCT substr(CAST(snapshot_time AS VARCHAR), 1, 19) FROM ducklake_snapshot").await;
        assert_eq!(times, ["2026-01-01 00:00:00"]);
    }
}
