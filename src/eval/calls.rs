//! Calls: arguments, functions of the project, instances, and what is outside.

use std::sync::Arc;

use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;

use super::expressions::put;
use super::interpreter::{Code, Exit, Frame, Interpreter, Kind, MAX_CALLS};
use super::store::{Owner, Slot};
use super::truth::{choice, choose, narrow};
use super::{
    Argument, CallEvent, Class, Cond, Const, Dict, Function, Instance, Object, Root, Summary, Symbol, Traced, Value,
};
use crate::source::Span;

/// The same function inside itself at most this often.
const MAX_RECURSION: usize = 2;

/// The arguments of a call.
#[derive(Debug, Clone, Default)]
pub(super) struct Args {
    pub(super) list: Vec<Argument>,
    /// Whether there may be more.
    pub(super) open: bool,
}

/// Where a call stands.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) span: Span,
    /// What is called, as written.
    pub(super) label: Arc<str>,
    /// What the method is called on, as written, where a changed list can be bound to it.
    pub(super) receiver: Option<Arc<Expr>>,
}

/// Where the event lists stood.
#[derive(Clone, Copy)]
pub(super) struct EventMark([usize; 4], usize);

impl Args {
    pub(super) fn positional(&self, index: usize) -> Option<&Value> {
        self.list.iter().filter(|argument| argument.name.is_none()).nth(index).map(|argument| &argument.value.value)
    }

    pub(super) fn keyword(&self, name: &str) -> Option<&Value> {
        self.list.iter().find(|argument| argument.name.as_deref() == Some(name)).map(|argument| &argument.value.value)
    }

    /// An argument by position or name.
    pub(super) fn get(&self, index: usize, name: &str) -> Option<&Value> {
        self.keyword(name).or_else(|| self.positional(index))
    }

    /// The string constant at a position or of a name.
    pub(super) fn text(&self, index: usize, name: &str) -> Option<Arc<str>> {
        match self.get(index, name) {
            Some(Value::Const(Const::Str(text))) => Some(Arc::clone(text)),
            _ => None,
        }
    }

    fn without_first(mut self) -> Self {
        if let Some(at) = self.list.iter().position(|argument| argument.name.is_none()) {
            self.list.remove(at);
        }
        self
    }
}

impl Interpreter<'_> {
    pub(super) fn site(&self, node: impl Ranged + Copy) -> Site {
        Site { span: self.span(node), label: self.label(node).into(), receiver: None }
    }

    /// The site of something that has none of its own: the innermost call.
    pub(super) fn site_here(&self) -> Site {
        let start = ruff_text_size::TextRange::default();
        let span = self.stack.last().copied().unwrap_or_else(|| self.span(start));
        Site { span, label: "".into(), receiver: None }
    }

    pub(super) fn call(&mut self, node: &ast::ExprCall) -> Value {
        let label = format!("{}(...)", self.label(&*node.func));
        let label = if node.arguments.is_empty() { label.replace("(...)", "()") } else { label };
        let mut site = Site { span: self.span(node), label: label.into(), receiver: None };
        if let Expr::Attribute(func) = &*node.func {
            if let Expr::Call(inner) = &*func.value
                && matches!(&*inner.func, Expr::Name(name) if name.id.as_str() == "super")
            {
                let args = self.arguments(&node.arguments);
                return self.call_super(func.attr.as_str(), args, &site);
            }
            let receiver = self.expr(&func.value);
            let args = self.arguments(&node.arguments);
            if matches!(&*func.value, Expr::Name(_) | Expr::Attribute(_)) {
                site.receiver = Some(Arc::new(Expr::clone(&func.value)));
            }
            return self.call_method(&receiver, func.attr.as_str(), args, &site);
        }
        let callee = self.expr(&node.func);
        if let Value::External(path) = &callee {
            match &**path {
                "builtins.isinstance" => {
                    if let [value, class] = &node.arguments.args[..] {
                        let value = self.expr(value);
                        let class_value = self.expr(class);
                        return super::truth::boolean(&self.instance_of(&value, &class_value, class));
                    }
                }
                // Unresolved names in conditions are written short.
                "builtins.super" => return self.frame.receiver.clone().unwrap_or(Value::Unknown),
                _ => {}
            }
        }
        if let (Value::Symbol(_), Expr::Name(name), [value, class]) = (&callee, &*node.func, &node.arguments.args[..])
            && name.id.as_str() == "isinstance"
        {
            let value = self.expr(value);
            let class_value = self.expr(class);
            return super::truth::boolean(&self.instance_of(&value, &class_value, class));
        }
        let args = self.arguments(&node.arguments);
        self.call_value(&callee, args, &site)
    }

    pub(super) fn arguments(&mut self, arguments: &ast::Arguments) -> Args {
        let mut args = Args::default();
        for arg in &arguments.args {
            if let Expr::Starred(starred) = arg {
                let unpacked = self.span(&*starred.value);
                match self.expr(&starred.value) {
                    Value::List(items) => args.list.extend(items.iter().map(|item| Argument {
                        name: None,
                        value: item.clone(),
                        span: item.span,
                        unpacked: Some(unpacked),
                        when: Cond::TRUE,
                    })),
                    _ => args.open = true,
                }
                continue;
            }
            let value = self.expr(arg);
            let span = self.span(arg);
            args.list.push(Argument {
                name: None,
                value: Traced { value, span },
                span,
                unpacked: None,
                when: Cond::TRUE,
            });
        }
        for keyword in &arguments.keywords {
            let value = self.expr(&keyword.value);
            let span = self.span(&keyword.value);
            match &keyword.arg {
                Some(name) => args.list.push(Argument {
                    name: Some(name.as_str().into()),
                    value: Traced { value, span },
                    span: self.span(keyword),
                    unpacked: None,
                    when: Cond::TRUE,
                }),
                None => self.unpack_keywords(&mut args, &value, span),
            }
        }
        args
    }

    fn unpack_keywords(&mut self, args: &mut Args, value: &Value, unpacked: Span) {
        let Some(dict) = self.as_dict(value) else {
            args.open = true;
            return;
        };
        args.open |= dict.open;
        for (key, item, entry) in dict.entries {
            let Const::Str(name) = &key else { continue };
            let when = dict.maybe.get(&key).cloned().unwrap_or(Cond::TRUE);
            if when == Cond::FALSE {
                continue;
            }
            args.list.push(Argument {
                name: Some(Arc::clone(name)),
                span: entry.unwrap_or(item.span),
                value: item,
                unpacked: Some(unpacked),
                when,
            });
        }
    }

    pub(super) fn call_value(&mut self, callee: &Value, args: Args, site: &Site) -> Value {
        if !self.enter() {
            return Value::Unknown;
        }
        let value = match callee {
            Value::Choice(_) => self.each(callee, &mut |state, callee| state.call_value(callee, args.clone(), site)),
            Value::Function(function) => self.call_function(function, args, site),
            Value::Class(class) => self.instantiate(class, args, site),
            Value::External(path) => self.call_external(path, args, site),
            Value::Instance(instance) => match self.class_attribute(&instance.class, "__call__") {
                Some(_) => self.call_method(callee, "__call__", args, site),
                None => self.record("?.__call__", args, Some(callee.clone()), site).1,
            },
            Value::Object(object) if &*object.callee == "functools.partial" => self.call_partial(object, args, site),
            Value::Object(object) => {
                let name = format!("{}.__call__", object.callee);
                self.record(&name, args, Some(callee.clone()), site).1
            }
            Value::Symbol(_) | Value::Unknown => {
                // A name that nobody knows is called: no event, since there is nothing to say of it.
                self.fresh_named(&site.label)
            }
            _ => self.fresh_named(&site.label),
        };
        self.leave();
        value
    }

    fn call_partial(&mut self, object: &Arc<Object>, args: Args, site: &Site) -> Value {
        let mut all = Args { list: object.args.clone(), open: args.open };
        let Some(callee) = all.positional(0).cloned() else { return self.fresh_named(&site.label) };
        all = all.without_first();
        let overridden = |argument: &Argument| {
            argument.name.is_some()
                && args.list.iter().any(|later| later.name == argument.name && later.when == Cond::TRUE)
        };
        all.list.retain(|argument| !overridden(argument));
        let keywords = all.list.iter().position(|argument| argument.name.is_some()).unwrap_or(all.list.len());
        let (named, positional): (Vec<_>, Vec<_>) = args.list.into_iter().partition(|argument| argument.name.is_some());
        all.list.splice(keywords..keywords, positional);
        all.list.extend(named);
        self.call_value(&callee, all, site)
    }

    pub(super) fn call_method(&mut self, receiver: &Value, name: &str, args: Args, site: &Site) -> Value {
        if let Value::Choice(_) = receiver {
            return self.each(receiver, &mut |state, receiver| state.call_method(receiver, name, args.clone(), site));
        }
        if let Some(value) = self.builtin_method(receiver, name, &args, site) {
            return value;
        }
        match receiver {
            Value::External(path) => {
                let callee = self.external_attribute(path, name);
                self.call_value(&callee, args, site)
            }
            Value::Symbol(symbol) => {
                let slot = Slot::Attribute(Owner::Symbol(Arc::clone(symbol)), name.into());
                if let Some(callee) = self.store.get(&slot).cloned() {
                    return self.call_value(&callee, args, site);
                }
                let (object, value) = self.record(&format!("?.{name}"), args, Some(receiver.clone()), site);
                // Whatever class it is: a model that was loaded is not `None`.
                if matches!(name, "from_pretrained" | "from_config") { Value::Object(object) } else { value }
            }
            Value::Object(object) => {
                if let Some(callee) = self.store.get(&Slot::Attribute(Owner::Id(object.id), name.into())).cloned() {
                    return self.call_value(&callee, args, site);
                }
                let last = object.callee.rsplit('.').next().unwrap_or_default();
                let is_class = last.starts_with(char::is_uppercase);
                let callee =
                    if is_class { format!("{}.{name}", object.callee) } else { format!("{}().{name}", object.callee) };
                self.call_outside(&callee, args, Some(receiver.clone()), site)
            }
            Value::Instance(instance) => self.call_instance_method(instance, name, args, site),
            Value::Class(class) => {
                if self.class_attribute(class, name).is_none()
                    && let Some(base) = self.external_base(class)
                {
                    return self.call_outside(&format!("{base}.{name}"), args, Some(receiver.clone()), site);
                }
                let callee = self.attribute(receiver, name);
                self.call_value(&callee, args, site)
            }
            Value::Module(_) => {
                let callee = self.attribute(receiver, name);
                self.call_value(&callee, args, site)
            }
            _ => self.fresh_named(&site.label),
        }
    }

    fn call_instance_method(&mut self, instance: &Arc<Instance>, name: &str, args: Args, site: &Site) -> Value {
        let receiver = Value::Instance(Arc::clone(instance));
        let stored = self.store.get(&Slot::Attribute(Owner::Id(instance.id), name.into())).cloned();
        if let Some(callee) = stored {
            return self.call_value(&callee, args, site);
        }
        if self.class_attribute(&instance.class, name).is_some() {
            let callee = self.attribute(&receiver, name);
            return self.call_value(&callee, args, site);
        }
        match self.external_base(&instance.class) {
            Some(base) => self.call_outside(&format!("{base}.{name}"), args, Some(receiver), site),
            None => self.fresh_named(&site.label),
        }
    }

    // Functions of the project.

    pub(super) fn call_function(&mut self, function: &Arc<Function>, args: Args, site: &Site) -> Value {
        let Some(definition) = self.definitions.get(&function.id).cloned() else {
            return self.fresh_named(&site.label);
        };
        let span = definition.function.span;
        let recursion = self.active.iter().filter(|active| **active == span).count();
        if self.active.len() >= MAX_CALLS || recursion >= MAX_RECURSION {
            return self.fresh_named(&site.label);
        }
        let mut bound = Vec::new();
        if let Some(parameters) = definition.code.parameters() {
            bound = self.bind_parameters(parameters, &definition, function.receiver.as_ref(), args);
        }
        self.entered.insert(span);
        self.stack.push(site.span);
        let value = self.run(&definition, function.receiver.clone(), bound);
        self.stack.pop();
        value
    }

    /// Evaluates the body of a function with its parameters bound.
    pub(super) fn run(
        &mut self,
        definition: &Arc<super::interpreter::Definition>,
        receiver: Option<Value>,
        bound: Vec<(Arc<str>, Value)>,
    ) -> Value {
        self.active.push(definition.function.span);
        let scope = self.new_scope(Some(definition.scope), false, definition.module.file());
        let base = self.path.clone();
        let mark = self.store.mark();
        let receiver = receiver.or_else(|| match definition.code {
            // A function inside a method has the method's `self`.
            Code::Def(_) | Code::Lambda(_) => self.frame.receiver.clone().filter(|_| definition.class.is_some()),
        });
        let frame = Frame {
            module: Arc::clone(&definition.module),
            scope,
            class: definition.class.clone(),
            receiver,
            mark,
            exits: Vec::new(),
            loops: Vec::new(),
        };
        let outer = std::mem::replace(&mut self.frame, frame);
        for (name, value) in bound {
            self.store.set(Slot::Variable(scope, name), Some(value));
        }
        let last = match &definition.code {
            Code::Def(node) => {
                self.block(&node.body);
                Value::NONE
            }
            Code::Lambda(node) => self.expr(&node.body),
        };
        let frame = std::mem::replace(&mut self.frame, outer);
        let mut exits = frame.exits;
        if self.path != Cond::FALSE {
            exits.push(Exit { path: self.path.clone(), value: last, writes: self.store.writes(mark) });
        }
        let value = self.join_exits(&base, mark, exits);
        self.active.pop();
        // What a generator or a coroutine returns is known only when it is awaited; nearly every caller awaits it.
        value
    }

    fn bind_parameters(
        &mut self,
        parameters: &ast::Parameters,
        definition: &super::interpreter::Definition,
        receiver: Option<&Value>,
        args: Args,
    ) -> Vec<(Arc<str>, Value)> {
        let mut bound = Vec::new();
        let (mut positional, mut named): (Vec<Argument>, Vec<Argument>) =
            args.list.into_iter().partition(|argument| argument.name.is_none());
        positional.reverse();
        let mut first = receiver.filter(|_| definition.kind != Kind::Static).cloned();
        for parameter in parameters.posonlyargs.iter().chain(&parameters.args) {
            let name: Arc<str> = parameter.name().as_str().into();
            let default = definition.defaults.get(&name);
            let value = match first.take().map(Ok).or_else(|| positional.pop().map(Err)) {
                Some(Ok(receiver)) => receiver,
                Some(Err(argument)) => argument.value.value,
                None => self.named_argument(&name, &mut named, default, args.open, definition),
            };
            bound.push((name, value));
        }
        for parameter in &parameters.kwonlyargs {
            let name: Arc<str> = parameter.name().as_str().into();
            let default = definition.defaults.get(&name);
            let value = self.named_argument(&name, &mut named, default, args.open, definition);
            bound.push((name, value));
        }
        if let Some(rest) = &parameters.vararg {
            positional.reverse();
            let items: Arc<[Traced]> = positional.into_iter().map(|argument| argument.value).collect();
            let value = if args.open && items.is_empty() { self.fresh_named(&rest.name) } else { Value::List(items) };
            bound.push((rest.name.as_str().into(), value));
        }
        if let Some(rest) = &parameters.kwarg {
            let mut dict = Dict { id: self.id(), open: args.open, ..Dict::default() };
            for argument in named {
                if let Some(name) = argument.name {
                    put(&mut dict, Const::Str(name), argument.value, Some(argument.span), argument.when);
                }
            }
            bound.push((rest.name.as_str().into(), Value::Dict(Arc::new(dict))));
        }
        bound
    }

    fn named_argument(
        &mut self,
        name: &Arc<str>,
        named: &mut Vec<Argument>,
        default: Option<&Value>,
        open: bool,
        definition: &super::interpreter::Definition,
    ) -> Value {
        if let Some(at) = named.iter().position(|argument| argument.name.as_ref() == Some(name)) {
            let argument = named.remove(at);
            let value = narrow(&argument.value.value, &self.path);
            return match default {
                Some(default) => choose(&argument.when, &value, default),
                None => value,
            };
        }
        if open {
            return self.fresh_named(name);
        }
        if let Some(parser) = definition.command {
            return self.command_flag(parser, name, default);
        }
        match default {
            Some(default) => default.clone(),
            None => self.fresh_named(name),
        }
    }

    // Instances.

    fn instantiate(&mut self, class: &Arc<Class>, args: Args, site: &Site) -> Value {
        let instance = self.new_instance(class, None);
        let value = Value::Instance(Arc::clone(&instance));
        let external = self.external_base(class);
        if self.class_attribute(class, "__init__").is_some() {
            self.call_method(&value, "__init__", args, site);
            return value;
        }
        if let Some(base) = &external {
            self.construct_base(&instance, class, base, args.clone(), site);
        }
        let fields = self.all_fields(class);
        if class.dataclass || external.is_none() {
            self.fill_fields(&instance, &fields, args);
        }
        if class.dataclass && self.class_attribute(class, "__post_init__").is_some() {
            self.call_method(&value, "__post_init__", Args::default(), site);
        }
        value
    }

    fn fill_fields(
        &mut self,
        instance: &Arc<Instance>,
        fields: &[(super::interpreter::Field, Arc<Class>)],
        args: Args,
    ) {
        let mut positional = args.list.iter().filter(|argument| argument.name.is_none());
        for (field, _) in fields {
            let given = positional
                .next()
                .or_else(|| args.list.iter().find(|argument| argument.name.as_ref() == Some(&field.name)));
            let value = match (given, &field.default) {
                (Some(argument), Some(default)) => argument.or_default(default),
                (Some(argument), None) => argument.value.value.clone(),
                (None, Some(default)) if !args.open => default.clone(),
                (None, _) => self.fresh_named(&field.name),
            };
            let slot = Slot::Attribute(Owner::Id(instance.id), Arc::clone(&field.name));
            self.store.set(slot, Some(value));
        }
    }

    /// The constructor of a base outside the project.
    fn construct_base(
        &mut self,
        instance: &Arc<Instance>,
        class: &Arc<Class>,
        base: &Arc<str>,
        args: Args,
        site: &Site,
    ) {
        let object = self.new_object(base, args, None, site);
        self.push_event(&object.0, object.1, Some(Arc::clone(class)));
        self.store.set(Slot::Base(instance.id), Some(Value::Object(Arc::clone(&object.0))));
        if let Some(Summary::Parser(kind)) = self.outside(base) {
            self.build_parser(kind, instance.id, &object.0);
        }
    }

    fn call_super(&mut self, name: &str, args: Args, site: &Site) -> Value {
        let Some(receiver) = self.frame.receiver.clone() else { return self.fresh_named(&site.label) };
        let class = match &receiver {
            Value::Instance(instance) => Arc::clone(&instance.class),
            Value::Class(class) => Arc::clone(class),
            _ => return self.fresh_named(&site.label),
        };
        let order = self.resolution(&class);
        let own = self.frame.class.as_ref().map(|class| class.id);
        let at = order.iter().position(|base| matches!(base, Value::Class(base) if Some(base.id) == own));
        for base in order.into_iter().skip(at.map_or(1, |at| at + 1)) {
            match base {
                Value::Class(base) => {
                    let Some(Value::Function(function)) = self.own_attribute(&base, name) else { continue };
                    let bound = Function { receiver: Some(receiver), ..Function::clone(&function) };
                    return self.call_function(&Arc::new(bound), args, site);
                }
                Value::External(path) if is_outside(&path) => {
                    if let (true, Value::Instance(instance)) = (name == "__init__", &receiver) {
                        self.construct_base(instance, &class, &path, args, site);
                        return Value::NONE;
                    }
                    return self.call_outside(&format!("{path}.{name}"), args, Some(receiver), site);
                }
                _ => {}
            }
        }
        self.fresh_named(&site.label)
    }

    // Outside the project.

    fn call_external(&mut self, path: &Arc<str>, args: Args, site: &Site) -> Value {
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
            Some(Summary::Same(index, name)) => match self.summary_argument(&object, index, &name) {
                Some(value) => value,
                None => made,
            },
            Some(Summary::Copy(index, name)) => match self.summary_argument(&object, index, &name) {
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
    fn summary_argument(&self, object: &Object, index: usize, name: &str) -> Option<Value> {
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
            open,
            through,
            stack: self.stack.clone(),
            uncalled: self.uncalled,
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

fn is_outside(path: &str) -> bool {
    super::classes::is_real_base(path)
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
        key.push_str(&format!(",{}={constant}", argument.name.as_deref().unwrap_or_default()));
    }
    (!args.open).then_some(key)
}
