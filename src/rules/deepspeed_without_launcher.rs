//! `DeepSpeed` for a run that LLaMA-Factory starts as a single process.

use super::configured::{Configured, configured};
use super::declare::declare_rule;
use super::framework::{label, push_of_each};
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Confidence, Diagnostic, Fix, Severity};
use crate::lower::Analysis;
use crate::lower::launch::Launch;
use crate::source::Span;
use crate::syntax::Edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports launch lines that show LLaMA-Factory a single device and give it a configuration with `deepspeed`.
    ///
    /// ## Why it matters
    ///
    /// LLaMA-Factory starts its processes with `torchrun` only where it sees several devices, and refuses `DeepSpeed` else:
    /// `ValueError: Please use FORCE_TORCHRUN=1 to launch DeepSpeed training`.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// llamafactory==0.9.3
    /// ```
    ///
    /// ```yaml,beside:dpo.yaml
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// deepspeed: ds.json
    /// output_dir: out
    /// ```
    ///
    /// ```sh,bad
    /// CUDA_VISIBLE_DEVICES=0 llamafactory-cli train dpo.yaml
    /// ```
    ///
    /// ```sh,fixed
    /// FORCE_TORCHRUN=1 CUDA_VISIBLE_DEVICES=0 llamafactory-cli train dpo.yaml
    /// ```
    ///
    /// ```sh,good
    /// CUDA_VISIBLE_DEVICES=0,1 llamafactory-cli train dpo.yaml
    /// ```
    ///
    /// ## Fix safety
    ///
    /// `FORCE_TORCHRUN=1` is put before the command: safe, since nothing starts without it.
    ///
    /// ## Versions
    ///
    /// The releases with that check are known (`schemas/consumers.json`). Nothing is said where the variable is set anywhere in the file
    /// before the command, or the command does not say which devices there are.
    ///
    /// ## References
    ///
    /// - LLaMA-Factory `launcher.py` and `hparams/parser.py`, `get_train_args`
    DeepspeedWithoutLauncher = "deepspeed-without-launcher", "DPL411", Error,
        "DeepSpeed is asked for in a single process that no launcher starts"
}

impl Rule for DeepspeedWithoutLauncher {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        push_of_each(found, configured(analysis, context), check);
    }
}

fn check(configured: &Configured<'_>) -> Option<Diagnostic> {
    let forced = configured.runs.forced.as_ref()?;
    let package = configured.reader.versions.package;
    let (launch, _) = configured.launch().filter(|(launch, _)| launch.launchers.is_empty())?;
    let key = configured.deepspeed().filter(|_| configured.everywhere(&|release| forced.is_in(package, release)))?;
    let is_set = |name: &String| launch.variable(name).is_some();
    let devices = launch.variable("CUDA_VISIBLE_DEVICES")?;
    let is_single = devices.value.as_str().is_some_and(|listed| listed.parse::<u32>().is_ok());
    if !is_single || is_set(&forced.by) || forced.unless.iter().any(is_set) {
        return None;
    }
    let title = configured.reader.title();
    let message = format!("{title} starts a single process here, and refuses DeepSpeed in it");
    let primary = label(launch.span, format!("ValueError: Please use `{}=1`", forced.by));
    let meta = &DeepspeedWithoutLauncher::META;
    let mut finding = configured.reader.finding(meta, Severity::Error, message, primary);
    // It may be set outside of the file.
    finding.confidence = Confidence::Medium;
    finding.related.push(label(devices.span, "this is one device"));
    finding.related.push(label(key.span, "this asks for DeepSpeed"));
    finding.help = Some(format!("set `{}=1`", forced.by));
    finding.fixes.push(Fix {
        title: format!("set `{}=1` for the command", forced.by),
        applicability: Applicability::Safe,
        edits: vec![before(launch, &format!("{}=1 ", forced.by))],
    });
    Some(finding)
}

fn before(launch: &Launch, text: &str) -> Edit {
    let start = Span { end: launch.span.start, ..launch.span };
    Edit { span: start, text: text.to_owned() }
}
