//! Small projects in memory, one line of answer each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Environments;
use crate::knowledge::{Knowledge, Package, Release};
use crate::lower::Request;
use crate::model::Choice;
use crate::source::{MemoryFileSystem, Sources};

mod anything;
mod governance;
mod sources;
mod specifiers;

/// A project in memory and how it is asked.
#[derive(Default)]
struct Project<'a> {
    files: &'a [(&'a str, &'a str)],
    /// Files that are on disk, but not in the request.
    unlisted: &'a [(&'a str, &'a str)],
    targets: &'a [&'a str],
    python: Option<&'a str>,
}

impl Project<'_> {
    /// Asks for the environment of a script; the second value is the problems, a line each.
    fn ask<T>(&self, script: &str, question: impl FnOnce(&crate::model::Environment, &Sources) -> T) -> (T, String) {
        let (disk, sources, knowledge) = (MemoryFileSystem::default(), Sources::default(), knowledge());
        for (path, text) in self.files.iter().chain(self.unlisted) {
            disk.insert(*path, *text);
        }
        let mut files: Vec<PathBuf> = self.files.iter().map(|(path, _)| PathBuf::from(path)).collect();
        files.sort();
        let targets: Vec<String> = self.targets.iter().map(ToString::to_string).collect();
        let request = Request {
            file_system: &disk,
            sources: &sources,
            knowledge: &knowledge,
            files: &files,
            targets: &targets,
            python: self.python.map(Path::new),
            choice: &Choice::default(),
            is_stopped: &|| false,
        };
        let environments = Environments::collect(&request);
        let problems = environments.problems_for(&[Path::new(script)]);
        let problems: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        (question(&environments.of(Path::new(script)), &sources), problems.join("\n"))
    }

    /// One line on one package, or "-" where nothing is known of it; problems follow after `!`.
    fn describe(&self, script: &str, package: &str) -> String {
        let (line, problems) = self.ask(script, |environment, sources| {
            environment.package(package).map_or("-".to_owned(), |facts| facts.describe(&in_file(sources)))
        });
        if problems.is_empty() { line } else { format!("{line} ! {problems}") }
    }
}

/// `requirements.txt:4`
fn in_file(sources: &Sources) -> impl Fn(crate::source::Span) -> String {
    |span| {
        let file = sources.get(span.file);
        format!("{}:{}", file.path().display(), file.position(span.start).line)
    }
}

/// What `train.py` gets of trl in a project of these files.
fn trl(files: &[(&str, &str)]) -> String {
    Project { files, ..Project::default() }.describe("train.py", "trl")
}

/// A small history with one of everything: a pre-release, a withdrawn release, a release for newer Pythons only.
fn knowledge() -> Knowledge {
    let package = |name: &str, versions: &[&str]| {
        let release = |version: &&str| {
            let mut words = version.split(' ');
            let version = words.next().expect("a version").to_owned();
            let rest: Vec<&str> = words.collect();
            let python = rest.iter().find(|word| word.starts_with('>')).map(ToString::to_string);
            Release { version, requires_python: python, yanked: rest.contains(&"yanked"), ..Release::default() }
        };
        Package::new(name.into(), versions.iter().map(release).collect(), BTreeMap::new(), BTreeMap::new())
    };
    Knowledge::new([
        package(
            "trl",
            &[
                "0.4.7",
                "0.7.1",
                "0.7.11",
                "0.9.2",
                "0.9.6",
                "0.10.1",
                "0.11.4",
                "0.12.0",
                "0.12.2",
                "0.13.0rc1",
                "0.13.0",
                "0.29.0",
                "0.30.0 yanked",
                "1.16.0 >=3.10",
                "1.17.0rc1",
            ],
        ),
        package("transformers", &["4.46.3", "5.0.0"]),
    ])
}
