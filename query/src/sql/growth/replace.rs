//! How much text `replace` and `regexp_replace` make: first as if everything matched; where that is
//! too much, the matches are counted.

use std::collections::HashMap;

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarFunctionArgs;
use regex::Regex;

use super::super::texts::Texts;

/// Bytes of `replace(text, from, to)`.
pub(super) fn most(args: &ScalarFunctionArgs, enough: usize) -> Result<usize> {
    let [text, from, to] = &args.args[..] else { return exec_err!("replace takes three arguments") };
    let (text, from, to) = (Texts::of(text)?, Texts::of(from)?, Texts::of(to)?);
    let row = |row: usize| Some((text.get(row)?, from.get(row)?, to.get(row)?));
    let if_all_match =
        |(text, from, to): (&str, &str, &str)| written(text, text.len() / from.len().max(1) + 1, to.len());
    let counted = |(text, from, to): (&str, &str, &str)| match from {
        "" => text.len(), // nothing is replaced
        from => written(text, text.matches(from).count(), to.len()),
    };
    let rough = total((0..args.number_rows).filter_map(row).map(if_all_match), enough);
    match rough > enough {
        true => Ok(total((0..args.number_rows).filter_map(row).map(counted), enough)),
        false => Ok(rough),
    }
}

/// Bytes of `regexp_replace(text, pattern, to[, flags])`. A pattern that is wrong makes nothing.
pub(super) fn most_of_pattern(args: &ScalarFunctionArgs, enough: usize) -> Result<usize> {
    let [text, pattern, to, flags @ ..] = &args.args[..] else {
        return exec_err!("regexp_replace takes three or four arguments");
    };
    let (text, pattern, to) = (Texts::of(text)?, Texts::of(pattern)?, Texts::of(to)?);
    let flags = flags.first().map(Texts::of).transpose()?;
    let flags = |row: usize| flags.as_ref().and_then(|flags| flags.get(row)).unwrap_or_default();
    let row = |row: usize| Some((text.get(row)?, pattern.get(row)?, to.get(row)?, flags(row)));
    let if_all_match = |(text, _, to, flags): (&str, &str, &str, &str)| {
        let matches = if flags.contains('g') { text.len() + 1 } else { 1 };
        // A group in the replacement stands for at most the whole text.
        written(text, matches, to.len().saturating_add(references(to).saturating_mul(text.len())))
    };
    let rough = total((0..args.number_rows).filter_map(row).map(if_all_match), enough);
    if rough <= enough {
        return Ok(rough);
    }
    let mut patterns = HashMap::new();
    let counted = (0..args.number_rows).filter_map(row).map(|(text, pattern, to, flags)| {
        let pattern = patterns.entry((pattern, flags)).or_insert_with(|| compiled(pattern, flags));
        let matches = pattern.iter().flat_map(|pattern| pattern.find_iter(text));
        let matches = matches.take(if flags.contains('g') { usize::MAX } else { 1 });
        let each = matches.map(|found| to.len().saturating_add(references(to).saturating_mul(found.len())));
        each.fold(text.len(), usize::saturating_add)
    });
    Ok(total(counted, enough))
}

fn compiled(pattern: &str, flags: &str) -> Option<Regex> {
    let flags: String = flags.chars().filter(|flag| *flag != 'g').collect();
    match flags.as_str() {
        "" => Regex::new(pattern),
        flags => Regex::new(&format!("(?{flags}){pattern}")),
    }
    .ok()
}

/// At most so many groups are named in a replacement.
fn references(to: &str) -> usize {
    to.bytes().filter(|byte| matches!(byte, b'$' | b'\\')).count()
}

fn written(text: &str, matches: usize, each: usize) -> usize {
    matches.saturating_mul(each).saturating_add(text.len())
}

/// The sum, or some of it that is over `enough`.
fn total(sizes: impl Iterator<Item = usize>, enough: usize) -> usize {
    let mut sum = 0usize;
    for size in sizes {
        sum = sum.saturating_add(size);
        if sum > enough {
            break;
        }
    }
    sum
}
