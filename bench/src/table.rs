//! Measures of rounds, their medians, and the tables that people read.

use serde::Serialize;

/// One figure of one round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Measure {
    /// With its unit.
    pub(crate) name: String,
    /// `None` where it was tried and failed; the note says why.
    pub(crate) value: Option<f64>,
    pub(crate) note: Option<String>,
}

/// What one load of one system gave.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Round {
    pub(crate) measures: Vec<Measure>,
    /// Why its figures do not count.
    pub(crate) void: Option<String>,
    /// What was verified, and how.
    pub(crate) verified: String,
}

impl Round {
    pub(crate) fn put(&mut self, name: &str, value: f64) {
        self.measures.push(Measure { name: name.to_owned(), value: Some(value), note: None });
    }

    /// What was tried and did not work.
    pub(crate) fn fail(&mut self, name: &str, why: String) {
        self.measures.push(Measure { name: name.to_owned(), value: None, note: Some(why) });
    }

    /// Nothing where the system does not tell.
    pub(crate) fn put_known(&mut self, name: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn find(&self, name: &str) -> Option<&Measure> {
        self.measures.iter().find(|measure| measure.name == name)
    }
}

/// A system and all its rounds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) rounds: Vec<Round>,
}

impl Column {
    /// Of the rounds that count.
    fn median(&self, name: &str) -> Option<f64> {
        let valid = self.rounds.iter().filter(|round| round.void.is_none());
        let mut values: Vec<f64> = valid.filter_map(|round| round.find(name)?.value).collect();
        values.sort_by(f64::total_cmp);
        let upper = values.get(values.len() / 2)?;
        Some(if values.len().is_multiple_of(2) { f64::midpoint(values[values.len() / 2 - 1], *upper) } else { *upper })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for round in &self.rounds {
            for measure in &round.measures {
                let note = measure.note.as_ref().map(|note| format!("{}, {}: {note}", self.name, measure.name));
                notes.extend(note.filter(|note| !notes.contains(note)));
            }
        }
        notes
    }
}

/// Medians, then the same divided by the first system's, then what must be known of them. Markdown.
pub(crate) fn render(columns: &[Column]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for measure in columns.iter().flat_map(|column| &column.rounds).flat_map(|round| &round.measures) {
        if !names.contains(&measure.name.as_str()) {
            names.push(&measure.name);
        }
    }
    let mut text = table("", columns, &names, |column, name| shown(column.median(name)));
    if let Some((first, others)) = columns.split_first().filter(|(_, others)| !others.is_empty()) {
        let title = format!("÷ {}", first.name);
        text.push('\n');
        text += &table(&title, others, &names, |column, name| {
            shown(column.median(name).zip(first.median(name)).map(|(value, base)| value / base))
        });
    }
    text.push('\n');
    for column in columns {
        for (at, round) in column.rounds.iter().enumerate() {
            let state = round.void.as_ref().map_or(round.verified.clone(), |reason| format!("VOID: {reason}"));
            text += &format!("* {}, round {}: {state}\n", column.name, at + 1);
        }
    }
    for note in columns.iter().flat_map(Column::notes) {
        text += &format!("* {note}\n");
    }
    text
}

fn table(title: &str, columns: &[Column], names: &[&str], cell: impl Fn(&Column, &str) -> String) -> String {
    let heads: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let mut text = format!("| {title} | {} |\n|---|{}\n", heads.join(" | "), "---:|".repeat(heads.len()));
    for name in names {
        let cells: Vec<String> = columns.iter().map(|column| cell(column, name)).collect();
        text += &format!("| {name} | {} |\n", cells.join(" | "));
    }
    text
}

/// Three digits that count; thousands apart.
fn shown(value: Option<f64>) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else { return "–".to_owned() };
    match value.abs() {
        1000.0.. => {
            let digits = format!("{value:.0}");
            let mut text = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at).is_multiple_of(3) && !text.ends_with('-') {
                    text.push(',');
                }
                text.push(digit);
            }
            text
        }
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(value: f64) -> Round {
        let mut round = Round { verified: "all".to_owned(), ..Round::default() };
        round.put("ms", value);
        round
    }

    fn column(name: &str, values: &[f64]) -> Column {
        Column { name: name.to_owned(), rounds: values.iter().map(|&value| round(value)).collect() }
    }

    #[test]
    fn medians_are_of_rounds_that_count() {
        let mut odd = column("a", &[3.0, 1.0, 2.0]);
        assert_eq!(odd.median("ms"), Some(2.0));
        odd.rounds[0].void = Some("lost".to_owned());
        assert_eq!(odd.median("ms"), Some(1.5));
        assert_eq!(odd.median("other"), None);
    }

    #[test]
    fn ratios_are_against_the_first_system() {
        let mut second = column("b", &[3.0]);
        second.rounds[0].put("only b", 7.0);
        let text = render(&[column("a", &[1.5]), second]);
        assert!(text.contains("| ms | 1.50 | 3.00 |"), "{text}");
        assert!(text.contains("| ÷ a | b |\n|---|---:|\n| ms | 2.00 |\n| only b | – |"), "{text}");
    }

    #[test]
    fn a_void_round_says_why_and_has_no_figures() {
        let mut void = column("a", &[1.0]);
        void.rounds[0].void = Some("3 spans are missing".to_owned());
        let text = render(&[void]);
        assert!(text.contains("| ms | – |") && text.contains("a, round 1: VOID: 3 spans are missing"), "{text}");
    }

    #[test]
    fn figures_are_short() {
        let of = |value| shown(Some(value));
        assert_eq!(
            [of(1_234_567.8), of(999.6), of(45.67), of(0.123), of(1000.0)].join(" "),
            "1,234,568 1000 45.7 0.12 1,000"
        );
        assert_eq!(shown(Some(f64::NAN)), "–");
    }
}
