//! Tail rules applied: what came of age is judged and written anew, a group of segments at a time.
//!
//! A group is written first and committed whole, so a crash leaves it judged or not, never half. Bounded:
//! a group by its traces, what is known of them by shares of a group.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, StringArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType, UInt64Type};
use hashbrown::HashSet;

use super::flush::{WriteError, Written};
use super::*;
use crate::catalog::CatalogError;
use crate::fault;
use crate::retention::{Evidence, Judge, Place, Rule};
use crate::scan::{Read, ReadError};
use crate::schema::col;
use crate::segment::{self, RewriteError, Segment, trace_fingerprint};
use crate::terms::Prune;

/// Of a group; its segments are few where they are large. Pairs are no fewer than traces.
const GROUP_ROWS: u64 = 16_000_000;
const GROUP_PAIRS: u64 = 4_000_000;
/// Traces of which everything is known at once, about 120 bytes each.
const SHARE_PAIRS: u64 = 500_000;
/// Rows fetched at once as evidence.
const PIECE_ROWS: usize = 16_384;

const EVIDENCE: [&str; 8] = [
    col::TRACE_ID,
    col::SPAN_ID,
    col::PARENT_SPAN_ID,
    col::START_TIME,
    col::DURATION,
    col::STATUS_CODE,
    col::SERVICE_NAME,
    col::OPERATION,
];

/// Log records of this severity and above are errors (OTLP logs data model).
const ERROR: i32 = 17;

/// Whether rows stay.
type Stays = Arc<dyn Fn(&RecordBatch) -> Result<BooleanArray, ReadError> + Send + Sync>;

impl Store {
    /// Applies the tail rules to what came of age. A group that cannot be judged, since some evidence cannot
    /// be read, stays as it is.
    pub async fn thin(&self) -> Result<(), WriteError> {
        let rules = &self.settings.retention.rules;
        if rules.is_empty() || self.is_backfilling() {
            return Ok(());
        }
        let _alone = self.maintenance.lock().await;
        if !self.reconcile().await? || !self.leads().await? {
            return Ok(());
        }
        // Writing anew a segment whose rows another program deleted would bring them back.
        let mut left: HashSet<i64> = self.catalog.deleted_rows().await?.into_keys().collect();
        left.extend(self.unmergeable.lock().iter());
        for (number, rule) in rules.iter().enumerate() {
            // Logs after spans: they stay with the traces that stay. Points of metrics have none.
            for table in [Table::Spans, Table::Logs, Table::Metrics] {
                if table == Table::Metrics && rule.keep.is_some() {
                    continue;
                }
                self.thin_table(number, rule, table, &mut left).await?;
            }
        }
        Ok(())
    }

    /// Group after group. A damaged segment is left out; where other evidence cannot be read nothing is judged.
    async fn thin_table(
        &self,
        number: usize,
        rule: &Rule,
        table: Table,
        left: &mut HashSet<i64>,
    ) -> Result<(), WriteError> {
        loop {
            // The semaphore is never closed.
            let _turn = self.settings.merging.acquire().await.ok();
            let of_age = self.of_age(number, rule, table, left);
            if of_age.is_empty() || *self.closed.borrow() {
                return Ok(());
            }
            let group = quiet::quietly(move || group(of_age)).await?;
            let ids: Vec<i64> = group.iter().map(|segment| segment.meta().id).collect();
            let Err(error) = self.thin_group(number, table, group.clone()).await else { continue };
            let WriteError::Read(ReadError::Damaged { file, .. }) = &error else { return Err(error) };
            let is_damaged = |segment: &&Arc<Segment>| {
                let meta = segment.meta();
                [&meta.parquet, &meta.index].iter().any(|path| path.to_string_lossy() == *file)
            };
            let Some(damaged) = group.iter().find(is_damaged) else { return Err(error) };
            tracing::error!(%error, segments = ?ids, "this segment stays as it is");
            self.unmergeable.lock().insert(damaged.meta().id);
            left.insert(damaged.meta().id);
        }
    }

    /// Segments that are of age and not yet judged by the rule, oldest first.
    fn of_age(&self, number: usize, rule: &Rule, table: Table, left: &HashSet<i64>) -> Vec<Arc<Segment>> {
        let (id, cutoff) = (self.settings.retention.id(number), rule.cutoff(self.settings.clock.now()));
        let view = self.view.load();
        let of_age = |segment: &&Arc<Segment>| {
            let meta = segment.meta();
            meta.max_time < cutoff && !meta.thinned.contains(&id) && !left.contains(&meta.id)
        };
        let mut segments: Vec<_> = view.table(table).segments.iter().filter(of_age).cloned().collect();
        segments.sort_by_key(|segment| (segment.meta().max_time, segment.meta().id));
        segments
    }

    async fn thin_group(&self, rule: usize, table: Table, group: Vec<Arc<Segment>>) -> Result<(), WriteError> {
        let rule_id = self.settings.retention.id(rule);
        let judged = Judged::of(self, rule, &group);
        let stays: Stays = quiet::quietly(move || match table {
            Table::Spans => judged.spans(),
            Table::Logs => judged.logs(),
            Table::Metrics => Ok(judged.metrics()),
        })
        .await??;
        let (mut written, mut removed, mut whole, mut dropped) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for segment in &group {
            let meta = segment.meta();
            match self.thin_one(segment, stays.clone(), rule_id).await {
                Ok(Thinned::Whole) => whole.push((meta.id, rule_id)),
                Ok(Thinned::Rows(one)) => {
                    dropped += meta.rows - one.as_ref().map_or(0, |one| one.meta.rows);
                    written.extend(one.map(|one| *one));
                    removed.push(meta.id);
                }
                Err(error) => {
                    self.discard_all(&written).await;
                    return Err(error);
                }
            }
        }
        fault::point("retention.before-commit")?;
        let committed = match self.commit_marked(written, removed.clone(), whole.clone()).await {
            Err(WriteError::Catalog(CatalogError::Conflict(_))) => return self.reconcile().await.map(drop),
            committed => committed?,
        };
        fault::point("retention.after-commit")?;
        let marked = group.iter().filter(|segment| whole.iter().any(|(id, _)| *id == segment.meta().id));
        let marked: Vec<Arc<Segment>> = marked.map(|segment| Arc::new(segment.marked(rule_id))).collect();
        removed.extend(whole.iter().map(|(id, _)| *id));
        self.replace(table, &removed, committed.segments.into_iter().chain(marked).collect());
        tracing::info!(table = table.name(), segments = group.len(), rows = dropped, "thinned by a retention rule");
        Ok(())
    }

    /// Writes a segment without the rows that do not stay.
    async fn thin_one(&self, segment: &Arc<Segment>, stays: Stays, rule: u64) -> Result<Thinned, WriteError> {
        let meta = segment.meta();
        let (source, schema, all) = (segment.clone(), self.file_schema(meta.table), meta.rows);
        let place = self.place(meta.table, meta.min_time);
        let begin = place.begin();
        let kept = quiet::quietly(move || {
            let mut kept = 0;
            let encoded = segment::keep_rows(&source, schema, begin()?, |batch| {
                let stays = stays(batch)?;
                kept += stays.true_count() as u64;
                Ok(stays)
            });
            Ok::<_, RewriteError>(encoded?.filter(|_| kept < all).ok_or(kept == all))
        });
        match kept.await?? {
            Err(true) => Ok(Thinned::Whole),
            Err(false) => Ok(Thinned::Rows(None)),
            Ok(encoded) => {
                let marks = meta.thinned.iter().copied().chain([rule]).collect();
                Ok(Thinned::Rows(Some(Box::new(self.put_segment(place, encoded, marks).await?))))
            }
        }
    }
}

enum Thinned {
    /// No row goes.
    Whole,
    /// What is left, if anything.
    Rows(Option<Box<Written>>),
}

/// The first of them, as many as may be judged together; at least one.
fn group(of_age: Vec<Arc<Segment>>) -> Vec<Arc<Segment>> {
    let (mut rows, mut pairs, mut group) = (0, 0, Vec::new());
    for segment in of_age {
        rows += segment.meta().rows;
        // One that cannot be read is found out when it is judged.
        pairs += segment.trace_pairs().unwrap_or(0);
        if !group.is_empty() && (rows > GROUP_ROWS || pairs > GROUP_PAIRS) {
            break;
        }
        group.push(segment);
    }
    group
}

/// What judging a group needs of the store.
struct Judged {
    retention: Retention,
    rule: usize,
    group: Vec<Arc<Segment>>,
    /// All other segments of spans, and whether the rule has thinned them.
    others: Vec<(Arc<Segment>, Place)>,
    live: Vec<Arc<LiveBatch>>,
}

impl Judged {
    fn of(store: &Store, rule: usize, group: &[Arc<Segment>]) -> Self {
        let retention = store.settings.retention.clone();
        let (id, view) = (retention.id(rule), store.view.load());
        let spans = view.table(Table::Spans);
        let here: HashSet<i64> = group.iter().map(|segment| segment.meta().id).collect();
        let others = spans.segments.iter().filter(|segment| !here.contains(&segment.meta().id)).map(|segment| {
            let place = if segment.meta().thinned.contains(&id) { Place::Kept } else { Place::Open };
            (segment.clone(), place)
        });
        let live = spans.frozen.iter().chain(&spans.live).cloned().collect();
        Self { rule, group: group.to_vec(), others: others.collect(), live, retention }
    }

    fn spans(self) -> Result<Stays, ReadError> {
        let mut pairs = 0;
        for segment in &self.group {
            pairs += segment.trace_pairs()?;
        }
        let shares = pairs.div_ceil(SHARE_PAIRS).max(1);
        let mut judge = Judge::new(&self.retention, self.rule);
        for share in 0..shares {
            let read = Read { columns: &EVIDENCE, prune: &Prune::All, from: i64::MIN, to: i64::MAX };
            let mut wanted = Vec::new();
            for segment in &self.group {
                for chunk in segment.read(&read)? {
                    SpanRows::of(&chunk?.batch)?.each(Place::Here, |span| {
                        let fingerprint = trace_fingerprint(&span.trace);
                        // By the upper half: a sample is taken by the remainder.
                        if (fingerprint >> 32) % shares == share {
                            wanted.push(fingerprint);
                            judge.add(span);
                        }
                    });
                }
                wanted.sort_unstable();
                wanted.dedup();
            }
            for (segment, place) in &self.others {
                for rows in segment.rows_near(&wanted)?.chunks(PIECE_ROWS) {
                    SpanRows::of(&segment.fetch(&EVIDENCE, rows)?)?.each(*place, |span| judge.add(span));
                }
            }
            for batch in &self.live {
                SpanRows::of(batch.rows())?.each(Place::Open, |span| judge.add(span));
            }
            judge.end_share();
        }
        let dropped = judge.end();
        Ok(Arc::new(move |batch| {
            let ids = fixed(batch, col::TRACE_ID)?;
            Ok(ids.iter().map(|id| Some(!id.is_some_and(|id| dropped.contains(id)))).collect())
        }))
    }

    fn logs(self) -> Result<Stays, ReadError> {
        let mut wanted = Vec::new();
        for segment in &self.group {
            wanted.append(&mut segment.trace_fingerprints()?);
        }
        wanted.sort_unstable();
        wanted.dedup();
        // A log record stays where a span of its trace is stored.
        let mut stored = HashSet::new();
        for (segment, _) in &self.others {
            let found = segment.trace_fingerprints()?;
            stored.extend(found.into_iter().filter(|one| wanted.binary_search(one).is_ok()));
        }
        for batch in &self.live {
            stored.extend(fixed(batch.rows(), col::TRACE_ID)?.iter().flatten().map(trace_fingerprint));
        }
        let Self { retention, rule, .. } = self;
        Ok(Arc::new(move |batch| {
            let (ids, services) = (fixed(batch, col::TRACE_ID)?, Text::of(batch, col::SERVICE_NAME)?);
            let severities = column(batch, col::SEVERITY_NUMBER)?.as_primitive_opt::<Int32Type>().ok_or_else(wrong)?;
            let numbers = column(batch, col::ROW_ID)?.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
            let keep = retention.rules[rule].keep;
            let stays = |row: usize| {
                let id = ids.is_valid(row).then(|| ids.value(row));
                if id.is_some_and(|id| stored.contains(&trace_fingerprint(id))) {
                    return true;
                }
                let sampled = |share: crate::retention::Share| match id {
                    Some(id) => share.holds(id),
                    None => share.holds(&numbers.value(row).to_be_bytes()),
                };
                retention.rule_of(services.get(row)) != Some(rule)
                    || keep.is_some_and(|keep| (keep.errors && severities.value(row) >= ERROR) || sampled(keep.sample))
            };
            Ok((0..batch.num_rows()).map(|row| Some(stays(row))).collect())
        }))
    }

    fn metrics(self) -> Stays {
        let Self { retention, rule, .. } = self;
        Arc::new(move |batch| {
            let services = Text::of(batch, col::SERVICE_NAME)?;
            Ok((0..batch.num_rows()).map(|row| Some(retention.rule_of(services.get(row)) != Some(rule))).collect())
        })
    }
}

/// The evidence in a batch.
struct SpanRows<'a> {
    traces: &'a FixedSizeBinaryArray,
    spans: &'a FixedSizeBinaryArray,
    parents: &'a FixedSizeBinaryArray,
    starts: &'a [i64],
    durations: &'a [i64],
    statuses: &'a [i32],
    services: Text<'a>,
    operations: Text<'a>,
}

impl<'a> SpanRows<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, ReadError> {
        let times = |name| column(batch, name)?.as_primitive_opt::<TimestampNanosecondType>().ok_or_else(wrong);
        Ok(Self {
            traces: fixed(batch, col::TRACE_ID)?,
            spans: fixed(batch, col::SPAN_ID)?,
            parents: fixed(batch, col::PARENT_SPAN_ID)?,
            starts: times(col::START_TIME)?.values(),
            durations: column(batch, col::DURATION)?.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.values(),
            statuses: column(batch, col::STATUS_CODE)?.as_primitive_opt::<Int32Type>().ok_or_else(wrong)?.values(),
            services: Text::of(batch, col::SERVICE_NAME)?,
            operations: Text::of(batch, col::OPERATION)?,
        })
    }

    fn each(&self, place: Place, mut see: impl FnMut(&Evidence<'_>)) {
        for row in 0..self.traces.len() {
            let (Ok(trace), Ok(span)) = (self.traces.value(row).try_into(), self.spans.value(row).try_into()) else {
                continue;
            };
            see(&Evidence {
                trace,
                span,
                root: self.parents.is_null(row),
                start: self.starts[row],
                duration: self.durations[row],
                // OTLP StatusCode: 2 error.
                error: self.statuses[row] == 2,
                service: self.services.get(row),
                operation: self.operations.get(row),
                place,
            });
        }
    }
}

/// A dictionary of texts; null reads as nothing.
struct Text<'a>(&'a arrow::array::DictionaryArray<Int32Type>, &'a StringArray);

impl<'a> Text<'a> {
    fn of(batch: &'a RecordBatch, name: &str) -> Result<Self, ReadError> {
        let keys = column(batch, name)?.as_dictionary_opt::<Int32Type>().ok_or_else(wrong)?;
        Ok(Self(keys, keys.values().as_string_opt::<i32>().ok_or_else(wrong)?))
    }

    fn get(&self, row: usize) -> &'a str {
        self.0.key(row).map_or("", |key| self.1.value(key))
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ReadError> {
    batch.column_by_name(name).ok_or_else(wrong)
}

fn fixed<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a FixedSizeBinaryArray, ReadError> {
    column(batch, name)?.as_fixed_size_binary_opt().ok_or_else(wrong)
}

fn wrong() -> ReadError {
    ReadError::Damaged { file: "a block of rows".to_owned(), what: "its columns are not those of the table".to_owned() }
}

#[cfg(test)]
mod tests;
