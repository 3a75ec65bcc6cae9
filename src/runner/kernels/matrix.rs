//! Matrices of rows, and their product.

use std::marker::PhantomData;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, Layout, Shape};
use rayon::prelude::*;

use super::real::{Real, simd};

/// Numbers that a task of an element-wise loop takes.
pub const CHUNK: usize = 1 << 13;

/// A matrix whose rows follow each other. Its numbers lie in candle's storage, so that candle multiplies them without a copy.
#[derive(Debug, Clone)]
pub struct Mat<T> {
    rows: usize,
    cols: usize,
    storage: CpuStorage,
    kind: PhantomData<T>,
}

/// A rectangle of a matrix, possibly turned.
#[derive(Debug, Clone, Copy)]
pub struct View<'a, T> {
    matrix: &'a Mat<T>,
    offset: usize,
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<T: Real> Mat<T> {
    /// All 0.
    pub fn zeros(rows: usize, cols: usize) -> Mat<T> {
        Mat::new(rows, cols, vec![T::ZERO; rows * cols])
    }

    /// Of numbers row by row.
    pub fn new(rows: usize, cols: usize, numbers: Vec<T>) -> Mat<T> {
        assert_eq!(numbers.len(), rows * cols, "a matrix of {rows} x {cols}");
        Mat { rows, cols, storage: T::to_cpu_storage_owned(numbers), kind: PhantomData }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// All numbers, row by row.
    pub fn data(&self) -> &[T] {
        T::cpu_storage_as_slice(&self.storage).expect("a matrix holds its own kind of numbers")
    }

    /// All numbers, to be changed.
    pub fn data_mut(&mut self) -> &mut [T] {
        T::numbers_mut(&mut self.storage)
    }

    /// One row.
    pub fn row(&self, at: usize) -> &[T] {
        &self.data()[at * self.cols..][..self.cols]
    }

    /// The whole matrix.
    pub fn view(&self) -> View<'_, T> {
        View { matrix: self, offset: 0, rows: self.rows, cols: self.cols, row_stride: self.cols, col_stride: 1 }
    }

    /// Rows and columns exchanged.
    pub fn t(&self) -> View<'_, T> {
        self.view().t()
    }

    /// The rows of `indices`, in their order.
    pub fn select(&self, indices: &[usize]) -> Mat<T> {
        let mut numbers = Vec::with_capacity(indices.len() * self.cols);
        for &at in indices {
            numbers.extend_from_slice(self.row(at));
        }
        Mat::new(indices.len(), self.cols, numbers)
    }

    /// The reverse of [`Mat::select`] for gradients: rows are added to those that they were taken from.
    pub fn scatter(&self, indices: &[usize], rows: usize) -> Mat<T> {
        let mut out = Mat::zeros(rows, self.cols);
        let cols = self.cols;
        for (from, &to) in indices.iter().enumerate() {
            for (sum, &part) in out.data_mut()[to * cols..][..cols].iter_mut().zip(self.row(from)) {
                *sum += part;
            }
        }
        out
    }

    /// Neighbouring columns, each group as a matrix.
    pub fn split(&self, widths: &[usize]) -> Vec<Mat<T>> {
        assert_eq!(widths.iter().sum::<usize>(), self.cols, "all columns are given away");
        let mut start = 0;
        let part = |&width: &usize| {
            let numbers = self.data().chunks(self.cols).flat_map(|row| &row[start..start + width]).copied().collect();
            start += width;
            Mat::new(self.rows, width, numbers)
        };
        widths.iter().map(part).collect()
    }

    /// The reverse of [`Mat::split`].
    pub fn join(parts: &[&Mat<T>]) -> Mat<T> {
        let cols = parts.iter().map(|part| part.cols).sum();
        let rows = parts[0].rows;
        let numbers = (0..rows).flat_map(|row| parts.iter().flat_map(move |part| part.row(row))).copied().collect();
        Mat::new(rows, cols, numbers)
    }

    /// Adds another matrix of the same size.
    pub fn add(&mut self, other: &Mat<T>) {
        assert_eq!((self.rows, self.cols), (other.rows, other.cols), "two matrices of one size");
        self.data_mut().par_chunks_mut(CHUNK).zip(other.data().par_chunks(CHUNK)).for_each(|(sum, part)| {
            simd(|| {
                for (sum, &part) in sum.iter_mut().zip(part) {
                    *sum += part;
                }
            });
        });
    }

    /// Multiplies every number.
    pub fn scale(&mut self, factor: T) {
        self.data_mut().par_chunks_mut(CHUNK).for_each(|part| {
            simd(|| {
                for number in part {
                    *number *= factor;
                }
            });
        });
    }

    /// The sum of every column.
    pub fn column_sums(&self) -> Vec<T> {
        let mut sums = vec![T::ZERO; self.cols];
        for row in self.data().chunks(self.cols) {
            for (sum, &number) in sums.iter_mut().zip(row) {
                *sum += number;
            }
        }
        sums
    }
}

impl<T: Real> View<'_, T> {
    /// Rows and columns exchanged.
    #[must_use]
    pub fn t(self) -> Self {
        View { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// `count` rows from `start` on.
    #[must_use]
    pub fn rows(self, start: usize, count: usize) -> Self {
        assert!(start + count <= self.rows, "rows of the view");
        View { offset: self.offset + start * self.row_stride, rows: count, ..self }
    }

    fn layout(&self) -> Layout {
        Layout::new(Shape::from((self.rows, self.cols)), vec![self.row_stride, self.col_stride], self.offset)
    }
}

/// The product of two matrices, by candle.
pub fn product<T: Real>(a: View<'_, T>, b: View<'_, T>) -> Mat<T> {
    assert_eq!(a.cols, b.rows, "a product of {} x {} and {} x {}", a.rows, a.cols, b.rows, b.cols);
    let (rows, cols) = (a.rows, b.cols);
    if rows == 0 || cols == 0 || a.cols == 0 {
        return Mat::zeros(rows, cols);
    }
    let sizes = (1, rows, cols, a.cols);
    let storage = a.matrix.storage.matmul(&b.matrix.storage, sizes, &a.layout(), &b.layout());
    Mat { rows, cols, storage: storage.expect("sizes and kinds agree"), kind: PhantomData }
}
