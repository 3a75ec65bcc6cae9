//! The report of `dpo-lint versions` for people.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::place::{shown_path, shown_places};
use crate::engine::driver::Report;
use crate::engine::outlook::{Outlook, Today, Working};
use crate::knowledge::Knowledge;
use crate::model::{EnvironmentReport, PackageReport};
use crate::source::Sources;

/// What a table cell says of something that is not there.
const NONE: &str = "-";

/// Writes a table for all scripts that get the same releases for the same reasons. `folder` is what paths are relative to.
pub fn write_versions(
    out: &mut dyn Write,
    report: &Report,
    outlooks: &[Outlook],
    knowledge: &Knowledge,
    sources: &Sources,
    folder: &Path,
) -> io::Result<()> {
    let shown = shown_places(sources, folder);
    for environment in EnvironmentReport::of(&report.environments, knowledge, &shown) {
        for script in &environment.scripts {
            writeln!(out, "{}", shown_path(folder, script))?;
        }
        if let Some(python) = &environment.python {
            writeln!(out, "  python {python}")?;
        }
        let outlook = environment.scripts.first().and_then(|script| outlook_of(outlooks, script));
        table(out, &environment, outlook.and_then(|outlook| outlook.working.as_ref()))?;
        let contradiction = report.environments.iter().find(|(script, _)| environment.scripts.first() == Some(script));
        for fact in contradiction.into_iter().flat_map(|(_, environment)| &environment.contradiction) {
            writeln!(out, "  contradiction: {fact}")?;
        }
        if let Some(outlook) = outlook {
            writeln!(out, "  imports: {}", today(&outlook.today))?;
            writeln!(out, "  newest set that works: {}", working(outlook, &environment))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// What is known of a script beyond its environment.
pub(super) fn outlook_of<'a>(outlooks: &'a [Outlook], script: &PathBuf) -> Option<&'a Outlook> {
    outlooks.iter().find(|outlook| outlook.scripts.contains(script))
}

fn table(out: &mut dyn Write, environment: &EnvironmentReport, working: Option<&Working>) -> io::Result<()> {
    let mut rows = vec![["package", "gets", "works", "allowed", "why"].map(str::to_owned)];
    // Of a package that the tool knows nothing of there is nothing to say.
    let known: Vec<&PackageReport> = environment.packages.iter().filter(|package| package.known).collect();
    for package in &known {
        let works = working.and_then(|working| working.release(&package.package));
        let allowed = if package.allowed.is_empty() { NONE.to_owned() } else { package.allowed.join(", ") };
        rows.push([
            package.package.clone(),
            package.in_effect.clone().unwrap_or_else(|| NONE.to_owned()),
            works.unwrap_or_else(|| NONE.to_owned()),
            allowed,
            package.reason.clone(),
        ]);
    }
    write_rows(out, &rows)?;
    for package in known {
        for other in package.declared.iter().filter(|declared| !declared.decides) {
            writeln!(out, "  also declared: {} in {}", other.requirement, other.place)?;
        }
    }
    Ok(())
}

/// Columns as wide as their widest cell, the last one as it is.
pub(super) fn write_rows<const N: usize>(out: &mut dyn Write, rows: &[[String; N]]) -> io::Result<()> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in rows {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "  {}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn today(today: &Today) -> String {
    match today {
        Today::Imports => "yes".to_owned(),
        Today::Fails { asked, refusal } if refusal.is_in_training() => {
            format!("yes, but training with `{}` of `{}` fails at its first step: {refusal}", asked.name, asked.module)
        }
        Today::Fails { asked, refusal } if asked.name.is_empty() => format!("no, `{}`: {refusal}", asked.module),
        Today::Fails { asked, refusal } => format!("no, `{}` of `{}`: {refusal}", asked.name, asked.module),
        Today::Contradiction => "nothing can be installed".to_owned(),
        Today::Unknown => "cannot be told".to_owned(),
    }
}

fn working(outlook: &Outlook, environment: &EnvironmentReport) -> String {
    let Some(working) = &outlook.working else {
        return if outlook.today == Today::Unknown { "cannot be told" } else { "none is known" }.to_owned();
    };
    let is_todays = working.releases.iter().all(|(name, version)| {
        let mut same = environment.packages.iter().filter(|package| package.package == *name);
        same.any(|package| package.in_effect == Some(version.to_string()))
    });
    let set = || {
        let releases = working.releases.iter().map(|(name, version)| format!("{name}=={version}"));
        releases.collect::<Vec<_>>().join(" ")
    };
    let mut text = if is_todays { "what an install gets".to_owned() } else { set() };
    if !working.is_allowed {
        text += ", which the declarations do not allow";
    }
    if !working.accepts {
        text += "; it can be imported, but `dpo-lint check` finds mistakes that no release accepts";
    }
    text
}
