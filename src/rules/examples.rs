//! Every rule's page is executed: its examples must be found, stay silent and be fixed as the page says.
//!
//! A fence's info string says in which file it stands (`python`: a script, `json`: the settings of an adapter, `yaml`: a
//! configuration, `sh`: a launch script, `requirements`, `pyproject`: declarations beside a script that imports a trainer) and what
//! it is: `text,requirements`, `text,pyproject`, `text,script`, `json,list` (the data sets of LLaMA-Factory),
//! `json,deepspeed` and what is `beside`, such as a launch script, hold for the examples after it; `python,bad` must be found by
//! the rule, `python,good` must not; `python,fixed` is what the safe fix makes of the last bad example, `python,unsafe-fixed`
//! what the unsafe one does.

use std::collections::BTreeMap;

use super::testing::lint_by;
use super::{Rule, all};
use crate::diagnostic::Applicability;
use crate::syntax::edit;

/// A fenced example.
struct Example<'a> {
    path: &'static str,
    kind: &'a str,
    text: String,
}

fn examples(page: &str) -> Vec<Example<'_>> {
    let mut examples = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```").filter(|info| !info.is_empty()) else { continue };
        let body = lines.by_ref().take_while(|line| line.trim() != "```");
        let text = body.fold(String::new(), |text, line| text + line.strip_prefix(' ').unwrap_or(line) + "\n");
        let (language, kind) = info.split_once(',').unwrap_or(("", info));
        let path = match language {
            "json" => "adapter_config.json",
            "requirements" => "requirements.txt",
            "pyproject" => "pyproject.toml",
            "yaml" => "config.yaml",
            "sh" => "run.sh",
            _ => "train.py",
        };
        examples.push(Example { path, kind, text });
    }
    examples
}

#[test]
fn every_example_does_what_its_page_says() {
    for rule in all() {
        let meta = rule.meta();
        let (mut beside, mut bad) = (BTreeMap::new(), String::new());
        let mut seen = Vec::new();
        for example in examples(meta.page) {
            match example.kind {
                "requirements" | "pyproject" | "script" | "list" | "deepspeed" => {
                    _ = beside.insert(example.kind.to_owned(), example.text.clone());
                }
                "beside" => _ = beside.insert(example.path.to_owned(), example.text.clone()),
                "bad" => {
                    assert!(reports(*rule, &beside, &example), "{}: not found in\n{}", meta.name, example.text);
                    bad.clone_from(&example.text);
                }
                "good" => {
                    assert!(!reports(*rule, &beside, &example), "{}: found in\n{}", meta.name, example.text);
                }
                "fixed" => {
                    assert_eq!(
                        fixed(*rule, &beside, (example.path, &bad), Applicability::Safe),
                        example.text,
                        "{}",
                        meta.name
                    );
                }
                "unsafe-fixed" => {
                    assert_eq!(
                        fixed(*rule, &beside, (example.path, &bad), Applicability::Unsafe),
                        example.text,
                        "{}",
                        meta.name
                    );
                }
                other => panic!("{}: an example of the unknown kind `{other}`", meta.name),
            }
            seen.push(example.kind);
        }
        assert!(seen.contains(&"bad") && seen.contains(&"good"), "{} needs a bad and a good example", meta.name);
    }
}

#[test]
fn every_page_has_the_same_sections() {
    let wanted = ["What it does", "Why it matters", "Example", "Fix safety", "Versions", "References"];
    for rule in all() {
        let titles: Vec<&str> = rule.meta().page.lines().filter_map(|line| line.trim().strip_prefix("## ")).collect();
        assert_eq!(titles, wanted, "{}", rule.meta().name);
    }
}

#[test]
fn names_and_codes_are_unique_and_sorted() {
    let codes: Vec<&str> = all().iter().map(|rule| rule.meta().code).collect();
    assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
    let names: std::collections::BTreeSet<&str> = all().iter().map(|rule| rule.meta().name).collect();
    assert_eq!(names.len(), codes.len());
}

fn reports(rule: &dyn Rule, beside: &BTreeMap<String, String>, example: &Example<'_>) -> bool {
    let (_, found) = lint_by(&files(beside, (example.path, &example.text)), &is_it(rule));
    found.iter().any(|finding| finding.rule == rule.meta().name)
}

fn is_it(wanted: &dyn Rule) -> impl Fn(&dyn Rule) -> bool {
    let name = wanted.meta().name;
    move |rule| rule.meta().name == name
}

/// The file with those beside it: declarations beside a script, a script beside declarations.
fn files<'a>(beside: &'a BTreeMap<String, String>, file: (&'a str, &'a str)) -> Vec<(&'a str, &'a str)> {
    let text = |kind: &str, default: &'a str| beside.get(kind).map_or(default, String::as_str);
    let script = ("train.py", text("script", "from trl import DPOTrainer\n"));
    let pyproject = beside.get("pyproject").map(|text| ("pyproject.toml", text.as_str()));
    let more = [("list", "data/dataset_info.json"), ("deepspeed", "ds.json")];
    let more = more.into_iter().filter_map(|(kind, path)| Some((path, beside.get(kind)?.as_str())));
    let others =
        beside.iter().filter(|(kind, _)| kind.contains('.')).map(|(path, text)| (path.as_str(), text.as_str()));
    let other = match file.0 {
        "requirements.txt" | "pyproject.toml" => script,
        _ => ("requirements.txt", text("requirements", "")),
    };
    [file, other].into_iter().chain(pyproject.filter(|one| one.0 != file.0)).chain(more).chain(others).collect()
}

fn fixed(
    rule: &dyn Rule,
    beside: &BTreeMap<String, String>,
    file: (&str, &str),
    applicability: Applicability,
) -> String {
    let (_, found) = lint_by(&files(beside, file), &is_it(rule));
    let fix = found
        .iter()
        .filter(|finding| finding.rule == rule.meta().name)
        .flat_map(|finding| &finding.fixes)
        .find(|fix| fix.applicability == applicability)
        .unwrap_or_else(|| panic!("{} has no {} fix", rule.meta().name, applicability.as_str()));
    edit::apply(file.1, &fix.edits).expect("edits that fit")
}
