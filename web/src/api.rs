//! `/api/v1`: our own API. `docs/api.md` is its contract, `openapi.json` its exact form.

pub(crate) mod chain;
mod chain_json;
pub(crate) mod data;
pub(crate) mod findings;
mod findings_json;
pub(crate) mod graph;
mod graph_json;
pub(crate) mod json;
mod log_json;
pub(crate) mod logs;
mod releases_json;
mod rows_json;
mod service_json;
pub(crate) mod services;
mod services_json;
mod skeleton_json;
pub(crate) mod sql;
pub(crate) mod status;
mod system_json;
pub(crate) mod tags;
pub(crate) mod tenants;
mod trace_json;
pub(crate) mod traces;
pub(crate) mod usage;

use query::Range;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::time::{self, Moment};

/// The time range of a question.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RangeParams {
    /// RFC 3339, ns since the epoch, `now`, or `now-1h` (units s m h d w). Default: an hour before `to`.
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
    /// Exclusive; as `from`. Default: now.
    #[param(value_type = Option<String>)]
    to: Option<Moment>,
}

impl RangeParams {
    fn range(&self, now: i64) -> Result<Range, ApiError> {
        range(self.from, self.to, now)
    }
}

fn range(from: Option<Moment>, to: Option<Moment>, now: i64) -> Result<Range, ApiError> {
    time::range(from, to, now).map_err(ApiError::bad)
}

/// Largest page of traces and logs.
const MAX_PAGE: usize = 1000;
