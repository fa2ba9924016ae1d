//! When what happens: traces by number, incidents and faults by the clock, releases.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::marks::{Mark, Marks};
use super::scenario::{FAST_CLOCK, INCIDENTS, INJECTIONS, RELEASES, SINGLE};
use super::shape::{BURST_EVERY_S, BURST_S, Effect, Fault, Incident, Injection, PERIOD_S, Place, Release, Service};

const SECOND: u64 = 1_000_000_000;

/// Decides everything that is not chance: the same story has the same traces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Story {
    pub(super) seed: u64,
    /// Ns since the epoch; incidents count from here.
    pub(super) begin_ns: u64,
    /// What is told as a share of the story is a share of this, ns.
    pub(super) length_ns: u64,
    pub(super) marks: Marks,
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

/// Where instances run.
pub(super) const ZONES: [&str; 2] = ["cn-east-1a", "cn-east-1b"];

impl Instance {
    pub(super) fn zone(self) -> &'static str {
        ZONES[self.number as usize % 2]
    }
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
            _ => None,
        })
    }

    /// How many times longer than usual a visit at this time takes.
    pub(super) fn slowness(&self, visit: Place, at_ns: u64, dice: &mut SmallRng) -> f64 {
        self.effects(visit, at_ns, dice)
            .filter_map(|effect| match effect {
                Effect::Slow(times) => Some(*times),
                _ => None,
            })
            .product()
    }

    /// What happens to a visit at this time, by chance.
    pub(super) fn effects(
        &self,
        visit: Place,
        at_ns: u64,
        dice: &mut SmallRng,
    ) -> impl Iterator<Item = &'static Effect> {
        let incidents = self.incidents(at_ns).map(|incident| (incident.place, incident.share, &incident.effect));
        let injected = self.injections(at_ns).map(|one| (one.place, one.share, &one.effect));
        incidents
            .chain(injected)
            .filter(move |(place, ..)| *place == visit)
            .filter(|(_, share, _)| dice.random_bool(*share))
            .map(|(.., effect)| effect)
    }

    /// Names of what goes wrong at this time, apart from what does so always.
    pub(super) fn news(&self, at_ns: u64) -> Vec<String> {
        let now = self.incidents(at_ns).filter(|incident| incident.seconds < PERIOD_S);
        now.map(|incident| incident.name.to_owned()).chain(self.marks.names()).collect()
    }

    fn incidents(&self, at_ns: u64) -> impl Iterator<Item = &'static Incident> + use<> {
        let second = at_ns.saturating_sub(self.begin_ns) / SECOND % PERIOD_S;
        let everyday = self.marks.has(Mark::Everyday);
        INCIDENTS
            .iter()
            .filter(move |incident| everyday && (incident.from..incident.from + incident.seconds).contains(&second))
    }

    fn injections(&self, at_ns: u64) -> impl Iterator<Item = &'static Injection> + use<> {
        let story = *self;
        let second = at_ns.saturating_sub(self.begin_ns) / SECOND % BURST_EVERY_S;
        INJECTIONS.iter().filter(move |one| {
            story.marks.has(one.mark) && at_ns >= story.moment_ns(one.since) && (!one.bursts || second < BURST_S)
        })
    }

    /// When so much of the story is over.
    pub(super) fn moment_ns(&self, share: f64) -> u64 {
        self.begin_ns + (self.length_ns as f64 * share) as u64
    }

    /// How many of a service run.
    pub(super) fn instances(&self, service: &'static Service) -> u32 {
        let alone = self.marks.has(Mark::SingleInstance) && std::ptr::eq(service, SINGLE);
        if alone { 1 } else { service.instances }
    }

    pub(super) fn instance(&self, service: &'static Service, number: u32, at_ns: u64) -> Instance {
        let newest = self.releases(service).filter(|release| at_ns >= self.upgrade_ns(release, number)).last();
        Instance { service, number, version: newest.map_or(service.version, |release| release.version) }
    }

    /// The releases of a service, oldest first.
    fn releases(&self, service: &'static Service) -> impl Iterator<Item = &'static Release> + use<> {
        let marks = self.marks;
        RELEASES.iter().filter(move |release| marks.has(release.mark) && std::ptr::eq(release.service, service))
    }

    /// When the instance gets the version.
    fn upgrade_ns(&self, release: &Release, number: u32) -> u64 {
        self.moment_ns(release.at) + u64::from(number) * release.seconds_between_instances * SECOND
    }

    /// What a new version gets wrong.
    pub(super) fn trouble(&self, by: Instance, at_ns: u64, dice: &mut SmallRng) -> Option<&'static Fault> {
        let release = self.releases(by.service).find(|release| release.version == by.version)?;
        let trouble = release.trouble.as_ref()?;
        let since = at_ns.saturating_sub(self.moment_ns(release.at));
        let still = trouble.seconds.is_none_or(|seconds| since < seconds * SECOND);
        (still && dice.random_bool(trouble.share)).then_some(trouble.fault)
    }

    /// How far the clock of the instance is ahead, ns.
    pub(super) fn clock_ahead_ns(&self, by: Instance) -> u64 {
        let (service, number, ahead_ns) = FAST_CLOCK;
        let off = self.marks.has(Mark::ClockSkew) && std::ptr::eq(by.service, service) && by.number == number;
        if off { ahead_ns } else { 0 }
    }
}
