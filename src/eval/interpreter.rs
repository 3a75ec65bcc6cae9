//! The state of an evaluation, and how it branches and joins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ruff_python_ast as ast;
use ruff_text_size::Ranged;

use super::store::{Owner, Slot, Store, Writes};
use super::truth::narrow;
use super::{
    Class, Cond, Const, Dict, FlagId, Function, Host, Instance, Object, ParserId, Root, Symbol, Trace, Traced, Value,
};
use crate::source::{FileId, Span};
use crate::syntax::python::PythonModule;

/// Expressions and statements that one evaluation may take.
const STEPS: u32 = 300_000;
/// What a script may cost in conditions, see [`super::worlds::work_done`]: a few seconds.
pub(super) const SCRIPT_WORK: u64 = 8_000_000;
/// The same for one function of a library: it is asked for what it checks on entry, and thousands are asked.
pub(super) const FUNCTION_WORK: u64 = 4_000_000;
/// Calls of project functions inside each other.
pub(super) const MAX_CALLS: usize = 24;
/// Expressions and statements inside each other, over all calls.
const MAX_DEPTH: usize = 900;

#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(super) struct Interpreter<'h> {
    pub(super) host: &'h dyn Host,
    pub(super) trace: Trace,
    pub(super) store: Store,
    /// Under which condition the present point is reached; `False` after a return or a raise.
    pub(super) path: Cond,
    pub(super) frame: Frame,
    pub(super) scopes: Vec<Scope>,
    pub(super) modules: BTreeMap<FileId, ModuleState>,
    /// Project modules by the dotted name they were imported as.
    pub(super) dotted: BTreeMap<String, FileId>,
    pub(super) definitions: BTreeMap<u32, Arc<Definition>>,
    pub(super) classes: BTreeMap<u32, Arc<ClassState>>,
    pub(super) objects: BTreeMap<u32, Arc<Object>>,
    pub(super) instances: BTreeMap<u32, Arc<Instance>>,
    /// Dictionaries that were changed, as they were made.
    pub(super) dicts: BTreeMap<u32, Arc<Dict>>,
    /// Parsers by the object or instance that stands for them.
    pub(super) parsers: BTreeMap<u32, ParserId>,
    pub(super) flags: BTreeMap<(ParserId, Arc<str>, Arc<str>), FlagId>,
    /// Results of functions that return the same each time.
    pub(super) pure: BTreeMap<String, Value>,
    /// Functions and classes outside the project that were patched.
    pub(super) patched: BTreeSet<Arc<str>>,
    /// Definitions that were called.
    pub(super) entered: BTreeSet<Span>,
    pub(super) caught: Vec<Arc<str>>,
    /// Exceptions whose handlers are being evaluated.
    pub(super) handling: Vec<Arc<str>>,
    /// Spans of the calls that led here.
    pub(super) stack: Vec<Span>,
    /// Definitions that are being evaluated.
    pub(super) active: Vec<Span>,
    pub(super) uncalled: bool,
    /// Whether the path after a `raise` is not told from the path around it; see [`super::run_function`].
    pub(super) lenient: bool,
    /// What a parameter can be after an enumeration was called with it.
    pub(super) members: BTreeMap<Arc<Symbol>, Vec<Const>>,
    /// Parameters that may be members of an enumeration of strings: each is equal to its `value`.
    pub(super) chosen: BTreeSet<Arc<Symbol>>,
    /// Parameters that are whole numbers where they are used.
    pub(super) wholes: BTreeSet<Arc<Symbol>>,
    /// Rounds of the unrolled loops around.
    pub(super) unrolled: usize,
    /// Evaluating an expression of its own text: names come from nowhere else.
    pub(super) detached: bool,
    /// Attributes of what a parser filled are flags even then.
    pub(super) keep_flags: bool,
    /// The evaluation ends when the thread has done this much work on conditions.
    work_end: u64,
    next_id: u32,
    steps: u32,
    depth: usize,
    max_depth: usize,
}

/// The function, class body or module that is being evaluated.
#[derive(Clone)]
pub(super) struct Frame {
    pub(super) module: Arc<PythonModule>,
    pub(super) scope: u32,
    /// The class whose method this is, for `super()`.
    pub(super) class: Option<Arc<Class>>,
    pub(super) receiver: Option<Value>,
    /// Where the journal was when the frame was entered.
    pub(super) mark: usize,
    pub(super) exits: Vec<Exit>,
    pub(super) loops: Vec<Loop>,
}

impl Frame {
    /// The frame of a module, or of text that is evaluated as one stands in it.
    pub(super) fn of_module(module: &Arc<PythonModule>, scope: u32, mark: usize) -> Self {
        let module = Arc::clone(module);
        Self { module, scope, class: None, receiver: None, mark, exits: Vec::new(), loops: Vec::new() }
    }
}

/// One way out of a function.
#[derive(Clone)]
pub(super) struct Exit {
    pub(super) path: Cond,
    pub(super) value: Value,
    pub(super) writes: Writes,
}

/// A loop that is being evaluated: the ways out by `break` and back by `continue`.
#[derive(Clone, Default)]
pub(super) struct Loop {
    pub(super) mark: usize,
    pub(super) breaks: Vec<(Cond, Writes)>,
    pub(super) continues: Vec<(Cond, Writes)>,
}

pub(super) struct Scope {
    pub(super) parent: Option<u32>,
    /// Names in a class body are not seen by the functions in it.
    pub(super) is_class: bool,
    pub(super) module: FileId,
    pub(super) globals: BTreeSet<Arc<str>>,
    pub(super) nonlocals: BTreeSet<Arc<str>>,
}

pub(super) struct ModuleState {
    pub(super) scope: u32,
    /// Full dotted name.
    pub(super) name: Arc<str>,
    /// Modules outside the project that were star-imported.
    pub(super) stars: Vec<Arc<str>>,
}

/// What a [`Function`] stands for.
pub(super) struct Definition {
    pub(super) function: Arc<Function>,
    pub(super) module: Arc<PythonModule>,
    pub(super) code: Code,
    /// The scope it was defined in.
    pub(super) scope: u32,
    pub(super) kind: Kind,
    /// The class around it, for `super()`.
    pub(super) class: Option<Arc<Class>>,
    /// Values of the parameters' defaults, by name.
    pub(super) defaults: BTreeMap<Arc<str>, Value>,
    /// Its parameters come from the command line.
    pub(super) command: Option<ParserId>,
}

#[derive(Clone)]
pub(super) enum Code {
    Def(Arc<ast::StmtFunctionDef>),
    Lambda(Arc<ast::ExprLambda>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Static,
    Class,
    Property,
}

/// What a [`Class`] stands for.
pub(super) struct ClassState {
    pub(super) scope: u32,
    pub(super) fields: Vec<Field>,
    /// Its methods in the order of the source.
    pub(super) methods: Vec<Arc<str>>,
}

/// An annotated name in a class body.
#[derive(Clone)]
pub(super) struct Field {
    pub(super) name: Arc<str>,
    pub(super) annotation: String,
    pub(super) default: Option<Value>,
    pub(super) span: Span,
}

impl<'h> Interpreter<'h> {
    pub(super) fn new(module: &Arc<PythonModule>, host: &'h dyn Host) -> Self {
        let frame = Frame::of_module(module, 0, 0);
        Self {
            host,
            trace: Trace::default(),
            store: Store::default(),
            path: Cond::TRUE,
            frame,
            scopes: Vec::new(),
            modules: BTreeMap::new(),
            dotted: BTreeMap::new(),
            definitions: BTreeMap::new(),
            classes: BTreeMap::new(),
            objects: BTreeMap::new(),
            instances: BTreeMap::new(),
            dicts: BTreeMap::new(),
            parsers: BTreeMap::new(),
            flags: BTreeMap::new(),
            pure: BTreeMap::new(),
            patched: BTreeSet::new(),
            entered: BTreeSet::new(),
            caught: Vec::new(),
            handling: Vec::new(),
            stack: Vec::new(),
            active: Vec::new(),
            uncalled: false,
            lenient: false,
            members: BTreeMap::new(),
            chosen: BTreeSet::new(),
            wholes: BTreeSet::new(),
            unrolled: 1,
            detached: false,
            keep_flags: false,
            work_end: u64::MAX,
            next_id: 1,
            steps: 0,
            depth: 0,
            max_depth: MAX_DEPTH,
        }
    }

    /// Counts a step; `false` when there are none left or the nesting is too deep.
    pub(super) fn enter(&mut self) -> bool {
        self.steps += 1;
        if self.steps > STEPS || super::worlds::work_done() > self.work_end {
            self.trace.exhausted = true;
            return false;
        }
        if self.depth >= self.max_depth {
            return false;
        }
        self.depth += 1;
        true
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    /// Ids from here on are not those of another evaluation whose values take part in this one.
    pub(super) fn skip_ids(&mut self, first: u32) {
        self.next_id = first;
    }

    /// Ends the evaluation after this much more work on conditions.
    pub(super) fn limit_work(&mut self, most: u64) {
        self.work_end = super::worlds::work_done() + most;
    }

    /// For an evaluation on a stack of the usual size.
    pub(super) fn limit_depth(&mut self) {
        self.max_depth = 100;
    }

    pub(super) fn alive(&self) -> bool {
        self.path != Cond::FALSE && !self.trace.exhausted
    }

    pub(super) fn stop(&mut self) {
        self.path = Cond::FALSE;
    }

    pub(super) fn span(&self, node: impl Ranged) -> Span {
        self.frame.module.span(node)
    }

    /// A value of its own, labelled as the source writes it.
    pub(super) fn fresh(&mut self, node: impl Ranged) -> Value {
        let label = self.label(node);
        self.fresh_named(&label)
    }

    pub(super) fn fresh_named(&mut self, label: &str) -> Value {
        let root = Root::Unknown { id: self.id(), label: label.into() };
        Value::Symbol(Arc::new(Symbol { root, path: Vec::new() }))
    }

    /// The source of a node on one line, shortened; a call's arguments are left out.
    pub(super) fn label(&self, node: impl Ranged) -> String {
        const MOST: usize = 40;
        let text = self.frame.module.text().get(node.range().to_std_range()).unwrap_or_default();
        let mut label = String::new();
        for word in text.split_whitespace() {
            if !label.is_empty() {
                label.push(' ');
            }
            label.push_str(word);
            if label.len() > MOST {
                break;
            }
        }
        if label.chars().count() > MOST {
            label = label.chars().take(MOST - 3).chain("...".chars()).collect();
        }
        label
    }

    // Names and attributes.

    pub(super) fn new_scope(&mut self, parent: Option<u32>, is_class: bool, module: FileId) -> u32 {
        let (globals, nonlocals) = (BTreeSet::new(), BTreeSet::new());
        self.scopes.push(Scope { parent, is_class, module, globals, nonlocals });
        self.scopes.len() as u32 - 1
    }

    pub(super) fn assign(&mut self, name: &str, value: Value) {
        let name: Arc<str> = name.into();
        let scope = self.target_scope(&name);
        self.store.set(Slot::Variable(scope, name), Some(value));
    }

    pub(super) fn target_scope(&self, name: &Arc<str>) -> u32 {
        let own = self.frame.scope;
        let Some(scope) = self.scopes.get(own as usize) else { return own };
        if scope.globals.contains(name) {
            return self.modules.get(&scope.module).map_or(own, |module| module.scope);
        }
        if scope.nonlocals.contains(name) {
            let mut at = scope.parent;
            while let Some(outer) = at {
                if self.store.get(&Slot::Variable(outer, Arc::clone(name))).is_some() {
                    return outer;
                }
                at = self.scopes.get(outer as usize).and_then(|scope| scope.parent);
            }
        }
        own
    }

    /// The value of a name, if it is bound.
    pub(super) fn lookup(&self, name: &str) -> Option<Value> {
        let name: Arc<str> = name.into();
        let mut at = Some(self.frame.scope);
        let mut own = true;
        while let Some(scope) = at {
            let data = self.scopes.get(scope as usize)?;
            if (own || !data.is_class)
                && let Some(value) = self.store.get(&Slot::Variable(scope, Arc::clone(&name)))
            {
                return Some(narrow(value, &self.path));
            }
            own = false;
            at = data.parent;
        }
        None
    }

    /// `symbol.name` where nothing was stored.
    pub(super) fn member(symbol: &Arc<Symbol>, name: &str) -> Value {
        let mut path = symbol.path.clone();
        path.push(name.into());
        Value::Symbol(Arc::new(Symbol { root: symbol.root.clone(), path }))
    }

    /// The present content of a dictionary.
    pub(super) fn content(&self, dict: &Arc<Dict>) -> Arc<Dict> {
        match self.store.get(&Slot::Content(dict.id)) {
            Some(Value::Dict(content)) if dict.id != 0 => Arc::clone(content),
            _ => Arc::clone(dict),
        }
    }

    /// The value as something outside sees it: with everything that was stored in it until now.
    pub(super) fn export(&self, value: &Value) -> Value {
        self.export_to(value, 3)
    }

    fn export_to(&self, value: &Value, depth: usize) -> Value {
        let Some(depth) = depth.checked_sub(1) else { return value.clone() };
        let stored = |id: u32| {
            let attributes = self.store.attributes(&Owner::Id(id));
            attributes.into_iter().map(|(name, value)| (name, self.export_to(&value, depth))).collect::<Vec<_>>()
        };
        match value {
            Value::Dict(dict) => {
                let mut content = Dict::clone(&self.content(dict));
                for (_, value, _) in &mut content.entries {
                    value.value = self.export_to(&value.value, depth);
                }
                Value::Dict(Arc::new(content))
            }
            Value::Object(object) => match stored(object.id) {
                stored if stored.is_empty() => value.clone(),
                stored => Value::Object(Arc::new(Object { stored, ..Object::clone(object) })),
            },
            Value::Instance(instance) => {
                let object = match self.store.get(&Slot::Base(instance.id)) {
                    Some(Value::Object(object)) => Some(Arc::clone(object)),
                    _ => instance.object.clone(),
                };
                Value::Instance(Arc::new(Instance { stored: stored(instance.id), object, ..Instance::clone(instance) }))
            }
            Value::List(items) => {
                let item = |item: &Traced| Traced { value: self.export_to(&item.value, depth), span: item.span };
                Value::List(items.iter().map(item).collect())
            }
            Value::Choice(choices) => Value::Choice(
                choices.iter().map(|(when, value)| (when.clone(), self.export_to(value, depth + 1))).collect(),
            ),
            other => other.clone(),
        }
    }
}
