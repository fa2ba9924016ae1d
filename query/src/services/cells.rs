//! The cells that answers about services are made of: by the minute what is told by time, the rest as sums.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range as Span;
use std::sync::Arc;

use hashbrown::HashSet;
use storage::rollup::{Cell, Minute};
use storage::store::{Counted, Part};

use super::Scope;
use super::inventory::{GONE_MINUTES, seen};
use crate::engine::{Engine, QueryError};
use crate::graph::draw;
use crate::model::Notes;
use crate::rollup::{Cells, Grain, Key, PlaceKind, Series, calls_of, minutes, slot};

/// Whom cells are for.
#[derive(Clone, Debug)]
pub(super) enum Whom {
    All,
    /// One service; its calls as one by the minute.
    Service(String),
    /// One service; its calls by the minute, version and operation.
    Versions(String),
}

/// Cells of an environment, or of all. By the minute: instances, and what is said above. All else, calls between
/// services too, is one cell of the first minute; of the last, where a service that has fallen silent is called
/// still. Of what does not concern the one service, only calls are counted.
pub(super) struct Scoped {
    pub(super) cells: Cells,
    /// Calls that the one service served.
    pub(super) served: BTreeMap<Minute, Cell>,
    pub(super) notes: Notes,
}

impl Engine {
    pub(super) async fn scoped_cells(&self, scope: &Scope, whom: Whom) -> Result<Scoped, QueryError> {
        let minutes = minutes(scope.range);
        let keys = whom.name().map(|name| match whom {
            Whom::Service(_) => Key::served_by(name, scope.environment.as_deref()),
            _ => Key::served_by(name, None),
        });
        let of = |grain: fn(Arc<[u8]>) -> Grain, keys: Vec<u8>| (minutes.clone(), grain(keys.into()));
        let mut asked = vec![(minutes.clone(), Grain::Hour), of(Grain::MinuteOf, Key::presences())];
        asked.extend(keys.clone().map(|keys| match whom {
            Whom::Service(_) => of(Grain::MinuteSum, keys),
            _ => of(Grain::MinuteOf, keys),
        }));
        let (whole, for_whom) = (minutes.clone(), whom.clone());
        let mut scoped = self
            .counted(asked, move |counted, _| {
                let mut notes = Notes::of(&counted.snapshot);
                notes.warnings.extend_from_slice(&counted.warnings);
                let keys = keys.unwrap_or_default();
                let (cells, served) = cells(counted, whole, &for_whom, &keys);
                Ok(Scoped { cells, served, notes })
            })
            .await?;
        let cells = &mut scoped.cells;
        let recent = minutes.end.saturating_sub(GONE_MINUTES).max(minutes.start)..minutes.end;
        if silent(cells, &recent, whom.name()) {
            let called = self.called(recent.clone()).await?;
            for series in cells.series.iter_mut().filter(|series| called.contains(&series.key)) {
                series.cells =
                    std::mem::take(&mut series.cells).into_values().map(|cell| (recent.end - 1, cell)).collect();
            }
        }
        if let Some(wanted) = &scope.environment {
            cells.series.retain(|series| match &series.key {
                Key::Edge { environment, .. } | Key::Serve { environment, .. } | Key::Presence { environment, .. } => {
                    environment == wanted
                }
            });
        }
        Ok(scoped)
    }

    /// Which calls there were between services within some minutes.
    async fn called(&self, minutes: Span<Minute>) -> Result<HashSet<Key>, QueryError> {
        self.counted(vec![(minutes.clone(), Grain::Hour)], move |counted, _| {
            let parts = counted.parts.concat();
            let sums = draw::sums(&parts, &minutes).into_iter();
            let called = sums.filter(|(key, cell)| matches!(key, Key::Edge { .. }) && cell.counts.get(slot::CALLS) > 0);
            Ok(called.map(|(key, _)| key).collect())
        })
        .await
    }
}

impl Whom {
    fn name(&self) -> Option<&str> {
        match self {
            Whom::All => None,
            Whom::Service(name) | Whom::Versions(name) => Some(name),
        }
    }
}

/// Of what was asked for by [`Engine::scoped_cells`]; `keys` are those of what the one service served.
fn cells(counted: &Counted, minutes: Span<Minute>, whom: &Whom, keys: &[u8]) -> (Cells, BTreeMap<Minute, Cell>) {
    let parts = |number: usize| counted.parts.get(number).map_or::<&[Part], _>(&[], Vec::as_slice);
    let mut cells = Cells::under(parts(1), minutes.clone(), &Key::presences());
    let mut served: BTreeMap<Minute, Cell> = BTreeMap::new();
    match whom {
        Whom::All => {}
        Whom::Service(_) => {
            for (minute, _, cell) in parts(2).iter().flat_map(|(minutes, part)| part.under(minutes.clone(), keys)) {
                served.entry(minute).or_default().merge(cell, 1);
            }
        }
        Whom::Versions(_) => cells.series.append(&mut Cells::under(parts(2), minutes.clone(), keys).series),
    }
    for (key, cell) in draw::sums(parts(0), &minutes).into_iter().filter(|(_, cell)| cell.counts.get(slot::CALLS) > 0) {
        let whole = match (&key, whom.name()) {
            (Key::Presence { .. }, _) => continue,
            (Key::Serve { service, .. }, Some(name)) if matches!(whom, Whom::Versions(_)) && service == name => {
                continue;
            }
            (Key::Serve { service, .. }, name) => name.is_none_or(|name| name == service),
            // Who stands behind an address is not known yet.
            (Key::Edge { source, target, .. }, Some(name)) => {
                let is = |kind| kind == PlaceKind::Service;
                target.kind == PlaceKind::External
                    || [source, target].iter().any(|place| is(place.kind) && place.name == name)
            }
            (Key::Edge { .. }, None) => true,
        };
        let cell = if whole { cell.into_owned() } else { calls_of(&cell) };
        cells.series.push(Series { key, cells: BTreeMap::from([(minutes.start, cell)]) });
    }
    cells.series.sort_by(|a, b| a.key.cmp(&b.key));
    (cells, served)
}

/// Whether a service with instances, or this one, sent nothing within these minutes.
fn silent(cells: &Cells, recent: &Span<Minute>, name: Option<&str>) -> bool {
    let (mut told, mut recently) = (BTreeSet::new(), BTreeSet::new());
    for series in &cells.series {
        let Key::Presence { service, instance, .. } = &series.key else { continue };
        if name.is_some_and(|name| name != service) {
            continue;
        }
        if !instance.is_empty() {
            told.insert(service);
        }
        if seen(series).is_some_and(|seen| seen.last >= recent.start) {
            recently.insert(service);
        }
    }
    !told.is_subset(&recently)
}
