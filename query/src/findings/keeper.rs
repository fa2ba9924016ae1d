//! Evaluates on a schedule and keeps the books. One process of a lake does.
//!
//! ```text
//!  every minute: new windows ─observe─▶ memory ─┐
//!                         cells of the hour ────┴─judge─▶ ledger ─▶ documents ─▶ whoever is to be told
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use storage::store::{DocumentChange, WriteError};
use tokio::sync::Mutex;

use super::judge::{self, Case, Verdict};
use super::layers::{self, Layer};
use super::ledger::{self, Change, Finding, Ledger};
use super::model::{Text, Unjudged};
use super::observe::{WINDOW, Window, observe};
use super::releases::{self, Releases};
use super::rules::f03_chatty;
use super::store;
use super::thresholds::{QUIET, Thresholds};
use crate::engine::{Engine, QueryError, Range};
use crate::rollup::Cells;

/// Is told of findings that open and resolve; must not wait.
pub trait Notify: Send + Sync {
    fn tell(&self, finding: &Finding);
}

/// What a user decides.
#[derive(Clone, Default)]
pub struct Settings {
    pub thresholds: Thresholds,
    /// Layers of services that a file tells.
    pub layers: Arc<BTreeMap<String, Layer>>,
    pub notify: Option<Arc<dyn Notify>>,
}

/// What an evaluation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// Minutes that were looked at. 0 where another process of the lake evaluates, or nothing is settled yet.
    pub windows: usize,
    pub opened: usize,
    pub resolved: usize,
    /// Of the newest window, ns.
    pub to: Option<i64>,
    pub warnings: Vec<String>,
}

/// A minute is looked at when it has been over for so long, ns: most of its spans have come by then.
const SETTLED: i64 = 20_000_000_000;
/// Windows looked at after a start, and at most at once.
const FIRST_WINDOWS: i64 = 15;
pub const MOST_WINDOWS: i64 = 120;
/// Subjects held in memory over all windows: about 100 MB.
const MOST_SUBJECTS: usize = 400_000;
/// In the place of a rule, where a reason concerns every one.
const ALL_RULES: &str = "all";
/// Cells of a day are asked for this often.
const DAY_EVERY: i64 = 30 * WINDOW;
const DAY: i64 = 24 * 60 * WINDOW;
const HOUR: i64 = 60 * WINDOW;
/// The lease outlives two evaluations.
const LEASE: Duration = Duration::from_secs(180);
/// After an evaluation it rests so many times as long as that took: at most a tenth of one processor.
const REST: u32 = 9;

/// What one engine knows between evaluations.
pub(crate) struct Desk {
    pub(super) settings: Settings,
    /// Held by whoever evaluates or erases.
    pub(super) memory: Mutex<Memory>,
    /// Held by whoever changes the documents of this process.
    pub(super) books: Mutex<()>,
}

#[derive(Default)]
pub(super) struct Memory {
    pub(super) windows: VecDeque<Window>,
    day: Option<Cells>,
    /// When it was asked for last, ns.
    day_asked: Option<i64>,
}

impl Desk {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, memory: Mutex::default(), books: Mutex::default() }
    }
}

/// The background task.
pub struct Keeper;

impl Keeper {
    /// Evaluates until `shutdown` resolves. What fails is logged and tried again.
    pub async fn run(engine: Engine, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        let ready = async {
            // Windows of a store that is not whole would have to be looked at again.
            let _ = engine.store().replayed().await;
        };
        tokio::select! {
            () = ready => {}
            () = &mut shutdown => return,
        }
        loop {
            let began = Instant::now();
            let evaluation = engine.evaluate_findings(None);
            tokio::select! {
                evaluated = evaluation => report(evaluated),
                () = &mut shutdown => return,
            }
            let rest = began.elapsed().saturating_mul(REST);
            let next = until_next(engine.store().settings().clock.now());
            tokio::select! {
                () = tokio::time::sleep(rest.max(next)) => {}
                () = &mut shutdown => return,
            }
        }
    }
}

fn report(evaluated: Result<Evaluated, QueryError>) {
    match evaluated {
        Ok(Evaluated { windows: 0, .. }) => {}
        Ok(Evaluated { windows, opened, resolved, warnings, .. }) => {
            tracing::debug!(windows, opened, resolved, ?warnings, "findings were evaluated");
        }
        Err(error) => tracing::warn!(%error, "findings could not be evaluated; the next minute tries again"),
    }
}

/// Time until one more minute is settled, and a second.
fn until_next(now: i64) -> Duration {
    let into = now.saturating_sub(SETTLED).rem_euclid(WINDOW);
    Duration::from_nanos((WINDOW - into) as u64) + Duration::from_secs(1)
}

impl Engine {
    /// Looks at the minutes that are settled and not yet looked at, and judges each; from `from` (ns) on where
    /// it is given, at most [`MOST_WINDOWS`] of them.
    pub async fn evaluate_findings(&self, from: Option<i64>) -> Result<Evaluated, QueryError> {
        let desk = self.findings_desk().clone();
        let mut memory = desk.memory.lock().await;
        let judged = memory.windows.back().map(|window| window.to);
        if from.is_some() {
            // Whoever asks for the past has sent some since.
            memory.day_asked = None;
        }
        let evaluated = self.evaluate(&desk, &mut memory, from).await;
        if let Err(error) = &evaluated {
            // What was read and not judged is read again.
            memory.windows.retain(|window| judged.is_some_and(|judged| window.to <= judged));
            let known = store::report(self.store()).await?;
            let reason = Text::new(format!("the evaluation failed: {error}"), format!("评估失败：{error}"));
            let failed = Unjudged { rule: ALL_RULES.to_owned(), blind: true, subject: None, reason };
            store::put_report(self.store(), known.evaluated, &[failed]).await?;
        }
        evaluated
    }

    async fn evaluate(&self, desk: &Desk, memory: &mut Memory, from: Option<i64>) -> Result<Evaluated, QueryError> {
        if !self.store().lease("findings", LEASE).await.map_err(unwritten)? {
            return Ok(Evaluated::default());
        }
        let now = self.store().settings().clock.now();
        let wanted = wanted(memory, from, now);
        if wanted.is_empty() {
            return Ok(Evaluated::default());
        }
        let repeats = f03_chatty::repeats(&desk.settings.thresholds);
        let mut evaluated =
            Evaluated { windows: wanted.len(), to: wanted.last().map(|range| range.to), ..Evaluated::default() };
        if let Some(last) = memory.windows.back().map(|last| last.to).filter(|to| *to != wanted[0].from) {
            let skipped = (wanted[0].from - last) / WINDOW;
            if skipped > 0 {
                let warning = format!("{skipped} minutes were not looked at: evaluation did not keep up");
                evaluated.warnings.push(warning);
            }
            memory.windows.clear();
        }
        let (first, last) = (wanted[0], wanted[wanted.len() - 1]);
        for range in wanted {
            let window = self.run(move |snapshot, deadline| observe(snapshot, deadline, range, repeats)).await?;
            evaluated.warnings.extend(window.warnings.iter().cloned());
            memory.windows.push_back(window);
        }
        memory.bound();
        let hour = Range { from: first.to.saturating_sub(HOUR), to: last.to };
        let (cells, notes) = self.cells(hour).await?;
        evaluated.warnings.extend(notes.warnings);
        self.know_the_day(memory, last.to, &mut evaluated.warnings).await;
        memory.windows.make_contiguous();
        self.book(desk, memory, &cells, first.to, &mut evaluated).await?;
        evaluated.warnings.sort();
        evaluated.warnings.dedup();
        Ok(evaluated)
    }

    /// Cells of the day, now and then: they change slowly.
    async fn know_the_day(&self, memory: &mut Memory, to: i64, warnings: &mut Vec<String>) {
        if memory.day_asked.is_some_and(|at| to >= at && to - at < DAY_EVERY) {
            return;
        }
        // Where it fails it is not asked for every minute: that would be most of the work.
        memory.day_asked = Some(to);
        match self.cells(Range { from: to.saturating_sub(DAY), to }).await {
            Ok((cells, _)) => memory.day = Some(cells),
            Err(error) => warnings.push(format!("the last day could not be read: {error}")),
        }
    }

    /// Judges every window that ends at `from` or later, and writes down what changed.
    async fn book(
        &self,
        desk: &Desk,
        memory: &Memory,
        cells: &Cells,
        from: i64,
        evaluated: &mut Evaluated,
    ) -> Result<(), QueryError> {
        let _books = desk.books.lock().await;
        let settings = &desk.settings;
        let mut releases = store::releases(self.store()).await?;
        let learnt = learn(&mut releases, memory, cells);
        let verdicts = verdicts(settings, memory, cells, &releases, from).await;
        let quiet = (settings.thresholds.get(&QUIET) * WINDOW as f64) as i64;
        // Loaded late, for another process of the lake may have written down what someone decided.
        let mut ledger = store::ledger(self.store()).await?;
        let (mut changes, mut told) = (BTreeMap::new(), Vec::new());
        for (to, verdict) in &verdicts {
            for (id, change) in ledger::advance(&mut ledger, verdict, *to, quiet) {
                told.extend(telling(&ledger, &id, change, evaluated));
                changes.insert(id, change);
            }
        }
        let written: Vec<DocumentChange> = changes.keys().map(|id| store::change(&ledger, id)).collect();
        store::put_findings(self.store(), &written).await?;
        store::put_releases(self.store(), &releases, &learnt).await?;
        let unjudged = verdicts.into_iter().next_back().map(|(_, verdict)| with_warnings(verdict, &evaluated.warnings));
        store::put_report(self.store(), evaluated.to, &unjudged.unwrap_or_default()).await?;
        if let Some(notify) = &settings.notify {
            told.iter().for_each(|finding| notify.tell(finding));
        }
        Ok(())
    }
}

/// Of every window that ends at `from` or later: its end, and what is said of it.
async fn verdicts(
    settings: &Settings,
    memory: &Memory,
    cells: &Cells,
    releases: &Releases,
    from: i64,
) -> Vec<(i64, Verdict)> {
    let (windows, _) = memory.windows.as_slices();
    let layers = layers::layers(cells, &settings.layers);
    let mut verdicts = Vec::new();
    for end in (1..=windows.len()).filter(|&end| windows[end - 1].to >= from) {
        let case = Case {
            windows: &windows[..end],
            cells,
            day: memory.day.as_ref(),
            layers: &layers,
            releases,
            thresholds: &settings.thresholds,
            to: windows[end - 1].to,
        };
        verdicts.push((case.to, judge::judge(&case)));
        tokio::task::yield_now().await;
    }
    verdicts
}

/// Minutes to look at, oldest first.
fn wanted(memory: &Memory, from: Option<i64>, now: i64) -> Vec<Range> {
    let end = now.saturating_sub(SETTLED).div_euclid(WINDOW);
    let known = memory.windows.back().map(|window| window.to.div_euclid(WINDOW));
    let begin = match (from, known) {
        (Some(from), _) => from.div_euclid(WINDOW).max(end - MOST_WINDOWS),
        (None, Some(known)) if end - known <= FIRST_WINDOWS => known,
        _ => end - FIRST_WINDOWS,
    };
    (begin..end).map(|minute| Range { from: minute * WINDOW, to: (minute + 1) * WINDOW }).collect()
}

impl Memory {
    fn bound(&mut self) {
        let mut subjects: usize = self.windows.iter().map(Window::size).sum();
        while self.windows.len() > MOST_WINDOWS as usize || (subjects > MOST_SUBJECTS && self.windows.len() > 1) {
            subjects -= self.windows.pop_front().map_or(0, |window| window.size());
        }
    }
}

/// Services with a version that was not known, or not for so long.
fn learn(releases: &mut Releases, memory: &Memory, cells: &Cells) -> Vec<String> {
    let mut learnt = releases::learn(releases, cells);
    if let Some(day) = &memory.day {
        learnt.extend(releases::learn(releases, day));
    }
    learnt.sort();
    learnt.dedup();
    learnt
}

/// Who is told of: nobody of what was accepted.
fn telling(ledger: &Ledger, id: &str, change: Change, evaluated: &mut Evaluated) -> Option<Finding> {
    match change {
        Change::Opened => evaluated.opened += 1,
        Change::Resolved => evaluated.resolved += 1,
        Change::Quiet | Change::Forgotten => return None,
    }
    let finding = ledger.get(id)?;
    finding.accepted_by.is_none().then(|| finding.clone())
}

/// What could not be read stands among the reasons.
fn with_warnings(verdict: Verdict, warnings: &[String]) -> Vec<Unjudged> {
    let warning = |warning: &String| Unjudged {
        rule: ALL_RULES.to_owned(),
        blind: false,
        subject: None,
        reason: Text::new(warning.clone(), warning.clone()),
    };
    verdict.unjudged.into_iter().chain(warnings.iter().map(warning)).collect()
}

pub(super) fn unwritten(error: WriteError) -> QueryError {
    QueryError::Internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settled_minutes_are_looked_at_once() {
        let mut memory = Memory::default();
        let now = 100 * WINDOW + SETTLED;
        let first = wanted(&memory, None, now);
        assert_eq!((first.len(), first[14].to), (15, 100 * WINDOW));
        memory.windows.extend(first.into_iter().map(Window::new));
        assert_eq!(wanted(&memory, None, now + WINDOW - 1), []);
        assert_eq!(wanted(&memory, None, now + WINDOW).len(), 1);
        assert_eq!(wanted(&memory, None, now + 600 * WINDOW).len(), 15, "after a long sleep");
        assert_eq!(wanted(&memory, Some(0), now).len(), 100);
        assert_eq!(wanted(&memory, Some(0), now + 600 * WINDOW).len(), MOST_WINDOWS as usize);
    }

    #[test]
    fn the_next_look_is_when_a_minute_has_settled() {
        assert_eq!(until_next(SETTLED), Duration::from_secs(61));
        assert_eq!(until_next(SETTLED + WINDOW - 1), Duration::from_nanos(1_000_000_001));
    }
}
