//! Made-up minutes for the tests of the rules.

use storage::ids::{SpanId, TraceId};
use storage::rollup::{Exemplar, NANOS_PER_MINUTE, Rollup};

use super::*;
use crate::engine::Range;
use crate::findings::layers::{Layer, Placed};
use crate::findings::rules::Judge;
use crate::graph::sketch;

/// End of the newest window, in minutes.
pub(crate) const END: Minute = 28_333_340;
pub(crate) const TO: i64 = END * NANOS_PER_MINUTE;

pub(crate) struct World {
    pub(crate) windows: Vec<Window>,
    pub(crate) rollup: Rollup,
    pub(crate) layers: Layers,
    pub(crate) releases: Releases,
    pub(crate) thresholds: Thresholds,
    /// Hours of cells that are known as the day.
    pub(crate) hours: i64,
}

pub(crate) fn svc(name: &str) -> Place {
    Place::service(name)
}

pub(crate) fn db(name: &str) -> Place {
    Place::new(PlaceKind::Database, name)
}

pub(crate) fn user() -> Place {
    Place::new(PlaceKind::User, "")
}

pub(crate) fn trace(number: u64) -> TraceId {
    TraceId(u128::from(number + 1).to_be_bytes())
}

pub(crate) fn span(number: u64) -> SpanId {
    SpanId((number + 1).to_be_bytes())
}

impl World {
    /// So many minutes with spans in which nothing is seen.
    pub(crate) fn new(windows: i64) -> Self {
        let window = |before: i64| {
            let (from, to) = (TO - (before + 1) * NANOS_PER_MINUTE, TO - before * NANOS_PER_MINUTE);
            let mut window = Window::new(Range { from, to });
            (window.spans, window.traces) = (100, 20);
            window
        };
        Self {
            windows: (0..windows).rev().map(window).collect(),
            rollup: Rollup::default(),
            layers: Layers::new(),
            releases: Releases::new(),
            thresholds: Thresholds::default(),
            hours: 0,
        }
    }

    /// In each window `of` and `hits`, each hit in a trace of its own.
    pub(crate) fn seen(mut self, family: Family, parts: &[&str], of: u64, hits: u64) -> Self {
        for (at, window) in self.windows.iter_mut().enumerate() {
            seen(window, family, parts, of, hits, at as u64 * 1_000);
        }
        self
    }

    /// The same in the newest windows alone.
    pub(crate) fn lately(mut self, newest: usize, family: Family, parts: &[&str], of: u64, hits: u64) -> Self {
        let from = self.windows.len() - newest;
        for (at, window) in self.windows.iter_mut().enumerate().skip(from) {
            seen(window, family, parts, of, hits, at as u64 * 1_000);
        }
        self
    }

    /// Calls in each minute of the range before the end, with these slots besides.
    pub(crate) fn edge(
        mut self,
        (source, target): (&Place, &Place),
        operation: &str,
        before: std::ops::Range<i64>,
        calls: i64,
        slots: &[(u16, i64)],
    ) -> Self {
        let mode = if slots.iter().any(|(slot, _)| *slot >= slot::LAG) { Mode::Async } else { Mode::Sync };
        let key = Key::Edge {
            source: source.clone(),
            target: target.clone(),
            alias: String::new(),
            protocol: "http".to_owned(),
            operation: operation.to_owned(),
            mode,
            environment: String::new(),
        };
        self.cells(&key, before, calls, slots);
        self
    }

    pub(crate) fn serve(
        mut self,
        (service, version, operation): (&str, &str, &str),
        before: std::ops::Range<i64>,
        calls: i64,
        errors: i64,
        duration: u64,
    ) -> Self {
        let key = Key::Serve {
            service: service.to_owned(),
            environment: String::new(),
            version: version.to_owned(),
            operation: operation.to_owned(),
            protocol: "http".to_owned(),
        };
        let slots = [(slot::ERRORS, errors), (slot::SERVER + sketch::bucket(duration), calls)];
        self.cells(&key, before, calls, &slots);
        self
    }

    pub(crate) fn presence(
        mut self,
        (service, version, instance): (&str, &str, &str),
        before: std::ops::Range<i64>,
    ) -> Self {
        let key = Key::Presence {
            service: service.to_owned(),
            namespace: String::new(),
            environment: String::new(),
            version: version.to_owned(),
            instance: instance.to_owned(),
            language: String::new(),
        };
        self.cells(&key, before, 50, &[]);
        self
    }

    fn cells(&mut self, key: &Key, before: std::ops::Range<i64>, calls: i64, slots: &[(u16, i64)]) {
        for minute in before.map(|before| END - 1 - before) {
            let cell = self.rollup.cell(minute, &key.encode());
            cell.counts.add(slot::CALLS, calls);
            slots.iter().for_each(|(slot, count)| cell.counts.add(*slot, *count));
            let number = minute as u64;
            let duration = std::cmp::Reverse(number);
            cell.exemplify(Exemplar { fine: true, duration, trace: trace(number), span: span(number) });
        }
    }

    pub(crate) fn layer(mut self, service: &str, layer: Layer) -> Self {
        self.layers.insert(service.to_owned(), Placed { layer, told: true });
        self
    }

    pub(crate) fn release(mut self, service: &str, version: &str, minutes_ago: i64) -> Self {
        let at = TO - minutes_ago * NANOS_PER_MINUTE;
        self.releases.entry(service.to_owned()).or_default().insert(version.to_owned(), at);
        self
    }

    pub(crate) fn judged(&self, judge: Judge) -> Verdict {
        let rollup = std::sync::Arc::new(self.rollup.clone());
        let of = |minutes: std::ops::Range<Minute>| Cells::of(&[(minutes.clone(), rollup.clone())], minutes);
        let cells = of(END - 60..END);
        let day = (self.hours > 0).then(|| of(END - 60 * self.hours..END));
        let case = Case {
            windows: &self.windows,
            cells: &cells,
            day: day.as_ref(),
            layers: &self.layers,
            releases: &self.releases,
            thresholds: &self.thresholds,
            to: TO,
        };
        let mut verdict = Verdict::default();
        judge(&case, &mut verdict);
        verdict
    }

    /// The only finding, which has evidence in both languages.
    #[track_caller]
    pub(crate) fn one(&self, judge: Judge) -> Draft {
        let verdict = self.judged(judge);
        assert_eq!(verdict.found.len(), 1, "{verdict:#?}");
        let found = verdict.found.into_iter().next().expect("one");
        assert!(!found.claim.en.is_empty() && !found.claim.zh.is_empty() && found.n > 0, "{found:#?}");
        found
    }

    /// Nothing is found, and nothing is said.
    #[track_caller]
    pub(crate) fn silent(&self, judge: Judge) {
        assert_eq!(self.judged(judge), Verdict::default());
    }

    /// Nothing is found; the only reason.
    #[track_caller]
    pub(crate) fn reason(&self, judge: Judge) -> String {
        let verdict = self.judged(judge);
        assert_eq!((verdict.found.len(), verdict.unjudged.len()), (0, 1), "{verdict:#?}");
        let reason = &verdict.unjudged[0].reason;
        assert!(!reason.zh.is_empty());
        reason.en.clone()
    }
}

fn seen(window: &mut Window, family: Family, parts: &[&str], of: u64, hits: u64, first: u64) {
    let seen = window.seen(family, parts);
    seen.of += of;
    for hit in 0..hits {
        seen.hit(1, trace(first + hit), [span(first + hit)]);
    }
}
