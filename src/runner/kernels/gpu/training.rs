//! What happens to gradients.

use std::sync::Arc;

use super::super::matrix::Summary;
use super::matrix::size;
use super::{Arg, Gpu, Slice, or_unwind};

/// Blocks that look at one tensor.
const BLOCKS: u32 = 64;

/// The numbers of a step of `AdamW`.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// In the order of the kernel: keep, first, second, rest, size, root, epsilon.
    pub numbers: [f32; 7],
}

impl Step {
    /// Changes a tensor and its moments by its gradient.
    pub fn take(&self, values: &mut Slice, [mean, square]: [&mut Slice; 2], gradient: &Slice) {
        let count = values.len();
        assert!([mean.len(), square.len(), gradient.len()] == [count; 3], "matrices of one size");
        let [keep, first, second, rest, size, root, epsilon] = self.numbers.map(Arg::Float);
        let args = [
            Arg::Numbers(values),
            Arg::Numbers(mean),
            Arg::Numbers(square),
            Arg::Numbers(gradient),
            keep,
            first,
            second,
            rest,
            size,
            root,
            epsilon,
            values.count(),
        ];
        values.gpu.each("adamw", count, &args);
    }
}

impl Gpu {
    /// Looks at tensors, with one answer from the GPU for all.
    pub fn summaries(self: &Arc<Self>, tensors: &[&Slice]) -> Vec<Summary> {
        if tensors.is_empty() {
            return Vec::new();
        }
        let sums = or_unwind(self.stream.alloc_zeros::<f64>(tensors.len() * BLOCKS as usize));
        let flags = or_unwind(self.stream.alloc_zeros::<u32>(tensors.len()));
        for (place, tensor) in tensors.iter().enumerate() {
            let args = [Arg::Wide(&sums), Arg::Words(&flags), Arg::Numbers(tensor), tensor.count(), size(place)];
            self.start("summarize", (BLOCKS, 1), &args);
        }
        let (sums, flags) = (self.download(&sums), self.download(&flags));
        let each = sums.chunks_exact(BLOCKS as usize).zip(flags);
        each.map(|(sums, flags)| Summary { squares: sums.iter().sum(), moved: flags & 1 != 0, finite: flags & 2 == 0 })
            .collect()
    }
}
