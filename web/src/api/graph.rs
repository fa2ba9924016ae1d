//! `GET /graph`.

use axum::Json;
use axum::extract::State;
use query::graph::{GraphOptions, LayerFilter};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::graph_json::GraphJson;
use super::range;
use crate::error::{ApiError, ErrorBody};
use crate::params::Query;
use crate::state::AppState;
use crate::time::Moment;

/// Edges away from the focus at most.
const MOST_DEPTH: u32 = 32;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GraphParams {
    /// RFC 3339, ns since the epoch, `now`, or `now-1h` (units s m h d w). Default: an hour before `to`.
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
    /// Exclusive; as `from`. Default: now.
    #[param(value_type = Option<String>)]
    to: Option<Moment>,
    /// Only calls of this `deployment.environment`.
    env: Option<String>,
    /// The id of a node: only what is near it.
    focus: Option<String>,
    /// The same as `focus`.
    service: Option<String>,
    /// How many edges away from the focus are shown. Default: 1.
    depth: Option<u32>,
    /// Default: all.
    #[param(inline)]
    layer: Option<Layer>,
    /// An edge for each operation. Default: false.
    operations: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layer {
    /// Services and who calls them.
    App,
    /// Databases, topics and external hosts, and who uses them.
    Infra,
    All,
}

/// Who called whom, and how that went, in the minutes that the range touches.
#[utoipa::path(get, path = "/api/v1/graph", operation_id = "get_graph", tag = "system", params(GraphParams),
    responses((status = 200, body = GraphJson), (status = 400, body = ErrorBody)))]
pub(crate) async fn graph(
    State(state): State<AppState>,
    Query(asked): Query<GraphParams>,
) -> Result<Json<GraphJson>, ApiError> {
    let range = range(asked.from, asked.to, state.now())?;
    let depth = asked.depth.unwrap_or(1);
    if depth > MOST_DEPTH {
        return Err(ApiError::bad(format!("`depth` is at most {MOST_DEPTH}")));
    }
    let options = GraphOptions {
        env: asked.env,
        focus: asked.focus.or(asked.service),
        depth,
        layer: match asked.layer {
            None | Some(Layer::All) => LayerFilter::All,
            Some(Layer::App) => LayerFilter::App,
            Some(Layer::Infra) => LayerFilter::Infra,
        },
        operations: asked.operations.unwrap_or(false),
    };
    Ok(Json(state.engine.graph(range, options).await?.into()))
}
