//! A database whose rows are not what was committed: changed below SQL, or lawfully by another program.

use super::*;

async fn two_segments(on: Database) -> Fixture {
    let fixture = Fixture::new(on);
    let catalog = fixture.open().await;
    let add = vec![segment(Table::Spans, "a", 0..10), segment(Table::Logs, "b", 0..7)];
    catalog.commit(Change { add, checkpoint: Some(42), ..Change::default() }).await.expect("commits");
    catalog.close().await;
    fixture
}

on_both! {
    async fn a_flipped_bit_does_not_pass_for_a_lake(on) {
        for flip in [
            "UPDATE clew_segment SET min_time = min_time + 1 WHERE data_file_id = 0",
            "UPDATE clew_segment SET max_time = max_time - 1 WHERE data_file_id = 1",
            "UPDATE clew_segment SET index_path = 'main/logs/c.index' WHERE data_file_id = 1",
            "UPDATE ducklake_data_file SET end_snapshot = 1 WHERE data_file_id = 0",
            "UPDATE ducklake_table SET table_name = 'spanr' WHERE table_name = 'spans'",
            "DELETE FROM clew_segment WHERE data_file_id = 1",
            "UPDATE clew_state SET value = REPLACE(value, '2', '3') WHERE name = 'digest'",
        ] {
            let fixture = two_segments(on).await;
            fixture.open().await.close().await;
            fixture.execute(flip).await;
            let error = fixture.try_open().await.err().expect(flip);
            assert!(matches!(error, CatalogError::Damaged(_)), "{flip}: {error}");
        }
    }
}

on_both! {
    async fn a_flipped_checkpoint_is_noticed(on) {
        let fixture = two_segments(on).await;
        fixture.execute("UPDATE clew_state SET value = REPLACE(value, '42', '43') WHERE name LIKE 'wal_checkpoint%'").await;
        let error = fixture.open().await.checkpoint().await.expect_err("damaged");
        assert!(matches!(error, CatalogError::Damaged(_)), "{error}");
    }
}

on_both! {
    async fn values_of_an_earlier_version_have_no_checksum(on) {
        let fixture = two_segments(on).await;
        fixture.execute("UPDATE clew_state SET value = '41' WHERE name LIKE 'wal_checkpoint%'; \
                         DELETE FROM clew_state WHERE name = 'digest'").await;
        let catalog = fixture.open().await;
        assert_eq!(catalog.checkpoint().await.expect("checkpoint"), 41);
        assert_eq!(catalog.segments().await.expect("segments").len(), 2);
    }
}

on_both! {
    async fn another_program_may_take_segments_out(on) {
        let fixture = two_segments(on).await;
        fixture
            .execute(
                "INSERT INTO ducklake_snapshot SELECT snapshot_id + 1, '2026-01-01 00:00:00.5+00', schema_version, \
                 next_catalog_id, next_file_id FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1; \
                 UPDATE ducklake_data_file SET end_snapshot = 3 WHERE data_file_id = 0",
            )
            .await;
        let catalog = fixture.open().await;
        assert_eq!(catalog.segments().await.expect("segments").len(), 1);
        let add = vec![segment(Table::Spans, "c", 0..10), segment(Table::Spans, "d", 10..20)];
        catalog.commit(Change { add, remove: vec![1], ..Change::default() }).await.expect("commits");
        catalog.commit(Change { remove: vec![2], ..Change::default() }).await.expect("commits");
        catalog.close().await;
        let catalog = fixture.open().await;
        assert_eq!(catalog.segments().await.expect("segments").len(), 1);
        assert_eq!(catalog.check().await.expect("check").iter().filter(|finding| finding.damage).count(), 0);
    }
}
