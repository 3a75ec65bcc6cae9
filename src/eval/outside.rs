//! Calls of what is outside the project: what the host says of them, and the record of them.

use std::sync::Arc;

use super::Caller;
use super::calls::{Args, Site};
use super::interpreter::Interpreter;
use super::truth::{choice, choose, narrow};
use super::{CallEvent, Class, Cond, Const, Dict, Object, Root, Summary, Symbol, Value};

/// Where the event lists stood.
#[derive(Clone, Copy)]
pub(super) struct EventMark([usize; 4], usize);

impl Interpreter<'_> {
    pub(super) fn call_external(&mut self, path: &Arc<str>, args: Args, site: &Site) -> Value {
        if self.patched.contains(path) {
            return self.fresh_named(&site.label);
        }
        // `DPOTrainer.__init__(self, model, ...)`
        if let Some(base) = path.strip_suffix(".__init__")
            && let Some(Value::Instance(instance)) = args.positional(0).cloned()
        {
            let class = Arc::clone(&instance.class);
            self.construct_base(&instance, &class, &base.into(), args.without_first(), site);
            return Value::NONE;
        }
        if let Some(value) = self.builtin_call(path, &args, site) {
            return value;
        }
        self.call_outside(path, args, None, site)
    }

    /// A call that the host may know.
    pub(super) fn call_outside(&mut self, callee: &str, args: Args, receiver: Option<Value>, site: &Site) -> Value {
        let summary = self.outside(callee);
        let pure = is_pure(callee).then(|| pure_key(callee, &args));
        let (object, open) = self.new_object(callee, args, receiver, site);
        self.push_event(&object, open, None);
        let made = Value::Object(Arc::clone(&object));
        match summary {
            Some(Summary::Object) => made,
            Some(Summary::Value(value)) => value,
            Some(Summary::Parser(kind)) => {
                self.build_parser(kind, object.id, &object);
                made
            }
            Some(Summary::Same(index, name)) => match Self::summary_argument(&object, index, &name) {
                Some(value) => value,
                None => made,
            },
            Some(Summary::Copy(index, name)) => match Self::summary_argument(&object, index, &name) {
                Some(original) => self.copied(&object, &original),
                None => made,
            },
            Some(Summary::Cases(cases)) => self.cases(&object, &cases, site),
            None => {
                if let Some(value) = self_like(&object) {
                    return value;
                }
                let last = callee.rsplit('.').next().unwrap_or_default();
                if last.starts_with(char::is_uppercase) || matches!(last, "from_pretrained" | "from_config") {
                    return made;
                }
                let root = Root::Unknown { id: object.id, label: Arc::clone(&site.label) };
                let symbol = Value::Symbol(Arc::new(Symbol { root, path: Vec::new() }));
                match pure {
                    Some(Some(key)) => self.pure.entry(key).or_insert(symbol).clone(),
                    _ => symbol,
                }
            }
        }
    }

    pub(super) fn outside(&self, callee: &str) -> Option<Summary> {
        self.host.call(callee)
    }

    /// The argument of a summary; a method's receiver comes first.
    fn summary_argument(object: &Object, index: usize, name: &str) -> Option<Value> {
        let by_name = object.args.iter().find(|argument| argument.name.as_deref() == Some(name));
        if let Some(argument) = by_name {
            return Some(argument.value.value.clone());
        }
        let index = match &object.receiver {
            Some(receiver) if index == 0 => return Some(receiver.clone()),
            Some(_) => index - 1,
            None => index,
        };
        let positional = object.args.iter().filter(|argument| argument.name.is_none()).nth(index);
        positional.map(|argument| argument.value.value.clone())
    }

    /// A copy is `None` where the original is.
    pub(super) fn copied(&mut self, object: &Arc<Object>, original: &Value) -> Value {
        let none = super::truth::is_none(original);
        let source = match narrow(original, &self.path) {
            Value::Choice(choices) => {
                let some: Vec<_> =
                    choices.iter().filter(|(_, value)| !matches!(value, Value::Const(Const::None))).cloned().collect();
                choice(some)
            }
            other => other,
        };
        match source {
            constant @ Value::Const(_) => return constant,
            Value::Dict(dict) => {
                let id = self.id();
                return Value::Dict(Arc::new(Dict { id, ..Dict::clone(&self.content(&dict)) }));
            }
            _ => {}
        }
        let copy = Arc::new(Object { copy_of: Some(source), ..Object::clone(object) });
        self.objects.insert(copy.id, Arc::clone(&copy));
        choose(&none, &Value::NONE, &Value::Object(copy))
    }

    fn cases(&mut self, object: &Arc<Object>, cases: &[(String, Option<Arc<str>>)], site: &Site) -> Value {
        let mut rest = Cond::TRUE;
        let mut alternatives = Vec::new();
        for (index, (test, result)) in cases.iter().enumerate() {
            let test = if index + 1 == cases.len() { Cond::TRUE } else { self.case_test(test, cases, object) };
            let value = match result {
                None => Value::NONE,
                Some(callee) => {
                    let id = self.id();
                    let made = Object {
                        id,
                        callee: Arc::clone(callee),
                        span: site.span,
                        args: Vec::new(),
                        stored: Vec::new(),
                        copy_of: None,
                        receiver: None,
                        parsed: None,
                    };
                    let made = Arc::new(made);
                    self.objects.insert(id, Arc::clone(&made));
                    Value::Object(made)
                }
            };
            alternatives.push((rest.clone().and(test.clone()), value));
            rest = rest.and(test.negate());
        }
        choice(alternatives)
    }

    pub(super) fn new_object(
        &mut self,
        callee: &str,
        args: Args,
        receiver: Option<Value>,
        site: &Site,
    ) -> (Arc<Object>, bool) {
        let mut list = args.list;
        for argument in &mut list {
            argument.value.value = self.export(&narrow(&argument.value.value, &self.path));
        }
        let object = Arc::new(Object {
            id: self.id(),
            callee: callee.into(),
            span: site.span,
            args: list,
            stored: Vec::new(),
            copy_of: None,
            receiver,
            parsed: None,
        });
        self.objects.insert(object.id, Arc::clone(&object));
        (object, args.open)
    }

    pub(super) fn push_event(&mut self, object: &Arc<Object>, open: bool, through: Option<Arc<Class>>) {
        self.trace.calls.push(CallEvent {
            object: Arc::clone(object),
            when: self.path.clone(),
            caught: self.caught.clone(),
            handling: self.handling.clone(),
            open,
            through,
            stack: self.stack.clone(),
            uncalled: self.uncalled,
            by: Caller::Script,
        });
    }

    /// Records a call of which nothing is known but its name; the object and its result.
    pub(super) fn record(
        &mut self,
        callee: &str,
        args: Args,
        receiver: Option<Value>,
        site: &Site,
    ) -> (Arc<Object>, Value) {
        let (object, open) = self.new_object(callee, args, receiver, site);
        self.push_event(&object, open, None);
        if let Some(same) = self_like(&object) {
            return (object, same);
        }
        let root = Root::Unknown { id: object.id, label: Arc::clone(&site.label) };
        (object, Value::Symbol(Arc::new(Symbol { root, path: Vec::new() })))
    }

    pub(super) fn event_mark(&self) -> EventMark {
        let trace = &self.trace;
        EventMark(
            [trace.calls.len(), trace.raises.len(), trace.imports.len(), trace.reads.len()],
            self.frame.exits.len(),
        )
    }

    pub(super) fn rewind_events(&mut self, EventMark([calls, raises, imports, reads], exits): EventMark) {
        self.trace.calls.truncate(calls);
        self.trace.raises.truncate(raises);
        self.trace.imports.truncate(imports);
        self.trace.reads.truncate(reads);
        self.frame.exits.truncate(exits);
    }
}

/// Methods that return what they are called on.
fn self_like(object: &Object) -> Option<Value> {
    let receiver = object.receiver.clone()?;
    let method = object.callee.rsplit('.').next().unwrap_or_default();
    let same = matches!(
        method,
        "to" | "eval" | "train" | "cuda" | "cpu" | "half" | "float" | "bfloat16" | "requires_grad_" | "__enter__"
    );
    same.then_some(receiver)
}

/// Functions that ask for what is installed: they answer the same each time.
fn is_pure(callee: &str) -> bool {
    let last = callee.rsplit('.').next().unwrap_or_default();
    last.starts_with("is_")
        && (last.ends_with("_available") || last.ends_with("_version") || last.contains("greater_or_equal"))
        || matches!(callee, "importlib.util.find_spec" | "torch.cuda.is_available" | "torch.cuda.is_bf16_supported")
}

/// The key under which a pure call is remembered; `None` where an argument is not a constant.
fn pure_key(callee: &str, args: &Args) -> Option<String> {
    let mut key = callee.to_owned();
    for argument in &args.list {
        let Value::Const(constant) = &argument.value.value else { return None };
        key.extend([",", argument.name.as_deref().unwrap_or_default(), "=", &constant.to_string()]);
    }
    (!args.open).then_some(key)
}
