//! F20: messages that wait, and zones that do not reach each other.

use std::collections::BTreeMap;

use storage::rollup::Cell;

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::judge::{count, proofs};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::Family;
use crate::findings::thresholds::threshold;
use crate::graph::sketch::Sketch;
use crate::rollup::{Key, Mode, slot};

static LAG: Threshold =
    threshold("F20.lag", 10.0, "times", "the usual 99th percentile of a topic's lag", "主题延迟 P99 相对平时的倍数");
static LEAST_MS: Threshold =
    threshold("F20.least_ms", 1_000.0, "ms", "of lag, below which none is told", "低于此延迟不作提示");
static BASELINE: Threshold =
    threshold("F20.baseline", 30.0, "minutes", "before, that lag is compared with", "用于比较的基线分钟数");
static ZONE: Threshold =
    threshold("F20.zone", 0.1, "share", "of the calls between two zones fail", "两个可用区之间调用的失败比例");
static OTHERS: Threshold =
    threshold("F20.other_zones", 0.01, "share", "of all other calls fail at most", "其余调用的失败比例上限");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F20",
    name: "lag_or_partition",
    principle: "cap",
    version: 1,
    severity: Severity::Warning,
    title: Words { en: "Message lag, zone partition", zh: "消息积压与分区故障" },
    what: Words {
        en: "Messages of a topic wait ten times as long as usual; or calls fail between two zones alone.",
        zh: "某主题的消息延迟达到平时的十倍；或只有两个可用区之间的调用失败。",
    },
    guard: Words {
        en: "Lag below a second is none; a consumer that was paused on purpose can be accepted. Zones come from \
             cloud.availability_zone.",
        zh: "一秒以下的延迟不提示；有意暂停的消费者可标记为接受。可用区取自 cloud.availability_zone。",
    },
    thresholds: &[&LAG, &LEAST_MS, &BASELINE, &ZONE, &OTHERS],
};

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.has_spans(&RULE, verdict) {
        return;
    }
    lag(case, verdict);
    zones(case, verdict);
}

/// Topic, or what stands for it, and the two services.
type Way = (String, String, String);

fn lags(case: &Case<'_>, minutes: std::ops::Range<i64>) -> BTreeMap<Way, Cell> {
    let mut lags: BTreeMap<Way, Cell> = BTreeMap::new();
    for series in &case.cells.series {
        let Key::Edge { source, target, alias, mode: Mode::Async, .. } = &series.key else { continue };
        let way = (alias.clone(), source.name.clone(), target.name.clone());
        for (_, cell) in series.cells.range(minutes.clone()) {
            if cell.counts.slots(slot::LAG..slot::LAG + slot::SKETCH).next().is_some() {
                lags.entry(way.clone()).or_default().merge(cell, 1);
            }
        }
    }
    lags
}

fn p99(cell: &Cell) -> f64 {
    let mut sketch = Sketch::default();
    for (slot, count) in cell.counts.slots(slot::LAG..slot::LAG + slot::SKETCH) {
        sketch.add_bucket(slot - slot::LAG, u64::try_from(count).unwrap_or(0));
    }
    sketch.quantile(0.99).unwrap_or(0) as f64 / 1e6
}

fn lag(case: &Case<'_>, verdict: &mut Verdict) {
    let minutes = case.minutes();
    let before = lags(case, minutes.start - case.limit(&BASELINE) as i64..minutes.start);
    for (way, now) in lags(case, minutes) {
        let (topic, source, target) = (way.0.as_str(), way.1.as_str(), way.2.as_str());
        let named = if topic.is_empty() { format!("{source} → {target}") } else { topic.to_owned() };
        let ms = p99(&now);
        if ms < case.limit(&LEAST_MS) {
            continue;
        }
        let id = format!("lag {named} ({source} → {target})");
        let (calls, past) = (count(&now, slot::CALLS), before.get(&way));
        let usual = past.map_or(0.0, p99);
        let known = past.map_or(0, |cell| count(cell, slot::CALLS));
        if !case.gate(&RULE, &id, calls.min(known), calls, verdict) || ms <= case.limit(&LAG) * usual {
            continue;
        }
        let claim = Text::new(
            format!(
                "messages of {named} wait {:.1} s (99th percentile) from {source} to {target}, usually {:.1} s",
                ms / 1e3,
                usual / 1e3
            ),
            format!(
                "{named} 的消息从 {source} 到 {target} 的 P99 延迟为 {:.1} 秒，平时为 {:.1} 秒",
                ms / 1e3,
                usual / 1e3
            ),
        );
        let subject = Subject::new(SubjectKind::Topic, id, &[target, source]);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(calls);
        let found =
            found.measure("lag_p99_ms", ms).before("lag_p99_ms", usual).against(&LAG, case).against(&LEAST_MS, case);
        verdict.found.push(found.proven(&proofs(&now), Text::new("a message that waited", "一条等待的消息")));
    }
}

fn zones(case: &Case<'_>, verdict: &mut Verdict) {
    let tracks = case.tracks(Family::Zones);
    let (all, failed) = tracks.iter().fold((0, 0), |(of, hits), track| (of + track.sum.of, hits + track.sum.hits));
    for track in tracks.iter().filter(|track| track.part(0) != track.part(1)) {
        let share = track.sum.share();
        let (other, other_failed) = (all - track.sum.of, failed - track.sum.hits);
        let rest = other_failed as f64 / other.max(1) as f64;
        if track.sum.hits == 0 || share < case.limit(&ZONE) || rest > case.limit(&OTHERS) {
            continue;
        }
        let (one, two) = (track.part(0), track.part(1));
        let id = format!("zones {one} → {two}");
        if !case.gate(&RULE, &id, track.sum.of.min(other), track.sum.traces, verdict) {
            continue;
        }
        if !track.hit_twice() {
            case.once(&RULE, &id, verdict);
            continue;
        }
        let claim = Text::new(
            format!(
                "{:.0} % of the calls from zone {one} to zone {two} fail, of all others {:.1} %",
                share * 100.0,
                rest * 100.0
            ),
            format!("可用区 {one} 到 {two} 的调用有 {:.0}% 失败，其余为 {:.1}%", share * 100.0, rest * 100.0),
        );
        let subject = Subject::new(SubjectKind::Edge, id, &[]);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(track.sum.of).confident(0.8);
        let found = found.measure("failed", share).before("failed", rest).against(&ZONE, case).against(&OTHERS, case);
        verdict
            .found
            .push(found.proven(&track.sum.proofs, Text::new("a call between these zones", "两区之间的一次调用")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::{World, svc};
    use crate::graph::sketch::bucket;

    fn lagging(usual_ms: u64, now_ms: u64, calls: i64) -> World {
        let lag = |ms: u64| slot::LAG + bucket(ms * 1_000_000);
        World::new(5).edge((&svc("order"), &svc("mail")), "publish", 5..35, 10, &[(lag(usual_ms), 10)]).edge(
            (&svc("order"), &svc("mail")),
            "publish",
            0..5,
            calls,
            &[(lag(now_ms), calls)],
        )
    }

    #[test]
    fn messages_that_wait_are_found() {
        let found = lagging(200, 9_000, 10).one(judge);
        assert!(found.claim.en.contains("9.0 s") || found.claim.en.contains("8.9 s"), "{}", found.claim.en);
        lagging(200, 900, 10).silent(judge);
        lagging(2_000, 9_000, 10).silent(judge);
        assert!(lagging(200, 9_000, 1).reason(judge).contains("5 calls only"));
    }

    #[test]
    fn zones_that_do_not_reach_each_other_are_found() {
        let world = |between: u64, within: u64, calls: u64| {
            World::new(5).seen(Family::Zones, &["a", "b"], calls, between).seen(Family::Zones, &["a", "a"], 100, within)
        };
        assert_eq!(world(4, 0, 20).one(judge).subject.id, "zones a → b");
        world(0, 0, 20).silent(judge);
        world(4, 20, 20).silent(judge);
        assert!(world(1, 0, 2).reason(judge).contains("10 calls only"));
    }
}
