//! Where evaluations start: a script, one function, one condition.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ruff_python_ast::{self as ast, Stmt};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::interpreter::{Code, Definition, FUNCTION_WORK, Frame, Interpreter, Kind, SCRIPT_WORK};
use super::store::Slot;
use super::truth::truth;
use super::{Class, Cond, Host, Object, Root, Symbol, Trace, Value};
use crate::source::Sources;
use crate::syntax::python::PythonModule;

/// Deep nesting of calls inside calls needs more than a thread usually has; pages that are not touched cost nothing.
const STACK: usize = 512 << 20;

/// Evaluates a file as a script, then each of its functions that was not called with unknown parameters.
pub fn run_script(module: &Arc<PythonModule>, host: &dyn Host) -> Trace {
    run_file(module, host, false)
}

/// Evaluates a file as a script of which a program reads the names: they are in [`Trace::names`].
pub fn run_configuration(module: &Arc<PythonModule>, host: &dyn Host) -> Trace {
    run_file(module, host, true)
}

fn run_file(module: &Arc<PythonModule>, host: &dyn Host, keeps_names: bool) -> Trace {
    on_big_stack(|| {
        let mut state = Interpreter::new(module, host);
        state.limit_work(SCRIPT_WORK);
        let scope = state.load(module, None);
        if keeps_names && state.alive() {
            state.trace.names = state.names_of(scope);
        }
        state.path = Cond::TRUE;
        state.run_uncalled(module);
        state.trace
    })
}

/// Evaluates one function with unknown parameters: `get_peft_config`, `DPOTrainer.__init__`. `None`: there is none.
///
/// What follows `if a: raise` is reached only where `a` does not hold. Here that is left out of the conditions: where `a`
/// holds the call has failed already, and a later `if b: raise` means that it cannot succeed under `b`.
pub fn run_function(module: &Arc<PythonModule>, qualified: &str, host: &dyn Host) -> Option<Trace> {
    on_big_stack(|| {
        let mut state = Interpreter::new(module, host);
        state.limit_work(FUNCTION_WORK);
        let scope = state.load(module, None);
        state.path = Cond::TRUE;
        let mut names = qualified.split('.');
        let mut value = state.store.get(&Slot::Variable(scope, names.next()?.into())).cloned()?;
        let mut receiver = None;
        for name in names {
            let value_class = some_class(&value)?;
            receiver = Some(Value::Instance(state.new_instance(&value_class, None)));
            value = state.own_attribute(&value_class, name)?;
        }
        let Value::Function(function) = some_function(&value)? else { return None };
        let definition = state.definitions.get(&function.id).cloned()?;
        let files = std::mem::take(&mut state.trace.files);
        state.trace = Trace { files, ..Trace::default() };
        state.active.clear();
        state.lenient = true;
        let value = state.run_symbolic(&definition, receiver);
        state.trace.returned = Some(state.export(&value));
        Some(state.trace)
    })
}

/// Whether a Python expression is true where its names are bound to values. A name that is not bound is a fresh unknown;
/// `...` stands for a question that was not understood.
pub fn condition(expr: &str, bindings: &[(&str, Value)], host: &dyn Host) -> Cond {
    let module = parse(expr);
    of_text(&module, bindings, host).truth_of_text(&module, named(bindings))
}

/// The value of a Python expression without names, such as a parameter's default.
pub fn expression(expr: &str, host: &dyn Host) -> Value {
    let module = parse(expr);
    let mut state = Interpreter::new(&module, host);
    state.limit_depth();
    state.value_of_text(&module, BTreeMap::new()).unwrap_or(Value::Unknown)
}

/// The value of a Python expression whose names are bound to values; what is not bound, and `...`, is not known.
pub fn expression_with(expr: &str, bindings: &[(&str, Value)], host: &dyn Host) -> Value {
    let module = parse(expr);
    of_text(&module, bindings, host).value_of_text(&module, named(bindings)).unwrap_or(Value::Unknown)
}

/// An interpreter for one expression.
fn of_text<'a>(module: &Arc<PythonModule>, bindings: &[(&str, Value)], host: &'a dyn Host) -> Interpreter<'a> {
    // Ids that no trace uses, and no other expression.
    static NEXT: AtomicU32 = AtomicU32::new(1 << 31);
    let mut state = Interpreter::new(module, host);
    state.skip_ids(NEXT.fetch_add(64, Ordering::Relaxed));
    state.limit_depth();
    for (_, value) in bindings {
        state.know(value, 4);
    }
    state
}

fn named(bindings: &[(&str, Value)]) -> BTreeMap<Arc<str>, Value> {
    bindings.iter().map(|(name, value)| ((*name).into(), value.clone())).collect()
}

/// The same few hundred conditions and defaults are evaluated for every call.
fn parse(text: &str) -> Arc<PythonModule> {
    static KNOWN: Mutex<FxHashMap<String, Arc<PythonModule>>> = Mutex::new(FxHashMap::with_hasher(FxBuildHasher));
    if let Some(known) = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(text) {
        return Arc::clone(known);
    }
    let module = Arc::new(PythonModule::parse(&Sources::default().add("condition".into(), text)));
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned(), Arc::clone(&module));
    module
}

fn some_class(value: &Value) -> Option<Arc<Class>> {
    value.alternatives().into_iter().find_map(|(_, value)| match value {
        Value::Class(class) => Some(class),
        _ => None,
    })
}

fn some_function(value: &Value) -> Option<Value> {
    value.alternatives().into_iter().map(|(_, value)| value).find(|value| matches!(value, Value::Function(_)))
}

/// On a stack of its own: a thread would do the same, and its memory is slow to grow.
fn on_big_stack<T>(act: impl FnOnce() -> T) -> T {
    stacker::grow(STACK, act)
}

impl Interpreter<'_> {
    /// Evaluates an expression of its own text.
    fn truth_of_text(&mut self, module: &Arc<PythonModule>, bindings: BTreeMap<Arc<str>, Value>) -> Cond {
        self.value_of_text(module, bindings).map_or_else(Cond::opaque, |value| truth(&value))
    }

    /// `None` for a text that is no expression.
    fn value_of_text(&mut self, module: &Arc<PythonModule>, bindings: BTreeMap<Arc<str>, Value>) -> Option<Value> {
        let [Stmt::Expr(statement)] = module.body() else { return None };
        if !module.errors().is_empty() {
            return None;
        }
        let scope = self.new_scope(None, false, module.file());
        let frame = Frame::of_module(module, scope, self.store.mark());
        let outer = std::mem::replace(&mut self.frame, frame);
        let detached = std::mem::replace(&mut self.detached, true);
        let path = self.path.clone();
        let events = self.event_mark();
        for (name, value) in bindings {
            self.store.set(Slot::Variable(scope, name), Some(value));
        }
        let value = self.expr(&statement.value);
        self.rewind_events(events);
        self.path = path;
        self.detached = detached;
        self.frame = outer;
        Some(value)
    }

    /// A test of [`super::Summary::Cases`] with the arguments of a call. Which parameter a positional argument fills is not
    /// known here; the names in the tests are taken in order of appearance.
    pub(super) fn case_test(&mut self, test: &str, cases: &[(String, Option<Arc<str>>)], object: &Object) -> Cond {
        let mut bindings: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        let mut names: Vec<Arc<str>> = Vec::new();
        for (test, _) in cases {
            for name in free_names(&parse(test)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        for argument in &object.args {
            if let Some(name) = &argument.name {
                bindings.insert(Arc::clone(name), argument.value.value.clone());
                names.retain(|known| known != name);
            }
        }
        let positional = object.args.iter().filter(|argument| argument.name.is_none());
        for (name, argument) in names.into_iter().zip(positional) {
            bindings.insert(name, argument.value.value.clone());
        }
        let module = parse(test);
        // Attributes of what a parser filled are flags of this trace.
        let detached = std::mem::replace(&mut self.keep_flags, true);
        let cond = self.truth_of_text(&module, bindings);
        self.keep_flags = detached;
        cond
    }

    /// Registers the objects in a value that another evaluation made.
    fn know(&mut self, value: &Value, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else { return };
        match value {
            Value::Object(object) => {
                self.objects.insert(object.id, Arc::clone(object));
            }
            Value::Instance(instance) => {
                self.instances.insert(instance.id, Arc::clone(instance));
                if let Some(object) = &instance.object {
                    self.store.set(Slot::Base(instance.id), Some(Value::Object(Arc::clone(object))));
                }
            }
            Value::Choice(choices) => choices.iter().for_each(|(_, value)| self.know(value, depth)),
            _ => {}
        }
    }

    // Functions without a caller.

    fn run_uncalled(&mut self, module: &Arc<PythonModule>) {
        self.uncalled = true;
        let last = self.id();
        self.run_uncalled_among(module, 0..last);
    }

    /// Evaluates the functions of a module that were never entered, among those with these ids; then those that they define.
    /// What one does is undone before the next.
    fn run_uncalled_among(&mut self, module: &Arc<PythonModule>, ids: Range<u32>) {
        let definitions: Vec<Arc<Definition>> =
            self.definitions.range(ids).map(|(_, known)| Arc::clone(known)).collect();
        for definition in definitions {
            let is_own = definition.module.file() == module.file() && matches!(definition.code, Code::Def(_));
            if !is_own || self.entered.contains(&definition.function.span) || self.trace.exhausted {
                continue;
            }
            let (mark, first) = (self.store.mark(), self.id());
            match self.method_class(&definition) {
                Some(class) => self.run_class(&class),
                None => {
                    self.run_symbolic(&definition, None);
                }
            }
            self.path = Cond::TRUE;
            let last = self.id();
            self.run_uncalled_among(module, first..last);
            self.store.take(mark);
            self.path = Cond::TRUE;
        }
    }

    /// The class that a definition is a method of.
    fn method_class(&self, definition: &Definition) -> Option<Arc<Class>> {
        let class = definition.class.as_ref()?;
        let state = self.classes.get(&class.id)?;
        (state.scope == definition.scope).then(|| Arc::clone(class))
    }

    /// Evaluates the methods of a class on one instance: the constructor, then the others in order.
    fn run_class(&mut self, class: &Arc<Class>) {
        let Some(state) = self.classes.get(&class.id).cloned() else { return };
        let instance = Value::Instance(self.new_instance(class, None));
        let mut methods = state.methods.clone();
        methods.sort_by_key(|name| &**name != "__init__");
        let shared = shared_attributes(&methods, |name| self.method(class, name));
        for name in methods {
            let Some(definition) = self.method(class, &name) else { continue };
            let entered = self.entered.contains(&definition.function.span);
            let is_constructor = &*name == "__init__";
            if entered && !is_constructor {
                continue;
            }
            if !is_constructor {
                for attribute in &shared {
                    let unknown = self.fresh_named(&format!("self.{attribute}"));
                    self.store_attribute(&instance, attribute, &unknown);
                }
            }
            let events = self.event_mark();
            self.run_symbolic(&definition, Some(instance.clone()));
            if entered {
                self.rewind_events(events);
            }
            self.path = Cond::TRUE;
        }
    }

    fn method(&self, class: &Arc<Class>, name: &str) -> Option<Arc<Definition>> {
        match some_function(&self.own_attribute(class, name)?)? {
            Value::Function(function) => self.definitions.get(&function.id).cloned(),
            _ => None,
        }
    }

    /// Evaluates a function with each parameter a symbol of its name.
    fn run_symbolic(&mut self, definition: &Arc<Definition>, receiver: Option<Value>) -> Value {
        self.entered.insert(definition.function.span);
        let mut receiver = receiver.filter(|_| definition.kind != Kind::Static);
        if let (Kind::Class, Some(Value::Instance(instance))) = (definition.kind, &receiver) {
            receiver = Some(Value::Class(Arc::clone(&instance.class)));
        }
        let mut bound = Vec::new();
        let mut first = receiver.clone();
        if let Some(parameters) = definition.code.parameters() {
            for parameter in parameters {
                let name: Arc<str> = parameter.name().as_str().into();
                let symbol =
                    || Value::Symbol(Arc::new(Symbol { root: Root::Parameter(Arc::clone(&name)), path: Vec::new() }));
                let value = match (first.take(), definition.command) {
                    (Some(receiver), _) => receiver,
                    (None, Some(parser)) if !parameter.is_variadic() => {
                        let default = definition.defaults.get(&name).cloned();
                        self.command_flag(parser, &name, default.as_ref())
                    }
                    (None, _) => symbol(),
                };
                bound.push((name, value));
            }
        }
        self.run(definition, receiver, bound)
    }
}

/// Attributes of `self` that more than one method other than the constructor stores.
fn shared_attributes(methods: &[Arc<str>], find: impl Fn(&str) -> Option<Arc<Definition>>) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in methods.iter().filter(|name| &***name != "__init__") {
        let Some(definition) = find(name) else { continue };
        let Code::Def(node) = &definition.code else { continue };
        let mut stores = StoredAttributes::default();
        ast::visitor::walk_body(&mut stores, &node.body);
        for attribute in stores.0 {
            *counts.entry(attribute).or_default() += 1;
        }
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name).collect()
}

#[derive(Default)]
struct StoredAttributes(std::collections::BTreeSet<String>);

impl<'a> ast::visitor::Visitor<'a> for StoredAttributes {
    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        if let ast::Expr::Attribute(node) = expr
            && node.ctx.is_store()
            && matches!(&*node.value, ast::Expr::Name(name) if name.id.as_str() == "self")
        {
            self.0.insert(node.attr.to_string());
        }
        ast::visitor::walk_expr(self, expr);
    }
}

/// The names of an expression in order of appearance.
fn free_names(module: &PythonModule) -> Vec<Arc<str>> {
    struct Names(Vec<Arc<str>>);
    impl<'a> ast::visitor::Visitor<'a> for Names {
        fn visit_expr(&mut self, expr: &'a ast::Expr) {
            if let ast::Expr::Name(name) = expr {
                self.0.push(name.id.as_str().into());
            }
            ast::visitor::walk_expr(self, expr);
        }
    }
    let mut names = Names(Vec::new());
    ast::visitor::walk_body(&mut names, module.body());
    names.0
}
