//! Which declaration governs which script.

use super::{Project, trl};

#[test]
fn the_nearest_folder_that_declares_a_package_decides() {
    let project = Project {
        files: &[
            ("requirements.txt", "trl==0.9.6\ntransformers==4.46.3"),
            ("packages/a/pyproject.toml", "[project]\ndependencies = ['trl==0.12.2']"),
            ("packages/b/setup.cfg", "[options]\ninstall_requires =\n  peft\n  trl>=0.9,<0.12\n"),
            ("packages/a/src/train.py", ""),
            ("packages/b/train.py", ""),
            ("train.py", ""),
        ],
        ..Project::default()
    };
    for (script, package, expected) in [
        ("packages/a/src/train.py", "trl", "trl 0.12.2 (pinned in packages/a/pyproject.toml:2)"),
        ("packages/b/train.py", "trl", "trl 0.11.4 (newest that trl>=0.9,<0.12 in packages/b/setup.cfg:4 allows)"),
        ("packages/c/train.py", "trl", "trl 0.9.6 (pinned in requirements.txt:1)"),
        ("train.py", "trl", "trl 0.9.6 (pinned in requirements.txt:1)"),
        ("packages/a/src/train.py", "transformers", "transformers 4.46.3 (pinned in requirements.txt:2)"),
        ("packages/b/train.py", "peft", "peft (peft in packages/b/setup.cfg:3; no release of it is known)"),
    ] {
        assert_eq!(project.describe(script, package), expected, "{script}");
    }
}

#[test]
fn nothing_outside_the_repository_governs() {
    let project = Project {
        files: &[("requirements.txt", "trl==0.9.6"), ("vendor/x/train.py", ""), ("vendor/y/train.py", "")],
        unlisted: &[("vendor/x/.git/HEAD", "")],
        ..Project::default()
    };
    assert_eq!(project.describe("vendor/x/train.py", "trl"), "trl 1.16.0 (nothing declares trl; newest known release)");
    assert_eq!(project.describe("vendor/y/train.py", "trl"), "trl 0.9.6 (pinned in requirements.txt:1)");
}

#[test]
fn declarations_of_one_folder_join() {
    for (files, expected) in [
        (
            [("requirements.txt", "trl>=0.9"), ("setup.cfg", "[options]\ninstall_requires = trl<0.12")],
            "trl 0.11.4 (newest that trl>=0.9 in requirements.txt:1 and trl<0.12 in setup.cfg:2 allow)",
        ),
        // Stronger evidence decides.
        (
            [("requirements.txt", "trl>=0.9"), ("requirements/gpu.txt", "trl==0.9.6")],
            "trl 0.9.6 (pinned in requirements/gpu.txt:1)",
        ),
        // Alternatives: the more canonical one is in effect.
        (
            [("requirements.txt", "trl==0.9.6"), ("requirements-gpu.txt", "trl==0.12.2")],
            "trl 0.9.6 (pinned in requirements.txt:1)",
        ),
        // A file for another purpose does not count next to one for this.
        (
            [("requirements.txt", "trl>=0.9"), ("requirements-dev.txt", "trl==0.9.6")],
            "trl 1.16.0 (newest that trl>=0.9 in requirements.txt:1 allows)",
        ),
        // It does where nothing else speaks.
        (
            [("requirements.txt", "peft"), ("requirements-dev.txt", "trl==0.9.6")],
            "trl 0.9.6 (pinned in requirements-dev.txt:1)",
        ),
    ] {
        assert_eq!(trl(&files), expected, "{files:?}");
    }
}

#[test]
fn alternatives_are_all_allowed() {
    let files = [("requirements.txt", "trl==0.9.6"), ("requirements-gpu.txt", "trl==0.12.2")];
    let (facts, _) = Project { files: &files, ..Project::default() }
        .ask("train.py", |environment, _| environment.package("trl").expect("known").clone());
    assert_eq!(facts.allowed.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0.9.6", "0.12.2"]);
    assert_eq!((facts.deciding, facts.declarations.len()), (2, 2));
}
