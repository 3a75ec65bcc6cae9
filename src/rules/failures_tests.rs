//! When a set of releases is spoken of, and when not.

use super::testing::lint;

const SCRIPT: &str = "from trl import DPOTrainer\n";

/// The codes of what is found about declared releases.
fn codes(files: &[(&str, &str)]) -> Vec<&'static str> {
    lint(files).1.iter().map(|finding| finding.code).filter(|code| code.starts_with("DPL2")).collect()
}

#[test]
fn a_set_counts_where_one_file_declares_all_of_it() {
    let requirements = "requirements.txt";
    for (files, expected) in [
        (vec![(requirements, "trl==0.13.0\ntransformers==5.23.0\n")], vec!["DPL201"]),
        (vec![(requirements, "trl==0.13.0\ntransformers>=4.46\n")], vec!["DPL209"]),
        (vec![(requirements, "trl==0.13.0\ntransformers>=4.46,<5\n")], vec![]),
        // Nothing says which release of transformers is there.
        (vec![(requirements, "trl==0.13.0\n")], vec![]),
        // Two images may be built of these.
        (vec![(requirements, "trl==0.13.0\n"), ("requirements-new.txt", "transformers==5.23.0\n")], vec![]),
        (
            vec![(
                "pyproject.toml",
                "[project]\nname='x'\nversion='1'\ndependencies=['trl==0.13.0', 'transformers==5.23.0']\n",
            )],
            vec!["DPL201"],
        ),
        // An extra need not be installed.
        (
            vec![(
                "pyproject.toml",
                "[project]\nname='x'\nversion='1'\ndependencies=['trl==0.13.0']\n[project.optional-dependencies]\n\
                 new=['transformers==5.23.0']\n",
            )],
            vec![],
        ),
        // What an image brings along is not known.
        (vec![("Dockerfile", "FROM base\nRUN pip install trl==0.13.0 transformers\n")], vec![]),
        (vec![("Dockerfile", "FROM base\nRUN pip install trl==0.13.0 transformers==5.23.0\n")], vec!["DPL201"]),
    ] {
        let all: Vec<(&str, &str)> = files.iter().copied().chain([("train.py", SCRIPT)]).collect();
        assert_eq!(codes(&all), expected, "{files:?}");
    }
}

#[test]
fn an_import_that_may_fail_is_no_failure() {
    for script in [
        "try:\n    from trl import DPOTrainer\nexcept ImportError:\n    DPOTrainer = None\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from trl import DPOTrainer\n",
        "import unsloth\nfrom trl import DPOTrainer\n",
        "from trl import *\n",
    ] {
        let files = [("requirements.txt", "trl==0.13.0\ntransformers==5.23.0\n"), ("train.py", script)];
        assert_eq!(codes(&files), [""; 0], "{script}");
    }
}

#[test]
fn releases_that_refuse_each_other_are_not_installed() {
    let files = [("requirements.txt", "trl==0.12.2\ntransformers==4.48.0\n"), ("train.py", SCRIPT)];
    let (_, found) = lint(&files);
    let finding = found.iter().find(|finding| finding.code == "DPL201").expect("a finding");
    assert_eq!(finding.message, "trl 0.12.2 and transformers 4.48.0 cannot be installed together");
    assert_eq!(finding.notes, ["trl 0.12.2 requires transformers<4.47.0"]);
    assert_eq!(finding.help.as_deref(), Some("use transformers 4.46.3, or use trl 0.12.1"));
}

#[test]
fn what_the_distributions_around_do_together_is_not_certain() {
    let files = [("requirements.txt", "trl==0.9.6\ntransformers==4.44.2\nnumpy<2\n"), ("train.py", SCRIPT)];
    assert_eq!(codes(&files), [""; 0]);
}
