//! `--show-settings`: what holds for each project, in the form of the configuration.

use std::io::{self, Write};

use super::plan::Plan;
use crate::engine::catalogue::catalogue;
use crate::engine::settings::{FailOn, OutputFormat, SeverityOverride};
use crate::output::shown_path;

/// Writes the settings of every project as TOML; what is no setting is a comment.
pub(super) fn write_settings(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    for planned in &plan.projects {
        let settings = &planned.settings;
        let path = |path| quoted(&shown_path(&plan.folder, path));
        writeln!(out, "# project {}", planned.root().display())?;
        match &planned.config {
            Some(config) => writeln!(out, "# configuration {}", config.display())?,
            None => writeln!(out, "# no configuration")?,
        }
        let rules: Vec<String> =
            catalogue().iter().filter(|meta| settings.is_enabled(meta.name)).map(|meta| quoted(meta.name)).collect();
        writeln!(out, "select = [")?;
        rules.iter().try_for_each(|rule| writeln!(out, "    {rule},"))?;
        writeln!(out, "]")?;
        writeln!(out, "exclude = {}", list(&settings.excluded))?;
        writeln!(out, "target = {}", list(&settings.targets))?;
        for (key, value) in [("python", &settings.python), ("baseline", &settings.baseline)] {
            if let Some(value) = value {
                writeln!(out, "{key} = {}", path(value))?;
            }
        }
        writeln!(out, "fail-on = {}", quoted(name_of(FailOn::NAMES, &settings.fail_on)))?;
        writeln!(out, "output-format = {}", quoted(name_of(OutputFormat::NAMES, &settings.output_format)))?;
        write_table(out, "per-file-ignores", &settings.per_file_ignores, |(pattern, _, rules)| {
            (quoted(pattern), list(rules))
        })?;
        write_table(out, "severity", &settings.severity, |(rule, severity)| {
            (quoted(&rule.to_string()), quoted(name_of(SeverityOverride::NAMES, severity)))
        })?;
    }
    Ok(())
}

fn write_table<T>(
    out: &mut dyn Write,
    name: &str,
    entries: &[T],
    entry: impl Fn(&T) -> (String, String),
) -> io::Result<()> {
    if !entries.is_empty() {
        writeln!(out, "[{name}]")?;
    }
    entries.iter().map(entry).try_for_each(|(key, value)| writeln!(out, "{key} = {value}"))
}

fn list(items: &[impl ToString]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(&item.to_string())).collect();
    format!("[{}]", items.join(", "))
}

fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> &'static str {
    names.iter().find(|(_, other)| other == value).map_or("", |(name, _)| name)
}

/// As a string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
