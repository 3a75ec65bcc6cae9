//! The bend in the middle of the feed-forward part.

use rayon::prelude::*;

use super::matrix::{CHUNK, Mat};
use super::real::{Real, simd};

/// A function of one number. The kernels of a GPU know it by its place here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `silu`.
    Silu,
    /// `gelu_new` and `gelu_pytorch_tanh`.
    GeluTanh,
    /// `gelu`, with the error function.
    Gelu,
    /// `relu`.
    Relu,
}

impl Activation {
    /// The value and the slope at `x`.
    #[inline(always)]
    fn at<T: Real>(self, x: T) -> (T, T) {
        match self {
            Activation::Silu => {
                let share = T::ONE / (T::ONE + (-x).exp());
                (x * share, share + x * share * (T::ONE - share))
            }
            Activation::GeluTanh => {
                let (root, cube) = (T::of((2.0 / std::f64::consts::PI).sqrt()), T::of(0.044_715));
                let (half, three) = (T::of(0.5), T::of(3.0));
                let bent = (root * (x + cube * x * x * x)).tanh();
                let slope = root * (T::ONE + three * cube * x * x) * (T::ONE - bent * bent);
                (half * x * (T::ONE + bent), half * (T::ONE + bent) + half * x * slope)
            }
            Activation::Gelu => {
                let wide = x.wide();
                let below = 0.5 * (1.0 + error_function(wide / std::f64::consts::SQRT_2));
                let density = (-0.5 * wide * wide).exp() / (2.0 * std::f64::consts::PI).sqrt();
                (T::of(wide * below), T::of(below + wide * density))
            }
            Activation::Relu => {
                if x > T::ZERO {
                    (x, T::ONE)
                } else {
                    (T::ZERO, T::ZERO)
                }
            }
        }
    }

    /// Bends every number, and multiplies it with that of `up` where the part is gated.
    pub fn forward<T: Real>(self, gate: &Mat<T>, up: Option<&Mat<T>>) -> Mat<T> {
        on_gpu!(gate, |numbers| gate.with(super::gpu::bend(self as u32, numbers, up.map(Mat::numbers_on_gpu))));
        // One loop for each function: a choice inside the loop would keep it from becoming vectors.
        match self {
            Activation::Silu => forward(gate, up, |x| Activation::Silu.at(x).0),
            Activation::GeluTanh => forward(gate, up, |x| Activation::GeluTanh.at(x).0),
            Activation::Gelu => forward(gate, up, |x| Activation::Gelu.at(x).0),
            Activation::Relu => forward(gate, up, |x| Activation::Relu.at(x).0),
        }
    }

    /// The gradients of `gate` and `up`.
    pub fn backward<T: Real>(self, gate: &Mat<T>, up: Option<&Mat<T>>, gradient: Mat<T>) -> (Mat<T>, Option<Mat<T>>) {
        on_gpu!(gate, |numbers| {
            let (up, mut gradient) = (up.map(Mat::numbers_on_gpu), gradient);
            let of_up = super::gpu::bend_back(self as u32, numbers, up, gradient.numbers_on_gpu_mut());
            (gradient, of_up.map(|of_up| gate.with(of_up)))
        });
        match self {
            Activation::Silu => backward(gate, up, gradient, |x| Activation::Silu.at(x)),
            Activation::GeluTanh => backward(gate, up, gradient, |x| Activation::GeluTanh.at(x)),
            Activation::Gelu => backward(gate, up, gradient, |x| Activation::Gelu.at(x)),
            Activation::Relu => backward(gate, up, gradient, |x| Activation::Relu.at(x)),
        }
    }
}

fn forward<T: Real>(gate: &Mat<T>, up: Option<&Mat<T>>, bend: impl Fn(T) -> T + Sync) -> Mat<T> {
    let mut out = Mat::zeros(gate.rows(), gate.cols());
    out.data_mut().par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, out)| {
        let gate = &gate.data()[chunk * CHUNK..][..out.len()];
        match up.map(|up| &up.data()[chunk * CHUNK..][..out.len()]) {
            Some(up) => simd(|| {
                for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
                    *out = bend(gate) * up;
                }
            }),
            None => simd(|| {
                for (out, &gate) in out.iter_mut().zip(gate) {
                    *out = bend(gate);
                }
            }),
        }
    });
    out
}

fn backward<T: Real>(
    gate: &Mat<T>,
    up: Option<&Mat<T>>,
    mut gradient: Mat<T>,
    bend: impl Fn(T) -> (T, T) + Sync,
) -> (Mat<T>, Option<Mat<T>>) {
    let Some(up) = up else {
        gradient.data_mut().par_chunks_mut(CHUNK).zip(gate.data().par_chunks(CHUNK)).for_each(|(gradient, gate)| {
            simd(|| {
                for (gradient, &gate) in gradient.iter_mut().zip(gate) {
                    *gradient *= bend(gate).1;
                }
            });
        });
        return (gradient, None);
    };
    let mut of_up = Mat::zeros(up.rows(), up.cols());
    let inputs = gate.data().par_chunks(CHUNK).zip(up.data().par_chunks(CHUNK));
    let outputs = gradient.data_mut().par_chunks_mut(CHUNK).zip(of_up.data_mut().par_chunks_mut(CHUNK));
    outputs.zip(inputs).for_each(|((gradient, of_up), (gate, up))| {
        simd(|| {
            for (((gradient, of_up), &gate), &up) in gradient.iter_mut().zip(of_up).zip(gate).zip(up) {
                let (value, slope) = bend(gate);
                *of_up = *gradient * value;
                *gradient *= up * slope;
            }
        });
    });
    (gradient, Some(of_up))
}

/// The error function: its series near 0, a continued fraction beyond.
fn error_function(x: f64) -> f64 {
    let size = x.abs();
    let square = size * size;
    let value = if size < 2.5 {
        let mut term = size;
        let mut total = size;
        for n in 1..80 {
            term *= -square / f64::from(n);
            total += term / f64::from(2 * n + 1);
        }
        total * 2.0 / std::f64::consts::PI.sqrt()
    } else {
        let fraction = (1..60).rev().fold(0.0, |below, n| f64::from(n) / 2.0 / (size + below));
        1.0 - (-square).exp() / (std::f64::consts::PI.sqrt() * (size + fraction))
    };
    value.copysign(x)
}
