//! Keys of accelerate's configuration that it refuses beside a `DeepSpeed` file.

use super::declare::declare_rule;
use super::framework::label;
use super::launched::deepspeed_file;
use super::report::plain;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Severity};
use crate::lower::Analysis;
use crate::syntax::{Document, Entry, Scalar};

/// What the `DeepSpeed` file says itself, from `DeepSpeedPlugin._deepspeed_config_checks` of accelerate.
const REFUSED: [&str; 8] = [
    "gradient_accumulation_steps",
    "gradient_clipping",
    "zero_stage",
    "offload_optimizer_device",
    "offload_param_device",
    "offload_param_nvme_path",
    "offload_optimizer_nvme_path",
    "zero3_save_16bit_model",
];

declare_rule! {
    /// ## What it does
    ///
    /// Reports a configuration of accelerate that names a `DeepSpeed` file and sets `mixed_precision`, `zero_stage`,
    /// `gradient_accumulation_steps` or another value that belongs into that file.
    ///
    /// ## Why it matters
    ///
    /// accelerate raises `ValueError: When using deepspeed_config_file, the following accelerate config variables will be ignored` in
    /// each process, as soon as the trainer is configured.
    ///
    /// ## Example
    ///
    /// ```yaml,bad
    /// distributed_type: DEEPSPEED
    /// deepspeed_config:
    ///   deepspeed_config_file: ds.json
    ///   zero3_init_flag: true
    /// mixed_precision: bf16
    /// num_processes: 8
    /// ```
    ///
    /// ```yaml,fixed
    /// distributed_type: DEEPSPEED
    /// deepspeed_config:
    ///   deepspeed_config_file: ds.json
    ///   zero3_init_flag: true
    /// num_processes: 8
    /// ```
    ///
    /// ```yaml,good
    /// distributed_type: DEEPSPEED
    /// deepspeed_config:
    ///   zero_stage: 3
    ///   gradient_accumulation_steps: 4
    /// mixed_precision: bf16
    /// num_processes: 8
    /// ```
    ///
    /// ## Fix safety
    ///
    /// The keys are removed: safe, since nothing starts with them. What they said is to be said in the `DeepSpeed` file.
    ///
    /// ## Versions
    ///
    /// All known releases of accelerate. `--mixed_precision` on the command line is accepted.
    ///
    /// ## References
    ///
    /// - accelerate `utils/dataclasses.py`, `DeepSpeedPlugin`, and `commands/launch.py`, `deepspeed_fields_from_accelerate_config`
    KeyBesideDeepspeedFile = "key-beside-deepspeed-file", "DPL410", Error,
        "a configuration of accelerate sets what belongs into its DeepSpeed file"
}

impl Rule for KeyBesideDeepspeedFile {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, _: &Context<'_>, found: &mut Vec<Diagnostic>) {
        for (_, document) in analysis.written.documents() {
            found.extend(check(analysis, document));
        }
    }
}

fn check(analysis: &Analysis, document: &Document) -> Option<Diagnostic> {
    let file = deepspeed_file(&document.root)?;
    let config = document.root.get("deepspeed_config")?;
    let is_null = |entry: &&Entry| matches!(entry.value.scalar(), Some(Scalar::Null));
    let precision = document.root.entry("mixed_precision").filter(|entry| !is_null(entry));
    let inner = REFUSED.iter().filter_map(|name| config.entry(name));
    let mut refused: Vec<&Entry> =
        precision.filter(|_| !says_precision(analysis, document)).into_iter().chain(inner).collect();
    refused.sort_by_key(|entry| entry.span);
    let (first, others) = refused.split_first()?;
    let names: Vec<String> = refused.iter().filter_map(|entry| Some(format!("`{}`", entry.name()?))).collect();
    let edits: Option<Vec<_>> = refused.iter().map(|entry| analysis.written.remove_at(entry.span)).collect();
    let message = format!("accelerate refuses {} beside a DeepSpeed file", names.join(", "));
    let primary = label(first.span, "ValueError: this belongs into the DeepSpeed file");
    let mut finding = plain(&KeyBesideDeepspeedFile::META, Severity::Error, message, primary);
    finding.related = others.iter().map(|entry| label(entry.span, "this, too")).collect();
    finding.help = Some("say it in the DeepSpeed file, or write `\"auto\"` there".to_owned());
    finding.related.push(label(file.span, "the file is named here"));
    finding.fixes.extend(edits.map(|edits| Fix {
        title: format!("remove {}", names.join(", ")),
        applicability: Applicability::Safe,
        edits,
    }));
    Some(finding)
}

/// Whether a command that uses the configuration says the precision itself: then accelerate does not look at the file's.
fn says_precision(analysis: &Analysis, document: &Document) -> bool {
    let Some(path) = analysis.written.path_at(document.root.span) else { return false };
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    analysis.written.launches().filter_map(|(_, launch)| launch.launcher("accelerate launch")).any(|launcher| {
        let has = |wanted: &str| launcher.flags.iter().find(|flag| flag.name() == Some(wanted));
        let is_used = has("config_file").and_then(|flag| flag.value.as_str()).is_some_and(|path| path.ends_with(name));
        is_used && has("mixed_precision").is_some()
    })
}
