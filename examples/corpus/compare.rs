//! Runs two programs over projects and tells their findings apart.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// How many findings there were and what became of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub projects: usize,
    pub old: usize,
    pub new: usize,
    pub added: usize,
    pub removed: usize,
    /// Findings that say something else about the same line.
    pub reworded: usize,
    /// Projects of which one of the programs made no report.
    pub failed: usize,
}

impl Seen {
    pub fn differs(self) -> bool {
        self.added + self.removed + self.reworded + self.failed > 0
    }
}

/// What tells a finding from others when lines move.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    path: String,
    rule: String,
    text: String,
}

/// Where it stands and what it says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    line: u64,
    message: String,
}

type Findings = BTreeMap<Key, Vec<Said>>;

/// Compares the findings of two programs in each folder of `folder`, and writes what differs.
pub fn folder(old: &str, new: &str, folder: &Path, out: &mut dyn Write) -> Result<Seen, String> {
    let (old, new) = (program(old)?, program(new)?);
    let mut seen = Seen::default();
    let wrong = |error: std::io::Error| error.to_string();
    for project in projects(folder)? {
        seen.projects += 1;
        let name = project.file_name().unwrap_or_default().display();
        let (before, after) = match (findings(&old, &project), findings(&new, &project)) {
            (Ok(before), Ok(after)) => (before, after),
            (before, after) => {
                seen.failed += 1;
                for (which, result) in [("old", before), ("new", after)] {
                    if let Err(error) = result {
                        writeln!(out, "{name}\n  ! the {which} program made no report: {error}\n").map_err(wrong)?;
                    }
                }
                continue;
            }
        };
        let text = differences(&before, &after, &mut seen);
        if !text.is_empty() {
            writeln!(out, "{name}\n{text}").map_err(wrong)?;
        }
    }
    let Seen { projects, old, new, added, removed, reworded, failed } = seen;
    let counts = format!("{added} added, {removed} removed, {reworded} reworded");
    writeln!(out, "{projects} projects, {old} findings before, {new} after: {counts}, {failed} projects failed")
        .map_err(wrong)?;
    Ok(seen)
}

/// A program and its own arguments. A path is made absolute, since it is started in other folders.
fn program(text: &str) -> Result<(PathBuf, Vec<String>), String> {
    let mut words = text.split_whitespace().map(str::to_owned);
    let name = words.next().ok_or("a program is empty")?;
    let path = std::fs::canonicalize(&name).map_err(|error| format!("{name}: {error}"))?;
    Ok((path, words.collect()))
}

fn projects(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(wrong)?;
    let mut projects: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    projects.retain(|path| path.is_dir());
    projects.sort();
    Ok(projects)
}

/// What a program finds in a project.
fn findings((program, arguments): &(PathBuf, Vec<String>), project: &Path) -> Result<Findings, String> {
    let mut command = Command::new(program);
    command.args(["check", "--output-format", "json", "--quiet", "--exit-zero"]).args(arguments).current_dir(project);
    let Output { stdout, stderr, status } = command.output().map_err(|error| error.to_string())?;
    let report: Value = serde_json::from_slice(&stdout)
        .map_err(|_| format!("{status}: {}", String::from_utf8_lossy(&stderr).lines().next().unwrap_or_default()))?;
    let mut lines = Lines { project, files: BTreeMap::new() };
    let mut findings = Findings::new();
    for finding in report["findings"].as_array().ok_or("there is no list of findings")? {
        let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        let line = finding["start"]["line"].as_u64().unwrap_or_default();
        let key = Key { text: lines.get(&text("path"), line), path: text("path"), rule: text("rule") };
        findings.entry(key).or_default().push(Said { line, message: text("message") });
    }
    Ok(findings)
}

/// The lines of files, each file read once.
struct Lines<'a> {
    project: &'a Path,
    files: BTreeMap<String, Vec<String>>,
}

impl Lines<'_> {
    fn get(&mut self, path: &str, line: u64) -> String {
        let read = || {
            let bytes = std::fs::read(self.project.join(path)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).lines().map(|line| line.trim().chars().take(160).collect()).collect()
        };
        let lines = self.files.entry(path.to_owned()).or_insert_with(read);
        let index = usize::try_from(line).unwrap_or_default().wrapping_sub(1);
        lines.get(index).cloned().unwrap_or_default()
    }
}

/// What one has and the other has not, a line for each and the text of its line below.
fn differences(before: &Findings, after: &Findings, seen: &mut Seen) -> String {
    seen.old += before.values().map(Vec::len).sum::<usize>();
    seen.new += after.values().map(Vec::len).sum::<usize>();
    let mut keys: Vec<&Key> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let mut text = String::new();
    for key in keys {
        let of = |findings: &Findings| {
            let mut said = findings.get(key).cloned().unwrap_or_default();
            said.sort_by(|left, right| left.message.cmp(&right.message));
            said
        };
        let (mut gone, mut come) = (of(before), of(after));
        gone.retain(|one| {
            let same = come.iter().position(|other| other.message == one.message);
            same.is_none_or(|at| {
                come.remove(at);
                false
            })
        });
        let pairs = gone.len().min(come.len());
        seen.reworded += pairs;
        seen.removed += gone.len() - pairs;
        seen.added += come.len() - pairs;
        let mut line = |sign: char, said: &Said| {
            let place = format!("{}:{}", key.path, said.line);
            _ = writeln!(text, "  {sign} {} {place}: {}", key.rule, said.message);
        };
        for (index, one) in gone.iter().enumerate() {
            line('-', one);
            if let Some(other) = come.get(index) {
                line('+', other);
            }
        }
        come.iter().skip(pairs).for_each(|one| line('+', one));
        if gone.len() + come.len() > 0 && !key.text.is_empty() {
            _ = writeln!(text, "      {}", key.text);
        }
    }
    text
}
