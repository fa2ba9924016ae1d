//! Several processes on one PostgreSQL: nobody's work is lost, doubled, or taken for another's.

use super::*;

const SECOND: i64 = 1_000_000_000;

impl Fixture {
    async fn try_open_as(&self, writer: &str) -> Result<Catalog, CatalogError> {
        Catalog::open(self.source_of(writer), &self.data_path(), self.clock()).await
    }

    async fn open_as(&self, writer: &str) -> Catalog {
        self.try_open_as(writer).await.expect("opens")
    }
}

/// A fixture, where there is a server.
fn fixture() -> Option<Fixture> {
    Database::has_postgres().then(|| Fixture::new(Database::Postgres))
}

#[tokio::test]
async fn of_those_who_start_at_once_one_creates_the_lake() {
    let Some(fixture) = fixture() else { return };
    let names = ["a", "b", "c", "d"];
    let opened = futures::future::join_all(names.iter().map(|name| fixture.open_as(name))).await;
    assert_eq!(fixture.text("SELECT max(snapshot_id) FROM ducklake_snapshot").await, ["1"]);
    assert_eq!(opened[3].check().await.expect("check"), []);
}

#[tokio::test]
async fn commits_of_two_processes_follow_each_other() {
    let Some(fixture) = fixture() else { return };
    let (a, b) = (fixture.open_as("a").await, fixture.open_as("b").await);
    let commits = |catalog: Catalog, name: &'static str| async move {
        for number in 1..=20 {
            let add = vec![segment(Table::Logs, &format!("{name}{number}"), 0..5)];
            let change = Change { add, checkpoint: Some(number), ..Change::default() };
            catalog.commit(change).await.expect("commits");
        }
        catalog
    };
    let (a, b) = tokio::join!(tokio::spawn(commits(a, "a")), tokio::spawn(commits(b, "b")));
    let (a, b) = (a.expect("runs"), b.expect("runs"));
    assert_eq!(a.segments().await.expect("segments").len(), 40);
    assert_eq!(a.newest_snapshot().await.expect("a number"), 41);
    assert_eq!(fixture.text("SELECT record_count || ' ' || next_row_id FROM ducklake_table_stats").await, ["200 200"]);
    b.commit(Change { checkpoint: Some(33), ..Change::default() }).await.expect("commits");
    assert_eq!((a.checkpoint().await.expect("a's"), b.checkpoint().await.expect("b's")), (20, 33));
    assert_eq!(b.check().await.expect("check"), []);
}

#[tokio::test]
async fn a_segment_is_removed_by_one_of_them() {
    let Some(fixture) = fixture() else { return };
    let (a, b) = (fixture.open_as("a").await, fixture.open_as("b").await);
    let add = vec![segment(Table::Spans, "x", 0..10)];
    a.commit(Change { add, ..Change::default() }).await.expect("commits");
    let merge = |name: &str| Change {
        add: vec![segment(Table::Spans, name, 0..10)],
        remove: vec![0],
        checkpoint: None,
        mark: Vec::new(),
        rollup: None,
    };
    let (first, second) = tokio::join!(a.commit(merge("y")), b.commit(merge("z")));
    let conflicts = [&first, &second].iter().filter(|result| matches!(result, Err(CatalogError::Conflict(_)))).count();
    assert_eq!((conflicts, first.is_ok() || second.is_ok()), (1, true), "{first:?} {second:?}");
    assert_eq!(a.segments().await.expect("segments").len(), 1);
}

#[tokio::test]
async fn the_last_opening_of_a_writer_speaks_for_it() {
    let Some(fixture) = fixture() else { return };
    let first = fixture.open_as("a").await;
    let second = fixture.open_as("a").await;
    let checkpoint = |sequence| Change { checkpoint: Some(sequence), ..Change::default() };
    let refused = first.commit(checkpoint(1)).await;
    assert!(matches!(refused, Err(CatalogError::Foreign(_))), "{refused:?}");
    second.commit(checkpoint(2)).await.expect("commits");
    fixture.execute("DELETE FROM clew_state WHERE name LIKE 'session/%'").await;
    let lost = second.commit(checkpoint(3)).await;
    assert!(matches!(lost, Err(CatalogError::Damaged(_))), "{lost:?}");
}

#[tokio::test]
async fn chapters_are_given_out_once() {
    let Some(fixture) = fixture() else { return };
    let (a, b) = (fixture.open_as("a").await, fixture.open_as("b").await);
    assert_eq!(a.take_chapter(0).await.expect("a chapter"), 0);
    let (of_a, of_b) = tokio::join!(a.take_chapter(1), b.take_chapter(0));
    let mut given = [of_a.expect("a chapter"), of_b.expect("a chapter")];
    assert_eq!(a.take_chapter(1).await.expect("the same"), given[0]);
    let known = fixture.open_as("a").await.chapters().await.expect("chapters");
    assert_eq!(known, Some([(0, 0), (1, given[0])].into()));
    given.sort_unstable();
    assert_eq!(given, [1, 2]);
    fixture.execute("UPDATE clew_chapter SET number = 65535 WHERE number = 2").await;
    assert!(matches!(b.take_chapter(7).await, Err(CatalogError::Invalid(_))));
}

#[tokio::test]
async fn a_lease_is_one_process_at_a_time() {
    let Some(fixture) = fixture() else { return };
    let (a, b) = (fixture.open_as("a").await, fixture.open_as("b").await);
    let lease = async |catalog: &Catalog| catalog.lease("work", 10 * SECOND).await.expect("asks");
    assert!(lease(&a).await && !lease(&b).await);
    fixture.pass(9 * SECOND);
    assert!(lease(&a).await);
    fixture.pass(9 * SECOND);
    assert!(!lease(&b).await);
    fixture.pass(SECOND);
    assert!(lease(&b).await && !lease(&a).await);
    b.close().await;
    assert!(lease(&a).await);
}

#[tokio::test]
async fn a_lost_connection_is_made_anew() {
    let Some(fixture) = fixture() else { return };
    let catalog = fixture.open_as("a").await;
    let change = |name: &str| Change { add: vec![segment(Table::Spans, name, 0..3)], ..Change::default() };
    catalog.commit(change("before")).await.expect("commits");
    let pid: i32 = {
        let mut held = catalog.hold().await.expect("a connection");
        let pid =
            sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut held.connection).await.expect("a number");
        held.end(Ok(pid)).await.expect("as it is")
    };
    fixture.execute(&format!("SELECT pg_terminate_backend({pid})")).await;
    let lost = catalog.commit(change("after")).await;
    assert!(matches!(lost, Err(CatalogError::Disk(_))), "{lost:?}");
    catalog.commit(change("after")).await.expect("commits");
    assert_eq!(catalog.segments().await.expect("segments").len(), 2);
}

#[tokio::test]
async fn a_commit_on_its_way_has_ended_when_the_checkpoint_is_read() {
    let Some(fixture) = fixture() else { return };
    let catalog = fixture.open_as("a").await;
    let mut other = fixture.connect().await;
    let mut on_its_way = db::begin(&mut other).await.expect("begins");
    state::set(&mut on_its_way, &state::checkpoint(Some("a")), 9).await.expect("writes");
    let release = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        on_its_way.commit().await.expect("commits");
    };
    let (checkpoint, ()) = tokio::join!(catalog.checkpoint(), release);
    assert_eq!(checkpoint.expect("a number"), 9);
}

#[tokio::test]
async fn who_keeps_its_files_elsewhere_is_refused() {
    let Some(fixture) = fixture() else { return };
    fixture.open_as("a").await;
    let elsewhere = Catalog::open(fixture.source_of("b"), "/elsewhere/", fixture.clock()).await;
    let error = elsewhere.err().expect("does not open");
    assert!(matches!(&error, CatalogError::Foreign(what) if what.contains("/elsewhere/")), "{error}");
}

#[tokio::test]
async fn errors_are_told_apart() {
    let Some(fixture) = fixture() else { return };
    let catalog = fixture.open_as("a").await;
    fixture.execute("ALTER TABLE clew_segment RENAME TO clew_segments").await;
    let gone = catalog.segments().await.expect_err("fails");
    assert!(matches!(gone, CatalogError::Damaged(_)), "{gone}");
    fixture.execute("ALTER TABLE clew_segments RENAME TO clew_segment").await;

    // A transaction that holds the lake for longer than anybody waits.
    let mut other = fixture.connect().await;
    let holder = db::begin(&mut other).await.expect("begins");
    let mut waiting = fixture.connect().await;
    let set = sqlx::raw_sql("SET lock_timeout = '50ms'").execute(&mut waiting).await;
    set.expect("sets");
    let busy = db::begin(&mut waiting).await.expect_err("waits in vain");
    assert!(matches!(busy, CatalogError::Busy(_)), "{busy}");
    drop(holder);

    let secret = "postgres://nobody-knows:s3cr3t@127.0.0.1:1/none".parse().expect("a URL");
    let source = Source::Postgres { url: secret, writer: "a".to_owned() };
    let unreachable = Catalog::open(source, &fixture.data_path(), fixture.clock()).await.err().expect("fails");
    assert!(matches!(unreachable, CatalogError::Disk(_)), "{unreachable}");
    assert!(!unreachable.to_string().contains("s3cr3t"), "{unreachable}");
}
