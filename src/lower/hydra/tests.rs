//! Compositions against what hydra itself made of the same files: `tests/golden/hydra.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::compose::compose;
use super::overrides::word;
use crate::eval::Const;
use crate::lower::config::ArgumentFile;
use crate::source::{FileId, MemoryFileSystem, Sources, Span};

#[derive(Deserialize)]
struct Case {
    about: String,
    files: BTreeMap<String, String>,
    name: String,
    #[serde(default)]
    overrides: Vec<String>,
    /// What hydra made of it, by path; `None`: it refused.
    made: Option<BTreeMap<String, serde_json::Value>>,
    /// Whether nothing is said of it here.
    #[serde(default)]
    unknown: bool,
}

#[test]
fn what_is_composed_is_what_hydra_composes() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../tests/golden/hydra.json")).expect("the file is valid");
    assert!(cases.len() > 40);
    let mut known = 0;
    let wrong: Vec<String> = cases.iter().filter_map(|case| differs(case, &mut known)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(known > 150, "{known} values are known");
}

/// What is not as hydra has it.
fn differs(case: &Case, known: &mut usize) -> Option<String> {
    let files = files(case);
    let nowhere = Span::new(FileId(0), 0, 0);
    let overrides: Option<Vec<_>> = case.overrides.iter().map(|text| word(text, nowhere)).collect();
    let composed = overrides.and_then(|overrides| compose(&files, Path::new("conf"), &case.name, &overrides));
    let (Some(composed), Some(made), false) = (&composed, &case.made, case.unknown) else {
        let is_right = composed.is_none() && (case.made.is_none() || case.unknown);
        return (!is_right)
            .then(|| format!("{}: it is {}known", case.about, if composed.is_some() { "" } else { "not " }));
    };
    let paths: Vec<&String> = composed.leaves.keys().collect();
    if paths != made.keys().collect::<Vec<_>>() {
        return Some(format!("{}: {paths:?}", case.about));
    }
    let mut values = made.iter().filter_map(|(path, expected)| {
        let node = &composed.leaves[path].0;
        let value = composed.constant(path, node, 0)?;
        *known += 1;
        (shown(&value) != *expected).then(|| format!("{}: {path} is {value}", case.about))
    });
    values.next()
}

fn shown(value: &Const) -> serde_json::Value {
    match value {
        Const::None => serde_json::Value::Null,
        Const::Bool(value) => (*value).into(),
        Const::Int(value) => (*value).into(),
        Const::Float(bits) => f64::from_bits(*bits).into(),
        Const::Str(text) => (&**text).into(),
    }
}

fn files(case: &Case) -> Vec<ArgumentFile> {
    let disk = MemoryFileSystem::default();
    let sources = Sources::default();
    let read = |(path, text): (&String, &String)| {
        let path = Path::new("conf").join(path);
        disk.insert(path.clone(), text.as_str());
        let source = sources.add(path.clone(), text.clone());
        let document = crate::syntax::parse(crate::syntax::Format::Yaml, &source);
        ArgumentFile { path, source, document: document.into(), within: None }
    };
    case.files.iter().map(read).collect()
}
