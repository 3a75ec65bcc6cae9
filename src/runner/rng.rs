//! The random numbers of torch's CPU generator, bit for bit.
//!
//! The order of the rows and the first values of an adapter follow from a seed alone, so who draws the same numbers can
//! foretell what a run will log.

/// Words of state of a Mersenne Twister.
const WORDS: usize = 624;

/// How far ahead the word lies that is mixed in.
const AHEAD: usize = 397;

/// MT19937, seeded as `torch.manual_seed` does it.
#[derive(Clone)]
pub struct Generator {
    state: [u32; WORDS],
    next: usize,
}

impl Generator {
    /// A generator after `manual_seed(seed)`. Of the seed only the lower 32 bits count.
    pub fn new(seed: u64) -> Generator {
        let mut state = [0; WORDS];
        state[0] = seed as u32;
        for at in 1..WORDS {
            let before: u32 = state[at - 1];
            state[at] = 1_812_433_253_u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(at as u32);
        }
        Generator { state, next: WORDS }
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == WORDS {
            self.renew();
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// `torch.empty((), dtype=torch.int64).random_().item()`: the seed that a sampler without a generator draws for itself.
    pub fn next_seed(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        let low = u64::from(self.next_u32());
        (high << 32 | low) & (u64::MAX >> 1)
    }

    /// `torch.randperm(n)`. From 214 million on torch draws in another way; rows of so large a file are not held in memory.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for at in 0..n.saturating_sub(1) {
            let further = self.next_u32() as usize % (n - at);
            order.swap(at, at + further);
        }
        order
    }

    /// `uniform_(low, high)` of `n` numbers in 32 bits.
    pub fn uniform(&mut self, n: usize, low: f32, high: f32) -> Vec<f32> {
        (0..n).map(|_| self.fraction().mul_add(high - low, low)).collect()
    }

    /// `kaiming_uniform_(a=sqrt(5))`, which torch fills a linear layer with, and PEFT the matrix A of an adapter.
    pub fn kaiming_uniform(&mut self, n: usize, inputs: usize) -> Vec<f32> {
        let gain = (2.0 / (1.0 + 5_f64.sqrt().powi(2))).sqrt();
        // The order of these operations decides the last bit.
        let bound = (3_f64.sqrt() * (gain / (inputs as f64).sqrt())) as f32;
        self.uniform(n, -bound, bound)
    }

    /// Passes over `n` numbers that are drawn and thrown away, as the default values of a layer are that PEFT fills anew.
    pub fn skip(&mut self, n: usize) {
        for _ in 0..n {
            self.next_u32();
        }
    }

    /// `normal_()` of `n` numbers in 32 bits, at least 16: fewer torch draws in another way. The last bits depend on whose
    /// logarithm it is.
    pub fn normal(&mut self, n: usize) -> Vec<f32> {
        let mut numbers: Vec<f32> = (0..n).map(|_| self.fraction()).collect();
        numbers.chunks_exact_mut(16).for_each(bell);
        if !n.is_multiple_of(16) && n > 16 {
            // What is left over is drawn again, together with what stands before it.
            let last = &mut numbers[n - 16..];
            for number in last.iter_mut() {
                *number = self.fraction();
            }
            bell(last);
        }
        numbers
    }

    /// A number of [0, 1) with 24 bits.
    fn fraction(&mut self) -> f32 {
        const SCALE: f32 = 1.0 / 16_777_216.0;
        (self.next_u32() & 0x00ff_ffff) as f32 * SCALE
    }

    fn renew(&mut self) {
        for at in 0..WORDS {
            let mixed = (self.state[at] & 0x8000_0000) | (self.state[(at + 1) % WORDS] & 0x7fff_ffff);
            let twist = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[at] = self.state[(at + AHEAD) % WORDS] ^ (mixed >> 1) ^ twist;
        }
        self.next = 0;
    }
}

/// Makes eight pairs of even numbers numbers of a normal distribution.
fn bell(numbers: &mut [f32]) {
    let (first, second) = numbers.split_at_mut(8);
    for (a, b) in first.iter_mut().zip(second) {
        let (radius, angle) = ((-2.0 * (1.0 - *a).ln()).sqrt(), std::f32::consts::TAU * *b);
        (*a, *b) = (radius * angle.cos(), radius * angle.sin());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(numbers: &[f32]) -> Vec<u32> {
        numbers.iter().map(|number| number.to_bits()).collect()
    }

    // What torch 2.6.0 printed for the same calls.

    #[test]
    fn permutations_are_those_of_pytorch() {
        assert_eq!(Generator::new(42).permutation(12), [6, 8, 1, 7, 0, 2, 10, 11, 4, 3, 5, 9]);
        // More draws than words of state.
        assert_eq!(Generator::new(43).permutation(2000)[..8], [1588, 544, 1435, 1557, 1961, 1450, 1862, 388]);
        assert!(Generator::new(1).permutation(0).is_empty());
        assert_eq!(Generator::new(1).permutation(1), [0]);
    }

    #[test]
    fn uniform_numbers_are_those_of_pytorch() {
        let drawn = Generator::new(7).uniform(4, -0.25, 0.75);
        assert_eq!(bits(&drawn), [1_049_747_806, 3_176_248_256, 1_053_918_258, 1_053_840_364]);
    }

    #[test]
    fn a_matrix_of_an_adapter_is_that_of_pytorch() {
        // nn.Linear(5, 3), nn.Linear(3, 4), and then the first one filled anew.
        let mut generator = Generator::new(7);
        generator.skip(15 + 12);
        let drawn = generator.kaiming_uniform(15, 5);
        let expected = [
            1_038_847_037_u32,
            1_047_721_570,
            3_199_279_063,
            1_050_869_949,
            1_042_127_987,
            1_038_614_322,
            1_031_605_636,
            1_046_428_597,
            1_053_969_399,
            3_184_250_126,
            3_196_002_328,
            3_185_995_612,
            3_196_816_951,
            1_046_235_994,
            3_194_115_566,
        ];
        assert_eq!(bits(&drawn), expected);
    }

    #[test]
    fn normal_numbers_are_those_of_pytorch() {
        let mut generator = Generator::new(7);
        let drawn = generator.normal(20);
        let expected = [
            -0.820_134_5_f32,
            0.395_631_16,
            0.898_908_5,
            -1.388_403_9,
            0.198_445_05,
            0.782_072_66,
            1.039_107_7,
            -0.724_510_7,
            -0.848_908_6,
            -1.216_929_4,
            -0.081_021_585,
            1.361_485_1,
            -2.061_478,
            0.674_100_7,
            -1.323_345_8,
            -1.359_769,
            -0.866_701_6,
            -0.564_006_7,
            -2.056_462_5,
            -0.356_722_53,
        ];
        for (found, expected) in drawn.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
        assert_eq!(generator.next_seed(), 7_954_347_156_364_112_055, "as many are drawn");
    }

    #[test]
    fn a_seed_is_drawn_from_two_words() {
        let mut generator = Generator::new(0);
        assert_eq!(generator.next_seed(), 900_450_186_894_289_455);
        assert_eq!(generator.permutation(3), [2, 1, 0]);
    }
}
