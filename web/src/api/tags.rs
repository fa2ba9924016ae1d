//! `GET /tags`, `/tags/{key}/values`: what one can search by.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use storage::schema::Table;
use utoipa::{IntoParams, ToSchema};

use super::json::Notes;
use super::{MAX_PAGE, range};
use crate::error::{ApiError, ErrorBody};
use crate::params::{Count, Path, Query};
use crate::state::AppState;
use crate::time::Moment;

/// Whose tags.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum TagTable {
    #[default]
    Spans,
    Logs,
}

impl From<TagTable> for Table {
    fn from(table: TagTable) -> Self {
        match table {
            TagTable::Spans => Table::Spans,
            TagTable::Logs => Table::Logs,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TagParams {
    /// Default: spans.
    #[param(inline)]
    table: Option<TagTable>,
    /// RFC 3339, ns since the epoch, `now`, or `now-1h` (units s m h d w). Default: an hour before `to`.
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
    /// Exclusive; as `from`. Default: now.
    #[param(value_type = Option<String>)]
    to: Option<Moment>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TagList {
    tags: Vec<TagJson>,
    notes: Notes,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Tag)]
struct TagJson {
    /// span, resource, scope, event, link, log, or intrinsic.
    scope: String,
    key: String,
}

/// Keys, by scope and name.
#[utoipa::path(get, path = "/api/v1/tags", operation_id = "list_tags", tag = "tags", params(TagParams),
    responses((status = 200, body = TagList), (status = 400, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Query(asked): Query<TagParams>,
) -> Result<Json<TagList>, ApiError> {
    let range = range(asked.from, asked.to, state.now())?;
    let (tags, notes) = state.engine.tags(asked.table.unwrap_or_default().into(), range).await?;
    let tags = tags.into_iter().map(|tag| TagJson { scope: tag.scope, key: tag.key }).collect();
    Ok(Json(TagList { tags, notes: notes.into() }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ValueParams {
    /// Default: spans.
    #[param(inline)]
    table: Option<TagTable>,
    /// As in the list of tags.
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
    /// As in the list of tags.
    #[param(value_type = Option<String>)]
    to: Option<Moment>,
    /// Only values that begin so.
    prefix: Option<String>,
    /// Default: 100.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    limit: Option<Count<MAX_PAGE>>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TagValues {
    values: Vec<String>,
    /// Whether there are more than the limit.
    more: bool,
    notes: Notes,
}

/// Values of a key, in order.
#[utoipa::path(get, path = "/api/v1/tags/{key}/values", operation_id = "list_tag_values", tag = "tags",
    params(("key" = String, Path), ValueParams),
    responses((status = 200, body = TagValues), (status = 400, body = ErrorBody)))]
pub(crate) async fn values(
    State(state): State<AppState>,
    Path(key): Path<String>,
    Query(asked): Query<ValueParams>,
) -> Result<Json<TagValues>, ApiError> {
    let range = range(asked.from, asked.to, state.now())?;
    let limit = asked.limit.map_or(100, |limit| limit.0);
    let (table, prefix) = (asked.table.unwrap_or_default().into(), asked.prefix.unwrap_or_default());
    let found = state.engine.tag_values(table, &key, range, &prefix, limit).await?;
    Ok(Json(TagValues { values: found.values, more: found.more, notes: found.notes.into() }))
}
