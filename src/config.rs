//! What a user may set: on the command line, in the environment, or in a file, in this order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use collector::normalise::Rules;
use query::findings::{Layer, Thresholds};
use serde::Deserialize;
use storage::catalog::PostgresUrl;
use storage::retention::Retention;
use storage::tenant::TenantId;

use crate::Failure;
pub(crate) use findings::Webhook;

mod findings;
mod retain;
mod rules;
mod tenants;

/// Every option is also `CLEW_<OPTION>` in the environment, and the same key in the file. Rules stand in the
/// file alone.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Options {
    /// Where everything is kept; created if missing [default: ./clew-data]
    #[arg(long, env = "CLEW_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Bucket of the segments, such as `s3://bucket/prefix`, `gs://…` or `az://…`, or a directory that several
    /// processes share, `file:///path` [default: in the data directory]
    #[arg(long, env = "CLEW_STORE")]
    store: Option<String>,
    /// What of the bucket is kept in the data directory at most, such as `20GiB` [default: 4GiB]
    #[arg(long, env = "CLEW_CACHE_BYTES", value_parser = parse_size)]
    #[serde(deserialize_with = "size")]
    cache_bytes: Option<u64>,
    /// PostgreSQL database that several processes share, `postgres://user@host/db` [default: in the data directory]
    #[arg(long, env = "CLEW_CATALOG", hide_env_values = true)]
    catalog: Option<PostgresUrl>,
    /// UI and query APIs [default: 127.0.0.1:4319]
    #[arg(long, env = "CLEW_HTTP")]
    http: Option<SocketAddr>,
    /// OTLP over gRPC [default: 127.0.0.1:4317]
    #[arg(long, env = "CLEW_OTLP_GRPC")]
    otlp_grpc: Option<SocketAddr>,
    /// OTLP over HTTP [default: 127.0.0.1:4318]
    #[arg(long, env = "CLEW_OTLP_HTTP")]
    otlp_http: Option<SocketAddr>,
    /// Rows older than this are dropped, such as `72h` or `30d` [default: kept for ever]
    #[arg(long, env = "CLEW_RETENTION", value_parser = parse_duration)]
    #[serde(deserialize_with = "duration")]
    retention: Option<Duration>,
    /// The oldest segments are dropped while all take more than this, such as `100GiB` [default: no bound]
    #[arg(long, env = "CLEW_MAX_BYTES", value_parser = parse_size)]
    #[serde(deserialize_with = "size")]
    max_bytes: Option<u64>,
    /// Further names or addresses under which the UI may be asked for, with commas between
    #[arg(long, env = "CLEW_ALLOWED_HOSTS", value_delimiter = ',')]
    allowed_hosts: Vec<String>,
    /// TOML file with the same keys
    #[arg(long, env = "CLEW_CONFIG")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// What is thinned, and when.
    #[arg(skip)]
    retain: Vec<retain::RetainRule>,
    /// What error texts say of how a call ended.
    #[arg(skip)]
    outcome: Vec<rules::OutcomeRule>,
    /// What names of spans say.
    #[arg(skip)]
    span_name: Vec<rules::SpanNameRule>,
    /// Thresholds and layers by which findings are judged.
    #[arg(skip)]
    findings: toml::Table,
    /// Who is told of them.
    #[arg(skip)]
    webhook: Vec<Webhook>,
    /// Whose data is kept apart.
    #[arg(skip)]
    tenants: BTreeMap<String, tenants::TenantPart>,
}

/// Everything decided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) catalog: Option<PostgresUrl>,
    pub(crate) store: Option<String>,
    pub(crate) cache_bytes: u64,
    pub(crate) http: SocketAddr,
    pub(crate) otlp_grpc: SocketAddr,
    pub(crate) otlp_http: SocketAddr,
    /// Of the default tenant.
    pub(crate) retention: Retention,
    /// Tenants that are declared, and what is kept of each.
    pub(crate) tenants: BTreeMap<TenantId, Retention>,
    pub(crate) allowed_hosts: Vec<String>,
    /// What spans mean.
    pub(crate) rules: Arc<Rules>,
    pub(crate) thresholds: Thresholds,
    /// Layers of services, by name.
    pub(crate) layers: BTreeMap<String, Layer>,
    pub(crate) webhooks: Vec<Webhook>,
}

impl Options {
    /// Fills in the file, then the defaults.
    pub(crate) fn resolve(self) -> Result<Config, Failure> {
        let file = self.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let path = self.config.as_deref().unwrap_or(Path::new(""));
        let wrong = |error: String| Failure::Usage(format!("{}: {error}", path.display()));
        let rules = rules::rules(&file.span_name, &file.outcome).map_err(wrong)?;
        let retain = retain::rules(&file.retain).map_err(wrong)?;
        let (thresholds, layers) = findings::findings(&file.findings).map_err(wrong)?;
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let retention = Retention {
            age: self.retention.or(file.retention),
            most_bytes: self.max_bytes.or(file.max_bytes),
            rules: retain,
        };
        let (catalog, store) = (self.catalog.or(file.catalog), self.store.or(file.store));
        let tenants = tenants::tenants(&file.tenants, &retention, catalog.as_ref(), store.as_deref());
        let tenants = tenants.map_err(wrong)?;
        Ok(Config {
            data_dir: self.data_dir.or(file.data_dir).unwrap_or_else(|| "clew-data".into()),
            catalog,
            store,
            cache_bytes: self.cache_bytes.or(file.cache_bytes).unwrap_or(4 << 30),
            http: self.http.or(file.http).unwrap_or_else(|| local(4319)),
            otlp_grpc: self.otlp_grpc.or(file.otlp_grpc).unwrap_or_else(|| local(4317)),
            otlp_http: self.otlp_http.or(file.otlp_http).unwrap_or_else(|| local(4318)),
            retention,
            tenants,
            allowed_hosts: if self.allowed_hosts.is_empty() { file.allowed_hosts } else { self.allowed_hosts },
            rules: Arc::new(rules),
            thresholds,
            layers,
            webhooks: file.webhook,
        })
    }
}

fn read_file(path: &Path) -> Result<Options, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    toml::from_str(&text).map_err(|error| wrong(&error))
}

fn duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).map(Some).map_err(serde::de::Error::custom)
}

/// A number and a unit: s, m, h, d or w.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration: write a number and s, m, h, d or w, such as 72h");
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = number.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

fn size<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_size(&text).map(Some).map_err(serde::de::Error::custom)
}

/// A number and a unit: B, KiB, MiB, GiB or TiB, or their thousands kB, MB, GB, TB.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size: write a number and MiB, GiB or TiB, such as 20GiB");
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let bytes: u64 = match unit.trim_start() {
        "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(bytes).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(options: Options) -> Config {
        match options.resolve() {
            Ok(config) => config,
            Err(Failure::Usage(message) | Failure::Failed(message)) => panic!("{message}"),
        }
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("clew.toml");
        std::fs::write(&path, "http = \"127.0.0.1:1\"\nretention = \"3d\"\n").expect("written");
        let options =
            Options { http: Some("127.0.0.1:2".parse().expect("address")), config: Some(path), ..Options::default() };
        let config = resolved(options);
        assert_eq!(config.http.port(), 2);
        assert_eq!(config.retention.age, Some(Duration::from_secs(3 * 86_400)));
        assert_eq!(config.otlp_grpc.port(), 4317);
    }

    #[test]
    fn sizes_need_a_unit_and_are_not_zero() {
        assert_eq!(parse_size("4GiB"), Ok(4 << 30));
        assert_eq!(parse_size("500 MB"), Ok(500_000_000));
        for wrong in ["", "GiB", "5", "0GiB", "5 gib", "-1MB", "99999999999TiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
        let file = toml::from_str::<Options>("store = \"s3://b/p\"\ncache-bytes = \"20GiB\"").expect("a file");
        let config = resolved(file);
        assert_eq!((config.store.as_deref(), config.cache_bytes), (Some("s3://b/p"), 20 << 30));
        assert_eq!(resolved(Options::default()).cache_bytes, 4 << 30);
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(toml::from_str::<Options>("retentoin = \"3d\"").is_err());
    }

    /// What becomes of a configuration file that holds `text`.
    fn with_file(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("clew.toml");
        std::fs::write(&path, text).expect("written");
        let options = Options { config: Some(path), ..Options::default() };
        options.resolve().map_err(|failure| match failure {
            Failure::Usage(message) | Failure::Failed(message) => message,
        })
    }

    #[test]
    fn rules_of_the_file_are_read() {
        let none = with_file("").expect("an empty file");
        assert_eq!(*none.rules, Rules::default());
        let some = with_file(
            "[[outcome]]\ntext = \"库存服务限流\"\noutcome = \"limited\"\n\
             [[span-name]]\nprefix = \"acme.call.\"\nprotocol = \"acme\"\nside = \"exit\"\nrest = \"dotted-method\"\n",
        );
        let some = some.expect("two rules");
        assert_ne!(*some.rules, Rules::default());
    }

    #[test]
    fn a_rule_that_cannot_hold_is_refused_with_the_file_and_the_reason() {
        for (text, reason) in [
            ("[[outcome]]\ntext = \"x\"\noutcome = \"limited\"", "too short"),
            ("[[outcome]]\ntext = \"slow\"\noutcome = \"tired\"", "`tired` is no outcome; there are ok, error"),
            ("[[outcome]]\nword = \"slow\"\noutcome = \"shed\"", "unknown field"),
            ("[[span-name]]\nprefix = \"\"\nprotocol = \"acme\"", "needs a prefix"),
            ("[[span-name]]\nprefix = \"acme.\"\nprotocol = \"\"", "names no protocol"),
            ("[[span-name]]\nprefix = \"acme.\"\nprotocol = \"acme\"\nside = \"left\"", "unknown variant"),
        ] {
            let message = with_file(text).expect_err(text);
            assert!(message.contains("clew.toml") && message.contains(reason), "{text}: {message}");
        }
    }

    #[test]
    fn thresholds_layers_and_webhooks_of_the_file_are_read() {
        let config = with_file(
            "[findings]\nF3.db_calls = 9\ncommon.calls = 50\n[findings.layers]\napi = \"gateway\"\n\
             [[webhook]]\nurl = \"http://alerts/api/v2/alerts\"\nheaders = { x-key = \"k\" }\n",
        );
        let config = config.expect("a file");
        assert_eq!(config.thresholds.get(&query::findings::thresholds::CALLS), 50.0);
        assert_eq!((config.layers["api"], config.webhooks.len()), (Layer::Gateway, 1));
        for (text, reason) in [
            ("[findings]\nF3.db_cals = 9", "there is no threshold `F3.db_cals`; there are common.calls"),
            ("[findings]\nF3.db_calls = -1", "cannot be -1"),
            ("[findings]\nF3.db_calls = \"9\"", "wants a number"),
            ("[findings.layers]\napi = \"front\"", "wants one of gateway, aggregate"),
            ("[[webhook]]\nuri = \"x\"", "unknown field"),
        ] {
            let message = with_file(text).expect_err(text);
            assert!(message.contains("clew.toml") && message.contains(reason), "{text}: {message}");
        }
    }

    #[test]
    fn durations_need_a_unit_and_are_not_zero() {
        assert_eq!(parse_duration("90m"), Ok(Duration::from_secs(5_400)));
        for wrong in ["", "h", "5", "0d", "5y", "-1h", "99999999999999999999w"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
