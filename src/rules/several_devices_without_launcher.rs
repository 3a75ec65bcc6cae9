//! Several devices in a single process, which TRL's trainers refuse.

use super::ask::Call;
use super::declare::declare_rule;
use super::framework::{label, push_new};
use super::launched::{Started, started};
use super::report::plain;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Confidence, Diagnostic, Severity};
use crate::lower::Analysis;
use crate::lower::launch::Launch;
use crate::model::Variant;

declare_rule! {
    /// ## What it does
    ///
    /// Reports commands that show several devices (`CUDA_VISIBLE_DEVICES=0,1`) to a script without a launcher, where the trainer in it
    /// refuses that.
    ///
    /// ## Why it matters
    ///
    /// transformers wraps the model in `nn.DataParallel` then, with which newer trainers of TRL cannot compute the loss: they raise
    /// `ValueError`, after the model was loaded and the data was prepared.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// transformers==5.20.0
    /// ```
    ///
    /// ```python,beside
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")
    /// trainer = DPOTrainer(model=model, args=DPOConfig(output_dir="out"), train_dataset=data())
    /// ```
    ///
    /// ```sh,bad
    /// CUDA_VISIBLE_DEVICES=0,1 python train.py
    /// ```
    ///
    /// ```sh,good
    /// CUDA_VISIBLE_DEVICES=0,1 accelerate launch --num_processes 2 train.py
    /// ```
    ///
    /// ```sh,good
    /// CUDA_VISIBLE_DEVICES=0 python train.py
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: another launcher changes the size of a batch.
    ///
    /// ## Versions
    ///
    /// The check is mined from the released wheels. Nothing is said where the model may be spread over the devices (`device_map`), as
    /// it is when a trainer loads it by its name.
    ///
    /// ## References
    ///
    /// - TRL `dpo_trainer.py` and its neighbours, the check on `n_gpu`
    SeveralDevicesWithoutLauncher = "several-devices-without-launcher", "DPL407", Error,
        "a single process sees several devices, which the trainer refuses"
}

impl Rule for SeveralDevicesWithoutLauncher {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let shows_several = |_: &Variant, launch: &Launch| several(launch).is_some();
        if refuses(call) {
            for started in started(analysis, call.run, call.knowledge, shows_several) {
                push_new(found, check(&started));
            }
        }
    }
}

/// Whether the trainer of the release in effect asks how many devices there are.
fn refuses(call: &Call<'_>) -> bool {
    let asks = |release| {
        let definition = call.definition(release)?;
        let guards = call.package.guards(definition, release);
        let is_all = |when: &str| when.split(" and ").all(|part| matches!(part, "args.n_gpu > 1" | "args is not None"));
        Some(guards.iter().any(|guard| is_all(&guard.when)))
    };
    call.is_about_callee() && call.in_effect().and_then(asks) == Some(true)
}

/// How many devices a command lists, where they are several.
fn several(launch: &Launch) -> Option<usize> {
    let listed = launch.variable("CUDA_VISIBLE_DEVICES")?.value.as_str()?;
    let count = listed.split(',').filter(|one| one.trim().parse::<u32>().is_ok()).count();
    (count > 1 && count == listed.split(',').count()).then_some(count)
}

fn check(started: &Started<'_>) -> Option<Diagnostic> {
    let launch = started.launch;
    let count = several(launch)?;
    let is_plain = launch.launchers.iter().all(|launcher| launcher.name == "python");
    started.processes().filter(|(processes, _)| *processes == 1 && is_plain)?;
    let model = started.run.arguments().argument("model")?;
    let made = started.run.options(&model.value)?;
    let made_by = started.run.call.trace.calls.iter().find(|event| event.object.span == made.span())?;
    let may_be_spread = made_by.open || made.argument("device_map").is_some();
    if !made.callee().ends_with(".from_pretrained") || may_be_spread {
        return None;
    }
    let devices = launch.variable("CUDA_VISIBLE_DEVICES")?;
    let message = format!("a single process sees {count} devices, which the trainer refuses");
    let primary = label(devices.span, "ValueError: it does not support `nn.DataParallel`");
    let mut finding = plain(&SeveralDevicesWithoutLauncher::META, Severity::Error, message, primary);
    finding.confidence = Confidence::Medium;
    finding.related.push(label(started.run.call.call().object.span, "this trainer refuses it"));
    finding.help = Some("start it with `accelerate launch` or `torchrun`, or show it one device".to_owned());
    Some(finding)
}
