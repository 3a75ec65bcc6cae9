//! The examples of a rule's page, each with the project in which it stands.
//!
//! A fence's info string says in which file an example stands (`python`: a script, `json`: the settings of an adapter, `yaml`: a
//! configuration, `sh`: a launch script, `requirements`, `pyproject`: declarations beside a script that imports a trainer) and what
//! it is: `text,requirements`, `text,pyproject`, `text,script`, `json,list` (the data sets of LLaMA-Factory),
//! `json,deepspeed` and what is `beside`, such as a launch script (`json,beside:configs/ds.json` in a place of its own), hold for the
//! examples after it; `python,bad` must be found by the rule, `python,good` must not; `python,fixed` is what the safe fix makes of the last bad example, `python,unsafe-fixed`
//! what the unsafe one does.

use std::collections::BTreeMap;

/// A fenced example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example<'a> {
    /// `bad`, `good`, `fixed` or `unsafe-fixed`.
    pub kind: &'a str,
    /// Path and text of the files of its project; the first is the example itself.
    pub files: Vec<(String, String)>,
}

impl Example<'_> {
    /// The example itself.
    pub fn text(&self) -> &str {
        &self.files[0].1
    }
}

/// The examples of a page, in order; what only stands beside others is in their files.
pub fn examples(page: &str) -> Vec<Example<'_>> {
    let (mut examples, mut beside) = (Vec::new(), BTreeMap::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```").filter(|info| !info.is_empty()) else { continue };
        let body = lines.by_ref().take_while(|line| line.trim() != "```");
        let text = body.fold(String::new(), |text, line| text + line.strip_prefix(' ').unwrap_or(line) + "\n");
        let (language, kind) = info.split_once(',').unwrap_or(("", info));
        let path = match language {
            "json" => "adapter_config.json",
            "requirements" => "requirements.txt",
            "pyproject" => "pyproject.toml",
            "yaml" => "config.yaml",
            "sh" => "run.sh",
            _ => "train.py",
        };
        match kind {
            "requirements" => _ = beside.insert("requirements.txt", text),
            "pyproject" => _ = beside.insert("pyproject.toml", text),
            "script" => _ = beside.insert("train.py", text),
            "list" => _ = beside.insert("data/dataset_info.json", text),
            "deepspeed" => _ = beside.insert("ds.json", text),
            kind if kind.starts_with("beside") => {
                _ = beside.insert(kind.strip_prefix("beside:").unwrap_or(path), text);
            }
            kind => examples.push(Example { kind, files: project(path, text, &beside) }),
        }
    }
    examples
}

/// The example with the files beside it: declarations beside a script, a script beside declarations.
fn project(path: &str, text: String, beside: &BTreeMap<&str, String>) -> Vec<(String, String)> {
    let mut files = vec![(path.to_owned(), text)];
    let others = beside.iter().filter(|(other, _)| **other != path);
    files.extend(others.map(|(path, text)| ((*path).to_owned(), text.clone())));
    if matches!(path, "requirements.txt" | "pyproject.toml") && !beside.contains_key("train.py") {
        files.push(("train.py".to_owned(), "from trl import DPOTrainer\n".to_owned()));
    }
    files
}
