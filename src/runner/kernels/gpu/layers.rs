//! Operations of layers.

use super::matrix::size;
use super::{Arg, Slice};

/// A normalisation.
#[derive(Clone, Copy)]
pub struct Norm<'a> {
    /// The weight.
    pub weight: &'a Slice,
    /// The bias.
    pub bias: Option<&'a Slice>,
    /// Whether the mean is taken off.
    pub is_layer: bool,
    /// What is added to the weight.
    pub plus: f32,
    /// What is added before the root.
    pub epsilon: f32,
}

/// The angles of every row.
#[derive(Clone, Copy)]
pub struct Angles<'a> {
    /// Their cosines.
    pub cosines: &'a Slice,
    /// Their sines.
    pub sines: &'a Slice,
    /// Angles of a row.
    pub half: usize,
    /// Numbers of a head.
    pub head: usize,
}

/// What is wanted of the output layer.
#[derive(Clone, Copy)]
pub struct Score<'a> {
    /// The largest size of a logit.
    pub cap: Option<f64>,
    /// Whether the sums of squared probabilities are.
    pub squares: bool,
    /// Whether the gradient is, in the place of the logits.
    pub gradient: bool,
    /// What each row of it is multiplied with.
    pub factors: Option<&'a [f32]>,
}

impl Norm<'_> {
    /// Normalises.
    pub fn forward(&self, x: &Slice) -> Slice {
        let out = x.gpu.fresh(x.len());
        let [width, is_layer, plus, epsilon] = self.numbers();
        let args = [
            Arg::Numbers(&out),
            Arg::Numbers(x),
            Arg::Numbers(self.weight),
            Arg::Maybe(self.bias),
            width,
            is_layer,
            plus,
            epsilon,
        ];
        x.gpu.start("normalise", (self.rows(x), 1), &args);
        out
    }

    /// The gradient of the input, and where `with_weights` those of weight and bias.
    pub fn backward(&self, x: &Slice, gradient: &Slice, with_weights: bool) -> (Slice, Option<[Slice; 2]>) {
        assert_eq!(x.len(), gradient.len(), "two matrices of one size");
        let gpu = &x.gpu;
        let rows = self.rows(x);
        let (out, of_rows) = (gpu.fresh(x.len()), with_weights.then(|| gpu.fresh(2 * rows as usize)));
        let [width, is_layer, plus, epsilon] = self.numbers();
        let args = [
            Arg::Numbers(&out),
            Arg::Maybe(of_rows.as_ref()),
            Arg::Numbers(x),
            Arg::Numbers(gradient),
            Arg::Numbers(self.weight),
            width,
            is_layer,
            plus,
            epsilon,
        ];
        gpu.start("normalise_back", (rows, 1), &args);
        let of_weights = of_rows.map(|of_rows| {
            let [weight, bias] = [gpu.fresh(self.weight.len()), gpu.fresh(self.weight.len())];
            let args = [
                Arg::Numbers(&weight),
                Arg::Numbers(&bias),
                Arg::Numbers(x),
                Arg::Numbers(gradient),
                Arg::Numbers(&of_rows),
                Arg::Size(rows),
                width,
            ];
            gpu.each("normalise_weights", self.weight.len(), &args);
            [weight, bias]
        });
        (out, of_weights)
    }

    fn rows(&self, x: &Slice) -> u32 {
        assert!(x.len().is_multiple_of(self.weight.len()), "whole rows");
        (x.len() / self.weight.len()) as u32
    }

    fn numbers(&self) -> [Arg<'static>; 4] {
        let is_layer = Arg::Size(u32::from(self.is_layer));
        [size(self.weight.len()), is_layer, Arg::Float(self.plus), Arg::Float(self.epsilon)]
    }
}

impl Angles<'_> {
    /// Turns every head of every row of `cols` numbers; `sign` is -1 for gradients.
    pub fn turn(&self, x: &mut Slice, cols: usize, sign: f32) {
        let (rows, heads) = (x.len() / cols, cols / self.head);
        assert!(self.cosines.len() == rows * self.half && 2 * self.half <= self.head, "angles for each row");
        let count = rows * heads * self.half;
        let args = [
            Arg::Numbers(x),
            Arg::Numbers(self.cosines),
            Arg::Numbers(self.sines),
            Arg::Count(count as u64),
            size(heads),
            size(self.head),
            size(self.half),
            Arg::Float(sign),
        ];
        x.gpu.each("rotate", count, &args);
    }
}

/// Bends every number of `gate` by the activation with a number, and multiplies it with that of `up`.
pub fn bend(kind: u32, gate: &Slice, up: Option<&Slice>) -> Slice {
    let out = gate.gpu.fresh(gate.len());
    let args = [Arg::Numbers(&out), Arg::Numbers(gate), Arg::Maybe(up), Arg::Size(kind), gate.count()];
    gate.gpu.each("bend", gate.len(), &args);
    out
}

/// Turns the gradient of [`bend`] into that of `gate`, and gives that of `up`.
pub fn bend_back(kind: u32, gate: &Slice, up: Option<&Slice>, gradient: &mut Slice) -> Option<Slice> {
    assert!(gradient.len() == gate.len() && up.is_none_or(|up| up.len() == gate.len()), "matrices of one size");
    let of_up = up.map(|up| up.gpu.fresh(up.len()));
    let args = [
        Arg::Numbers(gradient),
        Arg::Maybe(of_up.as_ref()),
        Arg::Numbers(gate),
        Arg::Maybe(up),
        Arg::Size(kind),
        gate.count(),
    ];
    gate.gpu.each("bend_back", gate.len(), &args);
    of_up
}

impl Slice {
    /// Bends logits towards their largest size.
    pub fn cap(&mut self, cap: f64) {
        self.gpu.each("cap_logits", self.len(), &[Arg::Numbers(self), Arg::Float(cap as f32), self.count()]);
    }

    /// The log-probability of a target for each row of logits, and the logarithm of the sum of the squared probabilities.
    pub fn score(&mut self, targets: &[u32], width: usize, want: Score<'_>) -> (Vec<f32>, Vec<f32>) {
        let rows = targets.len();
        assert_eq!(self.len(), rows * width, "a target for each row");
        assert!(targets.iter().all(|&target| (target as usize) < width), "targets of the vocabulary");
        let gpu = &self.gpu;
        let targets = gpu.upload(targets);
        let (log_probs, squares) = (gpu.fresh(rows), want.squares.then(|| gpu.fresh(rows)));
        let factors = want.factors.map(|factors| Slice::new(gpu, factors));
        assert!(factors.as_ref().is_none_or(|factors| factors.len() == rows), "a factor for each row");
        let args = [
            Arg::Numbers(self),
            Arg::Words(&targets),
            Arg::Numbers(&log_probs),
            Arg::Maybe(squares.as_ref()),
            Arg::Maybe(factors.as_ref()),
            Arg::Float(want.cap.unwrap_or(0.0) as f32),
            Arg::Size(u32::from(want.gradient)),
            size(width),
        ];
        gpu.start("score", (rows as u32, 1), &args);
        (log_probs.to_host(), squares.map_or_else(|| vec![0.0; rows], |squares| squares.to_host()))
    }
}
