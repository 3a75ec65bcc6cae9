//! Batches of generations that hold parts of a group.

use super::ask::Call;
use super::declare::declare_rule;
use super::framework::{label, push_new};
use super::launched::{Started, started};
use super::report::plain;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
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
    /// ## Fix safety
    ///
    /// No automatic fix; the values of `num_generations` that go with the batch are listed.
    ///
    /// ## Versions
    ///
    /// Releases of TRL whose configuration has `generation_batch_size`.
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
    let (group, place) = number("num_generations")?.filter(|(group, _)| *group > 1)?;
    let (batch, parts) = match (number("generation_batch_size")?, number("steps_per_generation")?) {
        (Some((batch, place)), None) => (batch, vec![(format!("{batch} generations"), place)]),
        (None, steps) => {
            let (processes, launched) = started.processes()?;
            let (each, device) = number("per_device_train_batch_size")??;
            let (steps, stepped) = match steps {
                Some(steps) => steps,
                None => number("gradient_accumulation_steps")??,
            };
            let parts = vec![
                (format!("{processes} processes"), Some(launched)),
                (format!("{each} on each"), device),
                (format!("{steps} steps"), stepped),
            ];
            (processes * each * steps, parts)
        }
        // Both are refused for that reason alone.
        (Some(_), Some(_)) => return None,
    };
    (batch % group != 0).then(|| report(started, (batch, &parts), (group, place)))
}

fn report(
    started: &Started<'_>,
    (batch, parts): (i64, &[(String, Option<Span>)]),
    (group, place): (i64, Option<Span>),
) -> Diagnostic {
    let message = format!("a batch of {batch} generations does not consist of whole groups of {group}");
    let primary = label(place.unwrap_or(started.launch.span), format!("ValueError: {batch} is no multiple of {group}"));
    let mut finding = plain(&GrpoGenerationDivisibility::META, Severity::Error, message, primary);
    for (what, place) in parts {
        match place {
            Some(place) => finding.related.push(label(*place, what.as_str())),
            None => finding.notes.push(format!("{what} by default")),
        }
    }
    let fitting: Vec<String> = (2..=batch).filter(|one| batch % one == 0).take(12).map(|one| one.to_string()).collect();
    finding.help = Some(format!("of `num_generations`, these go with the batch: {}", fitting.join(", ")));
    finding
}
