//! Log lines: templates of many kinds of program, filled in; one in eight is Chinese.

use std::collections::BTreeMap;

use proto::Message;
use proto::otlp::make::{any, int, text};
use proto::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;
use proto::otlp::messages::common::v1::any_value::Value;
use proto::otlp::messages::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use proto::otlp::messages::resource::v1::Resource;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::random::{Reservoir, Zipf};
use super::{Emit, Plan};
use crate::manifest::{Asked, Content, Group, LINES, Manifest, Question};

const SERVICES: usize = 20;
/// Lines that are found by a word that only they have.
const SAMPLE: usize = 200;

/// Severity number and text.
type Template = (i32, &'static str);

const INFO: i32 = 9;
const WARN: i32 = 13;
const ERROR: i32 = 17;

/// `{…}` is filled in; the first come most often, as Zipf has it. What the questions below look for is in some.
const TEMPLATES: &[Template] = &[
    (
        INFO,
        "request {token} finished: GET /api/products/{n} status=200 bytes={n} duration={ms}ms user={user} from {ip}",
    ),
    (INFO, "request {token} finished: POST /api/cart/items status=201 bytes={n} duration={ms}ms user={user} from {ip}"),
    (
        INFO,
        "request {token} accepted from {ip}, routed to upstream {host} after {ms} ms in queue, {n} others are waiting",
    ),
    (INFO, "订单 {token} 创建成功，用户 {user}，商品数量 {n}，耗时 {ms} 毫秒，来源地址 {ip}，网关节点 {host}"),
    (
        INFO,
        "Received block blk_{n} of size {n} from /{ip} by replica writer {token}, pipeline of three, checksum verified",
    ),
    (
        INFO,
        "session opened for user {user} by (uid={n}) on tty{n}, login token {token}, last login from {ip} two days ago",
    ),
    (INFO, "job {token} completed all {n} tasks in stage {n}, took {ms} ms, shuffle read {n} bytes from {host}"),
    (
        INFO,
        "cache warmed: {n} keys of segment {token} loaded from {host} in {ms} ms, hit ratio of the last hour {n} permille",
    ),
    (WARN, "用户 {user} 登录失败，密码错误次数 {n}，请求编号 {token}，来源地址 {ip}，稍后重试"),
    (INFO, "consumer group orders rebalanced, generation {n}, member {token} owns partitions {n} and {n}, lag {n}"),
    (
        WARN,
        "slow query took {ms} ms: SELECT id, state FROM orders WHERE customer = '{user}' LIMIT {n} -- trace {token}",
    ),
    (WARN, "retrying request {token} to {host}, attempt {n}: upstream answered 503 after {ms} ms, backing off"),
    (WARN, "garbage collection pause of {ms} ms, heap {n} of {n} MiB after collection {token}, allocation was stalled"),
    (WARN, "authentication failure for invalid user {user} from {ip} port {n} ssh2, request {token} refused"),
    (ERROR, "扣减库存失败，库存不足，商品编号 {n}，请求编号 {token}，仓库节点 {host}，耗时 {ms} 毫秒"),
    (ERROR, "failed to write to {host}: connection reset by peer while sending request {token}, {n} bytes were lost"),
    (ERROR, "payment {token} of customer {user} was declined: card issuer answered code {n} after {ms} ms"),
    (ERROR, "unhandled exception in handler of request {token}: java.lang.IllegalStateException: order {n} is closed"),
    (ERROR, "disk of {host} is almost full: {n} of {n} inodes used, compaction {token} was put off for {ms} ms"),
];
const COMMON: &str = "request";
const PHRASE: &str = "connection reset by peer";
const THREE: [&str; 3] = ["payment", "declined", "card"];
const CHINESE: &str = "库存";
const MANY_OF_FEW: [&str; 1] = ["inodes"];

/// Gives `emit` exactly `plan.rows` lines in requests of `plan.batch`.
pub(super) fn generate(plan: &Plan, emit: Emit<'_>) -> std::io::Result<Manifest> {
    let mut random = SmallRng::seed_from_u64(plan.seed);
    let (templates, services) = (Zipf::new(TEMPLATES.len()), Zipf::new(SERVICES));
    let mut tally = Tally::new(plan);
    let mut batch: BTreeMap<usize, Vec<LogRecord>> = BTreeMap::new();
    let mut held = 0;
    for row in 0..plan.rows {
        let (severity, template) = TEMPLATES[templates.pick(&mut random)];
        let service = services.pick(&mut random);
        let token = format!("tk{}", hex::encode(random.random::<[u8; 6]>()));
        let body = fill(&mut random, template, &token);
        tally.line(&name(service), severity, &body, token);
        batch.entry(service).or_default().push(record(&mut random, plan.time(row), severity, body));
        held += 1;
        if held == plan.batch {
            send(&mut batch, held, emit)?;
            held = 0;
        }
    }
    send(&mut batch, held, emit)?;
    Ok(tally.finish(plan))
}

fn name(service: usize) -> String {
    format!("app-{service:02}")
}

fn send(batch: &mut BTreeMap<usize, Vec<LogRecord>>, rows: usize, emit: Emit<'_>) -> std::io::Result<()> {
    let resource_logs = std::mem::take(batch).into_iter().map(|(service, log_records)| {
        let attributes = vec![
            text("service.name", name(service)),
            text("service.instance.id", format!("{}-{service:05x}", name(service))),
            text("deployment.environment.name", "production"),
        ];
        ResourceLogs {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_logs: vec![ScopeLogs { log_records, ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        }
    });
    let request = ExportLogsServiceRequest { resource_logs: resource_logs.collect() };
    if rows == 0 { Ok(()) } else { emit(&request.encode_to_vec(), rows as u32) }
}

/// Half of the lines belong to a trace.
fn record(random: &mut SmallRng, time: u64, severity: i32, body: String) -> LogRecord {
    let (trace, span): ([u8; 16], [u8; 8]) = (random.random(), random.random());
    let traced = random.random_ratio(1, 2);
    LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: time + 1_000_000,
        severity_number: severity,
        severity_text: match severity {
            INFO => "INFO",
            WARN => "WARN",
            _ => "ERROR",
        }
        .to_owned(),
        body: Some(any(Value::StringValue(body))),
        attributes: vec![
            text("thread.name", format!("worker-{}", random.random_range(0..64))),
            text("code.function.name", format!("shop.handler.h{}", random.random_range(0..200))),
            text("enduser.id", user(random)),
            int("code.line.number", random.random_range(1..2_000)),
        ],
        trace_id: if traced { trace.to_vec() } else { Vec::new() },
        span_id: if traced { span.to_vec() } else { Vec::new() },
        ..LogRecord::default()
    }
}

fn user(random: &mut SmallRng) -> String {
    format!("u{:06}", random.random_range(0..1_000_000))
}

fn fill(random: &mut SmallRng, template: &str, token: &str) -> String {
    let mut line = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (slot, after) = after.split_once('}').unwrap_or((after, ""));
        line.push_str(before);
        match slot {
            "token" => line.push_str(token),
            "user" => line.push_str(&user(random)),
            "ms" => line.push_str(&random.random_range(1..5_000).to_string()),
            "host" => line.push_str(&format!("node-{}.internal", random.random_range(0..100))),
            "ip" => line.push_str(&format!("10.0.{}.{}", random.random_range(0..256), random.random_range(1..255))),
            _ => line.push_str(&random.random_range(1..1_000_000).to_string()),
        }
        rest = after;
    }
    line.push_str(rest);
    line
}

struct Tally {
    random: SmallRng,
    content: Content,
    tokens: Reservoir<String>,
    /// Lines that the questions of [`Tally::questions`] match, in its order.
    found: Vec<u64>,
}

impl Tally {
    fn new(plan: &Plan) -> Self {
        let random = SmallRng::seed_from_u64(plan.seed ^ 0x5eed);
        let found = vec![0; Self::questions().len()];
        Self { random, content: Content::default(), tokens: Reservoir::new(SAMPLE), found }
    }

    fn questions() -> [(&'static str, Question); 5] {
        let words = |words: &[&str]| Question::Words(words.iter().map(|&word| word.to_owned()).collect());
        [
            ("log term, common", words(&[COMMON])),
            ("log term, less common", words(&MANY_OF_FEW)),
            ("log phrase", Question::Phrase(PHRASE.to_owned())),
            ("log, three terms", words(&THREE)),
            ("log term, Chinese", words(&[CHINESE])),
        ]
    }

    fn line(&mut self, service: &str, severity: i32, body: &str, token: String) {
        let failed = u64::from(severity >= ERROR);
        let rows = self.content.services.entry(service.to_owned()).or_default();
        rows.rows += 1;
        rows.errors += failed;
        self.content.rows += 1;
        self.content.errors += failed;
        self.tokens.offer(&mut self.random, || token);
        for ((_, question), found) in Self::questions().iter().zip(&mut self.found) {
            *found += u64::from(match question {
                Question::Words(words) => words.iter().all(|word| body.contains(word.as_str())),
                Question::Phrase(phrase) => body.contains(phrase.as_str()),
                _ => false,
            });
        }
    }

    fn finish(self, plan: &Plan) -> Manifest {
        let rare = |token: &String| Asked { question: Question::Words(vec![token.clone()]), at_least: 1 };
        let sample: Vec<Asked> = self.tokens.into_kept().iter().map(rare).collect();
        let group = |name: &str, questions| Group { name: name.to_owned(), questions };
        let mut groups = vec![group("log term, rare", sample.iter().take(50).cloned().collect())];
        groups.extend(Self::questions().into_iter().zip(self.found).map(|((name, question), found)| {
            let at_least = found.min(LINES);
            group(name, vec![Asked { question, at_least }])
        }));
        let at_least = self.content.services.len() as u64;
        groups.push(group("log lines by service", vec![Asked { question: Question::CountByService, at_least }]));
        plan.manifest(self.content, sample, groups)
    }
}
