//! `[tenants.<id>]` of the configuration file: whose data is kept apart, and what is kept of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use storage::retention::Retention;
use storage::tenant::TenantId;

use super::retain::{self, RetainRule};

/// With none of these keys a tenant has the rules of the top level; with one of them it has its own alone.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct TenantPart {
    #[serde(deserialize_with = "age")]
    retention: Option<Age>,
    #[serde(deserialize_with = "super::size")]
    max_bytes: Option<u64>,
    retain: Vec<RetainRule>,
}

/// None: for ever.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Age(Option<Duration>);

/// What is declared, checked; the error says which tenant makes no sense.
pub(super) fn tenants(
    parts: &BTreeMap<String, TenantPart>,
    top: &Retention,
    shares_catalog: bool,
    store: Option<&str>,
) -> Result<BTreeMap<TenantId, Retention>, String> {
    if !parts.is_empty() && shares_catalog {
        return Err(NO_SHARED_CATALOG.to_owned());
    }
    let named = parts.iter().map(|(name, part)| {
        let wrong = |error: &dyn std::fmt::Display| format!("[tenants.{name}]: {error}");
        let id: TenantId = name.parse().map_err(|error| wrong(&error))?;
        if id.is_default() {
            return Err(wrong(&"that is the tenant of requests that name none; its rules stand at the top level"));
        }
        crate::tenants::place(store, &id).map_err(|error| wrong(&error))?;
        let own = part.retention.is_some() || part.max_bytes.is_some() || !part.retain.is_empty();
        let rules = retain::rules(&part.retain).map_err(|error| wrong(&error))?;
        let own =
            own.then(|| Retention { age: part.retention.and_then(|age| age.0), most_bytes: part.max_bytes, rules });
        Ok((id, own.unwrap_or_else(|| top.clone())))
    });
    named.collect()
}

const NO_SHARED_CATALOG: &str = "[tenants]: there are no tenants over a shared catalogue (`catalog`): its tables are \
     those of one lake. Give tenants a process without --catalog, or each of them a process and a database of its own";

fn age<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Age>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "forever" => Ok(Some(Age(None))),
        text => super::parse_duration(text).map(|age| Some(Age(Some(age)))).map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        tenants: BTreeMap<String, TenantPart>,
    }

    fn top() -> Retention {
        Retention { age: Some(Duration::from_secs(60)), most_bytes: Some(1), rules: Vec::new() }
    }

    fn parse(text: &str, shares_catalog: bool, store: Option<&str>) -> Result<BTreeMap<TenantId, Retention>, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        tenants(&file.tenants, &top(), shares_catalog, store)
    }

    #[test]
    fn a_tenant_has_its_own_rules_or_those_of_the_top_level() {
        let found = parse(
            "[tenants.plain]\n[tenants.short]\nretention = \"1h\"\n[tenants.all]\nretention = \"forever\"\n\
             [tenants.thin]\nmax-bytes = \"1GiB\"\n[[tenants.thin.retain]]\nafter = \"1d\"\ndrop = true\n",
            false,
            None,
        );
        let found = found.expect("four tenants");
        let of = |name: &str| &found[&name.parse().expect("an id")];
        assert_eq!(*of("plain"), top());
        assert_eq!(*of("short"), Retention { age: Some(Duration::from_secs(3600)), ..Retention::default() });
        assert_eq!(*of("all"), Retention::default());
        assert_eq!((of("thin").age, of("thin").most_bytes, of("thin").rules.len()), (None, Some(1 << 30), 1));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_name() {
        for (text, reason) in [
            ("[tenants.default]", "[tenants.default]: that is the tenant of requests"),
            ("[tenants.Acme]", "`Acme` is no id of a tenant"),
            ("[tenants.\"../x\"]", "no id of a tenant"),
            ("[tenants.a]\nretantion = \"1h\"", "unknown field"),
            ("[tenants.a]\nretention = \"never\"", "no duration"),
            ("[[tenants.a.retain]]\nafter = \"1d\"", "[tenants.a]: [[retain]] number 1"),
        ] {
            let error = parse(text, false, None).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
        let shared = parse("[tenants.a]", true, None).expect_err("a shared catalogue");
        assert!(shared.contains("shared catalogue"), "{shared}");
        let root = parse("[tenants.a]", false, Some("s3://bucket")).expect_err("no prefix");
        assert!(root.contains("s3://bucket/prefix"), "{root}");
        assert!(parse("[tenants]", true, Some("s3://bucket")).is_ok(), "none are declared");
    }
}
