//! Every row is readable, or the figures are void.

use std::time::Duration;

use crate::Failure;
use crate::adapters::Totals;
use crate::manifest::{Content, Manifest, Rows};
use crate::system::System;

/// Products that commit in intervals get this long to show what they acknowledged.
const WAITS: usize = 24;
const WAIT: Duration = Duration::from_secs(5);

/// Says what was verified. The error says what is missing; then the round is void. `before` is what was counted
/// before the load, since a running system may hold other data.
pub(super) async fn verify(
    system: &System,
    manifest: &Manifest,
    before: Option<Totals>,
    most: usize,
) -> Result<String, Failure> {
    let counted = match before {
        Some(before) => count(system, manifest, &before).await?,
        None => "nothing counted: its API has no totals".to_owned(),
    };
    let sample = &manifest.sample[..most.min(manifest.sample.len())];
    for asked in sample {
        let answer = system.ask(&asked.question, manifest.window()).await?;
        let Some(answer) = answer else { return Ok(format!("{counted}; no single row could be asked for")) };
        asked.judge(answer.found, false).map_err(|reason| Failure(format!("{:?}: {reason}", asked.question)))?;
    }
    Ok(format!("{counted}, {} drawn at random are whole", sample.len()))
}

async fn count(system: &System, manifest: &Manifest, before: &Totals) -> Result<String, Failure> {
    let mut problem = String::new();
    for _ in 0..WAITS {
        let after = system.totals(manifest.signal, manifest.window()).await?.unwrap_or_default();
        match compare(&manifest.content, before, &after) {
            Ok(counted) => return Ok(counted),
            // More will not become less.
            Err((reason, false)) => return Err(Failure(reason)),
            Err((reason, true)) => problem = reason,
        }
        tokio::time::sleep(WAIT).await;
    }
    Err(Failure(problem))
}

/// The error says whether waiting may help.
fn compare(content: &Content, before: &Totals, after: &Totals) -> Result<String, (String, bool)> {
    let grown = after.rows as i128 - i128::from(before.rows);
    let sent = i128::from(content.rows);
    if grown != sent {
        return Err((format!("{sent} rows were acknowledged, {grown} are counted"), grown < sent));
    }
    let Some(services) = &after.services else { return Ok(format!("{sent} rows counted")) };
    let known = before.services.as_ref();
    for (name, sent) in &content.services {
        let then = known.and_then(|services| services.get(name)).copied().unwrap_or_default();
        let now = services.get(name).copied().unwrap_or_default();
        let grown = Rows { rows: now.rows.saturating_sub(then.rows), errors: now.errors.saturating_sub(then.errors) };
        if grown != *sent {
            return Err((format!("{name}: {sent:?} were acknowledged, {grown:?} are counted"), false));
        }
    }
    Ok(format!("{sent} rows counted, {} services with their errors", content.services.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(rows: u64, errors: u64) -> Totals {
        Totals { rows, services: Some([("a".to_owned(), Rows { rows, errors })].into()) }
    }

    #[test]
    fn what_was_there_before_is_not_counted() {
        let content = Content { rows: 5, errors: 1, services: totals(5, 1).services.unwrap_or_default(), traces: 1 };
        assert!(compare(&content, &totals(10, 3), &totals(15, 4)).is_ok());
        assert!(compare(&content, &Totals::default(), &totals(5, 1)).is_ok());
        let less = compare(&content, &totals(10, 3), &totals(14, 4));
        assert_eq!(less, Err(("5 rows were acknowledged, 4 are counted".to_owned(), true)));
        assert_eq!(compare(&content, &totals(10, 3), &totals(16, 4)).map_err(|error| error.1), Err(false));
        assert_eq!(compare(&content, &totals(10, 3), &totals(15, 3)).map_err(|error| error.1), Err(false));
    }
}
