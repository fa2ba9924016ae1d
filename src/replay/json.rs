//! JSON documents, one or several in a file, read element by element.
//!
//! The top level says what it is: `{"resourceSpans":[…]}` and its kin are OTLP, `{"data":[…]}` and a
//! single `{"traceID":…,"spans":[…]}` are Jaeger's, `{"traceId":…,"id":…}` is Zipkin's. A top-level list
//! holds any of these, or such lists. Only one element of a top-level list is in memory at a time.

use std::fmt;
use std::io::BufRead;
use std::path::Path;

use proto::otlp::json as otlp_json;
use proto::rpc::Signal;
use proto::{jaeger, zipkin};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::batch::{Batch, Problem, Put};
use super::protobuf;

/// Zipkin spans that are sent together.
const ZIPKIN_BATCH: usize = 1_000;

pub(super) fn read(path: &Path, mut file: impl BufRead, put: &mut Put<'_>) -> Result<(), Problem> {
    if file.fill_buf().map_err(|error| Problem::at(path, 0, error))?.starts_with(b"\xef\xbb\xbf") {
        file.consume(3);
    }
    let mut sink = Sink { put, stopped: false, spans: Vec::new(), rejected: Vec::new() };
    let mut documents = serde_json::Deserializer::from_reader(file);
    let mut outcome = Ok(());
    // `end` fails as long as something other than white space follows.
    while outcome.is_ok() && documents.end().is_err() {
        outcome = Document(&mut sink).deserialize(&mut documents);
    }
    sink.flush();
    match outcome {
        Err(error) if !sink.stopped => {
            // The line stands in front already. It is where reading stood: behind the element that is wrong.
            Err(Problem::at(path, error.line() as u64, without_place(&error.to_string())))
        }
        _ => Ok(()),
    }
}

/// The message of a JSON error without its line and column.
fn without_place(message: &str) -> &str {
    &message[..message.rfind(" at line ").unwrap_or(message.len())]
}

/// What the elements of a list are.
#[derive(Clone, Copy)]
enum List {
    /// With its key, as in `resourceSpans`.
    Otlp(Signal, &'static str),
    JaegerTraces,
    Unnamed,
}

/// Lists by the keys that stand at the top of a document.
const LISTS: &[(&str, List)] = &[
    ("resourceSpans", List::Otlp(Signal::Traces, "resourceSpans")),
    ("resource_spans", List::Otlp(Signal::Traces, "resourceSpans")),
    ("resourceLogs", List::Otlp(Signal::Logs, "resourceLogs")),
    ("resource_logs", List::Otlp(Signal::Logs, "resourceLogs")),
    ("resourceMetrics", List::Otlp(Signal::Metrics, "resourceMetrics")),
    ("resource_metrics", List::Otlp(Signal::Metrics, "resourceMetrics")),
    ("data", List::JaegerTraces),
];

const UNKNOWN: &str = "this is neither OTLP (resourceSpans, resourceLogs, resourceMetrics), nor a Jaeger trace, nor a \
                       Zipkin v2 span; `--as lines` sends every line as a log record";

/// Where elements go.
struct Sink<'p> {
    put: &'p mut Put<'p>,
    /// Whether nobody wants more; an error is then only the way out.
    stopped: bool,
    spans: Vec<zipkin::Span>,
    rejected: Vec<String>,
}

impl Sink<'_> {
    fn put<E: Error>(&mut self, batch: Batch) -> Result<(), E> {
        self.stopped = self.stopped || !(self.put)(batch);
        if self.stopped { Err(E::custom("stopped")) } else { Ok(()) }
    }

    fn element<E: Error>(&mut self, list: List, index: usize, text: &str) -> Result<(), E> {
        match list {
            List::Otlp(signal, key) => self.otlp(signal, key, index, text),
            List::JaegerTraces => self.jaeger(text),
            List::Unnamed => {
                let mut inner = serde_json::Deserializer::from_str(text);
                Document(self).deserialize(&mut inner).map_err(|error| E::custom(without_place(&error.to_string())))
            }
        }
    }

    fn otlp<E: Error>(&mut self, signal: Signal, key: &str, index: usize, text: &str) -> Result<(), E> {
        let body = format!("{{\"{key}\":[{text}]}}");
        let request = match signal {
            Signal::Traces => otlp_json::traces_to_protobuf(body.as_bytes()),
            Signal::Logs => otlp_json::logs_to_protobuf(body.as_bytes()),
            Signal::Metrics => otlp_json::metrics_to_protobuf(body.as_bytes()),
        };
        let request = request.map_err(|error| {
            let inside = error.path.strip_prefix(&format!("{key}[0]")).unwrap_or_default();
            // Its line and column are those of the element.
            let what = without_place(&error.message);
            E::custom(format!("{key}[{index}]{inside}: {what}"))
        })?;
        let rows = protobuf::rows(signal, &request).map_err(E::custom)?;
        self.put(Batch { signal, request, rows, rejected: Vec::new(), line: 0 })
    }

    fn jaeger<E: Error>(&mut self, text: &str) -> Result<(), E> {
        let trace = serde_json::from_str(text).map_err(|error| E::custom(format!("a Jaeger trace: {error}")))?;
        let jaeger::to_otlp::Converted { resource_spans, spans, rejected } = jaeger::to_otlp::trace(&trace);
        self.put(Batch::spans(resource_spans, spans, rejected, 0))
    }

    /// A trace or a span that stands alone.
    fn single<E: Error>(&mut self, text: &str) -> Result<(), E> {
        #[derive(Deserialize)]
        struct Shape {
            #[serde(rename = "traceId")]
            zipkin: Option<IgnoredAny>,
            #[serde(rename = "traceID")]
            jaeger: Option<IgnoredAny>,
            spans: Option<IgnoredAny>,
        }
        match serde_json::from_str(text) {
            Ok(Shape { zipkin: Some(_), .. }) => self.zipkin(text),
            Ok(Shape { jaeger: Some(_), spans: Some(_), .. }) => self.jaeger(text),
            _ => Err(E::custom(UNKNOWN)),
        }
    }

    /// Spans wait for others: one span is a small request.
    fn zipkin<E: Error>(&mut self, text: &str) -> Result<(), E> {
        match serde_json::from_str(text) {
            Ok(span) => self.spans.push(span),
            Err(error) => self.rejected.push(format!("a Zipkin span: {error}")),
        }
        if self.spans.len() + self.rejected.len() < ZIPKIN_BATCH {
            return Ok(());
        }
        let batch = self.take_zipkin();
        self.put(batch)
    }

    /// Sends the spans that wait.
    fn flush(&mut self) {
        if !self.stopped && self.spans.len() + self.rejected.len() > 0 {
            let batch = self.take_zipkin();
            self.stopped = !(self.put)(batch);
        }
    }

    fn take_zipkin(&mut self) -> Batch {
        let zipkin::Converted { resource_spans, spans, mut rejected } = zipkin::to_otlp(&self.spans);
        self.spans.clear();
        rejected.append(&mut self.rejected);
        Batch::spans(resource_spans, spans, rejected, 0)
    }
}

/// A top-level object or list.
struct Document<'s, 'p>(&'s mut Sink<'p>);

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object or list of OTLP, Jaeger or Zipkin")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut streamed = false;
        let mut fields: Vec<String> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if let Some((_, list)) = LISTS.iter().find(|(name, _)| *name == key) {
                map.next_value_seed(Elements { sink: &mut *self.0, list: *list })?;
                streamed = true;
            } else if streamed {
                map.next_value::<IgnoredAny>()?;
            } else {
                let value: Box<RawValue> = map.next_value()?;
                fields.push(format!("{}:{}", serde_json::Value::String(key), value.get()));
            }
        }
        if streamed { Ok(()) } else { self.0.single(&format!("{{{}}}", fields.join(","))) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        Elements { sink: self.0, list: List::Unnamed }.visit_seq(seq)
    }
}

/// The elements of a list.
struct Elements<'s, 'p> {
    sink: &'s mut Sink<'p>,
    list: List,
}

impl<'de> DeserializeSeed<'de> for Elements<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.list {
            List::Otlp(..) => "a list of resources",
            List::JaegerTraces => "a list of Jaeger traces",
            List::Unnamed => "a list of spans",
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(element) = seq.next_element::<Box<RawValue>>()? {
            self.sink.element(self.list, index, element.get())?;
            index += 1;
        }
        Ok(())
    }

    /// `null` is an empty list (protobuf's JSON mapping; Jaeger's answers).
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}
