//! When what happens: traces by number, incidents by the clock, the release.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::scenario::{INCIDENTS, RELEASE};
use super::shape::{Effect, Fault, Incident, PERIOD_S, Place, Service};

const SECOND: u64 = 1_000_000_000;

/// Decides everything that is not chance: the same story has the same traces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Story {
    pub(super) seed: u64,
    /// Ns since the epoch; incidents count from here.
    pub(super) begin_ns: u64,
    /// When the first instance gets the new version.
    pub(super) release_ns: u64,
}

/// A stretch of traffic: trace `first` begins at `begin_ns`, the next about `gap_ns` later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traffic {
    pub(super) first: u64,
    pub(super) begin_ns: u64,
    pub(super) gap_ns: u64,
}

/// An instance of a service, at a version.
#[derive(Clone, Copy)]
pub(super) struct Instance {
    pub(super) service: &'static Service,
    pub(super) number: u32,
    pub(super) version: &'static str,
}

impl Story {
    /// The dice of a trace, or of another numbered thing.
    ///
    /// The beginning is in the seed, so that a story told again later does not use the same trace ids again.
    pub(super) fn dice(&self, number: u64) -> SmallRng {
        let story = self.seed ^ self.begin_ns.wrapping_mul(0xd6e8_feb8_6659_fd93);
        SmallRng::seed_from_u64(story.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    pub(super) fn start_ns(&self, traffic: &Traffic, number: u64) -> u64 {
        // Not the dice of the trace itself: its first throw would then always be this one.
        let share: f64 = self.dice(!number).random();
        traffic.begin_ns + (number - traffic.first) * traffic.gap_ns + (share * traffic.gap_ns as f64) as u64
    }

    /// The fault that a visit at this time meets, if any.
    pub(super) fn fault(&self, visit: Place, at_ns: u64, dice: &mut SmallRng) -> Option<&'static Fault> {
        self.effects(visit, at_ns, dice).find_map(|effect| match effect {
            Effect::Fail(fault) => Some(*fault),
            Effect::Slow(_) => None,
        })
    }

    /// How many times longer than usual a visit at this time takes.
    pub(super) fn slowness(&self, visit: Place, at_ns: u64, dice: &mut SmallRng) -> f64 {
        self.effects(visit, at_ns, dice)
            .filter_map(|effect| match effect {
                Effect::Slow(times) => Some(*times),
                Effect::Fail(_) => None,
            })
            .product()
    }

    fn effects(&self, visit: Place, at_ns: u64, dice: &mut SmallRng) -> impl Iterator<Item = &'static Effect> {
        self.incidents(at_ns)
            .filter(move |incident| incident.place == visit)
            .filter(|incident| dice.random_bool(incident.share))
            .map(|incident| &incident.effect)
    }

    /// Names of what goes wrong at this time, apart from what does so always.
    pub(super) fn news(&self, at_ns: u64) -> Vec<&'static str> {
        let now = self.incidents(at_ns).filter(|incident| incident.seconds < PERIOD_S);
        now.map(|incident| incident.name).collect()
    }

    fn incidents(&self, at_ns: u64) -> impl Iterator<Item = &'static Incident> + use<> {
        let second = at_ns.saturating_sub(self.begin_ns) / SECOND % PERIOD_S;
        INCIDENTS.iter().filter(move |incident| (incident.from..incident.from + incident.seconds).contains(&second))
    }

    pub(super) fn instance(&self, service: &'static Service, number: u32, at_ns: u64) -> Instance {
        let upgraded = self.upgrade_ns(service, number).is_some_and(|upgrade| at_ns >= upgrade);
        Instance { service, number, version: if upgraded { RELEASE.version } else { service.version } }
    }

    /// When the instance gets its new version, if its service is released.
    fn upgrade_ns(&self, service: &Service, number: u32) -> Option<u64> {
        let released = std::ptr::eq(service, RELEASE.service);
        released.then(|| self.release_ns + u64::from(number) * RELEASE.seconds_between_instances * SECOND)
    }

    /// What a new version gets wrong at first.
    pub(super) fn trouble(&self, by: Instance, at_ns: u64, dice: &mut SmallRng) -> Option<&'static Fault> {
        let released = by.version == RELEASE.version && std::ptr::eq(by.service, RELEASE.service);
        let fresh = at_ns < self.release_ns + RELEASE.trouble_seconds * SECOND;
        (released && fresh && dice.random_bool(RELEASE.trouble_share)).then_some(RELEASE.trouble)
    }
}
