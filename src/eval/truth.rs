//! Questions about values, and values joined under conditions.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::memo;
use super::{Argument, Atom, Cond, Const, Dict, Object, Order, Root, Symbol, Traced, Tri, Value};

/// A choice of more alternatives than this is not followed.
const MAX_ALTERNATIVES: usize = 16;
/// Cases that a question asked at every step may take.
const QUICK: usize = 128;
/// A condition that is written with more parts than this is replaced by a question without an answer.
const MAX_SIZE: usize = 48;

/// Whether the value is true for Python's `if`.
pub fn truth(value: &Value) -> Cond {
    match value {
        Value::Const(constant) => constant.truthy().into(),
        Value::Symbol(symbol) => Cond::Atom(Atom::Truthy(Arc::clone(symbol))),
        Value::List(items) => (!items.is_empty()).into(),
        Value::Dict(dict) => {
            if dict.entries.iter().any(|(key, ..)| !dict.maybe.contains_key(key)) {
                return Cond::TRUE;
            }
            let some = Cond::any(dict.maybe.values().cloned());
            if dict.open { some.or(Cond::opaque()) } else { some }
        }
        Value::Choice(_) => distribute(value, truth),
        Value::Unknown => Cond::opaque(),
        Value::Object(_)
        | Value::Instance(_)
        | Value::Function(_)
        | Value::Class(_)
        | Value::External(_)
        | Value::Module(_) => Cond::TRUE,
    }
}

/// Whether the value is `None`.
pub fn is_none(value: &Value) -> Cond {
    match value {
        Value::Const(constant) => (*constant == Const::None).into(),
        Value::Symbol(symbol) if symbol.is_list() => Cond::FALSE,
        Value::Symbol(symbol) => Cond::Atom(Atom::IsNone(Arc::clone(symbol))),
        Value::Choice(_) => distribute(value, is_none),
        Value::Unknown => Cond::opaque(),
        _ => Cond::FALSE,
    }
}

/// Whether the two are one and the same (`is`).
pub fn same(left: &Value, right: &Value) -> Cond {
    match (left, right) {
        (Value::Choice(_), _) => distribute(left, |left| same(left, right)),
        (_, Value::Choice(_)) => distribute(right, |right| same(left, right)),
        (Value::Unknown, _) | (_, Value::Unknown) => Cond::opaque(),
        (Value::Const(Const::None), other) | (other, Value::Const(Const::None)) => is_none(other),
        (Value::Const(Const::Bool(_)), Value::Symbol(_)) | (Value::Symbol(_), Value::Const(_)) => equal(left, right),
        (Value::Const(_), Value::Symbol(_)) => equal(right, left),
        (Value::Const(left), Value::Const(right)) => (left == right).into(),
        _ => match (as_symbol(left), as_symbol(right)) {
            (Some(one), Some(other)) if one == other => Cond::TRUE,
            // Of two things that were made by two calls none is the other.
            _ if !matches!((left, right), (Value::Symbol(_), _) | (_, Value::Symbol(_))) => {
                identical(left, right).into()
            }
            (Some(one), Some(other)) => {
                let (first, second) = if one < other { (one, other) } else { (other, one) };
                Cond::Atom(Atom::Same(first, second))
            }
            _ => Cond::opaque(),
        },
    }
}

/// Whether the two are equal (`==`).
pub(super) fn equal(left: &Value, right: &Value) -> Cond {
    match (left, right) {
        (Value::Choice(_), _) => distribute(left, |left| equal(left, right)),
        (_, Value::Choice(_)) => distribute(right, |right| equal(left, right)),
        (Value::Const(Const::None), other) | (other, Value::Const(Const::None)) => is_none(other),
        (Value::Const(left), Value::Const(right)) => left.equals(right).into(),
        (Value::Symbol(symbol), constant) | (constant, Value::Symbol(symbol)) => {
            if symbol.is_release() && release_text(constant).is_some() {
                let at_least = release(symbol, Order::GreaterOrEqual, constant);
                return at_least.and(release(symbol, Order::LessOrEqual, constant));
            }
            match constant {
                Value::Const(constant) => Cond::Atom(Atom::Equals(Arc::clone(symbol), constant.clone())),
                other if identical(&Value::Symbol(Arc::clone(symbol)), other) => Cond::TRUE,
                _ => Cond::opaque(),
            }
        }
        (Value::List(left), Value::List(right)) => {
            if left.len() != right.len() {
                return Cond::FALSE;
            }
            Cond::all(left.iter().zip(right.iter()).map(|(left, right)| equal(&left.value, &right.value)))
        }
        (Value::List(_), Value::Const(_)) | (Value::Const(_), Value::List(_)) => Cond::FALSE,
        _ if identical(left, right) => Cond::TRUE,
        // An instance may say of itself what it is equal to: a member of an enumeration is equal to its value. So may what
        // comes from outside the project.
        (Value::Object(_) | Value::Instance(_) | Value::External(_) | Value::Dict(_) | Value::Unknown, _)
        | (_, Value::Object(_) | Value::Instance(_) | Value::External(_) | Value::Dict(_) | Value::Unknown) => {
            Cond::opaque()
        }
        _ => Cond::FALSE,
    }
}

/// `left < right` and its kin.
pub(super) fn compare(left: &Value, order: Order, right: &Value) -> Cond {
    match (left, right) {
        (Value::Choice(_), _) => distribute(left, |left| compare(left, order, right)),
        (_, Value::Choice(_)) => distribute(right, |right| compare(left, order, right)),
        (Value::Const(one), Value::Const(other)) => match (one.number(), other.number(), one, other) {
            (Some(one), Some(other), ..) => holds(one.partial_cmp(&other), order),
            (_, _, Const::Str(one), Const::Str(other)) => holds(Some(one.cmp(other)), order),
            _ => Cond::opaque(),
        },
        (Value::Symbol(symbol), other) if symbol.is_release() => release(symbol, order, other),
        (other, Value::Symbol(symbol)) if symbol.is_release() => release(symbol, flip(order), other),
        (Value::Symbol(symbol), Value::Const(constant)) if constant.number().is_some() => {
            Cond::Atom(Atom::Compares(Arc::clone(symbol), order, constant.clone()))
        }
        (Value::Const(constant), Value::Symbol(symbol)) if constant.number().is_some() => {
            Cond::Atom(Atom::Compares(Arc::clone(symbol), flip(order), constant.clone()))
        }
        _ => Cond::opaque(),
    }
}

fn holds(ordering: Option<std::cmp::Ordering>, order: Order) -> Cond {
    let Some(ordering) = ordering else { return Cond::FALSE };
    Cond::from(match order {
        Order::Less => ordering.is_lt(),
        Order::LessOrEqual => ordering.is_le(),
        Order::Greater => ordering.is_gt(),
        Order::GreaterOrEqual => ordering.is_ge(),
    })
}

fn flip(order: Order) -> Order {
    match order {
        Order::Less => Order::Greater,
        Order::LessOrEqual => Order::GreaterOrEqual,
        Order::Greater => Order::Less,
        Order::GreaterOrEqual => Order::LessOrEqual,
    }
}

fn release(symbol: &Symbol, order: Order, other: &Value) -> Cond {
    match (&symbol.root, release_text(other)) {
        (Root::Release(package), Some(version)) => {
            // One spelling of each question: `<` is not `>=`, `>` is not `<=`.
            let atom = |order| Cond::Atom(Atom::Release(Arc::clone(package), order, version.clone()));
            match order {
                Order::Less => atom(Order::GreaterOrEqual).negate(),
                Order::Greater => atom(Order::LessOrEqual).negate(),
                order => atom(order),
            }
        }
        _ => Cond::opaque(),
    }
}

/// A version as a string constant or a tuple of numbers writes it.
fn release_text(value: &Value) -> Option<Arc<str>> {
    match value {
        Value::Const(Const::Str(text)) => {
            text.starts_with(|first: char| first.is_ascii_digit()).then(|| Arc::clone(text))
        }
        Value::Const(Const::Int(major)) => Some(major.to_string().into()),
        Value::List(items) => {
            let parts: Option<Vec<String>> = items
                .iter()
                .map(|item| match &item.value {
                    Value::Const(Const::Int(part)) => Some(part.to_string()),
                    Value::Const(Const::Str(part)) => Some(part.to_string()),
                    _ => None,
                })
                .collect();
            parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join(".").into())
        }
        _ => None,
    }
}

/// Asks each alternative.
pub(super) fn distribute(value: &Value, ask: impl Fn(&Value) -> Cond) -> Cond {
    Cond::any(value.alternatives().into_iter().map(|(when, value)| when.and(ask(&value))))
}

/// A condition as a value.
pub(super) fn boolean(cond: &Cond) -> Value {
    match cond {
        large if large.size() > 2 * MAX_SIZE => boolean(&Cond::opaque()),
        Cond::Const(value) => Value::bool(*value),
        other => {
            Value::Choice([(other.clone(), Value::bool(true)), (other.clone().negate(), Value::bool(false))].into())
        }
    }
}

/// The name under which the attributes of something are asked for when nothing else is known of them.
pub(super) fn as_symbol(value: &Value) -> Option<Arc<Symbol>> {
    let root = match value {
        Value::Symbol(symbol) => return Some(Arc::clone(symbol)),
        Value::Object(object) => object_root(object),
        Value::Instance(instance) => {
            let short = instance.class.name.rsplit('.').next().unwrap_or_default();
            Root::Unknown { id: instance.id, label: format!("{short}(...)").into() }
        }
        _ => return None,
    };
    Some(Arc::new(Symbol { root, path: Vec::new() }))
}

fn object_root(object: &Object) -> Root {
    let short = object.callee.rsplit('.').next().unwrap_or_default();
    Root::Unknown { id: object.id, label: format!("{short}(...)").into() }
}

/// Whether the two are known to be the same value, without a question.
pub(super) fn identical(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Const(left), Value::Const(right)) => left == right,
        (Value::Symbol(left), Value::Symbol(right)) => left == right,
        (Value::Object(left), Value::Object(right)) => left.id == right.id,
        (Value::Instance(left), Value::Instance(right)) => left.id == right.id,
        (Value::Function(left), Value::Function(right)) => {
            left.id == right.id
                && match (&left.receiver, &right.receiver) {
                    (None, None) => true,
                    (Some(left), Some(right)) => identical(left, right),
                    _ => false,
                }
        }
        (Value::Class(left), Value::Class(right)) => left.id == right.id,
        (Value::External(left), Value::External(right)) => left == right,
        (Value::Module(left), Value::Module(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            Arc::ptr_eq(left, right)
                || (left.len() == right.len()
                    && left.len() <= MAX_ALTERNATIVES
                    && left.iter().zip(right.iter()).all(|(left, right)| identical(&left.value, &right.value)))
        }
        (Value::Dict(left), Value::Dict(right)) => Arc::ptr_eq(left, right),
        (Value::Choice(left), Value::Choice(right)) => {
            Arc::ptr_eq(left, right)
                || (left.len() == right.len()
                    && left
                        .iter()
                        .zip(right.iter())
                        .all(|(one, other)| one.0 == other.0 && identical(&one.1, &other.1)))
        }
        _ => false,
    }
}

/// `then` if the test holds, else `otherwise`.
pub(super) fn choose(test: &Cond, then: &Value, otherwise: &Value) -> Value {
    match test {
        Cond::Const(true) => return then.clone(),
        Cond::Const(false) => return otherwise.clone(),
        _ if identical(then, otherwise) => return then.clone(),
        _ => {}
    }
    match (then, otherwise) {
        (Value::Unknown, Value::Unknown) => return Value::Unknown,
        (Value::Dict(one), Value::Dict(other)) if one.id == other.id && one.id != 0 => {
            return Value::Dict(Arc::new(merge_dicts(test, one, other)));
        }
        _ => {}
    }
    let negated = test.clone().negate();
    let branches = [(test, then), (&negated, otherwise)];
    let alternatives = branches.into_iter().flat_map(|(test, value)| {
        value.alternatives().into_iter().map(move |(when, value)| (test.clone().and(when), value))
    });
    choice(alternatives)
}

/// Joins alternatives, merging equal values.
pub(super) fn choice(alternatives: impl IntoIterator<Item = (Cond, Value)>) -> Value {
    let mut merged: Vec<(Cond, Value)> = Vec::new();
    for (when, value) in alternatives {
        if when == Cond::FALSE {
            continue;
        }
        match merged.iter_mut().find(|(_, known)| identical(known, &value)) {
            Some((known, _)) => *known = either(known, &when),
            None => merged.push((when, value)),
        }
        if merged.len() > MAX_ALTERNATIVES {
            return Value::Unknown;
        }
    }
    if merged.len() > 1 && merged.iter().any(|(when, _)| when.size() > MAX_SIZE) {
        let conditions = exclusive(merged.len());
        merged.iter_mut().zip(conditions).for_each(|((when, _), opaque)| *when = opaque);
    }
    match merged.len() {
        0 => Value::Unknown,
        1 => merged.remove(0).1,
        _ => Value::Choice(merged.into()),
    }
}

/// Conditions of which one holds, nobody knows which.
pub(super) fn exclusive(count: usize) -> Vec<Cond> {
    let mut rest = Cond::TRUE;
    let mut conditions = Vec::with_capacity(count);
    for _ in 1..count {
        let this = Cond::opaque();
        conditions.push(rest.clone().and(this.clone()));
        rest = rest.and(this.negate());
    }
    conditions.push(rest);
    conditions
}

/// A path condition of bounded size: what is too large becomes one question without an answer.
pub(super) fn bounded(path: Cond) -> Cond {
    if path.size() <= 3 * MAX_SIZE {
        return path;
    }
    let small = path.conjuncts().iter().filter(|part| part.size() <= MAX_SIZE / 8).take(MAX_SIZE / 2).cloned();
    Cond::all(small.chain([Cond::opaque()]))
}

/// A disjunction, once more simplified where that may help.
pub(super) fn simpler(cond: Cond) -> Cond {
    let Cond::Any(parts) = &cond else { return cond };
    let again = Cond::any(parts.iter().cloned());
    if again.verdict_within(QUICK) == Tri::Yes { Cond::TRUE } else { again }
}

/// The content of a dictionary that is one or the other.
pub(super) fn merge_dicts(test: &Cond, then: &Dict, otherwise: &Dict) -> Dict {
    let negated = test.clone().negate();
    let (in_then, in_otherwise) = (places(then), places(otherwise));
    let present = |dict: &Dict, key: &Const, place: Option<&usize>| match place {
        Some(_) => dict.maybe.get(key).cloned().unwrap_or(Cond::TRUE),
        None => Cond::FALSE,
    };
    let mut merged = Dict { id: then.id, open: then.open || otherwise.open, ..Dict::default() };
    let mut seen = HashSet::new();
    for (key, value, span) in then.entries.iter().chain(otherwise.entries.iter()) {
        if !seen.insert(key) {
            continue;
        }
        let (one, other) = (in_then.get(key), in_otherwise.get(key));
        let joined = match (one, other) {
            (Some(one), Some(other)) => {
                let (one, other) = (&then.entries[*one].1.value, &otherwise.entries[*other].1.value);
                Traced { value: choose(test, one, other), span: value.span }
            }
            _ => value.clone(),
        };
        let (one, other) = (present(then, key, one), present(otherwise, key, other));
        let when = if one == other { one } else { either(&test.clone().and(one), &negated.clone().and(other)) };
        let when = if when.size() > MAX_SIZE { Cond::opaque() } else { when };
        if when != Cond::TRUE {
            merged.maybe.insert(key.clone(), when);
        }
        merged.entries.push((key.clone(), joined, *span));
    }
    merged
}

/// Where each key stands: some libraries list thousands of names in one dictionary.
fn places(dict: &Dict) -> HashMap<&Const, usize> {
    dict.entries.iter().enumerate().rev().map(|(place, (key, ..))| (key, place)).collect()
}

/// What `question` is worth where `known` holds.
pub(super) fn decide(known: &Cond, question: &Cond) -> Tri {
    if let Cond::Const(value) = question {
        return if *value { Tri::Yes } else { Tri::No };
    }
    // Every use of a variable asks again.
    memo::decided(known, question, || decide_anew(known, question))
}

/// Only the parts of `known` that share a symbol with the question are looked at.
fn decide_anew(known: &Cond, question: &Cond) -> Tri {
    let parts = known.conjuncts();
    let negated = question.clone().negate();
    if parts.contains(question) {
        return Tri::Yes;
    }
    if parts.contains(&negated) {
        return Tri::No;
    }
    let atoms = question.atoms();
    let related =
        parts.iter().filter(|part| part.atoms().iter().any(|atom| atoms.iter().any(|asked| related(atom, asked))));
    let related = Cond::all(related.cloned());
    if related.clone().and(question.clone()).verdict_within(QUICK) == Tri::No {
        return Tri::No;
    }
    if related.and(negated).verdict_within(QUICK) == Tri::No {
        return Tri::Yes;
    }
    Tri::Maybe
}

fn related(one: &Atom, other: &Atom) -> bool {
    match (one.subject(), other.subject()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// The condition under which one of two ways, both known to start under `base`, ends here.
pub(super) fn join_paths(one: &Cond, other: &Cond) -> Cond {
    match (one, other) {
        (Cond::Const(false), path) | (path, Cond::Const(false)) => return path.clone(),
        (Cond::Const(true), _) | (_, Cond::Const(true)) => return Cond::TRUE,
        _ => {}
    }
    let (left, right) = (beyond(one, other), beyond(other, one));
    if left.size().max(right.size()) > MAX_SIZE {
        let common = one.conjuncts().iter().filter(|part| other.conjuncts().contains(part)).cloned();
        return bounded(Cond::all(common.chain([Cond::opaque()])));
    }
    bounded(either(one, other))
}

/// One or the other, with what both have in common written once: `(x and y) or (x and not y)` is `x`.
pub(super) fn either(one: &Cond, other: &Cond) -> Cond {
    let (left, right) = (one.conjuncts(), other.conjuncts());
    let common = left.iter().filter(|part| right.contains(part)).cloned();
    let rest = |parts: &[Cond], theirs: &[Cond]| Cond::all(parts.iter().filter(|part| !theirs.contains(part)).cloned());
    let differing = simpler(Cond::any([rest(left, right), rest(right, left)]));
    Cond::all(common.chain([differing]))
}

/// What `path` says beyond `base`.
pub(super) fn beyond(path: &Cond, base: &Cond) -> Cond {
    let known = base.conjuncts();
    Cond::all(path.conjuncts().iter().filter(|part| !known.contains(part)).cloned())
}

/// The alternatives that are possible where `path` holds.
pub(super) fn narrow(value: &Value, path: &Cond) -> Value {
    let Value::Choice(choices) = value else { return value.clone() };
    let mut left = Vec::with_capacity(choices.len());
    for (when, value) in choices.iter() {
        match decide(path, when) {
            Tri::Yes => return narrow(value, path),
            Tri::No => {}
            Tri::Maybe => left.push((when.clone(), value.clone())),
        }
    }
    match left.len() {
        0 => value.clone(),
        1 => left.remove(0).1,
        count if count == choices.len() => value.clone(),
        _ => Value::Choice(left.into()),
    }
}

impl Argument {
    /// The value that the parameter gets, given its default.
    pub fn or_default(&self, default: &Value) -> Value {
        choose(&self.when, &self.value.value, default)
    }
}
