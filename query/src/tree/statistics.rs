//! Sums over the spans of one trace, by service, by operation or by the value of an attribute.

use std::collections::BTreeMap;

use storage::attrs::{self, Value};

use crate::model::{Span, Statistic, Trace};

/// What spans are put together by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    Service,
    /// Span name.
    Operation,
    /// Text of an attribute of the span, else of its resource; spans without it are a group of their own.
    Attribute(String),
}

impl GroupBy {
    fn of(&self, span: &Span) -> Option<String> {
        match self {
            GroupBy::Service => Some(span.service.clone()),
            GroupBy::Operation => Some(span.name.clone()),
            GroupBy::Attribute(wanted) => {
                let own = span.attributes.iter().chain(&span.resource.attributes);
                own.filter(|(key, _)| key == wanted).map(|(_, value)| text(value)).next()
            }
        }
    }
}

/// Groups in order of the time that they spent themselves, longest first; then by name.
pub fn statistics(trace: &Trace, group_by: &GroupBy) -> Vec<Statistic> {
    let mut groups: BTreeMap<Option<String>, Statistic> = BTreeMap::new();
    for (row, span) in trace.spans.iter().enumerate() {
        let group = group_by.of(span);
        let (total, own) = (span.end.saturating_sub(span.start), trace.tree.self_time[row]);
        let known = groups.entry(group.clone()).or_insert_with(|| Statistic {
            group,
            min: u64::MAX,
            self_min: u64::MAX,
            ..Statistic::default()
        });
        known.count += 1;
        known.errors += u64::from(span.status_code == 2);
        known.total = known.total.saturating_add(total);
        known.self_total = known.self_total.saturating_add(own);
        (known.min, known.max) = (known.min.min(total), known.max.max(total));
        (known.self_min, known.self_max) = (known.self_min.min(own), known.self_max.max(own));
    }
    let mut groups: Vec<Statistic> = groups.into_values().collect();
    groups.sort_by(|a, b| b.self_total.cmp(&a.self_total).then_with(|| a.group.cmp(&b.group)));
    groups
}

/// A text as it is, anything else as its JSON.
fn text(value: &Value) -> String {
    let mut raw = String::new();
    attrs::push_value(&mut raw, value);
    attrs::text_of(&raw).into_owned()
}
