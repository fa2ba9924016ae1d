//! Logged requests back into rows, when the store opens.

use std::sync::Arc;

use storage::store::{Decode, Request, Rows};

use crate::normalise::Rules;
use crate::rows;

/// Reads what the write-ahead log kept by the code that read it first: a row that was rejected then is
/// rejected again, so a row keeps its number.
#[derive(Clone, Debug, Default)]
pub struct OtlpDecoder {
    rules: Arc<Rules>,
}

impl OtlpDecoder {
    pub fn new(rules: Arc<Rules>) -> Self {
        Self { rules }
    }
}

impl Decode for OtlpDecoder {
    fn decode(&self, request: &Request) -> Result<Rows, String> {
        rows::convert(request.signal, &request.body, request.received, &self.rules)
            .map(rows::Converted::into_rows)
            .map_err(|error| error.to_string())
    }
}
