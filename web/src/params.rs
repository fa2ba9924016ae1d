//! Typed parameters: what parses is valid, and an error names the parameter.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
use std::time::Duration;

use crate::error::{ApiError, Code};

/// Most traces of one search in the APIs of others: more would hold a thread for minutes.
pub(crate) const MOST_TRACES: i64 = 10_000;

/// Parameters of the query string. Unknown ones are ignored; an empty one counts as absent.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = parts.uri.query().unwrap_or_default();
        check_utf8(text)?;
        let given: Vec<&str> = text.split('&').filter(|pair| !pair.is_empty() && !is_empty(pair)).collect();
        let given = given.join("&");
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(given.as_bytes()));
        serde_path_to_error::deserialize(pairs).map(Query).map_err(|error| {
            let path = error.path().to_string();
            let reason = error.into_inner().to_string();
            ApiError::bad(if path == "." { reason } else { format!("parameter `{path}`: {reason}") })
        })
    }
}

fn is_empty(pair: &str) -> bool {
    pair.split_once('=').is_some_and(|(_, value)| value.is_empty())
}

/// Parameters of the query string in order, for APIs where one may repeat.
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        check_utf8(text)?;
        Ok(Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect()))
    }

    /// The first value of `name` that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        named.find(|value| !value.is_empty())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn check_utf8(query: &str) -> Result<(), ApiError> {
    match percent_encoding::percent_decode_str(query).decode_utf8() {
        Ok(_) => Ok(()),
        Err(_) => Err(ApiError::bad("the query string is not UTF-8")),
    }
}

/// Values of the path, decoded once.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Path(value)).map_err(|error| ApiError::bad(error.body_text()))
    }
}

/// An id in hex, in a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id<T>(pub(crate) T);

impl<'de, T: std::str::FromStr<Err: std::fmt::Display>> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Id).map_err(D::Error::custom)
    }
}

/// A page size from 1 to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count<const MAX: usize>(pub(crate) usize);

impl<'de, const MAX: usize> Deserialize<'de> for Count<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(count) if (1..=MAX).contains(&count) => Ok(Count(count)),
            _ => Err(D::Error::custom(format!("want a whole number from 1 to {MAX}"))),
        }
    }
}

/// A JSON body. Its `Content-Type` must say so: a form of a foreign page cannot.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let declared = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = declared.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(ApiError::new(Code::UnsupportedMediaType, "send the body as application/json"));
        }
        let body = body(request, state).await?;
        serde_json::from_slice(&body).map(JsonBody).map_err(|error| ApiError::bad(format!("the body: {error}")))
    }
}

/// Longest wait for a body, once its head is read.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The body within the limit of its route.
pub(crate) async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let read = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await;
    let read = read.map_err(|_| ApiError::bad("the body did not arrive in time"))?;
    read.map_err(|error| {
        let code = if error.status() == Code::TooLarge.status() { Code::TooLarge } else { Code::BadRequest };
        ApiError::new(code, error.body_text())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Sample {
        q: Option<String>,
        limit: Option<Count<1000>>,
        from: Option<crate::time::Moment>,
    }

    async fn parse(query: &str) -> Result<Sample, ApiError> {
        let request = http::Request::get(format!("/x?{query}")).body(()).expect("a request");
        let (mut parts, ()) = request.into_parts();
        Query::from_request_parts(&mut parts, &()).await.map(|Query(sample)| sample)
    }

    #[tokio::test]
    async fn good_parameters_parse_and_unknown_ones_are_ignored() {
        let sample = parse("q=a%20b+c%3D1&limit=7&other=1&from=now-1h").await.expect("valid");
        assert_eq!(sample.q.as_deref(), Some("a b c=1"));
        assert_eq!(sample.limit, Some(Count(7)));
        assert_eq!(sample.from, Some(crate::time::Moment::Ago(3_600_000_000_000)));
        let sample = parse("limit=&q=").await.expect("empty is absent");
        assert_eq!((sample.limit, sample.q), (None, None));
    }

    #[tokio::test]
    async fn bad_parameters_are_named() {
        for (query, named) in [
            ("limit=0", "`limit`"),
            ("limit=9223372036854775808", "`limit`"),
            ("limit=x", "`limit`"),
            ("from=yesterday", "`from`"),
            ("q=1&q=2", "`q`"),
            ("q=%ff", "UTF-8"),
        ] {
            let error = parse(query).await.expect_err(query);
            assert_eq!(error.code, Code::BadRequest);
            assert!(error.message.contains(named), "{query}: {}", error.message);
        }
    }
}
