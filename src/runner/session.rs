//! A run from its pairs to its report.

use std::time::{Duration, Instant};

use super::checks::{Check, Checker};
use super::data::Batches;
use super::{Device, Model, Pair, Reference, RunError, RunSpec, StepMetrics, Trainer};

/// What is trained.
pub struct Session<'s> {
    /// How.
    pub spec: &'s RunSpec,
    /// On what.
    pub pairs: &'s [Pair],
    /// What with.
    pub model: &'s Model,
    /// How many steps of the run are done.
    pub steps: usize,
    /// Where.
    pub device: &'s Device,
}

/// Who looks on, and may end it early.
pub trait Watch {
    /// A step is done.
    fn stepped(&mut self, metrics: &StepMetrics);

    /// Whether to stop after this step.
    fn is_stopped(&self) -> bool;
}

/// What came of a run.
#[derive(Debug)]
pub struct Trained {
    /// What TRL would log, a line for each step.
    pub log: Vec<StepMetrics>,
    /// What must hold; empty where the run was broken off before its first step.
    pub checks: Vec<Check>,
    /// Whether it was ended early.
    pub is_cut: bool,
    /// Why it could not go on after some steps; nothing is checked then.
    pub failure: Option<RunError>,
    /// How long it took, the checks aside.
    pub time: Duration,
    /// The model as it is now.
    pub trainer: Trainer,
}

impl Session<'_> {
    /// Trains, and checks what must hold of the run.
    pub fn run(&self, watch: &mut dyn Watch) -> Result<Trained, RunError> {
        let mut trainer = Trainer::new(self.model.clone(), self.spec, self.device)?;
        let fixed = super::data::cut(self.pairs.iter().take(self.spec.batch_size), self.spec);
        let checker = Checker::new(&trainer, &fixed)?;
        let start = Instant::now();
        let mut log = Vec::new();
        let (is_cut, failure) = match self.steps(&mut trainer, watch, &mut log) {
            Ok(is_cut) => (is_cut, None),
            Err(error) if log.is_empty() => return Err(error),
            Err(error) => (true, Some(error)),
        };
        let time = start.elapsed();
        // Where the checks cannot be made, for want of room for the adapter that is read again, what was trained is there all the same.
        let checked = if log.is_empty() || failure.is_some() { Ok(Vec::new()) } else { checker.finish(&trainer) };
        let (checks, failure) = match checked {
            Ok(checks) => (checks, failure),
            Err(error) => (Vec::new(), Some(error)),
        };
        Ok(Trained { log, checks, is_cut, failure, time, trainer })
    }

    /// The same run with a second model as reference, as it is before the fix: only what it logs.
    pub fn with_second_model(&self, watch: &mut dyn Watch) -> Result<Vec<StepMetrics>, RunError> {
        let spec = RunSpec { reference: Reference::Copy, ..self.spec.clone() };
        let mut trainer = Trainer::new(self.model.clone(), &spec, self.device)?;
        let mut log = Vec::new();
        Session { spec: &spec, ..*self }.steps(&mut trainer, watch, &mut log)?;
        Ok(log)
    }

    /// Writes a line of the log for each step, and says whether it was ended early.
    fn steps(
        &self,
        trainer: &mut Trainer,
        watch: &mut dyn Watch,
        log: &mut Vec<StepMetrics>,
    ) -> Result<bool, RunError> {
        let mut batches = Batches::new(self.pairs, self.spec);
        while log.len() < self.steps {
            if watch.is_stopped() {
                return Ok(true);
            }
            let metrics = trainer.step(&batches.step())?;
            watch.stepped(&metrics);
            log.push(metrics);
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::super::data::{Text, read, tokenise};
    use super::super::tokenizer::Tokenizer;
    use super::super::{
        Accumulated, AccumulationEnd, BiasTraining, Era, Likelihood, LoraSpec, LossKind, OptimizerSpec, Quirks,
        Schedule, Targets, Truncation, Weighting,
    };
    use super::*;

    struct Alone;

    impl Watch for Alone {
        fn stepped(&mut self, _: &StepMetrics) {}

        fn is_stopped(&self) -> bool {
            false
        }
    }

    #[derive(serde::Deserialize)]
    struct Golden {
        training: BTreeMap<String, Training>,
    }

    #[derive(serde::Deserialize)]
    struct Training {
        /// Of each forward pass.
        losses: Vec<f64>,
        /// Of each step: loss, norm of the gradient, learning rate, rewards of both answers.
        log: Vec<[f64; 5]>,
    }

    fn fixtures() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/runner")
    }

    /// What `fixtures/runner/golden.py` sets.
    fn spec(era: Era, drops_full_prompts: bool, end: Option<Truncation>) -> RunSpec {
        let is_short = end.is_some();
        RunSpec {
            era,
            drops_full_prompts,
            truncation: end.unwrap_or(Truncation::KeepStart),
            max_length: Some(if is_short { 40 } else { 512 }),
            max_prompt_length: Some(if is_short { 24 } else { 256 }),
            max_completion_length: is_short.then_some(20),
            batch_size: 3,
            accumulation: if is_short { 2 } else { 1 },
            total_steps: 20,
            optimizer: OptimizerSpec {
                learning_rate: 5e-3,
                schedule: Schedule::Cosine(0.5),
                warmup_steps: 4,
                ..RunSpec::default().optimizer
            },
            lora: Some(LoraSpec {
                rank: 4,
                alpha: 8.0,
                dropout: 0.0,
                targets: Targets::Names(["q_proj", "v_proj", "down_proj"].map(str::to_owned).to_vec()),
                rslora: false,
                dora: false,
                modules_to_save: Vec::new(),
                bias: BiasTraining::None,
                ..LoraSpec::default()
            }),
            ..RunSpec::default()
        }
    }

    /// From the files and the seed alone to the losses of TRL.
    fn compare(release: &str, era: Era, drops_full_prompts: bool, end: Truncation, accumulation_end: AccumulationEnd) {
        for (name, end) in [("long", None), ("end", Some(end))] {
            compare_one(release, name, &RunSpec { accumulation_end, ..spec(era, drops_full_prompts, end) });
        }
    }

    fn compare_one(release: &str, name: &str, spec: &RunSpec) {
        compare_with(release, name, spec, "");
    }

    /// The same where preferred answers have an end of their own.
    fn compare_with(release: &str, name: &str, spec: &RunSpec, end: &str) {
        crate::runner::alone(|| compare_one_run(release, name, spec, end));
    }

    fn compare_one_run(release: &str, name: &str, spec: &RunSpec, end: &str) {
        let path = fixtures().join(format!("golden/trl-{release}.json"));
        let golden: Golden = serde_json::from_slice(&std::fs::read(path).expect("a golden file")).expect("JSON");
        let tokenizer = Tokenizer::load(&fixtures().join("model")).expect("a tokenizer");
        let model = Model::load(&fixtures().join("model")).expect("a model");
        let mut rows = read(&fixtures().join("plain.jsonl")).expect("rows");
        for row in &mut rows {
            let Text::Plain(text) = &mut row.chosen else { panic!("the rows are no conversations") };
            text.push_str(end);
        }
        let pairs = tokenise(&rows, &tokenizer, spec).expect("pairs").pairs;
        let device = Device::default();
        let session = Session { spec, pairs: &pairs, model: &model, steps: 20, device: &device };
        let trained = session.run(&mut Alone).expect("it trains");
        let expected = &golden.training[name];
        assert_eq!(expected.log.len(), 20);
        for (at, (metrics, logged)) in trained.log.iter().zip(&expected.log).enumerate() {
            let place = format!("{release}, {name}, step {at}");
            // Beyond 1 what 32 bits hold counts.
            let close = |what: &str, found: f64, expected: f64, tolerance: f64| {
                let tolerance = tolerance * expected.abs().max(1.0);
                assert!((found - expected).abs() <= tolerance, "{place}: {what} is {found}, not {expected}");
            };
            close("the norm", metrics.grad_norm, logged[1], 1e-3);
            if spec.accumulation == 1 {
                close("the loss", metrics.loss, expected.losses[at], 1e-5);
            } else {
                // Some releases round what they log.
                close("the logged loss", metrics.loss, logged[0], 6e-5);
            }
            close("the reward of chosen", metrics.rewards_chosen, logged[3], 3e-5);
            close("the reward of rejected", metrics.rewards_rejected, logged[4], 3e-5);
        }
        for check in &trained.checks {
            // Where the first places of a sequence are all that counts, hardly anything is left to learn.
            let is_loss = spec.keeps_logits && check.name.contains("falls");
            assert!(is_loss || check.passed, "{release}, {name}: {check:?}");
        }
    }

    #[test]
    fn losses_of_the_collator() {
        compare("0.11.4", Era::Collator, false, Truncation::KeepEnd, AccumulationEnd::InNextPass);
    }

    #[test]
    fn losses_of_parts_tokenised_apart() {
        compare("0.24.0", Era::Separate, false, Truncation::KeepEnd, AccumulationEnd::Whole);
        compare("0.15.2", Era::Separate, false, Truncation::KeepEndOfBatch, AccumulationEnd::Part);
    }

    /// 0.12.2 ran with transformers 4.46.3, 0.13.0 with 4.48.3.
    #[test]
    fn single_releases_cut_tokens_and_add_losses_up() {
        for (release, names, quirks) in [
            (
                "0.12.2",
                &["long", "end"][..],
                Quirks { cuts_last: true, gradients: Accumulated::Sum, ..Quirks::default() },
            ),
            ("0.13.0", &["end"], Quirks { gradients: Accumulated::Sum, adds_losses: true, ..Quirks::default() }),
        ] {
            for name in names {
                let end = (*name == "end").then_some(Truncation::KeepStart);
                let accumulation_end =
                    if release == "0.12.2" { AccumulationEnd::InNextPass } else { AccumulationEnd::Part };
                let spec = spec(Era::Separate, false, end);
                compare_one(release, name, &RunSpec { quirks, accumulation_end, ..spec });
            }
        }
    }

    #[test]
    fn pairs_weigh_what_the_release_takes_for_likely() {
        for (release, weighting) in
            [("0.13.0", Weighting::Aligned), ("0.15.2", Weighting::Shifted), ("0.24.0", Weighting::Shifted)]
        {
            let losses = vec![(LossKind::Hinge, 1.0)];
            let spec = RunSpec { losses, weighting: Some(weighting), ..spec(Era::Separate, false, None) };
            compare_one(release, "weighting", &spec);
        }
        let losses = vec![(LossKind::Aot, 0.7), (LossKind::Sft, 0.3)];
        let spec = RunSpec { losses, weighting: Some(Weighting::Shifted), ..spec(Era::Separate, false, None) };
        compare_one("0.24.0", "mixed", &spec);
    }

    /// The answers end with the token with the number 0, which some releases take for what is masked.
    #[test]
    fn the_likelihood_of_answers_is_added() {
        let after = Likelihood { weight: 0.5, losses: 1.0, of_answers: false };
        let before = Likelihood { weight: 1.0, losses: 0.5, of_answers: false };
        for (release, era, likelihood, skips_zeros) in [
            ("0.9.6", Era::Collator, before, false),
            ("0.11.4", Era::Collator, after, false),
            ("0.24.0", Era::Separate, after, true),
        ] {
            let quirks = Quirks { keeps_merged: release == "0.9.6", ..Quirks::default() };
            let spec = RunSpec { likelihood: Some(likelihood), skips_zeros, quirks, ..spec(era, false, None) };
            compare_with(release, "likelihood", &spec, "<s>");
        }
    }

    #[test]
    fn tokens_count_by_their_place_in_the_sequence() {
        let spec = RunSpec { ld_alpha: Some(0.4), ..spec(Era::Separate, false, None) };
        let losses = vec![(LossKind::Ipo, 1.0)];
        compare_one("0.24.0", "lengths", &RunSpec { beta: 0.3, losses, ..spec.clone() });
        compare_one("0.24.0", "lengths of kept", &RunSpec { keeps_logits: true, ..spec });
    }

    #[test]
    fn losses_of_prompts_with_answers() {
        // With transformers 5.3.0.
        let quirks = Quirks { gradients: Accumulated::DividedTwice, ..Quirks::default() };
        for (name, end) in [("long", None), ("end", Some(Truncation::KeepEnd))] {
            compare_one("0.29.1", name, &RunSpec { quirks, ..spec(Era::Together, false, end) });
        }
    }

    #[test]
    fn losses_of_the_newest_release() {
        compare("1.16.0", Era::CommonPrefix, true, Truncation::KeepEnd, AccumulationEnd::Whole);
    }
}
