//! Which service answers under the name that its callers have for it, an address as a rule: learned from
//! calls of which both sides are stored.

use hashbrown::HashMap;

use super::intern::Name;

/// Services by the peer that their callers name.
#[derive(Default)]
pub(crate) struct Aliases {
    /// None: several services answered, as behind a gateway that sends no spans.
    services: HashMap<Name, Option<Name>>,
}

impl Aliases {
    /// `service` answered a call to `peer`.
    pub(crate) fn learn(&mut self, peer: Name, service: Name) {
        let known = self.services.entry(peer).or_insert(Some(service));
        if *known != Some(service) {
            *known = None;
        }
    }

    /// The only service that ever answered under this name.
    pub(crate) fn service(&self, peer: Name) -> Option<Name> {
        self.services.get(&peer).copied().flatten()
    }
}
