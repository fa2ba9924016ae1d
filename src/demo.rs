//! `clew demo`: the traffic of a small shop, past and present, sent as its services would.
//!
//! * [`scenario`] is the shop as data, in the words of [`shape`]; to teach it something, add a line there.
//! * [`marks`] names the faults of `--fault`; the scenario says what belongs to each.
//! * [`story`] says when what happens; [`walk`] makes one trace of it; [`batch`] makes requests.
//! * [`attributes`], [`facts`] and [`stack`] know what spans and logs look like.
//!
//! Chance comes from the seed and time from the caller, so that the same story is the same bytes.

mod attributes;
mod batch;
mod facts;
mod marks;
mod scenario;
mod shape;
mod stack;
mod story;
mod walk;

use std::cell::Cell;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use futures::{StreamExt, TryStreamExt};
use proto::rpc::Signal;
use storage::tenant::TenantId;
use tokio::time::MissedTickBehavior;

use self::batch::Batch;
use self::marks::{Mark, Marks};
use self::story::{Story, Traffic};
use self::walk::Trace;
use crate::Failure;
use crate::send::Sender;

#[derive(Args)]
pub(crate) struct Options {
    /// OTLP/HTTP base address
    #[arg(long, env = "CLEW_ENDPOINT", default_value = "http://127.0.0.1:4318")]
    endpoint: String,
    /// Whose it is, in the header X-Scope-OrgID
    #[arg(long, env = "CLEW_TENANT", default_value_t)]
    tenant: TenantId,
    /// Traces a second, 0.1 to 1000
    #[arg(long, default_value = "20", value_parser = parse_rate)]
    rate: f64,
    /// The same seed makes the same traffic
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long to go on after the history: such as `60s`, or `forever`
    #[arg(long, default_value = "forever", value_parser = parse_duration)]
    duration: Time,
    /// Past traffic that is sent first, such as `15m` or `1h`, or `none`
    #[arg(long, default_value = "15m", value_parser = parse_history)]
    history: Time,
    /// Faults that the findings are about, on a shop that is healthy otherwise; from then on all of the
    /// history is sent at --rate
    #[arg(long, value_name = "NAME", value_enum, num_args = 1.., value_delimiter = ',')]
    fault: Vec<Mark>,
}

/// A stretch of time; `None` is without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Time(Option<Duration>);

/// Traces of the history, whatever its length: enough to fill every page, few enough to be there at once.
const HISTORY_TRACES: u64 = 2_000;
/// The same with `--fault`: findings want to see each call many times a minute.
const FAULT_HISTORY_TRACES: u64 = 120_000;
/// Traces in one request of the history.
const BATCH_TRACES: u64 = 100;
/// Requests on the way at a time.
const PARALLEL: usize = 4;
/// How often live traces are sent.
const TICK: Duration = Duration::from_millis(500);
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// A story without much of a past has its release, in the middle, a minute after the start.
const SHORTEST: Duration = Duration::from_secs(120);

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    traces: u64,
    spans: u64,
    logs: u64,
    /// Rows that the receiver did not take.
    rejected: u64,
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let sender = Sender::new(&options.endpoint, options.tenant.clone())?;
    sender.probe().await?;
    let counts = Cell::new(Counts::default());
    let outcome = tokio::select! {
        outcome = tell(&options, &sender, &counts) => outcome,
        stopped = crate::serve::asked_to_stop() => stopped.map_err(Failure::failed),
    };
    let Counts { traces, spans, logs, rejected } = counts.get();
    let line = serde_json::json!({
        "event": "demo", "traces": traces, "spans": spans, "logs": logs, "rejected": rejected,
    });
    writeln!(std::io::stdout(), "{line}").map_err(Failure::failed)?;
    outcome
}

/// Sends the history, then goes on live.
async fn tell(options: &Options, sender: &Sender, counts: &Cell<Counts>) -> Result<(), Failure> {
    let now = now_ns();
    let history = options.history.0.unwrap_or_default();
    let (story, past, live) = plan(options.seed, now, history, options.rate, Marks::of(&options.fault));
    let told = (1e9 / past.gap_ns.max(1) as f64).min(options.rate);
    if story.marks.has(Mark::Healthy) && live.first == FAULT_HISTORY_TRACES {
        eprintln!("clew demo: the history has {FAULT_HISTORY_TRACES} traces, {told:.2} a second, and not --rate");
    }
    let batches = (0..live.first).step_by(BATCH_TRACES as usize).map(|first| {
        let traces = first..live.first.min(first + BATCH_TRACES);
        async move { send(sender, batch::batch(make(&story, &past, traces)), counts).await }
    });
    let outcome = futures::stream::iter(batches).buffer_unordered(PARALLEL).try_collect::<()>();
    outcome.await?;
    if live.first > 0 {
        eprintln!("clew demo: history sent: {}", describe(counts.get()));
    }
    let end = options.duration.0.map(|duration| now + nanos(duration));
    go_live(&story, &live, end, sender, counts).await
}

/// The story, its past and its present, seen at `now_ns`.
fn plan(seed: u64, now_ns: u64, history: Duration, rate: f64, marks: Marks) -> (Story, Traffic, Traffic) {
    let gap_ns = (1e9 / rate) as u64;
    let begin_ns = now_ns.saturating_sub(nanos(history));
    let most = if marks.has(Mark::Everyday) { HISTORY_TRACES } else { FAULT_HISTORY_TRACES };
    let traces = ((now_ns - begin_ns) / gap_ns).min(most);
    let length_ns = nanos(history.max(SHORTEST));
    let past_gap = (now_ns - begin_ns).checked_div(traces).unwrap_or(0);
    let past = Traffic { first: 0, begin_ns, gap_ns: past_gap };
    let live = Traffic { first: traces, begin_ns: now_ns, gap_ns };
    (Story { seed, begin_ns, length_ns, marks }, past, live)
}

fn make(story: &Story, traffic: &Traffic, numbers: std::ops::Range<u64>) -> Vec<Trace> {
    numbers.map(|number| walk::trace(story, number, story.start_ns(traffic, number))).collect()
}

/// Sends every trace when it is over, as its services would, until `end_ns`.
async fn go_live(
    story: &Story,
    live: &Traffic,
    end_ns: Option<u64>,
    sender: &Sender,
    counts: &Cell<Counts>,
) -> Result<(), Failure> {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = tokio::time::Instant::now();
    let mut next = live.first;
    let mut waiting: Vec<Trace> = Vec::new();
    loop {
        ticks.tick().await;
        let now = now_ns();
        let last = end_ns.is_some_and(|end| now >= end);
        while story.start_ns(live, next) <= end_ns.unwrap_or(now).min(now) {
            waiting.extend(make(story, live, next..next + 1));
            next += 1;
        }
        // What has begun is sent whole at the end.
        let over: Vec<Trace> = waiting.extract_if(.., |trace| last || trace.end_ns <= now).collect();
        let mut over = over.into_iter().peekable();
        while over.peek().is_some() {
            let some = over.by_ref().take(BATCH_TRACES as usize).collect();
            send(sender, batch::batch(some), counts).await?;
        }
        if last {
            return Ok(());
        }
        if told.elapsed() >= PROGRESS_EVERY {
            told = tokio::time::Instant::now();
            let news = story.news(now);
            let news = if news.is_empty() { String::new() } else { format!("; now: {}", news.join(", ")) };
            eprintln!("clew demo: {}{news}", describe(counts.get()));
        }
    }
}

async fn send(sender: &Sender, batch: Batch, counts: &Cell<Counts>) -> Result<(), Failure> {
    let mut rejected = 0;
    for (signal, request) in [(Signal::Traces, &batch.trace_request), (Signal::Logs, &batch.log_request)] {
        if !request.is_empty() {
            let sent = sender.send(signal, request).await?;
            rejected += sent.rejected;
            if !sent.message.is_empty() {
                eprintln!("clew demo: {}", sent.message);
            }
        }
    }
    let so_far = counts.get();
    counts.set(Counts {
        traces: so_far.traces + batch.traces,
        spans: so_far.spans + batch.spans,
        logs: so_far.logs + batch.logs,
        rejected: so_far.rejected + rejected,
    });
    Ok(())
}

fn describe(counts: Counts) -> String {
    let Counts { traces, spans, logs, rejected } = counts;
    let refused = if rejected > 0 { format!(", {rejected} rows refused") } else { String::new() };
    format!("{traces} traces, {spans} spans, {logs} log records{refused}")
}

/// Ns since the epoch; 0 for a clock before it.
fn now_ns() -> u64 {
    nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if (0.1..=1_000.0).contains(&rate) { Ok(rate) } else { Err("a rate is 0.1 to 1000 traces a second".to_owned()) }
}

fn parse_duration(text: &str) -> Result<Time, String> {
    if text == "forever" {
        return Ok(Time(None));
    }
    crate::config::parse_duration(text).map(|duration| Time(Some(duration)))
}

fn parse_history(text: &str) -> Result<Time, String> {
    if matches!(text, "none" | "0" | "0s") {
        return Ok(Time(Some(Duration::ZERO)));
    }
    crate::config::parse_duration(text).map(|duration| Time(Some(duration)))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use rand::Rng;

    use super::*;

    const NOW: u64 = 1_700_000_000_000_000_000;

    fn requests(seed: u64) -> Batch {
        requests_with(seed, &[])
    }

    fn requests_with(seed: u64, faults: &[Mark]) -> Batch {
        let (story, past, _) = plan(seed, NOW, Duration::from_secs(900), 20.0, Marks::of(faults));
        batch::batch(make(&story, &past, 0..50))
    }

    #[test]
    fn the_same_seed_and_time_are_the_same_bytes() {
        let one = requests(3);
        assert!(one.spans > 300 && one.logs > 50 && one.trace_request.len() > 100_000, "{} {}", one.spans, one.logs);
        assert_eq!(one, requests(3));
        assert_ne!(one.trace_request, requests(4).trace_request);
        let ids = |begin_ns| {
            let (story, ..) = plan(3, begin_ns, Duration::ZERO, 20.0, Marks::of(&[]));
            story.dice(1).random::<u128>()
        };
        assert_ne!(ids(NOW), ids(NOW + 1), "a later run must not use the same ids");
    }

    #[test]
    fn the_past_ends_where_the_present_begins() {
        let (story, past, live) = plan(1, NOW, Duration::from_secs(900), 20.0, Marks::of(&[]));
        assert_eq!((live.first, live.begin_ns, past.begin_ns), (HISTORY_TRACES, NOW, NOW - 900_000_000_000));
        let last = story.start_ns(&past, live.first - 1);
        assert!((NOW - past.gap_ns..NOW).contains(&last));
        assert!((NOW..NOW + live.gap_ns).contains(&story.start_ns(&live, live.first)));
        assert_eq!(story.moment_ns(0.5), NOW - 450_000_000_000);
    }

    #[test]
    fn with_a_fault_the_past_is_as_dense_as_the_present() {
        let of = |seconds| plan(1, NOW, Duration::from_secs(seconds), 20.0, Marks::of(&[Mark::Healthy]));
        let (_, past, live) = of(900);
        assert_eq!((live.first, past.gap_ns, live.gap_ns), (18_000, 50_000_000, 50_000_000));
        let (_, past, live) = of(26 * 3600);
        assert_eq!((live.first, past.gap_ns), (FAULT_HISTORY_TRACES, 780_000_000));
    }

    #[test]
    fn every_fault_makes_the_same_bytes_again() {
        let healthy = requests_with(3, &[Mark::Healthy]);
        for fault in Mark::value_variants() {
            let one = requests_with(3, &[*fault]);
            assert_eq!(one, requests_with(3, &[*fault]), "{fault:?}");
        }
        assert_ne!(healthy, requests(3));
    }

    #[test]
    fn without_a_past_all_is_present() {
        let (story, _, live) = plan(1, NOW, Duration::ZERO, 0.5, Marks::of(&[]));
        assert_eq!((live.first, story.begin_ns), (0, NOW));
        assert_eq!(story.moment_ns(0.5), NOW + 60_000_000_000);
    }

    #[test]
    fn stretches_of_time() {
        assert_eq!(parse_duration("forever"), Ok(Time(None)));
        assert_eq!(parse_duration("60s"), Ok(Time(Some(Duration::from_secs(60)))));
        assert_eq!(parse_history("none"), Ok(Time(Some(Duration::ZERO))));
        assert!(parse_duration("0s").is_err() && parse_history("x").is_err());
        assert!(parse_rate("0").is_err() && parse_rate("NaN").is_err() && parse_rate("5").is_ok());
    }
}
