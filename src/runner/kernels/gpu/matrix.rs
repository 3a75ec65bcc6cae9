//! Operations of matrices.

use std::sync::Arc;

use cudarc::cublas::sys::cublasOperation_t::{self, CUBLAS_OP_N, CUBLAS_OP_T};
use cudarc::cublas::{Gemm, GemmConfig};

use super::{Arg, Gpu, Slice, fail, or_unwind};

/// A rectangle of numbers, possibly turned: where it starts, its rows and columns, and how far apart they are.
#[derive(Clone, Copy)]
pub struct Rectangle<'a> {
    /// The numbers.
    pub of: &'a Slice,
    /// The first one.
    pub offset: usize,
    /// Rows and columns.
    pub sizes: (usize, usize),
    /// From one row to the next, and from one column to the next.
    pub strides: (usize, usize),
}

impl Rectangle<'_> {
    /// As cuBLAS sees it, for which columns follow each other: what to do, and how far apart they are.
    fn layout(&self) -> (cublasOperation_t, i32) {
        let (row, col) = self.strides;
        if col == 1 { (CUBLAS_OP_N, whole(row)) } else { (CUBLAS_OP_T, whole(col)) }
    }
}

/// The product of two matrices, with all digits of 32 bits.
#[expect(unsafe_code, reason = "cuBLAS does not check sizes")]
#[expect(clippy::many_single_char_names, reason = "the names of the interface")]
pub fn product(a: Rectangle<'_>, b: Rectangle<'_>) -> Slice {
    let (m, k, n) = (a.sizes.0, a.sizes.1, b.sizes.1);
    assert_eq!(k, b.sizes.0, "a product");
    let gpu = a.of.gpu();
    if m == 0 || k == 0 || n == 0 {
        return gpu.zeros(m * n);
    }
    let mut out = gpu.fresh(m * n);
    // Rows following each other are the columns of the turned matrix: its product in the other order is ours.
    let ((transa, lda), (transb, ldb)) = (b.layout(), a.layout());
    let config = GemmConfig {
        transa,
        transb,
        m: whole(n),
        n: whole(m),
        k: whole(k),
        alpha: 1.0,
        lda,
        ldb,
        beta: 0.0,
        ldc: whole(n),
    };
    let (left, right) = (b.of.numbers.slice(b.offset..), a.of.numbers.slice(a.offset..));
    // SAFETY: the rectangles lie within their numbers, as those that made them have checked, and the product has its size.
    let done = unsafe { gpu.blas.gemm(config, &left, &right, &mut out.numbers) };
    if let Err(error) = done {
        fail(format!("cuBLAS says {error:?}"));
    }
    out
}

impl Slice {
    /// Adds others times a factor.
    pub fn add_scaled(&mut self, part: &Slice, factor: f32) {
        assert_eq!(self.len(), part.len(), "two matrices of one size");
        let args = [Arg::Numbers(self), Arg::Numbers(part), Arg::Float(factor), self.count()];
        self.gpu.each("add_scaled", self.len(), &args);
    }

    /// Multiplies every number.
    pub fn scale(&mut self, factor: f32) {
        self.gpu.each("scale", self.len(), &[Arg::Numbers(self), Arg::Float(factor), self.count()]);
    }

    /// Adds a number to each column.
    pub fn add_row(&mut self, row: &Slice) {
        self.by_row("add_row", row);
    }

    /// Multiplies each column.
    pub fn scale_columns(&mut self, factors: &Slice) {
        self.by_row("scale_columns", factors);
    }

    fn by_row(&mut self, kernel: &str, row: &Slice) {
        assert!(self.len().is_multiple_of(row.len().max(1)), "whole rows");
        let args = [Arg::Numbers(self), Arg::Numbers(row), self.count(), size(row.len())];
        self.gpu.each(kernel, self.len(), &args);
    }

    /// Multiplies each row of `cols` numbers.
    pub fn scale_rows(&mut self, factors: &[f32], cols: usize) {
        assert_eq!(self.len(), factors.len() * cols, "a factor for each row");
        let factors = Slice::new(&self.gpu, factors);
        let args = [Arg::Numbers(self), Arg::Numbers(&factors), self.count(), size(cols)];
        self.gpu.each("scale_rows", self.len(), &args);
    }

    /// Divides each number by another.
    pub fn divide(&mut self, by: &Slice) {
        assert_eq!(self.len(), by.len(), "two matrices of one size");
        self.gpu.each("divide", self.len(), &[Arg::Numbers(self), Arg::Numbers(by), self.count()]);
    }

    /// Takes a share of each number and one of another.
    pub fn follow(&mut self, other: &Slice, keep: f32, take: f32) {
        assert_eq!(self.len(), other.len(), "two matrices of one size");
        let args = [Arg::Numbers(self), Arg::Numbers(other), Arg::Float(keep), Arg::Float(take), self.count()];
        self.gpu.each("follow", self.len(), &args);
    }

    /// The sum of every column, each number times that of another matrix if there is one.
    pub fn column_sums(&self, with: Option<&Slice>, cols: usize) -> Slice {
        assert!(with.is_none_or(|with| with.len() == self.len()), "two matrices of one size");
        let sums = self.gpu.fresh(cols);
        let rows = size(self.len() / cols.max(1));
        let args = [Arg::Numbers(&sums), Arg::Numbers(self), Arg::Maybe(with), rows, size(cols)];
        self.gpu.each("column_sums", cols, &args);
        sums
    }

    /// The length of every row.
    pub fn row_lengths(&self, cols: usize) -> Slice {
        let rows = self.len() / cols.max(1);
        let lengths = self.gpu.fresh(rows);
        let args = [Arg::Numbers(&lengths), Arg::Numbers(self), size(cols)];
        self.gpu.start("row_lengths", (rows as u32, 1), &args);
        lengths
    }

    /// The rows of some indices.
    pub fn select(&self, indices: &[usize], cols: usize) -> Slice {
        let words = self.gpu.indices(indices, self.len() / cols.max(1));
        let out = self.gpu.fresh(indices.len() * cols);
        let args = [Arg::Numbers(&out), Arg::Numbers(self), Arg::Words(&words), out.count(), size(cols)];
        self.gpu.each("select_rows", out.len(), &args);
        out
    }

    /// The columns of some indices, each as a row.
    pub fn select_columns(&self, indices: &[usize], cols: usize) -> Slice {
        let rows = self.len() / cols.max(1);
        let words = self.gpu.indices(indices, cols);
        let out = self.gpu.fresh(indices.len() * rows);
        let args = [Arg::Numbers(&out), Arg::Numbers(self), Arg::Words(&words), out.count(), size(rows), size(cols)];
        self.gpu.each("select_columns", out.len(), &args);
        out
    }

    /// A matrix of `rows` rows to which these are added, each to the one of its index.
    pub fn scatter(&self, indices: &[usize], rows: usize, cols: usize) -> Slice {
        assert_eq!(self.len(), indices.len() * cols, "an index for each row");
        let words = self.gpu.indices(indices, rows);
        let out = self.gpu.zeros(rows * cols);
        let args = [Arg::Numbers(&out), Arg::Numbers(self), Arg::Words(&words), size(indices.len()), size(cols)];
        self.gpu.each("scatter_rows", cols, &args);
        out
    }

    /// Neighbouring columns, each group as a matrix.
    pub fn split(&self, widths: &[usize]) -> Vec<Slice> {
        let cols: usize = widths.iter().sum();
        let rows = self.len() / cols.max(1);
        let mut start = 0;
        let part = |&width: &usize| {
            let out = self.gpu.fresh(rows * width);
            out.copy_columns((width, 0), self, (cols, start), width);
            start += width;
            out
        };
        widths.iter().map(part).collect()
    }

    /// The reverse of [`Slice::split`]: matrices of these widths beside each other.
    pub fn join(parts: &[(&Slice, usize)]) -> Slice {
        let cols = parts.iter().map(|(_, width)| width).sum();
        let (first, width) = parts[0];
        let out = first.gpu.fresh(first.len() / width.max(1) * cols);
        let mut start = 0;
        for &(part, width) in parts {
            out.copy_columns((cols, start), part, (width, 0), width);
            start += width;
        }
        out
    }

    /// Numbers one after the other.
    pub fn stack(parts: &[&Slice]) -> Slice {
        let mut out = parts[0].gpu.fresh(parts.iter().map(|part| part.len()).sum());
        let mut start = 0;
        for part in parts.iter().filter(|part| part.len() > 0) {
            let mut place = out.numbers.slice_mut(start..start + part.len());
            or_unwind(part.gpu.stream.memcpy_dtod(&part.numbers, &mut place));
            start += part.len();
        }
        out
    }

    /// Copies columns from a matrix to this one; of both the number of columns and the first of them.
    fn copy_columns(&self, to: (usize, usize), part: &Slice, from: (usize, usize), width: usize) {
        let count = part.len() / from.0.max(1) * width;
        let place = |(cols, start): (usize, usize)| [size(cols), size(start)];
        let ([cols, start], [from_cols, from_start]) = (place(to), place(from));
        let args = [
            Arg::Numbers(self),
            cols,
            start,
            Arg::Numbers(part),
            from_cols,
            from_start,
            Arg::Count(count as u64),
            size(width),
        ];
        self.gpu.each("copy_columns", count, &args);
    }

    /// Rows and columns exchanged.
    pub fn turned(&self, rows: usize) -> Slice {
        let out = self.gpu.fresh(self.len());
        let cols = size(self.len() / rows.max(1));
        self.gpu.each(
            "transpose",
            self.len(),
            &[Arg::Numbers(&out), Arg::Numbers(self), self.count(), size(rows), cols],
        );
        out
    }

    /// Drops `most` of 2^32 numbers, and makes the rest larger.
    pub fn drop_some(&mut self, key: u64, most: u64, scale: f32) {
        let args = [Arg::Numbers(self), self.count(), Arg::Count(key), Arg::Count(most), Arg::Float(scale)];
        self.gpu.each("drop", self.len(), &args);
    }

    pub(super) fn count(&self) -> Arg<'static> {
        Arg::Count(self.len() as u64)
    }
}

impl Gpu {
    /// Copies indices below `below` to the GPU.
    pub(super) fn indices(self: &Arc<Self>, indices: &[usize], below: usize) -> cudarc::driver::CudaSlice<u32> {
        assert!(indices.iter().all(|&index| index < below), "indices within the matrix");
        let words: Vec<u32> = indices.iter().map(|&index| index as u32).collect();
        self.upload(&words)
    }
}

/// A number of rows or columns for cuBLAS.
fn whole(count: usize) -> i32 {
    i32::try_from(count).unwrap_or_else(|_| fail(format!("a matrix with {count} rows or columns")))
}

/// A number of rows or columns.
pub(super) fn size(count: usize) -> Arg<'static> {
    Arg::Size(u32::try_from(count).unwrap_or_else(|_| fail(format!("a matrix with {count} rows or columns"))))
}
