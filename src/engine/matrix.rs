//! Which releases of two packages work together.

use rayon::prelude::*;

use crate::knowledge::{Asked, Knowledge, Package, ReleaseSet};
use crate::lower::{self, NoSet, Pools};
use crate::model::{Choice, Environment};

/// What is imported of a package to see whether it works: what most of its users begin with.
const USED: [(&str, &str); 4] =
    [("trl", "DPOTrainer"), ("peft", "get_peft_model"), ("transformers", "Trainer"), ("accelerate", "Accelerator")];

/// The releases of one package against those of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// The package of the rows.
    pub rows: String,
    /// The package of the cells.
    pub columns: String,
    /// Neighbouring releases that behave alike are one row.
    pub lines: Vec<Line>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `0.13.0 - 0.17.0`
    pub releases: String,
    /// From the oldest releases of the other package to the newest.
    pub cells: Vec<Cell>,
}

/// Neighbouring releases of which the same is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// `4.46.0 - 4.57.6`
    pub releases: String,
    /// What is known.
    pub outcome: Outcome,
    /// Why, for the newest releases of the row and the cell.
    pub reason: Option<String>,
}

/// What becomes of two releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// They install and can be imported, with some releases of what they require.
    Works,
    /// They install and cannot be imported.
    Fails,
    /// Their requirements do not allow it.
    Contradiction,
}

impl Outcome {
    /// `works`, `fails`, `contradiction`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Fails => "fails",
            Self::Contradiction => "contradiction",
        }
    }
}

/// Tries every pair of releases that an installer may take. The others are the newest that go with both.
pub fn of(knowledge: &Knowledge, rows: &Package, columns: &Package, choice: &Choice) -> Matrix {
    let environment = Environment { choice: choice.clone(), ..Environment::default() };
    let pools = Pools::all(knowledge, &environment).libraries_only();
    let wanted = [rows.name(), columns.name()];
    let used = USED.iter().filter(|(module, _)| wanted.contains(module));
    let asked: Vec<Asked> =
        used.map(|(module, name)| Asked { module: (*module).to_owned(), name: (*name).to_owned() }).collect();
    let across = pools.releases(columns.name());
    let attempt = |row: usize, column: usize| {
        let pinned = pools.clone().with(rows.name(), row).with(columns.name(), column);
        match lower::nearest(&pinned, &wanted, &asked) {
            Ok(_) => (Outcome::Works, None),
            Err(NoSet::Refused(refusal)) => (Outcome::Fails, Some(refusal.to_string())),
            Err(NoSet::Contradiction(facts)) => (Outcome::Contradiction, Some(facts.join("; "))),
        }
    };
    let down = pools.releases(rows.name());
    let all: Vec<Vec<(Outcome, Option<String>)>> =
        down.par_iter().map(|row| across.iter().map(|column| attempt(*row, *column)).collect()).collect();
    let is_alike =
        |left: usize, right: usize| all[left].iter().map(|cell| cell.0).eq(all[right].iter().map(|cell| cell.0));
    let lines = runs(down.len(), is_alike).into_iter().map(|(first, last)| {
        let cells = &all[last];
        let runs = runs(across.len(), |left, right| cells[left].0 == cells[right].0).into_iter();
        Line {
            releases: interval(rows, &down[first..=last]),
            cells: runs
                .map(|(first, last)| Cell {
                    releases: interval(columns, &across[first..=last]),
                    outcome: cells[last].0,
                    reason: cells[last].1.clone().filter(|text| !text.is_empty()),
                })
                .collect(),
        }
    });
    Matrix { rows: rows.name().to_owned(), columns: columns.name().to_owned(), lines: lines.collect() }
}

/// First and last of each run of neighbours that are alike.
fn runs(length: usize, is_alike: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for at in 0..length {
        match runs.last_mut() {
            Some((_, last)) if is_alike(*last, at) => *last = at,
            _ => runs.push((at, at)),
        }
    }
    runs
}

/// The interval of releases, those in between that nobody installs included.
fn interval(package: &Package, releases: &[usize]) -> String {
    let (Some(first), Some(last)) = (releases.first(), releases.last()) else { return String::new() };
    package.intervals(&ReleaseSet::interval(*first, *last)).join(", ")
}
