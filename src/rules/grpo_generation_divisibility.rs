//! Batches of generations that hold parts of a group.

use super::ask::Call;
use super::configured::{Configured, configured};
use super::declare::declare_rule;
use super::framework::{label, push_new, push_of_each};
use super::launched::{Started, started};
use super::report::plain;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::eval::Const;
use crate::lower::Analysis;
use crate::source::Span;

declare_rule! {
    /// ## What it does
    ///
    /// Reports runs of GRPO and RLOO whose batch of generations, over all processes that the launch line starts, is no multiple of
    /// `num_generations`.
    ///
    /// ## Why it matters
    ///
    /// The generations of a prompt are compared with each other, so that each batch must hold whole groups. The configuration raises
    /// `ValueError`, in each process, and with another number of processes it does not.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// ```
    ///
    /// ```python,beside
    /// from trl import GRPOConfig, GRPOTrainer, TrlParser
    ///
    /// args, = TrlParser(GRPOConfig).parse_args_and_config()
    /// trainer = GRPOTrainer(model="Qwen/Qwen2.5-0.5B", args=args, reward_funcs=reward, train_dataset=data())
    /// ```
    ///
    /// ```sh,bad
    /// accelerate launch --num_processes 7 train.py --num_generations 8 --per_device_train_batch_size 4 --gradient_accumulation_steps 1
    /// ```
    ///
    /// ```sh,good
    /// accelerate launch --num_processes 8 train.py --num_generations 8 --per_device_train_batch_size 4 --gradient_accumulation_steps 1
    /// ```
    ///
    /// ```text,requirements
    /// ms-swift==3.9.0
    /// ```
    ///
    /// ```sh,bad
    /// NPROC_PER_NODE=3 swift rlhf --rlhf_type grpo --model Qwen/Qwen2.5-0.5B --dataset data.jsonl --num_generations 8 --per_device_train_batch_size 2 --gradient_accumulation_steps 1
    /// ```
    ///
    /// ```sh,good
    /// NPROC_PER_NODE=4 swift rlhf --rlhf_type grpo --model Qwen/Qwen2.5-0.5B --dataset data.jsonl --num_generations 8 --per_device_train_batch_size 2 --gradient_accumulation_steps 1
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix; the values of `num_generations` that go with the batch are listed.
    ///
    /// ## Versions
    ///
    /// Releases of TRL whose configuration has `generation_batch_size`, and of ms-swift that check it.
    ///
    /// ## References
    ///
    /// - TRL `grpo_config.py`, `__post_init__`; open-r1 issue 249, trl issues 2858 and 3199
    GrpoGenerationDivisibility = "grpo-generation-divisibility", "DPL703", Error,
        "a batch of generations is no multiple of `num_generations`"
}

impl Rule for GrpoGenerationDivisibility {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        push_of_each(found, configured(analysis, context), of_configuration);
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        if matches!(call.short_name(), "GRPOTrainer" | "RLOOTrainer") {
            for started in started(analysis, call.run, call.knowledge, |_, _| true) {
                push_new(found, check(&started));
            }
        }
    }
}

fn check(started: &Started<'_>) -> Option<Diagnostic> {
    let number = |name: &str| match started.field(name)? {
        (Const::Int(value), place) if value > 0 => Some(Some((value, place))),
        (Const::None, _) => Some(None),
        _ => None,
    };
    let (parts, group) = uneven(&number, started.processes())?;
    let finding = |message, primary| plain(&GrpoGenerationDivisibility::META, Severity::Error, message, primary);
    Some(report(&finding, &parts, group, started.launch.span))
}

/// A configuration that the command line of TRL or ms-swift reads.
fn of_configuration(configured: &Configured<'_>) -> Option<Diagnostic> {
    let groups = configured.runs.groups.as_ref()?;
    let package = configured.reader.versions.package;
    let is_there = configured.everywhere(&|release| groups.is_in(package, release)) && configured.is(&groups.when);
    // Devices that hold parts of one sequence count as one.
    let is_whole = configured.reader.configuration.get("sequence_parallel_size").is_none();
    let (_, launched) = configured.processes().filter(|_| is_there && is_whole)?;
    let number = |name: &str| match configured.number(name)? {
        Some((value, _)) if value <= 0 => None,
        number => Some(number),
    };
    let (parts, group) = uneven(&number, configured.processes())?;
    let finding = |message, primary| {
        configured.reader.finding(&GrpoGenerationDivisibility::META, Severity::Error, message, primary)
    };
    Some(report(&finding, &parts, group, launched))
}

/// A number, and where it is said.
type Said = (i64, Option<Span>);

/// A factor of a batch, in words, and where it is said.
type Part = (i64, String, Option<Span>);

/// What a batch consists of, and the size of a group, where the batch holds parts of one.
fn uneven(number: &dyn Fn(&str) -> Option<Option<Said>>, processes: Option<(i64, Span)>) -> Option<(Vec<Part>, Said)> {
    let group = number("num_generations")?.filter(|(group, _)| *group > 1)?;
    let parts = match (number("generation_batch_size")?, number("steps_per_generation")?) {
        (Some((batch, place)), None) => vec![(batch, format!("{batch} generations"), place)],
        (None, steps) => {
            let (processes, launched) = processes?;
            let (each, device) = number("per_device_train_batch_size")??;
            let (steps, stepped) = match steps {
                Some(steps) => steps,
                None => number("gradient_accumulation_steps")??,
            };
            vec![
                (processes, format!("{processes} processes"), Some(launched)),
                (each, format!("{each} on each"), device),
                (steps, format!("{steps} steps"), stepped),
            ]
        }
        // Both are refused for that reason alone.
        (Some(_), Some(_)) => return None,
    };
    (size(&parts) % group.0 != 0).then_some((parts, group))
}

fn size(parts: &[Part]) -> i64 {
    parts.iter().map(|(count, ..)| *count).fold(1, i64::saturating_mul)
}

fn report(
    finding: &dyn Fn(String, Label) -> Diagnostic,
    parts: &[Part],
    (group, place): Said,
    launched: Span,
) -> Diagnostic {
    let batch = size(parts);
    let message = format!("a batch of {batch} generations does not consist of whole groups of {group}");
    let primary = label(place.unwrap_or(launched), format!("ValueError: {batch} is no multiple of {group}"));
    let mut finding = finding(message, primary);
    for (_, what, place) in parts {
        match place {
            Some(place) => finding.related.push(label(*place, what.as_str())),
            None => finding.notes.push(format!("{what} by default")),
        }
    }
    let fitting: Vec<String> = (2..=batch).filter(|one| batch % one == 0).take(12).map(|one| one.to_string()).collect();
    finding.help = Some(format!("of `num_generations`, these go with the batch: {}", fitting.join(", ")));
    finding
}
