//! Boolean conditions over what is not known, with exact answers for small ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Const, Symbol};

/// Three-valued truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tri {
    /// Always.
    Yes,
    /// Never.
    No,
    /// It depends, or it cannot be told.
    Maybe,
}

/// An order comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Order {
    /// Whether it holds between two things.
    pub fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// A question about a symbol that is either true or false.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Atom {
    /// `if x`.
    Truthy(Arc<Symbol>),
    /// `x is None`.
    IsNone(Arc<Symbol>),
    /// `x == constant`.
    Equals(Arc<Symbol>, Const),
    /// `x < number` and its kin.
    Compares(Arc<Symbol>, Order, Const),
    /// `isinstance(x, C)` by the short name of `C`.
    IsInstance(Arc<Symbol>, Arc<str>),
    /// `x is y`, the smaller first.
    Same(Arc<Symbol>, Arc<Symbol>),
    /// `package.__version__ >= "0.12"`.
    Release(Arc<str>, Order, Arc<str>),
    /// A question that could not be understood; the number is unique, so that it equals only itself.
    Opaque(u32),
}

/// A boolean combination of atoms, kept small by its constructors.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cond {
    /// True or false.
    Const(bool),
    /// One question.
    Atom(Atom),
    /// Not.
    Not(Arc<Cond>),
    /// All of them; at least two, sorted, no constants.
    All(Arc<[Cond]>),
    /// Any of them; at least two, sorted, no constants.
    Any(Arc<[Cond]>),
}

/// Known values of symbols.
pub type Assignment = BTreeMap<Arc<Symbol>, Const>;

/// After this many steps of the search an exact answer is given up.
const BUDGET: usize = 1 << 13;

/// A condition larger than this is not kept: it becomes a question of its own. Conditions share their parts, so without a
/// bound a few dozen branches make a tree that no walk finishes.
const MAX_NODES: usize = 256;

impl Cond {
    /// Always.
    pub const TRUE: Self = Self::Const(true);
    /// Never.
    pub const FALSE: Self = Self::Const(false);

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Const(true), one) | (one, Self::Const(true)) => one,
            (Self::Const(false), _) | (_, Self::Const(false)) => Self::FALSE,
            (one, other) => Self::all([one, other]),
        }
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Const(false), one) | (one, Self::Const(false)) => one,
            (Self::Const(true), _) | (_, Self::Const(true)) => Self::TRUE,
            (one, other) => Self::any([one, other]),
        }
    }

    /// The opposite.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::Const(value) => Self::Const(!value),
            Self::Not(inner) => Arc::unwrap_or_clone(inner),
            other => Self::Not(Arc::new(other)),
        }
    }

    /// All of them.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut set = BTreeSet::new();
        for part in parts {
            match part {
                Self::Const(true) => {}
                Self::Const(false) => return Self::FALSE,
                Self::All(inner) => set.extend(inner.iter().cloned()),
                other => _ = set.insert(other),
            }
        }
        // `x and (x or y)` is `x`; `x and (not x or y)` is `x and y`; what is true or equals something is not `None`.
        let some: Vec<Self> = set.iter().filter_map(Self::implied_presence).collect();
        for implied in &some {
            set.remove(implied);
        }
        let known = set.clone();
        let reduced: Option<BTreeSet<Self>> = set.into_iter().map(|part| part.given(&known, true)).collect();
        Self::join(reduced, false, |parts| Self::All(parts.into()))
    }

    /// `x is not None`, where this says that `x` is true or equals something.
    fn implied_presence(&self) -> Option<Self> {
        match self {
            Self::Atom(Atom::Equals(_, Const::None)) => None,
            Self::Atom(Atom::Truthy(symbol) | Atom::Equals(symbol, _)) => {
                Some(Self::Not(Arc::new(Self::Atom(Atom::IsNone(Arc::clone(symbol))))))
            }
            _ => None,
        }
    }

    /// Any of them.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut set = BTreeSet::new();
        for part in parts {
            match part {
                Self::Const(false) => {}
                Self::Const(true) => return Self::TRUE,
                Self::Any(inner) => set.extend(inner.iter().cloned()),
                other => _ = set.insert(other),
            }
        }
        let known = set.clone();
        let reduced: Option<BTreeSet<Self>> = set.into_iter().map(|part| part.given(&known, false)).collect();
        Self::join(reduced, true, |parts| Self::Any(parts.into()))
    }

    /// Simplifies a member of a conjunction (`truth`) or disjunction, knowing its siblings. `None`: a contradiction
    /// (of a conjunction) or a tautology (of a disjunction).
    fn given(&self, siblings: &BTreeSet<Self>, truth: bool) -> Option<Self> {
        if siblings.contains(&self.clone().negate()) {
            return None;
        }
        let inner = match self {
            Self::Any(inner) if truth => inner,
            Self::All(inner) if !truth => inner,
            other => return Some(other.clone()),
        };
        if inner.iter().any(|part| siblings.contains(part)) {
            return Some(Self::Const(truth));
        }
        let rest = inner.iter().filter(|part| !siblings.contains(&(*part).clone().negate())).cloned();
        let rest: Vec<Self> = rest.collect();
        Some(if truth { Self::join_small(rest, false) } else { Self::join_small(rest, true) })
    }

    /// A disjunction (`all` false) or conjunction of parts that were simplified already.
    fn join_small(mut parts: Vec<Self>, all: bool) -> Self {
        match parts.len() {
            0 => Self::Const(all),
            1 => parts.remove(0),
            _ if all => Self::All(parts.into()).bounded(),
            _ => Self::Any(parts.into()).bounded(),
        }
    }

    /// The condition itself, or a question of its own if it is too large.
    fn bounded(self) -> Self {
        let mut budget = MAX_NODES;
        let fits = self.fits(&mut budget);
        super::worlds::spend(MAX_NODES - budget);
        if fits { self } else { Self::opaque() }
    }

    fn fits(&self, budget: &mut usize) -> bool {
        let Some(rest) = budget.checked_sub(1) else { return false };
        *budget = rest;
        match self {
            Self::Const(_) | Self::Atom(_) => true,
            Self::Not(inner) => inner.fits(budget),
            Self::All(parts) | Self::Any(parts) => parts.iter().all(|part| part.fits(budget)),
        }
    }

    fn join(parts: Option<BTreeSet<Self>>, absorbing: bool, build: impl Fn(Vec<Self>) -> Self) -> Self {
        let Some(parts) = parts else { return Self::Const(absorbing) };
        if parts.contains(&Self::Const(absorbing)) {
            return Self::Const(absorbing);
        }
        let mut parts: Vec<Self> = parts.into_iter().filter(|part| !matches!(part, Self::Const(_))).collect();
        match parts.len() {
            0 => Self::Const(!absorbing),
            1 => parts.remove(0),
            _ => build(parts).bounded(),
        }
    }

    /// How many parts it is written with.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Const(_) | Self::Atom(_) => 1,
            Self::Not(inner) => inner.size(),
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::size).sum(),
        }
    }

    /// The atoms in order, each once.
    pub fn atoms(&self) -> BTreeSet<&Atom> {
        let mut atoms = BTreeSet::new();
        self.collect(&mut atoms);
        atoms
    }

    fn collect<'a>(&'a self, atoms: &mut BTreeSet<&'a Atom>) {
        match self {
            Self::Const(_) => {}
            Self::Atom(atom) => _ = atoms.insert(atom),
            Self::Not(inner) => inner.collect(atoms),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.collect(atoms)),
        }
    }

    /// Replaces atoms; those for which `replace` returns `None` stay.
    #[must_use]
    pub fn replace(&self, replace: &impl Fn(&Atom) -> Option<Self>) -> Self {
        match self {
            Self::Const(value) => Self::Const(*value),
            Self::Atom(atom) => replace(atom).unwrap_or_else(|| self.clone()),
            Self::Not(inner) => inner.replace(replace).negate(),
            Self::All(parts) => Self::all(parts.iter().map(|part| part.replace(replace))),
            Self::Any(parts) => Self::any(parts.iter().map(|part| part.replace(replace))),
        }
    }

    /// The condition under known values of symbols.
    #[must_use]
    pub fn assign(&self, known: &Assignment) -> Self {
        self.replace(&|atom| {
            let symbol = atom.subject()?;
            atom.under(known.get(symbol)?).map(Self::Const)
        })
    }

    /// A question that equals no other.
    pub fn opaque() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self::Atom(Atom::Opaque(NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// The members of a conjunction; of anything else, itself.
    pub fn conjuncts(&self) -> &[Self] {
        match self {
            Self::Const(true) => &[],
            Self::All(parts) => parts,
            other => std::slice::from_ref(other),
        }
    }

    /// Whether it holds always, never, or depends: exact while the number of cases is small, `Maybe` otherwise.
    pub fn verdict(&self) -> Tri {
        self.verdict_within(BUDGET)
    }

    /// [`Self::verdict`] that gives up earlier, for questions asked at every step.
    pub(super) fn verdict_within(&self, budget: usize) -> Tri {
        if let Self::Const(value) = self {
            return if *value { Tri::Yes } else { Tri::No };
        }
        super::worlds::verdict(self, budget)
    }

    /// Whether this condition makes `other` true wherever it holds itself.
    pub fn implies(&self, other: &Self) -> bool {
        self.clone().and(other.clone().negate()).verdict() == Tri::No
    }
}

impl Atom {
    /// The symbol that alone decides it, if one does.
    pub fn subject(&self) -> Option<&Arc<Symbol>> {
        match self {
            Self::Truthy(symbol)
            | Self::IsNone(symbol)
            | Self::Equals(symbol, _)
            | Self::Compares(symbol, ..)
            | Self::IsInstance(symbol, _) => Some(symbol),
            Self::Same(..) | Self::Release(..) | Self::Opaque(_) => None,
        }
    }

    /// The answer for a symbol that is this constant; `None` where a constant does not decide it.
    pub(super) fn under(&self, value: &Const) -> Option<bool> {
        Some(match self {
            Self::Truthy(_) => value.truthy(),
            Self::IsNone(_) => *value == Const::None,
            Self::Equals(_, constant) => value.equals(constant),
            Self::Compares(_, order, constant) => {
                // Python raises where either is no number; nothing that follows such a comparison is reached.
                let (Some(left), Some(right)) = (value.number(), constant.number()) else { return Some(false) };
                match order {
                    Order::Less => left < right,
                    Order::LessOrEqual => left <= right,
                    Order::Greater => left > right,
                    Order::GreaterOrEqual => left >= right,
                }
            }
            Self::IsInstance(_, class) => match value {
                Const::None => &**class == "NoneType",
                Const::Bool(_) => matches!(&**class, "bool" | "int"),
                Const::Int(_) => &**class == "int",
                Const::Float(_) => &**class == "float",
                Const::Str(_) => &**class == "str",
            },
            Self::Same(..) | Self::Release(..) | Self::Opaque(_) => return None,
        })
    }
}

impl From<bool> for Cond {
    fn from(value: bool) -> Self {
        Self::Const(value)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        })
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truthy(symbol) => write!(out, "{symbol}"),
            Self::IsNone(symbol) => write!(out, "{symbol} is None"),
            Self::Equals(symbol, constant) => write!(out, "{symbol} == {constant}"),
            Self::Compares(symbol, order, constant) => write!(out, "{symbol} {order} {constant}"),
            Self::IsInstance(symbol, class) => write!(out, "isinstance({symbol}, {class})"),
            Self::Same(left, right) => write!(out, "{left} is {right}"),
            Self::Release(package, order, version) => write!(out, "{package}.__version__ {order} {version:?}"),
            Self::Opaque(_) => out.write_str("..."),
        }
    }
}

/// A Python expression; what could not be understood is `...`.
impl fmt::Display for Cond {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |out: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    write!(out, " {word} ")?;
                }
                match part {
                    Self::All(_) | Self::Any(_) => write!(out, "({part})")?,
                    other => write!(out, "{other}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::Const(true) => out.write_str("True"),
            Self::Const(false) => out.write_str("False"),
            Self::Atom(atom) => write!(out, "{atom}"),
            Self::All(parts) => joined(out, parts, "and"),
            Self::Any(parts) => joined(out, parts, "or"),
            Self::Not(inner) => match &**inner {
                Self::Atom(Atom::IsNone(symbol)) => write!(out, "{symbol} is not None"),
                Self::Atom(Atom::Equals(symbol, constant)) => write!(out, "{symbol} != {constant}"),
                Self::Atom(Atom::Same(left, right)) => write!(out, "{left} is not {right}"),
                Self::Atom(atom @ (Atom::Truthy(_) | Atom::IsInstance(..) | Atom::Opaque(_))) => {
                    write!(out, "not {atom}")
                }
                other => write!(out, "not ({other})"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::Root;

    fn symbol(name: &str) -> Arc<Symbol> {
        Arc::new(Symbol { root: Root::Parameter(name.into()), path: Vec::new() })
    }
    fn truthy(name: &str) -> Cond {
        Cond::Atom(Atom::Truthy(symbol(name)))
    }
    fn none(name: &str) -> Cond {
        Cond::Atom(Atom::IsNone(symbol(name)))
    }
    fn equals(name: &str, text: &str) -> Cond {
        Cond::Atom(Atom::Equals(symbol(name), Const::Str(text.into())))
    }

    #[test]
    fn constructors_keep_conditions_small() {
        assert_eq!(truthy("a").and(truthy("a").negate()), Cond::FALSE);
        assert_eq!(truthy("a").or(truthy("a").negate()), Cond::TRUE);
        assert_eq!(truthy("a").and(truthy("a").or(truthy("b"))), truthy("a"));
        assert_eq!(truthy("a").and(truthy("a").negate().or(truthy("b"))), truthy("a").and(truthy("b")));
        assert_eq!(truthy("a").or(truthy("a").and(truthy("b"))), truthy("a"));
    }

    #[test]
    fn atoms_on_one_symbol_are_decided_together() {
        assert_eq!(none("x").and(equals("x", "lora")).verdict(), Tri::No);
        assert_eq!(equals("x", "lora").and(equals("x", "qlora")).verdict(), Tri::No);
        assert_eq!(truthy("x").and(none("x")).verdict(), Tri::No);
        assert_eq!(truthy("x").negate().and(none("x").negate()).verdict(), Tri::Maybe);
        assert!(equals("x", "lora").implies(&truthy("x")));
        assert!(!truthy("x").implies(&equals("x", "lora")));
        let less = |number: i64| Cond::Atom(Atom::Compares(symbol("n"), Order::Less, Const::Int(number)));
        assert!(less(1).implies(&less(3)));
        assert!(!less(3).implies(&less(1)));
    }

    #[test]
    fn known_values_decide() {
        let both = truthy("use_peft").negate().or(equals("kind", "lora"));
        let known = Assignment::from([(symbol("use_peft"), Const::Bool(false))]);
        assert_eq!(both.assign(&known), Cond::TRUE);
        let known = Assignment::from([(symbol("use_peft"), Const::Bool(true))]);
        assert_eq!(both.assign(&known), equals("kind", "lora"));
    }

    #[test]
    fn display_is_python() {
        let cond = none("ref_model").negate().and(truthy("force").negate().or(equals("kind", "a'b")));
        assert_eq!(cond.to_string(), "ref_model is not None and (kind == \"a'b\" or not force)");
    }

    #[test]
    fn large_conditions_become_questions() {
        let mut condition = truthy("x");
        for index in 0..64 {
            let other = truthy(&format!("x{index}"));
            condition = condition.clone().and(other.clone()).or(condition.negate().and(other.negate()));
        }
        assert!(condition.fits(&mut { MAX_NODES }));
        assert_eq!(condition.verdict(), Tri::Maybe);
    }

    #[test]
    fn too_many_cases_are_maybe() {
        let many = Cond::any((0..40).map(|index| truthy(&format!("x{index}"))));
        assert_eq!(many.verdict(), Tri::Maybe);
    }
}
