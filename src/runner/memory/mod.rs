//! How much memory a run takes, told from the form of the model and the lengths of the rows before a weight is read.
//!
//! What lies in memory at once is counted, phase by phase; the largest phase is what a run takes. The numbers follow `model::pass`,
//! `trainer` and `checks`: who changes what these keep changes the counts here. `tests` hold them to what the system measured.

mod batches;
mod form;
mod machine;
mod trained;

use batches::{Batch, largest};
use form::Form;
pub use machine::{Free, Limit, Machine};

use super::model::Config;
use super::{Pair, RunError, RunSpec};

/// Bytes of a number.
const NUMBER: u64 = size_of::<f32>() as u64;

/// A run takes at least its estimate divided by this, as far as runs were measured: only what cannot fit is refused.
const AT_LEAST: f64 = 1.3;

/// Something that memory is needed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub what: String,
    /// Its size.
    pub bytes: u64,
    /// What makes it smaller.
    pub less: &'static str,
}

/// What a run takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Estimate {
    /// What for, in the order in which it is needed. All of it is in memory at once.
    pub parts: Vec<Part>,
}

/// A run whose memory is estimated.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'p> {
    /// The form of the model.
    pub config: &'p Config,
    /// How it is trained.
    pub spec: &'p RunSpec,
    /// On what.
    pub pairs: &'p [Pair],
    /// How many steps are done.
    pub steps: usize,
    /// Whether weights are read from files; else they are made.
    pub is_read: bool,
    /// Whether what was trained is written.
    pub is_saved: bool,
    /// Whether the run is done a second time, with a second model.
    pub is_repeated: bool,
    /// What the process holds already: the program, the tokenizer and the rows.
    pub held: u64,
}

impl Estimate {
    /// What the run takes at most at once.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).fold(0, u64::saturating_add)
    }

    /// Refuses a run that cannot have what it takes. `held` is what the process has of it already.
    pub fn check(&self, held: u64, free: Option<&Free>) -> Result<(), RunError> {
        let Some(free) = free else { return Ok(()) };
        if self.least(held) <= free.bytes {
            return Ok(());
        }
        Err(RunError::Memory { needed: self.clone(), free: *free })
    }

    /// What is needed at least of what the process does not hold yet.
    #[expect(clippy::cast_sign_loss, reason = "a size")]
    fn least(&self, held: u64) -> u64 {
        (self.bytes().saturating_sub(held) as f64 / AT_LEAST) as u64
    }

    fn add(&mut self, what: impl Into<String>, numbers: u64, less: &'static str) {
        if numbers > 0 {
            self.parts.push(Part { what: what.into(), bytes: numbers.saturating_mul(NUMBER), less });
        }
    }
}

/// A number of bytes as a reader takes it.
pub fn shown(bytes: u64) -> String {
    match bytes as f64 {
        count if count >= 1e9 => format!("{:.1} GB", count / 1e9),
        count if count >= 1e6 => format!("{:.1} MB", count / 1e6),
        count => format!("{:.1} kB", count / 1e3),
    }
}

/// What a run takes.
pub fn estimate(planned: &Planned<'_>) -> Estimate {
    let Planned { config, spec, .. } = *planned;
    let form = Form::new(config, spec);
    let batch = largest(planned.pairs, spec, planned.steps);
    let phases = [loading(planned, &form), training(planned, &form, &batch), checking(planned, &form, &batch)];
    let phases = phases.into_iter().chain(repeated(planned, &form, &batch)).chain(saving(planned, &form));
    let mut most =
        phases.fold(Estimate::default(), |most, phase| if phase.bytes() > most.bytes() { phase } else { most });
    let held = Part { what: String::from("the program, the tokenizer and the rows"), bytes: planned.held, less: "" };
    most.parts.insert(0, held);
    most
}

/// What is there from the first step on.
fn always(planned: &Planned<'_>, form: &Form) -> Estimate {
    let mut all = Estimate::default();
    let what = format!("{} weights in 32 bits", form.numbers);
    all.add(what, form.numbers, "a smaller model; without --model a small one of the same architecture is made");
    let name = if planned.spec.lora.is_some() { "the adapter" } else { "the trained copy of the weights" };
    let less = if planned.spec.lora.is_some() {
        "fewer `target_modules` or a smaller `r`"
    } else {
        "an adapter (`peft_config`)"
    };
    // As it is, as it was before training, and what AdamW remembers of it.
    let values = form.fresh + form.trained;
    all.add(format!("{name} before and after, and AdamW's two moments"), values + 2 * form.trained, less);
    if matches!(planned.spec.reference, super::Reference::Synced { .. }) {
        all.add("the reference that follows the model", form.trained, "`sync_ref_model=False`");
    }
    all
}

/// The largest tensor lies there twice: as it is in the file, and as numbers of 32 bits.
fn loading(planned: &Planned<'_>, form: &Form) -> Estimate {
    let mut all = Estimate::default();
    all.add(format!("{} weights in 32 bits", form.numbers), form.numbers, "a smaller model");
    if planned.is_read {
        all.add("the largest tensor as it is read", form.largest, "a smaller model");
    }
    all
}

/// What a step needs besides: gradients, and what the way back needs.
fn step(planned: &Planned<'_>, form: &Form, batch: &Batch) -> Estimate {
    let mut all = Estimate::default();
    let less = "a smaller `per_device_train_batch_size` or `max_length`";
    let kept = form.kept(batch);
    let work = form.work(batch);
    let (kept_name, work_name) = (
        format!("what the backward pass needs of {} tokens", batch.rows),
        format!("logits of {} tokens at once, and what a layer works with", Form::tile(batch)),
    );
    // The first batch of a step has its tape while there are no gradients yet.
    if planned.spec.accumulation > 1 || form.trained < kept + work {
        let beside = if planned.spec.accumulation > 1 { form.trained } else { 0 };
        all.add("gradients", beside, "fewer trained modules");
        all.add(kept_name, kept, less);
        all.add(work_name, work, less);
    } else {
        all.add("gradients", form.trained, "fewer trained modules");
    }
    all
}

fn training(planned: &Planned<'_>, form: &Form, batch: &Batch) -> Estimate {
    let mut all = always(planned, form);
    all.add(LOGITS, form.logits(batch), LESS_LOGITS);
    all.parts.extend(step(planned, form, batch).parts);
    all
}

const LOGITS: &str = "logits of the first answer, to be compared";
const LESS_LOGITS: &str = "a smaller `max_length`";

/// After the last step logits are compared, and the adapter is written and read again.
fn checking(planned: &Planned<'_>, form: &Form, batch: &Batch) -> Estimate {
    let mut all = always(planned, form);
    let adapter = planned.spec.lora.is_some();
    all.add(LOGITS, form.logits(batch) * if adapter { 3 } else { 1 }, LESS_LOGITS);
    all.add("what a layer works with", form.work(batch), "a smaller `per_device_train_batch_size` or `max_length`");
    if adapter {
        all.add("the adapter that is read again", form.trained, "a smaller `r`");
    }
    all
}

/// The same with a second model: the first run is still there.
fn repeated(planned: &Planned<'_>, form: &Form, batch: &Batch) -> Option<Estimate> {
    planned.is_repeated.then(|| {
        let mut all = always(planned, form);
        all.add("the same again for the run before the fix", form.fresh + 3 * form.trained, "no --before-fix");
        all.parts.extend(step(planned, form, batch).parts);
        all
    })
}

/// What is written lies there as bytes of tensors, and of the file.
fn saving(planned: &Planned<'_>, form: &Form) -> Option<Estimate> {
    planned.is_saved.then(|| {
        let mut all = always(planned, form);
        all.add("the file that is written", 2 * form.trained, "no --save");
        all
    })
}

#[cfg(test)]
mod tests;
