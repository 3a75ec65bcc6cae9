//! Conditions as they are stored: over parameters alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::eval::{Atom, Cond, Root, Symbol, Tri};

/// A condition longer than this is more than a reader or a rule can use.
const MAX_LENGTH: usize = 260;

/// A condition that is too long is split at most this many times, each time in two.
const MAX_SPLITS: usize = 3;

/// Conditions of more questions than this are not split.
const MAX_SPLIT_ATOMS: usize = 24;

/// With as many constants a list is shorter than comparisons.
const MIN_CHOICES: usize = 3;

/// Beyond this many atoms a condition is not asked whether it can hold at all: there are hundreds of thousands of them.
const MAX_ATOMS: usize = 6;

/// What is not over parameters; printed as `...`.
const UNKNOWN: Cond = Cond::Atom(Atom::Opaque(0));

/// When a condition surely holds, over parameters, as text; `None` where that is never or too long to say.
///
/// What is not over parameters is taken not to hold, whether it is asked for or its opposite is: the result is enough for
/// the condition, not necessary. A parameter called `self` stands for the object itself: its attributes are the fields of a
/// dataclass.
pub(super) fn sufficient(cond: &Cond) -> Option<String> {
    written(&tidy(&visible(cond, false, &Cond::FALSE))).filter(|text| text.length <= MAX_LENGTH).map(|text| text.whole)
}

/// The same in as many conditions as it takes to keep each of them short: the one condition holds where any of these does. What is
/// too long even then is left out.
pub(super) fn sufficient_cases(cond: &Cond) -> Vec<String> {
    let mut cases = Vec::new();
    split(&tidy(&visible(cond, false, &Cond::FALSE)), MAX_SPLITS, &mut cases);
    cases
}

/// Splits a condition that is too long by the question that shortens it most.
fn split(known: &Cond, splits: usize, cases: &mut Vec<String>) {
    let Some(text) = written(known) else { return };
    if text.length <= MAX_LENGTH {
        cases.push(text.whole);
        return;
    }
    let atoms: Vec<Atom> = known.atoms().into_iter().cloned().collect();
    let Some(splits) = splits.checked_sub(1).filter(|_| atoms.len() <= MAX_SPLIT_ATOMS) else { return };
    let halves = |atom: &Atom| {
        let half = |holds: bool| {
            let rest = known.replace(&|other| (other == atom).then_some(Cond::Const(holds)));
            let question = Cond::Atom(atom.clone());
            tidy(&rest.and(if holds { question } else { question.negate() }))
        };
        [half(true), half(false)]
    };
    let longest = |halves: &[Cond; 2]| halves.iter().map(|half| half.to_string().len()).max().unwrap_or_default();
    // Of questions that shorten it enough, first the one whether something is there: without it the others have no answer.
    let choices = atoms.iter().map(|atom| {
        let halves = halves(atom);
        let length = longest(&halves);
        ((length.max(MAX_LENGTH), !matches!(atom, Atom::IsNone(_)), length), halves)
    });
    let best = choices.min_by(|(one, _), (other, _)| one.cmp(other));
    for half in best.iter().flat_map(|(_, halves)| halves) {
        split(half, splits, cases);
    }
}

/// A condition as it is stored.
struct Written {
    whole: String,
    /// Lists of constants left out.
    length: usize,
}

/// `None` for what never holds.
fn written(known: &Cond) -> Option<Written> {
    if *known == Cond::FALSE || known.atoms().len() <= MAX_ATOMS && known.verdict() == Tri::No {
        return None;
    }
    let (choices, rest) = choices(known);
    let rest = Some(rest.to_string()).filter(|text| choices.is_empty() || text != "True");
    let length = rest.as_ref().map_or(0, String::len);
    Some(Written { whole: rest.into_iter().chain(choices).collect::<Vec<_>>().join(" and "), length })
}

/// `x not in ("a", "b", "c")` for each parameter that is compared with several constants, and what else must hold.
fn choices(cond: &Cond) -> (Vec<String>, Cond) {
    let Cond::All(parts) = cond else { return (Vec::new(), cond.clone()) };
    let excluded = |part: &Cond| match part {
        Cond::Not(inner) => match &**inner {
            Cond::Atom(Atom::Equals(symbol, constant)) => Some((Arc::clone(symbol), constant.to_string())),
            _ => None,
        },
        _ => None,
    };
    let mut by_symbol: BTreeMap<Arc<Symbol>, Vec<String>> = BTreeMap::new();
    for (symbol, constant) in parts.iter().filter_map(excluded) {
        by_symbol.entry(symbol).or_default().push(constant);
    }
    by_symbol.retain(|_, constants| constants.len() >= MIN_CHOICES);
    let is_rest = |part: &&Cond| excluded(part).is_none_or(|(symbol, _)| !by_symbol.contains_key(&symbol));
    let rest = Cond::all(parts.iter().filter(is_rest).cloned());
    let rest = match rest {
        Cond::Any(_) if !by_symbol.is_empty() => return (Vec::new(), cond.clone()),
        rest => rest,
    };
    let written =
        |(symbol, constants): (Arc<Symbol>, Vec<String>)| format!("{symbol} not in ({})", constants.join(", "));
    (by_symbol.into_iter().map(written).collect(), rest)
}

/// A condition over parameters as text, with `...` for what is not over parameters.
pub(super) fn shown(cond: &Cond) -> String {
    tidy(&visible(cond, false, &UNKNOWN)).to_string()
}

/// The condition, or its opposite, with `unknown` for everything that is not over parameters. Negations are moved inwards,
/// so that two unknowns never cancel each other.
fn visible(cond: &Cond, negated: bool, unknown: &Cond) -> Cond {
    let inner = |parts: &[Cond]| -> Vec<Cond> { parts.iter().map(|part| visible(part, negated, unknown)).collect() };
    match cond {
        Cond::Const(value) => Cond::Const(*value != negated),
        Cond::Not(inner) => visible(inner, !negated, unknown),
        Cond::Atom(atom) => match over_parameters(atom) {
            Some(atom) if negated => Cond::Atom(atom).negate(),
            Some(atom) => Cond::Atom(atom),
            None => unknown.clone(),
        },
        Cond::All(parts) if !negated => Cond::all(inner(parts)),
        Cond::Any(parts) if negated => Cond::all(inner(parts)),
        Cond::All(parts) | Cond::Any(parts) => Cond::any(inner(parts)),
    }
}

/// Leaves out what follows from the rest: `isinstance(x, str) or x is not None` is `x is not None`.
///
/// Unknowns are never negated here, so taking all of them for one loses nothing: what is certain is what holds with every
/// unknown false.
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
    symbol.of_fields(name).map(Arc::new)
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

    /// What is written of a condition over the parameters `a`, `b` and `self`.
    fn written(text: &str) -> [String; 2] {
        let cond = condition_of(text);
        [sufficient(&cond).unwrap_or_default(), shown(&cond)]
    }

    fn condition_of(text: &str) -> Cond {
        let parameter =
            |name: &str| Value::Symbol(Arc::new(Symbol { root: Root::Parameter(name.into()), path: vec![] }));
        let bindings = ["a", "b", "self"].map(|name| (name, parameter(name)));
        condition(text, &bindings, &Nothing)
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
            (
                "a is not None and not (isinstance(a, int) and a > 0)",
                "a is not None and (not (a > 0) or not isinstance(a, int))",
            ),
        ] {
            assert_eq!(written(text), [expected, expected], "{text}");
        }
    }

    #[test]
    fn what_is_too_long_is_said_in_several_conditions() {
        let ways =
            |name: &str| (0..6).map(|way| format!("({name}.x == 'way {way}' and b == {way})")).collect::<Vec<_>>();
        let (first, second) = (ways("a.here").join(" or "), ways("a.away").join(" or "));
        let cond = condition_of(&format!("(a is None and ({first})) or (a is not None and ({second}))"));
        assert_eq!(sufficient(&cond), None);
        let cases = sufficient_cases(&cond);
        assert_eq!(cases.len(), 2, "{cases:?}");
        assert!(cases[0].starts_with("a is None and (") && cases[1].starts_with("a is not None and ("), "{cases:?}");
    }

    #[test]
    fn what_is_not_known_is_never_enough() {
        for (text, enough, all) in [
            ("read_file()", "", "..."),
            ("not read_file()", "", "..."),
            ("a and read_file()", "", "a and ..."),
            ("a or read_file()", "a", "a or ..."),
            ("a or not (b and not read_file())", "a or not b", "a or ... or not b"),
            ("(a or read_file()) and (not a or not read_file())", "", "(a or ...) and (... or not a)"),
            ("a is None and a == 1", "", "a is None and a == 1"),
            (
                "a not in ('x', 'y', 'z') and b",
                "b and a not in ('x', 'y', 'z')",
                "b and a != 'x' and a != 'y' and a != 'z'",
            ),
        ] {
            assert_eq!(written(text), [enough, all], "{text}");
        }
    }
}
