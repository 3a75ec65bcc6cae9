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
    let visible = visible(cond, false);
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
