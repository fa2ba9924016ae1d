//! Thresholds by name: a documented constant each, which the configuration file may override.

use std::collections::BTreeMap;

use super::model::Words;

/// One number that a rule compares with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// `F3.db_calls`; of all rules `common.calls`.
    pub name: &'static str,
    pub default: f64,
    /// `calls`, `ms`, `share`, `times` …
    pub unit: &'static str,
    pub what: Words,
}

/// For the constants of the rules.
pub(super) const fn threshold(
    name: &'static str,
    default: f64,
    unit: &'static str,
    en: &'static str,
    zh: &'static str,
) -> Threshold {
    Threshold { name, default, unit, what: Words { en, zh } }
}

pub static CALLS: Threshold =
    threshold("common.calls", 20.0, "calls", "fewer calls are not judged", "调用数少于此值不作判断");
pub static TRACES: Threshold =
    threshold("common.traces", 3.0, "traces", "fewer traces are not judged", "链路数少于此值不作判断");
pub static PAIRED: Threshold = threshold(
    "common.paired",
    0.8,
    "share",
    "rules that need both sides of a call want this share of the calls paired",
    "需要调用两侧的规则所要求的配对比例",
);
pub static LOOK_BACK: Threshold = threshold(
    "common.windows",
    5.0,
    "windows",
    "windows of a minute that are judged together",
    "一起判断的一分钟窗口个数",
);
pub static QUIET: Threshold = threshold(
    "common.resolve_after",
    10.0,
    "minutes",
    "a finding that was not seen for so long is resolved",
    "超过此时间未再出现即视为已恢复",
);

/// Those that every rule heeds.
pub static COMMON: &[&Threshold] = &[&CALLS, &TRACES, &PAIRED, &LOOK_BACK, &QUIET];

/// What the configuration file says otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thresholds(BTreeMap<String, f64>);

impl Thresholds {
    /// Fails on a name that no rule has, or a value that is no number from 0 on.
    pub fn with(overrides: BTreeMap<String, f64>) -> Result<Self, String> {
        for (name, value) in &overrides {
            let known: Vec<&str> = super::rules::thresholds().map(|known| known.name).collect();
            if !known.contains(&name.as_str()) {
                return Err(format!("there is no threshold `{name}`; there are {}", known.join(", ")));
            }
            if !value.is_finite() || *value < 0.0 {
                return Err(format!("threshold `{name}` cannot be {value}"));
            }
        }
        Ok(Self(overrides))
    }

    pub fn get(&self, threshold: &Threshold) -> f64 {
        self.0.get(threshold.name).copied().unwrap_or(threshold.default)
    }
}
