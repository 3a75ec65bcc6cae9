//! The gradient of every operation against what moving one number does, with 64 bits.

use super::activation::Activation;
use super::attention::{Attention, Group, Groups, Inputs};
use super::dropout::Dropout;
use super::head::{self, Head};
use super::linear::{Adapter, Linear, Wanted};
use super::norm::{Norm, NormKind};
use super::rope::Rotation;
use super::{Mat, Real};

const STEP: f64 = 1e-6;

/// Numbers of about one, the same each time.
fn drawn(rows: usize, cols: usize, seed: u64) -> Mat<f64> {
    let number = |at: u64| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) >> 11) as f64 / (1_u64 << 53) as f64;
    let numbers = (0..(rows * cols) as u64).map(|at| number(seed * 1_000 + at + 1) * 2.0 - 1.0);
    Mat::new(rows, cols, numbers.collect())
}

/// A sum in which every number counts something else.
fn weighed(y: &Mat<f64>) -> f64 {
    y.data().iter().zip(drawn(y.rows(), y.cols(), 99).data()).map(|(a, b)| a * b).sum()
}

/// Compares a gradient with what the value does when each number of `x` moves.
fn check(name: &str, x: &Mat<f64>, gradient: &[f64], value: impl Fn(&Mat<f64>) -> f64) {
    assert_eq!(x.data().len(), gradient.len(), "{name}");
    for (at, gradient) in gradient.iter().enumerate() {
        let moved = |by: f64| {
            let mut x = x.clone();
            x.data_mut()[at] += by;
            value(&x)
        };
        let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        assert!((slope - gradient).abs() < 1e-7, "{name}, number {at}: {gradient} instead of {slope}");
    }
}

#[test]
fn norms() {
    let (x, weight, bias) = (drawn(3, 20, 1), drawn(1, 20, 2), drawn(1, 20, 3));
    for kind in [NormKind::Rms, NormKind::RmsFromOne, NormKind::Layer] {
        let value = |x: &Mat<f64>, weight: &Mat<f64>, bias: &Mat<f64>| {
            let bias = (kind == NormKind::Layer).then_some(bias);
            weighed(&Norm { kind, epsilon: 1e-5, weight, bias }.forward(x))
        };
        let norm = Norm { kind, epsilon: 1e-5, weight: &weight, bias: Some(&bias) };
        let (of_x, of_weights) = norm.backward(&x, &drawn(3, 20, 99), true);
        let of_weights = of_weights.expect("asked for");
        check("x", &x, of_x.data(), |x| value(x, &weight, &bias));
        check("weight", &weight, of_weights.weight.data(), |weight| value(&x, weight, &bias));
        if kind == NormKind::Layer {
            check("bias", &bias, of_weights.bias.data(), |bias| value(&x, &weight, bias));
        }
    }
}

#[test]
fn a_norm_of_each_head() {
    let (x, weight) = (drawn(2, 12, 1), drawn(1, 4, 2));
    let norm = Norm { kind: NormKind::Rms, epsilon: 1e-6, weight: &weight, bias: None };
    let (of_x, _) = norm.backward(&x, &drawn(2, 12, 99), false);
    check("x", &x, of_x.data(), |x| weighed(&norm.forward(x)));
}

#[test]
fn rotations() {
    let x = drawn(3, 16, 1);
    for scale in [1.0, 1.5] {
        // The last two numbers of a head stay as they are.
        let rotation = Rotation::<f64>::new(&[0, 1, 5], &[1.0, 0.1, 0.01], 8, scale);
        let turned = |x: &Mat<f64>| {
            let mut x = x.clone();
            rotation.turn(&mut x);
            x
        };
        let longer: Vec<f64> = x.row(0)[..6].iter().map(|number| number * f64::from(scale)).collect();
        assert_eq!(turned(&x).row(0)[..6], longer);
        assert_eq!(turned(&x).row(2)[6..8], x.row(2)[6..8]);
        let mut gradient = drawn(3, 16, 99);
        rotation.turn_back(&mut gradient);
        check("x", &x, gradient.data(), |x| weighed(&turned(x)));
    }
}

#[test]
fn activations() {
    let (gate, up) = (drawn(3, 7, 1), drawn(3, 7, 2));
    for activation in [Activation::Silu, Activation::GeluTanh, Activation::Gelu, Activation::Relu] {
        let (of_gate, of_up) = activation.backward(&gate, Some(&up), drawn(3, 7, 99));
        check("gate", &gate, of_gate.data(), |gate| weighed(&activation.forward(gate, Some(&up))));
        check("up", &up, of_up.expect("gated").data(), |up| weighed(&activation.forward(&gate, Some(up))));
        let (of_x, none) = activation.backward(&gate, None, drawn(3, 7, 99));
        assert!(none.is_none());
        check("x", &gate, of_x.data(), |x| weighed(&activation.forward(x, None)));
    }
}

#[test]
fn linear_layers() {
    let (x, weight, bias) = (drawn(5, 6, 1), drawn(4, 6, 2), drawn(1, 4, 3));
    let (a, b) = (drawn(2, 6, 4), drawn(4, 2, 5));
    let want = Wanted { input: true, weight: true, bias: true };
    let plain = |x: &Mat<f64>, weight: &Mat<f64>, bias: &Mat<f64>| {
        weighed(&Linear { weight, bias: Some(bias), adapter: None }.forward(x).0)
    };
    let linear = Linear { weight: &weight, bias: Some(&bias), adapter: None };
    let (_, tape) = linear.forward(&x);
    let found = linear.backward(&x, &tape, &drawn(5, 4, 99), want);
    check("x", &x, found.input.expect("asked for").data(), |x| plain(x, &weight, &bias));
    check("weight", &weight, found.weight.expect("asked for").data(), |weight| plain(&x, weight, &bias));
    check("bias", &bias, found.bias.expect("asked for").data(), |bias| plain(&x, &weight, bias));

    let lora = |x: &Mat<f64>, a: &Mat<f64>, b: &Mat<f64>| {
        let adapter = Some(Adapter { a, b, magnitude: None, scale: 1.7, dropout: None });
        weighed(&Linear { weight: &weight, bias: Some(&bias), adapter }.forward(x).0)
    };
    let linear =
        Linear { adapter: Some(Adapter { a: &a, b: &b, magnitude: None, scale: 1.7, dropout: None }), ..linear };
    let (_, tape) = linear.forward(&x);
    let found = linear.backward(&x, &tape, &drawn(5, 4, 99), Wanted { input: true, ..Wanted::default() });
    assert!(found.weight.is_none() && found.bias.is_none(), "frozen");
    check("x", &x, found.input.expect("asked for").data(), |x| lora(x, &a, &b));
    check("a", &a, found.a.expect("has an adapter").data(), |a| lora(&x, a, &b));
    check("b", &b, found.b.expect("has an adapter").data(), |b| lora(&x, &a, b));
}

#[test]
fn output_layer_with_an_adapter() {
    let (x, weight, a, b) = (drawn(4, 5, 1), drawn(9, 5, 2), drawn(2, 5, 3), drawn(9, 2, 4));
    let targets = [3, 0, 8, 3];
    let dropout = Some(Dropout { share: 0.3, key: 5 });
    for (cap, dropout) in [(None, None), (Some(0.9), dropout)] {
        let value = |x: &Mat<f64>, a: &Mat<f64>, b: &Mat<f64>| {
            let adapter = Some(Adapter { a, b, magnitude: None, scale: 1.7, dropout });
            let scored = Head { weight: &weight, cap, adapter }.forward(x, &targets, head::Wanted::default());
            weighed(&Mat::new(4, 1, scored.log_probs))
        };
        let adapter = Some(Adapter { a: &a, b: &b, magnitude: None, scale: 1.7, dropout });
        let head = Head { weight: &weight, cap, adapter };
        let found = head.backward(&x, &targets, drawn(4, 1, 99).data(), false);
        assert!(found.weight.is_none(), "frozen");
        check("x", &x, found.input.expect("it always is").data(), |x| value(x, &a, &b));
        check("a", &a, found.a.expect("has an adapter").data(), |a| value(&x, a, &b));
        check("b", &b, found.b.expect("has an adapter").data(), |b| value(&x, &a, b));
    }
}

/// Only the way through the adapter loses numbers.
#[test]
fn an_adapter_with_dropout() {
    let (x, weight, a, b) = (drawn(5, 6, 1), drawn(4, 6, 2), drawn(2, 6, 4), drawn(4, 2, 5));
    let dropout = Dropout { share: 0.4, key: 3 };
    let on = |dropout| Some(Adapter { a: &a, b: &b, magnitude: None, scale: 1.7, dropout });
    let linear = Linear { weight: &weight, bias: None, adapter: on(Some(dropout)) };
    let (y, tape) = linear.forward(&x);
    let (plain, _) = Linear { adapter: None, ..linear }.forward(&x);
    let dropped = dropout.of(&x);
    let (with, _) = Linear { adapter: on(None), ..linear }.forward(&dropped);
    let (without, _) = Linear { adapter: None, ..linear }.forward(&dropped);
    let parts = plain.data().iter().zip(with.data()).zip(without.data());
    let expected = parts.map(|((plain, with), without)| plain + with - without);
    assert!(y.data().iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12));

    let value = |x: &Mat<f64>, a: &Mat<f64>, b: &Mat<f64>| {
        let adapter = Some(Adapter { a, b, magnitude: None, scale: 1.7, dropout: Some(dropout) });
        weighed(&Linear { adapter, ..linear }.forward(x).0)
    };
    let found = linear.backward(&x, &tape, &drawn(5, 4, 99), Wanted { input: true, ..Wanted::default() });
    check("x", &x, found.input.expect("asked for").data(), |x| value(x, &a, &b));
    check("a", &a, found.a.expect("has an adapter").data(), |a| value(&x, a, &b));
    check("b", &b, found.b.expect("has an adapter").data(), |b| value(&x, &a, b));
}

/// The lengths of the rows count as constants, so that a and b are compared with lengths held fast.
#[test]
fn dora() {
    let (x, weight, bias) = (drawn(5, 6, 1), drawn(4, 6, 2), drawn(1, 4, 3));
    let (a, b, magnitude) = (drawn(2, 6, 4), drawn(4, 2, 5), drawn(1, 4, 6));
    let adapter = Adapter { a: &a, b: &b, magnitude: Some(&magnitude), scale: 0.6, dropout: None };
    let lengths = super::linear::row_lengths(&weight, &adapter);
    let linear = Linear { weight: &weight, bias: Some(&bias), adapter: Some(adapter) };
    let value = |x: &Mat<f64>, a: &Mat<f64>, b: &Mat<f64>, magnitude: &Mat<f64>| {
        let adapter = Some(Adapter { a, b, magnitude: None, scale: 0.6, dropout: None });
        let mut y = Linear { weight: &weight, bias: None, adapter }.forward(x).0;
        for row in y.data_mut().chunks_mut(4) {
            for (at, number) in row.iter_mut().enumerate() {
                *number = *number * magnitude.data()[at] / lengths.data()[at] + bias.data()[at];
            }
        }
        weighed(&y)
    };
    let (y, tape) = linear.forward(&x);
    assert!((weighed(&y) - value(&x, &a, &b, &magnitude)).abs() < 1e-12);
    let found = linear.backward(&x, &tape, &drawn(5, 4, 99), Wanted { input: true, ..Wanted::default() });
    check("x", &x, found.input.expect("asked for").data(), |x| value(x, &a, &b, &magnitude));
    check("a", &a, found.a.expect("has an adapter").data(), |a| value(&x, a, &b, &magnitude));
    check("b", &b, found.b.expect("has an adapter").data(), |b| value(&x, &a, b, &magnitude));
    let of_magnitude = found.magnitude.expect("has a magnitude");
    check("magnitude", &magnitude, of_magnitude.data(), |magnitude| value(&x, &a, &b, magnitude));
}

/// As PEFT computes it: the base alone sees everything, and what DoRA adds to it sees what is left.
#[test]
fn dora_with_dropout() {
    let (x, weight, bias) = (drawn(5, 6, 1), drawn(4, 6, 2), drawn(1, 4, 3));
    let (a, b, magnitude) = (drawn(2, 6, 4), drawn(4, 2, 5), drawn(1, 4, 6));
    let dropout = Dropout { share: 0.4, key: 3 };
    let adapter = Adapter { a: &a, b: &b, magnitude: Some(&magnitude), scale: 0.6, dropout: Some(dropout) };
    let lengths = super::linear::row_lengths(&weight, &adapter);
    let linear = Linear { weight: &weight, bias: Some(&bias), adapter: Some(adapter) };
    let value = |x: &Mat<f64>, weight: &Mat<f64>, [a, b, magnitude]: [&Mat<f64>; 3]| {
        let mut y = Linear { weight, bias: Some(&bias), adapter: None }.forward(x).0;
        let dropped = dropout.of(x);
        let base = Linear { weight, bias: None, adapter: None }.forward(&dropped).0;
        let low = Linear { weight: a, bias: None, adapter: None }.forward(&dropped).0;
        let added = Linear { weight: b, bias: None, adapter: None }.forward(&low).0;
        for row in 0..5 {
            for (at, length) in lengths.data().iter().enumerate() {
                let ratio = magnitude.data()[at] / length;
                let part = (ratio - 1.0) * base.row(row)[at] + ratio * 0.6 * added.row(row)[at];
                y.data_mut()[row * 4 + at] += part;
            }
        }
        weighed(&y)
    };
    let all = [&a, &b, &magnitude];
    let (y, tape) = linear.forward(&x);
    assert!((weighed(&y) - value(&x, &weight, all)).abs() < 1e-12);
    let found = linear.backward(&x, &tape, &drawn(5, 4, 99), Wanted { input: true, weight: true, ..Wanted::default() });
    check("x", &x, found.input.expect("asked for").data(), |x| value(x, &weight, all));
    check("weight", &weight, found.weight.expect("asked for").data(), |weight| value(&x, weight, all));
    check("a", &a, found.a.expect("has an adapter").data(), |a| value(&x, &weight, [a, &b, &magnitude]));
    check("b", &b, found.b.expect("has an adapter").data(), |b| value(&x, &weight, [&a, b, &magnitude]));
    let of_magnitude = found.magnitude.expect("has a magnitude");
    check("magnitude", &magnitude, of_magnitude.data(), |magnitude| value(&x, &weight, [&a, &b, magnitude]));
}

#[test]
fn attention() {
    // Two groups; one without a prefix, and an answer without a row.
    let groups =
        [Group { start: 0, prefix: 3, answers: vec![4, 2] }, Group { start: 9, prefix: 0, answers: vec![3, 0] }];
    let groups = Groups::new(&groups, &drawn(1, 1, 0));
    let (q, k, v) = (drawn(12, 12, 1), drawn(12, 6, 2), drawn(12, 6, 3));
    let plain = Attention { heads: 4, kv_heads: 2, width: 3, scale: 0.6, cap: None, window: None, dropout: None };
    let dropout = Some(Dropout { share: 0.3, key: 5 });
    let windowed = Attention { window: Some(3), ..plain };
    let dropping = Attention { dropout, cap: Some(0.8), ..windowed };
    for form in [plain, Attention { cap: Some(0.8), ..plain }, windowed, dropping, Attention { dropout, ..plain }] {
        let value = |q: &Mat<f64>, k: &Mat<f64>, v: &Mat<f64>| weighed(&form.forward(&groups, Inputs { q, k, v }).0);
        let inputs = Inputs { q: &q, k: &k, v: &v };
        let (out, sums) = form.forward(&groups, inputs);
        let [of_q, of_k, of_v] = form.backward(&groups, inputs, &out, &sums, &drawn(12, 12, 99));
        check("q", &q, of_q.data(), |q| value(q, &k, &v));
        check("k", &k, of_k.data(), |k| value(&q, k, &v));
        check("v", &v, of_v.data(), |v| value(&q, &k, v));
    }
}

/// A prefix that two answers share gives each what it would have alone.
#[test]
fn a_shared_prefix_changes_nothing() {
    let (q, k, v) = (drawn(9, 4, 1), drawn(9, 4, 2), drawn(9, 4, 3));
    let form = Attention { heads: 2, kv_heads: 2, width: 2, scale: 0.7, cap: None, window: Some(4), dropout: None };
    let shared = [Group { start: 0, prefix: 3, answers: vec![4, 2] }];
    let (together, _) = form.forward(&Groups::new(&shared, &q), Inputs { q: &q, k: &k, v: &v });
    let rows = [0, 1, 2, 7, 8];
    let [q, k, v] = [q, k, v].map(|x| x.select(&rows));
    let alone = [Group { start: 0, prefix: 0, answers: vec![5] }];
    let (alone, _) = form.forward(&Groups::new(&alone, &q), Inputs { q: &q, k: &k, v: &v });
    for (a, b) in alone.data().iter().zip(together.select(&rows).data()) {
        assert!((a - b).abs() < 1e-14);
    }
}

#[test]
fn output_layer() {
    let (x, weight) = (drawn(4, 5, 1), drawn(9, 5, 2));
    let targets = [3, 0, 8, 3];
    for cap in [None, Some(0.9)] {
        let value = |x: &Mat<f64>, weight: &Mat<f64>| {
            let scored = Head { weight, cap, adapter: None }.forward(x, &targets, head::Wanted::default());
            weighed(&Mat::new(4, 1, scored.log_probs))
        };
        let head = Head { weight: &weight, cap, adapter: None };
        let want = head::Wanted { gradient: true, squares: true };
        let scored = head.forward(&x, &targets, want);
        let same = head.forward(&x, &targets, head::Wanted::default());
        assert_eq!(scored.log_probs, same.log_probs, "bit for bit");
        let weights = drawn(4, 1, 99);
        let mut formed = scored.gradient.expect("asked for");
        for (row, weight) in formed.data_mut().chunks_mut(5).zip(weights.data()) {
            for number in row {
                *number *= weight;
            }
        }
        check("x, formed in the forward pass", &x, formed.data(), |x| value(x, &weight));
        let found = head.backward(&x, &targets, weights.data(), true);
        check("x", &x, found.input.expect("it always is").data(), |x| value(x, &weight));
        check("weight", &weight, found.weight.expect("asked for").data(), |weight| value(&x, weight));
        let logits = head.logits(&x);
        for (row, squares) in logits.data().chunks(9).zip(&scored.squares) {
            let total: f64 = row.iter().map(|logit| logit.exp()).sum();
            let expected: f64 = row.iter().map(|logit| (logit.exp() / total).powi(2)).sum();
            assert!((expected.ln() - squares).abs() < 1e-12);
        }
    }
}

#[test]
fn exponents_and_tangents_of_32_bits() {
    for step in -870..880 {
        let x = step as f32 / 10.0 + 0.013;
        let exact = f64::from(x).exp();
        assert!((f64::from(Real::exp(x)) / exact - 1.0).abs() < 3e-7, "exp({x})");
        let x = x / 10.0;
        let exact = f64::from(x).tanh();
        assert!((f64::from(Real::tanh(x)) - exact).abs() < 4e-7 * exact.abs().max(1e-3), "tanh({x})");
    }
    assert!(Real::exp(f32::NAN).is_nan() && Real::tanh(f32::NAN).is_nan());
}
