//! Learning rates over the steps, as transformers computes them.

use std::f64::consts::PI;

use super::spec::{OptimizerSpec, Schedule};

/// What the learning rate of `step` (from 0) is multiplied with.
pub fn factor(spec: &OptimizerSpec, total: usize, step: usize) -> f64 {
    let (at, warmup, total) = (step as f64, spec.warmup_steps as f64, total as f64);
    let warming = at < warmup;
    let rising = at / warmup.max(1.0);
    let done = (at - warmup) / (total - warmup).max(1.0);
    let wave = |cycles: f64| 0.5 * (1.0 + (PI * cycles * 2.0 * done).cos());
    match spec.schedule {
        Schedule::Constant => 1.0,
        Schedule::WarmupStableDecay(decay, lowest) => {
            let decay = decay as f64;
            let stable = total - warmup - decay;
            if warming {
                rising * (1.0 - lowest) + lowest
            } else if at < warmup + stable {
                1.0
            } else if at < warmup + stable + decay {
                let done = (at - warmup - stable) / decay.max(1.0);
                (0.5 * (1.0 + (PI * done).cos()) * (1.0 - lowest) + lowest).max(0.0)
            } else {
                lowest
            }
        }
        _ if warming => rising,
        Schedule::ConstantWithWarmup => 1.0,
        Schedule::Linear => ((total - at) / (total - warmup).max(1.0)).max(0.0),
        Schedule::Cosine(cycles) => wave(cycles).max(0.0),
        Schedule::CosineWithRestarts(_) if done >= 1.0 => 0.0,
        Schedule::CosineWithRestarts(cycles) => (0.5 * (1.0 + (PI * ((cycles * done) % 1.0)).cos())).max(0.0),
        Schedule::Polynomial(end, _) if at > total => end / spec.learning_rate,
        Schedule::Polynomial(end, power) => {
            let left = 1.0 - (at - warmup) / (total - warmup);
            ((spec.learning_rate - end) * left.powf(power) + end) / spec.learning_rate
        }
        Schedule::InverseSqrt(scale) => 1.0 / ((at + scale - warmup) / scale).sqrt(),
        Schedule::CosineWithMinLr(cycles, lowest) => (wave(cycles) * (1.0 - lowest) + lowest).max(0.0),
    }
}
