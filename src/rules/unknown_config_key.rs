//! Keys of a configuration that the program which reads it does not know.

use super::config_for_wrong_subcommand::Mistaken;
use super::declare::declare_rule;
use super::framework::{Reader, label, push_of_each, readers};
use super::misfit::Fate;
use super::versions::enumerate;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Severity};
use crate::lower::Analysis;
use crate::lower::configuration::Key;
use crate::syntax::Scalar;

declare_rule! {
    /// ## What it does
    ///
    /// Reports keys and flags that the release of a training framework which reads them does not have: misspelt ones, those that have
    /// another name there, and those that older or newer releases have. It knows LLaMA-Factory, axolotl, ms-swift, `OpenRLHF`, oumi,
    /// the parameters of torchtune's components, and the command line of TRL.
    ///
    /// ## Why it matters
    ///
    /// LLaMA-Factory, ms-swift, `OpenRLHF`, oumi, torchtune and TRL refuse to start, one key at a time. axolotl drops what it does not know without a word, and
    /// trains without it.
    ///
    /// Which program reads a file is told by the command that names it, or by keys that only one program has. The same key means
    /// something else to another program; a file that no program is known to read is left alone.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// llamafactory==0.9.3
    /// ```
    ///
    /// ```yaml,bad
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// dpo_beta: 0.1
    /// dataset: dpo_en_demo
    /// template: qwen
    /// output_dir: out
    /// ```
    ///
    /// ```yaml,fixed
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// pref_beta: 0.1
    /// dataset: dpo_en_demo
    /// template: qwen
    /// output_dir: out
    /// ```
    ///
    /// ```yaml,good
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// ref_model: Qwen/Qwen2.5-0.5B-Instruct
    /// pref_beta: 0.1
    /// dataset: dpo_en_demo
    /// template: qwen
    /// output_dir: out
    /// ```
    ///
    /// ## Fix safety
    ///
    /// A key that has another name in the release gets that name. It is safe where that release is pinned and refuses the old name;
    /// where the key was dropped, the run would change. A misspelt key is replaced by the one that is written almost alike, and a key
    /// that is gone is removed, both unsafe.
    ///
    /// ## Versions
    ///
    /// The keys of each release are mined from the released wheels, those of `TrainingArguments` from the release of transformers that
    /// an install of the framework gets. Where no file declares the framework, only keys that no release has are reported.
    ///
    /// ## References
    ///
    /// - LLaMA-Factory issues 5633 and 8301, ms-swift issues 2713 and 7836
    UnknownConfigKey = "unknown-config-key", "DPL105", Error, "a configuration has a key that its reader does not know"
}

impl Rule for UnknownConfigKey {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        push_of_each(found, readers(analysis, context), |reader| check(analysis, reader));
    }
}

fn check(analysis: &Analysis, reader: &Reader<'_>) -> Vec<Diagnostic> {
    let configuration = reader.configuration;
    let consumer = configuration.consumer;
    let is_lenient = consumer.lenient.as_ref().is_some_and(|key| configuration.get(key).is_some());
    // Plugins add keys of their own.
    if is_lenient || configuration.get("plugins").is_some() {
        return Vec::new();
    }
    let mut groups: Vec<(Fate, Vec<&Key>)> = Vec::new();
    for key in &configuration.keys {
        // A program that drops what it does not know has options of its own on the command line, and an empty key says nothing to it.
        let is_empty = matches!(key.value.scalar(), Some(Scalar::Null));
        if consumer.unknown.is_none() && (key.on_command_line || is_empty) {
            continue;
        }
        let Some(fate) = reader.fate(key) else { continue };
        let is_alike = |one: &&mut (Fate, Vec<&Key>)| one.0 == fate && matches!(fate, Fate::Gone | Fate::Never(None));
        match groups.iter_mut().find(is_alike) {
            Some((_, keys)) => keys.push(key),
            None => groups.push((fate, vec![key])),
        }
    }
    let mut found: Vec<_> = groups.iter().filter_map(|(fate, keys)| report(analysis, reader, fate, keys)).collect();
    // A file that is another command's is one mistake.
    let cause = if found.is_empty() { None } else { Mistaken::of(analysis, reader).map(|mistaken| mistaken.cause()) };
    for finding in &mut found {
        finding.follows = cause;
    }
    found
}

fn report(analysis: &Analysis, reader: &Reader<'_>, fate: &Fate, keys: &[&Key]) -> Option<Diagnostic> {
    let (first, rest) = keys.split_first()?;
    let consumer = reader.configuration.consumer;
    let dash = |key: &&Key| format!("`{}`", reader.shown(key));
    let names = enumerate(&keys.iter().map(dash).collect::<Vec<_>>());
    let title = reader.title();
    let message = match fate {
        Fate::Renamed(new) => format!("{title} calls {names} `{new}`"),
        Fate::Gone => format!("{title} has no {names} any more"),
        Fate::NotYet => format!("{title} has no {names} yet"),
        Fate::Never(_) | Fate::Moved(_) => format!("{title} knows no {names}"),
    };
    let severity = if consumer.unknown.is_some() { Severity::Error } else { Severity::Warning };
    let outcome = consumer.unknown.as_deref().unwrap_or("it is dropped without a word");
    let mut finding = reader.finding(&UnknownConfigKey::META, severity, message, label(first.span, outcome));
    finding.related.extend(rest.iter().map(|key| label(key.span, "this one too")));
    let having = reader.having(&first.name);
    if !having.is_empty() && keys.len() == 1 {
        finding.notes.push(format!("{} has it", reader.versions.releases(&having)));
    }
    let written = &analysis.written;
    match fate {
        Fate::Renamed(new) | Fate::Never(Some(new)) => {
            let is_renamed = matches!(fate, Fate::Renamed(_));
            finding.help = Some(if is_renamed { format!("write `{new}`") } else { format!("did you mean `{new}`?") });
            let beside = if consumer.nested { key_beside(&first.name, new) } else { new.clone() };
            // What a file says may be said once more behind it.
            let is_beside = |key: &Key| key.name == beside && key.on_command_line == first.on_command_line;
            let is_there = reader.configuration.keys.iter().any(is_beside);
            // A command line has the whole path, a file only its end.
            let name = if first.on_command_line { &beside } else { new };
            if let Some(edit) = written.rename_at(first.span, name).filter(|_| !is_there) {
                let is_safe = is_renamed && consumer.unknown.is_some() && !reader.versions.is_assumed();
                let applicability = if is_safe { Applicability::Safe } else { Applicability::Unsafe };
                finding.fixes.push(Fix { title: format!("rename it to `{new}`"), applicability, edits: vec![edit] });
            }
        }
        Fate::Gone => {
            let edits: Option<Vec<_>> = keys.iter().map(|key| written.remove_at(key.span)).collect();
            let title = format!("remove {names}");
            finding.fixes.extend(edits.map(|edits| Fix { title, applicability: Applicability::Unsafe, edits }));
        }
        Fate::NotYet | Fate::Never(None) | Fate::Moved(_) => {}
    }
    Some(finding)
}

/// The key of a name beside a key: `training.beta` beside `training.bta`.
fn key_beside(key: &str, name: &str) -> String {
    match key.rsplit_once('.') {
        Some((parent, _)) => format!("{parent}.{name}"),
        None => name.to_owned(),
    }
}
