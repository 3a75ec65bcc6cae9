//! What the names of a module stand for after it was evaluated.

use std::sync::Arc;

use super::interpreter::Interpreter;
use super::{Dict, Traced, Value};

/// How deep values may stand in each other, and how many there may be: a dictionary that stands in itself twice, and that again, is
/// more than anyone writes.
const MAX_DEPTH: usize = 24;
const MAX_VALUES: usize = 20_000;

impl Interpreter<'_> {
    /// The names of a scope, each with what it holds by now, all the way down.
    pub(super) fn names_of(&self, scope: u32) -> Vec<(Arc<str>, Value)> {
        let mut left = MAX_VALUES;
        let variables = self.store.variables(scope).into_iter();
        variables.map(|(name, value)| (name, self.in_the_end(&value, MAX_DEPTH, &mut left))).collect()
    }

    fn in_the_end(&self, value: &Value, depth: usize, left: &mut usize) -> Value {
        let (Some(depth), Some(fewer)) = (depth.checked_sub(1), left.checked_sub(1)) else { return Value::Unknown };
        *left = fewer;
        let mut inner = |item: &Traced| Traced { value: self.in_the_end(&item.value, depth, left), span: item.span };
        match value {
            Value::Dict(dict) => {
                let mut content = Dict::clone(&self.content(dict));
                content.entries.iter_mut().for_each(|(_, item, _)| *item = inner(item));
                Value::Dict(Arc::new(content))
            }
            Value::List(items) => Value::List(items.iter().map(inner).collect()),
            other => self.export(other),
        }
    }
}
