//! The user interface: files of `web/ui/dist`, embedded, compressed once, named by their hash.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{LazyLock, OnceLock};

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use rust_embed::RustEmbed;

use crate::error::{ApiError, Code};

#[derive(RustEmbed)]
#[folder = "ui/dist/"]
struct Dist;

/// Whatever no route takes: a file of the UI, its entry page for a navigation, or 404.
pub(crate) async fn serve(request: Request) -> Response {
    answer(&request).unwrap_or_else(|| no_such(request.uri().path()))
}

/// A file of the UI, or its entry page for a navigation; they are the same for every tenant.
pub(crate) fn answer(request: &Request) -> Option<Response> {
    let path = request.uri().path();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    if let Some(file) = FILES.get(path.trim_start_matches('/')) {
        return Some(file.answer(request.headers()));
    }
    let index = FILES.get("index.html").filter(|_| is_page(path) && accepts_html(request.headers()));
    index.map(|index| index.answer(request.headers()))
}

fn no_such(path: &str) -> Response {
    let shown: String = path.chars().take(200).collect();
    ApiError::new(Code::NotFound, format!("there is nothing at {shown}")).into_response()
}

/// First segments that belong to machines: a mistyped API path must not look like a page.
const MACHINE: [&str; 8] = ["api", "jaeger", "tempo", "zipkin", "loki", "prometheus", "v1", "assets"];

/// Whether the UI may have a page there. Encoded dots are nobody's page; an encoded slash is one where a name
/// stands, for services may have it in theirs.
fn is_page(path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    let first = segments.clone().next().unwrap_or_default();
    let machine = MACHINE.contains(&first) || first.to_ascii_lowercase().contains("%2f");
    let odd = segments.any(|segment| {
        let lower = segment.to_ascii_lowercase();
        matches!(segment, "." | "..") || ["%25", "%2e", "%5c", "%00", "\\"].iter().any(|bad| lower.contains(bad))
    });
    !machine && !odd
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

static FILES: LazyLock<HashMap<String, File>> = LazyLock::new(|| {
    Dist::iter().filter_map(|path| Dist::get(&path).map(|file| (path.into_owned(), File::of(file)))).collect()
});

struct File {
    media_type: HeaderValue,
    /// Of the content; the same for each encoding, hence weak (RFC 9110 §8.8.3).
    etag: HeaderValue,
    plain: Bytes,
    zstd: OnceLock<Option<Bytes>>,
    gzip: OnceLock<Option<Bytes>>,
}

impl File {
    fn of(file: rust_embed::EmbeddedFile) -> Self {
        let hash = hex::encode(&file.metadata.sha256_hash()[..12]);
        let octets = HeaderValue::from_static("application/octet-stream");
        Self {
            media_type: HeaderValue::from_str(&media_type(file.metadata.mimetype())).unwrap_or(octets),
            etag: HeaderValue::from_str(&format!("W/\"{hash}\"")).expect("hex and quotes are header text"),
            plain: match file.data {
                std::borrow::Cow::Borrowed(data) => Bytes::from_static(data),
                std::borrow::Cow::Owned(data) => Bytes::from(data),
            },
            zstd: OnceLock::new(),
            gzip: OnceLock::new(),
        }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, self.etag.clone());
        // File names are fixed, so that a copy must be checked before each use.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if self.is_known(asked) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        headers.insert(header::CONTENT_TYPE, self.media_type.clone());
        let (encoding, body) = self.encoded(asked);
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        (headers, Body::from(body)).into_response()
    }

    fn is_known(&self, asked: &HeaderMap) -> bool {
        let tags = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
        let own = self.etag.to_str().unwrap_or_default();
        tags.flat_map(|tags| tags.split(',')).map(str::trim).any(|tag| tag == own || tag == "*")
    }

    fn encoded(&self, asked: &HeaderMap) -> (Option<&'static str>, Bytes) {
        if accepts(asked, "zstd") {
            if let Some(body) = self.zstd.get_or_init(|| smaller(&self.plain, zstd)) {
                return (Some("zstd"), body.clone());
            }
        } else if accepts(asked, "gzip")
            && let Some(body) = self.gzip.get_or_init(|| smaller(&self.plain, gzip))
        {
            return (Some("gzip"), body.clone());
        }
        (None, self.plain.clone())
    }
}

/// Text is UTF-8 here.
fn media_type(guessed: &str) -> String {
    let is_text = guessed.starts_with("text/") || guessed.ends_with("javascript") || guessed.ends_with("json");
    if is_text { format!("{guessed}; charset=utf-8") } else { guessed.to_owned() }
}

/// Whether `Accept-Encoding` names `coding` and does not refuse it with `q=0` (RFC 9110 §12.5.3).
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let listed = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    listed.flat_map(|list| list.split(',')).any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding))
            && !parts.any(|weight| weight.strip_prefix("q=").and_then(|q| q.parse().ok()) == Some(0.0))
    })
}

fn smaller(plain: &[u8], compress: fn(&[u8]) -> std::io::Result<Vec<u8>>) -> Option<Bytes> {
    let packed = compress(plain).ok()?;
    (packed.len() < plain.len()).then(|| Bytes::from(packed))
}

fn zstd(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    zstd::bulk::compress(plain, 15)
}

fn gzip(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn pages_are_told_from_paths_of_machines() {
        for page in ["/", "/traces", "/traces/0123abcd", "/services/100%20percent", "/services/shop%2Fcart"] {
            assert!(is_page(page), "{page}");
        }
        for other in [
            "/api/v1/nothing",
            "/api",
            "/jaeger/x",
            "/%252e%252e/etc/passwd",
            "/a/%2e%2e/b",
            "/x/../y",
            "/api%2fv1",
            "/a%00b",
        ] {
            assert!(!is_page(other), "{other}");
        }
    }

    #[test]
    fn only_what_is_asked_for_is_compressed() {
        let file = File {
            media_type: HeaderValue::from_static("text/plain"),
            etag: HeaderValue::from_static("W/\"1\""),
            plain: Bytes::from("线索".repeat(500)),
            zstd: OnceLock::new(),
            gzip: OnceLock::new(),
        };
        assert_eq!(file.encoded(&HeaderMap::new()).0, None);
        assert_eq!(file.encoded(&headers(header::ACCEPT_ENCODING, "gzip, br")).0, Some("gzip"));
        assert_eq!(file.encoded(&headers(header::ACCEPT_ENCODING, "gzip;q=0")).0, None);
        let (coding, body) = file.encoded(&headers(header::ACCEPT_ENCODING, "gzip, zstd"));
        assert_eq!(coding, Some("zstd"));
        assert_eq!(zstd::bulk::decompress(&body, 10_000).expect("zstd"), file.plain);
        assert!(file.is_known(&headers(header::IF_NONE_MATCH, "\"0\", W/\"1\"")));
        assert!(!file.is_known(&headers(header::IF_NONE_MATCH, "W/\"2\"")));
    }

    /// The committed build is of the committed sources: the rule is in `web/ui/vite.config.ts`.
    #[test]
    fn dist_was_built_from_these_sources() {
        use sha2::Digest;

        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
        let mut names: Vec<String> =
            ["index.html", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts"]
                .map(str::to_owned)
                .to_vec();
        list(&root, "src", &mut names);
        names.sort();
        let mut hash = sha2::Sha256::new();
        for name in names {
            let contents = std::fs::read(root.join(&name)).expect("a source");
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(contents.len().to_string());
            hash.update([0]);
            hash.update(contents);
        }
        let built = std::fs::read_to_string(root.join("dist/source.sha256")).expect("the hash of the build");
        assert_eq!(hex::encode(hash.finalize()), built.trim(), "run `npm run build` in web/ui and commit dist");
    }

    fn list(root: &std::path::Path, folder: &str, names: &mut Vec<String>) {
        for entry in std::fs::read_dir(root.join(folder)).expect("a folder").flatten() {
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                list(root, &name, names);
            } else {
                names.push(name);
            }
        }
    }
}
