//! Parameters of Jaeger's searches, v1 and v3, and the question they put to the engine.

use chrono::DateTime;
use query::Range;
use query::search::TraceSearch;
use query::traceql::ast::{CompareOp, Expr, Intrinsic, Spanset, Static};
use query::traceql::{JaegerQuery, TraceQuery};
use storage::ids::TraceId;

use super::golang::{boolean, duration, int, quoted};
use super::{stored_service, stored_span_name, trace_id};
use crate::params::{MOST_TRACES, Pairs};
use crate::time::{closed, looking_back};

const DEFAULT_LIMIT: usize = 100;
/// How far v1 looks back where no start is given, ns.
const LOOKBACK: i64 = 2 * 86_400 * 1_000_000_000;

/// What `/api/traces` asks for.
#[derive(Debug, PartialEq)]
pub(super) enum V1Search {
    Ids(Vec<TraceId>),
    Search(Search),
}

#[derive(Debug, PartialEq)]
pub(super) struct Search {
    pub(super) form: JaegerQuery,
    pub(super) range: Range,
    pub(super) limit: usize,
}

impl Search {
    pub(super) fn question(self) -> TraceSearch {
        TraceSearch::new(trace_query(self.form), self.range, self.limit)
    }
}

/// Names that Jaeger shows for empty ones are asked for as empty ones.
fn trace_query(mut form: JaegerQuery) -> TraceQuery {
    let mut empty = Vec::new();
    if form.service.as_deref().is_some_and(|name| stored_service(name).is_empty()) {
        form.service = None;
        empty.push(Intrinsic::Service);
    }
    if form.operation.as_deref().is_some_and(|name| stored_span_name(name).is_empty()) {
        form.operation = None;
        empty.push(Intrinsic::Name);
    }
    let mut query = TraceQuery::jaeger(&form);
    if !empty.is_empty()
        && let Spanset::Filter(expr) = query.spans
    {
        let is_empty = |name| Expr::compare(name, CompareOp::Equal, Static::String(String::new()));
        let all = empty.into_iter().map(is_empty).chain([expr]).collect();
        query.spans = Spanset::Filter(Expr::All(all));
    }
    query
}

/// `/api/traces`. Times in µs, durations in Go's form.
pub(super) fn v1(pairs: &Pairs, now: i64) -> Result<V1Search, String> {
    let start = micros(pairs, "start")?.unwrap_or_else(|| now.saturating_sub(LOOKBACK));
    let end = micros(pairs, "end")?.unwrap_or(now);
    let tags = v1_tags(pairs)?;
    let limit = limit(pairs.get("limit")).map_err(|reason| unparsed("limit", &reason))?;
    let ids = pairs.all("traceID").filter(|id| !id.is_empty()).map(v1_id).collect::<Result<Vec<_>, _>>()?;
    let min_duration = v1_duration(pairs, "minDuration")?;
    let max_duration = v1_duration(pairs, "maxDuration")?;
    if let (Some(min), Some(max)) = (min_duration, max_duration)
        && min > max
    {
        return Err("'maxDuration' should be greater than 'minDuration'".to_owned());
    }
    raw(pairs)?;
    let service = pairs.get("service").map(str::to_owned);
    if !ids.is_empty() {
        return Ok(V1Search::Ids(ids));
    }
    if service.is_none() {
        return Err("parameter 'service' is required".to_owned());
    }
    let operation = pairs.get("operation").map(str::to_owned);
    let form = JaegerQuery { service, operation, tags, min_duration, max_duration };
    Ok(V1Search::Search(Search { form, range: closed(start, end), limit }))
}

/// The time range that `/api/traces/{id}` may carry is checked and not used: an id finds the trace
/// wherever it lies.
pub(super) fn v1_window(pairs: &Pairs) -> Result<(), String> {
    micros(pairs, "start")?;
    micros(pairs, "end")?;
    raw(pairs)
}

fn raw(pairs: &Pairs) -> Result<(), String> {
    pairs.get("raw").map_or(Ok(()), |text| boolean(text).map(drop).map_err(|reason| unparsed("raw", &reason)))
}

fn unparsed(name: &str, reason: &str) -> String {
    format!("unable to parse param '{name}': {reason}")
}

/// A parameter in µs, as ns.
fn micros(pairs: &Pairs, name: &str) -> Result<Option<i64>, String> {
    whole(pairs, name, 1_000)
}

/// A parameter in ms, as ns.
fn millis(pairs: &Pairs, name: &str) -> Result<Option<i64>, String> {
    whole(pairs, name, 1_000_000)
}

/// A whole number of a unit (ns), as ns.
fn whole(pairs: &Pairs, name: &str, unit: i64) -> Result<Option<i64>, String> {
    let Some(text) = pairs.get(name) else { return Ok(None) };
    int(text).map(|number| Some(number.saturating_mul(unit))).map_err(|reason| unparsed(name, &reason))
}

fn v1_duration(pairs: &Pairs, name: &str) -> Result<Option<i64>, String> {
    let Some(text) = pairs.get(name) else { return Ok(None) };
    duration(text).map(|ns| Some(ns).filter(|&ns| ns != 0)).map_err(|reason| unparsed(name, &reason))
}

fn v1_id(text: &str) -> Result<TraceId, String> {
    let reason = || format!("cannot parse traceID param: strconv.ParseUint: parsing {}: invalid syntax", quoted(text));
    trace_id(text).ok_or_else(reason)
}

/// 0 is the default, as in Jaeger.
fn limit(text: Option<&str>) -> Result<usize, String> {
    match text.map(int).transpose()? {
        None | Some(0) => Ok(DEFAULT_LIMIT),
        Some(limit @ 1..=MOST_TRACES) => Ok(limit as usize),
        Some(limit) => Err(format!("{limit} is not within 1 and {MOST_TRACES}")),
    }
}

/// `tag=key:value`, repeated, and `tags={"key":"value"}`.
fn v1_tags(pairs: &Pairs) -> Result<Vec<(String, String)>, String> {
    let single = |text: &str| {
        let (key, value) = text
            .split_once(':')
            .ok_or_else(|| format!("malformed 'tag' parameter, expecting key:value, received: {text}"))?;
        Ok((key.to_owned(), value.to_owned()))
    };
    let mut tags = pairs.all("tag").map(single).collect::<Result<Vec<_>, String>>()?;
    for text in pairs.all("tags").filter(|text| !text.is_empty()) {
        let reason = |reason| format!("malformed 'tags' parameter, cannot unmarshal JSON: {reason}");
        tags.extend(string_map(text).map_err(reason)?);
    }
    Ok(tags)
}

/// A JSON object of strings, in order; errors in the words of Go's `encoding/json`.
fn string_map(text: &str) -> Result<Vec<(String, String)>, String> {
    let map: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    let string = |(key, value)| match value {
        serde_json::Value::String(value) => Ok((key, value)),
        other => Err(format!("json: cannot unmarshal {} into Go value of type string", json_type(&other))),
    };
    map.into_iter().map(string).collect()
}

fn json_type(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "bool",
        serde_json::Value::Number(_) => "number",
        serde_json::Value::String(_) => "string",
        serde_json::Value::Array(_) => "array",
        serde_json::Value::Object(_) => "object",
    }
}

/// `/api/v3/traces` and `/api/v3/trace-summaries`. Names in camelCase and, of old, in snake_case.
pub(super) fn v3(pairs: &Pairs) -> Result<Search, String> {
    let start = v3_time(pairs, &["query.startTimeMin", "query.start_time_min"])?;
    let end = v3_time(pairs, &["query.startTimeMax", "query.start_time_max"])?;
    let (Some(start), Some(end)) = (start, end) else {
        return Err("query.startTimeMin and query.startTimeMax are required".to_owned());
    };
    if start >= end {
        return Err("query.startTimeMin must be before query.startTimeMax".to_owned());
    }
    let text = |names: &[&str]| given(pairs, names).map(|(_, text)| text.to_owned());
    let limit = match given(pairs, &["query.searchDepth", "query.search_depth", "query.num_traces"]) {
        None => DEFAULT_LIMIT,
        Some((name, text)) => limit(Some(text)).map_err(|reason| malformed(name, &reason))?,
    };
    let tags = match given(pairs, &["query.attributes"]) {
        None => Vec::new(),
        Some((name, text)) => string_map(text).map_err(|reason| malformed(name, &reason))?,
    };
    let form = JaegerQuery {
        service: text(&["query.serviceName", "query.service_name"]),
        operation: text(&["query.operationName", "query.operation_name"]),
        tags,
        min_duration: v3_duration(pairs, &["query.durationMin", "query.duration_min"])?,
        max_duration: v3_duration(pairs, &["query.durationMax", "query.duration_max"])?,
    };
    v3_raw(pairs, &["query.rawTraces", "query.raw_traces"])?;
    Ok(Search { form, range: closed(start, end), limit })
}

/// As [`v1_window`], for `/api/v3/traces/{id}`.
pub(super) fn v3_window(pairs: &Pairs) -> Result<(), String> {
    v3_time(pairs, &["startTime", "start_time"])?;
    v3_time(pairs, &["endTime", "end_time"])?;
    v3_raw(pairs, &["rawTraces", "raw_traces"])
}

/// The range of `/api/v3/dependencies`: a day by default.
pub(super) fn v3_range(pairs: &Pairs, now: i64) -> Result<Range, String> {
    let end = v3_time(pairs, &["endTime", "end_time"])?;
    let start = v3_time(pairs, &["startTime", "start_time"])?;
    let range = looking_back(end, None, now);
    Ok(Range { from: start.unwrap_or(range.from), ..range })
}

/// The first of these names that has a value.
fn given<'a>(pairs: &'a Pairs, names: &[&'a str]) -> Option<(&'a str, &'a str)> {
    names.iter().find_map(|name| pairs.get(name).map(|text| (*name, text)))
}

fn malformed(name: &str, reason: &str) -> String {
    format!("malformed parameter {name}: {reason}")
}

/// RFC 3339 with up to nine digits of a second; ns.
fn v3_time(pairs: &Pairs, names: &[&str]) -> Result<Option<i64>, String> {
    let Some((name, text)) = given(pairs, names) else { return Ok(None) };
    let time =
        DateTime::parse_from_rfc3339(text).map_err(|reason| malformed(name, &format!("{}: {reason}", quoted(text))))?;
    // Times outside of what ns can tell are those at its ends: nothing is stored beyond.
    let end = if time.timestamp() < 0 { i64::MIN } else { i64::MAX - 1 };
    Ok(Some(time.timestamp_nanos_opt().unwrap_or(end)))
}

fn v3_duration(pairs: &Pairs, names: &[&str]) -> Result<Option<i64>, String> {
    let Some((name, text)) = given(pairs, names) else { return Ok(None) };
    duration(text).map(|ns| Some(ns).filter(|&ns| ns != 0)).map_err(|reason| malformed(name, &reason))
}

fn v3_raw(pairs: &Pairs, names: &[&str]) -> Result<(), String> {
    given(pairs, names)
        .map_or(Ok(()), |(name, text)| boolean(text).map(drop).map_err(|reason| malformed(name, &reason)))
}

/// The range of `/api/dependencies`: `endTs` and `lookback` in ms; a day by default.
pub(super) fn v1_range(pairs: &Pairs, now: i64) -> Result<Range, String> {
    Ok(looking_back(millis(pairs, "endTs")?, millis(pairs, "lookback")?, now))
}
