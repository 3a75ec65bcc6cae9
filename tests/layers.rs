//! Invariants of the source tree: imports point downward, files stay short.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// From the bottom to the top. A module may use those before it. `mine` stands beside `model` and above: it uses syntax,
/// knowledge and eval.
const LAYERS: &[&str] = &[
    "source",
    "syntax",
    "diagnostic",
    "knowledge",
    "eval",
    "model",
    "lower",
    "rules",
    "engine",
    "server",
    "output",
    "cli",
];

/// What `mine` may use.
const UNDER_MINE: &[&str] = &["source", "syntax", "diagnostic", "knowledge", "eval"];

/// What `runner` may use.
const UNDER_RUNNER: &[&str] = &["source"];

/// Beyond this many lines a file is several things.
const LONGEST: usize = 800;

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the source tree") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                files.push((path.strip_prefix(&root).expect("below the root").to_path_buf(), text));
            }
        }
    }
    files.sort();
    files
}

/// The layer of a file: its first folder, or its own name.
fn layer(path: &Path) -> String {
    let first = path.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// Every layer named after `crate::`, in code and in tests alike; comments aside. `use crate::{a, b}` names both.
fn used(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        match rest.strip_prefix('{') {
            None => names.push(rest.chars().take_while(|c| is_name(*c)).collect()),
            Some(list) => {
                let mut depth = 0;
                let mut name = String::new();
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => names.push(std::mem::take(&mut name)),
                        c if depth == 0 && !c.is_whitespace() => name.push(c),
                        _ => {}
                    }
                }
                names.push(name);
            }
        }
    }
    names.iter().map(|name| name.split("::").next().unwrap_or_default().to_owned()).collect()
}

fn is_allowed(from: &str, to: &str) -> bool {
    let height = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    match (from, to) {
        _ if from == to => true,
        ("mine", to) => UNDER_MINE.contains(&to),
        // A server answers in a form of its own, and only the command starts it.
        (from, "server") => from == "cli",
        // Training gets what was read, and reads nothing of the user's configuration itself.
        ("runner", to) => UNDER_RUNNER.contains(&to),
        // Mining comes before a check, and training after it; neither is a part of it.
        ("cli", "mine" | "runner") => true,
        _ => match (height(from), height(to)) {
            (Some(from), Some(to)) => to < from,
            // The crate's own root (`lib.rs`, `main.rs`), or a name that is no layer (a macro).
            (None, _) => true,
            (Some(_), None) => to != "mine" && to != "runner",
        },
    }
}

#[test]
fn imports_point_downward() {
    assert_eq!(
        used("use crate::{syntax::{a, b}, model};\nlet x = crate::cli::y;\n// crate::rules"),
        ["syntax", "model", "cli"]
    );
    for (from, to, allowed) in [
        ("cli", "source", true),
        ("source", "syntax", false),
        ("rules", "engine", false),
        ("mine", "knowledge", true),
        ("mine", "rules", false),
        ("lower", "mine", false),
        ("cli", "runner", true),
        ("runner", "lower", false),
        ("engine", "runner", false),
        ("cli", "server", true),
        ("server", "engine", true),
        ("server", "output", false),
        ("output", "server", false),
    ] {
        assert_eq!(is_allowed(from, to), allowed, "{from} -> {to}");
    }
    let mut upward: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for (path, text) in sources() {
        let from = layer(&path);
        for to in used(&text) {
            if !is_allowed(&from, &to) {
                upward.entry(path.clone()).or_default().push(to);
            }
        }
    }
    assert!(upward.is_empty(), "imports that point upward: {upward:#?}");
}

#[test]
fn every_module_is_a_layer() {
    let known = ["lib", "main", "mine", "runner"];
    let unknown: Vec<String> = sources()
        .iter()
        .map(|(path, _)| layer(path))
        .filter(|name| !LAYERS.contains(&name.as_str()) && !known.contains(&name.as_str()))
        .collect();
    assert!(unknown.is_empty(), "give these a place in the order: {unknown:?}");
}

#[test]
fn files_are_short() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .collect();
    assert!(long.is_empty(), "more than {LONGEST} lines: {long:?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let is_test = |path: &Path| path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
    let silent = sources().into_iter().filter(|(path, text)| !is_test(path) && !text.starts_with("//!"));
    let silent: Vec<PathBuf> = silent.map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "no module documentation: {silent:?}");
}
