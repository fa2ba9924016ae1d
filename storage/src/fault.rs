//! Faults that tests switch on: points where the store is killed, fails or waits, and planted bugs
//! that a test must notice before it is believed.
//!
//! ```text
//! wal.after-write=crash@3       the third time, as kill -9 would
//! flush.before-commit=error     every time; @3.. from the third on
//! segment.after-index=pause:200 ms
//! bug.skip-fsync=on             does wrong on purpose
//! grace=1                       a bound of time or size that a test cannot wait for
//! ```
//!
//! Off, a point costs one relaxed load. Only [`arm`] switches on, and only tests call for it.

use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Where something can happen, along the way of a row.
pub const POINTS: &[&str] = &[
    "wal.before-write",
    "wal.after-write",
    "wal.after-sync",
    "wal.after-ack",
    "wal.rotate-named",
    "wal.rotate-headed",
    "wal.retire",
    "wal.retire-seen",
    "wal.retire-gone",
    "segment.before-parquet",
    "segment.after-parquet",
    "segment.after-index",
    "flush.frozen",
    "flush.before-commit",
    "flush.after-commit",
    "flush.before-checkpoint",
    "merge.before-write",
    "merge.before-commit",
    "merge.after-commit",
    "counts.before-commit",
    "counts.after-commit",
    "retention.before-commit",
    "retention.after-commit",
    "catalog.before-commit",
    "catalog.after-commit",
    "erase.before-commit",
    "erase.after-commit",
    "erase.before-delete",
    "erase.before-scrub",
    "clear.before-delete",
    "clear.after-delete",
    "clear.orphan",
    "backup.before-log",
    "backup.after-log",
    "backup.after-catalog",
    "backup.before-file",
    "backup.before-rename",
];

/// Wrongs that can be done on purpose.
pub const BUGS: &[&str] = &[
    // The log answers without having synced.
    "bug.skip-fsync",
    // The log answers when a request is queued.
    "bug.ack-before-wal",
    // Checksums of log and segments are computed and not compared.
    "bug.skip-crc",
    // A flush commits its segments and leaves the log as it was.
    "bug.lose-checkpoint",
    // A merge leaves the segments that it merged.
    "bug.keep-sources",
    // Clearing deletes files that the catalogue names.
    "bug.clear-live",
    // A backup copies the catalogue before the log.
    "bug.backup-catalog-first",
    // A full disk is answered like a request stored.
    "bug.ack-refused",
    // A commit whose answer was lost is taken for one that failed.
    "bug.skip-settle",
    // A process numbers its rows as if it were alone with the lake.
    "bug.own-chapters",
];

/// Bounds that tests shorten.
pub const NUMBERS: &[&str] = &[
    // Seconds that files stay after the catalogue has let go of them.
    "grace",
    // Seconds between two looks at retention and garbage.
    "sweep",
    // Of a log file, bytes.
    "wal-segment",
    // Of Arrow in memory before a flush.
    "flush-bytes",
    // Of the oldest row in memory before a flush, seconds.
    "flush-age",
];

/// Made at a point on purpose.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a fault was injected at {0}")]
pub struct Injected(&'static str);

impl From<Injected> for io::Error {
    fn from(injected: Injected) -> Self {
        io::Error::other(injected)
    }
}

/// Switches the faults of a list on, for the life of the process. Says what is wrong with it, if
/// anything, and then switches none on.
pub fn arm(list: &str) -> Result<(), String> {
    let plan = Plan::parse(list)?;
    PLAN.set(plan).map_err(|_| "faults were switched on before".to_owned())?;
    ARMED.store(true, Ordering::Relaxed);
    Ok(())
}

/// A place where tests make something happen.
#[inline]
pub(crate) fn point(name: &'static str) -> Result<(), Injected> {
    if ARMED.load(Ordering::Relaxed) { hit(name) } else { Ok(()) }
}

/// Whether to do wrong here.
#[inline]
pub(crate) fn planted(bug: &'static str) -> bool {
    #[cfg(test)]
    if tests::planted_here(bug) {
        return true;
    }
    ARMED.load(Ordering::Relaxed) && PLAN.get().is_some_and(|plan| plan.bugs.iter().any(|planted| planted == bug))
}

/// A bound that a test has set, else `usual`.
pub(crate) fn number(name: &'static str, usual: u64) -> u64 {
    let plan = ARMED.load(Ordering::Relaxed).then(|| PLAN.get()).flatten();
    plan.and_then(|plan| plan.numbers.get(name).copied()).unwrap_or(usual)
}

/// The same in seconds.
pub(crate) fn seconds(name: &'static str, usual: Duration) -> Duration {
    match number(name, u64::MAX) {
        u64::MAX => usual,
        seconds => Duration::from_secs(seconds),
    }
}

static ARMED: AtomicBool = AtomicBool::new(false);
static PLAN: OnceLock<Plan> = OnceLock::new();

#[cold]
fn hit(name: &'static str) -> Result<(), Injected> {
    let Some(trap) = PLAN.get().and_then(|plan| plan.traps.get(name)) else { return Ok(()) };
    let count = trap.hits.fetch_add(1, Ordering::Relaxed) + 1;
    if count < trap.from || count > trap.to {
        return Ok(());
    }
    match trap.action {
        Action::Error => Err(Injected(name)),
        Action::Pause(time) => {
            std::thread::sleep(time);
            Ok(())
        }
        Action::Crash => {
            eprintln!("fault: killed at {name}");
            // No destructor runs and nothing is flushed: as a kill from outside. It does not return.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            std::process::abort()
        }
    }
}

#[derive(Debug, Default)]
struct Plan {
    traps: BTreeMap<String, Trap>,
    bugs: Vec<String>,
    numbers: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Trap {
    action: Action,
    /// Hits at which it acts, from 1.
    from: u64,
    to: u64,
    hits: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Crash,
    Error,
    Pause(Duration),
}

impl Plan {
    fn parse(list: &str) -> Result<Self, String> {
        let mut plan = Self::default();
        for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (name, value) = item.split_once('=').ok_or_else(|| format!("`{item}` has no `=`"))?;
            let wrong = || format!("`{value}` is nothing that {name} can be");
            if POINTS.contains(&name) {
                plan.traps.insert(name.to_owned(), Trap::parse(value).ok_or_else(wrong)?);
            } else if BUGS.contains(&name) {
                plan.bugs.extend((value == "on").then(|| name.to_owned()).ok_or_else(wrong).map(Some)?);
            } else if NUMBERS.contains(&name) {
                plan.numbers.insert(name.to_owned(), value.parse().map_err(|_| wrong())?);
            } else {
                let known = [POINTS, BUGS, NUMBERS].concat().join(", ");
                return Err(format!("there is no fault {name}; there are {known}"));
            }
        }
        Ok(plan)
    }
}

impl Trap {
    /// `crash`, `error` or `pause:ms`, each with `@n` or `@n..`.
    fn parse(text: &str) -> Option<Self> {
        let (action, hits) = text.split_once('@').unwrap_or((text, "1.."));
        let action = match action.split_once(':') {
            None if action == "crash" => Action::Crash,
            None if action == "error" => Action::Error,
            Some(("pause", ms)) => Action::Pause(Duration::from_millis(ms.parse().ok()?)),
            _ => return None,
        };
        let (from, to) = match hits.strip_suffix("..") {
            Some(from) => (from.parse().ok()?, u64::MAX),
            None => hits.parse().map(|n| (n, n)).ok()?,
        };
        (from > 0).then(|| Self { action, from, to, hits: AtomicU64::new(0) })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::Cell;
    use std::fs;
    use std::path::Path;

    use super::*;

    thread_local! {
        static HERE: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    pub(super) fn planted_here(bug: &str) -> bool {
        HERE.get() == Some(bug)
    }

    /// Plants a bug on this thread while `run` runs: other tests of the process do without.
    pub(crate) fn with<T>(bug: &'static str, run: impl FnOnce() -> T) -> T {
        HERE.set(Some(bug));
        let result = run();
        HERE.set(None);
        result
    }

    #[test]
    fn a_list_says_what_happens_where() {
        let plan = Plan::parse("wal.after-write=crash@3, bug.skip-crc=on,grace=2,flush.frozen=pause:20@2..").unwrap();
        let trap = &plan.traps["wal.after-write"];
        assert_eq!((trap.action, trap.from, trap.to), (Action::Crash, 3, 3));
        let trap = &plan.traps["flush.frozen"];
        assert_eq!((trap.action, trap.from, trap.to), (Action::Pause(Duration::from_millis(20)), 2, u64::MAX));
        assert_eq!((plan.bugs, plan.numbers["grace"]), (vec!["bug.skip-crc".to_owned()], 2));
        assert!(Plan::parse("").unwrap().traps.is_empty());
    }

    #[test]
    fn a_list_that_would_do_nothing_is_refused() {
        for wrong in [
            "wal.after-wriet=crash",
            "wal.after-write",
            "wal.after-write=explode",
            "wal.after-write=crash@0",
            "wal.after-write=crash@x",
            "wal.after-write=pause",
            "bug.skip-fsync=off",
            "grace=soon",
        ] {
            assert!(Plan::parse(wrong).is_err(), "{wrong}");
        }
    }

    /// A name without a place would make a test pass that tests nothing.
    #[test]
    fn every_name_is_used_in_the_code() {
        fn sources(folder: &Path, text: &mut String) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    sources(&path, text);
                } else if !path.ends_with("fault.rs") {
                    text.push_str(&fs::read_to_string(path).unwrap());
                }
            }
        }
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
        for (names, call) in [(POINTS, "fault::point"), (BUGS, "fault::planted")] {
            for name in names {
                assert!(text.contains(&format!("{call}(\"{name}\")")), "{name} is nowhere");
            }
        }
        for name in NUMBERS {
            let used = |call: &str| text.contains(&format!("fault::{call}(\"{name}\""));
            assert!(used("number") || used("seconds"), "{name} is nowhere");
        }
    }
}
