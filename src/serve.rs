//! `clew serve`: starts the store, then what asks it, then what fills it; stops in the other order.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use collector::OtlpDecoder;
use query::{Engine, Limits};
use storage::store::{Settings, Store};
use tokio::sync::watch;

use crate::Failure;
use crate::config::{Config, Options};

/// How long closing the store may take before the process gives up: what is acknowledged is in the
/// log, and the next start reads it.
const CLOSE_WITHIN: Duration = Duration::from_secs(30);

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let config = options.resolve()?;
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("CLEW_LOG").unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();

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

    let settings = Settings { retention: config.retention, ..Settings::new(&config.data_dir) };
    let decoder = OtlpDecoder::new(config.rules.clone());
    let store = Store::open(settings, Arc::new(decoder)).await.map_err(Failure::failed)?;
    let counters = Arc::new(collector::Counters::default());
    let about = about(&config, address, &listeners);
    announce(&about)?;

    let (stop, _) = watch::channel(false);
    let state = web::AppState::new(
        Engine::new(store.clone(), Limits::default()),
        about,
        Arc::new(CollectorCounters(counters.clone())),
    );
    let queries = tokio::spawn(web::serve(page, state, stopped(&stop)));
    let ingest = tokio::spawn(collector::serve(listeners, receivers, store.clone(), counters, stopped(&stop)));

    asked_to_stop().await.map_err(Failure::failed)?;
    tracing::info!("stopping");
    stop.send_replace(true);
    ingest.await.map_err(Failure::failed)?;
    queries.await.map_err(Failure::failed)?;
    match tokio::time::timeout(CLOSE_WITHIN, store.close()).await {
        Ok(closed) => closed.map_err(Failure::failed),
        Err(_) => Err(Failure::failed("the store did not close in time; the next start reads its log")),
    }
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
fn announce(about: &web::About) -> Result<(), Failure> {
    let line = serde_json::json!({
        "event": "listening",
        "http": about.http.to_string(),
        "otlp_grpc": about.otlp_grpc,
        "otlp_http": about.otlp_http,
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Failure::failed)?;
    tracing::info!(ui = %format!("http://{}", about.http), otlp_grpc = about.otlp_grpc, otlp_http = about.otlp_http, data_dir = about.data_dir, "clew is ready");
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

/// The collector's counts in the web's terms.
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
