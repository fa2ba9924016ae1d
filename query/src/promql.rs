//! A part of PromQL over counters that are made of spans when they are asked for.
//!
//! ```text
//!  text ──lex, parse──▶ Expr ──eval──▶ a value at each step
//!                                │
//!  spans ──data──▶ counters ─────┘
//! ```
//!
//! Nothing is scraped, so that a counter has no samples: its increase over `(t − r, t]` is the number of calls
//! that begin there, exactly, which is what `rate` and `increase` answer. A counter by itself has no beginning
//! either: the process that would count is a question. It is taken to have started [`COUNTED_MS`] before `t`,
//! so that an instant query costs a day of spans, however much is kept, and never answers with nothing just
//! because a day has begun. `irate` is the rate over the last minute of its range.
//!
//! What is not here (subqueries, `group_left`, most functions) is refused with its place, never answered with
//! something else.

mod ast;
mod data;
mod eval;
mod histogram;
mod lex;
mod parse;

use std::collections::BTreeMap;

pub use ast::{Expr, Selector};

use crate::engine::{Engine, QueryError, Range};
use crate::model::Notes;

/// How far back a counter by itself counts, ms.
pub const COUNTED_MS: i64 = 24 * 3_600_000;
/// Longest time that one question may look at, ms.
pub const MOST_MS: i64 = 7 * 24 * 3_600_000;
/// Most steps of one question, as in Prometheus.
pub const MOST_STEPS: i64 = 11_000;

/// Names and values of labels; the metric's name is `__name__`.
pub type Labels = BTreeMap<String, String>;

/// Values by time, ms since the epoch.
pub type Samples = Vec<(i64, f64)>;

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Scalar(Samples),
    /// Series of one time are in the order of the answer, others in the order of their labels.
    Vector(Vec<(Labels, Samples)>),
}

/// When a question is asked: `from`, then every `step` until `to`; ms since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    pub from: i64,
    pub to: i64,
    pub step: i64,
}

impl Steps {
    pub fn instant(at: i64) -> Self {
        Self { from: at, to: at, step: 1 }
    }

    /// # Errors
    /// A step that leads nowhere, or too many of them.
    pub fn check(self) -> Result<Self, QueryError> {
        if self.step <= 0 {
            return Err(QueryError::bad("zero or negative query resolution step widths are not accepted"));
        }
        let length = self.to.saturating_sub(self.from);
        if length < 0 {
            return Err(QueryError::bad("end timestamp must not be before start time"));
        }
        if length / self.step >= MOST_STEPS {
            return Err(QueryError::bad(format!(
                "more than {MOST_STEPS} steps: ask for a shorter range or a larger step"
            )));
        }
        Ok(self)
    }

    fn times(self) -> impl Iterator<Item = i64> {
        let Self { from, to, step } = self;
        (0..).map_while(move |number: i64| from.checked_add(number.checked_mul(step)?).filter(|at| *at <= to))
    }
}

/// Reads a query.
///
/// # Errors
/// [`QueryError::Bad`] with the place of what is wrong or not supported.
pub fn parse(text: &str) -> Result<Expr, QueryError> {
    parse::parse(text)
}

/// Reads a selector of series, as `match[]` has it.
///
/// # Errors
/// As [`parse`].
pub fn parse_selector(text: &str) -> Result<Selector, QueryError> {
    match parse::parse(text)? {
        Expr::Selector(selector) if selector.range.is_none() => Ok(selector),
        _ => Err(QueryError::bad("match[] takes selectors of series only")),
    }
}

/// Names of all metrics, their types and what they count.
pub fn metrics() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    data::FAMILIES.iter().map(|family| (family.name, family.kind, family.help))
}

/// A duration such as `1h30m`, in ms.
pub fn duration_ms(text: &str) -> Option<i64> {
    lex::duration(text)
}

impl Engine {
    /// What the query is at each step.
    ///
    /// # Errors
    /// [`QueryError::Bad`] where it asks for too long a time or matches series ambiguously.
    pub async fn promql(&self, query: Expr, steps: Steps) -> Result<(Answer, Notes), QueryError> {
        let steps = steps.check()?;
        let selectors: Vec<Selector> = query.selectors().into_iter().cloned().collect();
        let Some(range) = reach(&selectors, steps)? else {
            let answer = eval::answer(&query, steps, &[], &|| Ok(()))?;
            return Ok((answer, Notes::default()));
        };
        self.run(move |snapshot, deadline| {
            let mut notes = Notes::over(snapshot, range);
            let counters = data::load(snapshot, deadline, range, &selectors, &mut notes)?;
            let answer = eval::answer(&query, steps, &counters, &|| deadline.check())?;
            Ok((answer, notes))
        })
        .await
    }

    /// Labels of the series that any selector matches and that count something between the times, ms.
    pub async fn promql_series(
        &self,
        mut selectors: Vec<Selector>,
        from: i64,
        to: i64,
    ) -> Result<(Vec<Labels>, Notes), QueryError> {
        for selector in &mut selectors {
            selector.range = Some(to.saturating_sub(from).max(1));
            selector.offset = 0;
        }
        let Some(range) = reach(&selectors, Steps::instant(to))? else { return Ok((Vec::new(), Notes::default())) };
        self.run(move |snapshot, deadline| {
            let mut notes = Notes::over(snapshot, range);
            let counters = data::load(snapshot, deadline, range, &selectors, &mut notes)?;
            let is_asked =
                |counter: &&data::Counter| selectors.iter().any(|selector| selector.matches(&counter.labels));
            let counting = |counter: &&data::Counter| counter.increase(range.from, range.to).is_some();
            let mut found: Vec<Labels> =
                counters.iter().filter(is_asked).filter(counting).map(|counter| counter.labels.clone()).collect();
            found.sort();
            found.dedup();
            Ok((found, notes))
        })
        .await
    }
}

/// What the selectors look at, ns; None where there are none.
fn reach(selectors: &[Selector], steps: Steps) -> Result<Option<Range>, QueryError> {
    let from = selectors.iter().map(|selector| {
        let back = selector.range.unwrap_or(COUNTED_MS).saturating_add(selector.offset);
        steps.from.saturating_sub(back)
    });
    let to = selectors.iter().map(|selector| steps.to.saturating_sub(selector.offset));
    let (Some(from), Some(to)) = (from.min(), to.max()) else { return Ok(None) };
    if to.saturating_sub(from) > MOST_MS {
        return Err(QueryError::bad("the query looks at more than 7 days: ask for a shorter range"));
    }
    let ns = |ms: i64| ms.saturating_mul(1_000_000);
    // Ends are inclusive here, and a ms lasts to its end.
    Ok(Some(Range { from: ns(from), to: ns(to.saturating_add(1)) }))
}

#[cfg(test)]
mod tests;
