//! Logged requests back into rows, when the store opens.

use storage::store::{Decode, Request, Rows};

use crate::rows;

/// Reads what the write-ahead log kept by the code that read it first: a row that was rejected then is
/// rejected again, so a row keeps its number.
#[derive(Clone, Copy, Debug, Default)]
pub struct OtlpDecoder;

impl Decode for OtlpDecoder {
    fn decode(&self, request: &Request) -> Result<Rows, String> {
        rows::convert(request.signal, &request.body, request.received)
            .map(rows::Converted::into_rows)
            .map_err(|error| error.to_string())
    }
}
