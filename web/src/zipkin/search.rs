//! `GET /traces`: Zipkin's search, which asks whole traces and not single spans.

use std::collections::BTreeMap;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use query::model::{Notes, Trace};
use query::search::TraceSearch;
use query::traceql::ast::{CompareOp, Expr, Intrinsic, Spanset, Static};
use query::traceql::{JaegerQuery, TraceQuery};
use query::{QueryError, Range};

use super::spans::{self, Span};
use super::{Failed, positive, range, stored_services, warned};
use crate::answer;
use crate::params::{MOST_TRACES, Pairs};
use crate::state::AppState;

const DEFAULT_LIMIT: i64 = 10;
/// Traces looked at for one answer, and at once.
const MOST_LOOKED_AT: usize = 20_000;
const PAGE: usize = 200;
/// Of all traces in one answer.
const MOST_SPANS: usize = 500_000;
/// A trace's first span may begin so long before or after the one that is searched for, ns.
const MARGIN: i64 = 3600 * 1_000_000_000;

/// What is asked of a trace. Names are in lower case; durations in µs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    range: Range,
    limit: usize,
    service: Option<String>,
    remote: Option<String>,
    name: Option<String>,
    /// Tags with their value; an empty one asks for the tag, or for an annotation of that text.
    annotations: BTreeMap<String, String>,
    min_duration: Option<u64>,
    max_duration: Option<u64>,
}

impl Question {
    pub(super) fn parse(pairs: &Pairs, now: i64) -> Result<Self, Failed> {
        let name = |key| pairs.get(key).map(str::to_lowercase);
        let duration = |key| Ok::<_, Failed>(positive(pairs, key)?.map(|us| us as u64));
        let (min_duration, max_duration) = (duration("minDuration")?, duration("maxDuration")?);
        if let Some(max) = max_duration {
            let Some(min) = min_duration else {
                return Err(Failed::bad("maxDuration is only valid with minDuration"));
            };
            if max < min {
                return Err(Failed::bad("maxDuration < minDuration"));
            }
        }
        let limit = positive(pairs, "limit")?.unwrap_or(DEFAULT_LIMIT);
        if limit > MOST_TRACES {
            return Err(Failed::bad(format!("limit must be at most {MOST_TRACES}")));
        }
        Ok(Self {
            range: range(pairs, now)?,
            limit: limit as usize,
            service: name("serviceName").filter(|name| name != "all"),
            remote: name("remoteServiceName"),
            name: name("spanName").filter(|name| name != "all"),
            annotations: annotations(pairs.get("annotationQuery").unwrap_or_default()),
            min_duration,
            max_duration,
        })
    }

    /// Whether a trace, by start, is what is asked for. Its time is its root's, else that of its last span.
    pub(super) fn test(&self, trace: &[Span]) -> bool {
        let timed = || trace.iter().filter(|span| span.timestamp > 0);
        let Some(begins) = timed().find(|span| span.parent_id.is_none()).or(timed().next_back()) else { return false };
        if !self.range.contains((begins.timestamp as i64).saturating_mul(1_000)) {
            return false;
        }
        let of_service: Vec<&Span> = trace
            .iter()
            .filter(|span| self.service.as_ref().is_none_or(|service| *service == span.local_endpoint.service_name))
            .collect();
        let any = |test: &dyn Fn(&Span) -> bool| of_service.iter().any(|span| test(span));
        !of_service.is_empty()
            && self.remote.as_ref().is_none_or(|remote| any(&|span| span.remote_endpoint.service_name == *remote))
            && self.name.as_ref().is_none_or(|name| any(&|span| span.name == *name))
            && self.min_duration.is_none_or(|min| {
                any(&|span| span.duration >= min && self.max_duration.is_none_or(|max| span.duration <= max))
            })
            && self.annotations.iter().all(|(key, value)| any(&|span| has(span, key, value)))
    }

    async fn query(&self, state: &AppState) -> Result<Option<TraceQuery>, QueryError> {
        let mut query = TraceQuery::jaeger(&JaegerQuery::default());
        if let Some(service) = &self.service {
            let services = stored_services(state, service).await?;
            if services.is_empty() {
                return Ok(None);
            }
            let is = |name: String| Expr::compare(Intrinsic::Service, CompareOp::Equal, Static::String(name));
            query.spans = Spanset::Filter(Expr::Any(services.into_iter().map(is).collect()));
        }
        Ok(Some(query))
    }
}

fn has(span: &Span, key: &str, value: &str) -> bool {
    let tag = span.tags.get(key).is_some_and(|found| value.is_empty() || found == value);
    tag || (value.is_empty() && span.annotations.iter().any(|annotation| annotation.value == key))
}

/// `a and b=c`: what a tag must be counts more than that it is there.
fn annotations(text: &str) -> BTreeMap<String, String> {
    let mut asked = BTreeMap::new();
    for part in text.split(" and ").filter(|part| !part.trim().is_empty()) {
        match part.split_once('=') {
            Some((key, value)) => {
                asked.insert(key.trim().to_owned(), value.trim().to_owned());
            }
            None => {
                asked.entry(part.trim().to_owned()).or_default();
            }
        }
    }
    asked
}

pub(super) async fn traces(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<Response, Failed> {
    let question = Question::parse(&super::pairs(query)?, state.now())?;
    let (mut found, mut notes) = (Vec::new(), Notes::default());
    let Some(query) = question.query(&state).await? else { return Ok(answer(found, &notes)) };
    let range =
        Range { from: question.range.from.saturating_sub(MARGIN), to: question.range.to.saturating_add(MARGIN) };
    let page = question.limit.clamp(20, PAGE);
    let mut search = TraceSearch::new(query, range, page);
    let (mut looked_at, mut spans) = (0, 0);
    loop {
        let page = state.engine.search_traces(search.clone()).await?;
        looked_at += page.items.len();
        for warning in page.notes.warnings {
            if !notes.warnings.contains(&warning) {
                notes.warnings.push(warning);
            }
        }
        for ids in page.items.chunks(16) {
            let ids: Vec<_> = ids.iter().map(|summary| summary.id).collect();
            for trace in state.engine.traces(&ids).await? {
                if found.len() < question.limit && question.test(&spans::of(&trace)) {
                    spans += trace.spans.len();
                    found.push(trace);
                }
            }
            if found.len() >= question.limit || spans > MOST_SPANS {
                break;
            }
        }
        if found.len() >= question.limit {
            break;
        }
        search.cursor = page.next;
        let is_large = spans > MOST_SPANS;
        if is_large || (search.cursor.is_some() && looked_at >= MOST_LOOKED_AT) {
            notes.warnings.push(format!("only the newest {looked_at} traces were looked at; ask for a shorter range"));
            break;
        }
        if search.cursor.is_none() {
            break;
        }
    }
    Ok(answer(found, &notes))
}

/// A list of traces.
pub(super) fn answer(traces: Vec<Trace>, notes: &Notes) -> Response {
    let written = answer::json(traces, |traces, out| {
        use serde::ser::{SerializeSeq, Serializer};
        let mut list = serde_json::Serializer::new(out);
        let mut list = list.serialize_seq(Some(traces.len()))?;
        traces.iter().try_for_each(|trace| list.serialize_element(&spans::of(trace)))?;
        list.end()
    });
    warned(written, notes)
}
