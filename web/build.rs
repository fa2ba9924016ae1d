//! Refuses to build a server without its user interface.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=ui/dist");
    if Path::new("ui/dist/index.html").is_file() {
        return ExitCode::SUCCESS;
    }
    println!(
        "cargo::error=web/ui/dist/index.html is missing: it is committed; restore it, or build it with `npm ci && npm run build` in web/ui"
    );
    ExitCode::FAILURE
}
