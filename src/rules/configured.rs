//! What rules about launches ask of a configuration that a framework reads: with which `DeepSpeed` configuration it runs, and how it
//! checkpoints.

use super::Context;
use super::checkpointing::in_json;
use super::framework::{Reader, Stage, readers};
use super::launched::{
    DEEPSPEED, accelerate_option, accelerate_stage3, launcher_config, processes_of, processes_option, sharded, stage3,
};
use crate::eval::Const;
use crate::knowledge::{Case, Runs};
use crate::lower::Analysis;
use crate::lower::configuration::Key;
use crate::lower::launch::Launch;
use crate::source::Span;
use crate::syntax::{Node, NodeKind, Scalar};

/// A configuration of a program whose runs are known.
pub(super) struct Configured<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) runs: &'static Runs,
    analysis: &'a Analysis,
}

/// The configurations of a project from which training starts, where what they do is known.
pub(super) fn configured<'a>(analysis: &'a Analysis, context: &'a Context<'a>) -> impl Iterator<Item = Configured<'a>> {
    readers(analysis, context).filter_map(move |reader| {
        let runs = reader.configuration.consumer.runs()?;
        Some(Configured { reader, runs, analysis })
    })
}

/// The configuration of `DeepSpeed` that a key names or holds.
pub(super) fn deepspeed<'a>(analysis: &'a Analysis, key: &'a Key, from: &std::path::Path) -> Option<&'a Node> {
    match &key.value.target().kind {
        NodeKind::Map(_) => Some(key.value.target()),
        _ => Some(&analysis.written.document_from(key.value.as_str()?, from)?.root),
    }
}

impl<'a> Configured<'a> {
    /// The key that asks for `DeepSpeed`, if one does.
    pub(super) fn deepspeed(&self) -> Option<&'a Key> {
        let is_nothing = |key: &&Key| match key.value.scalar() {
            Some(Scalar::Null) => true,
            Some(Scalar::Str(word)) => word.is_empty(),
            _ => false,
        };
        self.reader.configuration.get("deepspeed").filter(|key| !is_nothing(key))
    }

    /// Where `DeepSpeed` is told to cut the parameters into pieces (ZeRO-3): in its configuration, or by a word for one that the program
    /// brings.
    pub(super) fn stage3(&self) -> Option<Span> {
        let Some(key) = self.deepspeed() else {
            let (launch, from) = self.launch()?;
            return accelerate_stage3(self.analysis, launcher_config(self.analysis, launch, from)?);
        };
        let brought = key.value.as_str().and_then(|word| self.runs.stages.get(word));
        match brought {
            Some(stage) => (*stage == 3).then_some(key.span),
            None => stage3(deepspeed(self.analysis, key, &self.reader.configuration.path)?),
        }
    }

    /// The command that starts the program, and the file that it stands in.
    pub(super) fn launch(&self) -> Option<(&'a Launch, &'a std::path::Path)> {
        let launch = self.analysis.written.launch_at(self.reader.configuration.launch?)?;
        Some((launch, self.analysis.written.path_at(launch.span)?))
    }

    /// Whether something may cut the model into pieces: `DeepSpeed` or FSDP, by a key or the launcher.
    pub(super) fn is_sharded(&self) -> bool {
        let is_on = |key: &Key| !matches!(key.value.scalar(), Some(Scalar::Null | Scalar::Bool(false)));
        let keys = self.reader.configuration.keys.iter();
        let by_key = |name: &str| name.starts_with("fsdp") || name.starts_with("deepspeed");
        let launched = self.launch().is_some_and(|(launch, _)| {
            let is_default = launch.launcher("accelerate launch").is_some_and(|one| {
                !one.flags.iter().any(|flag| matches!(flag.name(), Some("multi_gpu" | "config_file")))
            });
            is_default || launch.launcher("deepspeed").is_some()
        });
        launched || self.sharded().is_some() || keys.into_iter().any(|key| by_key(&key.name) && is_on(key))
    }

    /// What cuts the model into pieces, and where it is asked for.
    pub(super) fn sharded(&self) -> Option<(&'static str, Span)> {
        if let Some(key) = self.deepspeed() {
            return Some((DEEPSPEED, key.span));
        }
        let (launch, from) = self.launch()?;
        sharded(self.analysis, launch, from)
    }

    /// How many processes train, on all machines together, and where that is said.
    pub(super) fn processes(&self) -> Option<(i64, Span)> {
        let (launch, from) = self.launch()?;
        let Some(variable) = self.runs.processes.as_ref().and_then(|name| launch.variable(name)) else {
            if !launch.launchers.is_empty() {
                return processes_of(self.analysis, launch, from);
            }
            // A program that counts the devices itself starts one process for each.
            let (count, span) = processes_option(launch, self.reader.configuration.consumer)?;
            return Some((i64::try_from(count).ok()?, span));
        };
        let nodes = ["NNODES", "NODE_COUNT"].iter().any(|name| launch.variable(name).is_some());
        let count = variable.value.as_str()?.parse().ok().filter(|_| !nodes && launch.launchers.is_empty())?;
        Some((count, variable.span))
    }

    /// A whole number that a key has, or its default, and where; `None` of the inner: it is not set.
    #[expect(clippy::option_option, reason = "what is not known is something else than what is not set")]
    pub(super) fn number(&self, name: &str) -> Option<Option<(i64, Option<Span>)>> {
        let reader = &self.reader;
        match reader.value_of(name)? {
            Const::Int(value) => Some(Some((value, reader.configuration.get(name).map(|key| key.span)))),
            Const::None => Some(None),
            _ => None,
        }
    }

    /// An option of `accelerate launch`.
    pub(super) fn accelerate_option(&self, name: &str) -> Option<(&'a str, Span)> {
        let (launch, from) = self.launch()?;
        accelerate_option(self.analysis, launch, from, name)
    }

    /// Whether a condition over the keys surely holds.
    pub(super) fn is(&self, condition: &str) -> bool {
        self.everywhere(&|release| self.reader.holds(condition, release, Stage::Made))
    }

    /// The first of some cases that surely is there.
    pub(super) fn is_any(&self, cases: &'static [Case]) -> bool {
        let package = self.reader.versions.package;
        self.everywhere(&|release| {
            let of_release = cases.iter().filter(|case| case.is_in(package, release));
            of_release.into_iter().any(|case| self.reader.holds(&case.when, release, Stage::Made))
        })
    }

    /// The case of the release in effect, if one surely is there; where nothing declares the release, every recent one must have one.
    pub(super) fn case(&self, cases: &'static [Case]) -> Option<&'static Case> {
        let of_release = cases.iter().find(|case| case.is_in(self.reader.versions.package, self.reader.release))?;
        self.is_any(cases).then_some(of_release)
    }

    /// The first of some keys that is set.
    pub(super) fn key(&self, names: &[&str]) -> Option<&'a Key> {
        names.iter().find_map(|name| self.reader.configuration.get(name))
    }

    /// Whether something is so in the release in effect; where nothing declares that, in every recent one.
    pub(super) fn everywhere(&self, is_so: &dyn Fn(usize) -> bool) -> bool {
        let versions = &self.reader.versions;
        if versions.is_assumed() { self.reader.recent().all(is_so) } else { is_so(self.reader.release) }
    }

    /// Whether checkpointing is said to be reentrant, and where.
    pub(super) fn is_reentrant(&self) -> Option<(bool, Span)> {
        let key = self.reader.configuration.get(&self.runs.reentrant)?;
        let of_scalar = |scalar: &Scalar| match scalar {
            Scalar::Bool(value) => Some(*value),
            Scalar::Str(word) if word.eq_ignore_ascii_case("false") => Some(false),
            Scalar::Str(word) if word.eq_ignore_ascii_case("true") => Some(true),
            Scalar::Str(word) => in_json(word),
            _ => None,
        };
        let said = match &key.value.target().kind {
            NodeKind::Map(_) => key.value.target().get("use_reentrant")?.scalar().and_then(of_scalar),
            _ => key.value.scalar().and_then(of_scalar),
        };
        Some((said?, key.span))
    }
}
