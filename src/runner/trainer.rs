//! Training steps: what TRL's trainer computes between two lines of its log.

use std::path::Path;

use super::adapter;
use super::device::Device;
use super::error::RunError;
#[cfg(test)]
use super::kernels::Mat;
use super::kernels::{Real, dropout};
use super::loss::{Answer, Losses, Outcome};
use super::model::config::Shares;
#[cfg(test)]
use super::model::weights::SlotId;
use super::model::weights::{Gradients, Weights};
use super::model::{Model, Pack, Pass, Request, Scores, Tape};
use super::optimizer::{AdamW, clip};
use super::schedule;
use super::spec::{Accumulated, AccumulationEnd, LoraSpec, Pair, Reference, RunSpec};

/// What TRL logs of a step, by its names. With accumulation the means over the micro-batches.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepMetrics {
    /// The step, from 0.
    pub step: usize,
    /// `loss`.
    pub loss: f64,
    /// `rewards/chosen`.
    pub rewards_chosen: f64,
    /// `rewards/rejected`.
    pub rewards_rejected: f64,
    /// `rewards/margins`.
    pub rewards_margins: f64,
    /// `rewards/accuracies`.
    pub rewards_accuracies: f64,
    /// `logps/chosen`.
    pub logps_chosen: f64,
    /// `logps/rejected`.
    pub logps_rejected: f64,
    /// `grad_norm`, before clipping; 0 where nothing was trained.
    pub grad_norm: f64,
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// Tokens of this step.
    pub tokens: usize,
}

/// A model in training.
#[derive(Debug)]
pub struct Trainer<T = f32> {
    pub(super) model: Model<T>,
    /// The model without an adapter. Numbers are shared.
    pub(super) bare: Model<T>,
    pub(super) spec: RunSpec,
    device: Device,
    losses: Losses,
    optimizer: AdamW<T>,
    reference: Compared<T>,
    steps: usize,
    /// The first step whose learning rate the schedule did not hold at 0.
    moving: Option<usize>,
    /// How far positions reached in the last batch.
    reach: usize,
    /// Forward passes done, each of which drops other numbers.
    passes: u64,
    /// For each tensor whether it had a gradient other than 0, and whether all were finite.
    pub(super) seen: Vec<Seen>,
}

/// The answers of a batch by both models, and the way back.
type Scored<T> = (Vec<[Answer; 2]>, Option<Tape<T>>);

/// What is known of a tensor's gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub moved: bool,
    pub finite: bool,
}

/// What the policy is compared with.
#[derive(Debug)]
enum Compared<T> {
    /// The policy itself with the adapter off.
    Off,
    /// Weights of the start, or those that follow the policy.
    Weights { weights: Weights<T>, adapter: bool },
    /// Another model.
    Other(Box<Model<T>>),
}

impl Trainer<f32> {
    /// Before the first step: with a fresh adapter, or all of the model trained.
    ///
    /// Whatever the precision of the run, numbers have 32 bits.
    pub fn new(model: Model, spec: &RunSpec, device: &Device) -> Result<Trainer, RunError> {
        let other = explicit(&spec.reference).map(Model::load).transpose()?;
        Trainer::with_reference(model, spec, other, device)
    }

    /// The same with an adapter that was saved before.
    pub fn resume(model: Model, spec: &RunSpec, folder: &Path, device: &Device) -> Result<Trainer, RunError> {
        let other = explicit(&spec.reference).map(Model::load).transpose()?;
        Trainer::build(model, spec, other, device, |model| Ok(Some(adapter::load(model, folder)?)))
    }
}

/// The folder of an explicit reference.
fn explicit(reference: &Reference) -> Option<&Path> {
    match reference {
        Reference::Model(folder) => Some(folder),
        Reference::Precomputed(inner) => explicit(inner),
        _ => None,
    }
}

impl<T: Real> Trainer<T> {
    /// Before the first step, with the model that [`Reference::Model`] names.
    pub fn with_reference(
        model: Model<T>,
        spec: &RunSpec,
        other: Option<Model<T>>,
        device: &Device,
    ) -> Result<Trainer<T>, RunError> {
        Trainer::build(model, spec, other, device, |model| {
            match &spec.lora {
                Some(lora) => adapter::attach(model, lora, spec.seed)?,
                None => model.weights.slots_mut().iter_mut().for_each(|slot| slot.trainable = true),
            }
            Ok(spec.lora.clone())
        })
    }

    /// `prepare` marks what is trained, and gives the adapter.
    fn build(
        model: Model<T>,
        spec: &RunSpec,
        other: Option<Model<T>>,
        device: &Device,
        prepare: impl FnOnce(&mut Model<T>) -> Result<Option<LoraSpec>, RunError>,
    ) -> Result<Trainer<T>, RunError> {
        device.run(|| {
            // First, so that what an adapter takes from its layer is computed as it is in training.
            let bare = model.on(device);
            let mut model = bare.clone();
            let spec = RunSpec { lora: prepare(&mut model)?, ..spec.clone() };
            Trainer::assemble(bare, model.on(device), &spec, other.map(|other| other.on(device)), device)
        })
    }

    fn assemble(
        bare: Model<T>,
        mut model: Model<T>,
        spec: &RunSpec,
        other: Option<Model<T>>,
        device: &Device,
    ) -> Result<Trainer<T>, RunError> {
        if !spec.drops {
            model.config.dropped = model.config.without_modules();
        }
        if model.head_adapter.is_some() && !spec.takes_head_adapter {
            let reason = "the release in effect refuses an adapter on lm_head";
            return Err(RunError::unsupported("target_modules", reason));
        }
        let reference = compared(&spec.reference, &model, spec.lora.is_some(), other)?;
        let tensors = model.weights.slots().len();
        Ok(Trainer {
            losses: Losses::new(spec)?,
            optimizer: AdamW::new(&spec.optimizer, tensors),
            reference,
            steps: 0,
            moving: None,
            reach: 0,
            passes: 0,
            seen: vec![Seen { moved: false, finite: true }; tensors],
            spec: spec.clone(),
            device: device.clone(),
            bare,
            model,
        })
    }

    /// Where it is computed.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// The run.
    pub fn spec(&self) -> &RunSpec {
        &self.spec
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Steps since the schedule let something move, that one included.
    pub(super) fn moving_steps(&self) -> usize {
        self.moving.map_or(0, |first| self.steps - first)
    }

    /// Whether nothing could move yet: at the beginning of a warm-up the learning rate is 0.
    pub fn is_still(&self) -> bool {
        self.moving.is_none() && self.steps < self.spec.total_steps
    }

    /// Numbers that are trained.
    pub fn trained_count(&self) -> usize {
        let slots = self.model.weights.slots().iter().filter(|slot| slot.trainable);
        slots.map(|slot| slot.value.count()).sum()
    }

    /// One step of the optimizer over micro-batches.
    pub fn step(&mut self, micro_batches: &[Vec<Pair>]) -> Result<StepMetrics, RunError> {
        self.device.clone().run(|| self.step_there(micro_batches))
    }

    fn step_there(&mut self, micro_batches: &[Vec<Pair>]) -> Result<StepMetrics, RunError> {
        let mean = 1.0 / micro_batches.len().max(1) as f64;
        let is_part = self.spec.accumulation_end == AccumulationEnd::Part;
        let share = if is_part { 1.0 / self.spec.accumulation.max(1) as f64 } else { mean };
        let of_gradients = match self.spec.quirks.gradients {
            Accumulated::Mean => share,
            Accumulated::Sum => 1.0,
            Accumulated::DividedTwice => share / self.spec.accumulation.max(1) as f64,
        };
        let of_losses = if self.spec.quirks.adds_losses { 1.0 } else { share };
        let mut gradients = Gradients::none(self.model.weights.slots().len());
        let mut metrics = StepMetrics { step: self.steps, ..StepMetrics::default() };
        for batch in micro_batches {
            let drops = self.drops();
            self.passes += 1;
            let mut pack = if drops.is_some() { Pack::new(&apart(batch)) } else { Pack::new(batch) };
            self.model.check(&pack)?;
            self.reach = self.model.config.rotary.reach(self.reach, pack.reach);
            pack.reach = self.reach;
            let (pairs, tape) = self.score(&pack, true, drops)?;
            let outcome = self.losses.train(&pairs);
            if !outcome.loss.is_finite() {
                return Err(RunError::NotFinite { step: self.steps, what: "the loss".to_owned() });
            }
            metrics.add(&outcome, pack.tokens, mean);
            let of_tokens = token_gradients(&pack, &outcome, of_gradients);
            if let Some(tape) = tape {
                self.policy(drops).backward(&pack, tape, &of_tokens, &mut gradients);
            }
        }
        metrics.loss *= of_losses / mean;
        let squares = self.look_at(&gradients)?;
        metrics.grad_norm = clip(&mut gradients, squares, self.spec.optimizer.max_grad_norm);
        let factor = schedule::factor(&self.spec.optimizer, self.spec.total_steps, self.steps);
        metrics.learning_rate = self.spec.optimizer.learning_rate * factor;
        if factor != 0.0 {
            self.moving.get_or_insert(self.steps);
        }
        self.optimizer.step(&mut self.model.weights, &gradients, metrics.learning_rate);
        self.steps += 1;
        self.follow();
        Ok(metrics)
    }

    /// The same numbers for a batch, without training on it.
    pub fn evaluate(&self, batch: &[Pair]) -> Result<StepMetrics, RunError> {
        let pack = Pack::new(batch);
        self.model.check(&pack)?;
        let (pairs, _) = self.score(&pack, false, None)?;
        let mut metrics = StepMetrics { step: self.steps, ..StepMetrics::default() };
        metrics.add(&self.losses.evaluate(&pairs), pack.tokens, 1.0);
        Ok(metrics)
    }

    /// The loss of a batch where numbers are dropped; for tests.
    #[cfg(test)]
    pub(super) fn loss(&self, batch: &[Pair], drops: Option<u64>) -> Result<f64, RunError> {
        Ok(self.losses.evaluate(&self.score(&Pack::new(batch), false, drops)?.0).loss)
    }

    /// The gradients of a batch, without using them; for tests.
    #[cfg(test)]
    #[expect(clippy::type_complexity, reason = "for one test")]
    pub(super) fn gradients(
        &self,
        batch: &[Pair],
        drops: Option<u64>,
    ) -> Result<Vec<(SlotId, Option<Mat<T>>)>, RunError> {
        let pack = Pack::new(batch);
        let mut sums = Gradients::none(self.model.weights.slots().len());
        let (pairs, tape) = self.score(&pack, true, drops)?;
        let outcome = self.losses.evaluate(&pairs);
        let of_tokens = token_gradients(&pack, &outcome, 1.0);
        self.policy(drops).backward(&pack, tape.expect("asked for"), &of_tokens, &mut sums);
        let trained = self.model.weights.trained().map(|id| (id, sums.get(id).cloned())).collect();
        Ok(trained)
    }

    /// Writes the adapter, or the whole model where all of it is trained. `base` is the name of the model it belongs to.
    pub fn save(&self, base: &str, folder: &Path) -> Result<(), RunError> {
        self.device.run(|| match &self.spec.lora {
            Some(lora) => adapter::save(&self.model, lora, base, folder),
            None => adapter::save_model(&self.model, folder),
        })
    }

    /// What decides which numbers the next pass drops; none where nothing is dropped.
    fn drops(&self) -> Option<u64> {
        let adapter = self.spec.lora.as_ref().is_some_and(|lora| lora.dropout > 0.0);
        let drops = adapter || self.model.config.dropped != Shares::default();
        drops.then(|| dropout::key(self.spec.seed, self.passes))
    }

    fn policy(&self, drops: Option<u64>) -> Pass<'_, T> {
        Pass { model: &self.model, weights: &self.model.weights, adapter: true, drops }
    }

    fn compared(&self, drops: Option<u64>) -> Pass<'_, T> {
        // Without the adapter, or with a copy of it, the model in training stands in, and drops others than the policy.
        let is_same = matches!(self.spec.reference, Reference::AdapterOff | Reference::CopiedAdapter);
        let drops = drops.filter(|_| is_same).map(|drops| dropout::key(drops, 0));
        match &self.reference {
            Compared::Off => Pass { adapter: false, ..self.policy(drops) },
            Compared::Weights { weights, adapter } => Pass { model: &self.model, weights, adapter: *adapter, drops },
            Compared::Other(model) => Pass { model, weights: &model.weights, adapter: true, drops: None },
        }
    }

    /// Both models' log-probabilities of every answer.
    pub(super) fn score(&self, pack: &Pack, tape: bool, drops: Option<u64>) -> Result<Scored<T>, RunError> {
        if let Compared::Other(model) = &self.reference {
            model.check(pack)?;
        }
        let reference = self.compared(drops).forward(pack, Request::default());
        let policy = self.policy(drops).forward(pack, Request { tape, squares: self.losses.needs_squares() });
        let pairs = answers(pack, &policy, &reference);
        self.losses.check(&pairs)?;
        Ok((pairs, policy.tape))
    }

    /// Remembers which tensors were reached, refuses numbers that are none, and gives the sum of all squares.
    fn look_at(&mut self, gradients: &Gradients<T>) -> Result<f64, RunError> {
        let mut squares = 0.0;
        for (id, found) in gradients.summaries() {
            let seen = &mut self.seen[id];
            seen.moved |= found.moved;
            seen.finite &= found.finite;
            if !seen.finite {
                let what = format!("the gradient of {}", self.model.weights.slots()[id].name);
                return Err(RunError::NotFinite { step: self.steps, what });
            }
            squares += found.squares;
        }
        Ok(squares)
    }

    /// Moves a reference that follows the policy.
    fn follow(&mut self) {
        let Reference::Synced { alpha, steps } = self.spec.reference else { return };
        let Compared::Weights { weights, .. } = &mut self.reference else { return };
        if steps == 0 || !self.steps.is_multiple_of(steps) {
            return;
        }
        let (keep, take) = (T::of(1.0 - alpha), T::of(alpha));
        for id in self.model.weights.trained() {
            weights.change(id).follow(self.model.weights.get(id, true), keep, take);
        }
    }
}

impl StepMetrics {
    /// Adds a micro-batch that counts `share`.
    fn add(&mut self, outcome: &Outcome, tokens: usize, share: f64) {
        let count = outcome.rewards.len().max(1) as f64;
        let mean = |of: &[[f64; 2]], side: usize| of.iter().map(|pair| pair[side]).sum::<f64>() / count * share;
        let right = outcome.rewards.iter().filter(|pair| pair[0] > pair[1]).count() as f64 / count * share;
        self.loss += outcome.loss * share;
        self.rewards_chosen += mean(&outcome.rewards, 0);
        self.rewards_rejected += mean(&outcome.rewards, 1);
        self.rewards_margins = self.rewards_chosen - self.rewards_rejected;
        self.rewards_accuracies += right;
        self.logps_chosen += mean(&outcome.log_probs, 0);
        self.logps_rejected += mean(&outcome.log_probs, 1);
        self.tokens += tokens;
    }
}

/// The pairs with a prompt for each answer: TRL reads it twice, and drops others each time.
fn apart(batch: &[Pair]) -> Vec<Pair> {
    let twice = |pair: &Pair| {
        let rejected_prompt = pair.rejected_prompt.clone().or_else(|| Some(pair.prompt.clone()));
        Pair { rejected_prompt, ..pair.clone() }
    };
    batch.iter().map(twice).collect()
}

fn compared<T: Real>(
    reference: &Reference,
    model: &Model<T>,
    lora: bool,
    other: Option<Model<T>>,
) -> Result<Compared<T>, RunError> {
    let weights = |adapter| Compared::Weights { weights: model.weights.clone(), adapter };
    Ok(match reference {
        Reference::AdapterOff if !lora => {
            return Err(RunError::unsupported("ref_model", "there is no adapter to be switched off"));
        }
        Reference::AdapterOff => Compared::Off,
        Reference::CopiedAdapter | Reference::Copy | Reference::Synced { .. } => weights(true),
        Reference::Model(folder) => match other {
            Some(other) => Compared::Other(Box::new(other)),
            None => return Err(RunError::unsupported("ref_model", format!("{} was not read", folder.display()))),
        },
        Reference::Precomputed(inner) => match compared(inner, model, lora, other)? {
            // Computed before training: what changes later does not count.
            Compared::Off => weights(false),
            fixed => fixed,
        },
    })
}

fn answers<T: Real>(pack: &Pack, policy: &Scores<T>, reference: &Scores<T>) -> Vec<[Answer; 2]> {
    let wide = |numbers: &[T]| numbers.iter().map(|number| number.wide()).collect();
    let answer = |range: &std::ops::Range<usize>, tokens: usize, prompt: usize| Answer {
        policy: wide(&policy.log_probs[range.clone()]),
        reference: wide(&reference.log_probs[range.clone()]),
        squares: wide(&policy.squares[range.clone()]),
        targets: pack.targets[range.clone()].to_vec(),
        tokens,
        prompt,
    };
    let pair = |span: &super::model::pack::Span| {
        let (lengths, prompts) = (span.lengths, span.prompts);
        [answer(&span.chosen, lengths[0], prompts[0]), answer(&span.rejected, lengths[1], prompts[1])]
    };
    pack.spans.iter().map(pair).collect()
}

/// The gradients of the loss in the order of the rows.
fn token_gradients<T: Real>(pack: &Pack, outcome: &Outcome, share: f64) -> Vec<T> {
    let mut gradients = vec![T::ZERO; pack.rows.len()];
    for (span, sides) in pack.spans.iter().zip(outcome.chosen.iter().zip(&outcome.rejected)) {
        for (range, of_side) in [(&span.chosen, sides.0), (&span.rejected, sides.1)] {
            for (gradient, &found) in gradients[range.clone()].iter_mut().zip(of_side) {
                *gradient = T::of(found * share);
            }
        }
    }
    gradients
}
