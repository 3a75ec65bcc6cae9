//! Numbers that are left out at random, the rest being made larger for it.
//!
//! Which ones follows from a key and their place alone: the way back, and a layer that is computed a second time, leave out the
//! same, on however many threads.

use rayon::prelude::*;

use super::matrix::Mat;
use super::real::Real;

/// Numbers that a task takes.
const CHUNK: usize = 4096;

/// What is left out of a matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// The share that is left out, below 1.
    pub share: f64,
    /// Another one leaves out others.
    pub key: u64,
}

impl Dropout {
    /// What a place of a model drops in a pass with the key `drops`, if that drops anything. Adapters have places of their own.
    pub fn at(share: f64, drops: Option<u64>, place: usize) -> Option<Dropout> {
        drops.filter(|_| share > 0.0).map(|drops| Dropout { share, key: key(drops, (1 << 32) | place as u64) })
    }

    /// The matrix without them.
    pub fn of<T: Real>(self, x: &Mat<T>) -> Mat<T> {
        let mut y = x.clone();
        self.cut(&mut y);
        y
    }

    /// Takes them out of the matrix.
    pub fn cut<T: Real>(self, x: &mut Mat<T>) {
        on_gpu!(mut x, |numbers| numbers.drop_some(self.key, self.most(), self.scale() as f32));
        let chunks = x.data_mut().par_chunks_mut(CHUNK).enumerate();
        chunks.for_each(|(chunk, numbers)| self.cut_from((chunk * CHUNK) as u64, numbers));
    }

    /// How many of 2^32 are left out.
    #[expect(clippy::cast_sign_loss, reason = "a share is positive")]
    pub fn most(self) -> u64 {
        (self.share * 4_294_967_296.0) as u64
    }

    /// What the others are multiplied with.
    pub fn scale(self) -> f64 {
        1.0 / (1.0 - self.share)
    }

    /// Takes them out of numbers that stand in a row from a place on.
    #[inline(always)]
    pub fn cut_from<T: Real>(self, place: u64, numbers: &mut [T]) {
        let (most, scale) = (self.most(), T::of(self.scale()));
        for (at, number) in numbers.iter_mut().enumerate() {
            let drawn = mixed(self.key.wrapping_add((place + at as u64).wrapping_mul(GOLDEN))) >> 32;
            *number = if drawn < most { T::ZERO } else { *number * scale };
        }
    }
}

/// How far apart neighbours are.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A key of its own for each of many.
pub fn key(of: u64, which: u64) -> u64 {
    mixed(of ^ mixed(which.wrapping_add(GOLDEN)))
}

/// The mixing step of SplitMix64.
pub fn mixed(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_dropped_and_the_mean_stays() {
        let x = Mat::new(100, 100, vec![1.0_f64; 10_000]);
        let dropout = Dropout { share: 0.2, key: key(42, 7) };
        let y = dropout.of(&x);
        let dropped = y.data().iter().filter(|number| **number == 0.0).count();
        assert!((1850..2150).contains(&dropped), "{dropped}");
        assert!(y.data().iter().all(|number| *number == 0.0 || (*number - 1.25).abs() < 1e-12));
        assert_eq!(y.data(), dropout.of(&x).data());
        let other = Dropout { key: key(42, 8), ..dropout };
        assert_ne!(y.data(), other.of(&x).data());
    }
}
