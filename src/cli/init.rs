//! `dpo-lint init`: a first configuration.

use std::io::Write;

use super::terminal::Terminal;
use super::{Exit, Failure};

/// Every key is said in the README; these are the ones that most projects set.
const TEMPLATE: &str = "\
# Configuration of dpo-lint. Without this file the same holds.

# Rules to run: names, codes, beginnings of codes. `dpo-lint rules` lists them.
# select = [\"ALL\"]
# ignore = []

# The mildest severity that makes the exit code 1: error, warning, info, never.
fail-on = \"error\"

# Files and folders to leave out, besides those that git ignores.
# extend-exclude = [\"old/\"]

# Judge by these releases, whatever the project declares.
# target = [\"trl==0.12.2\"]

# Findings that are known and not reported again; `dpo-lint --write-baseline` writes the file.
# baseline = \"dpo-lint-baseline.json\"

# [per-file-ignores]
# \"examples/**\" = [\"ALL\"]

# [severity]
# ref-model-with-peft-config = \"warning\"
";

/// Writes the file, unless there is a configuration already.
pub(super) fn run(terminal: &mut Terminal) -> Result<Exit, Failure> {
    let project = std::fs::read_to_string("pyproject.toml").unwrap_or_default();
    if project.lines().any(|line| line.trim_start().starts_with("[tool.dpo-lint")) {
        return Err(Failure::Message("pyproject.toml has a table `tool.dpo-lint` already".to_owned()));
    }
    let name = "dpo-lint.toml";
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::Message(format!("{name} exists already; nothing was written")),
        _ => Failure::Message(format!("cannot write {name}: {error}")),
    };
    let mut file = std::fs::File::create_new(name).map_err(failed)?;
    file.write_all(TEMPLATE.as_bytes()).map_err(failed)?;
    terminal.out(|out| writeln!(out, "wrote {name}"))?;
    Ok(Exit::Clean)
}
