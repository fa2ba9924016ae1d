//! What is put together unread says what its parts say.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use proptest::prelude::*;

use super::*;
use crate::catalog::ColumnStats;
use crate::ids::TraceId;
use crate::schema::col;
use crate::segment::order::ordered;
use crate::segment::tests::{draft, open, store};
use crate::segment::{TimeOrder, trace_fingerprint};
use crate::terms::{Field, intrinsic};
use crate::testing::{TestSpan, logs, spans, trace_id};

struct Joined {
    whole: Segment,
    parts: Vec<Arc<Segment>>,
    columns: Vec<ColumnStats>,
    _dirs: Vec<tempfile::TempDir>,
}

/// None where the rows must be looked at.
fn join_up(table: Table, batches: &[RecordBatch]) -> Option<Joined> {
    let stored = batches.iter().map(|batch| store(table, std::slice::from_ref(batch)));
    let (parts, mut dirs): (Vec<_>, Vec<_>) = stored.map(|stored| (Arc::new(stored.segment), stored.dir)).unzip();
    let readers: Vec<_> = parts.iter().map(|segment| segment.readers().expect("opened")).collect();
    let schema = table.schema();
    let concatenation =
        Concatenation::new(table, &schema, Least { rows: 1, bytes: 0 }, &parts, &readers).expect("read")?;
    let dir = tempfile::tempdir().expect("a directory");
    let encoded = concatenation.write(table, &schema, draft(&dir)).expect("written");
    let columns = encoded.columns.clone();
    let whole = open(table, encoded, dir);
    dirs.push(whole.dir);
    Some(Joined { whole: whole.segment, parts, columns, _dirs: dirs })
}

/// Values as they are told, and the numbers of the rows.
fn read(segment: &Segment, columns: &[&str], prune: &Prune) -> (RecordBatch, Vec<u32>) {
    let read = Read { columns, prune, from: i64::MIN, to: i64::MAX };
    let chunks: Vec<_> = segment.read(&read).expect("opened").collect::<Result<_, _>>().expect("read");
    let rows = chunks.iter().flat_map(|chunk| chunk.rows.clone()).collect();
    let plain = |batch: &RecordBatch| {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| match column.data_type() {
            DataType::Dictionary(..) => (field.name(), arrow::compute::cast(column, &DataType::Utf8).expect("text")),
            _ => (field.name(), column.clone()),
        });
        RecordBatch::try_from_iter(columns).expect("as many rows")
    };
    let batches: Vec<_> = chunks.iter().map(|chunk| plain(&chunk.batch)).collect();
    let Some(first) = batches.first() else {
        return (RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty())), rows);
    };
    (concat_batches(&first.schema(), &batches).expect("one schema"), rows)
}

/// Spans of which none is another.
fn parts() -> impl Strategy<Value = Vec<Vec<TestSpan>>> {
    prop::collection::vec(prop::collection::vec((0u64..60, 0i64..500), 1..900), 2..5).prop_map(|parts| {
        let mut number = 0;
        let mut span = |(trace, start): (u64, i64)| {
            number += 1;
            TestSpan::new(trace, number, start)
        };
        parts.into_iter().map(|part| part.into_iter().map(&mut span).collect()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_whole_is_its_parts_one_after_the_other(made in parts()) {
        let batches: Vec<RecordBatch> = made.iter().map(|part| spans(part)).collect();
        let Joined { whole, parts, columns, _dirs } = join_up(Table::Spans, &batches).expect("no twins");
        let schema = Table::Spans.schema();
        let all: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let (rows, numbers) = read(&whole, &all, &Prune::All);
        let expected: Vec<_> = parts.iter().map(|part| read(part, &all, &Prune::All).0).collect();
        prop_assert_eq!(&rows, &concat_batches(&expected[0].schema(), &expected).expect("one schema"));
        prop_assert!(numbers.iter().copied().eq(0..whole.meta().rows as u32));

        // Statistics are those of the rows, as written at once.
        let at_once = ordered(Table::Spans, &batches).expect("ordered");
        let mut measured = Vec::new();
        ColumnStats::add_batch(&mut measured, &at_once);
        prop_assert_eq!(columns, measured);

        // A prune finds what it finds in the parts, block by block.
        let span = &made[made.len() - 1][0];
        let prunes = [
            Prune::tag(intrinsic::SERVICE, &span.service),
            Prune::tag("n", &span.span.to_string()),
            Prune::key("span", "kind"),
            Prune::trace(TraceId(trace_id(span.trace))),
        ];
        for prune in &prunes {
            let mut before = 0;
            let mut expected = Vec::new();
            for part in &parts {
                expected.extend(read(part, &[col::START_TIME], prune).1.iter().map(|row| before + row));
                before += part.meta().rows as u32;
            }
            let found = read(&whole, &[col::START_TIME], prune).1;
            prop_assert!(expected.iter().all(|row| found.binary_search(row).is_ok()), "{:?} hides rows", prune);
        }
        let listed = |segment: &Segment, field| {
            let mut found = BTreeSet::new();
            let cut = segment.terms(field, b"", 10_000, &mut found).expect("listed");
            (found, cut)
        };
        for field in [Field::Key, Field::Tag, Field::Operation] {
            let each = parts.iter().map(|part| listed(part, field));
            let expected = each.fold((BTreeSet::new(), false), |(mut all, cut), (more, also)| {
                all.extend(more);
                (all, cut | also)
            });
            prop_assert_eq!(listed(&whole, field), expected);
        }

        // Traces, by their fingerprints.
        let mut fingerprints: Vec<u64> = made.iter().flatten().map(|span| trace_fingerprint(&trace_id(span.trace))).collect();
        fingerprints.sort_unstable();
        fingerprints.dedup();
        prop_assert_eq!(whole.trace_fingerprints().expect("read"), fingerprints.clone());
        let near = whole.rows_near(&fingerprints).expect("read");
        prop_assert!(near.iter().copied().eq(0..whole.meta().rows as u32));

        // Pieces are all rows, and none is newer than it says.
        let wanted = Read { columns: &[col::START_TIME], prune: &Prune::All, from: i64::MIN, to: i64::MAX };
        let mut seen = Vec::new();
        for piece in whole.pieces(&wanted, TimeOrder::NewestFirst).expect("read") {
            for chunk in whole.read_piece(wanted.columns, &piece).expect("opened") {
                let chunk = chunk.expect("read");
                prop_assert!(crate::segment::times(Table::Spans, &chunk.batch).iter().all(|time| *time <= piece.greatest));
                seen.extend(chunk.rows);
            }
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, numbers);
    }
}

#[test]
fn spans_that_came_twice_must_be_looked_at() {
    let part = |from| spans(&(from..from + 20u64).map(|i| TestSpan::new(i / 4, i, i as i64)).collect::<Vec<_>>());
    assert!(join_up(Table::Spans, &[part(0), part(20)]).is_some());
    assert!(join_up(Table::Spans, &[part(0), part(19)]).is_none());
}

#[test]
fn small_segments_are_written_anew() {
    let part = |from| spans(&(from..from + 20u64).map(|i| TestSpan::new(i / 4, i, i as i64)).collect::<Vec<_>>());
    let stored = [part(0), part(20)].map(|part| store(Table::Spans, &[part]));
    let (parts, _dirs): (Vec<_>, Vec<_>) = stored.map(|one| (Arc::new(one.segment), one.dir)).into_iter().unzip();
    let readers: Vec<_> = parts.iter().map(|segment| segment.readers().expect("opened")).collect();
    let schema = Table::Spans.schema();
    let fits = |rows, bytes| {
        let least = Least { rows, bytes };
        Concatenation::new(Table::Spans, &schema, least, &parts, &readers).expect("read").is_some()
    };
    assert!(fits(20, u64::MAX));
    assert!(!fits(21, u64::MAX));
    assert!(fits(21, 100));
}

#[test]
fn words_of_logs_are_found_in_every_run() {
    let part = |from: u64, word: &str| {
        let bodies: Vec<String> =
            (0..700).map(|i| if i == 600 { word.to_owned() } else { format!("line {i}") }).collect();
        let records: Vec<(i64, &str)> =
            (from as i64..).zip(&bodies).map(|(time, body)| (time, body.as_str())).collect();
        let rows = logs(&records);
        let ids = Arc::new(arrow::array::UInt64Array::from_iter_values(from..from + 700));
        let columns = rows.columns().iter().cloned().chain([ids as _]).collect();
        RecordBatch::try_new(Table::Logs.schema(), columns).expect("as many ids")
    };
    let joined = join_up(Table::Logs, &[part(0, "connection refused"), part(700, "正在创建临时表")]).expect("joined");
    // Their blocks: the last of a run is short.
    for (prune, row) in
        [(Prune::word("refused"), 600), (Prune::WordContaining("efus".into()), 600), (Prune::word("临时"), 1_300)]
    {
        let (_, found) = read(&joined.whole, &[col::BODY], &prune);
        assert!(found.contains(&row) && found.len() <= 256, "{prune:?}: {found:?}");
    }
    assert_eq!(read(&joined.whole, &[col::BODY], &Prune::word("line")).1.len(), 1_400);
    joined.whole.verify().expect("whole");
}
