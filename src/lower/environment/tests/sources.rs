//! One small input per kind of declaring file.

use super::{Project, trl};

#[test]
fn requirements_files() {
    for (text, expected) in [
        ("trl==0.12.2\n", "trl 0.12.2 (pinned in requirements.txt:1)"),
        ("# tools\n\ntrl >= 0.7.1  # newest\n", "trl 1.16.0 (newest that trl>=0.7.1 in requirements.txt:3 allows)"),
        ("trl", "trl 1.16.0 (newest that trl in requirements.txt:1 allows)"),
        ("\u{feff}TRL[peft]~=0.9.2\r\n", "trl 0.9.6 (newest that trl~=0.9.2 in requirements.txt:1 allows)"),
        ("trl==0.12.*", "trl 0.12.2 (newest that trl==0.12.* in requirements.txt:1 allows)"),
        ("trl!=1.16.0", "trl 0.29.0 (newest that trl!=1.16.0 in requirements.txt:1 allows)"),
        ("trl===0.12.2", "trl 0.12.2 (pinned in requirements.txt:1)"),
        (
            "trl==0.12.2 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n",
            "trl 0.12.2 (pinned in requirements.txt:1)",
        ),
        ("trl==0.13.0rc1", "trl 0.13.0rc1 (pinned in requirements.txt:1)"),
        ("trl==0.30.0", "trl 0.30.0 (pinned in requirements.txt:1)"),
        ("trl>=0.12,<=0.13.0", "trl 0.13.0 (newest that trl>=0.12,<=0.13.0 in requirements.txt:1 allows)"),
        ("trl==2.0", "trl 2.0 (pinned in requirements.txt:1; not among the known releases)"),
        ("trl==0.12.2+cu121", "trl 0.12.2 (pinned in requirements.txt:1)"),
        ("trl>=3", "trl (no known release satisfies trl>=3 in requirements.txt:1)"),
        ("peft==0.7", "trl 1.16.0 (nothing declares trl; newest known release)"),
        (
            "trl==banana\npeft",
            "trl 1.16.0 (nothing declares trl; newest known release) ! requirements.txt:1: trl: `==banana` is no version specifier",
        ),
        (
            "git+https://github.com/huggingface/trl.git",
            "trl (from git+https://github.com/huggingface/trl.git in requirements.txt:1; the release cannot be told)",
        ),
        (
            "trl @ git+https://github.com/huggingface/trl@v0.12.2",
            "trl 0.12.2 (from git+https://github.com/huggingface/trl@v0.12.2 in requirements.txt:1)",
        ),
        (
            "-e git+https://github.com/huggingface/trl#egg=trl",
            "trl (from git+https://github.com/huggingface/trl#egg=trl in requirements.txt:1; the release cannot be told)",
        ),
        ("", "trl 1.16.0 (nothing declares trl; newest known release)"),
        (
            "--index-url https://example.org\n-e .\n./wheels/x.whl\n",
            "trl 1.16.0 (nothing declares trl; newest known release)",
        ),
    ] {
        assert_eq!(trl(&[("requirements.txt", text)]), expected, "{text}");
    }
}

#[test]
fn includes_and_constraints() {
    let trl_of = |files: &[(&str, &str)], unlisted: &[(&str, &str)]| {
        Project { files, unlisted, ..Project::default() }.describe("train.py", "trl")
    };
    assert_eq!(
        trl_of(
            &[("requirements.txt", "-r requirements/base.txt\n-c limits.txt")],
            &[("requirements/base.txt", "trl>=0.7"), ("limits.txt", "trl<0.12"),]
        ),
        "trl 0.11.4 (newest that trl>=0.7 in requirements/base.txt:1 and trl<0.12 in limits.txt:1 allow)"
    );
    let cycle = [("requirements.txt", "-r a.txt\ntrl<0.12"), ("a.txt", "-r requirements.txt")];
    assert_eq!(trl_of(&cycle, &[]), "trl 0.11.4 (newest that trl<0.12 in requirements.txt:2 allows)");
    assert_eq!(
        trl_of(&[("requirements.txt", "trl==0.12.2\n--requirement=gone.txt")], &[]),
        "trl 0.12.2 (pinned in requirements.txt:1) ! requirements.txt:2: cannot read gone.txt: no such file"
    );
    // Up and down the tree.
    assert_eq!(
        trl_of(
            &[("requirements/gpu.txt", "-r ../common/all.txt"), ("train.py", "")],
            &[("common/all.txt", "trl==0.9.6")]
        ),
        "trl 0.9.6 (pinned in common/all.txt:1)"
    );
}

#[test]
fn markers() {
    let both = "trl==0.9.6; python_version < '3.9'\ntrl==0.12.2; python_version >= '3.9'\n";
    assert_eq!(trl(&[("requirements.txt", both)]), "trl 0.12.2 (pinned in requirements.txt:2)");
    let python = |required| format!("[project]\nrequires-python = '{required}'\n");
    let with = |required| trl(&[("requirements.txt", both), ("pyproject.toml", &python(required))]);
    assert_eq!(with(">=3.9"), "trl 0.12.2 (pinned in requirements.txt:2)");
    assert_eq!(with("==3.8.*"), "trl 0.9.6 (pinned in requirements.txt:1)");
    // A release that needs a newer Python is passed over.
    let old = trl(&[("requirements.txt", "trl>=0.9"), ("pyproject.toml", &python("==3.9.*"))]);
    assert_eq!(old, "trl 0.29.0 (newest that trl>=0.9 in requirements.txt:1 allows)");
}

#[test]
fn pyproject() {
    for (text, expected) in [
        (
            "[project]\ndependencies = [\n  'peft',\n  \"trl>=0.9,<0.13\",\n]\n",
            "trl 0.12.2 (newest that trl>=0.9,<0.13 in pyproject.toml:4 allows)",
        ),
        ("[project.optional-dependencies]\nrlhf = ['trl==0.9.6']\n", "trl 0.9.6 (pinned in pyproject.toml:2)"),
        (
            "[dependency-groups]\ntrain = ['trl==0.9.6']\nall = [{include-group = 'train'}]\n",
            "trl 0.9.6 (pinned in pyproject.toml:2)",
        ),
        (
            "[tool.poetry.dependencies]\npython = '^3.10'\ntrl = '^0.9.2'\n",
            "trl 0.9.6 (newest that trl>=0.9.2,<0.10 in pyproject.toml:3 allows)",
        ),
        ("[tool.poetry.dependencies]\ntrl = '0.9.6'\n", "trl 0.9.6 (pinned in pyproject.toml:2)"),
        (
            "[tool.poetry.dependencies]\ntrl = {version = '~0.12', extras = ['peft']}\n",
            "trl 0.12.2 (newest that trl>=0.12,<0.13 in pyproject.toml:2 allows)",
        ),
        ("[tool.poetry.dependencies]\ntrl = '*'\n", "trl 1.16.0 (newest that trl in pyproject.toml:2 allows)"),
        (
            "[tool.poetry.dependencies]\ntrl = '^0.7 || ^0.9'\n",
            "trl 0.9.6 (newest that trl>=0.7,<0.8 in pyproject.toml:2 and trl>=0.9,<0.10 in pyproject.toml:2 allow)",
        ),
        (
            "[tool.poetry.dependencies]\ntrl = {git = 'https://github.com/huggingface/trl.git', tag = 'v0.12.2'}\n",
            "trl 0.12.2 (from git+https://github.com/huggingface/trl.git@v0.12.2 in pyproject.toml:2)",
        ),
        ("[tool.poetry.group.train.dependencies]\ntrl = '0.9.6'\n", "trl 0.9.6 (pinned in pyproject.toml:2)"),
        (
            "[project]\ndependencies = ['trl>=0.9']\n[tool.uv]\nconstraint-dependencies = ['trl<0.12']\n",
            "trl 0.11.4 (newest that trl>=0.9 in pyproject.toml:2 and trl<0.12 in pyproject.toml:4 allow)",
        ),
        (
            "[project]\ndependencies = ['trl>=0.12']\n[tool.uv]\noverride-dependencies = ['trl==0.9.6']\n",
            "trl 0.9.6 (pinned in pyproject.toml:4)",
        ),
        (
            "[project]\ndependencies = ['trl']\n[tool.uv.sources]\ntrl = {git = 'https://github.com/huggingface/trl'}\n",
            "trl (from git+https://github.com/huggingface/trl in pyproject.toml:2; the release cannot be told)",
        ),
        ("[tool.pdm.dev-dependencies]\ntrain = ['trl==0.9.6']\n", "trl 0.9.6 (pinned in pyproject.toml:2)"),
        ("[tool.hatch.envs.default]\ndependencies = ['trl==0.9.6']\n", "trl 0.9.6 (pinned in pyproject.toml:2)"),
        ("[tool.ruff]\n", "trl 1.16.0 (nothing declares trl; newest known release)"),
    ] {
        assert_eq!(trl(&[("pyproject.toml", text)]), expected, "{text}");
    }
}

#[test]
fn what_is_broken_does_not_stop_the_rest() {
    let (answer, problems) = Project {
        files: &[
            ("pyproject.toml", "[project]\ndependencies = ['trl==0.9.6'\nx = [\n"),
            ("requirements.txt", "trl==0.9.6"),
        ],
        ..Project::default()
    }
    .ask("train.py", |environment, sources| environment.package("trl").expect("known").describe(sources));
    assert!(answer.starts_with("trl 0.9.6"), "{answer}");
    assert!(problems.starts_with("pyproject.toml:"), "{problems}");
}

#[test]
fn targets_win() {
    let with = |targets: &[&str]| {
        Project { files: &[("requirements.txt", "trl==0.9.6")], targets, ..Project::default() }
            .describe("train.py", "trl")
    };
    assert_eq!(with(&["trl==0.12.2"]), "trl 0.12.2 (asked for by --target trl==0.12.2)");
    assert_eq!(with(&["trl>=0.10,<0.13"]), "trl 0.12.2 (newest that --target trl>=0.10,<0.13 allows)");
    assert_eq!(with(&["peft==1"]), "trl 0.9.6 (pinned in requirements.txt:1)");
    assert_eq!(
        with(&["trl=1"]),
        "trl 0.9.6 (pinned in requirements.txt:1) ! --target trl=1: trl: `=1` is no version specifier"
    );
}

#[test]
fn installed_environments() {
    let metadata = ".venv/lib/python3.11/site-packages/trl-0.12.2.dist-info/METADATA";
    let disk =
        [(metadata, "Metadata-Version: 2.1\nName: TRL\nVersion: 0.12.2\n\nName: other\n"), (".venv/bin/python", "")];
    for python in [".venv", ".venv/bin/python", ".venv/lib/python3.11/site-packages"] {
        let project = Project {
            files: &[("requirements.txt", "trl==0.9.6")],
            unlisted: &disk,
            python: Some(python),
            ..Project::default()
        };
        let expected = "trl 0.12.2 (installed in .venv/lib/python3.11/site-packages)";
        assert_eq!(project.describe("train.py", "trl"), expected, "{python}");
    }
    let gone = Project { files: &[("train.py", "")], python: Some("nowhere"), ..Project::default() };
    let ((), problems) = gone.ask("train.py", |_, _| ());
    assert_eq!(problems, "nowhere: no interpreter, virtual environment or site-packages folder");
}
