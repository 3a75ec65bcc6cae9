//! The mined guards, put together again, say what the real libraries were seen to do with a reference and an adapter.
//!
//! The table names releases; no source file does. It was read from the libraries by hand and is a check on the mined facts.

use std::sync::Arc;

use dpo_lint::eval::{self, Const, Host, Object, Summary, Tri, Value};
use dpo_lint::knowledge::{Knowledge, Package, Resolution};
use dpo_lint::source::{FileId, Sources, Span};
use dpo_lint::syntax::python::PythonModule;

/// Answers from the curated facts, and defaults of fields of one release.
struct Release<'a> {
    package: &'a Package,
    release: usize,
}

impl Host for Release<'_> {
    fn module(&self, _: FileId, _: &str, _: u32) -> Option<Arc<PythonModule>> {
        None
    }
    fn call(&self, _: &str) -> Option<Summary> {
        None
    }
    fn attribute(&self, object: &Object, attribute: &str) -> Option<Value> {
        if let Some((_, value)) = object.stored.iter().find(|(name, _)| &**name == attribute) {
            return Some(value.clone());
        }
        let Resolution::Definition(definition) = self.package.resolve(&object.callee, self.release) else {
            return None;
        };
        let signature = self.package.signature(definition, self.release)?;
        literal(signature.parameters.get(attribute)?.default.as_deref()?)
    }
    fn is_instance(&self, callee: &str, class: &str) -> Option<bool> {
        Knowledge::bundled().curated().is_instance(callee, class)
    }
}

fn literal(text: &str) -> Option<Value> {
    Some(match text {
        "None" => Value::NONE,
        "True" => Value::bool(true),
        "False" => Value::bool(false),
        _ => return None,
    })
}

/// What is passed; the rest has its default.
type Arguments = Vec<(&'static str, Value)>;

fn object(callee: &str, stored: &[(&str, Value)]) -> Value {
    let sources = Sources::default();
    let file = sources.add("call.py".into(), "");
    let id = callee.len() as u32 + stored.len() as u32 * 1000;
    let stored = stored.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect();
    Value::Object(Arc::new(Object {
        id,
        callee: callee.into(),
        span: Span { file: file.id(), start: 0, end: 0 },
        args: Vec::new(),
        stored,
        copy_of: None,
        receiver: None,
        parsed: None,
    }))
}

/// Whether some guard of the constructor certainly raises; `None` when the call does not fit the signature.
fn raises(release: &str, arguments: &Arguments) -> Option<bool> {
    let package = Knowledge::bundled().package("trl")?;
    let release = package.index_of(&release.parse().expect("a version")).expect("a mined release");
    let Resolution::Definition(definition) = package.resolve("trl.DPOTrainer", release) else { return None };
    let signature = package.signature(definition, release)?;
    if arguments.iter().any(|(name, _)| signature.accepts(name) != Some(true)) {
        return None;
    }
    let host = Release { package, release };
    let defaults = signature
        .parameters
        .iter()
        .filter_map(|(name, parameter)| Some((*name, literal(parameter.default.as_deref()?)?)));
    let given = |name: &str| arguments.iter().any(|(given, _)| *given == name);
    // What every example of the table passes besides.
    let common = ["train_dataset", "processing_class", "tokenizer", "data_collator"];
    let mut bindings: Vec<(&str, Value)> =
        defaults.filter(|(name, _)| !given(name) && !common.contains(name)).collect();
    bindings.extend(arguments.iter().cloned());
    let certain = |when: &str| eval::condition(when, &bindings, &host).verdict() == Tri::Yes;
    Some(package.guards(definition, release).iter().any(|guard| certain(&guard.when)))
}

fn model() -> Value {
    object("transformers.AutoModelForCausalLM.from_pretrained", &[])
}
fn adapter() -> Value {
    object("peft.LoraConfig", &[])
}
fn reference() -> Value {
    object("transformers.AutoModelForCausalLM.from_pretrained", &[("other", Value::bool(true))])
}
fn config(force: Option<bool>) -> Value {
    let stored: Vec<(&str, Value)> =
        force.map(|force| ("force_use_ref_model", Value::bool(force))).into_iter().collect();
    object("trl.DPOConfig", &stored)
}
/// The configuration: before it had a class of its own, plain training arguments.
fn arguments(release: &str, force: Option<bool>) -> (&'static str, Value) {
    let package = Knowledge::bundled().package("trl").expect("bundled");
    let release = package.index_of(&release.parse().expect("a version")).expect("mined");
    match package.resolve("trl.DPOConfig", release) {
        Resolution::Definition(_) => ("args", config(force)),
        _ => ("args", object("transformers.TrainingArguments", &[])),
    }
}

/// Every mined release in a closed interval.
fn releases(first: &str, last: &str) -> Vec<String> {
    let package = Knowledge::bundled().package("trl").expect("bundled");
    let set = package.releases_in(&format!("{first} - {last}"));
    let found: Vec<String> = set.iter().map(|release| package.releases()[release].version.clone()).collect();
    assert!(found.len() >= if first == last { 1 } else { 2 }, "{first} - {last} names mined releases");
    found
}

#[test]
fn both_given() {
    for (first, last, expected) in [
        ("0.4.0", "0.4.7", None),
        ("0.5.0", "0.7.10", Some(false)),
        ("0.7.11", "0.27.2", Some(true)),
        ("0.28.0", "0.28.0", Some(false)),
        ("0.29.0", "1.16.0", Some(false)),
    ] {
        for release in releases(first, last) {
            let args = arguments(&release, None);
            let both = vec![("model", model()), ("ref_model", reference()), ("peft_config", adapter()), args.clone()];
            assert_eq!(raises(&release, &both), expected, "both in {release}");
            for less in [
                vec![("model", model()), ("ref_model", reference()), args.clone()],
                vec![("model", model()), ("peft_config", adapter()), args.clone()],
            ] {
                let expected = expected.map(|_| false);
                assert_eq!(raises(&release, &less), expected, "one of them in {release}");
            }
        }
    }
}

#[test]
fn a_path_counts_as_given() {
    for release in releases("0.7.11", "0.27.2") {
        let args = arguments(&release, None);
        let both = vec![("model", model()), ("ref_model", Value::str("path")), ("peft_config", adapter()), args];
        assert_eq!(raises(&release, &both), Some(true), "{release}");
    }
}

#[test]
fn forced_by_the_configuration() {
    for (first, last, force, expected) in [
        ("0.9.2", "0.27.2", true, false),
        ("0.9.2", "0.27.2", false, true),
        ("0.28.0", "0.28.0", true, false),
        ("0.28.0", "0.28.0", false, true),
    ] {
        for release in releases(first, last) {
            let args = ("args", config(Some(force)));
            let both = vec![("model", model()), ("ref_model", reference()), ("peft_config", adapter()), args];
            assert_eq!(raises(&release, &both), Some(expected), "{release} with {force}");
        }
    }
}

#[test]
fn forced_by_the_argument() {
    for (first, last, expected) in
        [("0.5.0", "0.7.11", None), ("0.8.0", "0.12.2", Some(false)), ("0.13.0", "1.16.0", None)]
    {
        for release in releases(first, last) {
            let force = ("force_use_ref_model", Value::Const(Const::Bool(true)));
            let args = arguments(&release, None);
            let both = vec![("model", model()), ("ref_model", reference()), ("peft_config", adapter()), args, force];
            assert_eq!(raises(&release, &both), expected, "{release}");
        }
    }
}

#[test]
fn an_adapter_on_an_adapter() {
    for (first, last, expected) in [("0.5.0", "0.26.2", false), ("0.27.0", "1.16.0", true)] {
        for release in releases(first, last) {
            let wrapped = object("peft.get_peft_model", &[]);
            let args = arguments(&release, None);
            let call = vec![("model", wrapped), ("peft_config", adapter()), args];
            assert_eq!(raises(&release, &call), Some(expected), "{release}");
        }
    }
}

#[test]
fn the_model_as_its_own_reference() {
    for (first, last, expected) in [("0.5.0", "0.10.1", false), ("0.11.0", "1.16.0", true)] {
        for release in releases(first, last) {
            let same = model();
            let call = vec![("model", same.clone()), ("ref_model", same), arguments(&release, None)];
            assert_eq!(raises(&release, &call), Some(expected), "{release}");
        }
    }
}
