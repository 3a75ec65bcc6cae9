//! Every way in which the atoms of a condition can be true or false together, searched with cuts.
//!
//! A symbol is one of its interesting values: `None`, `False`, something else that is true, and each constant it is compared
//! with (numbers also a little below and above). All atoms on it are then decided together, so `x is None` and
//! `x == "lora"` are never both true. What a value does not decide (`isinstance` of an object, identity, releases, opaque
//! questions) is free. Values that decide all atoms alike count once, and a part of the search whose outcome is settled is
//! not walked.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Atom, Cond, Const, Symbol, Tri};

/// Integers beyond this are no numbers of their own as floats.
const MAX_WHOLE: f64 = 9.0e15;

thread_local! {
    /// What this thread has done so far.
    static WORK: Cell<u64> = const { Cell::new(0) };
}

/// Counts steps of work.
pub(super) fn spend(steps: usize) {
    WORK.set(WORK.get() + steps as u64);
}

/// A measure of the time that this thread has spent on conditions: it does not depend on the machine.
pub(super) fn work_done() -> u64 {
    WORK.get()
}

/// Whether a condition holds always, never, or depends; `Maybe` when `budget` steps do not suffice.
pub(super) fn verdict(condition: &Cond, budget: usize) -> Tri {
    if is_free(condition) {
        return Tri::Maybe;
    }
    let atoms: Vec<&Atom> = condition.atoms().into_iter().collect();
    let mut search = Search {
        condition: Compiled::new(condition, &atoms),
        groups: groups(&atoms),
        truth: vec![None; atoms.len()],
        budget,
        some: false,
        every: true,
    };
    match search.walk(0) {
        Ok(()) if !search.some => Tri::No,
        Ok(()) if search.every => Tri::Yes,
        Ok(()) | Err(Exhausted) => Tri::Maybe,
    }
}

/// Whether each atom occurs once and has a symbol of its own, so that any of them can be true or false whatever the others are.
/// Then the whole can be either, too. Most conditions are like that.
fn is_free(condition: &Cond) -> bool {
    fn collect<'c>(condition: &'c Cond, subjects: &mut Vec<&'c Arc<Symbol>>) -> bool {
        match condition {
            Cond::Const(_) => false,
            Cond::Not(inner) => collect(inner, subjects),
            Cond::All(parts) | Cond::Any(parts) => parts.iter().all(|part| collect(part, subjects)),
            Cond::Atom(atom) => {
                let is_open = !matches!(atom, Atom::Compares(_, _, constant) if constant.number().is_none());
                let subject = atom.subject().filter(|subject| is_open && !subjects.contains(subject));
                subjects.extend(subject);
                subject.is_some()
            }
        }
    }
    collect(condition, &mut Vec::new())
}

/// The truth of some atoms, by their index.
type Row = Vec<(usize, bool)>;

struct Exhausted;

struct Search {
    condition: Compiled,
    /// Atoms that are decided together: one row of each group holds.
    groups: Vec<Vec<Row>>,
    truth: Vec<Option<bool>>,
    budget: usize,
    /// Whether the condition holds in some world that was seen.
    some: bool,
    /// Whether it holds in every world that was seen.
    every: bool,
}

impl Search {
    fn walk(&mut self, depth: usize) -> Result<(), Exhausted> {
        self.budget = self.budget.checked_sub(1).ok_or(Exhausted)?;
        spend(self.groups.len() + 1);
        if let Some(holds) = self.condition.truth(&self.truth) {
            self.some |= holds;
            self.every &= holds;
            return Ok(());
        }
        for row in 0..self.groups[depth].len() {
            for at in 0..self.groups[depth][row].len() {
                let (atom, value) = self.groups[depth][row][at];
                self.truth[atom] = Some(value);
            }
            self.walk(depth + 1)?;
            if self.some && !self.every {
                break;
            }
        }
        for at in 0..self.groups[depth].first().map_or(0, Vec::len) {
            let (atom, _) = self.groups[depth][0][at];
            self.truth[atom] = None;
        }
        Ok(())
    }
}

/// A condition over indices of atoms.
enum Compiled {
    Const(bool),
    Atom(usize),
    Not(Box<Compiled>),
    All(Vec<Compiled>),
    Any(Vec<Compiled>),
}

impl Compiled {
    fn new(condition: &Cond, atoms: &[&Atom]) -> Self {
        let each = |parts: &[Cond]| parts.iter().map(|part| Self::new(part, atoms)).collect();
        match condition {
            Cond::Const(value) => Self::Const(*value),
            Cond::Atom(atom) => Self::Atom(atoms.partition_point(|other| *other < atom)),
            Cond::Not(inner) => Self::Not(Box::new(Self::new(inner, atoms))),
            Cond::All(parts) => Self::All(each(parts)),
            Cond::Any(parts) => Self::Any(each(parts)),
        }
    }

    /// The truth under what is decided; `None` if that does not settle it.
    fn truth(&self, decided: &[Option<bool>]) -> Option<bool> {
        let joined = |parts: &[Self], absorbing: bool| {
            let mut open = false;
            for part in parts {
                match part.truth(decided) {
                    Some(value) if value == absorbing => return Some(absorbing),
                    Some(_) => {}
                    None => open = true,
                }
            }
            (!open).then_some(!absorbing)
        };
        match self {
            Self::Const(value) => Some(*value),
            Self::Atom(index) => decided[*index],
            Self::Not(inner) => inner.truth(decided).map(|value| !value),
            Self::All(parts) => joined(parts, false),
            Self::Any(parts) => joined(parts, true),
        }
    }
}

/// Atoms that are decided together, with every way to decide them.
fn groups(atoms: &[&Atom]) -> Vec<Vec<Row>> {
    let mut by_symbol: BTreeMap<&Arc<Symbol>, Vec<usize>> = BTreeMap::new();
    let mut groups = Vec::new();
    for (index, atom) in atoms.iter().enumerate() {
        match atom.subject() {
            Some(symbol) => by_symbol.entry(symbol).or_default().push(index),
            None if matches!(atom, Atom::Same(left, right) if left == right) => groups.push(vec![vec![(index, true)]]),
            None => groups.push(vec![vec![(index, true)], vec![(index, false)]]),
        }
    }
    groups.extend(by_symbol.into_values().map(|members| rows(atoms, &members)));
    groups
}

/// Every way to decide the atoms on one symbol.
#[expect(clippy::cast_possible_truncation, reason = "clamped and rounded before")]
fn rows(atoms: &[&Atom], members: &[usize]) -> Vec<Row> {
    // `None` stands for something else that is true.
    let mut values: BTreeSet<Option<Const>> = [Some(Const::None), Some(Const::Bool(false)), None].into();
    for atom in members.iter().map(|index| atoms[*index]) {
        match atom {
            Atom::Equals(_, constant) => _ = values.insert(Some(constant.clone())),
            Atom::Compares(_, _, constant) => {
                let number = constant.number().unwrap_or(0.0);
                values.extend([number - 0.5, number, number + 0.5].map(|value| Some(Const::float(value))));
                // What is asked for being an integer has integers around the constant, too.
                let whole = number.clamp(-MAX_WHOLE, MAX_WHOLE).floor() as i64;
                values.extend([whole - 1, whole, whole + 1, whole + 2].map(|value| Some(Const::Int(value))));
            }
            _ => {}
        }
    }
    let mut rows: BTreeSet<Row> = BTreeSet::new();
    for value in values {
        let mut ways: Vec<Row> = vec![Vec::new()];
        for index in members {
            if let Some(decided) = atoms[*index].under_point(value.as_ref()) {
                for way in &mut ways {
                    way.push((*index, decided));
                }
            } else {
                let both = |way: &Row| [true, false].map(|decided| [way.clone(), vec![(*index, decided)]].concat());
                ways = ways.iter().flat_map(both).collect();
            }
        }
        rows.extend(ways);
    }
    rows.into_iter().collect()
}

impl Atom {
    /// The answer for a symbol that is this constant, or something else that is true.
    fn under_point(&self, value: Option<&Const>) -> Option<bool> {
        match (value, self) {
            (Some(value), _) => self.under(value),
            (None, Self::Truthy(_)) => Some(true),
            // Not `None`, and equal to no constant that is asked for.
            (None, Self::IsNone(_) | Self::Equals(..) | Self::Compares(..)) => Some(false),
            (None, _) => None,
        }
    }
}
