//! The two ways through a branch, undone and joined; the ways out of a function.

use std::collections::BTreeSet;

use super::interpreter::{Exit, Interpreter};
use super::store::{Owner, Slot, Writes};
use super::truth::{beyond, bounded, choice, choose, decide, join_paths, narrow};
use super::{Cond, Const, Tri, Value};

impl Interpreter<'_> {
    /// The path where `test` holds too; `False` where it cannot.
    pub(super) fn assume(&self, test: &Cond) -> Cond {
        match decide(&self.path, test) {
            Tri::Yes => self.path.clone(),
            Tri::No => Cond::FALSE,
            Tri::Maybe => bounded(self.path.clone().and(test.clone())),
        }
    }

    /// How many ways out of the present function and its loops were found so far.
    fn ways_out(&self) -> usize {
        let loops = self.frame.loops.iter().map(|inner| inner.breaks.len() + inner.continues.len());
        self.frame.exits.len() + loops.sum::<usize>()
    }

    /// Whether the present way ended with an exception that nothing here catches, and the path around it goes on as if it
    /// had not been taken.
    fn only_raised(&self, ways_before: usize) -> bool {
        self.lenient && self.path == Cond::FALSE && self.caught.is_empty() && self.ways_out() == ways_before
    }

    /// Evaluates one of two ways, or both and joins what they did.
    pub(super) fn branch(
        &mut self,
        test: &Cond,
        then: impl FnOnce(&mut Self) -> Value,
        otherwise: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        let base = self.path.clone();
        let negated = test.clone().negate();
        let (then_path, else_path) = (self.assume(test), self.assume(&negated));
        if else_path == Cond::FALSE {
            return then(self);
        }
        if then_path == Cond::FALSE {
            return otherwise(self);
        }
        let mark = self.store.mark();
        let ways = self.ways_out();
        self.path = then_path.clone();
        let one = then(self);
        let one_raised = self.only_raised(ways);
        let else_path = if one_raised { base.clone() } else { else_path };
        let one_end = std::mem::replace(&mut self.path, else_path.clone());
        let one_writes = self.store.take(mark);
        let ways = self.ways_out();
        let other = otherwise(self);
        let other_end = self.path.clone();
        if one_end == Cond::FALSE {
            return other;
        }
        let other_raised = self.only_raised(ways);
        let other_writes = self.store.take(mark);
        if other_end == Cond::FALSE {
            self.path = if other_raised { base.and(beyond(&one_end, &then_path)) } else { one_end };
            self.store.apply(one_writes);
            return one;
        }
        let both = one_end == then_path && other_end == else_path;
        self.path = if both { base } else { join_paths(&one_end, &other_end) };
        self.merge(test, &one_writes, &other_writes);
        choose(test, &one, &other)
    }

    /// Joins what two ways wrote.
    pub(super) fn merge(&mut self, test: &Cond, one: &Writes, other: &Writes) {
        let slots: BTreeSet<&Slot> = one.keys().chain(other.keys()).collect();
        for slot in slots {
            let old = self.store.get(slot).cloned();
            let left = one.get(slot).cloned().unwrap_or_else(|| old.clone());
            let right = other.get(slot).cloned().unwrap_or(old);
            let merged = match (left, right) {
                (Some(left), Some(right)) => Some(choose(test, &left, &right)),
                (Some(left), None) => Some(match self.unwritten(slot) {
                    Some(right) => choose(test, &left, &right),
                    None => left,
                }),
                (None, Some(right)) => Some(match self.unwritten(slot) {
                    Some(left) => choose(test, &left, &right),
                    None => right,
                }),
                (None, None) => None,
            };
            self.store.set(slot.clone(), merged);
        }
    }

    /// What a slot is worth that nothing was written to. A name that is bound on one way only is taken as bound: using it on
    /// the other would raise.
    fn unwritten(&mut self, slot: &Slot) -> Option<Value> {
        match slot {
            Slot::Attribute(Owner::Symbol(symbol), name) => {
                Some(self.composed(symbol, name).unwrap_or_else(|| Self::member(symbol, name)))
            }
            Slot::Attribute(Owner::External(path), name) => Some(Value::External(format!("{path}.{name}").into())),
            Slot::Attribute(Owner::Id(id), name) => {
                if let Some(object) = self.objects.get(id).cloned() {
                    return Some(self.unstored_object_attribute(&object, name));
                }
                let instance = self.instances.get(id).cloned()?;
                self.class_attribute(&instance.class, name).map(|(value, _)| value)
            }
            Slot::Content(id) => self.dicts.get(id).cloned().map(Value::Dict),
            Slot::Variable(..) | Slot::Base(_) => None,
        }
    }

    /// Joins the ways out of a frame: the value, the path and what was written.
    pub(super) fn join_exits(&mut self, base: &Cond, mark: usize, mut exits: Vec<Exit>) -> Value {
        self.store.take(mark);
        exits.retain(|exit| exit.path != Cond::FALSE);
        let Some(last) = exits.pop() else {
            self.stop();
            return Value::Unknown;
        };
        if exits.is_empty() {
            self.store.apply(last.writes);
            self.path = last.path;
            return last.value;
        }
        let mut alternatives: Vec<(Cond, Value)> =
            exits.iter().map(|exit| (beyond(&exit.path, base), exit.value.clone())).collect();
        // The ways are exclusive: the last one is taken where none of the others is.
        let rest = Cond::all(alternatives.iter().map(|(when, _)| when.clone().negate()));
        let own = beyond(&last.path, base);
        alternatives.push((if own.atoms().len() > rest.atoms().len() { rest } else { own }, last.value));
        self.path = exits.iter().rfold(last.path, |path, exit| join_paths(&exit.path, &path));
        let mut writes = last.writes;
        for exit in exits.into_iter().rev() {
            let test = beyond(&exit.path, base);
            self.merge(&test, &exit.writes, &writes);
            writes = self.store.take(mark);
        }
        self.store.apply(writes);
        choice(alternatives)
    }

    /// Asks for each alternative that is possible here, and joins the answers. `None` is left out where something else is
    /// possible: what is done with a value that is called or looked into fails on `None`.
    pub(super) fn each(&mut self, value: &Value, act: &mut dyn FnMut(&mut Self, &Value) -> Value) -> Value {
        let value = narrow(value, &self.path);
        if !matches!(value, Value::Choice(_)) {
            return act(self, &value);
        }
        let mut alternatives = value.alternatives();
        if alternatives.iter().any(|(_, value)| !matches!(value, Value::Const(Const::None))) {
            alternatives.retain(|(_, value)| !matches!(value, Value::Const(Const::None)));
        }
        self.each_of(&alternatives, act)
    }

    fn each_of(&mut self, alternatives: &[(Cond, Value)], act: &mut dyn FnMut(&mut Self, &Value) -> Value) -> Value {
        match alternatives {
            [] => Value::Unknown,
            [(_, value)] => act(self, value),
            [(when, value), rest @ ..] => {
                let act = std::cell::RefCell::new(act);
                self.branch(
                    when,
                    |state| (act.borrow_mut())(state, value),
                    |state| state.each_of(rest, &mut **act.borrow_mut()),
                )
            }
        }
    }
}
