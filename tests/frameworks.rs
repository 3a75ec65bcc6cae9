//! Small projects of each framework, under `fixtures/frameworks`: one text per mistake, with the files of a project that makes it, what is
//! found there, what fixes make of it, and a project that does it right; and for each framework one that has a reference model and an
//! adapter, where nothing may be found. `fixtures/frameworks/README.md` describes the texts.
//!
//! `UPDATE=1 cargo test --test frameworks` writes what is found and fixed again; read the difference before it is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name of the case in which nothing may be found.
const LEGAL: &str = "legal";

/// Words that a header begins with where it speaks of one of the projects, in the order in which they are written.
const KINDS: [&str; 6] = ["bad", "found", "also", "fixed", "unsafe-fixed", "good"];

/// The files of a project, by path.
type Files = BTreeMap<String, String>;

/// One text.
struct Case {
    /// Without its ending, below the folder of all texts.
    name: String,
    /// What stands above the first header.
    about: String,
    /// What follows a header, in the order of the text.
    sections: Vec<Section>,
}

struct Section {
    /// One of `KINDS`, or nothing where all projects have the file.
    kind: String,
    path: String,
    text: String,
}

impl Case {
    fn parse(name: String, text: &str) -> Self {
        let (mut about, mut sections) = (String::new(), Vec::<Section>::new());
        for line in text.lines() {
            if let Some(header) = line.strip_prefix("--- ") {
                let (kind, path) = header.split_once(' ').unwrap_or((header, ""));
                let is_kind = KINDS.contains(&kind);
                let (kind, path) = if is_kind { (kind, path) } else { ("", header) };
                sections.push(Section { kind: kind.into(), path: path.into(), text: String::new() });
                continue;
            }
            let text = sections.last_mut().map_or(&mut about, |section| &mut section.text);
            text.push_str(line);
            text.push('\n');
        }
        for section in &mut sections {
            // An empty line may stand between two sections.
            section.text.truncate(section.text.trim_end().len());
            section.text.push('\n');
        }
        Self { name, about, sections }
    }

    fn print(&self) -> String {
        let mut text = format!("{}\n", self.about.trim_end());
        for Section { kind, path, text: body } in &self.sections {
            let header = [kind.as_str(), path.as_str()].join(" ");
            let gap = if body.trim().is_empty() { "" } else { body.as_str() };
            let _ = write!(text, "\n--- {}\n{gap}", header.trim());
        }
        text
    }

    fn is_legal(&self) -> bool {
        self.rule() == LEGAL
    }

    /// The rule that the text is about: the name of its file up to the first point.
    fn rule(&self) -> &str {
        let file = self.name.rsplit('/').next().unwrap_or_default();
        file.split('.').next().unwrap_or_default()
    }

    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Section> {
        self.sections.iter().filter(move |section| section.kind == kind)
    }

    /// A project: what all have, and what stands under these headers, the later ones first.
    fn project(&self, kinds: &[&str]) -> Files {
        let sections = [&[""], kinds].concat().into_iter().flat_map(|kind| self.of(kind));
        sections.map(|section| (section.path.clone(), section.text.clone())).collect()
    }

    /// What stands under a header without a path.
    fn said(&self, kind: &str) -> String {
        self.of(kind).map(|section| section.text.as_str()).collect()
    }

    /// Puts something in the place of everything that stands under a header.
    fn set(&mut self, kind: &str, texts: &Files) {
        self.sections.retain(|section| section.kind != kind);
        let rank = |kind: &str| KINDS.iter().position(|one| *one == kind);
        let at = self.sections.iter().position(|section| rank(&section.kind) > rank(kind));
        let at = at.unwrap_or(self.sections.len());
        let section =
            |(path, text): (&String, &String)| Section { kind: kind.into(), path: path.clone(), text: text.clone() };
        self.sections.splice(at..at, texts.iter().map(section));
    }

    /// Rules that may speak of the bad project besides the one that the text is about; each with a reason.
    fn others(&self) -> BTreeSet<String> {
        let said = self.said("also");
        let named = said.lines().map(|line| {
            let (rule, why) = line.split_once(": ").unwrap_or((line, ""));
            assert!(!why.is_empty(), "{}: no reason why `{rule}` is found, too", self.name);
            rule.to_owned()
        });
        named.collect()
    }
}

#[test]
fn each_framework_is_judged_as_its_texts_say() {
    let mut cases = cases();
    assert!(cases.len() > 150, "the texts are not where they are looked for");
    let scratch = tempfile::tempdir().expect("a folder");
    let root = scratch.path();
    // One project beside the other, so that the program is started a few times only.
    for case in &cases {
        write(&root.join("good").join(&case.name), &case.project(&["good"]));
        if !case.is_legal() {
            write(&root.join("bad").join(&case.name), &case.project(&["bad"]));
        }
    }
    let (found, fixable) = check(root, &["bad", "good"]);
    let is_fixable = |case: &Case| fixable.contains(&format!("bad/{}", case.name));
    let fixed = |kind: &str, case: &Case| read(&root.join(kind).join(&case.name));
    for case in cases.iter().filter(|case| is_fixable(case)) {
        write(&root.join("safe").join(&case.name), &case.project(&["bad"]));
    }
    run(root, &["check", "--quiet", "--fix"], &["safe"]);
    for case in cases.iter().filter(|case| is_fixable(case)) {
        write(&root.join("unsafe").join(&case.name), &fixed("safe", case));
    }
    let all = ["check", "--quiet", "--fix", "--unsafe-fixes"];
    run(root, &all, &["unsafe"]);
    let again: Vec<String> = fix_again(root, &cases.iter().filter(|case| is_fixable(case)).collect::<Vec<_>>());

    let mut wrong: Vec<String> = again.iter().map(|name| format!("{name}: fixing again changes something")).collect();
    for case in &mut cases {
        if let Some(lines) = found.get(&format!("good/{}", case.name)) {
            wrong.push(format!("{}: found where nothing is wrong\n{}", case.name, lines.join("\n")));
        }
        if case.is_legal() {
            continue;
        }
        let lines = found.get(&format!("bad/{}", case.name)).cloned().unwrap_or_default();
        wrong.extend(strangers(case, &lines));
        let before = case.project(&["bad"]);
        let after = |kind: &str| if is_fixable(case) { fixed(kind, case) } else { before.clone() };
        let (safe, all) = (after("safe"), after("unsafe"));
        let found = BTreeMap::from([(String::new(), lines.join("\n") + "\n")]);
        for (kind, actual) in
            [("found", found), ("fixed", changed(&before, &safe)), ("unsafe-fixed", changed(&safe, &all))]
        {
            let expected: Files = case.of(kind).map(|one| (one.path.clone(), one.text.clone())).collect();
            if expected != actual {
                let shown: String =
                    actual.iter().flat_map(|(path, text)| ["--- ", kind, " ", path, "\n", text]).collect();
                wrong.push(format!("{}: `{kind}` should be\n{shown}", case.name));
                case.set(kind, &actual);
            }
        }
    }
    if std::env::var_os("UPDATE").is_some() {
        for case in &cases {
            std::fs::write(file(case), case.print()).expect("writable");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Fixes once more what was fixed, and tells which projects change. Where unsafe fixes had nothing to do, that they were tried has shown
/// it for the safe ones, which are among them.
fn fix_again(root: &Path, cases: &[&Case]) -> Vec<String> {
    let fixed = |kind: &str, case: &Case| read(&root.join(kind).join(&case.name));
    let mut again = Vec::new();
    for case in cases.iter().filter(|case| fixed("safe", case) != fixed("unsafe", case)) {
        again.push((*case, "unsafe"));
        if fixed("safe", case) != case.project(&["bad"]) {
            again.push((*case, "safe"));
        }
    }
    for (case, kind) in &again {
        write(&root.join("again").join(kind).join(&case.name), &fixed(kind, case));
    }
    run(root, &["check", "--quiet", "--fix"], &["again/safe"]);
    run(root, &["check", "--quiet", "--fix", "--unsafe-fixes"], &["again/unsafe"]);
    let differs = |(case, kind): &&(&Case, &str)| fixed(kind, case) != fixed(&format!("again/{kind}"), case);
    again.iter().filter(differs).map(|(case, _)| case.name.clone()).collect()
}

#[test]
fn texts_are_in_order() {
    let rules: BTreeSet<&str> = dpo_lint::rules::all().iter().map(|rule| rule.meta().name).collect();
    let mut frameworks: BTreeMap<String, bool> = BTreeMap::new();
    for case in cases() {
        let (framework, _) = case.name.split_once('/').expect("a folder of a framework");
        *frameworks.entry(framework.to_owned()).or_default() |= case.is_legal();
        assert!(case.is_legal() || rules.contains(case.rule()), "{}: no rule has that name", case.name);
        assert!(!case.about.trim().is_empty(), "{}: it should begin with what it is about", case.name);
        let has = |kind: &str| case.of(kind).next().is_some();
        if case.is_legal() {
            assert!(!KINDS.into_iter().any(has), "{}: it has one project only", case.name);
        } else {
            assert!(has("bad") && has("good") && has("found"), "{}: it needs `bad`, `found` and `good`", case.name);
        }
        let text = std::fs::read_to_string(file(&case)).expect("a text");
        assert!(text == case.print(), "{}: `UPDATE=1` brings it into the form of the others", case.name);
    }
    let without: Vec<_> = frameworks.iter().filter(|(_, is_legal)| !**is_legal).collect();
    assert!(without.is_empty(), "frameworks without a legal configuration: {without:?}");
}

/// What is wrong with the findings in a bad project: one of its own rule is missing, or one of another rule is no remark only.
fn strangers(case: &Case, lines: &[String]) -> Vec<String> {
    let others = case.others();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in lines {
        let (place, rest) = line.split_once(' ').expect("a place");
        let (severity, rest) = rest.split_once(' ').expect("a severity");
        let (rule, _) = rest.split_once(": ").expect("a rule");
        seen.insert(rule.to_owned());
        if rule != case.rule() && !others.contains(rule) && severity != "info" {
            wrong.push(format!("{}: `{rule}` is found, too ({place})\n{line}", case.name));
        }
    }
    let missing = std::iter::once(case.rule()).chain(others.iter().map(String::as_str));
    wrong.extend(missing.filter(|rule| !seen.contains(*rule)).map(|rule| format!("{}: no `{rule}`", case.name)));
    wrong
}

/// The files that differ.
fn changed(before: &Files, after: &Files) -> Files {
    assert!(before.keys().eq(after.keys()), "a fix adds and removes no file");
    after
        .iter()
        .filter(|(path, text)| before[*path] != **text)
        .map(|(path, text)| (path.clone(), text.clone()))
        .collect()
}

/// What is found in each project, a line each (place, severity, rule, message), and the projects for which there are fixes.
fn check(folder: &Path, kinds: &[&str]) -> (BTreeMap<String, Vec<String>>, BTreeSet<String>) {
    let (mut found, mut fixable) = (BTreeMap::<String, Vec<String>>::new(), BTreeSet::new());
    let findings = run(folder, &["check", "--output-format", "json"], kinds).into_iter().flat_map(|report| {
        let mut report: serde_json::Value = serde_json::from_str(&report).expect("a report");
        assert_eq!(report["problems"].as_array().map(Vec::len), Some(0), "{}", report["problems"]);
        report["findings"].as_array_mut().map(std::mem::take).expect("findings")
    });
    for one in findings {
        let word = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let path = word("path");
        // The kind of project, the framework, the name of the case.
        let (at, _) = path.match_indices('/').nth(2).expect("a file of a project");
        let (line, column) = (&one["start"]["line"], &one["start"]["column"]);
        let place = format!("{}:{line}:{column}", &path[at + 1..]);
        let text = format!("{place} {} {}: {}", word("severity"), word("rule"), word("message"));
        // Some headlines name a file of the project.
        let text = text.replace(&path[..=at], "");
        found.entry(path[..at].to_owned()).or_default().push(text);
        if one["fixes"].as_array().is_some_and(|fixes| !fixes.is_empty()) {
            fixable.insert(path[..at].to_owned());
        }
    }
    (found, fixable)
}

/// Runs the program on all projects below some folders, each of them named, so that it is one of its own; some at the same time.
fn run(folder: &Path, arguments: &[&str], kinds: &[&str]) -> Vec<String> {
    let projects: Vec<PathBuf> = kinds.iter().flat_map(|kind| projects(&folder.join(kind))).collect();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let parts = projects.chunks(projects.len().div_ceil(threads).max(1));
    std::thread::scope(|scope| {
        let started: Vec<_> = parts.map(|part| scope.spawn(move || run_on(folder, arguments, part))).collect();
        started.into_iter().map(|one| one.join().expect("no panic")).collect()
    })
}

fn run_on(folder: &Path, arguments: &[&str], projects: &[PathBuf]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_dpo-lint"))
        // What the user of this machine has learnt does not count.
        .env("DPO_LINT_CACHE", env!("CARGO_TARGET_TMPDIR"))
        .args(arguments)
        .args(projects.iter().map(|project| project.strip_prefix(folder).expect("below")))
        .current_dir(folder)
        .output()
        .expect("the binary runs");
    assert_ne!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/frameworks")
}

fn file(case: &Case) -> PathBuf {
    root().join(format!("{}.txt", case.name))
}

/// All texts, sorted by name.
fn cases() -> Vec<Case> {
    let root = root();
    let paths = files(&root).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "txt"));
    let case = |path: PathBuf| {
        let name = path.strip_prefix(&root).expect("below").with_extension("");
        let name = name.to_str().expect("UTF-8").replace('\\', "/");
        Case::parse(name, &std::fs::read_to_string(&path).expect("a text"))
    };
    paths.map(case).collect()
}

/// A project on the disk: the file `.git` ends what a check takes to be one project.
fn write(folder: &Path, files: &Files) {
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        std::fs::write(path, text).expect("writable");
    }
    std::fs::create_dir_all(folder.join(".git")).expect("writable");
}

fn read(folder: &Path) -> Files {
    let text = |path: &PathBuf| std::fs::read_to_string(path).expect("UTF-8");
    let name = |path: &PathBuf| path.strip_prefix(folder).expect("below").to_str().expect("UTF-8").to_owned();
    files(folder).iter().map(|path| (name(path), text(path))).collect()
}

/// The projects in a folder: in it are those of the frameworks, and in these the cases.
fn projects(folder: &Path) -> Vec<PathBuf> {
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.collect()
    };
    below(folder).iter().flat_map(|framework| below(framework)).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}
