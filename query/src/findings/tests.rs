//! The way from spans to findings over a real store: one shop that is healthy, and one for each fault.

use std::collections::BTreeSet;
use std::sync::Arc;

use storage::attrs::Value;
use storage::ids::{SpanId, TraceId};
use storage::schema::Table;

use super::model::State;
use super::observe::WINDOW;
use super::*;
use crate::engine::{Limits, Range};
use crate::erase::{Rows, Selection};
use crate::model::{LogRecord, Resource, Span};
use crate::rows::testing::{log, log_batch, span, span_batch};
use crate::traces::testing::Stored;

const MS: u64 = 1_000_000;
/// Minutes of traffic, and traces in each.
const MINUTES: i64 = 8;
const TRACES: u64 = 12;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Cycle,
    SharedDatabase,
    ManyQueries,
    Retries,
    Abandoned,
    Limited,
    Swallowed,
    Failing,
    Skewed,
    Orphans,
    DeepChain,
    Breaker,
    NoInstance,
    Secret,
}

/// Spans of one trace in the making.
struct Maker {
    trace: u128,
    start: u64,
    spans: Vec<Span>,
}

impl Maker {
    /// A span from so many ms after the trace's start; `kind` is that of OTLP. Its number in the trace.
    fn add(&mut self, parent: Option<u64>, service: &str, kind: i32, operation: &str, (from, took): (u64, u64)) -> u64 {
        let id = self.spans.len() as u64 + 1;
        let mut made = span(self.trace, (self.trace as u64) << 8 | id, operation);
        let text = |text: &str| Value::String(text.to_owned());
        made.parent_span_id = parent.map(|parent| SpanId(((self.trace as u64) << 8 | parent).to_be_bytes()));
        (made.kind, made.service) = (kind, service.to_owned());
        made.resource = Arc::new(Resource {
            attributes: vec![
                ("service.name".to_owned(), text(service)),
                ("service.instance.id".to_owned(), text(&format!("{service}-1"))),
                ("service.version".to_owned(), text("1.0")),
            ],
            ..Resource::default()
        });
        made.role = if kind == 2 { "entry" } else { "exit" }.to_owned();
        made.protocol = Some("http".to_owned());
        (made.start, made.end) = (self.start + from * MS, self.start + (from + took) * MS);
        self.spans.push(made);
        id
    }

    fn last(&mut self) -> &mut Span {
        self.spans.last_mut().expect("a span")
    }

    /// A call and its answer: the number of the answering span.
    fn call(&mut self, parent: u64, (from, to): (&str, &str), operation: &str, at: (u64, u64)) -> u64 {
        let exit = self.add(Some(parent), from, 3, operation, at);
        self.last().peer = Some(to.to_owned());
        self.add(Some(exit), to, 2, operation, (at.0 + 1, at.1 - 2))
    }

    fn query(&mut self, parent: u64, service: &str, database: &str, operation: &str, at: (u64, u64)) {
        self.add(Some(parent), service, 3, operation, at);
        let last = self.last();
        last.peer = Some(format!("mysql://{database}"));
        last.protocol = Some("mysql".to_owned());
    }

    fn fail(&mut self, outcome: &str) {
        let last = self.last();
        (last.outcome, last.status_code) = (outcome.to_owned(), 2);
    }
}

/// A user's order: web calls order, which calls stock; each has a database of its own.
fn order(number: u64, start: u64, fault: Fault) -> Vec<Span> {
    let mut maker = Maker { trace: u128::from(number + 1), start, spans: Vec::new() };
    let web = maker.add(None, "web", 2, "POST /orders", (0, 400));
    let placed = maker.call(web, ("web", "order"), "Place", (5, 350));
    maker.query(placed, "order", "order-db/orders", "mysql INSERT orders", (10, 5));
    let stock = maker.call(placed, ("order", "stock"), "Reserve", (20, 50));
    let database = if fault == Fault::SharedDatabase { "order-db/orders" } else { "stock-db/stock" };
    maker.query(stock, "stock", database, "mysql UPDATE orders", (30, 5));
    match fault {
        Fault::Cycle => drop(maker.call(stock, ("stock", "order"), "Look", (40, 10))),
        Fault::ManyQueries => (0..8).for_each(|at| {
            maker.query(placed, "order", "order-db/orders", "mysql SELECT items", (80 + at * 12, 10));
        }),
        Fault::Retries if number.is_multiple_of(3) => {
            maker.add(Some(placed), "order", 3, "Rate", (80, 10));
            maker.last().peer = Some("rates.example".to_owned());
            maker.fail("error");
            maker.add(Some(placed), "order", 3, "Rate", (100, 10));
            maker.last().peer = Some("rates.example".to_owned());
        }
        Fault::Abandoned if number.is_multiple_of(4) => {
            let exit = maker.add(Some(placed), "order", 3, "Charge", (80, 100));
            maker.last().peer = Some("pay".to_owned());
            maker.fail("timeout");
            maker.add(Some(exit), "pay", 2, "Charge", (81, 500));
            // It is tried once more, so that it is not swallowed.
            maker.call(placed, ("order", "pay"), "Charge", (190, 20));
        }
        Fault::Limited if number.is_multiple_of(2) => {
            maker.add(Some(web), "web", 3, "Place", (360, 10));
            maker.last().peer = Some("order".to_owned());
            maker.fail("limited");
            maker.spans[0].outcome = "limited".to_owned();
        }
        Fault::Swallowed if number.is_multiple_of(2) => {
            maker.add(Some(placed), "order", 3, "Recommend", (80, 10));
            maker.last().peer = Some("reco.example".to_owned());
            maker.fail("error");
        }
        Fault::Failing if number.is_multiple_of(2) => {
            for span in maker.spans.iter_mut().filter(|span| !span.operation.starts_with("mysql")) {
                (span.outcome, span.status_code) = ("error".to_owned(), 2);
            }
        }
        Fault::Skewed => {
            for span in maker.spans.iter_mut().filter(|span| span.service == "stock") {
                (span.start, span.end) = (span.start + 300 * MS, span.end + 300 * MS);
            }
        }
        Fault::DeepChain => {
            let names = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];
            let mut above = maker.call(placed, ("order", names[0]), "Next", (80, 200));
            for (at, pair) in (1u64..).zip(names.windows(2)) {
                above = maker.call(above, (pair[0], pair[1]), "Next", (80 + 4 * at, 200 - 8 * at));
            }
        }
        Fault::Breaker | Fault::NoInstance => {
            maker.add(Some(placed), "order", 3, "Recommend", (80, 1));
            maker.last().peer = Some("reco.example".to_owned());
            maker.fail(if fault == Fault::Breaker { "breaker_open" } else { "no_instance" });
        }
        Fault::Orphans if number.is_multiple_of(3) => {
            maker.add(Some(99), "stock", 2, "Reserve", (100, 10));
        }
        _ => {}
    }
    maker.spans
}

/// A store with minutes of orders until a minute ago.
async fn shop(fault: Fault) -> (Stored, i64) {
    let stored = Stored::new(Limits::default()).await;
    let now = stored.engine.store().settings().clock.now();
    let first = (now - 20_000_000_000).div_euclid(WINDOW) * WINDOW - MINUTES * WINDOW;
    let mut number = 0;
    for minute in 0..MINUTES {
        let mut spans = Vec::new();
        for trace in 0..TRACES {
            let start = (first + minute * WINDOW) as u64 + trace * 2_000 * MS;
            spans.extend(order(number, start, fault));
            number += 1;
        }
        stored.append(Table::Spans, span_batch(&spans)).await;
        if fault == Fault::Secret {
            let record = |at: u64, body: &str| LogRecord {
                trace_id: Some(TraceId(1u128.to_be_bytes())),
                ..log(minute as u64 * 10 + at, (first + minute * WINDOW) as u64 + at, body)
            };
            let records = [record(0, "login ok"), record(1, "sent with password=hunter22 to bob")];
            let batch = log_batch(&records);
            let incoming = Table::Logs.incoming();
            let columns: Vec<usize> = (0..batch.num_columns())
                .filter(|&at| incoming.field_with_name(batch.schema().field(at).name()).is_ok())
                .collect();
            stored.append(Table::Logs, batch.project(&columns).expect("the incoming form")).await;
        }
    }
    (stored, first)
}

async fn open(stored: &Stored, first: i64) -> Report {
    let evaluated = stored.engine.evaluate_findings(Some(first)).await.expect("evaluated");
    assert!(evaluated.windows >= MINUTES as usize && evaluated.warnings.is_empty(), "{evaluated:?}");
    stored.engine.findings(&Asked { state: Some(State::Open), ..Asked::default() }).await.expect("a report")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_found_and_a_healthy_shop_has_none() {
    for (fault, rules) in [
        (Fault::None, &[][..]),
        (Fault::Cycle, &["F1"]),
        (Fault::SharedDatabase, &["F2"]),
        (Fault::ManyQueries, &["F3"]),
        (Fault::Retries, &["F5"]),
        (Fault::Abandoned, &["F5", "F6"]),
        // Half of the orders fail where they are refused.
        (Fault::Limited, &["F14", "F9"]),
        (Fault::Swallowed, &["F8"]),
        (Fault::Failing, &["F14"]),
        (Fault::Skewed, &["F17"]),
        (Fault::Orphans, &["F16"]),
        (Fault::DeepChain, &["F4"]),
        (Fault::Breaker, &["F7", "F8"]),
        (Fault::NoInstance, &["F18", "F8"]),
        (Fault::Secret, &["F19"]),
    ] {
        let (stored, first) = shop(fault).await;
        let report = open(&stored, first).await;
        let found: BTreeSet<&str> = report.findings.iter().map(|finding| finding.last.rule.as_str()).collect();
        assert_eq!(found, rules.iter().copied().collect(), "{fault:?}: {:#?}", report.findings);
        for finding in &report.findings {
            assert!(!finding.last.evidence.is_empty() && finding.last.n > 0, "{finding:#?}");
            assert!(!format!("{finding:?}").contains("hunter22"), "{finding:#?}");
            for evidence in &finding.last.evidence {
                let id: TraceId = evidence.trace_id.parse().expect("an id");
                let trace = stored.engine.trace(id).await.expect("an answer");
                assert!(trace.is_some(), "{finding:#?}");
            }
        }
        // A shop of a few minutes: what needs a longer past says so.
        let unjudged: BTreeSet<&str> = report.unjudged.iter().map(|unjudged| unjudged.rule.as_str()).collect();
        assert!(["F11", "F13", "F19"].iter().all(|rule| unjudged.contains(rule)), "{unjudged:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_findings_stay_so_and_others_end() {
    let (stored, first) = shop(Fault::SharedDatabase).await;
    let id = open(&stored, first).await.findings[0].id.clone();
    let accepted = stored.engine.accept_finding(&id, "ann", "until March").await.expect("accepted").expect("known");
    assert_eq!((accepted.state, accepted.accepted_by.as_deref()), (State::Accepted, Some("ann")));
    assert!(open(&stored, first).await.findings.is_empty());
    assert_eq!(stored.engine.finding(&id).await.expect("an answer").expect("known").state, State::Accepted);
    let again = stored.engine.reopen_finding(&id).await.expect("reopened").expect("known");
    assert_eq!((again.state, again.accepted_by), (State::Open, None));
    assert!(stored.engine.accept_finding("0000000000000000", "ann", "").await.expect("an answer").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_traces_and_values_leave_the_findings() {
    let (stored, first) = shop(Fault::SharedDatabase).await;
    let before = open(&stored, first).await.findings.remove(0);
    let trace: TraceId = before.last.evidence[0].trace_id.parse().expect("an id");
    let erase = |rows| Selection { rows, service: None, range: Range::ALL };
    stored.engine.erase(erase(Rows::Traces(vec![trace])), false).await.expect("erased");
    let after = stored.engine.finding(&before.id).await.expect("an answer").expect("known");
    assert!(after.last.evidence.len() < before.last.evidence.len());
    assert!(after.last.evidence.iter().all(|evidence| evidence.trace_id != trace.to_string()));
    let rows = Rows::Attribute { key: "service.name".to_owned(), value: "stock".to_owned() };
    stored.engine.erase(erase(rows), false).await.expect("erased");
    assert!(stored.engine.finding(&before.id).await.expect("an answer").is_none());
}

struct Heard(parking_lot::Mutex<Vec<(String, State)>>);

impl Notify for Heard {
    fn tell(&self, finding: &Finding) {
        self.0.lock().push((finding.last.rule.clone(), finding.state));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_to_know_is_told_once() {
    let (stored, first) = shop(Fault::Cycle).await;
    let heard = Arc::new(Heard(parking_lot::Mutex::default()));
    let settings = Settings { notify: Some(heard.clone()), ..Settings::default() };
    let engine = stored.engine.clone().with_findings(settings);
    for _ in 0..2 {
        engine.evaluate_findings(Some(first)).await.expect("evaluated");
    }
    assert_eq!(*heard.0.lock(), [("F1".to_owned(), State::Open)]);
}
