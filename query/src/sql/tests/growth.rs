//! Short queries that would make much of little.

use super::*;

/// How often a step can be repeated before the text itself is too large written out.
fn times(step: &str) -> usize {
    match step.split(|c: char| !c.is_alphanumeric()).filter(|word| *word == "x").count() {
        1 => 30,
        2 if step.contains("coalesce") => 6,
        2 => 10,
        3 => 7,
        _ => 6,
    }
}

/// `step` of `x`, applied to the column (or constant) `x` so many times, each in a query of its own;
/// `last` of what comes out.
fn nested(first: &str, step: &str, times: usize, last: &str) -> String {
    let steps: Vec<String> = (0..times).map(|at| format!("c{} AS (SELECT {step} AS x FROM c{at})", at + 1)).collect();
    format!("WITH c0 AS ({first}), {} SELECT {last} FROM c{times}", steps.join(", "))
}

async fn is_refused(stored: &Stored, text: &str) {
    match ask(stored, text).await {
        Err(QueryError::TooLarge(_)) => {}
        Err(other) => panic!("{text}: {other}"),
        Ok(answer) => panic!("{text}: {} rows", answer.batches.iter().map(RecordBatch::num_rows).sum::<usize>()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doubling_is_refused_before_it_is_done() {
    let stored = store(Limits::default()).await;
    for step in [
        "x || x",
        "concat(x, x)",
        "concat_ws('-', x, x)",
        "concat_ws(x, x, x)",
        "replace(x, 'a', 'aa')",
        "replace(x, 'a', x)",
        "regexp_replace(x, 'a', 'aa', 'g')",
        "regexp_replace(x, '(.*)', '\\1\\1')",
        "overlay(x placing x from 1 for 0)",
        "hex(CAST(x AS BYTEA))",
        "upper(x) || lower(x)",
        "array_to_string(string_to_array(x, NULL), 'aa')",
        "coalesce(concat(x, x), 'a')",
        "CASE WHEN x <> '' THEN x || x ELSE x END",
    ] {
        let a = "a".repeat(400);
        let column = format!("SELECT CAST(value AS VARCHAR) || '{a}' AS x FROM generate_series(1, 5000)");
        is_refused(&stored, &nested(&column, step, times(step), "max(x)")).await;
        // One row of it is refused where it, or its text written out, is too large.
        let answer = ask(&stored, &nested(&format!("SELECT '{a}' AS x"), step, 30, "max(x)")).await;
        assert!(matches!(answer, Err(QueryError::TooLarge(_) | QueryError::Bad { .. })), "{step}: {answer:?}");
    }
    for step in ["array_concat(x, x)", "make_array(x, x)[1] || x", "array_append(x || x, 'b')"] {
        let list = "a,".repeat(40);
        let column = format!("SELECT string_to_array('{list}' || value, ',') AS x FROM generate_series(1, 5000)");
        is_refused(&stored, &nested(&column, step, 7, "max(array_length(x))")).await;
    }
    let (text, groups) = ("x".repeat(200), format!("{}.*{}", "(".repeat(100), ")".repeat(100)));
    is_refused(
        &stored,
        &format!("SELECT max(regexp_match('{text}' || value, '{groups}')[1]) FROM generate_series(1, 5000)"),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_large_value_is_not_copied_into_many_rows() {
    let stored = store(Limits::default()).await;
    let big = "SELECT string_agg(CAST(value AS VARCHAR), ',') AS x FROM generate_series(1, 200000)";
    for text in [
        format!("SELECT count(*), max(x) FROM ({big}), generate_series(1, 5000)"),
        format!(
            "SELECT count(*), max(x) FROM ({big}) a RIGHT JOIN generate_series(1, 5000) b ON length(a.x) > b.value"
        ),
        format!("SELECT max(({big}) || value) FROM generate_series(1, 5000)"),
        format!("SELECT value, ({big}) FROM generate_series(1, 5000)"),
        format!("SELECT first_value(x) OVER (ORDER BY value) FROM ({big}), (SELECT 1 AS value)"),
        format!("SELECT '{}', value FROM generate_series(1, 5000)", "x".repeat(100 << 10)),
        format!(
            "WITH c AS (SELECT '{}' AS x) SELECT x, x AS y, x AS z, x AS u, x AS v, value FROM c, generate_series(1, 5000)",
            "x".repeat(30 << 10)
        ),
    ] {
        is_refused(&stored, &text).await;
    }
    // Where nothing copies them, large values are fine.
    assert_eq!(number(&stored, &format!("SELECT CAST(length(x) AS BIGINT) FROM ({big})")).await, 1_288_894);
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_keep_no_more_than_the_pool_allows() {
    let stored = store(Limits { sql_memory: 16 << 20, ..Limits::default() }).await;
    for over in ["ORDER BY value % 3 ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", "", "ORDER BY value"] {
        is_refused(
            &stored,
            &format!("SELECT max(s) FROM (SELECT sum(value) OVER ({over}) AS s FROM generate_series(1, 100000000))"),
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_sorted_in_the_memory_they_take() {
    let stored = store(Limits { sql_memory: 64 << 20, ..Limits::default() }).await;
    let text = "SELECT count(*) FROM (SELECT value % 200000 AS v, count(*) AS n FROM generate_series(1, 400000) GROUP BY 1 ORDER BY 2, 1 LIMIT 150000)";
    assert_eq!(number(&stored, text).await, 150_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_doubles_with_each_name_is_not_written_out() {
    let stored = store(Limits::default()).await;
    let tables: Vec<String> = (1..32).map(|at| format!("c{at} AS (SELECT a.x FROM c{0} a, c{0} b)", at - 1)).collect();
    let joins = format!("WITH c0 AS (SELECT 1 AS x), {} SELECT count(*) FROM c31", tables.join(", "));
    let filter = nested("SELECT value AS x FROM generate_series(1, 5)", "x + x", 30, "count(*)") + " WHERE x > 5";
    for text in [joins, filter] {
        let answer = ask(&stored, &text).await;
        assert!(matches!(answer, Err(QueryError::Bad { .. })), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_give_what_they_should() {
    let stored = store(Limits::default()).await;
    for (of, wanted) in [
        ("'a' || 'b' || 'c'", "abc"),
        ("'a' || 1 || 2.5", "a12.5"),
        ("coalesce('a' || NULL, 'null')", "null"),
        ("concat('a', NULL, 'b')", "ab"),
        ("concat_ws('-', 'a', NULL, 'b')", "a-b"),
        ("replace('banana', 'an', '<>')", "b<><>a"),
        ("replace('banana', '', '<>')", "banana"),
        ("regexp_replace('banana', '(a)(n)', '\\2\\1', 'g')", "bnanaa"),
        ("regexp_replace('banana', 'A', '-', 'i')", "b-nana"),
        ("regexp_match('key=value', '(\\w+)=(\\w+)')[2]", "value"),
        ("split_part('a/b/c', '/', 2)", "b"),
        ("substr('abcdef', 3, 2)", "cd"),
        ("substring('abcdef' from 2 for 2)", "bc"),
        ("upper('straße')", "STRASSE"),
        ("trim('  x ')", "x"),
        ("array_to_string(make_array(1, 2, 3), '+')", "1+2+3"),
        ("array_to_string(make_array(1) || make_array(2), ',')", "1,2"),
        ("string_to_array('a,b', ',')[2]", "b"),
        ("to_char(TIMESTAMP '2024-02-03T04:05:06', '%Y/%m/%d')", "2024/02/03"),
        ("CAST(date_trunc('hour', TIMESTAMP '2024-02-03T04:05:06') AS VARCHAR)", "2024-02-03T04:00:00"),
        ("CAST(extract(year FROM TIMESTAMP '2024-02-03T04:05:06') AS VARCHAR)", "2024"),
        ("CASE WHEN 'abc' LIKE 'a%' THEN 'yes' END", "yes"),
        ("hex(unhex('0af7'))", "0af7"),
    ] {
        assert_eq!(rows(&stored, &format!("SELECT {of}")).await, [wanted], "{of}");
        let column = format!("SELECT DISTINCT {of} FROM (SELECT value FROM generate_series(1, 3))");
        assert_eq!(rows(&stored, &column).await, [wanted], "{of}");
    }
    for (text, wanted) in [
        (
            "SELECT service_name || '/' || name, count(*) FROM spans GROUP BY service_name || '/' || name ORDER BY 1",
            "cart/op|33",
        ),
        ("SELECT service_name || duration FROM spans WHERE duration = 3", "cart3"),
        ("SELECT replace(service_name, 'c', 'sm') FROM spans WHERE duration = 3", "smart"),
        (
            "SELECT string_agg(hex(span_id), ',' ORDER BY span_id) FROM spans WHERE duration < 3",
            "0000000000000001,0000000000000002",
        ),
        ("SELECT array_length(array_agg(duration)) FROM spans", "100"),
        ("SELECT approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY duration) FROM spans", "50.5"),
        ("SELECT duration - lag(duration) OVER (ORDER BY start_time) FROM spans ORDER BY 1 LIMIT 1", "1"),
        ("SELECT sum(duration) OVER (PARTITION BY service_name) FROM spans WHERE duration < 7 ORDER BY 1 LIMIT 1", "9"),
        ("SELECT (SELECT max(duration) FROM spans) - (SELECT min(duration) FROM spans)", "99"),
        ("SELECT count(*) FROM spans WHERE span_id NOT IN (SELECT span_id FROM spans WHERE duration > 10)", "10"),
        ("SELECT count(*) FROM spans a WHERE EXISTS (SELECT 1 FROM spans b WHERE b.duration = a.duration * 2)", "50"),
        (
            "SELECT count(*) FROM spans a LEFT JOIN spans b ON a.duration = b.duration * 2 WHERE b.duration IS NULL",
            "50",
        ),
        ("SELECT count(*) FROM spans a JOIN spans b ON a.duration < b.duration", "4950"),
    ] {
        assert_eq!(rows(&stored, text).await[0], wanted, "{text}");
    }
}
