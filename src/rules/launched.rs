//! What rules about launches ask: how a script is started, with which configuration of accelerate and of `DeepSpeed`.

use std::path::Path;

use crate::eval::Const;
use crate::knowledge::{Consumer, Knowledge};
use crate::lower::launch::{Launch, Launcher};
use crate::lower::{Analysis, Held, Options, Told, TrainingRun};
use crate::model::{LibraryCall, Variant};
use crate::source::Span;
use crate::syntax::{Document, Entry, Node, NodeKind, Scalar};

/// The half precisions, each with the other one.
pub(super) const HALVES: [(&str, &str); 2] = [("bf16", "fp16"), ("fp16", "bf16")];

/// What cuts a model into pieces.
pub(super) const DEEPSPEED: &str = "DeepSpeed";
const FSDP: &str = "FSDP";

/// Options of `accelerate launch` that ask for it.
const CUTTING: [&str; 3] = ["use_deepspeed", "use_fsdp", "use_megatron_lm"];

/// What starts one process of what follows.
const PLAIN: [&str; 12] =
    ["python", "sudo", "env", "time", "exec", "nohup", "nice", "command", "uv", "poetry", "pdm", "conda"];

/// A trainer whose script a launch line starts.
pub(super) struct Started<'a> {
    pub(super) run: TrainingRun<'a>,
    pub(super) launch: &'a Launch,
    analysis: &'a Analysis,
    /// The file of the launch line.
    from: &'a Path,
    /// What the trainer is configured with.
    config: Option<Options<'a>>,
}

/// The ways in which launch lines start the script around a trainer; `counts` tells cheaply which of them are of interest.
pub(super) fn started<'a>(
    analysis: &'a Analysis,
    call: &'a LibraryCall,
    knowledge: &'a Knowledge,
    counts: impl Fn(&Variant, &Launch) -> bool,
) -> impl Iterator<Item = Started<'a>> {
    call.variants.iter().filter_map(move |variant| {
        let launch = launch(analysis, variant).filter(|launch| counts(variant, launch))?;
        let from = analysis.written.path_at(launch.span)?;
        let run = TrainingRun::of(call, variant, knowledge)?;
        let config = run.arguments().argument("args").and_then(|held| run.options(&held.value));
        Some(Started { run, launch, analysis, from, config })
    })
}

impl<'a> Started<'a> {
    /// What a field of the trainer's configuration is, and where that is said; `None` where it is not known.
    pub(super) fn field(&self, name: &str) -> Option<(Const, Option<Span>)> {
        let held = self.config.as_ref()?.get(name)?;
        // A launch line that is not known whole may set what is not seen.
        let is_known = held.origin.is_some() || !self.run.variant.is_open;
        match held.value {
            Told::Const(value) if is_known => Some((value, held.origin)),
            _ => None,
        }
    }

    /// What a field of the trainer's configuration holds; `None` where it has the default of its class, or may be set otherwise.
    pub(super) fn option(&self, name: &str) -> Option<Held> {
        self.config.as_ref()?.get(name).filter(|held| held.origin.is_some())
    }

    /// The call in the script that makes the trainer's configuration, where no parser fills it.
    pub(super) fn made_config(&self) -> Option<Span> {
        let config = self.config.as_ref()?;
        (!config.is_parsed()).then(|| config.span())
    }

    /// Whether each process certainly holds a whole model: nothing asks for `DeepSpeed` or FSDP.
    pub(super) fn is_data_parallel(&self) -> bool {
        let is_off = |name: &str| match self.config.as_ref().and_then(|config| config.get(name)) {
            None => true,
            Some(held) => match held.value {
                Told::Const(Const::None | Const::Bool(false)) => true,
                Told::Const(Const::Str(text)) => text.is_empty(),
                Told::List(items) => items.is_empty(),
                _ => false,
            },
        };
        let Some(launcher) = self.launch.launcher("accelerate launch") else {
            return self.launch.launcher("torchrun").is_some() && is_off("deepspeed") && is_off("fsdp");
        };
        let asks = |name: &str| flag_entry(launcher, name).is_some();
        let kind = match (self.accelerate(), flag_entry(launcher, "config_file")) {
            (Some(document), _) => document.root.get("distributed_type").and_then(Node::as_str) == Some("MULTI_GPU"),
            // Without a file, the one of the user's home folder counts unless the command says it all.
            (None, None) => asks("multi_gpu"),
            (None, Some(_)) => false,
        };
        kind && !CUTTING.into_iter().any(asks) && is_off("deepspeed") && is_off("fsdp")
    }

    /// What cuts the model into pieces, and where it is asked for: `DeepSpeed` (stage 1 and 2 count, too) or FSDP.
    pub(super) fn sharded(&self) -> Option<(&'static str, Span)> {
        let said = |name: &str| {
            let held = self.option(name)?;
            let is_on = match &held.value {
                Told::Const(Const::Str(text)) => !text.is_empty(),
                Told::Const(Const::Bool(value)) => *value,
                Told::Dict(entries) => !entries.is_empty(),
                Told::List(items) => !items.is_empty(),
                _ => false,
            };
            held.origin.filter(|_| is_on)
        };
        let own = said("deepspeed").map(|place| (DEEPSPEED, place));
        own.or_else(|| Some((FSDP, said("fsdp")?))).or_else(|| sharded(self.analysis, self.launch, self.from))
    }

    /// Whether a field is known to be true or false.
    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        match self.field(name)?.0 {
            Const::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The configuration of `accelerate launch`.
    pub(super) fn accelerate(&self) -> Option<&'a Document> {
        launcher_config(self.analysis, self.launch, self.from)
    }

    /// An option of `accelerate launch`, from its command line or else its configuration, and where it is set.
    pub(super) fn accelerate_option(&self, name: &str) -> Option<(&'a str, Span)> {
        accelerate_option(self.analysis, self.launch, self.from, name)
    }

    /// How many processes the trainer runs in, on all machines together, and where that is said.
    pub(super) fn processes(&self) -> Option<(i64, Span)> {
        processes_of(self.analysis, self.launch, self.from)
    }

    /// The `DeepSpeed` file that accelerate is given, and where it is named.
    pub(super) fn accelerate_deepspeed(&self) -> Option<(&'a Document, Span)> {
        deepspeed_of_accelerate(self.analysis, self.launch, self.from)
    }
}

/// The `DeepSpeed` file that the configuration of `accelerate launch` names, and where.
pub(super) fn deepspeed_of_accelerate<'a>(
    analysis: &'a Analysis,
    launch: &Launch,
    from: &Path,
) -> Option<(&'a Document, Span)> {
    let entry = deepspeed_file(&launcher_config(analysis, launch, from)?.root)?;
    let from = analysis.written.path_at(entry.span)?;
    Some((analysis.written.document_from(entry.value.as_str()?, from)?, entry.span))
}

/// Whether what starts a script may cut the model into pieces: accelerate, unless it is known to do otherwise. A script that no line of
/// the project starts is taken for started as it is.
pub(super) fn may_shard(analysis: &Analysis, variant: &Variant) -> bool {
    let Some(launch) = launch(analysis, variant) else { return false };
    let Some(launcher) = launch.launcher("accelerate launch") else { return false };
    let asks = |name: &str| flag_entry(launcher, name).is_some();
    let kind = launched_with(analysis, variant).and_then(|config| config.root.get("distributed_type")?.as_str());
    let is_whole = matches!(kind, Some("MULTI_GPU" | "NO")) || (asks("multi_gpu") && !asks("config_file"));
    !is_whole || CUTTING.into_iter().any(asks)
}

/// Whether what starts a script may ask for mixed precision, or cut the model into pieces.
pub(super) fn may_be_mixed(analysis: &Analysis, variant: &Variant) -> bool {
    let precision = || {
        let launch = launch(analysis, variant)?;
        let from = analysis.written.path_at(launch.span)?;
        accelerate_option(analysis, launch, from, "mixed_precision").filter(|(word, _)| *word != "no")
    };
    let is_set = || launch(analysis, variant).is_some_and(sets_precision);
    may_shard(analysis, variant) || precision().is_some() || is_set()
}

/// Whether the environment of a launch line says to accelerate what is mixed.
pub(super) fn sets_precision(launch: &Launch) -> bool {
    launch.variable("ACCELERATE_MIXED_PRECISION").is_some()
}

/// The last option of a program by its name, dashes and underscores alike.
pub(super) fn option_of<'l>(launch: &'l Launch, name: &str) -> Option<&'l Entry> {
    launch.flags.iter().rev().find(|flag| flag.name().is_some_and(|known| known.replace('-', "_") == name))
}

/// The number that an entry has, and its place.
pub(super) fn number(entry: &Entry) -> Option<(usize, Span)> {
    // `--nproc_per_node 2 recipe`: what follows the number is no part of it.
    let word = match &entry.value.kind {
        NodeKind::List(items) => items.first()?.value.as_str()?,
        _ => entry.value.as_str()?,
    };
    Some((word.parse().ok()?, entry.span))
}

/// How many processes an option of a program's own command asks for.
pub(super) fn processes_option(launch: &Launch, consumer: &Consumer) -> Option<(usize, Span)> {
    let is_there = |option: &String| match option.split_once('=') {
        Some((name, value)) => {
            option_of(launch, name).is_some_and(|one| one.value.as_str().is_none_or(|word| word == value))
        }
        None => option_of(launch, option).is_some(),
    };
    let entry = option_of(launch, consumer.processes_option.as_deref()?)?;
    if consumer.processes_unless.iter().any(is_there) { None } else { number(entry) }
}

/// How many processes a launch line starts, on all machines together, and where that is said.
pub(super) fn processes_of(analysis: &Analysis, launch: &Launch, from: &Path) -> Option<(i64, Span)> {
    let is_plain = |launcher: &Launcher| PLAIN.contains(&launcher.name.as_str());
    let mut others = launch.launchers.iter().filter(|launcher| !is_plain(launcher));
    let Some(launcher) = others.next() else { return Some((1, launch.span)) };
    // `srun torchrun`: each node may start some.
    if others.next().is_some() || launch.launchers.first().is_some_and(|first| first.name == "sbatch") {
        return None;
    }
    let of = |name: &str| flag_entry(launcher, name);
    let count = |entry: &Entry| Some((entry.value.as_str()?.parse::<i64>().ok()?, entry.span));
    match launcher.name.as_str() {
        "torchrun" => {
            let nodes = of("nnodes").map_or(Some(1), |entry| Some(count(entry)?.0))?;
            let (each, span) = of("nproc_per_node").map_or(Some((1, launch.span)), count)?;
            Some((each * nodes, span))
        }
        "accelerate launch" => {
            if let Some(entry) = of("num_processes") {
                return count(entry);
            }
            let entry = launcher_config(analysis, launch, from)?.root.entry("num_processes")?;
            match entry.value.scalar() {
                Some(Scalar::Int(count)) => Some((*count, entry.span)),
                _ => None,
            }
        }
        "deepspeed" if ["hostfile", "num_nodes", "include"].iter().all(|name| of(name).is_none()) => {
            count(of("num_gpus")?)
        }
        _ => None,
    }
}

/// The entry of a configuration of accelerate that names a `DeepSpeed` file, where `DeepSpeed` is used.
pub(super) fn deepspeed_file(root: &Node) -> Option<&Entry> {
    let is_deepspeed = root.get("distributed_type")?.as_str() == Some("DEEPSPEED");
    let entry = root.get("deepspeed_config").filter(|_| is_deepspeed)?.entry("deepspeed_config_file")?;
    entry.value.as_str().is_some_and(|file| file != "none").then_some(entry)
}

/// Where a launch says that `DeepSpeed` cuts the parameters into pieces (ZeRO-3).
pub(super) fn zero3(analysis: &Analysis, call: &LibraryCall, variant: &Variant) -> Option<Span> {
    let launch = launch(analysis, variant);
    let from = analysis.written.path_at(variant.origin?)?;
    let named = variant.settings.iter().rev().find(|setting| &*call.flag(setting.flag).name == "deepspeed");
    let named = named.and_then(|setting| match &setting.value {
        Some(Const::Str(file)) => analysis.written.document_from(file, from),
        _ => None,
    });
    let accelerate = || launcher_config(analysis, launch?, from);
    named
        .and_then(|document| stage3(&document.root))
        .or_else(|| accelerate().and_then(|document| accelerate_stage3(analysis, document)))
}

/// The configuration of `accelerate launch` with which a script is started.
pub(super) fn launched_with<'a>(analysis: &'a Analysis, variant: &Variant) -> Option<&'a Document> {
    let launch = launch(analysis, variant)?;
    launcher_config(analysis, launch, analysis.written.path_at(launch.span)?)
}

/// An option of `accelerate launch`, from its command line or else its configuration, and where it is set.
pub(super) fn accelerate_option<'a>(
    analysis: &'a Analysis,
    launch: &'a Launch,
    from: &Path,
    name: &str,
) -> Option<(&'a str, Span)> {
    if let Some(entry) = flag_entry(launch.launcher("accelerate launch")?, name) {
        return Some((entry.value.as_str()?, entry.span));
    }
    let entry = launcher_config(analysis, launch, from)?.root.entry(name)?;
    Some((entry.value.as_str()?, entry.span))
}

/// What `accelerate launch` is told to cut the model into pieces with, and where.
pub(super) fn sharded(analysis: &Analysis, launch: &Launch, from: &Path) -> Option<(&'static str, Span)> {
    let launcher = launch.launcher("accelerate launch")?;
    for (flag, by) in [("use_deepspeed", DEEPSPEED), ("use_fsdp", FSDP)] {
        if let Some(entry) = flag_entry(launcher, flag) {
            return Some((by, entry.span));
        }
    }
    let kind = launcher_config(analysis, launch, from)?.root.entry("distributed_type")?;
    match kind.value.as_str()? {
        "DEEPSPEED" => Some((DEEPSPEED, kind.span)),
        "FSDP" => Some((FSDP, kind.span)),
        _ => None,
    }
}

/// The configuration of `accelerate launch`.
pub(super) fn launcher_config<'a>(analysis: &'a Analysis, launch: &Launch, from: &Path) -> Option<&'a Document> {
    let flag = flag(launch.launcher("accelerate launch")?, "config_file")?;
    analysis.written.document_from(flag.0.as_str(), from)
}

/// Where a configuration of `DeepSpeed` asks for stage 3.
pub(super) fn stage3(root: &Node) -> Option<Span> {
    let entry = root.get("zero_optimization")?.entry("stage")?;
    matches!(entry.value.scalar(), Some(Scalar::Int(3))).then_some(entry.span)
}

/// Where a configuration of accelerate asks for it.
pub(super) fn accelerate_stage3(analysis: &Analysis, document: &Document) -> Option<Span> {
    let is_deepspeed = document.root.get("distributed_type")?.as_str() == Some("DEEPSPEED");
    let config = document.root.get("deepspeed_config").filter(|_| is_deepspeed)?;
    let stage = config.entry("zero_stage").filter(|entry| matches!(entry.value.scalar(), Some(Scalar::Int(3))));
    let file = || {
        let file = deepspeed_file(&document.root)?.value.as_str()?;
        let from = analysis.written.path_at(document.root.entries().first()?.span)?;
        stage3(&analysis.written.document_from(file, from)?.root)
    };
    stage.map(|entry| entry.span).or_else(file)
}

/// Where a launch says that it starts several processes, and how many.
pub fn processes(analysis: &Analysis, variant: &Variant) -> Option<(Span, i64)> {
    let launch = launch(analysis, variant)?;
    let from = analysis.written.path_at(variant.origin?)?;
    let of = |launcher: &str, name: &str| {
        let (word, span) = flag(launch.launcher(launcher)?, name)?;
        Some((span, word.parse::<i64>().ok()?))
    };
    let config = || {
        let entry = launcher_config(analysis, launch, from)?.root.entry("num_processes")?;
        match entry.value.scalar() {
            Some(Scalar::Int(count)) => Some((entry.span, *count)),
            _ => None,
        }
    };
    let found = of("torchrun", "nproc_per_node")
        .or_else(|| of("accelerate launch", "num_processes"))
        .or_else(|| of("deepspeed", "num_gpus"))
        .or_else(config);
    found.filter(|(_, count)| *count > 1)
}

fn flag(launcher: &Launcher, name: &str) -> Option<(String, Span)> {
    let entry = flag_entry(launcher, name)?;
    Some((entry.value.as_str()?.to_owned(), entry.span))
}

/// The last flag of a launcher that is called so, dashes and underscores alike.
fn flag_entry<'l>(launcher: &'l Launcher, name: &str) -> Option<&'l Entry> {
    let is_it = |entry: &&Entry| entry.name().is_some_and(|known| known.replace('-', "_") == name);
    launcher.flags.iter().rev().find(is_it)
}

fn launch<'a>(analysis: &'a Analysis, variant: &Variant) -> Option<&'a Launch> {
    analysis.written.launch_at(variant.origin?)
}
