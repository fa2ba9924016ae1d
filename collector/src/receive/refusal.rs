//! Every way to say no, by what the sender should do about it.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ::http::StatusCode;
use proto::rpc::{Code, Status};
use storage::tenant::TenantError;

use crate::counters::Counters;

/// Why a request is not acknowledged. The codes are those of the OTLP specification, sections
/// "Failures" and "Throttling": only [`Refusal::Busy`] and [`Refusal::Slow`] invite a retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Come again: no memory, the store is behind, the disk refuses.
    Busy { retry_after_s: u32, what: String },
    /// Send smaller batches; the same request will never be taken.
    TooLarge(String),
    /// The bytes are not what they should be.
    Bad(String),
    /// The body did not arrive, or not in time.
    Slow(String),
    /// Another content type or encoding is needed.
    Unsupported(String),
    /// Nothing is served here.
    NotFound(String),
    /// Only POST is served here.
    Method,
    /// The tenant that it names is none of this process.
    Tenant(TenantError),
}

impl Refusal {
    pub(super) fn too_large(limit: usize) -> Self {
        Self::TooLarge(format!("the request is larger than {limit} bytes after decompression: send smaller batches"))
    }

    pub(super) fn http_status(&self) -> StatusCode {
        match self {
            Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            // 408 would make a sender drop its data for a bad network (specification: 502, 503, 504, 429 are retried).
            Self::Slow(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Tenant(TenantError::Conflicting) => StatusCode::BAD_REQUEST,
            Self::Tenant(_) => StatusCode::FORBIDDEN,
        }
    }

    pub(super) fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::Busy { retry_after_s, .. } => Some(*retry_after_s),
            _ => None,
        }
    }

    /// `google.rpc.Status`. Too large is RESOURCE_EXHAUSTED without RetryInfo, which is not retried.
    pub(super) fn status(&self) -> Status {
        let (code, message) = match self {
            Self::Busy { retry_after_s, what } => {
                let delay = Duration::from_secs(u64::from(*retry_after_s));
                return Status::new(Code::Unavailable, what).retry_after(delay);
            }
            Self::TooLarge(what) => (Code::ResourceExhausted, what.as_str()),
            Self::Bad(what) => (Code::InvalidArgument, what.as_str()),
            Self::Slow(what) => (Code::DeadlineExceeded, what.as_str()),
            Self::Unsupported(what) | Self::NotFound(what) => (Code::Unimplemented, what.as_str()),
            Self::Method => (Code::Unimplemented, "only POST is served here"),
            Self::Tenant(error) => {
                let code =
                    if *error == TenantError::Conflicting { Code::InvalidArgument } else { Code::PermissionDenied };
                return Status::new(code, error.to_string());
            }
        };
        Status::new(code, message)
    }

    pub(super) fn counter<'c>(&self, counters: &'c Counters) -> &'c AtomicU64 {
        match self {
            Self::Busy { .. } => &counters.refused_busy,
            Self::TooLarge(_) => &counters.refused_too_large,
            Self::Slow(_) => &counters.refused_slow,
            Self::Bad(_) | Self::Unsupported(_) | Self::NotFound(_) | Self::Method | Self::Tenant(_) => {
                &counters.refused_bad
            }
        }
    }
}
