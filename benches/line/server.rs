//! The `clew` under measurement: a child process on free ports and a temporary directory.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) struct Server {
    child: Child,
    client: reqwest::Client,
    pub(crate) http: String,
    pub(crate) otlp: String,
    _data: tempfile::TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(env!("CARGO_BIN_EXE_clew"))
            .args(["serve", "--http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(data.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("clew starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("the line of addresses");
        let bound: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let url = |key: &str| format!("http://{}", bound[key].as_str().expect("an address"));
        let server =
            Self { child, client: reqwest::Client::new(), http: url("http"), otlp: url("otlp_http"), _data: data };
        while !server.ready().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    async fn ready(&self) -> bool {
        let answer = self.client.get(format!("{}/readyz", self.http)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// The body, whatever the status: what a measurement waits for.
    pub(crate) async fn request(&self, path: &str) -> bytes::Bytes {
        let answer = self.client.get(format!("{}{path}", self.http)).send().await.expect("an answer");
        answer.bytes().await.expect("a body")
    }

    pub(crate) async fn get(&self, path: &str) -> serde_json::Value {
        serde_json::from_slice(&self.request(path).await).expect("JSON")
    }

    pub(crate) async fn post(&self, path: &str, body: &'static str) -> serde_json::Value {
        let request = self.client.post(format!("{}{path}", self.http)).header("content-type", "application/json");
        let answer = request.body(body).send().await.expect("an answer");
        serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
    }

    /// CPU time of the process so far, user and system (proc(5), /proc/pid/stat fields 14 and 15, 100 Hz).
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("a process");
        let after_name = stat.rsplit_once(')').expect("a name").1;
        let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 10)
    }

    /// `VmRSS` or `VmHWM`, bytes.
    pub(crate) fn memory(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find(|line| line.starts_with(key)).expect("the key");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("kB") * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is measured, not stopped in good order.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// For a query string.
pub(crate) fn escape(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}
