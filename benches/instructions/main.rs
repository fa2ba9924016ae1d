//! The hot paths one after the other on fixed data, for a count of their instructions.
//!
//! `tests/instructions/check.py` runs it under valgrind, which counts between [`begin`] and [`end`], and
//! compares with what is expected. Each path prints its name, how many units it did, and what a unit is.
//! Arguments name the paths to run; none means all.

mod hot;
mod load;
mod shop;
mod stored;

use std::hint::black_box;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A planted slowdown: the path of this name does its work twice, and the check must fail.
const TWICE: &str = "CLEW_PLANT_TWICE";

fn main() {
    // Cargo adds an option of its own.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let twice = std::env::var(TWICE).unwrap_or_default();
    for path in hot::PATHS {
        if wanted.is_empty() || wanted.iter().any(|name| name == path.name) {
            let units = (path.run)(Rounds(if path.name == twice { 2 } else { 1 }));
            println!("{} {units} {}", path.name, path.unit);
        }
    }
}

/// How often a path does its work.
#[derive(Clone, Copy)]
struct Rounds(u32);

impl Rounds {
    /// Does the work, counted; it is told the number of the round.
    fn count<T>(self, mut work: impl FnMut(u32) -> T) {
        begin();
        (0..self.0).for_each(|round| drop(black_box(work(round))));
        end();
    }
}

/// Valgrind sets its counters to zero here; it knows the place by the name of the function.
#[inline(never)]
fn begin() {
    black_box("begin");
}

/// Valgrind writes its counters down here.
#[inline(never)]
fn end() {
    black_box("end");
}
