//! The way from a command line to a report.

use std::path::{Path, PathBuf};

use super::report::{Report, Said};
use super::settings::{self, Remark, Settled};
use super::watch::{Bar, interruption};
use super::{memory, report, save};
use crate::cli::args::{Device, GlobalArgs, ListFormat, VerifyArgs};
use crate::cli::plan::Plan;
use crate::cli::progress::Progress;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, Failure};
use crate::engine::driver;
use crate::knowledge::Knowledge;
use crate::lower::{Analysis, TrainingRun};
use crate::output;
use crate::rules;
use crate::runner::data::{self, Row};
use crate::runner::memory::Planned;
use crate::runner::session::Session;
use crate::runner::tokenizer::Tokenizer;
use crate::runner::{self, Config, Model, RunError, made, tiny};
use crate::source::{Sources, Span};

/// The trainer whose runs are trained here.
const TRAINER: &str = "DPOTrainer";

/// So many steps show what must hold.
const STEPS: usize = 10;

/// The run that is meant.
struct Chosen {
    script: PathBuf,
    call: Span,
    /// What starts it.
    start: Option<Span>,
    release: String,
    settled: Result<Settled, Vec<Remark>>,
    /// How many other runs there are.
    others: usize,
}

pub(in crate::cli) fn run(args: &VerifyArgs, global: &GlobalArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let device = match args.device {
        Device::Cpu => runner::Device::Cpu,
        Device::Cuda => runner::Device::gpu().map_err(|error| Failure::Message(error.to_string()))?,
    };
    let progress = Progress::start(!global.quiet);
    let plan = Plan::new(&args.project, &args.environment.overrides(), global, &progress, terminal)?;
    let sources = Sources::default();
    let wanted = files(&args.project.paths, &plan.folder);
    let choose = |analysis: &Analysis| chosen(analysis, plan.knowledge(), &sources, &wanted);
    let (linted, runs) = plan.look(&plan.file_system(), &sources, choose);
    drop(progress);
    terminal.problems(&linted.problems);
    let Some(chosen) = runs.into_iter().flatten().next() else {
        let message = format!("no script that builds a trl.{TRAINER} was found under the given paths");
        return Err(Failure::Message(message));
    };
    let shown = output::shown_places(&sources, &plan.folder);
    let settled = chosen.settled.map_err(|refused| refusal(&refused, &shown))?;
    let said = said(&linted, chosen.call, &sources);
    let title = Title {
        run: shown(chosen.call),
        start: chosen.start.map(&shown),
        release: chosen.release,
        script: chosen.script,
        others: chosen.others,
    };
    let notes: Vec<String> = settled.notes.iter().map(|note| placed(note, &shown)).collect();
    let (report, unsaved) =
        train(args, global, &device, plan.knowledge(), settled, Words { title, notes, said, shown: &shown })?;
    let mut text = Vec::new();
    match args.format {
        ListFormat::Json => report::write_json(&mut text, &report)?,
        ListFormat::Text => report::write_text(&mut text, &report)?,
    }
    terminal.out(|out| std::io::Write::write_all(out, &text))?;
    if let Some(failure) = unsaved {
        return Err(failure);
    }
    Ok(if report.holds() { Exit::Clean } else { Exit::Findings })
}

/// How the run is called in the report.
pub(super) struct Title {
    pub run: String,
    pub start: Option<String>,
    pub release: String,
    pub script: PathBuf,
    pub others: usize,
}

/// What was read of the run, for a reader.
struct Words<'w> {
    title: Title,
    notes: Vec<String>,
    said: Vec<Said>,
    /// A place as it is shown.
    shown: &'w dyn Fn(Span) -> String,
}

/// Trains, and says why nothing was kept where it could not be: what was found is worth reading all the same.
fn train(
    args: &VerifyArgs,
    global: &GlobalArgs,
    device: &runner::Device,
    knowledge: &Knowledge,
    settled: Settled,
    words: Words<'_>,
) -> Result<(Report, Option<Failure>), Failure> {
    let Settled { mut spec, steps: plan, model: name, has_spare_reference, differs, places, .. } = settled;
    let Words { title, mut notes, said, shown } = words;
    let message = |error: &dyn std::fmt::Display| Failure::Message(error.to_string());
    let rows = match &args.data {
        Some(path) => data::read(path).map_err(|error| message(&error))?,
        None => data::parse(Path::new("the bundled pairs"), data::SAMPLE).map_err(|error| message(&error))?,
    };
    let (config, tokenizer) = form(args, name.as_deref(), &title.script, &rows)?;
    let tokenised = data::tokenise(&rows, &tokenizer, &spec).map_err(|error| message(&error))?;
    plan.settle(&mut spec, tokenised.pairs.len());
    let whole = spec.total_steps;
    let steps = args.steps.map_or(STEPS, |steps| steps as usize).min(whole);
    if args.model.is_none() && steps < whole {
        // There is no log of the user's to foretell, and at the beginning of a long warm-up nothing moves.
        spec.optimizer.warmup_steps = compressed(spec.optimizer.warmup_steps, steps, whole);
        spec.total_steps = steps;
        notes.push(format!("the schedule of {whole} steps is compressed to {steps}"));
    }
    if args.model.is_some() && args.data.is_some() {
        notes.extend(differs);
    }
    notes.extend(remarks(&tokenised, title.others));
    notes.extend(device.memory().map(|_| format!("trained on {} with 32 bits", device.name())));
    let planned = Planned {
        config: &config,
        spec: &spec,
        pairs: &tokenised.pairs,
        steps,
        is_read: args.model.is_some(),
        is_saved: args.save.is_some(),
        is_repeated: args.before_fix && has_spare_reference,
        held: memory::held(device),
    };
    notes.extend(device.memory().map(|_| format!("trained on {} with 32 bits", device.name())));
    let needed = memory::enough(&planned, device, &mut notes).map_err(|error| message(&error))?;
    let model = match &args.model {
        Some(folder) => Model::load(folder),
        None => Model::random(&config.raw, 0),
    };
    let model = model.map_err(|error| message(&error))?;
    tokenised.check(&model, &spec).map_err(|error| message(&error))?;
    let dropping = model.config().dropping(spec.drops);
    if !dropping.is_empty() {
        notes.push(format!(
            "by {} of config.json numbers are dropped in training, others than PyTorch drops: losses are not those of TRL",
            dropping.join(", ")
        ));
    }
    let session = Session { spec: &spec, pairs: &tokenised.pairs, model: &model, steps, device };
    let stopped = interruption();
    let wrong = |error: &RunError| Failure::Message(with_place(error, &places, shown));
    let trained = session.run(&mut Bar::new(steps, !global.quiet, &stopped)).map_err(|error| wrong(&error))?;
    if trained.failure.is_none() && trained.trainer.is_still() && !trained.log.is_empty() {
        notes.push(String::from(
            "in all of these steps the warm-up holds the learning rate at 0; more steps show what changes",
        ));
    }
    let before = if args.before_fix && has_spare_reference && !trained.is_cut {
        Some(session.with_second_model(&mut Bar::new(steps, !global.quiet, &stopped)).map_err(|error| wrong(&error))?)
    } else {
        None
    };
    let mut is_saved = false;
    let mut unsaved = trained.failure.as_ref().map(wrong);
    // An adapter whose checks had no room may have room where it is to be.
    let is_sound = matches!(trained.failure, None | Some(RunError::Write { .. }));
    if let (Some(folder), true) = (&args.save, is_sound) {
        let base = args.model.as_deref().map(|path| path.display().to_string()).or_else(|| name.clone());
        #[expect(clippy::cast_precision_loss, reason = "a number of steps")]
        let pass = data::Batches::in_a_pass(tokenised.pairs.len(), &spec) as f64 / spec.accumulation as f64;
        let saved = save::save(folder, &trained, before.as_deref(), base.as_deref().unwrap_or_default(), pass);
        is_saved = saved.is_ok();
        unsaved = saved.err().or(unsaved);
    }
    let report = Report {
        title,
        notes,
        said,
        source: report::Source {
            model: args.model.clone(),
            family: format!("{:?}", model.config().family).to_lowercase(),
            parameters: model.parameter_count(),
            trained: trained.trainer.trained_count(),
            data: args.data.clone(),
            pairs: tokenised.pairs.len(),
            second_copy: name
                .as_deref()
                .and_then(|name| Some((name.to_owned(), knowledge.curated().parameters_of(name)?))),
        },
        memory: memory::Used { needed: needed.bytes(), parts: needed.parts, peak: memory::peak(device) },
        spec,
        steps,
        nothing_to_fix: args.before_fix && !has_spare_reference,
        log: trained.log,
        before,
        checks: trained.checks,
        is_cut: trained.is_cut,
        seconds: trained.time.as_secs_f64(),
        saved: args.save.clone().filter(|_| is_saved),
    };
    Ok((report, unsaved))
}

/// A warm-up that is as long a part of fewer steps.
fn compressed(warmup: usize, steps: usize, whole: usize) -> usize {
    (warmup as u128 * steps as u128 / whole as u128) as usize
}

/// An error, with the place where the setting that it is about is set.
fn with_place(error: &RunError, places: &[(String, Span)], shown: &dyn Fn(Span) -> String) -> String {
    let RunError::Unsupported { setting, .. } = error else { return error.to_string() };
    let place = places.iter().find(|(name, _)| name == setting || name.strip_prefix("lora_") == Some(setting));
    place.map_or_else(|| error.to_string(), |(_, place)| format!("{}: {error}", shown(*place)))
}

/// What became of rows, and which runs were left alone.
fn remarks(tokenised: &data::Tokenised, others: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if tokenised.dropped > 0 {
        notes.push(format!("{} rows are dropped, as TRL does it: their prompt fills max_length", tokenised.dropped));
    }
    if tokenised.mismatched > 0 {
        notes.push(format!(
            "in {} rows the end of the prompt merges with the answer into other tokens",
            tokenised.mismatched
        ));
    }
    if others > 0 {
        notes.push(format!("the project has {others} other runs; name a script, a launch script or an argument file"));
    }
    notes
}

/// The form of the model, and its tokenizer: those of the folder, or small ones made on the spot.
fn form(args: &VerifyArgs, name: Option<&str>, script: &Path, rows: &[Row]) -> Result<(Config, Tokenizer), Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::Message(error.to_string());
    if let Some(folder) = &args.model {
        let tokenizer = Tokenizer::load(folder).map_err(|error| wrong(&error))?;
        return Ok((Config::load(folder).map_err(|error| wrong(&error))?, tokenizer));
    }
    let tokenizer = made::tokenizer(rows).map_err(|error| wrong(&error))?;
    let beside = script.parent().unwrap_or(Path::new(""));
    let folders = name.into_iter().flat_map(|name| [beside.join(name), PathBuf::from(name)]);
    let mut texts = folders.filter_map(|folder| std::fs::read_to_string(folder.join("config.json")).ok());
    let like = texts.next().and_then(|text| serde_json::from_str(&text).ok());
    let config = tiny::config(like.as_ref(), tokenizer.size());
    Ok((Config::parse(Path::new("config.json"), config).map_err(|error| wrong(&error))?, tokenizer))
}

/// The files among the arguments, in full.
fn files(paths: &[PathBuf], folder: &Path) -> Vec<PathBuf> {
    let full = paths.iter().map(|path| crate::engine::collect::absolute(folder, path));
    full.filter(|path| path.is_file()).collect()
}

/// The run that is meant: one that the named files take part in; the first that something starts.
fn chosen(analysis: &Analysis, knowledge: &Knowledge, sources: &Sources, wanted: &[PathBuf]) -> Option<Chosen> {
    let mut runs = TrainingRun::all(analysis, knowledge, TRAINER);
    let path = |span: Span| sources.get(span.file).path().to_path_buf();
    let takes_part = |run: &TrainingRun<'_>| {
        let start = run.variant.origin.map(path);
        let is_one = |file: &&PathBuf| {
            file.ends_with(&run.call.script) || start.as_ref().is_some_and(|start| file.ends_with(start))
        };
        wanted.is_empty() || wanted.iter().any(|file| is_one(&file))
    };
    runs.retain(takes_part);
    let first = runs.iter().position(|run| run.variant.origin.is_some()).unwrap_or(0);
    let run = runs.get(first)?;
    let package = knowledge.package("trl")?;
    let mut settled = settings::settle(run, knowledge);
    if let (Ok(settled), Some((place, count))) = (&mut settled, rules::processes(analysis, run.variant)) {
        let message = format!("each step takes a batch of each of {count} processes; one of them is trained here");
        settled.notes.push(Remark { message, place: Some(place) });
    }
    Some(Chosen {
        script: run.call.script.clone(),
        call: run.call.call().object.span,
        start: run.variant.origin,
        release: package.versions().get(run.release).map(|version| format!("trl {version}")).unwrap_or_default(),
        settled,
        others: runs.len() - 1,
    })
}

/// What the linter says of the reference of this call.
fn said(linted: &driver::Report, call: Span, sources: &Sources) -> Vec<Said> {
    let path = sources.get(call.file).path().to_path_buf();
    let is_about = |finding: &&crate::diagnostic::Diagnostic| {
        let place = finding.primary.span;
        sources.get(place.file).path() == path && call.contains(place) && finding.rule.contains("ref")
    };
    let findings = linted.findings.iter().filter(is_about);
    findings.map(|finding| Said { rule: finding.rule.to_owned(), message: finding.message.clone() }).collect()
}

fn placed(remark: &Remark, shown: &dyn Fn(Span) -> String) -> String {
    remark.place.map_or_else(|| remark.message.clone(), |place| format!("{}: {}", shown(place), remark.message))
}

fn refusal(refused: &[Remark], shown: &dyn Fn(Span) -> String) -> Failure {
    let lines: Vec<String> = refused.iter().map(|remark| placed(remark, shown)).collect();
    Failure::Message(format!("this run cannot be trained here\n  {}", lines.join("\n  ")))
}
