//! Calls: arguments, functions of the project, instances, and what is outside.

use std::sync::Arc;

use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;

use super::interpreter::Interpreter;
use super::store::{Owner, Slot};
use super::{Argument, Cond, Const, Instance, Object, Traced, Value};
use crate::source::Span;

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

    pub(super) fn without_first(mut self) -> Self {
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
}
