//! The cells that answers about services are made of: by the minute what is told by time, the rest as sums.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range as Span;

use hashbrown::HashSet;
use storage::rollup::Minute;
use storage::store::{Counted, Part};

use super::Scope;
use super::inventory::{GONE_MINUTES, seen};
use crate::engine::{Engine, QueryError};
use crate::graph::draw;
use crate::model::Notes;
use crate::rollup::{Cells, Grain, Key, PlaceKind, Series, calls_of, minutes, slot};

impl Engine {
    /// Cells of an environment, or of all. By the minute: instances, and what the named service served. What
    /// others served, and calls between services, are one cell of the first minute; of the last, where a
    /// service that has fallen silent is called still. Of what does not concern the named service, only calls
    /// are counted.
    pub(super) async fn scoped_cells(&self, scope: &Scope, name: Option<&str>) -> Result<(Cells, Notes), QueryError> {
        let (minutes, service) = (minutes(scope.range), name.map(str::to_owned));
        let mut asked =
            vec![(minutes.clone(), Grain::Hour), (minutes.clone(), Grain::MinuteOf(Key::presences().into()))];
        asked.extend(name.map(|name| (minutes.clone(), Grain::MinuteOf(Key::served_by(name).into()))));
        let whole = minutes.clone();
        let (mut cells, notes) = self
            .counted(asked, move |counted, _| {
                let mut notes = Notes::of(&counted.snapshot);
                notes.warnings.extend_from_slice(&counted.warnings);
                Ok((cells(counted, whole, service.as_deref()), notes))
            })
            .await?;
        let recent = minutes.end.saturating_sub(GONE_MINUTES).max(minutes.start)..minutes.end;
        if silent(&cells, &recent, name) {
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
        Ok((cells, notes))
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

/// Of what was asked for by [`Engine::scoped_cells`].
fn cells(counted: &Counted, minutes: Span<Minute>, name: Option<&str>) -> Cells {
    let parts = |number: usize| counted.parts.get(number).map_or::<&[Part], _>(&[], Vec::as_slice);
    let mut cells = Cells::under(parts(1), minutes.clone(), &Key::presences());
    if let Some(name) = name {
        cells.series.append(&mut Cells::under(parts(2), minutes.clone(), &Key::served_by(name)).series);
    }
    for (key, cell) in draw::sums(parts(0), &minutes).into_iter().filter(|(_, cell)| cell.counts.get(slot::CALLS) > 0) {
        let whole = match (&key, name) {
            (Key::Presence { .. }, _) => continue,
            (Key::Serve { service, .. }, Some(name)) if service == name => continue,
            (Key::Serve { .. }, name) => name.is_none(),
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
    cells
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
