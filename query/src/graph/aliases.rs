//! Which service answers under the name that its callers have for it, an address as a rule: learned from
//! calls of which both sides are stored.

use hashbrown::{HashMap, HashSet};

use super::peer;
use crate::rollup::{Key, Place, PlaceKind};

/// Services by the peer that their callers name.
#[derive(Default)]
pub(crate) struct Aliases<'a> {
    /// None: several services answered, as behind a gateway that sends no spans.
    services: HashMap<&'a str, Option<&'a str>>,
    /// Names of services that are seen.
    seen: HashSet<&'a str>,
}

impl<'a> Aliases<'a> {
    /// What a key tells, whenever it counted.
    pub(crate) fn learn(&mut self, key: &'a Key) {
        match key {
            Key::Edge { source, target, alias, protocol, .. } => {
                for place in [source, target].into_iter().filter(|place| place.kind == PlaceKind::Service) {
                    self.seen.insert(&place.name);
                }
                if target.kind == PlaceKind::Service && !alias.is_empty() && !peer::topic(alias, protocol) {
                    let known = self.services.entry(alias).or_insert(Some(&target.name));
                    if *known != Some(&target.name) {
                        *known = None;
                    }
                }
            }
            Key::Serve { service, .. } | Key::Presence { service, .. } => {
                self.seen.insert(service);
            }
        }
    }

    /// A peer is a service where it bears the name of one that is seen, or where only that service ever
    /// answered under its name. The service's own span was not sent, is still on its way, or never began:
    /// the call was refused (breaker open, no provider) or failed before it arrived.
    pub(crate) fn service(&self, place: &'a Place) -> Option<&'a str> {
        if place.kind != PlaceKind::External {
            return None;
        }
        let name = place.name.as_str();
        if self.seen.contains(name) { Some(name) } else { self.services.get(name).copied().flatten() }
    }
}
