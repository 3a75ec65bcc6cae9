//! The two kinds of numbers, and vector instructions.

use std::ops::Neg;

use candle_core::{CpuStorage, WithDType};

/// `f32` for training, `f64` for checking gradients.
pub trait Real: WithDType + Neg<Output = Self> + std::iter::Sum + std::fmt::Debug {
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Below every number.
    const LOWEST: Self;
    /// A constant.
    fn of(value: f64) -> Self;
    /// A number of 32 bits.
    fn of_f32(value: f32) -> Self;
    /// As 64 bits.
    fn wide(self) -> f64;
    /// e to the power of this, good to the last bit or two, and without a branch so that a loop of it becomes vectors.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Hyperbolic tangent, without a branch.
    fn tanh(self) -> Self;
    /// The numbers of a storage of this kind.
    fn numbers_mut(storage: &mut CpuStorage) -> &mut Vec<Self>;
}

/// Runs `work` with the widest vector instructions of the machine. Only what is inlined into it profits.
#[inline]
pub fn simd<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// As many partial sums as a vector register of the widest kind has places: a sum in order would allow no vectors.
pub const LANES: usize = 16;

/// The sum of `term(x)`.
#[inline(always)]
pub fn sum<T: Real>(numbers: &[T], term: impl Fn(T) -> T) -> T {
    let mut partial = [T::ZERO; LANES];
    let (chunks, rest) = numbers.as_chunks::<LANES>();
    for chunk in chunks {
        for (partial, &number) in partial.iter_mut().zip(chunk) {
            *partial += term(number);
        }
    }
    let total: T = partial.into_iter().sum();
    rest.iter().fold(total, |total, &number| total + term(number))
}

/// Replaces every number by `term(x)`, and gives their sum: the same to the last bit as [`sum`].
#[inline(always)]
pub fn replace_and_sum<T: Real>(numbers: &mut [T], term: impl Fn(T) -> T) -> T {
    let mut partial = [T::ZERO; LANES];
    let (chunks, rest) = numbers.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for (partial, number) in partial.iter_mut().zip(chunk) {
            *number = term(*number);
            *partial += *number;
        }
    }
    let total: T = partial.into_iter().sum();
    rest.iter_mut().fold(total, |total, number| {
        *number = term(*number);
        total + *number
    })
}

/// The sum of `term(a, b)`.
#[inline(always)]
pub fn sum_pairs<T: Real>(a: &[T], b: &[T], term: impl Fn(T, T) -> T) -> T {
    let mut partial = [T::ZERO; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            partial[lane] += term(a[lane], b[lane]);
        }
    }
    let total: T = partial.into_iter().sum();
    a_rest.iter().zip(b_rest).fold(total, |total, (&a, &b)| total + term(a, b))
}

/// The largest of some numbers.
#[inline(always)]
pub fn largest<T: Real>(numbers: &[T]) -> T {
    let larger = |a: T, b: T| if b > a { b } else { a };
    let mut partial = [T::LOWEST; LANES];
    let (chunks, rest) = numbers.as_chunks::<LANES>();
    for chunk in chunks {
        for (partial, &number) in partial.iter_mut().zip(chunk) {
            *partial = larger(*partial, number);
        }
    }
    let all = partial.into_iter().chain(rest.iter().copied());
    all.fold(T::LOWEST, larger)
}

impl Real for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;
    const LOWEST: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn of(value: f64) -> f32 {
        value as f32
    }

    #[inline(always)]
    fn of_f32(value: f32) -> f32 {
        value
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }

    /// The polynomial of the Cephes library after taking out the power of two.
    #[inline(always)]
    fn exp(self) -> f32 {
        // Adding this rounds to a whole number, which then stands in the lowest bits: no rounding instruction is needed,
        // which the smallest machines do not have.
        const TO_WHOLE: f32 = 12_582_912.0;
        const LN2_HIGH: f32 = 0.693_359_4;
        const LN2_LOW: f32 = -2.121_944_4e-4;
        let x = self.clamp(-87.3, 88.3);
        let shifted = x * std::f32::consts::LOG2_E + TO_WHOLE;
        let whole = shifted - TO_WHOLE;
        let rest = x - whole * LN2_HIGH;
        let rest = rest - whole * LN2_LOW;
        let mut sum = 1.987_569_1e-4_f32;
        for term in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
            sum = sum * rest + term;
        }
        let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
        (sum * rest * rest + rest + 1.0) * power
    }

    #[inline(always)]
    fn ln(self) -> f32 {
        f32::ln(self)
    }

    #[inline(always)]
    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }

    /// A ratio of two polynomials, as Eigen approximates it.
    #[expect(clippy::excessive_precision, reason = "digits as published")]
    #[inline(always)]
    fn tanh(self) -> f32 {
        let x = self.clamp(-7.905_311, 7.905_311);
        let square = x * x;
        let mut above = -2.760_768_5e-16_f32;
        for term in [2.000_187_9e-13, -8.604_672e-11, 5.122_297e-8, 1.485_722_3e-5, 6.372_619_3e-4, 4.893_524_6e-3] {
            above = above * square + term;
        }
        let mut below = 1.198_258_4e-6_f32;
        for term in [1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3] {
            below = below * square + term;
        }
        x * above / below
    }

    fn numbers_mut(storage: &mut CpuStorage) -> &mut Vec<f32> {
        match storage {
            CpuStorage::F32(numbers) => numbers,
            _ => unreachable!("a matrix of f32 holds f32"),
        }
    }
}

impl Real for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;
    const LOWEST: f64 = f64::NEG_INFINITY;

    fn of(value: f64) -> f64 {
        value
    }

    fn of_f32(value: f32) -> f64 {
        f64::from(value)
    }

    fn wide(self) -> f64 {
        self
    }

    fn exp(self) -> f64 {
        f64::exp(self)
    }

    fn ln(self) -> f64 {
        f64::ln(self)
    }

    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }

    fn tanh(self) -> f64 {
        f64::tanh(self)
    }

    fn numbers_mut(storage: &mut CpuStorage) -> &mut Vec<f64> {
        match storage {
            CpuStorage::F64(numbers) => numbers,
            _ => unreachable!("a matrix of f64 holds f64"),
        }
    }
}
