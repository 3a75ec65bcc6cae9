//! The losses of DPO, from the log-probabilities of tokens, with the gradient for each of them.
//!
//! They are computed with 64 bits on the few numbers of a batch; the decoder only sees the gradients, as constants.

mod dual;
#[cfg(test)]
mod golden_tests;
mod pair;

use super::error::RunError;
use super::spec::{Divergence, Era, Likelihood, LossKind, RunSpec, Weighting};
use dual::Dual;
use pair::Form;

/// The scored tokens of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// Log-probabilities by the policy.
    pub policy: Vec<f64>,
    /// Log-probabilities by the reference.
    pub reference: Vec<f64>,
    /// Logarithms of the sums of squared probabilities by the policy; only needed for `use_weighting`.
    pub squares: Vec<f64>,
    /// The scored tokens.
    pub targets: Vec<u32>,
    /// Tokens of the answer, scored or not.
    pub tokens: usize,
    /// Tokens before it.
    pub prompt: usize,
}

/// What every token of both answers counts, for each pair.
type TokenWeights = Vec<[Vec<f64>; 2]>;

/// What the losses depend on besides the batch, and what older releases remember between batches.
#[derive(Debug, Clone)]
pub struct Losses {
    form: Form,
    kinds: Vec<(LossKind, f64)>,
    likelihood: Option<Likelihood>,
    skips_zeros: bool,
    ld_alpha: Option<f64>,
    weighting: Option<Weighting>,
    keeps_logits: bool,
    /// Whether log-probabilities are averages over tokens, as old releases take them once `ipo` is among the losses.
    averages: bool,
    /// What rewards are multiplied with besides beta.
    reward_weight: f64,
    /// Rewards seen so far, for `bco_pair` of old releases: how many batches, and their mean.
    seen: (f64, f64),
}

/// The loss of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The mean over the pairs.
    pub loss: f64,
    /// Its gradient for every scored token of every preferred answer.
    pub chosen: Vec<Vec<f64>>,
    /// The same for the other answers.
    pub rejected: Vec<Vec<f64>>,
    /// For each pair the rewards of both answers.
    pub rewards: Vec<[f64; 2]>,
    /// For each pair the log-probabilities of both answers.
    pub log_probs: Vec<[f64; 2]>,
}

/// Whether a release has the older losses.
fn is_old(era: Era) -> bool {
    matches!(era, Era::Collator | Era::Separate)
}

impl Losses {
    /// The losses of a run. Refuses what the release in effect refuses or does not have.
    pub fn new(spec: &RunSpec) -> Result<Losses, RunError> {
        let old = is_old(spec.era);
        let has = |kind| spec.losses.iter().any(|(other, _)| *other == kind);
        for &(kind, _) in &spec.losses {
            check(spec, kind, old)?;
        }
        if spec.losses.is_empty() {
            return Err(RunError::unsupported("loss_type", "no loss is named"));
        }
        let exo = old && has(LossKind::ExoPair) && spec.label_smoothing == 0.0;
        let form = Form {
            old,
            beta: spec.beta,
            // Old releases put in a value of their own.
            smoothing: if exo { 1e-3 } else { spec.label_smoothing },
            divergence: spec.divergence,
            tau: spec.discopop_tau,
        };
        let weights: f64 = spec.losses.iter().map(|(_, weight)| weight).sum();
        Ok(Losses {
            form,
            kinds: spec.losses.clone(),
            likelihood: spec.likelihood,
            skips_zeros: spec.skips_zeros,
            ld_alpha: spec.ld_alpha,
            weighting: spec.weighting,
            keeps_logits: spec.keeps_logits,
            averages: old && has(LossKind::Ipo),
            reward_weight: if spec.era == Era::Separate { weights } else { 1.0 },
            seen: (0.0, 0.0),
        })
    }

    /// Whether the sums of squared probabilities are needed.
    pub fn needs_squares(&self) -> bool {
        self.weighting.is_some()
    }

    /// Refuses what old releases compute from a place before the start of a sequence.
    pub fn check(&self, pairs: &[[Answer; 2]]) -> Result<(), RunError> {
        let counts_places = self.form.old && (self.ld_alpha.is_some() || self.weighting.is_some());
        if counts_places && pairs.iter().flatten().any(|answer| answer.prompt == 0) {
            let reason = "without a prompt, the release in effect weighs its first token by what follows its last one";
            return Err(RunError::Row(reason.to_owned()));
        }
        Ok(())
    }

    /// The loss of a batch in training. `pairs` holds preferred and other answer.
    pub fn train(&mut self, pairs: &[[Answer; 2]]) -> Outcome {
        self.remember(pairs);
        self.evaluate(pairs)
    }

    /// The loss of a batch, without remembering it.
    pub fn evaluate(&self, pairs: &[[Answer; 2]]) -> Outcome {
        let weights = self.token_weights(pairs);
        let log_probs = each(pairs, &weights, |answer| &answer.policy);
        let reference = each(pairs, &self.reference_weights(pairs), |answer| &answer.reference);
        let ratios = ratios(&log_probs, &reference);
        let count = pairs.len() as f64;
        let mut total = Dual::constant(0.0);
        let mut slopes = vec![[0.0; 2]; pairs.len()];
        let factors: Vec<f64> = pairs.iter().map(|pair| self.factor(pair)).collect();
        let mean_factor = factors.iter().sum::<f64>() / count;
        let mut likelihood = self.likelihood.map_or(0.0, |likelihood| likelihood.weight);
        let share = self.likelihood.map_or(1.0, |likelihood| likelihood.losses);
        for &(kind, weight) in &self.kinds {
            let weight = weight * share;
            let losses: Vec<(Dual, [usize; 2])> = match kind {
                LossKind::Sft => {
                    likelihood += weight;
                    continue;
                }
                // The sorted losses of old releases meet the weights in the order of the rows.
                LossKind::Aot => weighed(self.form.aot(&log_probs, &reference), &factors),
                LossKind::AotUnpaired => weighed(self.form.aot_unpaired(&ratios), &factors),
                _ => {
                    let tokens = |answer: &Answer| answer.tokens.max(1) as f64;
                    let one = |at: usize| {
                        let [chosen, rejected] = &pairs[at];
                        let lengths = [tokens(chosen), tokens(rejected)];
                        (self.form.pair(kind, ratios[at], lengths, self.seen.1) * factors[at], [at, at])
                    };
                    (0..pairs.len()).map(one).collect()
                }
            };
            for (loss, [chosen, rejected]) in losses {
                let loss = loss * (weight / count);
                total = total + loss;
                slopes[chosen][0] += loss.chosen;
                slopes[rejected][1] += loss.rejected;
            }
        }
        let spread = |side: usize| -> Vec<Vec<f64>> {
            let one = |(weights, slopes): (&[Vec<f64>; 2], &[f64; 2])| {
                weights[side].iter().map(|weight| weight * slopes[side]).collect()
            };
            weights.iter().zip(&slopes).map(one).collect()
        };
        let (mut chosen, rejected) = (spread(0), spread(1));
        if likelihood != 0.0 {
            let weight = likelihood * mean_factor;
            for ((pair, slopes), tokens) in pairs.iter().zip(&mut chosen).zip(self.likelihood_weights(pairs)) {
                for ((log_prob, slope), token) in pair[0].policy.iter().zip(slopes).zip(tokens) {
                    total = total + -weight * token * log_prob;
                    *slope -= weight * token;
                }
            }
        }
        let reward = self.form.beta * self.reward_weight;
        Outcome {
            loss: total.value,
            chosen,
            rejected,
            rewards: ratios.iter().map(|pair| pair.map(|ratio| reward * ratio)).collect(),
            log_probs,
        }
    }

    /// What each token of the preferred answers counts in their likelihood.
    fn likelihood_weights(&self, pairs: &[[Answer; 2]]) -> Vec<Vec<f64>> {
        // A mask of 0 in older releases takes tokens of this number for what is masked.
        let counts = |target: &u32| !self.skips_zeros || *target != 0;
        let counted = |answer: &Answer| answer.targets.iter().filter(|target| counts(target)).count().max(1) as f64;
        let of_answers = self.likelihood.is_some_and(|likelihood| likelihood.of_answers);
        let all = pairs.iter().flat_map(|[chosen, _]| &chosen.targets).filter(|target| counts(target)).count();
        let weigh = |[chosen, _]: &[Answer; 2]| {
            let tokens = if of_answers { counted(chosen) * pairs.len() as f64 } else { all.max(1) as f64 };
            chosen.targets.iter().map(|target| if counts(target) { 1.0 / tokens } else { 0.0 }).collect()
        };
        pairs.iter().map(weigh).collect()
    }

    /// What each token counts in the log-probability of the policy.
    fn token_weights(&self, pairs: &[[Answer; 2]]) -> TokenWeights {
        let Some(alpha) = self.ld_alpha else { return self.reference_weights(pairs) };
        let first = pairs.iter().flatten().map(|answer| answer.prompt).min().unwrap_or(0);
        let start = if self.keeps_logits { first.saturating_sub(1) } else { 0 };
        let weigh = |pair: &[Answer; 2]| {
            let shared = pair[0].policy.len().min(pair[1].policy.len());
            [&pair[0], &pair[1]].map(|answer| {
                let count = answer.policy.len();
                // Old releases take the first places of the sequence, prompt and all, for those of the answer.
                let before = if self.form.old { answer.prompt - start } else { 0 };
                let weight = |at: usize| if at < shared { 1.0 } else { alpha };
                (before..before + count).map(|at| if at < count { weight(at) } else { 0.0 }).collect()
            })
        };
        pairs.iter().map(weigh).collect()
    }

    /// What each token counts in the log-probability of the reference, which old releases leave alone.
    fn reference_weights(&self, pairs: &[[Answer; 2]]) -> TokenWeights {
        if self.ld_alpha.is_some() && !self.form.old {
            return self.token_weights(pairs);
        }
        let weigh = |answer: &Answer| {
            let count = answer.policy.len();
            vec![if self.averages { 1.0 / count.max(1) as f64 } else { 1.0 }; count]
        };
        pairs.iter().map(|[chosen, rejected]| [weigh(chosen), weigh(rejected)]).collect()
    }

    /// What a pair weighs with `use_weighting`: how likely the policy would give these answers. It counts as a constant.
    fn factor(&self, pair: &[Answer; 2]) -> f64 {
        let Some(weighting) = self.weighting else { return 1.0 };
        let mean = |answer: &Answer| {
            let count = answer.policy.len();
            let tokens = if weighting == Weighting::Shifted { count.saturating_sub(1) } else { count };
            let sum = answer.policy[..tokens].iter().sum::<f64>() - answer.squares.iter().sum::<f64>();
            sum / count.max(1) as f64
        };
        let factor = (mean(&pair[0]) + mean(&pair[1])).exp();
        if self.form.old { factor.min(1.0) } else { factor }
    }

    fn remember(&mut self, pairs: &[[Answer; 2]]) {
        if !self.form.old || !self.kinds.iter().any(|(kind, _)| *kind == LossKind::BcoPair) || pairs.is_empty() {
            return;
        }
        let log_probs = each(pairs, &self.token_weights(pairs), |answer| &answer.policy);
        let reference = each(pairs, &self.reference_weights(pairs), |answer| &answer.reference);
        let ratios = ratios(&log_probs, &reference);
        let mean = self.form.beta * ratios.iter().flatten().sum::<f64>() / (2 * pairs.len()) as f64;
        let (count, before) = self.seen;
        self.seen = (count + 1.0, before + (mean - before) / (count + 1.0));
    }
}

/// A sum over the tokens of both answers of every pair.
fn each(pairs: &[[Answer; 2]], weights: &TokenWeights, of: impl Fn(&Answer) -> &Vec<f64>) -> Vec<[f64; 2]> {
    let sum = |answer: &Answer, weights: &[f64]| weights.iter().zip(of(answer)).map(|(weight, of)| weight * of).sum();
    let pairs = pairs.iter().zip(weights);
    pairs.map(|(pair, weights)| [sum(&pair[0], &weights[0]), sum(&pair[1], &weights[1])]).collect()
}

fn ratios(log_probs: &[[f64; 2]], reference: &[[f64; 2]]) -> Vec<[f64; 2]> {
    log_probs.iter().zip(reference).map(|(policy, other)| [policy[0] - other[0], policy[1] - other[1]]).collect()
}

fn weighed(losses: Vec<(Dual, [usize; 2])>, factors: &[f64]) -> Vec<(Dual, [usize; 2])> {
    losses.into_iter().zip(factors).map(|((loss, pair), factor)| (loss * *factor, pair)).collect()
}

/// Refuses a loss that the release does not have, or fails on.
fn check(spec: &RunSpec, kind: LossKind, old: bool) -> Result<(), RunError> {
    use LossKind::{Aot, AotUnpaired, ExoPair, Hinge, Ipo, Robust, Sft, Sigmoid, SigmoidNorm};
    let refuse = |setting: &str, reason: &str| Err(RunError::unsupported(setting, reason));
    let bends = match kind {
        Sigmoid | Hinge | Ipo | ExoPair | Robust => true,
        SigmoidNorm | LossKind::Discopop | Sft => !old,
        _ => false,
    };
    if spec.divergence != Divergence::ReverseKl && !bends && !old {
        return refuse("f_divergence_type", "TRL takes only reverse_kl with this loss");
    }
    if old && spec.divergence == Divergence::ForwardKl {
        return refuse("f_divergence_type", "the release in effect has no forward_kl");
    }
    if old && kind == SigmoidNorm {
        return refuse("loss_type", "the release in effect has no sigmoid_norm");
    }
    if spec.weighting.is_some() && !old && matches!(kind, Hinge | Sft | Aot | AotUnpaired) {
        return refuse("use_weighting", "TRL fails on it with this loss");
    }
    if kind == ExoPair && !old && spec.label_smoothing <= 0.0 {
        return refuse("label_smoothing", "exo_pair needs a value above 0");
    }
    if kind == Robust && spec.label_smoothing * 2.0 >= 1.0 {
        return refuse("label_smoothing", "robust needs a value below 0.5");
    }
    Ok(())
}
