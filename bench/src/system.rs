//! A running system: where it takes data, where it answers, which processes and directories are its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::adapters::{Adapter, Ask, Kind, Totals};
use crate::load::sender::{Protocol, Target};
use crate::manifest::{Manifest, Question, Window};
use crate::process::{self, Processes};
use crate::{Failure, Signal};

/// As a configuration file describes it.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Base address of its OTLP receiver.
    pub(crate) ingest: String,
    #[serde(default = "http")]
    pub(crate) protocol: Protocol,
    /// Base address of its query API.
    pub(crate) query: String,
    /// Its processes; without them nothing is known of CPU time and memory.
    #[serde(default)]
    pub(crate) pids: Vec<u32>,
    /// What it stores: directories and files whose bytes are counted.
    #[serde(default)]
    pub(crate) dirs: Vec<PathBuf>,
    /// Headers of every request, such as a tenant's.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
}

fn http() -> Protocol {
    Protocol::Http
}

pub(crate) struct System {
    pub(crate) description: Description,
    pub(crate) adapter: &'static dyn Adapter,
    pub(crate) processes: Processes,
    client: reqwest::Client,
}

/// What a question came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// From the first request to the last byte of the last answer.
    pub(crate) took: Duration,
    pub(crate) found: u64,
}

/// A query that takes longer has failed.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

impl System {
    pub(crate) fn new(description: Description) -> Result<Self, Failure> {
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build().map_err(Failure::new)?;
        let processes = Processes { pids: description.pids.clone() };
        Ok(Self { adapter: description.kind.adapter(), processes, client, description })
    }

    pub(crate) fn target(&self, manifest: &Manifest) -> Target {
        Target {
            url: self.description.ingest.clone(),
            protocol: self.description.protocol,
            signal: manifest.signal,
            compression: manifest.compression,
            headers: self.description.headers.clone().into_iter().collect(),
        }
    }

    /// `None` where the product's API has no such question.
    pub(crate) async fn ask(&self, question: &Question, window: Window) -> Result<Option<Answer>, Failure> {
        let asks = self.adapter.ask(question, window);
        if asks.is_empty() {
            return Ok(None);
        }
        let start = Instant::now();
        let mut answers = Vec::with_capacity(asks.len());
        for ask in &asks {
            answers.extend(self.send(ask).await?);
        }
        let took = start.elapsed();
        let found = self.adapter.found(question, &answers).map_err(|error| self.failure(&asks[0], &error))?;
        Ok(Some(Answer { took, found }))
    }

    /// `None` where the product does not count.
    pub(crate) async fn totals(&self, signal: Signal, window: Window) -> Result<Option<Totals>, Failure> {
        let Some(ask) = self.adapter.totals(signal, window) else { return Ok(None) };
        let answer = self.send(&ask).await?.unwrap_or_default();
        self.adapter.read_totals(&answer).map(Some).map_err(|error| self.failure(&ask, &error))
    }

    pub(crate) async fn flush(&self) -> Result<(), Failure> {
        match self.adapter.flush() {
            Some(ask) => self.send(&ask).await.map(drop),
            None => Ok(()),
        }
    }

    /// Bytes stored: what the product tells, else what lies in its directories; `None` where neither is known.
    pub(crate) async fn stored(&self) -> Result<Option<u64>, Failure> {
        let Some(ask) = self.adapter.stored() else {
            let dirs = &self.description.dirs;
            return Ok((!dirs.is_empty()).then(|| dirs.iter().map(|dir| process::bytes(dir)).sum()));
        };
        let answer = self.send(&ask).await?.unwrap_or_default();
        self.adapter.read_stored(&answer).map(Some).map_err(|error| self.failure(&ask, &error))
    }

    /// Bytes that were ever written to the disk of its directories, by whomever; `None` where none is known.
    pub(crate) fn written(&self) -> Option<u64> {
        process::device_written(self.description.dirs.first()?)
    }

    /// The whole body; `None` of what is not found.
    async fn send(&self, ask: &Ask) -> Result<Option<Bytes>, Failure> {
        let url = format!("{}{}", self.description.query.trim_end_matches('/'), ask.path);
        let mut request = if ask.post { self.client.post(&url) } else { self.client.get(&url) };
        for (name, value) in &self.description.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &ask.body {
            request = request.header("content-type", "application/json").body(body.clone());
        }
        let answer = request.send().await.map_err(|error| self.failure(ask, &error))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| self.failure(ask, &error))?;
        match status.as_u16() {
            200..300 => Ok(Some(body)),
            404 => Ok(None),
            _ => {
                let text = String::from_utf8_lossy(&body[..body.len().min(300)]).trim().to_owned();
                Err(self.failure(ask, &format!("{status} {text}")))
            }
        }
    }

    fn failure(&self, ask: &Ask, reason: &dyn std::fmt::Display) -> Failure {
        let path: String = ask.path.chars().take(200).collect();
        Failure(format!("{}: {path}: {reason}", self.description.name))
    }
}
