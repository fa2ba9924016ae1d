//! Typed JSON text: how attributes, events and links are kept in a column.
//!
//! One text per row is three times faster to build than an Arrow map, no larger in Parquet, and any
//! reader of the lake can query it as JSON. Every OTLP value type survives:
//!
//! | OTLP | text |
//! |---|---|
//! | empty | `null` |
//! | bool, string, array | as in JSON |
//! | int | digits without a point |
//! | double | always with a point or an exponent; `{"$double":"NaN"}`, `"Infinity"`, `"-Infinity"` |
//! | bytes | `{"$bytes":"<base64>"}` |
//! | kvlist | an object; `{"$kvlist":[["k",v],…]}` where a key repeats or the first begins with `$` |
//!
//! The attributes of a row are one object in the order sent; there a repeated key repeats and `$`
//! has no meaning.

mod read;
mod write;

pub use read::{Malformed, entries, find, items, parse_events, parse_links, parse_object, parse_value, text_of};
pub use write::{
    ListWriter, MapWriter, Out, push_bool, push_bytes, push_double, push_int, push_null, push_plain, push_string,
    push_value, write_events, write_links, write_object,
};

/// Deepest nesting of a stored value; the collector refuses what is deeper.
pub const MAX_DEPTH: usize = 64;

/// One attribute value, with the type it was sent with (OTLP `AnyValue`).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    Array(Vec<Value>),
    Map(Attributes),
}

/// Key–value pairs in the order sent; a key may repeat.
pub type Attributes = Vec<(String, Value)>;

/// A span event. `time` in ns, bits as sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub time: u64,
    pub name: String,
    pub attributes: Attributes,
    pub dropped_attributes: u32,
}

/// A span link; ids are bytes as sent, of any length.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    pub trace_id: Vec<u8>,
    pub span_id: Vec<u8>,
    pub trace_state: String,
    pub attributes: Attributes,
    pub dropped_attributes: u32,
    pub flags: u32,
}

#[cfg(test)]
mod tests;
