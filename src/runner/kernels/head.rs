//! The output layer together with the logarithm of the probability of one token: all logits are never held at once.

use rayon::prelude::*;

use super::matrix::{Mat, product};
use super::real::{Real, largest, replace_and_sum, simd, sum};

/// Rows whose logits are held at once. Fewer use the matrix product badly, more do not stay in the cache.
const TILE: usize = 256;

/// The output layer.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a, T> {
    /// A row for each token of the vocabulary.
    pub weight: &'a Mat<T>,
    /// The largest size of a logit; larger ones are bent towards it.
    pub cap: Option<f64>,
}

/// What is wanted besides the log-probabilities.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// The gradients of the inputs.
    pub gradient: bool,
    /// The logarithm of the sum of the squared probabilities.
    pub squares: bool,
}

/// What is known of every row.
#[derive(Debug)]
pub struct Scored<T> {
    /// Log-probability of the target.
    pub log_probs: Vec<T>,
    /// Logarithm of the sum of the squared probabilities of all tokens.
    pub squares: Vec<T>,
    /// Gradient of the log-probability with regard to the input.
    pub gradient: Option<Mat<T>>,
}

impl<T: Real> Head<'_, T> {
    /// The log-probability of a target for each row of `x`. The gradient is formed while the logits are at hand.
    pub fn forward(&self, x: &Mat<T>, targets: &[u32], want: Wanted) -> Scored<T> {
        let mut scored = Scored { log_probs: Vec::new(), squares: Vec::new(), gradient: None };
        let mut gradient = Vec::new();
        for start in (0..x.rows()).step_by(TILE) {
            let rows = TILE.min(x.rows() - start);
            let mut logits = product(x.view().rows(start, rows), self.weight.t());
            let found: Vec<(T, T)> =
                each_row(&mut logits, &targets[start..start + rows], |row, target| self.row(row, target, want));
            for (log_prob, squares) in found {
                scored.log_probs.push(log_prob);
                scored.squares.push(squares);
            }
            if want.gradient {
                gradient.extend_from_slice(product(logits.view(), self.weight.view()).data());
            }
        }
        scored.gradient = want.gradient.then(|| Mat::new(x.rows(), x.cols(), gradient));
        scored
    }

    /// Gradients of the input and of the weight, from those of the log-probabilities.
    pub fn backward(&self, x: &Mat<T>, targets: &[u32], gradients: &[T]) -> (Mat<T>, Mat<T>) {
        let mut of_weight = Mat::zeros(self.weight.rows(), self.weight.cols());
        let mut of_input = Vec::with_capacity(x.rows() * x.cols());
        for start in (0..x.rows()).step_by(TILE) {
            let rows = TILE.min(x.rows() - start);
            let mut logits = product(x.view().rows(start, rows), self.weight.t());
            let each: Vec<(u32, T)> =
                targets[start..start + rows].iter().copied().zip(gradients[start..].iter().copied()).collect();
            each_row(&mut logits, &each, |row, (target, gradient)| {
                self.row(row, target, Wanted { gradient: true, squares: false });
                scale(row, gradient);
            });
            of_input.extend_from_slice(product(logits.view(), self.weight.view()).data());
            of_weight.add(&product(logits.t(), x.view().rows(start, rows)));
        }
        (Mat::new(x.rows(), x.cols(), of_input), of_weight)
    }

    /// All logits, for tests and for comparing models.
    pub fn logits(&self, x: &Mat<T>) -> Mat<T> {
        let mut logits = product(x.view(), self.weight.t());
        logits.data_mut().par_chunks_mut(self.weight.rows()).for_each(|row| simd(|| self.bend(row)));
        logits
    }

    #[inline(always)]
    fn bend(&self, row: &mut [T]) {
        if let Some(cap) = self.cap.map(T::of) {
            for logit in row {
                *logit = (*logit / cap).tanh() * cap;
            }
        }
    }

    /// The log-probability of `target`, and the logarithm of the sum of squares. Where the gradient is wanted, it takes the
    /// place of the logits.
    #[inline(always)]
    fn row(&self, row: &mut [T], target: u32, want: Wanted) -> (T, T) {
        self.bend(row);
        let target = target as usize;
        let logit = row[target];
        let most = largest(row);
        if !want.gradient {
            // The same sum in the same order as below: a reference that equals the policy equals it to the last bit.
            let total = sum(row, |logit| (logit - most).exp());
            let normal = most + total.ln();
            return (logit - normal, if want.squares { squares(row, normal) } else { T::ZERO });
        }
        let squares = if want.squares {
            let total = sum(row, |logit| (logit - most).exp());
            squares(row, most + total.ln())
        } else {
            T::ZERO
        };
        let slope = |bent: T, cap: T| T::ONE - (bent / cap) * (bent / cap);
        let normal = match self.cap.map(T::of) {
            None => {
                let total = replace_and_sum(row, |logit| (logit - most).exp());
                let factor = -T::ONE / total;
                scale(row, factor);
                row[target] += T::ONE;
                most + total.ln()
            }
            Some(cap) => {
                let total = sum(row, |logit| (logit - most).exp());
                let normal = most + total.ln();
                for bent in row.iter_mut() {
                    *bent = -(*bent - normal).exp() * slope(*bent, cap);
                }
                row[target] += slope(logit, cap);
                normal
            }
        };
        (logit - normal, squares)
    }
}

/// The logarithm of the sum of the squared probabilities, given that of the sum that logits are divided by.
#[inline(always)]
fn squares<T: Real>(row: &[T], normal: T) -> T {
    let two = T::of(2.0);
    sum(row, |logit| (two * (logit - normal)).exp()).ln()
}

#[inline(always)]
fn scale<T: Real>(row: &mut [T], factor: T) {
    for number in row {
        *number *= factor;
    }
}

fn each_row<T: Real, A: Copy + Sync, R: Send>(
    logits: &mut Mat<T>,
    each: &[A],
    work: impl Fn(&mut [T], A) -> R + Sync,
) -> Vec<R> {
    let cols = logits.cols();
    let rows = logits.data_mut().par_chunks_mut(cols).zip(each);
    rows.map(|(row, &each)| simd(|| work(row, each))).collect()
}
