//! What a user writes for a bucket: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`.

use object_store::path::Path as ObjectPath;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    S3,
    Google,
    Azure,
}

/// A bucket and the folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) scheme: Scheme,
    /// `s3://bucket`
    pub(super) bucket: String,
    pub(super) prefix: ObjectPath,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no bucket: write s3://bucket/prefix, gs://bucket/prefix or az://container/prefix");
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let known = match scheme {
            "s3" => Scheme::S3,
            "gs" => Scheme::Google,
            "az" => Scheme::Azure,
            _ => return Err(wrong()),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(allowed) {
            return Err(wrong());
        }
        let prefix = prefix.trim_end_matches('/');
        let plain = prefix.is_empty() || prefix.split('/').all(|part| !part.is_empty() && part.chars().all(allowed));
        let prefix = ObjectPath::parse(prefix).ok().filter(|_| plain).ok_or_else(|| {
            format!("`{prefix}` is no prefix: letters, digits, `-`, `_` and `.`, with `/` between folders")
        })?;
        Ok(Self { scheme: known, bucket: format!("{scheme}://{name}"), prefix })
    }

    /// Where the files are, with a slash at the end, as DuckLake wants it.
    pub(super) fn data_path(&self) -> String {
        match self.prefix.as_ref() {
            "" => format!("{}/", self.bucket),
            prefix => format!("{}/{prefix}/", self.bucket),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_form() {
        for (text, path) in [
            ("s3://b", "s3://b/"),
            ("s3://b/", "s3://b/"),
            ("s3://my.bucket-1/a/b_c//", "s3://my.bucket-1/a/b_c/"),
            ("gs://b/p", "gs://b/p/"),
            ("az://c/p/", "az://c/p/"),
        ] {
            assert_eq!(Address::parse(text).expect(text).data_path(), path);
        }
        for text in [
            "",
            "b/p",
            "s3:/b",
            "s3://",
            "s3:///p",
            "http://b/p",
            "s3://key:secret@b/p",
            "s3://b/a//c",
            "s3://b/../c",
            "s3://b/a b",
            "s3://b?x=1",
            "file:///tmp",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
