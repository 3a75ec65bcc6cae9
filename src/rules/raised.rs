//! The mined checks that stop a call, sorted by what they are about, and one way to report them.

use super::RuleMeta;
use super::ask::{Call, Outcome};
use super::guards::{names, requires};
use super::report::{Reach, label_argument, objects, raises};
use crate::diagnostic::{Diagnostic, Label};
use crate::eval::{Argument, Const, FlagOwner};
use crate::knowledge::Guard;

/// A check that stops a call in some release which counts.
pub(super) struct Raised<'a> {
    pub(super) guard: &'a Guard,
    pub(super) topic: Topic,
    pub(super) outcome: Outcome,
    pub(super) reach: Reach,
}

/// What a check is about; each topic is one rule's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// The rules about reference models and adapters ask for these checks themselves.
    Reference,
    /// `fp16` and `bf16` together.
    Precision,
    /// The conditions of `load_best_model_at_end`.
    BestModel,
    /// Evaluation without a data set for it.
    EvalDataset,
    /// Training without a data set.
    TrainDataset,
    /// A value that is none of those that are known.
    Choice,
    /// Anything else.
    Other,
}

impl Topic {
    fn of(guard: &Guard) -> Self {
        let speaks_of = |name: &str| names(&guard.when, name);
        let is_about_reference = || {
            let both = ["ref_model is not None", "peft_config is not None"];
            let wrapped = ["isinstance(model, PeftModel)", "peft_config is not None"];
            // What is cheap to tell comes first.
            speaks_of("force_use_ref_model")
                || guard.when == "peft_config is not None and not isinstance(peft_config, PeftConfig)"
                || requires(guard, &both)
                || requires(guard, &wrapped)
                || requires(guard, &["ref_model is model"])
                || requires(guard, &["args.sync_ref_model"])
        };
        if speaks_of("load_best_model_at_end") {
            Self::BestModel
        } else if speaks_of("fp16") && speaks_of("bf16") {
            Self::Precision
        } else if speaks_of("eval_dataset") && (speaks_of("eval_strategy") || speaks_of("evaluation_strategy")) {
            Self::EvalDataset
        } else if guard.when == "train_dataset is None" {
            Self::TrainDataset
        } else if is_about_reference() {
            Self::Reference
        } else if is_choice(&guard.when) {
            Self::Choice
        } else {
            Self::Other
        }
    }
}

/// Whether a condition is that one thing is none of several constants: `loss_type != 'dft' and loss_type != 'nll'`.
fn is_choice(condition: &str) -> bool {
    let is_framing = |part: &&str| part.ends_with(" is not None") || part.contains("isinstance(args, ");
    let excluded = |part: &str| {
        let (name, _) = part.split_once(" != '").or_else(|| part.split_once(" not in ("))?;
        Some(name.to_owned())
    };
    let excluded: Vec<_> = condition.split(" and ").filter(|part| !is_framing(part)).map(excluded).collect();
    excluded.first().is_some_and(Option::is_some) && excluded.iter().all(|name| *name == excluded[0])
}

impl<'a> Call<'a> {
    /// The checks that stop the call, those of the release in effect first.
    pub(super) fn raised(&self) -> &[Raised<'a>] {
        self.raised.get_or_init(|| {
            // What an argument that does not fit would have set is not set: its consequences are not said.
            if !self.unfit().is_empty() {
                return Vec::new();
            }
            let counted = |(guard, outcome): (&'a Guard, Outcome)| {
                let reach = self.reach(&outcome);
                // That a flag could bring it about is no mistake.
                let counts = reach != Reach::Conditional && self.versions().speaks_of(reach);
                let counts = counts && self.is_started_so(&outcome);
                counts.then(|| Raised { guard, topic: Topic::of(guard), outcome, reach })
            };
            let mut raised: Vec<Raised<'a>> = self.stops().into_iter().filter_map(counted).collect();
            raised.sort_by_key(|one| std::cmp::Reverse(one.reach));
            without_consequences(raised)
        })
    }

    /// Whether the project starts the script in a way that brings an outcome about: flags that decide it have the values that a
    /// launch line or an argument file leaves them with. Without one, users give the flags that a run needs.
    fn is_started_so(&self, outcome: &Outcome) -> bool {
        let is_none = |flag| outcome.certain.iter().any(|release| self.default(flag, release) == Some(Const::None));
        let is_started = |index: &usize| {
            let variant = &self.run.variants[*index];
            // A field of a library that nothing sets and that is `None` by default may be filled when the object is made.
            let may_be_filled = outcome.flags.iter().any(|flag| {
                let is_field = matches!(self.run.flag(*flag).owner, FlagOwner::External(_));
                is_field && variant.setting(*flag).is_none() && is_none(*flag)
            });
            variant.origin.is_some() && !may_be_filled
        };
        outcome.flags.is_empty() || outcome.variants.iter().any(is_started)
    }
}

/// Leaves out what another check asks of an argument that is missing altogether: that there is one is checked, too.
fn without_consequences(raised: Vec<Raised<'_>>) -> Vec<Raised<'_>> {
    let missing =
        |one: &Raised<'_>| Some((one.guard.when.strip_suffix(" is None")?.to_owned(), one.outcome.certain.clone()));
    let missing: Vec<_> = raised.iter().filter_map(missing).collect();
    let follows = |one: &Raised<'_>| {
        missing.iter().any(|(name, releases)| {
            one.guard.when != format!("{name} is None")
                && names(&one.guard.when, name)
                && one.outcome.certain.is_subset(releases)
        })
    };
    raised.into_iter().filter(|one| !follows(one)).collect()
}

/// Reports the checks of one topic that stop a call, each mistake once: what two checks say about the same argument is said by the
/// first.
pub(super) fn report_raised<'c>(
    call: &'c Call<'_>,
    meta: &RuleMeta,
    topic: Topic,
    headline: &dyn Fn(&Raised<'_>, &str) -> String,
) -> Vec<(Diagnostic, &'c Raised<'c>)> {
    let mut found: Vec<(Diagnostic, &Raised<'_>)> = Vec::new();
    for raised in call.raised().iter().filter(|raised| raised.topic == topic) {
        let given = given(call, &raised.guard.when);
        let place = given.first().map_or(call.run.call().object.span, |argument| argument.span);
        if found.iter().any(|(other, _)| other.primary.span == place) {
            continue;
        }
        let affected = &raised.outcome.certain;
        let Some(judged) = call.judged() else { break };
        let releases = call.versions().meant(raised.reach, judged, affected);
        let primary = Label { span: place, message: raised.guard.raises.clone() };
        let mut finding = call.finding(meta, raised.reach, affected, headline(raised, &releases), primary);
        for argument in given.iter().skip(1) {
            label_argument(&mut finding, argument, "with this");
        }
        raises(&mut finding, raised.guard);
        call.explain(&mut finding, &raised.outcome);
        found.push((finding, raised));
    }
    found
}

/// The arguments that a condition speaks of, those of a configuration before those of the call.
pub(super) fn given(call: &Call<'_>, condition: &str) -> Vec<Argument> {
    let mut given: Vec<Argument> = Vec::new();
    let mut add = |argument: &Argument| {
        if !given.iter().any(|known| known.span == argument.span) {
            given.push(argument.clone());
        }
    };
    for argument in call.run.arguments() {
        let parameter = argument.name.as_deref().unwrap_or("args");
        for object in objects(&argument.value.value) {
            let is_named = |field: &Argument| {
                field.name.as_deref().is_some_and(|field| condition.contains(&format!("{parameter}.{field}")))
            };
            object.args.iter().filter(|field| is_named(field)).for_each(&mut add);
        }
    }
    let is_named =
        |argument: &&Argument| argument.name.as_deref().is_some_and(|name| name != "args" && names(condition, name));
    call.run.arguments().iter().filter(is_named).for_each(add);
    given
}

/// A condition without what is said only to be able to ask the rest: `args is not None` next to `args.packing`.
pub(super) fn shown(condition: &str) -> String {
    if condition.contains(" or ") {
        return condition.to_owned();
    }
    let parts: Vec<&str> = condition.split(" and ").collect();
    let is_needed = |part: &&&str| {
        let asked = part.strip_suffix(" is not None");
        !asked.is_some_and(|owner| parts.iter().any(|other| other.contains(&format!("{owner}."))))
    };
    parts.iter().filter(is_needed).copied().collect::<Vec<_>>().join(" and ")
}
