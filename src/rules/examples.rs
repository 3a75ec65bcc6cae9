//! Every rule's page is executed: its examples must be found, stay silent and be fixed as the page says.

use super::page::{Example, examples};
use super::testing::lint_by;
use super::{Rule, all};
use crate::diagnostic::{Applicability, Diagnostic};
use crate::syntax::edit;

#[test]
fn every_example_does_what_its_page_says() {
    for rule in all() {
        let meta = rule.meta();
        let mut bad: Option<Example<'_>> = None;
        let mut seen = Vec::new();
        for example in examples(meta.page) {
            let (kind, text) = (example.kind, example.text().to_owned());
            let fixed = |applicability| {
                let bad = bad.as_ref().unwrap_or_else(|| panic!("{}: nothing to fix", meta.name));
                assert_eq!(fixed(*rule, bad, applicability), text, "{}", meta.name);
            };
            match kind {
                "bad" => {
                    assert!(!found(*rule, &example).is_empty(), "{}: not found in\n{text}", meta.name);
                    bad = Some(example);
                }
                "good" => assert!(found(*rule, &example).is_empty(), "{}: found in\n{text}", meta.name),
                "fixed" => fixed(Applicability::Safe),
                "unsafe-fixed" => fixed(Applicability::Unsafe),
                other => panic!("{}: an example of the unknown kind `{other}`", meta.name),
            }
            seen.push(kind);
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

/// What the rule reports in the project of an example.
fn found(rule: &dyn Rule, example: &Example<'_>) -> Vec<Diagnostic> {
    let name = rule.meta().name;
    let files: Vec<(&str, &str)> = example.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let (_, found) = lint_by(&files, &|rule| rule.meta().name == name);
    found.into_iter().filter(|finding| finding.rule == name).collect()
}

fn fixed(rule: &dyn Rule, bad: &Example<'_>, applicability: Applicability) -> String {
    let fix = found(rule, bad)
        .into_iter()
        .flat_map(|finding| finding.fixes)
        .find(|fix| fix.applicability == applicability)
        .unwrap_or_else(|| panic!("{} has no {} fix", rule.meta().name, applicability.as_str()));
    edit::apply(bad.text(), &fix.edits).expect("edits that fit")
}
