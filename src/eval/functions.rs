//! Functions and classes of the project, called.

use std::sync::Arc;

use ruff_python_ast as ast;

use super::calls::{Args, Site};
use super::expressions::put;
use super::interpreter::{Code, Definition, Exit, Field, Frame, Interpreter, Kind, MAX_CALLS};
use super::store::{Owner, Slot};
use super::truth::{choose, narrow};
use super::{Argument, Class, Cond, Const, Dict, Function, Instance, Summary, Traced, Value};

/// The same function inside itself at most this often.
const MAX_RECURSION: usize = 2;

impl Interpreter<'_> {
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
        definition: &Arc<Definition>,
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
        if self.lenient && self.caught.is_empty() && self.path != Cond::FALSE {
            // That nothing inside has raised is left out, as it is for a `raise` of the function itself.
            self.path = base;
        }
        self.active.pop();
        // What a generator or a coroutine returns is known only when it is awaited; nearly every caller awaits it.
        value
    }

    fn bind_parameters(
        &mut self,
        parameters: &ast::Parameters,
        definition: &Definition,
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
        definition: &Definition,
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

    pub(super) fn instantiate(&mut self, class: &Arc<Class>, args: Args, site: &Site) -> Value {
        if let Some(member) = self.pick_member(class, &args, site) {
            return member;
        }
        let instance = self.new_instance(class, None);
        let value = Value::Instance(Arc::clone(&instance));
        let external = self.external_base(class);
        if self.class_attribute(class, "__init__").is_some() {
            self.call_method(&value, "__init__", args, site);
            return value;
        }
        let fields = self.all_fields(class);
        if let Some(base) = &external {
            // The base does not see what the project's own fields get.
            let is_own = |argument: &Argument| {
                class.dataclass && fields.iter().any(|(field, _)| argument.name.as_ref() == Some(&field.name))
            };
            // Which field a position means depends on those of the base: what the base gets may be more than is seen.
            let is_placed = |argument: &Argument| class.dataclass && argument.name.is_none();
            let open = args.open || args.list.iter().any(is_placed);
            let seen = args.list.iter().filter(|argument| !is_own(argument) && !is_placed(argument)).cloned().collect();
            self.construct_base(&instance, class, base, Args { list: seen, open }, site);
        }
        if class.dataclass || external.is_none() {
            self.fill_fields(&instance, &fields, &args);
        }
        if class.dataclass && self.class_attribute(class, "__post_init__").is_some() {
            self.call_method(&value, "__post_init__", Args::default(), site);
        }
        value
    }

    fn fill_fields(&mut self, instance: &Arc<Instance>, fields: &[(Field, Arc<Class>)], args: &Args) {
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
    pub(super) fn construct_base(
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

    pub(super) fn call_super(&mut self, name: &str, args: Args, site: &Site) -> Value {
        let Some(receiver) = self.frame.receiver.clone() else { return self.fresh_named(&site.label) };
        let class = match &receiver {
            Value::Instance(instance) => Arc::clone(&instance.class),
            Value::Class(class) => Arc::clone(class),
            _ => return self.fresh_named(&site.label),
        };
        let order = self.lookup_order(&class);
        let own = self.frame.class.as_ref().map(|class| class.id);
        let at = order.iter().position(|base| matches!(base, Value::Class(base) if Some(base.id) == own));
        for base in order.into_iter().skip(at.map_or(1, |at| at + 1)) {
            match base {
                Value::Class(base) => {
                    let Some(Value::Function(function)) = self.own_attribute(&base, name) else { continue };
                    let bound = Function { receiver: Some(receiver), ..Function::clone(&function) };
                    return self.call_function(&Arc::new(bound), args, site);
                }
                Value::External(path) if super::classes::is_real_base(&path) => {
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
}
