//! F19: bursts of errors in logs, errors that are new, and secrets in telemetry.

use std::collections::BTreeMap;

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::Family;
use crate::findings::releases::released_within;
use crate::findings::thresholds::threshold;

static BURST: Threshold = threshold("F19.burst", 3.0, "times", "the usual count of a pattern", "相对平时次数的倍数");
static Z: Threshold = threshold("F19.z", 6.0, "deviations", "above the usual count", "高于平时的标准差数");
static NEW: Threshold =
    threshold("F19.new", 5.0, "records", "of a pattern that was not there before", "新模式出现的次数");
static BASELINE: Threshold =
    threshold("F19.baseline", 30.0, "windows", "of a minute to know what is usual", "了解平时情况所需的一分钟窗口数");
static SECRETS: Threshold =
    threshold("F19.secrets", 1.0, "times", "that a secret stands in telemetry", "遥测中出现敏感信息的次数");
static CARDS: Threshold = threshold(
    "F19.cards",
    3.0,
    "times",
    "that a number is a card's, and half of those that look like it are",
    "银行卡号出现次数，且候选中至少一半通过校验",
);

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F19",
    name: "log_anomaly",
    principle: "logs",
    version: 1,
    severity: Severity::Critical,
    title: Words { en: "Log bursts, new errors, secrets", zh: "日志突增、新错误与敏感信息" },
    what: Words {
        en: "A pattern of ERROR records comes much more often than usual or for the first time; or tokens, keys, \
             card numbers and passwords stand in spans and logs.",
        zh: "某类 ERROR 日志远多于平时或首次出现；或 span、日志中出现令牌、密钥、银行卡号、密码。",
    },
    guard: Words {
        en: "Half an hour of logs is needed to know what is usual. Values are never kept: a finding says where, \
             not what. Masked values do not count.",
        zh: "需要半小时日志作为基线。绝不保留敏感值，只说明位置；已脱敏的值不计。",
    },
    thresholds: &[&BURST, &Z, &NEW, &BASELINE, &SECRETS, &CARDS],
};

/// A release so long before may be the cause, ns.
const RELEASE: i64 = 30 * 60_000_000_000;

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    secrets(case, verdict);
    let recent = case.recent().len();
    let before = &case.windows[..case.windows.len() - recent];
    if case.recent().iter().all(|window| window.logs == 0) {
        verdict.skip(&RULE, None, "no log records came in the last minutes", "最近几分钟没有日志");
        return;
    }
    let needed = case.limit(&BASELINE) as usize;
    let known = before.iter().filter(|window| window.logs > 0).count();
    if known < needed {
        verdict.skip(
            &RULE,
            None,
            format!("{known} minutes of logs are known from before; {needed} are needed"),
            format!("此前只有 {known} 分钟的日志，至少需要 {needed} 分钟"),
        );
        return;
    }
    let mut usual: BTreeMap<Vec<String>, Vec<f64>> = BTreeMap::new();
    for (at, window) in before.iter().enumerate() {
        for (parts, seen) in window.family(Family::Pattern) {
            let key = parts.into_iter().map(str::to_owned).collect();
            usual.entry(key).or_insert_with(|| vec![0.0; before.len()])[at] = seen.hits as f64;
        }
    }
    for track in case.tracks(Family::Pattern) {
        pattern(case, &track, usual.get(&track.parts).map(Vec::as_slice), recent, verdict);
    }
}

fn pattern(
    case: &Case<'_>,
    track: &crate::findings::judge::Track,
    usual: Option<&[f64]>,
    recent: usize,
    verdict: &mut Verdict,
) {
    let [service, severity, pattern] = [0, 1, 2].map(|at| track.part(at));
    let hits = track.sum.hits;
    let id = format!("{service}: {pattern}");
    let release = released_within(case.releases, service, case.to, RELEASE);
    let (after, afterwards) = match &release {
        Some(version) => (format!(" after the release of {version}"), format!("（在发布 {version} 之后）")),
        None => (String::new(), String::new()),
    };
    let (claim, baseline, limits): (_, _, [&Threshold; 2]) = match usual {
        None if (hits as f64) < case.limit(&NEW) => {
            verdict.skip(
                &RULE,
                Some(&id),
                format!("new, but {hits} records only"),
                format!("新模式，但只有 {hits} 条"),
            );
            return;
        }
        None => {
            let claim = Text::new(
                format!("{service} logs a new {severity}{after}: {pattern}"),
                format!("{service} 出现新的 {severity} 日志{afterwards}：{pattern}"),
            );
            (claim, 0.0, [&NEW, &BASELINE])
        }
        Some(counts) => {
            let mean = counts.iter().sum::<f64>() / counts.len() as f64;
            let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / counts.len() as f64;
            // Counts scatter at least as a Poisson process does.
            let deviation = variance.max(mean).max(1.0).sqrt();
            let now = hits as f64 / recent as f64;
            let z = (now - mean) / (deviation / (recent as f64).sqrt());
            if now <= case.limit(&BURST) * mean || z <= case.limit(&Z) || hits < 20 {
                return;
            }
            let claim = Text::new(
                format!("{service} logs a {severity} {now:.0} times a minute instead of {mean:.1}{after}: {pattern}"),
                format!("{service} 的 {severity} 日志由每分钟 {mean:.1} 条升至 {now:.0} 条{afterwards}：{pattern}"),
            );
            (claim, mean, [&BURST, &Z])
        }
    };
    if !track.hit_twice() {
        case.once(&RULE, &id, verdict);
        return;
    }
    let subject = Subject::new(SubjectKind::Service, id, &[service]);
    let found = case.draft(&RULE, Severity::Warning, subject, claim).n(hits).confident(0.8);
    let found = found.measure("per_minute", hits as f64 / recent as f64).before("per_minute", baseline);
    let found = limits.into_iter().fold(found, |found, limit| found.against(limit, case));
    verdict.found.push(found.proven(&track.sum.proofs, Text::new("a record of this pattern", "该模式的一条日志")));
}

/// One is one too many: no gate but for numbers that only look like a card's.
fn secrets(case: &Case<'_>, verdict: &mut Verdict) {
    for track in case.tracks(Family::Secret) {
        let [service, kind, place] = [0, 1, 2].map(|at| track.part(at));
        let card = kind == "card";
        let least = if card { case.limit(&CARDS) } else { case.limit(&SECRETS) };
        if track.sum.hits == 0 || (track.sum.hits as f64) < least || (card && track.sum.share() < 0.5) {
            continue;
        }
        let (what, named) = match kind {
            "jwt" => ("a token (JWT)", "令牌（JWT）"),
            "private key" => ("a private key", "私钥"),
            "aws key" => ("an access key of AWS", "AWS 访问密钥"),
            "card" => ("card numbers", "银行卡号"),
            _ => ("a password or a key", "密码或密钥"),
        };
        let claim = Text::new(
            format!("{what} stands in {place} of {service}, {} times", track.sum.hits),
            format!("{service} 的 {place} 中出现{named}，共 {} 次", track.sum.hits),
        );
        let subject = Subject::new(SubjectKind::Service, format!("{kind} in {place} of {service}"), &[service]);
        let found = case.draft(&RULE, Severity::Critical, subject, claim).n(track.sum.hits);
        let found = found.confident(if card { 0.7 } else { 0.9 }).measure("times", track.sum.hits as f64);
        let found = found.against(if card { &CARDS } else { &SECRETS }, case);
        verdict.found.push(found.proven(&track.sum.proofs, Text::new("it stands here", "位于此处")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::World;

    const PATTERN: [&str; 3] = ["pay", "error", "charge <*> failed"];

    fn world(windows: i64) -> World {
        let mut world = World::new(windows);
        world.windows.iter_mut().for_each(|window| window.logs = 100);
        world
    }

    #[test]
    fn bursts_and_new_patterns_are_found() {
        let burst =
            world(40).seen(Family::Pattern, &PATTERN, 0, 2).lately(5, Family::Pattern, &PATTERN, 0, 40).one(judge);
        assert!(burst.claim.en.contains("instead of 2.0"), "{burst:?}");
        let new = world(40).lately(5, Family::Pattern, &PATTERN, 0, 2).release("pay", "1", 900).release("pay", "2", 10);
        assert!(new.one(judge).claim.en.contains("after the release of 2"));
    }

    #[test]
    fn the_usual_is_healthy() {
        world(40).seen(Family::Pattern, &PATTERN, 0, 10).lately(5, Family::Pattern, &PATTERN, 0, 3).silent(judge);
    }

    #[test]
    fn without_a_past_nothing_is_judged() {
        assert!(world(12).lately(5, Family::Pattern, &PATTERN, 0, 9).reason(judge).contains("7 minutes"));
        assert!(World::new(40).reason(judge).contains("no log records"));
        assert!(world(40).lately(2, Family::Pattern, &PATTERN, 0, 1).reason(judge).contains("2 records only"));
    }

    #[test]
    fn secrets_are_found_at_once() {
        let found = world(40).lately(1, Family::Secret, &["pay", "jwt", "log body"], 1, 1).one(judge);
        assert_eq!((found.severity, found.subject.id.as_str()), (Severity::Critical, "jwt in log body of pay"));
        world(40).lately(2, Family::Secret, &["pay", "card", "order.id"], 100, 10).silent(judge);
        world(40).lately(2, Family::Secret, &["pay", "card", "card.number"], 4, 4).one(judge);
    }
}
