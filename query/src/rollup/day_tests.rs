//! How long a graph of a day takes, out of the counts of a hundred million spans. Ignored: it prints figures.
//! `cargo test --release -p clew -p query --lib -- --ignored --nocapture a_day`

use std::time::Instant;

use storage::rollup::{MINUTES_PER_HOUR, Rollup};

use super::*;
use crate::graph::{GraphOptions, draw, sketch};

const SERVICES: usize = 60;
const EDGES: usize = 150;
const HOURS: Minute = 26;
/// 150 edges × 1440 minutes × 463 calls.
const CALLS: u64 = 463;

/// Numbers that look like chance and are always the same.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// An hour of all edges and services by minute: durations spread over some fifty buckets a minute.
fn hour(number: Minute) -> Rollup {
    let (mut rollup, mut state) = (Rollup::default(), number as u64 + 1);
    let name = |number: usize| format!("service-{number:02}");
    let edge = |number: usize| Key::Edge {
        source: Place::service(name(number % SERVICES)),
        target: Place::service(name((number * 7 + 1 + number / SERVICES) % SERVICES)),
        alias: format!("10.0.0.{number}:8080"),
        protocol: "grpc".to_owned(),
        operation: format!("Service/Method{}", number % 3),
        mode: Mode::Sync,
        environment: "production".to_owned(),
    };
    let edges: Vec<Vec<u8>> = (0..EDGES).map(|number| edge(number).encode()).collect();
    for minute in number * MINUTES_PER_HOUR..(number + 1) * MINUTES_PER_HOUR {
        for key in &edges {
            let cell = rollup.cell(minute, key);
            cell.counts.add(slot::CALLS, CALLS as i64);
            cell.counts.add(slot::PAIRED, CALLS as i64);
            cell.counts.add(slot::ERRORS, (next(&mut state) % 9) as i64);
            for _ in 0..CALLS {
                // A sum of three is much like the bell that logarithms of durations have.
                let spread = (0..3).map(|_| next(&mut state) % 40).sum::<u64>() as f64;
                let duration = (1e5 * 1.06f64.powf(spread)) as u64;
                cell.counts.add(slot::CLIENT + sketch::bucket(duration), 1);
                cell.counts.add(slot::SERVER + sketch::bucket(duration / 2), 1);
            }
        }
        for service in 0..SERVICES {
            let (service, version) = (name(service), "1.4.2".to_owned());
            let key = Key::Serve {
                service,
                environment: "production".to_owned(),
                version,
                operation: "Service/Method".to_owned(),
                protocol: "grpc".to_owned(),
            };
            rollup.cell(minute, &key.encode()).counts.add(slot::CALLS, 900);
        }
    }
    rollup
}

#[test]
#[ignore = "prints figures"]
fn a_day_of_a_hundred_million_spans() {
    let hours: Vec<Rollup> = (0..HOURS).map(hour).collect();
    let bytes: Vec<Vec<u8>> = hours.iter().map(storage::rollup::encode).collect();
    let whole = |hour: Minute| hour * MINUTES_PER_HOUR..(hour + 1) * MINUTES_PER_HOUR;
    let sums: Vec<Arc<Rollup>> =
        (0..HOURS).zip(&hours).map(|(number, hour)| Arc::new(Rollup::sum(&[hour], whole(number)))).collect();
    let sum_bytes: usize = sums.iter().map(|sum| storage::rollup::encode(sum).len()).sum();
    println!(
        "an hour by minute: {} kB stored, {} MB in memory; its sum: {} kB stored",
        bytes[0].len() / 1000,
        hours[0].bytes() / 1_000_000,
        sum_bytes / sums.len() / 1000
    );
    let began = Instant::now();
    let decoded = storage::rollup::decode(&bytes[0]).expect("an hour");
    println!("an hour by minute is read in {:?}", began.elapsed());
    assert_eq!(decoded, hours[0]);

    // From half past the first hour to half past the last: 24 whole hours and two halves.
    let asked = 30..HOURS * MINUTES_PER_HOUR - 30;
    let (first, last) = (30..60, (HOURS - 1) * MINUTES_PER_HOUR..asked.end);
    let began = Instant::now();
    let ends = [(first.clone(), &hours[0]), (last.clone(), &hours[HOURS as usize - 1])]
        .map(|(minutes, hour)| (minutes.clone(), Arc::new(Rollup::sum(&[hour], minutes))));
    println!("the ends are summed in {:?}, once a minute", began.elapsed());
    let began = Instant::now();
    let middle = 60..(HOURS - 1) * MINUTES_PER_HOUR;
    let day = Arc::new(Rollup::sum(&sums[1..HOURS as usize - 1], middle.clone()));
    println!("24 hours are summed in {:?}, once an hour", began.elapsed());
    let parts: Vec<_> = ends.into_iter().chain([(middle, day)]).collect();
    let mut took = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        let sums = draw::sums(&parts, &asked);
        let window = Range { from: 0, to: 1 };
        let graph = draw::draw(&sums, &GraphOptions::default(), window, 0, Notes::default());
        took.push(began.elapsed());
        assert_eq!(graph.edges.len(), EDGES);
        let calls: u64 = graph.edges.iter().map(|edge| edge.calls).sum();
        assert_eq!(calls, EDGES as u64 * CALLS * (asked.end - asked.start) as u64);
    }
    took.sort();
    println!("a graph of 24 h of {EDGES} edges: p50 {:?}, p99 {:?}", took[100], took[198]);
}
