//! Linear layers: frozen, trained, and with a LoRA or DoRA adapter.

use rayon::prelude::*;

use super::dropout::Dropout;
use super::matrix::{Mat, product};
use super::real::{LANES, Real, simd, sum};

/// Rows that a task takes.
const ROWS: usize = 16;

/// The numbers of a layer. Matrices have a row for each output.
#[derive(Debug, Clone, Copy)]
pub struct Linear<'a, T> {
    /// The weight.
    pub weight: &'a Mat<T>,
    /// The bias.
    pub bias: Option<&'a Mat<T>>,
    /// The adapter, if it is on.
    pub adapter: Option<Adapter<'a, T>>,
}

/// The numbers of an adapter.
#[derive(Debug, Clone, Copy)]
pub struct Adapter<'a, T> {
    /// `lora_A`: rank x inputs.
    pub a: &'a Mat<T>,
    /// `lora_B`: outputs x rank.
    pub b: &'a Mat<T>,
    /// `lora_magnitude_vector` of DoRA.
    pub magnitude: Option<&'a Mat<T>>,
    /// What the product is multiplied with.
    pub scale: T,
    /// What of its input is dropped.
    pub dropout: Option<Dropout>,
}

/// What the backward pass needs of the forward pass, besides the input.
#[derive(Debug, Clone)]
pub struct LinearTape<T> {
    /// The input through `lora_A`.
    low: Option<Mat<T>>,
    /// The input without what is dropped.
    dropped: Option<Mat<T>>,
    dora: Option<DoraTape<T>>,
}

#[derive(Debug, Clone)]
struct DoraTape<T> {
    /// The output before it was brought to its magnitude.
    raw: Mat<T>,
    /// The length of every row of the merged weight.
    lengths: Vec<T>,
}

/// Which gradients are wanted, besides those of the adapter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Of the input.
    pub input: bool,
    /// Of the weight.
    pub weight: bool,
    /// Of the bias.
    pub bias: bool,
}

/// The gradients.
#[derive(Debug)]
pub struct LinearGradients<T> {
    /// Of the input.
    pub input: Option<Mat<T>>,
    /// Of the weight.
    pub weight: Option<Mat<T>>,
    /// Of the bias.
    pub bias: Option<Mat<T>>,
    /// Of `lora_A`.
    pub a: Option<Mat<T>>,
    /// Of `lora_B`.
    pub b: Option<Mat<T>>,
    /// Of the magnitude.
    pub magnitude: Option<Mat<T>>,
}

impl<T: Real> Linear<'_, T> {
    /// The output of every row.
    pub fn forward(&self, x: &Mat<T>) -> (Mat<T>, LinearTape<T>) {
        let mut y = product(x.view(), self.weight.t());
        let mut tape = LinearTape { low: None, dropped: None, dora: None };
        if let Some(adapter) = &self.adapter {
            tape.dropped = adapter.dropout.map(|dropout| dropout.of(x));
            let low = product(tape.dropped.as_ref().unwrap_or(x).view(), adapter.a.t());
            // DoRA drops on the way through the base, too, and adds only by how much that is lengthened.
            let whole = tape.dropped.as_ref().filter(|_| adapter.magnitude.is_some()).map(|dropped| {
                let lost = product(dropped.view(), self.weight.t());
                let mut whole = std::mem::replace(&mut y, lost.clone());
                add_scaled(&mut whole, &lost, -T::ONE);
                whole
            });
            add_scaled(&mut y, &product(low.view(), adapter.b.t()), adapter.scale);
            tape.low = Some(low);
            if let Some(magnitude) = adapter.magnitude {
                let lengths = row_lengths(self.weight, adapter);
                let raw = y.clone();
                scale_columns(&mut y, &ratios(magnitude, &lengths));
                tape.dora = Some(DoraTape { raw, lengths });
            }
            if let Some(whole) = whole {
                y.add(&whole);
            }
        }
        if let Some(bias) = self.bias {
            add_row(&mut y, bias.data());
        }
        (y, tape)
    }

    /// The gradients, from that of the output.
    pub fn backward(&self, x: &Mat<T>, tape: &LinearTape<T>, gradient: &Mat<T>, want: Wanted) -> LinearGradients<T> {
        let bias = want.bias.then(|| Mat::new(1, gradient.cols(), gradient.column_sums()));
        let mut out = LinearGradients { input: None, weight: None, bias, a: None, b: None, magnitude: None };
        let whole = gradient;
        let scaled;
        let mut gradient = gradient;
        if let (Some(dora), Some(magnitude)) = (&tape.dora, self.adapter.and_then(|adapter| adapter.magnitude)) {
            out.magnitude = Some(magnitude_gradient(gradient, dora));
            // The lengths count as constants, as the paper and PEFT have it.
            let mut copy = gradient.clone();
            scale_columns(&mut copy, &ratios(magnitude, &dora.lengths));
            scaled = copy;
            gradient = &scaled;
        }
        // What goes through the base without a loss, and with one: with DoRA by how much it is lengthened.
        let lossy = tape.dropped.as_ref().filter(|_| tape.dora.is_some()).map(|dropped| {
            let mut lossy = gradient.clone();
            add_scaled(&mut lossy, whole, -T::ONE);
            (dropped, lossy)
        });
        let lossless = if lossy.is_some() { whole } else { gradient };
        if want.input {
            out.input = Some(product(lossless.view(), self.weight.view()));
        }
        if want.weight {
            let mut weight = product(lossless.t(), x.view());
            if let Some((dropped, lossy)) = &lossy {
                weight.add(&product(lossy.t(), dropped.view()));
            }
            out.weight = Some(weight);
        }
        if let (Some(adapter), Some(low)) = (&self.adapter, &tape.low) {
            let mut b = product(gradient.t(), low.view());
            b.scale(adapter.scale);
            let mut through = product(gradient.view(), adapter.b.view());
            through.scale(adapter.scale);
            out.a = Some(product(through.t(), tape.dropped.as_ref().unwrap_or(x).view()));
            out.b = Some(b);
            if let Some(input) = &mut out.input {
                let mut part = product(through.view(), adapter.a.view());
                if let Some((_, lossy)) = &lossy {
                    part.add(&product(lossy.view(), self.weight.view()));
                }
                if let Some(dropout) = adapter.dropout {
                    dropout.cut(&mut part);
                }
                input.add(&part);
            }
        }
        out
    }
}

/// The length of every row of the weight with the adapter merged into it: what DoRA divides by.
pub fn row_lengths<T: Real>(weight: &Mat<T>, adapter: &Adapter<'_, T>) -> Vec<T> {
    let mut merged = product(adapter.b.view(), adapter.a.view());
    merged.scale(adapter.scale);
    merged.add(weight);
    let rows = merged.data().par_chunks(merged.cols());
    rows.map(|row| simd(|| sum(row, |x| x * x)).sqrt()).collect()
}

/// By how much DoRA lengthens every output.
fn ratios<T: Real>(magnitude: &Mat<T>, lengths: &[T]) -> Vec<T> {
    magnitude.data().iter().zip(lengths).map(|(&magnitude, &length)| magnitude / length).collect()
}

fn magnitude_gradient<T: Real>(gradient: &Mat<T>, dora: &DoraTape<T>) -> Mat<T> {
    let mut sums = vec![T::ZERO; gradient.cols()];
    for (gradient, raw) in gradient.data().chunks(sums.len()).zip(dora.raw.data().chunks(sums.len())) {
        for ((sum, &gradient), &raw) in sums.iter_mut().zip(gradient).zip(raw) {
            *sum += gradient * raw;
        }
    }
    for (sum, &length) in sums.iter_mut().zip(&dora.lengths) {
        *sum /= length;
    }
    Mat::new(1, sums.len(), sums)
}

pub(super) fn add_scaled<T: Real>(y: &mut Mat<T>, part: &Mat<T>, scale: T) {
    let size = LANES * 512;
    y.data_mut().par_chunks_mut(size).zip(part.data().par_chunks(size)).for_each(|(y, part)| {
        simd(|| {
            for (y, &part) in y.iter_mut().zip(part) {
                *y += part * scale;
            }
        });
    });
}

fn add_row<T: Real>(y: &mut Mat<T>, row: &[T]) {
    each_row(y, row, |y, row| *y += row);
}

fn scale_columns<T: Real>(y: &mut Mat<T>, factors: &[T]) {
    each_row(y, factors, |y, factor| *y *= factor);
}

fn each_row<T: Real>(y: &mut Mat<T>, row: &[T], change: impl Fn(&mut T, T) + Sync) {
    y.data_mut().par_chunks_mut(row.len() * ROWS).for_each(|rows| {
        simd(|| {
            for y in rows.chunks_exact_mut(row.len()) {
                for (y, &number) in y.iter_mut().zip(row) {
                    change(y, number);
                }
            }
        });
    });
}
