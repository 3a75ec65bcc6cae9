//! `IntervalStrategy(value)`: how a library checks that a parameter is one of a few words.
//!
//! Only where a function is asked when it raises, see [`super::run_function`]. The members that libraries use for this are
//! strings (`class IntervalStrategy(str, Enum)`), equal to their values, so the parameter goes on as it is.

use std::sync::Arc;

use ruff_python_ast::Expr;

use super::calls::{Args, Site};
use super::interpreter::Interpreter;
use super::numbers::strangers;
use super::trace::RaiseEvent;
use super::truth::{equal, narrow, truth};
use super::{Atom, Class, Cond, Const, Symbol, Value};
use crate::source::Span;

impl Interpreter<'_> {
    /// What a call of an enumeration returns, with the `ValueError` of a value that is no member written down; `None` for
    /// another class.
    pub(super) fn pick_member(&mut self, class: &Arc<Class>, args: &Args, site: &Site) -> Option<Value> {
        let [argument] = &*args.list else { return None };
        if argument.name.is_some() {
            return None;
        }
        let members = self.members_of(class)?;
        let value = narrow(&argument.value.value, &self.path);
        for (when, value) in value.alternatives() {
            let Value::Symbol(symbol) = value else { continue };
            let others = Cond::all(members.iter().map(|member| is(&symbol, member).negate()));
            self.refuse_member(class, when.and(others), site.span);
            self.members.insert(symbol, members.clone());
        }
        Some(value)
    }

    /// `[DebugOption(word) for word in value.split()]`, with the `ValueError` of a word that is no member.
    pub(super) fn pick_each(&mut self, element: &Expr, target: &Expr, source: &Value) {
        let (Expr::Call(call), Expr::Name(word)) = (element, target) else { return };
        let is_word = |argument: &Expr| matches!(argument, Expr::Name(name) if name.id == word.id);
        if !self.lenient
            || !call.arguments.keywords.is_empty()
            || !matches!(&*call.arguments.args, [argument] if is_word(argument))
        {
            return;
        }
        let Value::Class(class) = self.expr(&call.func) else { return };
        let Some(members) = self.members_of(&class) else { return };
        let words: Vec<String> = members.iter().map(Const::to_string).collect();
        for (when, source) in narrow(source, &self.path).alternatives() {
            let Some(Value::Symbol(symbol)) = self.listed(&source) else { continue };
            let others = truth(&Self::member(&symbol, &strangers(&words)));
            self.refuse_member(&class, when.and(others), self.span(element));
        }
    }

    /// The members of an enumeration of texts, where a function is asked when it raises.
    fn members_of(&self, class: &Arc<Class>) -> Option<Vec<Const>> {
        if !self.lenient || !Self::is_enumeration(class) {
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
        (!members.is_empty()).then_some(members)
    }

    fn refuse_member(&mut self, class: &Class, when: Cond, span: Span) {
        let short = class.name.rsplit('.').next().unwrap_or(&class.name);
        self.trace.raises.push(RaiseEvent {
            span,
            exception: "ValueError".into(),
            message: Some(format!("{{...}} is not a valid {short}").into()),
            when: self.path.clone().and(when),
            caught: self.caught.clone(),
        });
    }

    fn is_enumeration(class: &Arc<Class>) -> bool {
        // A base of a module that was not loaded is known by its name only.
        let is_enum = |base: &Value| match base {
            Value::External(path) => path.ends_with("Enum"),
            Value::Symbol(symbol) => symbol.to_string().ends_with("Enum"),
            _ => false,
        };
        Self::resolution(class).iter().any(is_enum)
    }

    /// Remembers that a value is asked whether it is a member: only members have a `value`, and are equal to it.
    pub(super) fn note_choice(&mut self, value: &Value, class: &Arc<Class>) {
        if self.lenient && Self::is_enumeration(class) {
            let symbols = value.alternatives().into_iter().filter_map(|(_, value)| match value {
                Value::Symbol(symbol) => Some(symbol),
                _ => None,
            });
            self.chosen.extend(symbols);
        }
    }

    /// Whether the two are equal (`==`); two parameters are where both are the same member, or the same number.
    pub(super) fn equal(&mut self, left: &Value, right: &Value) -> Cond {
        if self.lenient && (matches!(left, Value::Choice(_)) || matches!(right, Value::Choice(_))) {
            let pairs = left.alternatives().into_iter().flat_map(|(when, left)| {
                let pair = move |(also, right): (Cond, Value)| (when.clone().and(also), left.clone(), right);
                right.alternatives().into_iter().map(pair)
            });
            let equal: Vec<Cond> = pairs.map(|(when, left, right)| when.and(self.equal_plain(&left, &right))).collect();
            return Cond::any(equal);
        }
        self.equal_plain(left, right)
    }

    fn equal_plain(&mut self, left: &Value, right: &Value) -> Cond {
        if let (Value::Symbol(one), Value::Symbol(other)) = (left, right)
            && one != other
        {
            if let (Some(members), Some(others)) = (self.members.get(one), self.members.get(other)) {
                let shared = members.iter().filter(|member| others.contains(member));
                return Cond::any(shared.map(|member| is(one, member).and(is(other, member))));
            }
            if let Some(equal) = self.equal_numbers(one, other) {
                return equal;
            }
        }
        equal(left, right)
    }
}

fn is(symbol: &Arc<Symbol>, member: &Const) -> Cond {
    Cond::Atom(Atom::Equals(Arc::clone(symbol), member.clone()))
}
