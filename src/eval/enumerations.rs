//! `IntervalStrategy(value)`: how a library checks that a parameter is one of a few words.
//!
//! Only where a function is asked when it raises, see [`super::run_function`]. The members that libraries use for this are
//! strings (`class IntervalStrategy(str, Enum)`), equal to their values, so the parameter goes on as it is.

use std::sync::Arc;

use super::calls::{Args, Site};
use super::interpreter::Interpreter;
use super::trace::RaiseEvent;
use super::truth::{equal, narrow};
use super::{Atom, Class, Cond, Const, Symbol, Value};

impl Interpreter<'_> {
    /// What a call of an enumeration returns, with the `ValueError` of a value that is no member written down; `None` for
    /// another class.
    pub(super) fn pick_member(&mut self, class: &Arc<Class>, args: &Args, site: &Site) -> Option<Value> {
        let [argument] = &*args.list else { return None };
        // A base of a module that was not loaded is known by its name only.
        let is_enum = |base: &Value| match base {
            Value::External(path) => path.ends_with("Enum"),
            Value::Symbol(symbol) => symbol.to_string().ends_with("Enum"),
            _ => false,
        };
        if !self.lenient || argument.name.is_some() || !Self::resolution(class).iter().any(is_enum) {
            return None;
        }
        let variables = self.store.variables(self.classes.get(&class.id)?.scope);
        let members = variables.into_iter().filter(|(name, _)| !name.starts_with('_'));
        let members: Vec<Const> = members
            .filter_map(|(_, value)| match value {
                Value::Const(constant @ Const::Str(_)) => Some(constant),
                _ => None,
            })
            .collect();
        if members.is_empty() {
            return None;
        }
        let value = narrow(&argument.value.value, &self.path);
        let short = class.name.rsplit('.').next().unwrap_or(&class.name);
        let message: Arc<str> = format!("{{...}} is not a valid {short}").into();
        for (when, value) in value.alternatives() {
            let Value::Symbol(symbol) = value else { continue };
            let others = Cond::all(members.iter().map(|member| is(&symbol, member).negate()));
            self.trace.raises.push(RaiseEvent {
                span: site.span,
                exception: "ValueError".into(),
                message: Some(Arc::clone(&message)),
                when: self.path.clone().and(when).and(others),
                caught: self.caught.clone(),
            });
            self.members.insert(symbol, members.clone());
        }
        Some(value)
    }

    /// Whether the two are equal (`==`); two parameters are where both are the same member.
    pub(super) fn equal(&self, left: &Value, right: &Value) -> Cond {
        if let (Value::Symbol(one), Value::Symbol(other)) = (left, right)
            && one != other
            && let (Some(members), Some(others)) = (self.members.get(one), self.members.get(other))
        {
            let shared = members.iter().filter(|member| others.contains(member));
            return Cond::any(shared.map(|member| is(one, member).and(is(other, member))));
        }
        equal(left, right)
    }
}

fn is(symbol: &Arc<Symbol>, member: &Const) -> Cond {
    Cond::Atom(Atom::Equals(Arc::clone(symbol), member.clone()))
}
