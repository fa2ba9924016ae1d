//! Questions about services, asked of a real store.

use storage::attrs::{Event, Value};
use storage::ids::{SpanId, TraceId};
use storage::rollup::Cell;
use storage::schema::{Table, col};

use super::model::{CompareMode, Verdict};
use super::*;
use crate::engine::Limits;
use crate::model::{LogRecord, Resource, Span};
use crate::rows::testing::{log, log_batch, span};
use crate::traces::testing::Stored;

/// The beginning of a minute.
const T0: u64 = 1_700_000_040_000_000_000;
const SECOND: u64 = 1_000_000_000;

fn process(service: &str, version: &str, instance: &str) -> Arc<Resource> {
    let keys = ["service.name", "service.version", "service.instance.id", "deployment.environment.name"];
    let values = [service, version, instance, "prod"];
    let pair = |(key, value): (&str, &str)| (key.to_owned(), Value::String(value.to_owned()));
    Arc::new(Resource { attributes: keys.into_iter().zip(values).map(pair).collect(), ..Resource::default() })
}

/// A call from front to cart of this version: two seconds after the last, 1 ms long, with a query.
fn call(number: u64, version: &str, exception: Option<&str>) -> Vec<Span> {
    let start = T0 + 2 * number * SECOND;
    let one = |id: u64, parent: u64, kind: i32, role: &str, service: &str, version: &str| Span {
        parent_span_id: (parent != 0).then(|| SpanId((10 * number + parent).to_be_bytes())),
        kind,
        role: role.to_owned(),
        service: service.to_owned(),
        resource: process(service, version, &format!("{service}-{version}")),
        start: start + id,
        end: start + id + 1_000_000,
        protocol: Some("http".to_owned()),
        ..span(u128::from(number) + 1, 10 * number + id, "load")
    };
    let mut cart = one(3, 2, 2, "entry", "cart", version);
    if let Some(kind) = exception {
        (cart.status_code, cart.outcome) = (2, "error".to_owned());
        let attributes = [("exception.type", kind), ("exception.message", "item 17 is gone")];
        let pair = |(key, value): (&str, &str)| (key.to_owned(), Value::String(value.to_owned()));
        let attributes = attributes.map(pair).into();
        cart.events = vec![Event { time: start, name: "exception".to_owned(), attributes, dropped_attributes: 0 }];
    }
    let database = if version == "2" { "postgresql" } else { "mysql" };
    let query = Span {
        peer: Some(format!("{database}://db:1/cart")),
        protocol: Some(database.to_owned()),
        ..one(4, 3, 3, "exit", "cart", version)
    };
    vec![one(1, 0, 2, "entry", "front", "1"), one(2, 1, 3, "exit", "front", "1"), cart, query]
}

fn record(id: u64, after: u64, version: &str, severity: i32, body: &str) -> LogRecord {
    LogRecord {
        severity_number: severity,
        service: "cart".to_owned(),
        resource: process("cart", version, &format!("cart-{version}")),
        ..log(id, T0 + after * SECOND, body)
    }
}

/// 300 calls of version 1, then 300 of version 2, a tenth of which fails: twenty minutes.
async fn shop() -> Stored {
    let stored = Stored::new(Limits::default()).await;
    let failed = |number: u64| (number >= 300 && number.is_multiple_of(10)).then_some("GoneException");
    let version = |number: u64| if number < 300 { "1" } else { "2" };
    let spans: Vec<Span> = (0..600).flat_map(|number| call(number, version(number), failed(number))).collect();
    for part in spans.chunks(1000) {
        stored.append(Table::Spans, crate::rows::testing::span_batch(part)).await;
        stored.engine.store().flush().await.expect("flushed");
    }
    let again = call(300, "2", failed(300));
    stored.append(Table::Spans, crate::rows::testing::span_batch(&again)).await;
    let logs = [
        record(1, 5, "1", 9, "loaded 3 items"),
        record(2, 700, "2", 9, "loaded 4 items"),
        record(3, 701, "2", 17, "item 17 is gone"),
    ];
    let logs = log_batch(&logs);
    let own = (0..logs.num_columns()).filter(|&at| logs.schema().field(at).name() != col::ROW_ID);
    stored.append(Table::Logs, logs.project(&own.collect::<Vec<_>>()).expect("the incoming form")).await;
    stored
}

fn scope() -> Scope {
    Scope::of(Range { from: T0 as i64, to: (T0 + 1200 * SECOND) as i64 })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inventory_of_a_shop() {
    let shop = shop().await;
    let Inventory { services, minutes, notes } = shop.engine.services(scope()).await.expect("an answer");
    assert_eq!((minutes.end - minutes.start, notes.warnings.len()), (20, 0), "{notes:?}");
    let [cart, front] = services.as_slice() else { panic!("{services:?}") };
    assert_eq!((cart.name.as_str(), cart.span_count, cart.totals.calls, cart.totals.errors), ("cart", 1200, 600, 30));
    assert_eq!((front.totals.calls, front.layer.map(|(layer, _)| layer)), (600, Some(Layer::Gateway)));
    assert_eq!(cart.layer.map(|(layer, _)| layer), Some(Layer::Basic));
    assert!(cart.totals.latency.expect("calls").p50.abs_diff(1_000_000) <= 10_000);
    assert_eq!(cart.autonomy.own_db, ["mysql://db:1/cart", "postgresql://db:1/cart"]);
    assert_eq!((cart.coverage.paired, cart.coverage.orphans), (Some(1.0), Some(0.0)));
    assert_eq!((cart.logs.records, cart.logs.errors, front.logs.records), (3, 1, 0));
    let gone: Vec<_> = cart.instances.iter().map(|one| (one.name.as_str(), one.gone)).collect();
    assert_eq!(gone, [("cart-1", true), ("cart-2", false)]);
    let elsewhere = Scope { environment: Some("test".to_owned()), ..scope() };
    assert!(shop.engine.services(elsewhere).await.expect("an answer").services.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_in_detail() {
    let shop = shop().await;
    let detail = shop.engine.service("cart".to_owned(), scope(), Some(5)).await.expect("an answer").expect("cart");
    assert_eq!((detail.series.calls.as_slice(), detail.series.step), ([150, 150, 150, 150].as_slice(), 5));
    assert_eq!(detail.series.errors, [0, 0, 15, 15]);
    assert_eq!(detail.series.instances, [1, 1, 1, 1]);
    let releases: Vec<_> = detail.releases.iter().map(|(one, counts)| (one.name.as_str(), counts.as_slice())).collect();
    assert_eq!(releases, [("2", [0, 0, 300, 300].as_slice()), ("1", &[300, 300, 0, 0])]);
    assert_eq!(detail.upstream.len(), 1);
    assert_eq!((detail.upstream[0].source.as_str(), detail.upstream[0].paired), ("front", 600));
    assert_eq!(detail.downstream.iter().map(|edge| edge.calls).collect::<Vec<_>>(), [300, 300]);
    let [gone] = detail.exceptions.as_slice() else { panic!("{:?}", detail.exceptions) };
    assert_eq!((gone.kind.as_str(), gone.message.as_str(), gone.count), ("GoneException", "item 17 is gone", 30));
    assert_eq!(gone.last, T0 + 2 * 590 * SECOND);
    assert_eq!(gone.exemplar.map(|(trace, _)| trace), Some(TraceId(591u128.to_be_bytes())));
    let patterns: Vec<_> = detail.log_patterns.iter().map(|one| (one.pattern.as_str(), one.count)).collect();
    assert_eq!(patterns, [("item <n> is gone", 1), ("loaded <n> items", 2)], "the severest first");

    assert!(shop.engine.service("none".to_owned(), scope(), None).await.expect("an answer").is_none());
    let fine = shop.engine.service("cart".to_owned(), Scope::of(Range::ALL), Some(1)).await;
    assert!(matches!(fine.expect_err("too many steps"), QueryError::Bad { .. }));
    let all = shop.engine.service("cart".to_owned(), Scope::of(Range::ALL), None).await.expect("an answer");
    assert_eq!(all.expect("cart").series.calls.iter().sum::<u64>(), 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_releases_compared() {
    let shop = shop().await;
    let compared = shop.engine.compare_releases("cart".to_owned(), scope(), None, None).await.expect("an answer");
    let (told, notes) = compared.expect("cart");
    assert_eq!((told.mode, told.verdict), (CompareMode::BeforeAfter, Verdict::Worse), "{:?}", told.reasons);
    assert_eq!((told.base.version.as_str(), told.head.version.as_str()), ("1", "2"));
    assert_eq!((told.head.totals.calls, told.head.totals.errors), (300, 30));
    assert_eq!(told.findings.new_exceptions, [("GoneException".to_owned(), 30)]);
    assert_eq!(told.findings.new_log_patterns, [("item <n> is gone".to_owned(), 1)]);
    let names =
        |edges: &[(crate::rollup::Place, String)]| edges.iter().map(|(to, _)| to.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&told.findings.edges_added), ["postgresql://db:1/cart"]);
    assert_eq!(names(&told.findings.edges_removed), ["mysql://db:1/cart"]);
    assert!(notes.warnings.is_empty(), "{notes:?}");
    let back = shop.engine.compare_releases("cart".to_owned(), scope(), Some("2".to_owned()), Some("1".to_owned()));
    assert_eq!(back.await.expect("an answer").expect("cart").0.verdict, Verdict::Better);
    let one = shop.engine.compare_releases("front".to_owned(), scope(), None, None).await;
    assert!(matches!(one.expect_err("one version"), QueryError::Bad { .. }));
    let none = shop.engine.compare_releases("none".to_owned(), scope(), None, None).await.expect("an answer");
    assert!(none.is_none());
}

/// Whether cells are by the minute or sums, whole or calls alone, the answers are the same.
#[tokio::test(flavor = "multi_thread")]
async fn scoped_cells_tell_what_all_cells_tell() {
    let shop = shop().await;
    // Cart falls silent, and is called still.
    let unanswered = (700..760u64).flat_map(|number| {
        let mut spans = call(number, "2", None);
        spans.truncate(2);
        spans[1].peer = Some("cart".to_owned());
        spans
    });
    let unanswered: Vec<Span> = unanswered.collect();
    shop.append(Table::Spans, crate::rows::testing::span_batch(&unanswered)).await;
    let mut gone = BTreeSet::new();
    for (from, to) in [(0, 1200), (0, 1530), (300, 1500), (700, 3000), (5000, 6000)] {
        let at = |seconds: u64| (T0 + seconds * SECOND) as i64;
        for environment in [None, Some("prod".to_owned())] {
            let scope = Scope { environment, ..Scope::of(Range { from: at(from), to: at(to) }) };
            let (all, _) = shop.engine.cells(scope.range).await.expect("an answer");
            let some = shop.engine.scoped_cells(&scope, Whom::All).await.expect("an answer").cells;
            let tell = |view: &View<'_>| inventory::inventory(view, &all.minutes, &scope.layers);
            assert_eq!(format!("{:?}", tell(&View::new(&some))), format!("{:?}", tell(&View::new(&all))));
            gone.extend(tell(&View::new(&all)).into_iter().flat_map(|one| one.instances).map(|one| one.gone));
            for name in ["cart", "front"] {
                let expected = described(&all, name, None);
                let scoped = shop.engine.scoped_cells(&scope, Whom::Versions(name.to_owned())).await;
                assert_eq!(described(&scoped.expect("an answer").cells, name, None), expected, "{name} {from} {to}");
                let scoped = shop.engine.scoped_cells(&scope, Whom::Service(name.to_owned())).await;
                let Scoped { cells, served, .. } = scoped.expect("an answer");
                assert_eq!(described(&cells, name, Some(&served)), expected, "{name} {from} {to}");
            }
        }
    }
    assert_eq!(gone, BTreeSet::from([false, true]));
}

/// All that the cells say of a service.
fn described(cells: &Cells, name: &str, served: Option<&BTreeMap<Minute, Cell>>) -> Option<String> {
    let (view, steps) = (View::new(cells), Steps::new(&cells.minutes, None).expect("steps"));
    let of = view.services.get(name)?;
    let info = inventory::describe(&view, &cells.minutes, &BTreeMap::new())(name, of);
    let edges = [series::dependencies(&of.into), series::dependencies(&of.out)];
    let red = match served {
        Some(served) => series::red(of, served, &steps),
        None => series::red(of, of.serves.iter().flat_map(|series| &series.cells), &steps),
    };
    Some(format!("{info:?} {red:?} {:?} {edges:?}", series::operations(of)))
}
