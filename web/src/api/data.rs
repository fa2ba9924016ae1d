//! `DELETE /data`: verified deletion.

use axum::Json;
use axum::extract::{RawQuery, State};
use query::Range;
use query::erase::{EraseError, Erased, Rows, Selection};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, Code, ErrorBody};
use crate::params::Pairs;
use crate::state::AppState;
use crate::time::Moment;

/// What was erased; of a dry run what would be.
#[derive(Serialize, ToSchema)]
pub(crate) struct Erasure {
    dry_run: bool,
    /// Rows.
    spans: u64,
    logs: u64,
    metrics: u64,
    /// Written anew without the rows, or dropped where none was left.
    segments_rewritten: u64,
    files_deleted: u64,
    /// Files of the write-ahead log.
    wal_files: u64,
    /// Time travel reaches back to now.
    snapshots_expired: u64,
    /// Everything was read again, and no such row was found.
    verified: bool,
    /// What could not be looked at; one English sentence each.
    unreadable: Vec<String>,
}

/// `trace_id`, or `attribute` and `value`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documentation: the pairs are read one by one, for one repeats and none may be misspelt")]
pub(crate) struct Parameters {
    /// May repeat.
    trace_id: Option<Vec<String>>,
    /// Key of an attribute in any scope; `resource.key` of the resource alone.
    attribute: Option<String>,
    /// Its value as text.
    value: Option<String>,
    /// Only rows of this service.
    service: Option<String>,
    /// Only rows from this time on: RFC 3339, ns since the epoch, `now-1h`. Default: all.
    from: Option<String>,
    /// Exclusive; as `from`.
    to: Option<String>,
    /// Counts and erases nothing.
    dry_run: Option<bool>,
}

/// Erases rows from answers, files, log and catalogue. Rows that arrive while it runs stay.
#[utoipa::path(delete, path = "/api/v1/data", tag = "process", params(Parameters),
    responses((status = 200, body = Erasure), (status = 400, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn erase(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<Json<Erasure>, ApiError> {
    let (selection, dry_run) = selection(&Pairs::parse(&query.unwrap_or_default())?, state.now())?;
    let erased = state.engine.erase(selection, dry_run).await.map_err(failed)?;
    Ok(Json(erasure(erased, dry_run)))
}

fn erasure(erased: Erased, dry_run: bool) -> Erasure {
    let Erased { spans, logs, metrics, segments_rewritten, files_deleted, wal_files, .. } = erased;
    let Erased { snapshots_expired, verified, unreadable, .. } = erased;
    Erasure {
        dry_run,
        spans,
        logs,
        metrics,
        segments_rewritten,
        files_deleted,
        wal_files,
        snapshots_expired,
        verified,
        unreadable,
    }
}

fn failed(error: EraseError) -> ApiError {
    tracing::error!(%error, "rows could not be erased");
    ApiError::new(Code::Unavailable, error.to_string())
}

const NAMES: [&str; 7] = ["trace_id", "attribute", "value", "service", "from", "to", "dry_run"];

/// A parameter that is misspelt or empty would erase more than was meant, so it is an error here.
fn selection(pairs: &Pairs, now: i64) -> Result<(Selection, bool), ApiError> {
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !NAMES.contains(name)) {
        return Err(ApiError::bad(format!("there is no parameter `{name}`")));
    }
    let once = |name: &'static str| {
        let mut values = pairs.all(name);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(""), _) => Err(ApiError::bad(format!("parameter `{name}` is empty"))),
            (Some(value), None) => Ok(Some(value.to_owned())),
            (Some(_), Some(_)) => Err(ApiError::bad(format!("parameter `{name}` is given twice"))),
        }
    };
    let ids = pairs.all("trace_id").map(|text| text.parse()).collect::<Result<Vec<_>, _>>();
    let ids = ids.map_err(|error| ApiError::bad(format!("parameter `trace_id`: {error}")))?;
    let value = pairs.all("value").count() == 1 && pairs.all("value").any(str::is_empty);
    let value = if value { Some(String::new()) } else { once("value")? };
    let rows = match (ids.is_empty(), once("attribute")?, value) {
        (false, None, None) => Rows::Traces(ids),
        (true, Some(key), Some(value)) => Rows::Attribute { key, value },
        _ => return Err(ApiError::bad("say which rows go: `trace_id`, or `attribute` and `value`")),
    };
    let moment = |name| {
        let parsed = once(name)?.map(|text| text.parse::<Moment>()).transpose();
        let parsed = parsed.map_err(|error| ApiError::bad(format!("parameter `{name}`: {error}")))?;
        Ok::<_, ApiError>(parsed.map(|moment| moment.resolve(now)))
    };
    let range = Range { from: moment("from")?.unwrap_or(i64::MIN), to: moment("to")?.unwrap_or(i64::MAX) };
    if range.from >= range.to {
        return Err(ApiError::bad("`from` must be before `to`"));
    }
    let dry_run = match once("dry_run")?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(ApiError::bad("parameter `dry_run`: want true or false")),
    };
    Ok((Selection { rows, service: once("service")?, range }, dry_run))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Selection, bool), ApiError> {
        selection(&Pairs::parse(text).expect("UTF-8"), 1_000)
    }

    #[test]
    fn what_is_said_is_what_goes() {
        let (both, dry_run) =
            parse("trace_id=1&trace_id=0af7651916cd43dd8448eb211c80319c&dry_run=true").expect("valid");
        assert!(dry_run && matches!(&both.rows, Rows::Traces(ids) if ids.len() == 2));
        assert_eq!(both.range, Range::ALL, "not the last hour");
        let (one, dry_run) = parse("attribute=user.id&value=&service=cart&from=5&to=now").expect("valid");
        let rows = Rows::Attribute { key: "user.id".to_owned(), value: String::new() };
        let range = Range { from: 5, to: 1_000 };
        assert_eq!((one, dry_run), (Selection { rows, service: Some("cart".to_owned()), range }, false));
    }

    #[test]
    fn what_may_erase_too_much_is_refused() {
        for (query, named) in [
            ("", "which rows"),
            ("attribute=k", "which rows"),
            ("value=v", "which rows"),
            ("trace_id=1&attribute=k&value=v", "which rows"),
            ("trace_id=", "`trace_id`"),
            ("trace_id=xyz", "`trace_id`"),
            ("trace_id=1&form=5", "`form`"),
            ("trace_id=1&service=", "`service`"),
            ("trace_id=1&from=5&from=6", "`from`"),
            ("trace_id=1&from=7&to=5", "`from`"),
            ("trace_id=1&to=soon", "`to`"),
            ("trace_id=1&dry_run=yes", "`dry_run`"),
            ("attribute=a&attribute=b&value=v", "`attribute`"),
        ] {
            let error = parse(query).expect_err(query);
            assert!(error.code == Code::BadRequest && error.message.contains(named), "{query}: {}", error.message);
        }
    }
}
