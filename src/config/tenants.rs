//! `[tenants.<id>]` of the configuration file: whose data is kept apart, and what is kept of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use storage::catalog::PostgresUrl;
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
    catalog: Option<&PostgresUrl>,
    store: Option<&str>,
) -> Result<BTreeMap<TenantId, Retention>, String> {
    let named = parts.iter().map(|(name, part)| {
        let wrong = |error: &dyn std::fmt::Display| format!("[tenants.{name}]: {error}");
        let id: TenantId = name.parse().map_err(|error| wrong(&error))?;
        if id.is_default() {
            return Err(wrong(&"that is the tenant of requests that name none; its rules stand at the top level"));
        }
        crate::tenants::place(store, &id).map_err(|error| wrong(&error))?;
        crate::tenants::catalog(catalog, &id).map_err(|error| wrong(&error))?;
        let own = part.retention.is_some() || part.max_bytes.is_some() || !part.retain.is_empty();
        let rules = retain::rules(&part.retain).map_err(|error| wrong(&error))?;
        let own =
            own.then(|| Retention { age: part.retention.and_then(|age| age.0), most_bytes: part.max_bytes, rules });
        Ok((id, own.unwrap_or_else(|| top.clone())))
    });
    named.collect()
}

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

    fn parse(text: &str, store: Option<&str>) -> Result<BTreeMap<TenantId, Retention>, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let catalog: PostgresUrl = "postgres://host/db".parse().expect("a URL");
        tenants(&file.tenants, &top(), Some(&catalog), store)
    }

    #[test]
    fn a_tenant_has_its_own_rules_or_those_of_the_top_level() {
        let found = parse(
            "[tenants.plain]\n[tenants.short]\nretention = \"1h\"\n[tenants.all]\nretention = \"forever\"\n\
             [tenants.thin]\nmax-bytes = \"1GiB\"\n[[tenants.thin.retain]]\nafter = \"1d\"\ndrop = true\n",
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
            let error = parse(text, None).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
        let root = parse("[tenants.a]", Some("s3://bucket")).expect_err("no prefix");
        assert!(root.contains("s3://bucket/prefix"), "{root}");
        assert!(parse("[tenants]", Some("s3://bucket")).is_ok(), "none are declared");
        let long = format!("[tenants.{}]", "x".repeat(64));
        assert!(parse(&long, None).expect_err("too long").contains("too long for a schema"));
    }
}
