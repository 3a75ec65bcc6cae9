//! Values of a configuration that the program which reads it cannot make what it needs of.

use super::declare::declare_rule;
use super::framework::{Reader, label, push_new, readers};
use super::invalid_choice::respelt_setting;
use super::versions::enumerate;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Severity};
use crate::eval::Const;
use crate::knowledge::Reading;
use crate::lower::Analysis;
use crate::lower::configuration::{Key, Kind, kind_of};
use crate::source::did_you_mean;

declare_rule! {
    /// ## What it does
    ///
    /// Reports values in a configuration of a training framework that its own parser refuses: words that are none of those which a key
    /// may have, and text where a number or a truth value is needed. In a configuration of torchtune: components that the release does not
    /// have.
    ///
    /// ## Why it matters
    ///
    /// What a parser refuses ends the run. LLaMA-Factory does not look at the words of a file at all: a wrong one is found where it is
    /// used, after the model was loaded.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// axolotl==0.9.2
    /// ```
    ///
    /// ```yaml,bad
    /// base_model: Qwen/Qwen2.5-0.5B-Instruct
    /// rl: dpoo
    /// datasets:
    ///   - path: data.jsonl
    ///     type: chatml.intel
    ///     split: train
    /// sequence_len: 1024
    /// micro_batch_size: 1
    /// gradient_accumulation_steps: 4
    /// num_epochs: 1
    /// ```
    ///
    /// ```yaml,unsafe-fixed
    /// base_model: Qwen/Qwen2.5-0.5B-Instruct
    /// rl: dpo
    /// datasets:
    ///   - path: data.jsonl
    ///     type: chatml.intel
    ///     split: train
    /// sequence_len: 1024
    /// micro_batch_size: 1
    /// gradient_accumulation_steps: 4
    /// num_epochs: 1
    /// ```
    ///
    /// ```yaml,good
    /// base_model: Qwen/Qwen2.5-0.5B-Instruct
    /// rl: ipo
    /// learning_rate: 5e-6
    /// datasets:
    ///   - path: data.jsonl
    ///     type: chatml.intel
    ///     split: train
    /// sequence_len: 1024
    /// micro_batch_size: 1
    /// gradient_accumulation_steps: 4
    /// num_epochs: 1
    /// ```
    ///
    /// ## Fix safety
    ///
    /// A word is replaced by the one that is written almost alike. Unsafe, since it is a guess. A component is written by the name that the
    /// release has for it: the same thing, so that is safe.
    ///
    /// ## Versions
    ///
    /// Types and words are mined from the annotations of the released wheels. A value is read as the release in effect reads it: as
    /// pydantic, the parser of a command line, `PyYAML` or `OmegaConf` does.
    ///
    /// ## References
    ///
    /// - the argument classes of each release
    InvalidConfigValue = "invalid-config-value", "DPL810", Error, "a configuration has a value that its reader refuses"
}

impl Rule for InvalidConfigValue {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        for reader in readers(analysis, context) {
            for key in &reader.configuration.keys {
                let finding = missing(analysis, &reader, key).or_else(|| refused(analysis, &reader, key));
                push_new(found, finding.or_else(|| unchecked(analysis, &reader, key)));
            }
        }
    }
}

/// A value that the parser refuses.
fn refused(analysis: &Analysis, reader: &Reader<'_>, key: &Key) -> Option<Diagnostic> {
    let (reason, kinds) = reader.misread(key)?;
    let message = format!("{} cannot read `{}`: {reason}", reader.title(), key.name);
    let mut finding =
        reader.finding(&InvalidConfigValue::META, Severity::Error, message, label(key.span, "it is refused"));
    suggest(analysis, key, &kinds, &mut finding);
    Some(finding)
}

/// A component that does not exist.
fn missing(analysis: &Analysis, reader: &Reader<'_>, key: &Key) -> Option<Diagnostic> {
    let component = reader.configuration.consumer.component.as_ref()?;
    let named = key.value.as_str().filter(|_| key.name.rsplit('.').next() == Some(component))?;
    let lacking = reader.lacks(named, reader.release)?;
    // Where nothing is declared another release may be meant.
    let is_assumed = reader.versions.is_assumed();
    let lacks = |release| reader.lacks(named, release).is_some();
    if is_assumed && !reader.versions.package.all().iter().all(lacks) {
        return None;
    }
    let message = format!("{} has no `{named}`", reader.title());
    let primary = label(key.span, "InstantiationError: it cannot be imported");
    let mut finding = reader.finding(&InvalidConfigValue::META, Severity::Error, message, primary);
    let is_moved = lacking.moved.is_some();
    if let Some(other) = lacking.moved.or(lacking.similar) {
        finding.help = Some(if is_moved { format!("it is `{other}`") } else { format!("did you mean `{other}`?") });
        let edit = analysis.written.set_at(key.span, &other);
        let applicability = if is_moved && !is_assumed { Applicability::Safe } else { Applicability::Unsafe };
        finding.fixes.extend(edit.map(|edit| Fix {
            title: format!("write `{other}`"),
            applicability,
            edits: vec![edit],
        }));
    }
    Some(finding)
}

/// A word that no parser looks at and that is none of those that the field is declared to hold.
fn unchecked(analysis: &Analysis, reader: &Reader<'_>, key: &Key) -> Option<Diagnostic> {
    let is_unchecked = matches!(reader.reading()?, Reading::SafeYaml | Reading::Omegaconf | Reading::Trl);
    let word = key.value.as_str().filter(|_| is_unchecked && !key.on_command_line)?;
    let kinds = kind_of(reader.parameter(&key.name)?);
    let [Kind::Choice(words)] = &kinds[..] else { return None };
    if words.iter().any(|one| one == word) || word.is_empty() || word.contains(['$', '{']) {
        return None;
    }
    if reader.knows_word(&key.name, word) || reader.is_unread(&key.name) {
        return None;
    }
    let message = format!("{} knows no `{}: {word}`", reader.title(), key.name);
    let switch = off(reader, &key.name);
    let is_apart = reader.apart().any(|one| one == key.name);
    let severity = if switch.is_some() || is_apart { Severity::Warning } else { Severity::Error };
    let mut finding = reader.finding(&InvalidConfigValue::META, severity, message, label(key.span, "unknown value"));
    finding.notes.push(match switch {
        Some(switch) => format!("its parser does not look at it, and nothing does while `{switch}` is off"),
        None if is_apart => "its parser does not look at it, and with these settings nothing does".to_owned(),
        None => "its parser does not look at it, so that it fails when it is used".to_owned(),
    });
    suggest(analysis, key, &kinds, &mut finding);
    Some(finding)
}

/// The switch without which a key is not used, where it is off: `use_badam` of `badam_mode`.
fn off(reader: &Reader<'_>, key: &str) -> Option<String> {
    let switches = key.match_indices('_').map(|(at, _)| format!("use_{}", &key[..at]));
    let mut known = switches.filter(|name| reader.parameter(name).is_some());
    known.find(|name| reader.value_of(name) == Some(Const::Bool(false)))
}

/// Says which words a key may have, and writes the one that looks like what it has.
pub(super) fn suggest(analysis: &Analysis, key: &Key, kinds: &[Kind], finding: &mut Diagnostic) {
    let words = kinds.iter().find_map(|kind| match kind {
        Kind::Choice(words) => Some(words),
        Kind::List(inner) => match &**inner {
            Kind::Choice(words) => Some(words),
            _ => None,
        },
        _ => None,
    });
    let Some(words) = words else { return };
    let known: Vec<String> = words.iter().map(|one| format!("`{one}`")).collect();
    finding.notes.push(format!("known are {}", enumerate(&known)));
    let Some(meant) = key.value.as_str().and_then(|word| did_you_mean(word, words.iter().map(String::as_str))) else {
        return;
    };
    finding.help = Some(format!("did you mean `{meant}`?"));
    finding.fixes.extend(respelt_setting(analysis, key.span, meant));
}
