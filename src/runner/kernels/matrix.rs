//! Matrices of rows, and their product.

use std::borrow::Cow;
use std::marker::PhantomData;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, Layout, Shape};
use rayon::prelude::*;

#[cfg(feature = "cuda")]
use super::gpu::{self, Gpu, Slice};
use super::real::{Real, simd, sum};

/// Numbers that a task of an element-wise loop takes.
pub const CHUNK: usize = 1 << 13;

/// A matrix whose rows follow each other.
#[derive(Debug, Clone)]
pub struct Mat<T> {
    rows: usize,
    cols: usize,
    numbers: Numbers,
    kind: PhantomData<T>,
}

/// Where the numbers of a matrix lie. Operations of several matrices want them in one place.
#[derive(Debug, Clone)]
enum Numbers {
    /// In candle's storage, so that candle multiplies them without a copy.
    Host(CpuStorage),
    /// On a GPU, with 32 bits.
    #[cfg(feature = "cuda")]
    Gpu(Slice),
}

/// What is looked for in a gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The sum of the squares.
    pub squares: f64,
    /// Whether a number is not 0.
    pub moved: bool,
    /// Whether all are finite.
    pub finite: bool,
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
        Mat { rows, cols, numbers: Numbers::Host(T::to_cpu_storage_owned(numbers)), kind: PhantomData }
    }

    /// All 0, as large as this one and in the same place.
    pub fn zeros_like(&self) -> Mat<T> {
        on_gpu!(self, |numbers| self.with(numbers.gpu().zeros(numbers.len())));
        Mat::zeros(self.rows, self.cols)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// How many numbers it has.
    pub fn count(&self) -> usize {
        self.rows * self.cols
    }

    /// All numbers, row by row. They do not lie on a GPU: [`Mat::host`] is for those.
    pub fn data(&self) -> &[T] {
        T::cpu_storage_as_slice(self.storage()).expect("a matrix holds its own kind of numbers")
    }

    /// All numbers, to be changed. They do not lie on a GPU.
    pub fn data_mut(&mut self) -> &mut [T] {
        match &mut self.numbers {
            Numbers::Host(storage) => T::numbers_mut(storage),
            #[cfg(feature = "cuda")]
            Numbers::Gpu(numbers) => unreachable!("an operation of the host on {numbers:?}"),
        }
    }

    fn storage(&self) -> &CpuStorage {
        match &self.numbers {
            Numbers::Host(storage) => storage,
            #[cfg(feature = "cuda")]
            Numbers::Gpu(numbers) => unreachable!("an operation of the host on {numbers:?}"),
        }
    }

    /// The same matrix where another lies.
    #[must_use]
    pub fn beside(self, other: &Mat<T>) -> Mat<T> {
        on_gpu!(other, |numbers| self.to_gpu(numbers.gpu()));
        let _ = other;
        self
    }

    /// All numbers, copied from wherever they lie.
    pub fn host(&self) -> Cow<'_, [T]> {
        on_gpu!(self, |numbers| Cow::Owned(numbers.to_host().into_iter().map(T::of_f32).collect()));
        Cow::Borrowed(self.data())
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
        on_gpu!(self, |numbers| Mat::on_gpu(indices.len(), self.cols, numbers.select(indices, self.cols)));
        let mut numbers = Vec::with_capacity(indices.len() * self.cols);
        for &at in indices {
            numbers.extend_from_slice(self.row(at));
        }
        Mat::new(indices.len(), self.cols, numbers)
    }

    /// The reverse of [`Mat::select`] for gradients: rows are added to those that they were taken from.
    pub fn scatter(&self, indices: &[usize], rows: usize) -> Mat<T> {
        on_gpu!(self, |numbers| Mat::on_gpu(rows, self.cols, numbers.scatter(indices, rows, self.cols)));
        let mut out = Mat::zeros(rows, self.cols);
        let cols = self.cols;
        for (from, &to) in indices.iter().enumerate() {
            for (sum, &part) in out.data_mut()[to * cols..][..cols].iter_mut().zip(self.row(from)) {
                *sum += part;
            }
        }
        out
    }

    /// Some columns, each as a row.
    pub fn select_columns(&self, indices: &[usize]) -> Mat<T> {
        on_gpu!(self, |numbers| Mat::on_gpu(indices.len(), self.rows, numbers.select_columns(indices, self.cols)));
        let numbers = indices.iter().flat_map(|&col| (0..self.rows).map(move |row| self.row(row)[col])).collect();
        Mat::new(indices.len(), self.rows, numbers)
    }

    /// Rows and columns exchanged.
    pub fn turned(&self) -> Mat<T> {
        on_gpu!(self, |numbers| Mat::on_gpu(self.cols, self.rows, numbers.turned(self.rows)));
        let numbers = (0..self.cols).flat_map(|col| (0..self.rows).map(move |row| self.row(row)[col])).collect();
        Mat::new(self.cols, self.rows, numbers)
    }

    /// Neighbouring columns, each group as a matrix.
    pub fn split(&self, widths: &[usize]) -> Vec<Mat<T>> {
        assert_eq!(widths.iter().sum::<usize>(), self.cols, "all columns are given away");
        on_gpu!(self, |numbers| {
            let parts = numbers.split(widths).into_iter().zip(widths);
            parts.map(|(part, &width)| Mat::on_gpu(self.rows, width, part)).collect()
        });
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
        on_gpu!(parts[0], |_first| {
            let parts: Vec<(&Slice, usize)> = parts.iter().map(|part| (part.numbers_on_gpu(), part.cols)).collect();
            Mat::on_gpu(rows, cols, Slice::join(&parts))
        });
        let numbers = (0..rows).flat_map(|row| parts.iter().flat_map(move |part| part.row(row))).copied().collect();
        Mat::new(rows, cols, numbers)
    }

    /// Matrices below each other.
    pub fn stack(parts: Vec<Mat<T>>, cols: usize) -> Mat<T> {
        let rows = parts.iter().map(|part| part.rows).sum();
        #[cfg(feature = "cuda")]
        if parts.first().is_some_and(|first| first.slice().is_some()) {
            let parts: Vec<&Slice> = parts.iter().map(Mat::numbers_on_gpu).collect();
            return Mat::on_gpu(rows, cols, Slice::stack(&parts));
        }
        let mut numbers = Vec::with_capacity(rows * cols);
        for part in parts {
            numbers.extend_from_slice(part.data());
        }
        Mat::new(rows, cols, numbers)
    }

    /// Adds another matrix of the same size.
    pub fn add(&mut self, other: &Mat<T>) {
        self.add_scaled(other, T::ONE);
    }

    /// Adds another matrix of the same size times a factor.
    pub fn add_scaled(&mut self, other: &Mat<T>, factor: T) {
        assert_eq!((self.rows, self.cols), (other.rows, other.cols), "two matrices of one size");
        on_gpu!(mut self, |numbers| numbers.add_scaled(other.numbers_on_gpu(), factor.wide() as f32));
        self.data_mut().par_chunks_mut(CHUNK).zip(other.data().par_chunks(CHUNK)).for_each(|(sum, part)| {
            simd(|| {
                for (sum, &part) in sum.iter_mut().zip(part) {
                    *sum += part * factor;
                }
            });
        });
    }

    /// Takes a share of each number and one of another matrix.
    pub fn follow(&mut self, other: &Mat<T>, keep: T, take: T) {
        assert_eq!((self.rows, self.cols), (other.rows, other.cols), "two matrices of one size");
        on_gpu!(mut self, |numbers| {
            numbers.follow(other.numbers_on_gpu(), keep.wide() as f32, take.wide() as f32);
        });
        for (own, &other) in self.data_mut().iter_mut().zip(other.data()) {
            *own = *own * keep + other * take;
        }
    }

    /// Multiplies every number.
    pub fn scale(&mut self, factor: T) {
        on_gpu!(mut self, |numbers| numbers.scale(factor.wide() as f32));
        self.data_mut().par_chunks_mut(CHUNK).for_each(|part| {
            simd(|| {
                for number in part {
                    *number *= factor;
                }
            });
        });
    }

    /// Multiplies each row.
    pub fn scale_rows(&mut self, factors: &[T]) {
        assert_eq!(self.rows, factors.len(), "a factor for each row");
        let cols = self.cols;
        on_gpu!(mut self, |numbers| numbers.scale_rows(&narrow(factors), cols));
        for (row, &factor) in self.data_mut().chunks_exact_mut(cols.max(1)).zip(factors) {
            for number in row {
                *number *= factor;
            }
        }
    }

    /// The sum of every column, as a row.
    pub fn column_sums(&self) -> Mat<T> {
        on_gpu!(self, |numbers| Mat::on_gpu(1, self.cols, numbers.column_sums(None, self.cols)));
        let mut sums = vec![T::ZERO; self.cols];
        for row in self.data().chunks(self.cols) {
            for (sum, &number) in sums.iter_mut().zip(row) {
                *sum += number;
            }
        }
        Mat::new(1, self.cols, sums)
    }

    /// The length of every row, as a row.
    pub fn row_lengths(&self) -> Mat<T> {
        on_gpu!(self, |numbers| Mat::on_gpu(1, self.rows, numbers.row_lengths(self.cols)));
        let rows = self.data().par_chunks(self.cols);
        Mat::new(1, self.rows, rows.map(|row| simd(|| sum(row, |x| x * x)).sqrt()).collect())
    }

    /// What is looked for in gradients, of several at once: a GPU is asked only once.
    pub fn summaries(matrices: &[&Mat<T>]) -> Vec<Summary> {
        #[cfg(feature = "cuda")]
        if let Some(gpu) = matrices.first().and_then(|first| first.slice()).map(Slice::gpu) {
            return gpu.summaries(&matrices.iter().map(|matrix| matrix.numbers_on_gpu()).collect::<Vec<_>>());
        }
        matrices.iter().map(|matrix| matrix.summary()).collect()
    }

    fn summary(&self) -> Summary {
        // In pieces of one size, so that the sum does not depend on the number of threads.
        let parts = self.data().par_chunks(CHUNK).map(|part| Summary {
            squares: part.iter().map(|number| number.wide() * number.wide()).sum::<f64>(),
            moved: part.iter().any(|number| *number != T::ZERO),
            finite: part.iter().all(|number| number.wide().is_finite()),
        });
        let none = Summary { squares: 0.0, moved: false, finite: true };
        parts.collect::<Vec<_>>().into_iter().fold(none, |all, part| Summary {
            squares: all.squares + part.squares,
            moved: all.moved || part.moved,
            finite: all.finite && part.finite,
        })
    }
}

/// What only a build for GPUs has.
#[cfg(feature = "cuda")]
impl<T: Real> Mat<T> {
    /// The same matrix on a GPU.
    pub fn to_gpu(&self, gpu: &std::sync::Arc<Gpu>) -> Mat<T> {
        match &self.numbers {
            Numbers::Host(_) => self.with(Slice::new(gpu, &narrow(self.data()))),
            Numbers::Gpu(_) => self.clone(),
        }
    }

    /// Of numbers that lie on a GPU.
    pub(super) fn on_gpu(rows: usize, cols: usize, numbers: Slice) -> Mat<T> {
        assert_eq!(numbers.len(), rows * cols, "a matrix of {rows} x {cols}");
        Mat { rows, cols, numbers: Numbers::Gpu(numbers), kind: PhantomData }
    }

    /// A matrix as large as this one.
    pub(super) fn with(&self, numbers: Slice) -> Mat<T> {
        Mat::on_gpu(self.rows, self.cols, numbers)
    }

    /// The numbers, if they lie on a GPU.
    pub(in crate::runner) fn slice(&self) -> Option<&Slice> {
        match &self.numbers {
            Numbers::Host(_) => None,
            Numbers::Gpu(numbers) => Some(numbers),
        }
    }

    /// The same, to be changed.
    pub(in crate::runner) fn slice_mut(&mut self) -> Option<&mut Slice> {
        match &mut self.numbers {
            Numbers::Host(_) => None,
            Numbers::Gpu(numbers) => Some(numbers),
        }
    }

    /// The numbers of a matrix that is used together with one on a GPU.
    pub(super) fn numbers_on_gpu(&self) -> &Slice {
        self.slice().expect("what is used together lies in one place")
    }

    /// The same, to be changed.
    pub(in crate::runner) fn numbers_on_gpu_mut(&mut self) -> &mut Slice {
        self.slice_mut().expect("what is used together lies in one place")
    }
}

/// Numbers with 32 bits.
#[cfg(feature = "cuda")]
pub(super) fn narrow<T: Real>(numbers: &[T]) -> Cow<'_, [f32]> {
    Cow::Owned(numbers.iter().map(|number| number.wide() as f32).collect())
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

    #[cfg(feature = "cuda")]
    fn rectangle(&self) -> gpu::Rectangle<'_> {
        gpu::Rectangle {
            of: self.matrix.numbers_on_gpu(),
            offset: self.offset,
            sizes: (self.rows, self.cols),
            strides: (self.row_stride, self.col_stride),
        }
    }

    fn layout(&self) -> Layout {
        Layout::new(Shape::from((self.rows, self.cols)), vec![self.row_stride, self.col_stride], self.offset)
    }
}

/// The product of two matrices, by candle or by cuBLAS.
pub fn product<T: Real>(a: View<'_, T>, b: View<'_, T>) -> Mat<T> {
    assert_eq!(a.cols, b.rows, "a product of {} x {} and {} x {}", a.rows, a.cols, b.rows, b.cols);
    let (rows, cols) = (a.rows, b.cols);
    on_gpu!(a.matrix, |_numbers| Mat::on_gpu(rows, cols, gpu::product(a.rectangle(), b.rectangle())));
    if rows == 0 || cols == 0 || a.cols == 0 {
        return Mat::zeros(rows, cols);
    }
    let sizes = (1, rows, cols, a.cols);
    let (left, right) = (a.matrix.storage(), b.matrix.storage());
    let storage = left.matmul(right, sizes, &a.layout(), &b.layout()).expect("sizes and kinds agree");
    Mat { rows, cols, numbers: Numbers::Host(storage), kind: PhantomData }
}
