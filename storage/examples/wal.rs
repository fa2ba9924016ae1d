//! Measures the log on this machine: `cargo run --release -p storage --example wal [DIRECTORY]`.

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use storage::store::{Request, Signal};
use storage::wal::{Disk, Replayed, Wal, WalSettings};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = parent.join(format!("clew-wal-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let measured = measure(&dir);
    std::fs::remove_dir_all(&dir)?;
    measured
}

fn measure(dir: &Path) -> Result<()> {
    println!("one write and fdatasync, ms");
    for block in [4 << 10, 64 << 10, 1 << 20] {
        for (name, prepare) in
            [("appended", nothing as fn(&File) -> Result<()>), ("allocated", allocate), ("zeroed", zero)]
        {
            let (median, worst) = syncs(&dir.join("file"), block, prepare)?;
            println!("  {:>5} KiB {name:<10} p50 {median:5.2}  p99 {worst:6.2}", block >> 10);
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    for (writers, bytes) in [(1, 400), (64, 400), (4, 256 << 10)] {
        runtime.block_on(log(&dir.join(format!("log-{writers}-{bytes}")), writers, bytes))?;
    }
    Ok(())
}

const FILE: u64 = 64 << 20;

fn nothing(_: &File) -> Result<()> {
    Ok(())
}

fn allocate(file: &File) -> Result<()> {
    Ok(rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, FILE)?)
}

fn zero(file: &File) -> Result<()> {
    allocate(file)?;
    for offset in (0..FILE).step_by(1 << 20) {
        file.write_all_at(&vec![0; 1 << 20], offset)?;
    }
    Ok(())
}

/// Median and 99th percentile of a write of `block` bytes made durable.
fn syncs(path: &Path, block: usize, prepare: fn(&File) -> Result<()>) -> Result<(f64, f64)> {
    let file = File::create(path)?;
    prepare(&file)?;
    file.sync_all()?;
    let data = vec![0xa5; block];
    let mut times = Vec::new();
    for i in 0..(FILE / block as u64).min(200) {
        let start = Instant::now();
        file.write_all_at(&data, i * block as u64)?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], times[times.len() * 99 / 100]))
}

/// Appends from `writers` tasks for three seconds, then replays.
async fn log(dir: &Path, writers: usize, bytes: usize) -> Result<()> {
    let (wal, _) = Wal::open(Arc::new(Disk::new(dir.to_owned())?), WalSettings::default(), 0, 0, |_| Ok(()))?;
    let (wal, body) = (Arc::new(wal), Bytes::from(vec![0x5a; bytes]));
    let start = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (wal, body) = (wal.clone(), body.clone());
            tokio::spawn(async move {
                let mut appended = 0u64;
                while start.elapsed() < Duration::from_secs(3) {
                    wal.append(Request { signal: Signal::Traces, received: 0, hash: 0, body: body.clone() }).await?;
                    appended += 1;
                }
                Ok::<_, storage::wal::WalError>(appended)
            })
        })
        .collect();
    let mut appended = 0;
    for task in tasks {
        appended += task.await??;
    }
    let time = start.elapsed().as_secs_f64();
    wal.close().await;
    let megabytes = (appended * bytes as u64) as f64 / 1e6;
    let rate = appended as f64 / time;
    print!("{writers:>3} writers of {bytes:>6} B: {rate:8.0} appends/s {:7.1} MB/s", megabytes / time);

    let (start, mut read) = (Instant::now(), 0);
    Wal::open(Arc::new(Disk::new(dir.to_owned())?), WalSettings::default(), 0, 0, |replayed| {
        if let Replayed::Record { request, .. } = replayed {
            read += request.body.len();
        }
        Ok(())
    })?;
    println!(", replay {:6.0} MB/s", read as f64 / 1e6 / start.elapsed().as_secs_f64());
    Ok(())
}
