//! Prometheus' HTTP API v1, as far as Grafana's service graph asks it: counters made of spans.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use query::QueryError;
use query::model::Notes;
use query::promql::{self, Answer, COUNTED_MS, Labels, Selector, Steps};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::answer;
use crate::error::ApiError;
use crate::params::{self, Pairs, Path};
use crate::state::AppState;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/query", get(query).post(query))
        .route("/query_range", get(query_range).post(query_range))
        .route("/labels", get(labels).post(labels))
        .route("/label/{name}/values", get(label_values))
        .route("/series", get(series).post(series))
        .route("/metadata", get(metadata))
        .route("/status/buildinfo", get(build_info))
}

/// An error in Prometheus' envelope.
#[derive(Debug)]
struct Failed {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Failed {
    fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "bad_data", message: message.into() }
    }
}

impl From<QueryError> for Failed {
    fn from(error: QueryError) -> Self {
        let message = error.to_string();
        let (status, kind) = match error {
            QueryError::Bad { position: Some(position), .. } => {
                return Self::bad(format!("1:{}: {message}", position + 1));
            }
            QueryError::Bad { .. } => return Self::bad(message),
            QueryError::Timeout(_) => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            QueryError::TooLarge(_) => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
            QueryError::Internal(_) => {
                tracing::error!(%message, "a request failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        };
        Self { status, kind, message }
    }
}

impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Self {
        Self { status: error.code.status(), kind: "bad_data", message: error.message }
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let body = json!({"status": "error", "errorType": self.kind, "error": self.message});
        (self.status, axum::Json(body)).into_response()
    }
}

/// Parameters of the query string and of a form in the body.
async fn asked(request: Request, state: &AppState) -> Result<Pairs, Failed> {
    let mut text = request.uri().query().unwrap_or_default().to_owned();
    if request.method() == axum::http::Method::POST {
        let body = params::body(request, state).await?;
        let form = std::str::from_utf8(&body).map_err(|_| Failed::bad("the form is not UTF-8"))?;
        text = [form, &text].join("&");
    }
    Ok(Pairs::parse(&text)?)
}

fn required<'a>(pairs: &'a Pairs, name: &str) -> Result<&'a str, Failed> {
    pairs.get(name).ok_or_else(|| Failed::bad(format!("invalid parameter \"{name}\": it is missing")))
}

/// ms since the epoch: seconds, or RFC 3339.
fn time(pairs: &Pairs, name: &str) -> Result<Option<i64>, Failed> {
    let Some(text) = pairs.get(name) else { return Ok(None) };
    let seconds =
        text.parse::<f64>().ok().filter(|seconds| seconds.abs() < 1e11).map(|seconds| (seconds * 1e3).round() as i64);
    let ms = seconds.or_else(|| Some(chrono::DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis()));
    ms.map(Some)
        .ok_or_else(|| Failed::bad(format!("invalid parameter \"{name}\": cannot parse {text:?} to a valid timestamp")))
}

/// ms: seconds, or a duration such as `1m`.
fn step(text: &str) -> Result<i64, Failed> {
    let seconds =
        text.parse::<f64>().ok().filter(|seconds| seconds.abs() < 1e9).map(|seconds| (seconds * 1e3).round() as i64);
    let ms = seconds.or_else(|| promql::duration_ms(text));
    ms.ok_or_else(|| Failed::bad(format!("invalid parameter \"step\": cannot parse {text:?} to a valid duration")))
}

fn now_ms(state: &AppState) -> i64 {
    state.now() / 1_000_000
}

#[derive(Serialize)]
struct Envelope<T> {
    status: &'static str,
    data: T,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<T> {
    result_type: &'static str,
    result: T,
}

#[derive(Serialize)]
struct Series<T> {
    metric: Labels,
    #[serde(flatten)]
    of: T,
}

#[derive(Serialize)]
struct One {
    value: Sample,
}

#[derive(Serialize)]
struct Many {
    values: Vec<Sample>,
}

/// Seconds, and the value as text.
struct Sample((i64, f64));

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (time, value) = self.0;
        let value = match value {
            f64::INFINITY => "+Inf".to_owned(),
            f64::NEG_INFINITY => "-Inf".to_owned(),
            value => value.to_string(),
        };
        match time % 1_000 {
            0 => (time / 1_000, value).serialize(serializer),
            _ => (time as f64 / 1e3, value).serialize(serializer),
        }
    }
}

/// Written as it is sent: matrices are large.
fn succeeded<T: Serialize + Send + 'static>(data: T, notes: Notes) -> Response {
    let body = Envelope { status: "success", data, warnings: notes.warnings };
    answer::json(body, |body, out| serde_json::to_writer(out, body))
}

async fn query(State(state): State<AppState>, request: Request) -> Result<Response, Failed> {
    let pairs = asked(request, &state).await?;
    let at = time(&pairs, "time")?.unwrap_or_else(|| now_ms(&state));
    let query = promql::parse(required(&pairs, "query")?)?;
    let (answer, notes) = state.engine.promql(query, Steps::instant(at)).await?;
    Ok(match answer {
        Answer::Scalar(samples) => {
            let result = samples.first().map(|sample| Sample(*sample));
            succeeded(Data { result_type: "scalar", result }, notes)
        }
        Answer::Vector(series) => {
            let one = |(metric, samples): (Labels, promql::Samples)| {
                Some(Series { metric, of: One { value: Sample(*samples.first()?) } })
            };
            let result: Vec<_> = series.into_iter().filter_map(one).collect();
            succeeded(Data { result_type: "vector", result }, notes)
        }
    })
}

async fn query_range(State(state): State<AppState>, request: Request) -> Result<Response, Failed> {
    let pairs = asked(request, &state).await?;
    let at =
        |name| time(&pairs, name)?.ok_or_else(|| Failed::bad(format!("invalid parameter \"{name}\": it is missing")));
    let steps = Steps { from: at("start")?, to: at("end")?, step: step(required(&pairs, "step")?)? };
    let query = promql::parse(required(&pairs, "query")?)?;
    let (answer, notes) = state.engine.promql(query, steps).await?;
    let series = match answer {
        Answer::Scalar(samples) => vec![(Labels::new(), samples)],
        Answer::Vector(series) => series,
    };
    let many = |(metric, samples): (Labels, promql::Samples)| Series {
        metric,
        of: Many { values: samples.into_iter().map(Sample).collect() },
    };
    let result: Vec<_> = series.into_iter().map(many).collect();
    Ok(succeeded(Data { result_type: "matrix", result }, notes))
}

/// The series of the selectors in `match[]`, or all.
async fn matching(state: &AppState, pairs: &Pairs) -> Result<(Vec<Labels>, Notes), Failed> {
    let given = pairs.all("match[]").filter(|text| !text.is_empty());
    let mut selectors: Vec<Selector> = given.map(promql::parse_selector).collect::<Result<_, _>>()?;
    if selectors.is_empty() {
        selectors.push(promql::parse_selector("{__name__=~\"traces_.+\"}")?);
    }
    let to = time(pairs, "end")?.unwrap_or_else(|| now_ms(state));
    let from = time(pairs, "start")?.unwrap_or(to.saturating_sub(COUNTED_MS));
    // Grafana asks for labels over whatever its panel shows: the newest week is what is looked at.
    let from = from.max(to.saturating_sub(promql::MOST_MS));
    Ok(state.engine.promql_series(selectors, from, to).await?)
}

fn list<T: Serialize>(values: T, notes: Notes) -> Result<Response, Failed> {
    Ok(succeeded(serde_json::to_value(values).map_err(ApiError::internal)?, notes))
}

async fn series(State(state): State<AppState>, request: Request) -> Result<Response, Failed> {
    let pairs = asked(request, &state).await?;
    required(&pairs, "match[]")?;
    let (series, notes) = matching(&state, &pairs).await?;
    list(series, notes)
}

async fn labels(State(state): State<AppState>, request: Request) -> Result<Response, Failed> {
    let pairs = asked(request, &state).await?;
    let (series, notes) = matching(&state, &pairs).await?;
    let names: BTreeSet<&String> = series.iter().flat_map(Labels::keys).collect();
    list(names, notes)
}

async fn label_values(
    State(state): State<AppState>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Failed> {
    let pairs = asked(request, &state).await?;
    let (series, notes) = matching(&state, &pairs).await?;
    let values: BTreeSet<&String> = series.iter().filter_map(|labels| labels.get(&name)).collect();
    list(values, notes)
}

async fn metadata(State(state): State<AppState>, request: Request) -> Result<Response, Failed> {
    let pairs = asked(request, &state).await?;
    let asked = pairs.get("metric");
    let mut metrics = serde_json::Map::new();
    for (name, kind, help) in promql::metrics().filter(|(name, ..)| asked.is_none_or(|asked| asked == *name)) {
        metrics.insert(name.to_owned(), json!([{"type": kind, "help": help, "unit": ""}]));
    }
    Ok(succeeded(Value::Object(metrics), Notes::default()))
}

/// Grafana asks which Prometheus it speaks to; the version is Clew's own.
async fn build_info(State(state): State<AppState>) -> Response {
    let data = json!({"application": "Clew", "version": state.about.version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""});
    succeeded(data, Notes::default())
}
