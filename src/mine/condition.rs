//! Conditions as they are stored: over parameters alone.

use std::sync::Arc;

use crate::eval::{Atom, Cond, Root, Symbol, Tri};

/// A condition longer than this is more than a reader or a rule can use.
const MAX_LENGTH: usize = 260;

/// Beyond this many atoms a condition is not asked whether it can hold at all: there are hundreds of thousands of them.
const MAX_ATOMS: usize = 6;

/// What is not over parameters; printed as `...`.
const UNKNOWN: Cond = Cond::Atom(Atom::Opaque(0));

/// A condition over parameters as text; `None` where nothing of use is left of it. A parameter called `self` stands for the
/// object itself: its attributes are the fields of a dataclass.
pub(super) fn written(cond: &Cond) -> Option<String> {
    let visible = tidy(&visible(cond, false));
    let never = visible.atoms().len() <= MAX_ATOMS && visible.verdict() == Tri::No;
    // One part that is never known to be true makes the whole never known to be true.
    if visible.conjuncts().contains(&UNKNOWN) || never {
        return None;
    }
    Some(visible.to_string()).filter(|text| text.len() <= MAX_LENGTH)
}

/// The condition, or its opposite, with everything that is not over parameters replaced by one unknown. Negations are moved
/// inwards, so that two unknowns never cancel each other.
fn visible(cond: &Cond, negated: bool) -> Cond {
    match cond {
        Cond::Const(value) => Cond::Const(*value != negated),
        Cond::Not(inner) => visible(inner, !negated),
        Cond::Atom(atom) => match over_parameters(atom) {
            Some(atom) if negated => Cond::Atom(atom).negate(),
            Some(atom) => Cond::Atom(atom),
            None => UNKNOWN,
        },
        Cond::All(parts) if !negated => Cond::all(parts.iter().map(|part| visible(part, false))),
        Cond::Any(parts) if negated => Cond::all(parts.iter().map(|part| visible(part, true))),
        Cond::All(parts) | Cond::Any(parts) => Cond::any(parts.iter().map(|part| visible(part, negated))),
    }
}

/// Leaves out what follows from the rest: `isinstance(x, str) or x is not None` is `x is not None`.
///
/// Unknowns are never negated here, so taking all of them for one loses nothing: a condition is certain where it holds with
/// every unknown false.
fn tidy(cond: &Cond) -> Cond {
    match cond {
        Cond::Any(parts) => {
            let mut parts: Vec<Cond> = parts.iter().map(tidy).collect();
            drop_where(&mut parts, implies);
            Cond::any(parts)
        }
        Cond::All(parts) => {
            let mut parts: Vec<Cond> = parts.iter().map(tidy).collect();
            for at in 0..parts.len() {
                let Cond::Any(ways) = &parts[at] else { continue };
                let excluded = |way: &Cond| (0..parts.len()).any(|other| other != at && exclude(way, &parts[other]));
                parts[at] = Cond::any(ways.iter().filter(|way| !excluded(way)).cloned());
            }
            drop_where(&mut parts, |part, other| implies(other, part));
            Cond::all(parts)
        }
        other => other.clone(),
    }
}

/// Drops each part that some other part makes superfluous.
fn drop_where(parts: &mut Vec<Cond>, superfluous: impl Fn(&Cond, &Cond) -> bool) {
    let mut at = 0;
    while at < parts.len() {
        if (0..parts.len()).any(|other| other != at && superfluous(&parts[at], &parts[other])) {
            parts.remove(at);
        } else {
            at += 1;
        }
    }
}

fn implies(one: &Cond, other: &Cond) -> bool {
    share_few_symbols(one, other) && one.implies(other)
}

fn exclude(one: &Cond, other: &Cond) -> bool {
    share_few_symbols(one, other) && one.clone().and(other.clone()).verdict() == Tri::No
}

/// Whether two conditions are about the same things, and small enough to be compared.
fn share_few_symbols(one: &Cond, other: &Cond) -> bool {
    let (atoms, others) = (one.atoms(), other.atoms());
    let shared =
        atoms.iter().any(|atom| others.iter().any(|other| subject(atom).is_some() && subject(atom) == subject(other)));
    (shared || !atoms.is_disjoint(&others)) && atoms.union(&others).count() <= MAX_ATOMS
}

/// The symbol that a question is about.
fn subject(atom: &Atom) -> Option<&Arc<Symbol>> {
    match atom {
        Atom::Truthy(symbol)
        | Atom::IsNone(symbol)
        | Atom::Equals(symbol, _)
        | Atom::Compares(symbol, ..)
        | Atom::IsInstance(symbol, _) => Some(symbol),
        Atom::Same(..) | Atom::Release(..) | Atom::Opaque(_) => None,
    }
}

fn over_parameters(atom: &Atom) -> Option<Atom> {
    Some(match atom {
        Atom::Truthy(symbol) => Atom::Truthy(parameter(symbol)?),
        Atom::IsNone(symbol) => Atom::IsNone(parameter(symbol)?),
        Atom::Equals(symbol, constant) => Atom::Equals(parameter(symbol)?, constant.clone()),
        Atom::Compares(symbol, order, constant) => Atom::Compares(parameter(symbol)?, *order, constant.clone()),
        Atom::IsInstance(symbol, class) => Atom::IsInstance(parameter(symbol)?, Arc::clone(class)),
        Atom::Same(left, right) => Atom::Same(parameter(left)?, parameter(right)?),
        Atom::Release(..) => atom.clone(),
        Atom::Opaque(_) => return None,
    })
}

fn parameter(symbol: &Arc<Symbol>) -> Option<Arc<Symbol>> {
    let Root::Parameter(name) = &symbol.root else { return None };
    if &**name != "self" {
        return Some(Arc::clone(symbol));
    }
    let (field, path) = symbol.path.split_first()?;
    Some(Arc::new(Symbol { root: Root::Parameter(Arc::clone(field)), path: path.to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{Host, Object, Summary, Value, condition};
    use crate::source::FileId;
    use crate::syntax::python::PythonModule;

    struct Nothing;
    impl Host for Nothing {
        fn module(&self, _: FileId, _: &str, _: u32) -> Option<Arc<PythonModule>> {
            None
        }
        fn call(&self, _: &str) -> Option<Summary> {
            None
        }
        fn attribute(&self, _: &Object, _: &str) -> Option<Value> {
            None
        }
        fn is_instance(&self, _: &str, _: &str) -> Option<bool> {
            None
        }
    }

    /// What is written for a condition over the parameters `a`, `b` and `self`.
    fn shown(text: &str) -> String {
        let parameter =
            |name: &str| Value::Symbol(Arc::new(Symbol { root: Root::Parameter(name.into()), path: vec![] }));
        let bindings = ["a", "b", "self"].map(|name| (name, parameter(name)));
        written(&condition(text, &bindings, &Nothing)).unwrap_or_default()
    }

    #[test]
    fn conditions_are_over_parameters_and_short() {
        for (text, expected) in [
            ("a is not None and b.x", "b.x and a is not None"),
            ("self.x == 1 and not self.y.z", "x == 1 and not y.z"),
            ("isinstance(a, str) or a is not None", "a is not None"),
            ("a and a is not None", "a"),
            ("a is not None and (a is None or b)", "b and a is not None"),
            ("a is None or not a", "not a"),
            // Unknowns: alone or as a part that must hold they say nothing; as one way of several they stay.
            ("read_file()", ""),
            ("a and read_file()", ""),
            ("a or read_file()", "a or ..."),
            ("a or not (b and not read_file())", "a or ... or not b"),
            ("a is None and a == 1", ""),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
