//! What must hold of every run that trains as its author believes.

use rayon::prelude::*;

use super::adapter;
use super::error::RunError;
use super::kernels::{Mat, Real};
use super::model::weights::{SlotId, Weights};
use super::model::{Model, Pack};
use super::spec::{BiasTraining, LossKind, Pair, Reference, RunSpec};
use super::trainer::Trainer;

/// Something that must hold, and what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What must hold.
    pub name: &'static str,
    /// Whether it does.
    pub passed: bool,
    /// What was measured.
    pub measured: f64,
    /// Up to which value it passes.
    pub tolerance: f64,
}

/// What is remembered of the start of a run, to be compared with its end.
#[derive(Debug)]
pub struct Checker<T = f32> {
    batch: Vec<Pair>,
    /// Of tensors that must not change.
    frozen: Vec<(SlotId, u64)>,
    start: Weights<T>,
    loss: f64,
    /// Logits with the adapter off.
    base: Mat<T>,
    first: Vec<Check>,
}

/// How far the first loss may be from its closed form.
const CLOSED_FORM: f64 = 1e-6;

impl<T: Real> Checker<T> {
    /// Before the first step. `batch` is scored again at the end.
    pub fn new(trainer: &Trainer<T>, batch: &[Pair]) -> Result<Checker<T>, RunError> {
        trainer.device().run(|| Checker::there(trainer, batch))
    }

    fn there(trainer: &Trainer<T>, batch: &[Pair]) -> Result<Checker<T>, RunError> {
        let weights = trainer.model.weights();
        let frozen = (0..weights.slots().len()).into_par_iter().filter(|&id| !weights.is_trained(id));
        let loss = trainer.evaluate(batch)?.loss;
        Ok(Checker {
            batch: batch.to_vec(),
            frozen: frozen.map(|id| (id, fingerprint(weights.get(id, true)))).collect(),
            start: weights.clone(),
            loss,
            base: logits(&trainer.model, batch, false)?,
            first: first(trainer, batch, loss)?,
        })
    }

    /// After the last step.
    pub fn finish(&self, trainer: &Trainer<T>) -> Result<Vec<Check>, RunError> {
        trainer.device().run(|| self.finish_there(trainer))
    }

    fn finish_there(&self, trainer: &Trainer<T>) -> Result<Vec<Check>, RunError> {
        let weights = trainer.model.weights();
        let mut checks = self.first.clone();
        let changed = |&(id, before): &(SlotId, u64)| fingerprint(weights.get(id, true)) != before;
        if !self.frozen.is_empty() {
            checks.push(count(
                "frozen weights are bit-identical",
                self.frozen.par_iter().filter(|one| changed(one)).count(),
            ));
        }
        let broken = weights.trained().filter(|&id| !trainer.seen[id].finite || !trainer.seen[id].moved);
        // The first step that moves something cannot reach A: it is multiplied with B, which is still 0. In an embedding it is the other way round.
        let still = |name: &str| name.contains("lora_A") || name.contains("lora_embedding_B");
        let is_late =
            trainer.moving_steps() > 1 || (trainer.steps() > 1 && trainer.steps() >= trainer.spec.total_steps);
        let reached = |id: &SlotId| is_late || !still(&weights.slots()[*id].name);
        checks.push(count("every trained tensor has a finite gradient", broken.filter(reached).count()));
        let same = |id: &SlotId| weights.get(*id, true).host() == self.start.get(*id, true).host();
        if !trainer.is_still() {
            checks.push(count("every trained tensor changes", weights.trained().filter(reached).filter(same).count()));
        }
        // What a pair weighs moves with the policy and has no gradient: such a loss may rise while every step is right.
        if trainer.spec.weighting.is_none() && !trainer.is_still() {
            let rise = trainer.evaluate(&self.batch)?.loss - self.loss;
            let name = "the loss of a fixed batch falls";
            checks.push(Check { name, passed: rise < 0.0, measured: rise, tolerance: 0.0 });
        }
        if let Some(lora) = &trainer.spec.lora {
            if lora.bias == BiasTraining::None {
                let off = logits(&trainer.model, &self.batch, false)?;
                checks.push(equal("with the adapter off the logits are the base's", distance(&off, &self.base)));
            }
            checks.push(equal("the saved adapter loads again with the same logits", self.reload(trainer)?));
        }
        Ok(checks)
    }

    fn reload(&self, trainer: &Trainer<T>) -> Result<f64, RunError> {
        let folder = tempfile::tempdir().map_err(|source| RunError::Write { path: std::env::temp_dir(), source })?;
        trainer.save("", folder.path())?;
        let mut model = trainer.bare.clone();
        adapter::load(&mut model, folder.path())?;
        let model = model.on(trainer.device());
        Ok(distance(&logits(&model, &self.batch, true)?, &logits(&trainer.model, &self.batch, true)?))
    }
}

/// What must hold before the first step.
fn first<T: Real>(trainer: &Trainer<T>, batch: &[Pair], loss: f64) -> Result<Vec<Check>, RunError> {
    let mut checks = Vec::new();
    if !starts_equal(&trainer.spec.reference) || trainer.steps() > 0 {
        return Ok(checks);
    }
    let (pairs, _) = trainer.score(&Pack::new(batch), false, None)?;
    let answers = pairs.iter().flatten();
    let differences =
        answers.flat_map(|answer| answer.policy.iter().zip(&answer.reference).map(|(a, b)| (a - b).abs()));
    checks.push(equal("before training the reference equals the policy", differences.fold(0.0, larger)));
    if let Some(expected) = closed_form(&trainer.spec) {
        let measured = (loss - expected).abs();
        let name = "the first loss is that of two equal models";
        checks.push(Check {
            name,
            passed: measured <= CLOSED_FORM * expected.abs().max(1.0),
            measured,
            tolerance: CLOSED_FORM,
        });
    }
    Ok(checks)
}

/// Whether policy and reference must be equal at the start.
fn starts_equal(reference: &Reference) -> bool {
    match reference {
        Reference::Model(_) => false,
        Reference::Precomputed(inner) => starts_equal(inner),
        _ => true,
    }
}

/// The loss while policy and reference are equal, where it does not depend on the model.
pub fn closed_form(spec: &RunSpec) -> Option<f64> {
    use super::spec::Era;
    let half = std::f64::consts::LN_2;
    let old_exo = spec.era <= Era::Separate && spec.label_smoothing == 0.0;
    let smoothing = if old_exo { 1e-3 } else { spec.label_smoothing };
    let one = |kind: LossKind| match kind {
        LossKind::Hinge | LossKind::ApoZero | LossKind::ApoDown => Some(1.0),
        LossKind::Ipo => Some((0.5 / spec.beta).powi(2)),
        LossKind::SppoHard => Some(2.0 * (0.5 / spec.beta).powi(2)),
        LossKind::NcaPair | LossKind::BcoPair => Some(2.0 * half),
        LossKind::Discopop => Some(0.5 * half + 0.5),
        LossKind::ExoPair => Some(-half - 0.5 * (1.0 - smoothing).ln() - 0.5 * smoothing.ln()),
        LossKind::Sft => None,
        _ => Some(half),
    };
    let parts = spec.losses.iter().map(|&(kind, weight)| Some(one(kind)? * weight));
    // Old releases do not weigh the tokens of the reference.
    let is_apart =
        spec.likelihood.is_some() || spec.weighting.is_some() || (spec.ld_alpha.is_some() && spec.era <= Era::Separate);
    if is_apart { None } else { parts.sum() }
}

/// The logits of the first preferred answer.
fn logits<T: Real>(model: &Model<T>, batch: &[Pair], adapter: bool) -> Result<Mat<T>, RunError> {
    let tokens = batch.first().map(|pair| [&pair.prompt[..], &pair.chosen].concat()).unwrap_or_default();
    model.logits(&tokens, adapter)
}

/// The larger of two distances; one that is no number is as large as can be.
fn larger(one: f64, other: f64) -> f64 {
    if other.is_nan() { f64::INFINITY } else { one.max(other) }
}

fn distance<T: Real>(a: &Mat<T>, b: &Mat<T>) -> f64 {
    let (a, b) = (a.host(), b.host());
    a.iter().zip(b.iter()).map(|(a, b)| (a.wide() - b.wide()).abs()).fold(0.0, larger)
}

fn equal(name: &'static str, measured: f64) -> Check {
    Check { name, passed: measured == 0.0, measured, tolerance: 0.0 }
}

/// How many tensors fail.
fn count(name: &'static str, failed: usize) -> Check {
    equal(name, failed as f64)
}

/// A number that changes with any bit.
fn fingerprint<T: Real>(matrix: &Mat<T>) -> u64 {
    matrix.host().iter().fold(0xcbf2_9ce4_8422_2325, |hash, number| {
        (hash ^ number.wide().to_bits()).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
    })
}
