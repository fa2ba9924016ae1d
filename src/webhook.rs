//! Tells others of findings that open and resolve: alerts in the form that Alertmanager takes (v2).
//!
//! ```text
//!  finding ─▶ bounded queue of each receiver ─▶ POST [alert], again with longer and longer pauses
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use query::findings::model::State;
use query::findings::{Finding, Notify, rules};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use storage::tenant::TenantId;
use tokio::sync::mpsc;

use crate::Failure;
use crate::config::Webhook;

/// Alerts that wait for one receiver; what comes when it is full is dropped, and said.
const QUEUE: usize = 256;
const ATTEMPTS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Alertmanager ends an alert by itself that nobody repeats. We tell it when it is over, so until then it lasts, ns.
const LASTS: i64 = 30 * 86_400 * 1_000_000_000;

/// All receivers. Dropping it, with all that it made for tenants, ends what is on its way.
#[derive(Clone)]
pub(crate) struct Webhooks {
    receivers: Vec<mpsc::Sender<Value>>,
    links: Vec<String>,
    counts: Arc<Counts>,
    /// Whose findings they are told of.
    tenant: TenantId,
}

/// Since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: AtomicU64,
    /// For want of room, or after all attempts.
    pub(crate) dropped: AtomicU64,
}

impl Webhooks {
    /// `page` is where people read findings, unless a receiver's own setting says otherwise.
    pub(crate) fn start(webhooks: &[Webhook], page: &str) -> Result<Self, Failure> {
        let counts = Arc::new(Counts::default());
        let (mut receivers, mut links) = (Vec::new(), Vec::new());
        for webhook in webhooks {
            let target = Target::new(webhook)?;
            let (sender, receiver) = mpsc::channel(QUEUE);
            tokio::spawn(target.deliver(receiver, counts.clone(), FIRST_PAUSE));
            receivers.push(sender);
            links.push(webhook.link.as_deref().unwrap_or(page).trim_end_matches('/').to_owned());
        }
        Ok(Self { receivers, links, counts, tenant: TenantId::default() })
    }

    /// The same receivers, told of this tenant's findings.
    pub(crate) fn of_tenant(&self, tenant: &TenantId) -> Self {
        Self { tenant: tenant.clone(), ..self.clone() }
    }

    pub(crate) fn counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }
}

impl Notify for Webhooks {
    fn tell(&self, finding: &Finding) {
        for (receiver, link) in self.receivers.iter().zip(&self.links) {
            if receiver.try_send(alert(finding, link, &self.tenant)).is_err() {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(finding = finding.id, "a webhook does not keep up: an alert was dropped");
            }
        }
    }
}

/// Labels name the alert, so they are those it was opened with. The default tenant is not named.
fn alert(finding: &Finding, link: &str, tenant: &TenantId) -> Value {
    let last = &finding.last;
    let rule = rules::get(&last.rule);
    let ends = match finding.state {
        State::Resolved => finding.resolved.unwrap_or(finding.last_seen),
        State::Open | State::Accepted => finding.opened.saturating_add(LASTS),
    };
    let traces: Vec<&str> = last.evidence.iter().map(|one| one.trace_id.as_str()).collect();
    let mut alert = json!({
        "labels": {
            "alertname": rule.map_or(last.rule.as_str(), |rule| rule.name),
            "rule": last.rule,
            "severity": finding.told.severity.name(),
            "service": finding.told.service,
            "subject": last.subject.id,
            "subject_kind": last.subject.kind.name(),
            "finding": finding.id,
            "source": "clew",
        },
        "annotations": {
            "summary": last.claim.en,
            "summary_zh": last.claim.zh,
            "principle": rule.map_or("", |rule| rule.principle),
            "services": last.subject.services.join(","),
            "traces": traces.join(","),
        },
        "startsAt": rfc3339(finding.opened),
        "endsAt": rfc3339(ends),
        "generatorURL": format!("{link}/findings/{}", finding.id),
    });
    if !tenant.is_default() {
        alert["labels"]["tenant"] = tenant.as_str().into();
        alert["generatorURL"] = format!("{link}/findings/{}?tenant={tenant}", finding.id).into();
    }
    alert
}

fn rfc3339(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// One receiver.
struct Target {
    client: reqwest::Client,
    url: reqwest::Url,
    /// Without credentials and query, to be shown.
    shown: String,
    headers: HeaderMap,
}

impl Target {
    fn new(webhook: &Webhook) -> Result<Self, Failure> {
        // Never with the URL or a header's value: they may hold a secret.
        let wrong = |what: String| Failure::Usage(format!("[[webhook]]: {what}"));
        let url = reqwest::Url::parse(&webhook.url).map_err(|error| wrong(format!("`url` is no URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("`url` must begin with http:// or https://".to_owned()));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &webhook.headers {
            let key = HeaderName::try_from(name).map_err(|_| wrong(format!("`{name}` is no name of a header")))?;
            let mut value =
                HeaderValue::try_from(value).map_err(|_| wrong(format!("the value of `{name}` is none")))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        let client = reqwest::Client::builder().connect_timeout(CONNECT_WITHIN).timeout(ANSWER_WITHIN);
        let client = client.build().map_err(Failure::failed)?;
        let shown = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
        Ok(Self { client, url, shown, headers })
    }

    async fn deliver(self, mut alerts: mpsc::Receiver<Value>, counts: Arc<Counts>, pause: Duration) {
        while let Some(alert) = alerts.recv().await {
            let count = if self.send(&alert, pause).await { &counts.sent } else { &counts.dropped };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether it was taken.
    async fn send(&self, alert: &Value, mut pause: Duration) -> bool {
        let body = json!([alert]).to_string();
        for attempt in 1..=ATTEMPTS {
            let request = self.client.post(self.url.clone()).headers(self.headers.clone());
            let answer = request.header(CONTENT_TYPE, "application/json").body(body.clone()).send().await;
            let problem = match answer {
                Ok(answer) if answer.status().is_success() => return true,
                Ok(answer) if !retryable(answer.status()) => {
                    let status = answer.status().as_u16();
                    tracing::warn!(webhook = self.shown, status, "a webhook refused an alert, which is dropped");
                    return false;
                }
                Ok(answer) => answer.status().to_string(),
                Err(error) => error.without_url().to_string(),
            };
            tracing::info!(webhook = self.shown, problem, attempt, ?pause, "a webhook did not take an alert");
            if attempt < ATTEMPTS {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        tracing::warn!(webhook = self.shown, "an alert is dropped after {ATTEMPTS} attempts");
        false
    }
}

fn retryable(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 429)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use query::findings::judge::Verdict;
    use query::findings::ledger::{Ledger, advance};
    use query::findings::model::{Draft, Severity, Span, Subject, SubjectKind, Text};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn finding() -> Finding {
        let draft = Draft {
            rule: "F2".to_owned(),
            severity: Severity::Critical,
            confidence: 1.0,
            subject: Subject::new(SubjectKind::Database, "mysql://db/shop", &["order", "report"]),
            window: Span { from: 0, to: 1 },
            claim: Text::new("shared", "共享"),
            measured: Vec::new(),
            threshold: Vec::new(),
            baseline: None,
            n: 20,
            evidence: Vec::new(),
        };
        let mut ledger = Ledger::new();
        let verdict = Verdict { found: vec![draft], unjudged: Vec::new() };
        advance(&mut ledger, &verdict, 1_700_000_000_000_000_000, 1);
        ledger.into_values().next().expect("one")
    }

    fn webhook(url: String) -> Webhook {
        let headers = BTreeMap::from([("authorization".to_owned(), "Bearer s3cret".to_owned())]);
        Webhook { url, headers, link: None }
    }

    /// Answers each connection with the next status; the requests as they came.
    async fn receiver(statuses: &'static [u16]) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = tokio::spawn(async move {
            let mut requests = Vec::new();
            for status in statuses {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                let mut text = Vec::new();
                while !text.ends_with(b"}]") {
                    let mut piece = [0; 4096];
                    let read = socket.read(&mut piece).await.expect("a request");
                    text.extend(&piece[..read]);
                }
                let answer = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
                socket.write_all(answer.as_bytes()).await.expect("sent");
                requests.push(String::from_utf8_lossy(&text).into_owned());
            }
            requests
        });
        (format!("http://{address}/api/v2/alerts"), requests)
    }

    #[tokio::test]
    async fn an_alert_is_sent_again_until_it_is_taken() {
        let (url, requests) = receiver(&[503, 429, 200]).await;
        let Ok(target) = Target::new(&webhook(url)) else { panic!("a webhook") };
        let alert = alert(&finding(), "http://clew", &TenantId::default());
        assert!(target.send(&alert, Duration::from_millis(1)).await);
        let requests = requests.await.expect("three requests");
        assert_eq!(requests.len(), 3);
        let (head, body) = requests[2].split_once("\r\n\r\n").expect("a head");
        assert!(head.contains("authorization: Bearer s3cret") && head.starts_with("POST /api/v2/alerts"));
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body[0]["labels"]["alertname"], "shared_database");
        assert_eq!(body[0]["labels"]["severity"], "critical");
        assert_eq!(body[0]["startsAt"], "2023-11-14T22:13:20.000Z");
        assert!(body[0]["generatorURL"].as_str().is_some_and(|url| url.starts_with("http://clew/findings/")));
    }

    #[tokio::test]
    async fn a_refusal_ends_it() {
        let (url, requests) = receiver(&[400]).await;
        let Ok(target) = Target::new(&webhook(url)) else { panic!("a webhook") };
        assert!(!target.send(&alert(&finding(), "", &TenantId::default()), Duration::from_millis(1)).await);
        assert_eq!(requests.await.expect("one request").len(), 1);
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", webhook("https://user:s3cret@host/x?token=s3cret".to_owned()));
        assert!(!shown.contains("s3cret"), "{shown}");
        let Err(Failure::Usage(message)) = Target::new(&webhook("s3cret".to_owned())) else { panic!("no URL") };
        assert!(!message.contains("s3cret"), "{message}");
    }

    #[test]
    fn a_tenant_is_named_unless_it_is_the_default_one() {
        let plain = alert(&finding(), "http://clew", &TenantId::default());
        assert_eq!(plain["labels"].get("tenant"), None);
        let acme = alert(&finding(), "http://clew", &"acme".parse().expect("an id"));
        assert_eq!(acme["labels"]["tenant"], "acme");
        assert!(acme["generatorURL"].as_str().is_some_and(|url| url.ends_with("?tenant=acme")), "{acme}");
    }

    #[test]
    fn resolved_ends_open_lasts() {
        let alert = |finding: &Finding, link: &str| super::alert(finding, link, &TenantId::default());
        let mut open = finding();
        assert_eq!(alert(&open, "")["endsAt"], "2023-12-14T22:13:20.000Z");
        open.state = State::Resolved;
        open.resolved = Some(open.opened + 60_000_000_000);
        let resolved = alert(&open, "");
        assert_eq!(resolved["endsAt"], "2023-11-14T22:14:20.000Z");
        assert_eq!(resolved["labels"], alert(&finding(), "")["labels"]);
    }
}
