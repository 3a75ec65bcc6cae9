//! Every rule's page is executed: its examples must be found, stay silent and be fixed as the page says.
//!
//! A fence's info string says in which file it stands (`python`: a script, `json`: the settings of an adapter, `requirements`: declarations beside a script that imports a trainer) and what it is: `text,requirements` holds for the examples after it; `python,bad` must be found by
//! the rule, `python,good` must not; `python,fixed` is what the safe fix makes of the last bad example, `python,unsafe-fixed`
//! what the unsafe one does.

use super::testing::lint;
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
        let (mut requirements, mut bad) = (String::new(), String::new());
        let mut seen = Vec::new();
        for example in examples(meta.page) {
            match example.kind {
                "requirements" => requirements.clone_from(&example.text),
                "bad" => {
                    assert!(reports(*rule, &requirements, &example), "{}: not found in\n{}", meta.name, example.text);
                    bad.clone_from(&example.text);
                }
                "good" => {
                    assert!(!reports(*rule, &requirements, &example), "{}: found in\n{}", meta.name, example.text);
                }
                "fixed" => {
                    assert_eq!(
                        fixed(*rule, &requirements, (example.path, &bad), Applicability::Safe),
                        example.text,
                        "{}",
                        meta.name
                    );
                }
                "unsafe-fixed" => {
                    assert_eq!(
                        fixed(*rule, &requirements, (example.path, &bad), Applicability::Unsafe),
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

fn reports(rule: &dyn Rule, requirements: &str, example: &Example<'_>) -> bool {
    let (_, found) = lint(&[beside(requirements, example.path), (example.path, &example.text)]);
    found.iter().any(|finding| finding.rule == rule.meta().name)
}

/// The other file: declarations beside a script, a script beside declarations.
fn beside<'a>(requirements: &'a str, path: &str) -> (&'static str, &'a str) {
    match path {
        "requirements.txt" => ("train.py", "from trl import DPOTrainer\n"),
        _ => ("requirements.txt", requirements),
    }
}

fn fixed(rule: &dyn Rule, requirements: &str, file: (&str, &str), applicability: Applicability) -> String {
    let (_, found) = lint(&[beside(requirements, file.0), file]);
    let fix = found
        .iter()
        .filter(|finding| finding.rule == rule.meta().name)
        .flat_map(|finding| &finding.fixes)
        .find(|fix| fix.applicability == applicability)
        .unwrap_or_else(|| panic!("{} has no {} fix", rule.meta().name, applicability.as_str()));
    edit::apply(file.1, &fix.edits).expect("edits that fit")
}
