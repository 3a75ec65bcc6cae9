//! Which releases of two packages work together.

use rayon::prelude::*;

use crate::knowledge::{Asked, Knowledge, Package, ReleaseSet};
use crate::lower::{Pair, Pairs, Pools};
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
    pub outcome: Pair,
    /// Why, for the newest releases of the row and the cell.
    pub reason: Option<String>,
}

/// Tries every pair of releases that an installer may take. The others are the newest that go with both.
pub fn of(knowledge: &Knowledge, rows: &Package, columns: &Package, choice: &Choice) -> Matrix {
    let environment = Environment { choice: choice.clone(), ..Environment::default() };
    let pools = Pools::all(knowledge, &environment).libraries_only();
    let wanted = [rows.name(), columns.name()];
    let used = USED.iter().filter(|(module, _)| wanted.contains(module));
    let asked: Vec<Asked> = used
        .map(|(module, name)| Asked { module: (*module).to_owned(), name: (*name).to_owned(), trains: false })
        .collect();
    let across = pools.releases(columns.name());
    let down = pools.releases(rows.name());
    let pairs = Pairs::new(pools, knowledge, [rows, columns], asked);
    let all: Vec<Vec<Pair>> = down.par_iter().map(|row| pairs.row(*row, &across)).collect();
    let rows_alike = runs(down.len(), |left, right| all[left] == all[right]);
    let lines = rows_alike.par_iter().map(|(first, bottom)| {
        let cells = &all[*bottom];
        let cell = |(first, last): (usize, usize)| Cell {
            releases: interval(columns, &across[first..=last]),
            outcome: cells[last],
            reason: pairs.reason(down[*bottom], across[last]).filter(|text| !text.is_empty()),
        };
        let cells = runs(across.len(), |left, right| cells[left] == cells[right]).into_iter().map(cell).collect();
        Line { releases: interval(rows, &down[*first..=*bottom]), cells }
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
