//! What the decoder computes, forward and backward.
//!
//! Gradients are written out here: the automatic ones of candle drop them without a word in several operations, and compute
//! those of frozen weights as well.

pub mod activation;
pub mod attention;
pub mod dropout;
pub mod head;
pub mod linear;
pub mod matrix;
pub mod norm;
pub mod real;
pub mod rope;

pub use matrix::Mat;
pub use real::{Real, simd};

#[cfg(test)]
mod tests;
