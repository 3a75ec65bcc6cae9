//! Sets of releases whose import was tried, against what is said of them.

use std::str::FromStr;

use dpo_lint::knowledge::{Asked, Installed, Knowledge, Presence, Reason, Verdict};
use pep440_rs::Version;

const MATRIX: &str = include_str!("../fixtures/imports/matrix.txt");
const MEASURED: &str = include_str!("../fixtures/imports/measured.txt");

const LIBRARIES: [&str; 4] = ["trl", "transformers", "peft", "accelerate"];

/// What becomes of an import: `ok`, or what the message names.
fn outcome(releases: &[&str], also: &str, names: &[&str]) -> String {
    let knowledge = Knowledge::bundled();
    let releases = LIBRARIES.iter().zip(releases).map(|(name, version)| {
        let package = knowledge.package(name).expect("it is built in");
        let version = Version::from_str(version).expect("a version");
        (package, package.index_of(&version).unwrap_or_else(|| panic!("{name} {version} is built in")))
    });
    let others = |name: &str| {
        let mut words = also.split(' ');
        let found = words.find(|word| word.trim_start_matches('!').split("==").next() == Some(name));
        match found.map(|word| (word.starts_with('!'), word.split_once("=="))) {
            Some((true, _)) => Presence::None,
            Some((_, Some((_, version)))) => Presence::Version(version.parse().expect("a version")),
            Some(_) => Presence::Some,
            // Nothing of it was installed in any of these environments.
            None if ["mergekit", "weave", "vllm", "vllm-ascend"].contains(&name) => Presence::None,
            None => Presence::Unknown,
        }
    };
    let installed = Installed::new(knowledge, releases, &others);
    for name in names {
        let asked = Asked { module: "trl".to_owned(), name: (*name).to_owned(), trains: false };
        match installed.imports(&asked) {
            Verdict::Works | Verdict::Unknown => {}
            Verdict::Fails(refusal) => {
                return match refusal.reason {
                    Reason::Name { name, .. } => name,
                    Reason::Module { module, .. } => module,
                    Reason::Missing { package, .. } | Reason::Version { package, .. } => package,
                    Reason::Clash { message } => {
                        message.to_lowercase().split(' ').nth(2).unwrap_or_default().to_owned()
                    }
                    Reason::Refuses | Reason::Called { .. } => refusal.module,
                };
            }
        }
    }
    "ok".to_owned()
}

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('|').map(str::trim).collect())
}

#[test]
fn the_matrix_of_trl_and_transformers_is_reproduced() {
    let mut wrong = Vec::new();
    for row in rows(MATRIX) {
        let [releases @ .., expected] = row.as_slice() else { panic!("a row has cells") };
        let found = outcome(releases, "", &["DPOTrainer", "DPOConfig", "SFTTrainer"]);
        if (found == "ok") != (*expected == "ok") {
            wrong.push(format!("{releases:?}: {expected}, not {found}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn measured_sets_import_as_they_did() {
    let mut wrong = Vec::new();
    for row in rows(MEASURED) {
        let [releases @ .., also, expected] = row.as_slice() else { panic!("a row has cells") };
        let found = outcome(releases, also, &["DPOTrainer"]);
        if (found == "ok") != (*expected == "ok") {
            wrong.push(format!("{releases:?} {also}: {expected}, not {found}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
