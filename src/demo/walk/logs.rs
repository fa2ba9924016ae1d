//! What the services log while they work, tied to their spans.

use proto::otlp::make::{any, map, text};
use proto::otlp::messages::common::v1::any_value::Value;
use proto::otlp::messages::common::v1::{AnyValue, KeyValue};
use proto::otlp::messages::logs::v1::LogRecord;
use rand::Rng;

use super::super::attributes;
use super::super::facts::fill;
use super::super::shape::{Call, Entry, Fault, Language, Level, Line, When};
use super::super::stack::stack;
use super::{Here, Made, Walk};

/// Of the lines that tell of a retry, by how often it was tried.
const RETRIES: &[&str] = &["{to} 超时，正在重试（第 {attempt} 次）", "retrying {to}, attempt {attempt}: {message}"];
const PAYMENT_RETRIES: &[&str] = &["支付超时，正在重试（第 {attempt} 次），订单 {order}"];
const FALLBACKS: &[&str] = &["{to} 不可用，已降级返回默认结果：{message}", "falling back, {to} failed: {message}"];

impl Walk<'_> {
    /// The lines of the operation for this moment.
    pub(super) fn say(&mut self, here: &Here, when: When, at: u64) {
        for line in here.operation.says.iter().filter(|line| line.when == when) {
            if self.dice.random_bool(line.share) {
                self.say_line(here, line, at);
            }
        }
    }

    pub(super) fn say_line(&mut self, here: &Here, line: &Line, at: u64) {
        let message = fill(line.text, |name| match (&here.operation.entry, name) {
            (Entry::Gateway { method, .. }, "method") => Some((*method).to_owned()),
            (Entry::Gateway { route, .. }, "path") => Some(attributes::path(route, &self.facts)),
            _ => self.facts.get(name),
        });
        let body = if line.fields.is_empty() {
            any(Value::StringValue(message))
        } else {
            let fields = line.fields.iter().filter_map(|name| self.facts.attribute(name));
            map([text("message", message)].into_iter().chain(fields).collect())
        };
        self.log(here, here.span, line.level, body, Vec::new(), at);
    }

    /// The service tells of a fault of its own.
    pub(super) fn complain(&mut self, here: &Here, fault: &'static Fault, at: u64) {
        self.complaint(here, fault, here.span, 0, at);
    }

    /// The service tells of a call that got no answer, from the call's span.
    pub(super) fn complain_of_call(&mut self, here: &Here, fault: &'static Fault, span: u64, start: u64, at: u64) {
        self.complaint(here, fault, span, at - start, at);
    }

    /// Half of the programs print the stack behind the message, half send it apart.
    fn complaint(&mut self, here: &Here, fault: &'static Fault, span: u64, took_ns: u64, at: u64) {
        let template = fault.says[self.dice.random_range(0..fault.says.len())];
        let message = fill(template, |name| match name {
            "ms" => Some((took_ns / 1_000_000).to_string()),
            _ => self.facts.get(name),
        });
        let stack = stack(fault, here.operation);
        let (body, attributes) = if fault.level == Level::Error && self.dice.random_bool(0.5) {
            (format!("{message}\n{stack}"), Vec::new())
        } else {
            let exception = vec![
                text("exception.type", fault.exception),
                text("exception.message", fault.message),
                text("exception.stacktrace", stack),
            ];
            (message, exception)
        };
        self.log(here, span, fault.level, any(Value::StringValue(body)), attributes, at);
    }

    pub(super) fn say_retry(&mut self, here: &Here, call: &Call, fault: &Fault, attempt: u32, at: u64) {
        let to = call.to.service.name;
        let choice = if to == "payment" { PAYMENT_RETRIES } else { RETRIES };
        self.warn(here, choice, to, attempt, fault, at);
    }

    pub(super) fn say_fallback(&mut self, here: &Here, call: &Call, fault: &Fault, at: u64) {
        self.warn(here, FALLBACKS, call.to.service.name, 1, fault, at);
    }

    fn warn(&mut self, here: &Here, choice: &[&str], to: &str, attempt: u32, fault: &Fault, at: u64) {
        let template = choice[self.dice.random_range(0..choice.len())];
        let message = fill(template, |name| match name {
            "to" => Some(to.to_owned()),
            "attempt" => Some(attempt.to_string()),
            "message" => Some(fault.message.to_owned()),
            _ => self.facts.get(name),
        });
        self.log(here, here.span, Level::Warn, any(Value::StringValue(message)), Vec::new(), at);
    }

    fn log(&mut self, here: &Here, span: u64, level: Level, body: AnyValue, mut attributes: Vec<KeyValue>, at: u64) {
        let (severity_number, severity_text) = severity(level);
        let at = at + self.story.clock_ahead_ns(here.by);
        if here.by.service.language == Language::Java {
            attributes.push(text("thread.name", format!("http-nio-8080-exec-{}", here.span % 64 + 1)));
        }
        let record = LogRecord {
            time_unix_nano: at,
            observed_time_unix_nano: at + 150_000,
            severity_number,
            severity_text: severity_text.to_owned(),
            body: Some(body),
            attributes,
            flags: 1,
            trace_id: self.trace_id.to_be_bytes().to_vec(),
            span_id: span.to_be_bytes().to_vec(),
            ..Default::default()
        };
        self.out.logs.push(Made { by: here.by, library: "log", row: record });
    }
}

pub(super) fn severity(level: Level) -> (i32, &'static str) {
    match level {
        Level::Debug => (5, "DEBUG"),
        Level::Info => (9, "INFO"),
        Level::Warn => (13, "WARN"),
        Level::Error => (17, "ERROR"),
    }
}
