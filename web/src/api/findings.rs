//! `GET /findings`, `/findings/{id}`, `/findings/rules`; accepting, reopening, evaluating now.

use axum::Json;
use axum::extract::State;
use query::findings::{Asked, Finding, model, rules};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::findings_json::{EvaluatedJson, FindingJson, FindingList, FindingWithHistory, RuleJson, RuleList};
use crate::error::{ApiError, ErrorBody};
use crate::params::{JsonBody, Path, Query};
use crate::state::AppState;
use crate::time::Moment;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FindingParams {
    /// `F1` to `F20`.
    rule: Option<String>,
    /// Only those that touch this service.
    service: Option<String>,
    /// `open`, `resolved`, `accepted` or `all`. Default: open.
    state: Option<String>,
    /// `critical`, `warning` or `info`.
    severity: Option<String>,
}

impl FindingParams {
    fn asked(self) -> Result<Asked, ApiError> {
        let state = match self.state.as_deref() {
            Some("all") => None,
            Some(name) => Some(named("state", name, &model::State::ALL, model::State::name)?),
            None => Some(model::State::Open),
        };
        let severity = self.severity.as_deref();
        let severity = severity.map(|name| named("severity", name, &model::Severity::ALL, model::Severity::name));
        if let Some(rule) = self.rule.as_deref().filter(|rule| rules::get(rule).is_none()) {
            return Err(ApiError::bad(format!("parameter `rule`: there is no `{rule}`; there are F1 to F20")));
        }
        Ok(Asked { rule: self.rule, service: self.service, state, severity: severity.transpose()? })
    }
}

fn named<T: Copy>(parameter: &str, name: &str, all: &[T], of: fn(T) -> &'static str) -> Result<T, ApiError> {
    all.iter().copied().find(|one| of(*one) == name).ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|one| of(*one)).collect();
        ApiError::bad(format!("parameter `{parameter}`: `{name}` is none of {}", known.join(", ")))
    })
}

/// What is wrong with how the services work together, and what cannot be judged. Severest first, then by last seen.
#[utoipa::path(get, path = "/api/v1/findings", operation_id = "list_findings", tag = "governance", params(FindingParams),
    responses((status = 200, body = FindingList), (status = 400, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Query(asked): Query<FindingParams>,
) -> Result<Json<FindingList>, ApiError> {
    Ok(Json(FindingList::of(state.engine.findings(&asked.asked()?).await?)))
}

/// One finding with its past.
#[utoipa::path(get, path = "/api/v1/findings/{finding_id}", operation_id = "get_finding", tag = "governance",
    params(("finding_id" = String, Path)),
    responses((status = 200, body = FindingWithHistory), (status = 404, body = ErrorBody)))]
pub(crate) async fn one(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<FindingWithHistory>, ApiError> {
    known(&id, state.engine.finding(&id).await?).map(|finding| Json(FindingWithHistory::of(finding)))
}

/// Who takes a finding as it is, and why.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Acceptance {
    by: String,
    #[serde(default)]
    note: String,
}

/// Longest name and note, bytes.
const MAX_BY: usize = 200;
const MAX_NOTE: usize = 4_000;

/// The finding is known: it tells nobody while it lasts.
#[utoipa::path(post, path = "/api/v1/findings/{finding_id}/accept", operation_id = "accept_finding", tag = "governance",
    params(("finding_id" = String, Path)), request_body = Acceptance,
    responses((status = 200, body = FindingJson), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn accept(
    State(state): State<AppState>,
    Path(id): Path<String>,
    JsonBody(acceptance): JsonBody<Acceptance>,
) -> Result<Json<FindingJson>, ApiError> {
    let Acceptance { by, note } = acceptance;
    if by.trim().is_empty() || by.len() > MAX_BY || note.len() > MAX_NOTE {
        return Err(ApiError::bad(format!("`by` needs 1 to {MAX_BY} bytes, `note` at most {MAX_NOTE}")));
    }
    known(&id, state.engine.accept_finding(&id, &by, &note).await?).map(|finding| Json(FindingJson::of(finding)))
}

/// An accepted finding counts again.
#[utoipa::path(post, path = "/api/v1/findings/{finding_id}/reopen", operation_id = "reopen_finding", tag = "governance",
    params(("finding_id" = String, Path)),
    responses((status = 200, body = FindingJson), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn reopen(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<FindingJson>, ApiError> {
    known(&id, state.engine.reopen_finding(&id).await?).map(|finding| Json(FindingJson::of(finding)))
}

fn known(id: &str, finding: Option<Finding>) -> Result<Finding, ApiError> {
    finding.ok_or_else(|| ApiError::not_found(format!("there is no finding {id}")))
}

/// The rules, what they compare with, and what keeps them from false alarms.
#[utoipa::path(get, path = "/api/v1/findings/rules", operation_id = "list_rules", tag = "governance",
    responses((status = 200, body = RuleList)))]
pub(crate) async fn rules(State(state): State<AppState>) -> Json<RuleList> {
    let thresholds = state.engine.thresholds();
    Json(RuleList { rules: rules::all().map(|rule| RuleJson::of(rule, thresholds)).collect() })
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EvaluateParams {
    /// Looks at the minutes since then anew, 120 at most. Default: those not yet looked at.
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
}

/// Evaluates now what is settled, instead of within the minute.
#[utoipa::path(post, path = "/api/v1/findings/evaluate", operation_id = "evaluate_findings", tag = "governance",
    params(EvaluateParams),
    responses((status = 200, body = EvaluatedJson), (status = 400, body = ErrorBody), (status = 504, body = ErrorBody)))]
pub(crate) async fn evaluate(
    State(state): State<AppState>,
    Query(asked): Query<EvaluateParams>,
) -> Result<Json<EvaluatedJson>, ApiError> {
    let from = asked.from.map(|from| from.resolve(state.now()));
    Ok(Json(EvaluatedJson::of(state.engine.evaluate_findings(from).await?)))
}
