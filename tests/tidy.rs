//! House rules that a compiler does not know: the first line of files, their length, who may use whom.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folder, and the crates of ours that it may use (ARCHITECTURE.md, "The line"). The compiler refuses
/// what is not declared, so what is declared is all there is to check.
const MAY_USE: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("storage", &[]),
    ("collector", &["proto", "storage"]),
    ("query", &["storage"]),
    // `storage` here is for value types (ids, typed attributes); see the second table for what it must not reach.
    ("web", &["query", "proto", "storage"]),
    (".", &["collector", "proto", "query", "storage", "web"]),
    // It sees of Clew what any user does: OTLP and the HTTP API.
    ("bench", &["proto"]),
];

/// Crates of others, and the only folders of ours that may name them.
const OWNED_BY: &[(&str, &[&str])] = &[
    ("opentelemetry-proto", &["proto", "collector"]),
    ("prost", &["proto", "collector", "."]),
    ("parquet", &["storage"]),
    ("tantivy", &["storage"]),
    ("object_store", &["storage"]),
    ("sqlx", &["storage"]),
    ("datafusion", &["query"]),
    ("rust-embed", &["web"]),
];

/// Longest file, lines. A file that grows past it has a second idea in it.
const LONGEST: usize = 600;

#[test]
fn every_file_opens_with_what_it_is() {
    let files = rust_files();
    assert!(files.len() > 50, "only {} files were found", files.len());
    let silent: Vec<_> = files.iter().filter(|file| !read(file).starts_with("//! ")).collect();
    assert!(silent.is_empty(), "these do not open with a line of `//! `: {silent:#?}");
}

#[test]
fn no_file_is_longer_than_one_idea() {
    let long: Vec<_> = rust_files()
        .into_iter()
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > LONGEST)
        .collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines: {long:#?}");
}

#[test]
fn crates_use_only_whom_they_may_know() {
    let ours: BTreeSet<&str> = MAY_USE.iter().map(|(folder, _)| *folder).collect();
    for (folder, may_use) in MAY_USE {
        for name in dependencies(folder).iter().filter(|name| ours.contains(name.as_str())) {
            assert!(may_use.contains(&name.as_str()), "{folder} may not use {name}");
        }
    }
}

#[test]
fn each_engine_has_one_owner() {
    for (name, owners) in OWNED_BY {
        for (folder, _) in MAY_USE {
            let used = dependencies(folder).contains(*name);
            assert!(!used || owners.contains(folder), "{folder} may not use {name}: only {owners:?} may");
        }
    }
}

#[test]
fn versions_are_stated_once() {
    for (folder, _) in MAY_USE {
        for (name, value) in dependency_lines(folder) {
            assert!(value.contains("workspace = true"), "{folder}: {name} = {value} must come from the workspace");
        }
    }
}

#[test]
fn every_crate_keeps_the_workspace_lints() {
    for (folder, _) in MAY_USE {
        let manifest = manifest(folder);
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(lints, Some(true), "{folder}/Cargo.toml");
    }
}

/// `cargo deny` is not everybody's: what its configuration bans is looked up in the lock file as well.
#[test]
fn the_lock_file_has_no_banned_crate() {
    let deny: toml::Table = read_toml(&root().join("deny.toml"));
    let lock: toml::Table = read_toml(&root().join("Cargo.lock"));
    let locked = |name: &str| {
        let packages = lock["package"].as_array().map(Vec::as_slice).unwrap_or_default();
        packages.iter().filter(|package| package["name"].as_str() == Some(name)).count()
    };
    let bans = deny["bans"]["deny"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(!bans.is_empty());
    for ban in bans {
        let name = ban["crate"].as_str().unwrap_or_default();
        let single = ban.get("deny-multiple-versions").is_some();
        // A ban of old versions needs to compare versions: that is left to cargo-deny.
        if !name.contains(':') {
            assert!(locked(name) <= usize::from(single), "{name} is in Cargo.lock {} times", locked(name));
        }
    }
}

/// Names of dependencies of a folder's crate, without those only its tests need.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = manifest(folder);
    let table = manifest.get("dependencies").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    assert!(!table.is_empty(), "{folder} has no dependencies?");
    table.into_iter().map(|(name, _)| name).collect()
}

/// All dependencies of a folder's crate with their value as text.
fn dependency_lines(folder: &str) -> Vec<(String, String)> {
    let manifest = manifest(folder);
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .iter()
        .filter_map(|section| manifest.get(*section).and_then(toml::Value::as_table))
        .flat_map(|table| table.iter().map(|(name, value)| (name.clone(), value.to_string())))
        .collect()
}

fn manifest(folder: &str) -> toml::Table {
    read_toml(&root().join(folder).join("Cargo.toml"))
}

fn read_toml(path: &Path) -> toml::Table {
    read(path).parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file of the repository.
fn rust_files() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
                walk(&path, found);
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["src", "proto", "collector", "storage", "query", "web", "bench", "tests"] {
        walk(&root().join(folder), &mut found);
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
