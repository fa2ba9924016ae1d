//! What every request passes: the Host list, the path, the origin of writes; and the headers of every answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::{ApiError, Code};

/// Names under which this server answers. A page that points its own name at a loopback address (DNS
/// rebinding) sends that name.
#[derive(Clone, Debug)]
pub(crate) enum Hosts {
    /// Reachable from elsewhere under names that we cannot know.
    Any,
    Only(Arc<[String]>),
}

impl Hosts {
    /// Strict when bound to loopback, or when a list is given.
    pub(crate) fn of(bound: SocketAddr, allowed: &[String]) -> Self {
        if !bound.ip().is_loopback() && allowed.is_empty() {
            return Hosts::Any;
        }
        let fixed = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let own = match bound.ip() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let listed = allowed.iter().map(|name| name.to_ascii_lowercase());
        Hosts::Only(fixed.into_iter().chain([own]).chain(listed).collect())
    }

    fn allow(&self, authority: &str) -> bool {
        match self {
            Hosts::Any => true,
            Hosts::Only(names) => {
                let name = host_name(authority).to_ascii_lowercase();
                let name = name.strip_suffix('.').unwrap_or(&name);
                names.iter().any(|allowed| allowed == name)
            }
        }
    }
}

/// Without the port.
fn host_name(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => authority,
    }
}

/// Refuses what no client of ours sends, and marks every answer.
pub(crate) async fn guard(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let api = request.uri().path().contains("/api/");
    let mut answer = match refuse(&hosts, &request) {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    };
    mark(answer.headers_mut(), api);
    answer
}

fn refuse(hosts: &Hosts, request: &Request) -> Option<ApiError> {
    let headers = request.headers();
    // HTTP/2 has the authority in the URI.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map(|authority| authority.as_str()).or(host);
    let Some(host) = host else {
        return Some(ApiError::bad("the request names no Host"));
    };
    if !hosts.allow(host) {
        return Some(ApiError::new(
            Code::Forbidden,
            "this server does not answer under that Host name: name it in --allowed-hosts",
        ));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) && foreign(headers, host) {
        return Some(ApiError::new(Code::Forbidden, "a page of another origin may not write here"));
    }
    None
}

/// Whether a browser says that a page of another origin sends this.
fn foreign(headers: &HeaderMap, host: &str) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN) else { return false };
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    !authority.eq_ignore_ascii_case(host)
}

/// No inline script or style, no frames, nothing from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

fn mark(headers: &mut HeaderMap, api: bool) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if api {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_answers_to_its_own_names_only() {
        let hosts = Hosts::of("127.0.0.2:4319".parse().expect("an address"), &["Clew.Example".to_owned()]);
        for good in [
            "localhost",
            "LOCALHOST:4319",
            "127.0.0.1:1",
            "[::1]:4319",
            "127.0.0.2:4319",
            "clew.example:80",
            "localhost.",
        ] {
            assert!(hosts.allow(good), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:4319", "", ":4319", "10.0.0.1"] {
            assert!(!hosts.allow(bad), "{bad}");
        }
    }

    #[test]
    fn an_open_address_answers_to_every_name_unless_told() {
        let bound = "0.0.0.0:4319".parse().expect("an address");
        assert!(Hosts::of(bound, &[]).allow("anything.example"));
        assert!(!Hosts::of(bound, &["clew.example".to_owned()]).allow("anything.example"));
    }

    #[test]
    fn writes_of_foreign_pages_are_told_by_their_headers() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            foreign(&headers, "localhost:4319")
        };
        assert!(with("sec-fetch-site", "cross-site"));
        assert!(with("sec-fetch-site", "same-site"));
        assert!(!with("sec-fetch-site", "same-origin"));
        assert!(with("origin", "null"));
        assert!(with("origin", "http://localhost:1"));
        assert!(!with("origin", "http://localhost:4319"));
        assert!(!foreign(&HeaderMap::new(), "localhost:4319"));
    }
}
