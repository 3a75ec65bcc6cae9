//! Rotary positions.

use rayon::prelude::*;

use super::matrix::Mat;
use super::real::{Real, simd};

/// Rows that a task takes.
const ROWS: usize = 16;

/// The angles of every row.
#[derive(Debug, Clone)]
pub struct Rotation<T> {
    /// A row for each row.
    cos: Mat<T>,
    sin: Mat<T>,
    /// Half of the numbers of a head that are turned.
    half: usize,
    head: usize,
}

impl<T: Real> Rotation<T> {
    /// For rows at `positions`, with one frequency for each pair of numbers; a head is `head` wide. What is turned gets longer by
    /// `scale`.
    ///
    /// Angles are computed in 32 bits, as transformers does it.
    pub fn new(positions: &[usize], frequencies: &[f32], head: usize, scale: f32) -> Rotation<T> {
        let angles = || positions.iter().flat_map(|&at| frequencies.iter().map(move |f| at as f32 * f));
        let rows = |numbers| Mat::new(positions.len(), frequencies.len(), numbers);
        Rotation {
            cos: rows(angles().map(|angle| T::of_f32(angle.cos() * scale)).collect()),
            sin: rows(angles().map(|angle| T::of_f32(angle.sin() * scale)).collect()),
            half: frequencies.len(),
            head,
        }
    }

    /// The same where a model's numbers lie.
    #[must_use]
    pub fn beside(self, other: &Mat<T>) -> Rotation<T> {
        Rotation { cos: self.cos.beside(other), sin: self.sin.beside(other), ..self }
    }

    /// Turns every head of every row.
    pub fn turn(&self, x: &mut Mat<T>) {
        self.apply(x, T::ONE);
    }

    /// Turns gradients back.
    pub fn turn_back(&self, x: &mut Mat<T>) {
        self.apply(x, -T::ONE);
    }

    fn apply(&self, x: &mut Mat<T>, sign: T) {
        let (width, half) = (x.cols(), self.half);
        on_gpu!(mut x, |numbers| {
            let (cosines, sines) = (self.cos.numbers_on_gpu(), self.sin.numbers_on_gpu());
            let angles = super::gpu::Angles { cosines, sines, half, head: self.head };
            angles.turn(numbers, width, sign.wide() as f32);
        });
        let angles = self.cos.data().par_chunks(half * ROWS).zip(self.sin.data().par_chunks(half * ROWS));
        x.data_mut().par_chunks_mut(width * ROWS).zip(angles).for_each(|(rows, (cos, sin))| {
            simd(|| {
                let angles = cos.chunks_exact(half).zip(sin.chunks_exact(half));
                for (row, (cos, sin)) in rows.chunks_exact_mut(width).zip(angles) {
                    for head in row.chunks_exact_mut(self.head) {
                        let (first, rest) = head.split_at_mut(half);
                        for (((a, b), &cos), &sin) in first.iter_mut().zip(rest).zip(cos).zip(sin) {
                            let (x, y) = (*a, *b);
                            *a = x * cos - sign * y * sin;
                            *b = y * cos + sign * x * sin;
                        }
                    }
                }
            });
        });
    }
}
