//! Whose a request is. Its tenant's router answers it, and has no way to another tenant's data.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use proto::rpc::TENANT_HEADER;
use storage::tenant::{TenantError, Tenants};
use tower::ServiceExt;

use crate::error::{ApiError, Code};
use crate::ui;

/// For links and event streams, which cannot have a header.
const PARAMETER: &str = "tenant";

/// Hands the request to the router of the tenant that its header or its parameter names.
pub(crate) async fn dispatch(State(routers): State<Arc<Tenants<Router>>>, request: Request) -> Response {
    match routers.named(names(&request).iter().map(Vec::as_slice)) {
        Ok((_, router)) => router.clone().oneshot(request).await.into_response(),
        // The page shows what the API then says.
        Err(error) => ui::answer(&request).unwrap_or_else(|| ApiError::from(error).into_response()),
    }
}

/// An empty parameter counts as absent, as all do here; an empty header is one that a proxy failed to fill in.
fn names(request: &Request) -> Vec<Vec<u8>> {
    let headers = request.headers().get_all(TENANT_HEADER).iter().map(HeaderValue::as_bytes).map(<[u8]>::to_vec);
    let pairs = form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    let parameters = pairs.filter(|(name, value)| name == PARAMETER && !value.is_empty());
    headers.chain(parameters.map(|(_, value)| value.into_owned().into_bytes())).collect()
}

impl From<TenantError> for ApiError {
    fn from(error: TenantError) -> Self {
        let code = if error == TenantError::Conflicting { Code::BadRequest } else { Code::Forbidden };
        Self::new(code, error.to_string())
    }
}
