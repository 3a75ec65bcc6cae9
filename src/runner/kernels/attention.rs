//! Causal attention over groups of rows that share a prefix, with fewer heads of keys than of queries.

use rayon::prelude::*;

use super::dropout::Dropout;
use super::matrix::{Mat, product};
use super::real::{Real, largest, replace_and_sum, simd, sum_pairs};

/// Rows of which each attends to the prefix and to those of its own answer before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The first row.
    pub start: usize,
    /// Rows of the prefix, which are the first.
    pub prefix: usize,
    /// Rows of each answer; they follow.
    pub answers: Vec<usize>,
}

/// Groups of rows, and where a GPU computes with them, their places there.
#[derive(Debug)]
pub struct Groups<'a> {
    all: &'a [Group],
    #[cfg(feature = "cuda")]
    places: Option<super::gpu::Places>,
}

impl<'a> Groups<'a> {
    /// For matrices that lie where `beside` lies.
    pub fn new<T: Real>(all: &'a [Group], beside: &Mat<T>) -> Groups<'a> {
        #[cfg(feature = "cuda")]
        let places = beside.slice().map(|numbers| super::gpu::Places::new(numbers.gpu(), all));
        let _ = beside;
        Groups {
            all,
            #[cfg(feature = "cuda")]
            places,
        }
    }
}

/// The form of the heads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Numbers of a head.
    pub width: usize,
    /// What a product of query and key is multiplied with.
    pub scale: f64,
    /// The largest size of a score; larger ones are bent towards it.
    pub cap: Option<f64>,
    /// How many rows back a row sees, itself counted.
    pub window: Option<usize>,
    /// Which shares are dropped.
    pub dropout: Option<Dropout>,
}

/// Queries, keys and values, a row for each token.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a, T> {
    /// Queries.
    pub q: &'a Mat<T>,
    /// Keys.
    pub k: &'a Mat<T>,
    /// Values.
    pub v: &'a Mat<T>,
}

/// Part of a group that is computed at once: rows that ask, and the rows before them that they see besides themselves.
#[derive(Clone, Copy)]
struct Part {
    start: usize,
    rows: usize,
    prefix_start: usize,
    prefix: usize,
}

/// What one task brings back: for a group and a head of keys.
struct Piece<T> {
    group: usize,
    head: usize,
    /// Of the rows of the group: outputs, or gradients of the queries.
    q: Vec<T>,
    k: Vec<T>,
    v: Vec<T>,
    /// Logarithms of the sums, one for each row and head.
    sums: Vec<T>,
}

impl Group {
    /// All rows.
    pub fn len(&self) -> usize {
        self.prefix + self.answers.iter().sum::<usize>()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part { start: self.start, rows: self.prefix, prefix_start: self.start, prefix: 0 }];
        let mut start = self.start + self.prefix;
        for &rows in &self.answers {
            parts.push(Part { start, rows, prefix_start: self.start, prefix: self.prefix });
            start += rows;
        }
        parts.retain(|part| part.rows > 0);
        parts
    }
}

#[cfg(feature = "cuda")]
impl<'a, T: Real> Inputs<'a, T> {
    fn on_gpu(self) -> super::gpu::Inputs<'a> {
        let [q, k, v] = [self.q, self.k, self.v].map(Mat::numbers_on_gpu);
        super::gpu::Inputs { q, k, v }
    }
}

impl Attention {
    fn shared(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// The output of every row, and the logarithm of the sum that its scores were divided by, for each head.
    pub fn forward<T: Real>(&self, groups: &Groups<'_>, x: Inputs<'_, T>) -> (Mat<T>, Mat<T>) {
        #[cfg(feature = "cuda")]
        if let Some(places) = &groups.places {
            let (out, sums) = self.on_gpu().forward(places, x.on_gpu());
            return (x.q.with(out), Mat::on_gpu(x.q.rows(), self.heads, sums));
        }
        let groups = groups.all;
        let pieces = self.each(groups, |group, head| self.forward_piece(&groups[group], group, head, x));
        let mut out = Mat::zeros(x.q.rows(), x.q.cols());
        let mut sums = Mat::zeros(x.q.rows(), self.heads);
        for piece in &pieces {
            spread(&groups[piece.group], piece.head, self.shared() * self.width, &piece.q, &mut out);
            spread(&groups[piece.group], piece.head, self.shared(), &piece.sums, &mut sums);
        }
        (out, sums)
    }

    /// The gradients of queries, keys and values. `out` and `sums` are what [`Attention::forward`] gave.
    pub fn backward<T: Real>(
        &self,
        groups: &Groups<'_>,
        x: Inputs<'_, T>,
        out: &Mat<T>,
        sums: &Mat<T>,
        gradient: &Mat<T>,
    ) -> [Mat<T>; 3] {
        #[cfg(feature = "cuda")]
        if let Some(places) = &groups.places {
            let [out, sums, gradient] = [out, sums, gradient].map(Mat::numbers_on_gpu);
            let [q, k, v] = self.on_gpu().backward(places, x.on_gpu(), out, sums, gradient);
            return [x.q.with(q), x.k.with(k), x.v.with(v)];
        }
        let groups = groups.all;
        let pieces =
            self.each(groups, |group, head| self.backward_piece(&groups[group], group, head, x, [out, sums, gradient]));
        let (mut q, mut k) = (Mat::zeros(x.q.rows(), x.q.cols()), Mat::zeros(x.k.rows(), x.k.cols()));
        let mut v = Mat::zeros(x.v.rows(), x.v.cols());
        for piece in &pieces {
            let group = &groups[piece.group];
            spread(group, piece.head, self.shared() * self.width, &piece.q, &mut q);
            spread(group, piece.head, self.width, &piece.k, &mut k);
            spread(group, piece.head, self.width, &piece.v, &mut v);
        }
        [q, k, v]
    }

    #[cfg(feature = "cuda")]
    fn on_gpu(&self) -> super::gpu::Heads {
        super::gpu::Heads {
            heads: self.heads as u32,
            kv_heads: self.kv_heads as u32,
            width: self.width as u32,
            window: self.window.map_or(u32::MAX, |window| window as u32),
            scale: self.scale as f32,
            cap: self.cap.unwrap_or(0.0) as f32,
            key: self.dropout.map_or(0, |dropout| dropout.key),
            most: self.dropout.map_or(0, Dropout::most),
            keep: self.dropout.map_or(1.0, |dropout| dropout.scale() as f32),
        }
    }

    fn each<T: Real>(&self, groups: &[Group], work: impl Fn(usize, usize) -> Piece<T> + Sync) -> Vec<Piece<T>> {
        let tasks: Vec<(usize, usize)> =
            (0..groups.len()).flat_map(|group| (0..self.kv_heads).map(move |head| (group, head))).collect();
        tasks.into_par_iter().with_max_len(1).map(|(group, head)| work(group, head)).collect()
    }

    fn forward_piece<T: Real>(&self, group: &Group, at: usize, head: usize, x: Inputs<'_, T>) -> Piece<T> {
        let (shared, width) = (self.shared(), self.width);
        let mut piece = Piece { group: at, head, q: Vec::new(), k: Vec::new(), v: Vec::new(), sums: Vec::new() };
        for part in group.parts() {
            let q = gather_queries(x.q, part, head, shared, width);
            let (k, v) = (gather_keys(x.k, part, head, width), gather_keys(x.v, part, head, width));
            let mut scores = product(q.view(), k.t());
            let columns = scores.cols();
            simd(|| {
                for (row, scores) in scores.data_mut().chunks_exact_mut(columns).enumerate() {
                    let seen = self.seen(part, row / shared);
                    self.bend(&mut scores[seen.clone()]);
                    let sum = softmax(&mut scores[seen.clone()]);
                    self.drop(part, head, row, &mut scores[seen.clone()]);
                    scores[..seen.start].fill(T::ZERO);
                    scores[seen.end..].fill(T::ZERO);
                    piece.sums.push(sum);
                }
            });
            piece.q.extend_from_slice(product(scores.view(), v.view()).data());
        }
        piece
    }

    fn backward_piece<T: Real>(
        &self,
        group: &Group,
        at: usize,
        head: usize,
        x: Inputs<'_, T>,
        [out, sums, gradient]: [&Mat<T>; 3],
    ) -> Piece<T> {
        let (shared, width) = (self.shared(), self.width);
        let zeros = || vec![T::ZERO; group.len() * width];
        let mut piece = Piece { group: at, head, q: Vec::new(), k: zeros(), v: zeros(), sums: Vec::new() };
        for part in group.parts() {
            let q = gather_queries(x.q, part, head, shared, width);
            let (k, v) = (gather_keys(x.k, part, head, width), gather_keys(x.v, part, head, width));
            let gradient = gather_queries(gradient, part, head, shared, width);
            let out = gather_queries(out, part, head, shared, width);
            let mut shares = product(q.view(), k.t());
            let mut slopes = product(gradient.view(), v.t());
            let columns = shares.cols();
            simd(|| {
                let rows = shares.data_mut().chunks_exact_mut(columns).zip(slopes.data_mut().chunks_exact_mut(columns));
                for (row, (shares, slopes)) in rows.enumerate() {
                    let seen = self.seen(part, row / shared);
                    let (gradient, out) = (gradient.row(row), out.row(row));
                    let level = sum_pairs(gradient, out, |a, b| a * b);
                    let sum = sums.row(part.start + row / shared)[head * shared + row % shared];
                    self.drop(part, head, row, &mut slopes[seen.clone()]);
                    self.row_backward(&mut shares[seen.clone()], &mut slopes[seen.clone()], level, sum);
                    self.drop(part, head, row, &mut shares[seen.clone()]);
                    for numbers in [shares, slopes] {
                        numbers[..seen.start].fill(T::ZERO);
                        numbers[seen.end..].fill(T::ZERO);
                    }
                }
            });
            piece.q.extend_from_slice(product(slopes.view(), k.view()).data());
            add_keys(&mut piece.k, group, part, &product(slopes.t(), q.view()));
            add_keys(&mut piece.v, group, part, &product(shares.t(), gradient.view()));
        }
        piece
    }

    /// The columns that a row sees.
    #[inline(always)]
    fn seen(&self, part: Part, row: usize) -> std::ops::Range<usize> {
        let end = part.prefix + row + 1;
        end.saturating_sub(self.window.unwrap_or(end))..end
    }

    /// Drops the same of a row each time.
    #[inline(always)]
    fn drop<T: Real>(&self, part: Part, head: usize, row: usize, numbers: &mut [T]) {
        let Some(dropout) = self.dropout else { return };
        let shared = self.shared();
        let place = (part.start + row / shared) * self.heads + head * shared + row % shared;
        dropout.cut_from((place as u64) << 32, numbers);
    }

    /// Scores as they enter the softmax.
    #[inline(always)]
    fn bend<T: Real>(&self, scores: &mut [T]) {
        let scale = T::of(self.scale);
        match self.cap.map(T::of) {
            None => scores.iter_mut().for_each(|score| *score *= scale),
            Some(cap) => scores.iter_mut().for_each(|score| *score = (*score * scale / cap).tanh() * cap),
        }
    }

    /// Turns products of query and key into shares, and the gradients of shares into those of the products.
    #[inline(always)]
    fn row_backward<T: Real>(&self, shares: &mut [T], slopes: &mut [T], level: T, sum: T) {
        let scale = T::of(self.scale);
        match self.cap.map(T::of) {
            None => {
                for (share, slope) in shares.iter_mut().zip(slopes) {
                    *share = (*share * scale - sum).exp();
                    *slope = *share * (*slope - level) * scale;
                }
            }
            Some(cap) => {
                for (share, slope) in shares.iter_mut().zip(slopes) {
                    let bent = (*share * scale / cap).tanh();
                    *share = (bent * cap - sum).exp();
                    *slope = *share * (*slope - level) * scale * (T::ONE - bent * bent);
                }
            }
        }
    }
}

/// Writes the columns of a head of keys.
fn spread<T: Real>(group: &Group, head: usize, width: usize, from: &[T], to: &mut Mat<T>) {
    let cols = to.cols();
    let rows = to.data_mut()[group.start * cols..].chunks_mut(cols);
    for (row, from) in rows.zip(from.chunks_exact(width)) {
        row[head * width..][..width].copy_from_slice(from);
    }
}

/// Replaces scores by their shares, and gives the logarithm of the sum that they were divided by.
#[inline(always)]
fn softmax<T: Real>(scores: &mut [T]) -> T {
    let most = largest(scores);
    let total = replace_and_sum(scores, |score| (score - most).exp());
    let factor = T::ONE / total;
    for score in scores.iter_mut() {
        *score *= factor;
    }
    most + total.ln()
}

/// The rows of a part, one for each query head that shares a head of keys.
fn gather_queries<T: Real>(x: &Mat<T>, part: Part, head: usize, shared: usize, width: usize) -> Mat<T> {
    let mut numbers = Vec::with_capacity(part.rows * shared * width);
    for row in part.start..part.start + part.rows {
        numbers.extend_from_slice(&x.row(row)[head * shared * width..][..shared * width]);
    }
    Mat::new(part.rows * shared, width, numbers)
}

/// Keys or values of a head: of the prefix, then of the part itself.
fn gather_keys<T: Real>(x: &Mat<T>, part: Part, head: usize, width: usize) -> Mat<T> {
    let rows = (part.prefix_start..part.prefix_start + part.prefix).chain(part.start..part.start + part.rows);
    let mut numbers = Vec::with_capacity((part.prefix + part.rows) * width);
    for row in rows {
        numbers.extend_from_slice(&x.row(row)[head * width..][..width]);
    }
    Mat::new(part.prefix + part.rows, width, numbers)
}

/// Adds gradients in the order of [`gather_keys`] to those of the group.
fn add_keys<T: Real>(sums: &mut [T], group: &Group, part: Part, gradients: &Mat<T>) {
    let width = gradients.cols();
    let (of_prefix, of_part) = gradients.data().split_at(part.prefix * width);
    let own = (part.start - group.start) * width;
    for (at, from) in [(0, of_prefix), (own, of_part)] {
        for (sum, &gradient) in sums[at..at + from.len()].iter_mut().zip(from) {
            *sum += gradient;
        }
    }
}
