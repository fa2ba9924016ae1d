//! A day of flushes and merges, in sizes only: what a compaction policy costs, and what a query then touches.
//!
//! `cargo run --release -p storage --example compaction`

use storage::compaction::{Part, Policy};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// A flush is due at so many rows (32 MiB of Arrow at about 500 B a span), or at this age.
const FLUSH_ROWS: u64 = 65_536;
const FLUSH_AGE: i64 = 30 * SECOND;
/// Of Parquet; see docs/performance.md.
const ROW_BYTES: u64 = 70;
/// One span in so many is late, by up to an hour.
const LATE_EVERY: u64 = 20_000;

fn main() {
    let tiers = |fan_in, most_rows: u64| Policy { fan_in, most_rows, most_bytes: most_rows * 100, most_span: DAY };
    let policies = [
        ("no compaction", None, None),
        ("tiers of 4, 1M rows", Some(tiers(4, 1_000_000)), None),
        ("tiers of 8, 1M rows", Some(tiers(8, 1_000_000)), None),
        ("tiers of 16, 1M rows", Some(tiers(16, 1_000_000)), None),
        ("tiers of 8, 2M rows", Some(tiers(8, 2_000_000)), None),
        ("tiers of 8, 4M rows", Some(tiers(8, 4_000_000)), None),
        ("windows of 10 min, then cut at 1M rows", None, Some(600 * SECOND)),
        ("windows of 1 h, then cut at 1M rows", None, Some(HOUR)),
    ];
    for rate in [10_000, 1_000, 50] {
        println!("\n{rate} spans/s\n");
        println!(
            "| policy | written per row | segments after a day | touched by a trace | by an hour's search, mean | most rows read at once |"
        );
        println!("|---|---|---|---|---|---|");
        for (name, tiers, window) in policies {
            let day = simulate(rate, tiers, window);
            println!(
                "| {name} | {:.2} | {} | {} | {:.0} | {:.2}M |",
                day.written as f64 / day.ingested as f64,
                day.parts.len(),
                day.parts.len(),
                day.searched as f64 / day.searches as f64,
                day.most_merged as f64 / 1e6,
            );
        }
    }
}

#[derive(Default)]
struct Day {
    parts: Vec<Part>,
    ingested: u64,
    written: u64,
    most_merged: u64,
    searches: u64,
    /// Segments touched by searches of the last hour, one every ten minutes.
    searched: u64,
    /// Where a window is still open.
    window_from: i64,
}

fn simulate(rate: u64, tiers: Option<Policy>, window: Option<i64>) -> Day {
    let mut day = Day::default();
    let every = FLUSH_AGE.min((FLUSH_ROWS as i64 * SECOND) / rate as i64);
    let mut chance = 1u64;
    let mut next_search = HOUR;
    for now in (every..=DAY).step_by(every as usize) {
        let rows = rate * every as u64 / SECOND as u64;
        let mut least = now - every - 2 * SECOND;
        for _ in 0..rows / LATE_EVERY + u64::from(chance % LATE_EVERY < rows % LATE_EVERY) {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            least = least.min(now - (chance >> 33) as i64 % 3600 * SECOND);
        }
        day.add(Part { rows, bytes: rows * ROW_BYTES, min_time: least, max_time: now, mark: 0 });
        day.ingested += rows;
        while let Some(run) = tiers.and_then(|policy| policy.pick(&day.parts)) {
            day.merge(run, u64::MAX);
        }
        if window.is_some_and(|window| now - day.window_from >= window) {
            let from = day.window_from;
            let run: Vec<usize> = (0..day.parts.len()).filter(|at| day.parts[*at].max_time > from).collect();
            day.merge(run, 1_000_000);
            day.window_from = now;
        }
        if now >= next_search {
            next_search += 600 * SECOND;
            day.searches += 1;
            day.searched += day.parts.iter().filter(|part| part.max_time >= now - HOUR).count() as u64;
        }
    }
    day
}

impl Day {
    fn add(&mut self, part: Part) {
        self.written += part.rows;
        self.parts.push(part);
    }

    /// The result is cut, in time, into segments of at most `most` rows.
    fn merge(&mut self, run: Vec<usize>, most: u64) {
        let Some((first, rest)) = run.split_first() else { return };
        let whole = rest.iter().fold(self.parts[*first], |whole, at| whole.with(&self.parts[*at]));
        let mut at = 0;
        self.parts.retain(|_| {
            at += 1;
            !run.contains(&(at - 1))
        });
        self.most_merged = self.most_merged.max(whole.rows);
        let pieces = whole.rows.div_ceil(most).max(1);
        let step = (whole.max_time - whole.min_time) / pieces as i64;
        for piece in 0..pieces {
            let from = whole.min_time + step * piece as i64;
            self.add(Part {
                rows: whole.rows / pieces,
                bytes: whole.bytes / pieces,
                min_time: from,
                max_time: if piece + 1 == pieces { whole.max_time } else { from + step },
                mark: 0,
            });
        }
    }
}
