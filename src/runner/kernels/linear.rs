//! Linear layers: frozen, trained, and with a LoRA or DoRA adapter.

use rayon::prelude::*;

use super::dropout::Dropout;
use super::matrix::{Mat, product};
use super::real::{Real, simd};

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
    /// The length of every row of the merged weight, as a row.
    lengths: Mat<T>,
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
                whole.add_scaled(&lost, -T::ONE);
                whole
            });
            y.add_scaled(&product(low.view(), adapter.b.t()), adapter.scale);
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
            add_row(&mut y, bias);
        }
        (y, tape)
    }

    /// The gradients, from that of the output.
    pub fn backward(&self, x: &Mat<T>, tape: &LinearTape<T>, gradient: &Mat<T>, want: Wanted) -> LinearGradients<T> {
        let bias = want.bias.then(|| gradient.column_sums());
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
            lossy.add_scaled(whole, -T::ONE);
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

/// The length of every row of the weight with the adapter merged into it, as a row: what DoRA divides by.
pub fn row_lengths<T: Real>(weight: &Mat<T>, adapter: &Adapter<'_, T>) -> Mat<T> {
    let mut merged = product(adapter.b.view(), adapter.a.view());
    merged.scale(adapter.scale);
    merged.add(weight);
    merged.row_lengths()
}

/// By how much DoRA lengthens every output, as a row.
fn ratios<T: Real>(magnitude: &Mat<T>, lengths: &Mat<T>) -> Mat<T> {
    let mut ratios = magnitude.clone();
    divide(&mut ratios, lengths);
    ratios
}

fn magnitude_gradient<T: Real>(gradient: &Mat<T>, dora: &DoraTape<T>) -> Mat<T> {
    let mut sums = sums_of_products(gradient, &dora.raw);
    divide(&mut sums, &dora.lengths);
    sums
}

fn divide<T: Real>(numbers: &mut Mat<T>, by: &Mat<T>) {
    on_gpu!(mut numbers, |numbers| numbers.divide(by.numbers_on_gpu()));
    for (number, &by) in numbers.data_mut().iter_mut().zip(by.data()) {
        *number /= by;
    }
}

/// The sum of every column of the products of two matrices, as a row.
fn sums_of_products<T: Real>(a: &Mat<T>, b: &Mat<T>) -> Mat<T> {
    let cols = a.cols();
    on_gpu!(a, |numbers| Mat::on_gpu(1, cols, numbers.column_sums(Some(b.numbers_on_gpu()), cols)));
    let mut sums = vec![T::ZERO; cols];
    for (a, b) in a.data().chunks(cols).zip(b.data().chunks(cols)) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    Mat::new(1, cols, sums)
}

fn add_row<T: Real>(y: &mut Mat<T>, row: &Mat<T>) {
    on_gpu!(mut y, |numbers| numbers.add_row(row.numbers_on_gpu()));
    each_row(y, row.data(), |y, row| *y += row);
}

fn scale_columns<T: Real>(y: &mut Mat<T>, factors: &Mat<T>) {
    on_gpu!(mut y, |numbers| numbers.scale_columns(factors.numbers_on_gpu()));
    each_row(y, factors.data(), |y, factor| *y *= factor);
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
