//! What the processes under measurement have used, as Linux tells it (proc(5)), and bytes on disk.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Processes that are measured together; may be none, and then nothing is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Processes {
    pub(crate) pids: Vec<u32>,
}

impl Processes {
    /// CPU time so far, user and system. `None` where a process is not there.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        self.sum(|pid| cpu_of(&read(pid, "stat")?)).map(Duration::from_millis)
    }

    /// Resident memory now, bytes.
    pub(crate) fn resident(&self) -> Option<u64> {
        self.sum(|pid| status_of(&read(pid, "status")?, "VmRSS"))
    }

    /// Most resident memory since [`Processes::reset_peak`], bytes.
    pub(crate) fn peak(&self) -> Option<u64> {
        self.sum(|pid| status_of(&read(pid, "status")?, "VmHWM"))
    }

    /// Whether the peak could be set back in all: only the owner of a process may.
    pub(crate) fn reset_peak(&self) -> bool {
        self.pids.iter().all(|pid| std::fs::write(format!("/proc/{pid}/clear_refs"), "5").is_ok())
    }

    fn sum(&self, of: impl Fn(u32) -> Option<u64>) -> Option<u64> {
        if self.pids.is_empty() { None } else { self.pids.iter().map(|&pid| of(pid)).sum() }
    }
}

fn read(pid: u32, file: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok()
}

/// Fields 14 and 15 of `stat`, in ticks of 10 ms, as ms. The name, field 2, may have spaces and brackets.
fn cpu_of(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11).map(|field| field.parse::<u64>().ok());
    Some((fields.next()?? + fields.next()??) * 10)
}

/// A line of `status` in kB, as bytes.
fn status_of(status: &str, key: &str) -> Option<u64> {
    line_of(status, key).map(|kib| kib * 1024)
}

fn line_of(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Runnable threads of the whole machine on the average of the last minute (proc_loadavg(5)).
pub(crate) fn load_average() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// Bytes that were ever written to the disk that holds a path, once all that waits has been written: for what is
/// measured must do so alone. What processes are told to have written (`io` in proc(5)) is another thing: where a file
/// system keeps large pieces in memory, a byte that changes counts as its whole piece, five times too much for a log.
pub(crate) fn device_written(path: &Path) -> Option<u64> {
    rustix::fs::sync();
    let device = std::fs::metadata(path).ok()?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    sectors_written(&std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?).map(|n| n * 512)
}

/// The seventh field of `stat` of a block device, sectors of 512 bytes (Linux, "Block layer statistics").
fn sectors_written(stat: &str) -> Option<u64> {
    stat.split_whitespace().nth(6)?.parse().ok()
}

/// Bytes of a file, or of all files below a directory. What goes away meanwhile is not counted.
pub(crate) fn bytes(path: &Path) -> u64 {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return 0 };
    if !meta.is_dir() {
        return meta.len();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| bytes(&entry.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_do_not_shift_the_fields() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 100 1000 200";
        assert_eq!(cpu_of(stat), Some(3_000));
        assert_eq!(cpu_of("42 (cut) S 1"), None);
    }

    #[test]
    fn this_process_is_measured() {
        let own = Processes { pids: vec![std::process::id()] };
        assert!(own.cpu().is_some() && own.resident() > Some(1 << 20) && own.peak() >= own.resident());
        assert!(load_average().is_some());
        assert_eq!(Processes::default().cpu(), None);
        assert_eq!(Processes { pids: vec![std::process::id(), u32::MAX] }.resident(), None);
        assert_eq!(line_of("rchar: 5\ncancelled_write_bytes: 7\nwrite_bytes: 9\n", "write_bytes"), Some(9));
        assert_eq!(sectors_written("  31 0 992 10 1204 3 38536 20 0 10 30 0 0 0 0 0 0\n"), Some(38_536));
    }

    #[test]
    fn bytes_of_files_in_directories_add_up() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("sub")).expect("a directory");
        std::fs::write(dir.path().join("a"), [0; 10]).expect("written");
        std::fs::write(dir.path().join("sub/b"), [0; 7]).expect("written");
        assert_eq!(bytes(dir.path()), 17);
        assert_eq!(bytes(&dir.path().join("a")), 10);
        assert_eq!(bytes(&dir.path().join("none")), 0);
    }
}
