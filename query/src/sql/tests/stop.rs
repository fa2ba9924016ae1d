//! Queries that would go on for hours: they stop, their workers end, and others go on meanwhile.

use super::*;

const DEADLINE: Duration = Duration::from_millis(600);

/// What a query may take to notice that it should stop, where other tests keep all processors busy; alone
/// each of these was seen to end within half a second.
const NOTICE: Duration = Duration::from_secs(10);

/// Each takes hours, most of them within one batch of some node.
const ENDLESS: &[&str] = &[
    "SELECT count(*) FROM generate_series(1, 1000000000000)",
    // a cross join hands on one row times one batch at a time
    "SELECT max(a.value * b.value) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b",
    "SELECT a.value % 10, count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b GROUP BY 1",
    "SELECT a.value FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b ORDER BY a.value * b.value LIMIT 5",
    "SELECT count(*) FROM spans a, spans b, spans c, spans d, spans e, spans f WHERE a.duration + b.duration + c.duration + d.duration + e.duration > f.duration * 9",
    // a nested loop, a hash join and its half, which throw every pair away
    "SELECT count(*) FROM generate_series(1, 1000000) a JOIN generate_series(1, 1000000) b ON a.value + b.value < 0",
    "SELECT count(*) FROM generate_series(1, 1000000) a LEFT JOIN generate_series(1, 1000000) b ON a.value + b.value < 0",
    "SELECT count(*) FROM generate_series(1, 1000000) a JOIN generate_series(1, 1000000) b ON a.value % 1 = b.value % 1 AND a.value + b.value < 0",
    "SELECT count(*) FROM generate_series(1, 1000000) a WHERE EXISTS (SELECT 1 FROM generate_series(1, 1000000) b WHERE a.value % 1 = b.value % 1 AND a.value + b.value < 0)",
    "SELECT count(*) FROM generate_series(1, 1000000) a JOIN generate_series(1, 1000000) b ON a.value / 2000000 = b.value / 2000000 AND a.value + b.value < 0",
    // and those that keep nothing of what they find
    "SELECT count(*) FROM generate_series(1, 1000000) a LEFT SEMI JOIN generate_series(1, 1000000) b ON a.value / 2000000 = b.value / 2000000",
    "SELECT count(*) FROM generate_series(1, 1000000) a RIGHT ANTI JOIN generate_series(1, 1000000) b ON a.value / 2000000 = b.value / 2000000",
    "SELECT count(*) FROM generate_series(1, 1000000) a WHERE a.value / 2000000 NOT IN (SELECT b.value / 2000000 FROM generate_series(1, 1000000) b)",
    "SELECT count(*) FROM generate_series(1, 1000000) a LEFT SEMI JOIN generate_series(1, 1000000) b ON a.value % 1 = b.value % 1",
    "EXPLAIN ANALYZE SELECT count(*) FROM generate_series(1, 1000000) a JOIN generate_series(1, 1000000) b ON a.value + b.value < 0",
];

async fn one_at_a_time(deadline: Duration) -> Stored {
    store(Limits { deadline, sql_concurrent: 1, ..Limits::default() }).await
}

/// The only permit is back, which the worker gives back last.
async fn ended(stored: &Stored) -> bool {
    tokio::time::timeout(NOTICE, stored.engine.sql_turn()).await.is_ok_and(|turn| turn.is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_stopped_and_its_worker_ends() {
    let stored = one_at_a_time(DEADLINE).await;
    for text in ENDLESS {
        let started = Instant::now();
        let answer = ask(&stored, text).await;
        assert!(matches!(answer, Err(QueryError::Timeout(_))), "{text}: {answer:?}");
        assert!(started.elapsed() < DEADLINE + NOTICE, "{text}: {:?}", started.elapsed());
        assert!(ended(&stored).await, "{text}: it still runs after {:?}", started.elapsed());
    }
    assert_eq!(number(&stored, "SELECT count(*) FROM spans").await, 100, "the store answers on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_nobody_waits_for_stops() {
    let stored = one_at_a_time(Duration::from_secs(60)).await;
    for text in ENDLESS {
        assert!(
            tokio::time::timeout(Duration::from_millis(100), ask(&stored, text)).await.is_err(),
            "{text}: it still runs"
        );
        assert!(ended(&stored).await, "{text}: it runs on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_sql_holds_up_nothing_but_sql() {
    let stored = store(Limits { deadline: DEADLINE, concurrent: 1, sql_concurrent: 1, ..Limits::default() }).await;
    let held = stored.engine.sql_turn().await.expect("the permit is free");
    let started = Instant::now();
    let waiting = ask(&stored, "SELECT 1");
    let other = stored.engine.run(|_, deadline| deadline.check());
    assert!(other.await.is_ok(), "other queries have permits of their own");
    let waited = waiting.await;
    assert!(matches!(waited, Err(QueryError::Timeout(_))), "{waited:?}");
    assert!(started.elapsed() < DEADLINE + NOTICE, "{:?}", started.elapsed());
    drop(held);
    assert_eq!(number(&stored, "SELECT 1").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_ends_gives_its_permit_back() {
    let stored = one_at_a_time(Duration::from_secs(60)).await;
    for text in ["SELECT 1", "SELECT nonsense", "no SQL", "SELECT * FROM spans LIMIT 1", "SELECT repeat('x', 9)"] {
        drop(ask(&stored, text).await);
        assert!(ended(&stored).await, "{text}");
    }
}
