//! Python in, what the interpreter makes of it out.

#![allow(clippy::unwrap_used)]

mod entries;
mod raises;
mod scripts;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::source::{FileId, Sources};
use crate::syntax::python::PythonModule;

/// A project in memory and a small library: the names that the tests use.
struct Project {
    modules: BTreeMap<String, Arc<PythonModule>>,
}

impl Project {
    /// The entry and other modules, by dotted name.
    fn new(files: &[(&str, &str)]) -> Self {
        let sources = Sources::default();
        let modules = files.iter().map(|(dotted, text)| {
            let source = sources.add(format!("{}.py", dotted.replace('.', "/")).into(), *text);
            ((*dotted).to_owned(), Arc::new(PythonModule::parse(&source)))
        });
        Self { modules: modules.collect() }
    }
}

impl Host for Project {
    fn module(&self, importer: FileId, dotted: &str, level: u32) -> Option<Arc<PythonModule>> {
        if level == 0 {
            return self.modules.get(dotted).cloned();
        }
        let (own, _) = self.modules.iter().find(|(_, module)| module.file() == importer)?;
        let mut parts: Vec<&str> = own.split('.').collect();
        parts.truncate(parts.len().checked_sub(level as usize)?);
        parts.extend(dotted.split('.').filter(|part| !part.is_empty()));
        self.modules.get(&parts.join(".")).cloned()
    }

    fn call(&self, callee: &str) -> Option<Summary> {
        Some(match callee {
            "trl.get_peft_config" => Summary::Cases(vec![
                ("not model_args.use_peft".into(), None),
                ("True".into(), Some("peft.LoraConfig".into())),
            ]),
            "peft.get_peft_model" => Summary::Object,
            "trl.create_reference_model" => Summary::Copy(0, "model".into()),
            "accelerate.Accelerator.prepare" => Summary::Same(1, "model".into()),
            "transformers.HfArgumentParser" => Summary::Parser(ParserKind::HfArgumentParser),
            "trl.TrlParser" => Summary::Parser(ParserKind::TrlParser),
            _ => return None,
        })
    }

    fn attribute(&self, _: &Object, _: &str) -> Option<Value> {
        None
    }

    fn is_instance(&self, callee: &str, class: &str) -> Option<bool> {
        match (callee, class) {
            ("peft.get_peft_model", "PeftModel") => Some(true),
            ("transformers.AutoModelForCausalLM.from_pretrained", "PeftModel") => Some(false),
            _ => None,
        }
    }
}

/// Runs the module `main` of a project.
fn run(files: &[(&str, &str)]) -> Trace {
    let project = Project::new(files);
    run_script(&project.modules["main"], &project)
}

/// The calls of `callee`, each as `name=value` arguments, with the condition and what is caught where there is some.
fn calls(files: &[(&str, &str)], callee: &str) -> String {
    let trace = run(files);
    assert!(!trace.exhausted, "exhausted: {}", files[0].1);
    show_calls(&trace, callee)
}

fn show_calls(trace: &Trace, callee: &str) -> String {
    let own = trace.calls.iter().filter(|event| &*event.object.callee == callee);
    let lines = own.map(|event| {
        let mut parts: Vec<String> = event.object.args.iter().map(|argument| show_argument(argument, trace)).collect();
        if event.open {
            parts.push("**".into());
        }
        let mut line = parts.join(", ");
        if event.when != Cond::TRUE {
            line.extend([" @ ", &show_cond(&event.when, trace)]);
        }
        if !event.caught.is_empty() {
            line.extend([" caught ", &event.caught.join("/")]);
        }
        if let Some(class) = &event.through {
            line.extend([" through ", &class.name]);
        }
        line
    });
    lines.collect::<Vec<_>>().join("; ")
}

fn show_argument(argument: &Argument, trace: &Trace) -> String {
    let name = argument.name.as_ref().map(|name| format!("{name}=")).unwrap_or_default();
    let value = show(&argument.value.value, trace);
    let when =
        if argument.when == Cond::TRUE { String::new() } else { format!(" [{}]", show_cond(&argument.when, trace)) };
    format!("{name}{value}{when}")
}

/// A condition with flags by name.
fn show_cond(cond: &Cond, trace: &Trace) -> String {
    let mut text = cond.to_string();
    for (index, flag) in trace.flags.iter().enumerate().rev() {
        text = text.replace(&format!("flag#{index}"), &format!("args.{}", flag.name));
    }
    text
}

/// A value as short text.
fn show(value: &Value, trace: &Trace) -> String {
    let short = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    match value {
        Value::Unknown => "?".into(),
        Value::Const(constant) => constant.to_string(),
        Value::Symbol(_) => show_cond(&truth(value), trace),
        Value::Object(object) => {
            if let Some(original) = &object.copy_of {
                format!("copy of {}", show(original, trace))
            } else {
                let args: Vec<String> = object.args.iter().map(|argument| show_argument(argument, trace)).collect();
                let stored = object.stored.iter().map(|(name, value)| format!(" .{name}={}", show(value, trace)));
                format!("{}({}){}", short(&object.callee), args.join(", "), stored.collect::<String>())
            }
        }
        Value::Instance(instance) => format!("<{}>", short(&instance.class.name)),
        Value::List(items) => {
            format!("[{}]", items.iter().map(|item| show(&item.value, trace)).collect::<Vec<_>>().join(", "))
        }
        Value::Dict(dict) => {
            let entries = dict.entries.iter().map(|(key, value, _)| {
                let when = dict.maybe.get(key).map(|when| format!(" [{}]", show_cond(when, trace))).unwrap_or_default();
                format!("{key}: {}{when}", show(&value.value, trace))
            });
            let mut entries: Vec<String> = entries.collect();
            if dict.open {
                entries.push("**".into());
            }
            format!("{{{}}}", entries.join(", "))
        }
        Value::Function(function) => format!("def {}", short(&function.name)),
        Value::Class(class) => format!("class {}", short(&class.name)),
        Value::External(path) => path.to_string(),
        Value::Module(_) => "module".into(),
        Value::Choice(choices) => {
            let parts =
                choices.iter().map(|(when, value)| format!("{} if {}", show(value, trace), show_cond(when, trace)));
            parts.collect::<Vec<_>>().join(" | ")
        }
    }
}
