//! Which declaration governs which script.

use super::{Project, in_file, trl};

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
fn the_source_of_a_package_is_no_release_of_it() {
    let files =
        &[("examples/dpo.py", ""), ("setup.py", ""), ("examples/requirements.txt", "peft\n"), ("notebooks/a.py", "")];
    let own = Project { files, unlisted: &[("trl/__init__.py", "")], ..Project::default() };
    let in_effect = |project: &Project<'_>, script: &str| {
        let asked = |environment: &crate::model::Environment, _: &_| {
            environment.package("trl").and_then(|facts| facts.in_effect.clone())
        };
        project.ask(script, asked).0.map(|version| version.to_string())
    };
    assert_eq!(in_effect(&own, "examples/dpo.py"), None);
    assert_eq!(in_effect(&Project { targets: &["trl==0.12.2"], ..own }, "notebooks/a.py").as_deref(), Some("0.12.2"));
    // A folder that is only called so.
    let other = Project { files, unlisted: &[("trl/train.py", "")], ..Project::default() };
    assert_eq!(in_effect(&other, "examples/dpo.py").as_deref(), Some("1.16.0"));
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
        // A file for something in particular does not count either.
        (
            [("pyproject.toml", "[project]\ndependencies = ['trl>=0.9']"), ("requirements/moss-vl.txt", "trl==0.9.6")],
            "trl 1.16.0 (newest that trl>=0.9 in pyproject.toml:2 allows)",
        ),
        // An image is built from it; a pin there decides, a branch does not.
        (
            [
                ("requirements.txt", "trl>=0.9"),
                ("docker/gpu/Dockerfile", "FROM python:3.11\nRUN pip install trl==0.9.6\n"),
            ],
            "trl 0.9.6 (pinned in docker/gpu/Dockerfile:2)",
        ),
        (
            [("requirements.txt", "trl>=0.9"), ("docker/trl-dev/Dockerfile", "RUN pip install trl==0.9.6\n")],
            "trl 1.16.0 (newest that trl>=0.9 in requirements.txt:1 allows)",
        ),
        (
            [("requirements.txt", "trl>=0.9"), ("Dockerfile", "RUN pip install git+https://x.org/trl\n")],
            "trl 1.16.0 (newest that trl>=0.9 in requirements.txt:1 allows)",
        ),
        // In the repository of the library itself, the library is the code at hand.
        (
            [("pyproject.toml", "[project]\nname = 'trl'\n"), ("requirements.txt", "transformers")],
            "trl (the project itself, pyproject.toml:2)",
        ),
        // Targets of a Makefile are alternatives, the last command of a script has the last word.
        (
            [("Makefile", "a:\n\tpip install trl==0.9.6\nb:\n\tpip install trl==0.12.2\n"), ("train.py", "")],
            "trl 0.12.2 (pinned in Makefile:4)",
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

#[test]
fn installs_in_a_shell_script_count_for_what_it_starts() {
    let project = Project {
        files: &[
            ("requirements.txt", "trl>=0.9"),
            (
                "scripts/run.sh",
                "pip install trl==0.9.6\naccelerate launch --config_file x.yaml src/train.py --beta 0.1\n",
            ),
            ("scripts/tool.sh", "pip install peft==0.7\n"),
            ("src/train.py", ""),
            ("src/other.py", ""),
        ],
        ..Project::default()
    };
    assert_eq!(project.describe("src/train.py", "trl"), "trl 0.9.6 (pinned in scripts/run.sh:1)");
    assert_eq!(project.describe("scripts/run.sh", "trl"), "trl 0.9.6 (pinned in scripts/run.sh:1)");
    assert_eq!(
        project.describe("src/other.py", "trl"),
        "trl 1.16.0 (newest that trl>=0.9 in requirements.txt:1 allows)"
    );
    // What is not decided by it is kept, weaker ones after those that decide.
    let (places, _) = project.ask("src/train.py", |environment, sources| {
        let facts = environment.package("trl").expect("known").clone();
        facts.declarations.iter().map(|one| one.origin.place(&in_file(sources))).collect::<Vec<_>>()
    });
    assert_eq!(places, ["scripts/run.sh:1", "requirements.txt:1"]);
}

/// A workspace of uv as it is found in the wild: one lock at the top, members with ranges, an example with its own header.
#[test]
fn a_workspace_is_governed_by_its_lock() {
    let project = Project {
        files: &[
            ("pyproject.toml", "[project]\nname = 'all'\n[tool.uv.workspace]\nmembers = ['packages/*']\n"),
            (
                "uv.lock",
                "requires-python = '>=3.10'\n[[package]]\nname = 'all'\nversion = '0'\nsource = { virtual = '.' }\n\
                 [[package]]\nname = 'dpo'\nversion = '0'\nsource = { editable = 'packages/dpo' }\n\
                 [[package]]\nname = 'trl'\nversion = '0.12.2'\nsource = { registry = 'x' }\n",
            ),
            ("packages/dpo/pyproject.toml", "[project]\nname = 'dpo'\ndependencies = ['trl>=0.9']\n"),
            ("packages/dpo/train.py", ""),
            ("packages/sft/pyproject.toml", "[project]\nname = 'sft'\ndependencies = ['trl<0.10']\n"),
            ("packages/sft/train.py", ""),
            ("packages/sft/requirements-dev.txt", "trl==0.7.1\npytest==8\n"),
            ("packages/sft/docker/Dockerfile.md", "RUN pip install trl==0.4.7\n"),
            ("examples/quick.py", "# /// script\n# dependencies = ['trl']\n# ///\n"),
            ("examples/plain.py", ""),
        ],
        ..Project::default()
    };
    for (script, package, expected) in [
        ("packages/dpo/train.py", "trl", "trl 0.12.2 (locked in uv.lock:12)"),
        // No member of the lock: its own declaration stands.
        ("packages/sft/train.py", "trl", "trl 0.9.6 (newest that trl<0.10 in packages/sft/pyproject.toml:3 allows)"),
        ("packages/sft/train.py", "pytest", "pytest 8 (pinned in packages/sft/requirements-dev.txt:2)"),
        ("examples/plain.py", "trl", "trl 0.12.2 (locked in uv.lock:12)"),
        ("examples/quick.py", "trl", "trl 1.16.0 (newest that trl in examples/quick.py:2 allows)"),
        ("packages/dpo/train.py", "dpo", "dpo (the project itself, packages/dpo/pyproject.toml:2)"),
    ] {
        assert_eq!(project.describe(script, package), expected, "{script} {package}");
    }
}

/// What a finding says: at the one place that decides, or else in a sentence without the places, which it points at.
#[test]
fn a_finding_says_the_release_once() {
    let requirements = |text: &'static str| vec![("requirements.txt", text)];
    for (files, targets, at_the_declaration, sentence) in [
        (requirements("trl==0.9.6"), &[][..], Some("trl 0.9.6 is pinned here"), "trl 0.9.6 is in effect: pinned"),
        (
            requirements("trl>=0.9,<0.12"),
            &[],
            Some("trl 0.11.4 is the newest release that this allows"),
            "trl 0.11.4 is in effect: newest that trl>=0.9,<0.12 allows",
        ),
        (
            vec![("pixi.lock", "packages:\n- name: trl\n  version: 0.9.6\n")],
            &[],
            Some("trl 0.9.6 is locked here"),
            "trl 0.9.6 is in effect: locked",
        ),
        (
            requirements("trl==0.9.6"),
            &["trl==0.12.2"],
            None,
            "trl 0.12.2 is in effect: asked for by --target trl==0.12.2",
        ),
        (
            vec![("requirements.txt", "trl>=0.9"), ("pyproject.toml", "[project]\ndependencies = ['trl<0.12']\n")],
            &[],
            None,
            "trl 0.11.4 is in effect: newest that trl<0.12 and trl>=0.9 allow",
        ),
        (requirements("trl>=2"), &[], None, "no release of trl is certain: no known release satisfies trl>=2"),
        (requirements("numpy"), &[], None, "trl 1.16.0 is assumed, the newest known release: no file declares trl"),
    ] {
        let project = Project { files: &files, targets, ..Project::default() };
        let (said, _) = project.ask("train.py", |environment, _| {
            let facts = environment.package("trl").expect("known");
            (facts.at_the_declaration().map(|(_, message)| message), facts.describe_briefly())
        });
        assert_eq!(said, (at_the_declaration.map(str::to_owned), sentence.to_owned()), "{files:?}");
    }
}
