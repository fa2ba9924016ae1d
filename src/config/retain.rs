//! `[[retain]]` of the configuration file: tail rules.

use std::time::Duration;

use serde::Deserialize;
use storage::retention::{Keep, Rule, Share};

/// `after = "3d"` with `keep = { errors = true, slowest = "1%", sample = "5%" }` or `drop = true`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct RetainRule {
    service: Option<String>,
    #[serde(deserialize_with = "super::duration")]
    after: Option<Duration>,
    keep: Option<KeepPart>,
    drop: bool,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct KeepPart {
    errors: bool,
    #[serde(deserialize_with = "share")]
    slowest: Share,
    #[serde(deserialize_with = "share")]
    sample: Share,
}

/// What the store is told; the error says which rule makes no sense.
pub(super) fn rules(given: &[RetainRule]) -> Result<Vec<Rule>, String> {
    let mut rules: Vec<Rule> = Vec::with_capacity(given.len());
    for (number, rule) in (1..).zip(given) {
        let wrong = |what: &str| Err(format!("[[retain]] number {number}: {what}"));
        let Some(after) = rule.after else { return wrong("say `after` which age, such as \"3d\"") };
        let keep = match (rule.keep.clone(), rule.drop) {
            (Some(KeepPart { errors, slowest, sample }), false) => Some(Keep { errors, slowest, sample }),
            (None, true) => None,
            (Some(_), true) => return wrong("it has both `keep` and `drop`"),
            (None, false) => return wrong("say what to `keep`, or `drop = true`"),
        };
        if keep == Some(Keep::default()) {
            return wrong("it keeps nothing: write `drop = true` where that is meant");
        }
        if rules.iter().any(|before| before.service.is_none() || before.service == rule.service) {
            return wrong("a rule before it covers the same services");
        }
        rules.push(Rule { service: rule.service.clone(), after, keep });
    }
    Ok(rules)
}

fn share<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        retain: Vec<RetainRule>,
    }

    fn parse(text: &str) -> Result<Vec<Rule>, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        rules(&file.retain)
    }

    #[test]
    fn rules_are_read_in_order() {
        let parsed = parse(
            "[[retain]]\nservice = \"health\"\nafter = \"1h\"\ndrop = true\n\
             [[retain]]\nafter = \"3d\"\nkeep = { errors = true, slowest = \"1%\", sample = \"5%\" }\n",
        )
        .expect("valid");
        let share = |text: &str| text.parse().expect("a share");
        let keep = Keep { errors: true, slowest: share("1%"), sample: share("5%") };
        let health = Rule { service: Some("health".to_owned()), after: Duration::from_secs(3_600), keep: None };
        assert_eq!(parsed, [health, Rule { service: None, after: Duration::from_secs(259_200), keep: Some(keep) }]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (wrong, named) in [
            ("drop = true", "after"),
            ("after = \"3d\"", "keep"),
            ("after = \"3d\"\nkeep = {}", "keeps nothing"),
            ("after = \"3d\"\nkeep = { errors = true }\ndrop = true", "both"),
            ("after = \"3d\"\nkeep = { slowest = \"1\" }", "percentage"),
            ("after = \"3d\"\nkeep = { sampel = \"1%\" }", "sampel"),
            (
                "after = \"3d\"\ndrop = true\n[[retain]]\nservice = \"x\"\nafter = \"3d\"\ndrop = true",
                "covers the same",
            ),
        ] {
            let error = parse(&format!("[[retain]]\n{wrong}\n")).expect_err(wrong);
            assert!(error.contains(named), "{wrong}: {error}");
        }
    }
}
