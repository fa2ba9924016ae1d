//! The questions, timed one by one, and how soon an acknowledged row is found.

use std::time::{Duration, Instant};

use proto::Message;
use proto::otlp::make::{any, text};
use proto::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;
use proto::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use proto::otlp::messages::common::v1::any_value::Value;
use proto::otlp::messages::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use proto::otlp::messages::resource::v1::Resource;
use proto::otlp::messages::trace::v1::{ResourceSpans, ScopeSpans, Span};

use crate::files::{Compression, Request};
use crate::latency::Latencies;
use crate::load::sender::Sender;
use crate::manifest::{Group, Manifest, Question, Window};
use crate::system::System;
use crate::table::Round;
use crate::{Failure, Signal};

/// Questions that are asked before the clock counts.
const WARM_UP: usize = 20;
/// Of one kind of question; a slow one is asked less often then, but at least so often.
const TIME_FOR_A_GROUP: Duration = Duration::from_secs(20);
const LEAST_REPEATS: usize = 5;

/// Each kind of question that the product can answer.
pub(super) async fn groups(system: &System, manifest: &Manifest, repeats: usize, round: &mut Round) {
    for group in &manifest.groups {
        match one_group(system, group, manifest.window(), repeats).await {
            Ok(None) => {}
            Ok(Some((latencies, None))) => {
                round.put(&format!("{}, p50, ms", group.name), latencies.quantile_ms(0.5));
                round.put(&format!("{}, p99, ms", group.name), latencies.quantile_ms(0.99));
            }
            // A wrong answer is no fast one.
            Ok(Some((latencies, Some(wrong)))) => {
                let note = format!("{wrong}, after {:.2} ms (p50)", latencies.quantile_ms(0.5));
                round.fail(&format!("{}, p50, ms", group.name), note);
            }
            Err(failure) => round.fail(&format!("{}, p50, ms", group.name), failure.to_string()),
        }
    }
}

/// Times, and what is wrong with the answers.
async fn one_group(
    system: &System,
    group: &Group,
    window: Window,
    repeats: usize,
) -> Result<Option<(Latencies, Option<String>)>, Failure> {
    let start = Instant::now();
    for asked in group.questions.iter().take(WARM_UP) {
        if system.ask(&asked.question, window).await?.is_none() {
            return Ok(None);
        }
        if start.elapsed() > TIME_FOR_A_GROUP {
            break;
        }
    }
    let (mut latencies, mut short, mut example) = (Latencies::default(), 0, String::new());
    let start = Instant::now();
    for (repeat, asked) in (1..).zip(group.questions.iter().cycle().take(repeats.max(group.questions.len()))) {
        if start.elapsed() > TIME_FOR_A_GROUP && latencies.len() >= LEAST_REPEATS {
            break;
        }
        let Some(answer) = system.ask(&asked.question, window.earlier(repeat)).await? else { return Ok(None) };
        latencies.push(answer.took);
        if let Err(reason) = asked.judge(answer.found, system.adapter.within()) {
            short += 1;
            example = format!("{reason} by {:?}", asked.question);
        }
    }
    let note =
        (short > 0).then(|| format!("{short} of {} answers are not what they must be: {example}", latencies.len()));
    Ok(Some((latencies, note)))
}

const PROBES: u64 = 10;
const FOUND_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(2);

/// From the acknowledgement of one row to the first answer that holds it.
pub(super) async fn freshness(system: &System, manifest: &Manifest, round: &mut Round) {
    const NAME: &str = "ack to answer, p50, ms";
    let mut latencies = Latencies::default();
    let mut failed = None;
    for number in 0..PROBES {
        match probe(system, manifest, number).await {
            Ok(Some(took)) => latencies.push(took),
            Ok(None) => return,
            Err(failure) => {
                failed = Some(failure.to_string());
                break;
            }
        }
    }
    match failed {
        None => round.put(NAME, latencies.quantile_ms(0.5)),
        Some(failure) => round.fail(NAME, failure),
    }
}

async fn probe(system: &System, manifest: &Manifest, number: u64) -> Result<Option<Duration>, Failure> {
    let mut window = manifest.window();
    let unique = rand::random::<u64>();
    let (body, question) = match manifest.signal {
        Signal::Traces => one_span(window.to_ns - number, unique),
        Signal::Logs => one_line(window.to_ns - number, unique),
    };
    window.to_ns += 1_000_000_000;
    let mut target = system.target(manifest);
    target.compression = Compression::None;
    Sender::new(target)?.send(&Request { body: body.into(), rows: 1 }).await?;
    let start = Instant::now();
    loop {
        match system.ask(&question, window).await? {
            None => return Ok(None),
            Some(answer) if answer.found > 0 => return Ok(Some(start.elapsed())),
            Some(_) if start.elapsed() > FOUND_WITHIN => {
                return Err(Failure("an acknowledged row is not found within a minute".to_owned()));
            }
            Some(_) => tokio::time::sleep(LOOK_AGAIN_AFTER).await,
        }
    }
}

fn origin() -> Option<Resource> {
    Some(Resource { attributes: vec![text("service.name", "bench-probe")], ..Resource::default() })
}

fn one_span(time: u64, unique: u64) -> (Vec<u8>, Question) {
    let trace_id = [unique.to_be_bytes(), unique.rotate_left(32).to_be_bytes()].concat();
    let question = Question::Trace(hex::encode(&trace_id));
    let span = Span {
        trace_id,
        span_id: unique.to_be_bytes().to_vec(),
        name: "probe".to_owned(),
        kind: 1,
        start_time_unix_nano: time,
        end_time_unix_nano: time + 1_000,
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource: origin(), scope_spans, ..ResourceSpans::default() }];
    (ExportTraceServiceRequest { resource_spans }.encode_to_vec(), question)
}

fn one_line(time: u64, unique: u64) -> (Vec<u8>, Question) {
    let word = format!("probe{unique:016x}");
    let record = LogRecord {
        time_unix_nano: time,
        severity_number: 9,
        body: Some(any(Value::StringValue(format!("the benchmark sent {word}")))),
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource: origin(), scope_logs, ..ResourceLogs::default() }];
    (ExportLogsServiceRequest { resource_logs }.encode_to_vec(), Question::Words(vec![word]))
}
