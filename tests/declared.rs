//! What is declared, as the program reports, mends and shows it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// A folder with these files, a repository of its own.
fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join(".git")).expect("a folder");
    for (path, text) in files {
        fs::write(folder.path().join(path), text).expect("a file");
    }
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_dpo-lint")).args(arguments).current_dir(folder).output();
    String::from_utf8(output.expect("it runs").stdout).expect("text")
}

fn codes(folder: &Path) -> Vec<String> {
    let report: Value = serde_json::from_str(&run(folder, &["check", "--output-format", "json"])).expect("JSON");
    let code = |finding: &Value| finding["code"].as_str().expect("a code").to_owned();
    report["findings"].as_array().expect("a list").iter().map(code).collect()
}

const SCRIPT: &str = "from trl import DPOConfig, DPOTrainer\n";
const NOTEBOOK: (&str, &str) = (
    "{\"cells\":[{\"cell_type\":\"code\",\"metadata\":{},\"outputs\":[],\"execution_count\":null,\"source\":[\"!pip install ",
    "\\n\",\"from trl import DPOTrainer\"]}],\"metadata\":{},\"nbformat\":4,\"nbformat_minor\":5}\n",
);

/// Each fix leaves a project without findings about releases, and the second time there is nothing to do.
#[test]
fn fixes_of_declarations_keep_the_style_of_every_format() {
    let notebook = |text: &str| format!("{}{text}{}", NOTEBOOK.0, NOTEBOOK.1);
    let poetry = |text: &str| {
        format!("[tool.poetry]\nname='x'\nversion='1'\n[tool.poetry.dependencies]\npython='^3.10'\n{text}\n")
    };
    let pep621 =
        |text: &str| format!("[project]\nname='x'\nversion='1'\nrequires-python='>=3.11'\ndependencies=[{text}]\n");
    let conda =
        |text: &str| format!("dependencies:\n  - python=3.11\n  - pip:\n      - trl==0.13.0\n      - \"{text}\"\n");
    let setup = |text: &str| {
        format!("from setuptools import setup\n\nsetup(name='x', install_requires=['trl==0.13.0', '{text}'])\n")
    };
    for (path, before, code, after) in [
        (
            "requirements.txt",
            "trl==0.13.0\ntransformers>=4.46  # why\n".to_owned(),
            "DPL209",
            "trl==0.13.0\ntransformers>=4.46,<5  # why\n".to_owned(),
        ),
        ("requirements.txt", "trl>=0.8\n".to_owned(), "DPL206", "trl>=0.9.2\n".to_owned()),
        (
            "requirements.txt",
            "trl==0.23.1\ntransformers == 4.57.0\n".to_owned(),
            "DPL207",
            "trl==0.23.1\ntransformers == 4.57.1\n".to_owned(),
        ),
        (
            "pyproject.toml",
            pep621("'trl==0.13.0', 'transformers==5.23.0'"),
            "DPL201",
            pep621("'trl==0.13.0', 'transformers==4.57.6'"),
        ),
        (
            "pyproject.toml",
            poetry("trl='0.13.0'\ntransformers='>=4.46'"),
            "DPL209",
            poetry("trl='0.13.0'\ntransformers='>=4.46,<5'"),
        ),
        ("environment.yml", conda("transformers>=4.46"), "DPL209", conda("transformers>=4.46,<5")),
        ("setup.py", setup("transformers>=4.46"), "DPL209", setup("transformers>=4.46,<5")),
        (
            "Dockerfile",
            "FROM python:3.11\nRUN pip install trl==0.13.0 'transformers==5.23.0'\n".to_owned(),
            "DPL201",
            "FROM python:3.11\nRUN pip install trl==0.13.0 'transformers==4.57.6'\n".to_owned(),
        ),
        (
            "a.ipynb",
            notebook("trl==0.13.0 transformers==5.23.0"),
            "DPL201",
            notebook("trl==0.13.0 transformers==4.57.6"),
        ),
    ] {
        let mut files = vec![(path, before.as_str())];
        if path != "a.ipynb" {
            files.push(("train.py", SCRIPT));
        }
        let folder = project(&files);
        assert_eq!(codes(folder.path()), [code], "{before}");
        run(folder.path(), &["check", "--fix", "--unsafe-fixes"]);
        assert_eq!(fs::read_to_string(folder.path().join(path)).expect("a file"), after);
        assert_eq!(codes(folder.path()), [""; 0], "{after}");
        assert_eq!(run(folder.path(), &["check", "--diff", "--unsafe-fixes", "--quiet"]), "", "{after}");
    }
}

#[test]
fn what_is_no_contradiction_is_not_reported() {
    let pyproject = "[project]\nname='x'\nversion='1'\nrequires-python='>=3.11'\ndependencies=['trl>=0.24']\n";
    let old = "trl==0.9.6\n";
    for (files, expected) in [
        (vec![("requirements.txt", old)], vec!["DPL203"]),
        (vec![("requirements-dev.txt", old)], vec![]),
        (vec![("requirements-gpu.txt", old)], vec![]),
        (vec![("Dockerfile", "FROM python:3.11 AS other\nRUN pip install trl==0.9.6\n")], vec![]),
        (vec![("requirements.txt", "trl==0.9.6 ; sys_platform == 'darwin'\n")], vec![]),
        (vec![("requirements.txt", "trl==0.24.0\n")], vec![]),
    ] {
        let mut all = vec![("pyproject.toml", pyproject), ("train.py", "from trl import DPOTrainer\n")];
        all.extend(files.iter().copied());
        let mut found = codes(project(&all).path());
        found.retain(|code| code == "DPL203");
        assert_eq!(found, expected, "{files:?}");
    }
}

#[test]
fn the_interpreter_of_the_project_is_read_where_tools_read_it() {
    let requirements = ("requirements.txt", "trl==0.25.0\n");
    for (python, expected) in
        [("3.9\n", vec!["DPL205"]), ("3.9.18\n", vec!["DPL205"]), ("3.12\n", vec![]), ("pypy3.9\n", vec![])]
    {
        let folder = project(&[requirements, (".python-version", python), ("train.py", SCRIPT)]);
        assert_eq!(codes(folder.path()), expected, "{python}");
    }
}

#[test]
fn a_rule_that_is_no_mistake_everywhere_runs_only_where_it_is_selected() {
    let folder = project(&[("requirements.txt", "trl>=0.24\n"), ("train.py", SCRIPT)]);
    let report =
        |arguments: &[&str]| run(folder.path(), &[&["check", "--output-format", "concise"], arguments].concat());
    assert!(!report(&[]).contains("DPL202"));
    assert!(report(&["--extend-select", "DPL202"]).contains("nothing bounds trl from above"));
    assert!(report(&["--select", "ALL"]).contains("DPL202"));
}

#[test]
fn verdicts_are_shown_for_people_and_programs() {
    let folder = project(&[("requirements.txt", "trl==0.13.0\ntransformers>=4.46\n"), ("train.py", SCRIPT)]);
    let table = run(folder.path(), &["versions"]);
    assert!(table.contains("imports: no, `DPO"), "{table}");
    assert!(table.contains("newest set that works: ") && table.contains("transformers==4.57.6"), "{table}");
    let json: Value =
        serde_json::from_str(&run(folder.path(), &["versions", "--output-format", "json"])).expect("JSON");
    let text = json.to_string();
    assert!(text.contains("\"fails\"") && text.contains("4.57.6"), "{text}");
    let matrix = run(folder.path(), &["versions", "--matrix", "peft", "accelerate", "--output-format", "json"]);
    let matrix: Value = serde_json::from_str(&matrix).expect("JSON");
    assert_eq!((&matrix["rows"], &matrix["columns"]), (&Value::from("peft"), &Value::from("accelerate")));
    let outcomes =
        matrix["lines"].as_array().expect("rows").iter().flat_map(|line| line["cells"].as_array().expect("cells"));
    assert!(outcomes.into_iter().any(|cell| cell["outcome"] == "works"));
}

/// The file that includes names no library, and the included one is not called like a list of requirements.
#[test]
fn what_requirements_include_is_declared() {
    let folder = project(&[("requirements.txt", "-r base.txt\n"), ("base.txt", "trl==0.13.0\n"), ("train.py", SCRIPT)]);
    let report: Value = serde_json::from_str(&run(folder.path(), &["check", "--output-format", "json"])).expect("JSON");
    assert!(report["environment"].to_string().contains("0.13.0"), "{report}");
}
