//! `[findings]` and `[[webhook]]` of the configuration file: thresholds, layers, and who is told.

use std::collections::BTreeMap;
use std::fmt;

use query::findings::{Layer, Thresholds};
use serde::Deserialize;
use toml::{Table, Value};

/// Where alerts go.
#[derive(Clone, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// Address of Clew's pages as the receiver's people know it.
    #[serde(default)]
    pub(crate) link: Option<String>,
}

/// Without values that may be secret.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("headers", &self.headers.keys()).finish_non_exhaustive()
    }
}

/// What `[findings]` says: `F3.db_calls = 5`, and `[findings.layers]` with `gateway = "gateway"`.
pub(super) fn findings(table: &Table) -> Result<(Thresholds, BTreeMap<String, Layer>), String> {
    let (mut thresholds, mut layers) = (BTreeMap::new(), BTreeMap::new());
    for (name, value) in table {
        match (name.as_str(), value) {
            ("layers", Value::Table(named)) => {
                for (service, layer) in named {
                    layers.insert(service.clone(), layer_of(service, layer)?);
                }
            }
            (_, Value::Table(inner)) => {
                for (key, value) in inner {
                    let name = format!("{name}.{key}");
                    let value = number(&name, value)?;
                    thresholds.insert(name, value);
                }
            }
            (name, value) => drop(thresholds.insert(name.to_owned(), number(name, value)?)),
        }
    }
    Ok((Thresholds::with(thresholds).map_err(|error| format!("[findings]: {error}"))?, layers))
}

fn number(name: &str, value: &Value) -> Result<f64, String> {
    match value {
        Value::Integer(number) => Ok(*number as f64),
        Value::Float(number) => Ok(*number),
        other => Err(format!("[findings]: `{name}` wants a number, not {}", other.type_str())),
    }
}

fn layer_of(service: &str, value: &Value) -> Result<Layer, String> {
    let known = Layer::ALL.map(Layer::name).join(", ");
    let found = value.as_str().and_then(|text| Layer::ALL.into_iter().find(|layer| layer.name() == text));
    found.ok_or_else(|| format!("[findings.layers]: `{service}` wants one of {known}"))
}
