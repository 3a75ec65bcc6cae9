//! Normalisation of rows.

use rayon::prelude::*;

use super::matrix::Mat;
use super::real::{Real, simd, sum, sum_pairs};

/// Rows that a task takes.
const ROWS: usize = 16;

/// How rows are brought to one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NormKind {
    /// By the root of the mean square, then times the weight.
    Rms,
    /// The same with the weight counted from 1 (Gemma).
    RmsFromOne,
    /// By mean and deviation, then times the weight and plus the bias.
    Layer,
}

/// A normalisation with its numbers. Rows are as wide as the weight: a matrix of heads holds several in each row.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a, T> {
    /// How.
    pub kind: NormKind,
    /// Added before the root.
    pub epsilon: f64,
    /// The weight, a row.
    pub weight: &'a Mat<T>,
    /// The bias of [`NormKind::Layer`], a row.
    pub bias: Option<&'a Mat<T>>,
}

/// Gradients of weight and bias.
pub struct NormGradients<T> {
    /// Of the weight.
    pub weight: Mat<T>,
    /// Of the bias.
    pub bias: Mat<T>,
}

/// What some rows add to them.
struct Part<T> {
    weight: Vec<T>,
    bias: Vec<T>,
}

impl<T: Real> Norm<'_, T> {
    /// Normalises.
    pub fn forward(&self, x: &Mat<T>) -> Mat<T> {
        on_gpu!(x, |numbers| x.with(self.on_gpu().forward(numbers)));
        let width = self.weight.cols();
        let mut out = Mat::zeros(x.rows(), x.cols());
        out.data_mut().par_chunks_mut(width * ROWS).zip(x.data().par_chunks(width * ROWS)).for_each(|(out, x)| {
            simd(|| {
                for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                    self.row(x, out);
                }
            });
        });
        out
    }

    #[cfg(feature = "cuda")]
    fn on_gpu(&self) -> super::gpu::Norm<'_> {
        super::gpu::Norm {
            weight: self.weight.numbers_on_gpu(),
            bias: self.bias.map(Mat::numbers_on_gpu),
            is_layer: self.kind == NormKind::Layer,
            plus: if self.kind == NormKind::RmsFromOne { 1.0 } else { 0.0 },
            epsilon: self.epsilon as f32,
        }
    }

    #[inline(always)]
    fn row(&self, x: &[T], out: &mut [T]) {
        let (mean, inverse) = self.statistics(x);
        let plus = if self.kind == NormKind::RmsFromOne { T::ONE } else { T::ZERO };
        for ((out, &x), &weight) in out.iter_mut().zip(x).zip(self.weight.data()) {
            *out = (x - mean) * inverse * (weight + plus);
        }
        if let Some(bias) = self.bias {
            for (out, &bias) in out.iter_mut().zip(bias.data()) {
                *out += bias;
            }
        }
    }

    /// What is taken off, and what is multiplied with.
    #[inline(always)]
    fn statistics(&self, x: &[T]) -> (T, T) {
        let count = T::of(x.len() as f64);
        let mean = if self.kind == NormKind::Layer { sum(x, |x| x) / count } else { T::ZERO };
        let squares = sum(x, |x| (x - mean) * (x - mean));
        (mean, T::ONE / (squares / count + T::of(self.epsilon)).sqrt())
    }

    /// The gradient of the input, and where `with_weights` those of weight and bias.
    pub fn backward(&self, x: &Mat<T>, gradient: &Mat<T>, with_weights: bool) -> (Mat<T>, Option<NormGradients<T>>) {
        on_gpu!(x, |numbers| {
            let (out, of_weights) = self.on_gpu().backward(numbers, gradient.numbers_on_gpu(), with_weights);
            let of_weights = of_weights
                .map(|[weight, bias]| NormGradients { weight: self.weight.with(weight), bias: self.weight.with(bias) });
            (x.with(out), of_weights)
        });
        let width = self.weight.cols();
        let mut out = Mat::zeros(x.rows(), x.cols());
        let parts: Vec<Part<T>> = out
            .data_mut()
            .par_chunks_mut(width * ROWS)
            .zip(x.data().par_chunks(width * ROWS))
            .zip(gradient.data().par_chunks(width * ROWS))
            .map(|((out, x), gradient)| {
                let size = if with_weights { width } else { 0 };
                let mut part = Part { weight: vec![T::ZERO; size], bias: vec![T::ZERO; size] };
                simd(|| {
                    let rows = out.chunks_exact_mut(width).zip(x.chunks_exact(width));
                    for ((out, x), gradient) in rows.zip(gradient.chunks_exact(width)) {
                        self.row_backward(x, gradient, out, &mut part);
                    }
                });
                part
            })
            .collect();
        if !with_weights {
            return (out, None);
        }
        // In the order of the rows, so that the sum does not depend on the number of threads.
        let mut total = Part { weight: vec![T::ZERO; width], bias: vec![T::ZERO; width] };
        for part in parts {
            for at in 0..width {
                total.weight[at] += part.weight[at];
                total.bias[at] += part.bias[at];
            }
        }
        let row = |numbers| Mat::new(1, width, numbers);
        (out, Some(NormGradients { weight: row(total.weight), bias: row(total.bias) }))
    }

    #[inline(always)]
    fn row_backward(&self, x: &[T], gradient: &[T], out: &mut [T], part: &mut Part<T>) {
        let (mean, inverse) = self.statistics(x);
        let (x, gradient, weight) = (&x[..out.len()], &gradient[..out.len()], &self.weight.data()[..out.len()]);
        let plus = if self.kind == NormKind::RmsFromOne { T::ONE } else { T::ZERO };
        let count = T::of(x.len() as f64);
        for ((out, &gradient), &weight) in out.iter_mut().zip(gradient).zip(weight) {
            *out = gradient * (weight + plus);
        }
        let along = sum_pairs(out, x, |out, x| out * (x - mean)) / count * inverse * inverse;
        let level = if self.kind == NormKind::Layer { sum(out, |out| out) / count } else { T::ZERO };
        for (out, &x) in out.iter_mut().zip(x) {
            *out = (*out - level - (x - mean) * along) * inverse;
        }
        for (at, (weight, bias)) in part.weight.iter_mut().zip(&mut part.bias).enumerate() {
            *weight += gradient[at] * (x[at] - mean) * inverse;
            *bias += gradient[at];
        }
    }
}
