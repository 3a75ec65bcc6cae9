//! What others install and start: the hooks, the action, the wheel, the package. Their real counterparts (pre-commit, maturin, a
//! virtual environment without Rust) need a network and minutes; here is what goes wrong without them.

use std::path::{Path, PathBuf};
use std::process::Command;

use dpo_lint::source::Sources;
use dpo_lint::syntax::{Document, Format, Node, parse};

const PROGRAM: &str = env!("CARGO_BIN_EXE_dpo-lint");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).expect("a file of the repository")
}

fn yaml(name: &str) -> Document {
    let document = parse(Format::Yaml, &Sources::default().add(name.into(), read(name)));
    assert_eq!(document.errors, [], "{name}");
    document
}

fn text<'a>(node: &'a Node, name: &str) -> &'a str {
    node.get(name).and_then(Node::as_str).unwrap_or_else(|| panic!("no `{name}`"))
}

fn toml(name: &str) -> toml::Table {
    read(name).parse().expect("TOML")
}

/// A project with one error, mended by the safe fixes, in a script that needs the requirements beside it.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join(".git")).expect("a folder");
    std::fs::create_dir_all(folder.path().join("src")).expect("a folder");
    let script = "from trl import DPOTrainer\n\n\ndef train(model, data, tok):\n    \
                  DPOTrainer(model, train_dataset=data, tokenizer=tok)\n";
    for (name, text) in
        [("requirements.txt", "trl==0.16.0\n"), ("src/train.py", script), ("src/other.py", "import trl\n")]
    {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

#[test]
fn hooks_run_what_the_program_takes_with_any_list_of_files() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let hooks: Vec<&Node> = hooks.root.entries().iter().map(|hook| &hook.value).collect();
    assert_eq!(hooks.iter().map(|hook| text(hook, "id")).collect::<Vec<_>>(), ["dpo-lint", "dpo-lint-fix"]);
    for hook in hooks {
        let is_fix = text(hook, "id") == "dpo-lint-fix";
        let mut words = text(hook, "entry").split_whitespace();
        assert_eq!(words.next(), Some("dpo-lint"));
        let words: Vec<&str> = words.collect();
        // pre-commit adds some of the files; what is found depends on all of the project.
        for (files, code) in [(&["src/other.py"][..], 0), (&["src/train.py", "src/other.py"], i32::from(!is_fix))] {
            let folder = project();
            let output = Command::new(PROGRAM)
                .env("DPO_LINT_CACHE", folder.path().join("no-such-cache"))
                .current_dir(folder.path())
                .args(words.iter().chain(files))
                .output()
                .expect("it runs");
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(code), "{words:?} {files:?}: {said}");
            let is_mended = std::fs::read_to_string(folder.path().join("src/train.py")).expect("there");
            assert_eq!(is_mended.contains("processing_class"), is_fix && files.len() == 2, "{words:?} {files:?}");
        }
    }
}

#[test]
fn hooks_are_asked_about_every_file_that_is_read() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    for hook in hooks.root.entries() {
        let files =
            regex::Regex::new(text(hook.value.target(), "files")).expect("a pattern that Python and Rust both read");
        for name in [
            "train.py",
            "a/b.PYI",
            "w.pyw",
            "a.ipynb",
            "c.yaml",
            "c.yml",
            "ds.json",
            ".vscode/settings.json",
            "x.jsonc",
            "pyproject.toml",
            "setup.cfg",
            "tox.ini",
            "run.sh",
            "a.bash",
            "a.zsh",
            "a.ksh",
            "a.slurm",
            "a.sbatch",
            "uv.lock",
            "poetry.lock",
            "pixi.lock",
            "Pipfile",
            "Pipfile.lock",
            "requirements.txt",
            "requirements-dev.in",
            "requirements/gpu.txt",
            "constraints.txt",
            "Dockerfile",
            "docker/Dockerfile.gpu",
            "gpu.dockerfile",
            "Containerfile",
            "Makefile",
            "GNUmakefile",
            "Makefile.train",
            "rules.mk",
            "rules.mak",
        ] {
            assert!(Format::of(Path::new(name)).is_some() && files.is_match(name), "{name}");
        }
        for name in ["readme.md", "notes.txt", "data.jsonl", "model.safetensors"] {
            assert!(Format::of(Path::new(name)).is_none() && !files.is_match(name), "{name}");
        }
    }
}

/// The steps of the action are started as the service does, with the program where the first of them would put it.
#[test]
#[cfg(unix)]
fn the_action_runs_what_its_inputs_say() {
    let action = yaml("action.yml");
    let inputs = action.root.get("inputs").expect("inputs");
    let step =
        action.root.get("runs").and_then(|runs| runs.get("steps")).expect("steps").entries().last().expect("one");
    let run = |values: &[(&str, &str)]| {
        let folder = project();
        let bin = folder.path().join("tools/dpo-lint/bin");
        std::fs::create_dir_all(&bin).expect("a folder");
        std::os::unix::fs::symlink(PROGRAM, bin.join("dpo-lint")).expect("a link");
        let mut command = Command::new("bash");
        command.args(["-e", "-o", "pipefail", "-c", text(&step.value, "run")]).current_dir(folder.path());
        command
            .env("RUNNER_TEMP", folder.path().join("tools"))
            .env("DPO_LINT_CACHE", folder.path().join("no-such-cache"));
        for variable in step.value.get("env").expect("variables").entries() {
            let expression = variable.value.as_str().expect("text");
            let name =
                expression.strip_prefix("${{ inputs.").and_then(|rest| rest.strip_suffix(" }}")).expect("an input");
            let default = text(inputs.get(name).unwrap_or_else(|| panic!("no input `{name}`")), "default");
            let value = values.iter().find(|(input, _)| *input == name).map_or(default, |(_, value)| *value);
            command.env(variable.name().expect("a name"), value);
        }
        let output = command.output().expect("bash");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let report = std::fs::read_to_string(folder.path().join("report.json"));
        (output.status.code().expect("no signal"), said, report.ok())
    };
    let (code, said, _) = run(&[]);
    assert!(code == 1 && said.starts_with("::error title=DPL102"), "{code} {said}");
    assert_eq!(run(&[("fail-on", "never")]).0, 0);
    assert_eq!(run(&[("paths", "src/other.py requirements.txt")]).0, 1, "the finding has a label there");
    assert_eq!(run(&[("paths", "src/other.py")]).0, 0);
    assert_eq!(run(&[("args", "--ignore DPL102 --quiet")]).0, 0);
    let (_, _, report) = run(&[("output-format", "sarif"), ("output-file", "report.json")]);
    assert!(report.expect("a report").contains("\"2.1.0\""));
    // A script that stands in an input is text.
    assert_eq!(run(&[("paths", "src/other.py;$(touch x) `touch x`")]).0, 2);
}

#[test]
fn every_description_says_the_same() {
    let (cargo, python) = (toml("Cargo.toml"), toml("pyproject.toml"));
    let (package, project) = (&cargo["package"], &python["project"]);
    for key in ["name", "description", "readme", "license", "keywords"] {
        assert_eq!(package[key], project[key], "{key}");
    }
    assert_eq!(yaml("action.yml").root.get("name").and_then(Node::as_str), package["name"].as_str());
    for file in project["license-files"].as_array().expect("a list") {
        assert!(root().join(file.as_str().expect("a path")).is_file(), "{file}");
    }
    let version = package["version"].as_str().expect("a version");
    let readme = read("README.md");
    assert!(readme.contains(&format!("rev: v{version}\n")), "the hook in the README");
    assert!(readme.contains(&format!("dpo-lint=={version}]")), "the hook without a toolchain in the README");
    assert!(readme.contains(&format!("OWNER/dpo-lint@v{version}`")), "the action in the README");
}

/// The mirror has our hooks, installs this release and nothing else, and a release is written once. `packaging/pre-commit/try.sh` shows
/// that the real pre-commit installs it without Rust.
#[test]
#[cfg(unix)]
fn the_mirror_installs_this_release_with_the_same_hooks() {
    if Command::new("git").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mirror = folder.path().join("mirror");
    let write = || {
        let mut command = Command::new(root().join("packaging/pre-commit/mirror.sh"));
        // Whoever signs commits signs none of these.
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for name in ["GIT_AUTHOR", "GIT_COMMITTER"] {
            command.env(format!("{name}_NAME"), "me").env(format!("{name}_EMAIL"), "me@localhost");
        }
        command.arg(&mirror).output().expect("bash")
    };
    let git = |words: &[&str]| {
        let output = Command::new("git").arg("-C").arg(&mirror).args(words).output().expect("git");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let first = write();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let of_mirror = |name: &str| std::fs::read_to_string(mirror.join(name)).expect("it is written");
    let version = toml("Cargo.toml")["package"]["version"].as_str().expect("a version").to_owned();
    assert_eq!(git(&["tag", "--points-at", "HEAD"]), format!("v{version}"));
    assert_eq!(git(&["status", "--porcelain"]), "");
    for name in [".pre-commit-hooks.yaml", "LICENSE-APACHE", "LICENSE-MIT"] {
        assert_eq!(of_mirror(name), read(name), "{name}");
    }
    let (theirs, ours) = (of_mirror("pyproject.toml").parse::<toml::Table>().expect("TOML"), toml("pyproject.toml"));
    let dependencies = theirs["project"]["dependencies"].as_array().expect("a list");
    let name = ours["project"]["name"].as_str().expect("a name");
    assert_eq!(dependencies[..], [toml::Value::from(format!("{name}=={version}"))]);
    assert_eq!(theirs["project"]["requires-python"], ours["project"]["requires-python"]);
    assert!(of_mirror("README.md").contains(&format!("rev: v{version}\n")));
    assert!(!(of_mirror("README.md") + &of_mirror("pyproject.toml")).contains('@'), "a placeholder is left");

    let commits = git(&["rev-list", "--count", "HEAD"]);
    let again = write();
    assert_eq!(again.status.code(), Some(2), "a tag never moves");
    assert_eq!(git(&["rev-list", "--count", "HEAD"]), commits);
    git(&["tag", "--delete", &format!("v{version}")]);
    std::fs::write(mirror.join("notes"), "mine").expect("written");
    assert_eq!(write().status.code(), Some(2), "what somebody works on is left alone");
    assert_eq!(of_mirror("notes"), "mine");
}

/// Nobody knows yet where the repository will be: the one placeholder stands in the README, which says so.
#[test]
fn the_owner_is_named_in_one_place() {
    let tracked = Command::new("git").args(["grep", "-lw", "OWNER"]).current_dir(root()).output();
    let Some(output) = tracked.ok().filter(|output| output.status.success()) else { return };
    let files: Vec<PathBuf> = String::from_utf8_lossy(&output.stdout).lines().map(PathBuf::from).collect();
    assert_eq!(files, [PathBuf::from("README.md"), PathBuf::from("tests/packaging.rs")]);
    let readme = read("README.md");
    assert!(readme.contains("`OWNER` stands for"));
    let places = readme.matches("OWNER").count();
    assert_eq!(places, 1 + readme.matches("OWNER/dpo-lint").count(), "always with the name of the repository");
}

/// What a build, and the tests of a package, read is in it; what only this repository needs is not.
#[test]
fn the_package_has_what_a_build_needs() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let listed = Command::new(cargo)
        .args(["package", "--list", "--allow-dirty", "--offline", "--quiet"])
        .current_dir(root())
        .output()
        .expect("cargo");
    let list = String::from_utf8_lossy(&listed.stdout).into_owned();
    let is_there = |name: &str| list.lines().any(|line| line == name);
    for name in
        ["Cargo.lock", "build.rs", "pyproject.toml", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "src/main.rs"]
    {
        assert!(is_there(name), "{name}: {}", String::from_utf8_lossy(&listed.stderr));
    }
    for file in std::fs::read_dir(root().join("schemas/knowledge")).expect("a folder") {
        let name = file.expect("an entry").file_name();
        assert!(is_there(&format!("schemas/knowledge/{}", name.display())), "{}", name.display());
    }
    for prefix in ["fixtures/", "fuzz/", ".ci/", "packaging/", "tests/"] {
        assert!(!list.lines().any(|line| line.starts_with(prefix)), "{prefix} is of use in the repository alone");
    }
}
