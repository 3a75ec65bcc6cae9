//! Questions: membership, classes, the environment.

use std::sync::Arc;

use ruff_python_ast::Expr;

use super::expressions::MAX_PATH;
use super::interpreter::Interpreter;
use super::statements::short_name;
use super::store::{Owner, Slot};
use super::truth::{distribute, equal, is_none, truth};
use super::{Atom, Cond, Const, Root, Symbol, Value};

impl Interpreter<'_> {
    /// `item in container`.
    pub(super) fn contains(&mut self, container: &Value, item: &Value) -> Cond {
        // Registries of a library are filled when its other modules are imported.
        let is_registry = match container {
            Value::List(items) => items.is_empty(),
            Value::Dict(dict) => self.content(dict).entries.is_empty(),
            _ => false,
        };
        if self.lenient && is_registry { Cond::opaque() } else { self.is_among(container, item) }
    }

    fn is_among(&mut self, container: &Value, item: &Value) -> Cond {
        match container {
            Value::List(items) => Cond::any(items.iter().map(|candidate| equal(item, &candidate.value))),
            Value::Dict(dict) => {
                let content = self.content(dict);
                let present = content.entries.iter().map(|(key, ..)| {
                    let when = content.maybe.get(key).cloned().unwrap_or(Cond::TRUE);
                    when.and(equal(item, &Value::Const(key.clone())))
                });
                let present = Cond::any(present);
                if content.open { present.or(Cond::opaque()) } else { present }
            }
            Value::Const(Const::Str(text)) => match item {
                Value::Const(Const::Str(part)) => text.contains(&**part).into(),
                Value::Choice(_) => distribute(item, |item| match item {
                    Value::Const(Const::Str(part)) => text.contains(&**part).into(),
                    _ => Cond::opaque(),
                }),
                _ => Cond::opaque(),
            },
            Value::Choice(_) => {
                let parts: Vec<Cond> = container
                    .alternatives()
                    .into_iter()
                    .map(|(when, container)| when.and(self.is_among(&container, item)))
                    .collect();
                Cond::any(parts)
            }
            // The same question about the same symbol has the same answer.
            Value::Symbol(symbol) => match item {
                Value::Const(constant) if symbol.path.len() < MAX_PATH => {
                    truth(&Self::member(symbol, &format!("contains({constant})")))
                }
                _ => Cond::opaque(),
            },
            Value::External(path) if &**path == "os.environ" => match item {
                Value::Const(Const::Str(name)) => is_none(&self.environment(name)).negate(),
                _ => Cond::opaque(),
            },
            _ => Cond::opaque(),
        }
    }

    pub(super) fn environment(&self, name: &Arc<str>) -> Value {
        let slot = Slot::Attribute(Owner::External("os.environ".into()), Arc::clone(name));
        self.store.get(&slot).cloned().unwrap_or_else(|| {
            Value::Symbol(Arc::new(Symbol { root: Root::Environment(Arc::clone(name)), path: Vec::new() }))
        })
    }

    /// `isinstance(value, class)`.
    pub(super) fn instance_of(&mut self, value: &Value, class: &Value, written: &Expr) -> Cond {
        if let Expr::Tuple(node) = written {
            let parts: Vec<Cond> = match class {
                Value::List(items) if items.len() == node.elts.len() => {
                    let pairs = items.iter().zip(&node.elts);
                    pairs.map(|(item, written)| self.instance_of(value, &item.value, written)).collect()
                }
                _ => return Cond::opaque(),
            };
            return Cond::any(parts);
        }
        if let Expr::BinOp(node) = written {
            let sides = [&node.left, &node.right];
            let parts = sides.map(|side| {
                let class = self.expr(side);
                self.instance_of(value, &class, side)
            });
            return Cond::any(parts);
        }
        let name: Arc<str> = match class {
            Value::External(path) => path.rsplit('.').next().unwrap_or_default().into(),
            Value::Class(class) => {
                self.note_choice(value, class);
                class.name.rsplit('.').next().unwrap_or_default().into()
            }
            Value::List(items) => {
                let items = Arc::clone(items);
                let parts: Vec<Cond> = items.iter().map(|item| self.instance_of(value, &item.value, written)).collect();
                return Cond::any(parts);
            }
            // A class that may be missing (`PeftModel = None`) has no instances then.
            Value::Choice(_) => {
                let some = class.alternatives().into_iter().find(|(_, class)| !matches!(class, Value::Const(_)));
                return match some {
                    Some((_, class)) => self.instance_of(value, &class, written),
                    None => Cond::FALSE,
                };
            }
            _ => match short_name(written) {
                Some(name) => name.into(),
                None => return Cond::opaque(),
            },
        };
        self.is_a(value, &name)
    }

    /// Whether a symbol is what a command line or an argument file gives, and the class is one of which text makes no object.
    fn is_never_parsed(&self, symbol: &Symbol, class: &str) -> bool {
        let is_flag = matches!(symbol.root, Root::Flag(_)) && symbol.path.is_empty();
        is_flag && !is_plain(class) && self.host.is_instance("builtins.str", class) == Some(false)
    }

    pub(super) fn is_a(&self, value: &Value, class: &Arc<str>) -> Cond {
        let among = |names: &[&str]| Cond::from(names.contains(&&**class));
        match value {
            Value::Choice(_) => distribute(value, |value| self.is_a(value, class)),
            Value::Symbol(symbol) if self.is_never_parsed(symbol, class) => Cond::FALSE,
            Value::Symbol(symbol) => Cond::Atom(Atom::IsInstance(Arc::clone(symbol), Arc::clone(class))),
            Value::Const(constant) => among(match constant {
                Const::None => &["NoneType", "object"],
                Const::Bool(_) => &["bool", "int", "object"],
                Const::Int(_) => &["int", "object"],
                Const::Float(_) => &["float", "object"],
                Const::Str(_) => &["str", "object"],
            }),
            Value::Object(object) => match self.host.is_instance(&object.callee, class) {
                Some(known) => known.into(),
                None if object.callee.rsplit('.').next() == Some(class) => Cond::TRUE,
                // No constructor or loader returns one of these.
                None if is_scalar(class) => Cond::FALSE,
                None => match super::truth::as_symbol(value) {
                    Some(symbol) => Cond::Atom(Atom::IsInstance(symbol, Arc::clone(class))),
                    None => Cond::opaque(),
                },
            },
            Value::Instance(instance) => {
                let mut unknown = false;
                for base in Self::resolution(&instance.class) {
                    match base {
                        Value::Class(base) if base.name.rsplit('.').next() == Some(class) => return Cond::TRUE,
                        Value::External(path) => {
                            if path.rsplit('.').next() == Some(class) {
                                return Cond::TRUE;
                            }
                            match self.host.is_instance(&path, class) {
                                Some(true) => return Cond::TRUE,
                                Some(false) => {}
                                None => unknown = true,
                            }
                        }
                        _ => {}
                    }
                }
                if unknown && !is_scalar(class) && !matches!(&**class, "dict" | "list") {
                    Cond::opaque()
                } else {
                    Cond::FALSE
                }
            }
            Value::List(_) => among(&["list", "tuple", "set", "Sequence", "Iterable", "object"]),
            Value::Dict(_) => among(&["dict", "Mapping", "MutableMapping", "object"]),
            Value::Unknown => Cond::opaque(),
            Value::Function(_) | Value::Module(_) => among(&["Callable", "FunctionType", "object"]),
            Value::Class(_) | Value::External(_) => {
                if is_plain(class) {
                    Cond::FALSE
                } else {
                    Cond::opaque()
                }
            }
        }
    }
}

/// Classes of single values, which no constructor or loader of a library returns.
fn is_scalar(class: &str) -> bool {
    matches!(class, "str" | "int" | "float" | "bool" | "NoneType")
}

/// Classes of everything that a command line or an argument file can give.
fn is_plain(class: &str) -> bool {
    is_scalar(class) || matches!(class, "dict" | "list" | "tuple")
}
