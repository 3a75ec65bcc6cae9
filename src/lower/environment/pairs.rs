//! Which releases of two packages go together, pair by pair.
//!
//! A search for each pair would find the same thing again and again. So what the pairs of one row have in common is kept: which
//! releases do not go together, and the last set that worked, which mostly works with the next release of the other package, too.

use super::nearest::{NoSet, Pools, nearest, nearest_after};
use super::solve::Conflict;
use crate::knowledge::{Asked, Knowledge, Package, Refusal};
use crate::lower::Install;

/// Two packages, and what is imported to see whether their releases work.
pub struct Pairs<'a> {
    pools: Pools<'a>,
    rows: &'a Package,
    columns: &'a Package,
    asked: Vec<Asked>,
    knowledge: &'a Knowledge,
}

/// What becomes of two releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// They install and can be imported, with some releases of what they require.
    Works,
    /// They install and can be imported; training fails at its first step.
    FailsInTraining,
    /// They install and cannot be imported.
    Fails,
    /// Their requirements do not allow it.
    Contradiction,
}

impl<'a> Pairs<'a> {
    /// The releases of the pools.
    pub fn new(
        pools: Pools<'a>,
        knowledge: &'a Knowledge,
        [rows, columns]: [&'a Package; 2],
        asked: Vec<Asked>,
    ) -> Self {
        Self { pools, rows, columns, asked, knowledge }
    }

    /// One release of the rows' package with each of these of the other one.
    pub fn row(&self, row: usize, across: &[usize]) -> Vec<Pair> {
        let mut conflicts: Vec<Conflict<'a>> = Vec::new();
        let mut last: Option<Install<'a>> = None;
        let pair = |column: &usize| {
            let known = last.as_ref().and_then(|last| self.again(last, row, *column, &conflicts));
            let outcome = known.unwrap_or_else(|| {
                let found = nearest_after(&self.pinned(row, *column), &self.wanted(), &self.asked, &mut conflicts);
                let outcome = outcome(&found);
                last = found.ok().or(last.take());
                outcome
            });
            // Only these two have a say in it.
            match outcome {
                Pair::Works if self.misfit(row, *column).is_some() => Pair::FailsInTraining,
                outcome => outcome,
            }
        };
        across.iter().map(pair).collect()
    }

    /// Why two releases do not work.
    pub fn reason(&self, row: usize, column: usize) -> Option<String> {
        match nearest(&self.pinned(row, column), &self.wanted(), &self.asked) {
            Ok(_) => self.misfit(row, column).map(|refusal| refusal.to_string()),
            Err(NoSet::Unknown(None)) => None,
            Err(NoSet::Refused(refusal) | NoSet::Unknown(Some(refusal))) => Some(refusal.to_string()),
            Err(NoSet::Contradiction(facts)) => Some(facts.join("; ")),
        }
    }

    /// Why training with two releases that can be imported fails.
    fn misfit(&self, row: usize, column: usize) -> Option<Refusal> {
        let in_effect = |name: &str| match name {
            _ if name == self.rows.name() => Some(row),
            _ if name == self.columns.name() => Some(column),
            _ => None,
        };
        self.asked.iter().find_map(|one| {
            let package = self.knowledge.package(&one.module)?;
            self.knowledge.misfit_override(package, &format!("{}.{}", one.module, one.name), &in_effect)
        })
    }

    fn wanted(&self) -> [&'a str; 2] {
        [self.rows.name(), self.columns.name()]
    }

    fn pinned(&self, row: usize, column: usize) -> Pools<'a> {
        self.pools.clone().with(self.rows.name(), row).with(self.columns.name(), column)
    }

    /// What the last set that worked says of the next pair; `None` where another set may work.
    fn again(&self, last: &Install<'a>, row: usize, column: usize, conflicts: &[Conflict<'a>]) -> Option<Pair> {
        let set = last.clone().with(self.rows, row).with(self.columns, column);
        if !self.pools.is_installable(&set, self.wanted()) {
            return None;
        }
        let (rows, columns) = (self.rows.name(), self.columns.name());
        let meets = |(name, release): (&str, usize), (other, next): (&str, usize)| {
            let is_met = |one: &&Conflict<'a>| {
                one.of == (name, release)
                    && one.with.as_ref().is_some_and(|(with, bad)| *with == other && bad.contains(next))
            };
            conflicts.iter().any(|one| is_met(&one))
        };
        if meets((rows, row), (columns, column)) || meets((columns, column), (rows, row)) {
            return Some(Pair::Fails);
        }
        set.refusal(&self.asked).is_none().then_some(Pair::Works)
    }
}

fn outcome(found: &Result<Install<'_>, NoSet>) -> Pair {
    match found {
        Ok(_) => Pair::Works,
        Err(NoSet::Refused(_) | NoSet::Unknown(Some(_))) => Pair::Fails,
        Err(NoSet::Contradiction(_) | NoSet::Unknown(None)) => Pair::Contradiction,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Environment;

    #[test]
    fn every_outcome_has_its_reason() {
        let knowledge = Knowledge::bundled();
        let [trl, transformers] = ["trl", "transformers"].map(|name| knowledge.package(name).expect("it is built in"));
        let environment = Environment::default();
        let pools = Pools::all(knowledge, &environment).libraries_only();
        let asked = vec![Asked { module: "trl".to_owned(), name: "DPOTrainer".to_owned(), trains: false }];
        let pairs = Pairs::new(pools, knowledge, [trl, transformers], asked);
        let place = |package: &Package, version: &str| {
            package.index_of(&version.parse().expect("a version")).expect("it is built in")
        };
        for (row, column, outcome, because) in [
            ("0.13.0", "4.57.6", Pair::Works, None),
            ("0.9.6", "4.57.6", Pair::FailsInTraining, Some("which transformers 4.57.6 calls as `")),
            ("0.13.0", "5.23.0", Pair::Fails, Some("`transformers")),
            ("0.12.2", "4.48.0", Pair::Contradiction, Some("trl 0.12.2 needs transformers<4.47.0")),
            // A function that returns a tuple says yes to everything.
            ("0.28.0", "5.3.0", Pair::Fails, Some("returns a tuple, which is always true")),
        ] {
            let (at, column_at) = (place(trl, row), place(transformers, column));
            assert_eq!(pairs.row(at, &[column_at]), [outcome], "{row} {column}");
            let reason = pairs.reason(at, column_at);
            let is_expected =
                because.map_or(reason.is_none(), |part| reason.as_deref().is_some_and(|all| all.contains(part)));
            assert!(is_expected, "{row} {column}: {reason:?}");
        }
    }
}
