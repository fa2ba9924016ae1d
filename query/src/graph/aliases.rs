//! Which service answers under the name that its callers have for it, an address as a rule: learned from
//! calls of which both sides are stored.

use std::borrow::Cow;

use hashbrown::{HashMap, HashSet};

use super::peer;
use crate::rollup::{Key, Mode, Place, PlaceKind};

/// Services by the peer that their callers name.
#[derive(Default)]
pub(crate) struct Aliases<'a> {
    /// None: several services answered, as behind a gateway that sends no spans.
    services: HashMap<Cow<'a, str>, Option<&'a str>>,
    /// Names of services that are seen.
    seen: HashSet<&'a str>,
}

impl<'a> Aliases<'a> {
    /// What a key tells, whenever it counted.
    pub(crate) fn learn(&mut self, key: &'a Key) {
        match key {
            Key::Edge { source, target, alias, protocol, mode, .. } => {
                for place in [source, target].into_iter().filter(|place| place.kind == PlaceKind::Service) {
                    self.seen.insert(&place.name);
                }
                let topic = *mode == Mode::Async && peer::topic(alias, protocol);
                if target.kind == PlaceKind::Service && !alias.is_empty() && !topic {
                    self.answers(Cow::Borrowed(alias), &target.name);
                }
            }
            Key::Serve { service, operation, protocol, .. } => {
                self.seen.insert(service);
                // A call that finds no address names the interface alone: `protocol:interface`.
                if let Some((interface, _)) = operation.rsplit_once('/')
                    && !interface.is_empty()
                    && !interface.contains(' ')
                {
                    self.answers(Cow::Owned(format!("{protocol}:{interface}")), service);
                }
            }
            Key::Presence { service, .. } => {
                self.seen.insert(service);
            }
        }
    }

    fn answers(&mut self, name: Cow<'a, str>, service: &'a str) {
        let known = self.services.entry(name).or_insert(Some(service));
        if *known != Some(service) {
            *known = None;
        }
    }

    /// A peer is a service where it bears the name of one that is seen, or where only that service ever
    /// answered under its name. The service's own span was not sent, is still on its way, or never began:
    /// the call was refused (breaker open, no provider) or failed before it arrived.
    pub(crate) fn service(&self, place: &'a Place) -> Option<&'a str> {
        if place.kind != PlaceKind::External {
            return None;
        }
        self.named(&place.name)
    }

    /// The same by the name alone.
    pub(crate) fn named(&self, name: &str) -> Option<&'a str> {
        self.seen.get(name).copied().or_else(|| self.services.get(name).copied().flatten())
    }
}
