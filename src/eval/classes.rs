//! Functions and classes of the project: definitions, attributes, instances.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::interpreter::{ClassState, Code, Definition, Field, Interpreter, Kind};
use super::order::behind;
use super::store::{Owner, Slot};
use super::truth::{as_symbol, narrow};
use super::{Class, Cond, Const, Dict, Function, Instance, Object, ParserId, Value};

impl Interpreter<'_> {
    // Definitions.

    pub(super) fn function_definition(&mut self, node: &ast::StmtFunctionDef) {
        let mut kind = Kind::Plain;
        let mut keep = true;
        for decorator in &node.decorator_list {
            match self.decorator(&decorator.expression).as_deref() {
                Some("builtins.staticmethod") => kind = Kind::Static,
                Some("builtins.classmethod") => kind = Kind::Class,
                Some("builtins.property" | "functools.cached_property") => kind = Kind::Property,
                // `@x.setter`: the getter stays.
                Some(path) if path.ends_with(".setter") || path.ends_with(".deleter") => keep = false,
                _ => {}
            }
        }
        if !keep {
            return;
        }
        let command = self.command(node);
        let function =
            self.define_as(Code::Def(Arc::new(node.clone())), node.name.as_str(), node.range(), kind, command);
        self.assign(node.name.as_str(), function);
    }

    /// The full name of a decorator, its call left out.
    fn decorator(&mut self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Call(call) => self.decorator(&call.func),
            Expr::Attribute(node) if matches!(node.attr.as_str(), "setter" | "deleter") => {
                Some(format!(".{}", node.attr))
            }
            Expr::Attribute(node) => match self.expr(&node.value) {
                Value::External(path) => Some(format!("{path}.{}", node.attr)),
                Value::Object(object) => Some(format!("{}.{}", object.callee, node.attr)),
                _ => None,
            },
            _ => match self.expr(expr) {
                Value::External(path) => Some(path.to_string()),
                _ => None,
            },
        }
    }

    pub(super) fn decorator_names(&mut self, list: &[ast::Decorator]) -> Vec<String> {
        list.iter().filter_map(|decorator| self.decorator(&decorator.expression)).collect()
    }

    pub(super) fn define(&mut self, code: Code, name: &str, range: TextRange) -> Value {
        self.define_as(code, name, range, Kind::Plain, None)
    }

    fn define_as(&mut self, code: Code, name: &str, range: TextRange, kind: Kind, command: Option<ParserId>) -> Value {
        let mut defaults = BTreeMap::new();
        if let Some(parameters) = code.parameters() {
            for parameter in parameters.iter_non_variadic_params() {
                if let Some(default) = &parameter.default {
                    let value = self.expr(default);
                    defaults.insert(parameter.name().as_str().into(), value);
                }
            }
        }
        let full = self.qualified(name);
        let function = Arc::new(Function { id: self.id(), name: full.into(), span: self.span(range), receiver: None });
        let definition = Definition {
            function: Arc::clone(&function),
            module: Arc::clone(&self.frame.module),
            code,
            scope: self.frame.scope,
            kind,
            class: self.frame.class.clone(),
            defaults,
            command,
        };
        self.definitions.insert(function.id, Arc::new(definition));
        Value::Function(function)
    }

    fn qualified(&self, name: &str) -> String {
        let module = self.modules.get(&self.frame.module.file()).map_or("", |state| &state.name);
        let class = self.frame.class.as_ref().filter(|_| self.in_class_body());
        match class {
            Some(class) => format!("{}.{name}", class.name),
            None if module.is_empty() => name.to_owned(),
            None => format!("{module}.{name}"),
        }
    }

    fn in_class_body(&self) -> bool {
        self.scopes.get(self.frame.scope as usize).is_some_and(|scope| scope.is_class)
    }

    pub(super) fn class_definition(&mut self, node: &ast::StmtClassDef) {
        let mut bases = Vec::new();
        if let Some(arguments) = &node.arguments {
            for base in &arguments.args {
                bases.push(match self.expr(base) {
                    // A base that may be missing is the one that is not.
                    choice @ Value::Choice(_) => {
                        let narrowed = narrow(&choice, &self.path);
                        let class = |(_, value): (Cond, Value)| match value {
                            Value::External(_) | Value::Class(_) => Some(value),
                            _ => None,
                        };
                        let mut classes = narrowed.alternatives().into_iter().filter_map(class);
                        match (classes.next(), classes.next()) {
                            (Some(only), None) => only,
                            _ => Value::Unknown,
                        }
                    }
                    value => value,
                });
            }
        }
        let decorators = self.decorator_names(&node.decorator_list);
        let dataclass = decorators.iter().any(|path| {
            let last = path.rsplit('.').next().unwrap_or_default();
            last.ends_with("dataclass") || matches!(last, "define" | "attrs" | "frozen" | "s")
        });
        let pydantic = |base: &Value| matches!(base, Value::External(path) if path.ends_with("BaseModel") || path.ends_with("NamedTuple"));
        let dataclass = dataclass || bases.iter().any(pydantic);
        let class = Arc::new(Class {
            id: self.id(),
            name: self.qualified(node.name.as_str()).into(),
            span: self.span(node),
            bases,
            dataclass,
            order: OnceLock::new(),
        });
        let scope = self.new_scope(Some(self.frame.scope), true, self.frame.module.file());
        let outer_scope = std::mem::replace(&mut self.frame.scope, scope);
        let outer_class = self.frame.class.replace(Arc::clone(&class));
        self.block(&node.body);
        let fields = self.fields(&node.body, scope);
        self.frame.scope = outer_scope;
        self.frame.class = outer_class;
        let mut seen = BTreeSet::new();
        let methods = node.body.iter().filter_map(|statement| match statement {
            Stmt::FunctionDef(method) => Some(Arc::<str>::from(method.name.as_str())),
            _ => None,
        });
        let methods = methods.filter(|name| seen.insert(Arc::clone(name))).collect();
        let state = ClassState { scope, fields, methods };
        self.classes.insert(class.id, Arc::new(state));
        self.assign(node.name.as_str(), Value::Class(class));
    }

    fn fields(&mut self, body: &[Stmt], scope: u32) -> Vec<Field> {
        let mut fields = Vec::new();
        for statement in body {
            let Stmt::AnnAssign(node) = statement else { continue };
            let Expr::Name(name) = &*node.target else { continue };
            let annotation = self.frame.module.slice(&*node.annotation).to_owned();
            if annotation.contains("ClassVar") {
                continue;
            }
            let default = node.value.as_ref().map(|value| self.field_default(value));
            if let Some(default) = &default {
                // The class attribute is the default, not the `field(...)`.
                self.store.set(Slot::Variable(scope, name.id.as_str().into()), Some(default.clone()));
            }
            fields.push(Field { name: name.id.as_str().into(), annotation, default, span: self.span(node) });
        }
        fields
    }

    /// The default that `field(default=...)` or a plain value stands for.
    fn field_default(&mut self, value: &Expr) -> Value {
        let Expr::Call(call) = value else { return self.expr(value) };
        let callee = self.expr(&call.func);
        let is_field = matches!(&callee, Value::External(path) if matches!(path.rsplit('.').next(), Some("field" | "Field" | "ib")));
        if !is_field {
            return self.expr(value);
        }
        let keyword = |name: &str| call.arguments.find_keyword(name).map(|keyword| &keyword.value);
        if let Some(default) = keyword("default").or_else(|| call.arguments.args.first()) {
            return self.expr(default);
        }
        match keyword("default_factory") {
            Some(factory) => {
                let factory_value = self.expr(factory);
                let args = super::calls::Args::default();
                let site = self.site(factory);
                self.call_value(&factory_value, args, &site)
            }
            None => Value::Unknown,
        }
    }

    // Attributes.

    pub(super) fn attribute(&mut self, owner: &Value, name: &str) -> Value {
        match owner {
            Value::Choice(_) => self.each(owner, &mut |state, owner| state.attribute(owner, name)),
            Value::Symbol(symbol) => self.symbol_attribute(symbol, name),
            Value::External(path) => self.external_attribute(path, name),
            Value::Module(file) => {
                let found = self.module_attribute(*file, name);
                found.or_else(|| self.submodule_of(*file, name)).unwrap_or_else(|| self.fresh_named(name))
            }
            Value::Object(object) => match self.store.get(&Slot::Attribute(Owner::Id(object.id), name.into())) {
                Some(value) => narrow(value, &self.path),
                None => self.unstored_object_attribute(object, name),
            },
            Value::Instance(instance) => self.instance_attribute(instance, name),
            Value::Class(class) => match self.class_attribute(class, name) {
                Some((Value::Function(function), _)) => self.bind_to_class(&function, owner),
                Some((value, _)) => value,
                None if name == "__name__" => Value::str(class.name.rsplit('.').next().unwrap_or_default()),
                None => match self.external_base(class) {
                    Some(base) => self.external_attribute(&base, name),
                    None => self.fresh_named(name),
                },
            },
            Value::Function(function) if name == "__name__" => {
                Value::str(function.name.rsplit('.').next().unwrap_or_default())
            }
            // Many configurations are dictionaries whose keys are attributes, too.
            Value::Dict(dict) => {
                let content = self.content(dict);
                let entry = content.entries.iter().find(|(key, ..)| matches!(key, Const::Str(key) if **key == *name));
                let known = entry.filter(|(key, ..)| !content.maybe.contains_key(key));
                known.map_or_else(|| self.fresh_named(name), |(_, item, _)| item.value.clone())
            }
            Value::List(_) | Value::Const(_) | Value::Function(_) | Value::Unknown => self.fresh_named(name),
        }
    }

    fn submodule_of(&mut self, file: crate::source::FileId, name: &str) -> Option<Value> {
        let dotted = self.dotted.iter().find(|(_, known)| **known == file).map(|(dotted, _)| dotted.clone())?;
        self.dotted.get(&format!("{dotted}.{name}")).map(|file| Value::Module(*file))
    }

    fn bind_to_class(&mut self, function: &Arc<Function>, class: &Value) -> Value {
        let kind = self.definitions.get(&function.id).map(|definition| definition.kind);
        let receiver = if kind == Some(Kind::Class) { Some(class.clone()) } else { None };
        Value::Function(Arc::new(Function { receiver, ..Function::clone(function) }))
    }

    /// An attribute as the constructor left it.
    pub(super) fn unstored_object_attribute(&mut self, object: &Arc<Object>, name: &str) -> Value {
        if let Some((_, value)) = object.stored.iter().rev().find(|(stored, _)| &**stored == name) {
            return value.clone();
        }
        if let Some(value) = self.host.attribute(object, name) {
            return value;
        }
        if let Some(parser) = object.parsed
            && let Some(value) = self.parsed_attribute(parser, &object.callee, name)
        {
            return value;
        }
        let is_class = object.callee.rsplit('.').next().is_some_and(|last| last.starts_with(char::is_uppercase));
        if is_class && object.receiver.is_none() {
            let given = object
                .args
                .iter()
                .find(|argument| argument.name.as_deref() == Some(name) && argument.when == Cond::TRUE);
            if let Some(argument) = given {
                return argument.value.value.clone();
            }
        }
        match as_symbol(&Value::Object(Arc::clone(object))) {
            Some(symbol) => self.symbol_attribute(&symbol, name),
            None => Value::Unknown,
        }
    }

    fn instance_attribute(&mut self, instance: &Arc<Instance>, name: &str) -> Value {
        if let Some(value) = self.store.get(&Slot::Attribute(Owner::Id(instance.id), name.into())) {
            return narrow(value, &self.path);
        }
        if let Some((_, value)) = instance.stored.iter().rev().find(|(stored, _)| &**stored == name) {
            return value.clone();
        }
        let owner = Value::Instance(Arc::clone(instance));
        match name {
            "__class__" => return Value::Class(Arc::clone(&instance.class)),
            "__dict__" => return self.attributes_of(&owner),
            _ => {}
        }
        if let Some((value, _)) = self.class_attribute(&instance.class, name) {
            let Value::Function(function) = &value else { return value };
            let bound = |receiver| Function { receiver, ..Function::clone(function) };
            return match self.definitions.get(&function.id).map(|definition| definition.kind) {
                Some(Kind::Property) => {
                    let site = self.site_here();
                    self.call_function(&Arc::new(bound(Some(owner))), super::calls::Args::default(), &site)
                }
                Some(Kind::Static) => Value::Function(Arc::new(bound(None))),
                Some(Kind::Class) => Value::Function(Arc::new(bound(Some(Value::Class(Arc::clone(&instance.class)))))),
                _ => Value::Function(Arc::new(bound(Some(owner)))),
            };
        }
        let base = self.external_base(&instance.class);
        if let (Some(parser), Some(base)) = (instance.parsed, &base)
            && let Some(value) = self.parsed_attribute(parser, base, name)
        {
            return value;
        }
        if let Some(Value::Object(object)) = self.store.get(&Slot::Base(instance.id)).cloned() {
            return self.attribute(&Value::Object(object), name);
        }
        match as_symbol(&owner) {
            Some(symbol) => self.symbol_attribute(&symbol, name),
            None => Value::Unknown,
        }
    }

    /// What is known of the attributes of something, as a dictionary: `vars(x)`, `asdict(x)`.
    pub(super) fn attributes_of(&mut self, value: &Value) -> Value {
        let span = self.stack.last().copied();
        let module = Arc::clone(&self.frame.module);
        let whole = || span.unwrap_or_else(|| module.span(TextRange::default()));
        let mut dict = Dict { id: self.id(), open: true, ..Dict::default() };
        let mut known: Vec<(Arc<str>, Value)> = Vec::new();
        match value {
            Value::Instance(instance) => {
                dict.open = self.external_base(&instance.class).is_some();
                known = self.store.attributes(&Owner::Id(instance.id));
            }
            Value::Object(object) => {
                if let Some(parser) = object.parsed {
                    (known, dict.open) = self.parsed_attributes(parser, &object.callee);
                }
                for (name, value) in self.store.attributes(&Owner::Id(object.id)) {
                    known.retain(|(known, _)| *known != name);
                    known.push((name, value));
                }
            }
            Value::Symbol(symbol) => known = self.store.attributes(&Owner::Symbol(Arc::clone(symbol))),
            _ => {}
        }
        for (name, value) in known {
            let item = super::Traced { value, span: whole() };
            super::expressions::put(&mut dict, Const::Str(name), item, None, Cond::TRUE);
        }
        Value::Dict(Arc::new(dict))
    }

    // Classes.

    /// A class attribute, and the class that has it.
    pub(super) fn class_attribute(&mut self, class: &Arc<Class>, name: &str) -> Option<(Value, Arc<Class>)> {
        if let Some(value) = self.own_attribute(class, name) {
            return Some((value, Arc::clone(class)));
        }
        behind(class).iter().find_map(|base| {
            let Value::Class(base) = base else { return None };
            Some((self.own_attribute(base, name)?, Arc::clone(base)))
        })
    }

    pub(super) fn own_attribute(&self, class: &Arc<Class>, name: &str) -> Option<Value> {
        let state = self.classes.get(&class.id)?;
        let value = self.store.get(&Slot::Variable(state.scope, name.into()))?;
        Some(narrow(value, &self.path))
    }

    /// The class and its bases, outside ones included, in the order in which Python looks attributes up. Where the bases
    /// contradict each other (Python refuses such a class, but an outside base may hide why) or are too many: depth first.
    pub(super) fn resolution(class: &Arc<Class>) -> Vec<Value> {
        std::iter::once(Value::Class(Arc::clone(class))).chain(behind(class).iter().cloned()).collect()
    }

    /// The first base outside the project that means something; `None` also where what stands before it is not known, since that may
    /// have the attribute.
    pub(super) fn external_base(&self, class: &Arc<Class>) -> Option<Arc<str>> {
        let mut known = self
            .lookup_order(class)
            .into_iter()
            .take_while(|base| matches!(base, Value::Class(_) | Value::External(_)));
        known.find_map(|base| match base {
            Value::External(path) if is_real_base(&path) => Some(path),
            _ => None,
        })
    }

    /// [`Self::resolution`], with classes from outside behind those that derive from them: of `class Own(Mixin, GRPOTrainer)`, where
    /// `Mixin` derives from `Trainer`, that is the last.
    pub(super) fn lookup_order(&self, class: &Arc<Class>) -> Vec<Value> {
        let mut order = Self::resolution(class);
        for _ in 0..order.len() {
            let derived = |at: usize| {
                let Value::External(base) = &order[at] else { return None };
                let derives =
                    |one: &usize| matches!(&order[*one], Value::External(path) if self.host.derives(path, base));
                Some((at, (at + 1..order.len()).rev().find(derives)?))
            };
            let Some((base, last)) = (0..order.len()).find_map(derived) else { break };
            let base = order.remove(base);
            order.insert(last, base);
        }
        order
    }

    /// All fields of a dataclass and its project bases, a base's first; a field that is declared again keeps its place.
    pub(super) fn all_fields(&self, class: &Arc<Class>) -> Vec<(Field, Arc<Class>)> {
        let mut fields: Vec<(Field, Arc<Class>)> = Vec::new();
        for base in Self::resolution(class).into_iter().rev() {
            let Value::Class(base) = base else { continue };
            let Some(state) = self.classes.get(&base.id) else { continue };
            for field in &state.fields {
                match fields.iter_mut().find(|(known, _)| known.name == field.name) {
                    Some(known) => *known = (field.clone(), Arc::clone(&base)),
                    None => fields.push((field.clone(), Arc::clone(&base))),
                }
            }
        }
        fields
    }

    pub(super) fn new_instance(&mut self, class: &Arc<Class>, parsed: Option<ParserId>) -> Arc<Instance> {
        let id = self.id();
        let instance = Arc::new(Instance { id, class: Arc::clone(class), stored: Vec::new(), object: None, parsed });
        self.instances.insert(id, Arc::clone(&instance));
        instance
    }
}

impl Code {
    pub(super) fn parameters(&self) -> Option<&ast::Parameters> {
        match self {
            Self::Def(node) => Some(&node.parameters),
            Self::Lambda(node) => node.parameters.as_deref(),
        }
    }
}

/// Bases that only say something to Python or a type checker.
pub(super) fn is_real_base(path: &str) -> bool {
    let module = path.split('.').next().unwrap_or_default();
    !matches!(
        module,
        "builtins" | "abc" | "typing" | "typing_extensions" | "enum" | "dataclasses" | "collections" | "pydantic"
    )
}
