//! What a run of the demo shows: its everyday, or a healthy shop with the faults that are named.

use clap::ValueEnum;

/// A fault of `--fault`, or one of the two shops that it is shown on. The texts are those of `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mark {
    /// The shop as it is without `--fault`: with the incidents of every day.
    #[value(skip)]
    Everyday,
    /// The healthy shop alone; every other fault comes on top of it
    #[value(name = "none")]
    Healthy,
    /// F1: order asks inventory, which asks order
    CallCycle,
    /// F2: order-worker writes to the tables of order
    SharedDatabase,
    /// F3: one query for each line of an order, one call for each recommended product
    #[value(name = "n-plus-one")]
    NPlusOne,
    /// F4: an order is priced by nine services, one behind the other
    DeepChain,
    /// F5: charges fail, and checkout and the gateway both try again
    RetryStorm,
    /// F6: the gateway gives up on checkout sooner than checkout does on payment, and both go on
    Timeout,
    /// F7: the gateway's circuit breaker before order is open
    BreakerOpen,
    /// F8: recommendations fail, and the gateway answers without
    Degraded,
    /// F9: inventory refuses what is over its limit
    RateLimited,
    /// F10: users ask checkout itself, and not the gateway
    GatewayBypass,
    /// F11: catalog, whom four services call, has one instance
    SingleInstance,
    /// F12: a new version of user fails one time in five
    BadRelease,
    /// F13: cart and inventory are always released together
    LockstepRelease,
    /// F14: order fails, deep in the chain, and all before it with it
    ErrorOrigin,
    /// F15: what is slow of the home page is one query of catalog
    Bottleneck,
    /// F16: what cart asks of catalog arrives with another parent
    LostContext,
    /// F17: the clock of one instance of catalog is 80 ms ahead
    ClockSkew,
    /// F18: inventory falls silent and leaves the registry, while checkout goes on asking
    SilentService,
    /// F19: cart writes a new error, in bursts
    LogBurst,
    /// F19: a token, a key and a card number, all made up, in attributes and logs
    LeakedSecret,
    /// F20: order-worker falls behind its queue
    QueueLag,
    /// F20: answers get lost between two zones, in one direction
    ZonePartition,
}

/// The marks of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks(u32);

impl Marks {
    /// Without a fault it is an everyday.
    pub(super) fn of(faults: &[Mark]) -> Self {
        let base = if faults.is_empty() { Mark::Everyday } else { Mark::Healthy };
        Self(faults.iter().fold(bit(base), |marks, mark| marks | bit(*mark)))
    }

    pub(super) fn has(self, mark: Mark) -> bool {
        self.0 & bit(mark) != 0
    }

    pub(super) fn any(self, marks: &[Mark]) -> bool {
        marks.iter().any(|mark| self.has(*mark))
    }

    /// What was injected, as `--fault` names it.
    pub(super) fn names(self) -> Vec<String> {
        let injected = Mark::value_variants().iter().filter(|mark| **mark != Mark::Healthy && self.has(**mark));
        injected.filter_map(|mark| Some(mark.to_possible_value()?.get_name().to_owned())).collect()
    }
}

fn bit(mark: Mark) -> u32 {
    1 << mark as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_an_everyday_or_a_healthy_shop_with_faults() {
        let everyday = Marks::of(&[]);
        assert!(everyday.has(Mark::Everyday) && !everyday.has(Mark::Healthy) && everyday.names().is_empty());
        let healthy = Marks::of(&[Mark::Healthy]);
        assert!(healthy.has(Mark::Healthy) && !healthy.has(Mark::Everyday) && healthy.names().is_empty());
        let two = Marks::of(&[Mark::ZonePartition, Mark::NPlusOne]);
        assert!(two.has(Mark::Healthy) && two.any(&[Mark::CallCycle, Mark::NPlusOne]) && !two.has(Mark::CallCycle));
        assert_eq!(two.names(), ["n-plus-one", "zone-partition"]);
    }

    #[test]
    fn every_fault_has_a_name_and_only_the_everyday_none() {
        let names: Vec<_> = Mark::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
        assert_eq!(names.len(), 23);
        assert!(names.iter().all(|name| name.get_help().is_some() && name.get_name() != "everyday"));
    }
}
