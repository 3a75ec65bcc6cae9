//! One small input per kind of declaring file.

use super::{Project, in_file, trl};

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
    // Of alternatives that are pinned, one that was not withdrawn.
    let withdrawn = "trl==0.29.0; sys_platform == 'linux'\ntrl==0.30.0; sys_platform == 'darwin'\n";
    assert_eq!(trl(&[("requirements.txt", withdrawn)]), "trl 0.29.0 (pinned in requirements.txt:1)");
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
fn lock_files() {
    for (file, text, expected) in [
        (
            "uv.lock",
            "version = 1\nrequires-python = '>=3.10'\n[[package]]\nname = 'trl'\nversion = '0.9.6'\nsource = { registry = 'x' }\n",
            "trl 0.9.6 (locked in uv.lock:5)",
        ),
        (
            "uv.lock",
            "[[package]]\nname = 'trl'\nversion = '0.13.0.dev0'\nsource = { git = 'https://x.org/trl?rev=main#abc' }\n",
            "trl 0.13.0.dev0 (from https://x.org/trl?rev=main#abc in uv.lock:3; not among the known releases)",
        ),
        (
            "uv.lock",
            "[[package]]\nname = 'trl'\nversion = '0.9.6'\nresolution-markers = [\"python_full_version < '3.9'\"]\n\
             [[package]]\nname = 'trl'\nversion = '0.12.2'\nresolution-markers = [\"python_full_version >= '3.9'\"]\n",
            "trl 0.12.2 (locked in uv.lock:7)",
        ),
        (
            "poetry.lock",
            "[[package]]\nname = 'trl'\nversion = '0.9.6'\n[metadata]\npython-versions = '^3.10'\n",
            "trl 0.9.6 (locked in poetry.lock:3)",
        ),
        (
            "poetry.lock",
            "[[package]]\nname = 'trl'\nversion = '0.9.6'\n[package.source]\ntype = 'git'\nurl = 'https://x.org/trl'\n",
            "trl 0.9.6 (from https://x.org/trl in poetry.lock:3)",
        ),
        ("pdm.lock", "[[package]]\nname = 'trl'\nversion = '0.9.6'\n", "trl 0.9.6 (locked in pdm.lock:3)"),
        (
            "pylock.toml",
            "lock-version = '1.0'\n[[packages]]\nname = 'trl'\nversion = '0.9.6'\n",
            "trl 0.9.6 (locked in pylock.toml:4)",
        ),
        (
            "pylock.toml",
            "[[packages]]\nname = 'trl'\n[packages.vcs]\nurl = 'https://x.org/trl'\n",
            "trl (from https://x.org/trl in pylock.toml:2; the release cannot be told)",
        ),
        ("Pipfile", "[packages]\ntrl = '==0.9.6'\n", "trl 0.9.6 (pinned in Pipfile:2)"),
        ("Pipfile", "[packages]\ntrl = '*'\n", "trl 1.16.0 (newest that trl in Pipfile:2 allows)"),
        (
            "Pipfile",
            "[packages]\ntrl = {version = '>=0.9,<0.12', extras = ['peft']}\n",
            "trl 0.11.4 (newest that trl>=0.9,<0.12 in Pipfile:2 allows)",
        ),
        (
            "Pipfile",
            "[dev-packages]\ntrl = {git = 'https://x.org/a/trl', ref = 'v0.9.6'}\n",
            "trl 0.9.6 (from git+https://x.org/a/trl@v0.9.6 in Pipfile:2)",
        ),
        (
            "Pipfile.lock",
            "{\"default\": {\"trl\": {\n  \"version\": \"==0.9.6\"}}, \"develop\": {}}",
            "trl 0.9.6 (locked in Pipfile.lock:2)",
        ),
    ] {
        assert_eq!(trl(&[(file, text)]), expected, "{text}");
    }
    let both = [("uv.lock", "[[package]]\nname = 'trl'\nversion = '0.9.6'\n"), ("requirements.txt", "trl==0.12.2")];
    assert_eq!(trl(&both), "trl 0.9.6 (locked in uv.lock:3)");
    let broken = [("uv.lock", "[[package]]\nname = 'trl'\nversion = 'x'\n"), ("requirements.txt", "trl==0.12.2")];
    assert_eq!(trl(&broken), "trl 0.12.2 (pinned in requirements.txt:1) ! uv.lock:3: trl: `x` is no version");
}

#[test]
fn pixi() {
    for (name, text, expected) in [
        ("pixi.toml", "[dependencies]\ntrl = '==0.12.2'\n", "trl 0.12.2 (pinned in pixi.toml:2)"),
        ("pixi.toml", "[dependencies]\ntrl = '0.12.*'\n", "trl 0.12.2 (newest that trl==0.12.* in pixi.toml:2 allows)"),
        (
            "pixi.toml",
            "[dependencies]\ntrl = '*'\ntzdata = '*'\n",
            "trl 1.16.0 (newest that trl in pixi.toml:2 allows)",
        ),
        (
            "pixi.toml",
            "[pypi-dependencies]\ntrl = { version = '>=0.9,<0.12', extras = ['peft'] }\n",
            "trl 0.11.4 (newest that trl>=0.9,<0.12 in pixi.toml:2 allows)",
        ),
        (
            "pixi.toml",
            "[pypi-dependencies]\ntrl = { git = 'https://example.org/trl', tag = 'v0.9.6' }\n",
            "trl 0.9.6 (from git+https://example.org/trl@v0.9.6 in pixi.toml:2)",
        ),
        (
            "pixi.toml",
            "[dependencies]\nnumpy = '*'\n[feature.old.pypi-dependencies]\ntrl = '==0.9.6'\n",
            "trl 0.9.6 (pinned in pixi.toml:4)",
        ),
        (
            "pyproject.toml",
            "[tool.pixi.target.linux-64.pypi-dependencies]\ntrl = '==0.9.6'\n",
            "trl 0.9.6 (pinned in pyproject.toml:2)",
        ),
        (
            "pixi.lock",
            "version: 6\npackages:\n- conda: https://example.org/noarch/tzdata-2024a-h0c530f3_0.conda\n  sha256: x\n\
             - pypi: https://example.org/trl-0.9.6-py3-none-any.whl\n  name: trl\n  version: 0.9.6\n",
            "trl 0.9.6 (locked in pixi.lock:7)",
        ),
        (
            "pixi.lock",
            "version: 6\npackages:\n- conda: https://example.org/noarch/trl-0.9.6-pyhd8ed1ab_0.conda\n  sha256: x\n",
            "trl 0.9.6 (locked in pixi.lock:3)",
        ),
        (
            "pixi.lock",
            "version: 5\npackages:\n- kind: conda\n  name: trl\n  version: 0.9.6\n  build: pyhd8ed1ab_0\n",
            "trl 0.9.6 (locked in pixi.lock:5)",
        ),
    ] {
        assert_eq!(trl(&[(name, text)]), expected, "{text}");
    }
    let both =
        [("pixi.toml", "[dependencies]\ntrl = '>=0.9'\n"), ("pixi.lock", "packages:\n- name: trl\n  version: 0.9.6\n")];
    assert_eq!(trl(&both), "trl 0.9.6 (locked in pixi.lock:3)");
}

#[test]
fn conda() {
    for (text, expected) in [
        (
            "dependencies:\n  - python=3.9\n  - trl=0.12\n",
            "trl 0.12.2 (newest that trl==0.12.* in environment.yml:3 allows)",
        ),
        ("dependencies:\n  - trl *\n", "trl 1.16.0 (newest that trl in environment.yml:2 allows)"),
        ("dependencies:\n  - conda-forge::trl==0.12.2\n", "trl 0.12.2 (pinned in environment.yml:2)"),
        (
            "dependencies:\n  - trl=0.12.2=pyhd8ed1ab_0\n",
            "trl 0.12.2 (newest that trl==0.12.2.* in environment.yml:2 allows)",
        ),
        ("dependencies:\n  - trl=0.9|0.12\n", "trl 0.12.0 (pinned in environment.yml:2)"),
        ("dependencies:\n  - python=3.9\n  - trl\n", "trl 0.29.0 (newest that trl in environment.yml:3 allows)"),
        (
            "dependencies:\n  - pip\n  - pip:\n    - 'trl>=0.9,<0.12'  # old\n",
            "trl 0.11.4 (newest that trl>=0.9,<0.12 in environment.yml:4 allows)",
        ),
        ("dependencies:\n  - pip:\n    - -r requirements.txt\n", "trl 0.9.6 (pinned in requirements.txt:1)"),
        ("model: gpt2\n", "trl 1.16.0 (nothing declares trl; newest known release)"),
        ("", "trl 1.16.0 (nothing declares trl; newest known release)"),
    ] {
        let unlisted: &[_] = &[("requirements.txt", "trl==0.9.6")];
        let files: &[_] = &[("environment.yml", text)];
        let project = Project { files, unlisted, ..Project::default() };
        assert_eq!(project.describe("train.py", "trl"), expected, "{text}");
    }
}

#[test]
fn setup_files() {
    let alignment = "_deps = [\n    'accelerate>=0.29.3',\n    'trl>=0.9.6,<0.12',\n]\n\
                     deps = {b: a for a, b in (re.findall(r'^(([^!=<>~ ]+).*)$', x)[0] for x in _deps)}\n\
                     install_requires = [deps['trl']]\nsetup(install_requires=install_requires)\n";
    assert_eq!(trl(&[("setup.py", alignment)]), "trl 0.11.4 (newest that trl>=0.9.6,<0.12 in setup.py:3 allows)");
    let project = Project {
        files: &[("setup.py", "setup(install_requires=open('requirements.txt').readlines())"), ("a/train.py", "")],
        unlisted: &[("requirements.txt", "trl==0.9.6")],
        ..Project::default()
    };
    assert_eq!(project.describe("a/train.py", "trl"), "trl 0.9.6 (pinned in requirements.txt:1)");
    let cfg = "[options]\ninstall_requires =\n    peft\n    trl==0.9.6 ; python_version > '3'\n[options.extras_require]\nx = trl>=0.7\n";
    assert_eq!(trl(&[("setup.cfg", cfg)]), "trl 0.9.6 (pinned in setup.cfg:4)");
}

#[test]
fn commands() {
    for (file, text, expected) in [
        ("run.sh", "pip install -U 'trl==0.9.6' peft\n", "trl 0.9.6 (pinned in run.sh:1)"),
        ("run.sh", "set -e\npython3 -m pip install \\\n  trl==0.9.6\n", "trl 0.9.6 (pinned in run.sh:3)"),
        ("run.sh", "uv pip install --system trl==0.9.6\n", "trl 0.9.6 (pinned in run.sh:1)"),
        ("run.sh", "TRL=0.9.6\npip install trl==$TRL\n", "trl 0.9.6 (pinned in run.sh:2)"),
        ("run.sh", "conda install -c conda-forge trl=0.9\n", "trl 0.9.6 (newest that trl==0.9.* in run.sh:1 allows)"),
        ("run.sh", "uv run --with trl==0.9.6 train.py\n", "trl 0.9.6 (pinned in run.sh:1)"),
        (
            "Dockerfile",
            "FROM python:3.9-slim\nRUN apt-get update && \\\n    pip install --no-cache-dir \\\n    trl\n",
            "trl 0.29.0 (newest that trl in Dockerfile:4 allows)",
        ),
        (
            "docker/Dockerfile",
            "COPY x y\nRUN pip install -r requirements.txt\n",
            "trl 0.9.2 (pinned in requirements.txt:1)",
        ),
        ("Makefile", "install:\n\tpip install trl==0.9.6\n", "trl 0.9.6 (pinned in Makefile:2)"),
        ("run.sh", "pip install -r reqs/all.txt\n", "trl 0.9.2 (pinned in reqs/all.txt:1)"),
        ("run.sh", "pip install $PACKAGES <name>\n", "trl 1.16.0 (nothing declares trl; newest known release)"),
        ("run.sh", "echo pip install trl==0.9.6\n", "trl 1.16.0 (nothing declares trl; newest known release)"),
    ] {
        let unlisted: &[_] = &[("reqs/all.txt", "trl==0.9.2"), ("requirements.txt", "trl==0.9.2")];
        let files: &[_] = &[(file, text), ("train.py", "")];
        let project = Project { files, unlisted, ..Project::default() };
        assert_eq!(project.describe("train.py", "trl"), expected, "{text}");
    }
}

#[test]
fn notebooks() {
    let cell = |source: &str| format!(r#"{{"cells": [{{"cell_type": "code", "source": {source}}}], "nbformat": 4}}"#);
    for (source, expected) in [
        (r#"["!pip install -q trl==0.9.6 peft\n", "import trl"]"#, "trl 0.9.6 (pinned in a.ipynb:1)"),
        (r#"["%pip install 'trl>=0.9,<0.12'"]"#, "trl 0.11.4 (newest that trl>=0.9,<0.12 in a.ipynb:1 allows)"),
        (r#"["%%bash\n", "pip install trl==0.9.6"]"#, "trl 0.9.6 (pinned in a.ipynb:1)"),
        (r#"["!pip install trl==0.9.6\n", "!pip install trl==0.9.2"]"#, "trl 0.9.2 (pinned in a.ipynb:1)"),
        (r#"["x = 1"]"#, "trl 0.12.2 (pinned in requirements.txt:1)"),
        (r#"["!pip install peft"]"#, "trl 0.12.2 (pinned in requirements.txt:1)"),
        ("[", "trl 0.12.2 (pinned in requirements.txt:1)"),
    ] {
        let text = cell(source);
        let files: &[_] = &[("a.ipynb", text.as_str()), ("requirements.txt", "trl==0.12.2"), ("b.ipynb", "")];
        let project = Project { files, ..Project::default() };
        assert_eq!(project.describe("a.ipynb", "trl"), expected, "{source}");
        assert_eq!(project.describe("b.ipynb", "trl"), "trl 0.12.2 (pinned in requirements.txt:1)", "{source}");
    }
    let text = cell(r#"["!pip install trl==0.9.6\n", "!python train.py"]"#);
    assert_eq!(trl(&[("a.ipynb", text.as_str()), ("train.py", "")]), "trl 0.9.6 (pinned in a.ipynb:1)");
}

#[test]
fn notebooks_that_were_exported() {
    let header = "# /// script\n# dependencies = ['trl==0.9.6']\n# ///\n";
    for (script, expected) in [
        ("get_ipython().system('pip install trl==0.9.2')\n", "trl 0.9.2 (pinned in train.py:1)"),
        (
            "get_ipython().run_cell_magic('capture', '', '!pip install torch\\n!pip install trl==0.9.2\\n')\n",
            "trl 0.9.2 (pinned in train.py:1)",
        ),
        ("get_ipython().system('pip list')\n", "trl 0.12.2 (pinned in requirements.txt:1)"),
        (&format!("{header}get_ipython().system('pip install trl==0.9.2')\n"), "trl 0.9.6 (pinned in train.py:2)"),
    ] {
        let files = [("train.py", script), ("requirements.txt", "trl==0.12.2"), ("other.py", "")];
        assert_eq!(trl(&files), expected, "{script}");
        let project = Project { files: &files, ..Project::default() };
        assert_eq!(project.describe("other.py", "trl"), "trl 0.12.2 (pinned in requirements.txt:1)");
    }
}

#[test]
fn an_include_that_leads_nowhere_matters_to_what_it_governs() {
    let project = Project {
        files: &[("deploy/requirements.txt", "-r gone.txt"), ("deploy/train.py", ""), ("train.py", "")],
        ..Project::default()
    };
    assert!(project.describe("deploy/train.py", "trl").ends_with("cannot read deploy/gone.txt: no such file"));
    assert!(!project.describe("train.py", "trl").contains("gone.txt"));
}

#[test]
fn script_headers() {
    let script = "#!/usr/bin/env python\n# /// script\n# requires-python = '>=3.10'\n# dependencies = [\n#   'trl==0.9.6',\n#\n# ]\n# ///\nimport trl\n";
    let project = Project {
        files: &[("train.py", script), ("other.py", ""), ("requirements.txt", "trl==0.12.2\ntransformers==4.46.3")],
        ..Project::default()
    };
    assert_eq!(project.describe("train.py", "trl"), "trl 0.9.6 (pinned in train.py:5)");
    assert_eq!(
        project.describe("train.py", "transformers"),
        "transformers 5.0.0 (nothing declares transformers; newest known release)"
    );
    assert_eq!(project.describe("other.py", "trl"), "trl 0.12.2 (pinned in requirements.txt:1)");
    for (text, expected) in [
        ("# /// script\r\n# dependencies = ['trl==0.9.6']\r\n# ///\r\n", "trl 0.9.6 (pinned in train.py:2)"),
        ("# /// script\n# dependencies = ['trl==0.9.6']\n", "trl 1.16.0 (nothing declares trl; newest known release)"),
        (
            "# /// script\n# dependencies = ['trl==0.9.6']\nx = 1\n# ///\n",
            "trl 1.16.0 (nothing declares trl; newest known release)",
        ),
        (
            "# /// other\n# dependencies = ['trl==0.9.6']\n# ///\n",
            "trl 1.16.0 (nothing declares trl; newest known release)",
        ),
        (
            "# 中文\n# /// script\n# dependencies = ['trl']\n# [tool.uv.sources]\n# trl = { git = 'https://x.org/trl', tag = 'v0.9.6' }\n# ///\n",
            "trl 0.9.6 (from git+https://x.org/trl@v0.9.6 in train.py:3)",
        ),
    ] {
        assert_eq!(trl(&[("train.py", text)]), expected, "{text}");
    }
    let lock = [("train.py", script), ("train.py.lock", "[[package]]\nname = 'trl'\nversion = '0.9.2'\n")];
    assert_eq!(trl(&lock), "trl 0.9.2 (locked in train.py.lock:3)");
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
    .ask("train.py", |environment, sources| environment.package("trl").expect("known").describe(&in_file(sources)));
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
    let broken = with(&["trl=1"]);
    assert!(broken.starts_with("trl 0.9.6 (pinned in requirements.txt:1) ! --target trl=1: `=1` is no"), "{broken}");
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
