//! The mined files have the form that their schema describes, and mining again changes no byte of them.

use std::path::{Path, PathBuf};

use dpo_lint::mine::{Options, WheelsOfLibrary as Library, mine, mine_imports, render, render_imports};

/// The libraries whose imports of each other are mined.
const LIBRARIES: [&str; 5] = ["accelerate", "datasets", "peft", "transformers", "trl"];

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

/// The mined files, by package.
fn mined() -> Vec<(String, String)> {
    let folder = |name| std::fs::read_dir(schemas().join(name)).expect("the folder exists");
    let entries = folder("knowledge").chain(folder("frameworks"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    files.sort();
    let name = |path: &Path| path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
    let files = files.into_iter().filter(|path| name(path) != "curated");
    files.map(|path| (name(&path), std::fs::read_to_string(&path).expect("it can be read"))).collect()
}

fn validator(schema: &str) -> jsonschema::Validator {
    let schema = std::fs::read_to_string(schemas().join(schema)).expect("it can be read");
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("it is JSON");
    jsonschema::validator_for(&schema).expect("it is a schema")
}

fn assert_form(validator: &jsonschema::Validator, package: &str, text: &str) {
    let value: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
    let errors: Vec<String> =
        validator.iter_errors(&value).take(5).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    assert!(errors.is_empty(), "{package}: {errors:#?}");
}

#[test]
fn the_files_have_the_form_of_the_schema() {
    let validator = validator("knowledge.schema.json");
    for (package, text) in mined() {
        assert_form(&validator, &package, &text);
    }
    for package in ["bitsandbytes", "datasets", "deepspeed"] {
        let path = schemas().join("companions").join(format!("{package}.json"));
        assert_form(&validator, package, &std::fs::read_to_string(path).expect("it can be read"));
    }
    let broken =
        serde_json::json!({"package": "p", "releases": [], "exports": {"p": {"in": "1.0 to 2.0"}}, "callables": {}});
    assert!(!validator.is_valid(&broken), "an interval is no free text");
}

#[test]
fn what_is_imported_has_the_form_of_its_schema() {
    let validator = validator("imports.schema.json");
    for package in LIBRARIES {
        let path = schemas().join("imports").join(format!("{package}.json"));
        let text = std::fs::read_to_string(path).expect("it can be read");
        assert_form(&validator, package, &text);
    }
    let broken = serde_json::json!({"package": "p", "modules": {"p": {"needs": {"no name": [{}]}}}});
    assert!(!validator.is_valid(&broken), "what is needed is a module and a name");
}

/// Runs where `DPO_LINT_WHEELS` is set, as below.
#[test]
fn mining_imports_again_changes_no_byte() {
    let Some(wheels) = std::env::var_os("DPO_LINT_WHEELS").map(PathBuf::from) else { return };
    let library = |package: &str| {
        let folder = std::fs::read_dir(wheels.join(package)).ok()?;
        let wheels = folder.filter_map(|entry| Some(entry.ok()?.path()));
        let wheels = wheels.filter(|path| path.extension().is_some_and(|end| end == "whl")).collect();
        Some(Library { package: package.to_owned(), wheels })
    };
    // They are mined of all together: without one of them the others are not the same.
    let Some(libraries) = LIBRARIES.into_iter().map(library).collect::<Option<Vec<_>>>() else { return };
    for imports in mine_imports(&libraries).expect("the wheels can be mined") {
        let path = schemas().join("imports").join(format!("{}.json", imports.package()));
        let text = std::fs::read_to_string(path).expect("it can be read");
        assert!(render_imports(&imports) == text, "{}: mined again, the file is another one", imports.package());
    }
}

/// Runs where `DPO_LINT_WHEELS` names a folder with the wheels of each package in a folder of its own.
#[test]
fn mining_again_changes_no_byte() {
    let Some(wheels) = std::env::var_os("DPO_LINT_WHEELS").map(PathBuf::from) else { return };
    for (package, text) in mined() {
        let Ok(folder) = std::fs::read_dir(wheels.join(&package)) else { continue };
        let paths: Vec<PathBuf> = folder.filter_map(|entry| Some(entry.ok()?.path())).collect();
        let index = std::fs::read_to_string(schemas().join("index").join(format!("{package}.json"))).ok();
        // A framework is mined in part by what `surface.json` says.
        let is_framework = schemas().join("frameworks").join(format!("{package}.json")).exists();
        let only = if is_framework { Vec::new() } else { kept(&text) };
        let options = Options { package: &package, index: index.as_deref(), only: &only };
        let again = render(&mine(&options, &paths).expect("the wheels can be mined"));
        assert!(again == text, "{package}: mined again, the file is another one");
    }
}

/// The names that a file mined in part was restricted to: all that it has.
fn kept(text: &str) -> Vec<String> {
    let value: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
    if value.get("partial").is_none() {
        return Vec::new();
    }
    let callables = value["callables"].as_object().expect("callables are an object");
    callables.keys().filter_map(|name| Some(name.rsplit('.').next()?.to_owned())).collect()
}
