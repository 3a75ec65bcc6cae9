//! The formulas.

use super::super::spec::{Divergence, LossKind};
use super::dual::Dual;

/// Beyond this an exponent would leave 32 bits, so newer releases cut it.
const LARGEST_EXPONENT: f64 = 80.0;

/// The same in older releases.
const LARGEST_EXPONENT_OLD: f64 = 88.7228;

/// The numbers in the formulas.
#[derive(Debug, Clone)]
pub(super) struct Form {
    /// Whether the release has the older losses.
    pub old: bool,
    pub beta: f64,
    pub smoothing: f64,
    pub divergence: Divergence,
    pub tau: f64,
}

impl Form {
    /// What a log-ratio counts.
    fn score(&self, ratio: Dual) -> Dual {
        match self.divergence {
            Divergence::ReverseKl => ratio,
            Divergence::ForwardKl => -(-ratio).exp() + 1.0,
            Divergence::JensenShannon => ratio.log_sigmoid() + std::f64::consts::LN_2,
            Divergence::Alpha(alpha) if self.old => -(ratio * -alpha).at_most(LARGEST_EXPONENT_OLD).exp() / alpha,
            Divergence::Alpha(alpha) if (alpha - 1.0).abs() < 1e-6 => ratio,
            Divergence::Alpha(alpha) => ((ratio * (alpha - 1.0)).at_most(LARGEST_EXPONENT).exp() - 1.0) / (alpha - 1.0),
        }
    }

    /// A sigmoid loss that takes some labels to be wrong.
    fn smoothed(&self, margin: Dual) -> Dual {
        -margin.log_sigmoid() * (1.0 - self.smoothing) - (-margin).log_sigmoid() * self.smoothing
    }

    /// The loss of a pair by its log-ratios and numbers of tokens. `level` is the mean reward so far.
    pub fn pair(&self, kind: LossKind, [chosen, rejected]: [f64; 2], [more, less]: [f64; 2], level: f64) -> Dual {
        let (beta, smoothing) = (self.beta, self.smoothing);
        let (chosen, rejected) = (Dual::chosen(chosen), Dual::rejected(rejected));
        let (above, below) = (self.score(chosen), self.score(rejected));
        let margin = (above - below) * beta;
        match kind {
            LossKind::Sigmoid if self.old => self.smoothed(margin),
            LossKind::Sigmoid => -margin.log_sigmoid(),
            LossKind::Hinge => (-margin + 1.0).relu(),
            // Old log-probabilities are averages already.
            LossKind::Ipo if self.old => (above - below - 0.5 / beta).square(),
            LossKind::Ipo => (above / more - below / less - 0.5 / beta).square(),
            LossKind::SigmoidNorm => -((above / more - below / less) * beta).log_sigmoid(),
            LossKind::ExoPair => {
                margin.sigmoid() * (margin.log_sigmoid() - (-smoothing).ln_1p())
                    + (-margin).sigmoid() * ((-margin).log_sigmoid() - smoothing.ln())
            }
            LossKind::NcaPair => {
                let (chosen, rejected) = (chosen * beta, rejected * beta);
                -chosen.log_sigmoid() - (-chosen).log_sigmoid() * 0.5 - (-rejected).log_sigmoid() * 0.5
            }
            LossKind::Robust => {
                (-margin.log_sigmoid() * (1.0 - smoothing) + (-margin).log_sigmoid() * smoothing)
                    / (1.0 - 2.0 * smoothing)
            }
            LossKind::BcoPair => {
                let level = if self.old { level } else { 0.0 };
                -(chosen * beta - level).log_sigmoid() - (-(rejected * beta) + level).log_sigmoid()
            }
            LossKind::SppoHard => (chosen - 0.5 / beta).square() + (rejected + 0.5 / beta).square(),
            LossKind::ApoZero => -(chosen * beta).sigmoid() + 1.0 + (rejected * beta).sigmoid(),
            LossKind::ApoDown => (chosen * beta).sigmoid() + 1.0 - ((chosen - rejected) * beta).sigmoid(),
            LossKind::Discopop => {
                let margin = if self.old { (chosen - rejected) * beta } else { margin };
                let share = (margin / self.tau).sigmoid();
                -margin.log_sigmoid() * (-share + 1.0) + (-margin).exp() * share
            }
            LossKind::Aot | LossKind::AotUnpaired | LossKind::Sft => unreachable!("a loss of the whole batch"),
        }
    }

    /// Sorted differences of the policy against sorted differences of the reference.
    pub fn aot(&self, policy: &[[f64; 2]], reference: &[[f64; 2]]) -> Vec<(Dual, [usize; 2])> {
        let difference = |pair: &[f64; 2]| pair[0] - pair[1];
        let order = sorted(policy.iter().map(difference));
        let mut of_reference: Vec<f64> = reference.iter().map(difference).collect();
        of_reference.sort_by(f64::total_cmp);
        let loss = |(at, reference): (usize, f64)| {
            let margin = Dual { value: difference(&policy[at]) - reference, chosen: 1.0, rejected: -1.0 };
            (self.smoothed(margin * self.beta), [at, at])
        };
        order.into_iter().zip(of_reference).map(loss).collect()
    }

    /// Sorted log-ratios of the preferred answers against those of the others.
    pub fn aot_unpaired(&self, ratios: &[[f64; 2]]) -> Vec<(Dual, [usize; 2])> {
        let orders =
            sorted(ratios.iter().map(|pair| pair[0])).into_iter().zip(sorted(ratios.iter().map(|pair| pair[1])));
        let loss = |(chosen, rejected): (usize, usize)| {
            let margin = Dual::chosen(ratios[chosen][0]) - Dual::rejected(ratios[rejected][1]);
            (self.smoothed(margin * self.beta), [chosen, rejected])
        };
        orders.map(loss).collect()
    }
}

/// The places of numbers in rising order.
fn sorted(numbers: impl Iterator<Item = f64>) -> Vec<usize> {
    let numbers: Vec<f64> = numbers.collect();
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    order
}
