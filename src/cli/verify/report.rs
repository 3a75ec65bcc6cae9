//! What is told of a run that was trained.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::command::Title;
use super::memory::{self, Used};
use crate::runner::memory::shown as bytes;
use crate::runner::{Check, LossKind, Reference, RunSpec, StepMetrics};

/// A run that was trained.
pub(super) struct Report {
    pub title: Title,
    pub notes: Vec<String>,
    pub said: Vec<Said>,
    pub source: Source,
    pub memory: Used,
    pub spec: RunSpec,
    pub steps: usize,
    /// Whether the run before the fix was asked for, and there is none.
    pub nothing_to_fix: bool,
    pub log: Vec<StepMetrics>,
    /// The same run with a second model.
    pub before: Option<Vec<StepMetrics>>,
    pub checks: Vec<Check>,
    pub is_cut: bool,
    pub seconds: f64,
    pub saved: Option<PathBuf>,
}

/// What was trained on what.
pub(super) struct Source {
    /// `None`: a small random model.
    pub model: Option<PathBuf>,
    pub family: String,
    pub parameters: usize,
    pub trained: usize,
    /// `None`: the bundled pairs.
    pub data: Option<PathBuf>,
    pub pairs: usize,
    /// The project's own model, and how many parameters it has.
    pub second_copy: Option<(String, u64)>,
}

/// A finding of the linter about the reference.
#[derive(Debug, Serialize)]
pub(super) struct Said {
    pub rule: String,
    pub message: String,
}

impl Report {
    /// Whether everything holds that must.
    pub fn holds(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.passed)
    }

    fn bytes_of_second_model(&self) -> usize {
        self.source.parameters * size_of::<f32>()
    }
}

/// The report for a reader.
pub(super) fn write_text(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let Report { title, source, spec, .. } = report;
    write!(out, "{} trains with {}", title.run, title.release)?;
    title.start.as_ref().map_or(Ok(()), |start| write!(out, ", started by {start}"))?;
    writeln!(out, "\n")?;
    let model =
        source.model.as_ref().map_or_else(|| format!("a random {}", source.family), |path| path.display().to_string());
    writeln!(
        out,
        "  model      {model}: {} parameters, {} of them trained",
        counted(source.parameters),
        counted(source.trained)
    )?;
    let data = source.data.as_ref().map_or_else(|| String::from("bundled"), |path| path.display().to_string());
    writeln!(out, "  pairs      {} ({data})", source.pairs)?;
    let losses: Vec<String> = spec.losses.iter().map(|(kind, _)| name(*kind)).collect();
    writeln!(out, "  loss       {}, beta {}", losses.join(" + "), spec.beta)?;
    writeln!(out, "  reference  {}", reference(&spec.reference))?;
    let rate = spec.optimizer.learning_rate;
    let (batch, times) = (spec.batch_size, spec.accumulation);
    writeln!(
        out,
        "  steps      {} of {}, batches of {batch} x {times}, learning rate {rate:e}",
        report.log.len(),
        spec.total_steps
    )?;
    writeln!(out, "  memory     {}", report.memory.words())?;
    writeln!(out)?;
    table(out, report)?;
    writeln!(out)?;
    for check in &report.checks {
        let mark = if check.passed { "ok  " } else { "FAIL" };
        writeln!(out, "  {mark} {} ({})", check.name, measured(check.measured))?;
    }
    before_fix(out, report)?;
    for note in &report.notes {
        writeln!(out, "note: {note}")?;
    }
    if report.is_cut {
        writeln!(out, "note: ended early; {} of {} steps are done", report.log.len(), report.steps)?;
    }
    if let Some(folder) = &report.saved {
        writeln!(out, "Wrote {}: the adapter, metrics.jsonl, loss.svg and loss.png.", folder.display())?;
    }
    let failed = report.checks.iter().filter(|check| !check.passed).count();
    let tokens: usize = report.log.iter().map(|metrics| metrics.tokens).sum();
    #[expect(clippy::cast_precision_loss, reason = "shown without decimals")]
    let speed = tokens as f64 / report.seconds.max(1e-9);
    let time = format!("{:.2} s, {speed:.0} tokens/s", report.seconds);
    match failed {
        _ if report.log.is_empty() => writeln!(out, "Nothing was trained."),
        _ if report.checks.is_empty() => writeln!(out, "Nothing was checked ({time})."),
        0 => writeln!(out, "It trains: everything holds ({time})."),
        1 => writeln!(out, "1 thing does not hold ({time})."),
        several => writeln!(out, "{several} things do not hold ({time})."),
    }
}

/// So many lines of a table are read.
const LINES: usize = 20;

fn table(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let before = report.before.as_deref();
    write!(out, "  {:>5}  {:>9}", "step", "loss")?;
    if before.is_some() {
        write!(out, "  {:>9}", "before")?;
    }
    writeln!(out, "  {:>9}  {:>9}  {:>9}", "margin", "grad norm", "rate")?;
    let every = report.log.len().div_ceil(LINES).max(1);
    let last = report.log.len().saturating_sub(1);
    for (at, metrics) in report.log.iter().enumerate().filter(|(at, _)| at % every == 0 || *at == last) {
        write!(out, "  {:>5}  {:>9.6}", at + 1, metrics.loss)?;
        if let Some(before) = before {
            write!(out, "  {:>9.6}", before.get(at).map_or(f64::NAN, |metrics| metrics.loss))?;
        }
        writeln!(
            out,
            "  {:>9.6}  {:>9.4}  {:>9.2e}",
            metrics.rewards_margins, metrics.grad_norm, metrics.learning_rate
        )?;
    }
    Ok(())
}

fn before_fix(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    if report.nothing_to_fix {
        return writeln!(out, "\nBefore the fix: this run holds no second model beside an adapter.\n");
    }
    if report.before.is_none() {
        return Ok(());
    }
    writeln!(out, "\nBefore the fix:")?;
    for said in &report.said {
        writeln!(out, "  {}: {}", said.rule, said.message)?;
    }
    writeln!(out, "  the second model takes {} here", bytes(report.bytes_of_second_model() as u64))?;
    if let Some((name, parameters)) = &report.source.second_copy {
        writeln!(out, "  of {name} it takes {} in 16 bits, {} in 32", bytes(parameters * 2), bytes(parameters * 4))?;
    }
    writeln!(out)
}

fn measured(number: f64) -> String {
    if number == 0.0 { String::from("0") } else { format!("{number:.2e}") }
}

/// With commas between thousands.
fn counted(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn name(kind: LossKind) -> String {
    let words = format!("{kind:?}");
    let mut text = String::new();
    for letter in words.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

fn reference(reference: &Reference) -> String {
    match reference {
        Reference::AdapterOff => String::from("the model with its adapter off"),
        Reference::CopiedAdapter => String::from("a copy of the adapter as it was"),
        Reference::Copy => String::from("a copy of the model as it was"),
        Reference::Model(folder) => folder.display().to_string(),
        Reference::Precomputed(inner) => format!("{}, computed before", self::reference(inner)),
        Reference::Synced { .. } => String::from("a copy that follows the model"),
    }
}

#[derive(Serialize)]
struct Json<'r> {
    version: &'static str,
    run: &'r str,
    start: Option<&'r str>,
    release: &'r str,
    model: JsonModel<'r>,
    data: JsonData,
    memory: memory::Json<'r>,
    losses: Vec<String>,
    beta: f64,
    reference: String,
    steps: usize,
    holds: bool,
    interrupted: bool,
    seconds: f64,
    checks: Vec<JsonCheck<'r>>,
    log: Vec<JsonStep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before_fix: Option<JsonBefore<'r>>,
    notes: &'r [String],
}

#[derive(Serialize)]
struct JsonModel<'r> {
    path: Option<String>,
    family: &'r str,
    parameters: usize,
    trained: usize,
}

#[derive(Serialize)]
struct JsonData {
    path: Option<String>,
    pairs: usize,
}

#[derive(Serialize)]
struct JsonCheck<'r> {
    name: &'r str,
    passed: bool,
    measured: f64,
    tolerance: f64,
}

#[derive(Serialize)]
struct JsonStep {
    step: usize,
    loss: f64,
    margin: f64,
    grad_norm: f64,
    learning_rate: f64,
    tokens: usize,
}

#[derive(Serialize)]
struct JsonBefore<'r> {
    findings: &'r [Said],
    second_model_bytes: usize,
    log: Vec<JsonStep>,
}

fn steps(log: &[StepMetrics]) -> Vec<JsonStep> {
    let step = |metrics: &StepMetrics| JsonStep {
        step: metrics.step + 1,
        loss: metrics.loss,
        margin: metrics.rewards_margins,
        grad_norm: metrics.grad_norm,
        learning_rate: metrics.learning_rate,
        tokens: metrics.tokens,
    };
    log.iter().map(step).collect()
}

/// The report for a program; `schemas/verify.schema.json` describes it.
pub(super) fn write_json(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let check = |check: &'_ Check| JsonCheck {
        name: check.name,
        passed: check.passed,
        // JSON has no infinite numbers.
        measured: if check.measured.is_finite() { check.measured } else { f64::MAX },
        tolerance: check.tolerance,
    };
    let Report { title, source, spec, .. } = report;
    let json = Json {
        version: env!("CARGO_PKG_VERSION"),
        run: &title.run,
        start: title.start.as_deref(),
        release: &title.release,
        model: JsonModel {
            path: path(&source.model),
            family: &source.family,
            parameters: source.parameters,
            trained: source.trained,
        },
        data: JsonData { path: path(&source.data), pairs: source.pairs },
        memory: report.memory.json(),
        losses: spec.losses.iter().map(|(kind, _)| name(*kind)).collect(),
        beta: spec.beta,
        reference: reference(&spec.reference),
        steps: report.steps,
        holds: report.holds(),
        interrupted: report.is_cut,
        seconds: report.seconds,
        checks: report.checks.iter().map(check).collect(),
        log: steps(&report.log),
        before_fix: report.before.as_deref().map(|before| JsonBefore {
            findings: &report.said,
            second_model_bytes: report.bytes_of_second_model(),
            log: steps(before),
        }),
        notes: &report.notes,
    };
    serde_json::to_writer_pretty(&mut *out, &json)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(passed: [bool; 2]) -> Report {
        let check = |passed| Check { name: "something holds", passed, measured: 0.5, tolerance: 0.0 };
        Report {
            title: Title {
                run: String::from("train.py:1"),
                start: None,
                release: String::from("trl 1.16.0"),
                script: PathBuf::from("train.py"),
                others: 0,
            },
            notes: Vec::new(),
            said: Vec::new(),
            source: Source {
                model: None,
                family: String::from("llama"),
                parameters: 1_234_567,
                trained: 12,
                data: None,
                pairs: 2,
                second_copy: None,
            },
            memory: Used { needed: 0, parts: Vec::new(), peak: None },
            spec: RunSpec::default(),
            steps: 1,
            nothing_to_fix: false,
            log: vec![StepMetrics::default()],
            before: None,
            checks: passed.map(check).to_vec(),
            is_cut: false,
            seconds: 1.0,
            saved: None,
        }
    }

    #[test]
    fn what_does_not_hold_is_counted_and_is_no_success() {
        for (passed, words, holds) in [
            ([true, true], "It trains: everything holds", true),
            ([true, false], "1 thing does not hold", false),
            ([false, false], "2 things do not hold", false),
        ] {
            let report = report(passed);
            let mut text = Vec::new();
            write_text(&mut text, &report).expect("text");
            let text = String::from_utf8(text).expect("UTF-8");
            assert!(text.contains(words) && text.contains("1,234,567 parameters"), "{text}");
            assert_eq!(text.contains("FAIL something holds (5.00e-1)"), !holds, "{text}");
            assert_eq!(report.holds(), holds);
        }
        assert!(!Report { checks: Vec::new(), ..report([true, true]) }.holds());
    }
}
