//! The rules: what each says, what it compares with, and the function that judges.

use super::judge::{Case, Verdict};
use super::model::{Severity, Words};
use super::thresholds::{COMMON, Threshold};

pub(super) mod f01_call_cycle;
pub(super) mod f02_shared_database;
pub(super) mod f03_chatty;
pub(super) mod f04_deep_chain;
pub(super) mod f05_retry_storm;
pub(super) mod f06_timeout;
pub(super) mod f07_breaker_open;
pub(super) mod f08_degraded;
pub(super) mod f09_limited;
pub(super) mod f10_layering;
pub(super) mod f11_single_instance;
pub(super) mod f12_bad_release;
pub(super) mod f13_lockstep;
pub(super) mod f14_error_origin;
pub(super) mod f15_bottleneck;
pub(super) mod f16_blind_spot;
pub(super) mod f17_clock_skew;
pub(super) mod f18_silent;
pub(super) mod f19_logs;
pub(super) mod f20_lag;

/// One rule, as people read it.
#[derive(Debug)]
pub struct Rule {
    /// `F1` to `F20`.
    pub id: &'static str,
    pub name: &'static str,
    /// Which principle of governance it guards.
    pub principle: &'static str,
    /// Changes when findings of the same name mean something else.
    pub version: u32,
    /// The severest that it gives.
    pub severity: Severity,
    pub title: Words,
    pub what: Words,
    /// What keeps it from false alarms.
    pub guard: Words,
    /// Its own; those of all rules are [`COMMON`].
    pub thresholds: &'static [&'static Threshold],
}

pub(super) type Judge = fn(&Case<'_>, &mut Verdict);

/// In order of number.
pub(super) static ALL: [(&Rule, Judge); 20] = [
    (&f01_call_cycle::RULE, f01_call_cycle::judge),
    (&f02_shared_database::RULE, f02_shared_database::judge),
    (&f03_chatty::RULE, f03_chatty::judge),
    (&f04_deep_chain::RULE, f04_deep_chain::judge),
    (&f05_retry_storm::RULE, f05_retry_storm::judge),
    (&f06_timeout::RULE, f06_timeout::judge),
    (&f07_breaker_open::RULE, f07_breaker_open::judge),
    (&f08_degraded::RULE, f08_degraded::judge),
    (&f09_limited::RULE, f09_limited::judge),
    (&f10_layering::RULE, f10_layering::judge),
    (&f11_single_instance::RULE, f11_single_instance::judge),
    (&f12_bad_release::RULE, f12_bad_release::judge),
    (&f13_lockstep::RULE, f13_lockstep::judge),
    (&f14_error_origin::RULE, f14_error_origin::judge),
    (&f15_bottleneck::RULE, f15_bottleneck::judge),
    (&f16_blind_spot::RULE, f16_blind_spot::judge),
    (&f17_clock_skew::RULE, f17_clock_skew::judge),
    (&f18_silent::RULE, f18_silent::judge),
    (&f19_logs::RULE, f19_logs::judge),
    (&f20_lag::RULE, f20_lag::judge),
];

/// All rules, in order of number.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    ALL.iter().map(|(rule, _)| *rule)
}

pub fn get(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

/// Those of all rules, then those of each.
pub fn thresholds() -> impl Iterator<Item = &'static Threshold> {
    COMMON.iter().copied().chain(all().flat_map(|rule| rule.thresholds.iter().copied()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rules_are_numbered_and_thresholds_are_theirs() {
        for (number, rule) in all().enumerate() {
            assert_eq!(rule.id, format!("F{}", number + 1));
            assert!(!rule.title.zh.is_empty() && !rule.what.zh.is_empty() && !rule.guard.zh.is_empty());
            assert!(rule.thresholds.iter().all(|threshold| threshold.name.starts_with(&format!("{}.", rule.id))));
        }
        let names: Vec<&str> = thresholds().map(|threshold| threshold.name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "each name once");
        assert_eq!(all().map(|rule| rule.name).collect::<BTreeSet<_>>().len(), 20);
    }
}
