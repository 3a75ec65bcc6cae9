//! The modules of one release as the evaluator sees them.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::Ranged;

use super::library::Library;
use super::model::write_validators;
use super::scope::{Binding, Scope, Tree};
use super::surface::Surface;
use super::unpacking::write_unpacked;
use super::wheel::Modules;
use crate::eval::{self, Host, Object, Summary, Trace, Value};
use crate::knowledge::{Effect, Knowledge};
use crate::source::FileId;
use crate::syntax::python::PythonModule;

/// Hardware is not assumed to be there, unlike libraries.
const HARDWARE: [&str; 9] = ["npu", "xpu", "tpu", "mps", "cuda", "mlu", "musa", "hpu", "neuron"];

/// Functions of other packages whose meaning is simple, so that conditions on them can be read.
const HELPERS: [(&str, &str); 1] = [(
    "is_peft_model",
    "def is_peft_model(model):\n    from peft import PeftModel\n    return isinstance(model, PeftModel)\n",
)];

/// A package, what it exports from an inner module, and what that is built on.
const MAX_DISTANCE: u32 = 3;

/// Runs functions of one release.
pub(super) struct LibraryHost {
    modules: Modules,
    /// A module is loaded when it is at most this many imports away from the function's own.
    max_distance: u32,
}

impl LibraryHost {
    /// The release's modules, with what is assumed of the environment written at their end.
    pub fn new(library: &Library<'_>, surface: &Surface) -> Self {
        let files = library.scopes().filter_map(|(name, scope)| {
            let python = &library.modules.get(name)?.python;
            let unpacks = |function: &str| surface.unpacks(&format!("{name}.{function}"));
            let more = assumptions(library, python, scope, surface, &unpacks);
            let mut text = format!("{}\n{more}", without_lazy_names(python));
            if surface.is_configured() {
                super::program::write_checks(python, &mut text);
            }
            Some((python.path().to_string_lossy().into_owned(), text))
        });
        // In a library that is too large to be mined whole, three imports lead to a thousand modules.
        let max_distance = if surface.is_narrow() { 1 } else { MAX_DISTANCE };
        Self { modules: Modules::parse(files), max_distance }
    }

    /// Evaluates a function or method with unknown parameters.
    pub fn run(&self, module: &str, qualified: &str) -> Option<Trace> {
        let python = &self.modules.get(module)?.python;
        let near = Near { host: self, distance: Mutex::new(HashMap::from([(python.file(), 0)])) };
        eval::run_function(python, qualified, &near)
    }

    /// Evaluates `__post_init__` of a class; the fields are attributes of the parameter `self`.
    pub fn run_post_init(&self, module: &str, class: &str) -> Option<Trace> {
        self.run(module, &stand_in(class))
    }
}

/// The modules around a function: in some libraries every module leads to every other, and loading them all takes far longer
/// than the function.
struct Near<'h> {
    host: &'h LibraryHost,
    /// Imports between the function's module and each that was loaded.
    distance: Mutex<HashMap<FileId, u32>>,
}

impl Host for Near<'_> {
    fn module(&self, importer: FileId, dotted: &str, level: u32) -> Option<Arc<PythonModule>> {
        let modules = &self.host.modules;
        let module = &modules.get(&modules.absolute(modules.name_of(importer)?, dotted, level))?.python;
        let mut distance = self.distance.lock().ok()?;
        let next = distance.get(&importer).map_or(0, |distance| distance + 1);
        let known = distance.entry(module.file()).or_insert(next);
        *known = next.min(*known);
        (*known <= self.host.max_distance).then(|| Arc::clone(module))
    }

    fn call(&self, callee: &str) -> Option<Summary> {
        let name = callee.rsplit('.').next().unwrap_or(callee);
        if asks_for_library(name) {
            return Some(Summary::Value(Value::bool(true)));
        }
        Some(match Knowledge::bundled().curated().effect(callee)? {
            Effect::Copy(position, name) => Summary::Copy(position, name.into()),
            Effect::Same(position, name) => Summary::Same(position, name.into()),
            Effect::Receiver => Summary::Same(0, "self".into()),
            Effect::AdapterModel | Effect::Object => Summary::Object,
        })
    }

    fn attribute(&self, _: &Object, _: &str) -> Option<Value> {
        None
    }

    fn is_instance(&self, callee: &str, class: &str) -> Option<bool> {
        // `getattr(transformers, architecture).from_pretrained(...)`: a plain model, whichever it is.
        let is_loaded = callee.starts_with("?.") && callee.ends_with(".from_pretrained");
        let loaded = (is_loaded && matches!(class, "str" | "PeftModel")).then_some(false);
        Knowledge::bundled().curated().is_instance(callee, class).or(loaded)
    }
}

/// The text of a module without the names that it hands to a lazy loader: [`Scope`] has them, and in some libraries they are
/// thousands, which would be evaluated for each function again.
fn without_lazy_names(python: &PythonModule) -> String {
    let is_list = |target: &Expr| matches!(target, Expr::Name(name) if name.id.as_str() == "_import_structure");
    let list = python.body().iter().find_map(|statement| match statement {
        Stmt::Assign(assign) if assign.targets.iter().any(is_list) => match &*assign.value {
            Expr::Dict(dict) => Some(dict.range()),
            _ => None,
        },
        _ => None,
    });
    let Some(list) = list else { return python.text().to_owned() };
    let (before, after) = (&python.text()[..list.start().to_usize()], &python.text()[list.end().to_usize()..]);
    format!("{before}{{}}{after}")
}

/// Python that is read after a module's own text.
fn assumptions(
    library: &Library<'_>,
    python: &PythonModule,
    scope: &Scope<'_>,
    surface: &Surface,
    unpacks: &dyn Fn(&str) -> bool,
) -> String {
    let mut text = String::new();
    for (name, binding) in &scope.bindings {
        match binding {
            Binding::Function(_) if asks_for_library(name) => {
                _ = write!(text, "def {name}(*args, **kwargs):\n    return True\n");
            }
            Binding::Function(function) if unpacks(name) => {
                write_unpacked(python, function, &made(library, scope), &mut text);
            }
            Binding::Function(function) => {
                if let Some(answer) = asked_release(python, function) {
                    let parameters = &python.text()[function.parameters.range().to_std_range()];
                    _ = write!(text, "def {name}{parameters}:\n    return {answer}\n");
                }
            }
            Binding::Class(class) => {
                write_validators(python, class, &mut text);
                for method in validating(class, surface) {
                    _ = write!(text, "def {}(self):\n    {name}.{method}(self)\n", validator(name, method));
                }
                let Some(method) = post_init(class) else { continue };
                _ = write!(text, "def {}(self):\n    {name}.__post_init__(self)\n", stand_in(name));
                own_checks(method).for_each(|check| _ = writeln!(text, "    {name}.{check}(self)"));
            }
            Binding::Imported { .. } => {
                text.extend(HELPERS.iter().filter(|(helper, _)| helper == name).map(|(_, source)| *source));
            }
            _ => {}
        }
    }
    text
}

/// The classes that a module imports whose objects change themselves when they are made: module and name.
fn made<'s>(library: &Library<'_>, scope: &'s Scope<'_>) -> Vec<(&'s str, &'s str)> {
    let imported = scope.bindings.values().filter_map(|binding| match binding {
        Binding::Imported { module, name: Some(name) } => Some((module.as_str(), name.as_str())),
        _ => None,
    });
    let changes_itself = |(module, name): &(&str, &str)| match library.definition(&format!("{module}.{name}")) {
        Some((owner, Binding::Class(class))) => owner == *module && post_init(class).is_some(),
        _ => false,
    };
    imported.filter(changes_itself).collect()
}

/// What a function returns that asks for the release of a package and has something else to say where there is none: packages are
/// taken to be installed.
fn asked_release<'p>(python: &'p PythonModule, function: &ast::StmtFunctionDef) -> Option<&'p str> {
    let [Stmt::Try(attempt)] = &*function.body else { return None };
    let [Stmt::Return(answer)] = &*attempt.body else { return None };
    let answer = &python.text()[answer.value.as_ref()?.range().to_std_range()];
    answer.contains("metadata.version(").then_some(answer)
}

/// The methods that a method calls as plain statements, `self._validate_args()`: a parameter has no methods, so that these
/// are called after it. They see what it has made of the fields by its end.
fn own_checks(method: &ast::StmtFunctionDef) -> impl Iterator<Item = &str> {
    method.body.iter().filter_map(|statement| {
        let Stmt::Expr(expression) = statement else { return None };
        let Expr::Call(call) = &*expression.value else { return None };
        let Expr::Attribute(called) = &*call.func else { return None };
        let is_self = matches!(&*called.value, Expr::Name(name) if name.id.as_str() == "self");
        (is_self && call.arguments.is_empty()).then_some(called.attr.as_str())
    })
}

/// A method is evaluated through a function, so that its `self` is a parameter with attributes that are not known.
pub(super) fn stand_in(class: &str) -> String {
    format!("stand_in_for_{class}")
}

/// The methods of a class that check an object after it was made.
pub(super) fn validating<'c>(class: &'c ast::StmtClassDef, surface: &Surface) -> impl Iterator<Item = &'c str> {
    let methods = class.body.iter().filter_map(|statement| match statement {
        Stmt::FunctionDef(method) => Some(method.name.as_str()),
        _ => None,
    });
    methods.filter(|method| surface.validates(method))
}

/// The name of the function that stands for such a method.
pub(super) fn validator(class: &str, method: &str) -> String {
    format!("{}_{}", stand_in(class), method.trim_matches('_'))
}

/// `is_peft_available`: whether a library is installed.
fn asks_for_library(name: &str) -> bool {
    let library = name.strip_prefix("is_").and_then(|rest| rest.strip_suffix("_available"));
    library.is_some_and(|library| !library.split('_').any(|part| HARDWARE.contains(&part)))
}

/// The `__post_init__` that a class defines itself.
pub(super) fn post_init(class: &ast::StmtClassDef) -> Option<&ast::StmtFunctionDef> {
    class.body.iter().find_map(|statement| match statement {
        Stmt::FunctionDef(method) if method.name.as_str() == "__post_init__" => Some(method),
        _ => None,
    })
}
