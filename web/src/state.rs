//! What handlers share: the engine, what is told of this process, and the end of its life.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use query::Engine;
use storage::store::Clock;
use storage::tenant::{TenantId, Tenants};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Live tails of logs that are open at once: each looks at every request that comes.
pub(crate) const MOST_TAILS: usize = 32;

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub(crate) engine: Engine,
    /// Whose engine it is.
    pub(crate) tenant: TenantId,
    /// Those of all tenants, for what is told of the whole process.
    pub(crate) engines: Arc<Tenants<Engine>>,
    pub(crate) about: Arc<About>,
    counters: Arc<dyn Counters>,
    clock: Clock,
    closing: Arc<watch::Sender<bool>>,
    tails: Arc<Semaphore>,
    intake: Option<Arc<dyn Intake>>,
}

/// Where spans that come to this port become durable.
pub trait Intake: Send + Sync {
    /// Stores an OTLP `ExportTraceServiceRequest`, made of the bytes `sent`, by which a retry is known. Returns
    /// once it is durable: why some spans were not storable, empty where all were.
    fn traces(&self, otlp: Bytes, sent: Bytes) -> BoxFuture<'_, Result<String, Refused>>;
}

/// Why spans were not taken; nothing of the request is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// HTTP's status.
    pub status: u16,
    /// Seconds after which to come again, where that helps.
    pub retry_after_s: Option<u32>,
    pub message: String,
}

/// What the process tells about itself.
#[derive(Clone, Debug)]
pub struct About {
    pub version: String,
    pub data_dir: String,
    pub http: SocketAddr,
    /// `host:port`, as bound.
    pub otlp_grpc: String,
    pub otlp_http: String,
    /// Names under which the server may be asked, besides loopback names and the bound address.
    pub allowed_hosts: Vec<String>,
}

/// Numbers of other parts of the process for `/metrics`.
pub trait Counters: Send + Sync {
    fn read(&self) -> Vec<Counter>;
}

/// One sample in the terms of the Prometheus text format.
#[derive(Clone, Debug)]
pub struct Counter {
    /// With the prefix `clew_` and the suffix of its unit; counters end in `_total`.
    pub name: String,
    /// One line.
    pub help: String,
    pub kind: Kind,
    pub labels: Vec<(&'static str, String)>,
    pub value: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
}

/// No counters: a process that only reads.
impl Counters for () {
    fn read(&self) -> Vec<Counter> {
        Vec::new()
    }
}

impl AppState {
    pub fn new(engine: Engine, about: About, counters: Arc<dyn Counters>) -> Self {
        let (closing, _) = watch::channel(false);
        let tails = Arc::new(Semaphore::new(MOST_TAILS));
        Self {
            engines: Arc::new(Tenants::only(engine.clone())),
            engine,
            tenant: TenantId::default(),
            about: Arc::new(about),
            counters,
            clock: Clock::system(),
            closing: Arc::new(closing),
            tails,
            intake: None,
        }
    }

    /// The same for one of several tenants.
    pub fn of_tenant(self, tenant: TenantId, engines: Arc<Tenants<Engine>>) -> Self {
        Self { tenant, engines, ..self }
    }

    /// The same, which takes spans.
    pub fn with_intake(self, intake: Arc<dyn Intake>) -> Self {
        Self { intake: Some(intake), ..self }
    }

    /// None in a process that only reads.
    pub(crate) fn intake(&self) -> Option<&dyn Intake> {
        self.intake.as_deref()
    }

    /// The same with another clock, for tests.
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    pub(crate) fn counters(&self) -> Vec<Counter> {
        self.counters.read()
    }

    /// A place for one more tail; None where all are taken.
    pub(crate) fn place_for_tail(&self) -> Option<OwnedSemaphorePermit> {
        self.tails.clone().try_acquire_owned().ok()
    }

    /// Ends streams that would never end by themselves.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Resolves when the server is told to stop.
    pub(crate) async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // The sender lives as long as `self`, so that waiting cannot fail.
        let _ = closing.wait_for(|closing| *closing).await;
    }
}
