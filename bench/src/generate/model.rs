//! Shapes T2 to T4: traces as call trees of services, with attributes by the semantic conventions.

use proto::otlp::make::{boolean, double, int, text};
use proto::otlp::messages::common::v1::KeyValue;
use proto::otlp::messages::trace::v1::span::{Event, Link};
use proto::otlp::messages::trace::v1::{Span, Status};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::random::{Zipf, lognormal, one_of};
use super::spans::{Common, Made, SpanSource};
use super::tree::{Node, Role, tree};

/// Services that one calls: graphs of production are sparse.
const CALLEES: usize = 6;
/// The topology is the same whatever the seed of the load.
const TOPOLOGY_SEED: u64 = 1;

/// Spans of the largest trace, of which shape T4 plants one.
pub(crate) const LARGEST: usize = 10_000;

/// Numbers of a shape.
pub(crate) struct Model {
    services: Zipf,
    /// Whom each service calls.
    callees: Vec<[usize; CALLEES]>,
    names: fn(usize) -> String,
    /// Median and standard deviation of the logarithm of the spans of a trace.
    size: (f64, f64),
    depth: usize,
    attributes: std::ops::RangeInclusive<usize>,
    /// Events and links of a span at most; each comes with a probability of a third.
    extras: usize,
    /// A trace of this many spans comes after so many others.
    planted: Option<(usize, usize)>,
}

impl Model {
    /// Like the OpenTelemetry demo: a shop of 16 services, 250 to 300 B a span.
    pub(crate) fn t2() -> Self {
        Self {
            names: |service| SHOP[service].to_owned(),
            size: (18.0, 0.5),
            depth: 10,
            attributes: 5..=7,
            ..Self::of(SHOP.len())
        }
    }

    /// Like production: 1.2 KB a span, 20 to 30 attributes, events and links.
    pub(crate) fn t3() -> Self {
        Self {
            names: |service| format!("{}-{}", SHOP[service % SHOP.len()], service / SHOP.len()),
            size: (25.0, 0.7),
            depth: 12,
            attributes: 20..=30,
            extras: 2,
            ..Self::of(60)
        }
    }

    /// Heavy tail: median 8 spans, p99 300, up to 10,000, one of which is planted (smaller where the whole is small).
    pub(crate) fn t4(spans: u64) -> Self {
        let largest = usize::try_from(spans / 10).map_or(LARGEST, |tenth| tenth.min(LARGEST));
        Self { planted: Some((50, largest)), ..Self::of(200) }
    }

    /// So many services, of which few are called often; the rest is as T4 has it.
    fn of(services: usize) -> Self {
        let zipf = Zipf::new(services);
        let mut random = SmallRng::seed_from_u64(TOPOLOGY_SEED);
        let callees = (0..services).map(|_| std::array::from_fn(|_| zipf.pick(&mut random))).collect();
        Self {
            services: zipf,
            callees,
            names: |service| format!("svc-{service:03}"),
            size: (8.0, 1.558),
            depth: 15,
            attributes: 7..=10,
            extras: 0,
            planted: None,
        }
    }

    fn size(&mut self, random: &mut SmallRng) -> usize {
        if let Some((wait, size)) = self.planted {
            self.planted = (wait > 0).then(|| (wait - 1, size));
            if wait == 0 {
                return size;
            }
        }
        let (median, sigma) = self.size;
        (lognormal(random, median, sigma).round() as usize).clamp(1, LARGEST)
    }
}

impl SpanSource for Model {
    fn trace(&mut self, random: &mut SmallRng, start: u64) -> Vec<Made> {
        let size = self.size(random);
        let trace = random.random::<[u8; 16]>();
        let nodes = tree(random, size, self.depth, |random, caller| match caller {
            Some(caller) => self.callees[caller][random.random_range(0..CALLEES)],
            None => self.services.pick(random),
        });
        let ids: Vec<[u8; 8]> = nodes.iter().map(|_| random.random()).collect();
        let times = times(random, &nodes, start);
        let operations = operations(random, &nodes);
        let made = nodes.iter().enumerate().map(|(at, node)| {
            let (start, end) = times[at];
            // Who answers comes next.
            let callee = nodes.get(at + 1).filter(|_| node.role == Role::Client).map(|callee| callee.service);
            let parent = node.parent.map(|parent| ids[parent].to_vec()).unwrap_or_default();
            let span = self.span(random, node.role, operations[at], callee, (start, end));
            let span = Span { trace_id: trace.to_vec(), span_id: ids[at].to_vec(), parent_span_id: parent, ..span };
            Made { service: node.service, span }
        });
        made.collect()
    }

    fn service(&self, service: usize) -> String {
        (self.names)(service)
    }

    fn resource(&self, service: usize) -> Vec<KeyValue> {
        let name = self.service(service);
        let instance = format!("{name}-7d9f8b6c5d-{service:05x}");
        vec![
            text("service.name", name),
            text("service.version", "1.4.2"),
            text("service.instance.id", instance.as_str()),
            text("deployment.environment.name", "production"),
            text("k8s.pod.name", instance),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.language", "java"),
        ]
    }

    fn common(&self) -> Common {
        Common { resource: false, key: "http.request.method", value: "GET" }
    }

    fn rare(&self) -> &'static [&'static str] {
        &["enduser.id", "shop.order.id"]
    }

    fn tag(&self) -> &'static str {
        "http.route"
    }
}

impl Model {
    fn span(
        &self,
        random: &mut SmallRng,
        role: Role,
        operation: usize,
        callee: Option<usize>,
        (start, end): (u64, u64),
    ) -> Span {
        let failed = random.random_ratio(3, 200);
        let kind = match role {
            Role::Inner => 1,
            Role::Server => 2,
            Role::Client | Role::Database => 3,
        };
        let extra = |random: &mut SmallRng| (0..self.extras).filter(|_| random.random_ratio(1, 3)).count();
        let (events, links) = (extra(random), extra(random) / 2);
        Span {
            name: name(role, operation),
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes: self.attributes(random, role, operation, callee, failed),
            events: (0..events).map(|_| event(random, start)).collect(),
            links: (0..links).map(|_| link(random)).collect(),
            status: failed.then(|| Status { code: 2, message: one_of(random, FAILURES).to_owned() }),
            ..Span::default()
        }
    }

    fn attributes(
        &self,
        random: &mut SmallRng,
        role: Role,
        operation: usize,
        callee: Option<usize>,
        failed: bool,
    ) -> Vec<KeyValue> {
        let wanted = random.random_range(self.attributes.clone());
        let mut list = of_role(random, role, operation, failed);
        list.extend(callee.map(|callee| text("server.address", format!("{}.svc.cluster.local", self.service(callee)))));
        list.push(text("enduser.id", format!("u{:06}", random.random_range(0..1_000_000))));
        list.push(int("shop.order.id", random.random_range(0..100_000)));
        let first = random.random_range(0..EXTRAS.len());
        let extras = EXTRAS.iter().cycle().skip(first).take(wanted.saturating_sub(list.len()));
        list.extend(extras.map(|(key, make)| make(random, key)));
        list.truncate(wanted);
        list
    }
}

/// Operations that a service serves.
const SERVED: usize = 3;

/// What each span is about: a call has the operation of who answers it, all else one of its service's.
fn operations(random: &mut SmallRng, nodes: &[Node]) -> Vec<usize> {
    let mut draw = |node: &Node| (node.service * 5 + random.random_range(0..SERVED)) % OPERATIONS.len();
    let mut operations: Vec<usize> = nodes.iter().map(&mut draw).collect();
    for at in (0..nodes.len().saturating_sub(1)).filter(|at| nodes[*at].role == Role::Client) {
        operations[at] = operations[at + 1];
    }
    operations
}

/// Start and end of each span: children lie within their parents; one root in 100 takes longer than a second.
fn times(random: &mut SmallRng, nodes: &[Node], start: u64) -> Vec<(u64, u64)> {
    let slow = random.random_ratio(1, 100);
    let root = if slow { 1_500e6 } else { lognormal(random, 60e6, 0.6).clamp(1e6, 900e6) };
    let mut times: Vec<(u64, u64)> = Vec::with_capacity(nodes.len());
    for node in nodes {
        times.push(match node.parent.map(|parent| times[parent]) {
            None => (start, start + root as u64),
            Some((from, to)) => {
                let whole = to - from;
                let begin = from + (whole as f64 * random.random_range(0.01..0.5)) as u64;
                (begin, begin + ((to - begin) as f64 * random.random_range(0.3..0.95)) as u64)
            }
        });
    }
    times
}

fn name(role: Role, operation: usize) -> String {
    let (method, route, table) = OPERATIONS[operation];
    match role {
        Role::Server => format!("{method} {route}"),
        Role::Client => method.to_owned(),
        Role::Database => format!("SELECT {table}"),
        Role::Inner => format!("{table}.handle"),
    }
}

/// What the conventions ask of a span of this role.
fn of_role(random: &mut SmallRng, role: Role, operation: usize, failed: bool) -> Vec<KeyValue> {
    let (method, route, table) = OPERATIONS[operation];
    let status = if failed { 500 } else { 200 };
    match role {
        Role::Server => vec![
            text("http.request.method", method),
            text("http.route", route),
            int("http.response.status_code", status),
        ],
        Role::Client => vec![text("http.request.method", method), int("http.response.status_code", status)],
        Role::Database => vec![
            text("db.system.name", "postgresql"),
            text("db.collection.name", table),
            text("server.address", format!("pg-{table}.svc.cluster.local")),
        ],
        Role::Inner => vec![text("code.function.name", format!("{table}.handle")), int("thread.id", thread(random))],
    }
}

fn thread(random: &mut SmallRng) -> i64 {
    random.random_range(1..65)
}

fn event(random: &mut SmallRng, start: u64) -> Event {
    Event {
        time_unix_nano: start + random.random_range(0..1_000),
        name: "exception".to_owned(),
        attributes: vec![
            text("exception.message", one_of(random, FAILURES)),
            text("exception.stacktrace", stack(random)),
        ],
        dropped_attributes_count: 0,
    }
}

fn stack(random: &mut SmallRng) -> String {
    let frame = |random: &mut SmallRng| {
        let (_, _, table) = OPERATIONS[random.random_range(0..OPERATIONS.len())];
        format!("\tat shop.{table}.Handler.call(Handler.java:{})\n", random.random_range(10..900))
    };
    (0..6).map(|_| frame(random)).collect()
}

fn link(random: &mut SmallRng) -> Link {
    let (trace, span): ([u8; 16], [u8; 8]) = (random.random(), random.random());
    Link { trace_id: trace.to_vec(), span_id: span.to_vec(), ..Link::default() }
}

const SHOP: &[&str] = &[
    "gateway",
    "storefront",
    "catalog",
    "cart",
    "checkout",
    "payment",
    "shipping",
    "pricing",
    "currency",
    "mail",
    "adverts",
    "recommend",
    "accounts",
    "fraud",
    "images",
    "flags",
];

/// Method, route, and what it is about.
const OPERATIONS: &[(&str, &str, &str)] = &[
    ("GET", "/api/products/{id}", "products"),
    ("GET", "/api/products", "products"),
    ("POST", "/api/cart/items", "cart_items"),
    ("GET", "/api/cart", "carts"),
    ("POST", "/api/checkout", "orders"),
    ("GET", "/api/orders/{id}", "orders"),
    ("PUT", "/api/users/{id}/address", "addresses"),
    ("GET", "/api/shipping/quote", "quotes"),
    ("POST", "/api/payments", "payments"),
    ("GET", "/api/recommendations", "recommendations"),
    ("GET", "/api/ads", "adverts"),
    ("DELETE", "/api/cart/items/{id}", "cart_items"),
];

const FAILURES: &[&str] =
    &["connection refused", "deadline exceeded", "out of stock", "card was declined", "version conflict"];

type Make = fn(&mut SmallRng, &str) -> KeyValue;

/// Attributes that fill a span up: few values, many values, numbers and flags, as production has them.
const EXTRAS: &[(&str, Make)] = &[
    ("cloud.region", |random, key| text(key, one_of(random, &["eu-central-1", "us-east-1", "ap-east-1"]))),
    ("client.address", |random, key| text(key, address(random))),
    ("user_agent.original", |random, key| text(key, one_of(random, AGENTS))),
    ("shop.amount", |random, key| double(key, f64::from(random.random_range(100..100_000)) / 100.0)),
    ("shop.currency", |random, key| text(key, one_of(random, &["EUR", "USD", "CNY", "JPY"]))),
    ("session.id", |random, key| text(key, hex::encode(random.random::<[u8; 16]>()))),
    ("thread.name", |random, key| text(key, format!("worker-{}", thread(random)))),
    ("network.protocol.version", |random, key| text(key, one_of(random, &["1.1", "2"]))),
    ("http.request.body.size", |random, key| int(key, random.random_range(0..20_000))),
    ("http.response.body.size", |random, key| int(key, random.random_range(0..200_000))),
    ("feature_flag.key", |random, key| text(key, format!("flag-{}", random.random_range(0..40)))),
    ("feature_flag.enabled", |random, key| boolean(key, random.random())),
    ("cache.hit", |random, key| boolean(key, random.random_ratio(4, 5))),
    ("url.full", |random, key| {
        text(key, format!("https://shop.example/p/{}?ref=mail", random.random_range(0..50_000)))
    }),
    ("tenant", |random, key| text(key, format!("tenant-{}", random.random_range(0..500)))),
    ("shop.basket", |random, key| int(key, random.random_range(1..30))),
    ("network.local.address", |random, key| text(key, address(random))),
    ("network.local.port", |random, key| int(key, random.random_range(1_024..65_536))),
    ("code.line.number", |random, key| int(key, random.random_range(1..2_000))),
    ("shop.experiment", |random, key| text(key, format!("variant-{}", random.random_range(0..8)))),
    ("queue.wait_ms", |random, key| double(key, random.random_range(0.0..40.0))),
    ("host.zone", |random, key| text(key, one_of(random, &["a", "b", "c"]))),
    ("build.commit", |random, key| text(key, format!("{:07x}", random.random_range(0..64) * 4_194_301))),
    ("request.id", |random, key| text(key, hex::encode(random.random::<[u8; 8]>()))),
];

const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15",
    "okhttp/5.1.0",
];

fn address(random: &mut SmallRng) -> String {
    format!("10.{}.{}.{}", random.random_range(0..4), random.random_range(0..256), random.random_range(1..255))
}
