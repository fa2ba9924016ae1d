//! `clew serve`: starts the stores, then what asks them, then what fills them; stops in the other order.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use query::{Engine, Limits, findings};
use storage::lake::Figures;
use storage::store::Store;
use storage::tenant::Tenants;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Failure;
use crate::config::{Config, Options};
use crate::tenants;
use crate::webhook::{self, Webhooks};

/// How long closing the store may take before the process gives up: what is acknowledged is in the
/// log, and the next start reads it.
const CLOSE_WITHIN: Duration = Duration::from_secs(30);

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let config = options.resolve()?;
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("CLEW_LOG").unwrap_or_else(|_| "info,object_store=warn".into()),
        )
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    arm_faults()?;

    let receivers = collector::Settings {
        grpc: config.otlp_grpc,
        http: config.otlp_http,
        rules: config.rules.clone(),
        ..Default::default()
    };
    let listeners = collector::bind(&receivers).await.map_err(|error| {
        Failure::failed(format!("cannot listen for OTLP on {} or {}: {error}", config.otlp_grpc, config.otlp_http))
    })?;
    let page = web::bind(config.http)
        .await
        .map_err(|error| Failure::failed(format!("cannot listen on {}: {error}", config.http)))?;
    let address = page.local_addr().map_err(Failure::failed)?;

    let stores = tenants::open(&config).await?;
    let counters = Arc::new(collector::Counters::default());
    let about = about(&config, address, &listeners);
    let (stop, _) = watch::channel(false);
    let webhooks = Webhooks::start(&config.webhooks, &format!("http://{address}"))?;
    let alerts = webhooks.counts();
    let engines = engines(&stores, &config, &webhooks);
    // Beside the receivers' own: Zipkin's requests are smaller and fewer.
    let inlet = collector::Settings { budget_bytes: 128 << 20, ..receivers.clone() };
    let inlets = collector::Inlet::for_tenants(&inlet, &stores, counters.clone());
    let counts = Counts { collector: CollectorCounters(counters.clone()), stores: stores.clone(), alerts };
    let states = states(&engines, &about, Arc::new(counts), &inlets);
    let mut servers = JoinSet::new();
    for (_, engine) in engines.iter() {
        servers.spawn(findings::Keeper::run(engine.clone(), stopped(&stop)));
    }
    servers.spawn(web::serve(page, states, stopped(&stop)));
    servers.spawn(collector::serve(listeners, receivers, stores.clone(), counters, stopped(&stop)));

    announce(&about, stores.of_default().age())?;
    let served = tokio::select! {
        asked = asked_to_stop() => asked.map_err(Failure::failed),
        failed = tenants::not_replayed(&stores) => Err(Failure::failed(failed)),
        // Whoever watches the other one would take half of the program for the whole.
        ended = servers.join_next() => Err(ended_early(ended)),
    };
    tracing::info!("stopping");
    stop.send_replace(true);
    while let Some(ended) = servers.join_next().await {
        ended.map_err(Failure::failed)?;
    }
    match tokio::time::timeout(CLOSE_WITHIN, tenants::close(&stores)).await {
        Ok(closed) => closed.map_err(Failure::failed).and(served),
        Err(_) => Err(Failure::failed("not every store closed in time; the next start reads their logs")),
    }
}

/// Each tenant's findings are its own, and so is who is told of them.
fn engines(stores: &Tenants<Arc<Store>>, config: &Config, webhooks: &Webhooks) -> Tenants<Engine> {
    let layers: Arc<_> = Arc::new(config.layers.clone());
    Engine::for_tenants(stores, Limits::default()).map(|tenant, engine| {
        engine.clone().with_findings(findings::Settings {
            thresholds: config.thresholds.clone(),
            layers: layers.clone(),
            notify: Some(Arc::new(webhooks.of_tenant(tenant))),
        })
    })
}

/// What the web knows of each tenant.
fn states(
    engines: &Tenants<Engine>,
    about: &web::About,
    counts: Arc<Counts>,
    inlets: &Tenants<collector::Inlet<Store>>,
) -> Tenants<web::AppState> {
    let all = Arc::new(engines.clone());
    inlets.map(|tenant, inlet| {
        let engine = all.get(tenant).expect("both are of the same tenants").clone();
        let data_dir = tenants::directory(Path::new(&about.data_dir), tenant).display().to_string();
        let about = web::About { data_dir, ..about.clone() };
        web::AppState::new(engine, about, counts.clone())
            .of_tenant(tenant.clone(), all.clone())
            .with_intake(Arc::new(Inlet(inlet.clone())))
    })
}

fn ended_early(ended: Option<Result<(), tokio::task::JoinError>>) -> Failure {
    let how = match ended {
        Some(Err(error)) => error.to_string(),
        Some(Ok(())) | None => "nobody had asked it to".to_owned(),
    };
    Failure::failed(format!("a server ended early: {how}"))
}

/// Only tests set this. It must not be left on by accident, so it is said.
pub(crate) fn arm_faults() -> Result<(), Failure> {
    let Some(faults) = std::env::var("CLEW_FAULTS").ok().filter(|faults| !faults.is_empty()) else { return Ok(()) };
    storage::fault::arm(&faults).map_err(|error| Failure::Usage(format!("CLEW_FAULTS: {error}")))?;
    tracing::warn!(faults, "FAULTS ARE SWITCHED ON: this process loses data or dies on purpose");
    Ok(())
}

fn about(config: &Config, http: std::net::SocketAddr, listeners: &collector::Listeners) -> web::About {
    let data_dir = config.data_dir.canonicalize().unwrap_or_else(|_| config.data_dir.clone());
    web::About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data_dir: data_dir.display().to_string(),
        http,
        otlp_grpc: listeners.grpc_addr().to_string(),
        otlp_http: listeners.http_addr().to_string(),
        allowed_hosts: config.allowed_hosts.clone(),
    }
}

/// One JSON line on stdout: what scripts wait for. A word for people goes to stderr.
fn announce(about: &web::About, since_catalog: Duration) -> Result<(), Failure> {
    let line = serde_json::json!({
        "event": "listening",
        "http": about.http.to_string(),
        "otlp_grpc": about.otlp_grpc,
        "otlp_http": about.otlp_http,
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Failure::failed)?;
    let since_catalog_ms = since_catalog.as_micros() as f64 / 1e3;
    tracing::info!(ui = %format!("http://{}", about.http), otlp_grpc = about.otlp_grpc, otlp_http = about.otlp_http, data_dir = about.data_dir, since_catalog_ms, "clew is listening");
    Ok(())
}

fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + use<> {
    let mut stop = stop.subscribe();
    async move {
        // An error means the sender is gone, which is a stop too.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// SIGTERM, or Ctrl-C.
pub(crate) async fn asked_to_stop() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

/// Everything that is counted, in the web's terms.
struct Counts {
    collector: CollectorCounters,
    stores: Tenants<Arc<Store>>,
    alerts: Arc<webhook::Counts>,
}

impl web::Counters for Counts {
    fn read(&self) -> Vec<web::Counter> {
        let mut counts = self.collector.read();
        for (tenant, store) in self.stores.iter() {
            let label = (self.stores.count() > 1).then(|| ("tenant", tenant.to_string()));
            counts.extend(store.bucket().into_iter().flat_map(|asked| bucket_counts(asked, label.clone())));
        }
        counts.extend(alert_counts(&self.alerts));
        counts
    }
}

/// What became of alerts.
fn alert_counts(alerts: &webhook::Counts) -> [web::Counter; 2] {
    let count = |name: &str, help: &str, value: &AtomicU64| web::Counter {
        name: name.to_owned(),
        help: help.to_owned(),
        kind: web::Kind::Counter,
        labels: Vec::new(),
        value: value.load(Ordering::Relaxed) as f64,
    };
    [
        count("clew_webhook_sent_total", "Alerts that a webhook took.", &alerts.sent),
        count("clew_webhook_dropped_total", "Alerts that no webhook took, after all attempts.", &alerts.dropped),
    ]
}

/// The collector, for spans that come to the web's port.
struct Inlet(collector::Inlet<Store>);

impl web::Intake for Inlet {
    fn traces(&self, otlp: Bytes, sent: Bytes) -> BoxFuture<'_, Result<String, web::Refused>> {
        let taken = async move {
            self.0.traces(otlp, &sent).await.map_err(|refused| web::Refused {
                status: refused.status,
                retry_after_s: refused.retry_after_s,
                message: refused.message,
            })
        };
        taken.boxed()
    }
}

/// What was asked of the bucket.
fn bucket_counts(asked: Figures, tenant: Option<(&'static str, String)>) -> Vec<web::Counter> {
    let count = |name: &str, help: &str, kind, labels: Vec<_>, value: u64| web::Counter {
        name: name.to_owned(),
        help: help.to_owned(),
        kind,
        labels: labels.into_iter().chain(tenant.clone()).collect(),
        value: value as f64,
    };
    let requests = [("get", asked.gets), ("put", asked.puts), ("delete", asked.deletes), ("list", asked.lists)];
    let requests = requests.into_iter().map(|(method, value)| {
        let help = "Requests to the bucket, with their repeats as one.";
        count("clew_bucket_requests_total", help, web::Kind::Counter, vec![("method", method.to_owned())], value)
    });
    let rest = [
        ("clew_bucket_failures_total", "Of these, failed for good.", web::Kind::Counter, asked.failures),
        ("clew_bucket_read_bytes_total", "Bytes that came from the bucket.", web::Kind::Counter, asked.read_bytes),
        ("clew_bucket_written_bytes_total", "Bytes that went to it.", web::Kind::Counter, asked.written_bytes),
        ("clew_bucket_cache_bytes", "Of the bucket, on local disk.", web::Kind::Gauge, asked.cached_bytes),
    ];
    requests.chain(rest.map(|(name, help, kind, value)| count(name, help, kind, Vec::new(), value))).collect()
}

/// The collector's counts.
struct CollectorCounters(Arc<collector::Counters>);

impl web::Counters for CollectorCounters {
    fn read(&self) -> Vec<web::Counter> {
        self.0
            .read()
            .into_iter()
            .filter_map(|(count, signal, value)| {
                let (name, help, kind) =
                    METRICS.iter().find(|(known, ..)| *known == count).map(|(_, n, h, k)| (*n, *h, *k))?;
                let labels = signal.map(|signal| ("signal", signal.to_owned())).into_iter().collect();
                Some(web::Counter { name: name.to_owned(), help: help.to_owned(), kind, labels, value: value as f64 })
            })
            .collect()
    }
}

type Metric = (&'static str, &'static str, &'static str, web::Kind);

const METRICS: &[Metric] = &[
    ("requests", "clew_otlp_requests_total", "OTLP requests read, whatever the answer.", web::Kind::Counter),
    ("bytes_received", "clew_otlp_received_bytes_total", "Bytes of OTLP bodies as sent.", web::Kind::Counter),
    ("accepted_rows", "clew_otlp_accepted_total", "Spans, log records and points stored.", web::Kind::Counter),
    ("rejected_rows", "clew_otlp_rejected_total", "Rows told to the sender as not storable.", web::Kind::Counter),
    ("duplicate_requests", "clew_otlp_duplicates_total", "Requests that had been stored before.", web::Kind::Counter),
    (
        "refused_busy",
        "clew_otlp_refused_busy_total",
        "Requests refused for now; the sender retries.",
        web::Kind::Counter,
    ),
    ("refused_too_large", "clew_otlp_refused_too_large_total", "Requests over a limit.", web::Kind::Counter),
    ("refused_bad", "clew_otlp_refused_bad_total", "Requests that cannot be read.", web::Kind::Counter),
    ("refused_slow", "clew_otlp_refused_slow_total", "Requests whose body did not arrive.", web::Kind::Counter),
    ("connections", "clew_otlp_connections", "Connections now open.", web::Kind::Gauge),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_of_the_collector_is_shown() {
        let counters = Arc::new(collector::Counters::default());
        let shown = web::Counters::read(&CollectorCounters(counters.clone())).len();
        assert_eq!(shown, counters.read().len());
    }
}
