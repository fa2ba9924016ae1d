//! Cells made by hand, for tests of this module.

use std::cmp::Reverse;
use std::sync::Arc;

use storage::ids::{SpanId, TraceId};
use storage::rollup::{Exemplar, Minute, Rollup};

use crate::graph::sketch;
use crate::rollup::{Cells, Key, Mode, OUTCOMES, Place, PlaceKind, slot};

/// Cells in the making.
#[derive(Default)]
pub(crate) struct Made {
    rollup: Rollup,
}

/// Calls served: so many of so many ns, and how many of them fail with which outcome.
#[derive(Clone, Copy)]
pub(crate) struct Served<'a> {
    pub(crate) operation: &'a str,
    pub(crate) calls: u64,
    pub(crate) duration: u64,
    pub(crate) errors: u64,
    pub(crate) outcome: &'a str,
}

pub(crate) fn user() -> Place {
    Place::new(PlaceKind::User, "")
}

pub(crate) fn service(name: &str) -> Place {
    Place::service(name)
}

pub(crate) fn database(name: &str) -> Place {
    Place::new(PlaceKind::Database, name)
}

pub(crate) fn served(operation: &str, calls: u64, duration: u64) -> Served<'_> {
    Served { operation, calls, duration, errors: 0, outcome: "error" }
}

impl Made {
    /// Calls, paired where both are services.
    pub(crate) fn edge(&mut self, minute: Minute, source: Place, target: Place, calls: u64) {
        let paired = [&source, &target].iter().all(|place| place.kind == PlaceKind::Service);
        let key = Key::Edge {
            source,
            target,
            alias: String::new(),
            protocol: "http".to_owned(),
            operation: "op".to_owned(),
            mode: Mode::Sync,
            environment: "prod".to_owned(),
        };
        let counts = &mut self.rollup.cell(minute, &key.encode()).counts;
        counts.add(slot::CALLS, calls as i64);
        if paired {
            counts.add(slot::PAIRED, calls as i64);
        }
    }

    pub(crate) fn presence(&mut self, minute: Minute, service: &str, version: &str, instance: &str, spans: u64) {
        let key = Key::Presence {
            service: service.to_owned(),
            namespace: "shop".to_owned(),
            environment: "prod".to_owned(),
            version: version.to_owned(),
            instance: instance.to_owned(),
            language: "go".to_owned(),
        };
        self.rollup.cell(minute, &key.encode()).counts.add(slot::CALLS, spans as i64);
    }

    pub(crate) fn serve(&mut self, minute: Minute, service: &str, version: &str, served: Served<'_>) {
        let key = Key::Serve {
            service: service.to_owned(),
            environment: "prod".to_owned(),
            version: version.to_owned(),
            operation: served.operation.to_owned(),
            protocol: "http".to_owned(),
        };
        let cell = self.rollup.cell(minute, &key.encode());
        cell.counts.add(slot::CALLS, served.calls as i64);
        cell.counts.add(slot::ERRORS, served.errors as i64);
        cell.counts.add(slot::SERVER + sketch::bucket(served.duration), served.calls as i64);
        let outcome = OUTCOMES.iter().position(|known| *known == served.outcome).expect("an outcome");
        cell.counts.add(slot::OUTCOME + outcome as u16, served.errors as i64);
        cell.exemplify(Exemplar {
            fine: served.errors == 0,
            duration: Reverse(served.duration),
            trace: TraceId([minute as u8; 16]),
            span: SpanId([1; 8]),
        });
    }

    /// Of the minutes 0 to 60.
    pub(crate) fn cells(&self) -> Cells {
        Cells::of(&[(0..60, Arc::new(self.rollup.clone()))], 0..60)
    }
}
