//! More processes than devices.

use super::declare::declare_rule;
use super::framework::{label, push_new};
use super::launched::{number, option_of, processes_option};
use super::report::plain;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::knowledge::Consumer;
use crate::lower::launch::{Launch, Launcher};
use crate::lower::{Analysis, trees};
use crate::source::Span;
use crate::syntax::Entry;

declare_rule! {
    /// ## What it does
    ///
    /// Reports launch lines that start more processes on a machine than `CUDA_VISIBLE_DEVICES` lists devices: by an option of the
    /// launcher, by `NPROC_PER_NODE` for LLaMA-Factory, ms-swift and xtuner, or by an option of `trl`, `axolotl train` (or what it hands
    /// on to its launcher behind `--`) or `tune run`.
    ///
    /// ## Why it matters
    ///
    /// Each process takes the device of its own number: the surplus ones end with `CUDA error: invalid device ordinal`, and the others
    /// wait for them until a time limit ends the run.
    ///
    /// ## Example
    ///
    /// ```sh,bad
    /// CUDA_VISIBLE_DEVICES=0,1 torchrun --nproc_per_node 4 train.py --output_dir out
    /// ```
    ///
    /// ```sh,bad
    /// CUDA_VISIBLE_DEVICES=0,1 NPROC_PER_NODE=4 swift rlhf --rlhf_type dpo --model Qwen/Qwen2.5-7B --dataset data.jsonl
    /// ```
    ///
    /// ```sh,good
    /// CUDA_VISIBLE_DEVICES=0,1 torchrun --nproc_per_node 2 train.py --output_dir out
    /// ```
    ///
    /// ```sh,good
    /// CUDA_VISIBLE_DEVICES=$DEVICES torchrun --nproc_per_node 4 train.py --output_dir out
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: which of the numbers is meant cannot be told.
    ///
    /// ## Versions
    ///
    /// All releases.
    ///
    /// ## References
    ///
    /// - open-r1 issue 126
    ProcessCountMismatch = "process-count-mismatch", "DPL409", Error, "a launch line starts more processes than there are devices"
}

impl Rule for ProcessCountMismatch {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, _: &Context<'_>, found: &mut Vec<Diagnostic>) {
        for (_, launch) in analysis.written.launches() {
            push_new(found, check(launch, launch.launchers.iter().find_map(each_machine)));
            let variable = trees::start(launch).and_then(|start| launch.variable(&start.tree.processes));
            push_new(found, check(launch, variable.and_then(number)));
        }
        for configuration in &analysis.configurations {
            let Some(launch) = configuration.launch.and_then(|launch| analysis.written.launch_at(launch)) else {
                continue;
            };
            let asked = by_program(launch, configuration.consumer);
            push_new(found, check(launch, asked));
        }
    }
}

/// How many processes a program starts on each machine by itself: by an environment variable, or an option of its command.
fn by_program(launch: &Launch, consumer: &Consumer) -> Option<(usize, Span)> {
    let variable = consumer.runs().and_then(|runs| launch.variable(runs.processes.as_deref()?));
    let is_one_machine = option_of(launch, "num_machines").is_none();
    variable.map_or_else(|| processes_option(launch, consumer).filter(|_| is_one_machine), number)
}

/// A command that starts so many processes on each machine.
fn check(launch: &Launch, asked: Option<(usize, Span)>) -> Option<Diagnostic> {
    let devices = launch.variable("CUDA_VISIBLE_DEVICES")?;
    let listed: Vec<&str> = devices.value.as_str()?.trim_matches(',').split(',').map(str::trim).collect();
    if !listed.iter().all(|one| !one.is_empty() && one.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let (count, place) = asked?;
    let there = listed.len();
    if count <= there {
        return None;
    }
    let message = format!("{count} processes are started on {there} device{}", if there == 1 { "" } else { "s" });
    let primary = label(place, "CUDA error: invalid device ordinal");
    let mut finding = plain(&ProcessCountMismatch::META, Severity::Error, message, primary);
    finding.related.push(label(devices.span, format!("these are {there}")));
    Some(finding)
}

/// How many processes a launcher starts on each machine.
fn each_machine(launcher: &Launcher) -> Option<(usize, Span)> {
    let flag = |name: &str| {
        let is_it = |entry: &&Entry| entry.name().is_some_and(|known| known.replace('-', "_") == name);
        launcher.flags.iter().rev().find(is_it)
    };
    let count = |entry: &Entry| number(entry).map(|(count, _)| count);
    // On a processor there is nothing to run out of.
    if ["cpu", "use_cpu"].iter().any(|name| flag(name).is_some()) {
        return None;
    }
    match launcher.name.as_str() {
        "torchrun" => number(flag("nproc_per_node")?),
        "accelerate launch" => {
            let machines = flag("num_machines").map_or(Some(1), count)?;
            let entry = flag("num_processes")?;
            // Of the configuration file it is not known here how many machines it speaks of.
            let is_whole = flag("num_machines").is_some() || flag("config_file").is_none();
            is_whole.then_some((count(entry)? / machines.max(1), entry.span))
        }
        _ => None,
    }
}
