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

const TRAINING: &str = "\
from trl import DPOConfig, DPOTrainer
trainer = DPOTrainer(model, tokenizer=tokenizer, args=DPOConfig(output_dir=\"o\"), train_dataset=data)
trainer.train()
";

#[test]
fn a_set_that_imports_and_cannot_train_is_spoken_of_where_it_trains() {
    let clash = "trl==0.9.6\ntransformers==4.57.6\npeft==0.13.2\naccelerate==1.2.1\n";
    let finding = |requirements: &str, script: &str| {
        let (_, found) = lint(&[("requirements.txt", requirements), ("train.py", script)]);
        found.into_iter().find(|finding| finding.code.starts_with("DPL2"))
    };
    let found = finding(clash, TRAINING).expect("a finding");
    assert_eq!(found.message, "`trl.DPOTrainer` cannot train with trl 0.9.6 and transformers 4.57.6");
    let why = "trl 0.9.6 defines `get_batch_samples(model, batch)`, which transformers 4.57.6 calls as \
               `get_batch_samples(epoch_iterator, num_batches, device)` (in `trl.trainer.dpo_trainer`)";
    assert!(found.notes.contains(&why.to_owned()) || found.notes[0].contains("compute_loss"), "{:?}", found.notes);
    assert_eq!(found.help.as_deref(), Some("use trl 0.13.0"));
    let open = finding("trl==0.9.6\ntransformers>=4.41\npeft\naccelerate\n", TRAINING).expect("a finding");
    assert_eq!(open.code, "DPL209");
    // What only imports it does, and a class of the project may mend what it derives from.
    assert!(finding(clash, SCRIPT).is_none());
    let mended = TRAINING
        .replace("trainer =", "class Mine(DPOTrainer):\n    pass\ntrainer =")
        .replace("= DPOT", "= Mine or DPOT");
    let mended = mended.replace("Mine or DPOTrainer(", "Mine(");
    assert!(finding(clash, &mended).is_none(), "{mended}");
    assert!(finding("trl==0.13.0\ntransformers==4.57.6\npeft==0.17.1\n", TRAINING).is_none());
}

#[test]
fn what_no_library_asks_for_is_missed_only_where_everything_is_listed() {
    let releases = [("trl", "0.8.6"), ("transformers", "4.44.2"), ("peft", "0.10.0"), ("accelerate", "0.29.3")];
    let lock = |others: &[(&str, &str)]| {
        let package = |(name, version): &(&str, &str)| {
            format!("[[package]]\nname = '{name}'\nversion = '{version}'\nsource = {{ registry = 'x' }}\n")
        };
        releases.iter().chain(others).map(package).collect::<String>()
    };
    let pins = releases.map(|(name, version)| format!("{name}=={version}\n")).concat();
    let written = format!("# This file was autogenerated by uv via the following command:\n{pins}");
    for (path, text, expected) in [
        ("uv.lock", lock(&[("tyro", "1.0.1")]), vec!["DPL201"]),
        ("poetry.lock", lock(&[]), vec!["DPL201"]),
        ("uv.lock", lock(&[("rich", "13.9.4")]), vec![]),
        ("requirements.txt", written.clone(), vec!["DPL201"]),
        ("requirements.txt", format!("{written}rich==13.9.4\n"), vec![]),
        // What comes with the rest is not listed.
        ("requirements.txt", pins, vec![]),
    ] {
        assert_eq!(codes(&[(path, &text), ("train.py", SCRIPT)]), expected, "{path}: {text}");
    }
    let files = [("uv.lock", lock(&[])), ("requirements.txt", "rich\n".to_owned())];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    assert_eq!(codes(&[&files[..], &[("train.py", SCRIPT)]].concat()), [""; 0], "something else asks for it");
    let (_, found) = lint(&[("uv.lock", &lock(&[])), ("train.py", SCRIPT)]);
    let finding = found.iter().find(|finding| finding.code == "DPL201").expect("a finding");
    assert_eq!(finding.message, "`trl.DPOTrainer` cannot be imported with trl 0.8.6");
    assert!(finding.notes[0].starts_with("trl 0.8.6 imports rich, which is not installed"), "{:?}", finding.notes);
    assert!(finding.help.as_deref().is_some_and(|help| help.starts_with("ask for rich, too: trl does not")));
}

#[test]
fn what_the_distributions_around_do_together_is_not_certain() {
    let files = [("requirements.txt", "trl==0.9.6\ntransformers==4.44.2\nnumpy<2\n"), ("train.py", SCRIPT)];
    assert_eq!(codes(&files), [""; 0]);
}

#[test]
fn a_withdrawn_release_comes_with_what_its_maintainers_say() {
    let (_, found) = lint(&[("requirements.txt", "transformers==4.57.0\n"), ("train.py", "import transformers\n")]);
    let finding = found.iter().find(|finding| finding.rule == "yanked-release").expect("a finding");
    assert_eq!(finding.notes, ["its maintainers say: Error in the setup causing installation issues"]);
}

#[test]
fn distributions_that_are_known_by_their_metadata_take_part_where_they_are_declared() {
    let (_, found) = lint(&[("requirements.txt", "trl==1.0.0\ndatasets==3.0.0\n"), ("train.py", SCRIPT)]);
    let finding = found.iter().find(|finding| finding.code == "DPL201").expect("a finding");
    assert_eq!(finding.message, "trl 1.0.0 and datasets 3.0.0 cannot be installed together");
    assert_eq!(finding.help.as_deref(), Some("use datasets 4.7.0, or use trl 0.29.1"));
    assert_eq!(codes(&[("requirements.txt", "trl==1.0.0\ndatasets\n"), ("train.py", SCRIPT)]), [""; 0]);
}
