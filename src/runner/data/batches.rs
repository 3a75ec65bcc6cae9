//! The order of training, and what is cut off in a batch.

use crate::runner::rng::Generator;
use crate::runner::{AccumulationEnd, Pair, RunSpec, Truncation};

/// Goes through the pairs of a run, pass by pass, in the order in which the trainer does.
pub struct Batches<'p> {
    pairs: &'p [Pair],
    spec: &'p RunSpec,
    pass: u64,
    left: Vec<usize>,
}

impl<'p> Batches<'p> {
    /// The batches of these pairs.
    pub fn new(pairs: &'p [Pair], spec: &'p RunSpec) -> Self {
        Self { pairs, spec, pass: 0, left: Vec::new() }
    }

    /// How many forward passes go through all pairs once.
    pub fn in_a_pass(pairs: usize, spec: &RunSpec) -> usize {
        pairs.div_ceil(spec.batch_size)
    }

    /// The forward passes of the next step of the optimizer: `accumulation` batches, in most releases fewer at the end of a
    /// pass.
    pub fn step(&mut self) -> Vec<Vec<Pair>> {
        let mut step = Vec::new();
        while step.len() < self.spec.accumulation {
            if self.left.is_empty() {
                let ends_here = !step.is_empty() && self.spec.accumulation_end != AccumulationEnd::InNextPass;
                if ends_here || self.pairs.is_empty() {
                    break;
                }
                self.left = self.order();
                self.left.reverse();
            }
            let rest = self.left.len().saturating_sub(self.spec.batch_size);
            let batch = self.left.split_off(rest).into_iter().rev();
            step.push(cut(batch.map(|at| &self.pairs[at]), self.spec));
        }
        step
    }

    /// What accelerate's sampler draws: each pass has a seed of its own.
    fn order(&mut self) -> Vec<usize> {
        let seed = self.spec.data_seed.unwrap_or(self.spec.seed);
        let pass = self.pass;
        self.pass += 1;
        if self.spec.shuffle {
            Generator::new(seed.wrapping_add(pass)).permutation(self.pairs.len())
        } else {
            (0..self.pairs.len()).collect()
        }
    }
}

/// A batch with sequences that are too long cut as the release does it.
pub fn cut<'p>(batch: impl Iterator<Item = &'p Pair>, spec: &RunSpec) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = batch.cloned().collect();
    let lengths = pairs.iter().map(|pair| {
        let other = pair.rejected_prompt.as_ref().unwrap_or(&pair.prompt).len();
        (pair.prompt.len() + pair.chosen.len()).max(other + pair.rejected.len())
    });
    let longest = lengths.max().unwrap_or(0);
    let most = spec.max_length.filter(|_| spec.era != crate::runner::Era::Collator).unwrap_or(usize::MAX);
    let most =
        if spec.quirks.cuts_last && longest < width(&pairs) { most.min(longest.saturating_sub(1)) } else { most };
    if longest <= most {
        return pairs;
    }
    let shared = if spec.truncation == Truncation::KeepEndOfBatch { longest - most } else { 0 };
    for pair in &mut pairs {
        let rejected_prompt = pair.rejected_prompt.clone().unwrap_or_else(|| pair.prompt.clone());
        let (chosen_prompt, chosen) = cut_one(&pair.prompt, &pair.chosen, most, shared, spec.truncation);
        let (rejected_prompt, rejected) = cut_one(&rejected_prompt, &pair.rejected, most, shared, spec.truncation);
        let rejected_prompt = (rejected_prompt != chosen_prompt).then_some(rejected_prompt);
        *pair = Pair { prompt: chosen_prompt, chosen, rejected, rejected_prompt };
    }
    pairs
}

/// How long the longest sequence would be if the longest prompt had the longest answer.
fn width(pairs: &[Pair]) -> usize {
    let prompts = pairs.iter().map(|pair| pair.prompt.len()).max();
    let answers = pairs.iter().map(|pair| pair.chosen.len().max(pair.rejected.len())).max();
    prompts.unwrap_or(0) + answers.unwrap_or(0)
}

fn cut_one(prompt: &[u32], answer: &[u32], most: usize, shared: usize, truncation: Truncation) -> (Vec<u32>, Vec<u32>) {
    let (start, end) = match truncation {
        Truncation::KeepStart => (0, most),
        Truncation::KeepEnd => ((prompt.len() + answer.len()).saturating_sub(most), usize::MAX),
        Truncation::KeepEndOfBatch => (shared, usize::MAX),
    };
    let part = |tokens: &[u32], before: usize| {
        let from = start.saturating_sub(before).min(tokens.len());
        let to = end.saturating_sub(before).min(tokens.len()).max(from);
        tokens[from..to].to_vec()
    };
    (part(prompt, 0), part(answer, prompt.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::Era;

    fn pair(prompt: usize, chosen: usize, rejected: usize) -> Pair {
        let tokens = |from: u32, length: usize| (from..from + length as u32).collect();
        Pair {
            prompt: tokens(0, prompt),
            chosen: tokens(100, chosen),
            rejected: tokens(200, rejected),
            rejected_prompt: None,
        }
    }

    fn spec(truncation: Truncation) -> RunSpec {
        RunSpec { truncation, max_length: Some(5), era: Era::Together, batch_size: 2, ..RunSpec::default() }
    }

    fn lengths(pairs: &[Pair]) -> Vec<(usize, usize, usize, Option<usize>)> {
        let other = |pair: &Pair| pair.rejected_prompt.as_ref().map(Vec::len);
        pairs.iter().map(|pair| (pair.prompt.len(), pair.chosen.len(), pair.rejected.len(), other(pair))).collect()
    }

    #[test]
    fn the_start_stays() {
        let pairs = [pair(3, 4, 1), pair(6, 1, 1)];
        assert_eq!(lengths(&cut(pairs.iter(), &spec(Truncation::KeepStart))), [(3, 2, 1, None), (5, 0, 0, None)]);
    }

    #[test]
    fn the_end_of_each_sequence_stays() {
        let pairs = [pair(3, 4, 1), pair(2, 1, 1)];
        assert_eq!(lengths(&cut(pairs.iter(), &spec(Truncation::KeepEnd))), [(1, 4, 1, Some(3)), (2, 1, 1, None)]);
    }

    #[test]
    fn a_batch_may_lose_its_start_as_a_whole() {
        let pairs = [pair(3, 4, 1), pair(2, 1, 1)];
        let kept = lengths(&cut(pairs.iter(), &spec(Truncation::KeepEndOfBatch)));
        assert_eq!(kept, [(1, 4, 1, None), (0, 1, 1, None)]);
    }

    #[test]
    fn each_pass_has_an_order_of_its_own() {
        let pairs: Vec<Pair> = (0..5).map(|at| pair(at, 1, 1)).collect();
        let spec = RunSpec { batch_size: 2, accumulation: 2, seed: 42, shuffle: true, ..RunSpec::default() };
        let mut batches = Batches::new(&pairs, &spec);
        let mut drawn = || -> Vec<Vec<usize>> {
            batches.step().iter().map(|batch| batch.iter().map(|pair| pair.prompt.len()).collect()).collect()
        };
        let order = Generator::new(42).permutation(5);
        assert_eq!(drawn(), [order[..2].to_vec(), order[2..4].to_vec()]);
        assert_eq!(drawn(), [order[4..].to_vec()]);
        let order = Generator::new(43).permutation(5);
        assert_eq!(drawn(), [order[..2].to_vec(), order[2..4].to_vec()]);
    }
}
