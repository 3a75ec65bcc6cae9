//! What the decoder computes, forward and backward.
//!
//! Gradients are written out here: the automatic ones of candle drop them without a word in several operations, and compute
//! those of frozen weights as well.
//!
//! Each operation is written for the CPU here; where its numbers lie on a GPU, it hands over to `gpu`.

/// Goes on where the numbers lie: on a GPU, if they do, and otherwise with what follows.
macro_rules! on_gpu {
    (mut $matrix:expr, |$numbers:ident| $work:expr) => {
        #[cfg(feature = "cuda")]
        if let Some($numbers) = $matrix.slice_mut() {
            return $work;
        }
    };
    ($matrix:expr, |$numbers:ident| $work:expr) => {
        #[cfg(feature = "cuda")]
        if let Some($numbers) = $matrix.slice() {
            return $work;
        }
    };
}

pub mod activation;
pub mod attention;
pub mod dropout;
#[cfg(feature = "cuda")]
pub mod gpu;
pub mod head;
pub mod linear;
pub mod matrix;
pub mod norm;
pub mod real;
pub mod rope;

pub use matrix::{Mat, Summary};
pub use real::{Real, simd};

#[cfg(test)]
mod tests;
