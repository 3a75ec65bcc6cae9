//! Comprehensions.

use std::sync::Arc;

use ruff_python_ast::{self as ast, Expr};

use super::expressions::put;
use super::interpreter::Interpreter;
use super::{Cond, Dict, Traced, Value};

/// A comprehension over a literal of at most this many items is evaluated item by item.
const MAX_ITEMS: usize = 32;

impl Interpreter<'_> {
    pub(super) fn comprehension(&mut self, generators: &[ast::Comprehension], element: &Expr, whole: &Expr) -> Value {
        let [first, more @ ..] = generators else { return Value::Unknown };
        let source = self.expr(&first.iter);
        if let (Value::Symbol(symbol), []) = (&source, more) {
            // `[int(part) for part in version.split(".")]` stands for the version.
            if symbol.is_release() {
                return source;
            }
        }
        let plain = more.is_empty() && first.ifs.is_empty();
        if plain {
            self.pick_each(element, &first.target, &source);
        }
        self.inner_scope(|state| {
            let items = match &source {
                Value::List(items) if more.is_empty() && items.len() <= MAX_ITEMS => items.to_vec(),
                _ => {
                    let (item, _) = state.item_of(&source, &first.iter, &first.target);
                    state.bind(&first.target, &item);
                    state.comprehension_rest(&first.ifs, more, |state| _ = state.expr(element));
                    return state.listed(&source).filter(|_| plain).unwrap_or_else(|| state.fresh(whole));
                }
            };
            let mut result = Vec::new();
            let mut exact = true;
            for item in items {
                state.bind(&first.target, &item.value);
                let test = state.tests(&first.ifs);
                exact &= matches!(test, Cond::Const(_));
                if test != Cond::FALSE {
                    let value = state.expr(element);
                    result.push(Traced { value, span: state.span(element) });
                }
            }
            if exact { Value::List(result.into()) } else { state.fresh(whole) }
        })
    }

    fn comprehension_rest(&mut self, ifs: &[Expr], more: &[ast::Comprehension], element: impl FnOnce(&mut Self)) {
        self.tests(ifs);
        for generator in more {
            let source = self.expr(&generator.iter);
            let (item, _) = self.item_of(&source, &generator.iter, &generator.target);
            self.bind(&generator.target, &item);
            self.tests(&generator.ifs);
        }
        element(self);
    }

    fn tests(&mut self, ifs: &[Expr]) -> Cond {
        let tests: Vec<Cond> = ifs.iter().map(|test| self.condition(test)).collect();
        Cond::all(tests)
    }

    pub(super) fn dict_comprehension(&mut self, node: &ast::ExprDictComp) -> Value {
        let [first, more @ ..] = &node.generators[..] else { return Value::Unknown };
        let source = self.expr(&first.iter);
        let id = self.id();
        self.inner_scope(|state| {
            let mut dict = Dict { id, ..Dict::default() };
            match (&source, &node.key) {
                (Value::List(items), key) if more.is_empty() && items.len() <= MAX_ITEMS => {
                    for item in items.iter() {
                        state.bind(&first.target, &item.value);
                        let test = state.tests(&first.ifs);
                        let key = key.as_ref().map_or(Value::Unknown, |key| state.expr(key));
                        let entry = state.expr(&node.value);
                        // An entry that was only taken over keeps its place in the source.
                        let span = match &item.value {
                            Value::List(pair) if pair.len() == 2 => pair[1].span,
                            _ => state.span(&*node.value),
                        };
                        match key {
                            Value::Const(key) if test != Cond::FALSE => {
                                put(&mut dict, key, Traced { value: entry, span }, None, test);
                            }
                            Value::Const(_) => {}
                            _ => dict.open = true,
                        }
                    }
                }
                (_, key) => {
                    let (item, _) = state.item_of(&source, &first.iter, &first.target);
                    state.bind(&first.target, &item);
                    state.comprehension_rest(&first.ifs, more, |state| {
                        if let Some(key) = key {
                            state.expr(key);
                        }
                        state.expr(&node.value);
                    });
                    dict.open = true;
                }
            }
            Value::Dict(Arc::new(dict))
        })
    }

    /// Evaluates in a scope inside the present one.
    fn inner_scope(&mut self, act: impl FnOnce(&mut Self) -> Value) -> Value {
        let outer = self.frame.scope;
        let module = self.frame.module.file();
        self.frame.scope = self.new_scope(Some(outer), false, module);
        let value = act(self);
        self.frame.scope = outer;
        value
    }
}
