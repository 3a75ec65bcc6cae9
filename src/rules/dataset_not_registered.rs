//! Data sets that LLaMA-Factory does not find in its list, or finds without what the stage needs.

use std::path::{Path, PathBuf};

use super::declare::declare_rule;
use super::framework::{Reader, label, push_new, readers};
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::lower::Analysis;
use crate::lower::configuration::Key;
use crate::source::did_you_mean;
use crate::syntax::{Document, Node, Scalar};

/// The list of data sets.
const LIST: &str = "dataset_info.json";

/// Places that a name of a data set may point to instead of the list.
const ELSEWHERE: [&str; 2] = ["ONLINE", "REMOTE:"];

declare_rule! {
    /// ## What it does
    ///
    /// Reports names in `dataset` and `eval_dataset` of a LLaMA-Factory configuration that the `dataset_info.json` of the project does
    /// not have, and data sets for the stages `dpo` and `rm` that are not marked with `"ranking": true` there.
    ///
    /// ## Why it matters
    ///
    /// Training ends with `Undefined dataset` after the tokenizer was loaded. A data set without `ranking` is taken for one of single
    /// answers, which the stages that compare answers refuse.
    ///
    /// ## Example
    ///
    /// ```json,list
    /// {
    ///   "pairs": {"file_name": "pairs.json", "ranking": true},
    ///   "single": {"file_name": "single.json"}
    /// }
    /// ```
    ///
    /// ```yaml,bad
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// dataset: single
    /// template: qwen
    /// output_dir: out
    /// ```
    ///
    /// ```yaml,good
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// dataset: pairs
    /// template: qwen
    /// output_dir: out
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: whether the data has pairs is not known.
    ///
    /// ## Versions
    ///
    /// All releases. Nothing is said where `dataset_dir` is not in the project.
    ///
    /// ## References
    ///
    /// - LLaMA-Factory issues 4717 and 1829
    DatasetNotRegistered = "dataset-not-registered", "DPL808", Error, "a data set is not in the list, or not as the stage needs it"
}

impl Rule for DatasetNotRegistered {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        for reader in readers(analysis, context).filter(|reader| reader.configuration.consumer.lists_data) {
            for key in ["dataset", "eval_dataset"].iter().filter_map(|name| reader.configuration.get(name)) {
                push_new(found, check(analysis, &reader, key));
            }
        }
    }
}

fn check(analysis: &Analysis, reader: &Reader<'_>, key: &Key) -> Vec<Diagnostic> {
    let Some((path, list)) = list(analysis, reader) else { return Vec::new() };
    let Some(names) = key.value.as_str() else { return Vec::new() };
    let stage = reader.configuration.get("stage").and_then(|stage| stage.value.as_str());
    let is_open = names.contains(['$', '{', '<', '/']);
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty() && !is_open);
    names.filter_map(|name| judge(reader, key, stage, name, path, list)).collect()
}

fn judge(
    reader: &Reader<'_>,
    key: &Key,
    stage: Option<&str>,
    name: &str,
    path: &Path,
    list: &Document,
) -> Option<Diagnostic> {
    let Some(entry) = list.root.entry(name) else {
        let message = format!("`{}` has no data set `{name}`", path.display());
        let primary = label(key.span, "ValueError: undefined dataset");
        let mut finding = reader.finding(&DatasetNotRegistered::META, Severity::Error, message, primary);
        finding.severity = Severity::Error;
        let known = list.root.entries().iter().filter_map(|entry| entry.name());
        finding.help = did_you_mean(name, known).map(|meant| format!("did you mean `{meant}`?"));
        return Some(finding);
    };
    let is_marked = is_ranking(&entry.value);
    if is_marked || !matches!(stage, Some("dpo" | "rm")) || entry.value.entries().is_empty() {
        return None;
    }
    let message = format!("the data set `{name}` is not marked as one of pairs, which the stage `{}` needs", stage?);
    let primary = label(key.span, "its answers are single ones");
    let mut finding = reader.finding(&DatasetNotRegistered::META, Severity::Error, message, primary);
    finding.related.push(label(entry.span, "there is no `\"ranking\": true` here"));
    Some(finding)
}

/// Whether an entry of the list says that the data has pairs.
pub(super) fn is_ranking(entry: &Node) -> bool {
    entry.get("ranking").is_some_and(|value| matches!(value.scalar(), Some(Scalar::Bool(true))))
}

/// The list that counts: in `dataset_dir`, seen from the configuration's folder or one above.
pub(super) fn list<'a>(analysis: &'a Analysis, reader: &Reader<'_>) -> Option<(&'a Path, &'a Document)> {
    let folder = match reader.configuration.get("dataset_dir") {
        Some(key) => key.value.as_str()?.to_owned(),
        None if reader.configuration.is_open => return None,
        None => "data".to_owned(),
    };
    if ELSEWHERE.iter().any(|place| folder.starts_with(place)) || Path::new(&folder).is_absolute() {
        return None;
    }
    let folders = reader.configuration.path.parent()?.ancestors();
    let candidates = folders.map(|above| above.join(folder.trim_start_matches("./")).join(LIST));
    let candidates: Vec<PathBuf> = candidates.collect();
    let (path, document) = candidates.iter().find_map(|path| analysis.written.document_named(path))?;
    document.errors.is_empty().then_some((path, document))
}
