//! Assignments to names, attributes and items.

use std::sync::Arc;

use ruff_python_ast::{self as ast, Expr};

use super::interpreter::Interpreter;
use super::store::{Owner, Slot};
use super::truth::choice;
use super::{Cond, Const, Dict, Traced, Value};

/// How deep a list may stand in other values to be found there.
const MAX_NESTING: usize = 3;

impl Interpreter<'_> {
    pub(super) fn assign_statement(&mut self, node: &ast::StmtAssign) {
        let value = self.expr(&node.value);
        for target in &node.targets {
            self.bind(target, &value);
        }
    }

    pub(super) fn bind(&mut self, target: &Expr, value: &Value) {
        if !self.enter() {
            return;
        }
        match target {
            Expr::Name(name) => self.assign(&name.id, value.clone()),
            Expr::Attribute(node) => {
                let owner = self.expr(&node.value);
                self.store_attribute(&owner, &node.attr, value);
            }
            Expr::Subscript(node) => {
                let owner = self.expr(&node.value);
                let key = self.expr(&node.slice);
                let stored = Traced { value: value.clone(), span: self.span(target) };
                self.store_item(&owner, &key, stored, Some(&node.value));
            }
            Expr::Starred(node) => self.bind(&node.value, value),
            Expr::Tuple(node) => self.unpack(&node.elts, value),
            Expr::List(node) => self.unpack(&node.elts, value),
            _ => {}
        }
        self.leave();
    }

    fn unpack(&mut self, targets: &[Expr], value: &Value) {
        for (index, target) in targets.iter().enumerate() {
            let item = if let Expr::Starred(starred) = target {
                self.fresh(&*starred.value)
            } else {
                let starred_before = targets[..index].iter().any(Expr::is_starred_expr);
                let from_end = targets.len() - index;
                self.unpacked(value, targets.len(), if starred_before { Err(from_end) } else { Ok(index) }, target)
            };
            self.bind(target, &item);
        }
    }

    /// One item of an unpacked value, counted from the start (`Ok`) or from the end.
    fn unpacked(&mut self, value: &Value, count: usize, at: Result<usize, usize>, target: &Expr) -> Value {
        match value {
            Value::List(items) => {
                let index = at.map_or_else(|from_end| items.len().checked_sub(from_end), Some);
                match index.and_then(|index| items.get(index)) {
                    Some(item) => item.value.clone(),
                    None => self.fresh(target),
                }
            }
            Value::Choice(choices) => {
                // `None` cannot be unpacked, nor can a list that is too short.
                let fits = |value: &Value| match value {
                    Value::Const(Const::None) => false,
                    Value::List(items) => items.len() == count || at.is_err(),
                    _ => true,
                };
                let fitting: Vec<_> = choices.iter().filter(|(_, value)| fits(value)).cloned().collect();
                let parts: Vec<(Cond, Value)> =
                    fitting.into_iter().map(|(when, value)| (when, self.unpacked(&value, count, at, target))).collect();
                choice(parts)
            }
            Value::Symbol(symbol) => match at {
                Ok(index) => Self::member(symbol, &format!("[{index}]")),
                Err(_) => self.fresh(target),
            },
            _ => self.fresh(target),
        }
    }

    pub(super) fn store_attribute(&mut self, owner: &Value, name: &str, value: &Value) {
        let own = |owner| Slot::Attribute(owner, name.into());
        let slot = match owner {
            Value::Object(object) => own(Owner::Id(object.id)),
            Value::Instance(instance) => own(Owner::Id(instance.id)),
            Value::Symbol(symbol) => own(Owner::Symbol(Arc::clone(symbol))),
            Value::External(path) => {
                // Patching a method changes the class for everyone.
                self.patched.insert(if name.starts_with("__") {
                    Arc::clone(path)
                } else {
                    format!("{path}.{name}").into()
                });
                own(Owner::External(Arc::clone(path)))
            }
            Value::Class(class) => match self.classes.get(&class.id) {
                Some(state) => Slot::Variable(state.scope, name.into()),
                None => return,
            },
            Value::Module(file) => match self.modules.get(file) {
                Some(state) => Slot::Variable(state.scope, name.into()),
                None => return,
            },
            Value::Choice(_) => {
                let value = value.clone();
                self.each(owner, &mut |state, owner| {
                    state.store_attribute(owner, name, &value);
                    Value::NONE
                });
                return;
            }
            // See `attribute`.
            Value::Dict(dict) => {
                let mut content = Dict::clone(&self.content(dict));
                content.open = true;
                let key = Const::Str(name.into());
                content.entries.retain(|(known, ..)| *known != key);
                self.set_content(dict, content, None);
                return;
            }
            _ => return,
        };
        self.store.set(slot, Some(value.clone()));
    }

    pub(super) fn store_item(&mut self, owner: &Value, key: &Value, item: Traced, written: Option<&Expr>) {
        match (owner, key) {
            (Value::Choice(_), _) => {
                self.each(owner, &mut |state, owner| {
                    state.store_item(owner, key, item.clone(), written);
                    Value::NONE
                });
            }
            (Value::Dict(dict), Value::Const(key)) => {
                let mut content = Dict::clone(&self.content(dict));
                content.maybe.remove(key);
                match content.entries.iter_mut().find(|(known, ..)| known == key) {
                    Some(entry) => *entry = (key.clone(), item, None),
                    None => content.entries.push((key.clone(), item, None)),
                }
                self.set_content(dict, content, written);
            }
            (Value::Dict(dict), _) => {
                let mut content = Dict::clone(&self.content(dict));
                content.open = true;
                self.set_content(dict, content, written);
            }
            (Value::External(path), Value::Const(Const::Str(name))) if &**path == "os.environ" => {
                let slot = Slot::Attribute(Owner::External(Arc::clone(path)), Arc::clone(name));
                self.store.set(slot, Some(item.value));
            }
            (Value::Symbol(_) | Value::Object(_) | Value::Instance(_), Value::Const(Const::Str(name))) => {
                self.store_attribute(owner, name, &item.value);
            }
            (Value::List(items), Value::Const(Const::Int(index))) => {
                let Some(at) = usize::try_from(*index).ok().filter(|at| *at < items.len()) else { return };
                let mut changed = items.to_vec();
                changed[at] = item;
                self.change_list(items, &Value::List(changed.into()), written);
            }
            _ => {}
        }
    }

    /// Changes a list for everyone who holds it (`b = a; a.append(x)`): a list is the allocation that holds its items.
    pub(super) fn change_list(&mut self, old: &Arc<[Traced]>, new: &Value, written: Option<&Expr>) {
        // One hold besides the caller's: if it is what the written place had, everything that is known need not be searched.
        let is_held_once = matches!(written, Some(Expr::Name(_) | Expr::Attribute(_))) && Arc::strong_count(old) <= 2;
        if let Some(written) = written {
            self.bind(written, new);
        }
        let is_old = |value: &Value| matches!(value, Value::List(items) if Arc::ptr_eq(items, old));
        if is_held_once && self.store.last_replaced().is_some_and(is_old) {
            return;
        }
        for (slot, value) in self
            .store
            .replaced(&|value| holds_list(value, old, MAX_NESTING).then(|| with_list(value, old, new, MAX_NESTING))?)
        {
            self.store.set(slot, Some(value));
        }
    }

    /// Changes a dictionary for everyone who holds it.
    pub(super) fn set_content(&mut self, dict: &Arc<Dict>, mut content: Dict, written: Option<&Expr>) {
        content.id = dict.id;
        let content = Value::Dict(Arc::new(content));
        if dict.id != 0 {
            self.dicts.entry(dict.id).or_insert_with(|| Arc::clone(dict));
            self.store.set(Slot::Content(dict.id), Some(content));
        } else if let Some(written) = written {
            self.bind(written, &content);
        }
    }

    pub(super) fn delete(&mut self, target: &Expr) {
        match target {
            Expr::Name(name) => {
                let name: Arc<str> = name.id.as_str().into();
                let scope = self.target_scope(&name);
                self.store.set(Slot::Variable(scope, name), None);
            }
            Expr::Subscript(node) => {
                let owner = self.expr(&node.value);
                let key = self.expr(&node.slice);
                self.remove_item(&owner, &key, Some(&node.value));
            }
            Expr::Attribute(node) => {
                let owner = self.expr(&node.value);
                if let Value::Object(_) | Value::Instance(_) | Value::Symbol(_) = owner {
                    let gone = self.fresh(node);
                    self.store_attribute(&owner, &node.attr, &gone);
                }
            }
            Expr::Tuple(node) => node.elts.iter().for_each(|target| self.delete(target)),
            _ => {}
        }
    }

    pub(super) fn remove_item(&mut self, owner: &Value, key: &Value, written: Option<&Expr>) {
        self.each(owner, &mut |state, owner| {
            let Value::Dict(dict) = owner else { return Value::NONE };
            let mut content = Dict::clone(&state.content(dict));
            if let Value::Const(key) = key {
                content.entries.retain(|(known, ..)| known != key);
                content.maybe.remove(key);
            } else {
                // Any of them may be gone.
                let keys: Vec<Const> = content.entries.iter().map(|(key, ..)| key.clone()).collect();
                for key in keys {
                    let when = content.maybe.remove(&key).unwrap_or(Cond::TRUE);
                    content.maybe.insert(key, when.and(Cond::opaque()));
                }
            }
            state.set_content(dict, content, written);
            Value::NONE
        });
    }
}

/// Whether a value holds that list, which few do: looking costs less than what [`with_list`] does.
fn holds_list(value: &Value, list: &Arc<[Traced]>, depth: usize) -> bool {
    let inner = |value: &Value| depth.checked_sub(1).is_some_and(|depth| holds_list(value, list, depth));
    match value {
        Value::List(items) => Arc::ptr_eq(items, list) || items.iter().any(|item| inner(&item.value)),
        Value::Dict(dict) => dict.entries.iter().any(|(_, item, _)| inner(&item.value)),
        Value::Choice(choices) => choices.iter().any(|(_, value)| inner(value)),
        _ => false,
    }
}

/// The value with a list in it replaced; `None` where it does not hold that list.
fn with_list(value: &Value, old: &Arc<[Traced]>, new: &Value, depth: usize) -> Option<Value> {
    let inner = |value: &Value| with_list(value, old, new, depth.checked_sub(1)?);
    match value {
        Value::List(items) if Arc::ptr_eq(items, old) => Some(new.clone()),
        Value::List(items) => {
            let found: Vec<_> = items.iter().map(|item| inner(&item.value)).collect();
            found.iter().any(Option::is_some).then(|| {
                let items = items.iter().zip(found).map(|(item, found)| match found {
                    Some(value) => Traced { value, span: item.span },
                    None => item.clone(),
                });
                Value::List(items.collect())
            })
        }
        Value::Dict(dict) => {
            let found: Vec<_> = dict.entries.iter().map(|(_, item, _)| inner(&item.value)).collect();
            found.iter().any(Option::is_some).then(|| {
                let mut changed = Dict::clone(dict);
                for ((_, item, _), found) in changed.entries.iter_mut().zip(found) {
                    if let Some(value) = found {
                        item.value = value;
                    }
                }
                Value::Dict(Arc::new(changed))
            })
        }
        Value::Choice(choices) => {
            let found: Vec<_> = choices.iter().map(|(_, value)| inner(value)).collect();
            found.iter().any(Option::is_some).then(|| {
                let parts = choices
                    .iter()
                    .zip(found)
                    .map(|((when, value), found)| (when.clone(), found.unwrap_or_else(|| value.clone())));
                choice(parts.collect::<Vec<_>>())
            })
        }
        _ => None,
    }
}
