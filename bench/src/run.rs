//! `clew-bench run`: loads, verifies and asks systems that already run, in turns, and prints one table.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::Failure;
use crate::process;
use crate::round::{self, Data, Settings};
use crate::system::{Description, System};
use crate::table::{self, Column};

#[derive(Args)]
pub struct Options {
    /// TOML: data sets (one a round), settings and systems; see docs/performance.md
    #[arg(long)]
    config: PathBuf,
    /// Writes all figures of all rounds there, as JSON
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Config {
    /// Directories that `generate` wrote, of another seed each: a round loads the next one into every system.
    data: Vec<PathBuf>,
    #[serde(default)]
    settings: Settings,
    #[serde(rename = "system")]
    systems: Vec<Description>,
}

pub async fn run(options: &Options) -> Result<(), Failure> {
    let config = read(&options.config)?;
    let beside = other_work();
    let data = config.data.into_iter().map(Data::open).collect::<Result<Vec<_>, _>>()?;
    let systems = config.systems.into_iter().map(System::new).collect::<Result<Vec<_>, _>>()?;
    let column = |system: &System| Column { name: system.description.name.clone(), rounds: Vec::new() };
    let mut columns: Vec<Column> = systems.iter().map(column).collect();
    for data in &data {
        eprintln!("{}: {}", data.dir.display(), data.manifest.describe());
        for (system, column) in systems.iter().zip(&mut columns) {
            column.rounds.push(round::round(system, data, &config.settings).await);
        }
    }
    let about = data.iter().map(|data| data.manifest.describe()).chain([beside]);
    let about: Vec<String> = about.collect();
    report(&columns, &about, options.out.as_deref())
}

fn read(path: &Path) -> Result<Config, Failure> {
    let text = std::fs::read_to_string(path).map_err(Failure::at(path))?;
    let config: Config = toml::from_str(&text).map_err(Failure::at(path))?;
    if config.data.is_empty() || config.systems.is_empty() {
        return Err(Failure::at(path)("it needs at least one data set and one system"));
    }
    Ok(config)
}

/// How much else the machine does: times of a busy one differ by a factor of three from run to run.
pub(crate) fn other_work() -> String {
    match process::load_average() {
        Some(load) => format!("load average of the machine before: {load:.1}"),
        None => "load average of the machine before: unknown".to_owned(),
    }
}

/// The table, and the file of all figures. A void round is a failure, for scripts.
pub(crate) fn report(columns: &[Column], about: &[String], out: Option<&Path>) -> Result<(), Failure> {
    println!("{}\n\n{}", about.join("\n"), table::render(columns));
    if let Some(path) = out {
        let all = serde_json::json!({ "about": about, "systems": columns });
        std::fs::write(path, format!("{all:#}")).map_err(Failure::at(path))?;
    }
    match columns.iter().flat_map(|column| &column.rounds).filter(|round| round.void.is_some()).count() {
        0 => Ok(()),
        void => Err(Failure(format!("{void} rounds are void"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_names_data_and_systems() {
        let text = "data = [\"a\", \"b\"]\n[settings]\nsenders = 4\n[[system]]\nname = \"x\"\nkind = \"victoriatraces\"\n\
                    ingest = \"http://127.0.0.1:1/insert/opentelemetry\"\nquery = \"http://127.0.0.1:1\"\npids = [7]\n\
                    headers = { X-Scope-OrgID = \"bench\" }\n";
        let config: Config = toml::from_str(text).expect("a configuration");
        assert_eq!((config.data.len(), config.settings.senders, config.settings.repeats), (2, 4, 100));
        assert_eq!(config.systems[0].pids, [7]);
        assert!(toml::from_str::<Config>(&text.replace("pids", "pid")).is_err());
        assert!(toml::from_str::<Config>(&text.replace("victoriatraces", "other")).is_err());
    }
}
