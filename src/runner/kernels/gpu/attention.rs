//! Attention, with the places of the rows that it needs.

use std::sync::Arc;

use cudarc::driver::{CudaSlice, DeviceRepr};

use super::super::attention::Group;
use super::{Arg, Gpu, Slice, fail};

/// The widest head; a block has no room for more.
const WIDEST: usize = 256;

/// Rows of a block; the kernels count on it.
const ROWS: usize = 8;

/// Where the rows of some groups stand, on a GPU.
#[derive(Debug)]
pub struct Places {
    /// Of every row where its prefix starts, how many rows that has, where its own part starts, and where the rows end that see it.
    rows: CudaSlice<u32>,
    /// Of every block its first row and how many it has, all of one part.
    tiles: CudaSlice<u32>,
}

/// The form of the heads, as the kernels read it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
#[expect(clippy::struct_field_names, reason = "as they are called everywhere")]
pub struct Heads {
    /// Heads of the queries.
    pub heads: u32,
    /// Heads of keys and values.
    pub kv_heads: u32,
    /// Numbers of a head.
    pub width: u32,
    /// How many rows back a row sees.
    pub window: u32,
    /// What a product of query and key is multiplied with.
    pub scale: f32,
    /// The largest size of a score; 0 for none.
    pub cap: f32,
    /// What decides which shares are dropped.
    pub key: u64,
    /// How many of 2^32 are.
    pub most: u64,
    /// What the others are multiplied with.
    pub keep: f32,
}

#[expect(unsafe_code, reason = "a promise of the type")]
// SAFETY: plain numbers in the order of the kernels' structure.
unsafe impl DeviceRepr for Heads {}

/// Queries, keys and values.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// Queries.
    pub q: &'a Slice,
    /// Keys.
    pub k: &'a Slice,
    /// Values.
    pub v: &'a Slice,
}

impl Places {
    /// Of the rows of all groups.
    pub fn new(gpu: &Arc<Gpu>, groups: &[Group]) -> Places {
        let (mut words, mut tiles) = (Vec::new(), Vec::new());
        for group in groups {
            let all = group.start + group.len();
            let mut part = |prefix: usize, start: usize, rows: usize, end: usize| {
                for _ in 0..rows {
                    words.extend([group.start, prefix, start, end].map(|number| number as u32));
                }
                for first in (0..rows).step_by(ROWS) {
                    tiles.extend([start + first, ROWS.min(rows - first)].map(|number| number as u32));
                }
            };
            part(0, group.start, group.prefix, all);
            let mut start = group.start + group.prefix;
            for &rows in &group.answers {
                part(group.prefix, start, rows, start + rows);
                start += rows;
            }
        }
        Places { rows: gpu.upload(&words), tiles: gpu.upload(&tiles) }
    }

    fn rows(&self) -> usize {
        self.rows.len() / 4
    }

    fn tiles(&self) -> u32 {
        (self.tiles.len() / 2) as u32
    }
}

impl Heads {
    /// The output of every row, and the logarithm of the sum that its scores were divided by, for each head.
    pub fn forward(&self, places: &Places, x: Inputs<'_>) -> (Slice, Slice) {
        self.check(places, x);
        let gpu = x.q.gpu();
        let (out, sums) = (gpu.fresh(x.q.len()), gpu.fresh(places.rows() * self.heads as usize));
        let args = [
            Arg::Numbers(&out),
            Arg::Numbers(&sums),
            Arg::Numbers(x.q),
            Arg::Numbers(x.k),
            Arg::Numbers(x.v),
            Arg::Words(&places.rows),
            Arg::Words(&places.tiles),
            Arg::Heads(self),
        ];
        gpu.start_with("attend", (places.tiles(), self.heads), self.room(2, 1), &args);
        (out, sums)
    }

    /// The gradients of queries, keys and values. `out` and `sums` are what [`Heads::forward`] gave.
    pub fn backward(&self, places: &Places, x: Inputs<'_>, out: &Slice, sums: &Slice, gradient: &Slice) -> [Slice; 3] {
        self.check(places, x);
        assert!(out.len() == x.q.len() && gradient.len() == x.q.len(), "matrices of one size");
        let gpu = x.q.gpu();
        let (of_q, levels) = (gpu.fresh(x.q.len()), gpu.fresh(sums.len()));
        let args = [
            Arg::Numbers(&of_q),
            Arg::Numbers(&levels),
            Arg::Numbers(x.q),
            Arg::Numbers(x.k),
            Arg::Numbers(x.v),
            Arg::Numbers(out),
            Arg::Numbers(sums),
            Arg::Numbers(gradient),
            Arg::Words(&places.rows),
            Arg::Words(&places.tiles),
            Arg::Heads(self),
        ];
        gpu.start_with("attend_back_queries", (places.tiles(), self.heads), self.room(3, 1), &args);
        let (of_k, of_v) = (gpu.fresh(x.k.len()), gpu.fresh(x.v.len()));
        let args = [
            Arg::Numbers(&of_k),
            Arg::Numbers(&of_v),
            Arg::Numbers(x.q),
            Arg::Numbers(x.k),
            Arg::Numbers(x.v),
            Arg::Numbers(sums),
            Arg::Numbers(gradient),
            Arg::Numbers(&levels),
            Arg::Words(&places.rows),
            Arg::Words(&places.tiles),
            Arg::Heads(self),
        ];
        gpu.start_with("attend_back_keys", (places.tiles(), self.kv_heads), self.room(4, 2), &args);
        [of_q, of_k, of_v]
    }

    /// Bytes of a block for some rows of heads, and of numbers for each thread and row.
    fn room(&self, heads: u32, numbers: u32) -> u32 {
        4 * ROWS as u32 * (heads * self.width.next_multiple_of(4) + numbers * super::THREADS)
    }

    fn check(&self, places: &Places, x: Inputs<'_>) {
        let (rows, width) = (places.rows(), self.width as usize);
        if width > WIDEST {
            fail(format!("a head of {width} numbers is wider than {WIDEST}"));
        }
        assert_eq!(x.q.len(), rows * self.heads as usize * width, "a query for each place and head");
        let keys = rows * self.kv_heads as usize * width;
        assert!(x.k.len() == keys && x.v.len() == keys, "a key and a value for each place and head");
    }
}
