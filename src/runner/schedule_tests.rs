//! Learning rates that transformers 5.23 computes for the same settings, of 20 steps with 4 of warm-up.

use super::schedule::factor;
use super::spec::{OptimizerSpec, RunSpec, Schedule};

#[test]
fn factors_are_those_of_transformers() {
    for (schedule, expected) in EXPECTED {
        let spec = OptimizerSpec { learning_rate: 0.1, schedule, warmup_steps: 4, ..RunSpec::default().optimizer };
        for (step, expected) in [0, 2, 4, 9, 13, 19].into_iter().zip(expected) {
            let found = factor(&spec, 20, step);
            assert!((found - expected).abs() < 1e-12, "{schedule:?}, step {step}: {found} instead of {expected}");
        }
    }
}

/// Where a run ends, transformers ends the last wave; it does not begin another one.
#[test]
fn the_last_restart_ends_at_nothing() {
    let schedule = Schedule::CosineWithRestarts(3.0);
    let spec = OptimizerSpec { schedule, warmup_steps: 4, ..RunSpec::default().optimizer };
    assert!(factor(&spec, 20, 20).abs() < 1e-12 && factor(&spec, 20, 25).abs() < 1e-12);
}

#[expect(clippy::unreadable_literal, reason = "as Python printed them")]
/// Of steps 0, 2, 4, 9, 13 and 19.
const EXPECTED: [(Schedule, [f64; 6]); 9] = [
    (Schedule::Linear, [0.0, 0.5, 1.0, 0.6875, 0.4375, 0.0625]),
    (Schedule::Constant, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
    (Schedule::ConstantWithWarmup, [0.0, 0.5, 1.0, 1.0, 1.0, 1.0]),
    (Schedule::Cosine(0.5), [0.0, 0.5, 1.0, 0.7777851165098011, 0.4024548389919359, 0.009607359798384785]),
    (
        Schedule::CosineWithRestarts(3.0),
        [0.0, 0.5, 1.0, 0.009607359798384785, 0.22221488349019902, 0.08426519384872733],
    ),
    (Schedule::Polynomial(1e-3, 2.0), [0.0, 0.5, 1.0, 0.47792968750000003, 0.1994921875, 0.0138671875]),
    (Schedule::InverseSqrt(6.0), [0.0, 0.5, 1.0, 0.7385489458759964, 0.6324555320336759, 0.5345224838248488]),
    (Schedule::CosineWithMinLr(0.5, 0.2), [0.0, 0.5, 1.0, 0.822228093207841, 0.5219638711935488, 0.20768588783870784]),
    (Schedule::WarmupStableDecay(8, 0.1), [0.1, 0.55, 1.0, 1.0, 0.9657457896300791, 0.13425421036992097]),
];
