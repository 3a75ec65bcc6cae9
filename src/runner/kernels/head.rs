//! The output layer together with the logarithm of the probability of one token: all logits are never held at once.

use rayon::prelude::*;

use super::linear::{Adapter, LinearGradients};
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
    /// The adapter, if it is on.
    pub adapter: Option<Adapter<'a, T>>,
}

/// The way through the adapter.
struct Low<T> {
    dropped: Option<Mat<T>>,
    low: Mat<T>,
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
    fn low(&self, x: &Mat<T>) -> Option<Low<T>> {
        let adapter = self.adapter?;
        let dropped = adapter.dropout.map(|dropout| dropout.of(x));
        let low = product(dropped.as_ref().unwrap_or(x).view(), adapter.a.t());
        Some(Low { dropped, low })
    }

    /// The logits of some rows.
    fn tile(&self, x: &Mat<T>, low: Option<&Low<T>>, start: usize, rows: usize) -> Mat<T> {
        let mut logits = product(x.view().rows(start, rows), self.weight.t());
        if let (Some(adapter), Some(Low { low, .. })) = (&self.adapter, low) {
            logits.add_scaled(&product(low.view().rows(start, rows), adapter.b.t()), adapter.scale);
        }
        logits
    }

    /// The log-probability of a target for each row of `x`. The gradient is formed while the logits are at hand; not where there
    /// is an adapter, which is trained.
    pub fn forward(&self, x: &Mat<T>, targets: &[u32], want: Wanted) -> Scored<T> {
        let mut scored = Scored { log_probs: Vec::new(), squares: Vec::new(), gradient: None };
        let (mut gradient, low) = (Vec::new(), self.low(x));
        for start in (0..x.rows()).step_by(TILE) {
            let rows = TILE.min(x.rows() - start);
            let mut logits = self.tile(x, low.as_ref(), start, rows);
            let (log_probs, squares) = self.score(&mut logits, &targets[start..start + rows], want);
            scored.log_probs.extend(log_probs);
            scored.squares.extend(squares);
            if want.gradient {
                gradient.push(product(logits.view(), self.weight.view()));
            }
        }
        scored.gradient = want.gradient.then(|| Mat::stack(gradient, x.cols()));
        scored
    }

    /// What is known of each row of logits; they make room for the gradient.
    fn score(&self, logits: &mut Mat<T>, targets: &[u32], want: Wanted) -> (Vec<T>, Vec<T>) {
        on_gpu!(mut logits, |numbers| {
            let Wanted { gradient, squares } = want;
            let want = super::gpu::Score { cap: self.cap, squares, gradient, factors: None };
            let (log_probs, squares) = numbers.score(targets, self.weight.rows(), want);
            let wide = |numbers: Vec<f32>| numbers.into_iter().map(T::of_f32).collect();
            (wide(log_probs), wide(squares))
        });
        each_row(logits, targets, |row, target| self.row(row, target, want)).into_iter().unzip()
    }

    /// Replaces logits by gradients of the log-probabilities, each row times its own gradient.
    fn slopes(&self, logits: &mut Mat<T>, targets: &[u32], gradients: &[T]) {
        on_gpu!(mut logits, |numbers| {
            let factors = super::matrix::narrow(gradients);
            let want = super::gpu::Score { cap: self.cap, squares: false, gradient: true, factors: Some(&factors) };
            numbers.score(targets, self.weight.rows(), want);
        });
        let each: Vec<(u32, T)> = targets.iter().copied().zip(gradients.iter().copied()).collect();
        each_row(logits, &each, |row, (target, gradient)| {
            self.row(row, target, Wanted { gradient: true, squares: false });
            scale(row, gradient);
        });
    }

    /// Gradients of the input, of the adapter, and of the weight where it is wanted, from those of the log-probabilities.
    pub fn backward(&self, x: &Mat<T>, targets: &[u32], gradients: &[T], weight: bool) -> LinearGradients<T> {
        let mut of_weight = weight.then(|| self.weight.zeros_like());
        let mut of_input = Vec::new();
        let (low, mut through) = (self.low(x), Vec::new());
        let mut of_b = self.adapter.map(|adapter| adapter.b.zeros_like());
        for start in (0..x.rows()).step_by(TILE) {
            let rows = TILE.min(x.rows() - start);
            let mut logits = self.tile(x, low.as_ref(), start, rows);
            self.slopes(&mut logits, &targets[start..start + rows], &gradients[start..start + rows]);
            of_input.push(product(logits.view(), self.weight.view()));
            if let Some(of_weight) = &mut of_weight {
                of_weight.add(&product(logits.t(), x.view().rows(start, rows)));
            }
            if let (Some(adapter), Some(of_b), Some(Low { low, .. })) = (&self.adapter, &mut of_b, &low) {
                of_b.add(&product(logits.t(), low.view().rows(start, rows)));
                through.push(product(logits.view(), adapter.b.view()));
            }
        }
        let mut input = Mat::stack(of_input, x.cols());
        let mut of_a = None;
        if let (Some(adapter), Some(of_b), Some(Low { dropped, .. })) = (&self.adapter, &mut of_b, &low) {
            let mut through = Mat::stack(through, adapter.b.cols());
            of_b.scale(adapter.scale);
            through.scale(adapter.scale);
            of_a = Some(product(through.t(), dropped.as_ref().unwrap_or(x).view()));
            let part = product(through.view(), adapter.a.view());
            input.add(&adapter.dropout.map_or_else(|| part.clone(), |dropout| dropout.of(&part)));
        }
        LinearGradients { input: Some(input), weight: of_weight, bias: None, a: of_a, b: of_b, magnitude: None }
    }

    /// All logits, for tests and for comparing models.
    pub fn logits(&self, x: &Mat<T>) -> Mat<T> {
        let mut logits = self.tile(x, self.low(x).as_ref(), 0, x.rows());
        self.bend_all(&mut logits);
        logits
    }

    fn bend_all(&self, logits: &mut Mat<T>) {
        on_gpu!(mut logits, |numbers| {
            if let Some(cap) = self.cap {
                numbers.cap(cap);
            }
        });
        logits.data_mut().par_chunks_mut(self.weight.rows()).for_each(|row| simd(|| self.bend(row)));
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
