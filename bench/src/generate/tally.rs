//! What was generated is counted as it passes, and questions are drawn from it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proto::otlp::messages::common::v1::any_value::Value;
use proto::otlp::messages::common::v1::{AnyValue, KeyValue};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::Plan;
use super::model::LARGEST;
use super::random::Reservoir;
use super::spans::{Common, Made, SpanSource};
use crate::manifest::{Asked, Attribute, Content, Group, Manifest, Question, Search, TRACES};

/// Traces that are asked for by id, and verified.
const SAMPLE: usize = 1000;
const HITS: usize = 300;
const NEIGHBOURS: usize = 100;
/// Searches of one kind, with other values each.
const SPOTS: usize = 20;
/// What a search for slow spans asks for.
const SLOW_MS: u64 = 1000;

/// Id and spans of a trace.
type Whole = (String, u64);

pub(super) struct SpanTally {
    /// Its own, so that what is sampled does not change what is generated.
    random: SmallRng,
    plan: Plan,
    content: Content,
    sample: Reservoir<Whole>,
    oldest: Vec<Whole>,
    newest: VecDeque<Whole>,
    single: Reservoir<Whole>,
    large: Vec<Whole>,
    spots: Reservoir<Spot>,
    matching: Matching,
    /// Those whose matching span is of the service.
    by_service: BTreeMap<String, Matching>,
    roots: BTreeMap<String, u64>,
}

/// Traces that searches find.
#[derive(Clone, Copy, Default)]
struct Matching {
    all: u64,
    failed: u64,
    slow: u64,
    common: u64,
}

impl Matching {
    /// Counts a trace of which these spans are looked at.
    fn add<'a>(&mut self, common: &Common, spans: impl Iterator<Item = &'a Made> + Clone) {
        self.all += 1;
        self.failed += u64::from(spans.clone().any(is_error));
        self.slow += u64::from(spans.clone().any(is_slow));
        self.common += u64::from(common.resource || spans.clone().any(|made| has(&made.span.attributes, common)));
    }
}

/// A span to look for.
struct Spot {
    service: String,
    operation: String,
    attributes: Vec<Attribute>,
}

impl SpanTally {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            random: SmallRng::seed_from_u64(plan.seed ^ 0x5eed),
            plan: *plan,
            content: Content::default(),
            sample: Reservoir::new(SAMPLE),
            oldest: Vec::new(),
            newest: VecDeque::new(),
            single: Reservoir::new(NEIGHBOURS),
            large: Vec::new(),
            spots: Reservoir::new(SPOTS),
            matching: Matching::default(),
            by_service: BTreeMap::new(),
            roots: BTreeMap::new(),
        }
    }

    pub(super) fn trace(&mut self, source: &dyn SpanSource, trace: &[Made]) {
        let Some(root) = trace.first() else { return };
        let whole = (hex::encode(&root.span.trace_id), trace.len() as u64);
        self.count(source, trace);
        *self.roots.entry(source.service(root.service)).or_default() += 1;
        self.sample.offer(&mut self.random, || whole.clone());
        if self.oldest.len() < NEIGHBOURS {
            self.oldest.push(whole.clone());
        }
        if self.newest.len() == NEIGHBOURS {
            self.newest.pop_front();
        }
        self.newest.push_back(whole.clone());
        if trace.len() == 1 {
            self.single.offer(&mut self.random, || whole.clone());
        }
        if trace.len() >= LARGEST / 2 {
            self.large.push(whole);
        }
        let at = self.random.random_range(0..trace.len());
        self.spots.offer(&mut self.random, || Spot::of(source, &trace[at]));
    }

    fn count(&mut self, source: &dyn SpanSource, trace: &[Made]) {
        let common = source.common();
        self.content.traces += 1;
        for made in trace {
            let failed = u64::from(is_error(made));
            let rows = self.content.services.entry(source.service(made.service)).or_default();
            rows.rows += 1;
            rows.errors += failed;
            self.content.rows += 1;
            self.content.errors += failed;
        }
        self.matching.add(&common, trace.iter());
        let services: BTreeSet<usize> = trace.iter().map(|made| made.service).collect();
        for service in services {
            let own = self.by_service.entry(source.service(service)).or_default();
            own.add(&common, trace.iter().filter(|made| made.service == service));
        }
    }

    pub(super) fn finish(mut self, source: &dyn SpanSource) -> Manifest {
        let asked = |(id, spans): Whole| Asked { question: Question::Trace(id), at_least: spans };
        let misses: Vec<Asked> = (0..HITS).map(|_| asked((hex::encode(self.random.random::<[u8; 16]>()), 0))).collect();
        let root = self.roots.iter().max_by_key(|(_, count)| **count).map(|(name, _)| name.clone());
        let root = root.unwrap_or_default();
        let searches = self.searches(source, &root);
        let sample = self.sample.into_kept();
        let whole = |list: Vec<Whole>| list.into_iter().map(asked).collect::<Vec<_>>();
        let skeleton = |(id, spans): &Whole| Asked { question: Question::Skeleton(id.clone()), at_least: *spans };
        let mut groups = vec![
            ("trace by id, hit", whole(sample.iter().take(HITS).cloned().collect())),
            ("trace by id, miss", misses),
            ("trace by id, newest", whole(self.newest.into())),
            ("trace by id, oldest", whole(self.oldest)),
            ("trace by id, 1 span", whole(self.single.into_kept())),
            ("trace by id, 10k spans", whole(self.large)),
            ("trace by id, columns of the waterfall", sample.iter().take(HITS).map(skeleton).collect()),
        ];
        groups.extend(searches);
        groups.extend([
            ("tag values", vec![Asked { question: Question::TagValues(source.tag().to_owned()), at_least: 1 }]),
            ("service graph, 24 h", vec![Asked { question: Question::Graph, at_least: 1 }]),
            ("RED of a service", vec![Asked { question: Question::Red(root), at_least: 1 }]),
        ]);
        let groups = groups.into_iter().filter(|(_, questions)| !questions.is_empty());
        let groups = groups.map(|(name, questions)| Group { name: name.to_owned(), questions }).collect();
        self.plan.manifest(self.content, whole(sample), groups)
    }

    fn searches(&mut self, source: &dyn SpanSource, root: &str) -> Vec<(&'static str, Vec<Asked>)> {
        let one = |search: Search, at_least: u64| Asked { question: Question::Traces(search), at_least };
        let (every, own) = (self.matching, self.by_service.get(root).copied().unwrap_or_default());
        let all = |of: fn(&Matching) -> u64, search: Search| {
            let (within, within_at_least) = (root.to_owned(), of(&own).min(TRACES));
            vec![one(Search { within, within_at_least, ..search }, of(&every).min(TRACES))]
        };
        let spots = std::mem::replace(&mut self.spots, Reservoir::new(0)).into_kept();
        let each = |search: &dyn Fn(&Spot) -> Search| spots.iter().map(|spot| one(search(spot), 1)).collect();
        let with = |spot: &Spot, count: usize| Search {
            attributes: spot.attributes.iter().take(count).cloned().collect(),
            within: spot.service.clone(),
            within_at_least: 1,
            ..Search::default()
        };
        let Common { resource, key, value } = source.common();
        let common = Attribute { resource, key: key.to_owned(), value: value.to_owned(), number: false };
        let mut searches = vec![
            ("search, newest of all", all(|matching| matching.all, Search::default())),
            (
                "search, service and operation",
                each(&|spot| Search {
                    service: Some(spot.service.clone()),
                    operation: Some(spot.operation.clone()),
                    within: spot.service.clone(),
                    within_at_least: 1,
                    ..Search::default()
                }),
            ),
            ("search, a rare attribute", each(&|spot| with(spot, 1))),
            ("search, two attributes", each(&|spot| with(spot, 2))),
            (
                "search, a common attribute",
                all(|matching| matching.common, Search { attributes: vec![common], ..Search::default() }),
            ),
            ("search, errors", all(|matching| matching.failed, Search { errors: true, ..Search::default() })),
        ];
        if every.slow > 0 {
            let slow = Search { longer_than_ms: Some(SLOW_MS), ..Search::default() };
            searches.push(("search, longer than 1 s", all(|matching| matching.slow, slow)));
        }
        searches
    }
}

impl Spot {
    fn of(source: &dyn SpanSource, made: &Made) -> Self {
        let list = &made.span.attributes;
        let once = |key: &str| list.iter().filter(|attribute| attribute.key == key).count() == 1;
        let rare = source.rare();
        let wanted = list.iter().filter(|attribute| once(&attribute.key));
        let wanted = wanted.filter(|attribute| rare.is_empty() || rare.contains(&attribute.key.as_str()));
        Self {
            service: source.service(made.service),
            operation: made.span.name.clone(),
            attributes: wanted.take(2).map(attribute).collect(),
        }
    }
}

fn attribute(pair: &KeyValue) -> Attribute {
    let (value, number) = match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => (text.clone(), false),
        Some(Value::IntValue(number)) => (number.to_string(), true),
        other => unreachable!("no shape has rare attributes such as {other:?}"),
    };
    Attribute { resource: false, key: pair.key.clone(), value, number }
}

fn is_error(made: &Made) -> bool {
    made.span.status.as_ref().is_some_and(|status| status.code == 2)
}

fn is_slow(made: &Made) -> bool {
    made.span.end_time_unix_nano - made.span.start_time_unix_nano > SLOW_MS * 1_000_000
}

fn has(attributes: &[KeyValue], common: &Common) -> bool {
    let value = AnyValue { value: Some(Value::StringValue(common.value.to_owned())) };
    attributes.iter().any(|pair| pair.key == common.key && pair.value.as_ref() == Some(&value))
}
