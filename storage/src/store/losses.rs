//! What was acknowledged and is gone: a damaged log. It is said in every answer until someone who has
//! read it removes the file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::wal::Damage;

/// A line a loss, in the data directory.
pub(crate) const LOSSES_FILE: &str = "losses.txt";

/// Adds damage that was found now to what is known, durably; all lines.
pub(super) fn record(data_dir: &Path, damage: &[Damage]) -> io::Result<Vec<String>> {
    let mut known = read(data_dir)?;
    let new: Vec<String> = damage.iter().map(describe).filter(|line| !known.contains(line)).collect();
    if !new.is_empty() {
        let mut file = OpenOptions::new().create(true).append(true).open(data_dir.join(LOSSES_FILE))?;
        for line in &new {
            writeln!(file, "{line}")?;
        }
        file.sync_all()?;
        File::open(data_dir)?.sync_all()?;
        known.extend(new);
    }
    Ok(known)
}

/// Losses of earlier starts too.
pub(crate) fn read(data_dir: &Path) -> io::Result<Vec<String>> {
    match std::fs::read_to_string(data_dir.join(LOSSES_FILE)) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// One line for people.
pub(crate) fn describe(damage: &Damage) -> String {
    let lost = match &damage.lost {
        Some(lost) if lost.start() == lost.end() => format!("; acknowledged request {} is lost", lost.start()),
        Some(lost) => format!("; acknowledged requests {} to {} are lost", lost.start(), lost.end()),
        None => String::new(),
    };
    format!("{} is damaged at byte {}: {}{lost}", damage.file, damage.offset, damage.what)
}
