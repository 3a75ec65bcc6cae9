//! The largest batch of a run.

use crate::runner::data::{Batches, cut};
use crate::runner::{Pair, RunSpec};

/// So many steps are looked at one by one; of longer runs the longest rows are taken to come together.
const LOOKED_AT: usize = 500;

/// What a forward pass is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Batch {
    /// Rows: tokens, of which a prompt counts once for both of its answers.
    pub rows: u64,
    /// Tokens that are scored.
    pub scored: u64,
    /// Products of a query and a key of one head, of the pair that has the most.
    pub products: u64,
    /// Tokens of the first pair of the file with its preferred answer.
    pub first: u64,
}

impl Batch {
    fn of(pairs: &[Pair], drops: bool) -> Self {
        let mut batch = Self::default();
        for pair in pairs {
            let (prompt, answers) = (pair.prompt.len() as u64, [pair.chosen.len() as u64, pair.rejected.len() as u64]);
            let other = pair.rejected_prompt.as_ref().map(|other| other.len() as u64);
            // Where something is dropped a prompt is read twice.
            let other = other.or(drops.then_some(prompt)).unwrap_or(0);
            batch.rows += prompt + other + answers.iter().map(|answer| answer.saturating_sub(1)).sum::<u64>();
            batch.scored += answers.iter().sum::<u64>();
            let longest = answers[0].max(answers[1]);
            let products = (prompt.max(other) * prompt.max(other)).max(longest * (prompt.max(other) + longest));
            batch.products = batch.products.max(products);
        }
        batch
    }

    fn or(self, other: Self) -> Self {
        Self {
            rows: self.rows.max(other.rows),
            scored: self.scored.max(other.scored),
            products: self.products.max(other.products),
            first: self.first.max(other.first),
        }
    }
}

/// The largest of each, over all batches of a run.
pub(super) fn largest(pairs: &[Pair], spec: &RunSpec, steps: usize) -> Batch {
    let drops = spec.drops || spec.lora.as_ref().is_some_and(|lora| lora.dropout > 0.0);
    let fixed = cut(pairs.iter().take(spec.batch_size), spec);
    let first = fixed.first().map_or(0, |pair| (pair.prompt.len() + pair.chosen.len()) as u64);
    let start = Batch { first, ..Batch::of(&fixed, false) };
    if steps > LOOKED_AT || spec.accumulation > LOOKED_AT {
        let mut cut: Vec<Pair> = pairs.iter().flat_map(|pair| cut(std::iter::once(pair), spec)).collect();
        cut.sort_by_key(|pair| std::cmp::Reverse(pair.prompt.len() + pair.chosen.len() + pair.rejected.len()));
        cut.truncate(spec.batch_size);
        return start.or(Batch::of(&cut, drops));
    }
    let mut batches = Batches::new(pairs, spec);
    let all = (0..steps).flat_map(|_| batches.step());
    all.fold(start, |most, batch| most.or(Batch::of(&batch, drops)))
}
