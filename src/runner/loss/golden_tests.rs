//! Every loss and divergence against TRL's own, value and gradient, as `tests/golden/losses.py` wrote them.

use std::path::PathBuf;

use serde::Deserialize;

use super::super::spec::{Divergence, Era, LossKind, RunSpec, Weighting};
use super::{Answer, Losses};

#[derive(Deserialize)]
struct Golden {
    policy: Vec<Vec<f64>>,
    reference: Vec<Vec<f64>>,
    squares: Vec<Vec<f64>>,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    kinds: Vec<String>,
    weights: Option<Vec<f64>>,
    beta: f64,
    smoothing: f64,
    divergence: String,
    coefficient: f64,
    ld: Option<f64>,
    wpo: bool,
    tau: f64,
    narrow: bool,
    loss: f64,
    gradients: Vec<Vec<f64>>,
}

const KINDS: [(&str, LossKind); 15] = [
    ("sigmoid", LossKind::Sigmoid),
    ("hinge", LossKind::Hinge),
    ("ipo", LossKind::Ipo),
    ("sigmoid_norm", LossKind::SigmoidNorm),
    ("exo_pair", LossKind::ExoPair),
    ("nca_pair", LossKind::NcaPair),
    ("robust", LossKind::Robust),
    ("bco_pair", LossKind::BcoPair),
    ("sppo_hard", LossKind::SppoHard),
    ("aot", LossKind::Aot),
    ("aot_unpaired", LossKind::AotUnpaired),
    ("apo_zero", LossKind::ApoZero),
    ("apo_down", LossKind::ApoDown),
    ("discopop", LossKind::Discopop),
    ("sft", LossKind::Sft),
];

fn kind(name: &str) -> LossKind {
    KINDS.iter().find(|(other, _)| *other == name).expect("a loss").1
}

impl Case {
    fn spec(&self) -> RunSpec {
        let weight = |at: usize| self.weights.as_ref().map_or(1.0, |weights| weights[at]);
        RunSpec {
            beta: self.beta,
            losses: self.kinds.iter().enumerate().map(|(at, name)| (kind(name), weight(at))).collect(),
            label_smoothing: self.smoothing,
            divergence: match self.divergence.as_str() {
                "forward_kl" => Divergence::ForwardKl,
                "js_divergence" => Divergence::JensenShannon,
                "alpha_divergence" => Divergence::Alpha(self.coefficient),
                _ => Divergence::ReverseKl,
            },
            ld_alpha: self.ld,
            weighting: self.wpo.then_some(Weighting::Aligned),
            discopop_tau: self.tau,
            ..RunSpec::default()
        }
    }
}

fn golden() -> Golden {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/losses.json");
    serde_json::from_slice(&std::fs::read(path).expect("a golden file")).expect("JSON")
}

fn pairs(golden: &Golden) -> Vec<[Answer; 2]> {
    let answer = |at: usize| Answer {
        policy: golden.policy[at].clone(),
        reference: golden.reference[at].clone(),
        squares: golden.squares[at].clone(),
        targets: (1..).take(golden.policy[at].len()).collect(),
        tokens: golden.policy[at].len(),
        prompt: 1,
    };
    let count = golden.policy.len() / 2;
    (0..count).map(|at| [answer(at), answer(count + at)]).collect()
}

#[test]
fn every_loss_and_divergence_is_that_of_trl() {
    let golden = golden();
    let pairs = pairs(&golden);
    for (_, kind) in KINDS {
        assert!(golden.cases.iter().any(|case| case.spec().losses[0].0 == kind), "{kind:?} has no case");
    }
    for case in &golden.cases {
        let found = Losses::new(&case.spec()).expect("a loss that TRL computes").train(&pairs);
        // TRL computes one of the divergences, and a logarithm of exo_pair, with 32 bits.
        let tolerance = if case.narrow { 2e-5 } else { 1e-6 };
        let apart = |a: f64, b: f64| (a - b).abs() / (1e-3 + b.abs());
        assert!(apart(found.loss, case.loss) < tolerance, "{case:?}: {}", found.loss);
        let rows = found.chosen.iter().chain(&found.rejected);
        for (row, expected) in rows.zip(&case.gradients) {
            assert_eq!(row.len(), expected.len());
            for (&a, &b) in row.iter().zip(expected) {
                assert!(apart(a, b) < tolerance, "{case:?}: gradient {a} instead of {b}");
            }
        }
    }
}

/// The gradient by moving one number a little.
#[test]
fn the_losses_of_old_releases_have_their_gradients() {
    let pairs = pairs(&golden());
    for (kind, divergence) in [
        (LossKind::Sigmoid, Divergence::Alpha(0.7)),
        (LossKind::Ipo, Divergence::JensenShannon),
        (LossKind::ExoPair, Divergence::ReverseKl),
        (LossKind::BcoPair, Divergence::ReverseKl),
        (LossKind::Discopop, Divergence::ReverseKl),
    ] {
        let smoothing = if kind == LossKind::Sigmoid { 0.1 } else { 0.0 };
        let losses = vec![(kind, 1.0)];
        let spec = RunSpec { era: Era::Separate, losses, divergence, label_smoothing: smoothing, ..RunSpec::default() };
        let mut losses = Losses::new(&spec).expect("a loss");
        let found = losses.train(&pairs);
        let moved = |by: f64| {
            let mut pairs = pairs.clone();
            pairs[1][1].policy[2] += by;
            losses.evaluate(&pairs).loss
        };
        let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((slope - found.rejected[1][2]).abs() < 1e-8, "{kind:?}: {slope} and {}", found.rejected[1][2]);
    }
}

#[test]
#[expect(clippy::float_cmp, reason = "the same or not")]
fn old_releases_differ_where_they_do() {
    let pairs = pairs(&golden());
    let loss = |era, kind, smoothing| {
        let losses = vec![(kind, 1.0)];
        let spec = RunSpec { era, losses, label_smoothing: smoothing, ..RunSpec::default() };
        Losses::new(&spec).expect("a loss").train(&pairs).loss
    };
    // Newer releases take no notice of the smoothing.
    assert_ne!(loss(Era::Separate, LossKind::Sigmoid, 0.1), loss(Era::Together, LossKind::Sigmoid, 0.1));
    assert_eq!(loss(Era::Separate, LossKind::Sigmoid, 0.0), loss(Era::Together, LossKind::Sigmoid, 0.0));
    // Rewards seen so far are taken off.
    assert_ne!(loss(Era::Collator, LossKind::BcoPair, 0.0), loss(Era::Together, LossKind::BcoPair, 0.0));
    assert!((loss(Era::Collator, LossKind::Ipo, 0.0) - loss(Era::Together, LossKind::Ipo, 0.0)).abs() < 1e-12);
}

#[test]
fn what_trl_fails_on_is_refused() {
    let base = RunSpec::default();
    let kind = |kind| vec![(kind, 1.0)];
    for spec in [
        RunSpec { losses: kind(LossKind::Hinge), weighting: Some(Weighting::Aligned), ..base.clone() },
        RunSpec { losses: kind(LossKind::ExoPair), ..base.clone() },
        RunSpec { losses: kind(LossKind::Aot), divergence: Divergence::ForwardKl, ..base.clone() },
        RunSpec { losses: kind(LossKind::SigmoidNorm), era: Era::Separate, ..base.clone() },
        RunSpec { losses: Vec::new(), ..base.clone() },
    ] {
        assert!(Losses::new(&spec).is_err(), "{spec:?}");
    }
}
