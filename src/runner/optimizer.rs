//! AdamW with the operations in PyTorch's order, and the clipping before it.

use rayon::prelude::*;

use super::kernels::{Mat, Real, simd};
use super::model::weights::{Gradients, Kind, SlotId, Weights};
use super::spec::OptimizerSpec;

/// Numbers that a task takes.
const CHUNK: usize = 1 << 13;

/// The optimizer of a run.
#[derive(Debug, Clone)]
pub struct AdamW<T> {
    spec: OptimizerSpec,
    steps: i32,
    moments: Vec<Option<[Mat<T>; 2]>>,
}

/// The numbers of one step.
#[derive(Clone, Copy)]
struct Step<T> {
    keep: T,
    first: T,
    second: T,
    rest: T,
    size: T,
    root: T,
    epsilon: T,
}

impl<T: Real> AdamW<T> {
    /// Before the first step.
    pub fn new(spec: &OptimizerSpec, tensors: usize) -> AdamW<T> {
        AdamW { spec: spec.clone(), steps: 0, moments: vec![None; tensors] }
    }

    /// Changes the trained tensors.
    pub fn step(&mut self, weights: &mut Weights<T>, gradients: &Gradients<T>, learning_rate: f64) {
        self.steps += 1;
        let spec = &self.spec;
        let first = 1.0 - spec.beta1.powi(self.steps);
        let second = 1.0 - spec.beta2.powi(self.steps);
        let trained: Vec<SlotId> = weights.trained().collect();
        for id in trained {
            let Some(gradient) = gradients.get(id) else { continue };
            let slot = &weights.slots()[id];
            let decay = if decays(&slot.name, slot.kind) { spec.weight_decay } else { 0.0 };
            let step = Step {
                keep: T::of(1.0 - learning_rate * decay),
                first: T::of(1.0 - spec.beta1),
                second: T::of(spec.beta2),
                rest: T::of(1.0 - spec.beta2),
                size: T::of(learning_rate / first),
                root: T::of(second.sqrt()),
                epsilon: T::of(spec.epsilon),
            };
            let moments = self.moments[id].get_or_insert_with(|| [gradient.zeros_like(), gradient.zeros_like()]);
            step.take(weights.change(id), moments, gradient);
        }
    }
}

impl<T: Real> Step<T> {
    /// Changes a tensor and its moments by its gradient.
    fn take(&self, values: &mut Mat<T>, [mean, square]: &mut [Mat<T>; 2], gradient: &Mat<T>) {
        #[cfg(feature = "cuda")]
        if self.take_on_gpu(values, [&mut *mean, &mut *square], gradient) {
            return;
        }
        let moments = mean.data_mut().par_chunks_mut(CHUNK).zip(square.data_mut().par_chunks_mut(CHUNK));
        let values = values.data_mut().par_chunks_mut(CHUNK).zip(gradient.data().par_chunks(CHUNK));
        values.zip(moments).for_each(|((values, gradients), (means, squares))| {
            simd(|| {
                let moments = means.iter_mut().zip(squares);
                for ((value, &gradient), (mean, square)) in values.iter_mut().zip(gradients).zip(moments) {
                    self.one(value, gradient, mean, square);
                }
            });
        });
    }
    /// The same on a GPU, if the numbers lie there.
    #[cfg(feature = "cuda")]
    fn take_on_gpu(&self, values: &mut Mat<T>, [mean, square]: [&mut Mat<T>; 2], gradient: &Mat<T>) -> bool {
        let (Some(values), Some(gradient)) = (values.slice_mut(), gradient.slice()) else { return false };
        let numbers = [self.keep, self.first, self.second, self.rest, self.size, self.root, self.epsilon];
        let step = super::kernels::gpu::Step { numbers: numbers.map(|number| number.wide() as f32) };
        step.take(values, [mean.numbers_on_gpu_mut(), square.numbers_on_gpu_mut()], gradient);
        true
    }

    #[inline(always)]
    fn one(&self, value: &mut T, gradient: T, mean: &mut T, square: &mut T) {
        *value *= self.keep;
        *mean += (gradient - *mean) * self.first;
        *square = *square * self.second + self.rest * gradient * gradient;
        *value -= self.size * *mean / (square.sqrt() / self.root + self.epsilon);
    }
}

/// Whether transformers lets a tensor decay: not biases, and nothing with the name of a normalisation.
fn decays(name: &str, kind: Kind) -> bool {
    !matches!(kind, Kind::Bias | Kind::Norm) && !name.contains("bias")
}

/// Scales gradients down where their norm is larger than `most`, and gives the norm before. 0 clips nothing. `squares` is the sum
/// of their squares.
pub fn clip<T: Real>(gradients: &mut Gradients<T>, squares: f64, most: f64) -> f64 {
    let norm = squares.sqrt();
    let factor = most / (norm + 1e-6);
    if most > 0.0 && factor < 1.0 {
        for gradient in gradients.iter_mut() {
            gradient.scale(T::of(factor));
        }
    }
    norm
}
