//! How many numbers of a model are trained, told from names and sizes as [`crate::runner::adapter::attach`] takes them.

use crate::runner::adapter::{HEAD, Matcher, Pattern, ends_with};
use crate::runner::{BiasTraining, Family, LoraSpec, RunError};

/// A module with numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Module {
    /// Its path.
    pub path: String,
    /// Outputs, or tokens.
    pub rows: usize,
    /// Inputs.
    pub cols: usize,
    /// Whether it has a number more for each output.
    pub bias: bool,
    /// Whether it is a linear layer between others.
    pub is_linear: bool,
}

impl Module {
    pub fn new(path: String, rows: usize, cols: usize, bias: bool) -> Self {
        Self { path, rows, cols, bias, is_linear: false }
    }

    pub fn linear(self) -> Self {
        Self { is_linear: true, ..self }
    }

    fn is_norm(&self) -> bool {
        self.rows == 1
    }

    fn biases(&self) -> u64 {
        match (self.bias, self.is_norm()) {
            (false, _) => 0,
            (true, true) => self.cols as u64,
            (true, false) => self.rows as u64,
        }
    }

    /// All of them.
    pub fn numbers(&self) -> u64 {
        self.rows as u64 * self.cols as u64 + self.biases()
    }
}

/// What is trained with an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Trained {
    /// Numbers of the adapter.
    pub fresh: u64,
    /// Those, and the numbers of the model that are trained beside it.
    pub all: u64,
    /// Whether gradients of the whole output layer or embedding are made.
    pub tables: bool,
}

impl Trained {
    pub fn of(spec: &LoraSpec, family: Family, modules: &[Module]) -> Result<Self, RunError> {
        let matcher = Matcher::new(&spec.targets, family)?;
        let ranks = Pattern::all("rank_pattern", &spec.rank_pattern)?;
        let is_tied = !modules.iter().any(|module| module.path == HEAD);
        let mut sums = Self::default();
        let head = modules.first().filter(|_| is_tied).map(|table| Module { path: HEAD.to_owned(), ..table.clone() });
        for module in modules.iter().chain(&head) {
            let rank = Pattern::find(&ranks, &module.path).unwrap_or(spec.rank) as u64;
            let is_table = !module.is_linear && !module.is_norm();
            let adapted =
                if module.is_linear { matcher.takes(&module.path) } else { is_table && matcher.names(&module.path) };
            let (rows, cols) = (module.rows as u64, module.cols as u64);
            if adapted {
                sums.fresh += rank * (rows + cols) + if spec.dora { rows } else { 0 };
                sums.tables |= is_table;
            }
            let is_saved = spec.modules_to_save.iter().any(|name| ends_with(&module.path, name));
            sums.all += match spec.bias {
                _ if is_saved => module.numbers(),
                BiasTraining::All => module.biases(),
                BiasTraining::LoraOnly if adapted => module.biases(),
                _ => 0,
            };
            sums.tables |= is_saved && is_table;
        }
        sums.all += sums.fresh;
        Ok(sums)
    }
}
