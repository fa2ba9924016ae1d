//! Views for people, and a catalogue that is only looked at.

use super::*;

const LIVE: &str = "SELECT view_name || ' ' || view_id FROM ducklake_view WHERE end_snapshot IS NULL ORDER BY view_id";

on_both! {
    async fn views_come_once_and_stay_as_their_users_leave_them(on) {
        let fixture = Fixture::new(on);
        fixture.open().await.close().await;
        assert_eq!(fixture.text(LIVE).await, ["spans_readable 4", "logs_readable 5", "edges 6"]);
        fixture.open().await.close().await;
        assert_eq!(fixture.text("SELECT max(snapshot_id) FROM ducklake_snapshot").await, ["1"]);

        // An earlier version's text is replaced, in a snapshot of its own.
        fixture.execute("UPDATE ducklake_view SET sql = 'SELECT 1' WHERE view_name = 'edges'").await;
        let catalog = fixture.open().await;
        assert_eq!(fixture.text(LIVE).await, ["spans_readable 4", "logs_readable 5", "edges 7"]);
        let changes = "SELECT changes_made FROM ducklake_snapshot_changes WHERE snapshot_id = 2";
        assert_eq!(fixture.text(changes).await, [r#"dropped_view:6,created_view:"main"."edges""#]);
        assert_eq!(catalog.check().await.expect("check"), []);
        catalog.close().await;

        // Dropped, and replaced by one of their own: as DuckDB does it.
        fixture.execute("UPDATE ducklake_view SET end_snapshot = 2 WHERE view_name = 'logs_readable'").await;
        fixture
            .execute("UPDATE ducklake_view SET view_uuid = '7e57ab1e-0000-4000-8000-000000000000', sql = 'SELECT 2' WHERE view_id = 4")
            .await;
        let catalog = fixture.open().await;
        assert_eq!(fixture.text(LIVE).await, ["spans_readable 4", "edges 7"]);
        let findings = catalog.check().await.expect("check");
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings.iter().all(|finding| !finding.damage));
    }
}

on_both! {
    async fn a_look_reads_all_and_writes_nothing(on) {
        let fixture = Fixture::new(on);
        assert!(Catalog::look(fixture.source(), fixture.clock()).await.is_err(), "there is nothing to look at");
        let catalog = fixture.open().await;
        let add = vec![segment(Table::Spans, "a", 0..10)];
        catalog.commit(Change { add, checkpoint: Some(42), ..Change::default() }).await.expect("commits");
        // Beside one that writes, and after.
        for writes in [true, false] {
            if !writes {
                catalog.close().await;
            }
            let look = Catalog::look(fixture.source(), fixture.clock()).await.expect("opens");
            assert_eq!(look.segments().await.expect("segments").len(), 1);
            assert_eq!(look.checkpoint().await.expect("checkpoint"), 42);
            assert_eq!(look.check().await.expect("check"), []);
            assert_eq!(look.format().await.expect("format"), (open::FORMAT_VERSION, "1.0".to_owned()));
            assert!(look.commit(Change { checkpoint: Some(43), ..Change::default() }).await.is_err());
            look.close().await;
        }
        let names = std::fs::read_dir(fixture.folder()).expect("a folder");
        let names: BTreeSet<_> = names.map(|entry| entry.expect("an entry").file_name()).collect();
        assert!(names.iter().all(|name| name == "catalog.db" || name == "lake"), "{names:?}");
    }
}

#[tokio::test]
async fn a_copy_is_one_state_and_names_its_files() {
    let fixture = Fixture::new(Database::Sqlite);
    let catalog = fixture.open().await;
    let (a, b) = (segment(Table::Spans, "a", 0..10), segment(Table::Spans, "b", 0..10));
    let change = Change { add: vec![a, b], checkpoint: Some(42), ..Change::default() };
    let ids = catalog.commit(change).await.expect("commits").segment_ids;
    catalog.commit(Change { remove: vec![ids[0]], ..Change::default() }).await.expect("commits");
    let to = fixture.folder().join("copy.db");
    copy(&fixture.database(), &to).await.expect("copied");
    let add = vec![segment(Table::Logs, "c", 0..10)];
    catalog.commit(Change { add, ..Change::default() }).await.expect("commits");
    // Time travel still needs what was removed.
    let named = named(&to).await.expect("readable");
    let mut paths: Vec<_> = named.ours.iter().map(|file| file.path.as_str()).collect();
    paths.sort_unstable();
    let expected = ["main/spans/a.index", "main/spans/a.parquet", "main/spans/b.index", "main/spans/b.parquet"];
    assert_eq!((paths.as_slice(), named.checkpoint), (&expected[..], 42));
    assert!(named.foreign.is_empty() && named.outside.is_empty());
    assert_eq!(named.data_path, fixture.data_path());
}
